/* Batch, event, header, lease: what flows.
 *
 * A batch is filled by one source on its home worker, passes the source's interceptors and selector as one
 * lease, and is frozen at its first put: from then on other workers read it, and nobody writes rows, headers
 * or bytes. What sinks write is inside the lease they own. It goes home (to its home worker) when its last
 * lease does.
 *
 * Memory: rows and headers are carved from a `meta` block, bodies lie in any block the batch references; a
 * block that is not full is shared with the next batch, so that a batch of one small event costs what it uses
 * and not a block. */
#pragma once

#include "core/flow/block.h"
#include "core/clock.h"
#include "core/name.h"

#define PS_BATCH_EVENTS_MAX                                                                                  \
    1024U /* rows; also bounds the 10 bits of an event's index in a delivery report's opaque */
#define PS_BATCH_FILL_BLOCKS_MAX 6U /* blocks a source may fill; then the batch is full */
#define PS_BATCH_BLOCKS_MAX                                                                                  \
    64U /* blocks a batch may reference: the rest is for headers and bodies that interceptors make, which    \
           must not fail for ever */
#define PS_BATCH_SPANS_MAX 256U /* position spans; the batch closes when there is no room for one more */

struct ps_header {
    const struct ps_name *name;
    const char *value; /* not terminated */
    struct ps_header *next;
    uint32_t value_length;
};

/* One row. Never moved once written; dropping or routing an event edits index lists, never rows. */
struct ps_event {
    char *body; /* in a block the batch references */
    struct ps_header
        *headers; /* own headers, newest first; those of the whole batch are in ps_batch.shared */
    uint32_t body_length;
    uint32_t flags; /* source's own use, e.g. a bit for "last of a call" */
    uint64_t mask;  /* OR of the names of own headers: a clear bit says "certainly not there" */
};

/* What a replayable source covers with this batch: stream (partition, file) up to and including `position`.
 */
struct ps_span {
    uint32_t stream;
    uint32_t generation;
    int64_t position;
};

/* An answer owed upstream: `origin` is the source's own name for a connection or call, `events` how many rows
 * it covers. */
struct ps_ticket {
    uint64_t origin;
    uint32_t events;
    uint32_t events_end; /* rows up to this one (exclusive) */
    struct ps_ticket *next;
};

enum ps_level { PS_LEVEL_NONE, PS_LEVEL_ACCEPTED, PS_LEVEL_DURABLE, PS_LEVEL_DELIVERED };

struct ps_batch;
struct ps_pool;
struct ps_window;

/* One reader's share of a batch: what rings carry and stages own. One owner at a time. */
struct ps_lease {
    struct ps_batch *batch;
    struct ps_lease *next; /* for whoever owns it: a list of leases in order */
    uint16_t *index;       /* rows of this reader in order; NULL = rows 0 .. count-1 */
    uint32_t count;        /* events in this lease */
    uint32_t cursor;       /* position (not row) of the next event to be handled */
    uint32_t pending;      /* a sink's own: events in flight */
    uint32_t settled;      /* events whose outcome bit is set */
    uint64_t bytes;        /* sum of body lengths (byteCapacity) */
    uint32_t memory_bytes; /* what the whole batch occupies: bodies, rows, headers (a channel's quota of the
                              budget) */
    uint16_t channel;      /* which of the source's channels; UINT16_MAX while in the chain */
    bool promise;          /* a required channel's: counts for acknowledgement */
    bool failed;           /* at least one event was abandoned: never counted as delivered */
    uint64_t outcome[PS_BATCH_EVENTS_MAX /
                     64]; /* by position: bit set = settled (delivered, or refused for good and accounted) */
};

struct ps_batch {
    struct ps_event *events; /* rows, contiguous */
    uint32_t count;
    uint32_t capacity; /* rows that fit where `events` stands */
    struct ps_header *shared;
    uint64_t shared_mask;
    uint64_t own_mask; /* OR of all events' masks: a clear bit says "no event has it of its own" */
    struct ps_now opened;
    bool full;  /* set by a refused add: the engine closes it and comes again with a new one */
    bool flush; /* set by the source: close at the end of this call even if the consumer is not hungry
                   (somebody waits for an answer) */

    struct ps_span *spans;
    uint32_t span_count;
    struct ps_ticket *tickets, *last_ticket; /* in order */
    uint64_t body_bytes;
    uint32_t meta_up_first, meta_down_first; /* where the carver stood: what rows and headers took since */

