/* See plan.h. */
#include "stages/lib/spool/plan.h"
#include "core/fnv.h"
#include "core/stage_call.h"

#include "stages/lib/tail/pattern.h"
#include "stages/lib/text/line_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define FIELD(name) offsetof(struct ps_spool_plan, name)

const struct ps_option ps_spool_options[] = {
    PS_OPTION_ROW("spoolDir", TEXT, FIELD(directory), "directory of the files", .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW(
        "fileSuffix", TEXT, FIELD(suffix),
        "appended to the name of a file that is finished; files whose names end with it are not read",
        .fallback = ".COMPLETED"),
    PS_OPTION_ROW("deletePolicy", TEXT, FIELD(delete_policy),
                  "never, or immediate: finished files are deleted", .fallback = "never"),
    PS_OPTION_ROW(
        "trackingPolicy", TEXT, FIELD(tracking_policy),
        "rename, or tracker_dir: a finished file keeps its name, and an empty file in trackerDir stands "
        "for it",
        .fallback = "rename"),
    PS_OPTION_ROW("trackerDir", TEXT, FIELD(tracker),
                  "directory of positions and markers; a relative path is below spoolDir",
                  .fallback = ".flumespool"),
    PS_OPTION_ROW("fileHeader", BOOL, FIELD(header), "put the absolute path of the file into a header",
                  .fallback = "false"),
    PS_OPTION_ROW("fileHeaderKey", TEXT, FIELD(header_key), "name of that header", .fallback = "file",
                  .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("basenameHeader", BOOL, FIELD(basename), "put the name of the file into a header",
                  .fallback = "false"),
    PS_OPTION_ROW("basenameHeaderKey", TEXT, FIELD(basename_key), "name of that header",
                  .fallback = "basename", .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("includePattern", TEXT, FIELD(include),
                  "Java regular expression that the whole name of a file to read matches",
                  .fallback = "^.*$"),
    PS_OPTION_ROW("ignorePattern", TEXT, FIELD(ignore),
                  "Java regular expression of the names of files and directories that are not read",
                  .fallback = "^$"),
    PS_OPTION_ROW(
        "consumeOrder", ENUM, FIELD(order),
        "which file is next: by time of the last change, then by name; or as the directory lists them",
        .fallback = "oldest", .words = PS_WORDS("oldest", "youngest", "random")),
    PS_OPTION_ROW("pollDelay", INT, FIELD(poll_delay_ms),
                  "time between two searches for new files; with inotify the directory is only read when "
                  "something happened in it, and every 10 s",
                  .fallback = "500", .min = 1, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW("recursiveDirectorySearch", BOOL, FIELD(recursive),
                  "also read the directories below, except those whose name begins with a dot",
                  .fallback = "false"),
    PS_OPTION_ROW("maxBackoff", INT, FIELD(backoff_max_ms),
                  "rest while a channel is full; here reading goes on as soon as it has room",
                  .fallback = "4000", .unit = "ms", .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("batchSize", INT, FIELD(batch_size),
                  "events in one transaction; the size of batches here depends on the load",
                  .fallback = "100", .min = INT32_MIN, .max = INT32_MAX, .unit = "events",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("inputCharset", TEXT, FIELD(charset_name),
                  "character set of the files, for deserializers of text", .fallback = "UTF-8"),
    PS_OPTION_ROW(
        "decodeErrorPolicy", ENUM, FIELD(decode_policy),
        "what happens to bytes that are not valid in inputCharset: an error of the file, U+FFFD, or "
        "left out",
        .fallback = "FAIL", .words = PS_WORDS("FAIL", "REPLACE", "IGNORE")),
    PS_OPTION_ROW("deserializer", TEXT, FIELD(deserializer_type), "LINE, AVRO or BLOB, or Flume's class",
                  .fallback = "LINE"),
    PS_OPTION_ROW("deserializer.", MAP, FIELD(deserializer_keys), "keys of the deserializer"),
    PS_OPTION_ROW("bufferMaxLines", INT, FIELD(lines_max),
                  "maximum number of lines in a buffer; Flume ignores it as well", .fallback = "100",
                  .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("bufferMaxLineLength", TEXT, FIELD(line_length), "deserializer.maxLineLength",
                  .flags = PS_OPTION_DEPRECATED),
    PS_OPTION_ROW(
        "penstock.onFileError", ENUM, FIELD(on_error),
        "reaction to a file that changed while it was read, whose name was used before, or that cannot "
        "be decoded: stop the source until it is restarted, as Flume does, or skip that file and go on",
        .fallback = "stop", .words = PS_WORDS("stop", "skip"), .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.decompress", ENUM, FIELD(decompress),
        "auto: files whose names end with .gz or .zst, and whose first bytes are those of gzip or zstd, "
        "are decompressed while they are read, except by the deserializer BLOB; always: all files with "
        "such first bytes, also by BLOB; never: files are read as they are, as Flume does",
        .fallback = "auto", .words = PS_WORDS("auto", "always", "never"), .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

/* ---- check and build ---- */

/* The deserializer's keys, with bufferMaxLineLength as Flume takes it. */
static struct ps_pairs deserializer_keys(const struct ps_spool_plan *plan, struct ps_arena *arena)
{
    struct ps_pairs keys = plan->deserializer_keys;
    if (plan->line_length == NULL || strcasecmp(plan->deserializer_type, "LINE") != 0)
        return keys;
    struct ps_pair *items = ps_arena_alloc(arena, (keys.count + 1) * sizeof *items);
    size_t count = 0;
    for (size_t i = 0; i < keys.count; i++) {
        if (strcmp(keys.items[i].key, "maxLineLength") != 0)
            items[count++] = keys.items[i];
    }
    items[count++] = (struct ps_pair){.key = "maxLineLength", .value = plan->line_length};
    return (struct ps_pairs){count, items};
}

static bool word_check(const struct ps_context *context, const char *key, const char *value,
                       const char *first, const char *second)
{
    if (strcasecmp(value, first) == 0 || strcasecmp(value, second) == 0)
        return true;
    ps_report(context, PS_LOG_ERROR, key, "%s is neither %s nor %s", value, first, second);
    return false;
}

static bool charset_check(const struct ps_spool_plan *plan, const struct ps_context *context)
{
    struct ps_charset charset;
    struct ps_err err = {.length = 0};
    if (ps_charset_find(plan->charset_name, &charset, &err) != PS_OK)
        ps_report(context, PS_LOG_ERROR, "inputCharset", "%s", err.text);
    else if (!ps_line_text_has_lines(&charset))
        ps_report(context, PS_LOG_ERROR, "inputCharset", "%s is not supported: its line ends are not ASCII's",
                  plan->charset_name);
    else
        return true;
    return false;
}

enum ps_status ps_spool_check(const void *plan_, const struct ps_context *context)
{
    const struct ps_spool_plan *plan = plan_;
    struct ps_err err = {.length = 0};
    void *deserializer_plan;
    bool good = word_check(context, "deletePolicy", plan->delete_policy, "never", "immediate");
    good &= word_check(context, "trackingPolicy", plan->tracking_policy, "rename", "tracker_dir");
    good &= ps_tail_pattern_check(context, "includePattern", "", plan->include);
    good &= ps_tail_pattern_check(context, "ignorePattern", "", plan->ignore);
    good &= charset_check(plan, context);
    struct ps_pairs keys = deserializer_keys(plan, context->arena);
    if (context->sub_stage((struct ps_context *)(uintptr_t)context, PS_KIND_DESERIALIZER,
                           plan->deserializer_type, &keys, &deserializer_plan, &err) == NULL)
        good = false;
    return good ? PS_OK : PS_FAIL;
}

static uint64_t text_add(uint64_t hash, const char *text)
{
    return ps_fnv64(hash, text, strlen(text) + 1);
}

/* Returns the fingerprint of the settings that decide what an event of a file is. The limit of a line depends on the memory budget. */
static uint64_t events_settings(const struct ps_spool_plan *plan, const struct ps_pairs *keys,
                                uint64_t budget_bytes)
{
    uint64_t hash = text_add(PS_FNV64, plan->deserializer->name);
    hash = text_add(hash, plan->charset_name);
    hash = ps_fnv64(hash, &plan->decode_policy, sizeof plan->decode_policy);
    hash = ps_fnv64(hash, &budget_bytes, sizeof budget_bytes);
    for (size_t i = 0; i < keys->count; i++)
        hash = text_add(text_add(hash, keys->items[i].key), keys->items[i].value);
    return hash;
}

enum ps_status ps_spool_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct ps_spool_plan *plan = plan_;
    plan->header_name = plan->header ? ps_name_intern(plan->header_key) : NULL;
    plan->basename_name = plan->basename ? ps_name_intern(plan->basename_key) : NULL;
    plan->deletes = strcasecmp(plan->delete_policy, "immediate") == 0;
    plan->marks = strcasecmp(plan->tracking_policy, "tracker_dir") == 0;
    if (ps_charset_find(plan->charset_name, &plan->charset, err) != PS_OK)
        return PS_FAIL;
    struct ps_pairs keys = deserializer_keys(plan, context->arena);
    plan->deserializer = context->sub_stage(context, PS_KIND_DESERIALIZER, plan->deserializer_type, &keys,
                                            &plan->deserializer_plan, err);
    if (plan->deserializer == NULL)
        return PS_FAIL;
    plan->events_settings = events_settings(plan, &keys, context->memory_budget_bytes);
    return PS_OK;
}

void ps_spool_gives_identities(void *plan_)
{
    struct ps_spool_plan *plan = plan_;
    plan->identities = true;
}

/* conf/validate/guarantee.c looks at the deserializer. */
bool ps_spool_yields_positions(void *plan_, struct ps_err *)
{
    struct ps_spool_plan *plan = plan_;
    plan->sink_keeps = true;
    return true;
}

/* ---- open ---- */

static enum ps_spool_decompress decompress_of(const struct ps_spool_plan *plan)
{
    bool as_they_are = plan->deserializer->deserializer->as_they_are;
    return plan->decompress == PS_SPOOL_DECOMPRESS_AUTO && as_they_are
               ? PS_SPOOL_DECOMPRESS_NEVER
               : (enum ps_spool_decompress)plan->decompress;
}

struct ps_spool_settings ps_spool_plan_settings(const struct ps_spool_plan *plan, const char *component)
{
    return (struct ps_spool_settings){.component = component,
                                      .directory = plan->directory,
                                      .tracker = plan->tracker,
                                      .suffix = plan->suffix,
                                      .include = plan->include,
                                      .ignore = plan->ignore,
                                      .order = (enum ps_spool_order)plan->order,
                                      .decompress = decompress_of(plan),
                                      .recursive = plan->recursive,
                                      .deletes = plan->deletes,
                                      .marks = plan->marks,
                                      .identities = plan->identities && !plan->sink_keeps &&
                                                    plan->deserializer->deserializer->continues,
                                      .kept = plan->sink_keeps,
                                      .events_settings = plan->events_settings};
}

void *ps_spool_deserializer_open(const struct ps_spool_plan *plan, struct ps_port *port, struct ps_err *err)
{
    const struct ps_stage_ops *ops = plan->deserializer;
    void *state = ps_must_alloc(1, ops->state_size > 0 ? ops->state_size : 1, "a deserializer");
    if (ps_stage_open(ops, plan->deserializer_plan, state, port, err) == PS_OK)
        return state;
    free(state);
    return NULL;
}

/* ---- what is shown ---- */

void ps_spool_outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct ps_spool_plan *plan = plan_;
    fprintf(out, "files of %s%s, %s each when all its events are acknowledged", plan->directory,
            plan->recursive ? " and below" : "",
            strcasecmp(plan->delete_policy, "immediate") == 0       ? "deletes"
            : strcasecmp(plan->tracking_policy, "tracker_dir") == 0 ? "marks"
                                                                    : "renames");
    if (plan->on_error == PS_SPOOL_ERROR_STOP)
        fputs("; stops at a file that changes (not with penstock.onFileError = skip)", out);
}

static const char *tracker_path(const struct ps_spool_plan *plan, const struct ps_context *context)
{
    return plan->tracker[0] == '/' ? plan->tracker
                                   : ps_arena_format(context->arena, "%s/%s", plan->directory, plan->tracker);
}

void ps_spool_claims(const void *plan_, const struct ps_context *context,
                     void (*add)(void *argument, const struct ps_claim *claim), void *argument)
{
    const struct ps_spool_plan *plan = plan_;
    const struct ps_claim files = {
        .key = "spoolDir",
        .path = plan->directory,
        .part = ps_arena_format(context->arena, "%s\n%s\n%s", plan->include, plan->ignore, plan->suffix),
        .use = "reads the files of",
        .cure =
            "set another spoolDir for one of the two, or remove one: both would read and rename each file"};
    const struct ps_claim positions = {.key = "trackerDir",
                                       .path = tracker_path(plan, context),
                                       .use = "keeps its position in",
                                       .cure = "set another trackerDir for one of the two"};
    add(argument, &files);
    add(argument, &positions);
}

void ps_spool_probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    const struct ps_spool_plan *plan = plan_;
    const char *what = ps_arena_format(context->arena, "directory %s", plan->directory);
    bool writes = strcasecmp(plan->tracking_policy, "tracker_dir") != 0 ||
                  strcasecmp(plan->delete_policy, "immediate") == 0;
    /* with the dot, access() fails for a plain file */
    const char *inside = ps_arena_format(context->arena, "%s/.", plan->directory);
    if (access(inside, writes ? R_OK | W_OK | X_OK : R_OK | X_OK) != 0) {
        ps_probe_key_failed(probe, "spoolDir", what, strerror(errno),
                            "make the directory, and let this user read and write it; with trackingPolicy = "
                            "tracker_dir and deletePolicy = never it need not be written");
        return; /* trackerDir may be below spoolDir */
    }
    ps_probe_ok(probe, "%s: can be read%s", what, writes ? " and written" : "");
    ps_probe_directory_to_make_last(probe, "trackerDir", tracker_path(plan, context));
}
