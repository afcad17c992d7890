/* Implements kafka/fetch/streams.h. Allocates only in a rebalance. */
#include "stages/lib/kafka/fetch/streams.h"

#include <stdlib.h>
#include <string.h>

#include "core/name.h"

#define INDEX_SIZE_MIN 32U

void ps_kafka_streams_fini(struct ps_kafka_streams *streams)
{
    free(streams->items);
    free(streams->index);
    *streams = (struct ps_kafka_streams){0};
}

static uint32_t hash_of(struct ps_slice topic, int32_t partition)
{
    return (ps_name_hash(topic.data, topic.length) ^ (uint32_t)partition) * 0x9E3779B1U;
}

uint32_t ps_kafka_streams_find(const struct ps_kafka_streams *streams, struct ps_slice topic,
                               int32_t partition)
{
    if (streams->index == NULL)
        return PS_KAFKA_STREAM_NONE;
    uint32_t mask = streams->index_size - 1, hash = hash_of(topic, partition);
    for (uint32_t place = hash & mask; streams->index[place] != 0; place = (place + 1) & mask) {
        uint32_t i = streams->index[place] - 1;
        const struct ps_kafka_stream *stream = &streams->items[i];
        if (stream->hash == hash && stream->partition == partition && stream->topic_length == topic.length &&
            memcmp(stream->topic, topic.data, topic.length) == 0)
            return i;
    }
    return PS_KAFKA_STREAM_NONE;
}

static void index_add(struct ps_kafka_streams *streams, uint32_t stream)
{
    uint32_t mask = streams->index_size - 1, place = streams->items[stream].hash & mask;
    while (streams->index[place] != 0)
        place = (place + 1) & mask;
    streams->index[place] = stream + 1;
    streams->index_used++;
}

/* Adds a stream whose partition is new. The table is at most half full. */
static void index_put(struct ps_kafka_streams *streams, uint32_t stream)
{
    if (2 * (streams->index_used + 1) <= streams->index_size) {
        index_add(streams, stream);
        return;
    }
    uint32_t size = INDEX_SIZE_MIN;
    while (size < 4 * streams->count)
        size *= 2;
    free(streams->index);
    streams->index = ps_must_alloc(size, sizeof *streams->index, "partitions");
    streams->index_size = size;
    streams->index_used = 0;
    for (uint32_t i = 0; i < streams->count; i++)
        index_add(streams, i);
}

/* Returns a slot for a new partition: the slot of a partition that is no longer assigned, else a new one. */
static uint32_t take_slot(struct ps_kafka_streams *streams)
{
    for (uint32_t i = 0; i < streams->count; i++) {
        if (streams->items[i].state == PS_KAFKA_STREAM_GONE)
            return i;
    }
    if (streams->count == streams->room) {
        streams->room = streams->room == 0 ? 16 : 2 * streams->room;
        streams->items =
            ps_must_realloc(streams->items, streams->room * sizeof *streams->items, "partitions");
    }
    streams->items[streams->count] = (struct ps_kafka_stream){0};
    return streams->count++;
}

static void begin(struct ps_kafka_streams *streams, struct ps_kafka_stream *stream)
{
    *stream = (struct ps_kafka_stream){
        .topic = stream->topic,
        .topic_length = stream->topic_length,
        .hash = stream->hash,
        .partition = stream->partition,
        .state = PS_KAFKA_STREAM_OWNED,
        .pass = ++streams->pass,
        .taken = PS_KAFKA_POSITION_NONE,
        .skipped = PS_KAFKA_POSITION_NONE,
        .reached = PS_KAFKA_POSITION_NONE,
        .committing = PS_KAFKA_POSITION_NONE,
        .committed = PS_KAFKA_POSITION_NONE,
        .reached_epoch = -1,
        .skipped_epoch = -1,
    };
}

uint32_t ps_kafka_streams_assign(struct ps_kafka_streams *streams, const char *topic, int32_t partition)
{
    const struct ps_slice name = {topic, (uint32_t)strlen(topic)};
    uint32_t index = ps_kafka_streams_find(streams, name, partition);
    if (index == PS_KAFKA_STREAM_NONE) {
        index = take_slot(streams);
        streams->items[index].topic = topic;
        streams->items[index].topic_length = name.length;
        streams->items[index].hash = hash_of(name, partition);
        streams->items[index].partition = partition;
        index_put(streams, index);
    }
    begin(streams, &streams->items[index]);
    return index;
}

