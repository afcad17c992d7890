/* Deriving target and far ends from an agent file. Nothing is started. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/plan/subject.h"
#include "tests/support/support.h"

static char directory[] = "/tmp/penstock-plan-test-XXXXXX";
static char file[128], derived[128], out[128];

static int make_directory(void **state)
{
    assert_non_null(mkdtemp(directory));
    snprintf(file, sizeof file, "%s/agent.properties", directory);
    snprintf(derived, sizeof derived, "%s/plan.properties", directory);
    snprintf(out, sizeof out, "%s/out", directory);
    return mkdir(out, 0700);
}

static int remove_directory(void **state)
{
    unlink(file);
    unlink(derived);
    return rmdir(out) != 0 || rmdir(directory) != 0;
}

#define HEAD                                                                                                 \
    "a1.sources = r1\na1.channels = c1\na1.sinks = k1\na1.sources.r1.channels = c1\n"                        \
    "a1.channels.c1.type = memory\na1.sinks.k1.channel = c1\n"

struct derived {
    struct ps_subject subject;
    struct ps_subject_config config;
    struct ps_err err;
    enum ps_status status;
    bool wants_broker;
    char text[4096]; /* content of plan.properties */
};

static void derive(struct derived *it, const char *properties, const struct ps_subject_config *wish)
{
    memset(it, 0, sizeof *it);
    if (wish != NULL)
        it->config = *wish;
    FILE *to = fopen(file, "w");
    fputs(properties, to);
    fclose(to);
    it->config.agent = "a1";
    it->config.agent_arguments[it->config.agent_argument_count++] = "-f";
    it->config.agent_arguments[it->config.agent_argument_count++] = file;
    it->subject.config = &it->config;
    snprintf(it->subject.directory, sizeof it->subject.directory, "%s", directory);
    snprintf(it->subject.brokers, sizeof it->subject.brokers, "127.0.0.1:1");
    it->subject.embedded_broker = true;
    it->status = ps_subject_wants_broker(&it->config, &it->wants_broker, &it->err);
    if (it->status == PS_OK)
        it->status = ps_subject_derive(&it->subject, &it->err);
    FILE *from = fopen(derived, "r");
    size_t length = from != NULL ? fread(it->text, 1, sizeof it->text - 1, from) : 0;
    it->text[length] = '\0';
    if (from != NULL)
        fclose(from);
    if (it->subject.roll_directory[0] != '\0')
        rmdir(it->subject.roll_directory);
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("`%s` is not in `%s`", part, text);
}

static void test_kafka_sink(void **state)
{
    struct derived it;
    derive(&it,
           HEAD "a1.sources.r1.type = syslogtcp\na1.sources.r1.host = 0.0.0.0\na1.sources.r1.port = 514\n"
                "a1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink\na1.sinks.k1.kafka.topic = logs\n"
                "a1.sinks.k1.kafka.bootstrap.servers = prod:9092\n"
                "a1.sinks.k1.kafka.producer.security.protocol = SASL_PLAINTEXT\n",
           NULL);
    if (it.status != PS_OK)
        fail_msg("%s", it.err.text);
    assert_true(it.wants_broker);
    assert_has(it.subject.target, "tcp://127.0.0.1:");
    assert_null(strstr(it.subject.target, ":514"));
    assert_int_equal(it.subject.from_count, 1);
    assert_string_equal(it.subject.from[0], "kafka://127.0.0.1:1/logs?offset=latest");
    assert_has(it.text, "a1.sources.r1.host = 127.0.0.1\n");
    assert_has(it.text, "a1.sinks.k1.kafka.bootstrap.servers = 127.0.0.1:1\n");
    assert_has(it.text, "a1.sinks.k1.kafka.producer.security.protocol = PLAINTEXT\n");
    assert_null(strstr(it.text, "workers"));
}

static void test_workers(void **state)
{
    struct derived it;
    const struct ps_subject_config wish = {.workers = 3};
    derive(&it,
           HEAD "a1.sources.r1.type = netcat\na1.sources.r1.bind = x\na1.sources.r1.port = 1\n"
                "a1.sources.r1.ack-every-event = false\na1.sinks.k1.type = null\n",
           &wish);
    if (it.status != PS_OK)
        fail_msg("%s", it.err.text);
    assert_false(it.wants_broker);
    assert_has(it.subject.target, "netcat://127.0.0.1:");
    assert_has(it.subject.target, "?ack=false");
    assert_int_equal(it.subject.from_count, 0); /* uses the agent's counters */
    assert_true(it.subject.note_count == 1 && strstr(it.subject.notes[0], "counters") != NULL);
    assert_has(it.text, "a1.penstock.workers = 3\n");
    assert_has(it.text, "a1.sources.r1.penstock.workers = 3\n");
}

static void test_file_roll(void **state)
{
    struct derived it;
    char properties[1024];
    snprintf(properties, sizeof properties,
             HEAD "a1.sources.r1.type = syslogudp\na1.sources.r1.host = x\na1.sources.r1.port = 514\n"
                  "a1.sinks.k1.type = file_roll\na1.sinks.k1.sink.directory = %s\n",
             out);
    derive(&it, properties, NULL);
    if (it.status != PS_OK)
        fail_msg("%s", it.err.text);
    assert_has(it.subject.target, "udp://127.0.0.1:");
    assert_has(it.subject.from[0], "file://");
    assert_has(it.subject.from[0], "/out/penstock-plan-");
    assert_has(it.subject.from[0], "?follow=true");
}

