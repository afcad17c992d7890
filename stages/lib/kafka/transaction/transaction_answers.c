/* The answers to the requests of a transaction, and how a commit ends. No function here uses a connection: broker.c
 * calls them. */
#include "stages/lib/kafka/cluster/native.h"
#include "stages/lib/kafka/read_topics.h"
#include "stages/lib/kafka/transaction/position.h"

#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/wire/partitions.h"
#include "stages/lib/kafka/wire/slice.h"
#include "stages/lib/least.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONCURRENT_REST_NS (5 * PS_NS_PER_MS) /* the markers of the last transaction are being written */

/* ---- its end ---- */

static void finish(struct ps_kafka_native *client, const struct ps_kafka_end *end)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    transaction->step = PS_KAFKA_NATIVE_FILLING;
    transaction->step_asked = transaction->end_lost = false;
    if (end->ending == PS_KAFKA_END_COMMITTED) {
        transaction->number++;
        transaction->any_joined = false;
    }
    client->listener->ended(client->listener->argument, end);
}

void ps_kafka_native_transaction_finish(struct ps_kafka_native *client, enum ps_kafka_ending ending)
{
    const struct ps_kafka_end end = {.ending = ending, .text = ""};
    finish(client, &end);
}

/* Returns whether the result of the commit is not known: a request may have ended the transaction, or may
 * still end it, or the client is finding out whether the transaction has ended. */
static bool is_unknown(const struct ps_kafka_native_transaction *transaction)
{
    return transaction->end_lost || transaction->step == PS_KAFKA_NATIVE_STEP_RESOLVE ||
           (transaction->step == PS_KAFKA_NATIVE_STEP_END && transaction->step_asked);
}

void ps_kafka_native_transaction_die(struct ps_kafka_native *client)
{
    const struct ps_kafka_native_transaction *transaction = &client->transaction;
    if (transaction->step == PS_KAFKA_NATIVE_FILLING)
        return;
    const struct ps_kafka_end end = {.ending = is_unknown(transaction) ? PS_KAFKA_END_UNKNOWN
                                                                       : PS_KAFKA_END_ABORTED,
                                     .code = client->fatal_error.code,
                                     .text = client->fatal_error.text};
    finish(client, &end);
}

bool ps_kafka_native_withdraw(struct ps_kafka_producer *producer)
{
    struct ps_kafka_native *client = ps_kafka_native_of(producer);
    if (is_unknown(&client->transaction))
        return false;
    client->transaction.step = PS_KAFKA_NATIVE_FILLING;
    client->transaction.step_asked = false;
    return true;
}

/* ---- the meaning of an error ---- */

static struct ps_kafka_native_coordinator *coordinator_of(struct ps_kafka_native *client,
                                                          enum ps_kafka_native_kind kind)
{
    return kind == PS_KAFKA_NATIVE_COMMIT_OFFSETS || kind == PS_KAFKA_NATIVE_FETCH_OFFSETS
               ? &client->transaction.group
               : &client->transaction.own;
}

static bool passes(int16_t error)
{
    switch (error) {
    case PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION:
    case PS_KAFKA_ERROR_REQUEST_TIMED_OUT:
    case PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS:
    case PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE:
    case PS_KAFKA_ERROR_NOT_COORDINATOR:
    case PS_KAFKA_ERROR_REBALANCE_IN_PROGRESS:
    case PS_KAFKA_ERROR_CONCURRENT_TRANSACTIONS:
    case PS_KAFKA_ERROR_OPERATION_NOT_ATTEMPTED:
    case PS_KAFKA_ERROR_UNSTABLE_OFFSET_COMMIT:
        return true;
    default:
        return false;
    }
}

static bool is_stale(int16_t error)
{
    return error == PS_KAFKA_ERROR_ILLEGAL_GENERATION || error == PS_KAFKA_ERROR_UNKNOWN_MEMBER_ID ||
           error == PS_KAFKA_ERROR_FENCED_INSTANCE_ID;
}

/* Returns whether the coordinator has refused to end the transaction. After any other error it may still end it. */
static bool is_refusal(int16_t error)
{
    switch (error) {
    case PS_KAFKA_ERROR_INVALID_PRODUCER_EPOCH:
    case PS_KAFKA_ERROR_INVALID_TXN_STATE:
    case PS_KAFKA_ERROR_INVALID_PRODUCER_ID_MAPPING:
    case PS_KAFKA_ERROR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED:
    case PS_KAFKA_ERROR_PRODUCER_FENCED:
    case PS_KAFKA_ERROR_TRANSACTION_ABORTABLE:
        return true;
    default:
        return false;
    }
}

