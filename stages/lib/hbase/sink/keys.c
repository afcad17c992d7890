#include "stages/lib/hbase/sink/keys.h"

#include "stages/lib/hadoop/configuration.h"
#include "stages/lib/remote/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_BYTES (10U << 20) /* hbase.client.keyvalue.maxsize of HBase's client */
#define ROW_PREFIX_MAX 1024U
#define TABLE_MAX 1024U
#define CALL_MS UINT64_C(60000) /* hbase.rpc.timeout */
#define FNV_BASIS UINT64_C(0xcbf29ce484222325)

/* ---- hbase-site.xml ---- */

static const char *const files_read[] = {"core-site.xml", "hbase-site.xml", NULL};

/* Returns the directory of the files; NULL: none. */
static const char *find_directory(const struct ps_hbase_plan *plan, struct ps_arena *arena)
{
    const char *given = plan->directory != NULL ? plan->directory : getenv("HBASE_CONF_DIR");
    const char *home = getenv("HBASE_HOME");
    if (given == NULL && home != NULL)
        given = ps_arena_format(arena, "%s/conf", home);
    if (given != NULL)
        return given;
    return ps_file_unreadable("/etc/hbase/conf/hbase-site.xml") == 0 ? "/etc/hbase/conf" : NULL;
}

static const char *setting(const struct ps_hbase_plan *plan, const struct ps_hadoop_configuration *site,
                           const char *key)
{
    const char *value = ps_pairs_get(&plan->async_keys, key);
    return value != NULL ? value : ps_hadoop_configuration_text(site, key);
}

/* ---- check and build ---- */

/* Reads ZooKeeper's servers and HBase's node from the keys, else from hbase-site.xml. */
static enum ps_status prepare_registry(struct ps_hbase_plan *plan, bool is_async,
                                       const struct ps_hadoop_configuration *site, struct ps_arena *arena,
                                       const char **key, struct ps_err *err)
{
    bool own = plan->quorum_text != NULL && plan->quorum_text[0] != '\0';
    const char *quorum = own ? plan->quorum_text : setting(plan, site, "hbase.zookeeper.quorum");
    uint64_t port =
        ps_hadoop_configuration_number(site, "hbase.zookeeper.property.clientPort", PS_ZOOKEEPER_PORT);
    const char *znode = plan->znode != NULL && plan->znode[0] != '\0'
                            ? plan->znode
                            : setting(plan, site, "zookeeper.znode.parent");
    if (znode == NULL)
        znode = ps_pairs_value(&plan->async_keys, "hbase.zookeeper.znode.parent", "/hbase");
    plan->client.znode = ps_arena_copy(arena, znode, strlen(znode));
    plan->client.quorum = &plan->quorum;
    *key = "znodeParent";
    if (znode[0] != '/' || strlen(znode) > 400)
        return ps_err_set(err, "\"%s\" is not a path", znode);
    *key = "zookeeperQuorum";
    return ps_zookeeper_quorum_read(&plan->quorum, quorum != NULL ? quorum : "127.0.0.1",
                                    own && !is_async ? 0 : (unsigned)(port & UINT16_MAX), arena, err);
}

static enum ps_status prepare_client(struct ps_hbase_plan *plan, bool is_async, struct ps_arena *arena,
                                     const char **key, struct ps_err *err)
{
    struct ps_hadoop_configuration *site = NULL;
    const char *directory = find_directory(plan, arena);
    *key = "penstock.hbase.conf";
    if (directory != NULL && ps_hadoop_configuration_load_files(&site, directory, files_read, err) != PS_OK)
        return PS_FAIL;
    uint64_t call_ms = ps_hadoop_configuration_number(site, "hbase.rpc.timeout", CALL_MS);
    if (is_async)
        call_ms = plan->timeout_ms > 0 ? (uint64_t)plan->timeout_ms : CALL_MS;
    plan->value_max = ps_hadoop_configuration_number(site, "hbase.client.keyvalue.maxsize", VALUE_BYTES);
    plan->client = (struct ps_hbase_client_settings){.table = plan->table,
                                                     .user = plan->user,
                                                     .connect_ns = 10 * PS_NS_PER_S,
                                                     .call_ns = call_ms * PS_NS_PER_MS,
                                                     .rest_max_ns = 5 * PS_NS_PER_S};
    plan->client.security = &plan->security;
    enum ps_status status = ps_hbase_security_read(&plan->security, site, &plan->async_keys, arena, key, err);
    if (status == PS_OK)
        status = prepare_registry(plan, is_async, site, arena, key, err);
    ps_hadoop_configuration_free(site);
    return status;
}

/* Fills what the keys and hbase-site.xml say. `*key`: the one to blame. */
static enum ps_status prepare(struct ps_hbase_plan *plan, bool is_async, struct ps_arena *arena,
                              const char **key, struct ps_err *err)
{
    if (prepare_client(plan, is_async, arena, key, err) != PS_OK)
        return PS_FAIL;
    *key = "table";
    if (strlen(plan->table) > TABLE_MAX || strlen(plan->family) > TABLE_MAX)
        return ps_err_set(err, "the name of the table or of the family is longer than %u bytes", TABLE_MAX);
    if (ps_hbase_serializer_build(&plan->serializer, plan->class, &plan->serializer_keys, plan->ids, arena,
                                  key, err) != PS_OK)
        return PS_FAIL;
    *key = "serializer.rowPrefix";
    if (plan->serializer.is_regex || strlen(plan->serializer.row_prefix) <= ROW_PREFIX_MAX)
        return PS_OK;
    ps_hbase_serializer_teardown(&plan->serializer);
    return ps_err_set(err, "it is longer than %u bytes", ROW_PREFIX_MAX);
}

