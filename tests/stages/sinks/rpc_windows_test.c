/* Sinks avro and thrift: how many calls are under way, with how many events, when they renew a connection, and how long
 * a recall waits. The test answers each call by hand. */
#include "stages/lib/rpc/delivery.h"
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/rpc_calls.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CALLS_MAX 64U
#define TURNS_MAX 20000U
#define QUIET_TURNS 30U /* turns in which no call may come */
#define RECALL_MS 2000U /* the wait for answers (stages/lib/rpc/delivery.c) */

static const struct ps_test_rpc_protocol *protocol;
static struct ps_test_stage stage;
static int listener, link_fd;
static unsigned links; /* connections that were accepted */
static uint8_t *in;
static size_t in_length;
static struct ps_test_rpc_call calls[CALLS_MAX]; /* calls of the connection, in order */
static unsigned call_count, answered;
static char port_text[8];

#define IN_BYTES (16U << 20)

static int connect_error; /* error of each connection that is made; 0: none */

/* Replaces libc's function. */
int getsockopt(int fd, int level, int option, void *value, socklen_t *length)
{
    if (connect_error != 0 && level == SOL_SOCKET && option == SO_ERROR) {
        memcpy(value, &connect_error, sizeof connect_error);
        return 0;
    }
    return (int)syscall(SYS_getsockopt, fd, level, option, value, length);
}

static struct ps_rpc_delivery *delivery(void)
{
    return stage.state;
}

static void listen_anew(void)
{
    unsigned port = 0;
    link_fd = -1;
    links = call_count = answered = 0;
    in_length = 0;
    listener = ps_test_rpc_listen(&port);
    snprintf(port_text, sizeof port_text, "%u", port);
}

static void hang_up(void)
{
    if (link_fd >= 0)
        close(link_fd);
    link_fd = -1;
    call_count = answered = 0;
    in_length = 0;
}

static void stop(void)
{
    hang_up();
    close(listener);
    ps_test_stage_fini(&stage);
}

/* Accepts a connection, and reads calls. */
static void look(void)
{
    int fresh = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fresh >= 0) {
        hang_up();
        link_fd = fresh;
        links++;
    }
    if (link_fd < 0)
        return;
    ssize_t n = recv(link_fd, in + in_length, IN_BYTES - in_length, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
        hang_up();
        return;
    }
    in_length += n > 0 ? (size_t)n : 0;
    size_t taken;
    while (call_count < CALLS_MAX &&
           (taken = protocol->read(in, in_length, call_count == 0, &calls[call_count])) > 0) {
        call_count++;
        in_length -= taken;
        memmove(in, in + taken, in_length);
    }
}

static void turn(void)
{
    (void)ps_test_sink_tick(&stage);
    look();
    usleep(50);
}

/* Turns until this number of calls has come over the connection, and asserts that no more come. */
static void await_calls(unsigned count)
{
    for (unsigned i = 0; call_count < count; i++) {
        assert_true(i < TURNS_MAX);
        turn();
    }
    for (unsigned i = 0; i < QUIET_TURNS; i++)
        turn();
    assert_int_equal(call_count, count);
}

static void answer(unsigned call, bool penstock, enum ps_test_rpc_status status)
{
    uint8_t bytes[PS_TEST_RPC_ANSWER_BYTES_MAX];
    size_t length = protocol->write(bytes, answered++ == 0, penstock, &calls[call], status);
    assert_int_equal(send(link_fd, bytes, length, MSG_NOSIGNAL), length);
}

static void await_done(size_t leases)
{
    for (unsigned i = 0; stage.done_count < leases; i++) {
        assert_true(i < TURNS_MAX);
        turn();
    }
    assert_int_equal(stage.done_count, leases);
}

static void offer(const char *body, uint32_t body_bytes, uint32_t events)
{
    struct ps_test_event all[1024];
    assert_true(events <= PS_COUNT_OF(all));
    for (uint32_t i = 0; i < events; i++)
        all[i] = (struct ps_test_event){.body = body, .length = body_bytes};
    struct ps_lease *lease = ps_test_lease(&stage, all, events);
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
}

/* One call is under way until the server's kind is known; then as many as penstock.calls says, or by default 16 to a
 * penstock and one to Flume. Each answer makes room for one more. */
