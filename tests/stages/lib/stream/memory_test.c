/* Unfinished lines and the memory budget: they neither stop a source nor outlive their connections. */
#include "stages/lib/stream/stream.h"
#include "tests/support/net.h"
#include "tests/support/source_tree.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define LOCAL "bind", "127.0.0.1", "port", "0"
#define MANY 400
#define CHUNK 64U /* connections in a chunk of the stream */

static void start(struct ps_test_stage *stage, uint64_t budget_bytes, const char *const *keys)
{
    ps_test_stage_init_sized(stage, &ps_source_netcat, budget_bytes);
    assert_int_equal(ps_test_stage_bind(stage, keys), PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
}

static int client(const struct ps_test_stage *stage)
{
    return ps_test_connect("127.0.0.1", ps_test_tcp_port(stage, 0));
}

static uint64_t open_count(const struct ps_test_stage *stage)
{
    return ps_test_stage_counter(stage, PS_COUNTER_OpenConnectionCount);
}

static void cycles_until_open(struct ps_test_stage *stage, uint64_t count)
{
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && open_count(stage) != count; i++) {
        if (i > 1000)
            usleep(1000);
        ps_test_source_cycle(stage);
        ps_test_stage_pass_ms(stage, 10); /* lingering connections also end */
    }
    assert_int_equal(open_count(stage), count);
}

/* Runs the source until its socket has all that the client sent, and then for `count` cycles. */
static void cycles_behind(struct ps_test_stage *stage, int fd, unsigned count)
{
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!ps_test_has_arrived(fd)) {
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_source_cycle(stage); /* the socket may have no room for more */
        usleep(100);
    }
    while (count-- > 0)
        ps_test_source_cycle(stage);
}

/* Waits until the kernel has told the source of the ends of this number of connections. */
static void await_ends(const struct ps_test_stage *stage, unsigned count)
{
    const struct ps_stream *stream = stage->state; /* netcat's state begins with it */
    uint64_t until_ns = ps_test_patience_end_ns();
    for (unsigned ended = 0; ended < count; usleep(1000)) {
        assert_true(ps_test_patient_ns() < until_ns);
        ended = 0;
        for (uint32_t slot = 0; slot < CHUNK; slot++) {
            struct pollfd end = {.fd = stream->chunks[0][slot].fd, .events = POLLRDHUP};
            ended += poll(&end, 1, 0) > 0; /* not for a free slot, which has no descriptor */
        }
    }
}

/* A client that sends complete lines gets its answers. */
static void assert_served(struct ps_test_stage *stage, int fd)
{
    char answer[8];
    for (int line = 0; line < 10; line++) {
        ssize_t got = 0;
        ps_test_send_text(fd, "hello\n");
        for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && got <= 0; i++) {
            if (i > 200) /* the kernel hands it over later, on a busy machine */
                usleep(1000);
            ps_test_source_cycle(stage);
            got = recv(fd, answer, sizeof answer, MSG_DONTWAIT);
        }
        assert_int_equal(got, 3);
        assert_memory_equal(answer, "OK\n", 3);
    }
}

static int allow_many_descriptors(void **unused)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return -1;
    limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
    return setrlimit(RLIMIT_NOFILE, &limit);
}

/* Far more unfinished lines than the budget holds: the oldest are cut, another client is served, and after all of them
 * are closed no memory is held. */
static void test_many_unfinished_lines(void **unused)
{
    static char part[12000];
    static int fds[MANY];
    struct ps_test_stage stage;
    memset(part, 'a', sizeof part);
    start(&stage, 4 * MIB, PS_KEYS(LOCAL, "max-line-length", "16000"));
    int neighbour = client(&stage);
    for (int i = 0; i < MANY; i++) { /* 400 times 16 KiB, in a budget of 4 MiB */
        fds[i] = client(&stage);
        ps_test_send(fds[i], part, sizeof part);
        cycles_behind(&stage, fds[i], 3);
        if (i % 50 == 0)
            assert_served(&stage, neighbour);
    }
    assert_served(&stage, neighbour);
    uint64_t cut = ps_test_stage_counter(&stage, PS_COUNTER_malformed);
    assert_in_range(cut, MANY - 64, MANY - 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail), cut);
    /* The newest line is not cut. */
    ps_test_send_text(fds[MANY - 1], "\n");
    char answer[8];
    ssize_t got = 0;
    for (unsigned i = 0; i < PS_TEST_PATIENCE_MS && got <= 0; i++) {
        if (i > 200)
            usleep(1000);
        ps_test_source_cycle(&stage);
        got = recv(fds[MANY - 1], answer, sizeof answer, MSG_DONTWAIT);
    }
    assert_int_equal(got, 3);
    for (int i = 0; i < MANY; i++)
        close(fds[i]);
    cycles_until_open(&stage, 1);
    assert_in_range(ps_depot_used_bytes(stage.depot), 0, MIB); /* only batches still have blocks */
    close(neighbour);
    ps_test_stage_fini(&stage);
}

