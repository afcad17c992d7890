#include "tests/support/net.h"
#include "tests/support/port.h"
#include "tests/support/rpc_calls.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "stages/lib/stream/stream.h"

extern const struct ps_stage_ops ps_source_multiport_syslogtcp;

static void test_ports_and_charsets(void **unused)
{
    unsigned one = ps_test_port(SOCK_STREAM), two = ps_test_port(SOCK_STREAM);
    char ports[32], key[32], first[8], second[8];
    snprintf(ports, sizeof ports, "%u  %u", one, two);
    snprintf(key, sizeof key, "charset.port.%u", two);
    snprintf(first, sizeof first, "%u", one);
    snprintf(second, sizeof second, "%u", two);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_multiport_syslogtcp,
                        PS_KEYS("host", "127.0.0.1", "ports", ports, "portHeader", "port", "clientIPHeader",
                                "ip", key, "ISO-8859-1", "readBufferSize", "2048", "numProcessors", "4"));
    int utf8 = ps_test_connect("127.0.0.1", one), latin = ps_test_connect("127.0.0.1", two);
    ps_test_send_text(utf8, "<34>1 2003-10-11T22:14:15.003Z höst caf\xC3\xA9\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_expect(&stage.events[0], "caf\xC3\xA9",
                   PS_WORDS("Facility", "4", "Severity", "2", "Priority", "34", "Version", "1", "timestamp",
                            "1065910455003", "host", "höst", "port", first, "ip", "127.0.0.1"));
    ps_test_send_text(utf8, "<34>1 2003-10-11T22:14:15.003Z h caf\xE9\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    ps_test_expect(&stage.events[1], "<34>1 2003-10-11T22:14:15.003Z h caf\xE9",
                   PS_WORDS("flume.syslog.status", "Invalid", "port", first, "ip", "127.0.0.1"));
    /* The body stays in the port's character set; headers are text. */
    ps_test_send_text(latin, "<34>1 2003-10-11T22:14:15.003Z h\xF6st caf\xE9\n");
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    ps_test_expect(&stage.events[2], "caf\xE9",
                   PS_WORDS("Facility", "4", "Severity", "2", "Priority", "34", "Version", "1", "timestamp",
                            "1065910455003", "host", "höst", "port", second, "ip", "127.0.0.1"));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), 1);
    close(utf8);
    close(latin);
    ps_test_stage_fini(&stage);
}

/* An empty line is not an event, a NUL ends a line's text, a line of eventSize bytes is cut. */
static void test_odd_lines(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_multiport_syslogtcp,
                        PS_KEYS("host", "127.0.0.1", "ports", "0", "eventSize", "40"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    static const char text[] = "\n<13>Xyz  1 00:00:00 h body\0tail\n"
                               "<13>Xyz  1 00:00:00 h 0123456789012345678\nnope\n";
    ps_test_send(fd, text, sizeof text - 1);
    ps_test_source_wait(&stage, 4, PS_TEST_PATIENCE_MS);
#define HEADERS "Facility", "1", "Severity", "5", "Priority", "13", "timestamp", "0", "host", "h"
    ps_test_expect(&stage.events[0], "body", PS_WORDS(HEADERS));
    ps_test_expect(&stage.events[1], "012345678901234567",
                   PS_WORDS(HEADERS, "flume.syslog.status", "Incomplete"));
    ps_test_expect(&stage.events[2], "8", PS_WORDS("flume.syslog.status", "Invalid"));
    ps_test_expect(&stage.events[3], "nope", PS_WORDS("flume.syslog.status", "Invalid"));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_GenericProcessingFail), 1);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* A priority may have five characters. The first of these facilities have their texts in a table, the others do not. */
