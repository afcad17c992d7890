/* The rules thread: waits for changes and requests, starts loads, publishes the new version, and frees the
 * old one when no worker uses it. See live.h and internal.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/backoff.h"
#include "core/helper/helper.h"
#include "stages/lib/least.h"
#include "stages/lib/rules/live/internal.h"

#define LOOK_NS (10 * PS_NS_PER_S)      /* interval for checking files without an event: NFS sends none */
#define LOOK_ALONE_NS (2 * PS_NS_PER_S) /* the same when inotify is not available */
/* Waits after failures that may pass. A wait is at least RETRY_REST times as long as the load, which may take minutes. */
#define RETRY_NS (2 * PS_NS_PER_S)
#define RETRY_MAX_NS (60 * PS_NS_PER_S)
#define RETRY_REST 10U
#define REST_NS (10 * PS_NS_PER_MS) /* pause between two turns: a busy folder has many events */
#define SAY_MS 1000U                /* interval of the log lines about the progress of a load */
#define WISH_STOP (UINT64_C(1) << 32)

void ps_rules_live_wish(struct ps_rules_live *live, enum ps_rules_wish wish)
{
    uint64_t value = wish == PS_RULES_WISH_STOP ? WISH_STOP : 1;
    ssize_t ignored = write(live->wake_fd, &value, sizeof value);
    (void)ignored;
}

static void requests_take(struct ps_rules_live *live)
{
    uint64_t value = 0;
    if (read(live->wake_fd, &value, sizeof value) != sizeof value)
        return;
    live->stop |= value >= WISH_STOP;
    live->pace.wanted |= value % WISH_STOP != 0;
}

static void note_change(struct ps_rules_live *live)
{
    ps_rules_pace_change(&live->pace, ps_clock_now().mono_ns);
}

/* ---- the idle thread ---- */

struct task {
    void (*run)(void *argument);
    void *argument;
};

static void task_run(void *, void *task_)
{
    const struct task *task = task_;
    task->run(task->argument);
}

/* Runs `run` on a thread of its own at SCHED_IDLE, because a thread cannot leave SCHED_IDLE without
 * privileges. Waits for it and logs the progress of `attempt`, unless that is NULL. */
static void idle_run(void (*run)(void *argument), void *argument, struct ps_rules_attempt *attempt)
{
    const struct ps_helper_settings settings = {
        .name = "rules-idle", .room = 1, .wake_fd = -1, .idle = true, .run = task_run};
    struct task task = {run, argument};
    struct ps_err err = {0};
    struct ps_helper *helper = ps_helper_create(&settings, &err);
    if (helper == NULL) {
        run(argument); /* no thread available: run it here, because not loading would be worse */
        return;
    }
    (void)ps_helper_ask(helper, &task);
    do {
        if (attempt != NULL)
            ps_rules_attempt_say(attempt);
    } while (ps_helper_wait(helper, attempt != NULL ? SAY_MS : PS_THREAD_PATIENT) == NULL);
    (void)ps_helper_destroy(helper, PS_THREAD_PATIENT);
}

static void attempt_task(void *attempt)
{
    ps_rules_attempt_run(attempt);
}

static void version_task(void *version)
{
    ps_rules_version_destroy(version);
}

bool ps_rules_live_is_overtaken(struct ps_rules_live *live)
{
    requests_take(live);
    if (ps_rules_watch_touched(live->watch))
        note_change(live);
    return live->stop || ps_rules_pace_is_overtaken(&live->pace);
}

/* ---- publishing ---- */

static bool is_held(const struct ps_rules_live *live, const struct ps_rules_version *version)
{
    bool held = false;
    for (unsigned i = 0; i < live->options.set.instances; i++)
        held |= __atomic_load_n(&live->instances[i].held, __ATOMIC_RELAXED) == version;
    return held;
}

/* Waits until no worker holds the old version: a worker that has to finish a lease keeps the version with which it
 * began. Then waits one more grace period, because a worker that has just released the old version used it after
 * the previous grace period. */