/* Sends as much as the socket accepts. Returns how many bytes that was; -1: the source has closed the connection. */
static ssize_t send_now(int fd, const char *data, size_t length)
{
    ssize_t n = send(fd, data, length, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n >= 0 ? n : errno == EAGAIN ? 0 : -1;
}

/* Two lines of 6 MB that never end and are allowed by max-line-length: both count as malformed, and another client is served. */
static void test_two_giant_lines(void **unused)
{
    enum { GIANT = 6000000 };
    struct ps_test_stage stage;
    char *part = malloc(GIANT);
    assert_non_null(part);
    memset(part, 'a', GIANT);
    start(&stage, 20 * MIB, PS_KEYS(LOCAL, "max-line-length", "16777216"));
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, "max-line-length"));
    int neighbour = client(&stage), fds[2] = {client(&stage), client(&stage)};
    size_t sent[2] = {0, 0};
    for (int i = 0; i < 20000; i++) {
        for (int k = 0; k < 2; k++) {
            ssize_t n = sent[k] < GIANT ? send_now(fds[k], part + sent[k], GIANT - sent[k]) : 0;
            sent[k] = n < 0 ? GIANT : sent[k] + (size_t)n;
        }
        ps_test_source_cycle(&stage);
        if (i % 100 == 0)
            assert_served(&stage, neighbour);
        if (sent[0] == GIANT && sent[1] == GIANT)
            break;
    }
    assert_int_equal(sent[0], GIANT);
    assert_int_equal(sent[1], GIANT);
    assert_served(&stage, neighbour);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 2);
    close(fds[0]);
    close(fds[1]);
    cycles_until_open(&stage, 1);
    close(neighbour);
    free(part);
    ps_test_stage_fini(&stage);
}

/* Takes every free block, as batches in full channels do. */
static struct ps_block *take_all(struct ps_test_stage *stage, struct ps_block *all)
{
    struct ps_block *one;
    while ((one = ps_block_take(stage->port.blocks)) != NULL) {
        one->next = all;
        all = one;
    }
    return all;
}

static void give_all(struct ps_test_stage *stage, struct ps_block *all)
{
    while (all != NULL) {
        struct ps_block *next = all->next;
        ps_block_drop(stage->port.blocks, all);
        all = next;
    }
}

/* No memory at all: connections whose peer is gone are closed; a complete line waits and arrives later. */
static void test_hang_ups_need_no_memory(void **unused)
{
    int fds[40];
    struct ps_test_stage stage;
    start(&stage, 4 * MIB, PS_KEYS(LOCAL));
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++) {
        fds[i] = client(&stage);
        ps_test_send_text(fds[i], "begun");
    }
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++)
        cycles_behind(&stage, fds[i], 5);
    assert_int_equal(open_count(&stage), PS_COUNT_OF(fds));
    struct ps_block *all = take_all(&stage, NULL);
    int waits = client(&stage);
    ps_test_send_text(waits, "whole\n");
    ps_test_await_arrival(waits);
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++)
        close(fds[i]);
    await_ends(&stage, PS_COUNT_OF(fds));
    for (int i = 0; i < 20; i++) { /* `work` is not called: there is no memory for a batch */
        all = take_all(&stage, all);
        (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
        ps_test_stage_pass_ms(&stage, 10);
    }
    assert_int_equal(open_count(&stage), 0);
    give_all(&stage, all);
    ps_test_source_clear(&stage);
    ps_test_source_wait(&stage, 1, PS_TEST_PATIENCE_MS);
    assert_string_equal(stage.events[0].body, "whole");
    close(waits);
    ps_test_stage_fini(&stage);
}

