/* The things that flow: batch, event, header, lease.
 *
 *   batch    Rows of events with their headers. One source fills it on its home worker. It passes the source's
 *            interceptors and selector as one lease, and is frozen at its first put: from then on other workers read it
 *            and nobody writes its rows, headers or bytes. Its memory is given back after its last lease was returned
 *            to its home worker and its source has its outcome.
 *   event    One row: a body and a list of headers.
 *   header   A name and a value, of one event or shared by all events of the batch.
 *   lease    One reader's share of a batch: which rows, and how many of them are handled. A sink writes only inside the
 *            lease that it owns.
 *
 * Every stage sees this part. core/flow/channel.h adds functions for channels; core/flow/batch_home.h is the
 * engine's part, which no stage includes (docs/CONTRACT.md).
 *
 * Memory: rows and headers are cut from a meta block; bodies lie in any block that the batch references. A block
 * that is not full is shared with the next batch (core/flow/bump.h). */
#pragma once

#include "core/flow/block.h"
#include "core/flow/limits.h"
#include "core/clock.h"
#include "core/name.h"
#include "rings/inbox.h"

/* Maximum number of rows of a batch. It cannot grow: a delivery report has 10 bits for an event's index. */
#define PS_BATCH_EVENTS_MAX 1024U
/* Maximum number of blocks that a source may fill; then the batch is full. */
#define PS_BATCH_FILL_BLOCKS_MAX 6U
#define PS_BATCH_FILL_BYTES (UINT64_C(1) * PS_BATCH_FILL_BLOCKS_MAX * PS_BLOCK_BYTES)
/* Maximum number of blocks that a batch may reference. A source may fill PS_BATCH_FILL_BLOCKS_MAX of them. The others
 * are for headers and bodies that interceptors make: without them, an interceptor would never get memory in a full
 * batch. */
#define PS_BATCH_BLOCKS_MAX 64U
/* Maximum number of position spans; the batch is full when there is no room for one more. */
#define PS_BATCH_SPANS_MAX 256U

struct ps_header {
    const struct ps_name *name;
    const char *value; /* not terminated */
    struct ps_header *next;
    uint32_t value_length;
};

/* One row. A row that was written is never moved: code that drops or routes an event changes index lists, not rows. */
struct ps_event {
    char *body;                /* in a block that the batch references */
    struct ps_header *headers; /* its own, newest first; shared ones are in ps_batch.shared */
    uint32_t body_length;
    uint32_t flags; /* for the source, e.g. a bit for "last of a call" */
    uint64_t mask;  /* OR of the masks of its own headers' names: no own name has a bit that is clear here */
};

/* Describes a stream of positions to a sink that commits them in the source's place, on another worker, perhaps
 * after the source was closed. It lies in the batch's blocks, texts included, and nobody writes it. */
struct ps_stream_name {
    const char *system;    /* names the system whose terms the texts below are in; static */
    struct ps_slice group; /* the consumer group that has the position; empty: the source has it */
    struct ps_slice name;  /* the topic, the path */
    int64_t part;          /* the partition of `name`; -1: `name` has no partitions */
    /* The identity under which the source read the stream: its member of the group, the group's generation, and its
     * static name. Some systems refuse a position from a member that has lost the partition (KIP-447). Empty texts,
     * and the generation -1: not known. */
    struct ps_slice member, instance;
    int32_t generation;
    struct ps_slice cluster; /* where the group is: the cluster's id; empty: not known */
    /* Only for a stream whose position the sink keeps as a record (ps_engine_source_ops.starts_from_records): a JSON
     * object that identifies the stream for the source. The sink adds the position. ps_batch_span does not copy it. */
    struct ps_slice detail;
};

/* The positions that a replayable source covers with this batch: a stream (partition, file) up to and including
 * `position`. Frozen with the batch: every owner of a lease may read it. `stream` and `pass` are the source's
 * own numbers, which mean nothing to others: a pass is one reading of the stream, from an offset on. */
struct ps_span {
    uint32_t stream;
    uint32_t pass;
    int64_t position;
    const struct ps_stream_name *name; /* NULL: only the source can commit it */
    int32_t epoch; /* number of the stream's history that has the position (KIP-320); -1: not known */
};

/* An answer owed to the sender: `origin` is the source's own number for a connection or call, `events` is the number
 * of rows that the answer covers. */
struct ps_ticket {
    uint64_t origin;
    uint32_t events;
    uint32_t events_end; /* number of the row after the last row that the answer covers */
    struct ps_ticket *next;
};

enum ps_level { PS_LEVEL_NONE, PS_LEVEL_ACCEPTED, PS_LEVEL_DURABLE, PS_LEVEL_DELIVERED };