/* Sends the request again after a backoff. */
static void rest(struct ps_kafka_native *client, enum ps_kafka_native_kind kind, int16_t error)
{
    uint64_t rest_ns =
        error == PS_KAFKA_ERROR_CONCURRENT_TRANSACTIONS ? CONCURRENT_REST_NS : client->settings.retry_rest_ns;
    char what[PS_KAFKA_NATIVE_TRANSACTIONAL_ID_BYTES + 64];
    client->transaction.rest_ns = client->now.mono_ns + rest_ns;
    snprintf(what, sizeof what, "the transaction %s has waited for a coordinator", client->transaction.id);
    ps_kafka_native_note_wait(client, &client->transaction.waits, what, error);
    if (error == PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE || error == PS_KAFKA_ERROR_NOT_COORDINATOR)
        ps_kafka_native_coordinator_forget(client, coordinator_of(client, kind));
}

/* Called when a step failed for good: the transaction is not committed, unless an earlier request to end it was
 * carried out. */
static void step_failed(struct ps_kafka_native *client, enum ps_kafka_native_kind kind, int16_t error)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    const struct ps_kafka_error *known = ps_kafka_error_find(error);
    bool stale = is_stale(error) && kind == PS_KAFKA_NATIVE_COMMIT_OFFSETS;
    char text[PS_KAFKA_NATIVE_TRANSACTIONAL_ID_BYTES + 512];
    snprintf(text, sizeof text, "the transaction %s cannot be committed: error %d, %s (%s)", transaction->id,
             error, known->name, known->meaning);
    if (stale) {
        const struct ps_kafka_end end = {.ending = PS_KAFKA_END_STALE,
                                         .stale = transaction->positions[transaction->from].name,
                                         .code = error,
                                         .text = text};
        finish(client, &end);
    }
    ps_kafka_native_die(client, error, "%s", text); /* this also ends the commit */
}

/* ---- answers ---- */

/* Returns which of two errors counts: the first permanent error, else the first temporary one. */
static int16_t worse(int16_t error, int16_t other)
{
    if (error == 0 || (passes(error) && other != 0 && !passes(other)))
        return other;
    return error;
}

/* Called when the coordinator does not know the partition: metadata shows whether the topic was created again without
 * it (cluster.c). */
static void note_unknown(struct ps_kafka_native *client, struct ps_kafka_native_partition *partition)
{
    partition->denied = true;
    ps_kafka_native_want_metadata(client);
}

/* Reports the first records of a partition to which the producer may not write. The report gives the sender the topic and the event, and
 * the sender counts the attempt. The other records are purged. */
static void report_denied(struct ps_kafka_native *client, struct ps_kafka_native_partition *partition,
                          int16_t error)
{
    struct ps_kafka_native_batch *batch = NULL;
    if (partition != NULL && !partition->ready && ps_kafka_error_find(error)->outcome == PS_KAFKA_WAIT)
        batch = ps_kafka_native_partition_pop(partition);
    if (batch != NULL)
        ps_kafka_native_report(client, batch, error);
}

static bool joined(struct ps_kafka_native *client, struct ps_wire_in *in)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    struct ps_kafka_native_partition *denied = NULL; /* the first one with the error `worst` */
    int16_t worst = 0;
    transaction->joins_asked = false;
    struct ps_wire_partitions walk = ps_wire_partitions_begin(in);
    while (ps_wire_partitions_next(&walk)) {
        const struct ps_kafka_native_topic *topic =
            ps_kafka_native_topic_find(client, walk.topic.data, walk.topic.length);
        int32_t number = ps_wire_get_int32(in);
        int16_t error = ps_wire_get_int16(in);
        bool is_worst = worse(worst, error) != worst;
        worst = worse(worst, error);
        if (in->failed || topic == NULL || number < 0 || number >= topic->partition_count)
            continue;
        if (error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION)
            note_unknown(client, topic->partitions[number]);
        if (is_worst)
            denied = topic->partitions[number];
        if (error != 0)
            continue;
        transaction->any_joined = true;
        topic->partitions[number]->joined = transaction->number;
        ps_kafka_native_partition_offer(client, topic->partitions[number]);
    }
    if (in->failed)
        return false;
    /* Partitions that the answer left out are requested again; without such partitions no request is sent. */
    transaction->joins_wanted |= worst == 0;
    if (worst == 0)
        transaction->waits = (struct ps_kafka_native_wait){0};
    if (worst != 0 && passes(worst)) {
        transaction->joins_wanted = true;
        rest(client, PS_KAFKA_NATIVE_ADD_PARTITIONS, worst);
    } else if (worst != 0) {
        const struct ps_kafka_error *known = ps_kafka_error_find(worst);
        ps_kafka_native_die(client, worst,
                            "no partition can be added to the transaction %s: error %d, %s (%s)",
                            transaction->id, worst, known->name, known->meaning);
        report_denied(client, denied, worst);
    }
    return true;
}

