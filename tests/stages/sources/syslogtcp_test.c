#include "tests/support/net.h"
#include "tests/support/source_tree.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
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
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "clientIPHeader", "ip"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    ps_test_send_text(fd, "<34>1 2003-10-11T22:14:15Z mymachine su - ID47 - it's me\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_expect(&stage.events[0], "su - ID47 - it's me",
                   PS_WORDS("Facility", "4", "Severity", "2", "priority", "34", "version", "1", "timestamp",
                            "1065910455000", "host", "mymachine", "ip", "127.0.0.1"));
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReceivedCount), 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
    close(fd);
    ps_test_await_counter(&stage, PS_COUNTER_OpenConnectionCount, 0);
    ps_test_source_settle(&stage, 1, 50);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
    ps_test_stage_fini(&stage);
}

/* The events do not depend on how the bytes are split. */
static void test_any_cut(void **unused)
{
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
    ps_test_source_wait(&stage, lines, PS_TEST_PATIENCE_MS);
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

/* One read fills several batches: bytes after a batch's last row come first in the next batch. */
static void test_full_batches(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    static char text[100000];
    size_t length = 0;
    for (int i = 0; i < 5000; i++)
        length += (size_t)sprintf(text + length, "<13>x %d\n", i);
    ps_test_send(fd, text, length);
    ps_test_source_wait(&stage, 5000, PS_TEST_PATIENCE_MS);
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
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "eventSize", "20"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    ps_test_send_text(fd, "<13>456789012345678\n<13>4567890123456789\n<13>45678901234567890\n<13>y\n");
    ps_test_source_wait(&stage, 5, PS_TEST_PATIENCE_MS);
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

/* Messages may be longer than the part of the batch's block in which they are split, and longer than a block; several
 * of them follow each other. */
static void test_giants(void **unused)
{
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
    ps_test_source_wait(&stage, PS_COUNT_OF(sizes), PS_TEST_PATIENCE_MS);
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
        assert_int_equal(stage.events[i].length, sizes[i] + 4);
        for (size_t at = 4; at < stage.events[i].length; at++)
            assert_int_equal(stage.events[i].body[at], 'a' + (int)i);
    }
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Silent, partial, closing and resetting clients do not disturb others. */
static void test_hostile_clients(void **unused)
{
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
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    struct linger now = {.l_onoff = 1};
    setsockopt(reset, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(reset);
    ps_test_send_text(good, "<13>good\n");
    ps_test_source_wait(&stage, 4, PS_TEST_PATIENCE_MS);
    ps_test_expect(&stage.events[3], "<13>good", PS_WORDS("Facility", "1", "Severity", "5"));
    ps_test_await_counter(&stage, PS_COUNTER_OpenConnectionCount, 4);
    close(silent);
    close(partial);
    close(garbage);
    ps_test_await_counter(&stage, PS_COUNTER_OpenConnectionCount, 1);
    ps_test_source_settle(&stage, 4, 100);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed),
                     4); /* two Invalid, two unfinished */
    ps_test_send_text(good, "<13>still\n");
    ps_test_source_wait(&stage, 5, PS_TEST_PATIENCE_MS);
    close(good);
    ps_test_stage_fini(&stage);
}

static void test_port_in_use(void **unused)
{
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
    assert_int_equal(ps_test_stage_open(&second), PS_OK); /* the engine's next attempt */
    ps_test_stage_fini(&second);
}

static void test_both_families(void **unused)
{
    struct ps_test_stage stage;
    int probe = socket(AF_INET6, SOCK_STREAM, 0);
    if (probe < 0)
        ps_test_skip("this machine has no IPv6");
    close(probe);
    start(&stage, PS_KEYS("host", "::", "port", "0", "clientIPHeader", "from"));
    int four = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    ps_test_send_text(four, "<13>four\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    int six = ps_test_connect("::1", ps_test_tcp_port(&stage, 0));
    ps_test_send_text(six, "<13>six\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_string_equal(ps_test_event_header(&stage.events[0], "from"), "127.0.0.1");
    assert_string_equal(ps_test_event_header(&stage.events[1], "from"), "0:0:0:0:0:0:0:1");
    close(four);
    close(six);
    ps_test_stage_fini(&stage);
}

static void test_drain_reads_what_is_there(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    unsigned port = ps_test_tcp_port(&stage, 0);
    int fd = ps_test_connect("127.0.0.1", port);
    ps_test_send_text(fd, "<13>one\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    ps_test_send_text(fd, "<13>two\n");
    ps_test_await_ready(&stage);
    assert_false(ps_source_syslogtcp.source->drain(stage.plan, stage.state, &stage.now));
    for (int i = 0; i < 10 && !ps_source_syslogtcp.source->drain(stage.plan, stage.state, &stage.now); i++)
        ps_test_source_work(&stage);
    ps_test_source_close_batch(&stage);
    assert_int_equal(stage.event_count, 2);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* The resolver's name of 127.0.0.1 is on every event, also on those sent before it was known. */
static void test_host_name(void **unused)
{
    char expected[256];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (getnameinfo((struct sockaddr *)&address, sizeof address, expected, sizeof expected, NULL, 0,
                    NI_NAMEREQD) != 0)
        strcpy(expected, "127.0.0.1");
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "clientHostnameHeader", "host", "clientIPHeader", "ip"));
    for (int i = 0; i < 2; i++) {
        int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
        ps_test_send_text(fd, "<13>2003-10-11T22:14:15Z other x\n");
        ps_test_source_wait(&stage, (size_t)i + 1, PS_TEST_PATIENCE_MS);
        ps_test_expect(&stage.events[i], "x",
                       PS_WORDS("Facility", "1", "Severity", "5", "priority", "13", "timestamp",
                                "1065910455000", "host", expected, "ip", "127.0.0.1"));
        close(fd);
    }
    ps_test_stage_fini(&stage);
}

/* A TLS client, run between calls of work. */
static void tls_step(struct ps_test_stage *stage, SSL *ssl, int result)
{
    int error = SSL_get_error(ssl, result);
    assert_true(error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE);
    ps_test_source_work(stage);
    usleep(500);
}

static void test_tls(void **unused)
{
    const char *store = ps_test_source_path("tests/stages/data/stores/server.p12");
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL, "ssl", "true", "keystore", store, "keystore-password", "changeit",
                          "keystore-type", "PKCS12"));
    unsigned port = ps_test_tcp_port(&stage, 0);
    int plain = ps_test_connect("127.0.0.1", port); /* no TLS: disconnected, others are not disturbed */
    ps_test_send_text(plain, "<13>plain\n");
    int fd = ps_test_connect("127.0.0.1", port), result;
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    for (int i = 0; (result = SSL_connect(ssl)) != 1; i++) {
        assert_true(i < (int)PS_TEST_PATIENCE_MS);
        tls_step(&stage, ssl, result);
    }
    static char text[300000];
    size_t length = 0;
    for (int i = 0; i < 5000; i++)
        length += (size_t)sprintf(text + length, "<13>2003-10-11T22:14:15Z h tls %d\n", i);
    for (size_t at = 0; at < length;) {
        result = SSL_write(ssl, text + at, (int)(length - at < 16000 ? length - at : 16000));
        if (result > 0)
            at += (size_t)result;
        else
            tls_step(&stage, ssl, result);
    }
    ps_test_source_wait(&stage, 5000, PS_TEST_PATIENCE_MS);
    for (int i = 0; i < 5000; i++) {
        char expected[32];
        snprintf(expected, sizeof expected, "tls %d", i);
        assert_string_equal(stage.events[i].body, expected);
    }
    SSL_shutdown(ssl);
    SSL_free(ssl);
    SSL_CTX_free(context);
    close(fd);
    close(plain);
    ps_test_await_counter(&stage, PS_COUNTER_OpenConnectionCount, 0);
    ps_test_source_settle(&stage, 5000, 50);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
    ps_test_stage_fini(&stage);
}

/* Without free descriptors: open connections continue, new ones are accepted when descriptors are free
 * again. */
static void test_out_of_descriptors(void **unused)
{
    struct ps_test_stage stage;
    struct rlimit old, low;
    start(&stage, PS_KEYS(LOCAL));
    unsigned port = ps_test_tcp_port(&stage, 0);
    int early = ps_test_connect("127.0.0.1", port);
    ps_test_send_text(early, "<13>early\n");
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    int late = ps_test_connect("127.0.0.1", port);
    ps_test_send_text(late, "<13>late\n");
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
    low = old;
    low.rlim_cur = (rlim_t)late + 1; /* no descriptors beyond the open ones */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
    ps_test_source_settle(&stage, 1, 50);
    ps_test_send_text(early, "<13>goes on\n");
    ps_test_source_wait(&stage, 2, PS_TEST_PATIENCE_MS);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
    ps_test_source_wait(
        &stage, 3, PS_TEST_PATIENCE_MS); /* within a second of the fake clock, which follows the real one */
    ps_test_expect(&stage.events[2], "<13>late", PS_WORDS("Facility", "1", "Severity", "5"));
    close(early);
    close(late);
    ps_test_stage_fini(&stage);
}

/* Messages in the user's own format are parsed, and so are those in the built-in formats. */
static void test_format(void **unused)
{
    struct ps_test_stage stage;
    start(&stage,
          PS_KEYS(LOCAL, "format.regex", "<(\\d+)>(\\w*) ?\\[([^\\]]*)\\] (\\S+) (.*)", "format.search",
                  "([+-]\\d\\d):", "format.replace", "$1", "format.dateFormat", "dd/MMM/yyyy:HH:mm:ss Z"));
    int fd = ps_test_connect("127.0.0.1", ps_test_tcp_port(&stage, 0));
    ps_test_send_text(fd, "<13>2 [11/Oct/2003:22:14:15 +02:00] ho\xC3\xB6st own form\n"
                          "<13>[no date] h x\n<13>2003-10-11T22:14:15Z h y\n");
    ps_test_source_wait(&stage, 3, PS_TEST_PATIENCE_MS);
    ps_test_expect(&stage.events[0], "own form",
                   PS_WORDS("Facility", "1", "Severity", "5", "priority", "13", "version", "2", "timestamp",
                            "1065903255000", "host", "ho\xC3\xB6st"));
    ps_test_expect(&stage.events[1], "x",
                   PS_WORDS("Facility", "1", "Severity", "5", "priority", "13", "host", "h"));
    ps_test_expect(&stage.events[2], "y",
                   PS_WORDS("Facility", "1", "Severity", "5", "priority", "13", "timestamp", "1065910455000",
                            "host", "h"));
    close(fd);
    ps_test_stage_fini(&stage);
    ps_test_stage_init(&stage, &ps_source_syslogtcp);
    assert_int_equal(ps_test_stage_bind(&stage, PS_KEYS(LOCAL, "format.regex", "<(")), PS_FAIL);
    assert_int_equal(
        ps_test_stage_bind(&stage, PS_KEYS(LOCAL, "format.regex", "x", "format.dateFormat", "b")), PS_FAIL);
    ps_test_stage_fini(&stage);
}

/* Many idle connections cost no reads or checks. */
static void test_many_connections(void **unused)
{
    enum { COUNT = 1000 };
    static int fds[COUNT];
    struct ps_test_stage stage;
    start(&stage, PS_KEYS(LOCAL));
    unsigned port = ps_test_tcp_port(&stage, 0);
    for (int i = 0; i < COUNT; i++) {
        fds[i] = ps_test_connect("127.0.0.1", port);
        if (i % 100 == 99)
            ps_test_source_settle(&stage, 0, 1);
    }
    /* On a busy machine the kernel may end a handshake some time after the client's connect has returned. */
    uint64_t until_ns = ps_test_patience_end_ns();
    do
        ps_test_source_settle(&stage, 0, 20);
    while (ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount) < COUNT &&
           ps_test_patient_ns() < until_ns);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), COUNT);
    struct epoll_event event;
    assert_int_equal(epoll_wait(stage.port.epoll_fd, &event, 1, 0), 0);
    for (int i = 0; i < COUNT; i++)
        ps_test_send_text(fds[i], "<13>half");
    ps_test_source_settle(&stage, 0, 20);
    for (int i = 0; i < COUNT; i++)
        ps_test_send_text(fds[i], " line\n");
    ps_test_source_wait(&stage, COUNT, PS_TEST_PATIENCE_MS);
    for (int i = 0; i < COUNT; i++) {
        assert_string_equal(stage.events[i].body, "<13>half line");
        close(fds[i]);
    }
    /* A busy machine delivers a hang-up later. */
    for (int i = 0; i < 1000 && ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount) > 0; i++)
        ps_test_source_settle(&stage, COUNT, 10);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_OpenConnectionCount), 0);
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
        cmocka_unit_test(test_host_name),
        cmocka_unit_test(test_tls),
        cmocka_unit_test(test_out_of_descriptors),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_many_connections),
    };
    setenv("TZ", "UTC", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
