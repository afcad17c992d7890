/* The assigned partitions, and their fetched records that are not read yet. These functions call no function of the
 * other files of this folder. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void ps_kafka_fetch_die(struct ps_kafka_fetch *fetch, const char *format, ...)
{
    if (fetch->fatal)
        return;
    va_list arguments;
    va_start(arguments, format);
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    ps_err_set(&fetch->reason, "Kafka: %s", text);
    fetch->fatal = true;
}

struct ps_kafka_native_broker *ps_kafka_fetch_reach(struct ps_kafka_native *client,
                                                    struct ps_kafka_native_broker *broker)
{
    if (broker == NULL || broker->gone)
        return NULL;
    if (broker->phase == PS_KAFKA_NATIVE_DOWN && client->now.mono_ns >= broker->rest_ns)
        ps_kafka_native_broker_connect(broker);
    return broker->phase == PS_KAFKA_NATIVE_UP && !ps_kafka_native_login_is_due(broker) ? broker : NULL;
}

void ps_kafka_fetch_texts_free(char ***texts, uint32_t *count)
{
    for (uint32_t i = 0; i < *count; i++)
        free((*texts)[i]);
    free(*texts);
    *texts = NULL;
    *count = 0;
}

/* ---- partitions ---- */

void ps_kafka_parts_take(struct ps_kafka_fetch *fetch, struct ps_slice topic, int32_t partition)
{
    struct ps_kafka_native_topic *known = ps_kafka_native_topic_get(fetch->client, topic.data, topic.length);
    if (known == NULL)
        return;
    uint32_t stream = ps_kafka_streams_assign(&fetch->streams, known->name, partition);
    if (stream >= fetch->part_room) {
        fetch->part_room = 2 * (stream + 8);
        fetch->parts = ps_must_realloc(fetch->parts, fetch->part_room * sizeof *fetch->parts, "partitions");
    }
    for (; fetch->part_count <= stream; fetch->part_count++)
        fetch->parts[fetch->part_count] = (struct ps_kafka_fetch_part){0};
    fetch->parts[stream] = (struct ps_kafka_fetch_part){.state = PS_KAFKA_PART_COMMITTED,
                                                        .topic = known,
                                                        .number = partition,
                                                        .asked_by = -1,
                                                        .replica = -1,
                                                        .next = -1,
                                                        .end = -1,
                                                        .epoch = -1,
                                                        .checked = -1,
                                                        .lives = known->lives,
                                                        .gone_from = -1,
                                                        .assigned = true};
}

void ps_kafka_parts_drop(struct ps_kafka_fetch *fetch)
{
    ps_kafka_fetched_drop(fetch);
    for (uint32_t i = 0; i < fetch->streams.count; i++)
        fetch->streams.items[i].state = PS_KAFKA_STREAM_GONE;
    for (uint32_t i = 0; i < fetch->part_count; i++)
        fetch->parts[i].state = PS_KAFKA_PART_NONE;
    /* records that are not committed are read by the next member */
    fetch->commits.dirty = fetch->streams.moved = false;
}

void ps_kafka_parts_drop_revoked(struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->streams.count; i++) {
        if (fetch->streams.items[i].state != PS_KAFKA_STREAM_REVOKING)
            continue;
        fetch->streams.items[i].state = PS_KAFKA_STREAM_GONE;
        fetch->parts[i].state = PS_KAFKA_PART_NONE;
    }
}

bool ps_kafka_parts_are_held(const struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->streams.count; i++) {
        if (fetch->streams.items[i].state != PS_KAFKA_STREAM_GONE)
            return true;
    }
    return false;
}

struct ps_kafka_fetch_part *ps_kafka_parts_find(struct ps_kafka_fetch *fetch, struct ps_slice topic,
                                                int32_t partition, uint32_t *stream)
{
    *stream = ps_kafka_streams_find(&fetch->streams, topic, partition);
    bool known = *stream < fetch->part_count && fetch->parts[*stream].state != PS_KAFKA_PART_NONE;
    return known ? &fetch->parts[*stream] : NULL;
}

struct ps_kafka_fetch_part *ps_kafka_parts_answered(struct ps_kafka_fetch *fetch,
                                                    const struct ps_kafka_native_request *request,
                                                    const struct ps_wire_partitions *walk, int32_t partition,
                                                    uint32_t *stream)
{
    struct ps_kafka_fetch_part *part =
        walk->in->failed ? NULL : ps_kafka_parts_find(fetch, walk->topic, partition, stream);
    return part != NULL && part->asked_by == request->correlation ? part : NULL;
}

