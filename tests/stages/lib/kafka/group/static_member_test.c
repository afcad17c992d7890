/* A static member (KIP-345) that comes back within its session, before a coordinator that keeps the group's assignment, as the leader
 * or beside another one, with JoinGroup 9 (KIP-814) and with 5. All partitions of its topics are read, no others, and the
 * group rebalances only if that needs it. */
#include "stages/lib/kafka/group/assignment.h"
#include "stages/lib/kafka/fetch/reading.h"

#include "core/log/log.h"
#include "tests/support/kafka/connections.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/stage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TURNS_MAX 20000U
#define TOPICS 2U
#define SUBSCRIPTION_MAX 256U
#define TEXT(text) ((struct ps_slice){text, (uint32_t)strlen(text)})

static struct fake {
    struct ps_test_connections node;
    bool skips, leads; /* JoinGroup 9; the member is the leader */
    int32_t partitions[TOPICS];
    bool foreign; /* another member's assignment cannot be read */
    unsigned connections;
    unsigned moves;      /* answers to DescribeGroups of a broker that is not the coordinator any more */
    unsigned life;       /* of the member: its id is "m<life>"; 0: the group does not have it */
    unsigned rebalances; /* also the generation */
    char subscription[SUBSCRIPTION_MAX];
    uint32_t subscription_length;
    unsigned wants;            /* bits: topics of the subscription */
    unsigned assigned[TOPICS]; /* bits: partitions */
    unsigned read[TOPICS];     /* bits: partitions that this process has fetched */
} fake;

static char *put_id(char *at, unsigned life, bool flexible)
{
    char id[16];
    int length = snprintf(id, sizeof id, "m%u", life);
    return ps_wire_put_text(at, id, (size_t)length, flexible);
}

static unsigned topic_of(const char *name, uint32_t length)
{
    assert_int_equal(length, 1);
    return *name == 'a' ? 0 : 1;
}

/* ---- the cluster ---- */

static char *put_versions(char *at)
{
    const int16_t known[][2] = {{0, 3},  {1, 4},  {2, 1},  {3, 4},  {8, 2},  {9, 2},
                                {10, 1}, {11, 5}, {12, 3}, {13, 1}, {14, 3}, {15, 2}};
    at = ps_wire_put_int32(ps_wire_put_int16(at, 0), (int32_t)PS_COUNT_OF(known));
    for (size_t i = 0; i < PS_COUNT_OF(known); i++) {
        at = ps_wire_put_int16(ps_wire_put_int16(at, known[i][0]), 0);
        at = ps_wire_put_int16(at, known[i][0] == 11 && fake.skips ? 9 : known[i][1]);
    }
    return at;
}

static char *put_metadata(struct ps_wire_in *in, char *at)
{
    uint32_t length, count = ps_wire_get_count(in, 2);
    at = ps_wire_put_int32(ps_wire_put_int32(at, 0), 1); /* no throttling, one broker */
    at = ps_wire_put_string(ps_wire_put_int32(at, 0), "127.0.0.1", 9);
    at = ps_wire_put_int16(ps_wire_put_int32(at, (int32_t)fake.node.port), -1);
    at = ps_wire_put_int32(ps_wire_put_int16(at, -1), 0);
    at = ps_wire_put_int32(at, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        const char *name = ps_wire_get_string(in, &length);
        int32_t partitions = fake.partitions[topic_of(name, length)];
        at = ps_wire_put_string(ps_wire_put_int16(at, 0), name, length);
        at = ps_wire_put_int32(ps_wire_put_int8(at, 0), partitions);
        for (int32_t p = 0; p < partitions; p++) {
            at = ps_wire_put_int32(ps_wire_put_int32(ps_wire_put_int16(at, 0), p), 0);
            at = ps_wire_put_int32(ps_wire_put_int32(at, 0), 0);
        }
    }
    return at;
}