/* Unfinished lines of clients that stay connected are dropped when the budget was used up for a second, not before. */
static void test_shortage(void **unused)
{
    static char part[12000];
    int fds[40];
    struct ps_test_stage stage;
    memset(part, 'a', sizeof part);
    start(&stage, 4 * MIB, PS_KEYS(LOCAL, "max-line-length", "16000"));
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++) { /* 3 blocks */
        fds[i] = client(&stage);
        ps_test_send(fds[i], part, sizeof part);
        cycles_behind(&stage, fds[i], 3);
    }
    for (int i = 0; i < 100; i++)
        ps_test_source_cycle(&stage);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
    struct ps_block *all = take_all(&stage, NULL);
    for (int ms = 0; ms < 900; ms += 10) {
        assert_null(ps_block_take(stage.port.blocks));
        (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
        ps_test_stage_pass_ms(&stage, 10);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 0);
    struct ps_block *one = NULL;
    for (int ms = 0; ms < 300 && one == NULL; ms += 10) {
        (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
        one = ps_block_take(stage.port.blocks);
        ps_test_stage_pass_ms(&stage, 10);
    }
    assert_non_null(one);
    assert_in_range(ps_test_stage_counter(&stage, PS_COUNTER_malformed), 1, PS_COUNT_OF(fds) - 1);
    ps_block_drop(stage.port.blocks, one);
    give_all(&stage, all);
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++)
        close(fds[i]);
    cycles_until_open(&stage, 0);
    ps_test_stage_fini(&stage);
}

/* A client that sends the beginning of a line. */
static int begin_line(struct ps_test_stage *stage, size_t length)
{
    static char part[100000];
    memset(part, 'a', sizeof part);
    int fd = client(stage);
    ps_test_send(fd, part, length);
    cycles_behind(stage, fd, 10);
    return fd;
}

/* At the memory limit a long line is cut before short ones, although these have been silent for longer. */
static void test_long_lines_are_cut_first(void **unused)
{
    int small[64];
    unsigned count = 0;
    bool closed;
    struct ps_test_stage stage;
    start(&stage, 4 * MIB, PS_KEYS(LOCAL, "max-line-length", "120000"));
    small[count++] = begin_line(&stage, 12000);
    int large = begin_line(&stage, 100000);
    while (ps_test_stage_counter(&stage, PS_COUNTER_malformed) == 0) { /* 16 of 16 KiB in a block; 4 blocks */
        assert_true(count < PS_COUNT_OF(small));
        small[count++] = begin_line(&stage, 12000);
    }
    assert_in_range(count, 34, PS_COUNT_OF(small));
    (void)ps_test_receive(&stage, large, 1, PS_TEST_PATIENCE_MS, &closed);
    assert_true(closed);
    for (unsigned i = 0; i < count; i++) {
        ps_test_send_text(small[i], "\n");
        assert_string_equal(ps_test_receive(&stage, small[i], 3, PS_TEST_PATIENCE_MS, &closed), "OK\n");
        close(small[i]);
    }
    close(large);
    cycles_until_open(&stage, 0);
    ps_test_stage_fini(&stage);
}

