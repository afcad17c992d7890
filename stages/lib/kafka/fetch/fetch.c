/* Requests for records, and their answers (KIP-74). A broker has one request at a time; the next one is sent when the
 * answer has come, even if its records are still being read. A request asks for records of all wanted partitions,
 * and names only those that the broker does not know from earlier requests (session.c). An answer is received into a
 * block of the memory budget. */
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "core/quantity.h"
#include "stages/lib/least.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define QUEUED_MAX 2U /* slices of a partition that wait to be read */
#define ERROR_REST_NS (100 * PS_NS_PER_MS)
#define ABORTED_BYTES 16U
#define SPARE_BYTES (8U * PS_BLOCK_BYTES) /* bytes of the budget left free, in addition to an answer */
#define VERSION_OF_LOG_START 5
#define SHORT_WAIT_MS 100

char *ps_kafka_fetch_room(struct ps_kafka_native *client, struct ps_kafka_native_request *request,
                          uint32_t length)
{
    struct ps_kafka_fetch *fetch = ps_kafka_fetch_of(client);
    struct ps_kafka_fetched *fetched = ps_kafka_fetched_take(fetch, length);
    if (fetched == NULL && length + (uint64_t)SPARE_BYTES > ps_depot_budget_bytes(fetch->port->blocks->depot))
        ps_kafka_fetch_die(fetch,
                           "a record batch of %s does not fit into the memory budget: raise "
                           "penstock.memory.budget, or lower max.message.bytes of the topic",
                           ps_quantity_print_bytes(length).text);
    request->answer = fetched;
    return fetched != NULL ? fetched->block->base : NULL;
}

/* ---- requests ---- */

/* Returns whether the partition is to be read from the broker. Metadata of this turn may show that the topic was created
 * again. The topic then waits for the next turn, which takes it anew: until then `next` is an offset of the former topic.
 * With a sink that commits, the client itself first commits an offset at which reading begins again: later, its commit could follow that of
 * a transaction. */
static bool is_of(const struct ps_kafka_fetch *fetch, uint32_t i, const struct ps_kafka_native_broker *broker)
{
    const struct ps_kafka_fetch_part *part = &fetch->parts[i];
    const struct ps_kafka_native_broker *leader =
        part->state == PS_KAFKA_PART_READY && part->lives == part->topic->lives ? ps_kafka_part_leader(part)
                                                                                : NULL;
    return leader != NULL && (part->replica < 0 ? leader == broker : part->replica == broker->node) &&
           fetch->streams.items[i].state == PS_KAFKA_STREAM_OWNED &&
           !(fetch->sink_commits && ps_kafka_stream_begins(&fetch->streams.items[i]));
}

/* Counts the partitions to request from the broker. Returns 0 while one of them has QUEUED_MAX unread slices: without
 * this partition in the request, the broker could hold the answer back for the other ones, and this partition would
 * have to wait for that answer. */
static uint32_t count_wanted(const struct ps_kafka_fetch *fetch, const struct ps_kafka_native_broker *broker)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        if (!is_of(fetch, i, broker))
            continue;
        if (fetch->parts[i].queued >= QUEUED_MAX)
            return 0;
        count += fetch->mono_ns >= fetch->parts[i].rest_ns;
    }
    return count;
}

/* Writes the partitions to request from the broker to fetch->requests.chosen. Returns their number. The first partitions may
 * fill the answer, so each request begins with another partition. In a session the broker itself takes turns. */
static uint32_t choose(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker)
{
    uint32_t count = 0;
    if (fetch->requests.chosen_room < fetch->part_count) {
        fetch->requests.chosen_room = fetch->part_room;
        fetch->requests.chosen =
            ps_must_realloc(fetch->requests.chosen,
                            fetch->requests.chosen_room * sizeof *fetch->requests.chosen, "partitions");
    }
    uint32_t i = fetch->part_count > 0 ? broker->fetch.turn % fetch->part_count : 0;
    for (uint32_t n = 0; n < fetch->part_count; n++) {
        if (is_of(fetch, i, broker) && fetch->mono_ns >= fetch->parts[i].rest_ns)
            fetch->requests.chosen[count++] = i;
        i = i + 1 < fetch->part_count ? i + 1 : 0;
    }
    if (count > 0)
        broker->fetch.turn = fetch->requests.chosen[0] + 1;
    return count;
}

