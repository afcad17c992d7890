/* The stable identity of an event: where its bytes lie in a store that can be read again. An event that is delivered
 * again has the identity that it had the first time, and no other event ever gets it
 * (docs/decisions/0089-identity-of-events.md).
 *
 * A batch has one origin for each run of rows that follow each other in their store, not one for each event. The stage
 * that reads the store notes the origins while it fills the batch; they are frozen with it. Interceptors that change
 * headers or bodies leave the identity as it is. */
#pragma once

#include "core/flow/batch.h"

struct ps_identity {
    const char *system;   /* the kind of store, which defines the other fields: "log"; static */
    struct ps_slice name; /* the topic; empty: the store has no name */
    uint64_t store;       /* the random number of the store; 0: it has none */
    int64_t part;         /* the partition, or the random number of a log's file; -1: none */
    uint64_t position;    /* the offset, or the number of the frame */
    uint32_t ordinal;     /* of the event among those at this position, from 0 */
    bool has_ordinal;     /* several events lie at one position */
};

/* The identities of `count` rows from `row` on: `first` is that of the first one. From row to row the position
 * increases by 1, or the ordinal if first.has_ordinal. With `steps` each row says in its `flags` how far its position
 * is behind first.position. */
struct ps_origin {
    struct ps_identity first;
    uint32_t row;
    uint16_t count;
    bool steps;
};

/* Notes that the `count` rows added last have the identities from `first` on. Copies the name. Returns false when there
 * is no memory. Called by the stage that fills the batch, on its worker. */
bool ps_batch_origin(struct ps_batch *batch, const struct ps_identity *first, uint32_t count);

/* Writes the identity of the event at a position of the lease; its name is valid as long as the lease. Returns false
 * when the event has none: its source cannot read it again. Thread: the owner of the lease. */
bool ps_event_identity(const struct ps_lease *lease, uint32_t position, struct ps_identity *identity);

/* Maximum number of bytes of ps_identity_text, terminator included; a longer name is cut. */
#define PS_IDENTITY_TEXT_BYTES 384U

/* Prints the identity, the same text in every version: "log:9f3a0c5e77d01b42/3735928559/123/7".
 * Returns the length. */
uint32_t ps_identity_text(const struct ps_identity *identity, char text[PS_IDENTITY_TEXT_BYTES]);