    /* From here on: the pool's and the home worker's alone. */
    struct ps_pool *home;
    struct ps_carver *carver;
    struct ps_window *window;
    uint64_t sequence;    /* of this source on this worker, from 1, without gaps */
    uint16_t holders;     /* leases out: memory */
    uint16_t promises;    /* of those, required ones: acknowledgement */
    uint16_t lease_count; /* leases handed out so far */
    bool complete, lost, in_window;
    uint32_t block_count;
    struct ps_block *blocks[PS_BATCH_BLOCKS_MAX];
    struct ps_batch *next;
    struct ps_lease leases[]; /* [0] is the chain's; ps_pool says how many */
};

/* ---- filling: the source, on the home worker, before the first put ---- */

/* A new row for a body of `length` bytes that stands at `body` in a block this batch references
 * (ps_batch_reserve, ps_batch_hold_block). NULL when the batch is full (`full` is set): return from `work`,
 * the engine calls again with an empty batch. */
struct ps_event *ps_batch_add(struct ps_batch *batch, char *body, uint32_t length);

/* A new row with its own copy of the bytes. NULL when full. Bodies above PS_BLOCK_BYTES get an oversize
 * block. */
struct ps_event *ps_batch_add_copy(struct ps_batch *batch, const char *body, uint32_t length);

/* Free room for reading bytes straight from a socket or file: at least `minimum` bytes; *room tells how many.
 * NULL when full or when the budget is used up (then `full` is not set: come back later). Nothing is taken
 * until ps_batch_commit. */
char *ps_batch_reserve(struct ps_batch *batch, uint32_t minimum, uint32_t *room);

/* The first `used` bytes of what was reserved now belong to this batch. */
void ps_batch_commit(struct ps_batch *batch, uint32_t used);

/* The `length` bytes behind the committed ones are input that was read but not handled yet, because the batch
 * is full: the next ps_batch_reserve, of this batch or of the next one of the same source, returns them at
 * its start (moved to another block if need be), and ps_batch_left says how many they are. One such rest at a
 * time: go on with it before reading anything else. */
void ps_batch_leave(struct ps_batch *batch, uint32_t length);
uint32_t ps_batch_left(const struct ps_batch *batch);

/* `count` rows for bodies of `length` bytes each that stand one after the other. Returns how many fitted
 * (`full` is set when not all). */
uint32_t ps_batch_add_run(struct ps_batch *batch, char *bodies, uint32_t length, uint32_t count);

/* `length` bytes for a header value or a new body, at alignment 1. NULL: no memory. Also for interceptors
 * (another meta block is added). */
char *ps_batch_alloc(struct ps_batch *batch, uint32_t length);

/* A name from a stranger, made in the batch. NULL: no memory, or longer than 64 KiB. */
const struct ps_name *ps_batch_name(struct ps_batch *batch, const char *text, size_t length);

/* Adds a header to one event; does not look for one of the same name. `value` must live as long as the batch:
 * in its blocks, or static, never in a plan. False: no memory. */
bool ps_batch_header_add(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name,
                         const char *value, uint32_t value_length);

/* Adds the header, or replaces the value of the event's own one. */
bool ps_batch_header_set(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name,
                         const char *value, uint32_t value_length);

/* Takes the event's own header of that name away; a shared one of the batch is hidden from this event by
 * spelling the shared ones out first. False: no memory for that. */
bool ps_batch_header_remove(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name);

/* Header for every event of the batch, copied into it. `replace`: own headers of that name are removed and an
 * earlier shared one replaced; without it an event's own one, and an earlier shared one, win. False: no
 * memory. */
bool ps_batch_shared_set(struct ps_batch *batch, const struct ps_name *name, const char *value,
                         uint32_t value_length, bool replace);

/* Takes a header away from all events of the batch at once: the shared one and every own one. */
void ps_batch_shared_remove(struct ps_batch *batch, const struct ps_name *name);

/* Adds a span, or moves the position of the last one of the same stream and generation. False: list full
 * (`full` is set). */
bool ps_batch_span(struct ps_batch *batch, uint32_t stream, uint32_t generation, int64_t position);

/* `events` rows just added owe an answer to `origin`; adjacent ones of the same origin become one ticket.
 * False: no memory. */
bool ps_batch_ticket(struct ps_batch *batch, uint64_t origin, uint32_t events);

/* ---- reading: anybody who owns a lease ---- */

/* The row at a position of the lease. */
static inline struct ps_event *ps_lease_event(const struct ps_lease *lease, uint32_t position)
{
    return &lease->batch->events[lease->index != NULL ? lease->index[position] : position];
}

struct ps_header *ps_header_find(struct ps_header *list, const struct ps_name *name);

/* The value of a header of this event, own ones before the batch's. False when it has none. */
static inline bool ps_event_header(const struct ps_batch *batch, const struct ps_event *event,
                                   const struct ps_name *name, struct ps_slice *value)
{
    struct ps_header *header = NULL;
    if (event->mask & name->mask)
        header = ps_header_find(event->headers, name);
    if (header == NULL && (batch->shared_mask & name->mask))
        header = ps_header_find(batch->shared, name);
    if (header == NULL)
        return false;
    *value = (struct ps_slice){header->value, header->value_length};
    return true;
}

