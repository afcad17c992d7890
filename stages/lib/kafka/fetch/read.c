/* Records of the answers, in order: batches are checked and decompressed one at a time, when they are read. Control
 * batches, and with read_committed records of aborted transactions (KIP-98), are skipped. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <stdlib.h>

/* fewer bytes are copied, so that a few events do not keep a whole block */
#define VIEWS_BYTES_MIN (32U * 1024U)
#define ABORTED_BYTES 16U
/* after this time records that were fetched ahead are dropped, to free memory */
#define STARVED_NS PS_NS_PER_S

static struct ps_kafka_fetch_slice *slice_of(struct ps_kafka_fetch *fetch)
{
    return &fetch->answers.first->slices[fetch->answers.first->slice_at];
}

static bool is_current(const struct ps_kafka_fetch *fetch, const struct ps_kafka_fetch_slice *slice)
{
    const struct ps_kafka_stream *stream = &fetch->streams.items[slice->stream];
    return stream->pass == slice->pass && stream->state == PS_KAFKA_STREAM_OWNED;
}

static void end_slice(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetched *fetched = fetch->answers.first;
    const struct ps_kafka_fetch_slice *slice = slice_of(fetch);
    ps_kafka_fetch_reading_end(fetch);
    if (fetch->streams.items[slice->stream].pass == slice->pass)
        fetch->parts[slice->stream].queued--;
    if (++fetched->slice_at == fetched->slice_count)
        ps_kafka_fetched_pop(fetch);
}

/* Called for damaged bytes: drops the fetched records of the partition, which are fetched again. */
static void damaged(struct ps_kafka_fetch *fetch, int64_t offset, const char *what)
{
    uint32_t stream = slice_of(fetch)->stream;
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    ps_kafka_fetched_drop_part(fetch, stream);
    ps_kafka_parts_ask_again(part, offset);
    ps_kafka_part_refuse(fetch, part, offset, what);
    ps_kafka_fetch_reading_end(fetch);
}

/* ---- transactions that were aborted ---- */

static uint32_t find_aborted(const struct ps_kafka_fetch_reading *reading, int64_t producer_id)
{
    uint32_t i = 0;
    while (i < reading->aborted_count && reading->aborted[i] != producer_id)
        i++;
    return i;
}

/* Notes producers whose aborted transactions begin before the end of this batch. */
static void note_aborted(struct ps_kafka_fetch_reading *reading, const struct ps_kafka_fetch_slice *slice,
                         int64_t last_offset)
{
    while (reading->aborted_at < slice->aborted_count) {
        const char *at = slice->aborted + (size_t)reading->aborted_at * ABORTED_BYTES;
        struct ps_wire_in in = {.at = at, .end = at + ABORTED_BYTES};
        int64_t producer_id = ps_wire_get_int64(&in), first_offset = ps_wire_get_int64(&in);
        if (first_offset > last_offset)
            return;
        reading->aborted_at++;
        if (find_aborted(reading, producer_id) < reading->aborted_count)
            continue;
        if (reading->aborted_count == reading->aborted_room) {
            reading->aborted_room = reading->aborted_room == 0 ? 16 : 2 * reading->aborted_room;
            reading->aborted = ps_must_realloc(
                reading->aborted, reading->aborted_room * sizeof *reading->aborted, "transactions");
        }
        reading->aborted[reading->aborted_count++] = producer_id;
    }
}

/* Handles a control batch, which ends a transaction of its producer. */
static void note_control(struct ps_kafka_fetch_reading *reading, const struct ps_kafka_batch *batch)
{
    struct ps_kafka_batch_cursor cursor;
    struct ps_kafka_batch_record record;
    ps_kafka_batch_begin(&cursor, batch, batch->records, batch->records_length);
    if (cursor.left == 0 || !ps_kafka_batch_next(&cursor, &record) || !ps_kafka_batch_is_abort(&record))
        return;
    uint32_t i = find_aborted(reading, batch->producer_id);
    if (i < reading->aborted_count)
        reading->aborted[i] = reading->aborted[--reading->aborted_count];
}

