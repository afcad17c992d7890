/* What a Java exception of a server means: to a sink (enum ps_file_error), and to the client that made the call. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"

enum ps_hadoop_rpc_verdict {
    PS_HADOOP_RPC_FAIL,        /* the call has failed */
    PS_HADOOP_RPC_FAIL_OVER,   /* not carried out: this server is not the active one */
    PS_HADOOP_RPC_REPEAT,      /* not carried out: later again, after a rest */
    PS_HADOOP_RPC_REPEAT_SOON, /* not carried out: something is a moment late (NotReplicatedYetException) */
};

struct ps_hadoop_rpc_judgement {
    enum ps_file_error error;
    enum ps_hadoop_rpc_verdict verdict;
};

/* `exception`: the class, with or without its package. `message` decides where the class says little (IOException). `detail`:
 * RpcErrorCodeProto, 0: not known. Source: RetryPolicies, ClientProtocol and its exceptions of Hadoop 3.4. */
struct ps_hadoop_rpc_judgement ps_hadoop_rpc_judge(const char *exception, const char *message,
                                                   unsigned detail);

/* The class without its package and outer class. */
const char *ps_hadoop_rpc_simple_class(const char *exception);