/* All headers of an event, own ones first, then the batch's that it does not override:
 *     struct ps_header_cursor cursor = ps_headers_begin(batch, event);
 *     const struct ps_header *header;
 *     while ((header = ps_headers_next(&cursor)) != NULL) ... */
struct ps_header_cursor {
    const struct ps_batch *batch;
    const struct ps_event *event;
    struct ps_header *next;
    bool shared;
};
struct ps_header_cursor ps_headers_begin(const struct ps_batch *batch, const struct ps_event *event);
const struct ps_header *ps_headers_next(struct ps_header_cursor *cursor);

/* ---- leases ---- */

/* Keeps only some events: `keep(argument, position)` is asked for each in order. Chain only (interceptors
 * dropping events). False: no memory for the index list. */
bool ps_lease_filter(struct ps_lease *lease, bool (*keep)(void *argument, struct ps_event *event),
                     void *argument);

/* The same by bits: row r of the batch is kept when bit r % 64 of word r / 64 is set; bits of rows that are
 * not in the lease do not matter. Costs nothing to speak of when all are kept. Chain only. False: no memory
 * for the index list, and nothing has changed. */
bool ps_lease_filter_bits(struct ps_lease *lease, const uint64_t *keep);

/* Gives an event another body, in a block the batch references (ps_batch_alloc). The old one stays where it
 * is: header values may point into it. Chain only. */
static inline void ps_lease_body_set(struct ps_lease *lease, struct ps_event *event, char *body,
                                     uint32_t length)
{
    lease->bytes = lease->bytes - event->body_length + length;
    lease->memory_bytes += length;
    event->body = body;
    event->body_length = length;
}

/* A further lease of the same batch, for the selector, with the given rows (copied into the batch) or, with
 * `index` NULL, the chain's own list. NULL: no memory or too many leases. */
struct ps_lease *ps_lease_split(struct ps_lease *chain, const uint16_t *index, uint32_t count);

static inline bool ps_lease_is_settled(const struct ps_lease *lease, uint32_t position)
{
    return (lease->outcome[position / 64] >> (position % 64)) & 1;
}

static inline void ps_lease_settle(struct ps_lease *lease, uint32_t position)
{
    lease->outcome[position / 64] |= UINT64_C(1) << (position % 64);
    lease->settled++;
}

/* All events at once: what a synchronous sink does after it wrote the lease. */
void ps_lease_settle_all(struct ps_lease *lease);

/* ---- the pool: a worker's batches ---- */

struct ps_pool_limits {
    uint32_t batches_max; /* descriptors homed here */
    uint16_t leases_max;  /* per batch: 1 + the most channels of one source */
};

struct ps_pool *ps_pool_create(struct ps_depot *depot, struct ps_pool_limits limits, uint16_t worker,
                               struct ps_err *err);
void ps_pool_destroy(struct ps_pool *pool);
uint16_t ps_pool_worker(const struct ps_pool *pool);
struct ps_block_cache *ps_pool_cache(struct ps_pool *pool);
const struct ps_pool_limits *ps_pool_limits(const struct ps_pool *pool);
/* A descriptor, or NULL; and back. For core/flow/batch.c, which fills and empties it. */
struct ps_batch *ps_pool_take(struct ps_pool *pool);
void ps_pool_give(struct ps_pool *pool, struct ps_batch *batch);

/* Where a source's batches are cut from: the blocks that are being filled. One per source runner, since
 * sources on one worker have open batches at the same time. Home worker only. */
struct ps_carver {
    struct ps_pool *pool;
    struct ps_block *meta, *bytes; /* each with one reference of the carver's own, or NULL */
    uint32_t meta_up, meta_down;   /* rows up to here; headers and values from here */
    uint32_t bytes_used;
    uint32_t left; /* ps_batch_leave */
};

void ps_carver_init(struct ps_carver *carver, struct ps_pool *pool);
void ps_carver_fini(struct ps_carver *carver);

/* An empty batch with its chain lease ready, or NULL: descriptors or budget used up. */
struct ps_batch *ps_batch_take(struct ps_carver *carver, struct ps_now now);

/* The batch will get no more rows: what it did not use goes to the next one. Engine only. */
void ps_batch_close(struct ps_batch *batch);

/* Gives everything back. All leases must be home. */
void ps_batch_give(struct ps_batch *batch);

/* Batches out of the pool. Single writer; readable from any thread. */
uint32_t ps_pool_out_count(const struct ps_pool *pool);
