#include "stages/lib/hadoop/rpc/error.h"

#include <string.h>

static const struct {
    const char *exception;
    struct ps_hadoop_rpc_judgement judgement;
} classes[] = {
    {"StandbyException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL_OVER}},
    {"ObserverRetryOnActiveException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL_OVER}},
    {"RetriableException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT}},
    {"SafeModeException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT}},
    {"RetryStartFileException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT_SOON}},
    {"NotReplicatedYetException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT_SOON}},
    {"RecoveryInProgressException", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_FAIL}},
    {"FileNotFoundException", {PS_FILE_MISSING, PS_HADOOP_RPC_FAIL}},
    {"PathNotFoundException", {PS_FILE_MISSING, PS_HADOOP_RPC_FAIL}},
    {"FileAlreadyExistsException", {PS_FILE_EXISTS, PS_HADOOP_RPC_FAIL}},
    {"PathExistsException", {PS_FILE_EXISTS, PS_HADOOP_RPC_FAIL}},
    {"ParentNotDirectoryException", {PS_FILE_PARENT, PS_HADOOP_RPC_FAIL}},
    {"AlreadyBeingCreatedException", {PS_FILE_LEASE, PS_HADOOP_RPC_FAIL}},
    {"LeaseExpiredException", {PS_FILE_LEASE, PS_HADOOP_RPC_FAIL}},
    {"AccessControlException", {PS_FILE_DENIED, PS_HADOOP_RPC_FAIL}},
    {"SnapshotAccessControlException", {PS_FILE_DENIED, PS_HADOOP_RPC_FAIL}},
    {"AuthorizationException", {PS_FILE_DENIED, PS_HADOOP_RPC_FAIL}},
    {"InvalidToken", {PS_FILE_DENIED, PS_HADOOP_RPC_FAIL}},
    {"SaslException", {PS_FILE_DENIED, PS_HADOOP_RPC_FAIL}},
    {"NSQuotaExceededException", {PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL}},
    {"DSQuotaExceededException", {PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL}},
    {"QuotaByStorageTypeExceededException", {PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL}},
    {"QuotaExceededException", {PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL}},
    {"ClusterStorageCapacityExceededException", {PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL}},
    {"MaxDirectoryItemsExceededException", {PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL}},
    {"DiskOutOfSpaceException", {PS_FILE_NO_SPACE, PS_HADOOP_RPC_FAIL}},
    {"PathComponentTooLongException", {PS_FILE_NAME, PS_HADOOP_RPC_FAIL}},
    {"InvalidPathException", {PS_FILE_NAME, PS_HADOOP_RPC_FAIL}},
    {"RpcNoSuchMethodException", {PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL}},
    {"RpcNoSuchProtocolException", {PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL}},
    {"UnsupportedOperationException", {PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL}},
    {"UnresolvedPathException", {PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL}},
};

/* Parts of messages, for all other classes. */
static const struct {
    const char *part;
    struct ps_hadoop_rpc_judgement judgement;
} messages[] = {
    {"could only be ",
     {PS_FILE_UNAVAILABLE,
      PS_HADOOP_RPC_FAIL}}, /* "replicated to 0 nodes": there are no datanodes, or they are full */
    {"maximum path component name limit", {PS_FILE_NAME, PS_HADOOP_RPC_FAIL}}, /* WebHDFS: RemoteException */
    /* Limits of 8,000 characters and 1,000 levels. */
    {"Pathname too long", {PS_FILE_NAME, PS_HADOOP_RPC_FAIL}},
    {"still not started", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT}},
    {"is in safe mode", {PS_FILE_UNAVAILABLE, PS_HADOOP_RPC_REPEAT}},
};

const char *ps_hadoop_rpc_simple_class(const char *exception)
{
    const char *simple = exception;
    for (const char *at = exception; *at != '\0'; at++) {
        if (*at == '.' || *at == '$')
            simple = at + 1;
    }
    return simple;
}

struct ps_hadoop_rpc_judgement ps_hadoop_rpc_judge(const char *exception, const char *message,
                                                   unsigned detail)
{
    const char *simple = ps_hadoop_rpc_simple_class(exception);
    /* Old namenodes (Hadoop 2.6) throw FileAlreadyExistsException. */
    if (strstr(message, "Parent path is not a directory") != NULL)
        return (struct ps_hadoop_rpc_judgement){PS_FILE_PARENT, PS_HADOOP_RPC_FAIL};
    for (size_t i = 0; i < PS_COUNT_OF(classes); i++) {
        if (strcmp(simple, classes[i].exception) == 0)
            return classes[i].judgement;
    }
    for (size_t i = 0; i < PS_COUNT_OF(messages); i++) {
        if (strstr(message, messages[i].part) != NULL)
            return messages[i].judgement;
    }
    switch (detail) {
    case 2: /* no such method, no such protocol */
    case 3:
        return (struct ps_hadoop_rpc_judgement){PS_FILE_UNSUPPORTED, PS_HADOOP_RPC_FAIL};
    case 15: /* unauthorized */
        return (struct ps_hadoop_rpc_judgement){PS_FILE_DENIED, PS_HADOOP_RPC_FAIL};
    default:
        return (struct ps_hadoop_rpc_judgement){PS_FILE_FAILED, PS_HADOOP_RPC_FAIL};
    }
}