static void check_windows(void)
{
    static const struct {
        const char *calls;
        bool penstock;
        unsigned window;
    } cases[] = {{"0", true, 16}, {"0", false, 1}, {"1", true, 1},
                 {"5", true, 5},  {"5", false, 5}, {"64", true, 31}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        listen_anew();
        ps_test_stage_start(&stage, protocol->sink,
                            PS_KEYS("hostname", "127.0.0.1", "port", port_text, "batch-size", "10",
                                    "penstock.calls", cases[i].calls));
        for (unsigned lease = 0; lease < 4; lease++)
            offer("x", 1, 80); /* 32 calls */
        await_calls(1);
        answer(0, cases[i].penstock, PS_TEST_STATUS_OK);
        for (unsigned k = 1; k < 8; k++) {
            unsigned wanted = k + cases[i].window;
            await_calls(wanted < 32 ? wanted : 32);
            for (unsigned call = 0; call < call_count; call++)
                assert_int_equal(calls[call].events, 10);
            if ((calls[k].round != 0) != cases[i].penstock)
                fail_msg("%s: call %u has round %u, calls = %s", protocol->name, k, calls[k].round,
                         cases[i].calls);
            answer(k, cases[i].penstock, PS_TEST_STATUS_OK);
        }
        await_done(1);
        stop();
    }
}

/* Each call has at most batch-size events, all of one lease. A batch-size below 1 counts as 100. */
static void check_batch_sizes(void)
{
    static const struct {
        const char *batch_size;
        uint32_t events;
        uint64_t calls[4];
    } cases[] = {
        {"10", 9, {9}},      {"10", 10, {10}},     {"10", 11, {10, 1}}, {"10", 31, {10, 10, 10, 1}},
        {"1", 3, {1, 1, 1}}, {"0", 101, {100, 1}}, {"-7", 100, {100}},  {"1000000", 1024, {1024}},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        listen_anew();
        ps_test_stage_start(
            &stage, protocol->sink,
            PS_KEYS("hostname", "127.0.0.1", "port", port_text, "batch-size", cases[i].batch_size));
        for (size_t lease = 0; lease < 2; lease++) { /* the second one, too */
            unsigned before = call_count, k = 0;
            offer("x", 1, cases[i].events);
            for (; k < 4 && cases[i].calls[k] > 0; k++) {
                for (unsigned n = 0; call_count < before + k + 1; n++) {
                    assert_true(n < TURNS_MAX);
                    turn();
                }
                assert_int_equal(calls[before + k].events, cases[i].calls[k]);
                answer(before + k, true, PS_TEST_STATUS_OK);
            }
            await_done(lease + 1);
            assert_int_equal(call_count, before + k);
        }
        stop();
    }
}

/* A call has at most 4 MiB of events; a longer event has a call of its own. */
static void check_call_bytes(void)
{
    static const uint64_t wanted[] = {4, 1};
    char *body = malloc(5U << 20);
    assert_non_null(body);
    memset(body, 'b', 5U << 20);
    listen_anew();
    ps_test_stage_start(&stage, protocol->sink, PS_KEYS("hostname", "127.0.0.1", "port", port_text));
    offer(body, 1U << 20, 5);
    offer(body, 5U << 20, 1);
    for (unsigned i = 0; i < PS_COUNT_OF(wanted) + 1; i++) {
        for (unsigned n = 0; call_count < i + 1; n++) {
            assert_true(n < TURNS_MAX);
            turn();
        }
        assert_int_equal(calls[i].events, i < PS_COUNT_OF(wanted) ? wanted[i] : 1);
        answer(i, true, PS_TEST_STATUS_OK);
    }
    await_done(2);
    free(body);
    stop();
}

/* The connection is renewed when it has reached this age, and no call is under way; the new one starts with age 0. */
static void check_reset(void)
{
    listen_anew();
    ps_test_stage_start(
        &stage, protocol->sink,
        PS_KEYS("hostname", "127.0.0.1", "port", port_text, "reset-connection-interval", "60"));
    size_t done = 0;
    offer("x", 1, 1);
    for (unsigned round = 1; round <= 3; round++) {
        for (unsigned i = 0; links < round || call_count < 1; i++) {
            assert_true(i < TURNS_MAX);
            turn();
        }
        answer(0, true, PS_TEST_STATUS_OK);
        await_done(++done);
        ps_test_stage_pass_ms(&stage, 59999);
        offer("x", 1, 1);
        await_calls(2);
        ps_test_stage_pass_ms(&stage, 1);
        offer("x", 1, 1); /* the first call of the next connection */
        await_calls(2);
        assert_true(ps_test_sink_tick(&stage) > stage.now.mono_ns); /* the worker sleeps until the answer */
        assert_int_equal(links, round);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount), round - 1);
        answer(1, true, PS_TEST_STATUS_OK);
        await_done(++done);
    }
    for (unsigned i = 0; links < 4; i++) {
        assert_true(i < TURNS_MAX);
        turn();
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionCreatedCount), 4);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), 0);
    assert_int_equal(delivery()->requests.sink.failures, 0);
    ps_test_stage_close(&stage);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount), 4);
    stop();
}

