/* Connections to a server of Hadoop's RPC: connecting fails at once, the peer reads slowly, the peer is silent. */
#include "stages/lib/hadoop/rpc/connection.h"

#include "tests/support/fake_namenode.h"
#include "tests/support/name_server.h"
#include "tests/support/net.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned lost;
static char reason[512];

static void on_up(struct ps_hadoop_rpc_connection *connection)
{
    fail_msg("there is no way to %s", connection->host);
}

static void on_response(struct ps_hadoop_rpc_connection *connection,
                        const struct ps_hadoop_rpc_response *response)
{
    fail_msg("%s has answered", connection->host);
}

static void on_lost(struct ps_hadoop_rpc_connection *connection, const char *why,
                    const struct ps_hadoop_rpc_response *exception)
{
    assert_int_equal(connection->phase, PS_HADOOP_RPC_CLOSED);
    assert_null(exception);
    snprintf(reason, sizeof reason, "%s", why);
    lost++;
}

/* The kernel refuses at once, as for an unreachable network, or nobody knows the name: the client does not wait for the connect
 * time-out, and says why. */
static void check_lost_at_once(char *host, const char *why)
{
    static const struct ps_hadoop_rpc_connection_ops ops = {
        .up = on_up, .response = on_response, .lost = on_lost};
    const struct ps_hadoop_rpc_limits limits = {.connect_ns = 20 * PS_NS_PER_S,
                                                .idle_ns = 10 * PS_NS_PER_S,
                                                .ping_ns = 5 * PS_NS_PER_S,
                                                .response_bytes_max = 1 << 20};
    struct ps_test_hdfs hdfs;
    struct ps_hadoop_rpc_connection connection = {0};
    lost = 0;
    ps_test_hdfs_init(&hdfs);
    connection.loop = hdfs.loop;
    connection.ops = &ops;
    connection.limits = &limits;
    connection.host = host;
    connection.port = 8020;
    ps_hadoop_rpc_connection_init(&connection);
    for (unsigned times = 1; times < 3; times++) { /* it can be opened again */
        ps_hadoop_rpc_connection_open(&connection);
        for (uint64_t until_ns = ps_test_patience_end_ns(); lost < times; usleep(100)) {
            assert_true(ps_test_patient_ns() < until_ns); /* the resolver's thread may be slow */
            ps_test_hdfs_turn(&hdfs);
        }
        if (strstr(reason, why) == NULL)
            fail_msg("\"%s\" does not say \"%s\"", reason, why);
    }
    assert_int_equal(lost, 2);
    ps_hadoop_rpc_connection_fini(&connection);
    ps_test_hdfs_fini(&hdfs);
}

static void test_lost_at_once(void **state)
{
    char broadcast[] = "255.255.255.255"; /* TCP has none */
    char unknown[] = "gone.test";
    check_lost_at_once(broadcast, "255.255.255.255:8020: ");
    check_lost_at_once(unknown, "gone.test:8020: the name cannot be resolved: Name or service not known");
}

#define REQUESTS 16U
#define REQUEST_BYTES (1U << 20)

static bool is_up;

static void on_open(struct ps_hadoop_rpc_connection *connection)
{
    is_up = true;
}

static const struct ps_hadoop_rpc_connection_ops open_ops = {
    .up = on_open, .response = on_response, .lost = on_lost};

struct peer {
    struct ps_test_hdfs hdfs;
    struct ps_hadoop_rpc_connection connection;
    char host[16];
    int listener, fd;
};

static uint8_t read_bytes[REQUEST_BYTES];

