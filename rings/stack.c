#include "rings/stack.h"

/* When ck_stack pops the last node, it computes an address from a null pointer, and does not use it. Clang's UBSan
 * reports that. */
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <ck_stack.h>
#ifdef __clang__
#pragma clang attribute pop
#endif

#include "rings/tsan.h"

_Static_assert(sizeof(struct ps_stack) == sizeof(ck_stack_t), "ps_stack is a ck_stack");
_Static_assert(sizeof(struct ps_stack_node) == sizeof(ck_stack_entry_t), "a node is a ck_stack entry");

void ps_stack_init(struct ps_stack *stack)
{
    ck_stack_init((ck_stack_t *)stack);
}

void ps_stack_push(struct ps_stack *stack, struct ps_stack_node *node)
{
    PS_TSAN_RELEASE(stack);
    ck_stack_push_mpmc((ck_stack_t *)stack, (ck_stack_entry_t *)node);
}

struct ps_stack_node *ps_stack_pop(struct ps_stack *stack)
{
    struct ps_stack_node *node = (struct ps_stack_node *)ck_stack_pop_mpmc((ck_stack_t *)stack);
    PS_TSAN_ACQUIRE(stack);
    return node;
}