static void test_odd_priorities(void **unused)
{
    static const char *const rows[][3] = {
        {"999", "124", "7"},    {"1000", "125", "0"},    {"7992", "999", "0"},
        {"7999", "999", "7"},   {"8000", "1000", "0"},   {"8007", "1000", "7"},
        {"+8000", "1000", "0"}, {"99999", "12499", "7"}, {"-9999", "-1249", "-7"},
    };
    char text[1024];
    size_t length = 0;
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        length += (size_t)sprintf(text + length, "<%s>Xyz  1 00:00:00 h body\n", rows[i][0]);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_multiport_syslogtcp, PS_KEYS("host", "127.0.0.1", "ports", "0"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    ps_test_send(fd, text, length);
    ps_test_source_wait(&stage, PS_COUNT_OF(rows), PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        ps_test_expect(&stage.events[i], "body",
                       PS_WORDS("Facility", rows[i][1], "Severity", rows[i][2], "Priority", rows[i][0],
                                "timestamp", "0", "host", "h"));
    close(fd);
    ps_test_stage_fini(&stage);
}

/* One port is in use: the other works, and the first is bound when it becomes free. */
static void test_one_port_taken(void **unused)
{
    unsigned one = ps_test_port(SOCK_STREAM), two = ps_test_port(SOCK_STREAM);
    char ports[32];
    snprintf(ports, sizeof ports, "%u %u", one, two);
    struct ps_address bound;
    struct ps_err err = {.length = 0};
    int taken = ps_address_bind(&(struct ps_bind_options){.host = "127.0.0.1", .port = one}, &bound, &err);
    assert_true(taken >= 0);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_multiport_syslogtcp,
                        PS_KEYS("host", "127.0.0.1", "ports", ports, "portHeader", "port"));
    int fd = ps_test_connect("127.0.0.1", two);
    ps_test_send_text(fd, "x\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    snprintf(ports, sizeof ports, "%u", two);
    assert_string_equal(ps_test_event_header(&stage.events[0], "port"), ports);
    close(taken);
    ps_test_stage_real_clock(&stage);
    uint64_t due_ns = stage.ops->source->tick(stage.plan, stage.state, &stage.now);
    assert_true(due_ns <= stage.now.mono_ns + 3 * PS_NS_PER_S); /* it wakes up for the unbound port */
    ps_test_stage_pass_ms(&stage, 3500);
    ps_test_source_work(&stage);
    int late = ps_test_connect("127.0.0.1", one);
    ps_test_send_text(late, "y\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    snprintf(ports, sizeof ports, "%u", one);
    assert_string_equal(ps_test_event_header(&stage.events[1], "port"), ports);
    ps_test_send_text(fd, "z\n"); /* each listener keeps its port number */
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    snprintf(ports, sizeof ports, "%u", two);
    assert_string_equal(ps_test_event_header(&stage.events[2], "port"), ports);
    close(fd);
    close(late);
    ps_test_stage_fini(&stage);
}

/* A draining source no longer binds a port that is not bound yet. */
static void test_drain_binds_nothing(void **unused)
{
    unsigned one = ps_test_port(SOCK_STREAM), two = ps_test_port(SOCK_STREAM);
    char ports[32];
    snprintf(ports, sizeof ports, "%u %u", one, two);
    struct ps_address bound;
    struct ps_err err = {.length = 0};
    const struct ps_bind_options options = {.host = "127.0.0.1", .port = one};
    int taken = ps_address_bind(&options, &bound, &err);
    assert_true(taken >= 0);
    struct ps_test_stage stage;
    ps_test_stage_start(&stage, &ps_source_multiport_syslogtcp, PS_KEYS("host", "127.0.0.1", "ports", ports));
    close(taken);
    ps_test_stage_real_clock(&stage);
    (void)stage.ops->source->drain(stage.plan, stage.state, &stage.now);
    ps_test_stage_pass_ms(&stage, 3500);
    ps_test_source_work(&stage);
    taken = ps_address_bind(&options, &bound, &err);
    assert_true(taken >= 0); /* the port is free */
    close(taken);
    ps_test_stage_fini(&stage);
}

static void test_bad_keys(void **unused)
{
    struct ps_test_stage stage;
    ps_test_stage_init(&stage, &ps_source_multiport_syslogtcp);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("ports", "5140 x")), PS_FAIL);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("ports", "5140", "charset.port.5140", "nope")),
                     PS_FAIL);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("ports", "5140", "charset.default", "nope")),
                     PS_FAIL);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("host", "127.0.0.1")), PS_FAIL);
    ps_test_stage_fini(&stage);
}

static void note(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                 const char *cause, const char *cure)
{
    unsigned *results = probe->argument;
    results[result]++;
}

/* The probe tries each port: of three the first, the second or the third is in use. */
static void test_probe_of_each_port(void **unused)
{
    enum { PORTS = 3 };
    for (unsigned taken = 0; taken <= PORTS; taken++) {
        unsigned results[PS_PROBED_REFUSED + 1] = {0}, numbers[PORTS];
        char ports[32] = "";
        int fd = -1;
        struct ps_test_stage stage;
        const struct ps_probe probe = {.timeout_ms = 1000, .tried = note, .argument = results};
        for (unsigned i = 0; i < PORTS; i++) {
            numbers[i] = i == taken ? 0 : ps_test_port(SOCK_STREAM);
            if (i == taken)
                fd = ps_test_rpc_listen(&numbers[i]);
            snprintf(ports + strlen(ports), sizeof ports - strlen(ports), "%u ", numbers[i]);
        }
        ps_test_stage_init(&stage, &ps_source_multiport_syslogtcp);
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("host", "127.0.0.1", "ports", ports)), PS_OK);
        stage.ops->probe(stage.plan, &stage.context, &probe);
        ps_test_stage_fini(&stage);
        assert_int_equal(results[PS_PROBED_OK] + results[PS_PROBED_FAILED], PORTS);
        assert_int_equal(results[PS_PROBED_FAILED], taken < PORTS);
        if (fd >= 0)
            close(fd);
    }
}

static void test_the_most_ports(void **unused)
{
    for (unsigned count = PS_STREAM_LISTENERS_MAX; count <= PS_STREAM_LISTENERS_MAX + 1; count++) {
        static char ports[8 * (PS_STREAM_LISTENERS_MAX + 1)];
        size_t length = 0;
        for (unsigned i = 0; i < count; i++)
            length += (size_t)sprintf(ports + length, "%u ", 2000 + i);
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_source_multiport_syslogtcp);
        bool fits = count <= PS_STREAM_LISTENERS_MAX;
        assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS("host", "127.0.0.1", "ports", ports)),
                         fits ? PS_OK : PS_FAIL);
        assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_ERROR, "between 1 and 1024 ports"), !fits);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports_and_charsets), cmocka_unit_test(test_odd_lines),
        cmocka_unit_test(test_one_port_taken),     cmocka_unit_test(test_drain_binds_nothing),
        cmocka_unit_test(test_bad_keys),           cmocka_unit_test(test_probe_of_each_port),
        cmocka_unit_test(test_the_most_ports),     cmocka_unit_test(test_odd_priorities),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
