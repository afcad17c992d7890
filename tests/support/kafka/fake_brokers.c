#include "tests/support/kafka/fake_brokers.h"
#include "tests/support/kafka/connections.h"
#include "tests/support/kafka/record_number.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crc32c.h"
#include "stages/lib/kafka/wire/wire.h"
#include "tests/support/support.h"

#define KEPT_BATCHES 5U
#define TORN_BYTES_MAX 200U
#define FIRST_EPOCH 5
#define VERSION_OF_EPOCHS 7 /* of Metadata */
#define ERROR_UNKNOWN_TOPIC 3
#define ERROR_NOT_LEADER 6
#define ERROR_TIMED_OUT 7
#define ERROR_NOT_ENOUGH_REPLICAS 19
#define ERROR_OUT_OF_ORDER 45

struct node {
    struct ps_test_brokers *brokers;
    unsigned number;
    struct ps_test_connections connections;
    enum ps_test_hold hold;
};

struct partition {
    unsigned leader;
    int32_t epoch, next;        /* leader's epoch; sequence number expected of the producer */
    int32_t kept[KEPT_BATCHES]; /* base sequences of the last batches */
    unsigned kept_count;
    uint32_t *numbers, count;
};

struct ps_test_brokers {
    struct node nodes[PS_TEST_BROKERS];
    char bootstrap[32];
    struct partition partitions[PS_TEST_PARTITIONS_MAX];
    unsigned partition_count;
    uint64_t random;
    unsigned faults;
    int16_t produce_most, metadata_most;
    int64_t producer; /* id given */
    const enum ps_test_metadata *lies;
    unsigned lie_count, denied;
};

static unsigned draw(struct ps_test_brokers *brokers, unsigned below)
{
    brokers->random = brokers->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned)(brokers->random >> 33) % below;
}

static bool fails(struct ps_test_brokers *brokers)
{
    return draw(brokers, 1000) < brokers->faults;
}

static bool handle(void *argument, struct ps_test_connection *connection, struct ps_test_request *request);

struct ps_test_brokers *ps_test_brokers_start(uint64_t seed, unsigned faults, int32_t sequence)
{
    struct ps_test_brokers *brokers = calloc(1, sizeof *brokers);
    assert_non_null(brokers);
    brokers->random = seed;
    brokers->faults = faults;
    brokers->produce_most = (int16_t)(3 + draw(brokers, 8));
    brokers->metadata_most = (int16_t)(1 + draw(brokers, 9));
    for (unsigned i = 0; i < PS_TEST_BROKERS; i++) {
        struct node *node = &brokers->nodes[i];
        *node = (struct node){
            .brokers = brokers, .number = i, .connections = {.handle = handle, .argument = node}};
        ps_test_connections_open(&node->connections);
    }
    snprintf(brokers->bootstrap, sizeof brokers->bootstrap, "127.0.0.1:%u",
             brokers->nodes[0].connections.port);
    brokers->partition_count = PS_TEST_PARTITIONS;
    for (unsigned i = 0; i < PS_TEST_PARTITIONS_MAX; i++) {
        brokers->partitions[i].leader =
            i < PS_TEST_PARTITIONS ? draw(brokers, PS_TEST_BROKERS) : i % PS_TEST_BROKERS;
        brokers->partitions[i].next = sequence;
        brokers->partitions[i].epoch = FIRST_EPOCH;
        brokers->partitions[i].numbers = calloc(PS_TEST_RECORDS_MAX, sizeof(uint32_t));
        assert_non_null(brokers->partitions[i].numbers);
    }
    return brokers;
}

void ps_test_brokers_stop(struct ps_test_brokers *brokers)
{
    for (unsigned i = 0; i < PS_TEST_BROKERS; i++)
        ps_test_connections_close(&brokers->nodes[i].connections);
    for (unsigned i = 0; i < PS_TEST_PARTITIONS_MAX; i++)
        free(brokers->partitions[i].numbers);
    free(brokers);
}

const char *ps_test_brokers_bootstrap(const struct ps_test_brokers *brokers)
{
    return brokers->bootstrap;
}

void ps_test_brokers_widen(struct ps_test_brokers *brokers, unsigned partitions)
{
    assert_in_range(partitions, 1, PS_TEST_PARTITIONS_MAX);
    brokers->partition_count = partitions;
}

void ps_test_brokers_lead(struct ps_test_brokers *brokers, unsigned node)
{
    for (unsigned i = 0; i < PS_TEST_PARTITIONS_MAX; i++) {
        brokers->partitions[i].leader = node;
        brokers->partitions[i].epoch++;
    }
}

void ps_test_brokers_hold(struct ps_test_brokers *brokers, unsigned node, enum ps_test_hold hold)
{
    brokers->nodes[node].hold = hold;
    brokers->nodes[node].connections.silent = hold == PS_TEST_HOLD_ANSWERS;
}

void ps_test_brokers_mislead(struct ps_test_brokers *brokers, const enum ps_test_metadata *kinds,
                             unsigned count)
{
    brokers->lies = kinds;
    brokers->lie_count = count;
}