struct ps_batch;
struct ps_origin; /* core/flow/identity.h */

/* One reader's share of a batch: rings carry it and stages own it, one owner at a time. Leases for channels are
 * carved from the batch's blocks, each on cache lines of its own, because two sinks write theirs at the same time.
 * Only the engine makes leases. */
struct ps_lease {
    struct ps_batch *batch;
    union {
        struct ps_lease *next;         /* for its owner: a list of leases in order */
        struct ps_inbox_node homeward; /* on its way to another worker: a node of that worker's inbox */
    };
    uint16_t *index; /* rows of this reader in order; NULL: rows 0 .. count - 1 */
    uint32_t count;  /* events in this lease */
    uint32_t cursor; /* position (not row) of the next event to be handled */
    /* for the sink: bytes of later leases that were returned before this one (core/flow/held.c) */
    uint32_t pending;
    uint32_t settled; /* events whose outcome bit is set */
    uint64_t bytes;   /* sum of body lengths (byteCapacity) */
    /* bytes that cannot be used again before the lease is returned (ps_batch_charge) */
    uint32_t memory_bytes;
    uint32_t dead;  /* settled events that became dead letters */
    bool required;  /* of a required channel */
    bool refusable; /* the source can refuse the lease: a channel may give it up after keep-alive */
    bool failed;    /* at least one event was given up: never counts as delivered */
    bool promised;  /* copy of the batch's flag: the channel has kept room for the lease */
    _Alignas(4) unsigned char home[4]; /* struct ps_lease_home, for the engine */
    /* By position: bit set = settled (delivered, or refused for good and counted). */
    uint64_t outcome[PS_BATCH_EVENTS_MAX / 64];
};

struct ps_batch {
    struct ps_event *events; /* rows, contiguous */
    uint32_t count;
    uint32_t capacity; /* rows for which `events` has room */
    struct ps_header *shared;
    uint64_t shared_mask;
    uint64_t own_mask;    /* OR of all events' masks: no event's own name has a bit that is clear here */
    struct ps_now opened; /* when the source was called that added the first event */
    /* Set by an add that found no room: the engine closes the batch and calls `work` again with a new one. */
    bool full;
    /* Set by the source when somebody waits for an answer: the engine closes the batch after this call, even
     * if no consumer is hungry. */
    bool flush;
    /* Set by a channel that has read the batch back from its store: the batch's lease may be returned before older
     * leases. */
    bool any_order;
    /* Set by a source that has promised these events before they were put (core/flow/engine_source.h): the engine does
     * not refuse them. Either all events of a batch are promised, or none. */
    bool promised;
    /* Set by a source whose rows have lists of headers in common: an event gets a list of its own before an entry of
     * it is changed. */
    bool lists_shared;

    struct ps_span *spans;
    uint32_t span_count;
    struct ps_ticket *tickets, *last_ticket; /* in order */
    uint64_t body_bytes;
    /* Numbers the batches of this source on this worker from 1, without gaps; 0 while the batch is filled. The
     * address and this number together distinguish a batch from an earlier one in the same memory. */
    uint64_t sequence;
    struct ps_origin *origins; /* where rows come from, in order of rows (core/flow/identity.h) */
    uint32_t origin_count;
    /* The engine's part follows. */
};

/* Returns whether nothing is in the batch: a batch with a position or a ticket is not empty, even without events.
 * NULL is empty. */
static inline bool ps_batch_is_empty(const struct ps_batch *batch)
{
    return batch == NULL || (batch->count == 0 && batch->span_count == 0 && batch->tickets == NULL);
}

/* ---- filling: the source, on the home worker, before the first put ---- */

/* Adds a row for a body of `length` bytes at `body`, in a block that this batch references (ps_batch_reserve).
 * Returns NULL when the batch is full (`full` is set): return from `work`, and the engine calls it again with an
 * empty batch. */
struct ps_event *ps_batch_add(struct ps_batch *batch, char *body, uint32_t length);

/* Adds a row with a copy of the bytes. Returns NULL when the batch is full. A body longer than PS_BLOCK_BYTES
 * gets an oversize block. */
struct ps_event *ps_batch_add_copy(struct ps_batch *batch, const char *body, uint32_t length);

/* Returns free room for reading bytes straight from a socket or file: at least `minimum` bytes, *room in all.
 * Returns NULL when the batch is full, or when the budget is used up (then `full` is not set: try again
 * later). Nothing is taken until ps_batch_commit. */
char *ps_batch_reserve(struct ps_batch *batch, uint32_t minimum, uint32_t *room);

/* Takes the first `used` of the reserved bytes. */
void ps_batch_commit(struct ps_batch *batch, uint32_t used);