void ps_kafka_streams_restart(struct ps_kafka_streams *streams, uint32_t index, int64_t next, int32_t epoch)
{
    struct ps_kafka_stream *stream = &streams->items[index];
    int64_t reached = stream->reached, committed = stream->committed;
    bool has_offset = reached != PS_KAFKA_POSITION_NONE || committed != PS_KAFKA_POSITION_NONE;
    /* Another offset may be the group's: that of a commit which is under way or failed, because the broker may carry it
     * out, and the former one until `next` is committed. */
    bool is_known = (reached == PS_KAFKA_POSITION_NONE || reached == committed) && committed == next;
    enum ps_kafka_stream_state state = stream->state;
    begin(streams, stream);
    stream->state = state; /* a stream that is being given up stays so: its offset is committed first */
    stream->committed = is_known ? committed : PS_KAFKA_POSITION_NONE;
    stream->reached = has_offset ? next : PS_KAFKA_POSITION_NONE;
    stream->reached_epoch = epoch;
    streams->moved = true;
}

/* Counts skipped records as delivered if all records taken before are delivered. */
static void count_skipped(struct ps_kafka_stream *stream)
{
    if (stream->skipped < stream->reached || !ps_kafka_stream_is_drained(stream))
        return;
    stream->taken = stream->skipped;
    stream->reached = stream->skipped + 1;
    stream->reached_epoch = stream->skipped_epoch;
}

void ps_kafka_streams_skip(struct ps_kafka_streams *streams, uint32_t stream, int64_t offset, int32_t epoch)
{
    streams->items[stream].skipped = offset;
    streams->items[stream].skipped_epoch = epoch;
    count_skipped(&streams->items[stream]);
    streams->moved = true;
}

void ps_kafka_streams_delivered(struct ps_kafka_streams *streams, const struct ps_span *span)
{
    struct ps_kafka_stream *stream = span->stream < streams->count ? &streams->items[span->stream] : NULL;
    if (stream == NULL || stream->pass != span->pass || stream->state == PS_KAFKA_STREAM_GONE)
        return;
    stream->reached = span->position + 1;
    stream->reached_epoch = span->epoch;
    count_skipped(stream);
    streams->moved = true;
}

void ps_kafka_streams_abandon(struct ps_kafka_streams *streams)
{
    for (uint32_t i = 0; i < streams->count; i++)
        streams->items[i].taken = PS_KAFKA_POSITION_NONE;
}

bool ps_kafka_streams_has_owned(const struct ps_kafka_streams *streams)
{
    for (uint32_t i = 0; i < streams->count; i++) {
        if (streams->items[i].state == PS_KAFKA_STREAM_OWNED)
            return true;
    }
    return false;
}

bool ps_kafka_streams_are_drained(const struct ps_kafka_streams *streams)
{
    for (uint32_t i = 0; i < streams->count; i++) {
        const struct ps_kafka_stream *stream = &streams->items[i];
        if (stream->state != PS_KAFKA_STREAM_GONE && !ps_kafka_stream_is_drained(stream))
            return false;
    }
    return true;
}

bool ps_kafka_streams_revoked_are_drained(const struct ps_kafka_streams *streams, bool *dirty)
{
    *dirty = false;
    for (uint32_t i = 0; i < streams->count; i++) {
        const struct ps_kafka_stream *stream = &streams->items[i];
        if (stream->state != PS_KAFKA_STREAM_REVOKING)
            continue;
        if (!ps_kafka_stream_is_drained(stream))
            return false;
        *dirty |= ps_kafka_stream_is_dirty(stream);
    }
    return true;
}

void ps_kafka_streams_note_committed(struct ps_kafka_streams *streams)
{
    for (uint32_t i = 0; i < streams->count; i++) {
        struct ps_kafka_stream *stream = &streams->items[i];
        if (ps_kafka_stream_is_dirty(stream) && !ps_kafka_stream_begins(stream))
            stream->committed = stream->reached;
    }
}
