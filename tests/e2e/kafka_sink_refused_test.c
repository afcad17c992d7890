/* A whole agent whose broker refuses an event and then takes it: the event counts as refused and as
 * delivered, in the metrics and in the account at the end. And agents with dead letters whose broker refuses what some
 * events chose, or everything: those events go aside, the others are delivered. */
#include "conf/conf.h"
#include "core/engine/agent/agent.h"
#include "stages/table.h"
#include "tests/support/folder.h"
#include "tests/support/kafka/cluster.h"

#include <stdio.h>
#include <unistd.h>

#define EVENTS 5U
#define PATIENCE_MS 60000U
#define DENIED "not allowed to write to the topic"
#define NO_PARTITION "the topic has no such partition"

static struct ps_agent *start(const char *text)
{
    char *arguments[] = {"agent", "-n", "a", "-f", "-"};
    struct ps_command command;
    struct ps_conf *conf = NULL;
    struct ps_machine machine;
    struct ps_err err = {0};
    assert_int_equal(ps_command_parse(&command, 5, arguments, &err), PS_OK);
    assert_int_equal(ps_conf_load_text(&command, ps_stages, "test", text, strlen(text), &conf), PS_OK);
    ps_machine_read(&machine, "");
    struct ps_agent *agent = ps_agent_start(ps_conf_take_spec(conf), &machine, &err);
    if (agent == NULL)
        fail_msg("%s", err.text);
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    return agent;
}

static uint64_t sink_counter(struct ps_agent *agent, enum ps_counter counter)
{
    struct ps_metrics metrics;
    struct ps_metrics_source source = ps_agent_metrics(agent);
    uint64_t value = 0;
    ps_metrics_take(&metrics, &source);
    for (size_t i = 0; i < metrics.component_count; i++) {
        if (metrics.components[i].kind == PS_KIND_SINK)
            value += metrics.components[i].counters[counter];
    }
    ps_metrics_fini(&metrics);
    return value;
}

static void test_account(void **state)
{
    /* The first requests are refused because of the first event, whatever else they contain: that event counts once. */
    static const rd_kafka_resp_err_t answers[] = {
        RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_RECORD, RD_KAFKA_RESP_ERR_INVALID_RECORD};
    struct ps_agent_account account;
    char text[1024];
    ps_test_topic("refused", 1);
    rd_kafka_mock_push_request_errors_array(ps_test_cluster.handle, 0 /* ApiKey of ProduceRequest */,
                                            PS_COUNT_OF(answers), answers);
    int length = snprintf(text, sizeof text,
                          "a.sources = r\na.channels = c\na.sinks = k\n"
                          "a.sources.r.type = seq\na.sources.r.totalEvents = %u\na.sources.r.channels = c\n"
                          "a.channels.c.type = memory\n"
                          "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\na.sinks.k.channel = c\n"
                          "a.sinks.k.kafka.topic = refused\na.sinks.k.kafka.bootstrap.servers = %s\n"
                          "a.sinks.k.kafka.producer.linger.ms = 20\n",
                          EVENTS, ps_test_cluster.bootstrap);
    assert_in_range(length, 1, sizeof text - 1);
    struct ps_agent *agent = start(text);
    for (unsigned ms = 0; sink_counter(agent, PS_COUNTER_EventDrainSuccessCount) < EVENTS; ms += 20) {
        if (ms > PATIENCE_MS)
            fail_msg("not delivered in %u s", PATIENCE_MS / 1000);
        usleep(20000);
    }
    assert_int_equal(sink_counter(agent, PS_COUNTER_refused), 1);
    ps_agent_stop(agent, PATIENCE_MS, NULL, NULL, &account);
    assert_true(account.drained);
    assert_int_equal(account.accepted, EVENTS);
    assert_int_equal(account.delivered, EVENTS);
    assert_int_equal(account.refused, 1);
    assert_int_equal(account.undelivered, 0);
    assert_int_equal(account.dropped, 0);
}

/* ---- with dead letters ---- */