/* Returns whether the keytab can be read, if it is needed. */
static bool check_kerberos(const struct ps_hbase_security *security, const struct ps_context *context)
{
    if (security->server == NULL && security->principal != NULL)
        ps_report(context, PS_LOG_WARN, "kerberosPrincipal",
                  "has no effect: hbase-site.xml does not say hbase.security.authentication = kerberos");
    return security->server == NULL || security->keytab == NULL ||
           !ps_report_unreadable(context, "kerberosKeytab", security->keytab);
}

enum ps_status ps_hbase_check(const void *plan_, const struct ps_context *context, bool is_async)
{
    struct ps_hbase_plan plan = *(const struct ps_hbase_plan *)plan_;
    struct ps_err err = {.length = 0};
    const char *key;
    if (prepare(&plan, is_async, context->arena, &key, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, key, "%s", err.text);
        return PS_FAIL;
    }
    bool readable = check_kerberos(&plan.security, context);
    if (plan.serializer.is_regex &&
        ps_regex_group_count(plan.serializer.regex) != plan.serializer.columns.count)
        ps_report(
            context, PS_LOG_WARN, "serializer.colNames",
            "serializer.regex has %u groups, and there are %zu columns: no event is written, as with Flume",
            ps_regex_group_count(plan.serializer.regex), plan.serializer.columns.count);
    if (!plan.uses_log)
        ps_report(context, PS_LOG_WARN, "enableWal",
                  "a region server that fails loses cells that count as delivered");
    if (plan.coalesces && !plan.serializer.is_regex && plan.serializer.increment_column != NULL)
        ps_report(
            context, PS_LOG_INFO, "coalesceIncrements",
            "a crash of the agent may count up to a request of events twice: sums have no stable nonce");
    ps_hbase_serializer_teardown(&plan.serializer);
    return readable ? PS_OK : PS_FAIL;
}

/* The group of nonces is the same in each life of the agent, so that a server recognizes an increment that is sent again. FNV-1a. */
static uint64_t fnv(const char *text, uint64_t hash)
{
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

enum ps_status ps_hbase_build(struct ps_hbase_plan *plan, struct ps_context *context, struct ps_err *err,
                              bool is_async)
{
    const char *key;
    if (prepare(plan, is_async, context->arena, &key, err) != PS_OK)
        return PS_FAIL;
    ps_hadoop_user(plan->user);
    (void)snprintf(plan->server, sizeof plan->server, "table %.200s", plan->table);
    /* Another sink counts the same event for itself, even in the same cell. */
    plan->client.nonce_group = fnv(context->component, fnv(plan->family, fnv(plan->table, FNV_BASIS))) | 1;
    return PS_OK;
}

void ps_hbase_teardown(void *plan_)
{
    struct ps_hbase_plan *plan = plan_;
    ps_hbase_serializer_teardown(&plan->serializer);
}

void ps_hbase_files(const void *plan_, void (*add)(void *argument, const char *path), void *argument)
{
    const struct ps_hbase_plan *plan = plan_;
    struct ps_arena *arena = ps_arena_create();
    const char *directory = find_directory(plan, arena);
    if (directory != NULL)
        ps_hadoop_configuration_files(directory, files_read, add, argument);
    ps_arena_destroy(arena);
}

void ps_hbase_outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct ps_hbase_plan *plan = plan_;
    fprintf(out, "writes to table %s, family %s of HBase%s%s", plan->table, plan->family,
            plan->quorum_text != NULL ? ", ZooKeeper " : "",
            plan->quorum_text != NULL ? plan->quorum_text : "");
}

/* Connects to each server of ZooKeeper, and asks for the table. */
void ps_hbase_probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    struct ps_hbase_plan plan = *(const struct ps_hbase_plan *)plan_;
    struct ps_err err = {.length = 0};
    const char *key;
    bool is_async = plan.fails_max != 0; /* only asynchbase has the key, whose default is not 0 */
    if (prepare(&plan, is_async, context->arena, &key, &err) != PS_OK)
        return; /* `check` has said it */
    ps_hbase_serializer_teardown(&plan.serializer);
    for (unsigned i = 0; i < plan.quorum.count; i++) {
        const char *host = plan.quorum.servers[i].host;
        struct ps_remote_target target;
        struct ps_client_plan to = {.transport = &ps_transport_plain};
        const char *shown = ps_arena_format(context->arena, "%s:%u", host, plan.quorum.servers[i].port);
        if (probe->local) {
            ps_probe_skipped(probe, shown, "not asked");
            continue;
        }
        if (ps_remote_target_build(&target, host, plan.quorum.servers[i].port, &err) != PS_OK) {
            ps_probe_key_failed(probe, "zookeeperQuorum", shown, err.text, NULL);
            continue;
        }
        if (ps_remote_probe_address(probe, &target, shown, &to))
            ps_remote_probe_connection(probe, &to, ps_arena_format(context->arena, "ZooKeeper at %s", shown));
        ps_remote_target_teardown(&target);
    }
    ps_hadoop_user(plan.user);
    ps_hbase_probe_table(probe, &plan.client, plan.family);
}

const char *const ps_hbase_counter_names[] = {"unmatched", "lookups", "relocated", "overloaded", NULL};
const char *const ps_hbase_counter_helps[] = {
    "Events that the regex does not match, which are not written, as with Flume",
    "Questions to hbase:meta for the place of a region", "Puts and increments whose region was elsewhere",
    "Puts and increments for which a region server was too busy", NULL};