/* Uses ids of topics if all topics of the request have one in the last metadata, as Java's consumer does. */
static int16_t choose_version(const struct ps_kafka_fetch *fetch, const struct ps_kafka_native_broker *broker,
                              uint32_t count)
{
    bool ids = broker->versions[PS_KAFKA_NATIVE_FETCH].modern >= 0;
    for (uint32_t n = 0; n < count; n++)
        ids = ids && fetch->parts[fetch->requests.chosen[n]].topic->has_id;
    return ids ? broker->versions[PS_KAFKA_NATIVE_FETCH].modern
               : broker->versions[PS_KAFKA_NATIVE_FETCH].plain;
}

/* Returns whether a leader may have to be asked soon from which offset to read. A broker reads no further request of
 * a connection while it holds back an answer to Fetch, so Fetch must then be short. Metadata does not count, because
 * it can be requested over the coordinator's connection, which has no Fetch. */
static bool is_question_due(const struct ps_kafka_fetch *fetch)
{
    for (uint32_t i = 0; i < fetch->part_count; i++) {
        if (fetch->parts[i].state != PS_KAFKA_PART_NONE && fetch->parts[i].state != PS_KAFKA_PART_READY &&
            fetch->streams.items[i].state == PS_KAFKA_STREAM_OWNED)
            return true;
    }
    return false;
}

static int32_t wait_of(const struct ps_kafka_fetch *fetch)
{
    int32_t wait_ms = fetch->settings.wait_ms;
    return wait_ms > SHORT_WAIT_MS && is_question_due(fetch) ? SHORT_WAIT_MS : wait_ms;
}

static struct ps_kafka_native_request *make_request(struct ps_kafka_fetch *fetch,
                                                    struct ps_kafka_native_broker *broker)
{
    uint32_t count = choose(fetch, broker);
    return ps_kafka_fetch_request(fetch, &broker->fetch.session, choose_version(fetch, broker, count), count,
                                  wait_of(fetch));
}

static bool has_room(const struct ps_kafka_fetch *fetch)
{
    uint64_t answer = (uint64_t)fetch->settings.bytes_max,
             bytes = fetch->answers.held_bytes + fetch->requests.asked * answer;
    return bytes == 0 || bytes + answer <= fetch->held_bytes_max;
}

static bool is_reading(const struct ps_kafka_fetch *fetch)
{
    return !fetch->paused && !fetch->stopped && !fetch->fatal && fetch->starved_ns == 0 &&
           fetch->member.phase <=
               PS_KAFKA_MEMBER_STABLE; /* before STABLE: partitions kept over a rebalance */
}

/* Sends the broker a Fetch request if partitions are wanted from it. Returns false if there is no room for its
 * answer. */
static bool ask(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker)
{
    if (broker->fetch.asked || broker->node < 0 || fetch->mono_ns < broker->throttle_ns || !is_reading(fetch))
        return true;
    uint32_t count = count_wanted(fetch, broker);
    if (count == 0)
        return true;
    if (!has_room(fetch))
        return false;
    if (ps_kafka_fetch_reach(fetch->client, broker) == NULL)
        return true;
    if (ps_kafka_native_version(broker, PS_KAFKA_NATIVE_FETCH) < 0) {
        ps_kafka_fetch_die(fetch, "%s:%u supports no version of Fetch from 2 to 13", broker->host,
                           broker->port);
        return true;
    }
    struct ps_kafka_native_request *request = make_request(fetch, broker);
    if (request == NULL)
        return true;
    request->node = broker->node;
    broker->fetch.asked = true;
    fetch->requests.asked++;
    ps_kafka_native_broker_send(broker, request);
    return true;
}

/* Asks the brokers with numbers from `from` to before `end`. Returns false if a broker has to wait for room;
 * the next turn begins with that broker. */
static bool ask_some(struct ps_kafka_fetch *fetch, uint32_t from, uint32_t end)
{
    uint32_t number = 0;
    for (struct ps_kafka_native_broker *broker = fetch->client->brokers; broker != NULL;
         broker = broker->next) {
        if (number >= from && number < end && !ask(fetch, broker)) {
            fetch->requests.broker_turn = number;
            return false;
        }
        number++;
    }
    return true;
}