/* Returns whether the batch has no records for us. */
static bool is_hidden(struct ps_kafka_fetch *fetch, const struct ps_kafka_fetch_slice *slice,
                      const struct ps_kafka_batch *batch)
{
    struct ps_kafka_fetch_reading *reading = &fetch->reading;
    if (fetch->settings.committed_only)
        note_aborted(reading, slice, batch->last_offset);
    if (batch->control) {
        note_control(reading, batch);
        return true;
    }
    return batch->last_offset < slice->from || batch->count == 0 ||
           (batch->transactional && find_aborted(reading, batch->producer_id) < reading->aborted_count);
}

/* ---- batches ---- */

enum opened { OPENED, SKIPPED, NO_MEMORY };

static enum opened unpack(struct ps_kafka_fetch *fetch, const struct ps_kafka_batch *batch)
{
    struct ps_kafka_fetch_reading *reading = &fetch->reading;
    int64_t from = slice_of(fetch)->from; /* records before it were read, or are not wanted */
    uint32_t length = 0;
    switch (ps_kafka_unpack(fetch->unpacker, fetch->port->blocks, batch->compression, batch->records,
                            batch->records_length, &reading->unpacked, &length)) {
    case PS_KAFKA_UNPACKED:
        break;
    case PS_KAFKA_UNPACK_NO_MEMORY:
        return NO_MEMORY;
    case PS_KAFKA_UNPACK_WRONG:
        damaged(fetch, batch->base_offset > from ? batch->base_offset : from,
                "a record batch that cannot be decompressed");
        return SKIPPED;
    case PS_KAFKA_UNPACK_TOO_LARGE:
        ps_kafka_fetch_die(fetch,
                           "a record batch that was compressed does not fit into the memory budget: raise "
                           "penstock.memory.budget");
        return NO_MEMORY;
    }
    if (length >= VIEWS_BYTES_MIN)
        reading->views = reading->unpacked;
    reading->views_number = ++fetch->answers.block_number;
    ps_kafka_batch_begin(&reading->cursor, batch, reading->unpacked->base, length);
    return OPENED;
}

/* Opens the slice's next batch. */
static enum opened open_batch(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_slice *slice,
                              struct ps_kafka_record_state *state)
{
    struct ps_kafka_fetch_reading *reading = &fetch->reading;
    struct ps_kafka_batch batch;
    if (ps_kafka_batch_read(&batch, slice->at, slice->end) != PS_KAFKA_BATCH_WHOLE) {
        slice->at = slice->end; /* a part of a batch; damage is noticed at the next fetch */
        return SKIPPED;
    }
    if (fetch->settings.checks_sums && !ps_kafka_batch_is_intact(&batch)) {
        damaged(fetch, batch.base_offset > slice->from ? batch.base_offset : slice->from,
                "a record batch whose checksum is wrong");
        return SKIPPED;
    }
    enum opened opened = SKIPPED;
    if (is_hidden(fetch, slice, &batch)) {
        if (batch.last_offset >= slice->from)
            ps_kafka_record_skip(state, slice->stream, batch.last_offset, batch.leader_epoch);
    } else {
        if (batch.compression != PS_KAFKA_COMPRESSION_NONE) {
            opened = unpack(fetch, &batch);
        } else {
            ps_kafka_batch_begin(&reading->cursor, &batch, batch.records, batch.records_length);
            reading->views =
                fetch->answers.first->length >= VIEWS_BYTES_MIN ? fetch->answers.first->block : NULL;
            reading->views_number = fetch->answers.first->number;
            opened = OPENED;
        }
    }
    if (opened == NO_MEMORY)
        return NO_MEMORY;
    slice->at += batch.length;
    reading->epoch = batch.leader_epoch;
    reading->last_offset = batch.last_offset;
    reading->open = opened == OPENED;
    return opened;
}

/* ---- records ---- */

static void find_headers(struct ps_kafka_fetch *fetch)
{
    for (size_t i = 0; i < fetch->wanted.count; i++)
        ps_kafka_batch_header(&fetch->reading.record, fetch->wanted.items[i], &fetch->mapped[i]);
}