/* A renewed connection that has the same descriptor is watched like the first one: its answer wakes the worker. */
static void check_watched(void)
{
    int number;
    listen_anew();
    const char *const keys[] = {"hostname", "127.0.0.1", "port", port_text, "reset-connection-interval",
                                "60",       NULL};
    ps_test_stage_start(&stage, protocol->sink, keys);
    for (unsigned round = 1; round <= 3; round++, ps_test_stage_pass_ms(&stage, 61000)) {
        struct pollfd woken = {.fd = stage.port.epoll_fd, .events = POLLIN};
        offer("x", 1, 1);
        for (unsigned i = 0; call_count < 1 || links < round + 1; i++) {
            assert_true(i < TURNS_MAX);
            turn();
            if (links == 1 && call_count == 1)
                hang_up(); /* the first connection is lost, the later ones reach their maximum age */
            ps_test_stage_pass_ms(&stage, call_count < 1 ? 10 : 0);
        }
        assert_true(round == 1 || number == delivery()->client.connection.fd);
        for (number = delivery()->client.connection.fd; poll(&woken, 1, 0) > 0;)
            turn();
        answer(0, true, PS_TEST_STATUS_OK);
        assert_int_equal(poll(&woken, 1, (int)PS_TEST_PATIENCE_MS), 1);
        await_done(round);
    }
    stop();
}

/* An answer may come in two pieces, split at any byte. */
static void check_cut_answers(void)
{
    listen_anew();
    ps_test_stage_start(&stage, protocol->sink,
                        PS_KEYS("hostname", "127.0.0.1", "port", port_text, "penstock.calls", "1"));
    uint8_t bytes[PS_TEST_RPC_ANSWER_BYTES_MAX];
    size_t done = 0, length = 2;
    for (size_t cut = 1; cut < length; cut++) {
        offer("x", 1, 1);
        for (unsigned i = 0; call_count < 1; i++) {
            assert_true(i < TURNS_MAX);
            turn();
        }
        length = protocol->write(bytes, answered == 0, true, &calls[0], PS_TEST_STATUS_OK);
        assert_int_equal(send(link_fd, bytes, cut, MSG_NOSIGNAL), cut);
        for (unsigned i = 0; i < 4; i++)
            turn();
        assert_int_equal(stage.done_count, done);
        assert_int_equal(send(link_fd, bytes + cut, length - cut, MSG_NOSIGNAL), length - cut);
        await_done(++done);
        hang_up(); /* the next connection gets the first answer, which is longer in avro */
        for (unsigned i = 0; delivery()->counted; i++) {
            assert_true(i < TURNS_MAX);
            turn();
        }
    }
    assert_int_equal(delivery()->requests.sink.failures, 0);
    stop();
}

/* A recall waits for answers, for two seconds; leases that are answered in that time do not come back. Tested twice in a row. */
static void check_recall(void)
{
    listen_anew();
    ps_test_stage_start(&stage, protocol->sink,
                        PS_KEYS("hostname", "127.0.0.1", "port", port_text, "penstock.calls", "4"));
    size_t done = 0;
    for (unsigned round = 0; round < 2; round++) {
        struct ps_lease *back = NULL;
        unsigned before = call_count;
        offer("x", 1, 3);
        for (unsigned i = 0; call_count == before || link_fd < 0; i++) {
            assert_true(i < TURNS_MAX);
            turn();
            before = link_fd < 0 ? 0 : before;
        }
        if (answered == 0) {
            answer(0, true, PS_TEST_STATUS_OK);
            await_done(++done);
            offer("x", 1, 3);
        }
        offer("x", 1, 4);
        await_calls(answered + 2);
        unsigned first = answered;
        assert_false(stage.ops->sink->recall(stage.plan, stage.state, &back, &stage.now));
        answer(first, true, PS_TEST_STATUS_OK);
        ps_test_stage_pass_ms(&stage, RECALL_MS - 1);
        done++;
        for (unsigned i = 0; stage.done_count < done || i < QUIET_TURNS; i++) {
            assert_true(i < TURNS_MAX);
            assert_false(stage.ops->sink->recall(stage.plan, stage.state, &back, &stage.now));
            usleep(50);
        }
        assert_int_equal(stage.done_count, done);
        uint64_t duplicated = ps_test_stage_counter(&stage, PS_COUNTER_duplicated);
        ps_test_stage_pass_ms(&stage, 1);
        assert_true(stage.ops->sink->recall(stage.plan, stage.state, &back, &stage.now));
        assert_non_null(back);
        assert_int_equal(back->count, 4);
        assert_int_equal(back->settled, 0);
        assert_null(back->next);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_duplicated), duplicated + 4);
        assert_false(ps_rpc_client_is_open(&delivery()->client));
        assert_int_equal(delivery()->requests.sink.held.count, 0);
        hang_up();
    }
    stop();
}