void ps_kafka_fetch_turn(struct ps_kafka_fetch *fetch)
{
    if (!is_reading(fetch))
        return;
    ps_kafka_replicas_turn(fetch);
    uint32_t first = fetch->requests.broker_turn;
    fetch->requests.broker_waits = !ask_some(fetch, first, UINT32_MAX) || !ask_some(fetch, 0, first);
    if (ps_kafka_parts_miss_leader(fetch))
        ps_kafka_fetch_want_leader(fetch);
}

uint64_t ps_kafka_fetch_due_ns(const struct ps_kafka_fetch *fetch)
{
    uint64_t due_ns = PS_NEVER;
    if (!is_reading(fetch) || !has_room(fetch))
        return PS_NEVER;
    for (const struct ps_kafka_native_broker *broker = fetch->client->brokers; broker != NULL;
         broker = broker->next) {
        if (broker->fetch.asked || broker->node < 0 || broker->gone || count_wanted(fetch, broker) == 0)
            continue;
        if (broker->phase == PS_KAFKA_NATIVE_DOWN)
            due_ns = ps_least(due_ns,
                              broker->rest_ns > broker->throttle_ns ? broker->rest_ns : broker->throttle_ns);
        else if (broker->phase == PS_KAFKA_NATIVE_UP && !ps_kafka_native_login_is_due(broker))
            due_ns = ps_least(due_ns, broker->throttle_ns); /* the connection may have come up in this turn */
    }
    return due_ns;
}

/* ---- answers ---- */

/* One partition of an answer. */
struct part_answer {
    int16_t error;
    int64_t high_watermark;
    const char *aborted;
    uint32_t aborted_count;
    int32_t preferred;    /* the replica that the leader wants to be asked instead (KIP-392); -1: none */
    const char *topic_id; /* NULL: the answer has the topic's name */
    const char *records;
    uint32_t records_length;
    bool may_be_cut; /* an old broker cuts even the first batch at max.partition.fetch.bytes */
};

/* Reads the list of aborted transactions. In a flexible version each one has tags: they are removed by moving the
 * later ones up, in the answer's own block, so that all versions have the same form. */
static void read_aborted(struct ps_wire_in *in, struct part_answer *answer)
{
    answer->aborted_count = ps_wire_get_count(in, ABORTED_BYTES);
    answer->aborted = in->at;
    char *to = (char *)(uintptr_t)in->at;
    for (uint32_t i = 0; i < answer->aborted_count; i++) {
        const char *from = ps_wire_take(in, ABORTED_BYTES);
        ps_wire_end_fields(in);
        if (in->failed)
            return;
        memmove(to, from, ABORTED_BYTES);
        to += ABORTED_BYTES;
    }
}

static struct part_answer read_part(struct ps_wire_in *in, int16_t version)
{
    struct part_answer answer = {.error = ps_wire_get_int16(in),
                                 .preferred = -1,
                                 .may_be_cut = version < PS_KAFKA_FETCH_OF_WHOLE_BATCHES};
    answer.high_watermark = ps_wire_get_int64(in);
    if (version >= PS_KAFKA_FETCH_OF_TRANSACTIONS)
        (void)ps_wire_get_int64(in); /* last stable offset */
    if (version >= VERSION_OF_LOG_START)
        (void)ps_wire_get_int64(in);
    if (version >= PS_KAFKA_FETCH_OF_TRANSACTIONS)
        read_aborted(in, &answer);
    if (version >= PS_KAFKA_FETCH_OF_RACKS)
        answer.preferred = ps_wire_get_int32(in);
    answer.records_length = ps_wire_get_count(in, 1);
    answer.records = ps_wire_take(in, answer.records_length);
    return answer;
}

/* Returns whether the error says that the broker does not know the topic's id, and is too young to be reported: the
 * broker is behind, or the topic was created again, which the next metadata shows. */
static bool is_unknown_id(const struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part, int16_t error)
{
    bool is_unknown =
        error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_ID || error == PS_KAFKA_ERROR_INCONSISTENT_TOPIC_ID;
    return is_unknown && !ps_kafka_part_is_unstable(fetch, part);
}

