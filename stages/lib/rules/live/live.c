/* The functions that stages call. live.h names their threads; internal.h declares what the files of this
 * folder share. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "stages/lib/rules/live/internal.h"
#include "core/quantity.h"
#include "core/thread.h"

#define UNREST_SAY_NS (10 * PS_NS_PER_S)

/* ---- the outcome of a load ---- */

static void log_problem(void *component, enum ps_rules_severity severity, const char *text)
{
    ps_log(severity == PS_RULES_ERROR ? PS_LOG_ERROR : PS_LOG_WARN, component, "%s", text);
}

struct gathered {
    char *text;
    size_t room, length;
};

static void gather(void *gathered_, enum ps_rules_severity severity, const char *text)
{
    struct gathered *gathered = gathered_;
    if (severity == PS_RULES_ERROR && gathered->length < gathered->room)
        gathered->length +=
            (size_t)snprintf(gathered->text + gathered->length, gathered->room - gathered->length, "%s%s",
                             gathered->length > 0 ? "\n" : "", text);
}

/* Writes the errors of an attempt to `text`, as many as fit. */
static void errors_gather(const struct ps_rules_attempt *attempt, char *text, size_t room)
{
    struct gathered gathered = {.text = text, .room = room};
    text[0] = '\0';
    ps_rules_attempt_each(attempt, gather, &gathered);
}

static void state_loaded(struct ps_rules_live_state *state, const struct ps_rules_attempt *attempt)
{
    const struct ps_rules_set_report *report = &attempt->report;
    state->generation++;
    state->rules = (uint32_t)attempt->rules;
    state->patterns = (uint32_t)attempt->patterns;
    state->compile_ns = report->matcher.compile_ns;
    state->database_bytes = report->matcher.database_bytes;
    state->scratch_bytes = report->matcher.scratch_bytes;
    state->cached = report->matcher.cached;
    state->loaded_ms = ps_clock_now().wall_ms;
    state->error[0] = '\0';
}

static void log_loaded(const struct ps_rules_live *live, const struct ps_rules_attempt *attempt)
{
    const struct ps_rules_live_state *state = &live->state;
    const char *file = live->options.file;
    ps_log(PS_LOG_INFO, live->options.component,
           "%s: %s rule%s (%s expression%s) at work, number %" PRIu64
           "; %s in %s; database %s, each worker's scratch %s",
           file, ps_quantity_print_count(state->rules).text, state->rules == 1 ? "" : "s",
           ps_quantity_print_count(state->patterns).text, state->patterns == 1 ? "" : "s", state->generation,
           state->cached ? "from the cache" : "compiled", ps_quantity_print_ns(state->compile_ns).text,
           ps_quantity_print_bytes(state->database_bytes).text,
           ps_quantity_print_bytes(state->scratch_bytes).text);
    if (attempt->report.matcher.cache_note[0] != '\0')
        ps_log(PS_LOG_WARN, live->options.component, "%s: cache: %s", file,
               attempt->report.matcher.cache_note);
}

static void log_attempt(const struct ps_rules_live *live, const struct ps_rules_attempt *attempt)
{
    if (live->state.reloads + live->state.reloads_failed >
        0) /* at the start `check` has reported it already */
        ps_rules_attempt_each(attempt, log_problem, (void *)(uintptr_t)live->options.component);
    if (attempt->version != NULL)
        log_loaded(live, attempt);
    else
        ps_log(PS_LOG_ERROR, live->options.component, "%s is not usable%s: the old rules stay active",
               live->options.file, attempt->problems->passing ? " now, and is tried again" : "");
}

static void unrest_log(struct ps_rules_live *live, uint64_t mono_ns)
{
    struct ps_rules_unrest *unrest = &live->unrest;
    const char *error = live->state.error;
    ps_log(unrest->refused > 0 ? PS_LOG_WARN : PS_LOG_INFO, live->options.component,
           "%s keeps changing: loaded %" PRIu64 " and refused %" PRIu64
           " more times in %.0f s; number %" PRIu64 " is at work%s%.*s",
           live->options.file, unrest->loaded, unrest->refused,
           (double)(mono_ns - unrest->said_ns) / PS_NS_PER_S, live->state.generation,
           error[0] != '\0' ? "; the last text was refused: " : "", (int)strcspn(error, "\n"), error);
    *unrest = (struct ps_rules_unrest){.said_ns = mono_ns};
}

void ps_rules_live_unrest(struct ps_rules_live *live, uint64_t mono_ns)
{
    struct ps_rules_unrest *unrest = &live->unrest;
    if (unrest->loaded + unrest->refused > 0 && mono_ns - unrest->said_ns >= UNREST_SAY_NS)
        unrest_log(live, mono_ns);
}

/* Returns true when the attempt is only counted. */
static bool unrest_count(struct ps_rules_live *live, const struct ps_rules_attempt *attempt)
{
    struct ps_rules_unrest *unrest = &live->unrest;
    uint64_t now_ns = ps_clock_now().mono_ns;
    if (!attempt->restless) {
        if (unrest->loaded + unrest->refused > 0)
            unrest_log(live, now_ns);
        *unrest = (struct ps_rules_unrest){0};
        return false;
    }
    if (unrest->said_ns == 0) {
        unrest->said_ns = now_ns;
        return false;
    }
    unrest->loaded += attempt->version != NULL;
    unrest->refused += attempt->version == NULL;
    ps_rules_live_unrest(live, now_ns);
    return true;
}

