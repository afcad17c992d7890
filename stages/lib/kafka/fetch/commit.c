/* Commits the offsets of delivered records: asynchronously, one request at a time.
 *
 * A commit has topic names. If a topic was deleted and created again, the group would take an offset of the
 * former topic as one of the new topic, and the next member would skip the records before it. So offsets of
 * the former topic are no longer committed, and an offset that was committed is lowered. A partition's offset
 * is not committed while it is in doubt which topic it belongs to, or while metadata does not have the
 * topic. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <inttypes.h>
#include <string.h>

#define RETRY_NS (500 * PS_NS_PER_MS) /* pause after a commit that failed */
#define VERSION_OF_INSTANCES 7
#define VERSION_OF_EPOCHS 6
#define VERSION_WITHOUT_RETENTION 5
#define TOPIC_BYTES (PS_KAFKA_NATIVE_TOPIC_BYTES + 32U)

/* Called after new metadata: notes whether the stream's topic still exists, and is still the same topic. If
 * the group may have an offset of the former topic, this offset will be lowered. */
static void note_former(struct ps_kafka_fetch *fetch, const struct ps_kafka_fetch_part *part,
                        struct ps_kafka_stream *stream)
{
    bool another = part->life != part->topic->lives, has_place = ps_kafka_part_place(part) != NULL;
    bool was_there = !stream->former && !stream->gone, loses = was_there && ps_kafka_stream_is_dirty(stream);
    int64_t offset = ps_kafka_stream_reached(stream);
    stream->former = another && has_place;
    stream->gone = another ? !has_place : part->topic->error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
    bool is_there = !stream->former && !stream->gone;
    if (loses && !is_there)
        ps_log(PS_LOG_WARN, fetch->port->component,
               "topic %s, partition %d: offset %" PRId64
               " is not committed: the topic was deleted, or deleted and created again",
               part->topic->name, part->number, offset);
    if (ps_kafka_stream_is_dirty(stream))
        fetch->commits.dirty = true;
    if (ps_kafka_stream_is_dirty(stream) && stream->former)
        fetch->commits.lowers = true;
}

static void note_topics(struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        const struct ps_kafka_fetch_part *part = &fetch->parts[i];
        if (part->state != PS_KAFKA_PART_NONE && part->state != PS_KAFKA_PART_COMMITTED)
            note_former(fetch, part, &fetch->streams.items[i]);
    }
}

/* Called when the sink has committed. If the sink has committed offsets of a former topic, these offsets are
 * lowered immediately, because a new member would begin to read at them. */
static void note_committed(struct ps_kafka_fetch *fetch)
{
    ps_kafka_streams_note_committed(&fetch->streams);
    for (uint32_t i = 0; i < fetch->streams.count; i++) {
        const struct ps_kafka_stream *stream = &fetch->streams.items[i];
        if (stream->former && ps_kafka_stream_is_dirty(stream))
            fetch->commits.dirty = fetch->commits.lowers = true;
    }
}

void ps_kafka_commit_notice(struct ps_kafka_fetch *fetch)
{
    if (fetch->sink_commits && fetch->streams.moved)
        note_committed(fetch);
    if (fetch->commits.former_ns != fetch->client->metadata.answered_ns)
        note_topics(fetch);
    fetch->commits.former_ns = fetch->client->metadata.answered_ns;
    fetch->commits.dirty |= fetch->streams.moved;
    fetch->streams.moved = false;
}

static bool is_committable(const struct ps_kafka_fetch *fetch, uint32_t i)
{
    return ps_kafka_stream_is_dirty(&fetch->streams.items[i]) &&
           !ps_kafka_epochs_may_be_of_another(fetch, &fetch->parts[i]);
}

static char *put_offset(char *at, const struct ps_kafka_stream *stream, int16_t version)
{
    at = ps_wire_put_string(at, stream->topic, stream->topic_length);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int32(at, stream->partition);
    at = ps_wire_put_int64(at, stream->committing);
    if (version >= VERSION_OF_EPOCHS)
        at = ps_wire_put_int32(at, ps_kafka_stream_reached_epoch(stream));
    return ps_wire_put_string(at, "", 0); /* metadata */
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
        at = member->instance[0] != '\0' ? ps_wire_put_string(at, member->instance, strlen(member->instance))
                                         : ps_wire_put_int16(at, -1);
    if (version < VERSION_WITHOUT_RETENTION)
        at = ps_wire_put_int64(at, -1); /* the broker's retention */
    at = ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < fetch->streams.count; i++) {
        struct ps_kafka_stream *stream = &fetch->streams.items[i];
        stream->unanswered = is_committable(fetch, i);
        if (!stream->unanswered)
            continue;
        stream->committing = ps_kafka_stream_reached(stream);
        stream->committing_generation = stream->generation;
        stream->overtaken = false;
        at = put_offset(at, stream, version);
    }
    return ps_kafka_native_request_end(request, at);
}

