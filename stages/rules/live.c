/* The functions that stages call; rules/live.h names their threads, rules/live_parts.h declares what the
 * parts share. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "stages/rules/live_parts.h"

/* ---- the outcome of a load ---- */

static void log_problem(void *component, enum ps_rules_severity severity, const char *text)
{
    if (severity == PS_RULES_ERROR)
        ps_log(PS_LOG_ERROR, component, "%s", text);
    else if (severity == PS_RULES_WARNING)
        ps_log(PS_LOG_WARN, component, "%s", text);
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
           "%s: %" PRIu32 " rule%s (%" PRIu32 " expression%s) at work, number %" PRIu64
           "; %s in %.1f ms; database %.1f KiB, each worker's scratch %.1f KiB",
           file, state->rules, state->rules == 1 ? "" : "s", state->patterns, state->patterns == 1 ? "" : "s",
           state->generation, state->cached ? "from the cache" : "compiled",
           (double)state->compile_ns / PS_NS_PER_MS, (double)state->database_bytes / 1024,
           (double)state->scratch_bytes / 1024);
    if (attempt->report.matcher.cache_note[0] != '\0')
        ps_log(PS_LOG_WARN, live->options.component, "%s: cache: %s", file,
               attempt->report.matcher.cache_note);
}

void ps_rules_live_note(struct ps_rules_live *live, const struct ps_rules_attempt *attempt)
{
    bool first = live->state.generation == 0;
    pthread_mutex_lock(&live->lock);
    if (attempt->version != NULL) {
        state_loaded(&live->state, attempt);
        live->state.reloads += !first;
    } else {
        errors_gather(attempt, live->state.error, sizeof live->state.error);
        live->state.reloads_failed++;
    }
    pthread_mutex_unlock(&live->lock);
    if (!first) /* at the start `check` has reported it already */
        ps_rules_attempt_each(attempt, log_problem, (void *)(uintptr_t)live->options.component);
    if (attempt->version != NULL)
        log_loaded(live, attempt);
    else
        ps_log(PS_LOG_ERROR, live->options.component, "%s is not usable: the old rules stay active",
               live->options.file);
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
    live->cpus_known = sched_getaffinity(0, sizeof live->cpus, &live->cpus) == 0;
    live->book = ps_rules_book_create(count);
    pthread_mutex_init(&live->lock, NULL);
    live->wake_fd = -1;
    return live;
}

struct ps_rules_live *ps_rules_live_create(const struct ps_rules_live_options *options, struct ps_err *err)
{
    bool limited = false;
    struct ps_rules_live *live = live_alloc(options);
    live->watch = ps_rules_watch_create(options->watch, &limited);
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
        pthread_join(live->thread, NULL);
    }
    ps_rules_version_destroy(live->version);
    ps_rules_attempt_fini(&live->good);
    ps_rules_attempt_fini(&live->bad);
    ps_rules_watch_destroy(live->watch);
    if (live->wake_fd >= 0)
        close(live->wake_fd);
    ps_rules_book_destroy(live->book);
    pthread_mutex_destroy(&live->lock);
    free(live->instances);
    free(live);
}

enum ps_status ps_rules_live_open(struct ps_rules_live *live, unsigned instance, struct ps_err *err)
{
    int failed = 0;
    sigset_t all, before; /* the control thread handles signals */
    PS_ASSERT(instance < live->options.set.instances);
    pthread_mutex_lock(&live->lock);
    if (!live->started) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        failed = pthread_create(&live->thread, NULL, ps_rules_live_thread, live);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
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
