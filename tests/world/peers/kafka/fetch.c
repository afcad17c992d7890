/* What readers ask leaders: Fetch with its sessions, ListOffsets, OffsetForLeaderEpoch. */
#include <limits.h>
#include <string.h>

#include "tests/world/peers/kafka/cluster.h"

#define MS UINT64_C(1000000)
#define ANSWER_BYTES ((size_t)512 << 10)
#define VERSION_OF_IDS 13
#define LATEST (-1)
#define SUM_AT 21 /* in a batch: what its checksum covers begins here */

struct fetch {
    uint64_t wait_ns;
    bool committed_only, by_ids, has_rack;
    int32_t session, epoch;
    unsigned count;
    struct kafka_asked parts[KAFKA_ASKED_MAX];
};

/* ---- requests ---- */

static void read_part(const struct kafka_cluster *cluster, struct kafka_request *request, struct fetch *fetch,
                      const struct kafka_asked *topic)
{
    struct kafka_in *in = &request->in;
    struct kafka_asked part = *topic;
    part.told = -1;
    part.number = (int32_t)kafka_get(in, 4);
    part.epoch = request->version >= 9 ? (int32_t)kafka_get(in, 4) : -1;
    part.offset = kafka_get(in, 8);
    if (request->version >= 12)
        kafka_get(in, 4); /* epoch of the last record */
    if (request->version >= 5)
        kafka_get(in, 8); /* start of a follower's log */
    part.most = (size_t)kafka_get(in, 4);
    kafka_get_tags(in);
    if (fetch->count == KAFKA_ASKED_MAX)
        world_fatal("the agent asks for more than %d partitions", KAFKA_ASKED_MAX);
    fetch->parts[fetch->count++] = part;
}

static struct kafka_asked read_topic(const struct kafka_cluster *cluster, struct kafka_request *request)
{
    struct kafka_asked topic = {0};
    if (request->version >= VERSION_OF_IDS) {
        topic.id = kafka_get_id(&request->in);
        topic.topic = kafka_topic_of_id(cluster, topic.id);
    } else {
        kafka_get_text(&request->in, topic.name, sizeof topic.name);
        topic.topic = kafka_topic_named(cluster, topic.name);
    }
    return topic;
}

static void read_fetch(const struct kafka_cluster *cluster, struct kafka_request *request,
                       struct fetch *fetch)
{
    struct kafka_in *in = &request->in;
    *fetch = (struct fetch){.epoch = -1, .by_ids = request->version >= VERSION_OF_IDS};
    kafka_get(in, 4); /* replica */
    fetch->wait_ns = (uint64_t)kafka_get(in, 4) * MS;
    kafka_get(in, 4); /* least bytes */
    if (request->version >= 3)
        kafka_get(in, 4); /* most */
    fetch->committed_only = request->version >= 4 && kafka_get(in, 1) == 1;
    if (request->version >= 7) {
        fetch->session = (int32_t)kafka_get(in, 4);
        fetch->epoch = (int32_t)kafka_get(in, 4);
    }
    for (int64_t topics = kafka_get_count(in); topics > 0 && !in->bad; topics--) {
        struct kafka_asked topic = read_topic(cluster, request);
        for (int64_t count = kafka_get_count(in); count > 0 && !in->bad; count--)
            read_part(cluster, request, fetch, &topic);
        kafka_get_tags(in);
    }
    if (request->version >= 7 && kafka_get_count(in) > 0)
        world_fatal("the model keeps all partitions of a session");
    char rack[KAFKA_NAME_MAX];
    fetch->has_rack = request->version >= 11 && kafka_get_text(in, rack, sizeof rack) > 0;
}

/* ---- sessions ---- */

static struct kafka_session *find_session(struct kafka_cluster *cluster, int broker, int32_t id)
{
    for (struct kafka_session *one = cluster->sessions[broker];
         one < cluster->sessions[broker] + KAFKA_SESSIONS; one++)
        if (one->id == id)
            return one;
    return NULL;
}

/* Without room the session of another one goes. */
static struct kafka_session *begin_session(struct kafka_cluster *cluster, int broker,
                                           const struct fetch *fetch)
{
    struct kafka_session *session = find_session(cluster, broker, fetch->session);
    if (session == NULL || fetch->session == 0)
        session = find_session(cluster, broker, 0);
    if (session == NULL)
        session = &cluster->sessions[broker][world_below(KAFKA_SESSIONS)];
    *session = (struct kafka_session){
        .id = ++cluster->next_session, .epoch = 1, .by_ids = fetch->by_ids, .count = fetch->count};
    memcpy(session->parts, fetch->parts, sizeof session->parts);
    return session;
}