char *ps_kafka_part_put(char *at, const struct ps_kafka_fetch_part *part, bool flexible)
{
    at = ps_wire_put_text(at, part->topic->name, part->topic->length, flexible);
    at = ps_wire_put_count(at, 1, flexible);
    return ps_wire_put_int32(at, part->number);
}

bool ps_kafka_part_is_unstable(const struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part)
{
    if (part->unstable_ns == 0)
        part->unstable_ns = fetch->mono_ns;
    return fetch->mono_ns >= part->unstable_ns + PS_KAFKA_TELL_AFTER_NS;
}

void ps_kafka_part_move(struct ps_kafka_fetch_part *part, enum ps_kafka_part_state state)
{
    part->state = state;
    part->asked_by = -1;
    part->unstable_ns = 0;
}

void ps_kafka_part_refuse(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part, int64_t offset,
                          const char *why)
{
    part->rest_ns = fetch->mono_ns + PS_KAFKA_REFUSED_REST_NS;
    ps_kafka_reports_error(&fetch->reports, PS_KAFKA_LIBRARY_BAD_MSG,
                           "topic %s, partition %d, offset %" PRId64 ": %s", part->topic->name, part->number,
                           offset, why);
}

void ps_kafka_offsets_reset(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part)
{
    ps_kafka_part_move(part, PS_KAFKA_PART_RESET);
    part->next = -1;
    if (fetch->settings.reset == PS_KAFKA_RESET_ERROR)
        ps_kafka_fetch_die(fetch,
                           "topic %s, partition %d: there is no offset from which to read, and "
                           "kafka.consumer.auto.offset.reset = none forbids to choose one; commit one with "
                           "kafka-consumer-groups.sh, or set that key to earliest or latest",
                           part->topic->name, part->number);
}

bool ps_kafka_parts_miss_leader(struct ps_kafka_fetch *fetch)
{
    bool any = false, told = false;
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[i];
        bool needed = part->state != PS_KAFKA_PART_NONE && part->state != PS_KAFKA_PART_COMMITTED &&
                      part->state != PS_KAFKA_PART_TRUNCATED &&
                      fetch->streams.items[i].state == PS_KAFKA_STREAM_OWNED;
        bool missed = needed && ps_kafka_part_leader(part) == NULL;
        any |= missed;
        part->leaderless_ns = !missed ? 0 : part->leaderless_ns != 0 ? part->leaderless_ns : fetch->mono_ns;
        if (!missed || fetch->mono_ns < part->leaderless_ns + PS_KAFKA_TELL_AFTER_NS)
            continue;
        char text[PS_KAFKA_NATIVE_TOPIC_BYTES + 96];
        snprintf(text, sizeof text, "topic %s, partition %d is not read: its leader is not known",
                 part->topic->name, part->number);
        ps_kafka_reports_error(&fetch->reports, PS_KAFKA_ERROR_LEADER_NOT_AVAILABLE, "%s", text);
        if (!told) /* the first one */
            ps_kafka_reports_missing(&fetch->reports, PS_KAFKA_NEED_LEADERS, text);
        told = true;
    }
    if (!told)
        ps_kafka_reports_met(&fetch->reports, PS_KAFKA_NEED_LEADERS);
    return any;
}

/* ---- what was fetched ---- */

void ps_kafka_fetch_reading_close(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetch_reading *reading = &fetch->reading;
    if (reading->unpacked != NULL)
        ps_block_drop(fetch->port->blocks, reading->unpacked);
    reading->unpacked = reading->views = NULL;
    reading->open = reading->has_record = false;
}

void ps_kafka_fetch_reading_end(struct ps_kafka_fetch *fetch)
{
    ps_kafka_fetch_reading_close(fetch);
    fetch->reading.aborted_count = fetch->reading.aborted_at = 0;
    ps_kafka_unpacker_forget(fetch->unpacker);
}

static struct ps_kafka_fetched *take_fetched(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetched *fetched = fetch->answers.spare;
    if (fetched != NULL)
        fetch->answers.spare = fetched->next;
    else if ((fetched = calloc(1, sizeof *fetched)) == NULL)
        return NULL;
    fetched->next = NULL;
    fetched->block = NULL;
    fetched->slice_count = fetched->slice_at = 0;
    return fetched;
}

void ps_kafka_fetched_give(struct ps_kafka_fetch *fetch, struct ps_kafka_fetched *fetched)
{
    if (fetched->block != NULL)
        ps_block_drop(fetch->port->blocks, fetched->block);
    fetched->block = NULL;
    fetched->next = fetch->answers.spare;
    fetch->answers.spare = fetched;
}