/* A client that waits for its answer is not idle, however long the channel is full. */
static void test_waiting_is_not_idle(void **unused)
{
    bool closed;
    struct ps_test_stage stage;
    start(&stage, 16 * MIB, PS_KEYS(LOCAL, "penstock.idle.timeout", "5"));
    int fd = client(&stage);
    ps_test_send_text(fd, "one\n");
    ps_test_source_fill(&stage, 1);
    assert_int_equal(stage.batch->count, 1);
    for (int second = 0; second < 20; second++) {
        ps_test_stage_pass_ms(&stage, 1000);
        (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
    }
    assert_int_equal(open_count(&stage), 1);
    ps_test_source_close_batch(&stage);
    assert_string_equal(ps_test_receive(&stage, fd, 3, PS_TEST_PATIENCE_MS, &closed), "OK\n");
    for (int second = 0; second < 8; second++) { /* from the answer on, it counts as idle */
        ps_test_stage_pass_ms(&stage, 1000);
        ps_test_source_cycle(&stage);
    }
    assert_int_equal(open_count(&stage), 0);
    close(fd);
    ps_test_stage_fini(&stage);
}

/* Idle: no byte for the whole time. A connection with bytes that the source has not read does not count as
 * idle. */
static void test_idle_timeout(void **unused)
{
    struct ps_test_stage stage;
    start(&stage, 16 * MIB, PS_KEYS(LOCAL, "penstock.idle.timeout", "5"));
    int silent = client(&stage), slow = client(&stage), unread = client(&stage);
    ps_test_await_counter(&stage, PS_COUNTER_OpenConnectionCount, 3);
    for (int second = 0; second < 4; second++) {
        ps_test_stage_pass_ms(&stage, 1000);
        ps_test_send_text(slow, "x");
        cycles_behind(&stage, slow, 3);
    }
    assert_int_equal(open_count(&stage), 3);
    ps_test_send_text(unread, "waits\n"); /* the source is not called: its channel is full */
    ps_test_await_arrival(unread);
    for (int second = 0; second < 3; second++) {
        ps_test_stage_pass_ms(&stage, 1000);
        (void)stage.ops->source->tick(stage.plan, stage.state, &stage.now);
    }
    assert_int_equal(open_count(&stage), 2);
    bool closed;
    assert_string_equal(ps_test_receive(&stage, silent, 1, PS_TEST_PATIENCE_MS, &closed), "");
    assert_true(closed);
    assert_string_equal(ps_test_receive(&stage, unread, 3, PS_TEST_PATIENCE_MS, &closed), "OK\n");
    for (int second = 0; second < 8; second++) {
        ps_test_stage_pass_ms(&stage, 1000);
        ps_test_source_cycle(&stage);
    }
    assert_int_equal(open_count(&stage), 0);
    close(silent);
    close(slow);
    close(unread);
    ps_test_stage_fini(&stage);
}

static void start_tls(struct ps_test_stage *stage, uint64_t budget_bytes)
{
    const char *store = ps_test_source_path("tests/stages/data/stores/server.p12");
    ps_test_stage_init_sized(stage, &ps_source_syslogtcp, budget_bytes);
    assert_int_equal(
        ps_test_stage_bind(stage, PS_KEYS("host", "127.0.0.1", "port", "0", "ssl", "true", "keystore", store,
                                          "keystore-password", "changeit", "keystore-type", "PKCS12")),
        PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
}

/* Memory that the TLS library allocates for connections comes from the budget: a source accepts connections up to a
 * quarter of the budget, refuses more at once, and accepts new ones when others end. */
static void test_tls_memory_is_counted(void **unused)
{
    enum { BUDGET_MIB = 8, MOST = BUDGET_MIB * 64 / 4, TRIED = MOST + 40 };
    static int fds[TRIED];
    struct ps_test_stage stage;
    start_tls(&stage, BUDGET_MIB * MIB);
    ps_test_source_cycle(&stage);
    uint64_t before = ps_depot_used_bytes(stage.depot);
    for (int i = 0; i < TRIED; i++) {
        fds[i] = client(&stage);
        ps_test_source_cycle(&stage);
    }
    cycles_until_open(&stage, MOST);
    ps_test_await_counter(&stage, PS_COUNTER_EventReadFail, TRIED - MOST);
    assert_int_equal(open_count(&stage), MOST);
    assert_in_range(ps_depot_used_bytes(stage.depot) - before, (uint64_t)MOST * 16384,
                    (uint64_t)MOST * 16384 + 2 * PS_BLOCK_BYTES);
    char byte;
    assert_int_equal(recv(fds[TRIED - 1], &byte, 1, 0), 0); /* refused at once */
    close(fds[0]);
    cycles_until_open(&stage, MOST - 1);
    fds[0] = client(&stage);
    cycles_until_open(&stage, MOST);
    for (int i = 0; i < TRIED; i++)
        close(fds[i]);
    cycles_until_open(&stage, 0);
    assert_in_range(ps_depot_used_bytes(stage.depot), 0, before + PS_BLOCK_BYTES);
    ps_test_stage_fini(&stage);
}

/* The budget is used up: new TLS connections are refused, and no client loses what it sent. */
static void test_tls_without_memory(void **unused)
{
    struct ps_test_stage stage;
    start_tls(&stage, 4 * MIB);
    int first = client(&stage);
    cycles_until_open(&stage, 1);
    struct ps_block *all = take_all(&stage, NULL);
    int fds[40];
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++)
        fds[i] = client(&stage);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (open_count(&stage) + ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail) <
           1 + PS_COUNT_OF(fds)) { /* each is served or refused */
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_source_cycle(&stage);
        usleep(1000);
    }
    assert_in_range(open_count(&stage), 1, 16); /* the connections that share the first one's block */
    assert_true(ps_test_stage_counter(&stage, PS_COUNTER_EventReadFail) >= PS_COUNT_OF(fds) - 15);
    give_all(&stage, all);
    for (size_t i = 0; i < PS_COUNT_OF(fds); i++)
        close(fds[i]);
    cycles_until_open(&stage, 1);
    close(first);
    cycles_until_open(&stage, 0);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_unfinished_lines),
        cmocka_unit_test(test_two_giant_lines),
        cmocka_unit_test(test_hang_ups_need_no_memory),
        cmocka_unit_test(test_shortage),
        cmocka_unit_test(test_long_lines_are_cut_first),
        cmocka_unit_test(test_waiting_is_not_idle),
        cmocka_unit_test(test_idle_timeout),
        cmocka_unit_test(test_tls_memory_is_counted),
        cmocka_unit_test(test_tls_without_memory),
    };
    return cmocka_run_group_tests(tests, allow_many_descriptors, NULL);
}
