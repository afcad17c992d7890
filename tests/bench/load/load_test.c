/* Complete runs against real sockets: everything arrives once and in order; a sink that stalls appears in the
 * tail, one that disappears in the outages, one that is too slow in the verdict. */
#include "tests/support/load_config.h"
#include "tests/support/port.h"
#include "tests/support/support.h"

#include "bench/support/stamp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define S PS_NS_PER_S
#define EVENT_BYTES 64U
#define SINK_CONNECTIONS_MAX 8U
#define SOURCES_MAX 8U

/* ---- a sink: a thread with a listener, and its faults ---- */

struct sink {
    unsigned port;
    int listener;
    bool small;         /* its buffers are small */
    unsigned stall_ms;  /* reads nothing for this long, once, after the first bytes */
    bool stall_to_end;  /* the same, until it is told to finish */
    unsigned slow_ms;   /* pause after each 4 KiB */
    size_t leave_bytes; /* closes everything after this many bytes, and comes back a little later */
    bool octet_counted;
    uint64_t finish; /* order: end when every connection has ended */
    uint64_t reads;  /* how often something came; may be read meanwhile */
    pthread_t thread;
    /* events that it saw; read after the thread was joined */
    uint64_t events, broken, connections, left;
    uint64_t next[SOURCES_MAX], marked[SOURCES_MAX];
    size_t bytes;
    struct {
        int fd;
        size_t used;
        char text[65536];
    } lanes[SINK_CONNECTIONS_MAX];
};

