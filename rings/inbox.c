#include "rings/inbox.h"

/* Uses builtins instead of ck_stack, whose push has a store fence only: the owner's next use of the memory must also
 * come after the reads of the thread that put it. ThreadSanitizer understands the builtins
 * (docs/decisions/0017-workers.md). */

static void put(struct ps_inbox *inbox, struct ps_inbox_node *first, struct ps_inbox_node *last)
{
    struct ps_inbox_node *newest = __atomic_load_n(&inbox->newest, __ATOMIC_RELAXED);
    do {
        last->next = newest;
    } while (!__atomic_compare_exchange_n(&inbox->newest, &newest, first, true, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
}

void ps_inbox_put(struct ps_inbox *inbox, struct ps_inbox_node *node)
{
    put(inbox, node, node);
}

void ps_inbox_put_list(struct ps_inbox *inbox, struct ps_inbox_node *first)
{
    struct ps_inbox_node *last = first;
    while (last->next != NULL)
        last = last->next;
    put(inbox, first, last);
}

/* Each put continues the release sequence of those before it, so one acquire sees the contents of all nodes. */
struct ps_inbox_node *ps_inbox_take(struct ps_inbox *inbox)
{
    if (__atomic_load_n(&inbox->newest, __ATOMIC_RELAXED) == NULL)
        return NULL;
    return __atomic_exchange_n(&inbox->newest, NULL, __ATOMIC_ACQUIRE);
}
