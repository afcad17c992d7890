/* The topics that the native client asks for, against one broker whose answers are written here. Time is the test's: a turn is a
 * millisecond. */
#include "tests/support/kafka/native_run.h"

/* Returns how many topics the next Metadata request names, and answers it. Its topic is complete, so the answer is the same. */
static uint32_t topics_named(struct run *run)
{
    const struct ps_test_request request = expect(run, KEY_METADATA);
    struct ps_wire_in in = request.body;
    uint32_t length, count = ps_wire_get_count(&in, 2);
    if (count == 1)
        assert_memory_equal(ps_wire_get_string(&in, &length), "t", 1);
    answer(run, &request, UINT32_MAX);
    for (unsigned i = 0; i < 5; i++)
        turn(run);
    return count;
}

/* A topic that nobody writes to is left out of the requests after five minutes, and only then: naming it would create it
 * again after it was deleted. Its next record asks for it at once. A record that waits keeps it. */
static void test_unused_topic_is_not_named(void **state)
{
    const struct ps_pair pairs[] = {{.key = "topic.metadata.refresh.interval.ms", .value = "10000"},
                                    {.key = "retry.backoff.ms", .value = "1000"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    deliver(&run);
    uint64_t written_ns = run.now.mono_ns;
    run.now.mono_ns = written_ns + 298 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 1);
    run.now.mono_ns = written_ns + 310 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 0);
    run.now.mono_ns += 10 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 0);

    uint64_t since_ns = run.now.mono_ns;
    run.cluster.leader = -1;
    run.cluster.epoch++;
    submit(&run);
    struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, ERROR_NOT_LEADER, 0);
    assert_int_equal(topics_named(&run), 1);
    assert_in_range(run.now.mono_ns - since_ns, 0, 500 * PS_NS_PER_MS);
    for (unsigned i = 0; i < 40; i++) { /* there is no leader for 400 s */
        run.now.mono_ns += 10 * PS_NS_PER_S;
        assert_int_equal(topics_named(&run), 1);
    }
    run.cluster.leader = 0;
    run.cluster.epoch++;
    produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[1].error, 0);
    run.now.mono_ns += 10 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 0);
    end(&run);
}

/* A topic that no broker knew, and that nobody wrote to for a while, is asked for again before a record for it is given up: it may
 * have been created meanwhile. */
static void test_unknown_topic_that_was_not_used(void **state)
{
    const struct ps_pair pairs[] = {{.key = "topic.metadata.refresh.interval.ms", .value = "10000"},
                                    {.key = "topic.metadata.propagation.max.ms", .value = "2000"}};
    struct run run;
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    run.cluster.error = ERROR_UNKNOWN_TOPIC;
    submit(&run);
    wait_for_reports(&run, 1);
    assert_int_equal(run.reports[0].error, LIBRARY_UNKNOWN_TOPIC);
    run.now.mono_ns += 310 * PS_NS_PER_S;
    assert_int_equal(topics_named(&run), 0);
    run.cluster.error = 0;
    submit(&run);
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 2);
    assert_int_equal(run.reports[1].error, 0);
    end(&run);
}

/* ---- bootstrap.servers ---- */

/* Two brokers: `run->broker`, which is node 0, and `other`, node 1. Both are in bootstrap.servers. */
static struct ps_test_broker other;
static bool listed[2]; /* in the metadata; the first one of them leads */

static char *put_node(char *at, int32_t node, unsigned port)
{
    at = ps_wire_put_int32(at, node);
    at = ps_wire_put_string(at, "127.0.0.1", 9);
    at = ps_wire_put_int32(at, (int32_t)port);
    return ps_wire_put_int16(at, -1); /* rack */
}