/* Keeps for later input that was read but not handled because the batch is full: the `length` bytes after the
 * committed ones. The next ps_batch_reserve, of this batch or of the next one of the same source, returns them at its
 * start (moved to another block if necessary); ps_batch_left returns their number. A source can leave bytes only
 * once: handle them before reading anything else. */
void ps_batch_leave(struct ps_batch *batch, uint32_t length);
uint32_t ps_batch_left(const struct ps_batch *batch);

/* Adds `count` rows for bodies of `length` bytes each, one after the other in memory. Returns how many fitted
 * (`full` is set when some did not). */
uint32_t ps_batch_add_run(struct ps_batch *batch, char *bodies, uint32_t length, uint32_t count);

/* Returns how many rows can be added before the next allocation from the batch. */
uint32_t ps_batch_rows_room(const struct ps_batch *batch);

/* Returns `length` bytes for a header value or a new body, at alignment 1, or NULL when there is no memory.
 * Interceptors may call it as well (it adds another meta block). */
char *ps_batch_alloc(struct ps_batch *batch, uint32_t length);

/* Makes the batch an owner of a block that its source holds itself, for bodies of several batches (a message with
 * more events than a batch takes). `counts`: the block's memory is charged to this batch, as it is for the first of
 * them. Returns false when the batch references too many blocks: close it. */
bool ps_batch_refer(struct ps_batch *batch, struct ps_block *block, bool counts);

/* Returns the number of blocks that the batch references: at most PS_BATCH_BLOCKS_MAX. */
uint32_t ps_batch_block_count(const struct ps_batch *batch);

/* Returns whether the batch may still get a header of `length` bytes. A batch may reference a limited number of blocks,
 * a few of which the chain needs, and use at most half of the budget. A stage that asks for more waits for memory for
 * ever: call this function for headers that the event can do without. */
bool ps_batch_has_room(const struct ps_batch *batch, uint64_t length);

/* Returns the memory budget of the process: no body can be larger. */
uint64_t ps_batch_budget_bytes(const struct ps_batch *batch);

/* Makes, in the batch, a header name that came from outside. Returns NULL when there is no memory, or when the name is
 * longer than PS_HEADER_NAME_BYTES_MAX. */
const struct ps_name *ps_batch_name(struct ps_batch *batch, const char *text, size_t length);

/* Adds a header to one event without looking for one of the same name. `value` must live as long as the
 * batch: in its blocks or static, never in a plan. Returns false when there is no memory. */
bool ps_batch_header_add(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name,
                         const char *value, uint32_t value_length);

/* The same for several headers (their field `next` has no meaning), with one allocation: all of them, or none. */
bool ps_batch_headers_add(struct ps_batch *batch, struct ps_event *event, const struct ps_header *headers,
                          uint32_t count);

/* Adds the header, or replaces the value of the event's own header of that name. Returns false when there is no
 * memory. */
bool ps_batch_header_set(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name,
                         const char *value, uint32_t value_length);

/* Removes the event's own header of that name. A shared header of that name is hidden from this event: the event
 * first gets copies of the shared headers as its own. Returns false when there is no memory for the copies. */
bool ps_batch_header_remove(struct ps_batch *batch, struct ps_event *event, const struct ps_name *name);

/* Sets a header of every event of the batch; copies the value. With `replace`, events lose their own headers of that
 * name, and an earlier shared header of that name is replaced; without `replace`, both stay. Returns false when there
 * is no memory. */
bool ps_batch_shared_set(struct ps_batch *batch, const struct ps_name *name, const char *value,
                         uint32_t value_length, bool replace);

/* Removes the headers of that name from the batch: the shared header, and the own header of every event. */
void ps_batch_shared_remove(struct ps_batch *batch, const struct ps_name *name);

/* Adds a span with a copy of the name (NULL: none), or moves the position of the existing span of this stream and
 * pass forward. Returns false when the list is full (`full` is set) or when there is no memory (`full` is not
 * set). */
bool ps_batch_span(struct ps_batch *batch, uint32_t stream, uint32_t pass, int64_t position,
                   const struct ps_stream_name *name);

/* Sets ps_span.epoch of this span. */
void ps_batch_span_epoch(struct ps_batch *batch, uint32_t stream, uint32_t pass, int32_t epoch);

/* Moves the span of this stream and pass forward to a position, with its epoch, and never adds one. Returns false,
 * and changes nothing, if the batch has no such span or the span is not below the position. */
bool ps_batch_span_extend(struct ps_batch *batch, uint32_t stream, uint32_t pass, int64_t position,
                          int32_t epoch);

