/* Finds the offset at which reading a partition begins: the group's committed offset (OffsetFetch; with
 * read_committed, an offset that no open transaction may change, KIP-447), else the offset by
 * auto.offset.reset (ListOffsets). */
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "stages/lib/kafka/wire/partitions.h"
#include "stages/lib/least.h"

#include "core/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_OF_GROUP_ERRORS 2
#define VERSION_OF_ONE_OFFSET 1 /* of ListOffsets: before, an answer has a list of offsets */
#define TIME_LATEST (-1)
#define TIME_EARLIEST (-2)
#define TOPIC_BYTES (PS_KAFKA_NATIVE_TOPIC_BYTES + 16U)

/* ---- the group's offsets ---- */

/* Returns whether the partition's offset must be requested. The offset must not change before all fetched
 * records are delivered: otherwise a transaction would commit an old offset after the new one. */
static bool wants(const struct ps_kafka_fetch *fetch, uint32_t i, enum ps_kafka_part_state state)
{
    const struct ps_kafka_fetch_part *part = &fetch->parts[i];
    return part->state == state && !ps_kafka_part_is_asked(part) && part->queued == 0 &&
           fetch->mono_ns >= part->rest_ns && fetch->streams.items[i].state == PS_KAFKA_STREAM_OWNED &&
           ps_kafka_stream_is_drained(&fetch->streams.items[i]);
}

static struct ps_kafka_native_request *request_committed(struct ps_kafka_fetch *fetch,
                                                         const struct ps_kafka_native_broker *broker)
{
    bool stable =
        fetch->settings.committed_only && broker->versions[PS_KAFKA_NATIVE_GROUP_OFFSETS].modern >= 0;
    int16_t version = stable ? broker->versions[PS_KAFKA_NATIVE_GROUP_OFFSETS].modern
                             : broker->versions[PS_KAFKA_NATIVE_GROUP_OFFSETS].plain;
    uint32_t count = 0;
    for (uint32_t i = 0; i < fetch->part_count; i++)
        count += wants(fetch, i, PS_KAFKA_PART_COMMITTED);
    if (count == 0)
        return NULL;
    struct ps_kafka_native_request *request;
    size_t group_length = strlen(fetch->group);
    char *at = ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_GROUP_OFFSETS, version,
                                             32 + group_length + (size_t)count * TOPIC_BYTES, &request);
    if (at == NULL)
        return NULL;
    at = ps_wire_put_text(at, fetch->group, group_length, stable);
    at = ps_wire_put_count(at, count, stable);
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (!wants(fetch, i, PS_KAFKA_PART_COMMITTED))
            continue;
        /* each partition with its topic: the coordinator accepts a topic several times */
        at = ps_wire_put_text(at, part->topic->name, part->topic->length, stable);
        at = ps_wire_put_count(at, 1, stable);
        at = ps_wire_put_int32(at, part->number);
        at = ps_wire_put_tags(at, stable);
        part->asked_by = request->correlation;
    }
    if (stable)
        at = ps_wire_put_int8(at, 1);
    return ps_kafka_native_request_end(request, at);
}

static void ask_committed(struct ps_kafka_fetch *fetch)
{
    if (fetch->member.phase != PS_KAFKA_MEMBER_STABLE)
        return;
    struct ps_kafka_native_broker *broker = ps_kafka_member_coordinator(fetch);
    struct ps_kafka_native_request *request = broker != NULL ? request_committed(fetch, broker) : NULL;
    if (request != NULL)
        ps_kafka_native_broker_send(broker, request);
}

static void committed(struct ps_kafka_fetch *fetch, uint32_t stream, int64_t offset, int32_t epoch,
                      int16_t error)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    part->asked_by = -1;
    if (error != 0) {
        part->rest_ns = fetch->mono_ns + PS_KAFKA_PART_REST_NS;
        part->unstable_ns = part->unstable_ns != 0 ? part->unstable_ns : fetch->mono_ns;
        if (error != PS_KAFKA_ERROR_UNSTABLE_OFFSET_COMMIT || /* the member's heartbeats go on */
            fetch->mono_ns >= part->unstable_ns + PS_KAFKA_TELL_AFTER_NS)
            ps_kafka_reports_error(&fetch->reports, (rd_kafka_resp_err_t)error, "OffsetFetch",
                                   fetch->mono_ns);
        return;
    }
    part->unstable_ns = 0;
    if (offset >= 0) {
        part->next = offset;
        part->epoch = epoch;
        part->checked = -1;
        ps_kafka_part_move(fetch, part, epoch >= 0 ? PS_KAFKA_PART_CHECKED : PS_KAFKA_PART_READY);
        fetch->streams.items[stream].committed = offset;
    } else {
        ps_kafka_offsets_reset(fetch, part);
    }
}

