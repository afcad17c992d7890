/* The questions about partitions that are not read yet, by their states (fetch_internal.h):
 *
 *   OffsetFetch           the group's committed offset; with read_committed, an offset that no open transaction may
 *                         change (KIP-447)
 *   ListOffsets           without such an offset, or if the log does not have it: the offset by auto.offset.reset
 *   OffsetForLeaderEpoch  whether the leader has the records that were read (KIP-320)
 *
 * Of the last one: A new leader is asked. The first leader is asked too if the group's offset was committed with an
 * epoch, because leaders may have changed since the commit. If no other replica is left, a replica that was behind may
 * become the leader (unclean.leader.election.enable): such a leader has other records, or none, at offsets that were
 * read. Each leader has an epoch, which is in its batches, and which is committed with an offset. The leader is asked at
 * which offset of its log the epoch of the last record that was read ends. The records after that offset differ, and are
 * read. Brokers answer this to consumers from Kafka 2.3 on. Older brokers are not asked. */
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "stages/lib/least.h"

#include "core/quantity.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define VERSION_OF_GROUP_ERRORS 2 /* of OffsetFetch */
#define VERSION_OF_ONE_OFFSET 1   /* of ListOffsets: before, an answer has a list of offsets */
#define TIME_LATEST (-1)
#define TIME_EARLIEST (-2)
#define PART_BYTES (PS_KAFKA_NATIVE_TOPIC_BYTES + 32U)

/* Returns whether metadata is older than the group's offset: the offset has the epoch of a later leader. The
 * leader that metadata names was replaced then, and is not asked. */
static bool is_behind(const struct ps_kafka_fetch_part *part)
{
    const struct ps_kafka_native_partition *place = ps_kafka_part_place(part);
    return place->leader_epoch < 0 || (part->checked < 0 && part->epoch > place->leader_epoch);
}

/* ---- requests ---- */

/* Returns whether the broker is asked about the partition now. All records that were fetched must be read. An offset by
 * auto.offset.reset must not take effect before they are delivered, too: otherwise a transaction would commit an old
 * offset after the new one. */
static bool wants(const struct ps_kafka_fetch *fetch, uint32_t i, const struct ps_kafka_native_broker *broker,
                  enum ps_kafka_native_kind kind)
{
    const struct ps_kafka_fetch_part *part = &fetch->parts[i];
    const struct ps_kafka_stream *stream = &fetch->streams.items[i];
    if (part->asked_by >= 0 || part->queued > 0 || fetch->mono_ns < part->rest_ns ||
        stream->state != PS_KAFKA_STREAM_OWNED)
        return false;
    switch (part->state) {
    case PS_KAFKA_PART_COMMITTED:
        return kind == PS_KAFKA_NATIVE_GROUP_OFFSETS;
    case PS_KAFKA_PART_RESET:
    case PS_KAFKA_PART_ANEW:
        return kind == PS_KAFKA_NATIVE_LIST_OFFSETS && ps_kafka_part_leader(part) == broker &&
               ps_kafka_stream_is_drained(stream);
    case PS_KAFKA_PART_CHECKED:
        return kind == PS_KAFKA_NATIVE_LEADER_EPOCH && ps_kafka_part_leader(part) == broker &&
               !is_behind(part);
    default:
        return false;
    }
}

static int16_t version_of(const struct ps_kafka_fetch *fetch, const struct ps_kafka_native_broker *broker,
                          enum ps_kafka_native_kind kind)
{
    bool plain = kind == PS_KAFKA_NATIVE_GROUP_OFFSETS && !fetch->settings.committed_only;
    return plain ? broker->versions[kind].plain : ps_kafka_native_version(broker, kind);
}

/* Writes what comes before the partitions. */
static char *put_head(const struct ps_kafka_fetch *fetch, char *at,
                      const struct ps_kafka_native_request *request)
{
    if (request->kind == PS_KAFKA_NATIVE_GROUP_OFFSETS)
        return ps_wire_put_text(at, fetch->group, strlen(fetch->group), request->flexible);
    at = ps_wire_put_int32(at, -1); /* replica: a consumer */
    if (request->kind == PS_KAFKA_NATIVE_LIST_OFFSETS && request->version >= 2)
        at = ps_wire_put_int8(at, fetch->settings.committed_only);
    return at;
}

