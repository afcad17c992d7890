/* The leases that the consumers of one channel gave back: a list, of which any consumer takes the newest one. A sink gives
 * its leases back newest first, so it is the oldest of that sink.
 *
 * A consumer takes the whole list, and puts all but the first lease back: another one that looks meanwhile finds nothing.
 * It must look again soon, since nobody wakes it for what was put back. Thread: any. */
#pragma once

#include "core/flow/batch.h"
#include "rings/inbox.h"

/* How soon a consumer looks again. */
#define PS_GIVEN_BACK_LOOK_NS PS_NS_PER_MS

/* Returns NULL if there is none, or if another consumer has the list in hand. */
static inline struct ps_lease *ps_given_back_take(struct ps_inbox *list)
{
    struct ps_inbox_node *node = ps_inbox_take(list);
    if (node == NULL)
        return NULL;
    if (node->next != NULL)
        ps_inbox_put_list(list, node->next);
    struct ps_lease *lease = ps_lease_homeward(node);
    lease->next = NULL;
    return lease;
}

static inline void ps_given_back_put(struct ps_inbox *list, struct ps_lease **lease)
{
    ps_inbox_put(list, &(*lease)->homeward);
    *lease = NULL;
}
