/* The meaning of refusals: a KDC that refuses the ticket ends calls before their time-out, because no later try can succeed; a standby has
 * not carried a call out. A server is not silent while it answers other calls. */
#include "stages/lib/hadoop/rpc/rpc.h"

#include "tests/support/fake_namenode.h"
#include "tests/support/support.h"

#include <unistd.h>

struct test {
    struct ps_test_hdfs hdfs;
    struct ps_test_namenode namenodes[2];
    struct ps_hadoop_rpc *rpc;
    struct ps_hadoop_rpc_call call;
    unsigned handshakes;
    bool refused, done;
    enum ps_file_error error;
    char reason[512];
};

static struct test test;
static const PsHadoop__RpcUser message = {PROTOBUF_C_MESSAGE_INIT(&ps_hadoop__rpc_user__descriptor), "u",
                                          NULL};

/* ---- a transport whose handshake fails ---- */

static void *open_session(const void *settings, int fd, char *reason)
{
    return &test;
}

static int handshake(void *session, short *wants, char *reason)
{
    test.handshakes++;
    return ps_transport_lose(reason, "no Kerberos ticket: Server nn/a not found in Kerberos database");
}

static void close_session(void *session)
{
}

static enum ps_hadoop_rpc_method method(const void *session)
{
    return PS_HADOOP_RPC_KERBEROS;
}

static void *enter_server(void *argument, const char *host, unsigned port)
{
    return argument;
}

static void leave_server(void *argument, void *server)
{
}

static bool is_refused(const void *server)
{
    return ((const struct test *)server)->refused;
}

static const struct ps_hadoop_rpc_auth auth = {
    .transport = {.open = open_session, .handshake = handshake, .close = close_session},
    .method = method,
    .enter_server = enter_server,
    .leave_server = leave_server,
    .is_refused = is_refused,
    .argument = &test};

/* ---- calls ---- */

static void done(struct ps_hadoop_rpc_call *rpc, const struct ps_hadoop_rpc_outcome *outcome)
{
    test.done = true;
    test.error = outcome->error;
    snprintf(test.reason, sizeof test.reason, "%s", outcome->reason);
}

static void begin(unsigned servers, const struct ps_hadoop_rpc_auth *with)
{
    static struct ps_hadoop_rpc_server list[2]; /* it outlives the service */
    bool refused = test.refused;
    test = (struct test){.refused = refused};
    ps_test_hdfs_init(&test.hdfs);
    for (unsigned i = 0; i < 2; i++) {
        ps_test_namenode_init(&test.namenodes[i], &test.hdfs);
        list[i] = (struct ps_hadoop_rpc_server){"127.0.0.1", test.namenodes[i].port};
    }
    const struct ps_hadoop_rpc_settings settings = {
        .loop = test.hdfs.loop,
        .service = "hdfs://test",
        .servers = list,
        .server_count = servers,
        .limits = {.connect_ns = 20 * PS_NS_PER_S,
                   .ping_ns = 60 * PS_NS_PER_S,
                   .silence_ns = 12 * PS_NS_PER_S,
                   .response_bytes_max = 1 << 20},
        .protocol = "org.apache.hadoop.hdfs.protocol.ClientProtocol",
        .protocol_version = 1,
        .user = "alice",
        .auth = with,
        .call_timeout_ns = 30 * PS_NS_PER_S,
        .rest_ns = PS_NS_PER_S,
        .rest_max_ns = 2 * PS_NS_PER_S,
        .component = "sink test",
    };
    test.rpc = ps_hadoop_rpc_open(&settings);
    test.call.done = done;
    ps_hadoop_rpc_begin(test.rpc, &test.call, "mkdirs", &message.base);
}

static int end(void **unused)
{
    ps_hadoop_rpc_close(test.rpc);
    for (unsigned i = 0; i < 2; i++)
        ps_test_namenode_fini(&test.namenodes[i]);
    ps_test_hdfs_fini(&test.hdfs);
    return 0;
}

