/* The client of an RPC connection, over a protocol of a few bytes and a server that the test plays byte by byte: how
 * many calls are in flight, the state after a lost connection, answers that do not match, and the limits of time and
 * size on both sides. */
#include "stages/lib/rpc/client.h"
#include "core/clock.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_BYTES 9U   /* number, first, length */
#define ANSWER_BYTES 8U /* number, kind, whether it is a penstock, length of what follows */
#define WINDOW 2U
#define WINDOW_MAX 4U
#define ANSWER_NS (10 * PS_NS_PER_S)

static int listener, peer = -1;
static struct ps_client_plan to;
static struct ps_rpc_client client;
static struct {
    uint64_t number;
    enum ps_rpc_status status;
} answered[16];
static unsigned answered_count;
static uint8_t bytes[2 * PS_RPC_ANSWER_BYTES_MAX];

/* ---- the protocol ---- */

static size_t put_head(uint8_t *head, uint32_t number, bool first, size_t length)
{
    uint32_t long_length = (uint32_t)length;
    memcpy(head, &number, 4);
    head[4] = first;
    memcpy(head + 5, &long_length, 4);
    return HEAD_BYTES;
}

static enum ps_rpc_arrival read_answer(const uint8_t *data, size_t length, bool first, uint8_t *scratch,
                                       struct ps_rpc_answer *answer, size_t *taken)
{
    *answer = (struct ps_rpc_answer){.number = 0};
    if (length < ANSWER_BYTES)
        return PS_RPC_MORE;
    uint16_t more;
    memcpy(&answer->number, data, 4);
    memcpy(&more, data + 6, 2);
    if (data[4] == 'X')
        return PS_RPC_NONSENSE;
    if (length < ANSWER_BYTES + more)
        return PS_RPC_MORE;
    answer->penstock = first && data[5] != 0;
    answer->no_match = data[4] == 'N';
    answer->failed = data[4] == 'E';
    answer->status = data[4] == 'F' ? PS_RPC_FAILED : data[4] == 'U' ? PS_RPC_UNKNOWN : PS_RPC_OK;
    memcpy(answer->error, "the reason", sizeof "the reason");
    *taken = ANSWER_BYTES + more;
    return PS_RPC_ANSWER;
}

static const struct ps_rpc_protocol protocol = {
    .name = "toy", .head_bytes_max = HEAD_BYTES + 7, .put_head = put_head, .read_answer = read_answer};
static const struct ps_rpc_client_settings settings = {
    .protocol = &protocol, .window = WINDOW, .window_max = WINDOW_MAX, .answer_ns = ANSWER_NS};

static void take_answer(void *owner, uint64_t number, enum ps_rpc_status status)
{
    assert_ptr_equal(owner, &client);
    assert_true(answered_count < PS_COUNT_OF(answered));
    answered[answered_count].number = number;
    answered[answered_count++].status = status;
}

static const struct ps_rpc_client_answers answers = {.answered = take_answer, .owner = &client};

/* ---- both sides ---- */