unsigned ps_test_brokers_to_mislead(const struct ps_test_brokers *brokers)
{
    return brokers->lie_count;
}

unsigned ps_test_brokers_denied(const struct ps_test_brokers *brokers)
{
    return brokers->denied;
}

bool ps_test_brokers_have_epochs(const struct ps_test_brokers *brokers)
{
    return brokers->metadata_most >= VERSION_OF_EPOCHS;
}

uint32_t ps_test_brokers_log(const struct ps_test_brokers *brokers, unsigned partition,
                             const uint32_t **numbers)
{
    *numbers = brokers->partitions[partition].numbers;
    return brokers->partitions[partition].count;
}

/* ---- batches ---- */

static void append_records(struct partition *partition, struct ps_wire_in *in, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        assert_true(partition->count < PS_TEST_RECORDS_MAX);
        partition->numbers[partition->count++] = ps_test_record_number(in, i);
    }
    assert_false(in->failed);
    assert_ptr_equal(in->at, in->end);
}

static bool is_kept(const struct partition *partition, int32_t sequence)
{
    for (unsigned i = 0; i < partition->kept_count; i++)
        if (partition->kept[i] == sequence)
            return true;
    return false;
}

static void keep(struct partition *partition, int32_t sequence)
{
    if (partition->kept_count == KEPT_BATCHES)
        memmove(partition->kept, partition->kept + 1, (KEPT_BATCHES - 1) * sizeof *partition->kept);
    else
        partition->kept_count++;
    partition->kept[partition->kept_count - 1] = sequence;
}

/* Appends a batch as Kafka does. Returns the error. */
static int16_t append(struct partition *partition, const char *bytes, uint32_t length)
{
    struct ps_wire_in in = {.at = bytes, .end = bytes + length};
    assert_int_equal(ps_wire_get_int64(&in), 0);
    assert_int_equal(ps_wire_get_int32(&in), length - 12);
    (void)ps_wire_get_int32(&in);
    assert_int_equal(ps_wire_get_int8(&in), 2);
    uint32_t checksum = (uint32_t)ps_wire_get_int32(&in);
    assert_int_equal(checksum, ps_crc32c(0, in.at, (size_t)(in.end - in.at)));
    assert_int_equal(ps_wire_get_int16(&in), 0);
    int32_t last = ps_wire_get_int32(&in);
    assert_true(ps_wire_get_int64(&in) <= ps_wire_get_int64(&in)); /* first and last time */
    assert_int_equal(ps_wire_get_int64(&in), 77);
    assert_int_equal(ps_wire_get_int16(&in), 0);
    int32_t sequence = ps_wire_get_int32(&in), count = ps_wire_get_int32(&in);
    assert_int_equal(count, last + 1);
    if (is_kept(partition, sequence))
        return 0; /* a duplicate is answered like the original */
    if (partition->kept_count > 0 && sequence != partition->next)
        return ERROR_OUT_OF_ORDER; /* the first one of a producer may be any */
    append_records(partition, &in, count);
    partition->next = (int32_t)(((uint32_t)sequence + (uint32_t)count) & INT32_MAX);
    keep(partition, sequence);
    return 0;
}

/* ---- requests ---- */

static int16_t batch_comes(struct ps_test_brokers *brokers, unsigned node, int32_t number, const char *bytes,
                           uint32_t length)
{
    assert_in_range(number, 0, brokers->partition_count - 1);
    struct partition *partition = &brokers->partitions[number];
    if (fails(brokers)) {
        partition->leader = draw(brokers, PS_TEST_BROKERS);
        partition->epoch++;
    }
    if (partition->leader != node) {
        brokers->denied++;
        return ERROR_NOT_LEADER;
    }
    if (fails(brokers))
        return ERROR_NOT_ENOUGH_REPLICAS;
    int16_t error = append(partition, bytes, length);
    return error == 0 && fails(brokers) ? ERROR_TIMED_OUT : error;
}

static char *produce(struct ps_test_brokers *brokers, unsigned node, int16_t version, struct ps_wire_in *in,
                     char *at)
{
    uint32_t length;
    (void)ps_wire_get_string(in, &length);
    assert_int_equal(ps_wire_get_int16(in), -1); /* acks */
    (void)ps_wire_get_int32(in);
    uint32_t count = ps_wire_get_count(in, 8);
    at = ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        const char *topic = ps_wire_get_string(in, &length);
        assert_true(length == 1 && *topic == 't');
        assert_int_equal(ps_wire_get_count(in, 8), 1);
        at = ps_wire_put_string(at, "t", 1);
        at = ps_wire_put_int32(at, 1);
        int32_t number = ps_wire_get_int32(in), bytes = ps_wire_get_int32(in);
        const char *batch = ps_wire_take(in, (size_t)bytes);
        assert_non_null(batch);
        at = ps_wire_put_int32(at, number);
        at = ps_wire_put_int16(at, batch_comes(brokers, node, number, batch, (uint32_t)bytes));
        at = ps_wire_put_int64(at, 0);
        at = ps_wire_put_int64(at, -1);
        if (version >= 5)
            at = ps_wire_put_int64(at, 0);
        if (version >= 8) {
            at = ps_wire_put_int32(at, 0);
            at = ps_wire_put_int16(at, -1);
        }
    }
    return ps_wire_put_int32(at, draw(brokers, 20) == 0 ? 30 : 0); /* throttle time */
}