/* Answers OffsetFetch, ListOffsets or Fetch: nothing is committed, logs begin and end at 0. */
static char *put_partitions(int16_t key, struct ps_wire_in *in, char *at)
{
    uint32_t length, topics = ps_wire_get_count(in, 6);
    at = ps_wire_put_int32(at, (int32_t)topics);
    for (uint32_t t = 0; t < topics; t++) {
        const char *name = ps_wire_get_string(in, &length);
        uint32_t count = ps_wire_get_count(in, 4);
        at = ps_wire_put_int32(ps_wire_put_string(at, name, length), (int32_t)count);
        for (uint32_t i = 0; i < count; i++) {
            int32_t partition = ps_wire_get_int32(in);
            (void)ps_wire_take(in, key == 9 ? 0 : key == 2 ? 8 : 12);
            at = ps_wire_put_int32(at, partition);
            if (key == 9) {
                at = ps_wire_put_string(ps_wire_put_int64(at, -1), "", 0);
                at = ps_wire_put_int16(at, 0);
            } else if (key == 2) {
                at = ps_wire_put_int64(ps_wire_put_int64(ps_wire_put_int16(at, 0), -1), 0);
            } else {
                fake.read[topic_of(name, length)] |= 1U << (unsigned)partition;
                at = ps_wire_put_int64(ps_wire_put_int64(ps_wire_put_int16(at, 0), 0), 0);
                at = ps_wire_put_int32(ps_wire_put_int32(at, 0), 0); /* no aborted transactions, no records */
            }
        }
    }
    return at;
}

/* ---- the group ---- */

static char *put_join(struct ps_test_request *request, char *at)
{
    struct ps_wire_in *in = &request->body;
    bool flexible = request->version == 9, renewed = false;
    uint32_t length, id_length;
    char own[16];
    in->flexible = flexible;
    ps_wire_end_fields(in);
    (void)ps_wire_get_string(in, &length);
    (void)ps_wire_get_int64(in); /* two time limits */
    const char *id = ps_wire_get_string(in, &id_length);
    const char *instance = ps_wire_get_string(in, &length);
    assert_true(length == 1 && *instance == 'i');
    (void)ps_wire_get_string(in, &length);
    assert_int_equal(ps_wire_get_count(in, 2), 1);
    (void)ps_wire_get_string(in, &length);
    length = ps_wire_get_count(in, 1);
    const char *bytes = ps_wire_take(in, length);
    assert_in_range(length, 1, SUBSCRIPTION_MAX);
    bool same = length == fake.subscription_length && memcmp(bytes, fake.subscription, length) == 0;
    memcpy(fake.subscription, bytes, length);
    fake.subscription_length = length;
    struct ps_kafka_group_member member = {0};
    assert_true(ps_kafka_subscription_read(bytes, length, &member));
    fake.wants = 0;
    for (uint32_t i = 0; i < member.topic_count; i++)
        fake.wants |= 1U << topic_of(member.topics[i].data, member.topics[i].length);
    ps_kafka_group_member_fini(&member);
    unsigned former = fake.life;
    if (id_length == 0) {
        renewed = former != 0;
        fake.life++;
    } else {
        int own_length = snprintf(own, sizeof own, "m%u", fake.life);
        assert_true((int)id_length == own_length && memcmp(id, own, id_length) == 0);
    }
    if (!renewed && (former == 0 || fake.leads || !same))
        fake.rebalances++;
    at = flexible ? ps_wire_put_uvarint(at, 0) : at;
    at = ps_wire_put_int16(ps_wire_put_int32(at, 0), 0);
    at = ps_wire_put_int32(at, (int32_t)fake.rebalances);
    at = flexible ? ps_wire_put_text(at, "consumer", 8, true) : at;
    at = ps_wire_put_text(at, "range", 5, flexible);
    at = !fake.leads ? ps_wire_put_text(at, "z", 1, flexible)
                     : put_id(at, renewed && !flexible ? former : fake.life, flexible);
    at = flexible ? ps_wire_put_int8(at, renewed && fake.leads) : at;
    at = put_id(at, fake.life, flexible);
    bool lists = fake.leads && (flexible || !renewed);
    at = flexible ? ps_wire_put_uvarint(at, lists + 1U) : ps_wire_put_int32(at, lists);
    if (lists) {
        at = ps_wire_put_text(put_id(at, fake.life, flexible), "i", 1, flexible);
        at = flexible ? ps_wire_put_uvarint(at, length + 1) : ps_wire_put_int32(at, (int32_t)length);
        at = ps_wire_put_bytes(at, fake.subscription, length);
        at = flexible ? ps_wire_put_uvarint(at, 0) : at;
    }
    return flexible ? ps_wire_put_uvarint(at, 0) : at;
}