/* A name without an address costs no attempt and backs off longer each time, as a refused connection does. */
static void check_no_address(void)
{
    listen_anew();
    ps_test_stage_start(&stage, protocol->sink,
                        PS_KEYS("hostname", "no-such-name.invalid", "port", port_text));
    offer("x", 1, 1);
    for (uint64_t failures = 1; failures <= 3; failures++) {
        for (unsigned i = 0; delivery()->requests.sink.failures < failures; i++) {
            assert_true(i < TURNS_MAX);
            turn();
            ps_test_stage_pass_ms(&stage, 10);
        }
        assert_int_equal(delivery()->requests.sink.rest_ns - delivery()->requests.sink.now_ns,
                         failures * PS_NS_PER_S);
    }
    assert_int_equal(ps_test_rpc_attempts(delivery()), 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), 3);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionClosedCount), 0);
    assert_int_equal(links, 0);
    stop();
}

/* A refused call backs off. When all others are answered the sink sends it again, followed by other refused ones, but no accepted call. */
static void check_refusals(void)
{
    listen_anew();
    ps_test_stage_start(
        &stage, protocol->sink,
        PS_KEYS("hostname", "127.0.0.1", "port", port_text, "batch-size", "1", "penstock.calls", "3"));
    offer("x", 1, 1);
    await_calls(1);
    answer(0, false, PS_TEST_STATUS_OK);
    await_done(1);
    for (unsigned round = 0; round < 2; round++) {
        unsigned first = answered;
        offer("x", 1, 5);
        await_calls(first + 3);
        answer(first + 1, false, PS_TEST_STATUS_FAILED);
        for (unsigned i = 0; delivery()->requests.sink.failures < 1; i++) {
            assert_true(i < TURNS_MAX);
            turn();
        }
        ps_test_stage_pass_ms(&stage, 5000);
        await_calls(first + 3); /* two calls are not answered yet */
        answer(first, false, PS_TEST_STATUS_OK);
        answer(first + 2, false, PS_TEST_STATUS_OK);
        await_calls(first + 6); /* two of five events are delivered */
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), round + 1);
        for (unsigned i = 3; i < 6; i++)
            answer(first + i, false, PS_TEST_STATUS_OK);
        await_done(round + 2);
        assert_int_equal(delivery()->requests.sink.failures, 0);
        assert_int_equal(ps_test_rpc_attempts(delivery()), 0);
    }
    assert_int_equal(links, 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_duplicated), 0);
    stop();
}

/* A call uses up its attempts while others that are answered OK are under way: its letter has the number of attempts,
 * and only its event is given up. */
static void check_letters(void)
{
    listen_anew();
    ps_test_stage_start(
        &stage, protocol->sink,
        PS_KEYS("hostname", "127.0.0.1", "port", port_text, "batch-size", "1", "penstock.calls", "3"));
    ps_test_dead_letters_open(&stage);
    stage.port.retry_max = 1;
    offer("x", 1, 1);
    await_calls(1);
    answer(0, false, PS_TEST_STATUS_OK);
    await_done(1);
    unsigned letters = ps_test_dead_letters_with("\"attempts\":1,"); /* letters of the other protocol */
    for (unsigned round = 1; round <= 2; round++) {
        unsigned first = answered;
        offer("x", 1, 5);
        await_calls(first + 3);
        answer(first, false, PS_TEST_STATUS_FAILED);
        for (unsigned i = 0; delivery()->requests.sink.failures < 1; i++) {
            assert_true(i < TURNS_MAX);
            turn();
        }
        if (round == 2) /* the backoff ends before the last answer: nothing is sent meanwhile */
            ps_test_stage_pass_ms(&stage, 5000);
        answer(first + 1, false, PS_TEST_STATUS_OK);
        answer(first + 2, false, PS_TEST_STATUS_OK);
        await_calls(first + 5); /* two of five events are delivered, and one is a letter */
        answer(first + 3, false, PS_TEST_STATUS_OK);
        answer(first + 4, false, PS_TEST_STATUS_OK);
        await_done(1 + round);
        assert_int_equal(stage.done[round]->dead, 1);
        assert_int_equal(ps_test_dead_letters_with("\"attempts\":1,"), letters + round);
    }
    stop();
    ps_test_dead_letters_close(&stage);
}