static bool committed_answered(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                               struct ps_wire_in *in)
{
    int16_t version = request->version;
    uint32_t stream;
    bool has_group_error = version >= VERSION_OF_GROUP_ERRORS;
    int16_t group_error = 0; /* in old versions it is that of each partition */
    struct ps_wire_partitions walk = ps_wire_partitions_begin(in);
    while (ps_wire_partitions_next(&walk)) {
        struct ps_wire_committed offset = ps_wire_get_committed(in, version);
        const struct ps_kafka_fetch_part *part =
            in->failed
                ? NULL
                : ps_kafka_parts_find(fetch, walk.topic.data, walk.topic.length, offset.partition, &stream);
        if (part == NULL || part->asked_by != request->correlation)
            continue;
        if (offset.error != 0 && !has_group_error)
            group_error = offset.error;
        else
            committed(fetch, stream, offset.next, offset.epoch, offset.error);
    }
    if (has_group_error)
        group_error = ps_wire_get_int16(in);
    if (in->failed)
        return false;
    if (group_error != 0)
        ps_kafka_member_failed(fetch, group_error, "OffsetFetch");
    ps_kafka_parts_forget(fetch, request->correlation, PS_KAFKA_PART_REST_NS);
    return true;
}

/* ---- a log's offsets ---- */

static struct ps_kafka_native_broker *leader_of(const struct ps_kafka_fetch_part *part)
{
    const struct ps_kafka_native_partition *place = ps_kafka_part_place(part);
    return place != NULL ? place->leader : NULL;
}

static bool wants_of(const struct ps_kafka_fetch *fetch, uint32_t i,
                     const struct ps_kafka_native_broker *broker)
{
    return (wants(fetch, i, PS_KAFKA_PART_RESET) || wants(fetch, i, PS_KAFKA_PART_ANEW)) &&
           leader_of(&fetch->parts[i]) == broker;
}

static void ask_leader(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker)
{
    int16_t version = ps_kafka_native_version(broker, PS_KAFKA_NATIVE_LIST_OFFSETS);
    struct ps_kafka_native_request *request;
    uint32_t count = 0;
    for (uint32_t i = 0; i < fetch->part_count; i++)
        count += wants_of(fetch, i, broker);
    char *at = ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_LIST_OFFSETS, version,
                                             16 + (size_t)count * (TOPIC_BYTES + 20), &request);
    if (at == NULL)
        return;
    at = ps_wire_put_int32(at, -1); /* replica: a consumer */
    if (version >= 2)
        at = ps_wire_put_int8(at, fetch->settings.committed_only);
    at = ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (!wants_of(fetch, i, broker))
            continue;
        bool earliest = fetch->settings.reset == PS_KAFKA_RESET_EARLIEST || part->state == PS_KAFKA_PART_ANEW;
        part->asked_by = request->correlation;
        at = ps_wire_put_string(at, part->topic->name, part->topic->length);
        at = ps_wire_put_int32(at, 1);
        at = ps_wire_put_int32(at, part->number);
        at = ps_wire_put_int64(at, earliest ? TIME_EARLIEST : TIME_LATEST);
        if (version < VERSION_OF_ONE_OFFSET)
            at = ps_wire_put_int32(at, 1); /* most offsets */
    }
    ps_kafka_native_broker_send(broker, ps_kafka_native_request_end(request, at));
}

static void ask_leaders(struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        struct ps_kafka_native_broker *broker = leader_of(&fetch->parts[i]);
        if (!wants_of(fetch, i, broker))
            continue;
        if (broker == NULL)
            ps_kafka_fetch_want_leader(fetch);
        else if (ps_kafka_fetch_reach(fetch->client, broker) != NULL)
            ask_leader(fetch, broker);
    }
}

/* Logs where the source continues because the log no longer had the next offset, and counts the records that it will not
 * read. There are fewer of them if the log was compacted. */
static void say_gone(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part, int64_t offset)
{
    bool earliest = fetch->settings.reset == PS_KAFKA_RESET_EARLIEST;
    uint64_t missed = offset > part->gone_from ? (uint64_t)(offset - part->gone_from) : 0;
    char what[256] = "the log ends before that offset: it has lost records, or the topic was made again";
    if (missed > 0)
        snprintf(what, sizeof what, "up to %s %s not read: %s", ps_quantity_print_count(missed).text,
                 ps_quantity_word(missed, "record is", "records are"),
                 earliest ? "the brokers deleted them before the source came to them"
                          : "the brokers deleted some, and latest skips all that the log still has; earliest "
                            "reads those");
    ps_log(PS_LOG_WARN, fetch->port->component,
           "topic %s, partition %d: offset %" PRId64
           " is no longer in the log. The source continues at offset "
           "%" PRId64 ", the log's %s (kafka.consumer.auto.offset.reset = %s); %s",
           part->topic->name, part->number, part->gone_from, offset, earliest ? "beginning" : "end",
           earliest ? "earliest" : "latest", what);
    ps_count(fetch->port->counters, PS_COUNTER_EventReadFail, missed);
    part->gone_from = -1;
}