static void change_session(struct kafka_session *session, const struct fetch *fetch)
{
    for (unsigned i = 0; i < fetch->count; i++) {
        const struct kafka_asked *part = &fetch->parts[i];
        unsigned at = 0;
        while (at < session->count &&
               (session->parts[at].number != part->number || session->parts[at].id != part->id ||
                strcmp(session->parts[at].name, part->name) != 0))
            at++;
        if (at == KAFKA_ASKED_MAX)
            world_fatal("a session has more than %d partitions", KAFKA_ASKED_MAX);
        session->count += at == session->count;
        session->parts[at] = *part;
    }
    session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
}

/* Finds the session of a request, and applies the request to it when it comes. Returns an error. */
static int apply_session(struct kafka_cluster *cluster, struct kafka_request *request,
                         const struct fetch *fetch, struct kafka_session **session)
{
    bool is_first = request->connection->since_ns == 0;
    *session = NULL;
    if (fetch->epoch < 0)
        return KAFKA_NONE;
    if (fetch->epoch == 0 && is_first) {
        *session = begin_session(cluster, request->broker, fetch);
        request->connection->state = (unsigned)(*session)->id;
        return KAFKA_NONE;
    }
    int32_t id = fetch->epoch == 0 ? (int32_t)request->connection->state : fetch->session;
    *session = id == 0 ? NULL : find_session(cluster, request->broker, id);
    if (*session == NULL || (is_first && world->server_faults && world_below(200) == 0))
        return KAFKA_SESSION_NOT_FOUND;
    if (is_first && (*session)->epoch != fetch->epoch)
        return KAFKA_INVALID_SESSION_EPOCH;
    if (is_first)
        change_session(*session, fetch);
    return KAFKA_NONE;
}

/* ---- answers ---- */

/* Returns the broker that the leader names to a reader with a rack, also shortly after it went; -1: the leader answers itself. */
static int named_replica(const struct kafka_partition *partition, const struct fetch *fetch, int broker)
{
    int replica = partition->replica - 1;
    return fetch->has_rack && partition->leader == broker && replica != broker ? replica : -1;
}

/* Returns the number of batches that a broker has. */
static size_t batches_of(const struct kafka_partition *partition, int broker)
{
    uint64_t lacks = partition->leader != broker ? partition->lacks[broker] : 0;
    return partition->batch_count > lacks ? partition->batch_count - lacks : 0;
}

static int64_t end_of(const struct kafka_partition *partition, int broker)
{
    size_t count = batches_of(partition, broker);
    return count < partition->batch_count ? partition->batches[count].base : partition->end;
}

static int check_epoch(const struct kafka_partition *partition, int32_t epoch)
{
    if (epoch < 0 || epoch == partition->leader_epoch)
        return KAFKA_NONE;
    return epoch < partition->leader_epoch ? KAFKA_FENCED_LEADER_EPOCH : KAFKA_UNKNOWN_LEADER_EPOCH;
}

/* Any replica answers readers with a rack. */
static int check_part(struct kafka_cluster *cluster, int broker, const struct kafka_asked *part,
                      const struct fetch *fetch)
{
    if (part->id != 0 && part->topic < 0)
        return KAFKA_UNKNOWN_TOPIC_ID;
    if (part->id != 0 && cluster->topics[part->topic].id != part->id)
        return KAFKA_INCONSISTENT_TOPIC_ID;
    const struct kafka_partition *partition = kafka_partition_of(cluster, part->topic, part->number);
    if (partition == NULL)
        return KAFKA_UNKNOWN_TOPIC_OR_PARTITION;
    if (partition->leader != broker && !fetch->has_rack)
        return KAFKA_NOT_LEADER;
    int error = check_epoch(partition, part->epoch);
    if (error != KAFKA_NONE)
        return error;
    return part->offset < 0 || part->offset > end_of(partition, broker) ? KAFKA_OFFSET_OUT_OF_RANGE
                                                                        : KAFKA_NONE;
}

static int64_t readable_end(const struct kafka_partition *partition, bool committed_only)
{
    return committed_only ? kafka_stable(partition) : partition->end;
}

