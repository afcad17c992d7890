#include "tests/support/net.h"

#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

extern const struct ps_stage_ops ps_source_syslogtcp;

#define LOCAL "host", "127.0.0.1", "port", "0"

static void start(struct ps_test_stage *stage, const char *const *keys)
{
    ps_test_stage_start(stage, &ps_source_syslogtcp, keys);
}

static void test_one_event(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "clientIPHeader", "ip"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    ps_test_send_text(fd, "<34>1 2003-10-11T22:14:15Z mymachine su - ID47 - it's me\n");
    ps_test_source_wait(&stage, 1, 5000);
    ps_test_expect(&stage.events[0], "su - ID47 - it's me",
                   PS_WORDS("Facility", "4", "Severity", "2", "priority", "34", "version", "1", "timestamp",
                            "1065910455000", "host", "mymachine", "ip", "127.0.0.1"));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
    close(fd);
    ps_test_source_settle(&stage, 1, 50);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
    ps_test_stage_fini(&stage);
}

/* However the bytes are cut, the events are the same. */
static void test_any_cut(void **unused)
{
    (void)unused;
    uint64_t seed = ps_test_seed();
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    static char text[200000];
    size_t length = 0, lines = 0;
    while (length + 2400 < sizeof text) {
        length += (size_t)sprintf(text + length, "<13>Oct 11 22:14:15 host%zu ", lines);
        size_t body = ps_test_random(&seed) % (ps_test_random(&seed) % 8 == 0 ? 2000 : 100);
        length += (size_t)sprintf(text + length, "%zu:", lines++);
        memset(text + length, 'x', body);
        length += body;
        text[length++] = '\n';
    }
    for (size_t at = 0; at < length;) {
        size_t piece = 1 + ps_test_random(&seed) % 3000;
        if (piece > length - at)
            piece = length - at;
        ps_test_send(fd, text + at, piece);
        at += piece;
        ps_test_source_work(&stage);
    }
    ps_test_source_wait(&stage, lines, 10000);
    for (size_t i = 0; i < lines; i++) {
        char expected[32], host[32];
        snprintf(expected, sizeof expected, "%zu:", i);
        snprintf(host, sizeof host, "host%zu", i);
        assert_memory_equal(stage.events[i].body, expected, strlen(expected));
        assert_string_equal(ps_test_event_header(&stage.events[i], "host"), host);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* One batch of many: what was received behind the last row comes first in the next. */
static void test_full_batches(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    static char text[100000];
    size_t length = 0;
    for (int i = 0; i < 5000; i++)
        length += (size_t)sprintf(text + length, "<13>x %d\n", i);
    ps_test_send(fd, text, length);
    ps_test_source_wait(&stage, 5000, 10000);
    for (int i = 0; i < 5000; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "<13>x %d", i);
        ps_test_expect(&stage.events[i], expected, PS_WORDS("Facility", "1", "Severity", "5"));
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

static void test_long_lines(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "eventSize", "20"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    ps_test_send_text(fd, "<13>456789012345678\n<13>4567890123456789\n<13>45678901234567890\n<13>y\n");
    ps_test_source_wait(&stage, 5, 5000);
    ps_test_expect(&stage.events[0], "<13>456789012345678", PS_WORDS("Facility", "1", "Severity", "5"));
    ps_test_expect(&stage.events[1], "<13>4567890123456789",
                   PS_WORDS("Facility", "1", "Severity", "5", "flume.syslog.status", "Incomplete"));
    ps_test_expect(&stage.events[2], "<13>4567890123456789",
                   PS_WORDS("Facility", "1", "Severity", "5", "flume.syslog.status", "Incomplete"));
    ps_test_expect(&stage.events[3], "0",
                   PS_WORDS("Facility", "0", "Severity", "0", "flume.syslog.status", "Invalid"));
    ps_test_expect(&stage.events[4], "<13>y", PS_WORDS("Facility", "1", "Severity", "5"));
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Longer than what is split in the batch's block, than a block, and several of them. */
static void test_giants(void **unused)
{
    (void)unused;
    static const size_t sizes[] = {17000, 70000, 140000, 300000, 1000000, 10, 200000};
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "eventSize", "1000100"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    static char line[1000200];
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
        memset(line, 'a' + (int)i, sizeof line);
        memcpy(line, "<13>", 4);
        line[4 + sizes[i]] = '\n';
        for (size_t at = 0; at < sizes[i] + 5;) {
            size_t piece = sizes[i] + 5 - at < 60000 ? sizes[i] + 5 - at : 60000;
            ps_test_send(fd, line + at, piece);
            at += piece;
            ps_test_source_work(&stage);
        }
    }
    ps_test_source_wait(&stage, PS_COUNT_OF(sizes), 10000);
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
        assert_int_equal(stage.events[i].length, sizes[i] + 4);
        for (size_t at = 4; at < stage.events[i].length; at++)
            assert_int_equal(stage.events[i].body[at], 'a' + (int)i);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Silent, partial, closing and resetting clients harm nobody else. */
static void test_hostile_clients(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    unsigned port = ps_test_tcp_port(&stage, 0);
    int silent = ps_test_connect("127.0.0.1", port);
    int partial = ps_test_connect("127.0.0.1", port);
    int garbage = ps_test_connect("127.0.0.1", port);
    int reset = ps_test_connect("127.0.0.1", port);
    int good = ps_test_connect("127.0.0.1", port);
    ps_test_send_text(partial, "<13>no end");
    static const char bytes[] = "\0\xFF\xFE<<>>\r\0<\n\x01\x02\n";
    ps_test_send(garbage, bytes, sizeof bytes - 1);
    ps_test_send_text(reset, "<13>was reset\n<13>");
    ps_test_source_wait(&stage, 2, 5000);
    struct linger now = {.l_onoff = 1};
    setsockopt(reset, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(reset);
    ps_test_send_text(good, "<13>good\n");
    ps_test_source_wait(&stage, 4, 5000);
    ps_test_expect(&stage.events[3], "<13>good", PS_WORDS("Facility", "1", "Severity", "5"));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 4);
    close(silent);
    close(partial);
    close(garbage);
    ps_test_source_settle(&stage, 4, 100);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 2);
    ps_test_send_text(good, "<13>still\n");
    ps_test_source_wait(&stage, 5, 5000);
    close(good);
    ps_test_stage_fini(&stage);
}

static void test_port_in_use(void **unused)
{
    (void)unused;
    struct ps_test_stage first, second;
    start(&first, PS_KEYS(LOCAL));
    char port[16];
    snprintf(port, sizeof port, "%u", ps_test_tcp_port(&first, 0));
    ps_test_stage_init(&second, &ps_source_syslogtcp);
    assert_int_equal(ps_test_stage_bind(&second, PS_KEYS("host", "127.0.0.1", "port", port)), PS_OK);
    assert_int_equal(ps_test_stage_build(&second), PS_OK);
    assert_int_equal(ps_test_stage_open(&second), PS_FAIL);
    assert_non_null(strstr(second.err.text, port));
    assert_non_null(strstr(second.err.text, "in use"));
    ps_test_stage_fini(&first);
    assert_int_equal(ps_test_stage_open(&second), PS_OK); /* the engine's next try */
    ps_test_stage_fini(&second);
}

static void test_both_families(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    if (probe < 0) {
        print_message("SKIP: no IPv6 here\n");
        skip();
    }
    close(probe);
    start(&stage, PS_KEYS("host", "::", "port", "0", "clientIPHeader", "from"));
    int four = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    ps_test_send_text(four, "<13>four\n");
    ps_test_source_wait(&stage, 1, 5000);
    int six = ps_test_connect("::1", ps_test_tcp_port(&stage, 0));
    ps_test_send_text(six, "<13>six\n");
    ps_test_source_wait(&stage, 2, 5000);
    assert_string_equal(ps_test_event_header(&stage.events[0], "from"), "127.0.0.1");
    assert_string_equal(ps_test_event_header(&stage.events[1], "from"), "0:0:0:0:0:0:0:1");
    close(four);
    close(six);
    ps_test_stage_fini(&stage);
}

static void test_drain_reads_what_is_there(void **unused)
{
    (void)unused;
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    unsigned port = ps_test_tcp_port(&stage, 0);
    int fd = ps_test_connect("127.0.0.1", port);
    ps_test_send_text(fd, "<13>one\n");
    ps_test_source_wait(&stage, 1, 5000);
    ps_test_send_text(fd, "<13>two\n");
    usleep(20000);
    assert_false(ps_source_syslogtcp.source->drain(stage.plan, stage.state, &stage.now));
    for (int i = 0; i < 10 && !ps_source_syslogtcp.source->drain(stage.plan, stage.state, &stage.now); i++)
        ps_test_source_work(&stage);
    ps_test_source_close_batch(&stage);
    assert_int_equal(stage.event_count, 2);
    close(fd);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_event),
        cmocka_unit_test(test_any_cut),
        cmocka_unit_test(test_full_batches),
        cmocka_unit_test(test_long_lines),
        cmocka_unit_test(test_giants),
        cmocka_unit_test(test_hostile_clients),
        cmocka_unit_test(test_port_in_use),
        cmocka_unit_test(test_both_families),
        cmocka_unit_test(test_drain_reads_what_is_there),
    };
    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
