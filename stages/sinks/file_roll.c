/* Sink file_roll (Flume's RollingFileSink): writes events through a serializer to a file, and begins a new
 * file every rollInterval. Thread: its worker. Writes go to the page cache, like Flume's: no fsync.
 *
 * A lease is written in full before it is settled. After a failed write the file is cut back, so a retry
 * leaves neither torn nor duplicated events (Flume leaves both). Every file is new: names that exist are
 * skipped. */
#include "core/sink/deadletter_pending.h"
#include "core/stage.h"
#include "core/stage_call.h"
#include "core/text/ends.h"
#include "stages/lib/compressed_output.h"
#include "stages/lib/least.h"
#include "stages/lib/text/path_manager.h"
#include "core/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 4096
#define RETRY_NS (3 * PS_NS_PER_S)
#define TAKEN_NAMES_MAX 1000
#define SLOW_WRITE_NS (100 * PS_NS_PER_MS) /* usual writes take 0.1 ms per MB */

/* The sink's own counters. */
enum { SLOW_WRITES = PS_COUNTER_extra, WRITE_LONGEST_US };
static const char *const counter_names[] = {"slow_writes", "write_longest_us_now", NULL};

struct file_roll_plan {
    const char *directory, *path_manager, *extension, *prefix, *serializer_type;
    int64_t roll_interval_s, batch_size;
    struct ps_pairs serializer_keys;
    int compression; /* enum ps_compression */
    enum ps_path_style style;
    const struct ps_time_zone *zone;
    const struct ps_stage_ops *serializer;
    void *serializer_plan;
};

struct file_roll_state {
    struct ps_port *port;
    void *serializer; /* state of the serializer */
    struct ps_path_manager names;
    bool began; /* the first file was begun, or could not be begun */
    int fd;     /* -1: no file is open */
    struct ps_file_output output;
    struct ps_compressed_output compressed; /* above `output` */
    uint64_t roll_ns, retry_ns;
    bool failing; /* the failure is already logged */
    bool starved; /* the failure was a lack of memory: leases wait until retry_ns, at no attempt */
    struct ps_deadletter_pending letter; /* of the event that the serializer refuses */
    char letter_text[512];
    char failure[PATH_BYTES + 256]; /* the last failure, in words */
    char path[PATH_BYTES];
};

#define FIELD(name) offsetof(struct file_roll_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("sink.directory", TEXT, FIELD(directory), "directory of the files; must exist",
                  .flags = PS_OPTION_REQUIRED),
    PS_OPTION_ROW("sink.rollInterval", INT, FIELD(roll_interval_s),
                  "time after which a new file begins, also when nothing was written; 0: never",
                  .fallback = "30", .unit = "s"),
    PS_OPTION_ROW("sink.pathManager", TEXT, FIELD(path_manager),
                  "DEFAULT: names from the start time; ROLLTIME: from the time of the roll",
                  .fallback = "DEFAULT"),
    PS_OPTION_ROW("sink.pathManager.extension", TEXT, FIELD(extension),
                  "extension of file names, without the dot"),
    PS_OPTION_ROW("sink.pathManager.prefix", TEXT, FIELD(prefix), "prefix of file names"),
    PS_OPTION_ROW("sink.serializer", TEXT, FIELD(serializer_type),
                  "text, header_and_text, json, avro_event or AvroEventSerializer's class",
                  .fallback = "TEXT"),
    PS_OPTION_ROW("sink.serializer.", MAP, FIELD(serializer_keys), "keys of the serializer"),
    PS_OPTION_ROW("sink.batchSize", INT, FIELD(batch_size),
                  "events in one transaction; here the source decides the size of batches", .fallback = "100",
                  .unit = "events", .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("penstock.compression", ENUM, FIELD(compression),
                  "none, gzip or zstd: how files are compressed; their names end with .gz or .zst then",
                  .fallback = "none", .words = PS_WORDS("none", "gzip", "zstd"),
                  .flags = PS_OPTION_EXTENSION),
    PS_OPTION_END,
};

