/* Source taildir (Flume's org.apache.flume.source.taildir.TaildirSource): follows the files of some directories whose names
 * match, and remembers in a position file how far each is read.
 *
 * A position moves when a sink, or a channel on disk, has the lines (core/stage.h: `delivered`). The identity of a file
 * does not depend on its name: see stages/lib/tail/tailer/tailer.h, which does the work. Thread: its worker. */
#include "core/durable.h"
#include "core/flow/engine_source.h"
#include "core/text/nearest.h"
#include "core/stage.h"
#include "stages/lib/tail/sink_source.h"
#include "stages/lib/tail/lock.h"
#include "stages/lib/tail/pattern.h"
#include "stages/lib/tail/positions.h"
#include "stages/lib/tail/tailer/tailer.h"
#include "stages/lib/tail/trouble.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define POSITION_FILE "/.flume/taildir_position.json" /* path below the home directory */

struct taildir_plan {
    struct ps_texts groups;
    struct ps_pairs patterns, headers;
    const char *position_file, *file_header_key;
    bool byte_offset_header, skip_to_end, cache, file_header;
    bool sink_keeps; /* the sink keeps the positions, in its transactions */
    bool identities; /* a sink reads the identities of the lines */
    int decompress;
    int64_t idle_ms, save_ms, batch_size, batch_count_max, line_max, poll_ms;
    struct ps_tail_settings settings; /* made by build */
};

struct taildir_state {
    struct ps_tailer *tailer;
    struct ps_tail_sink_source keeping;
    int lock; /* lock of the position file; -1: it cannot be locked */
};