/* Writes what is asked about the partition. */
static char *put_question(const struct ps_kafka_fetch *fetch, char *at, struct ps_kafka_fetch_part *part,
                          int16_t version)
{
    if (part->state == PS_KAFKA_PART_CHECKED) {
        part->checked = ps_kafka_part_place(part)->leader_epoch;
        return ps_wire_put_int32(ps_wire_put_int32(at, part->checked), part->epoch);
    }
    if (part->state == PS_KAFKA_PART_COMMITTED)
        return at;
    bool earliest = fetch->settings.reset == PS_KAFKA_RESET_EARLIEST || part->state == PS_KAFKA_PART_ANEW;
    at = ps_wire_put_int64(at, earliest ? TIME_EARLIEST : TIME_LATEST);
    return version < VERSION_OF_ONE_OFFSET ? ps_wire_put_int32(at, 1) : at; /* most offsets */
}

static void ask(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker,
                enum ps_kafka_native_kind kind)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fetch->part_count; i++)
        count += wants(fetch, i, broker, kind);
    if (count == 0 || ps_kafka_fetch_reach(fetch->client, broker) == NULL)
        return;
    int16_t version = version_of(fetch, broker, kind);
    struct ps_kafka_native_request *request;
    char *at =
        version < 0
            ? NULL
            : ps_kafka_native_request_begin(fetch->client, kind, version,
                                            32 + strlen(fetch->group) + (size_t)count * PART_BYTES, &request);
    if (at == NULL)
        return;
    bool flexible = request->flexible;
    at = ps_wire_put_count(put_head(fetch, at, request), count, flexible);
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (!wants(fetch, i, broker, kind))
            continue;
        part->asked_by = request->correlation;
        at = put_question(fetch, ps_kafka_part_put(at, part, flexible), part, version);
        at = ps_wire_put_tags(at, flexible);
    }
    if (flexible)
        at = ps_wire_put_int8(at, 1); /* stable offsets */
    ps_kafka_native_broker_send(broker, ps_kafka_native_request_end(request, at));
}

/* ---- turns ---- */

/* Called when metadata shows that the topic was created again: drops the partition, and takes it anew from the
 * beginning of the new topic, whatever auto.offset.reset says. `latest` would skip its first records. What was read of
 * the former topic is delivered, but its offset is not committed, and a committed one is replaced by 0. With a sink that
 * commits it is called again, until all that was read is delivered: a transaction with records of both topics would commit
 * the higher offset. */
static void take_anew(struct ps_kafka_fetch *fetch, uint32_t stream)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    if (part->state != PS_KAFKA_PART_ANEW)
        ps_log(PS_LOG_WARN, fetch->port->component,
               "topic %s, partition %d: the topic was deleted and created again. The new topic is read "
               "from its beginning",
               part->topic->name, part->number);
    ps_kafka_part_move(part, PS_KAFKA_PART_ANEW);
    ps_kafka_fetched_drop_part(fetch, stream);
    part->next = part->epoch = part->checked = -1;
    part->gone_from = -1;
    part->session = 0; /* the broker's has the former topic */
    if (fetch->sink_commits && !ps_kafka_stream_is_drained(&fetch->streams.items[stream]))
        return;
    part->lives = part->topic->lives;
    ps_kafka_streams_restart(&fetch->streams, stream, 0, -1);
    /* 0 is committed even if the group has no offset: after a stop `latest` would skip records */
    fetch->streams.items[stream].reached = 0;
}

/* A partition that is read is checked when it has another leader. It is not if the epoch of its last record is not known,
 * because no record was read yet, or because the records have an old format. */
static void begin_check(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part)
{
    const struct ps_kafka_native_partition *place = ps_kafka_part_place(part);
    if (ps_kafka_part_leader(part) == NULL || place->leader_epoch < 0 || place->leader_epoch == part->checked)
        return;
    if (part->epoch < 0) {
        part->checked = place->leader_epoch;
        return;
    }
    ps_kafka_part_move(part, PS_KAFKA_PART_CHECKED);
    part->rest_ns = fetch->mono_ns;
}

/* Called in state CHECKED, when the leader is known. */
static void look_at_leader(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part)
{
    const struct ps_kafka_native_partition *place = ps_kafka_part_place(part);
    bool is_too_old = place->leader->phase == PS_KAFKA_NATIVE_UP &&
                      ps_kafka_native_version(place->leader, PS_KAFKA_NATIVE_LEADER_EPOCH) < 0;
    /* brokers without leader epochs, or that are too old to be asked: reads on, as Java's consumer does */
    if ((place->leader_epoch < 0 && part->topic->error == 0) || is_too_old) {
        part->checked = place->leader_epoch;
        ps_kafka_part_move(part, PS_KAFKA_PART_READY);
    } else if (is_behind(part)) {
        ps_kafka_fetch_want_leader(fetch);
        (void)ps_kafka_fetch_reach(fetch->client,
                                   place->leader); /* it may be too old: then its epochs do not matter */
        if (ps_kafka_part_is_unstable(fetch, part))
            ps_kafka_reports_error(
                &fetch->reports, PS_KAFKA_ERROR_UNKNOWN_LEADER_EPOCH,
                "topic %s, partition %d is not read: the group's offset has leader epoch %d, which is above "
                "the brokers' leader epoch %d. If somebody deleted the topic and created it again, stop the "
                "agent, and set the offset with kafka-consumer-groups.sh",
                part->topic->name, part->number, part->epoch, place->leader_epoch);
    }
}