static enum ps_status file_roll_check(const void *plan_, const struct ps_context *context)
{
    const struct file_roll_plan *plan = plan_;
    enum ps_path_style style;
    struct ps_err err = {.length = 0};
    void *serializer_plan;
    if (!ps_path_style_parse(plan->path_manager, &style)) {
        ps_report(context, PS_LOG_ERROR, "sink.pathManager", "%s is neither DEFAULT nor ROLLTIME",
                  plan->path_manager);
        return PS_FAIL;
    }
    if (context->sub_stage((struct ps_context *)(uintptr_t)context, PS_KIND_SERIALIZER, plan->serializer_type,
                           &plan->serializer_keys, &serializer_plan, &err) == NULL)
        return PS_FAIL;
    if (strlen(plan->directory) + 256 > PATH_BYTES) {
        ps_report(context, PS_LOG_ERROR, "sink.directory", "the path is too long");
        return PS_FAIL;
    }
    return PS_OK;
}

/* Returns the extension, with .gz or .zst added unless it ends with that already. */
static const char *extension_of(const struct file_roll_plan *plan, struct ps_arena *arena)
{
    const char *extension = plan->extension != NULL ? plan->extension : "";
    const char *suffix = ps_compression_suffix((enum ps_compression)plan->compression);
    if (suffix[0] == '\0')
        return extension;
    if (extension[0] == '\0')
        return suffix + 1; /* without the dot, which is added to the name later */
    if (strcmp(extension, suffix + 1) == 0 || ps_text_ends(extension, suffix))
        return extension;
    return ps_arena_format(arena, "%s%s", extension, suffix);
}

static enum ps_status file_roll_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct file_roll_plan *plan = plan_;
    bool known;
    plan->zone = ps_time_zone_load(context->arena, NULL, &known);
    plan->extension = extension_of(plan, context->arena);
    if (plan->prefix == NULL)
        plan->prefix = "";
    if (!ps_path_style_parse(plan->path_manager, &plan->style))
        return ps_err_set(err, "path manager %s is neither DEFAULT nor ROLLTIME", plan->path_manager);
    plan->serializer = context->sub_stage(context, PS_KIND_SERIALIZER, plan->serializer_type,
                                          &plan->serializer_keys, &plan->serializer_plan, err);
    return plan->serializer != NULL ? PS_OK : PS_FAIL;
}

/* ---- files ---- */

static const char *remedy_of(int error)
{
    switch (error) {
    case ENOSPC:
    case EDQUOT:
        return "free space there";
    case ENOENT:
    case ENOTDIR:
        return "create the directory";
    case EACCES:
    case EPERM:
    case EROFS:
        return "allow this process to write there";
    case EMFILE:
    case ENFILE:
        return "raise the limit of open files";
    case ENOMEM:
        return "lower penstock.memory.budget, which leaves more memory to the rest of the process";
    default:
        return "check the file system";
    }
}

static struct ps_output *target(struct file_roll_state *state)
{
    return ps_compressed_output_target(&state->compressed);
}

static const char *text_of(int error)
{
    return error == ENOMEM ? "no memory" : strerror(error);
}

/* Returns why the output or the serializer failed. If the output did not fail, the serializer had no memory. */
static int error_of(const struct file_roll_state *state)
{
    return state->output.failed ? state->output.error : ENOMEM;
}

/* Logs a failure once, with a remedy. */
static void fail(struct file_roll_state *state, const struct ps_now *now, const char *what, int error)
{
    ps_count(state->port->counters, PS_COUNTER_ConnectionFailedCount, 1);
    state->starved = error == ENOMEM;
    state->retry_ns = now->mono_ns + RETRY_NS;
    snprintf(state->failure, sizeof state->failure, "cannot %s %s: %s; %s", what, state->path, text_of(error),
             remedy_of(error));
    if (!state->failing)
        ps_log(PS_LOG_ERROR, state->port->component, "%s: events wait in the channel meanwhile",
               state->failure);
    state->failing = true;
}

static void report_recovery(struct file_roll_state *state)
{
    if (state->failing)
        ps_log(PS_LOG_INFO, state->port->component, "writes again, to %s", state->path);
    state->failing = false;
}

