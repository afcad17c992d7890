/* Connections to a server of Hadoop's RPC: one that cannot even be begun, and one whose peer reads slowly. */
#include "stages/lib/hadoop/rpc/connection.h"

#include "tests/support/fake_namenode.h"
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

/* The kernel refuses at once, as for a network that is not there: nobody waits for the time-out of connecting. */
static void an_address_without_a_way_is_lost_at_once(void **state)
{
    static const struct ps_hadoop_rpc_connection_ops ops = {
        .up = on_up, .response = on_response, .lost = on_lost};
    const struct ps_hadoop_rpc_limits limits = {.connect_ns = 20 * PS_NS_PER_S,
                                                .idle_ns = 10 * PS_NS_PER_S,
                                                .ping_ns = 5 * PS_NS_PER_S,
                                                .response_bytes_max = 1 << 20};
    char host[] = "255.255.255.255"; /* TCP has no broadcast */
    struct ps_test_hdfs hdfs;
    struct ps_hadoop_rpc_connection connection = {0};
    ps_test_hdfs_init(&hdfs);
    connection.loop = hdfs.loop;
    connection.ops = &ops;
    connection.limits = &limits;
    connection.host = host;
    connection.port = 8020;
    ps_hadoop_rpc_connection_init(&connection);
    for (unsigned times = 1; times < 3; times++) { /* it can be opened again */
        ps_hadoop_rpc_connection_open(&connection);
        for (unsigned waited = 0; lost < times; waited++) {
            assert_true(waited < PS_TEST_PATIENCE_MS);
            ps_test_hdfs_turn(&hdfs);
        }
        assert_non_null(strstr(reason, "255.255.255.255:8020: "));
    }
    assert_int_equal(lost, 2);
    ps_hadoop_rpc_connection_fini(&connection);
    ps_test_hdfs_fini(&hdfs);
}

#define REQUESTS 16U
#define REQUEST_BYTES (1U << 20)

static bool is_up;

static void on_open(struct ps_hadoop_rpc_connection *connection)
{
    is_up = true;
}

/* More than the kernel takes at once: every byte arrives, once. */
static void what_the_socket_does_not_take_is_sent_later(void **state)
{
    static const struct ps_hadoop_rpc_connection_ops ops = {
        .up = on_open, .response = on_response, .lost = on_lost};
    const struct ps_hadoop_rpc_limits limits = {.connect_ns = 20 * PS_NS_PER_S,
                                                .idle_ns = 10 * PS_NS_PER_S,
                                                .ping_ns = 5 * PS_NS_PER_S,
                                                .response_bytes_max = 1 << 20};
    static uint8_t request[REQUEST_BYTES], read_bytes[REQUEST_BYTES];
    char host[] = "127.0.0.1";
    struct ps_test_hdfs hdfs;
    struct ps_hadoop_rpc_connection connection = {0};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length), 0);
    ps_test_hdfs_init(&hdfs);
    connection.loop = hdfs.loop;
    connection.ops = &ops;
    connection.limits = &limits;
    connection.host = host;
    connection.port = ntohs(address.sin_port);
    connection.user = "alice";
    connection.protocol = "protocol";
    ps_hadoop_rpc_connection_init(&connection);
    ps_hadoop_rpc_connection_open(&connection);
    for (unsigned waited = 0; !is_up; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        ps_test_hdfs_turn(&hdfs);
    }
    int peer = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    assert_true(peer >= 0);
    while (connection.out.length > 0) /* who calls */
        ps_test_hdfs_turn(&hdfs);
    assert_true(read(peer, read_bytes, sizeof read_bytes) > 0);
    for (unsigned i = 0; i < REQUESTS; i++)
        assert_true(ps_hadoop_rpc_connection_send(&connection, (int32_t)i, 0, request, sizeof request));
    size_t wanted = connection.out.length, got = 0;
    assert_true(wanted > REQUESTS * sizeof request);
    for (unsigned waited = 0; got < wanted; waited++) {
        assert_true(waited < PS_TEST_PATIENCE_MS);
        ps_test_hdfs_turn(&hdfs);
        for (ssize_t some; (some = read(peer, read_bytes, sizeof read_bytes)) > 0;)
            got += (size_t)some;
    }
    assert_int_equal(got, wanted);
    assert_int_equal(connection.out.length, 0);
    ps_hadoop_rpc_connection_fini(&connection);
    ps_test_hdfs_fini(&hdfs);
    close(peer);
    close(listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_without_a_way_is_lost_at_once),
        cmocka_unit_test(what_the_socket_does_not_take_is_sent_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
