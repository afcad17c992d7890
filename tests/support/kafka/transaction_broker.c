#include "tests/support/kafka/transaction_broker_internal.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/support/support.h"

#define FIRST_ID 77

static unsigned draw(struct ps_test_coordinator *broker, unsigned below)
{
    broker->random = broker->random * UINT64_C(6364136223846793005) + 1442695040888963407U;
    return (unsigned)(broker->random >> 33) % below;
}

bool ps_test_coordinator_fails(struct ps_test_coordinator *broker)
{
    return draw(broker, 1000) < broker->faults;
}

bool ps_test_coordinator_spoils(struct ps_test_coordinator *broker)
{
    bool spoils = broker->second && ps_test_coordinator_fails(broker) && draw(broker, 4) == 0;
    broker->counts.spoilt += spoils;
    return spoils;
}

static bool handle(void *argument, struct ps_test_connection *connection, struct ps_test_request *request);

struct ps_test_coordinator *ps_test_coordinator_start(uint64_t seed, unsigned faults)
{
    struct ps_test_coordinator *broker = calloc(1, sizeof *broker);
    assert_non_null(broker);
    ps_test_coordinator_forget_id();
    broker->random = seed;
    broker->faults = faults;
    broker->producer = broker->ended = broker->next = (struct producer){.id = FIRST_ID, .epoch = -1};
    broker->generation = 1;
    broker->connections.handle = handle;
    broker->connections.argument = broker;
    ps_test_connections_open(&broker->connections);
    snprintf(broker->bootstrap, sizeof broker->bootstrap, "127.0.0.1:%u", broker->connections.port);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        broker->partitions[i].records = calloc(RECORDS_MAX, sizeof *broker->partitions[i].records);
        assert_non_null(broker->partitions[i].records);
    }
    for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++)
        broker->pending[i] = -1;
    return broker;
}

void ps_test_coordinator_use_second(struct ps_test_coordinator *broker)
{
    broker->second = true;
}

void ps_test_coordinator_stop(struct ps_test_coordinator *broker)
{
    ps_test_connections_close(&broker->connections);
    for (unsigned i = 0; i < PARTITIONS; i++) {
        for (uint32_t r = 0; r < broker->partitions[i].count; r++)
            free(broker->partitions[i].records[r].text);
        free(broker->partitions[i].records);
    }
    free(broker);
}

const char *ps_test_coordinator_bootstrap(const struct ps_test_coordinator *broker)
{
    return broker->bootstrap;
}

uint32_t ps_test_coordinator_committed(const struct ps_test_coordinator *broker, unsigned partition,
                                       uint32_t *numbers, uint32_t room)
{
    const struct partition *log = &broker->partitions[partition];
    uint32_t count = 0;
    for (uint32_t i = 0; i < log->count; i++) {
        if (log->records[i].fate != COMMITTED)
            continue;
        assert_true(count < room);
        numbers[count++] = log->records[i].number;
    }
    return count;
}

const char *ps_test_coordinator_positions(const struct ps_test_coordinator *broker, const char *owner)
{
    const struct partition *log = &broker->partitions[PS_TEST_OUT_PARTITIONS];
    for (uint32_t i = log->count; i > 0; i--)
        if (log->records[i - 1].fate == COMMITTED && strcmp(log->records[i - 1].owner, owner) == 0)
            return log->records[i - 1].text != NULL ? log->records[i - 1].text : "";
    return "";
}

struct ps_test_coordinator_counts ps_test_coordinator_counts(const struct ps_test_coordinator *broker)
{
    return broker->counts;
}

/* Returns how many of these partitions the answer has. With faults it leaves the last one out at times, which stays as it was. */
static uint32_t answered(struct ps_test_coordinator *broker, uint32_t count)
{
    return broker->faults > 0 && draw(broker, 16) == 0 ? count - 1 : count;
}

/* ---- the end of a transaction ---- */

static void end(struct ps_test_coordinator *broker, bool commit)
{
    for (unsigned i = 0; i < PARTITIONS; i++) {
        struct partition *partition = &broker->partitions[i];
        for (uint32_t r = partition->count; r-- > 0 && partition->joined;)
            if (partition->records[r].fate == OPEN)
                partition->records[r].fate = commit ? COMMITTED : ABORTED;
        partition->joined = false;
    }
    for (unsigned i = 0; i < PS_TEST_IN_PARTITIONS; i++) {
        assert_false(commit && broker->refused[i]);
        broker->refused[i] = false;
        if (commit && broker->pending[i] >= 0)
            broker->committed[i] = broker->pending[i];
        broker->pending[i] = -1;
    }
    broker->ongoing = broker->group_joined = false;
    broker->ending = ENDING_REQUESTS;
    broker->counts.commits += commit;
    broker->counts.aborts += !commit;
}