/* The time limit counts from the oldest unanswered call, also after an earlier one was answered. */
static void check_oldest(void)
{
    listen_anew();
    ps_test_stage_start(&stage, protocol->sink,
                        PS_KEYS("hostname", "127.0.0.1", "port", port_text, "request-timeout", "1000",
                                "penstock.calls", "4"));
    offer("x", 1, 1);
    await_calls(1);
    answer(0, true, PS_TEST_STATUS_OK);
    await_done(1);
    for (unsigned i = 0; i < 3; i++) {
        offer("x", 1, 1);
        await_calls(2 + i);
        ps_test_stage_pass_ms(&stage, 200);
    }
    answer(1, true, PS_TEST_STATUS_OK);
    await_done(2);
    ps_test_stage_pass_ms(&stage, 599); /* the second call was sent 999 ms ago */
    for (unsigned i = 0; i < QUIET_TURNS; i++)
        turn();
    assert_int_equal(delivery()->requests.sink.failures, 0);
    ps_test_stage_pass_ms(&stage, 1);
    turn();
    assert_int_equal(delivery()->requests.sink.failures, 1);
    assert_int_equal(ps_test_rpc_attempts(delivery()), 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_duplicated), 2);
    stop();
}

/* A connection that cannot be made counts as a failure, whatever the error. */
static void check_connect_errors(void)
{
    static const int errors[] = {ECONNREFUSED, EHOSTUNREACH, ENETUNREACH, ETIMEDOUT, ECONNRESET};
    listen_anew();
    ps_test_stage_start(&stage, protocol->sink, PS_KEYS("hostname", "127.0.0.1", "port", port_text));
    offer("x", 1, 1);
    for (unsigned i = 0; i < PS_COUNT_OF(errors); i++) {
        connect_error = errors[i];
        for (unsigned k = 0; delivery()->requests.sink.failures < i + 1; k++) {
            assert_true(k < TURNS_MAX);
            turn();
            ps_test_stage_pass_ms(&stage, 10);
        }
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), i + 1);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionCreatedCount), 0);
    }
    connect_error = 0;
    assert_int_equal(ps_test_rpc_attempts(delivery()), 0);
    for (unsigned k = 0; link_fd < 0 || call_count < 1; k++) {
        assert_true(k < TURNS_MAX);
        turn();
        ps_test_stage_pass_ms(&stage, 10);
    }
    answer(0, true, PS_TEST_STATUS_OK);
    await_done(1);
    stop();
}

static void check_all(void (*check)(void))
{
    for (size_t i = 0; i < PS_COUNT_OF(ps_test_rpc_protocols); i++) {
        protocol = &ps_test_rpc_protocols[i];
        check();
    }
}

#define TEST(name)                                                                                           \
    static void test_##name(void **unused)                                                                   \
    {                                                                                                        \
        (void)unused;                                                                                        \
        check_all(check_##name);                                                                             \
    }
TEST(windows)
TEST(batch_sizes)
TEST(call_bytes)
TEST(reset)
TEST(watched)
TEST(cut_answers)
TEST(recall)
TEST(no_address)
TEST(refusals)
TEST(letters)
TEST(oldest)
TEST(connect_errors)

static int set_up(void **state)
{
    in = malloc(IN_BYTES);
    return in == NULL;
}

static int tear_down(void **state)
{
    free(in);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows),
        cmocka_unit_test(test_batch_sizes),
        cmocka_unit_test(test_call_bytes),
        cmocka_unit_test(test_reset),
        cmocka_unit_test(test_watched),
        cmocka_unit_test(test_cut_answers),
        cmocka_unit_test(test_recall),
        cmocka_unit_test(test_no_address),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_oldest),
        cmocka_unit_test(test_connect_errors),
        cmocka_unit_test_setup_teardown(test_letters, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