/* Returns whether there is a question about the partition. */
static bool turn_part(struct ps_kafka_fetch *fetch, uint32_t stream)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    if (part->state == PS_KAFKA_PART_NONE)
        return false;
    if (part->lives != part->topic->lives)
        take_anew(fetch, stream);
    /* deliveries of the records that were read no longer count once the offset is changed */
    if (part->state == PS_KAFKA_PART_TRUNCATED && ps_kafka_stream_is_drained(&fetch->streams.items[stream]))
        ps_kafka_parts_go_to(fetch, stream, part->next, part->epoch);
    if (part->state == PS_KAFKA_PART_READY)
        begin_check(fetch, part);
    if (part->state == PS_KAFKA_PART_CHECKED && ps_kafka_part_leader(part) != NULL)
        look_at_leader(fetch, part);
    return part->state != PS_KAFKA_PART_READY;
}

void ps_kafka_questions_turn(struct ps_kafka_fetch *fetch)
{
    bool any = false;
    for (uint32_t i = 0; i < fetch->part_count; i++)
        any |= turn_part(fetch, i);
    if (!any)
        return;
    bool stable = fetch->member.phase == PS_KAFKA_MEMBER_STABLE;
    struct ps_kafka_native_broker *broker = stable ? ps_kafka_member_coordinator(fetch) : NULL;
    if (broker != NULL)
        ask(fetch, broker, PS_KAFKA_NATIVE_GROUP_OFFSETS);
    /* leaders are asked about partitions that are kept over a rebalance, too: the others may take long to join */
    for (broker = fetch->client->brokers; broker != NULL; broker = broker->next) {
        ask(fetch, broker, PS_KAFKA_NATIVE_LIST_OFFSETS);
        ask(fetch, broker, PS_KAFKA_NATIVE_LEADER_EPOCH);
    }
}

uint64_t ps_kafka_questions_due_ns(const struct ps_kafka_fetch *fetch)
{
    uint64_t due_ns = PS_NEVER;
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        const struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (part->state != PS_KAFKA_PART_NONE && part->asked_by < 0 && part->rest_ns > fetch->mono_ns)
            due_ns = ps_least(due_ns, part->rest_ns);
    }
    return due_ns;
}

/* ---- answers ---- */

/* Called for an answer with this error, or without an offset (error 0): it is asked again. */
static void refused(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part,
                    enum ps_kafka_native_kind kind, int16_t error)
{
    bool passes = error != PS_KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED;
    part->rest_ns = fetch->mono_ns + PS_KAFKA_PART_REST_NS;
    if (kind != PS_KAFKA_NATIVE_GROUP_OFFSETS)
        ps_kafka_native_want_metadata(fetch->client);
    if ((ps_kafka_part_is_unstable(fetch, part) || !passes) && error != 0)
        ps_kafka_reports_error(&fetch->reports, error, "topic %s, partition %d is not read: %s: %s",
                               part->topic->name, part->number, ps_kafka_native_apis[kind].name,
                               rd_kafka_err2str((rd_kafka_resp_err_t)error));
}

/* A partition without an offset is new if the topic was created again since the client began, with more partitions than
 * before: it is read from its beginning, as take_anew() says of the others. */
static void committed(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part, uint32_t stream,
                      const struct ps_wire_committed *offset)
{
    if (offset->next < 0 && part->topic->lives > 0) {
        ps_kafka_part_move(part, PS_KAFKA_PART_ANEW);
        fetch->streams.items[stream].reached = 0;
        return;
    }
    if (offset->next < 0) {
        ps_kafka_offsets_reset(fetch, part);
        return;
    }
    part->next = offset->next;
    part->epoch = offset->epoch;
    part->checked = -1;
    ps_kafka_part_move(part, offset->epoch >= 0 ? PS_KAFKA_PART_CHECKED : PS_KAFKA_PART_READY);
    fetch->streams.items[stream].committed = offset->next;
}

