/* The rows are those of org.apache.flume.api.RpcClientConfigurationConstants, and of NettyAvroRpcClient,
 * FailoverRpcClient and LoadBalancingRpcClient, which read them. */
#include "commands/client/target.h"

#include "conf/bind.h"
#include "conf/properties/properties.h"
#include "core/clock.h"
#include "core/text/nearest.h"
#include "core/order.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define FIELD(name) offsetof(struct ps_rpc_target, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("client.type", TEXT, FIELD(type),
                  "default, default_failover, default_loadbalance or thrift, or the name of their classes",
                  .fallback = "default"),
    PS_OPTION_ROW("hosts", LIST, FIELD(names), "Names of the hosts, each with a key hosts.NAME",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("hosts.", MAP, FIELD(addresses), "HOST:PORT of each of the hosts"),
    PS_AVRO_OPTION_ROWS(struct ps_rpc_target, avro),
    PS_OPTION_ROW("max-attempts", TEXT, FIELD(attempts),
                  "default_failover: how often a call is sent; default: once for each host"),
    PS_OPTION_ROW("host-selector", TEXT, FIELD(selector), "default_loadbalance: round_robin or random",
                  .fallback = "round_robin"),
    PS_OPTION_ROW("backoff", BOOL, FIELD(backoff),
                  "default_loadbalance: a host that failed is left out for 2, 4, 8 .. seconds",
                  .fallback = "false"),
    PS_OPTION_ROW("maxBackoff", INT, FIELD(backoff_max_ms),
                  "With backoff: the longest time that a host is left out; 0: 30000", .fallback = "0",
                  .min = 0, .max = INT64_MAX, .unit = "ms"),
    PS_OPTION_ROW(
        "maxConnections", INT, FIELD(connections_max),
        "Most connections to each host, when several threads use the client at the same time; below 1 "
        "counts as 5. Flume has this key for thrift only",
        .fallback = "5", .min = INT32_MIN, .max = 1024, .unit = "connections"),
    PS_OPTION_ROW("protocol", TEXT, FIELD(protocol),
                  "thrift: compact or binary, in small letters; must be the same as the source's protocol",
                  .fallback = "compact"),
    PS_OPTION_ROW("kerberos", BOOL, FIELD(kerberos),
                  "thrift: true is refused, because this client has no Kerberos", .fallback = "false"),
    PS_OPTION_ROW("client-principal", TEXT, FIELD(client_principal), "Only with kerberos",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("client-keytab", TEXT, FIELD(client_keytab), "Only with kerberos",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("server-principal", TEXT, FIELD(server_principal), "Only with kerberos",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_END,
};

/* ---- problems ---- */

/* Returns the prefix of a problem with the key, as for an agent file: "FILE:LINE: error: ". */
static const char *place(const struct ps_rpc_reading *reading, const char *key, enum ps_severity severity)
{
    const char *word = ps_severity_word(severity);
    for (size_t i = 0; reading->pairs != NULL && i < reading->pairs->count; i++) {
        const struct ps_pair *pair = &reading->pairs->items[i];
        if (strcmp(pair->key, key) == 0 && pair->line > 0)
            return ps_arena_format(reading->arena, "%s:%d: %s: ", reading->name, pair->line, word);
    }
    return reading->name != NULL ? ps_arena_format(reading->arena, "%s: %s: ", reading->name, word) : "";
}

static void warn(const struct ps_rpc_reading *reading, const char *key, const char *text)
{
    if (reading->warn != NULL)
        reading->warn(reading->argument, ps_arena_format(reading->arena, "%s%s",
                                                         place(reading, key, PS_SEVERITY_WARNING), text));
}

/* ---- the kind of client ---- */

static const struct kind {
    const char *name, *class_name;
    enum ps_rpc_kind kind;
    bool thrift;
} kinds[] = {
    {"default", "org.apache.flume.api.NettyAvroRpcClient", PS_RPC_DEFAULT, false},
    {"default_failover", "org.apache.flume.api.FailoverRpcClient", PS_RPC_FAILOVER, false},
    {"default_loadbalance", "org.apache.flume.api.LoadBalancingRpcClient", PS_RPC_LOAD_BALANCE, false},
    {"thrift", "org.apache.flume.api.ThriftRpcClient", PS_RPC_DEFAULT, true},
};

static const struct kind *kind_find(const struct ps_rpc_reading *reading, const char *type,
                                    struct ps_err *err)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, type);
    for (size_t i = 0; i < PS_COUNT_OF(kinds); i++) {
        ps_nearest_offer(&nearest, kinds[i].name);
        if (strcasecmp(type, kinds[i].name) == 0 || strcmp(type, kinds[i].class_name) == 0)
            return &kinds[i];
    }
    ps_err_set(err,
               "%sclient.type = %s: there is no such client%s%s%s; write default, default_failover, "
               "default_loadbalance or thrift",
               place(reading, "client.type", PS_SEVERITY_ERROR), type,
               nearest.word != NULL ? ", did you mean " : "", nearest.word != NULL ? nearest.word : "",
               nearest.word != NULL ? "?" : "");
    return NULL;
}

/* ---- hosts ---- */

/* Parses HOST:PORT; an IPv6 address may be in brackets. */
static enum ps_status host_parse(struct ps_rpc_host *host, const struct ps_rpc_reading *reading,
                                 const char *name, const char *address, struct ps_err *err)
{
    struct ps_arena *arena = reading->arena;
    const char *colon = strrchr(address, ':');
    int64_t port;
    if (colon == NULL || colon == address || !ps_parse_int(colon + 1, &port) || port < 1 || port > 65535)
        return ps_err_set(err, "%shosts.%s = %s: write HOST:PORT, for example collector:4141",
                          place(reading, ps_arena_format(arena, "hosts.%s", name), PS_SEVERITY_ERROR), name,
                          address);
    size_t length = (size_t)(colon - address);
    bool bracketed = address[0] == '[' && colon[-1] == ']' && length > 2;
    host->name =
        bracketed ? ps_arena_copy(arena, address + 1, length - 2) : ps_arena_copy(arena, address, length);
    host->port = (unsigned)port;
    return PS_OK;
}

static enum ps_status hosts_make(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                 struct ps_err *err)
{
    const char *at = place(reading, "hosts", PS_SEVERITY_ERROR);
    size_t wanted = target->kind == PS_RPC_LOAD_BALANCE ? 2 : 1;
    if (target->names.count < wanted)
        return ps_err_set(err, "%shosts: %s: hosts = h1%s, and hosts.h1 = HOST:PORT", at,
                          wanted > 1 ? "load balancing needs at least two hosts" : "name at least one host",
                          wanted > 1 ? " h2" : "");
    if (target->names.count > PS_RPC_HOSTS_MAX)
        return ps_err_set(err, "%shosts: at most %u hosts", at, PS_RPC_HOSTS_MAX);
    size_t count = target->kind == PS_RPC_DEFAULT ? 1 : target->names.count;
    target->hosts = ps_arena_alloc(reading->arena, count * sizeof *target->hosts);
    for (size_t i = 0; i < count; i++) {
        const char *name = target->names.items[i], *address = ps_pairs_get(&target->addresses, name);
        if (address == NULL)
            return ps_err_set(err, "%shosts: hosts.%s is missing: write hosts.%s = HOST:PORT", at, name,
                              name);
        if (host_parse(&target->hosts[i], reading, name, address, err) != PS_OK)
            return PS_FAIL;
    }
    if (target->names.count > count)
        warn(reading, "hosts",
             ps_arena_format(reading->arena,
                             "hosts: the default client uses the first of %zu hosts; the others are "
                             "for client.type = default_failover or default_loadbalance",
                             target->names.count));
    target->host_count = count;
    return PS_OK;
}

/* ---- the target, from the rows ---- */

/* ps_context.system_property */
static const char *property_find(const void *argument, const char *name)
{
    const struct ps_rpc_reading *reading = argument;
    return reading->system_property != NULL ? reading->system_property(reading->argument, name) : NULL;
}

static enum ps_status host_build(struct ps_rpc_host *host, const struct ps_rpc_target *target,
                                 const struct ps_rpc_reading *reading, struct ps_err *err)
{
    const struct ps_context context = {
        .arena = reading->arena, .system_property = property_find, .argument = (void *)(uintptr_t)reading};
    host->avro = target->avro;
    host->encoding = target->encoding;
    struct ps_err reason = {.length = 0};
    if (ps_avro_options_build(&host->avro, host->name, &context, &reason) != PS_OK)
        return ps_err_set(err, "%s%s", place(reading, "ssl", PS_SEVERITY_ERROR), ps_err_join(&reason));
    host->plan.connect_ns = ps_rpc_timeout_ns(host->avro.calls.connect_ms);
    host->plan.transport = ps_avro_options_transport(&host->avro, &host->plan.transport_settings);
    host->settings =
        (struct ps_rpc_client_settings){.protocol = target->encoding->protocol,
                                        .window = 1,
                                        .window_max = 1,
                                        .answer_ns = ps_rpc_timeout_ns(host->avro.calls.request_ms)};
    return PS_OK;
}

/* Sets the encoding of calls, and their compression. */
static enum ps_status encoding_make(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                    struct ps_err *err)
{
    bool deflate = strcasecmp(target->avro.compression, "deflate") == 0;
    if (!deflate && strcasecmp(target->avro.compression, "none") != 0)
        warn(reading, "compression-type",
             ps_arena_format(
                 reading->arena,
                 "compression-type = %s counts as none, as in Flume; the only compression is deflate",
                 target->avro.compression));
    target->encoding = &ps_rpc_avro;
    if (!target->thrift)
        return PS_OK;
    if (deflate)
        warn(reading, "compression-type",
             "compression-type: a thrift source does not compress; nothing is compressed");
    target->avro.compression = "none";
    bool binary = strcmp(target->protocol, "binary") == 0; /* only in small letters, as for Flume's client */
    if (!binary && strcasecmp(target->protocol, "compact") != 0)
        warn(reading, "protocol",
             ps_arena_format(
                 reading->arena,
                 "protocol = %s counts as compact, as in Flume; the other is binary, in small letters",
                 target->protocol));
    target->encoding = binary ? &ps_rpc_thrift_binary : &ps_rpc_thrift_compact;
    if (!target->kerberos)
        return PS_OK;
    return ps_err_set(err, "%skerberos = true: the client has no Kerberos; use ssl",
                      place(reading, "kerberos", PS_SEVERITY_ERROR));
}

static void attempts_make(struct ps_rpc_target *target)
{
    int64_t attempts;
    target->attempts_max = target->host_count;
    if (target->attempts != NULL && ps_parse_int(target->attempts, &attempts))
        target->attempts_max = attempts < 1 ? 1 : (uint64_t)attempts;
}

static enum ps_status selector_make(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                    struct ps_err *err)
{
    target->random = strcasecmp(target->selector, "random") == 0;
    if (!target->random && strcasecmp(target->selector, "round_robin") != 0)
        return ps_err_set(err,
                          "%shost-selector = %s: write round_robin or random; a class of Java cannot be used",
                          place(reading, "host-selector", PS_SEVERITY_ERROR), target->selector);
    if (target->backoff_max_ms == 0)
        target->backoff_max_ms = PS_ORDER_BACKOFF_MS;
    return PS_OK;
}

static enum ps_status target_make(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                  struct ps_err *err)
{
    if (encoding_make(target, reading, err) != PS_OK)
        return PS_FAIL;
    if (target->connections_max < 1)
        target->connections_max = PS_RPC_CONNECTIONS;
    for (size_t i = 0; i < target->host_count; i++) {
        if (host_build(&target->hosts[i], target, reading, err) != PS_OK)
            return PS_FAIL;
    }
    attempts_make(target);
    return selector_make(target, reading, err);
}

enum ps_status ps_rpc_target_of_host(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                     const char *host, unsigned port, struct ps_err *err)
{
    size_t length = strlen(host);
    bool bracketed = length > 2 && host[0] == '[' && host[length - 1] == ']';
    *target = (struct ps_rpc_target){
        .selector = "round_robin",
        .avro = {.compression = "none",
                 .calls = {.connect_ms = PS_RPC_TIMEOUT_MS, .request_ms = PS_RPC_TIMEOUT_MS}},
        .host_count = 1};
    target->hosts = ps_arena_alloc(reading->arena, sizeof *target->hosts);
    target->hosts->name =
        bracketed ? ps_arena_copy(reading->arena, host + 1, length - 2) : ps_arena_text(reading->arena, host);
    target->hosts->port = port;
    return target_make(target, reading, err);
}

/* Reports the warnings. The first problem that is not a warning becomes the error. */
static enum ps_status problems_tell(const struct ps_rpc_reading *reading, const struct ps_problems *problems,
                                    struct ps_err *err)
{
    for (size_t i = 0; i < problems->count; i++) {
        struct ps_problem problem = problems->items[i];
        /* the target is freed here, because the caller gets no client */
        if (problem.severity == PS_SEVERITY_DROPPED)
            problem.severity = PS_SEVERITY_ERROR;
        const char *text = ps_problem_text(reading->arena, &problem);
        if (problem.severity == PS_SEVERITY_ERROR)
            return ps_err_set(err, "%s", text);
        if (reading->warn != NULL)
            reading->warn(reading->argument, text);
    }
    return PS_OK;
}

static enum ps_status rows_bind(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                const char *name, const struct ps_pairs *pairs, struct ps_err *err)
{
    struct ps_problems problems;
    ps_problems_init(&problems, reading->arena);
    const struct ps_bind bind = {.arena = reading->arena, .problems = &problems, .prefix = "", .file = name};
    enum ps_status status = ps_bind_options(&bind, options, NULL, pairs, target);
    if (problems_tell(reading, &problems, err) != PS_OK)
        status = PS_FAIL;
    else if (status != PS_OK)
        ps_err_set(err, "%s has a value that cannot be used", name);
    ps_problems_fini(&problems);
    return status;
}

static enum ps_status target_bind(struct ps_rpc_target *target, const struct ps_rpc_reading *outer,
                                  const char *name, const struct ps_pairs *pairs, struct ps_err *err)
{
    struct ps_rpc_reading reading = *outer;
    reading.name = name;
    reading.pairs = pairs;
    const char *type = ps_pairs_get(pairs, "client.type");
    const struct kind *kind =
        kind_find(&reading, type != NULL && type[0] != '\0' ? type : kinds[0].name, err);
    if (kind == NULL || rows_bind(target, &reading, name, pairs, err) != PS_OK)
        return PS_FAIL;
    target->kind = kind->kind;
    target->thrift = kind->thrift;
    if (hosts_make(target, &reading, err) != PS_OK)
        return PS_FAIL;
    return target_make(target, &reading, err);
}

enum ps_status ps_rpc_target_read(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                  const char *path, struct ps_err *err)
{
    struct ps_pairs pairs;
    *target = (struct ps_rpc_target){.host_count = 0};
    if (ps_properties_read(reading->arena, path, &pairs, err) != PS_OK)
        return PS_FAIL;
    return target_bind(target, reading, path, &pairs, err);
}

enum ps_status ps_rpc_target_parse(struct ps_rpc_target *target, const struct ps_rpc_reading *reading,
                                   const char *text, size_t length, struct ps_err *err)
{
    struct ps_pairs pairs;
    *target = (struct ps_rpc_target){.host_count = 0};
    if (ps_properties_parse(reading->arena, "the properties", text, length, &pairs, err) != PS_OK)
        return PS_FAIL;
    return target_bind(target, reading, "the properties", &pairs, err);
}

void ps_rpc_target_fini(struct ps_rpc_target *target)
{
    for (size_t i = 0; i < target->host_count; i++)
        ps_avro_options_teardown(&target->hosts[i].avro);
}