/* A later try may succeed, and is up to the caller, so the server counts as unavailable. */
static void test_one_server(void **unused)
{
    test.refused = true;
    begin(1, &auth);
    ps_test_hdfs_await(&test.hdfs, &test.done);
    assert_int_equal(test.error, PS_FILE_UNAVAILABLE);
    assert_int_equal(test.handshakes, 1);
    assert_non_null(strstr(test.reason, "not found in Kerberos database"));
    test.done = false;
    ps_hadoop_rpc_begin(test.rpc, &test.call, "mkdirs", &message.base);
    ps_test_hdfs_pass(&test.hdfs, 2000);
    ps_test_hdfs_await(&test.hdfs, &test.done);
    assert_int_equal(test.handshakes, 2);
}

/* The other server may have another principal. */
static void test_two_servers(void **unused)
{
    test.refused = true;
    begin(2, &auth);
    ps_test_hdfs_await(&test.hdfs, &test.done);
    assert_int_equal(test.handshakes, 2);
}

/* No KDC answers: the client waits for it. */
static void test_not_refused(void **unused)
{
    test.refused = false;
    begin(1, &auth);
    for (uint64_t until_ns = ps_test_patience_end_ns(); test.handshakes < 3 && !test.done; usleep(100)) {
        /* Time passes while the client backs off, for less than 3 s, but not while it connects, which may take 20 s. */
        bool is_resting = test.hdfs.due_ns < test.hdfs.now.mono_ns + 3 * PS_NS_PER_S;
        ps_test_hdfs_pass(&test.hdfs, is_resting ? 100 : 0);
        assert_true(ps_test_patient_ns() < until_ns);
    }
    assert_int_equal(test.handshakes, 3);
    assert_false(test.done);
}

/* A standby never carries a call out, so the caller may repeat the call. A call without an answer may have been
 * carried out (test_uncertain_calls). */
static void test_standbys_only(void **unused)
{
    begin(2, NULL);
    for (unsigned i = 0; i < 2; i++) {
        ps_test_namenode_expect(&test.namenodes[i], "mkdirs");
        ps_test_namenode_stop_listening(&test.namenodes[i]);
        ps_test_namenode_refuse(&test.namenodes[i], test.namenodes[i].id,
                                "org.apache.hadoop.ipc.StandbyException", "standby");
    }
    ps_test_namenode_expect_end(&test.namenodes[1]);
    ps_test_hdfs_pass(&test.hdfs, 30000);
    ps_test_hdfs_await(&test.hdfs, &test.done);
    assert_int_equal(test.error, PS_FILE_UNAVAILABLE);
}

/* The silence is measured from the last answer, even to another call: the connection is not given up earlier. */
static void test_silence_after_an_answer(void **unused)
{
    begin(1, NULL);
    struct ps_test_namenode *namenode = &test.namenodes[0];
    struct ps_hadoop_rpc_call second = {.done = done};
    int32_t ids[2];
    ps_test_namenode_expect(namenode, "mkdirs");
    ids[0] = namenode->id;
    ps_hadoop_rpc_begin(test.rpc, &second, "delete", &message.base);
    ps_test_namenode_expect(namenode, "delete");
    ids[1] = namenode->id;
    for (unsigned i = 0; i < 2;
         i++) { /* 8 s after the calls; 19 s after them, and 11 s after the first answer */
        ps_test_hdfs_pass(&test.hdfs, i == 0 ? 8000 : 11000);
        test.done = false;
        ps_test_namenode_answer(namenode, ids[i], &message.base);
        ps_test_hdfs_await(&test.hdfs, &test.done);
        assert_int_equal(test.error, PS_FILE_OK);
        assert_int_equal(namenode->accepted, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_one_server, end),
        cmocka_unit_test_teardown(test_two_servers, end),
        cmocka_unit_test_teardown(test_not_refused, end),
        cmocka_unit_test_teardown(test_standbys_only, end),
        cmocka_unit_test_teardown(test_silence_after_an_answer, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
