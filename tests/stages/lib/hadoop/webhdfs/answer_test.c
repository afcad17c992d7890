/* Answers of WebHDFS: every exception that a sink can act on, statuses without one, file statuses. */
#include "stages/lib/hadoop/webhdfs/answer.h"

#include <stdio.h>
#include <string.h>

#include "tests/support/support.h"

static void expect(long status, const char *body, enum ps_file_error error,
                   enum ps_hadoop_rpc_verdict verdict, const char *text)
{
    struct ps_webhdfs_fault fault;
    ps_webhdfs_fault_read(status, body, strlen(body), &fault);
    if (fault.error != error || fault.verdict != verdict)
        fail_msg("%s: error %d, verdict %d", body, (int)fault.error, (int)fault.verdict);
    if (text != NULL)
        assert_string_equal(fault.text, text);
}

static void test_exceptions(void **unused)
{
    static const struct {
        const char *exception;
        enum ps_file_error error;
        enum ps_hadoop_rpc_verdict verdict;
    } cases[] = {
        {"FileNotFoundException", PS_FILE_MISSING, PS_HADOOP_RPC_FAIL},
        {"FileAlreadyExistsException", PS_FILE_EXISTS, PS_HADOOP_RPC_FAIL},
        {"AccessControlException", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"SecurityException", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"AuthorizationException", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"AuthenticationException", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"InvalidToken", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"QuotaExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"NSQuotaExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"DSQuotaExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"QuotaByStorageTypeExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"DiskOutOfSpaceException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"AlreadyBeingCreatedException", PS_FILE_LEASE, PS_HADOOP_RPC_FAIL},
        {"LeaseExpiredException", PS_FILE_LEASE, PS_HADOOP_RPC_FAIL},
        {"RecoveryInProgressException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL},
        {"StandbyException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL_OVER},
        {"ObserverRetryOnActiveException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL_OVER},
        {"RetriableException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT},
        {"ServerTooBusyException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT},
        {"NoNamenodesAvailableException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT},
        {"SafeModeException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT},
        {"NotReplicatedYetException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT_SOON},
        {"ConnectException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL},
        {"ConnectTimeoutException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL},
        {"NoRouteToHostException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL},
        {"UnknownHostException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL},
        {"SocketTimeoutException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL},
        {"EOFException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL},
        {"UnsupportedOperationException", PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL},
        {"ParentNotDirectoryException", PS_FILE_PARENT, PS_HADOOP_RPC_FAIL},
        {"NullPointerException", PS_FILE_FAILED, PS_HADOOP_RPC_FAIL},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char body[256], text[128];
        snprintf(body, sizeof body,
                 "{\"RemoteException\":{\"exception\":\"%s\",\"javaClassName\":\"a.b.%s\",\"message\":"
                 "\"why\\n\\tat x\"}}",
                 cases[i].exception, cases[i].exception);
        snprintf(text, sizeof text, "%s: why", cases[i].exception);
        expect(403, body, cases[i].error, cases[i].verdict, text);
    }
}

#define IO_EXCEPTION(message)                                                                                \
    "{\"RemoteException\":{\"exception\":\"IOException\",\"message\":\"" message "\"}}"

static void test_messages(void **unused)
{
    expect(403, IO_EXCEPTION("File /a could only be written to 0 of the 1 minReplication nodes. There are 0"),
           PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL, NULL);
    expect(403, IO_EXCEPTION("Failed to find datanode, suggest to check cluster health."),
           PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL, NULL);
    expect(403, IO_EXCEPTION("All datanodes [x] are bad. Aborting..."), PS_FILE_UNAVAILABLE,
           PS_HADOOP_RPC_FAIL, NULL);
    expect(403, IO_EXCEPTION("Namenode is in startup mode"), PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT, NULL);
    expect(500, IO_EXCEPTION("No space left on device"), PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL, NULL);
    expect(403, IO_EXCEPTION("Offset=9 out of the range"), PS_FILE_FAILED, PS_HADOOP_RPC_FAIL,
           "IOException: Offset=9 out of the range");
    expect(400,
           "{\"RemoteException\":{\"exception\":\"IllegalArgumentException\",\"message\":\"Invalid value for "
           "webhdfs parameter \\\"op\\\": X is not a valid POST operation.\"}}",
           PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL, NULL);
}

/* Answers of Jetty, of a proxy, and of another program. */
static void test_no_exception(void **unused)
{
    expect(401, "<html>", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL, "HTTP 401");
    expect(403, "no\nmore", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL, "HTTP 403: no");
    expect(404, "<html>", PS_FILE_FAILED, PS_HADOOP_RPC_FAIL, "HTTP 404");
    expect(500, "", PS_FILE_FAILED, PS_HADOOP_RPC_FAIL, "HTTP 500");
    expect(502, "", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL, "HTTP 502");
    expect(503, "", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL, NULL);
    expect(504, "", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL, NULL);
    expect(429, "", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL, NULL);
    expect(507, "", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL, NULL);
    expect(500, "{\"RemoteException\":{\"exception\":\"\"}}", PS_FILE_FAILED, PS_HADOOP_RPC_FAIL, NULL);
}

static bool read_statuses(const char *body, struct ps_webhdfs_statuses *statuses)
{
    return ps_webhdfs_statuses_read(body, strlen(body), "own", statuses);
}

/* Every status without an exception. 401, 403, 407: the login; 408, 429, 502 to 504: later; 507: no space; RFC 9110 and 4918. */
static void test_every_status(void **unused)
{
    for (long status = 100; status < 600; status++) {
        char text[32];
        enum ps_file_error error = PS_FILE_FAILED;
        if (status == 401 || status == 403 || status == 407)
            error = PS_FILE_DENIED;
        else if (status == 408 || status == 429 || status == 502 || status == 503 || status == 504)
            error = PS_FILE_UNAVAILABLE;
        else if (status == 507)
            error = PS_FILE_NO_SPACE;
        snprintf(text, sizeof text, "HTTP %ld", status);
        expect(status, "", error, PS_HADOOP_RPC_FAIL, text);
        expect(status, "{\"RemoteException\":{\"message\":\"x\"}}", error, PS_HADOOP_RPC_FAIL, NULL);
    }
}

static void test_statuses(void **unused)
{
    struct ps_webhdfs_statuses statuses;
    assert_true(read_statuses(
        "{\"FileStatuses\":{\"FileStatus\":["
        "{\"pathSuffix\":\"a\",\"length\":3,\"modificationTime\":9,\"replication\":2,\"type\":\"FILE\"},"
        "{\"pathSuffix\":\"d\",\"length\":0,\"type\":\"DIRECTORY\"}]}}",
        &statuses));
    assert_int_equal(statuses.count, 2);
    assert_string_equal(statuses.entries[0].name, "a");
    assert_int_equal(statuses.entries[0].length_bytes, 3);
    assert_int_equal(statuses.entries[0].modified_ms, 9);
    assert_int_equal(statuses.entries[0].replication, 2);
    assert_false(statuses.entries[0].directory);
    assert_true(statuses.entries[1].directory);
    ps_webhdfs_statuses_free(&statuses);
    assert_true(
        read_statuses("{\"FileStatus\":{\"pathSuffix\":\"\",\"length\":5,\"type\":\"FILE\"}}", &statuses));
    assert_int_equal(statuses.count, 1);
    assert_string_equal(statuses.entries[0].name, "own");
    ps_webhdfs_statuses_free(&statuses);
    assert_true(read_statuses("{\"FileStatuses\":{\"FileStatus\":[]}}", &statuses));
    assert_int_equal(statuses.count, 0);
    ps_webhdfs_statuses_free(&statuses);
}

static void test_no_statuses(void **unused)
{
    static const char *const bodies[] = {
        "",
        "{}",
        "[]",
        "{\"FileStatuses\":{}}",
        "{\"FileStatus\":{\"type\":\"FILE\"}}",
        "{\"FileStatus\":{\"pathSuffix\":\"a\"}}",
        "{\"FileStatuses\":{\"FileStatus\":[{\"pathSuffix\":\"../a\",\"type\":\"FILE\"}]}}",
        "{\"FileStatuses\":{\"FileStatus\":[{\"pathSuffix\":\"..\",\"type\":\"FILE\"}]}}",
        "{\"FileStatuses\":{\"FileStatus\":[{\"pathSuffix\":\"a\",\"type\":\"FILE\"},7]}}",
    };
    struct ps_webhdfs_statuses statuses;
    for (size_t i = 0; i < PS_COUNT_OF(bodies); i++) {
        assert_false(read_statuses(bodies[i], &statuses));
        assert_null(statuses.entries);
    }
}

static void test_booleans(void **unused)
{
    bool value = false;
    assert_true(ps_webhdfs_boolean_read("{\"boolean\":true}", 16, &value));
    assert_true(value);
    assert_true(ps_webhdfs_boolean_read("{\"boolean\":false}", 17, &value));
    assert_false(value);
    assert_false(ps_webhdfs_boolean_read("{\"boolean\":1}", 13, &value));
    assert_false(ps_webhdfs_boolean_read(NULL, 0, &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exceptions),   cmocka_unit_test(test_messages),
        cmocka_unit_test(test_no_exception), cmocka_unit_test(test_every_status),
        cmocka_unit_test(test_statuses),     cmocka_unit_test(test_no_statuses),
        cmocka_unit_test(test_booleans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
