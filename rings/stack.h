/* A lock-free stack (last in, first out) of nodes that belong to the caller: the block depot's free list.
 * Concurrency Kit's ck_stack, which needs a double-width compare-and-swap for a safe pop. Any number of
 * threads push and pop; a pop never waits for a descheduled thread. */
#pragma once

#include "rings/base.h"

struct ps_stack_node {
    struct ps_stack_node *next;
};

struct ps_stack {
    struct ps_stack_node *head;
    void *generation; /* against ABA */
} __attribute__((aligned(16)));

void ps_stack_init(struct ps_stack *stack);
void ps_stack_push(struct ps_stack *stack, struct ps_stack_node *node);
/* Returns NULL when empty. */
struct ps_stack_node *ps_stack_pop(struct ps_stack *stack);
