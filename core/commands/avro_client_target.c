/* Flume's RPC client properties. The rows are those of org.apache.flume.api.RpcClientConfigurationConstants and of
 * NettyAvroRpcClient and FailoverRpcClient, which read them. */
#include "core/commands/avro_client.h"

#include "conf/bind.h"
#include "conf/properties.h"
#include "core/clock.h"
#include "core/nearest.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TIMEOUT_MS 20000
#define TIMEOUT_MS_MIN 1000 /* lower values count as the default, as in Flume */
#define BATCH_EVENTS 100
#define BATCH_EVENTS_MAX 1000000
#define COMMAND_LINE_BATCH_EVENTS 5 /* AvroCLIClient.BATCH_SIZE */

#define FIELD(name) offsetof(struct ps_rpc_target, name)

static const struct ps_option options[] = {
    {.key = "client.type",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(type),
     .fallback = "default",
     .help = "default or default_failover, or the name of their classes"},
    {.key = "hosts",
     .type = PS_OPTION_LIST,
     .offset = FIELD(names),
     .flags = PS_OPTION_REQUIRED,
     .help = "Names of the hosts, each with a key hosts.NAME"},
    {.key = "hosts.",
     .type = PS_OPTION_MAP,
     .offset = FIELD(addresses),
     .help = "HOST:PORT of each of the hosts"},
    {.key = "batch-size",
     .type = PS_OPTION_INT,
     .offset = FIELD(batch_events),
     .fallback = "100",
     .min = INT32_MIN,
     .max = BATCH_EVENTS_MAX,
     .unit = "events",
     .help = "Events of one call; below 1 counts as 100"},
    {.key = "connect-timeout",
     .type = PS_OPTION_INT,
     .offset = FIELD(connect_ms),
     .fallback = "20000",
     .min = INT32_MIN,
     .max = INT32_MAX,
     .unit = "ms",
     .help = "For the connection and its TLS handshake; below 1000 counts as 20000"},
    {.key = "request-timeout",
     .type = PS_OPTION_INT,
     .offset = FIELD(request_ms),
     .fallback = "20000",
     .min = INT32_MIN,
     .max = INT32_MAX,
     .unit = "ms",
     .help = "For the answer to a call; below 1000 counts as 20000"},
    {.key = "compression-type",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(compression),
     .fallback = "none",
     .help = "none or deflate: what the source's compression-type says"},
    {.key = "compression-level",
     .type = PS_OPTION_INT,
     .offset = FIELD(level),
     .fallback = "6",
     .min = 0,
     .max = 9,
     .help = "1 (fast) to 9 (small); 0: not compressed"},
    {.key = "max-attempts",
     .type = PS_OPTION_TEXT,
     .offset = FIELD(attempts),
     .help = "How often a batch is sent with default_failover; default: once for each host"},
    PS_TLS_CLIENT_OPTION_ROWS(struct ps_rpc_target, tls),
    {.key = "maxIoWorkers",
     .type = PS_OPTION_INT,
     .offset = FIELD(workers),
     .flags = PS_OPTION_NO_EFFECT | PS_OPTION_LENIENT,
     .help = "Threads of Flume's client"},
    {.key = "penstock.tls.outside",
     .type = PS_OPTION_BOOL,
     .offset = FIELD(tls_outside),
     .fallback = "false",
     .flags = PS_OPTION_EXTENSION,
     .help = "With ssl and deflate: compress inside TLS, as Flume up to 1.9 does"},
    PS_OPTION_END,
};

/* ---- the kind of client ---- */

static const struct kind {
    const char *name, *class_name;
    bool failover;
    const char *refusal; /* NULL: it is there */
} kinds[] = {
    {"default", "org.apache.flume.api.NettyAvroRpcClient", false, NULL},
    {"default_failover", "org.apache.flume.api.FailoverRpcClient", true, NULL},
    {"default_loadbalance", "org.apache.flume.api.LoadBalancingRpcClient", false,
     "load balancing is for many clients of one process; write client.type = default_failover to have a "
     "second "
     "host, or put a load balancer before the hosts"},
    {"thrift", "org.apache.flume.api.ThriftRpcClient", false,
     "this command speaks Avro; send to an avro source, and write client.type = default"},
};

