#include "stages/keeper/plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/flume_log/directory.h"

#define SEGMENT_BYTES_MAX (INT64_C(128) << 20)
#define SEGMENT_BYTES_MIN (INT64_C(1) << 20)
#define LEAST_FREE_MIN_BYTES (INT64_C(1) << 20) /* Flume's */

enum ps_status ps_keeper_plan_check(const struct ps_keeper_plan *plan, const struct ps_context *context,
                                    const char *capacity_key, int64_t capacity)
{
    if (plan->transaction_capacity > capacity) {
        ps_report(context, PS_LOG_ERROR, "transactionCapacity",
                  "transactionCapacity (%lld) is above %s (%lld): raise %s, or lower "
                  "transactionCapacity",
                  (long long)plan->transaction_capacity, capacity_key, (long long)capacity, capacity_key);
        return PS_FAIL;
    }
    if (plan->encryption.count > 0) {
        ps_report(
            context, PS_LOG_ERROR, "encryption.",
            "penstock does not encrypt a file channel yet, and does not write in plain text what Flume would "
            "encrypt: remove the encryption keys, and put the directories on an encrypted file system");
        return PS_FAIL;
    }
    return PS_OK;
}

/* Returns "~/.flume/file-channel/NAME" as Flume does: below the property user.home, or HOME. */
static const char *default_directory(struct ps_context *context, const char *name)
{
    const char *home =
        context->system_property != NULL ? context->system_property(context->argument, "user.home") : NULL;
    if (home == NULL)
        home = getenv("HOME");
    return ps_arena_format(context->arena, "%s/.flume/file-channel/%s", home != NULL ? home : "", name);
}

/* A leading "~/" is the home directory, as Flume takes it. */
static const char *directory_of(struct ps_context *context, const char *path)
{
    const char *home = getenv("HOME");
    if (strncmp(path, "~/", 2) != 0 || home == NULL)
        return path;
    return ps_arena_format(context->arena, "%s/%s", home, path + 2);
}

static void set_directories(struct ps_keeper_plan *plan, struct ps_context *context)
{
    size_t count = plan->data_directories.count;
    const char **items = ps_arena_alloc(context->arena, (count + 1) * sizeof *items);
    for (size_t i = 0; i < count; i++)
        items[i] = directory_of(context, plan->data_directories.items[i]);
    if (count == 0)
        items[count++] = default_directory(context, "data");
    plan->data_directories = (struct ps_texts){count, items};
    plan->checkpoint_directory = plan->checkpoint_directory != NULL
                                     ? directory_of(context, plan->checkpoint_directory)
                                     : default_directory(context, "checkpoint");
}

static int64_t between(int64_t value, int64_t least, int64_t most)
{
    return value < least ? least : value > most ? most : value;
}

static enum ps_status refuse_flume(const char *directory, struct ps_err *err)
{
    if (!ps_flume_log_is_directory(directory))
        return PS_OK;
    return ps_err_set(
        err,
        "%s has the files of a Flume file channel, which penstock does not overwrite: name another "
        "directory, and take over its events with `penstock channel import`",
        directory);
}

enum ps_status ps_keeper_plan_settings(struct ps_keeper_plan *plan, struct ps_context *context,
                                       struct ps_keeper_settings *settings, struct ps_err *err)
{
    set_directories(plan, context);
    if (refuse_flume(plan->checkpoint_directory, err) != PS_OK)
        return PS_FAIL;
    for (size_t i = 0; i < plan->data_directories.count; i++) {
        if (refuse_flume(plan->data_directories.items[i], err) != PS_OK)
            return PS_FAIL;
    }
    plan->store = (struct ps_log_store_settings){
        .data_directories = plan->data_directories,
        .state_directory = plan->checkpoint_directory,
        .segment_bytes = (uint64_t)between(plan->max_file_bytes, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
        .least_free_bytes = (uint64_t)between(plan->least_free_bytes, LEAST_FREE_MIN_BYTES, INT64_MAX),
        .files = &ps_segment_disk,
    };
    *settings = (struct ps_keeper_settings){
        .component = context->component,
        .store = &ps_log_store,
        .store_settings = &plan->store,
        .sync_each = plan->sync_each,
        .sync_every_ms = (uint64_t)plan->sync_interval_s * 1000,
        .producers = context->producers,
        .consumers = context->consumers,
    };
    return PS_OK;
}

void ps_keeper_plan_outline(const struct ps_keeper_plan *plan, FILE *out)
{
    for (size_t i = 0; i < plan->data_directories.count; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", plan->data_directories.items[i]);
    if (plan->data_directories.count == 0)
        fputs("~/.flume/file-channel/data", out);
}

static void probe_directory(const struct ps_probe *probe, const char *key, const char *path)
{
    char parent[4096];
    snprintf(parent, sizeof parent, "%s", path);
    /* It is made if needed: then the first directory above it that exists counts. */
    for (char *slash; access(parent, F_OK) != 0 && (slash = strrchr(parent, '/')) != NULL && slash != parent;)
        *slash = '\0';
    ps_probe_directory(probe, key, parent);
}

void ps_keeper_plan_probe(const struct ps_keeper_plan *plan_, struct ps_context *context,
                          const struct ps_probe *probe)
{
    struct ps_keeper_plan plan = *plan_;
    struct ps_err err = {0};
    set_directories(&plan, context);
    probe_directory(probe, "checkpointDir", plan.checkpoint_directory);
    for (size_t i = 0; i < plan.data_directories.count; i++) {
        probe_directory(probe, "dataDirs", plan.data_directories.items[i]);
        if (refuse_flume(plan.data_directories.items[i], &err) != PS_OK)
            ps_probe_key_failed(
                probe, "dataDirs", plan.data_directories.items[i], "it has files of a Flume file channel",
                "name another directory, and take over its events with `penstock channel import`");
    }
}