/* Runs an agent with 30 events, whose bodies are the numbers: ten of them, from 20 on, have a header with the value 2. */
static void run_with_letters(const char *topic, const char *header, const char *more, unsigned dead)
{
    struct ps_agent_account account;
    char text[2048];
    int length = snprintf(
        text, sizeof text,
        "a.sources = r\na.channels = c\na.sinks = k\n"
        "a.sources.r.type = seq\na.sources.r.totalEvents = 30\na.sources.r.channels = c\n"
        "a.sources.r.interceptors = i\na.sources.r.interceptors.i.type = regex_extractor\n"
        "a.sources.r.interceptors.i.regex = ^(2)[0-9]$\n"
        "a.sources.r.interceptors.i.serializers = s\na.sources.r.interceptors.i.serializers.s.name = %s\n"
        "a.channels.c.type = memory\n"
        "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\na.sinks.k.channel = c\n"
        "a.sinks.k.kafka.topic = %s\na.sinks.k.kafka.bootstrap.servers = %s\n"
        "a.sinks.k.partitionIdHeader = part\na.sinks.k.penstock.deadletter = %s\n%s",
        header, topic, ps_test_cluster.bootstrap, ps_test_folder(), more);
    assert_in_range(length, 1, sizeof text - 1);
    struct ps_agent *agent = start(text);
    for (unsigned ms = 0; sink_counter(agent, PS_COUNTER_EventDrainSuccessCount) < 30 - dead ||
                          sink_counter(agent, PS_COUNTER_deadletter) < dead;
         ms += 20) {
        if (ms > PATIENCE_MS)
            fail_msg("%s: %u of %u are dead letters", topic,
                     (unsigned)sink_counter(agent, PS_COUNTER_deadletter), dead);
        usleep(20000);
    }
    ps_agent_stop(agent, PATIENCE_MS, NULL, NULL, &account);
    assert_true(account.drained);
    assert_int_equal(account.delivered, 30 - dead);
}

static void test_partition_that_is_none(void **state)
{
    ps_test_topic("parted", 2);
    run_with_letters("parted", "part", "", 10);
}

/* The topic that events chose may not be written to; the topic of the others may. */
static void test_topic_that_is_refused(void **state)
{
    static const rd_kafka_resp_err_t errors[] = {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
                                                 RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART};
    ps_test_topic("others", 1);
    for (size_t e = 0; e < PS_COUNT_OF(errors); e++) {
        if (e == 0)
            ps_test_topic("2", 1);
        rd_kafka_mock_topic_set_error(ps_test_cluster.handle, "2", errors[e]);
        run_with_letters("others", "topic", "", 10);
    }
}

/* The broker has an unexpected error for each request: each answer is an attempt, and the attempts are used up. */
static void test_unknown_error(void **state)
{
    rd_kafka_resp_err_t answers[1000];
    ps_test_topic("unknown", 1);
    for (size_t i = 0; i < PS_COUNT_OF(answers); i++)
        answers[i] = RD_KAFKA_RESP_ERR_UNKNOWN;
    rd_kafka_mock_push_request_errors_array(ps_test_cluster.handle, 0, PS_COUNT_OF(answers), answers);
    run_with_letters("unknown", "none",
                     "a.sinks.k.penstock.retry.max = 2\na.sinks.k.penstock.retry.backoff = 10\n", 30);
    rd_kafka_mock_clear_request_errors(ps_test_cluster.handle, 0);
}

/* ---- without dead letters ---- */

static void await_delivered(struct ps_agent *agent, uint64_t count)
{
    for (unsigned ms = 0; sink_counter(agent, PS_COUNTER_EventDrainSuccessCount) < count; ms += 20) {
        if (ms > PATIENCE_MS)
            fail_msg("not delivered in %u s", PATIENCE_MS / 1000);
        usleep(20000);
    }
}