/* The transaction has timed out: the coordinator aborts it and fences the producer. */
static void time_out(struct ps_test_coordinator *broker)
{
    if (!broker->ongoing)
        return;
    broker->producer.epoch++;
    broker->counts.timed_out++;
    end(broker, false);
}

/* Returns the error that any request of a producer with this epoch may get; 0: none. */
static int16_t refuses(struct ps_test_coordinator *broker, struct producer producer)
{
    static const int16_t passing[] = {ERROR_COORDINATOR_LOADS, ERROR_NO_COORDINATOR, ERROR_NOT_COORDINATOR};
    if (ps_test_coordinator_fails(broker) && draw(broker, 4) == 0)
        time_out(broker);
    if (ps_test_coordinator_fails(broker))
        return passing[draw(broker, PS_COUNT_OF(passing))];
    if (!is_same(producer, broker->producer)) {
        broker->counts.fenced++;
        return draw(broker, 2) == 0 ? ERROR_FENCED : ERROR_INVALID_EPOCH;
    }
    if (broker->ending > 0) {
        broker->ending--;
        return ERROR_CONCURRENT;
    }
    return 0;
}

static struct producer take_producer(const struct ps_test_coordinator *broker, struct ps_wire_in *in)
{
    uint32_t length;
    if (broker->second)
        ps_wire_skip_tags(in); /* of the header */
    const char *id =
        broker->second ? ps_wire_get_compact_string(in, &length) : ps_wire_get_string(in, &length);
    ps_test_coordinator_check_id(id, length);
    struct producer producer = {.id = ps_wire_get_int64(in)};
    producer.epoch = ps_wire_get_int16(in);
    return producer;
}

/* ---- requests, by key ---- */

static char *init_producer(struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at)
{
    uint32_t length;
    const char *id = ps_wire_get_string(in, &length);
    ps_test_coordinator_check_id(id, length);
    (void)ps_wire_get_int32(in);
    int16_t error = refuses(broker, broker->producer);
    if (error == 0 && broker->ongoing) {
        end(broker, false);
        broker->producer.epoch++; /* the producer of an open transaction is fenced */
        error = ERROR_CONCURRENT;
    } else if (error == 0) {
        broker->producer.epoch++;
        broker->counts.producers++;
    }
    at = ps_wire_put_int16(ps_wire_put_int32(at, 0), error);
    at = ps_wire_put_int64(at, error == 0 ? broker->producer.id : -1);
    return ps_wire_put_int16(at, error == 0 ? broker->producer.epoch : -1);
}

static char *find_coordinator(struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at)
{
    uint32_t length;
    (void)ps_wire_get_string(in, &length);
    int8_t type = ps_wire_get_int8(in);
    assert_true((type == 1 && length >= 6) || (type == 0 && length == 1));
    bool none = ps_test_coordinator_fails(broker);
    at = ps_wire_put_int16(ps_wire_put_int32(at, 0), none ? ERROR_NO_COORDINATOR : 0);
    at = ps_wire_put_int32(ps_wire_put_int16(at, -1), none ? -1 : 0);
    at = none ? ps_wire_put_string(at, "", 0) : ps_wire_put_string(at, "127.0.0.1", 9);
    return ps_wire_put_int32(at, none ? -1 : (int32_t)broker->connections.port);
}

static char *add_partitions(struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at)
{
    int16_t error = refuses(broker, take_producer(broker, in));
    uint32_t topics = ps_wire_get_count(in, 1);
    at = ps_wire_put_int32(ps_wire_put_int32(at, 0), (int32_t)topics);
    for (uint32_t t = 0; t < topics; t++) {
        bool of_positions;
        at = ps_test_coordinator_take_topic(in, at, false, &of_positions);
        uint32_t count = ps_wire_get_count(in, 4), has = answered(broker, count);
        at = ps_wire_put_int32(at, (int32_t)has);
        for (uint32_t i = 0; i < count; i++) {
            int32_t number = ps_wire_get_int32(in);
            if (i >= has)
                continue;
            struct partition *partition = ps_test_coordinator_partition(broker, of_positions, number);
            partition->joined |= error == 0;
            broker->ongoing |= error == 0;
            at = ps_wire_put_int32(at, number);
            at = ps_wire_put_int16(at, error);
        }
    }
    return at;
}