static enum ps_kafka_take take(struct ps_kafka_fetch *fetch, struct ps_kafka_record_state *state,
                               const struct ps_kafka_fetch_slice *slice)
{
    const struct ps_kafka_batch_record *record = &fetch->reading.record;
    const struct ps_kafka_message message = {
        .stream = slice->stream,
        .offset = record->offset,
        .timestamp_ms = record->timestamp_ms,
        .key = record->key,
        .value = record->value,
        .mapped = fetch->mapped,
        .key_length = record->key_length,
        .value_length = record->value_length,
        .epoch = fetch->reading.epoch,
        .block = fetch->reading.views,
        .block_number = fetch->reading.views_number,
        .topic_id = slice->by_id ? slice->topic_id : NULL,
        .cluster = fetch->client->cluster_number,
    };
    if (fetch->wanted.count > 0)
        find_headers(fetch);
    return ps_kafka_record_take(state, &message);
}

/* Hands over the records of the open batch. Returns true when none are left. Sets *stop if this call must end. */
static bool read_batch(struct ps_kafka_fetch *fetch, struct ps_kafka_record_state *state, uint32_t *count,
                       bool *stop)
{
    struct ps_kafka_fetch_reading *reading = &fetch->reading;
    const struct ps_kafka_fetch_slice *slice = slice_of(fetch);
    while (reading->has_record || reading->cursor.left > 0) {
        if (!reading->has_record && !ps_kafka_batch_next(&reading->cursor, &reading->record)) {
            int64_t next = state->streams->items[slice->stream].taken + 1;
            damaged(fetch, next > slice->from ? next : slice->from, "a record that cannot be read");
            return false;
        }
        reading->has_record = reading->record.offset >= slice->from;
        if (!reading->has_record)
            continue;
        enum ps_kafka_take taken = take(fetch, state, slice);
        if (taken == PS_KAFKA_NOT_TAKEN) {
            fetch->kept = *stop = true;
            return false;
        }
        reading->has_record = false;
        ++*count;
        if (taken == PS_KAFKA_TAKEN_LAST) {
            *stop = true;
            return reading->cursor.left == 0;
        }
    }
    return true;
}

/* Ends the open batch, whose records are all taken. Compaction may have removed the last ones. */
static void close_batch(struct ps_kafka_fetch *fetch, struct ps_kafka_record_state *state)
{
    const struct ps_kafka_fetch_reading *reading = &fetch->reading;
    if (reading->last_offset > reading->record.offset)
        ps_kafka_record_skip(state, slice_of(fetch)->stream, reading->last_offset, reading->epoch);
    ps_kafka_fetch_reading_close(fetch);
}

/* Called when there is no memory for the next batch, since `since_ns`. Delivered batches give memory back; after
 * STARVED_NS the later answers are dropped too, because they cannot be read before this batch. */
static void starve(struct ps_kafka_fetch *fetch, uint64_t since_ns)
{
    fetch->kept = true;
    fetch->starved_ns = since_ns != 0 ? since_ns : fetch->mono_ns;
    if (fetch->mono_ns >= fetch->starved_ns + STARVED_NS)
        ps_kafka_fetched_drop_later(fetch);
}

uint32_t ps_kafka_fetch_read(struct ps_kafka_fetch *fetch, struct ps_kafka_record_state *state)
{
    uint32_t count = 0;
    bool stop = false;
    uint64_t starved_ns = fetch->starved_ns;
    fetch->kept = false;
    fetch->starved_ns = 0;
    while (fetch->answers.first != NULL && !stop && !fetch->fatal) {
        struct ps_kafka_fetch_slice *slice = slice_of(fetch);
        if (!is_current(fetch, slice) || (!fetch->reading.open && slice->at == slice->end)) {
            end_slice(fetch);
        } else if (!fetch->reading.open) {
            stop = open_batch(fetch, slice, state) == NO_MEMORY;
            if (stop)
                starve(fetch, starved_ns);
        } else if (read_batch(fetch, state, &count, &stop)) {
            close_batch(fetch, state);
        }
    }
    return count;
}
