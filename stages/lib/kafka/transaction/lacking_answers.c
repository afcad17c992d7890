/* The answers to the question which topics the cluster has (lacking.c). Calls no function that uses a connection. */
#include "stages/lib/kafka/transaction/lacking.h"

#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/wire/slice.h"

void ps_kafka_native_lacking_forget(struct ps_kafka_native *client)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    if (transaction->missing_ns == 0)
        return;
    transaction->missing_ns = 0;
    transaction->lacking.open = 0;
    transaction->lacking.number++;
    transaction->lacking.wanted = false;
    if (transaction->step == PS_KAFKA_NATIVE_FILLING)
        return; /* no commit is under way: the positions of the last one are the sender's again */
    for (uint32_t i = 0; i < transaction->count; i++)
        transaction->positions[i].lacked = transaction->positions[i].absent = false;
}

void ps_kafka_native_lacking_conclude(struct ps_kafka_native *client)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    for (uint32_t i = transaction->from; i < transaction->end && transaction->lacking.answers > 0; i++) {
        struct ps_kafka_position *position = &transaction->positions[i];
        position->absent = position->lacked && !position->seen;
    }
    transaction->lacking.open = 0;
    transaction->lacking.number++;
    transaction->lacking.rest_ns = client->now.mono_ns + PS_KAFKA_NATIVE_LACKING_REST_NS;
}

static void note_seen(const struct ps_kafka_native_transaction *transaction, struct ps_slice topic)
{
    for (uint32_t i = transaction->from; i < transaction->end; i++)
        transaction->positions[i].seen |= ps_slice_same(transaction->positions[i].name->name, topic);
}

static void skip_list(struct ps_wire_in *in)
{
    uint32_t count = ps_wire_get_count(in, sizeof(int32_t));
    (void)ps_wire_take(in, (size_t)count * sizeof(int32_t));
}

static void read_topic(const struct ps_kafka_native_transaction *transaction, struct ps_wire_in *in)
{
    int16_t error = ps_wire_get_int16(in);
    struct ps_slice topic;
    topic.data = ps_wire_get_string(in, &topic.length);
    (void)ps_wire_get_int8(in); /* is internal */
    if (!in->failed && error != 0 && error != PS_KAFKA_ERROR_UNKNOWN_TOPIC_OR_PARTITION)
        note_seen(transaction, topic); /* it is there, or that cannot be told */
    uint32_t count = ps_wire_get_count(in, 26);
    for (uint32_t i = 0; i < count && !in->failed; i++) {
        (void)ps_wire_get_int16(in); /* error: there may be no leader */
        int32_t part = ps_wire_get_int32(in);
        (void)ps_wire_get_int64(in); /* leader, and its epoch */
        for (unsigned list = 0; list < 3; list++)
            skip_list(in);
        struct ps_kafka_position *position =
            in->failed ? NULL : ps_kafka_native_position_find(transaction, topic, part);
        if (position != NULL)
            position->seen = true;
    }
}

bool ps_kafka_native_lacking_answer(struct ps_kafka_native *client,
                                    const struct ps_kafka_native_request *request, struct ps_wire_in *in)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    uint32_t length;
    if (!ps_kafka_native_lacking_is_open(client) || request->node != transaction->lacking.number)
        return true; /* the commit has ended, or the answer comes too late */
    uint32_t brokers = ps_wire_get_count(in, 12);
    for (uint32_t i = 0; i < brokers && !in->failed; i++) {
        (void)ps_wire_get_int32(in);
        (void)ps_wire_get_string(in, &length);
        (void)ps_wire_get_int32(in);
        (void)ps_wire_get_string(in, &length); /* rack */
    }
    (void)ps_wire_get_string(in, &length); /* cluster */
    (void)ps_wire_get_int32(in);           /* controller */
    uint32_t topics = ps_wire_get_count(in, 9);
    for (uint32_t i = 0; i < topics && !in->failed; i++)
        read_topic(transaction, in);
    transaction->lacking.open -= transaction->lacking.open > 0;
    transaction->lacking.answers += !in->failed;
    if (transaction->lacking.open == 0)
        ps_kafka_native_lacking_conclude(client);
    return !in->failed;
}

void ps_kafka_native_lacking_lost(struct ps_kafka_native *client,
                                  const struct ps_kafka_native_request *request)
{
    struct ps_kafka_native_transaction *transaction = &client->transaction;
    if (!ps_kafka_native_lacking_is_open(client) || request->node != transaction->lacking.number ||
        transaction->lacking.open == 0)
        return;
    if (--transaction->lacking.open == 0)
        ps_kafka_native_lacking_conclude(client);
}