static void sink_listen(struct sink *sink)
{
    if (sink->port == 0)
        sink->port = ps_test_port(SOCK_STREAM);
    struct sockaddr_in at = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                             .sin_port = htons((uint16_t)sink->port)};
    int yes = 1, small = 4096, segment_bytes = 512;
    sink->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(sink->listener >= 0);
    setsockopt(sink->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (sink->small) {
        /* Segments far smaller than the window: with loopback's 64 KiB segments the kernel would often send only when
         * its probe timer fires (200 ms to minutes, RFC 9293, 3.8.6), as it never has a whole segment to send. */
        setsockopt(sink->listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
        setsockopt(sink->listener, IPPROTO_TCP, TCP_MAXSEG, &segment_bytes, sizeof segment_bytes);
    }
    assert_int_equal(bind(sink->listener, (struct sockaddr *)&at, sizeof at), 0);
    assert_int_equal(listen(sink->listener, 16), 0);
}

static void sink_event(struct sink *sink, const char *text, size_t length)
{
    struct ps_stamp stamp;
    if (length + 1 != EVENT_BYTES && !sink->octet_counted)
        sink->broken++;
    else if (ps_stamp_find(text, length, &stamp, NULL) != PS_STAMP_GOOD || stamp.source >= SOURCES_MAX)
        sink->broken++;
    else if (sink->leave_bytes == 0 && stamp.sequence != sink->next[stamp.source])
        sink->broken++;
    else {
        sink->next[stamp.source] = stamp.sequence + 1;
        sink->marked[stamp.source] += stamp.last;
    }
    sink->events++;
}

/* Returns the length of the first event with its framing; 0: it is incomplete. *begin: where its text begins. */
static size_t sink_cut(const struct sink *sink, const char *text, size_t length, size_t *begin)
{
    *begin = 0;
    if (!sink->octet_counted) {
        const char *end = memchr(text, '\n', length);
        return end != NULL ? (size_t)(end - text) + 1 : 0;
    }
    const char *blank = memchr(text, ' ', length);
    if (blank == NULL)
        return 0;
    *begin = (size_t)(blank - text) + 1;
    size_t whole = *begin + strtoul(text, NULL, 10);
    return whole <= length ? whole : 0;
}

static void sink_split(struct sink *sink, unsigned lane)
{
    char *text = sink->lanes[lane].text;
    size_t at = 0, begin, length, *used = &sink->lanes[lane].used;
    while ((length = sink_cut(sink, text + at, *used - at, &begin)) > 0) {
        sink_event(sink, text + at + begin, length - begin - !sink->octet_counted);
        at += length;
    }
    memmove(text, text + at, *used - at);
    *used -= at;
}

static void pause_ms(unsigned ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static void sink_leave(struct sink *sink)
{
    for (unsigned i = 0; i < SINK_CONNECTIONS_MAX; i++) {
        if (sink->lanes[i].fd >= 0)
            close(sink->lanes[i].fd);
        sink->lanes[i].fd = -1;
        sink->lanes[i].used = 0;
    }
    close(sink->listener);
    pause_ms(300);
    sink_listen(sink);
    sink->left++;
}

/* Returns false when nothing came. */
static bool sink_read(struct sink *sink, unsigned lane)
{
    int *fd = &sink->lanes[lane].fd;
    size_t room = sizeof sink->lanes[lane].text - sink->lanes[lane].used;
    if (sink->slow_ms > 0 && room > 4096)
        room = 4096;
    ssize_t length = recv(*fd, sink->lanes[lane].text + sink->lanes[lane].used, room, MSG_DONTWAIT);
    if (length == 0 || (length < 0 && errno != EAGAIN && errno != EINTR)) {
        close(*fd);
        *fd = -1;
    }
    if (length <= 0)
        return false;
    bool first = sink->bytes == 0;
    ps_statistics_add(&sink->reads, 1);
    sink->bytes += (size_t)length;
    sink->lanes[lane].used += (size_t)length;
    sink_split(sink, lane);
    if (first && sink->stall_ms > 0)
        pause_ms(sink->stall_ms);
    while (first && sink->stall_to_end && ps_statistics_read(&sink->finish) == 0)
        pause_ms(1);
    if (sink->slow_ms > 0)
        pause_ms(sink->slow_ms);
    if (sink->leave_bytes > 0 && sink->left == 0 && sink->bytes > sink->leave_bytes)
        sink_leave(sink);
    return true;
}

static void *sink_run(void *argument)
{
    struct sink *sink = argument;
    for (;;) {
        bool finish = ps_statistics_read(&sink->finish) != 0; /* before it looks for what is still there */
        int fd = accept4(sink->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        bool busy = fd >= 0, open = false;
        for (unsigned i = 0; fd >= 0 && i < SINK_CONNECTIONS_MAX; i++) {
            if (sink->lanes[i].fd >= 0)
                continue;
            sink->lanes[i].fd = fd;
            sink->lanes[i].used = 0;
            sink->connections++;
            fd = -1;
        }
        assert_true(fd < 0);
        for (unsigned i = 0; i < SINK_CONNECTIONS_MAX; i++) {
            busy = (sink->lanes[i].fd >= 0 && sink_read(sink, i)) || busy;
            open = sink->lanes[i].fd >= 0 || open;
        }
        if (!busy && !open && finish)
            return NULL;
        if (!busy)
            pause_ms(1);
    }
}

static struct sink *sink_start(struct sink how)
{
    struct sink *sink = calloc(1, sizeof *sink);
    assert_non_null(sink);
    *sink = how;
    for (unsigned i = 0; i < SINK_CONNECTIONS_MAX; i++)
        sink->lanes[i].fd = -1;
    sink_listen(sink);
    assert_int_equal(pthread_create(&sink->thread, NULL, sink_run, sink), 0);
    return sink;
}

static void sink_join(struct sink *sink)
{
    ps_statistics_add(&sink->finish, 1);
    pthread_join(sink->thread, NULL);
    close(sink->listener);
    for (unsigned i = 0; i < SINK_CONNECTIONS_MAX; i++) {
        if (sink->lanes[i].fd >= 0)
            close(sink->lanes[i].fd);
    }
}

/* ---- a run ---- */

static struct ps_load_result result;
static struct ps_err err;
static volatile sig_atomic_t interrupts;
static char target[128];

static struct ps_load_config config_for(const struct sink *sink, const char *query)
{
    __atomic_store_n(&interrupts, 0, __ATOMIC_RELAXED);
    snprintf(target, sizeof target, "tcp://127.0.0.1:%u%s", sink->port, query);
    struct ps_load_config config = ps_test_load_config(target, EVENT_BYTES, S);
    config.spin = true;
    config.interrupts = &interrupts;
    return config;
}

static enum ps_status run(const struct ps_load_config *config)
{
    FILE *null = fopen("/dev/null", "we");
    struct ps_live live;
    assert_non_null(null);
    memset(&err, 0, sizeof err);
    ps_live_init(&live, null, true, false);
    enum ps_status status = ps_load_run(config, &live, &result, &err);
    fclose(null);
    return status;
}

static void run_good(const struct ps_load_config *config)
{
    if (run(config) != PS_OK)
        fail_msg("%s", err.text);
}

static uint64_t slower_than(uint64_t ns)
{
    return result.total.latency_ns.count - ps_histogram_count_upto(&result.total.latency_ns, ns);
}

/* ---- tests ---- */

static void test_everything_arrives_once_and_in_order(void **state)
{
    struct sink *sink = sink_start((struct sink){0});
    struct ps_load_config config = config_for(sink, "");
    config.connections = 5;
    config.threads = 2;
    config.connect_over_ns = 50 * PS_NS_PER_MS;
    config.shape.text = "burst:on=100ms,off=50ms";
    run_good(&config);
    sink_join(sink);
    assert_int_equal(result.due, 14000);
    assert_int_equal(result.total.completed, 14000);
    assert_int_equal(result.total.bytes, 14000 * EVENT_BYTES);
    assert_int_equal(ps_load_result_undelivered(&result), 0);
    assert_int_equal(sink->events, 14000);
    assert_int_equal(sink->broken, 0);
    assert_int_equal(sink->connections, 5);
    for (unsigned source = 0; source < 5; source++) {
        assert_int_equal(sink->next[source], 2800);
        assert_int_equal(sink->marked[source], 1);
        assert_int_equal(result.sources[source].events, 2800);
    }
    assert_int_equal(result.completion, PS_COMPLETION_WRITTEN);
    ps_load_result_fini(&result);
    free(sink);
}

/* The sink reads nothing for a second; its buffers and the sender's hold far less than 0.2 s of the load. So
 * events due in the other 0.8 s wait until the second is over: lower bounds that hold on slow machines
 * too. */
static void test_a_stalled_sink_shows_in_the_tail(void **state)
{
    struct sink *sink = sink_start((struct sink){.small = true, .stall_ms = 1000});
    struct ps_load_config config = config_for(sink, "?send_buffer=4KiB");
    config.shape.duration_ns = 3 * S;
    run_good(&config);
    sink_join(sink);
    assert_int_equal(result.due, 60000);
    assert_int_equal(sink->events, 60000);
    assert_int_equal(sink->broken, 0);
    assert_true(result.total.latency_ns.max >= 8 * S / 10);
    assert_true(slower_than(S / 2 - S / 100) >= 6000); /* 0.3 s of the load */
    ps_load_result_fini(&result);
    free(sink);
}

static void test_a_sink_that_goes_away_is_an_outage(void **state)
{
    struct sink *sink = sink_start((struct sink){.leave_bytes = 20000});
    struct ps_load_config config = config_for(sink, "");
    config.shape.duration_ns = 2 * S;
    run_good(&config);
    sink_join(sink);
    assert_int_equal(result.due, 40000); /* the schedule was kept */
    assert_int_equal(result.total.completed, 40000);
    assert_true(result.outage_count >= 1);
    assert_true(result.outages[0].seconds > 0);
    assert_true(result.outages[0].t >= 0 && result.outages[0].reason[0] != '\0');
    assert_int_equal(sink->connections, 2);
    assert_int_equal(sink->broken, 0);
    assert_int_equal(sink->next[0], 40000);
    ps_load_result_fini(&result);
    free(sink);
}

/* 4 KiB in at least 5 ms are at most 800 KiB/s; the load asks for 1.28 MB/s. */
static void test_a_slow_sink_does_not_hold_the_rate(void **state)
{
    struct sink *sink = sink_start((struct sink){.small = true, .slow_ms = 5});
    struct ps_load_config config = config_for(sink, "?send_buffer=4KiB");
    run_good(&config);
    sink_join(sink);
    assert_false(result.held);
    assert_true(result.achieved_rate < 0.8 * result.asked_rate);
    assert_int_equal(result.asked_rate, 20000);
    assert_int_equal(result.total.completed, 20000);
    assert_int_equal(ps_load_result_code(&result), 3);
    ps_load_result_fini(&result);
    free(sink);
}

static void test_what_was_not_delivered_is_said(void **state)
{
    struct sink *sink = sink_start((struct sink){.small = true, .stall_to_end = true});
    struct ps_load_config config = config_for(sink, "?send_buffer=4KiB");
    config.settle_ns = 100 * PS_NS_PER_MS;
    run_good(&config);
    assert_int_equal(result.due, 20000);
    assert_true(ps_load_result_undelivered(&result) > 10000);
    assert_true(result.backlog_max > 10000);
    assert_int_equal(ps_load_result_code(&result), 1);
    sink_join(sink);
    ps_load_result_fini(&result);
    free(sink);
}

static void test_octets_are_counted(void **state)
{
    struct sink *sink = sink_start((struct sink){.octet_counted = true});
    struct ps_load_config config = config_for(sink, "?framing=octet-counted");
    config.event_max = 5000;
    config.shape = (struct ps_shape_config){.text = "closed"};
    run_good(&config);
    sink_join(sink);
    assert_true(result.closed_loop && result.held);
    assert_int_equal(result.total.completed, 5000);
    assert_int_equal(sink->events, 5000);
    assert_int_equal(sink->broken, 0);
    assert_int_equal(sink->marked[0], 1);
    ps_load_result_fini(&result);
    free(sink);
}

/* Interrupts the run; with a sink, once it has received something. */
static void *interrupt_soon(void *argument)
{
    struct sink *sink = argument;
    while (sink != NULL && ps_statistics_read(&sink->reads) == 0)
        pause_ms(1);
    pause_ms(400);
    __atomic_store_n(&interrupts, 1, __ATOMIC_RELAXED);
    return NULL;
}

static void test_an_interrupted_run_ends_well(void **state)
{
    char manifest[] = "/tmp/ps-manifest-XXXXXX";
    pthread_t thread;
    int fd = mkstemp(manifest);
    assert_true(fd >= 0);
    close(fd);
    struct sink *sink = sink_start((struct sink){0});
    struct ps_load_config config = config_for(sink, "");
    config.shape.duration_ns = 1000 * S;
    config.manifest = manifest;
    config.connections = 2;
    config.source_first = 3;
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, sink), 0);
    run_good(&config);
    pthread_join(thread, NULL);
    sink_join(sink);
    assert_true(result.interrupted);
    assert_true(result.seconds < 500);
    assert_true(result.due >= result.total.completed);
    assert_int_equal(result.total.sent, result.total.completed);
    assert_int_equal(sink->events, result.total.completed);

    json_t *root = json_load_file(manifest, 0, NULL), *sources = json_object_get(root, "sources");
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "run")), "123456");
    assert_int_equal(json_integer_value(json_object_get(root, "size_bytes")), EVENT_BYTES);
    assert_int_equal(json_array_size(sources), 2);
    for (unsigned i = 0; i < 2; i++) {
        const json_t *source = json_array_get(sources, i);
        assert_int_equal(json_integer_value(json_object_get(source, "source")), 3 + i);
        assert_int_equal(json_integer_value(json_object_get(source, "events")), sink->next[3 + i]);
        assert_int_equal(json_integer_value(json_object_get(source, "failed")), 0);
    }
    json_decref(root);
    unlink(manifest);
    ps_load_result_fini(&result);
    free(sink);
}

