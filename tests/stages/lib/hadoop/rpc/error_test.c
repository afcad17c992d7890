#include "stages/lib/hadoop/rpc/error.h"

#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

static void expect(const char *exception, const char *message, unsigned detail, enum ps_file_error error,
                   enum ps_hadoop_rpc_verdict verdict)
{
    struct ps_hadoop_rpc_judgement judgement = ps_hadoop_rpc_judge(exception, message, detail);
    assert_int_equal(judgement.error, error);
    assert_int_equal(judgement.verdict, verdict);
}

static void test_judgements(void **state)
{
    expect("org.apache.hadoop.ipc.StandbyException", "", 1, PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL_OVER);
    expect("StandbyException", "", 0, PS_FILE_UNAVAILABLE,
           PS_HADOOP_RPC_FAIL_OVER); /* in WebHDFS the class has no package */
    expect("org.apache.hadoop.ipc.RetriableException", "", 1, PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT);
    expect("org.apache.hadoop.hdfs.server.namenode.NotReplicatedYetException", "", 1, PS_FILE_UNAVAILABLE,
           PS_HADOOP_RPC_REPEAT_SOON);
    expect("org.apache.hadoop.security.token.SecretManager$InvalidToken", "token expired", 1, PS_FILE_DENIED,
           PS_HADOOP_RPC_FAIL);
    expect("org.apache.hadoop.ipc.RpcNoSuchMethodException", "Unknown method msync", 2, PS_FILE_UNSUPPORTED,
           PS_HADOOP_RPC_FAIL);
    expect("java.io.IOException",
           "File /a could only be replicated to 0 nodes instead of minReplication (=1).", 1,
           PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL);
    expect("java.io.IOException", "NameNode still not started", 1, PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT);
    expect("org.apache.hadoop.hdfs.protocol.FSLimitException$PathComponentTooLongException", "x", 1,
           PS_FILE_NAME, PS_HADOOP_RPC_FAIL);
    expect("RemoteException", "The maximum path component name limit of x in directory /y is exceeded", 0,
           PS_FILE_NAME, PS_HADOOP_RPC_FAIL); /* WebHDFS does not say which */
    expect("org.apache.hadoop.fs.InvalidPathException", "Invalid path name", 1, PS_FILE_NAME,
           PS_HADOOP_RPC_FAIL);
    expect("java.io.IOException", "create: Pathname too long.  Limit 8000 characters, 1000 levels.", 1,
           PS_FILE_NAME, PS_HADOOP_RPC_FAIL);
    expect("java.io.IOException", "something else", 1, PS_FILE_FAILED, PS_HADOOP_RPC_FAIL);
    expect("", "", 15, PS_FILE_DENIED, PS_HADOOP_RPC_FAIL);
    expect("", "", 3, PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL);
    expect("", "", 0, PS_FILE_FAILED, PS_HADOOP_RPC_FAIL);
}

/* Each class that is known, and its meaning for a sink: it costs an attempt (FAIL), the operation is repeated, or it is
 * sent to the other namenode. A name that is longer or shorter by a letter is an unknown class. */
static void test_each_class(void **state)
{
    static const struct {
        const char *exception;
        enum ps_file_error error;
        enum ps_hadoop_rpc_verdict verdict;
    } rows[] = {
        {"StandbyException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL_OVER},
        {"ObserverRetryOnActiveException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL_OVER},
        {"RetriableException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT},
        {"SafeModeException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT},
        {"RetryStartFileException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT_SOON},
        {"NotReplicatedYetException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT_SOON},
        {"RecoveryInProgressException", PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL},
        {"FileNotFoundException", PS_FILE_MISSING, PS_HADOOP_RPC_FAIL},
        {"PathNotFoundException", PS_FILE_MISSING, PS_HADOOP_RPC_FAIL},
        {"FileAlreadyExistsException", PS_FILE_EXISTS, PS_HADOOP_RPC_FAIL},
        {"PathExistsException", PS_FILE_EXISTS, PS_HADOOP_RPC_FAIL},
        {"AlreadyBeingCreatedException", PS_FILE_LEASE, PS_HADOOP_RPC_FAIL},
        {"LeaseExpiredException", PS_FILE_LEASE, PS_HADOOP_RPC_FAIL},
        {"AccessControlException", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"SnapshotAccessControlException", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"AuthorizationException", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"InvalidToken", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"SaslException", PS_FILE_DENIED, PS_HADOOP_RPC_FAIL},
        {"NSQuotaExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"DSQuotaExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"QuotaByStorageTypeExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"QuotaExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"ClusterStorageCapacityExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"MaxDirectoryItemsExceededException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"DiskOutOfSpaceException", PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL},
        {"PathComponentTooLongException", PS_FILE_NAME, PS_HADOOP_RPC_FAIL},
        {"InvalidPathException", PS_FILE_NAME, PS_HADOOP_RPC_FAIL},
        {"RpcNoSuchMethodException", PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL},
        {"RpcNoSuchProtocolException", PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL},
        {"UnsupportedOperationException", PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL},
        {"UnresolvedPathException", PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL},
    };
    char name[128];
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const char *exception = rows[i].exception;
        size_t length = strlen(exception);
        snprintf(name, sizeof name, "org.apache.hadoop.Some$%s", exception);
        expect(exception, "", 0, rows[i].error, rows[i].verdict);
        expect(name, "", 0, rows[i].error, rows[i].verdict);
        snprintf(name, sizeof name, "%s2", exception);
        expect(name, "", 0, PS_FILE_FAILED, PS_HADOOP_RPC_FAIL);
        snprintf(name, sizeof name, "%.*s", (int)length - 1, exception);
        expect(name, "", 0, PS_FILE_FAILED, PS_HADOOP_RPC_FAIL);
        snprintf(name, sizeof name, "My%s", exception);
        expect(name, "", 0, PS_FILE_FAILED, PS_HADOOP_RPC_FAIL);
    }
}

static void test_simple_class(void **state)
{
    assert_string_equal(ps_hadoop_rpc_simple_class("a.b.C"), "C");
    assert_string_equal(ps_hadoop_rpc_simple_class("a.b.C$D"), "D");
    assert_string_equal(ps_hadoop_rpc_simple_class("C"), "C");
    assert_string_equal(ps_hadoop_rpc_simple_class(""), "");
    assert_string_equal(ps_hadoop_rpc_simple_class("a."), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_judgements),
        cmocka_unit_test(test_each_class),
        cmocka_unit_test(test_simple_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
