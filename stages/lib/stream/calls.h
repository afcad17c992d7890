/* Calls of clients that wait for their answers: each may have events in several batches, and is answered when all of
 * them are accepted. A call's number is the origin of its tickets (core/flow/batch.h).
 *
 * Thread: the source's worker. Memory is allocated when the number of unanswered calls grows. */
#pragma once

#include "core/flow/batch.h"

struct ps_call {
    uint64_t connection; /* ps_connection_origin */
    uint32_t index, generation;
    uint32_t serial;    /* the protocol's number of the call */
    uint32_t next_free; /* index + 1; 0: none */
    uint64_t left;      /* events in batches that are not answered yet */
    bool open;          /* more of its events may follow */
    bool failed;        /* a channel refused some of them */
    /* For the protocol: the rest that is to be read, and the data that the answer needs. */
    uint64_t items_left;
    uint32_t bytes_left;
    uint32_t bits;
    uint32_t next;         /* index of another call */
    uint32_t reply_length; /* bytes of `reply` */
    char *reply;           /* the call's answer, from malloc: freed with the call; NULL: none */
};

struct ps_calls {
    struct ps_call **chunks;
    uint32_t chunk_count, free; /* index + 1 */
};

/* `fini` ends all calls that are under way. */
void ps_calls_init(struct ps_calls *calls);
void ps_calls_fini(struct ps_calls *calls);

/* Begins an open call. NULL: no memory. */
struct ps_call *ps_calls_begin(struct ps_calls *calls, uint64_t connection, uint32_t serial);
/* Also frees its reply. Tickets of the call that come later do not find it. */
void ps_calls_end(struct ps_calls *calls, struct ps_call *call);

static inline uint64_t ps_call_origin(const struct ps_call *call)
{
    return (uint64_t)call->generation << 32 | call->index;
}

/* Returns whether all of its events are read and answered by the channels. */
static inline bool ps_call_is_decided(const struct ps_call *call)
{
    return !call->open && call->left == 0;
}

/* Returns a call by its index, which must be one that a call had; the call may have ended. */
struct ps_call *ps_calls_at(struct ps_calls *calls, uint32_t index);

/* Returns the number that a connection stores in its `bits` for its newest call: 0 for NULL. */
static inline uint32_t ps_call_number(const struct ps_call *call)
{
    return call != NULL ? call->index + 1 : 0;
}

static inline struct ps_call *ps_calls_numbered(struct ps_calls *calls, uint32_t number)
{
    return number > 0 ? ps_calls_at(calls, number - 1) : NULL;
}

/* Subtracts the events of a ticket whose batch is answered. Returns their call; NULL: it has ended, or the ticket
 * has no events. */
struct ps_call *ps_calls_count_off(struct ps_calls *calls, const struct ps_ticket *ticket);

/* ---- calls of a connection that are answered in turn: a ring through `next`, from the newest to the oldest ---- */

/* Adds a call after the newest one (NULL: the ring is empty); the added call is then the newest. */
void ps_calls_push(struct ps_call *newest, struct ps_call *call);
struct ps_call *ps_calls_oldest(struct ps_calls *calls, const struct ps_call *newest);
/* Removes the oldest call. Returns the newest; NULL: the ring is empty. */
struct ps_call *ps_calls_pop(struct ps_calls *calls, struct ps_call *newest);
/* Called when the connection is closed: ends its decided calls; the others end when they are decided. Returns
 * how many of the ended ones had a reply. */
uint32_t ps_calls_leave(struct ps_calls *calls, struct ps_call *newest);
