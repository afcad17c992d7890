/* Sinks avro and thrift: how many calls are under way, with how many events, and whose time and attempts count. The test answers
 * each call by hand. */
#include "stages/lib/rpc/delivery.h"
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/rpc_calls.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CALLS_MAX 64U
#define TURNS_MAX 20000U
#define QUIET_TURNS 30U /* turns in which no call may come */

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
TEST(letters)
TEST(oldest)

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
        cmocka_unit_test(test_oldest),
        cmocka_unit_test_setup_teardown(test_letters, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
