#include "stages/lib/queue/plan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "core/log/log.h"
#include "core/quantity.h"
#include "stages/lib/flume_log/directory.h"
#include "stages/lib/queue/segment/lock.h"

#define SEGMENT_BYTES_MAX (INT64_C(128) << 20)
#define SEGMENT_BYTES_MIN (INT64_C(1) << 20)
#define LEAST_FREE_MIN_BYTES (INT64_C(1) << 20) /* Flume's limit */

/* Returns whether new events are to be in plain text beside encrypted ones. */
static bool ends_encryption(const struct ps_queue_plan *plan)
{
    return plan->active_key != NULL && strcmp(plan->active_key, "NONE") == 0;
}

static bool is_named(const struct ps_texts *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

/* Checks the keys of encryption. A mistake drops the channel, because events must not be written in plain text then. */
static enum ps_status check_encryption(const struct ps_queue_plan *plan, const struct ps_context *context)
{
    struct ps_err err = {0};
    const char *cipher = plan->cipher_provider;
    bool any = plan->active_key != NULL || cipher != NULL || plan->keys.provider != NULL ||
               plan->keys.names.count > 0 || plan->keys.properties.count > 0;
    if (!any && plan->keys.settings.count == 0)
        return PS_OK;
    for (size_t i = 0; i < plan->keys.settings.count && !ps_key_source_is_class(&plan->keys); i++)
        ps_report(
            context, PS_LOG_WARN,
            ps_arena_format(context->arena, "encryption.keyProvider.%s", plan->keys.settings.items[i].key),
            "is not known: only a key provider that is a Java class has keys of its own");
    if (plan->active_key == NULL)
        ps_report(context, PS_LOG_ERROR, "encryption.activeKey",
                  "encryption.activeKey is missing: the name of the key with which events are encrypted; "
                  "nothing is "
                  "written in plain text. NONE ends encryption, and reads what was encrypted before");
    else if (cipher != NULL && strcasecmp(cipher, "AESGCM") != 0 &&
             strcasecmp(cipher, "AESCTRNOPADDING") != 0)
        ps_report(context, PS_LOG_ERROR, "encryption.cipherProvider",
                  "encryption.cipherProvider %s is not known: AESGCM or AESCTRNOPADDING", cipher);
    else if (ps_key_source_check(&plan->keys, &err) != PS_OK)
        ps_report(context, PS_LOG_ERROR, "encryption.keyProvider", "%s", err.text);
    else if (!ps_key_source_is_class(&plan->keys) && !ends_encryption(plan) &&
             !is_named(&plan->keys.names, plan->active_key))
        ps_report(context, PS_LOG_ERROR, "encryption.activeKey",
                  "encryption.activeKey %s is not among encryption.keyProvider.keys", plan->active_key);
    else
        return PS_OK;
    return PS_FAIL;
}

enum ps_status ps_queue_plan_check(const struct ps_queue_plan *plan, const struct ps_context *context,
                                   const char *capacity_key, int64_t capacity)
{
    if (plan->transaction_capacity > capacity) {
        ps_report(context, PS_LOG_ERROR, "transactionCapacity",
                  "transactionCapacity (%lld) is above %s (%lld): raise %s, or lower "
                  "transactionCapacity",
                  (long long)plan->transaction_capacity, capacity_key, (long long)capacity, capacity_key);
        return PS_FAIL;
    }
    return check_encryption(plan, context);
}

/* Returns "~/.flume/file-channel/NAME" as Flume does; ~ is the property user.home, or HOME. */
static const char *default_directory(struct ps_context *context, const char *name)
{
    const char *home =
        context->system_property != NULL ? context->system_property(context->argument, "user.home") : NULL;
    if (home == NULL)
        home = getenv("HOME");
    return ps_arena_format(context->arena, "%s/.flume/file-channel/%s", home != NULL ? home : "", name);
}

/* Replaces a leading "~/" by the home directory, as Flume does. */
static const char *directory_of(struct ps_context *context, const char *path)
{
    const char *home = getenv("HOME");
    if (strncmp(path, "~/", 2) != 0 || home == NULL)
        return path;
    return ps_arena_format(context->arena, "%s/%s", home, path + 2);
}

static void set_directories(struct ps_queue_plan *plan, struct ps_context *context)
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

static uint64_t least_free_bytes(const struct ps_queue_plan *plan)
{
    return (uint64_t)between(plan->least_free_bytes, LEAST_FREE_MIN_BYTES, INT64_MAX);
}

static void complete_keys(struct ps_queue_plan *plan, const struct ps_context *context)
{
    plan->keys.class_path = context->class_path;
    ps_key_source_complete(&plan->keys, ends_encryption(plan) ? NULL : plan->active_key, context->arena);
}

enum ps_status ps_queue_plan_settings(struct ps_queue_plan *plan, struct ps_context *context,
                                      struct ps_queue_settings *settings, struct ps_err *err)
{
    set_directories(plan, context);
    complete_keys(plan, context);
    if (refuse_flume(plan->checkpoint_directory, err) != PS_OK)
        return PS_FAIL;
    for (size_t i = 0; i < plan->data_directories.count; i++) {
        if (refuse_flume(plan->data_directories.items[i], err) != PS_OK)
            return PS_FAIL;
    }
    size_t directory_count = plan->data_directories.count;
    uint64_t *free_bytes = ps_arena_alloc(context->arena, (directory_count + 1) * sizeof *free_bytes);
    for (size_t i = 0; i < directory_count; i++)
        free_bytes[i] = UINT64_MAX;
    plan->store = (struct ps_log_store_settings){
        .data_directories = plan->data_directories,
        .state_directory = plan->checkpoint_directory,
        .segment_bytes = (uint64_t)between(plan->max_file_bytes, SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX),
        .first_segment_bytes = (uint64_t)SEGMENT_BYTES_MIN,
        .least_free_bytes = least_free_bytes(plan),
        .free_bytes = free_bytes,
        .files = &ps_segment_disk,
        .keys = plan->keys,
        .active_key = ends_encryption(plan) ? NULL : plan->active_key,
        .plain = ends_encryption(plan),
    };
    *settings = (struct ps_queue_settings){
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

void ps_queue_plan_series(const struct ps_queue_plan *plan,
                          void (*add)(void *argument, const struct ps_series *series), void *argument)
{
    for (size_t i = 0; plan->store.free_bytes != NULL && i < plan->data_directories.count; i++) {
        uint64_t bytes = __atomic_load_n(&plan->store.free_bytes[i], __ATOMIC_RELAXED);
        const struct ps_series series = {.name = "free_bytes",
                                         .help = "Free space of the file system of a data directory",
                                         .label = "directory",
                                         .label_value = plan->data_directories.items[i],
                                         .gauge = true,
                                         .value = (double)bytes};
        if (bytes != UINT64_MAX)
            add(argument, &series);
    }
}

void ps_queue_plan_outline(const struct ps_queue_plan *plan, FILE *out)
{
    for (size_t i = 0; i < plan->data_directories.count; i++)
        fprintf(out, "%s%s", i > 0 ? ", " : "", plan->data_directories.items[i]);
    if (plan->data_directories.count == 0)
        fputs("~/.flume/file-channel/data", out);
    if (plan->active_key != NULL && !ends_encryption(plan))
        fprintf(out, ", encrypted with key %s", plan->active_key);
}

void ps_queue_plan_files(const struct ps_queue_plan *plan, void (*add)(void *argument, const char *path),
                         void *argument)
{
    if (plan->keys.provider != NULL)
        ps_key_source_files(&plan->keys, add, argument);
}

void ps_queue_plan_claims(const struct ps_queue_plan *plan_, const struct ps_context *context_,
                          void (*add)(void *argument, const struct ps_claim *claim), void *argument)
{
    struct ps_queue_plan plan = *plan_;
    struct ps_context context = *context_;
    struct ps_claim claim = {.key = "checkpointDir",
                             .path = NULL,
                             .use = "keeps its events in",
                             .cure = "give each channel directories of its own: checkpointDir and dataDirs"};
    set_directories(&plan, &context);
    claim.path = plan.checkpoint_directory;
    add(argument, &claim);
    claim.key = "dataDirs";
    for (size_t i = 0; i < plan.data_directories.count; i++) {
        claim.path = plan.data_directories.items[i];
        add(argument, &claim);
    }
}

static struct ps_key_ring *probe_keys(const struct ps_queue_plan *plan, const struct ps_probe *probe)
{
    struct ps_err err = {0};
    struct ps_key_ring *keys = ps_key_source_load(&plan->keys, &err);
    if (keys == NULL)
        ps_probe_key_failed(probe, "encryption.keyProvider.keys", "the keys of the channel",
                            ps_err_join(&err), "without them the channel takes no events");
    else
        ps_probe_ok(probe, "%zu %s can be read", plan->keys.names.count,
                    ps_quantity_word(plan->keys.names.count, "key", "keys"));
    return keys;
}

/* Returns whether the directory may have a log of penstock. */
static bool probe_place(const struct ps_probe *probe, const char *key, const char *path)
{
    if (ps_flume_log_is_directory(path)) {
        ps_probe_refused(
            probe, key, path, "it has files of a Flume file channel",
            "name another directory, and copy the events into it with `penstock channel import`");
        return false;
    }
    ps_probe_directory_to_make(probe, key, path);
    return access(path, R_OK | X_OK) == 0;
}

/* Opens the existing log without changing it. */
static struct ps_segment_log *open_to_read(const struct ps_queue_plan *plan, const struct ps_key_ring *keys,
                                           struct ps_err *err)
{
    const struct ps_segment_options options = {.directories = plan->data_directories,
                                               .state_directory = plan->checkpoint_directory,
                                               .keys = keys,
                                               .plain = true, /* nothing is written */
                                               .files = &ps_segment_disk_read_only};
    return ps_segment_log_open(&options, err);
}

/* Checks whether the existing log can be opened; changes nothing. */
static void probe_log(const struct ps_queue_plan *plan, const struct ps_key_ring *keys,
                      const struct ps_probe *probe)
{
    struct ps_segment_locks locks;
    struct ps_err err = {0};
    const char *directory = plan->data_directories.items[0];
    if (!ps_segment_lock_log_shared(&locks, plan->checkpoint_directory, &plan->data_directories, &err)) {
        ps_segment_unlock_log(&locks);
        ps_probe_skipped(probe, directory, ps_err_join(&err));
        return;
    }
    struct ps_segment_log *log = open_to_read(plan, keys, &err);
    if (log == NULL)
        ps_probe_key_failed(probe, "dataDirs", directory, ps_err_join(&err),
                            "`penstock channel verify` tells more");
    else
        ps_segment_log_close(log);
    ps_segment_unlock_log(&locks);
}

void ps_queue_plan_probe(const struct ps_queue_plan *plan_, struct ps_context *context,
                         const struct ps_probe *probe)
{
    struct ps_queue_plan plan = *plan_;
    set_directories(&plan, context);
    complete_keys(&plan, context);
    struct ps_key_ring *keys = NULL;
    bool asks = probe->files_only && ps_key_source_is_class(&plan.keys);
    if (asks)
        ps_probe_skipped(probe, "the keys", "a Java class has them");
    bool good = asks || plan.keys.provider == NULL || (keys = probe_keys(&plan, probe)) != NULL;
    good &= probe_place(probe, "checkpointDir", plan.checkpoint_directory);
    for (size_t i = 0; i < plan.data_directories.count; i++) {
        const char *directory = plan.data_directories.items[i];
        good &= probe_place(probe, "dataDirs", directory);
        ps_probe_room(probe, "minimumRequiredSpace", directory, least_free_bytes(&plan),
                      "free space there, or set minimumRequiredSpace lower: until then events are refused");
    }
    if (good)
        probe_log(&plan, keys, probe);
    ps_key_ring_destroy(keys);
}

/* ---- a log that is not used ---- */

static bool has_directory(const struct ps_queue_plan *plan)
{
    for (size_t i = 0; i < plan->data_directories.count; i++)
        if (access(plan->data_directories.items[i], F_OK) == 0)
            return true;
    return false;
}

/* As ps_queue_plan_find_rest, for a plan whose directories are set (set_directories). */
static enum ps_queue_rest find_rest(const struct ps_queue_plan *plan, struct ps_err *text)
{
    struct ps_segment_locks locks;
    struct ps_segment_fill fill = {.events = 0};
    struct ps_err ignored = {.length = 0};
    if (!has_directory(plan))
        return PS_QUEUE_REST_NONE;
    if (!ps_segment_lock_log_shared(&locks, plan->checkpoint_directory, &plan->data_directories, text)) {
        ps_segment_unlock_log(&locks);
        return PS_QUEUE_REST_IN_USE;
    }
    /* Without the keys, which may be gone, the log still knows its number of frames. */
    struct ps_key_ring *keys = plan->keys.provider != NULL ? ps_key_source_load(&plan->keys, &ignored) : NULL;
    struct ps_segment_log *log = open_to_read(plan, keys, text);
    if (log != NULL) {
        ps_segment_log_fill(log, &fill);
        ps_segment_log_close(log);
    }
    ps_key_ring_destroy(keys);
    ps_segment_unlock_log(&locks);
    if (log == NULL)
        return PS_QUEUE_REST_UNREADABLE;
    if (fill.events > 0)
        ps_err_set(text, "%s %s", ps_quantity_print_count(fill.events).text,
                   ps_quantity_word(fill.events, "event", "events"));
    else if (fill.held > 0)
        ps_err_set(text, "events that are encrypted with another key");
    return text->length > 0 ? PS_QUEUE_REST_EVENTS : PS_QUEUE_REST_NONE;
}

enum ps_queue_rest ps_queue_plan_find_rest(const struct ps_queue_plan *plan_, struct ps_context *context,
                                           const char **directory, struct ps_err *text)
{
    struct ps_queue_plan plan = *plan_;
    set_directories(&plan, context);
    *directory = plan.data_directories.items[0];
    return find_rest(&plan, text);
}

void ps_queue_plan_warn_of_rest(const struct ps_queue_plan *plan_, struct ps_context *context,
                                const char *key, const char *value)
{
    struct ps_queue_plan plan = *plan_;
    struct ps_err text = {.length = 0};
    set_directories(&plan, context);
    const char *directory = plan.data_directories.items[0];
    switch (find_rest(&plan, &text)) {
    case PS_QUEUE_REST_EVENTS:
        ps_log(PS_LOG_WARN, context->component,
               "not delivered: %s in %s, with %s = %s: increase it until a sink has all events, or remove "
               "the directory if nobody needs them",
               text.text, directory, key, value);
        break;
    case PS_QUEUE_REST_UNREADABLE:
        ps_log(PS_LOG_WARN, context->component,
               "events in %s, if it has any, are not delivered with %s = %s. It cannot be read: %s. "
               "`penstock channel verify` tells more",
               directory, key, value, ps_err_join(&text));
        break;
    case PS_QUEUE_REST_NONE:
    case PS_QUEUE_REST_IN_USE:
        break;
    }
}

void ps_queue_plan_probe_rest(const struct ps_queue_plan *plan_, struct ps_context *context,
                              const struct ps_probe *probe, const char *key, const char *value)
{
    struct ps_queue_plan plan = *plan_;
    struct ps_err text = {.length = 0};
    if (probe->local && !probe->files_only)
        return;
    set_directories(&plan, context);
    const char *directory = plan.data_directories.items[0];
    switch (find_rest(&plan, &text)) {
    case PS_QUEUE_REST_EVENTS:
        ps_probe_key_failed(
            probe, key, directory,
            ps_arena_format(context->arena, "it has %s of an earlier run, not delivered with %s = %s",
                            text.text, key, value),
            ps_arena_format(
                context->arena,
                "increase %s until a sink has all events, or remove the directory if nobody needs them",
                key));
        break;
    case PS_QUEUE_REST_UNREADABLE:
        ps_probe_key_failed(probe, "dataDirs", directory, ps_err_join(&text),
                            "`penstock channel verify` tells more, and which events of an earlier run are "
                            "not delivered");
        break;
    case PS_QUEUE_REST_IN_USE:
        ps_probe_skipped(probe, directory, ps_err_join(&text));
        break;
    case PS_QUEUE_REST_NONE:
        break;
    }
}
