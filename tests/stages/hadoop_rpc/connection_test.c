/* A connection to a server of Hadoop's RPC that cannot even be begun. */
#include "stages/hadoop_rpc/connection.h"

#include "tests/support/fake_namenode.h"
#include "tests/support/support.h"

static unsigned lost;
static char reason[512];

static void on_up(struct ps_hadoop_rpc_connection *connection)
{
    fail_msg("there is no way to %s", connection->host);
}

static void on_response(struct ps_hadoop_rpc_connection *connection,
                        const struct ps_hadoop_rpc_response *response)
{
    (void)response;
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
    (void)state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_address_without_a_way_is_lost_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