static const struct kind *kind_find(const char *type, struct ps_err *err)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, type);
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++) {
        ps_nearest_offer(&nearest, kinds[i].name);
        if (strcasecmp(type, kinds[i].name) != 0 && strcmp(type, kinds[i].class_name) != 0)
            continue;
        if (kinds[i].refusal == NULL)
            return &kinds[i];
        ps_err_set(err, "client.type = %s: %s", type, kinds[i].refusal);
        return NULL;
    }
    ps_err_set(err, "client.type = %s: there is no such client%s%s%s; write default or default_failover",
               type, nearest.word != NULL ? ", did you mean " : "", nearest.word != NULL ? nearest.word : "",
               nearest.word != NULL ? "?" : "");
    return NULL;
}

/* ---- hosts ---- */

/* HOST:PORT; an IPv6 address may be in brackets. */
static enum ps_status host_parse(struct ps_rpc_host *host, struct ps_arena *arena, const char *name,
                                 const char *address, struct ps_err *err)
{
    const char *colon = strrchr(address, ':');
    int64_t port;
    if (colon == NULL || colon == address || !ps_parse_int(colon + 1, &port) || port < 1 || port > 65535)
        return ps_err_set(err, "hosts.%s = %s: write HOST:PORT, for example collector:4141", name, address);
    size_t length = (size_t)(colon - address);
    bool bracketed = address[0] == '[' && colon[-1] == ']' && length > 2;
    host->name =
        bracketed ? ps_arena_copy(arena, address + 1, length - 2) : ps_arena_copy(arena, address, length);
    host->port = (unsigned)port;
    return PS_OK;
}

static enum ps_status hosts_make(struct ps_rpc_target *target, struct ps_arena *arena, bool failover,
                                 struct ps_err *err)
{
    if (target->names.count == 0)
        return ps_err_set(err, "hosts: name at least one host: hosts = h1, and hosts.h1 = HOST:PORT");
    target->host_count = failover ? target->names.count : 1;
    target->hosts = ps_arena_alloc(arena, target->host_count * sizeof *target->hosts);
    for (size_t i = 0; i < target->host_count; i++) {
        const char *name = target->names.items[i], *address = ps_pairs_get(&target->addresses, name);
        if (address == NULL)
            return ps_err_set(err, "hosts.%s is missing: write hosts.%s = HOST:PORT", name, name);
        if (host_parse(&target->hosts[i], arena, name, address, err) != PS_OK)
            return PS_FAIL;
    }
    if (target->names.count > target->host_count)
        fprintf(
            stderr,
            "penstock avro-client: hosts: the default client uses the first of %zu hosts; the others are for "
            "client.type = default_failover\n",
            target->names.count);
    return PS_OK;
}

/* ---- what is made of the rows ---- */

static uint64_t timeout_ns(int64_t ms)
{
    return (uint64_t)(ms < TIMEOUT_MS_MIN ? TIMEOUT_MS : ms) * PS_NS_PER_MS;
}

static void plan_make(struct ps_rpc_target *target)
{
    bool deflates = target->level > 0 && strcasecmp(target->compression, "deflate") == 0;
    target->deflate = (struct ps_avro_transport_settings){
        .level = (int)target->level, .tls = target->tls_client, .tls_outside = target->tls_outside};
    target->plan = (struct ps_client_plan){
        .connect_ns = timeout_ns(target->connect_ms),
        .transport = deflates                     ? &ps_avro_transport_deflate
                     : target->tls_client != NULL ? &ps_transport_tls
                                                  : &ps_transport_plain,
        .transport_settings = deflates ? (const void *)&target->deflate : target->tls_client,
    };
    target->settings = (struct ps_avro_client_settings){
        .window = 1, .window_max = 1, .answer_ns = timeout_ns(target->request_ms)};
    if (target->batch_events < 1)
        target->batch_events = BATCH_EVENTS;
}