/* Called when the positions of this member are sent: continues with the next member, or ends the transaction. */
static void next_member(struct ps_kafka_native_transaction *transaction)
{
    transaction->from = transaction->end;
    transaction->step = transaction->from < transaction->count ? ps_kafka_native_member_step(transaction)
                                                               : PS_KAFKA_NATIVE_STEP_END;
}

/* Handles the error of a step whose answer has only one error. Returns whether the step is done. */
static bool step_answered(struct ps_kafka_native *client, enum ps_kafka_native_kind kind, int16_t error)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    transaction->step_asked = false;
    if (error == 0) {
        transaction->waits = (struct ps_kafka_native_wait){0};
        return true;
    }
    if (kind == PS_KAFKA_NATIVE_END_TRANSACTION ? is_refusal(error) : !passes(error)) {
        step_failed(client, kind, error);
        return false;
    }
    /* The coordinator may have written the end to its log, although its replicas did not get it in time. */
    transaction->end_lost |=
        kind == PS_KAFKA_NATIVE_END_TRANSACTION && error != PS_KAFKA_ERROR_CONCURRENT_TRANSACTIONS;
    rest(client, kind, error);
    return false;
}

static int compare_part(const void *wanted_, const void *position_)
{
    const struct ps_stream_name *wanted = wanted_,
                                *name = ((const struct ps_kafka_position *)position_)->name;
    int order = ps_slice_compare(wanted->name, name->name);
    return order != 0 ? order : (wanted->part > name->part) - (wanted->part < name->part);
}

/* Returns the position of a partition among those that are being committed; NULL: it is not one of them. Looks in the
 * positions of one member after the other, each of which are sorted. */
static struct ps_kafka_position *find_position(const struct ps_kafka_native_transaction *transaction,
                                               struct ps_slice topic, int32_t part)
{
    const struct ps_stream_name wanted = {.name = topic, .part = part};
    struct ps_kafka_position *found = NULL;
    for (uint32_t from = transaction->from; from < transaction->end && found == NULL;) {
        uint32_t end = ps_kafka_native_positions_end(transaction->positions, transaction->end, from, true);
        found = bsearch(&wanted, &transaction->positions[from], end - from, sizeof *found, compare_part);
        from = end;
    }
    return found;
}

/* Returns the topic of a position that the coordinator lacks. From now on Metadata requests name it. NULL: there is no
 * memory. */
static const struct ps_kafka_native_topic *missing_topic(struct ps_kafka_native *client, struct ps_slice name)
{
    struct ps_kafka_native_topic *topic = ps_kafka_native_topic_find(client, name.data, name.length);
    if (topic != NULL && ps_kafka_native_topic_is_named(client, topic))
        return topic;
    if (topic == NULL && (topic = ps_kafka_native_topic_get(client, name.data, name.length)) != NULL)
        topic->of_positions = true;
    if (topic != NULL)
        topic->written_ns = client->now.mono_ns;
    client->transaction.asked_ns = 0; /* the brokers were not asked for this one */
    return topic;
}

/* Reports that a source of this process reads the topic, which the sink's cluster does not have. */
static void tell_apart(struct ps_kafka_native *client, struct ps_slice topic)
{
    char text[256];
    if (!ps_kafka_native_may_tell(client, &client->transaction.apart_told_ns))
        return;
    snprintf(text, sizeof text,
             "the source reads topic %.*s, which the sink's brokers do not have: two clusters with the same "
             "id? One "
             "transaction cannot span both; set penstock.guarantee = at-least-once",
             (int)ps_least(topic.length, 80), topic.data);
    ps_kafka_native_notice(client, PS_KAFKA_NOTICE_ERROR, PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION, text);
}

