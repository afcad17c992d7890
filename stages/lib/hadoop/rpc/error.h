/* Meaning of a server's Java exception: for a sink (enum ps_file_error), and for the client that made the call. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"

enum ps_hadoop_rpc_verdict {
    PS_HADOOP_RPC_FAIL,      /* the call has failed */
    PS_HADOOP_RPC_FAIL_OVER, /* not carried out: the server is not the active one */
    PS_HADOOP_RPC_REPEAT,    /* not carried out: repeat it after a backoff */
    /* Not carried out: repeat it soon, because the server only needs a moment (NotReplicatedYetException). */
    PS_HADOOP_RPC_REPEAT_SOON,
};

struct ps_hadoop_rpc_judgement {
    enum ps_file_error error;
    enum ps_hadoop_rpc_verdict verdict;
};

/* Returns the meaning. `exception`: the class, with or without its package. `message` decides for classes that have several
 * meanings (IOException). `detail`: RpcErrorCodeProto, 0: not known. Source: RetryPolicies, ClientProtocol and its exceptions
 * of Hadoop 3.4. */
struct ps_hadoop_rpc_judgement ps_hadoop_rpc_judge(const char *exception, const char *message,
                                                   unsigned detail);

/* Returns the class without its package and outer class. */
const char *ps_hadoop_rpc_simple_class(const char *exception);