/* Handles an answer to ListOffsets. The offset may be below the offsets of earlier records, if the log of
 * these records no longer exists. */
static void listed(struct ps_kafka_fetch *fetch, uint32_t stream, int64_t offset, int16_t error)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    part->asked_by = -1;
    if (error == 0 && offset >= 0) {
        part->unstable_ns = 0;
        ps_kafka_parts_go_to(fetch, stream, offset, -1);
        part->checked = -1;
        if (part->gone_from >= 0)
            say_gone(fetch, part, offset);
        return;
    }
    part->rest_ns = fetch->mono_ns + PS_KAFKA_PART_REST_NS;
    part->unstable_ns = part->unstable_ns != 0 ? part->unstable_ns : fetch->mono_ns;
    ps_kafka_native_want_metadata(fetch->client);
    if (error == PS_KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED)
        ps_kafka_reports_error(&fetch->reports, (rd_kafka_resp_err_t)error, NULL, fetch->mono_ns);
    else if (error != 0 && fetch->mono_ns >= part->unstable_ns + PS_KAFKA_TELL_AFTER_NS)
        ps_kafka_reports_error(&fetch->reports, (rd_kafka_resp_err_t)error, "ListOffsets", fetch->mono_ns);
}

/* Returns -1 if the broker has found none. */
static int64_t read_offset(struct ps_wire_in *in, int16_t version)
{
    if (version >= VERSION_OF_ONE_OFFSET) {
        (void)ps_wire_get_int64(in); /* timestamp */
        return ps_wire_get_int64(in);
    }
    uint32_t count = ps_wire_get_count(in, sizeof(int64_t));
    int64_t offset = count > 0 ? ps_wire_get_int64(in) : -1;
    (void)ps_wire_take(in, count > 1 ? (count - 1) * sizeof(int64_t) : 0);
    return offset;
}

static bool listed_answered(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                            struct ps_wire_in *in)
{
    uint32_t stream;
    struct ps_wire_partitions walk = ps_wire_partitions_begin(in);
    while (ps_wire_partitions_next(&walk)) {
        int32_t partition = ps_wire_get_int32(in);
        int16_t error = ps_wire_get_int16(in);
        int64_t offset = read_offset(in, request->version);
        const struct ps_kafka_fetch_part *part =
            in->failed ? NULL
                       : ps_kafka_parts_find(fetch, walk.topic.data, walk.topic.length, partition, &stream);
        if (part != NULL && part->asked_by == request->correlation)
            listed(fetch, stream, offset, error);
    }
    ps_kafka_parts_forget(fetch, request->correlation, PS_KAFKA_PART_REST_NS);
    return !in->failed;
}

/* ---- turns ---- */

/* Called when metadata shows that the topic was created again: reads the new topic from its beginning, whatever
 * auto.offset.reset says. `latest` would skip its first records. What was read of the former topic is delivered before,
 * but its offset is not committed, and a committed one is replaced, also if the partition is given up meanwhile. */
static void take_anew(struct ps_kafka_fetch *fetch, uint32_t stream)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    ps_log(PS_LOG_WARN, fetch->port->component,
           "topic %s, partition %d: the topic was deleted and created again. The source reads the new topic "
           "from "
           "its beginning",
           part->topic->name, part->number);
    ps_kafka_part_move(fetch, part, PS_KAFKA_PART_ANEW);
    part->lives = part->topic->lives;
    part->next = part->epoch = part->checked = -1;
    part->gone_from = -1;
    fetch->streams.items[stream].former = true;
    if (ps_kafka_part_place(part) == NULL) /* the new topic has fewer partitions: nothing is committed */
        fetch->streams.items[stream].committed = 0;
    fetch->commits.dirty = fetch->commits.soon = true;
}

void ps_kafka_offsets_notice(struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        if (fetch->parts[i].state != PS_KAFKA_PART_NONE &&
            fetch->parts[i].lives != fetch->parts[i].topic->lives)
            take_anew(fetch, i);
    }
}

void ps_kafka_offsets_turn(struct ps_kafka_fetch *fetch)
{
    ask_committed(fetch);
    ask_leaders(fetch);
}

uint64_t ps_kafka_offsets_due_ns(const struct ps_kafka_fetch *fetch)
{
    uint64_t due_ns = PS_NEVER;
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        const struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (part->state != PS_KAFKA_PART_NONE && !ps_kafka_part_is_asked(part) &&
            part->rest_ns > fetch->mono_ns)
            due_ns = ps_least(due_ns, part->rest_ns);
    }
    return due_ns;
}

bool ps_kafka_offsets_answer(struct ps_kafka_fetch *fetch, struct ps_kafka_native_request *request,
                             struct ps_wire_in *in)
{
    return request->kind == PS_KAFKA_NATIVE_GROUP_OFFSETS ? committed_answered(fetch, request, in)
                                                          : listed_answered(fetch, request, in);
}