/* Waits until the sink's state names this reason. */
static void await_reason(struct ps_agent *agent, const char *reason)
{
    bool named = false;
    for (unsigned ms = 0; !named; ms += 20) {
        struct ps_metrics metrics;
        struct ps_metrics_source source = ps_agent_metrics(agent);
        if (ms > PATIENCE_MS)
            fail_msg("the sink does not name: %s", reason);
        ps_metrics_take(&metrics, &source);
        for (size_t i = 0; i < metrics.component_count; i++) {
            const struct ps_metrics_component *component = &metrics.components[i];
            named |= component->kind == PS_KIND_SINK && component->error != NULL &&
                     strstr(component->error, reason) != NULL;
        }
        ps_metrics_fini(&metrics);
        usleep(20000);
    }
}

/* The topic `denied` may not be written to when an event comes that chose a place of it. `event`: what this event chose, by
 * the header. */
static void run_denied(const char *engine, const char *topic, const char *denied, const char *header,
                       const char *event, const char *reason, bool exists)
{
    char text[2048];
    struct ps_agent_account account;
    ps_test_topic(topic, 2);
    if (strcmp(denied, topic) != 0)
        ps_test_topic(denied, 2);
    int length =
        snprintf(text, sizeof text,
                 "a.sources = r\na.channels = c\na.sinks = k\n"
                 "a.sources.r.type = taildir\na.sources.r.channels = c\n"
                 "a.sources.r.filegroups = f\na.sources.r.filegroups.f = %s/in\n"
                 "a.sources.r.positionFile = %s/positions\n"
                 "a.sources.r.interceptors = i\na.sources.r.interceptors.i.type = regex_extractor\n"
                 "a.sources.r.interceptors.i.regex = ^to (.*)$\n"
                 "a.sources.r.interceptors.i.serializers = s\n"
                 "a.sources.r.interceptors.i.serializers.s.name = %s\n"
                 "a.channels.c.type = memory\n"
                 "a.sinks.k.type = org.apache.flume.sink.kafka.KafkaSink\na.sinks.k.channel = c\n"
                 "a.sinks.k.kafka.topic = %s\na.sinks.k.kafka.bootstrap.servers = %s\n"
                 "a.sinks.k.kafka.producer.metadata.max.age.ms = 100\n"
                 "a.sinks.k.kafka.producer.topic.metadata.propagation.max.ms = 100\n"
                 "a.sinks.k.partitionIdHeader = part\na.sinks.k.penstock.engine = %s\n",
                 ps_test_folder(), ps_test_folder(), header, topic, ps_test_cluster.bootstrap, engine);
    assert_in_range(length, 1, sizeof text - 1);
    ps_test_folder_append("in", "first\n", 6);
    struct ps_agent *agent = start(text);
    await_delivered(agent, 1);
    rd_kafka_mock_topic_set_error(ps_test_cluster.handle, denied,
                                  RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED);
    length = snprintf(text, sizeof text, "to %s\nlast\n", event);
    ps_test_folder_append("in", text, (size_t)length);
    await_reason(agent, reason);
    assert_int_equal(sink_counter(agent, PS_COUNTER_EventDrainSuccessCount), 1);
    rd_kafka_mock_topic_set_error(ps_test_cluster.handle, denied, RD_KAFKA_RESP_ERR_NO_ERROR);
    if (exists)
        await_delivered(agent, 3);
    else
        await_reason(agent, NO_PARTITION);
    ps_agent_stop(agent, 1, NULL, NULL, &account);
}

static void test_denied_partition(void **state)
{
    run_denied("native", "native-parts", "native-parts", "part", "7", DENIED, false);
}

/* librdkafka goes on with the partitions that it knows. */
static void test_denied_partition_of_librdkafka(void **state)
{
    run_denied("librdkafka", "librdkafka-parts", "librdkafka-parts", "part", "7", NO_PARTITION, false);
}

static void test_denied_topic(void **state)
{
    run_denied("native", "native-first", "native-denied", "topic", "native-denied", DENIED, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account),
        cmocka_unit_test_setup_teardown(test_partition_that_is_none, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_topic_that_is_refused, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_denied_partition, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_denied_partition_of_librdkafka, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_denied_topic, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_unknown_error, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
