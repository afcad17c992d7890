/* Asks the leader of a partition whether it has the records that were read (KIP-320). A new leader is asked.
 * The first leader is asked too if the group's offset was committed with an epoch, because leaders may have
 * changed since the commit. If no other replica is left, a replica that was behind may become the leader
 * (unclean.leader.election.enable): such a leader has other records, or none, at offsets that were read. Each
 * leader has an epoch, which is in its batches, and which is committed with an offset. The leader is asked at
 * which offset of its log the epoch of the last record that was read ends. The records after that offset
 * differ, and are read.
 *
 * Brokers answer this to consumers from Kafka 2.3 on. Older brokers are not asked. */
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "stages/lib/kafka/wire/partitions.h"

#include <inttypes.h>
#include <stdio.h>

#define WARN_NS (10 * PS_NS_PER_S)
#define WARN_AGAIN_NS (60 * PS_NS_PER_S)
#define PART_BYTES (PS_KAFKA_NATIVE_TOPIC_BYTES + 24U)

static bool is_too_old(const struct ps_kafka_native_broker *broker)
{
    return broker->phase == PS_KAFKA_NATIVE_UP &&
           ps_kafka_native_version(broker, PS_KAFKA_NATIVE_LEADER_EPOCH) < 0;
}

/* A partition is not checked if the epoch of its last record is not known, because no record was read yet, or
 * because the records have an old format. */
static void begin_check(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part)
{
    const struct ps_kafka_native_partition *place = ps_kafka_part_place(part);
    if (place == NULL || place->leader == NULL || place->leader_epoch < 0 ||
        place->leader_epoch == part->checked)
        return;
    if (part->epoch < 0 || is_too_old(place->leader)) {
        part->checked = place->leader_epoch;
        return;
    }
    ps_kafka_part_move(fetch, part, PS_KAFKA_PART_CHECKED);
    part->rest_ns = fetch->mono_ns;
}

/* Returns whether metadata is older than the group's offset: the offset has the epoch of a later leader. The
 * leader that metadata names was replaced then, and is not asked. */
static bool is_behind(const struct ps_kafka_fetch_part *part, const struct ps_kafka_native_partition *place)
{
    return place->leader_epoch < 0 || (part->checked < 0 && part->epoch > place->leader_epoch);
}

/* Returns whether the partition can be asked about: it needs an answer, this broker leads it, and all records fetched
 * before are read. */
static bool waits_for(const struct ps_kafka_fetch *fetch, uint32_t i,
                      const struct ps_kafka_native_broker *broker)
{
    const struct ps_kafka_fetch_part *part = &fetch->parts[i];
    const struct ps_kafka_native_partition *place =
        part->state == PS_KAFKA_PART_CHECKED ? ps_kafka_part_place(part) : NULL;
    return place != NULL && place->leader == broker && !ps_kafka_part_is_asked(part) && part->queued == 0 &&
           fetch->mono_ns >= part->rest_ns && fetch->streams.items[i].state == PS_KAFKA_STREAM_OWNED;
}

static bool wants(const struct ps_kafka_fetch *fetch, uint32_t i, const struct ps_kafka_native_broker *broker)
{
    return waits_for(fetch, i, broker) && !is_behind(&fetch->parts[i], ps_kafka_part_place(&fetch->parts[i]));
}

static void ask(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker)
{
    struct ps_kafka_native_request *request;
    uint32_t count = 0, waiting = 0;
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        count += wants(fetch, i, broker);
        waiting += waits_for(fetch, i, broker);
    }
    if (waiting == 0 || ps_kafka_fetch_reach(fetch->client, broker) == NULL || count == 0)
        return;
    char *at = ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_LEADER_EPOCH,
                                             ps_kafka_native_version(broker, PS_KAFKA_NATIVE_LEADER_EPOCH),
                                             16 + (size_t)count * PART_BYTES, &request);
    if (at == NULL)
        return;
    at = ps_wire_put_int32(at, -1); /* replica: a consumer */
    at = ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (!wants(fetch, i, broker))
            continue;
        part->asked_by = request->correlation;
        part->checked = ps_kafka_part_place(part)->leader_epoch;
        at = ps_wire_put_string(at, part->topic->name, part->topic->length);
        at = ps_wire_put_int32(at, 1);
        at = ps_wire_put_int32(at, part->number);
        at = ps_wire_put_int32(at, part->checked);
        at = ps_wire_put_int32(at, part->epoch);
    }
    ps_kafka_native_broker_send(broker, ps_kafka_native_request_end(request, at));
}

/* Continues to read partitions without the check, because this broker is too old to be asked. */
static void skip_old(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_broker *broker)
{
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        if (!waits_for(fetch, i, broker))
            continue;
        fetch->parts[i].checked = ps_kafka_part_place(&fetch->parts[i])->leader_epoch;
        ps_kafka_part_move(fetch, &fetch->parts[i], PS_KAFKA_PART_READY);
    }
}