#define FIELD(name) offsetof(struct taildir_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("filegroups", LIST, FIELD(groups), "names of the groups of files, separated by blanks",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("filegroups.", MAP, FIELD(patterns),
                  "filegroups.<group> = <directory>/<Java regular expression for the whole file name>; the "
                  "directory's path is not a regular expression"),
    PS_OPTION_ROW("positionFile", TEXT, FIELD(position_file),
                  "file with the positions, as Flume's JSON; each source needs its own; unset: "
                  "~/.flume/taildir_position.json"),
    PS_OPTION_ROW("headers.", MAP, FIELD(headers),
                  "headers.<group>.<header> = <value>: for each event of the group",
                  .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("byteOffsetHeader", BOOL, FIELD(byte_offset_header),
                  "put the offset at which the line begins into the header byteoffset", .fallback = "false"),
    PS_OPTION_ROW("skipToEnd", BOOL, FIELD(skip_to_end),
                  "read files that are there at the start and have no position from their end on",
                  .fallback = "false"),
    PS_OPTION_ROW("idleTimeout", INT, FIELD(idle_ms),
                  "time without growth after which a file is closed; an incomplete last line then becomes an "
                  "event. The file is opened again when it grows",
                  .fallback = "120000", .min = 0, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW(
        "writePosInterval", INT, FIELD(save_ms),
        "time between two writes of the position file; after a crash, lines of this time come again",
        .fallback = "3000", .min = 1, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW("batchSize", INT, FIELD(batch_size), "maximum number of events in a batch (at most 1024)",
                  .fallback = "100", .min = 1, .max = INT32_MAX, .unit = "events"),
    PS_OPTION_ROW("maxBatchCount", INT, FIELD(batch_count_max),
                  "maximum number of batches of one file before another file with unread bytes has its turn",
                  .fallback = "9223372036854775807", .min = 1, .max = INT64_MAX, .unit = "batches",
                  .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW("cachePatternMatching", BOOL, FIELD(cache),
                  "read the names in a directory again only when its time of modification has changed, or a "
                  "change was reported",
                  .fallback = "true"),
    PS_OPTION_ROW("fileHeader", BOOL, FIELD(file_header), "put the absolute path of the file into a header",
                  .fallback = "false"),
    PS_OPTION_ROW("fileHeaderKey", TEXT, FIELD(file_header_key), "name of that header", .fallback = "file",
                  .flags = PS_OPTION_HEADER),
    PS_OPTION_ROW("penstock.line.max", SIZE, FIELD(line_max),
                  "maximum length of a line; a longer one is cut into several events", .fallback = "16m",
                  .min = 1, .max = 1 << 27, .unit = "bytes", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.poll.interval", INT, FIELD(poll_ms),
        "time between two checks of files whose changes the system does not report (NFS, SMB, FUSE)",
        .fallback = "1000", .min = 10, .max = 3600000, .unit = "ms", .flags = PS_OPTION_EXTENSION),
    PS_OPTION_ROW(
        "penstock.decompress", ENUM, FIELD(decompress),
        "never is what happens: a compressed file is left out. auto, of earlier versions, is refused: "
        "a source of the type spooldir reads compressed files",
        .fallback = "never", .words = PS_WORDS("never", "auto"), .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

/* ---- groups ---- */

/* Splits a group's path into directory and expression, as java.io.File does: slashes that follow each other are one.
 * Returns false when there is no directory. */
static bool pattern_split(struct ps_arena *arena, const char *path, const char **directory,
                          const char **pattern)
{
    char *text = ps_arena_text(arena, path), *to = text;
    for (const char *from = path; *from != '\0'; from++) {
        if (*from != '/' || to == text || to[-1] != '/')
            *to++ = *from;
    }
    while (to > text + 1 && to[-1] == '/')
        to--;
    *to = '\0';
    char *slash = strrchr(text, '/');
    if (slash == NULL || slash[1] == '\0')
        return false;
    *pattern = slash + 1;
    *directory = slash == text ? "/" : ps_arena_copy(arena, text, (size_t)(slash - text));
    char folder[PATH_MAX];
    if ((*directory)[0] != '/' && getcwd(folder, sizeof folder) != NULL)
        *directory = ps_arena_format(arena, "%s/%s", folder, *directory);
    return true;
}

/* Headers of a group are the keys that begin with its name and a dot. */
static void group_headers(struct ps_arena *arena, const struct ps_pairs *headers, struct ps_tail_group *group)
{
    const struct ps_name **names = ps_arena_alloc(arena, (headers->count + 1) * sizeof *names);
    const char **values = ps_arena_alloc(arena, (headers->count + 1) * sizeof *values);
    size_t length = strlen(group->name);
    for (size_t i = 0; i < headers->count; i++) {
        const char *key = headers->items[i].key;
        if (strncmp(key, group->name, length) != 0 || key[length] != '.')
            continue;
        names[group->header_count] = ps_name_intern(key + length + 1);
        values[group->header_count++] = headers->items[i].value;
    }
    group->header_names = names;
    group->header_values = values;
}

/* ---- check ---- */

/* Returns whether an earlier entry of filegroups is the same group: the group counts once, as in Flume. */
static bool group_is_again(const struct taildir_plan *plan, size_t number)
{
    for (size_t i = 0; i < number; i++) {
        if (strcmp(plan->groups.items[i], plan->groups.items[number]) == 0)
            return true;
    }
    return false;
}

/* Returns whether `key` is "<group>", or with `below` "<group>.<anything>", of a group in filegroups. */
static bool group_is_named(const struct taildir_plan *plan, const char *key, bool below)
{
    for (size_t i = 0; i < plan->groups.count; i++) {
        size_t length = strlen(plan->groups.items[i]);
        if (strncmp(key, plan->groups.items[i], length) == 0 && key[length] == (below ? '.' : '\0'))
            return true;
    }
    return false;
}

/* Returns "; did you mean g?", or an empty text. */
static const char *advise_group(const struct taildir_plan *plan, struct ps_arena *arena, const char *written)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, written);
    for (size_t i = 0; i < plan->groups.count; i++)
        ps_nearest_offer(&nearest, plan->groups.items[i]);
    return nearest.word != NULL ? ps_arena_format(arena, "; did you mean %s?", nearest.word) : "";
}

/* Warns of keys that have no effect because filegroups does not have their group. Flume does not report them. */
static bool check_keys(const struct taildir_plan *plan, const struct ps_context *context)
{
    bool good = true;
    for (size_t i = 0; i < plan->patterns.count; i++) {
        const char *group = plan->patterns.items[i].key;
        if (!group_is_named(plan, group, false))
            ps_report(context, PS_LOG_WARN, ps_arena_format(context->arena, "filegroups.%s", group),
                      "filegroups does not name the group %s: its files are not read%s", group,
                      advise_group(plan, context->arena, group));
    }
    for (size_t i = 0; i < plan->headers.count; i++) {
        const char *name = plan->headers.items[i].key;
        const char *key = ps_arena_format(context->arena, "headers.%s", name);
        const char *group = ps_arena_copy(context->arena, name, strcspn(name, "."));
        if (strchr(name, '.') == NULL) {
            ps_report(context, PS_LOG_ERROR, key, "no header: write headers.<group>.<header> = <value>");
            good = false;
        } else if (!group_is_named(plan, name, true)) {
            ps_report(context, PS_LOG_WARN, key,
                      "filegroups does not name the group %s: no event gets the header%s", group,
                      advise_group(plan, context->arena, group));
        }
    }
    return good;
}

static bool check_path(const struct ps_context *context, const char *key, const char *path)
{
    const char *directory, *pattern;
    if (!pattern_split(context->arena, path, &directory, &pattern)) {
        ps_report(context, PS_LOG_ERROR, key, "%s has no directory: write <directory>/<expression>", path);
        return false;
    }
    if (path[strlen(path) - 1] == '/') { /* Flume takes the last directory's name for the expression */
        ps_report(context, PS_LOG_ERROR, key,
                  "%s has no expression and matches no file: write <directory>/<expression>, such as %s.*",
                  path, path);
        return false;
    }
    return ps_tail_pattern_check(
        context, key, strcmp(directory, "/") == 0 ? "/" : ps_arena_format(context->arena, "%s/", directory),
        pattern);
}

/* Returns whether the groups have commas between them, after reporting it and what is wrong with their files. */
static bool has_commas(const struct taildir_plan *plan, const struct ps_context *context)
{
    const char *blanks = "";
    bool any = false, all = true;
    for (size_t i = 0; i < plan->groups.count; i++) {
        const char *group = plan->groups.items[i];
        bool is_one = ps_pairs_get(&plan->patterns, group) != NULL;
        for (size_t length; *group != '\0'; group += length + (group[length] != '\0')) {
            length = is_one ? strlen(group) : strcspn(group, ",");
            any |= group[length] == ',';
            if (length == 0)
                continue;
            const char *name = ps_arena_copy(context->arena, group, length);
            all &= ps_pairs_get(&plan->patterns, name) != NULL;
            blanks = ps_arena_format(context->arena, "%s%s%s", blanks, *blanks != '\0' ? " " : "", name);
        }
    }
    if (!any)
        return false;
    ps_report(context, PS_LOG_ERROR, "filegroups", "lists are separated by blanks, not commas; write %s%s",
              blanks, all ? "" : ", and set filegroups.NAME for each of them");
    for (size_t i = 0; i < plan->patterns.count; i++)
        check_path(context, ps_arena_format(context->arena, "filegroups.%s", plan->patterns.items[i].key),
                   plan->patterns.items[i].value);
    return true;
}

static enum ps_status taildir_check(const void *plan_, const struct ps_context *context)
{
    const struct taildir_plan *plan = plan_;
    if (has_commas(plan, context))
        return PS_FAIL;
    bool good = check_keys(plan, context), has_files = false;
    for (size_t i = 0; i < plan->groups.count; i++) {
        const char *group = plan->groups.items[i];
        const char *path = ps_pairs_get(&plan->patterns, group);
        const char *key = ps_arena_format(context->arena, "filegroups.%s", group);
        if (group_is_again(plan, i))
            ps_report(context, PS_LOG_WARN, "filegroups", "the group %s is named twice: it counts once",
                      group);
        else if (path == NULL)
            ps_report(context, PS_LOG_WARN, key, "not set: the group has no files");
        else
            good &= check_path(context, key, path);
        has_files |= path != NULL;
    }
    if (!has_files)
        ps_report(context, PS_LOG_ERROR, "filegroups", "no group has files: set filegroups.<group>");
    if (plan->decompress != 0)
        ps_report(
            context, PS_LOG_ERROR, "penstock.decompress",
            "taildir leaves compressed files out: remove this key, and let a source of the type spooldir "
            "read them");
    return good && has_files && plan->decompress == 0 ? PS_OK : PS_FAIL;
}

static const char *position_path(const struct taildir_plan *plan, const struct ps_context *context)
{
    const char *path = plan->position_file;
    char folder[PATH_MAX];
    if (path == NULL) {
        const char *home = context->system_property != NULL
                               ? context->system_property(context->argument, "user.home")
                               : NULL;
        home = home != NULL ? home : getenv("HOME");
        path = ps_arena_format(context->arena, "%s%s", home != NULL ? home : "", POSITION_FILE);
    }
    if (path[0] != '/' && getcwd(folder, sizeof folder) != NULL)
        path = ps_arena_format(context->arena, "%s/%s", folder, path);
    return path;
}

static enum ps_status taildir_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct taildir_plan *plan = plan_;
    struct ps_tail_settings *settings = &plan->settings;
    struct ps_tail_group *groups = ps_arena_alloc(context->arena, (plan->groups.count + 1) * sizeof *groups);
    for (size_t i = 0; i < plan->groups.count; i++) {
        const char *path = ps_pairs_get(&plan->patterns, plan->groups.items[i]);
        struct ps_tail_group *group = &groups[settings->group_count];
        if (path == NULL || group_is_again(plan, i))
            continue;
        if (!pattern_split(context->arena, path, &group->directory, &group->pattern))
            return ps_err_set(err, "%s has no directory", path);
        group->name = plan->groups.items[i];
        group_headers(context->arena, &plan->headers, group);
        settings->group_count++;
    }
    settings->groups = groups;
    settings->position_path = position_path(plan, context);
    settings->trouble = ps_tail_trouble_create();
    settings->file_header = plan->file_header ? ps_name_intern(plan->file_header_key) : NULL;
    settings->byte_offset = plan->byte_offset_header ? ps_name_intern("byteoffset") : NULL;
    settings->skip_to_end = plan->skip_to_end;
    settings->identities = plan->identities;
    settings->cache = plan->cache;
    settings->idle_ns = plan->idle_ms > 0 ? (uint64_t)plan->idle_ms * PS_NS_PER_MS : PS_NS_PER_MS;
    settings->save_ns = (uint64_t)plan->save_ms * PS_NS_PER_MS;
    settings->poll_ns = (uint64_t)plan->poll_ms * PS_NS_PER_MS;
    settings->batch_events_max = context->batch_events_max;
    if (plan->batch_size < settings->batch_events_max)
        settings->batch_events_max = (uint32_t)plan->batch_size;
    if (__builtin_mul_overflow((uint64_t)plan->batch_size, (uint64_t)plan->batch_count_max,
                               &settings->turn_lines))
        settings->turn_lines = UINT64_MAX;
    uint64_t most = context->memory_budget_bytes / 4;
    settings->line_max_bytes = (uint64_t)plan->line_max > most ? (uint32_t)most : (uint32_t)plan->line_max;
    return PS_OK;
}

static void taildir_teardown(void *plan_)
{
    struct taildir_plan *plan = plan_;
    ps_tail_trouble_destroy(plan->settings.trouble);
}

/* Reports that positions cannot be written (lines would be read again after a restart), or a directory cannot be read. */
static bool taildir_outdated(const void *plan_, char *text, size_t room)
{
    const struct taildir_plan *plan = plan_;
    return ps_tail_trouble_get(plan->settings.trouble, text, room);
}

static bool taildir_yields_positions(void *plan_, struct ps_err *)
{
    struct taildir_plan *plan = plan_;
    plan->sink_keeps = true;
    return true;
}

static void taildir_gives_identities(void *plan_)
{
    struct taildir_plan *plan = plan_;
    plan->identities = true;
}

static enum ps_status open_keeping(const struct taildir_plan *plan, struct taildir_state *state,
                                   struct ps_err *err)
{
    const char *path = plan->settings.position_path;
    return ps_tail_sink_source_init(&state->keeping, path, state->lock, ps_tail_source_id_is_overtaken(path),
                                    "positionFile", err);
}

static enum ps_status taildir_open(const void *plan_, void *state_, struct ps_port *port, struct ps_err *err)
{
    const struct taildir_plan *plan = plan_;
    struct taildir_state *state = state_;
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", plan->settings.position_path);
    *strrchr(folder, '/') = '\0';
    if (folder[0] != '\0' && ps_directories_need(folder, err) != PS_OK)
        return ps_err_append(err, "the position file needs this directory; set positionFile");
    if (ps_tail_lock(plan->settings.position_path, "positionFile", &state->lock, err) != PS_OK)
        return PS_FAIL;
    bool ready = plan->sink_keeps ? open_keeping(plan, state, err) == PS_OK
                                  : ps_tail_source_id_forget(plan->settings.position_path, err) == PS_OK;
    if (ready)
        state->tailer = ps_tailer_open(&plan->settings, plan->sink_keeps ? &state->keeping : NULL, port, err);
    if (state->tailer == NULL)
        ps_tail_unlock(state->lock);
    return state->tailer != NULL ? PS_OK : PS_FAIL;
}

static void taildir_close(const void *, void *state_)
{
    struct taildir_state *state = state_;
    ps_tailer_close(state->tailer);
    ps_tail_unlock(state->lock);
}

static void taildir_outline(const void *plan_, const struct ps_context *context, FILE *out)
{
    const struct taildir_plan *plan = plan_;
    const char *before = "";
    for (size_t i = 0; i < plan->groups.count; i++) {
        const char *path = ps_pairs_get(&plan->patterns, plan->groups.items[i]);
        if (path == NULL || group_is_again(plan, i))
            continue;
        fprintf(out, "%s%s", before, path);
        before = ", ";
    }
    fprintf(out, ", positions in %s", position_path(plan, context));
}

/* The source waits for a directory that is not there yet; until then it is not ready. */
static void probe_directory(const struct ps_probe *probe, const char *key, const char *directory)
{
    int folder = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    if (folder >= 0)
        close(folder);
    else if (errno != EMFILE && errno != ENFILE) /* the probe of a reload: the agent has no descriptor left */
        ps_probe_key_failed(probe, key, directory, strerror(errno),
                            "write <directory>/<expression>, with a directory that this user can read");
}

static void taildir_probe(const void *plan_, struct ps_context *context, const struct ps_probe *probe)
{
    const struct taildir_plan *plan = plan_;
    const char *directory, *pattern;
    for (size_t i = 0; i < plan->groups.count; i++) {
        const char *path = ps_pairs_get(&plan->patterns, plan->groups.items[i]);
        if (path == NULL || group_is_again(plan, i))
            continue;
        if (pattern_split(context->arena, path, &directory, &pattern))
            probe_directory(probe, ps_arena_format(context->arena, "filegroups.%s", plan->groups.items[i]),
                            directory);
    }
    ps_probe_file_to_make(probe, "positionFile", position_path(plan, context));
}

static void taildir_claims(const void *plan, const struct ps_context *context,
                           void (*add)(void *argument, const struct ps_claim *claim), void *argument)
{
    static const char *const suffixes[] = {PS_TAIL_POSITION_FILES};
    const char *path = position_path(plan, context);
    for (size_t i = 0; i < PS_COUNT_OF(suffixes); i++) {
        const struct ps_claim positions = {
            .key = "positionFile",
            .path = ps_arena_format(context->arena, "%s%s", path, suffixes[i]),
            .use = "keeps its positions in",
            .cure =
                "set another positionFile for one of the two: each overwrites what the other one has read"};
        add(argument, &positions);
    }
}

/* ---- running ---- */

static enum ps_result taildir_work(const void *, void *state_, struct ps_batch *batch,
                                   const struct ps_now *now)
{
    struct taildir_state *state = state_;
    return ps_tailer_work(state->tailer, batch, now);
}

static uint64_t taildir_tick(const void *, void *state_, const struct ps_now *now)
{
    struct taildir_state *state = state_;
    return ps_tailer_tick(state->tailer, now);
}

static void taildir_delivered(const void *, void *state_, const struct ps_batch *batch, const struct ps_now *)
{
    struct taildir_state *state = state_;
    ps_tailer_delivered(state->tailer, batch);
}

/* Does nothing: while a channel is full no file is read, but directories are still searched. */
static void taildir_paused(const void *, void *, bool, const struct ps_now *)
{
}

static bool taildir_drain(const void *, void *state_, const struct ps_now *now)
{
    struct taildir_state *state = state_;
    return ps_tailer_drain(state->tailer, now);
}

static const struct ps_source_ops source = {
    .needs = PS_LEVEL_DELIVERED,
    .when_full = PS_WAIT,
    .work = taildir_work,
    .tick = taildir_tick,
    .delivered = taildir_delivered,
    .paused = taildir_paused,
    .drain = taildir_drain,
    .yields_positions = taildir_yields_positions,
    .engine = &(const struct ps_engine_source_ops){.starts_from_records = true,
                                                   .gives_identities = taildir_gives_identities},
};

static const char *const counters[] = {PS_TAIL_COUNTERS, NULL};

const struct ps_stage_ops ps_source_taildir = {
    PS_STAGE(PS_KIND_SOURCE),
    .name = "taildir",
    .aliases = PS_WORDS("org.apache.flume.source.taildir.TaildirSource"),
    .summary = "follows files whose names match; positions survive rotation and restarts",
    .options = options,
    .plan_size = sizeof(struct taildir_plan),
    .state_size = sizeof(struct taildir_state),
    .counters = counters,
    .exclusive = true,
    .check = taildir_check,
    .build = taildir_build,
    .teardown = taildir_teardown,
    .open = taildir_open,
    .close = taildir_close,
    .outline = taildir_outline,
    .outdated = taildir_outdated,
    .probe = taildir_probe,
    .claims = taildir_claims,
    .source = &source,
};