/* Returns the name of this span, which the source may change until the batch is closed; NULL: the span has no name. */
struct ps_stream_name *ps_batch_span_name(struct ps_batch *batch, uint32_t stream, uint32_t pass);

/* Notes that the source owes `origin` an answer for the `events` rows just added; adjacent rows of one origin become
 * one ticket. Returns false when there is no memory. */
bool ps_batch_ticket(struct ps_batch *batch, uint64_t origin, uint32_t events);

/* A state of a batch that is being filled: rows, tickets, spans, origins, and memory for headers and names. */
struct ps_batch_point {
    uint32_t count, span_count, block_count;
    uint32_t meta_up, meta_down;
    struct ps_block *meta;
    struct ps_header *shared;
    struct ps_span *spans;
    struct ps_ticket *last_ticket;
    uint32_t last_ticket_events, last_ticket_end;
    struct ps_origin *origins;
    uint32_t origin_count, last_origin_rows;
    uint64_t own_mask, shared_mask, body_bytes;
    uint64_t meta_bytes, bytes_bytes, own_bytes, meta_taken;
};

struct ps_batch_point ps_batch_point(const struct ps_batch *batch);

/* Sets the batch back to its state at the point: a source undoes what it added for a message that it refuses,
 * or that has no room. Bytes committed since then stay used, `full` and `flush` stay set, and headers changed
 * or removed since then stay so. Nobody may use names or memory that the batch made since then. */
void ps_batch_rewind(struct ps_batch *batch, const struct ps_batch_point *point);

/* Gives each row its own copies of the shared headers, and removes the shared headers from the batch: rows can then
 * differ in them. Returns false when there is no memory; it can be called again. */
bool ps_batch_shared_spell_out(struct ps_batch *batch);

/* ---- reading: the owner of a lease ---- */

/* Returns the lease that contains this node. */
static inline struct ps_lease *ps_lease_homeward(struct ps_inbox_node *node)
{
    return (struct ps_lease *)(void *)((char *)node - offsetof(struct ps_lease, homeward));
}

/* Returns the row at a position of the lease. */
static inline struct ps_event *ps_lease_event(const struct ps_lease *lease, uint32_t position)
{
    return &lease->batch->events[lease->index != NULL ? lease->index[position] : position];
}

struct ps_header *ps_header_find(struct ps_header *list, const struct ps_name *name);

/* Finds the value of a header of this event; an own header wins over a shared one. Returns false when the event has no
 * header of this name. */
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

/* Visits all headers of an event: its own ones, then the batch's shared ones that the event does not override:
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

/* Drops events (interceptors): row r of the batch is kept when bit r % 64 of word r / 64 is set; bits of rows that
 * are not in the lease have no effect. Costs almost nothing when all are kept. Chain only. Returns false and changes
 * nothing when there is no memory for the index list. */
bool ps_lease_filter_bits(struct ps_lease *lease, const uint64_t *keep);

/* Gives an event another body, in a block that the batch references (ps_batch_alloc). The old body stays
 * where it is: header values may point into it. Chain only. */
static inline void ps_lease_body_set(struct ps_lease *lease, struct ps_event *event, char *body,
                                     uint32_t length)
{
    lease->bytes = lease->bytes - event->body_length + length;
    event->body = body;
    event->body_length = length;
}

/* Returns memory of the batch for `count` rows, at least one, which ps_lease_replace makes its rows; NULL: there is no
 * memory. Each row is written as a whole: a copy of a row of the batch, or a new one. */
struct ps_event *ps_batch_rows(struct ps_batch *batch, uint32_t count);

/* Replaces the lease's events by other rows: events may be added, removed or moved. `from[i]` is the number of the
 * earlier row whose identity rows[i] keeps; UINT16_MAX: none. Nobody may use the earlier rows or their numbers any
 * longer. Chain only. Returns false and changes nothing when there is no memory. */
bool ps_lease_replace(struct ps_lease *lease, struct ps_event *rows, uint32_t count, const uint16_t *from);

static inline bool ps_lease_is_settled(const struct ps_lease *lease, uint32_t position)
{
    return (lease->outcome[position / 64] >> (position % 64)) & 1;
}

static inline void ps_lease_settle(struct ps_lease *lease, uint32_t position)
{
    lease->outcome[position / 64] |= UINT64_C(1) << (position % 64);
    lease->settled++;
}

/* Settles an event whose dead letter is on disk. */
static inline void ps_lease_settle_dead(struct ps_lease *lease, uint32_t position)
{
    ps_lease_settle(lease, position);
    lease->dead++;
}

/* Settles all events: a synchronous sink calls it after it wrote the lease. */
void ps_lease_settle_all(struct ps_lease *lease);
