/* The metastore's client with several addresses, compared with a simple model: which address it tries next, when it
 * backs off, and that the remains of a lost connection do not harm later calls. The clock stands still unless the test moves
 * it, so that no backoff ends by itself. */
#include "stages/lib/hive/metastore.h"
#include "tests/support/port.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVERS 3U
#define STEPS 60U
#define REST_NS (500 * PS_NS_PER_MS)
#define CALL_NS (100 * PS_NS_PER_S)

static struct ps_hadoop_loop *loop;
static struct ps_metastore *metastore;
static struct ps_port port = {.component = "test", .name = "test"};
static struct ps_now now;
static uint64_t due_ns; /* as returned by the last turn */

/* The port of a server stays reserved. A server that is down does not listen: connections to it are refused. */
static struct server {
    struct sockaddr_in address;
    int listener, peer; /* -1: none */
} servers[SERVERS];

static struct {
    unsigned current; /* index of the current address */
    bool is_up;       /* has a connection */
} model;

static unsigned done_count;
static enum ps_hive_error outcome;
static uint8_t call[1024];
static size_t call_length;

static void done(void *argument, const struct ps_hive_answer *answer)
{
    done_count++;
    outcome = answer->error;
}

static void set_listening(struct server *server, bool listens)
{
    int yes = 1;
    if (listens == (server->listener >= 0))
        return;
    if (!listens) {
        close(server->listener);
        server->listener = -1;
        return;
    }
    server->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(server->listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    assert_int_equal(bind(server->listener, (struct sockaddr *)&server->address, sizeof server->address), 0);
    assert_int_equal(listen(server->listener, 8), 0);
}

static void make_server(struct server *server)
{
    *server = (struct server){.address = {.sin_family = AF_INET,
                                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                          .sin_port = htons((uint16_t)ps_test_port(SOCK_STREAM))},
                              .listener = -1,
                              .peer = -1};
}

static int set_up(void **state)
{
    struct ps_err err;
    char addresses[200] = "";
    port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    port.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (unsigned i = 0; i < SERVERS; i++) {
        make_server(&servers[i]);
        snprintf(addresses + strlen(addresses), sizeof addresses - strlen(addresses),
                 "%sthrift://127.0.0.1:%u", i > 0 ? "," : "", ntohs(servers[i].address.sin_port));
    }
    now = ps_clock_now();
    model.current = 0;
    model.is_up = false;
    const struct ps_metastore_settings settings = {
        .addresses = addresses, .call_timeout_ns = CALL_NS, .connect_ns = 900 * PS_NS_PER_S};
    return ps_hadoop_loop_open(&loop, &port, &err) == PS_OK &&
                   ps_metastore_open(&settings, loop, &metastore, &err) == PS_OK
               ? 0
               : -1;
}

static int tear_down(void **state)
{
    ps_metastore_close(metastore);
    ps_hadoop_loop_close(loop);
    for (unsigned i = 0; i < SERVERS; i++) {
        set_listening(&servers[i], false);
        if (servers[i].peer >= 0)
            close(servers[i].peer);
    }
    close(port.epoll_fd);
    close(port.wake_fd);
    return 0;
}

static void turn(void)
{
    due_ns = ps_hadoop_loop_turn(loop, &now);
    for (unsigned i = 0; i < SERVERS; i++) {
        int made = servers[i].listener >= 0
                       ? accept4(servers[i].listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)
                       : -1;
        if (made >= 0) {
            assert_int_equal(servers[i].peer, -1);
            servers[i].peer = made;
        }
        ssize_t got = servers[i].peer >= 0
                          ? recv(servers[i].peer, call + call_length, sizeof call - call_length, 0)
                          : 0;
        call_length += got > 0 ? (size_t)got : 0;
    }
    usleep(200);
}

#define AWAIT(condition)                                                                                     \
    for (unsigned waited_ = 0; !(condition); waited_++) {                                                    \
        assert_in_range(waited_, 0, 5 * PS_TEST_PATIENCE_MS);                                                \
        turn();                                                                                              \
    }

/* Returns whether the server has a complete call, which ends with two stops. */
static bool has_call(void)
{
    return call_length > 24 && memmem(call, call_length, "commit_txn", 10) != NULL &&
           call[call_length - 1] == 0 && call[call_length - 2] == 0;
}

/* Answers the call, with at most `most` bytes of the answer. */
static void answer(struct server *server, size_t most)
{
    struct ps_thrift_reader in = {.at = call, .end = call + call_length};
    struct ps_thrift_message message;
    uint8_t bytes[200];
    struct ps_thrift_writer out = {.at = bytes};
    assert_true(ps_thrift_read_message(&in, &message));
    message.type = PS_THRIFT_REPLY;
    ps_thrift_put_message(&out, &message);
    ps_thrift_put_stop(&out);
    size_t length = (size_t)(out.at - bytes);
    length = most < length ? most : length;
    assert_int_equal(send(server->peer, bytes, length, MSG_NOSIGNAL), length);
    call_length = 0;
}

/* Closes the connection, and returns when the client has closed its end, too: otherwise the server would not see a call
 * that begins before. */
static void hang_up(struct server *server)
{
    char byte;
    assert_int_equal(shutdown(server->peer, SHUT_WR), 0);
    AWAIT(recv(server->peer, &byte, 1, 0) == 0);
    close(server->peer);
    server->peer = -1;
    model.is_up = false; /* the client stays with this address */
}

static void begin_call(void)
{
    static const struct ps_hive_request request = {.database = "d", .table = "t", .txn = 4};
    done_count = 0;
    call_length = 0;
    ps_metastore_call(metastore, PS_HIVE_COMMIT_TXN, &request, done, NULL);
}

/* All addresses are down: the client backs off each time when it has tried all of them, exactly as long as it should.
 * Returns after `rests` backoffs. */
static void expect_rests(unsigned rests, uint64_t deadline_ns)
{
    for (unsigned i = 0; i < rests; i++) {
        uint64_t end_ns = now.mono_ns + REST_NS;
        AWAIT(due_ns == (end_ns < deadline_ns ? end_ns : deadline_ns));
        now.mono_ns += REST_NS - 1;
        turn();
        turn();
        assert_int_equal(due_ns, end_ns);
        now.mono_ns++;
    }
}

static void test_drawn_outages(void **state)
{
    uint64_t random = ps_test_seed() | 1;
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned up = (unsigned)(ps_test_random(&random) % (1U << SERVERS)), rests = 0;
        size_t most = ps_test_random(&random) % 3 == 0 ? ps_test_random(&random) % 20 : SIZE_MAX;
        for (unsigned i = 0; i < SERVERS; i++)
            set_listening(&servers[i], (up >> i & 1) != 0);
        if (model.is_up && ps_test_random(&random) % 2 == 0)
            hang_up(&servers[model.current]);
        begin_call();
        if (!model.is_up && up == 0) {
            rests = 1 + (unsigned)(ps_test_random(&random) % 3);
            expect_rests(rests, now.mono_ns + CALL_NS);
            up = 1 + (unsigned)(ps_test_random(&random) % ((1U << SERVERS) - 1));
            for (unsigned i = 0; i < SERVERS; i++)
                set_listening(&servers[i], (up >> i & 1) != 0);
        }
        while (!model.is_up && (up >> model.current & 1) == 0)
            model.current = (model.current + 1) % SERVERS;
        model.is_up = true;
        struct server *server = &servers[model.current];
        AWAIT(has_call() || done_count > 0);
        assert_true(has_call() && server->peer >= 0);
        for (unsigned i = 0; i < SERVERS; i++)
            assert_true(i == model.current || servers[i].peer == -1);
        answer(server, most);
        if (most < SIZE_MAX)
            hang_up(server);
        AWAIT(done_count > 0);
        assert_int_equal(done_count, 1);
        assert_int_equal(outcome, most < SIZE_MAX ? PS_HIVE_UNREACHABLE : PS_HIVE_OK);
        assert_int_equal(due_ns, PS_NEVER);
    }
}

/* While all addresses are down, a call waits exactly until its deadline. The next call has its own deadline. */
static void test_times_of_calls(void **state)
{
    for (unsigned round = 0; round < 3; round++) {
        begin_call();
        static const struct ps_hive_request request = {.database = "d", .table = "t", .txn = 5};
        ps_metastore_call(metastore, PS_HIVE_COMMIT_TXN, &request, done, NULL);
        for (unsigned number = 0; number < 2; number++) {
            uint64_t began_ns = now.mono_ns;
            AWAIT(due_ns > now.mono_ns && due_ns <= now.mono_ns + REST_NS);
            now.mono_ns = began_ns + CALL_NS - 1;
            AWAIT(due_ns == began_ns + CALL_NS);
            assert_int_equal(done_count, number);
            now.mono_ns = began_ns + CALL_NS;
            AWAIT(done_count > number);
            assert_int_equal(done_count, number + 1);
            assert_int_equal(outcome, PS_HIVE_UNREACHABLE);
        }
        AWAIT(due_ns == PS_NEVER);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_drawn_outages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times_of_calls, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
