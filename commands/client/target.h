/* The destination of a client's events: Flume's RPC client properties
 * (org.apache.flume.api.RpcClientConfigurationConstants), or one host and port. Const after it is made.
 * Thread: that of the caller who opens the client. */
#pragma once

#include "core/arena.h"
#include "commands/client/encoding.h"
#include "stages/lib/avro/options.h"
#include "stages/lib/rpc/client.h"

#define PS_RPC_HOSTS_MAX 256U
#define PS_RPC_CONNECTIONS 5 /* RpcClientConfigurationConstants.DEFAULT_CONNECTION_POOL_SIZE */

enum ps_rpc_kind {
    PS_RPC_DEFAULT,      /* NettyAvroRpcClient, ThriftRpcClient: one host */
    PS_RPC_FAILOVER,     /* FailoverRpcClient: one host at a time; the next when it fails */
    PS_RPC_LOAD_BALANCE, /* LoadBalancingRpcClient: another host for each call */
};

struct ps_rpc_host {
    const char *name;
    unsigned port;
    const struct ps_rpc_encoding *encoding;
    struct ps_avro_options avro; /* each host has its own, because TLS may compare the host's name */
    struct ps_client_plan plan;  /* without an address */
    struct ps_rpc_client_settings settings;
};

struct ps_rpc_target {
    /* Values bound from the properties. */
    const char *type, *attempts, *selector, *protocol;
    const char *client_principal, *client_keytab, *server_principal; /* not used */
    struct ps_texts names;
    struct ps_pairs addresses;
    int64_t backoff_max_ms, connections_max;
    bool backoff, kerberos;
    struct ps_avro_options avro;
    /* Values made from them. */
    enum ps_rpc_kind kind;
    bool thrift; /* true: Thrift; false: Avro */
    const struct ps_rpc_encoding *encoding;
    bool random; /* load balancing: true: a random order for each call; false: the hosts take turns */
    struct ps_rpc_host *hosts; /* in the order of attempts */
    size_t host_count;
    uint64_t attempts_max; /* failover: attempts of one call */
};

/* The functions and data for reading properties. */
struct ps_rpc_reading {
    struct ps_arena *arena; /* lives as long as the target */
    /* Each may be NULL. */
    void (*warn)(void *argument, const char *text);
    const char *(*system_property)(void *argument, const char *name);
    void *argument;
    /* Name of the properties that are being read, for the place of a mistake. NULL: no properties are read. */
    const char *name;
    const struct ps_pairs *pairs;
};

/* Makes a target of one host, with defaults for the rest. */
enum ps_status ps_rpc_target_of_host(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                     const char *host, unsigned port, struct ps_err *err);
/* Both functions read properties, from a file or from memory. An error names the place of the mistake and the
 * cure. */
enum ps_status ps_rpc_target_read(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                  const char *path, struct ps_err *err);
enum ps_status ps_rpc_target_parse(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                   const char *text, size_t length, struct ps_err *err);
/* Frees the target, even after one of the functions failed; the target was set to 0 before. */
void ps_rpc_target_fini(struct ps_rpc_target *target);