static void take(void *, struct ps_slice topic, int32_t partition)
{
    fake.assigned[topic_of(topic.data, topic.length)] |= 1U << (unsigned)partition;
}

static char *put_assignment(char *at)
{
    uint32_t owners[TOPICS * 8];
    const struct ps_kafka_group_topic topics[TOPICS] = {{TEXT("a"), 8, 0}, {TEXT("b"), 8, 8}};
    const struct ps_kafka_group all = {.topics = topics, .topic_count = TOPICS};
    for (unsigned t = 0; t < TOPICS; t++)
        for (unsigned p = 0; p < 8; p++)
            owners[8 * t + p] = (fake.assigned[t] >> p & 1) != 0 ? 0 : PS_KAFKA_GROUP_NOBODY;
    size_t length = ps_kafka_assignment_write(NULL, &all, owners, 0);
    at = ps_wire_put_int32(at, (int32_t)length);
    (void)ps_kafka_assignment_write(at, &all, owners, 0);
    return at + length;
}

/* Takes the leader's assignment; the other leader assigns when the generation is new. */
static char *put_sync(struct ps_wire_in *in, char *at)
{
    static unsigned assigned_for;
    uint32_t length;
    (void)ps_wire_get_string(in, &length);
    assert_int_equal(ps_wire_get_int32(in), fake.rebalances);
    (void)ps_wire_get_string(in, &length);
    (void)ps_wire_get_string(in, &length);
    uint32_t count = ps_wire_get_count(in, 6);
    if (count == 1) {
        (void)ps_wire_get_string(in, &length);
        length = ps_wire_get_count(in, 1);
        memset(fake.assigned, 0, sizeof fake.assigned);
        assert_true(ps_kafka_assignment_read(ps_wire_take(in, length), length, take, NULL));
    } else if (!fake.leads && (assigned_for != fake.rebalances || fake.rebalances == 1)) {
        for (unsigned t = 0; t < TOPICS; t++)
            fake.assigned[t] = (fake.wants >> t & 1) != 0 ? (1U << fake.partitions[t]) - 1 : 0;
    }
    assigned_for = fake.rebalances;
    return put_assignment(ps_wire_put_int16(ps_wire_put_int32(at, 0), 0));
}

static char *put_description(char *at)
{
    at = ps_wire_put_int32(ps_wire_put_int32(at, 0), 1);
    if (fake.moves > 0) {
        fake.moves--;
        at = ps_wire_put_string(ps_wire_put_int16(at, 16), "g", 1); /* NOT_COORDINATOR */
        for (unsigned text = 0; text < 3; text++)
            at = ps_wire_put_string(at, "", 0);
        return ps_wire_put_int32(at, 0);
    }
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_string(ps_wire_put_string(at, "g", 1), "Stable", 6);
    at = ps_wire_put_string(ps_wire_put_string(at, "consumer", 8), "range", 5);
    at = ps_wire_put_int32(at, 1 + fake.foreign);
    if (fake.foreign) {
        for (unsigned text = 0; text < 3; text++)
            at = ps_wire_put_string(at, "z", 1);
        at = ps_wire_put_int32(ps_wire_put_int32(at, 0), 2); /* subscription, assignment */
        at = ps_wire_put_int16(at, -1);
    }
    at = put_id(at, fake.life, false);
    at = ps_wire_put_string(ps_wire_put_string(at, "client", 6), "/127.0.0.1", 10);
    at = ps_wire_put_int32(at, (int32_t)fake.subscription_length);
    return put_assignment(ps_wire_put_bytes(at, fake.subscription, fake.subscription_length));
}