void ps_kafka_fetched_pop(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetched *fetched = fetch->answers.first;
    for (uint32_t i = fetched->slice_at; i < fetched->slice_count; i++) {
        const struct ps_kafka_fetch_slice *slice = &fetched->slices[i];
        if (fetch->streams.items[slice->stream].pass == slice->pass)
            fetch->parts[slice->stream].queued--;
    }
    fetch->answers.first = fetched->next;
    if (fetch->answers.first == NULL)
        fetch->answers.end = &fetch->answers.first;
    fetch->answers.held_bytes -= fetched->block->size;
    ps_kafka_fetched_give(fetch, fetched);
}

void ps_kafka_fetched_drop(struct ps_kafka_fetch *fetch)
{
    ps_kafka_fetch_reading_end(fetch);
    while (fetch->answers.first != NULL)
        ps_kafka_fetched_pop(fetch);
    fetch->kept = false;
    fetch->starved_ns = 0;
}

void ps_kafka_fetched_drop_part(struct ps_kafka_fetch *fetch, uint32_t stream)
{
    for (struct ps_kafka_fetched *fetched = fetch->answers.first; fetched != NULL; fetched = fetched->next) {
        for (uint32_t i = fetched->slice_at; i < fetched->slice_count; i++) {
            if (fetched->slices[i].stream == stream)
                fetched->slices[i].pass = 0; /* belongs to no stream */
        }
    }
    fetch->parts[stream].queued = 0;
}

void ps_kafka_parts_ask_again(struct ps_kafka_fetch_part *part, int64_t offset)
{
    bool resets = part->state == PS_KAFKA_PART_RESET;
    ps_kafka_part_move(part, resets ? PS_KAFKA_PART_READY : part->state);
    part->next = offset;
    part->gone_from = -1;
}

void ps_kafka_parts_go_to(struct ps_kafka_fetch *fetch, uint32_t stream, int64_t offset, int32_t epoch)
{
    ps_kafka_streams_restart(&fetch->streams, stream, offset, epoch);
    fetch->parts[stream].next = fetch->parts[stream].begin = offset;
    fetch->parts[stream].epoch = epoch;
    ps_kafka_part_move(&fetch->parts[stream], PS_KAFKA_PART_READY);
}

static void ask_again(struct ps_kafka_fetch *fetch, const struct ps_kafka_fetch_slice *slice)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[slice->stream];
    if (fetch->streams.items[slice->stream].pass != slice->pass)
        return;
    part->queued--;
    if (part->next < 0 || slice->from <= part->next)
        ps_kafka_parts_ask_again(part, slice->from);
}

void ps_kafka_fetched_drop_later(struct ps_kafka_fetch *fetch)
{
    struct ps_kafka_fetched *fetched;
    while ((fetched = fetch->answers.first->next) != NULL) {
        for (uint32_t i = fetched->slice_at; i < fetched->slice_count; i++)
            ask_again(fetch, &fetched->slices[i]);
        fetch->answers.first->next = fetched->next;
        fetch->answers.held_bytes -= fetched->block->size;
        ps_kafka_fetched_give(fetch, fetched);
    }
    fetch->answers.end = &fetch->answers.first->next;
}

void ps_kafka_fetched_free(struct ps_kafka_fetch *fetch)
{
    if (fetch->answers.end != NULL)
        ps_kafka_fetched_drop(fetch);
    while (fetch->answers.spare != NULL) {
        struct ps_kafka_fetched *fetched = fetch->answers.spare;
        fetch->answers.spare = fetched->next;
        free(fetched->slices);
        free(fetched);
    }
}

struct ps_kafka_fetched *ps_kafka_fetched_take(struct ps_kafka_fetch *fetch, uint32_t length)
{
    struct ps_block_cache *blocks = fetch->port->blocks;
    struct ps_kafka_fetched *fetched = take_fetched(fetch);
    if (fetched == NULL)
        return NULL;
    fetched->block = length > PS_BLOCK_BYTES ? ps_block_take_oversize(blocks, length) : ps_block_take(blocks);
    fetched->length = length;
    if (fetched->block != NULL)
        return fetched;
    ps_kafka_fetched_give(fetch, fetched);
    return NULL;
}

void ps_kafka_parts_forget(struct ps_kafka_fetch *fetch, int32_t correlation, uint64_t pause_ns)
{
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (part->asked_by != correlation)
            continue;
        part->asked_by = -1;
        if (pause_ns > 0)
            part->rest_ns = fetch->mono_ns + pause_ns;
    }
}