/* Called when the log does not have the offset to be fetched: retention has removed it, or the log was truncated. */
static void go_on_elsewhere(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part)
{
    part->gone_from = part->next;
    if (fetch->settings.reset == PS_KAFKA_RESET_ERROR)
        ps_log(PS_LOG_WARN, fetch->port->component,
               "topic %s, partition %d: offset %" PRId64 " is no longer in the log", part->topic->name,
               part->number, part->next);
    ps_kafka_offsets_reset(fetch, part);
}

/* Returns whether the error says that the broker asked is not, or not yet, the one that has the partition's records. */
static bool is_of_place(int16_t error)
{
    return error == PS_KAFKA_ERROR_LEADER_NOT_AVAILABLE || error == PS_KAFKA_ERROR_NOT_LEADER_OR_FOLLOWER ||
           error == PS_KAFKA_ERROR_REPLICA_NOT_AVAILABLE || error == PS_KAFKA_ERROR_KAFKA_STORAGE_ERROR ||
           error == PS_KAFKA_ERROR_LISTENER_NOT_FOUND || error == PS_KAFKA_ERROR_FENCED_LEADER_EPOCH ||
           error == PS_KAFKA_ERROR_UNKNOWN_LEADER_EPOCH;
}

static void part_failed(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part, int16_t error)
{
    part->rest_ns = fetch->mono_ns + ERROR_REST_NS;
    if (error == PS_KAFKA_ERROR_OFFSET_OUT_OF_RANGE) {
        go_on_elsewhere(fetch, part);
        return;
    }
    const struct ps_kafka_native_partition *place = ps_kafka_part_place(part);
    ps_kafka_native_want_metadata(fetch->client);
    if (is_unknown_id(fetch, part, error))
        return;
    if (is_of_place(error) && place != NULL)
        return;
    part->rest_ns = fetch->mono_ns + PS_KAFKA_REFUSED_REST_NS;
    ps_kafka_reports_error(&fetch->reports, error, "topic %s, partition %d: %s", part->topic->name,
                           part->number, rd_kafka_err2str((rd_kafka_resp_err_t)error));
}

/* Finds the offset after the complete batches at the beginning of the answer. Returns whether there are any. */
static bool scan(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part,
                 const struct part_answer *answer, int64_t *next)
{
    const char *at = answer->records, *end = at + answer->records_length;
    struct ps_kafka_batch batch;
    *next = part->next;
    while (at < end) {
        enum ps_kafka_batch_outcome outcome = ps_kafka_batch_read(&batch, at, end);
        if (outcome == PS_KAFKA_BATCH_PART && (at > answer->records || !answer->may_be_cut))
            break;
        if (outcome != PS_KAFKA_BATCH_WHOLE) {
            if (at == answer->records)
                ps_kafka_part_refuse(fetch, part, part->next,
                                     outcome == PS_KAFKA_BATCH_PART
                                         ? "a message that is larger than max.partition.fetch.bytes"
                                         : "a record batch that cannot be read");
            break;
        }
        at += batch.length;
        if (batch.last_offset >= *next) {
            *next = batch.last_offset + 1;
            part->epoch = batch.leader_epoch;
        }
    }
    return at > answer->records;
}

/* Compares first offsets. A broker lists the transactions in the order of their ends (TransactionIndex); read.c needs
 * them in the order of their beginnings, like Java's CompletedFetch. */
static int compare_aborted(const void *one, const void *other)
{
    return memcmp((const char *)one + sizeof(int64_t), (const char *)other + sizeof(int64_t),
                  sizeof(int64_t));
}