static void wait_released(struct ps_rules_live *live, const struct ps_rules_version *old)
{
    while (!live->stop && is_held(live, old)) { /* `stop` is set after all workers have stopped */
        struct pollfd wish = {.fd = live->wake_fd, .events = POLLIN};
        if (poll(&wish, 1, 1) > 0)
            requests_take(live);
    }
    (void)ps_swap_replace(&live->swap, live->version);
}

static void publish(struct ps_rules_live *live, const struct ps_rules_attempt *attempt)
{
    struct ps_rules_version *old = live->version;
    pthread_mutex_lock(&live->lock);
    live->version = attempt->version;
    live->retiring = old;
    pthread_mutex_unlock(&live->lock);
    (void)ps_swap_replace(&live->swap, attempt->version);
    ps_rules_live_note(live, attempt);
    wait_released(live, old);
    pthread_mutex_lock(&live->lock);
    ps_rules_version_count(old, &live->past);
    live->retiring = NULL;
    pthread_mutex_unlock(&live->lock);
    idle_run(version_task, old, NULL);
}

/* ---- reloading ---- */

/* Returns the last attempt, which may have failed. */
static const struct ps_rules_attempt *latest(const struct ps_rules_live *live)
{
    return live->bad.arena != NULL ? &live->bad : &live->good;
}

/* Returns true when there is nothing to do: the files are those of the current rules, or were refused
 * before. */
static bool nothing_new(struct ps_rules_live *live, bool wanted)
{
    if (ps_rules_attempt_is_current(&live->good)) {
        if (wanted || live->bad.arena != NULL)
            ps_log(PS_LOG_INFO, live->options.component, "%s: its rules are active", live->options.file);
        ps_rules_attempt_fini(&live->bad);
        ps_rules_live_forgive(live);
        return true;
    }
    return !wanted && live->bad.arena != NULL && ps_rules_attempt_is_current(&live->bad);
}

/* Sets the time of the next load after a failure that may pass although the files stay the same. */
static void retry_later(struct ps_rules_live *live, uint64_t began_ns)
{
    uint64_t now_ns = ps_clock_now().mono_ns, rest_ns = RETRY_REST * (now_ns - began_ns);
    live->retry_wait_ns = ps_backoff_next(live->retry_wait_ns, RETRY_NS, RETRY_MAX_NS);
    live->retry_ns = now_ns + (rest_ns > live->retry_wait_ns ? rest_ns : live->retry_wait_ns);
}

static void take(struct ps_rules_live *live, const struct ps_rules_attempt *attempt)
{
    ps_rules_attempt_fini(&live->bad);
    if (attempt->version == NULL) {
        if (attempt->problems->passing)
            retry_later(live, attempt->began_ns);
        live->bad = *attempt;
        ps_rules_attempt_follow(&live->bad);
        ps_rules_live_note(live, &live->bad);
        return;
    }
    ps_rules_attempt_fini(&live->good);
    live->good = *attempt;
    ps_rules_attempt_follow(&live->good);
    publish(live, &live->good);
}

/* Returns true when the attempt has read the same bytes as those of the current rules, because the file was being
 * written when nothing_new looked at it. */
static bool is_the_same(const struct ps_rules_live *live, const struct ps_rules_attempt *attempt)
{
    const struct ps_rules_problems *now = attempt->problems, *good = live->good.problems;
    if (attempt->version == NULL || now->file_count != good->file_count)
        return false;
    for (size_t i = 0; i < now->file_count; i++) {
        if (now->files[i].hash != good->files[i].hash || strcmp(now->files[i].name, good->files[i].name) != 0)
            return false;
    }
    return true;
}

static void take_back(struct ps_rules_live *live, struct ps_rules_attempt *attempt)
{
    idle_run(version_task, attempt->version, NULL); /* no worker has seen it */
    ps_rules_attempt_fini(attempt);
    ps_rules_attempt_fini(&live->bad);
    ps_rules_live_forgive(live);
    ps_rules_attempt_follow(&live->good);
}

/* Returns true when files changed since they were read, because the read contents may be half of a file that
 * is being written. Returns false for files that change all the time, because their rules would never be
 * taken. */
static bool is_outdated(const struct ps_rules_live *live, const struct ps_rules_attempt *attempt)
{
    return !live->pace.patient && !ps_rules_attempt_is_current(attempt);
}