/* Returns the error of a position that is not left out; else 0. A position is left out of the transaction if the
 * coordinator has lacked its topic for some time, no broker has it, and the cluster of the source does not have it either:
 * records of a deleted topic need no position, and a refused position would hold up the records of all other topics. */
static int16_t position_error(struct ps_kafka_native *client, struct ps_slice topic, int32_t part,
                              int16_t error)
{
    if (error != PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION)
        return error;
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    struct ps_kafka_position *position = find_position(transaction, topic, part);
    const struct ps_kafka_native_topic *known = position != NULL ? missing_topic(client, topic) : NULL;
    if (known == NULL)
        return error;
    uint64_t limit_ns = ps_kafka_native_missing_limit_ns(client), now_ns = client->now.mono_ns;
    bool complete = transaction->answers == transaction->questions ||
                    now_ns >= transaction->asked_ns + limit_ns / PS_KAFKA_NATIVE_ANSWER_PART;
    bool decided = transaction->asked_ns != 0 && complete && now_ns >= transaction->missing_ns + limit_ns;
    bool denied = known->error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION || known->partition_count > 0;
    bool deleted = decided && transaction->answers > 0 && denied && part >= known->partition_count;
    /* asked also before the decision, so that the source's cluster has answered by then */
    bool is_read = ps_kafka_read_topics_have(position->name->group, topic, part), apart = deleted && is_read;
    if (apart)
        tell_apart(client, topic);
    position->left_out = deleted && !apart;
    transaction->lacks |= decided && !position->left_out;
    return position->left_out ? 0 : error;
}

/* Handles the answer to TxnOffsetCommit. A position that the answer lacks is not committed: if the transaction ended,
 * its records would come twice. */
static bool offsets_answered(struct ps_kafka_native *client, struct ps_wire_in *in)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    int16_t worst = 0;
    uint32_t named = 0;
    bool missing = false;
    struct ps_wire_partitions walk = ps_wire_partitions_begin(in);
    while (ps_wire_partitions_next(&walk)) {
        int32_t part = ps_wire_get_int32(in);
        int16_t error = ps_wire_get_int16(in);
        named++;
        missing |= error == PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION;
        worst = worse(worst, in->failed ? 0 : position_error(client, walk.topic, part, error));
    }
    if (in->failed || (worst == 0 && named < transaction->end - transaction->from))
        return false;
    if (!missing)
        ps_kafka_native_missing_forget(client);
    else if (transaction->missing_ns == 0)
        transaction->missing_ns = client->now.mono_ns;
    if (step_answered(client, PS_KAFKA_NATIVE_COMMIT_OFFSETS, worst))
        next_member(transaction);
    return true;
}

/* Notes whether a position is committed. Returns its error; 0 if the position was left out of the transaction. */
static int16_t compare(struct ps_kafka_native_transaction *transaction, struct ps_slice topic, int32_t part,
                       int64_t committed, int16_t error)
{
    const struct ps_kafka_position *position = find_position(transaction, topic, part);
    if (position == NULL || (error != 0 && !position->left_out))
        return error;
    transaction->compared++;
    if (position->left_out)
        return 0;
    transaction->behind |= committed < position->next;
    transaction->proven |= committed >= position->next;
    return 0;
}

static bool committed_answered(struct ps_kafka_native *client, int16_t version, struct ps_wire_in *in)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    int16_t worst = 0;
    struct ps_wire_partitions walk = ps_wire_partitions_begin(in);
    transaction->compared = 0;
    while (ps_wire_partitions_next(&walk)) {
        struct ps_wire_committed offset = ps_wire_get_committed(in, version);
        worst = worse(
            worst,
            in->failed ? 0 : compare(transaction, walk.topic, offset.partition, offset.next, offset.error));
    }
    worst = worse(worst, ps_wire_get_int16(in));
    if (in->failed)
        return false;
    if (!step_answered(client, PS_KAFKA_NATIVE_FETCH_OFFSETS, worst))
        return true;
    if (transaction->compared < transaction->end - transaction->from)
        return false;
    transaction->from = transaction->end;
    bool ended = transaction->from == transaction->count;
    /* if all positions were left out, nothing proves a commit */
    if (transaction->behind || (ended && !transaction->proven))
        ps_kafka_native_transaction_finish(client, PS_KAFKA_END_ABORTED);
    else if (ended)
        ps_kafka_native_transaction_finish(client, PS_KAFKA_END_COMMITTED);
    return true;
}