static void add_slice(struct ps_kafka_fetch *fetch, struct ps_kafka_fetched *fetched, uint32_t stream,
                      const struct part_answer *answer, int64_t next)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    if (answer->aborted_count > 1) /* in the answer's own block */
        qsort((char *)(uintptr_t)answer->aborted, answer->aborted_count, ABORTED_BYTES, compare_aborted);
    if (fetched->slice_count == fetched->slice_room) {
        fetched->slice_room = fetched->slice_room == 0 ? 8 : 2 * fetched->slice_room;
        fetched->slices =
            ps_must_realloc(fetched->slices, fetched->slice_room * sizeof *fetched->slices, "record batches");
    }
    struct ps_kafka_fetch_slice *slice = &fetched->slices[fetched->slice_count++];
    *slice = (struct ps_kafka_fetch_slice){
        .stream = stream,
        .pass = fetch->streams.items[stream].pass,
        .from = part->next,
        .at = answer->records,
        .end = answer->records + answer->records_length,
        .aborted = answer->aborted,
        .aborted_count = answer->aborted_count,
        .by_id = answer->topic_id != NULL,
    };
    if (slice->by_id)
        memcpy(slice->topic_id, answer->topic_id, sizeof slice->topic_id);
    part->queued++;
    part->next = next;
}

/* Handles one partition of an answer. */
static void handle_part(struct ps_kafka_fetch *fetch, struct ps_kafka_fetched *fetched, uint32_t stream,
                        const struct part_answer *answer, int32_t correlation)
{
    struct ps_kafka_fetch_part *part = &fetch->parts[stream];
    int64_t next;
    if (part->state != PS_KAFKA_PART_READY || part->asked_by != correlation ||
        fetch->streams.items[stream].state != PS_KAFKA_STREAM_OWNED)
        return; /* the partition was requested in an earlier assignment, or again since */
    part->asked_by = -1;
    if (answer->error != 0) {
        if (!ps_kafka_replicas_leave(fetch, part))
            part_failed(fetch, part, answer->error);
        return;
    }
    part->unstable_ns = 0;
    ps_kafka_replicas_follow(fetch, part, answer->preferred);
    part->end = answer->high_watermark;
    if (scan(fetch, part, answer, &next))
        add_slice(fetch, fetched, stream, answer, next);
}

/* Finds the partition of an answer with ids. The partitions are in the order of the request, so the search begins where
 * the last one ended, at *hint. */
static bool find_by_id(const struct ps_kafka_fetch *fetch, const char *id, int32_t partition, uint32_t *hint,
                       uint32_t *stream)
{
    for (uint32_t n = 0; n < fetch->part_count; n++) {
        uint32_t at = (*hint + n) % fetch->part_count;
        const struct ps_kafka_fetch_part *part = &fetch->parts[at];
        if (part->state == PS_KAFKA_PART_NONE || part->number != partition ||
            memcmp(part->topic->id, id, PS_KAFKA_NATIVE_TOPIC_ID_BYTES) != 0)
            continue;
        *stream = at;
        *hint = at + 1;
        return true;
    }
    return false;
}

/* Reads the partitions of an answer. Its bytes are already in the block that keeps them, so slices may point to them. */
static bool read_answer(struct ps_kafka_fetch *fetch, struct ps_kafka_fetched *fetched,
                        const struct ps_kafka_native_request *request, struct ps_kafka_fetch_session *session,
                        struct ps_wire_in *in)
{
    uint32_t stream, hint = 0, answered = 0, strange = 0;
    struct ps_wire_partitions walk = ps_wire_partitions_begin(in);
    if (in->flexible)
        walk.id_bytes = PS_KAFKA_NATIVE_TOPIC_ID_BYTES;
    while (ps_wire_partitions_next(&walk)) {
        int32_t partition = ps_wire_get_int32(in);
        struct part_answer answer = read_part(in, request->version);
        if (in->failed)
            break;
        answer.topic_id = walk.id_bytes > 0 ? walk.topic.data : NULL;
        bool found = walk.id_bytes > 0 ? find_by_id(fetch, walk.topic.data, partition, &hint, &stream)
                                       : ps_kafka_parts_find(fetch, walk.topic, partition, &stream) != NULL;
        bool asked = found && fetch->parts[stream].session == session->number;
        answered += asked;
        strange += !asked;
        if (found)
            handle_part(fetch, fetched, stream, &answer, request->correlation);
    }
    ps_wire_end_fields(in);
    /* the broker may remember other partitions */
    if (in->failed || strange > 0 || (session->asked_epoch == 0 && answered != session->count))
        session->epoch = 0;
    return !in->failed;
}