/* Returns a port without a listener, which the kernel gives to nobody else. */
static struct sink closed_port(void)
{
    return (struct sink){.port = 1};
}

static void expect_failure(const struct ps_load_config *config, const char *wanted)
{
    assert_int_equal(run(config), PS_FAIL);
    if (strstr(err.text, wanted) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", err.text, wanted);
    ps_load_result_fini(&result);
}

static void test_a_target_that_refuses_is_said(void **state)
{
    struct sink nobody = closed_port();
    struct ps_load_config config = config_for(&nobody, "");
    config.connect_ns = 5 * S; /* time for the first refusal on a busy machine */
    expect_failure(&config, "Connection refused (tried for 5 s");
    config.connections = 3;
    config.threads = 3;
    expect_failure(&config, "Connection refused (0 of 3 connections");
    config.connect_ns = PS_NEVER; /* --wait */
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, interrupt_soon, NULL), 0);
    expect_failure(&config, "interrupted before it was connected");
    pthread_join(thread, NULL);
}

/* A target that cannot be reached is reported, even if it sends nothing before the first event. */
static void test_a_target_that_does_not_answer_is_said(void **state)
{
    struct sink nobody = closed_port();
    struct ps_load_config config = config_for(&nobody, "");
    config.connect_ns = 300 * PS_NS_PER_MS;
    snprintf(target, sizeof target, "http://127.0.0.1:%u/", nobody.port);
    expect_failure(&config, "(tried for 300 ms; use --wait to keep trying)");
    config.connections = 2;
    expect_failure(&config, "(0 of 2 connections were made within 300 ms");
}

