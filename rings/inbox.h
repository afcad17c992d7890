/* Inbox: a list that any thread puts nodes into and its owner empties. Each worker has one, through which its leases
 * come back; the sinks of a memory channel own one together. A put never waits for room, because the node is part of the lease: an inbox has no capacity.
 *
 * A put is lock-free: it tries again when another thread was faster, and never waits for a descheduled thread. A
 * take is one exchange, and takes all nodes: a node is never taken alone, so no thread reads the `next` of a node
 * that is not its own, and an address that comes back (ABA) does no harm. The owner gets the newest node first.
 *
 * The head is one word that every producer writes, so it has cache lines of its own; an owner that finds it empty
 * only reads.
 *
 * Thread: any puts; one takes, or several, each of which gets all that is there. */
#pragma once

#include "rings/base.h"

/* Part of the object that is put. The object's owner may use it, except from put to take, when the inbox uses it. */
struct ps_inbox_node {
    struct ps_inbox_node *next;
};

struct ps_inbox {
    struct ps_inbox_node *newest;
    char guard[PS_CACHE_GAP - sizeof(struct ps_inbox_node *)];
} PS_ALIGNED_GAP;

/* Puts the node, which belongs to the inbox until it is taken. The thread that takes it sees everything that was
 * read and written before. Thread: any. */
void ps_inbox_put(struct ps_inbox *inbox, struct ps_inbox_node *node);

/* Puts a list of nodes, linked by `next`: its first node is the newest, as if the others had been put before it.
 * Thread: any. */
void ps_inbox_put_list(struct ps_inbox *inbox, struct ps_inbox_node *first);

/* Returns all nodes, linked by `next`, newest first; NULL: there is none. Thread: an owner. */
struct ps_inbox_node *ps_inbox_take(struct ps_inbox *inbox);