/* Called when the request is no longer under way: partitions that its answer left out are requested again.
 * Called twice for an answer that cannot be read, because such an answer also ends the connection. */
static void forget_asked(struct ps_kafka_fetch *fetch, struct ps_kafka_native_request *request)
{
    if (request->node < 0)
        return;
    request->node = -1;
    fetch->requests.asked--;
    ps_kafka_parts_forget(fetch, request->correlation, 0);
}

/* Queues the answer, if there are records in it. */
static void queue(struct ps_kafka_fetch *fetch, struct ps_kafka_fetched *fetched)
{
    if (fetched->slice_count == 0) {
        ps_kafka_fetched_give(fetch, fetched);
        return;
    }
    fetch->answers.held_bytes += fetched->block->size;
    fetched->number = ++fetch->answers.block_number;
    *fetch->answers.end = fetched;
    fetch->answers.end = &fetched->next;
    ps_kafka_reports_recovery(&fetch->reports);
}

/* Copies a short answer, which is in the connection's buffer, to a block. */
static struct ps_kafka_fetched *copy_answer(struct ps_kafka_fetch *fetch, struct ps_wire_in *in)
{
    uint32_t length = (uint32_t)(in->end - in->at);
    struct ps_kafka_fetched *fetched = ps_kafka_fetched_take(fetch, length);
    if (fetched == NULL)
        return NULL;
    memcpy(fetched->block->base, in->at, length);
    in->at = fetched->block->base;
    in->end = in->at + length;
    return fetched;
}

/* Reads the error of the whole answer, and the session's id. Returns whether the next request may follow immediately. */
static bool read_error(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                       struct ps_kafka_fetch_session *session, struct ps_wire_in *in)
{
    if (request->version < PS_KAFKA_FETCH_OF_SESSIONS)
        return true;
    int16_t error = ps_wire_get_int16(in);
    int32_t id = ps_wire_get_int32(in);
    if (in->failed || request->node < 0)
        return true;
    if (error == 0)
        ps_kafka_session_answered(session, id);
    bool is_of_session = error == PS_KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND ||
                         error == PS_KAFKA_ERROR_INVALID_FETCH_SESSION_EPOCH ||
                         error == PS_KAFKA_ERROR_FETCH_SESSION_TOPIC_ID_ERROR;
    if (error == 0 || (is_of_session && session->asked_epoch > 0))
        return true; /* the next request names all partitions */
    ps_kafka_reports_error(&fetch->reports, error, "Fetch");
    return false;
}

bool ps_kafka_fetch_answer(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request,
                           struct ps_wire_in *in)
{
    struct ps_kafka_fetch *fetch = ps_kafka_fetch_of(broker->client);
    struct ps_kafka_fetched *fetched = request->answer;
    struct ps_kafka_fetch_session *session = &broker->fetch.session;
    bool follows = read_error(fetch, request, session, in);
    request->answer = NULL;
    broker->fetch.asked = false;
    if (request->throttle_ms > 0)
        broker->throttle_ns = fetch->mono_ns + (uint64_t)request->throttle_ms * PS_NS_PER_MS;
    if (fetched == NULL && !in->failed)
        fetched = copy_answer(fetch, in);
    if (fetched == NULL) {
        forget_asked(fetch, request); /* no memory: the next request follows after a backoff */
        broker->throttle_ns = fetch->mono_ns + ERROR_REST_NS;
        return !in->failed;
    }
    bool good = read_answer(fetch, fetched, request, session, in);
    forget_asked(fetch, request);
    queue(fetch, fetched);
    if (!good)
        return false;
    if (!follows)
        broker->throttle_ns = fetch->mono_ns + ERROR_REST_NS;
    ps_kafka_replicas_turn(fetch);     /* no partition of this broker is asked for at this moment */
    if (!fetch->requests.broker_waits) /* otherwise the next turn decides which broker is asked first */
        (void)ask(fetch, broker);
    return true;
}

void ps_kafka_fetch_lost(struct ps_kafka_fetch *fetch, struct ps_kafka_native_request *request)
{
    if (request->answer != NULL)
        ps_kafka_fetched_give(fetch, request->answer);
    request->answer = NULL;
    forget_asked(fetch, request);
}
