/* Sinks avro and thrift against a server with random answers: OK, FAILED, sent twice, for a call that was answered
 * before (on this connection or an older one), cut anywhere, late, or none. An event is delivered only when a call with
 * it was answered OK, and in the end all events are. */
#include "stages/lib/rpc/delivery.h"
#include "tests/support/folder.h"
#include "tests/support/rpc_calls.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define CASES 8
#define LEASES 12U
#define LEASE_EVENTS_MAX 60U
#define EVENTS_MAX (LEASES * LEASE_EVENTS_MAX)
#define REQUEST_MS 1000
#define TURN_MS 20U
#define TURNS_MAX 200000U
#define MARK "event:" /* before the number of an event in its body */

enum answer { OK, FAILED, UNKNOWN, TWICE, OLDER, CUT, NONSENSE, ERROR, LATE, HANGS_UP, ANSWER_COUNT };
static const struct ps_test_rpc_protocol *protocol;
static struct ps_test_stage stage;
static int listener, link_fd;
static uint8_t in[1 << 20];
static size_t in_length;
static bool first, stands; /* first: no call of this connection was answered; stands: none will be */
static uint32_t last_serial;
static unsigned acknowledged[EVENTS_MAX], given[ANSWER_COUNT], event_count;
static uint64_t random_state;
static enum answer next_answer = ANSWER_COUNT; /* for the next call; ANSWER_COUNT: random */

static uint32_t draw(uint32_t limit)
{
    return (uint32_t)(ps_test_random(&random_state) % limit);
}

/* ---- the server ---- */

static void drop_link(void)
{
    if (link_fd >= 0)
        close(link_fd);
    link_fd = -1;
}

/* Notes the events of a call whose answer OK was sent completely. */
static void acknowledge(const uint8_t *call, size_t length)
{
    const char *at = (const char *)call, *end = at + length;
    while ((at = memmem(at, (size_t)(end - at), MARK, sizeof MARK - 1)) != NULL) {
        at += sizeof MARK - 1;
        unsigned long number = strtoul(at, NULL, 10);
        assert_true(number < event_count);
        acknowledged[number]++;
    }
}

static void send_bytes(const uint8_t *bytes, size_t length)
{
    ssize_t sent = send(link_fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0) /* the sink has closed the connection */
        drop_link();
    else
        assert_int_equal(sent, length);
}

static void answer(const uint8_t *bytes_of_call, size_t call_length, struct ps_test_rpc_call *call, bool calm)
{
    uint8_t bytes[PS_TEST_RPC_ANSWER_BYTES_MAX];
    uint32_t serial = call->serial;
    enum answer kind = calm || draw(3) == 0 ? OK : (enum answer)draw(ANSWER_COUNT);
    if (next_answer != ANSWER_COUNT)
        kind = next_answer;
    next_answer = ANSWER_COUNT;
    struct ps_test_rpc_call named = *call;
    named.serial = kind == OLDER ? last_serial - draw(3) : serial;
    if (kind == OLDER && (last_serial == 0 || named.serial == serial))
        kind = OK;
    given[kind]++;
    if (kind == LATE || kind == HANGS_UP) {
        stands = true; /* no further answer on this connection, until the sink closes it */
        if (kind == HANGS_UP)
            drop_link();
        return;
    }
    if (kind == NONSENSE) {
        stands = true;
        memset(bytes, 0xff, 64);
        send_bytes(bytes, 64);
        return;
    }
    if (kind == ERROR) {
        stands = true;
        send_bytes(bytes, protocol->write_error(bytes, first, call));
        return;
    }
    size_t length = protocol->write(bytes, first, true, &named,
                                    kind == FAILED    ? PS_TEST_STATUS_FAILED
                                    : kind == UNKNOWN ? PS_TEST_STATUS_UNKNOWN
                                                      : PS_TEST_STATUS_OK);
    if (kind == CUT) {
        send_bytes(bytes, draw((uint32_t)length));
        drop_link();
        return;
    }
    if (kind == OK || kind == TWICE)
        acknowledge(bytes_of_call, call_length);
    first = false;
    last_serial = serial;
    send_bytes(bytes, length);
    if (kind == TWICE && link_fd >= 0)
        send_bytes(bytes, protocol->write(bytes, false, true, call, PS_TEST_STATUS_OK));
    stands =
        kind == TWICE || kind == OLDER; /* the sink closes the connection, so its other calls do not count */
}