void ps_rpc_target_of_host(struct ps_rpc_target *target, struct ps_arena *arena, const char *host,
                           unsigned port)
{
    *target = (struct ps_rpc_target){.compression = "none",
                                     .batch_events = COMMAND_LINE_BATCH_EVENTS,
                                     .connect_ms = TIMEOUT_MS,
                                     .request_ms = TIMEOUT_MS,
                                     .host_count = 1,
                                     .attempts_max = 1};
    target->hosts = ps_arena_alloc(arena, sizeof *target->hosts);
    size_t length = strlen(host);
    bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    *target->hosts = (struct ps_rpc_host){
        bracketed ? ps_arena_copy(arena, host + 1, length - 2) : ps_arena_text(arena, host), port};
    plan_make(target);
}

/* ps_context.system_property */
static const char *property_find(const void *argument, const char *name)
{
    const struct ps_rpc_properties *properties = argument;
    size_t length = strlen(name);
    for (size_t i = properties->count; i-- > 0;) { /* the last one counts */
        if (strncmp(properties->items[i], name, length) == 0 && properties->items[i][length] == '=')
            return properties->items[i] + length + 1;
    }
    return NULL;
}

/* Prints warnings; the first other problem is the error. */
static enum ps_status problems_tell(struct ps_arena *arena, const struct ps_problems *problems,
                                    struct ps_err *err)
{
    for (size_t i = 0; i < problems->count; i++) {
        const struct ps_problem *problem = &problems->items[i];
        const char *text = ps_problem_text(arena, problem);
        if (problem->severity == PS_SEVERITY_ERROR || problem->severity == PS_SEVERITY_DROPPED)
            return ps_err_set(err, "%s", text);
        fprintf(stderr, "penstock avro-client: %s\n", text);
    }
    return PS_OK;
}

static enum ps_status rows_bind(struct ps_rpc_target *target, struct ps_arena *arena, const char *path,
                                const struct ps_pairs *pairs, struct ps_err *err)
{
    struct ps_problems problems;
    ps_problems_init(&problems, arena);
    const struct ps_bind bind = {.arena = arena, .problems = &problems, .prefix = "", .file = path};
    enum ps_status status = ps_bind_options(&bind, options, NULL, pairs, target);
    if (problems_tell(arena, &problems, err) != PS_OK)
        status = PS_FAIL;
    else if (status != PS_OK)
        ps_err_set(err, "%s has a value that cannot be used", path);
    ps_problems_fini(&problems);
    return status;
}

static void attempts_make(struct ps_rpc_target *target, bool failover)
{
    int64_t attempts;
    target->attempts_max = target->host_count;
    if (failover && target->attempts != NULL && ps_parse_int(target->attempts, &attempts))
        target->attempts_max = attempts < 1 ? 1 : (uint64_t)attempts;
}

enum ps_status ps_rpc_target_read(struct ps_rpc_target *target, struct ps_arena *arena, const char *path,
                                  const struct ps_rpc_properties *properties, struct ps_err *err)
{
    struct ps_pairs pairs;
    *target = (struct ps_rpc_target){.host_count = 0};
    if (ps_properties_read(arena, path, &pairs, err) != PS_OK)
        return PS_FAIL;
    const char *type = ps_pairs_get(&pairs, "client.type");
    const struct kind *kind = kind_find(type != NULL ? type : kinds[0].name, err);
    if (kind == NULL)
        return ps_err_append(err, "reading %s", path);
    if (rows_bind(target, arena, path, &pairs, err) != PS_OK)
        return PS_FAIL;
    if (hosts_make(target, arena, kind->failover, err) != PS_OK)
        return ps_err_append(err, "reading %s", path);
    const struct ps_context context = {
        .arena = arena, .system_property = property_find, .argument = (void *)(uintptr_t)properties};
    if (ps_tls_client_stage_build(&target->tls_client, &target->tls, target->hosts[0].name, &context, err) !=
        PS_OK)
        return ps_err_append(err, "reading %s", path);
    attempts_make(target, kind->failover);
    plan_make(target);
    return PS_OK;
}

void ps_rpc_target_fini(struct ps_rpc_target *target)
{
    ps_tls_client_destroy(target->tls_client);
    target->tls_client = NULL;
}