void ps_rules_live_note(struct ps_rules_live *live, const struct ps_rules_attempt *attempt)
{
    pthread_mutex_lock(&live->lock);
    if (attempt->version != NULL) {
        live->state.reloads += live->state.generation > 0;
        state_loaded(&live->state, attempt);
    } else {
        errors_gather(attempt, live->state.error, sizeof live->state.error);
        live->state.reloads_failed++;
    }
    pthread_mutex_unlock(&live->lock);
    if (!unrest_count(live, attempt))
        log_attempt(live, attempt);
}

void ps_rules_live_forgive(struct ps_rules_live *live)
{
    pthread_mutex_lock(&live->lock);
    live->state.error[0] = '\0';
    pthread_mutex_unlock(&live->lock);
}

/* ---- create, open, destroy ---- */

static struct ps_rules_live *live_alloc(const struct ps_rules_live_options *options)
{
    struct ps_rules_live *live = ps_must_alloc(1, sizeof *live, "rules");
    unsigned count = options->set.instances;
    PS_ASSERT(count > 0);
    live->options = *options;
    live->instances = ps_must_alloc_aligned(count * sizeof *live->instances, "rules");
    live->counters = ps_rules_counters_create(count);
    pthread_mutex_init(&live->lock, NULL);
    live->wake_fd = -1;
    return live;
}

struct ps_rules_live *ps_rules_live_create(const struct ps_rules_live_options *options, struct ps_err *err)
{
    bool limited = false;
    struct ps_rules_live *live = live_alloc(options);
    live->watch = ps_rules_watch_create(options->watch, &limited);
    live->pace.settle_ns = (uint64_t)options->settle_ms * PS_NS_PER_MS;
    live->good.live = live->bad.live = live;
    live->good.began_ns = ps_clock_now().mono_ns;
    ps_rules_attempt_run(&live->good);
    live->version = live->good.version;
    if (live->version == NULL) {
        char text[PS_ERR_BYTES];
        errors_gather(&live->good, text, sizeof text);
        ps_err_set(err, "%s", text);
        ps_rules_live_destroy(live);
        return NULL;
    }
    live->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (live->wake_fd < 0) {
        ps_err_set(err, "cannot make an eventfd for the rules thread: %s", strerror(errno));
        ps_rules_live_destroy(live);
        return NULL;
    }
    (void)ps_swap_replace(&live->swap, live->version);
    ps_rules_live_note(live, &live->good);
    if (limited)
        ps_log(PS_LOG_WARN, options->component,
               "%s: inotify is not available (limit of instances reached?); the file is checked every few "
               "seconds",
               options->file);
    return live;
}

void ps_rules_live_destroy(struct ps_rules_live *live)
{
    if (live == NULL)
        return;
    if (live->started) {
        ps_rules_live_wish(live, PS_RULES_WISH_STOP);
        (void)ps_thread_join(live->thread, PS_THREAD_PATIENT);
    }
    ps_rules_version_destroy(live->version);
    ps_rules_attempt_fini(&live->good);
    ps_rules_attempt_fini(&live->bad);
    ps_rules_watch_destroy(live->watch);
    if (live->wake_fd >= 0)
        close(live->wake_fd);
    ps_rules_counters_destroy(live->counters);
    pthread_mutex_destroy(&live->lock);
    free(live->instances);
    free(live);
}

enum ps_status ps_rules_live_open(struct ps_rules_live *live, unsigned instance, struct ps_err *err)
{
    int failed = 0;
    PS_ASSERT(instance < live->options.set.instances);
    pthread_mutex_lock(&live->lock);
    if (!live->started) {
        failed = ps_thread_start(&live->thread, "rules", ps_rules_live_thread, live);
        live->started = failed == 0;
    }
    pthread_mutex_unlock(&live->lock);
    if (failed != 0)
        return ps_err_set(err, "cannot start the rules thread: %s", strerror(failed));
    return PS_OK;
}

void ps_rules_live_reread(struct ps_rules_live *live)
{
    ps_rules_live_wish(live, PS_RULES_WISH_REREAD);
}

/* ---- the worker ---- */

const struct ps_rules_set *ps_rules_live_acquire(struct ps_rules_live *live, unsigned instance,
                                                 struct ps_rules_scratch **scratch)
{
    struct ps_rules_instance *mine = &live->instances[instance];
    const struct ps_rules_version *version = mine->held;
    if (PS_LIKELY(version == NULL))
        version = ps_swap_read(&live->swap);
    mine->used = version;
    *scratch = version->scratches[instance];
    return version->set;
}

void ps_rules_live_release(struct ps_rules_live *live, unsigned instance, bool finished)
{
    struct ps_rules_instance *mine = &live->instances[instance];
    const struct ps_rules_version *keep = finished ? NULL : mine->used;
    if (PS_UNLIKELY(mine->held != keep))
        __atomic_store_n(&mine->held, keep, __ATOMIC_RELAXED);
}
