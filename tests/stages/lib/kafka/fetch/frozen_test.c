/* A broker that is frozen: it keeps its connections, and answers nothing. When the cluster has removed it, the native client gives its
 * connections up within seconds, not after the time-out of its requests (socket.timeout.ms, 60 s here). And one that is down, or wants
 * no request for a while: the worker does not spin. */
#include "stages/lib/kafka/fetch/fetch_internal.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/log/log.h"
#include "stages/lib/random.h"
#include "tests/support/kafka/fetch_run.h"

#define WITHIN_NS (5 * PS_NS_PER_S)

static struct run run;

static void append_to_all(void)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run.group, i, 2);
}

static void begin_reading(void)
{
    static const struct ps_pair timeout = {.key = "socket.timeout.ms", .value = "60000"};
    begin(&run, 1, &timeout, 1);
    run.group.coordinator = 1;
    append_to_all();
    read_all(&run);
}

static void turn_for(uint64_t time_ns)
{
    for (uint64_t until_ns = run.group.now_ns + time_ns; run.group.now_ns < until_ns;) {
        turn(&run);
        deliver(&run);
    }
}

/* The other node leads all partitions. */
static void remove_node(unsigned node)
{
    run.group.removed = 1U << node;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        if (run.group.logs[i].leader == node)
            ps_test_group_move_leader(&run.group, i);
}

