#include "stages/sinks/hive/internal.h"

#include "stages/lib/hadoop/hdfs/probe.h"

#include <string.h>

#define TEXT_BYTES 512U

struct trial {
    const struct ps_hive_settings *settings;
    const struct ps_probe *probe;
    struct ps_hive_sink *sink;
    bool done;
    enum ps_hive_error error;
    enum ps_status status; /* whether the sink can write to the table */
    char reason[TEXT_BYTES];
};

static void answered(void *trial_, const struct ps_hive_answer *answer)
{
    struct trial *trial = trial_;
    struct ps_err err = {.length = 0};
    trial->done = true;
    trial->error = answer->error;
    if (answer->error == PS_HIVE_OK)
        trial->status = ps_hive_take_table(trial->sink, &answer->table, &err);
    snprintf(trial->reason, sizeof trial->reason, "%s",
             answer->error != PS_HIVE_OK ? answer->reason : ps_err_join(&err));
}

static uint64_t turn(void *loop, const struct ps_now *now)
{
    return ps_hadoop_loop_turn(loop, now);
}

/* Asks the metastore for the table. */
static void ask(struct trial *trial, int epoll_fd)
{
    struct ps_hive_request request = ps_hive_request_of(trial->sink);
    ps_metastore_call(trial->sink->metastore, PS_HIVE_GET_TABLE, &request, answered, trial);
    ps_probe_turns(trial->probe, epoll_fd, turn, trial->sink->loop, &trial->done);
}

static bool has_answered(const struct trial *trial)
{
    return trial->error != PS_HIVE_UNREACHABLE && trial->error != PS_HIVE_TIMEOUT &&
           trial->error != PS_HIVE_GARBAGE;
}

/* Returns the key because of which the sink cannot write to the table. */
static const char *key_of(const struct trial *trial)
{
    if (strncmp(trial->reason, "serializer.fieldnames", strlen("serializer.fieldnames")) == 0)
        return "serializer.fieldnames";
    return strstr(trial->reason, "partition keys, and hive.partition has") != NULL ? "hive.partition"
                                                                                   : "hive.table";
}

static const char *kind_of(const struct ps_hive_target *table, bool is_plain)
{
    return !is_plain ? "transactional, ORC" : table->text.is_json ? "plain, JSON" : "plain, text";
}

/* Reports the table. Returns whether the sink can write to it. */
static bool report(const struct trial *trial)
{
    const struct ps_hive_settings *settings = trial->settings;
    const struct ps_hive_target *table = &trial->sink->table;
    char text[TEXT_BYTES];
    snprintf(text, sizeof text, "hive.metastore: %s", settings->metastore);
    if (!has_answered(trial)) {
        ps_probe_key_failed(trial->probe, "hive.metastore", text, trial->reason,
                            "see whether the metastore runs, and listens there for this machine "
                            "(hive.metastore.uris of hive-site.xml, mostly port 9083)");
        return false;
    }
    ps_probe_ok(trial->probe, "%s: answers", text);
    snprintf(text, sizeof text, "hive.table: %s.%s", settings->database, settings->table);
    if (trial->error != PS_HIVE_OK || trial->status != PS_OK) {
        ps_probe_key_failed(
            trial->probe, key_of(trial), text, trial->reason,
            trial->error == PS_HIVE_MISSING ? "create it, or correct hive.database and hive.table" : NULL);
        return false;
    }
    ps_probe_ok(trial->probe, "%s: %s, %u columns, %u partition keys, in %s", text,
                kind_of(table, settings->is_plain), table->type->child_count, table->key_count,
                table->location);
    if (table->has_old_count)
        ps_probe_key_failed(trial->probe, "hive.table", text, PS_HIVE_OLD_COUNT, NULL);
    return true;
}

static void probe_location(const struct trial *trial, const char *location, struct ps_arena *arena)
{
    const struct ps_hive_settings *settings = trial->settings;
    size_t length = ps_bucket_url_length(location);
    const char *url = ps_arena_copy(arena, location, length), *directory = location + length;
    bool is_by_name = settings->kerberos_principal != NULL;
    const struct ps_hadoop_settings filesystem = {.configuration = settings->configuration,
                                                  .url = url,
                                                  .kerberos_principal = settings->kerberos_principal,
                                                  .keytab = settings->keytab};
    const struct ps_hadoop_probe what = {
        .key = "hive.table",
        .directory = directory,
        .url = url,
        .user = ps_arena_format(arena, "%s%s", is_by_name ? settings->kerberos_principal : settings->user,
                                is_by_name ? ", by Kerberos" : "")};
    if (ps_hadoop_url_is_local(url))
        ps_probe_directory_to_make(trial->probe, "hive.table", directory);
    else
        ps_hadoop_probe(trial->probe, &filesystem, &what);
}

void ps_hive_probe(const struct ps_hive_settings *settings, struct ps_arena *arena,
                   const struct ps_probe *probe)
{
    struct ps_counters counters = {0};
    struct ps_hive_settings quick = *settings;
    struct ps_port port;
    struct ps_err err = {.length = 0};
    struct trial trial = {.settings = &quick,
                          .probe = probe,
                          .error = PS_HIVE_TIMEOUT,
                          .status = PS_FAIL,
                          .reason = "no answer"};
    char *location = NULL;
    if (!ps_probe_port_open(&port, probe))
        return;
    port.counters = &counters;
    quick.call_timeout_ns = ps_probe_left_ms(probe) * PS_NS_PER_MS;
    trial.sink = ps_hive_sink_open(&quick, &port, &err);
    if (trial.sink == NULL) {
        ps_probe_failed(probe, "the sink hive", ps_err_join(&err), NULL);
    } else {
        ask(&trial, port.epoll_fd);
        if (report(&trial))
            location = ps_arena_text(arena, trial.sink->table.location);
    }
    ps_hive_sink_close(trial.sink);
    ps_probe_port_close(&port);
    if (location != NULL)
        probe_location(&trial, location, arena);
}