static void test_unreachable_brokers_are_named(void **state)
{
#ifdef __SANITIZE_THREAD__
    ps_test_skip("ThreadSanitizer sees races inside librdkafka, which is not built for it");
#else
    struct sink nobody = closed_port();
    struct ps_load_config config = config_for(&nobody, "");
    config.connect_ns = 5 * S; /* a broker's first error comes after its connection was refused */
    snprintf(target, sizeof target, "kafka://127.0.0.1:%u/t", nobody.port);
    expect_failure(&config, "(tried for 5 s; use --wait to keep trying)");
    assert_non_null(strstr(err.text, "Connection refused"));
#endif
}

static void test_bad_configurations_are_named(void **state)
{
    struct sink nobody = closed_port();
    struct ps_load_config config = config_for(&nobody, "?frameing=newline");
    expect_failure(&config, "did you mean `framing`?");
    config = config_for(&nobody, "?framing=lines");
    expect_failure(&config, "one of newline, octet-counted");
    config = config_for(&nobody, "?send_buffer=huge");
    expect_failure(&config, "`huge` is not a size");
    config = config_for(&nobody, "");
    config.target = "tpc://127.0.0.1:1";
    expect_failure(&config, "did you mean tcp?");
    config.target = "tcp://127.0.0.1:99999";
    expect_failure(&config, "not a port number");
    config.target = "stdout:";
    config.connections = 2;
    expect_failure(&config, "remove --connections");
    config.target = "./never-made";
    expect_failure(&config, "remove --connections");
    config = config_for(&nobody, "");
    config.target = "localhost";
    expect_failure(&config, "write tcp://localhost:PORT for a host, ./localhost for a file");
    config = config_for(&nobody, "");
    config.manifest = "/nonexistent/manifest";
    expect_failure(&config, "--manifest /nonexistent/manifest");
    config = config_for(&nobody, "");
    config.content = (struct ps_content_config){.template = "hello {hots}"};
    expect_failure(&config, "hots");
    config = config_for(&nobody, "");
    config.source_first = PS_STAMP_SOURCE_MAX;
    config.connections = 2;
    expect_failure(&config, "highest source");
    config = config_for(&nobody, "");
    config.shape.text = "sien";
    expect_failure(&config, "did you mean sine?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_arrives_once_and_in_order),
        cmocka_unit_test(test_a_stalled_sink_shows_in_the_tail),
        cmocka_unit_test(test_a_sink_that_goes_away_is_an_outage),
        cmocka_unit_test(test_a_slow_sink_does_not_hold_the_rate),
        cmocka_unit_test(test_what_was_not_delivered_is_said),
        cmocka_unit_test(test_octets_are_counted),
        cmocka_unit_test(test_an_interrupted_run_ends_well),
        cmocka_unit_test(test_a_target_that_refuses_is_said),
        cmocka_unit_test(test_a_target_that_does_not_answer_is_said),
        cmocka_unit_test(test_unreachable_brokers_are_named),
        cmocka_unit_test(test_bad_configurations_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