static void explain(const struct ps_kafka_fetch_part *part, char *text, size_t room)
{
    const struct ps_kafka_native_partition *place = ps_kafka_part_place(part);
    if (place == NULL || place->leader == NULL || place->leader_epoch < 0)
        snprintf(text, room, "its leader is not known");
    else if (is_behind(part, place))
        snprintf(text, room,
                 "the group's offset has leader epoch %d, which is above the brokers' leader epoch %d. If "
                 "somebody deleted the topic and created it again, stop the agent, and set the offset with "
                 "kafka-consumer-groups.sh",
                 part->epoch, place->leader_epoch);
    else
        snprintf(text, room, "its leader does not say whether it has the records that were read: %s",
                 part->refused != 0 ? rd_kafka_err2str((rd_kafka_resp_err_t)part->refused) : "no answer");
}

/* Logs why partitions wait to be checked: one line for all of them. */
static void warn(struct ps_kafka_fetch *fetch)
{
    const struct ps_kafka_fetch_part *first = NULL;
    uint32_t more = 0;
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        const struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (part->state != PS_KAFKA_PART_CHECKED || fetch->mono_ns < part->waits_ns + WARN_NS)
            continue;
        more += first != NULL;
        first = first != NULL ? first : part;
    }
    if (first == NULL || fetch->mono_ns < fetch->epochs_warn_ns)
        return;
    char why[256], others[48] = "";
    explain(first, why, sizeof why);
    if (more > 0)
        snprintf(others, sizeof others, " (and %u other partitions)", more);
    ps_log(PS_LOG_WARN, fetch->port->component, "topic %s, partition %d%s is not read: %s; retrying",
           first->topic->name, first->number, others, why);
    fetch->epochs_warn_ns = fetch->mono_ns + WARN_AGAIN_NS;
}

/* Returns whether the partition waits to be checked. */
static bool turn_part(struct ps_kafka_fetch *fetch, uint32_t stream)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    /* deliveries of the records that were read no longer count once the offset is changed */
    if (part->state == PS_KAFKA_PART_TRUNCATED && ps_kafka_stream_is_drained(&fetch->streams.items[stream]))
        ps_kafka_parts_go_to(fetch, stream, part->next, part->epoch);
    if (part->state == PS_KAFKA_PART_READY)
        begin_check(fetch, part);
    if (part->state != PS_KAFKA_PART_CHECKED)
        return false;
    const struct ps_kafka_native_partition *place = ps_kafka_part_place(part);
    if (place != NULL && place->leader != NULL && place->leader_epoch < 0 && part->topic->error == 0) {
        /* the brokers have no leader epochs: reads on, as Java's consumer does */
        ps_kafka_part_move(fetch, part, PS_KAFKA_PART_READY);
        return false;
    }
    if (place == NULL || place->leader == NULL || is_behind(part, place))
        ps_kafka_fetch_want_leader(fetch);
    if (part->queued > 0)
        part->waits_ns = fetch->mono_ns;
    return true;
}

void ps_kafka_epochs_turn(struct ps_kafka_fetch *fetch)
{
    bool any = false;
    for (uint32_t i = 0; i < fetch->part_count; i++)
        any |= turn_part(fetch, i);
    if (!any || fetch->member.phase != PS_KAFKA_MEMBER_STABLE)
        return;
    for (struct ps_kafka_native_broker *broker = fetch->client->brokers; broker != NULL;
         broker = broker->next) {
        if (is_too_old(broker))
            skip_old(fetch, broker);
        else
            ask(fetch, broker);
    }
    warn(fetch);
}

/* ---- answers ---- */

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
           "offset "
           "%" PRId64
           ": after an unclean leader election the cluster has lost records. The source continues %s",
           part->topic->name, part->number, part->next, from);
    if (!known) {
        ps_kafka_offsets_reset(fetch, part);
        return;
    }
    ps_kafka_part_move(fetch, part, PS_KAFKA_PART_TRUNCATED);
    part->next = end;
    part->epoch = epoch;
}

static void checked(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part, int16_t error,
                    int32_t epoch, int64_t end)
{
    part->asked_by = -1;
    part->refused = error;
    if (error == 0 && end >= part->next) {
        ps_kafka_part_move(fetch, part, PS_KAFKA_PART_READY);
        return;
    }
    if (error == 0) {
        truncated(fetch, part, end, epoch);
        return;
    }
    part->rest_ns = fetch->mono_ns + PS_KAFKA_PART_REST_NS;
    ps_kafka_native_want_metadata(fetch->client);
    if (error == PS_KAFKA_ERROR_TOPIC_AUTHORIZATION_FAILED)
        ps_kafka_reports_error(&fetch->reports, (rd_kafka_resp_err_t)error, "OffsetForLeaderEpoch",
                               fetch->mono_ns);
}

bool ps_kafka_epochs_answer(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                            struct ps_wire_in *in)
{
    uint32_t stream;
    struct ps_wire_partitions walk = ps_wire_partitions_begin(in);
    while (ps_wire_partitions_next(&walk)) {
        int16_t error = ps_wire_get_int16(in);
        int32_t partition = ps_wire_get_int32(in), epoch = ps_wire_get_int32(in);
        int64_t end = ps_wire_get_int64(in);
        struct ps_kafka_fetch_part *part =
            in->failed ? NULL
                       : ps_kafka_parts_find(fetch, walk.topic.data, walk.topic.length, partition, &stream);
        if (part != NULL && part->state == PS_KAFKA_PART_CHECKED && part->asked_by == request->correlation)
            checked(fetch, part, error, epoch, end);
    }
    ps_kafka_parts_forget(fetch, request->correlation, PS_KAFKA_PART_REST_NS);
    return !in->failed;
}