static char *add_offsets(struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at)
{
    int16_t error = refuses(broker, take_producer(broker, in));
    if (error == 0)
        broker->ongoing = broker->group_joined = true;
    return ps_wire_put_int16(ps_wire_put_int32(at, 0), error);
}

static int16_t offsets_error(struct ps_test_coordinator *broker, struct producer producer, int32_t generation)
{
    if (ps_test_coordinator_fails(broker))
        return draw(broker, 2) == 0 ? ERROR_NO_COORDINATOR : ERROR_NOT_COORDINATOR;
    if (!is_same(producer, broker->producer)) { /* the group's coordinator learns of it by the markers */
        broker->counts.fenced++;
        return ERROR_INVALID_EPOCH;
    }
    if (broker->second && broker->ending > 0) {
        broker->ending--;
        return ERROR_CONCURRENT;
    }
    if (ps_test_coordinator_spoils(broker))
        return ERROR_ABORTABLE;
    if (broker->second)
        broker->ongoing = broker->group_joined = true;
    assert_true(broker->group_joined);
    if (generation != broker->generation) {
        broker->counts.stale++;
        return ERROR_ILLEGAL_GENERATION;
    }
    return 0;
}

static char *commit_offsets(struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at)
{
    uint32_t length;
    ps_wire_skip_tags(in);
    (void)ps_wire_get_compact_string(in, &length); /* transactional id */
    (void)ps_wire_get_compact_string(in, &length); /* group */
    struct producer producer = {.id = ps_wire_get_int64(in)};
    producer.epoch = ps_wire_get_int16(in);
    int32_t generation = ps_wire_get_int32(in);
    const char *member = ps_wire_get_compact_string(in, &length);
    assert_true(length == 1 && *member == 'm');
    assert_null(ps_wire_get_compact_string(in, &length)); /* instance */
    int16_t error = offsets_error(broker, producer, generation);
    uint32_t count = ps_wire_get_compact_count(in, 1), has = answered(broker, count);
    at = ps_wire_put_int32(ps_wire_put_uvarint(at, 0), 0);
    at = ps_wire_put_uvarint(at, 2);
    at = ps_wire_put_text(at, "in", 2, true);
    at = ps_wire_put_uvarint(at, has + 1);
    for (uint32_t i = 0; i < count; i++) { /* a topic for each partition */
        (void)ps_wire_get_compact_string(in, &length);
        assert_int_equal(ps_wire_get_compact_count(in, 1), 1);
        int32_t number = ps_wire_get_int32(in);
        int64_t offset = ps_wire_get_int64(in);
        assert_int_equal(ps_wire_get_int32(in), ps_test_coordinator_epoch(offset));
        (void)ps_wire_get_compact_string(in, &length);
        ps_wire_skip_tags(in);
        ps_wire_skip_tags(in); /* of the topic */
        assert_in_range(number, 0, PS_TEST_IN_PARTITIONS - 1);
        if (i >= has) {
            broker->refused[number] = true;
            continue;
        }
        if (error == 0) {
            broker->refused[number] = false;
            broker->pending[number] = offset;
        }
        at = ps_wire_put_int32(at, number);
        at = ps_wire_put_int16(at, error);
        at = ps_wire_put_uvarint(at, 0);
    }
    ps_wire_skip_tags(in);
    return ps_wire_put_uvarint(ps_wire_put_uvarint(at, 0), 0);
}

/* Sets the producer of the next transaction. When its epochs are used up, it gets a new id. */
static void follow(struct ps_test_coordinator *broker, struct producer producer)
{
    bool used_up = draw(broker, 8) == 0;
    broker->ended = producer;
    broker->next = used_up ? (struct producer){.id = producer.id + 1}
                           : (struct producer){.id = producer.id, .epoch = (int16_t)(producer.epoch + 1)};
    broker->producer = broker->next;
}

/* Returns whether the request repeats one that ended the transaction. */
static bool is_repeat(const struct ps_test_coordinator *broker, struct producer producer)
{
    return broker->second ? is_same(producer, broker->ended) && is_same(broker->next, broker->producer)
                          : !broker->ongoing && is_same(producer, broker->producer);
}

static int16_t commit_error(struct ps_test_coordinator *broker, struct producer producer)
{
    if (is_repeat(broker, producer))
        return 0;
    int16_t error = broker->ongoing ? refuses(broker, producer) : ERROR_INVALID_EPOCH;
    broker->counts.fenced += error == ERROR_INVALID_EPOCH;
    return error == 0 && ps_test_coordinator_spoils(broker) ? ERROR_ABORTABLE : error;
}

