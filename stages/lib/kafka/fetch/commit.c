/* Commits the offsets of delivered records: asynchronously, one request at a time. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <inttypes.h>
#include <string.h>

#define RETRY_NS (500 * PS_NS_PER_MS) /* pause after a commit that failed */
#define VERSION_OF_INSTANCES 7
#define VERSION_OF_EPOCHS 6
#define VERSION_WITHOUT_RETENTION 5
#define TOPIC_BYTES (PS_KAFKA_NATIVE_TOPIC_BYTES + 32U)

void ps_kafka_commit_notice(struct ps_kafka_fetch *fetch)
{
    if (fetch->sink_commits && fetch->streams.moved)
        ps_kafka_streams_note_committed(&fetch->streams);
    fetch->commits.dirty |= fetch->streams.moved;
    fetch->streams.moved = false;
}

static struct ps_kafka_native_request *make_request(struct ps_kafka_fetch *fetch, int16_t version,
                                                    uint32_t count)
{
    const struct ps_kafka_fetch_member *member = &fetch->member;
    struct ps_kafka_native_request *request;
    size_t room = 64 + strlen(fetch->group) + strlen(member->id) + strlen(member->instance) +
                  (size_t)count * TOPIC_BYTES;
    char *at =
        ps_kafka_native_request_begin(fetch->client, PS_KAFKA_NATIVE_GROUP_COMMIT, version, room, &request);
    if (at == NULL)
        return NULL;
    at = ps_wire_put_string(at, fetch->group, strlen(fetch->group));
    at = ps_wire_put_int32(at, member->generation);
    at = ps_wire_put_string(at, member->id, strlen(member->id));
    if (version >= VERSION_OF_INSTANCES)
        at = ps_wire_put_text(at, member->instance[0] != '\0' ? member->instance : NULL,
                              strlen(member->instance), false);
    if (version < VERSION_WITHOUT_RETENTION)
        at = ps_wire_put_int64(at, -1); /* the broker's retention */
    at = ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < fetch->streams.count; i++) {
        struct ps_kafka_stream *stream = &fetch->streams.items[i];
        if (!ps_kafka_stream_is_dirty(stream))
            continue;
        stream->committing = stream->reached;
        stream->committing_pass = stream->pass;
        at = ps_kafka_part_put(at, &fetch->parts[i], false);
        at = ps_wire_put_int64(at, stream->committing);
        if (version >= VERSION_OF_EPOCHS)
            at = ps_wire_put_int32(at, stream->reached_epoch);
        at = ps_wire_put_string(at, "", 0); /* metadata */
    }
    return ps_kafka_native_request_end(request, at);
}

static void commit(struct ps_kafka_fetch *fetch)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fetch->streams.count; i++)
        count += ps_kafka_stream_is_dirty(&fetch->streams.items[i]);
    if (count == 0) {
        fetch->commits.dirty = false;
        return;
    }
    struct ps_kafka_native_broker *broker = ps_kafka_member_coordinator(fetch);
    struct ps_kafka_native_request *request =
        broker != NULL
            ? make_request(fetch, ps_kafka_native_version(broker, PS_KAFKA_NATIVE_GROUP_COMMIT), count)
            : NULL;
    if (request == NULL)
        return; /* the streams stay dirty: the commit is tried again */
    fetch->commits.dirty = false;
    fetch->commits.asked = true;
    fetch->commits.sent_ns = fetch->mono_ns;
    ps_kafka_native_broker_send(broker, request);
}

/* Returns whether there is an offset to commit, and nothing but the interval between commits forbids the
 * commit. While the member joins it commits nothing: the coordinator would answer such a commit only after
 * the JoinGroup before it, and refuse it because of its old generation. A cooperative member that stops does
 * not join again, so it may commit. */
static bool may_commit(const struct ps_kafka_fetch *fetch)
{
    bool member =
        fetch->member.phase == PS_KAFKA_MEMBER_STABLE || fetch->member.phase == PS_KAFKA_MEMBER_REVOKING ||
        (fetch->member.phase == PS_KAFKA_MEMBER_OUT && fetch->settings.cooperative && fetch->stopped);
    return member && fetch->commits.dirty && !fetch->commits.asked && !fetch->fatal;
}

/* Returns the earliest time of the next commit. */
static uint64_t rested_ns(const struct ps_kafka_fetch *fetch, uint64_t interval_ns)
{
    return fetch->commits.sent_ns + (fetch->commits.failed ? RETRY_NS : interval_ns);
}