/* Reads a partition of an answer to OffsetFetch. Old versions have the error of the group in each partition. */
static void read_committed(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                           const struct ps_wire_partitions *walk, int16_t *group_error)
{
    uint32_t stream;
    const struct ps_wire_committed offset = ps_wire_get_committed(walk->in, request->version);
    struct ps_kafka_fetch_part *part =
        ps_kafka_parts_answered(fetch, request, walk, offset.partition, &stream);
    if (part == NULL)
        return;
    if (offset.error != 0 && request->version < VERSION_OF_GROUP_ERRORS) {
        *group_error = offset.error;
        return;
    }
    part->asked_by = -1;
    if (offset.error != 0)
        refused(fetch, part, request->kind, offset.error);
    else
        committed(fetch, part, stream, &offset);
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

/* Reads a partition of an answer to ListOffsets. The offset may be below the offsets of earlier records, if the log of
 * these records no longer exists. */
static void read_listed(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                        const struct ps_wire_partitions *walk)
{
    uint32_t stream;
    int32_t partition = ps_wire_get_int32(walk->in);
    int16_t error = ps_wire_get_int16(walk->in);
    int64_t offset = read_offset(walk->in, request->version);
    struct ps_kafka_fetch_part *part = ps_kafka_parts_answered(fetch, request, walk, partition, &stream);
    if (part == NULL)
        return;
    part->asked_by = -1;
    if (error != 0 || offset < 0) {
        refused(fetch, part, request->kind, error);
        return;
    }
    ps_kafka_parts_go_to(fetch, stream, offset, -1);
    part->checked = -1;
    if (part->gone_from >= 0)
        say_gone(fetch, part, offset);
}

/* Called when the leader's log differs from offset `end` on. `end` -1: not known, because the leader has no record of
 * that epoch or an earlier one. */
static void truncated(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part, int64_t end,
                      int32_t epoch)
{
    bool known = end >= 0 && epoch >= 0 && fetch->settings.reset != PS_KAFKA_RESET_ERROR;
    char from[64] = "as kafka.consumer.auto.offset.reset says";
    if (known)
        snprintf(from, sizeof from, "from offset %" PRId64, end);
    ps_log(PS_LOG_WARN, fetch->port->component,
           "topic %s, partition %d: the new leader does not have all records that were read, those before "
           "offset %" PRId64
           ": after an unclean leader election the cluster has lost records. The source continues %s",
           part->topic->name, part->number, part->next, from);
    if (!known) {
        ps_kafka_offsets_reset(fetch, part);
        return;
    }
    ps_kafka_part_move(part, PS_KAFKA_PART_TRUNCATED);
    part->next = end;
    part->epoch = epoch;
}

/* Reads a partition of an answer to OffsetForLeaderEpoch. */
static void read_checked(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                         const struct ps_wire_partitions *walk)
{
    uint32_t stream;
    int16_t error = ps_wire_get_int16(walk->in);
    int32_t partition = ps_wire_get_int32(walk->in), epoch = ps_wire_get_int32(walk->in);
    int64_t end = ps_wire_get_int64(walk->in);
    struct ps_kafka_fetch_part *part = ps_kafka_parts_answered(fetch, request, walk, partition, &stream);
    if (part == NULL)
        return;
    part->asked_by = -1;
    if (error != 0)
        refused(fetch, part, request->kind, error);
    else if (end < part->next)
        truncated(fetch, part, end, epoch);
    else
        ps_kafka_part_move(part, PS_KAFKA_PART_READY);
}

bool ps_kafka_questions_answer(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                               struct ps_wire_in *in)
{
    bool of_group = request->kind == PS_KAFKA_NATIVE_GROUP_OFFSETS;
    int16_t group_error = 0;
    struct ps_wire_partitions walk = ps_wire_partitions_begin(in);
    while (ps_wire_partitions_next(&walk)) {
        if (of_group)
            read_committed(fetch, request, &walk, &group_error);
        else if (request->kind == PS_KAFKA_NATIVE_LIST_OFFSETS)
            read_listed(fetch, request, &walk);
        else
            read_checked(fetch, request, &walk);
    }
    if (of_group && request->version >= VERSION_OF_GROUP_ERRORS)
        group_error = ps_wire_get_int16(in);
    if (in->failed)
        return false;
    if (group_error != 0)
        ps_kafka_member_failed(fetch, group_error, "OffsetFetch");
    ps_kafka_parts_forget(fetch, request->correlation, PS_KAFKA_PART_REST_NS);
    return true;
}
