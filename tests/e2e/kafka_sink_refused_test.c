/* A whole agent whose broker refuses an event and then takes it: the event counts as refused and as
 * delivered, in the metrics and in the account at the end. */
#include "conf/conf.h"
#include "core/engine/agent/agent.h"
#include "stages/table.h"
#include "tests/support/kafka/cluster.h"

#include <stdio.h>
#include <unistd.h>

#define EVENTS 5U
#define PATIENCE_MS 60000U

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account),
    };
    return cmocka_run_group_tests(tests, ps_test_cluster_setup, ps_test_cluster_teardown);
}