static void overtaken(struct ps_rules_live *live, struct ps_rules_attempt *attempt)
{
    if (attempt->version != NULL)
        idle_run(version_task, attempt->version, NULL); /* no worker has seen it */
    ps_rules_attempt_fini(attempt);
    pthread_mutex_lock(&live->lock);
    live->state.overtaken += !live->stop;
    pthread_mutex_unlock(&live->lock);
    ps_rules_pace_cancelled(&live->pace, ps_clock_now().mono_ns);
}

static void reload(struct ps_rules_live *live)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    bool wanted = ps_rules_pace_begin(&live->pace, now_ns);
    struct ps_rules_attempt attempt = {
        .live = live, .idle = true, .restless = live->pace.restless, .began_ns = now_ns};
    ps_rules_attempt_follow(latest(live)); /* before reading, so that no later change is missed */
    if (nothing_new(live, wanted)) {
        ps_rules_attempt_follow(latest(live));
        ps_rules_pace_done(&live->pace, true, now_ns);
        return;
    }
    idle_run(attempt_task, &attempt, &attempt);
    if (attempt.cancelled || is_outdated(live, &attempt)) {
        overtaken(live, &attempt);
        return;
    }
    if (is_the_same(live, &attempt))
        take_back(live, &attempt);
    else
        take(live, &attempt);
    /* The file may have changed while it was read, or an include before it was watched. */
    ps_rules_pace_done(&live->pace, ps_rules_attempt_is_current(latest(live)), ps_clock_now().mono_ns);
}

/* Loads, and forgets the waits when the load did not fail in a way that may pass. */
static void load_due(struct ps_rules_live *live)
{
    live->retry_ns = PS_NEVER;
    reload(live);
    if (live->retry_ns == PS_NEVER)
        live->retry_wait_ns = 0;
}

static void wait_until(const struct ps_rules_live *live, uint64_t until_ns)
{
    struct pollfd fds[] = {{.fd = live->wake_fd, .events = POLLIN},
                           {.fd = ps_rules_watch_fd(live->watch), .events = POLLIN}};
    uint64_t now_ns = ps_clock_now().mono_ns, wait_ns = until_ns > now_ns ? until_ns - now_ns : 0;
    struct timespec timeout = {.tv_sec = (time_t)(wait_ns / PS_NS_PER_S),
                               .tv_nsec = (long)(wait_ns % PS_NS_PER_S)};
    (void)ppoll(fds, PS_COUNT_OF(fds), &timeout, NULL); /* ppoll ignores a descriptor below 0 */
}

/* Looks for changes without inotify's events. Returns whether there may be some. */
static bool look(struct ps_rules_live *live)
{
    bool changed = ps_rules_watch_look(live->watch);
    return changed || (ps_rules_pace_looks(&live->pace) && !ps_rules_attempt_is_current(latest(live)));
}

void *ps_rules_live_thread(void *live_)
{
    struct ps_rules_live *live = live_;
    bool events = ps_rules_watch_fd(live->watch) >= 0;
    uint64_t look_ns = live->options.watch
                           ? 0
                           : PS_NEVER; /* the first check at once: the file may have changed since build */
    live->retry_ns = PS_NEVER;
    ps_rules_attempt_follow(&live->good);
    if (live->options.watch && !ps_rules_attempt_is_current(&live->good))
        note_change(live);
    while (!live->stop) {
        wait_until(live, ps_least(ps_least(ps_rules_pace_due_ns(&live->pace), look_ns), live->retry_ns));
        requests_take(live);
        if (ps_rules_watch_touched(live->watch))
            note_change(live);
        uint64_t now_ns = ps_clock_now().mono_ns;
        if (now_ns >= look_ns) {
            look_ns = now_ns + (events ? LOOK_NS : LOOK_ALONE_NS);
            if (look(live))
                note_change(live);
            ps_rules_live_unrest(live, now_ns);
        }
        live->pace.wanted |= now_ns >= live->retry_ns;
        if (!live->stop && now_ns >= ps_rules_pace_due_ns(&live->pace))
            load_due(live);
        if (!live->stop && live->options.settle_ms > 0)
            nanosleep(&(struct timespec){.tv_nsec = REST_NS}, NULL);
    }
    return NULL;
}
