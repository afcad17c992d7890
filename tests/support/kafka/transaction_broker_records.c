/* The topics of the broker with transactions: the answers to Produce and Metadata. */
#include "tests/support/kafka/record_number.h"
#include "tests/support/kafka/transaction_broker_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char last_id[64]; /* the transactional id of the requests */
static bool has_several_ids;

void ps_test_coordinator_forget_id(void)
{
    last_id[0] = '\0';
    has_several_ids = false;
}

void ps_test_coordinator_several_ids(void)
{
    has_several_ids = true;
}

const char *ps_test_coordinator_last_id(void)
{
    return last_id;
}

/* All requests have the same id, unless the test has several producers in turn. */
void ps_test_coordinator_check_id(const char *id, uint32_t length)
{
    assert_true(id != NULL && length >= 6 && length < sizeof last_id && memcmp(id, "once-", 5) == 0);
    assert_true(has_several_ids || last_id[0] == '\0' ||
                (strlen(last_id) == length && memcmp(last_id, id, length) == 0));
    memcpy(last_id, id, length);
    last_id[length] = '\0';
}

char *ps_test_coordinator_take_topic(struct ps_wire_in *in, char *at, bool flexible, bool *of_positions)
{
    uint32_t length;
    const char *name = flexible ? ps_wire_get_compact_string(in, &length) : ps_wire_get_string(in, &length);
    *of_positions = length == strlen(PS_TEST_POSITIONS) && memcmp(name, PS_TEST_POSITIONS, length) == 0;
    assert_true(*of_positions || (length == 3 && memcmp(name, "out", 3) == 0));
    return ps_wire_put_text(at, name, length, flexible);
}

struct partition *ps_test_coordinator_partition(struct ps_test_coordinator *broker, bool of_positions,
                                                int32_t number)
{
    assert_in_range(number, 0, of_positions ? 0 : PS_TEST_OUT_PARTITIONS - 1);
    return &broker->partitions[of_positions ? (int32_t)PS_TEST_OUT_PARTITIONS : number];
}

/* ---- records ---- */

/* Appends a record of positions: its key names the owner, or the owner and a file. A record without a value removes the file. */
static void append_position(struct partition *partition, struct ps_wire_in *in, int32_t number)
{
    assert_true(partition->count < RECORDS_MAX);
    (void)ps_test_record_varint(in); /* length */
    assert_int_equal(ps_wire_get_int8(in), 0);
    (void)ps_test_record_varint(in); /* timestamp delta */
    assert_int_equal(ps_test_record_varint(in), number);
    int64_t key_length = ps_test_record_varint(in);
    const char *key = ps_wire_take(in, (size_t)key_length);
    assert_non_null(key);
    assert_in_range(key_length, 20, sizeof partition->records->owner - 1);
    assert_true(memcmp(key, "log/", 4) == 0 || memcmp(key, "file/", 5) == 0);
    int64_t length = ps_test_record_varint(in);
    const char *value = length >= 0 ? ps_wire_take(in, (size_t)length) : NULL;
    char *text = value != NULL ? strndup(value, (size_t)length) : NULL;
    assert_true(length < 0 || text != NULL);
    assert_int_equal(ps_test_record_varint(in), 0); /* headers */
    partition->records[partition->count].text = text;
    snprintf(partition->records[partition->count].owner, sizeof partition->records->owner, "%.*s",
             (int)key_length, key);
    partition->records[partition->count++].fate = OPEN;
}

static void append_positions(struct partition *partition, struct ps_wire_in *in, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        append_position(partition, in, i);
}

static void append_records(struct partition *partition, struct ps_wire_in *in, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        assert_true(partition->count < RECORDS_MAX);
        partition->records[partition->count].number = ps_test_record_number(in, i);
        partition->records[partition->count++].fate = OPEN;
    }
}