static enum ps_test_metadata next_metadata(struct ps_test_brokers *brokers)
{
    if (brokers->lie_count > 0) {
        brokers->lie_count--;
        return *brokers->lies++;
    }
    return fails(brokers) ? (enum ps_test_metadata)draw(brokers, PS_TEST_METADATA_KINDS)
                          : PS_TEST_METADATA_TRUE;
}

static char *put_topic(struct ps_test_brokers *brokers, int16_t version, enum ps_test_metadata kind, char *at)
{
    unsigned count = kind == PS_TEST_METADATA_NO_TOPIC ? 0
                     : kind == PS_TEST_METADATA_FEWER  ? 1
                                                       : brokers->partition_count;
    unsigned older = kind == PS_TEST_METADATA_OLDER;
    at = ps_wire_put_int16(at, kind == PS_TEST_METADATA_NO_TOPIC ? ERROR_UNKNOWN_TOPIC : 0);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int8(at, 0);
    at = ps_wire_put_int32(at, (int32_t)count);
    for (unsigned i = 0; i < count; i++) {
        const struct partition *partition = &brokers->partitions[i];
        bool none = fails(brokers); /* in an election */
        at = ps_wire_put_int16(at, none ? 5 : 0);
        at = ps_wire_put_int32(at, (int32_t)i);
        at = ps_wire_put_int32(at, none ? -1 : (int32_t)((partition->leader + older) % PS_TEST_BROKERS));
        if (version >= VERSION_OF_EPOCHS)
            at = ps_wire_put_int32(at, partition->epoch - (int32_t)older);
        for (int list = 0; list < (version >= 5 ? 3 : 2); list++)
            at = ps_wire_put_int32(at, 0);
    }
    return at;
}

static char *metadata(struct ps_test_brokers *brokers, int16_t version, char *at)
{
    if (version >= 3)
        at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, PS_TEST_BROKERS);
    for (unsigned i = 0; i < PS_TEST_BROKERS; i++) {
        at = ps_wire_put_int32(at, (int32_t)i);
        at = ps_wire_put_string(at, "127.0.0.1", 9);
        at = ps_wire_put_int32(at, (int32_t)brokers->nodes[i].connections.port);
        at = ps_wire_put_int16(at, -1);
    }
    if (version >= 2)
        at = ps_wire_put_string(at, "cluster", 7);
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, 1);
    return put_topic(brokers, version, next_metadata(brokers), at);
}

static char *versions(const struct ps_test_brokers *brokers, char *at)
{
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_int32(at, 4);
    const int16_t keys[][2] = {{0, brokers->produce_most}, {3, brokers->metadata_most}, {18, 3}, {22, 4}};
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        at = ps_wire_put_int16(at, keys[i][0]);
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int16(at, keys[i][1]);
    }
    return at;
}

static bool handle(void *argument, struct ps_test_connection *connection, struct ps_test_request *request)
{
    const struct node *node = argument;
    struct ps_test_brokers *brokers = node->brokers;
    if (request->key == 0 && node->hold == PS_TEST_HOLD_BATCHES)
        return false;
    if (fails(brokers)) {
        connection->breaks = true; /* before it is handled */
        return true;
    }
    char *at = ps_test_connection_begin(connection, request);
    if (request->key == 18) {
        at = versions(brokers, at);
    } else if (request->key == 3) {
        at = metadata(brokers, request->version, at);
    } else if (request->key == 22) {
        at = ps_wire_put_int32(at, 0);
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int64(at, brokers->producer = 77);
        at = ps_wire_put_int16(at, 0);
    } else {
        assert_int_equal(request->key, 0);
        at = produce(brokers, node->number, request->version, &request->body, at);
    }
    ps_test_connection_end(connection, at);
    assert_false(request->body.failed);
    connection->breaks = fails(brokers); /* after it is handled */
    if (fails(brokers))
        connection->late = draw(brokers, 30);
    return true;
}

/* Serves all connections. Sometimes sends only a few bytes of each, so that an answer is torn at any byte. */
void ps_test_brokers_serve(struct ps_test_brokers *brokers)
{
    for (unsigned i = 0; i < PS_TEST_BROKERS; i++) {
        struct ps_test_connections *connections = &brokers->nodes[i].connections;
        bool tears = brokers->faults > 0 && draw(brokers, 4) == 0;
        connections->step = tears ? 1 + draw(brokers, TORN_BYTES_MAX) : 0;
        ps_test_connections_serve(connections);
    }
}