void ps_kafka_commit_when(struct ps_kafka_fetch *fetch, uint64_t interval_ns)
{
    if (may_commit(fetch) && fetch->mono_ns >= rested_ns(fetch, interval_ns))
        commit(fetch);
}

uint64_t ps_kafka_commit_due_ns(const struct ps_kafka_fetch *fetch)
{
    if (!may_commit(fetch))
        return PS_NEVER;
    uint64_t due_ns = rested_ns(fetch, fetch->commit_interval_ns);
    uint64_t reached_ns = ps_kafka_native_coordinator_due_ns(fetch->client, &fetch->member.coordinator);
    return due_ns > reached_ns ? due_ns : reached_ns;
}

/* Handles the answer for a partition. Returns its error. The offset of a topic that was deleted, or created again with
 * fewer partitions, is not committed. */
static int16_t answered(struct ps_kafka_fetch *fetch, struct ps_slice topic, int32_t partition, int16_t error)
{
    uint32_t index;
    const struct ps_kafka_fetch_part *part = ps_kafka_parts_find(fetch, topic, partition, &index);
    if (part == NULL)
        return error;
    struct ps_kafka_stream *stream = &fetch->streams.items[index];
    bool deleted = error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION &&
                   (part->topic->error == error || ps_kafka_part_place(part) == NULL);
    if (stream->pass == stream->committing_pass && (error == 0 || deleted))
        stream->committed = stream->committing;
    return deleted ? 0 : error;
}

/* An answer may lack a partition: its offset is committed again. */
static void look_for_more(struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->streams.count; i++)
        fetch->commits.dirty |= ps_kafka_stream_is_dirty(&fetch->streams.items[i]);
}

static void failed(struct ps_kafka_fetch *fetch, int16_t error)
{
    bool moved = error == PS_KAFKA_ERROR_NOT_COORDINATOR;
    /* A new coordinator loads its log, which may take long, or its replicas are slow: the time limit of the revocation
     * applies. */
    bool passes =
        error == PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS || error == PS_KAFKA_ERROR_REQUEST_TIMED_OUT;
    fetch->commits.dirty = true;
    /* A coordinator that has moved refuses nothing, and the search for it has a pause of its own.
     * COORDINATOR_NOT_AVAILABLE counts as a refusal: the coordinator itself answers so while too few replicas of
     * its log are in sync. */
    fetch->commits.failed = !moved;
    fetch->commits.refused += !moved && !passes;
    if (error != fetch->commits.reported)
        ps_log(PS_LOG_WARN, fetch->port->component,
               "offsets could not be committed: %s (%s); retrying while the partitions are assigned",
               rd_kafka_err2str((rd_kafka_resp_err_t)error), rd_kafka_err2name((rd_kafka_resp_err_t)error));
    if (moved || error == PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE)
        ps_kafka_native_coordinator_forget(fetch->client, &fetch->member.coordinator);
    if (error == PS_KAFKA_ERROR_UNKNOWN_MEMBER_ID || error == PS_KAFKA_ERROR_ILLEGAL_GENERATION ||
        error == PS_KAFKA_ERROR_FENCED_INSTANCE_ID)
        ps_kafka_member_disown(fetch, error);
    if (error == PS_KAFKA_ERROR_REBALANCE_IN_PROGRESS)
        ps_kafka_member_rejoin(fetch);
}

bool ps_kafka_commit_answer(struct ps_kafka_fetch *fetch, struct ps_wire_in *in)
{
    int16_t worst = 0;
    fetch->commits.asked = fetch->commits.failed = false;
    ps_count(fetch->port->counters, PS_COUNTER_KafkaCommitTimer,
             (fetch->mono_ns - fetch->commits.sent_ns) / PS_NS_PER_MS);
    struct ps_wire_partitions walk = ps_wire_partitions_begin(in);
    while (ps_wire_partitions_next(&walk)) {
        int32_t partition = ps_wire_get_int32(in);
        int16_t error = ps_wire_get_int16(in);
        if (in->failed)
            break;
        error = answered(fetch, walk.topic, partition, error);
        worst = worst == 0 ? error : worst;
    }
    if (in->failed) {
        fetch->commits.failed = fetch->commits.dirty = true;
        return false;
    }
    look_for_more(fetch);
    if (worst != 0)
        failed(fetch, worst);
    else
        fetch->commits.refused = 0;
    fetch->commits.reported = worst;
    return true;
}