static bool has_news(struct kafka_cluster *cluster, int broker, const struct kafka_asked *part,
                     const struct fetch *fetch)
{
    if (check_part(cluster, broker, part, fetch) != KAFKA_NONE)
        return true;
    const struct kafka_partition *partition = kafka_partition_of(cluster, part->topic, part->number);
    size_t first = kafka_batch_at(partition, part->offset);
    return named_replica(partition, fetch, broker) >= 0 ||
           (first < batches_of(partition, broker) &&
            partition->batches[first].base < readable_end(partition, fetch->committed_only));
}

static void put_aborted(const struct kafka_partition *partition, int64_t from, int64_t below,
                        struct kafka_out *answer)
{
    int64_t count = 0;
    for (size_t i = 0; i < partition->aborted_count; i++)
        count += partition->aborted[i].last >= from && partition->aborted[i].first < below;
    kafka_put_count(answer, count);
    for (size_t i = 0; i < partition->aborted_count; i++) {
        const struct kafka_aborted *one = &partition->aborted[i];
        if (one->last < from || one->first >= below)
            continue;
        kafka_put(answer, one->producer, 8);
        kafka_put(answer, one->first, 8);
        kafka_put_tags(answer);
    }
}

/* Writes the aborted transactions and the batches. A leader that names a replica to read from sends none. */
static void put_batches(const struct kafka_request *request, const struct kafka_partition *partition,
                        int64_t offset, const struct fetch *fetch, struct kafka_out *answer)
{
    int replica = named_replica(partition, fetch, request->broker);
    int64_t end = readable_end(partition, fetch->committed_only), below = offset;
    size_t first = kafka_batch_at(partition, offset), last = first, bytes = 0, most = 1 + world_below(20),
           count = replica < 0 ? batches_of(partition, request->broker) : 0;
    for (; last < count && last < first + most && partition->batches[last].base < end; last++) {
        if (last > first && answer->length + bytes > ANSWER_BYTES)
            break;
        bytes += partition->batches[last].length;
        below = partition->batches[last].last + 1;
    }
    if (fetch->committed_only)
        put_aborted(partition, offset, below, answer);
    else
        kafka_put_count(answer, -1);
    if (request->version >= 11)
        kafka_put(answer, replica < 0 ? -1 : replica + 1, 4);
    kafka_put_count(answer, (int64_t)bytes);
    for (size_t i = first; i < last; i++)
        kafka_put_bytes(answer, partition->batches[i].bytes, partition->batches[i].length);
    if (world->server_faults && bytes > SUM_AT && !answer->full &&
        world_below(100) == 0) /* damaged on the way */
        answer->bytes[answer->length - 1 - world_below(bytes - SUM_AT)] ^=
            (unsigned char)(1 << world_below(8));
}

/* Messages of format 1. The last one is cut where the partition's part of the answer ends. */
static void put_messages(const struct kafka_request *request, const struct kafka_partition *partition,
                         const struct kafka_asked *part, struct kafka_out *answer)
{
    size_t length_at = answer->length, count = batches_of(partition, request->broker);
    kafka_put_count(answer, 0);
    for (size_t i = kafka_batch_at(partition, part->offset);
         i < count && answer->length - length_at - 4 < part->most; i++)
        kafka_put_messages(answer, &partition->batches[i], part->offset);
    if (answer->length - length_at - 4 > part->most)
        answer->length = length_at + 4 + part->most;
    kafka_patch(answer, length_at, (int64_t)(answer->length - length_at - 4), 4);
}