/* Opens a connection to a socket of the test, and reads its greeting. */
static void meet(struct peer *peer, const struct ps_hadoop_rpc_limits *limits)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    *peer = (struct peer){.host = "127.0.0.1", .listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    assert_int_equal(bind(peer->listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(peer->listener, 1), 0);
    assert_int_equal(getsockname(peer->listener, (struct sockaddr *)&address, &length), 0);
    ps_test_hdfs_init(&peer->hdfs);
    peer->connection.loop = peer->hdfs.loop;
    peer->connection.ops = &open_ops;
    peer->connection.limits = limits;
    peer->connection.host = peer->host;
    peer->connection.port = ntohs(address.sin_port);
    peer->connection.user = "alice";
    peer->connection.protocol = "protocol";
    is_up = false;
    lost = 0;
    ps_hadoop_rpc_connection_init(&peer->connection);
    ps_hadoop_rpc_connection_open(&peer->connection);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (!is_up) {
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_hdfs_turn(&peer->hdfs);
        usleep(100);
    }
    peer->fd = accept4(peer->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(peer->fd >= 0);
    while (peer->connection.out.length > 0) /* while the caller still has bytes to send */
        ps_test_hdfs_turn(&peer->hdfs);
    ps_test_await_arrival(peer->connection.watch.fd);
    assert_true(read(peer->fd, read_bytes, sizeof read_bytes) > 0);
}

static void part(struct peer *peer)
{
    ps_hadoop_rpc_connection_fini(&peer->connection);
    ps_test_hdfs_fini(&peer->hdfs);
    close(peer->fd);
    close(peer->listener);
}

/* More than the kernel takes at once: every byte arrives, once. */
static void test_what_the_socket_does_not_take_is_sent_later(void **state)
{
    const struct ps_hadoop_rpc_limits limits = {.connect_ns = 20 * PS_NS_PER_S,
                                                .idle_ns = 10 * PS_NS_PER_S,
                                                .ping_ns = 5 * PS_NS_PER_S,
                                                .response_bytes_max = 1 << 20};
    static uint8_t request[REQUEST_BYTES];
    struct peer peer;
    meet(&peer, &limits);
    for (unsigned i = 0; i < REQUESTS; i++)
        assert_true(ps_hadoop_rpc_connection_send(&peer.connection, (int32_t)i, 0, request, sizeof request));
    size_t wanted = peer.connection.out.length, got = 0;
    assert_true(wanted > REQUESTS * sizeof request);
    uint64_t until_ns = ps_test_patience_end_ns();
    while (got < wanted) {
        assert_true(ps_test_patient_ns() < until_ns);
        ps_test_hdfs_turn(&peer.hdfs);
        usleep(100);
        for (ssize_t some; (some = read(peer.fd, read_bytes, sizeof read_bytes)) > 0;)
            got += (size_t)some;
    }
    assert_int_equal(got, wanted);
    assert_int_equal(peer.connection.out.length, 0);
    part(&peer);
}

/* Makes a call like rpc.c. */
static void call(struct ps_hadoop_rpc_connection *connection, int32_t id)
{
    static const uint8_t request[8];
    assert_true(ps_hadoop_rpc_connection_send(connection, id, 0, request, sizeof request));
    connection->in_flight++;
}

/* The time without an answer counts from the call, not from the last answer. After a longer pause, a call may take as
 * long as the first one. */
static void test_silence_counts_from_the_first_call(void **state)
{
    static const uint64_t rests_ns[] = {0, PS_NS_PER_S, 9 * PS_NS_PER_S, 599 * PS_NS_PER_S};
    const struct ps_hadoop_rpc_limits limits = {.connect_ns = 20 * PS_NS_PER_S,
                                                .idle_ns = 600 * PS_NS_PER_S,
                                                .ping_ns = 4 * PS_NS_PER_S,
                                                .silence_ns = 10 * PS_NS_PER_S,
                                                .response_bytes_max = 1 << 20};
    for (size_t i = 0; i < PS_COUNT_OF(rests_ns); i++) {
        struct peer peer;
        meet(&peer, &limits);
        peer.hdfs.now.mono_ns += rests_ns[i];
        ps_test_hdfs_turn(&peer.hdfs);
        uint64_t since_ns = peer.hdfs.now.mono_ns;
        call(&peer.connection, 1);
        for (unsigned second = 1; second < 10; second++) {
            peer.hdfs.now.mono_ns = since_ns + second * PS_NS_PER_S;
            ps_test_hdfs_turn(&peer.hdfs);
            if (lost > 0)
                fail_msg("after a rest of %u s: lost %u s after the call",
                         (unsigned)(rests_ns[i] / PS_NS_PER_S), second);
            if (second == 2) /* a second call does not restart the wait */
                call(&peer.connection, 2);
        }
        peer.hdfs.now.mono_ns = since_ns + 10 * PS_NS_PER_S;
        ps_test_hdfs_turn(&peer.hdfs);
        assert_int_equal(lost, 1);
        assert_non_null(strstr(reason, "nothing was heard for 10 s, and 2 calls wait"));
        part(&peer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lost_at_once),
        cmocka_unit_test(test_what_the_socket_does_not_take_is_sent_later),
        cmocka_unit_test(test_silence_counts_from_the_first_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