static bool file_begin(const struct file_roll_plan *plan, struct file_roll_state *state,
                       const struct ps_now *now)
{
    size_t folder = strlen(plan->directory);
    memcpy(state->path, plan->directory, folder);
    state->path[folder] = '/';
    for (int attempt = 0; attempt < TAKEN_NAMES_MAX; attempt++) {
        uint64_t number = state->names.number;
        if (!ps_path_manager_next(&state->names, now->wall_ms, state->path + folder + 1,
                                  PATH_BYTES - folder - 1)) {
            fail(state, now, "create", ENAMETOOLONG);
            return false;
        }
        state->fd = open(state->path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (state->fd >= 0)
            break;
        if (errno != EEXIST) {
            state->names.number = number; /* use the same name again next time */
            fail(state, now, "create", errno);
            return false;
        }
    }
    if (state->fd < 0) {
        fail(state, now, "create", EEXIST);
        return false;
    }
    const struct ps_serializer_ops *ops = plan->serializer->serializer;
    if (!ps_compressed_output_begin(&state->compressed, state->fd) ||
        (ops->begin != NULL && !ops->begin(plan->serializer_plan, state->serializer, target(state))) ||
        !ps_compressed_output_commit(&state->compressed)) {
        fail(state, now, "write", error_of(state));
        close(state->fd);
        (void)unlink(state->path);
        state->fd = -1;
        return false;
    }
    ps_count(state->port->counters, PS_COUNTER_ConnectionCreatedCount, 1);
    report_recovery(state);
    return true;
}

static void file_end(const struct file_roll_plan *plan, struct file_roll_state *state)
{
    const struct ps_serializer_ops *ops = plan->serializer->serializer;
    if (state->fd < 0)
        return;
    bool good = (ops->flush == NULL || ops->flush(plan->serializer_plan, state->serializer, target(state))) &&
                (ops->end == NULL || ops->end(plan->serializer_plan, state->serializer, target(state))) &&
                ps_compressed_output_commit(&state->compressed);
    int error = error_of(state);
    if (!good)
        ps_compressed_output_undo(&state->compressed);
    bool ended = ps_compressed_output_end(&state->compressed);
    if (good && !ended)
        error = error_of(state);
    good &= ended;
    if (close(state->fd) != 0 || !good) {
        ps_count(state->port->counters, PS_COUNTER_ConnectionFailedCount, 1);
        ps_log(PS_LOG_ERROR, state->port->component, "cannot close %s: %s", state->path,
               text_of(good ? errno : error));
    } else {
        ps_count(state->port->counters, PS_COUNTER_ConnectionClosedCount, 1);
    }
    state->fd = -1;
}

/* Begins a new file if somebody deleted the open one, because events written to it would be lost. */
static void look_at_file(const struct file_roll_plan *plan, struct file_roll_state *state,
                         const struct ps_now *now)
{
    struct stat facts;
    if (fstat(state->fd, &facts) != 0)
        return;
    ps_compressed_output_found(&state->compressed, (uint64_t)facts.st_size);
    if (facts.st_nlink > 0)
        return;
    ps_log(PS_LOG_WARN, state->port->component,
           "%s was deleted, and its events are lost; the sink begins a new file", state->path);
    file_end(plan, state);
    (void)file_begin(plan, state, now);
}

/* ---- the stage ---- */

static void outputs_fini(struct file_roll_state *state)
{
    ps_compressed_output_fini(&state->compressed);
    ps_file_output_fini(&state->output);
}

static enum ps_status file_roll_open(const void *plan_, void *state_, struct ps_port *port,
                                     struct ps_err *err)
{
    const struct file_roll_plan *plan = plan_;
    struct file_roll_state *state = state_;
    struct stat facts;
    *state = (struct file_roll_state){.port = port, .fd = -1};
    if (stat(plan->directory, &facts) == 0 && !S_ISDIR(facts.st_mode))
        return ps_err_set(err, "%s is not a directory; set a directory in sink.directory", plan->directory);
    if (access(plan->directory, W_OK | X_OK) != 0)
        return ps_err_set(err, "cannot write in %s: %s; %s", plan->directory, strerror(errno),
                          remedy_of(errno));
    if (!ps_file_output_init(&state->output))
        return ps_err_set(err, "no memory for a buffer");
    if (!ps_compressed_output_init(&state->compressed, (enum ps_compression)plan->compression,
                                   &state->output)) {
        outputs_fini(state);
        return ps_err_set(err, "no memory to compress");
    }
    state->serializer = calloc(1, plan->serializer->state_size + 1);
    if (state->serializer == NULL) {
        outputs_fini(state);
        return ps_err_set(err, "no memory for serializer %s", plan->serializer->name);
    }
    if (ps_stage_open(plan->serializer, plan->serializer_plan, state->serializer, port, err) != PS_OK) {
        free(state->serializer);
        outputs_fini(state);
        return PS_FAIL;
    }
    return PS_OK;
}

static void file_roll_close(const void *plan_, void *state_)
{
    const struct file_roll_plan *plan = plan_;
    struct file_roll_state *state = state_;
    file_end(plan, state);
    if (plan->serializer->close != NULL)
        plan->serializer->close(plan->serializer_plan, state->serializer);
    free(state->serializer);
    outputs_fini(state);
}

/* Begins the first file in the first call of `work` or `tick`, because `open` does not know the time, which is part
 * of the file names. */
static void ensure_began(const struct file_roll_plan *plan, struct file_roll_state *state,
                         const struct ps_now *now)
{
    if (state->began)
        return;
    state->began = true;
    ps_path_manager_init(&state->names, plan->style, plan->prefix, plan->extension, plan->zone, now->wall_ms);
    state->roll_ns = PS_NEVER;
    if (plan->roll_interval_s > 0 && (uint64_t)plan->roll_interval_s < PS_NEVER / 2 / PS_NS_PER_S)
        state->roll_ns = now->mono_ns + (uint64_t)plan->roll_interval_s * PS_NS_PER_S;
    (void)file_begin(plan, state, now);
}

/* Reports slow writes, because they delay everything else on the worker. */
static void report_slow_write(struct file_roll_state *state)
{
    struct ps_counters *counters = state->port->counters;
    uint64_t took_ns = state->output.longest_ns;
    state->output.longest_ns = 0;
    if (PS_LIKELY(took_ns < SLOW_WRITE_NS))
        return;
    ps_count(counters, (enum ps_counter)SLOW_WRITES, 1);
    if (took_ns / 1000 > ps_counter_read(counters, (enum ps_counter)WRITE_LONGEST_US))
        ps_gauge_set(counters, (enum ps_counter)WRITE_LONGEST_US, took_ns / 1000);
    ps_log(PS_LOG_WARN, state->port->component,
           "a write to %s took %" PRIu64
           " ms, and every component of this worker waited for it: use a faster or less "
           "busy file system, or raise penstock.workers, so that others do not share its worker",
           state->path, took_ns / PS_NS_PER_MS);
}

static uint64_t tick(const struct file_roll_plan *plan, struct file_roll_state *state,
                     const struct ps_now *now)
{
    ensure_began(plan, state, now);
    if (now->mono_ns >= state->roll_ns) {
        uint64_t interval_ns = (uint64_t)plan->roll_interval_s * PS_NS_PER_S;
        state->roll_ns += (now->mono_ns - state->roll_ns) / interval_ns * interval_ns + interval_ns;
        if (state->fd >= 0)
            state->retry_ns = 0;
        file_end(plan, state);
    }
    bool again = state->starved && now->mono_ns >= state->retry_ns;
    if (again)
        state->starved = false;
    if (state->fd < 0 && now->mono_ns >= state->retry_ns)
        (void)file_begin(plan, state, now);
    if (again && !state->starved)
        return now->mono_ns; /* the lease that waits is offered at once */
    bool waits = state->fd < 0 || state->starved;
    return waits && state->retry_ns < state->roll_ns ? state->retry_ns : state->roll_ns;
}

static uint64_t file_roll_tick(const void *plan, void *state, const struct ps_now *now)
{
    struct file_roll_state *sink_state = state;
    uint64_t due_ns = tick(plan, sink_state, now);
    report_slow_write(sink_state);
    if (ps_deadletter_pending_has_begun(&sink_state->letter))
        due_ns = ps_least(due_ns, now->mono_ns + PS_DEADLETTER_LOOK_NS);
    return due_ns;
}

/* Writes the lease's events from `*position` on, up to one for which the serializer is not ready. Returns false if
 * the output failed. */
static bool write_events(const struct file_roll_plan *plan, struct file_roll_state *state,
                         struct ps_lease *lease, uint32_t *position, enum ps_serializer_answer *answer,
                         struct ps_err *reason)
{
    const struct ps_serializer_ops *ops = plan->serializer->serializer;
    for (; *position < lease->count; (*position)++) {
        const struct ps_event *event = ps_lease_event(lease, *position);
        if (ps_lease_is_settled(lease, *position))
            continue;
        if (ops->ready != NULL && (*answer = ops->ready(plan->serializer_plan, state->serializer,
                                                        lease->batch, event, reason)) != PS_SERIALIZER_READY)
            break;
        ps_file_output_lasting(&state->output, event->body, event->body_length);
        if (!ops->event(plan->serializer_plan, state->serializer, lease->batch, event, target(state)))
            return false;
    }
    return (ops->flush == NULL || ops->flush(plan->serializer_plan, state->serializer, target(state))) &&
           ps_compressed_output_commit(&state->compressed);
}

/* The file has failed. A lack of memory costs the lease no attempt: it is offered again. */
static enum ps_result wait_for_file(struct file_roll_state *state)
{
    if (state->starved)
        return PS_LATER;
    ps_port_rolls_back(state->port, state->failure);
    return PS_RETRY;
}

static enum ps_result write_failed(const struct file_roll_plan *plan, struct file_roll_state *state,
                                   const struct ps_now *now)
{
    const struct ps_serializer_ops *ops = plan->serializer->serializer;
    ps_count(state->port->counters, PS_COUNTER_EventWriteFail, 1);
    fail(state, now, "write", error_of(state));
    /* The serializer may hold bytes of this lease, which must not be written before the lease is written again. */
    struct ps_output nowhere = ps_file_output_discard();
    if (ops->flush != NULL)
        (void)ops->flush(plan->serializer_plan, state->serializer, &nowhere);
    ps_compressed_output_undo(&state->compressed);
    if (ops->ready != NULL) { /* the file's header may have been withdrawn together with its first event */
        (void)ps_compressed_output_end(&state->compressed);
        close(state->fd);
        state->fd = -1;
    }
    return wait_for_file(state);
}

/* Makes a dead letter of the event that the serializer refuses. Returns false until the letter is written. */
static bool write_letter(struct file_roll_state *state)
{
    const struct ps_dead_letter_reason reason = {"event-unwritable", state->letter_text, 0};
    return ps_deadletter_pending_work(&state->letter, state->port, &reason);
}

static bool give_up(struct file_roll_state *state, struct ps_lease *lease, uint32_t position,
                    struct ps_err *reason)
{
    snprintf(state->letter_text, sizeof state->letter_text, "%s", ps_err_join(reason));
    ps_count(state->port->counters, PS_COUNTER_refused, 1);
    ps_log(PS_LOG_ERROR, state->port->component, "an event goes to the dead letters: %s", state->letter_text);
    ps_deadletter_pending_begin(&state->letter, lease, position, position + 1U);
    return write_letter(state);
}

/* Without penstock.deadletter: reports an event that the serializer refuses. The lease is tried again without end, as in
 * Flume's sink. */
static enum ps_result write_refused(struct file_roll_state *state, struct ps_err *reason)
{
    ps_count(state->port->counters, PS_COUNTER_EventWriteFail, 1);
    snprintf(state->failure, sizeof state->failure, "an event cannot be written: %s", ps_err_join(reason));
    if (!state->failing)
        ps_log(PS_LOG_ERROR, state->port->component,
               "%s. Its batch, and all batches after it, wait; set penstock.deadletter to take out only such "
               "events",
               state->failure);
    state->failing = true;
    ps_port_rolls_back(state->port, state->failure);
    return PS_RETRY;
}

static enum ps_result write_lease(const struct file_roll_plan *plan, struct file_roll_state *state,
                                  struct ps_lease *lease, const struct ps_now *now)
{
    uint32_t position = lease->cursor, settled = position;
    ensure_began(plan, state, now);
    if (PS_UNLIKELY(state->starved))
        return PS_LATER; /* `tick` ends the wait */
    if (PS_UNLIKELY(ps_deadletter_pending_has_begun(&state->letter)) && !write_letter(state))
        return PS_LATER;
    if (state->fd >= 0)
        look_at_file(plan, state, now);
    for (;;) {
        enum ps_serializer_answer answer = PS_SERIALIZER_READY;
        struct ps_err reason = {.length = 0};
        if (state->fd < 0)
            return wait_for_file(state);
        if (!write_events(plan, state, lease, &position, &answer, &reason))
            return write_failed(plan, state, now);
        if (PS_LIKELY(answer == PS_SERIALIZER_READY)) {
            ps_lease_settle_all(lease);
            report_recovery(state);
            return PS_DONE;
        }
        for (; settled < position; settled++)
            if (!ps_lease_is_settled(lease, settled))
                ps_lease_settle(lease, settled);
        if (answer == PS_SERIALIZER_LATER)
            return PS_LATER;
        if (answer == PS_SERIALIZER_REFUSED && !ps_port_has_deadletter(state->port))
            return write_refused(state, &reason);
        if (answer == PS_SERIALIZER_REFUSED) {
            if (!give_up(state, lease, position, &reason))
                return PS_LATER;
            continue;
        }
        file_end(plan, state); /* the answer is PS_SERIALIZER_NEW_FILE */
        (void)file_begin(plan, state, now);
    }
}

static enum ps_result file_roll_work(const void *plan, void *state, struct ps_lease **lease,
                                     const struct ps_now *now)
{
    enum ps_result result = write_lease(plan, state, *lease, now);
    report_slow_write(state);
    return result;
}

/* The lease with the event that is given up is the channel's again: its letter may come twice. */
static bool file_roll_recall(const void *, void *state_, struct ps_lease **, const struct ps_now *)
{
    struct file_roll_state *state = state_;
    state->letter = (struct ps_deadletter_pending){.lease = NULL};
    return true;
}

static void file_roll_outline(const void *plan_, const struct ps_context *, FILE *out)
{
    const struct file_roll_plan *plan = plan_;
    fprintf(out, "writes files in %s", plan->directory);
    if (plan->roll_interval_s > 0)
        fprintf(out, ", a new one every %s", ps_quantity_print_s((double)plan->roll_interval_s).text);
    else
        fputs(", one for all", out);
    if (plan->compression != PS_COMPRESSION_NONE)
        fprintf(out, ", compressed (%s)", plan->compression == PS_COMPRESSION_GZIP ? "gzip" : "zstd");
}

static void file_roll_probe(const void *plan_, struct ps_context *, const struct ps_probe *probe)
{
    const struct file_roll_plan *plan = plan_;
    ps_probe_directory(probe, "sink.directory", plan->directory);
}

static const struct ps_sink_ops sink = {
    .work = file_roll_work, .tick = file_roll_tick, .recall = file_roll_recall};

const struct ps_stage_ops ps_sink_file_roll = {
    PS_STAGE(PS_KIND_SINK),
    .name = "file_roll",
    .aliases = PS_WORDS("org.apache.flume.sink.RollingFileSink"),
    .summary = "writes files in a directory, a new one at each interval",
    .options = options,
    .counters = counter_names,
    .plan_size = sizeof(struct file_roll_plan),
    .state_size = sizeof(struct file_roll_state),
    .check = file_roll_check,
    .build = file_roll_build,
    .open = file_roll_open,
    .close = file_roll_close,
    .outline = file_roll_outline,
    .probe = file_roll_probe,
    .sink = &sink,
};