/* `calm`: every answer is OK from now on. */
static void serve(bool calm)
{
    int fresh = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
    if (fresh >= 0) {
        drop_link();
        link_fd = fresh;
        in_length = 0;
        first = true;
        stands = false;
    }
    if (link_fd < 0)
        return;
    ssize_t n = recv(link_fd, in + in_length, sizeof in - in_length, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK)) {
        drop_link();
        return;
    }
    in_length += n > 0 ? (size_t)n : 0;
    struct ps_test_rpc_call call;
    size_t taken;
    while (link_fd >= 0 && !stands && (taken = protocol->read(in, in_length, first, &call)) > 0) {
        answer(in, taken, &call, calm);
        in_length -= taken;
        memmove(in, in + taken, in_length);
    }
}

/* ---- the sink ---- */

static struct ps_lease *make_lease(void)
{
    static char bodies[LEASE_EVENTS_MAX][32];
    struct ps_test_event events[LEASE_EVENTS_MAX];
    uint32_t count = 1 + draw(LEASE_EVENTS_MAX);
    for (uint32_t i = 0; i < count; i++) {
        snprintf(bodies[i], sizeof bodies[i], MARK "%u;", event_count++);
        events[i] = PS_BODY(bodies[i]);
    }
    return ps_test_lease(&stage, events, count);
}

/* Each lease that came back since `seen` is delivered whole, and each of its events was acknowledged. */
static size_t check_done(size_t seen)
{
    for (; seen < stage.done_count; seen++) {
        const struct ps_lease *lease = stage.done[seen];
        assert_int_equal(lease->settled, lease->count);
        for (uint32_t i = 0; i < lease->count; i++) {
            unsigned long number = strtoul(ps_lease_event(lease, i)->body + sizeof MARK - 1, NULL, 10);
            if (acknowledged[number] == 0)
                fail_msg("%s: event %lu is delivered, and no call with it was answered OK", protocol->name,
                         number);
        }
    }
    return seen;
}

static unsigned start(const char *calls)
{
    char port[8], timeout[8];
    memset(acknowledged, 0, sizeof acknowledged);
    event_count = 0;
    last_serial = 0;
    link_fd = -1;
    in_length = 0;
    unsigned number = 0;
    listener = ps_test_rpc_listen(&number);
    snprintf(port, sizeof port, "%u", number);
    snprintf(timeout, sizeof timeout, "%d", REQUEST_MS);
    ps_test_stage_start(&stage, protocol->sink,
                        PS_KEYS("hostname", "127.0.0.1", "port", port, "batch-size", "25", "request-timeout",
                                timeout, "penstock.calls", calls));
    return number;
}

static void stop(void)
{
    drop_link();
    close(listener);
    ps_test_stage_fini(&stage);
}

static void run_case(void)
{
    (void)start(draw(2) == 0 ? "0" : "4");
    unsigned offered = 0, calm_at = 600 + draw(900);
    size_t seen = 0;
    struct ps_lease *lease = NULL;
    for (unsigned turn = 0; seen < LEASES; turn++) {
        if (turn == TURNS_MAX)
            fail_msg("%s: %zu of %u leases are delivered", protocol->name, seen, LEASES);
        if (lease == NULL && offered < LEASES && draw(4) == 0)
            lease = make_lease();
        if (lease != NULL && ps_test_sink_work(&stage, &lease) == PS_TAKEN)
            offered++;
        ps_test_sink_tick(&stage);
        ps_test_stage_pass_ms(&stage, TURN_MS);
        serve(turn >= calm_at);
        seen = check_done(seen);
        if (turn % 4 == 0)
            usleep(20);
    }
    stop();
}

static void run_protocol(const struct ps_test_rpc_protocol *one)
{
    protocol = one;
    random_state = ps_test_seed() | 1;
    memset(given, 0, sizeof given);
    for (unsigned i = 0; i < CASES; i++)
        run_case();
    for (unsigned i = 0; i < ANSWER_COUNT; i++)
        assert_true(given[i] > 0); /* each kind of answer was given */
}

/* ---- the effect of each outcome ---- */

static struct ps_rpc_delivery *delivery(void)
{
    return stage.state;
}

static void turn(void)
{
    (void)ps_test_sink_tick(&stage);
    serve(true);
    ps_test_stage_pass_ms(&stage, TURN_MS);
    usleep(20);
}