static bool handle(void *, struct ps_test_connection *connection, struct ps_test_request *request)
{
    char *at = ps_test_connection_begin(connection, request);
    uint32_t length;
    switch (request->key) {
    case 1:
        (void)ps_wire_take(&request->body, 17); /* replica, wait, two sizes, isolation */
        at = put_partitions(1, &request->body, ps_wire_put_int32(at, 0));
        break;
    case 2:
        (void)ps_wire_get_int32(&request->body);
        at = put_partitions(2, &request->body, at);
        break;
    case 3:
        at = put_metadata(&request->body, at);
        break;
    case 9:
        (void)ps_wire_get_string(&request->body, &length);
        at = ps_wire_put_int16(put_partitions(9, &request->body, at), 0);
        break;
    case 10:
        at = ps_wire_put_int32(ps_wire_put_int16(ps_wire_put_int16(ps_wire_put_int32(at, 0), 0), -1), 0);
        at = ps_wire_put_int32(ps_wire_put_string(at, "127.0.0.1", 9), (int32_t)fake.node.port);
        break;
    case 11:
        at = put_join(request, at);
        break;
    case 12:
        at = ps_wire_put_int16(ps_wire_put_int32(at, 0), 0);
        break;
    case 14:
        at = put_sync(&request->body, at);
        break;
    case 15:
        at = put_description(at);
        break;
    default:
        assert_int_equal(request->key, 18);
        fake.connections++;
        at = put_versions(at);
    }
    ps_test_connection_end(connection, at);
    return true;
}

/* ---- processes ---- */

static struct ps_test_stage stage;
static struct ps_kafka_fetch *reading;
static uint64_t now_ns;

static void start(const char *const *topics, size_t count)
{
    char bootstrap[32];
    snprintf(bootstrap, sizeof bootstrap, "127.0.0.1:%u", fake.node.port);
    const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = bootstrap},
                                    {.key = "auto.offset.reset", .value = "earliest"},
                                    {.key = "partition.assignment.strategy", .value = "range"},
                                    {.key = "topic.metadata.refresh.interval.ms", .value = "500"},
                                    {.key = "group.instance.id", .value = "i"},
                                    {.key = "retry.backoff.ms", .value = "10"}};
    const struct ps_kafka_reading_config config = {.port = &stage.port,
                                                   .settings = ps_test_settings(pairs, PS_COUNT_OF(pairs)),
                                                   .group = "g",
                                                   .subscription = {count, (const char **)(uintptr_t)topics},
                                                   .commit_interval_ns = 50 * PS_NS_PER_MS,
                                                   .revoke_wait_ns = PS_NS_PER_S,
                                                   .held_bytes_max = 4U << 20};
    struct ps_err err = {0};
    memset(fake.read, 0, sizeof fake.read);
    reading = ps_kafka_reading_open(&config, &err);
    assert_non_null(reading);
}

static void restart(const char *const *topics, size_t count)
{
    ps_kafka_reading_destroy(reading); /* a static member does not leave */
    start(topics, count);
}

static void turn(void)
{
    struct ps_err err;
    (void)ps_kafka_reading_tick(reading, false, now_ns);
    assert_false(ps_kafka_reading_failed(reading, &err));
    now_ns += ps_test_connections_serve(&fake.node) ? PS_NS_PER_MS / 4 : 5 * PS_NS_PER_MS;
}

/* Runs until exactly these partitions are read, and for some time more. */
static void expect(unsigned a, unsigned b, unsigned rebalances)
{
    for (unsigned turns = 0; fake.read[0] != a || fake.read[1] != b; turns++) {
        if (turns > TURNS_MAX)
            fail_msg("partitions %x of a and %x of b are read", fake.read[0], fake.read[1]);
        turn();
    }
    for (unsigned turns = 0; turns < 500; turns++)
        turn();
    assert_int_equal(fake.read[0], a);
    assert_int_equal(fake.read[1], b);
    assert_int_equal(fake.rebalances, rebalances);
}

