/* Inbox: a list that any thread puts nodes into and its one owner empties. The way home of leases: each worker
 * has one, and no other worker ever waits to put, because a node is part of what it carries: an inbox has no
 * capacity.
 *
 * A put is lock-free: it tries again when another thread was faster, and never waits for one that is
 * descheduled. A take is one exchange, and takes all nodes: a node is never taken alone, so no thread reads the
 * `next` of a node that is not its own, and an address that comes back (ABA) does no harm. The owner gets the
 * newest node first.
 *
 * The head is one word that every producer writes, so it has cache lines of its own; an owner that finds it
 * empty only reads.
 *
 * Thread: any puts, one takes. */
#pragma once

#include "core/base.h"

/* Part of what is put; whoever owns that may use it, and the inbox does from put to take. */
struct ps_inbox_node {
    struct ps_inbox_node *next;
};

struct ps_inbox {
    struct ps_inbox_node *newest;
    char guard[PS_CACHE_GAP - sizeof(struct ps_inbox_node *)];
} PS_ALIGNED_GAP;

/* The node is the inbox's until it is taken. Whoever takes it sees all that was read and written before.
 * Thread: any. */
void ps_inbox_put(struct ps_inbox *inbox, struct ps_inbox_node *node);

/* Returns all nodes, linked by `next`, newest first; NULL: there is none. Thread: the owner. */
struct ps_inbox_node *ps_inbox_take(struct ps_inbox *inbox);