/* With the second protocol, offers the partitions that waited to join before the protocol was known. */
void ps_kafka_native_transaction_decide(struct ps_kafka_native *client, bool second)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    transaction->second = second;
    if (!second)
        return;
    transaction->joins_wanted = false;
    if (transaction->step == PS_KAFKA_NATIVE_STEP_GROUP) /* a commit that waited for the producer's id */
        transaction->step = PS_KAFKA_NATIVE_STEP_OFFSETS;
    struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        for (int32_t p = 0; p < topic->partition_count; p++)
            ps_kafka_native_partition_offer(client, topic->partitions[p]);
    }
}

/* Takes the new epoch from the answer to the end of a transaction: with it, no late request of the last transaction
 * gets into the next one. Sequence numbers begin again, because all records are delivered before a commit begins. */
static void adopt(struct ps_kafka_native *client, int64_t id, int16_t epoch)
{
    bool other = id != client->id.id;
    client->id.id = id;
    client->id.epoch = epoch;
    struct ps_kafka_native_topic *topic = NULL;
    while ((topic = ps_kafka_native_topic_next(client, topic)) != NULL) {
        for (int32_t p = 0; p < topic->partition_count; p++) {
            topic->partitions[p]->next_sequence = 0;
            if (other)
                topic->partitions[p]->known_ns = 0;
        }
    }
}

static bool end_answered(struct ps_kafka_native *client, struct ps_wire_in *in)
{
    bool second = in->flexible;
    int16_t error = ps_wire_get_int16(in);
    int64_t id = second ? ps_wire_get_int64(in) : 0;
    int16_t epoch = second ? ps_wire_get_int16(in) : 0;
    if (in->failed || (second && error == 0 && (id < 0 || epoch < 0)))
        return false;
    if (!step_answered(client, PS_KAFKA_NATIVE_END_TRANSACTION, error))
        return true;
    if (second)
        adopt(client, id, epoch);
    ps_kafka_native_transaction_finish(client, PS_KAFKA_END_COMMITTED);
    return true;
}

bool ps_kafka_native_transaction_answer(struct ps_kafka_native *client,
                                        struct ps_kafka_native_request *request, struct ps_wire_in *in)
{
    if (request->kind == PS_KAFKA_NATIVE_ADD_PARTITIONS)
        return joined(client, in);
    if (!client->transaction.step_asked) /* the commit was withdrawn, or has ended: no step follows */
        return true;
    if (request->kind == PS_KAFKA_NATIVE_COMMIT_OFFSETS)
        return offsets_answered(client, in);
    if (request->kind == PS_KAFKA_NATIVE_FETCH_OFFSETS)
        return committed_answered(client, request->version, in);
    if (request->kind == PS_KAFKA_NATIVE_END_TRANSACTION)
        return end_answered(client, in);
    int16_t error = ps_wire_get_int16(in);
    if (in->failed)
        return false;
    if (!step_answered(client, request->kind, error))
        return true;
    client->transaction.any_joined = true;
    client->transaction.step = PS_KAFKA_NATIVE_STEP_OFFSETS;
    return true;
}

void ps_kafka_native_transaction_lost(struct ps_kafka_native *client,
                                      const struct ps_kafka_native_request *request)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    switch (request->kind) {
    case PS_KAFKA_NATIVE_FIND_COORDINATOR:
        request->coordinator->asked = false;
        break;
    case PS_KAFKA_NATIVE_ADD_PARTITIONS:
        transaction->joins_asked = false;
        transaction->joins_wanted = true;
        break;
    case PS_KAFKA_NATIVE_END_TRANSACTION:
        transaction->end_lost |= request->written > 0;
        transaction->step_asked = false;
        break;
    case PS_KAFKA_NATIVE_COMMIT_OFFSETS:
        ps_kafka_native_missing_forget(client);
        transaction->step_asked = false;
        break;
    case PS_KAFKA_NATIVE_ADD_OFFSETS:
    case PS_KAFKA_NATIVE_FETCH_OFFSETS:
        transaction->step_asked = false;
        break;
    default:
        break;
    }
}