static int16_t append(struct ps_test_coordinator *broker, struct partition *partition, const char *bytes,
                      uint32_t length)
{
    struct ps_wire_in in = {.at = bytes, .end = bytes + length};
    (void)ps_wire_take(&in, 21);
    assert_int_equal(ps_wire_get_int16(&in), 0x10); /* part of a transaction */
    (void)ps_wire_take(&in, 20);
    struct producer producer = {.id = ps_wire_get_int64(&in)};
    producer.epoch = ps_wire_get_int16(&in);
    int32_t sequence = ps_wire_get_int32(&in), count = ps_wire_get_int32(&in);
    if (!is_same(producer, broker->producer)) {
        broker->counts.fenced++;
        return ERROR_INVALID_EPOCH;
    }
    if (broker->second && !partition->joined && broker->ending > 0) {
        broker->ending--;
        return ERROR_NOT_ENOUGH_REPLICAS; /* brokers answer this for CONCURRENT_TRANSACTIONS */
    }
    if (ps_test_coordinator_spoils(broker))
        return ERROR_ABORTABLE;
    bool of_positions = partition == &broker->partitions[PS_TEST_OUT_PARTITIONS];
    if (broker->second)
        partition->joined = broker->ongoing = true;
    assert_true(partition->joined);
    if (!is_same(partition->producer, producer)) {
        partition->producer = producer;
        partition->next = 0;
    }
    if (sequence < partition->next)
        return 0; /* a duplicate is answered like the original */
    if (sequence != partition->next)
        return ERROR_OUT_OF_ORDER;
    if (of_positions)
        append_positions(partition, &in, count);
    else
        append_records(partition, &in, count);
    partition->next += count;
    return 0;
}

static char *produce_topic(struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at)
{
    bool of_positions, second = broker->second;
    at = ps_test_coordinator_take_topic(in, at, second, &of_positions);
    uint32_t count = second ? ps_wire_get_compact_count(in, 6) : ps_wire_get_count(in, 8);
    at = second ? ps_wire_put_uvarint(at, count + 1) : ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        int32_t number = ps_wire_get_int32(in);
        int32_t bytes = second ? (int32_t)ps_wire_get_uvarint(in) - 1 : ps_wire_get_int32(in);
        const char *batch = ps_wire_take(in, (size_t)bytes);
        assert_non_null(batch);
        struct partition *partition = ps_test_coordinator_partition(broker, of_positions, number);
        int16_t error = ps_test_coordinator_fails(broker) ? ERROR_NOT_LEADER
                                                          : append(broker, partition, batch, (uint32_t)bytes);
        at = ps_wire_put_int32(at, number);
        at = ps_wire_put_int16(at, error);
        for (unsigned field = 0; field < 3; field++)
            at = ps_wire_put_int64(at, 0);
        if (second) {
            ps_wire_skip_tags(in);
            at = ps_wire_put_uvarint(at, 1); /* no errors of records, */
            at = ps_wire_put_uvarint(at, 0); /* no text, */
            at = ps_wire_put_uvarint(at, 0); /* no tags */
        } else {
            at = ps_wire_put_int32(at, 0);
            at = ps_wire_put_int16(at, -1);
        }
    }
    if (!second)
        return at;
    ps_wire_skip_tags(in);
    return ps_wire_put_uvarint(at, 0);
}

char *ps_test_coordinator_produce(struct ps_test_coordinator *broker, int16_t version, struct ps_wire_in *in,
                                  char *at)
{
    uint32_t length;
    bool second = broker->second;
    if (second)
        ps_wire_skip_tags(in);
    const char *id = second ? ps_wire_get_compact_string(in, &length) : ps_wire_get_string(in, &length);
    ps_test_coordinator_check_id(id, length);
    (void)ps_wire_get_int16(in);
    (void)ps_wire_get_int32(in);
    uint32_t topics = second ? ps_wire_get_compact_count(in, 1) : ps_wire_get_count(in, 1);
    assert_int_equal(version, second ? 12 : 8);
    if (second)
        at = ps_wire_put_uvarint(at, 0);
    at = second ? ps_wire_put_uvarint(at, topics + 1) : ps_wire_put_int32(at, (int32_t)topics);
    for (uint32_t t = 0; t < topics; t++)
        at = produce_topic(broker, in, at);
    at = ps_wire_put_int32(at, 0);
    if (!second)
        return at;
    ps_wire_skip_tags(in);
    return ps_wire_put_uvarint(at, 0);
}