/* Turns until this number of failures in a row is counted; the backoff after the last one must have this length. */
static void await_failure(uint64_t failures, uint32_t attempts, uint64_t rest_s)
{
    for (unsigned i = 0; delivery()->requests.sink.failures < failures; i++) {
        assert_true(i < TURNS_MAX);
        turn();
    }
    assert_int_equal(delivery()->requests.sink.failures, failures);
    assert_int_equal(ps_test_rpc_attempts(delivery()), attempts);
    assert_int_equal(delivery()->requests.sink.rest_ns,
                     delivery()->requests.sink.now_ns + rest_s * PS_NS_PER_S);
}

static void await_done(size_t leases)
{
    for (unsigned i = 0; stage.done_count < leases; i++) {
        assert_true(i < TURNS_MAX);
        turn();
    }
    (void)check_done(0);
    assert_int_equal(delivery()->requests.sink.failures, 0);
    assert_int_equal(ps_test_rpc_attempts(delivery()), 0);
}

static void offer(void)
{
    struct ps_lease *lease = make_lease();
    assert_int_equal(ps_test_sink_work(&stage, &lease), PS_TAKEN);
}

/* Each outcome except OK costs one attempt and the first backoff, also again after a success. */
static void check_outcomes(void)
{
    static const enum answer outcomes[] = {FAILED, UNKNOWN, NONSENSE, CUT, ERROR, LATE, HANGS_UP, FAILED};
    size_t done = 0;
    (void)start("1");
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < PS_COUNT_OF(outcomes); i++) {
            next_answer = outcomes[i];
            offer();
            await_failure(1, 1, 1);
            next_answer = outcomes[i];
            await_failure(2, 2, 2);
            await_done(++done);
        }
    }
    stop();
}

/* After a connection that cannot be made the sink backs off, but it costs no attempt; one that ends while nothing is under
 * way does not count as a failure. */
static void check_connections(void)
{
    size_t done = 0;
    unsigned port = start("1");
    for (unsigned round = 0; round < 2; round++) {
        offer();
        await_done(++done);
        drop_link();
        for (unsigned i = 0; delivery()->counted; i++) {
            assert_true(i < TURNS_MAX);
            turn();
        }
        assert_int_equal(delivery()->requests.sink.failures, 0);
        close(listener);
        listener = -1;
        offer();
        await_failure(1, 0, 1);
        await_failure(2, 0, 2);
        await_failure(3, 0, 3);
        listener = ps_test_rpc_listen(&port);
        await_done(++done);
    }
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), 2 * 3);
    stop();
}

/* The time of the oldest call counts, however new the others are. */
static void check_oldest(void)
{
    (void)start("4");
    offer();
    await_done(1);
    uint64_t begun_ns = stage.now.mono_ns;
    next_answer = LATE;
    offer();
    while (stage.now.mono_ns - begun_ns < (REQUEST_MS - 200) * PS_NS_PER_MS)
        turn();
    unsigned old = delivery()->client.call_count;
    assert_in_range(old, 1, 3);
    offer();
    turn();
    assert_true(delivery()->client.call_count > old);
    await_failure(1, 1, 1);
    assert_in_range(stage.now.mono_ns - begun_ns, REQUEST_MS * PS_NS_PER_MS,
                    (REQUEST_MS + 3 * TURN_MS) * PS_NS_PER_MS);
    await_done(3);
    stop();
}

/* The log says when the sink tries again after it has lost its connection. */
static void check_log(void)
{
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_log_open(ps_test_folder_path("log"), &err), PS_OK);
    (void)start("1");
    next_answer = HANGS_UP;
    offer();
    await_failure(1, 1, 1);
    assert_int_equal(ps_log_open(NULL, &err), PS_OK);
    assert_non_null(strstr(ps_test_folder_read("log"), "; tries again in 1 s"));
    await_done(1);
    stop();
}

static void test_outcomes(void **unused)
{
    random_state = ps_test_seed() | 1;
    for (size_t i = 0; i < PS_COUNT_OF(ps_test_rpc_protocols); i++) {
        protocol = &ps_test_rpc_protocols[i];
        check_outcomes();
        check_log();
        check_connections();
        check_oldest();
    }
}

static void test_avro(void **unused)
{
    run_protocol(&ps_test_rpc_protocols[0]);
}

static void test_thrift(void **unused)
{
    run_protocol(&ps_test_rpc_protocols[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_outcomes, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test(test_avro), cmocka_unit_test(test_thrift)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