static int set_up(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
    assert_int_equal(listen(listener, 4), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    to = (struct ps_client_plan){
        .address_bytes = length, .send_buffer_bytes = 8192, .transport = &ps_transport_plain};
    memcpy(&to.address, &address, length);
    ps_rpc_client_init(&client, &settings, &to);
    answered_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    ps_rpc_client_fini(&client);
    if (peer >= 0)
        close(peer);
    peer = -1;
    close(listener);
    return 0;
}

static bool work(uint64_t now_ns)
{
    return ps_rpc_client_work(&client, &answers, now_ns);
}

static void connect_at(uint64_t now_ns)
{
    if (peer >= 0)
        close(peer);
    assert_true(ps_rpc_client_connect(&client, now_ns));
    peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    assert_true(peer >= 0);
    while (client.connection.phase != PS_CLIENT_UP)
        assert_true(work(now_ns));
}

/* Waits until the client can read something of the server, so that one call of it finds all that was written before. */
static void wait_for_bytes(void)
{
    struct pollfd ready = {.fd = client.connection.fd, .events = POLLIN};
    assert_int_equal(poll(&ready, 1, PS_TEST_PATIENCE_MS), 1);
}

static void answer_with(uint32_t serial, char kind, bool is_penstock, uint16_t more)
{
    memset(bytes, 0, sizeof bytes);
    memcpy(bytes, &serial, 4);
    bytes[4] = (uint8_t)kind;
    bytes[5] = is_penstock;
    memcpy(bytes + 6, &more, 2);
    assert_int_equal(write(peer, bytes, ANSWER_BYTES + more), ANSWER_BYTES + more);
}

static void call_with(size_t length, uint64_t number, uint64_t now_ns)
{
    assert_true(ps_rpc_client_may_send(&client));
    uint8_t *payload = ps_rpc_client_reserve(&client, length);
    assert_non_null(payload);
    memset(payload, 'p', length);
    ps_rpc_client_send(&client, length, number, now_ns);
    assert_true(work(now_ns));
}

/* Receives a call whole, and checks its head. Returns its serial number. */
static uint32_t expect_call(bool first, size_t length)
{
    uint32_t serial, long_length;
    size_t want = HEAD_BYTES + length;
    assert_true(want <= sizeof bytes);
    assert_int_equal(recv(peer, bytes, want, MSG_WAITALL), want);
    memcpy(&serial, bytes, 4);
    memcpy(&long_length, bytes + 5, 4);
    assert_int_equal(bytes[4], first);
    assert_int_equal(long_length, length);
    for (size_t i = HEAD_BYTES; i < want; i++)
        assert_int_equal(bytes[i], 'p');
    return serial;
}

static void expect_answer(uint64_t number, enum ps_rpc_status status)
{
    assert_int_equal(answered_count, 1);
    assert_int_equal(answered[0].number, number);
    assert_int_equal(answered[0].status, status);
    answered_count = 0;
}

/* The first call of a connection and its answer. */
static void greet(uint64_t number, bool is_penstock)
{
    call_with(1, number, 1);
    assert_false(ps_rpc_client_may_send(&client));
    answer_with(expect_call(true, 1), 'O', is_penstock, 0);
    wait_for_bytes();
    assert_true(work(1));
    expect_answer(number, PS_RPC_OK);
}

/* ---- the tests ---- */

/* The client sends one call until the kind of the server is known, then as many as this kind allows, and one more for
 * each answer. */
static void test_windows(void **unused)
{
    for (unsigned is_penstock = 0; is_penstock <= 1; is_penstock++) {
        unsigned window = is_penstock ? WINDOW_MAX : WINDOW;
        uint32_t serials[WINDOW_MAX];
        connect_at(1);
        greet(7, is_penstock);
        for (unsigned i = 0; i < window; i++) {
            call_with(1, 10 + i, 1);
            serials[i] = expect_call(false, 1);
        }
        assert_false(ps_rpc_client_may_send(&client));
        answer_with(serials[0], 'F', false, 0); /* a later answer does not change what the server is known to
                                                 * be */
        wait_for_bytes();
        assert_true(work(1));
        expect_answer(10, PS_RPC_FAILED);
        call_with(1, 20, 1);
        (void)expect_call(false, 1);
        assert_false(ps_rpc_client_may_send(&client));
        ps_rpc_client_close(&client); /* the next server may be of the other kind */
    }
}

/* Nothing of a lost connection affects the next one: half an answer, half a call, calls without an answer. */
static void test_lost(void **unused)
{
    static char half[5];
    for (unsigned round = 0; round < 3; round++) {
        connect_at(1);
        assert_false(ps_rpc_client_has_rounds(&client));
        greet(round, true);
        assert_true(ps_rpc_client_has_rounds(&client));
        call_with(1 << 20, 5, 1); /* more than the socket accepts */
        assert_false(ps_rpc_client_may_send(&client));
        assert_int_equal(write(peer, half, sizeof half), sizeof half);
        wait_for_bytes();
        assert_true(work(1));
        assert_int_equal(client.in_length, sizeof half);
        close(peer);
        peer = -1;
        while (work(1))
            (void)poll(NULL, 0, 1);
        assert_true(client.reason[0] != '\0');
        assert_int_equal(client.call_count, 1);
        ps_rpc_client_close(&client);
        assert_int_equal(client.call_count, 0);
        assert_true(ps_rpc_client_deadline(&client) == PS_NEVER);
        assert_false(ps_rpc_client_may_send(&client));
        assert_int_equal(answered_count, 0);
    }
}

/* An answer belongs to the call whose number it names, in any order; each call has one. */
static void test_order(void **unused)
{
    static const char kinds[] = {'O', 'U', 'F', 'O'};
    static const enum ps_rpc_status statuses[] = {PS_RPC_OK, PS_RPC_UNKNOWN, PS_RPC_FAILED, PS_RPC_OK};
    static const unsigned order[] = {2, 0, 3, 1};
    uint32_t serials[WINDOW_MAX];
    connect_at(1);
    greet(1, true);
    for (unsigned i = 0; i < WINDOW_MAX; i++) {
        call_with(1, 100 + i, 1);
        serials[i] = expect_call(false, 1);
    }
    for (unsigned i = 0; i < WINDOW_MAX; i++) {
        unsigned which = order[i];
        answer_with(serials[which], kinds[which], false, 0);
        wait_for_bytes();
        assert_true(work(1));
        expect_answer(100 + which, statuses[which]);
    }
    answer_with(serials[2], 'O', false, 0);
    wait_for_bytes();
    assert_false(work(1));
    assert_non_null(strstr(client.reason, "without a matching call"));
    assert_int_equal(answered_count, 0);
}

/* Answers that end a connection, as the first answer and as a later one. The calls in flight stay for their owner. */
static void test_refused(void **unused)
{
    static const struct {
        char kind;
        const char *reason;
    } rows[] = {{'N', "does not speak"}, {'E', "the reason"}, {'X', "not one of the protocol"}};
    for (unsigned i = 0; i < 2 * PS_COUNT_OF(rows); i++) {
        bool first = i % 2 == 0;
        connect_at(1);
        if (!first)
            greet(1, false);
        call_with(1, 2, 1);
        answer_with(expect_call(first, 1), rows[i / 2].kind, false, 0);
        wait_for_bytes();
        assert_false(work(1));
        assert_non_null(strstr(client.reason, rows[i / 2].reason));
        assert_int_equal(answered_count, 0);
        assert_int_equal(client.call_count, 1);
        ps_rpc_client_close(&client);
    }
}

/* The time limit counts from the oldest call without an answer. */
static void test_time_limit(void **unused)
{
    uint32_t serials[2];
    connect_at(1);
    greet(1, false);
    assert_true(ps_rpc_client_deadline(&client) == PS_NEVER);
    for (unsigned i = 0; i < 2; i++) {
        call_with(1, i, 100 + 50 * i);
        serials[i] = expect_call(false, 1);
    }
    assert_int_equal(ps_rpc_client_deadline(&client), 100 + ANSWER_NS);
    assert_true(work(100 + ANSWER_NS - 1));
    answer_with(serials[0], 'O', false, 0);
    wait_for_bytes();
    assert_true(work(100 + ANSWER_NS)); /* an answer that has arrived is not late */
    expect_answer(0, PS_RPC_OK);
    assert_int_equal(ps_rpc_client_deadline(&client), 150 + ANSWER_NS);
    assert_true(work(150 + ANSWER_NS - 1));
    assert_false(work(150 + ANSWER_NS));
    assert_non_null(strstr(client.reason, "no answer in time"));
}

/* A call that is longer than the socket's buffer is sent in pieces. A shorter call after it contains none of its bytes. */
static void test_long_calls(void **unused)
{
    static const size_t lengths[] = {0, 120000, 1, 130000, 0, 65536};
    short events;
    connect_at(1);
    greet(1, true);
    for (unsigned i = 0; i < PS_COUNT_OF(lengths); i++) {
        size_t got = 0, want = HEAD_BYTES + lengths[i];
        call_with(lengths[i], i, 1);
        while (got < want) {
            struct pollfd ready = {.fd = peer, .events = POLLIN};
            assert_true(work(1));
            (void)ps_rpc_client_descriptor(&client, &events);
            assert_int_equal((events & POLLOUT) != 0, client.out_at < client.out_end);
            assert_int_equal(ps_rpc_client_may_send(&client), client.out_at == client.out_end);
            if (poll(&ready, 1, 1) == 1) {
                ssize_t length = recv(peer, bytes + got, want - got, 0);
                assert_true(length > 0);
                got += (size_t)length;
            }
        }
        assert_true(work(1));
        uint32_t serial, length;
        memcpy(&serial, bytes, 4);
        memcpy(&length, bytes + 5, 4);
        assert_int_equal(length, lengths[i]);
        for (size_t at = HEAD_BYTES; at < want; at++)
            assert_int_equal(bytes[at], 'p');
        answer_with(serial, 'O', false, 0);
        wait_for_bytes();
        assert_true(work(1));
        expect_answer(i, PS_RPC_OK);
    }
}

/* The longest answer that fits, in pieces, with short ones before and after it in the same bytes. */
static void test_long_answers(void **unused)
{
    uint32_t serials[3];
    uint16_t more = UINT16_MAX;
    connect_at(1);
    greet(1, true);
    for (unsigned i = 0; i < 3; i++) {
        call_with(1, i, 1);
        serials[i] = expect_call(false, 1);
    }
    size_t length = 0;
    memset(bytes, 0, sizeof bytes);
    for (unsigned i = 0; i < 3; i++) {
        memcpy(bytes + length, &serials[i], 4);
        bytes[length + 4] = 'O';
        if (i == 1)
            memcpy(bytes + length + 6, &more, 2);
        length += ANSWER_BYTES + (i == 1 ? more : 0);
    }
    for (size_t at = 0; at < length;) {
        size_t part = length - at < 4099 ? length - at : 4099;
        assert_int_equal(write(peer, bytes + at, part), part);
        at += part;
        wait_for_bytes();
        assert_true(work(1));
    }
    while (answered_count < 3)
        assert_true(work(1));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(answered[i].number, i);
    assert_int_equal(client.in_length, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_windows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lost, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_time_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_calls, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_answers, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