static char *put_topic(char *at, const char *name, unsigned partitions)
{
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_string(at, name, strlen(name));
    at = ps_wire_put_int8(at, 0);
    at = ps_wire_put_int32(at, (int32_t)partitions);
    for (unsigned i = 0; i < partitions; i++) {
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int32(at, (int32_t)i);
        at = ps_wire_put_int32(at, 0); /* leader */
        for (int field = 0; field < 4; field++)
            at = ps_wire_put_int32(at, 0); /* its epoch, and three lists */
    }
    return at;
}

/* Reads the request. Returns whether it asks for the input's topic, as a client does that looks whether it was deleted. */
static bool asks_for_input(struct ps_wire_in *in)
{
    uint32_t length, count = ps_wire_get_count(in, 2);
    bool asks = false;
    for (uint32_t i = 0; i < count; i++) {
        const char *name = ps_wire_get_string(in, &length);
        asks |= length == 2 && memcmp(name, "in", 2) == 0;
    }
    if (asks)
        assert_int_equal(ps_wire_get_int8(in), 0); /* the question must not create the topic */
    return asks;
}

char *ps_test_coordinator_metadata(const struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at)
{
    bool of_input = asks_for_input(in);
    at = ps_wire_put_int32(ps_wire_put_int32(at, 0), 1); /* throttle time, brokers */
    at = ps_wire_put_string(ps_wire_put_int32(at, 0), "127.0.0.1", 9);
    at = ps_wire_put_int16(ps_wire_put_int32(at, (int32_t)broker->connections.port), -1); /* no rack */
    at = ps_wire_put_string(at, "here", 4);
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, of_input ? 3 : 2);
    if (of_input)
        at = put_topic(at, "in", PS_TEST_IN_PARTITIONS);
    at = put_topic(at, "out", PS_TEST_OUT_PARTITIONS);
    return put_topic(at, PS_TEST_POSITIONS, 1);
}

/* The answer to ApiVersions with the second protocol: version 3, and the cluster's features. */
static char *put_second_versions(char *at)
{
    static const int16_t keys[][2] = {{0, 13}, {3, 7}, {9, 9}, {10, 4}, {18, 4}, {22, 5}, {26, 5}, {28, 5}};
    static const char feature[] = "transaction.version";
    at = ps_wire_put_uvarint(ps_wire_put_int16(at, 0), PS_COUNT_OF(keys) + 1);
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        at = ps_wire_put_int16(at, keys[i][0]);
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int16(at, keys[i][1]);
        at = ps_wire_put_uvarint(at, 0);
    }
    at = ps_wire_put_int32(at, 0);   /* throttle time */
    at = ps_wire_put_uvarint(at, 2); /* tags: the epoch of the features, and the features */
    at = ps_wire_put_uvarint(ps_wire_put_uvarint(at, 1), 8);
    at = ps_wire_put_int64(at, 1);
    at = ps_wire_put_uvarint(ps_wire_put_uvarint(at, 2), 1 + sizeof feature + 5);
    at = ps_wire_put_text(ps_wire_put_uvarint(at, 2), feature, sizeof feature - 1, true);
    at = ps_wire_put_int16(at, 2);
    at = ps_wire_put_int16(at, 0);
    return ps_wire_put_uvarint(at, 0);
}

char *ps_test_coordinator_versions(const struct ps_test_coordinator *broker, int16_t version, char *at)
{
    static const int16_t keys[][2] = {{0, 8}, {3, 7}, {9, 7}, {10, 1}, {18, 3}, {22, 1}, {28, 3}};
    if (broker->second) {
        assert_int_equal(version, 3);
        return put_second_versions(at);
    }
    if (version > 0) /* as a broker before 2.4: it does not know that version */
        return ps_wire_put_int32(ps_wire_put_int16(at, ERROR_UNSUPPORTED_VERSION), 0);
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_int32(at, PS_COUNT_OF(keys));
    for (size_t i = 0; i < PS_COUNT_OF(keys); i++) {
        at = ps_wire_put_int16(at, keys[i][0]);
        at = ps_wire_put_int16(at, 0);
        at = ps_wire_put_int16(at, keys[i][1]);
    }
    return at;
}