static void put_part(struct kafka_cluster *cluster, struct kafka_request *request, struct kafka_asked *part,
                     const struct fetch *fetch, struct kafka_out *answer)
{
    static const int errors[] = {KAFKA_NOT_LEADER,
                                 KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                                 KAFKA_LEADER_NOT_AVAILABLE,
                                 KAFKA_REPLICA_NOT_AVAILABLE,
                                 KAFKA_FENCED_LEADER_EPOCH,
                                 KAFKA_UNKNOWN_LEADER_EPOCH,
                                 KAFKA_CORRUPT_MESSAGE,
                                 -1, /* UNKNOWN_SERVER_ERROR */
                                 29, /* TOPIC_AUTHORIZATION_FAILED */
                                 56, /* KAFKA_STORAGE_ERROR */
                                 78, /* OFFSET_NOT_AVAILABLE */
                                 500 /* none that a client knows */};
    int error = check_part(cluster, request->broker, part, fetch);
    if (error == KAFKA_NONE)
        error =
            kafka_fails(cluster, request, part->topic, part->number, errors, sizeof errors / sizeof *errors);
    const struct kafka_partition *partition =
        error == KAFKA_NONE ? kafka_partition_of(cluster, part->topic, part->number) : NULL;
    if (request->version >= VERSION_OF_IDS)
        kafka_put_id(answer, part->id);
    else
        kafka_put_text(answer, part->name);
    kafka_put_count(answer, 1);
    kafka_put(answer, part->number, 4);
    kafka_put(answer, error, 2);
    kafka_put(answer, partition != NULL ? partition->end : -1, 8);
    if (request->version >= 4)
        kafka_put(answer, partition != NULL ? kafka_stable(partition) : -1, 8);
    if (request->version >= 5)
        kafka_put(answer, partition != NULL ? 0 : -1, 8);
    if (partition != NULL && request->version < 4) {
        put_messages(request, partition, part, answer);
    } else if (partition != NULL) {
        put_batches(request, partition, part->offset, fetch, answer);
        part->told = partition->end;
    } else {
        if (request->version >= 4)
            kafka_put_count(answer, -1);
        if (request->version >= 11)
            kafka_put(answer, -1, 4);
        kafka_put_count(answer, 0);
    }
    kafka_put_tags(answer);
    kafka_put_tags(answer); /* of the topic */
}

/* Returns whether the answer must have the partition: of a session only if there is something to tell. */
static bool must_tell(struct kafka_cluster *cluster, int broker, const struct kafka_asked *part,
                      const struct fetch *fetch)
{
    if (fetch->epoch <= 0 || has_news(cluster, broker, part, fetch))
        return true;
    return part->told != kafka_partition_of(cluster, part->topic, part->number)->end;
}

static void put_parts(struct kafka_cluster *cluster, struct kafka_request *request, const struct fetch *fetch,
                      struct kafka_asked *parts, unsigned count, struct kafka_out *answer)
{
    size_t count_at = answer->length;
    unsigned told = 0, first = count > 0 ? (unsigned)world_below(count) : 0;
    kafka_put_count(answer, 0);
    for (unsigned i = 0; i < count; i++) {
        struct kafka_asked *part = &parts[(first + i) % count];
        if (!must_tell(cluster, request->broker, part, fetch))
            continue;
        put_part(cluster, request, part, fetch, answer);
        told++;
    }
    kafka_patch_count(answer, count_at, told);
}

enum kafka_served kafka_fetch(struct kafka_cluster *cluster, struct kafka_request *request,
                              struct kafka_out *answer)
{
    struct fetch fetch;
    struct kafka_session *session;
    read_fetch(cluster, request, &fetch);
    int error = apply_session(cluster, request, &fetch, &session);
    struct kafka_asked *parts = session != NULL ? session->parts : fetch.parts;
    unsigned count = error != KAFKA_NONE ? 0 : session != NULL ? session->count : fetch.count;
    bool any = error != KAFKA_NONE;
    for (unsigned i = 0; i < count; i++)
        any |= has_news(cluster, request->broker, &parts[i], &fetch);
    uint64_t since_ns = request->connection->since_ns != 0 ? request->connection->since_ns : world->now_ns;
    if (!any && world->now_ns < since_ns + fetch.wait_ns)
        return kafka_wait(request, since_ns + fetch.wait_ns);
    kafka_put(answer, cluster->throttle_ms, 4);
    if (request->version >= 7) {
        kafka_put(answer, error, 2);
        kafka_put(answer, error == KAFKA_NONE && session != NULL ? session->id : 0, 4);
    }
    put_parts(cluster, request, &fetch, parts, count, answer);
    kafka_put_tags(answer);
    return KAFKA_ANSWERED;
}

/* ---- ListOffsets, OffsetForLeaderEpoch ---- */

static int fail_partition(struct kafka_cluster *cluster, const struct kafka_request *request,
                          const char *name, int32_t number)
{
    static const int errors[] = {KAFKA_NOT_LEADER,
                                 KAFKA_UNKNOWN_TOPIC_OR_PARTITION,
                                 KAFKA_LEADER_NOT_AVAILABLE,
                                 KAFKA_REPLICA_NOT_AVAILABLE,
                                 KAFKA_FENCED_LEADER_EPOCH,
                                 KAFKA_UNKNOWN_LEADER_EPOCH,
                                 -1, /* UNKNOWN_SERVER_ERROR */
                                 29, /* TOPIC_AUTHORIZATION_FAILED */
                                 56, /* KAFKA_STORAGE_ERROR */
                                 78 /* OFFSET_NOT_AVAILABLE */};
    return kafka_fails(cluster, request, kafka_topic_named(cluster, name), number, errors,
                       sizeof errors / sizeof *errors);
}