static char *end_transaction(struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at)
{
    struct producer producer = take_producer(broker, in);
    int16_t error = commit_error(broker, producer);
    assert_int_equal(ps_wire_get_int8(in), 1);
    if (error == 0 && broker->ongoing && is_same(producer, broker->producer)) {
        end(broker, true);
        if (broker->second)
            follow(broker, producer);
        if (draw(broker, 200) < broker->faults) {
            broker->counts.unconfirmed++;
            error = ERROR_NO_COORDINATOR;
            broker->mute = draw(broker, 2) == 0; /* or the answer is lost */
            if (draw(broker, 2) == 0)
                broker->producer.epoch++; /* another producer comes in between */
        }
    }
    at = broker->second ? ps_wire_put_uvarint(at, 0) : at;
    at = ps_wire_put_int16(ps_wire_put_int32(at, 0), error);
    if (!broker->second)
        return at;
    at = ps_wire_put_int64(at, error == 0 ? broker->producer.id : -1);
    return ps_wire_put_uvarint(ps_wire_put_int16(at, error == 0 ? broker->producer.epoch : -1), 0);
}

static char *fetch_offsets(struct ps_test_coordinator *broker, struct ps_wire_in *in, char *at)
{
    uint32_t length;
    ps_wire_skip_tags(in);
    (void)ps_wire_get_compact_string(in, &length);
    uint32_t topics = ps_wire_get_compact_count(in, 3);
    bool none = ps_test_coordinator_fails(broker);
    broker->counts.resolved += !none;
    at = ps_wire_put_int32(ps_wire_put_uvarint(at, 0), 0); /* tags, throttle time */
    at = ps_wire_put_uvarint(at, topics + 1);
    for (uint32_t i = 0; i < topics; i++) {
        (void)ps_wire_get_compact_string(in, &length);
        assert_int_equal(ps_wire_get_compact_count(in, 4), 1);
        int32_t number = ps_wire_get_int32(in);
        ps_wire_skip_tags(in);
        at = ps_wire_put_text(at, "in", 2, true);
        at = ps_wire_put_int32(ps_wire_put_uvarint(at, 2), number);
        at = ps_wire_put_int64(at, none ? -1 : broker->committed[number]);
        at = ps_wire_put_text(ps_wire_put_int32(at, -1), "", 0, true);
        at = ps_wire_put_int16(at, none ? ERROR_UNSTABLE : 0);
        at = ps_wire_put_uvarint(ps_wire_put_uvarint(at, 0), 0); /* tags of the partition, of the topic */
    }
    assert_int_equal(ps_wire_get_int8(in), 1); /* stable offsets */
    ps_wire_skip_tags(in);
    return ps_wire_put_uvarint(ps_wire_put_int16(at, 0), 0);
}

static char *answer(struct ps_test_coordinator *broker, int16_t key, int16_t version, struct ps_wire_in *in,
                    char *at)
{
    assert_true(!broker->second || (key != 24 && key != 25));
    assert_true(key != 26 || version == (broker->second ? 5 : 0));
    assert_true(key != 28 || version == (broker->second ? 5 : 3));
    switch (key) {
    case 0:
        return ps_test_coordinator_produce(broker, version, in, at);
    case 3:
        return ps_test_coordinator_metadata(broker, in, at);
    case 9:
        return fetch_offsets(broker, in, at);
    case 10:
        return find_coordinator(broker, in, at);
    case 18:
        return ps_test_coordinator_versions(broker, version, at);
    case 22:
        return init_producer(broker, in, at);
    case 24:
        return add_partitions(broker, in, at);
    case 25:
        return add_offsets(broker, in, at);
    case 26:
        return end_transaction(broker, in, at);
    default:
        assert_int_equal(key, 28);
        return commit_offsets(broker, in, at);
    }
}

static bool handle(void *argument, struct ps_test_connection *connection, struct ps_test_request *request)
{
    struct ps_test_coordinator *broker = argument;
    struct ps_wire_in *in = &request->body;
    if (ps_test_coordinator_fails(broker)) {
        connection->breaks = true; /* before it is carried out */
        return true;
    }
    char *at =
        answer(broker, request->key, request->version, in, ps_test_connection_begin(connection, request));
    assert_false(in->failed);
    if (broker->mute) {
        broker->mute = false;
        connection->breaks = true;
        return true;
    }
    ps_test_connection_end(connection, at);
    connection->breaks = ps_test_coordinator_fails(broker); /* after the answer */
    return true;
}

bool ps_test_coordinator_serve(struct ps_test_coordinator *broker)
{
    return ps_test_connections_serve(&broker->connections);
}