static void answer_listed(struct run *run, struct ps_test_broker *broker,
                          const struct ps_test_request *request)
{
    char body[512], *at = body;
    if (request->key != KEY_METADATA) {
        struct ps_test_broker own = run->broker;
        run->broker = *broker;
        answer(run, request, UINT32_MAX);
        *broker = run->broker;
        if (broker != &run->broker)
            run->broker = own;
        return;
    }
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, listed[0] + listed[1]);
    at = listed[0] ? put_node(at, 0, run->broker.port) : at;
    at = listed[1] ? put_node(at, 1, other.port) : at;
    at = ps_wire_put_int16(at, -1); /* cluster */
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_string(at, "t", 1);
    at = ps_wire_put_int8(at, 0);
    at = ps_wire_put_int32(at, 1);
    at = ps_wire_put_int16(at, 0);
    at = ps_wire_put_int32(at, 0);
    at = ps_wire_put_int32(at, listed[0] ? 0 : 1);
    at = ps_wire_put_int32(at, run->cluster.epoch);
    for (int list = 0; list < 3; list++)
        at = ps_wire_put_int32(at, 0);
    ps_test_broker_answer(broker, request, body, (uint32_t)(at - body), UINT32_MAX);
}

/* A record is sent, and written by the broker that leads. */
static void deliver_to(struct run *run, struct ps_test_broker *leader)
{
    unsigned before = run->report_count;
    struct ps_test_broker *const brokers[] = {&run->broker, &other};
    submit(run);
    for (unsigned turns = 0; run->report_count == before; turns++) {
        if (turns > TURNS_MAX)
            fail_msg("the record is not written");
        turn(run);
        for (size_t i = 0; i < PS_COUNT_OF(brokers); i++) {
            struct ps_test_request request;
            while (brokers[i]->listener >= 0 && ps_test_broker_ask(brokers[i], &request)) {
                struct produced produced = {.request = request, .batches = 1};
                if (request.key != KEY_PRODUCE) {
                    answer_listed(run, brokers[i], &request);
                    continue;
                }
                /* Until the client has read the new metadata, the former leader gets the record. */
                struct ps_test_broker own = run->broker;
                run->broker = *brokers[i];
                answer_produce(run, &produced, brokers[i] == leader ? 0 : ERROR_NOT_LEADER, 0);
                *brokers[i] = run->broker;
                if (i != 0)
                    run->broker = own;
            }
        }
    }
    assert_int_equal(run->reports[before].error, 0);
}

static void lead(struct run *run, bool first, bool second)
{
    listed[0] = first;
    listed[1] = second;
    run->cluster.epoch++;
}

/* The address of a broker in bootstrap.servers is not forgotten when the cluster is without the broker for a while: the
 * other one fails for good later, and the client finds the first one again; and the other way around. */
static void test_bootstrap_servers_stay(void **state)
{
    const struct ps_pair pairs[] = {{.key = "topic.metadata.refresh.interval.ms", .value = "1000"},
                                    {.key = "reconnect.backoff.max.ms", .value = "200"}};
    char servers[64];
    struct run run;
    ps_test_broker_start(&other);
    snprintf(servers, sizeof servers, "127.0.0.1:%u,127.0.0.1", other.port);
    begin_with(&run, servers, pairs, PS_COUNT_OF(pairs));
    lead(&run, true, true);
    deliver_to(&run, &run.broker);
    lead(&run, false, true); /* without the first one */
    ps_test_broker_hang_up(&run.broker);
    deliver_to(&run, &other);
    run.now.mono_ns += 2 * PS_NS_PER_S;
    deliver_to(&run, &other);
    lead(&run, true, false); /* the second one ends; nobody names the first one, which is back */
    ps_test_broker_stop(&other);
    other.listener = -1;
    deliver_to(&run, &run.broker);
    run.now.mono_ns += 2 * PS_NS_PER_S;
    deliver_to(&run, &run.broker);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unused_topic_is_not_named),
        cmocka_unit_test(test_unknown_topic_that_was_not_used),
        cmocka_unit_test(test_bootstrap_servers_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