enum kafka_served kafka_list_offsets(struct kafka_cluster *cluster, struct kafka_request *request,
                                     struct kafka_out *answer)
{
    struct kafka_in *in = &request->in;
    kafka_get(in, 4); /* replica */
    bool committed_only = request->version >= 2 && kafka_get(in, 1) == 1;
    if (request->version >= 2)
        kafka_put(answer, 0, 4);
    int64_t topics = kafka_echo_count(in, answer);
    for (; topics > 0 && !in->bad; topics--) {
        char name[KAFKA_NAME_MAX];
        kafka_echo_text(in, answer, name, sizeof name);
        int64_t count = kafka_echo_count(in, answer);
        for (; count > 0 && !in->bad; count--) {
            int32_t number = (int32_t)kafka_get(in, 4);
            int64_t time = kafka_get(in, 8);
            if (request->version == 0)
                kafka_get(in, 4); /* how many offsets */
            const struct kafka_partition *partition =
                kafka_partition_of(cluster, kafka_topic_named(cluster, name), number);
            int error = partition == NULL ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION
                        : partition->leader != request->broker
                            ? KAFKA_NOT_LEADER
                            : fail_partition(cluster, request, name, number);
            kafka_put(answer, number, 4);
            kafka_put(answer, error, 2);
            if (request->version == 0)
                kafka_put_count(answer, 1);
            else
                kafka_put(answer, -1, 8); /* time */
            kafka_put(answer,
                      error != KAFKA_NONE ? -1
                      : time == LATEST    ? readable_end(partition, committed_only)
                                          : 0,
                      8);
        }
    }
    return KAFKA_ANSWERED;
}

/* Writes the last epoch that is not above this one, and where it ends. */
static void put_epoch_end(const struct kafka_partition *partition, int32_t epoch, struct kafka_out *answer)
{
    int32_t known = epoch == partition->leader_epoch ? epoch : -1;
    int64_t end = epoch == partition->leader_epoch ? partition->end : -1;
    for (size_t i = 0; i < partition->batch_count && epoch < partition->leader_epoch; i++) {
        if (partition->batches[i].epoch > epoch)
            break;
        known = partition->batches[i].epoch;
        end = partition->batches[i].last + 1;
    }
    if (epoch < partition->leader_epoch && end < 0) { /* it is before all those of the log */
        known = epoch;
        end = 0;
    }
    kafka_put(answer, known, 4);
    kafka_put(answer, end, 8);
}

enum kafka_served kafka_epochs(struct kafka_cluster *cluster, struct kafka_request *request,
                               struct kafka_out *answer)
{
    struct kafka_in *in = &request->in;
    kafka_get(in, 4); /* replica */
    kafka_put(answer, 0, 4);
    int64_t topics = kafka_echo_count(in, answer);
    for (; topics > 0 && !in->bad; topics--) {
        char name[KAFKA_NAME_MAX];
        kafka_echo_text(in, answer, name, sizeof name);
        int64_t count = kafka_echo_count(in, answer);
        for (; count > 0 && !in->bad; count--) {
            int32_t number = (int32_t)kafka_get(in, 4), current = (int32_t)kafka_get(in, 4),
                    epoch = (int32_t)kafka_get(in, 4);
            const struct kafka_partition *partition =
                kafka_partition_of(cluster, kafka_topic_named(cluster, name), number);
            int error = partition == NULL                      ? KAFKA_UNKNOWN_TOPIC_OR_PARTITION
                        : partition->leader != request->broker ? KAFKA_NOT_LEADER
                                                               : check_epoch(partition, current);
            if (error == KAFKA_NONE)
                error = fail_partition(cluster, request, name, number);
            kafka_put(answer, error, 2);
            kafka_put(answer, number, 4);
            if (error == KAFKA_NONE) {
                put_epoch_end(partition, epoch, answer);
            } else {
                kafka_put(answer, -1, 4);
                kafka_put(answer, -1, 8);
            }
        }
    }
    return KAFKA_ANSWERED;
}