static void test_two_channels(void **state)
{
    static const char flow[] =
        "a1.sources = r1 r2\na1.channels = c1 c2\na1.sinks = k1 k2\na1.sources.r1.channels = c1 c2\n"
        "a1.sources.r1.type = syslogtcp\na1.sources.r1.host = x\na1.sources.r1.port = 1\na1.sources.r2.type "
        "= netcat\n"
        "a1.sources.r2.bind = x\na1.sources.r2.port = 2\na1.sources.r2.channels = c1\n"
        "a1.channels.c1.type = memory\na1.channels.c2.type = memory\na1.sinks.k1.channel = c1\n"
        "a1.sinks.k2.channel = c2\na1.sinks.k1.type = org.apache.flume.sink.kafka.KafkaSink\n"
        "a1.sinks.k2.type = org.apache.flume.sink.kafka.KafkaSink\na1.sinks.k1.kafka.topic = one\n"
        "a1.sinks.k2.kafka.topic = two\na1.sinks.k1.kafka.bootstrap.servers = x:1\n"
        "a1.sinks.k2.kafka.bootstrap.servers = x:1\n";
    struct derived it;
    char text[2048];
    derive(&it, flow, NULL); /* replicating: each event arrives twice */
    if (it.status != PS_OK)
        fail_msg("%s", it.err.text);
    assert_int_equal(it.subject.from_count, 1);
    assert_has(it.subject.from[0], "/one?");
    assert_int_equal(it.subject.note_count, 2); /* of the second source, and of the channels */
    snprintf(text, sizeof text,
             "%sa1.sources.r1.selector.type = multiplexing\n"
             "a1.sources.r1.selector.header = h\na1.sources.r1.selector.mapping.1 = c1\n"
             "a1.sources.r1.selector.default = c2\n",
             flow);
    derive(&it, text, NULL); /* multiplexing: once */
    if (it.status != PS_OK)
        fail_msg("%s", it.err.text);
    assert_int_equal(it.subject.from_count, 2);
    assert_has(it.subject.from[1], "/two?");
}

/* Addresses given on the command line are used unchanged. */
static void test_named(void **state)
{
    struct derived it;
    const struct ps_subject_config wish = {
        .target = "file:///tmp/x", .from = {"tcp://127.0.0.1:7"}, .from_count = 1};
    derive(&it,
           HEAD "a1.sources.r1.type = exec\na1.sources.r1.command = tail -F /tmp/x\n"
                "a1.sinks.k1.type = logger\n",
           &wish);
    if (it.status != PS_OK)
        fail_msg("%s", it.err.text);
    assert_int_equal(it.subject.note_count, 0);
    assert_null(strstr(it.text, "r1"));
}

static void test_refused(void **state)
{
    static const struct {
        const char *properties, *says;
    } cases[] = {
        {HEAD "a1.sources.r1.type = exec\na1.sources.r1.command = tail -F x\na1.sinks.k1.type = null\n",
         "--target"},
        {HEAD "a1.sources.r1.type = netcat\na1.sources.r1.bind = x\na1.sources.r1.port = x\n"
              "a1.sinks.k1.type = null\n",
         "port"},
        {"b1.sources = r1\n", "would not start"},
        {HEAD "a1.sources.r1.type = netcat\na1.sources.r1.bind = x\na1.sources.r1.port = 1\n"
              "a1.sinks.k1.type = file_roll\na1.sinks.k1.sink.directory = /nowhere/at/all\n",
         "/nowhere/at/all"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct derived it;
        derive(&it, cases[i].properties, NULL);
        assert_int_equal(it.status, PS_FAIL);
        assert_has(it.err.text, cases[i].says);
    }
}

/* An interrupt ends each wait for the subject: for the agent, and for the broker. */
static void test_interrupted(void **state)
{
    static const volatile sig_atomic_t stop = 1;
    static const char *const sinks[] = {"null", "org.apache.flume.sink.kafka.KafkaSink"};
    static const char *const says[] = {"interrupted before the agent was ready",
                                       "interrupted before the embedded broker had started"};
    for (size_t i = 0; i < PS_COUNT_OF(sinks); i++) {
        const struct ps_subject_config config = {.agent = "a1",
                                                 .agent_arguments = {"-f", file},
                                                 .agent_argument_count = 2,
                                                 .program = "/bin/cat",
                                                 .stop = &stop};
        struct ps_subject *subject = calloc(1, sizeof *subject);
        struct ps_err err = {0};
        FILE *to = fopen(file, "w");
        fprintf(
            to,
            HEAD
            "a1.sources.r1.type = netcat\na1.sources.r1.bind = 0.0.0.0\na1.sources.r1.port = 1\n"
            "a1.sinks.k1.type = %s\na1.sinks.k1.kafka.topic = t\na1.sinks.k1.kafka.bootstrap.servers = h:1\n",
            sinks[i]);
        fclose(to);
        assert_int_equal(ps_subject_start(subject, &config, &err), PS_FAIL);
        if (strstr(err.text, says[i]) == NULL)
            fail_msg("it says `%s`", err.text);
        ps_subject_stop(subject);
        free(subject);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted),  cmocka_unit_test(test_kafka_sink),
        cmocka_unit_test(test_workers),      cmocka_unit_test(test_file_roll),
        cmocka_unit_test(test_two_channels), cmocka_unit_test(test_named),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