static void test_leader(void **state)
{
    begin_reading();
    run.group.frozen = 1;
    append_to_all();
    turn_for(3 * PS_NS_PER_S); /* the cluster has not noticed it */
    assert_false(has_read_all(&run));
    unsigned again = run.again;
    remove_node(0);
    uint64_t since_ns = run.group.now_ns;
    read_all(&run);
    assert_in_range(run.group.now_ns - since_ns, 0, WITHIN_NS);
    assert_int_equal(run.again, again);
    run.group.frozen = run.group.removed = 0;
    append_to_all();
    read_all(&run);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* While a cluster has the silent broker, its connection stays: only its time-out ends it. */
static void test_not_removed(void **state)
{
    begin_reading();
    unsigned asked = run.group.asked[PS_TEST_KEY_METADATA];
    run.group.frozen = 1;
    append_to_all();
    turn_for(30 * PS_NS_PER_S);
    assert_in_range(run.group.asked[PS_TEST_KEY_METADATA] - asked, 10, 20);
    run.group.frozen = 0;
    read_all(&run);
    assert_int_equal(run.again, 0);
    assert_int_equal(run.group.asked[PS_TEST_KEY_JOIN], 2);
    stop(&run);
    end(&run);
}

/* Returns how many requests for metadata are under way whose answers count. */
static unsigned metadata_under_way(void)
{
    const struct ps_kafka_fetch *fetch = (const struct ps_kafka_fetch *)(const void *)run.reading;
    unsigned count = 0;
    for (const struct ps_kafka_native_broker *broker = fetch->client->brokers; broker != NULL;
         broker = broker->next)
        for (const struct ps_kafka_native_request *request = broker->first; request != NULL;
             request = request->next)
            count += request->kind == PS_KAFKA_NATIVE_METADATA && !request->ignored;
    return count;
}

/* The nodes are frozen in turn, and together, in any order: the client waits for one answer to Metadata at a time, and asks the other
 * node only when it skips the answer of the silent one. */
static void test_one_request_for_metadata(void **state)
{
    static const struct ps_pair pairs[] = {{.key = "socket.timeout.ms", .value = "60000"},
                                           {.key = "topic.metadata.refresh.interval.ms", .value = "500"}};
    struct ps_random random = {.words = {ps_test_seed(), 1, 2, 3}};
    bool has_skipped = false;
    begin(&run, 1, pairs, PS_COUNT_OF(pairs));
    append_to_all();
    read_all(&run);
    for (unsigned i = 0; i < 60; i++) {
        run.group.frozen = (unsigned)(ps_random_next(&random) % (1U << PS_TEST_GROUP_NODES));
        uint64_t until_ns = run.group.now_ns + (1 + ps_random_next(&random) % 5) * PS_NS_PER_S / 2;
        while (run.group.now_ns < until_ns) {
            unsigned asked = run.group.asked[PS_TEST_KEY_METADATA];
            turn(&run);
            deliver(&run);
            assert_in_range(metadata_under_way(), 0, 1);
            has_skipped |= run.group.frozen != 0 && run.group.asked[PS_TEST_KEY_METADATA] > asked;
        }
    }
    assert_true(has_skipped);
    run.group.frozen = 0;
    append_to_all();
    read_all(&run);
    assert_int_equal(run.again, 0);
    stop(&run);
    end(&run);
}

/* The frozen broker is the group's coordinator: the next coordinator gets the heartbeats before the session is over. */
static void test_coordinator(void **state)
{
    begin_reading();
    int32_t generation = run.group.generation;
    run.group.frozen = 1U << 1;
    turn_for(PS_NS_PER_S);
    run.group.coordinator = 0;
    remove_node(1);
    unsigned beats = run.group.asked[PS_TEST_KEY_HEARTBEAT];
    turn_for(WITHIN_NS);
    assert_true(run.group.asked[PS_TEST_KEY_HEARTBEAT] > beats);
    append_to_all();
    read_all(&run);
    assert_int_equal(run.group.generation, generation);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* One broker is the leader of partitions and the group's coordinator. */
static void test_leader_and_coordinator(void **state)
{
    begin_reading();
    int32_t generation = run.group.generation;
    run.group.frozen = 1U << 1;
    append_to_all();
    turn_for(PS_NS_PER_S);
    run.group.coordinator = 0;
    remove_node(1);
    uint64_t since_ns = run.group.now_ns;
    read_all(&run);
    assert_in_range(run.group.now_ns - since_ns, 0, WITHIN_NS);
    unsigned beats = run.group.asked[PS_TEST_KEY_HEARTBEAT];
    turn_for(WITHIN_NS);
    assert_true(run.group.asked[PS_TEST_KEY_HEARTBEAT] > beats);
    assert_int_equal(run.group.generation, generation);
    assert_int_equal(run.again, 0);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* Lets the client say for 8 s when it has to be called again: its worker must not spin. */
static void expect_few_turns(unsigned most)
{
    unsigned turns = 0;
    for (uint64_t until_ns = run.group.now_ns + 8 * PS_NS_PER_S; run.group.now_ns < until_ns; turns++) {
        uint64_t due_ns = ps_kafka_reading_tick(run.reading, false, run.group.now_ns);
        (void)ps_test_group_serve(&run.group);
        uint64_t most_ns = run.group.now_ns + PS_NS_PER_S;
        run.group.now_ns = due_ns <= run.group.now_ns ? run.group.now_ns + PS_NS_PER_MS / 100
                           : due_ns < most_ns         ? due_ns
                                                      : most_ns;
        deliver(&run);
    }
    assert_in_range(turns, 1, most);
}

/* No other broker can be reached: the silent one is asked, and its answer is used when it comes. */
static void test_no_other(void **state)
{
    begin_reading();
    run.group.frozen = (1U << PS_TEST_GROUP_NODES) - 1;
    append_to_all();
    expect_few_turns(500);
    run.group.frozen = 0;
    read_all(&run);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* Node 0 has asked for a rest of this time: no request goes to it before. */
static void throttle(uint64_t rest_ns)
{
    const struct ps_kafka_fetch *fetch = (const struct ps_kafka_fetch *)(const void *)run.reading;
    for (struct ps_kafka_native_broker *broker = fetch->client->brokers; broker != NULL;
         broker = broker->next)
        broker->throttle_ns = broker->node == 0 ? run.group.now_ns + rest_ns : broker->throttle_ns;
}

/* A broker that leads partitions refuses connections: it is tried again after each backoff, or when its rest is over. */
static void check_down(uint64_t rest_ns)
{
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    int yes = 1;
    begin_reading();
    struct ps_test_connections *node = &run.group.nodes[0];
    assert_int_equal(getsockname(node->listener, (struct sockaddr *)&address, &length), 0);
    close(node->listener);
    ps_test_connections_break(node);
    append_to_all();
    throttle(rest_ns);
    expect_few_turns(2000);
    assert_false(has_read_all(&run));
    node->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(setsockopt(node->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes), 0);
    assert_int_equal(bind(node->listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(node->listener, 16), 0);
    read_all(&run);
    stop(&run);
    check_committed(&run);
    end(&run);
}

static void test_down(void **state)
{
    check_down(0);
    check_down(6 * PS_NS_PER_S);
}

/* A broker that is there and rests: it is asked when the rest is over. */
static void test_rest(void **state)
{
    begin_reading();
    turn_for(PS_NS_PER_S); /* nothing is under way but Fetch, which an append answers */
    throttle(6 * PS_NS_PER_S);
    append_to_all();
    uint64_t since_ns = run.group.now_ns;
    expect_few_turns(2000);
    read_all(&run);
    assert_in_range(run.group.now_ns - since_ns, 6 * PS_NS_PER_S, 9 * PS_NS_PER_S);
    assert_int_equal(run.again, 0);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* Returns whether the client's log has the words. */
static bool has_said(const char *path, const char *words)
{
    char text[4096];
    FILE *log = fopen(path, "r");
    assert_non_null(log);
    text[fread(text, 1, sizeof text - 1, log)] = 0;
    fclose(log);
    return strstr(text, words) != NULL;
}

/* The log has the reason. */
static void test_reason(void **state)
{
    struct ps_err err = {0};
    char path[] = "/tmp/penstock-frozen-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    begin_reading();
    assert_int_equal(ps_log_open(path, &err), PS_OK);
    ps_log_set_level(PS_LOG_WARN);
    run.group.frozen = 1;
    append_to_all();
    turn_for(PS_NS_PER_S);
    remove_node(0);
    read_all(&run);
    ps_log_set_level(PS_LOG_OFF);
    assert_int_equal(ps_log_open(NULL, &err), PS_OK);
    assert_true(has_said(path, "the broker does not answer, and the cluster has removed it"));
    unlink(path);
    stop(&run);
    end(&run);
}

/* The first broker is frozen before the client connects, or after the client has sent it the first request: the
 * client asks the other broker. */
static void begins_at_frozen(bool asks_first)
{
    static const struct ps_pair timeout = {.key = "socket.timeout.ms", .value = "60000"};
    begin(&run, 1, &timeout, 1);
    run.group.coordinator = 1;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        if (run.group.logs[i].leader == 0)
            ps_test_group_move_leader(&run.group, i);
    while (asks_first && run.group.asked[PS_TEST_KEY_VERSIONS] == 0)
        turn(&run);
    run.group.frozen = 1;
    run.group.removed = 1;
    append_to_all();
    uint64_t since_ns = run.group.now_ns;
    read_all(&run);
    assert_in_range(run.group.now_ns - since_ns, 0, 2 * WITHIN_NS);
    run.group.frozen = run.group.removed = 0;
    stop(&run);
    check_committed(&run);
    end(&run);
}

static void test_frozen_before_the_versions(void **state)
{
    begins_at_frozen(false);
}

static void test_frozen_before_metadata(void **state)
{
    begins_at_frozen(true);
}

/* The cluster has no leader for a partition: metadata is requested twice a second at most, and the log names the partition
 * after 10 s. */
static void test_no_leader(void **state)
{
    struct ps_err err = {0};
    char path[] = "/tmp/penstock-frozen-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    begin_reading();
    assert_int_equal(ps_log_open(path, &err), PS_OK);
    ps_log_set_level(PS_LOG_WARN);
    run.group.removed = 1;
    append_to_all();
    ps_kafka_native_want_metadata(((struct ps_kafka_fetch *)run.reading)->client);
    turn_for(PS_NS_PER_S);
    unsigned asked = run.group.asked[PS_TEST_KEY_METADATA];
    turn_for(8 * PS_NS_PER_S);
    assert_in_range(run.group.asked[PS_TEST_KEY_METADATA] - asked, 2, 17);
    assert_false(has_said(path, "its leader is not known"));
    turn_for(3 * PS_NS_PER_S);
    assert_true(has_said(path, "topic t, partition 0 is not read: its leader is not known"));
    ps_log_set_level(PS_LOG_OFF);
    assert_int_equal(ps_log_open(NULL, &err), PS_OK);
    unlink(path);
    run.group.removed = 0;
    read_all(&run);
    stop(&run);
    check_committed(&run);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_leader),
        cmocka_unit_test(test_not_removed),
        cmocka_unit_test(test_one_request_for_metadata),
        cmocka_unit_test(test_coordinator),
        cmocka_unit_test(test_leader_and_coordinator),
        cmocka_unit_test(test_no_other),
        cmocka_unit_test(test_down),
        cmocka_unit_test(test_rest),
        cmocka_unit_test(test_reason),
        cmocka_unit_test(test_no_leader),
        cmocka_unit_test(test_frozen_before_the_versions),
        cmocka_unit_test(test_frozen_before_metadata),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