static void come_back(bool skips, bool leads)
{
    static const char *const a[] = {"a"}, *const b[] = {"b"}, *const both[] = {"a", "b"};
    fake = (struct fake){.skips = skips, .leads = leads, .partitions = {2, 2}};
    fake.node.handle = handle;
    ps_test_connections_open(&fake.node);
    ps_test_stage_init(&stage, &ps_source_kafka);
    now_ns = stage.now.mono_ns;
    start(a, 1);
    expect(3, 0, 1);
    restart(a, 1); /* nothing has changed: nobody notices */
    expect(3, 0, 1);
    fake.partitions[0] = 3; /* a partition is added to a member that has come back */
    expect(7, 0, 2);
    restart(a, 1);
    fake.partitions[0] = 4; /* the same before it has looked */
    expect(15, 0, 3);
    restart(b, 1);
    expect(0, 3, 4);
    fake.moves = 2;
    restart(both, 2);
    expect(15, 3, 5);
    assert_int_equal(fake.moves, 0);
    restart(both, 2);
    expect(15, 3, 5);
    restart(a, 1);
    fake.read[1] = 0;
    expect(15, 0, 6);
    ps_kafka_reading_destroy(reading);
    ps_test_stage_fini(&stage);
    ps_test_connections_close(&fake.node);
}

static void test_a_leader_that_is_told(void **state)
{
    come_back(true, true);
}

static void test_a_leader_that_is_not_told(void **state)
{
    come_back(false, true);
}

static void test_a_follower(void **state)
{
    come_back(true, false);
    come_back(false, false);
}

/* The kept assignment has as many partitions as the member's topics, but others: one topic was created again with fewer, and
 * another topic was added. */
static void test_topic_with_fewer_partitions(void **state)
{
    static const char *const a[] = {"a"}, *const both[] = {"a", "b"};
    for (unsigned i = 0; i < 4; i++) {
        fake = (struct fake){.skips = i % 2 != 0, .leads = i / 2 != 0, .partitions = {3, 2}};
        fake.node.handle = handle;
        ps_test_connections_open(&fake.node);
        ps_test_stage_init(&stage, &ps_source_kafka);
        now_ns = stage.now.mono_ns;
        start(a, 1);
        expect(7, 0, 1);
        restart(a, 1);
        expect(7, 0, 1);
        fake.partitions[0] = 4;
        expect(15, 0, 2);
        fake.partitions[0] = 2;
        restart(both, 2);
        expect(3, 3, 3);
        ps_kafka_reading_destroy(reading);
        ps_test_stage_fini(&stage);
        ps_test_connections_close(&fake.node);
    }
}

/* Another member's assignment cannot be read when the member that has come back looks whether all partitions are in one: it reads on, over
 * the same connections. */
static void test_beside_a_foreign_member(void **state)
{
    static const char *const a[] = {"a"};
    fake = (struct fake){.skips = true, .partitions = {2, 2}};
    fake.node.handle = handle;
    ps_test_connections_open(&fake.node);
    ps_test_stage_init(&stage, &ps_source_kafka);
    now_ns = stage.now.mono_ns;
    start(a, 1);
    expect(3, 0, 1);
    unsigned connections[2];
    for (unsigned i = 0; i < 2; i++) {
        fake.foreign = i == 1;
        fake.connections = 0;
        restart(a, 1);
        for (unsigned times = 0; times < 3; times++) /* heartbeats go on */
            expect(3, 0, 1);
        connections[i] = fake.connections;
    }
    assert_int_equal(connections[1], connections[0]);
    ps_kafka_reading_destroy(reading);
    ps_test_stage_fini(&stage);
    ps_test_connections_close(&fake.node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_leader_that_is_told),
        cmocka_unit_test(test_a_leader_that_is_not_told),
        cmocka_unit_test(test_a_follower),
        cmocka_unit_test(test_topic_with_fewer_partitions),
        cmocka_unit_test(test_beside_a_foreign_member),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