static void commit(struct ps_kafka_fetch *fetch)
{
    uint32_t count = 0, dirty = 0;
    for (uint32_t i = 0; i < fetch->streams.count; i++) {
        count += is_committable(fetch, i);
        dirty += ps_kafka_stream_is_dirty(&fetch->streams.items[i]);
    }
    if (count < dirty)
        fetch->commits.doubtful_ns = fetch->client->metadata.answered_ns;
    if (count == 0) {
        fetch->commits.dirty = fetch->commits.doubtful = dirty > 0;
        return;
    }
    struct ps_kafka_native_broker *broker = ps_kafka_member_coordinator(fetch);
    struct ps_kafka_native_request *request =
        broker != NULL
            ? make_request(fetch, ps_kafka_fetch_version(broker, PS_KAFKA_NATIVE_GROUP_COMMIT), count)
            : NULL;
    if (request == NULL)
        return; /* the streams stay dirty: the commit is tried again */
    fetch->commits.dirty = fetch->commits.doubtful = count < dirty;
    fetch->commits.lowers = false;
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
    return member && fetch->commits.dirty && !fetch->commits.asked && !fetch->fatal &&
           (!fetch->commits.doubtful || fetch->client->metadata.answered_ns != fetch->commits.doubtful_ns);
}

/* Returns the earliest time of the next commit. */
static uint64_t rested_ns(const struct ps_kafka_fetch *fetch, uint64_t interval_ns)
{
    bool retries = fetch->commits.failed && interval_ns < RETRY_NS;
    if (fetch->commits.lowers && !retries)
        return 0;
    return fetch->commits.sent_ns + (retries ? RETRY_NS : interval_ns);
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

static void answered(struct ps_kafka_fetch *fetch, const char *topic, uint32_t length, int32_t partition,
                     int16_t error)
{
    uint32_t index;
    if (ps_kafka_parts_find(fetch, topic, length, partition, &index) == NULL)
        return;
    struct ps_kafka_stream *stream = &fetch->streams.items[index];
    if (stream->generation != stream->committing_generation)
        return;
    stream->unanswered = false;
    if (error == 0 && !stream->overtaken)
        stream->committed = stream->committing;
    if (ps_kafka_stream_is_dirty(stream))
        fetch->commits.dirty = true;
}

/* Returns whether the answer lacks a partition that this member still has. */
static bool left_out(const struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->streams.count; i++) {
        const struct ps_kafka_stream *stream = &fetch->streams.items[i];
        if (stream->unanswered && stream->state != PS_KAFKA_STREAM_GONE)
            return true;
    }
    return false;
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

bool ps_kafka_commit_answer(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                            struct ps_wire_in *in, char *reason)
{
    int16_t worst = 0;
    if (request->version >= 3)
        (void)ps_wire_get_int32(in); /* throttle time */
    uint32_t topics = ps_wire_get_count(in, 6);
    fetch->commits.asked = fetch->commits.failed = false;
    ps_count(fetch->port->counters, PS_COUNTER_KafkaCommitTimer,
             (fetch->mono_ns - fetch->commits.sent_ns) / PS_NS_PER_MS);
    for (uint32_t t = 0; t < topics && !in->failed; t++) {
        uint32_t length;
        const char *topic = ps_wire_get_string(in, &length);
        uint32_t count = ps_wire_get_count(in, 6);
        for (uint32_t i = 0; i < count && !in->failed; i++) {
            int32_t partition = ps_wire_get_int32(in);
            int16_t error = ps_wire_get_int16(in);
            if (in->failed)
                break;
            answered(fetch, topic, length, partition, error);
            worst = worst == 0 ? error : worst;
        }
    }
    if (in->failed) {
        fetch->commits.failed = fetch->commits.dirty = true;
        return ps_kafka_fetch_unreadable(reason, "OffsetCommit");
    }
    if (worst == 0 && left_out(fetch))
        worst = RD_KAFKA_RESP_ERR__PARTIAL;
    if (worst != 0)
        failed(fetch, worst);
    else
        fetch->commits.refused = 0;
    fetch->commits.reported = worst;
    return true;
}
