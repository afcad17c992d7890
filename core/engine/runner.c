#include "core/engine/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/engine/worker.h"
#include "core/quantity.h"
#include "core/stage_call.h"

static void runner_home(struct ps_port *port, struct ps_lease **lease)
{
    ps_worker_send_home(port->runner->worker, lease);
}

static void runner_failed(struct ps_port *port, const struct ps_err *reason);
static void runner_halted(struct ps_port *port, const char *reason);

void ps_runner_init(struct ps_runner *runner, struct ps_worker *worker, const struct ps_stage_spec *spec,
                    unsigned instance, unsigned instances)
{
    runner->worker = worker;
    runner->spec = spec;
    runner->instance = instance;
    runner->deadline_ns = PS_NEVER;
    runner->state = ps_must_alloc(1, spec->ops->state_size, spec->component);
    runner->counters = ps_must_alloc_aligned(sizeof *runner->counters, spec->component);
    runner->tap = ps_tap_create();
    pthread_mutex_init(&runner->lock, NULL);
    runner->port = (struct ps_port){
        .component = spec->component,
        .name = spec->name,
        .counters = runner->counters,
        .instance = instance,
        .instances = instances,
        .epoll_fd = -1,
        .worker_epoll_fd = ps_worker_epoll_fd(worker),
        .wake_fd = ps_worker_wake_fd(worker),
        .blocks = ps_pool_cache(ps_worker_pool(worker)),
        .pool = ps_worker_pool(worker),
        .runner = runner,
        .home = runner_home,
        .failed = runner_failed,
        .halted = runner_halted,
        .lacks = ps_runner_lacks,
    };
}

void ps_runner_fini(struct ps_runner *runner)
{
    ps_dead_letter_queue_close(runner->port.dead_letter_queue);
    ps_dead_letter_channel_destroy(runner->letters);
    free(runner->state);
    free(runner->counters);
    ps_tap_destroy(runner->tap);
    pthread_mutex_destroy(&runner->lock);
}

void ps_runner_set_error(struct ps_runner *runner, const char *text)
{
    pthread_mutex_lock(&runner->lock);
    snprintf(runner->error, sizeof runner->error, "%.*s", (int)sizeof runner->error - 1, text);
    pthread_mutex_unlock(&runner->lock);
}

void ps_runner_note_trouble(struct ps_runner *runner, int64_t wall_ms)
{
    if (runner->since_ms == 0)
        __atomic_store_n(&runner->since_ms, wall_ms, __ATOMIC_RELAXED);
}

void ps_runner_forget_lack(struct ps_runner *runner)
{
    if (runner->keeps_lack)
        return;
    runner->port.lack = PS_LACK_NONE;
    runner->lacking = (struct ps_log_backoff){.tries = 0};
    __atomic_store_n(&runner->lack, PS_LACK_NONE, __ATOMIC_RELAXED);
}

static bool runner_wants_epoll(const struct ps_runner *runner)
{
    const struct ps_stage_ops *ops = runner->spec->ops;
    return !ps_worker_is_simulated(runner->worker) &&
           (ops->kind == PS_KIND_SOURCE || (ops->kind == PS_KIND_SINK && ops->sink->sockets));
}

/* Makes the stage's epoll and adds it to the worker's. The worker watches the epoll of a sink until the sink is
 * recalled, and the epoll of a source only while the source reads. */
static enum ps_status runner_open_epoll(struct ps_runner *runner, struct ps_err *err)
{
    runner->watched = runner->spec->ops->kind == PS_KIND_SINK;
    struct epoll_event event = {.events = runner->watched ? EPOLLIN : 0};
    runner->port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (runner->port.epoll_fd < 0)
        return ps_err_set(
            err,
            "cannot create an epoll descriptor: %s; raise the limit of open files (LimitNOFILE, ulimit -n)",
            strerror(errno));
    if (epoll_ctl(ps_worker_epoll_fd(runner->worker), EPOLL_CTL_ADD, runner->port.epoll_fd, &event) != 0)
        return ps_err_set(err, "cannot watch the epoll descriptor: %s (fs.epoll.max_user_watches)",
                          strerror(errno));
    return PS_OK;
}

static enum ps_status runner_open_stage(struct ps_runner *runner, struct ps_err *err)
{
    const struct ps_stage_ops *ops = runner->spec->ops;
    memset(runner->state, 0, ops->state_size);
    if (runner_wants_epoll(runner) && runner_open_epoll(runner, err) != PS_OK)
        return PS_FAIL;
    return ps_stage_open(ops, runner->spec->plan, runner->state, &runner->port, err);
}

static void runner_set_status(struct ps_runner *runner, enum ps_runner_state status)
{
    __atomic_store_n(&runner->status, status, __ATOMIC_RELAXED);
}

/* a failure more than this time after the previous one begins a new outage */
#define OUTAGE_NS (20 * PS_NS_PER_S)

/* Logs one line for an outage: other tries with the same reason are logged at DEBUG, except those of
 * ps_log_backoff_says. */
static void log_failure(struct ps_runner *runner, const char *component, const char *reason, const char *text)
{
    char tries[PS_LOG_BACKOFF_BYTES];
    uint64_t now_ns = ps_worker_now(runner->worker)->mono_ns;
    bool says = ps_log_backoff_says_outage(&runner->failure, reason, now_ns, OUTAGE_NS);
    says = says && !runner->group_logs;
    runner->failure_said |= says;
    ps_log(says ? PS_LOG_ERROR : PS_LOG_DEBUG, component, "%s; retrying every 3 s%s", text,
           ps_log_backoff_text(&runner->failure, now_ns, tries));
}

/* `component`: the stage itself, or a link of its chain. */
static void runner_note_failure(struct ps_runner *runner, const char *component, const struct ps_err *err)
{
    struct ps_err joined = *err, reason = {0};
    const char *text = ps_err_join(&joined);
    bool own = strcmp(component, runner->spec->component) == 0;
    ps_err_set(&reason, "%s%s%s", own ? "" : component, own ? "" : ": ", text);
    ps_runner_set_error(runner, reason.text);
    ps_runner_note_trouble(runner, ps_worker_now(runner->worker)->wall_ms);
    ps_count(runner->counters, PS_COUNTER_failures, 1);
    log_failure(runner, component, reason.text, text);
}

static void runner_rest(struct ps_runner *runner, const struct ps_now *now, uint64_t rest_ns)
{
    runner_set_status(runner, PS_RUNNER_FAILED);
    runner->retry_ns = runner->deadline_ns = now->mono_ns + rest_ns;
}

void ps_runner_fail(struct ps_runner *runner, const struct ps_stage_spec *failed, const struct ps_err *err,
                    const struct ps_now *now)
{
    runner_note_failure(runner, failed->component, err);
    runner_rest(runner, now, PS_OPEN_RETRY_NS);
}

/* Only notes the failure, because the stage calls this inside one of its own functions: the engine closes the stage in
 * the next cycle. */
static void runner_failed(struct ps_port *port, const struct ps_err *reason)
{
    struct ps_runner *runner = port->runner;
    if (runner->status != PS_RUNNER_OPEN)
        return;
    if (port->planned) {
        ps_log(PS_LOG_INFO, port->component, "%s; the agent opens the component again", reason->text);
        ps_runner_set_error(runner, reason->text);
    } else {
        runner_note_failure(runner, port->component, reason);
    }
    runner_set_status(runner, PS_RUNNER_ENDING);
}

void ps_runner_restart(struct ps_runner *runner)
{
    runner->port.planned = true;
    runner_set_status(runner, PS_RUNNER_ENDING);
}

static void runner_halted(struct ps_port *port, const char *reason)
{
    ps_runner_set_error(port->runner, reason);
    ps_runner_note_trouble(port->runner, ps_worker_now(port->runner->worker)->wall_ms);
    __atomic_store_n(&port->runner->halted, true, __ATOMIC_RELAXED);
}

static void watch_failed(struct ps_runner *runner)
{
    struct ps_err err = {0};
    ps_err_set(&err, "cannot watch the epoll descriptor: %s", strerror(errno));
    ps_port_failed(&runner->port, &err);
}

/* Called at every cycle, so the struct ps_err, which is large, is on the stack of watch_failed only. */
void ps_runner_watch(struct ps_runner *runner, bool watch)
{
    if (PS_LIKELY(runner->watched == watch || runner->port.epoll_fd < 0))
        return;
    struct epoll_event event = {.events = watch ? EPOLLIN : 0};
    if (epoll_ctl(ps_worker_epoll_fd(runner->worker), EPOLL_CTL_MOD, runner->port.epoll_fd, &event) == 0)
        runner->watched = watch;
    else
        watch_failed(runner);
}

static void runner_close_epoll(struct ps_runner *runner)
{
    if (runner->port.epoll_fd >= 0)
        close(runner->port.epoll_fd);
    runner->port.epoll_fd = -1;
    runner->watched = false;
}

void ps_runner_set_letters(struct ps_runner *runner, struct ps_plan *plan, const char *deadletter,
                           const struct ps_dead_letter_target *target)
{
    runner->letters_agent = plan->spec->name;
    runner->letters_directory = target->is_channel ? NULL : deadletter;
    runner->letters = ps_dead_letter_channel_create(runner, plan, target);
    if (runner->letters != NULL)
        runner->port.dead_letter_queue = ps_dead_letter_channel_queue(runner->letters);
}

bool ps_runner_open_dead_letter_queue(struct ps_runner *runner, const struct ps_now *now)
{
    struct ps_err err = {0};
    if (runner->letters_directory == NULL || runner->port.dead_letter_queue != NULL)
        return true;
    runner->port.dead_letter_queue =
        ps_dead_letter_queue_open(ps_worker_letters(runner->worker), runner->letters_directory,
                                  runner->letters_agent, runner->port.wake_fd, &err);
    if (runner->port.dead_letter_queue != NULL)
        return true;
    ps_runner_fail(runner, runner->spec, &err, now);
    return false;
}

/* Says that it is over, if the log has had a failure since this was said last: a stage that is opened and fails again and again has one
 * line of each for an outage. */
static void log_end_of_failures(struct ps_runner *runner, const struct ps_now *now)
{
    bool said = runner->failure_said;
    runner->failure_said = false;
    if (!said || runner->since_ms == 0 || runner->lack != PS_LACK_NONE)
        return;
    uint64_t ms = now->wall_ms > runner->since_ms ? (uint64_t)(now->wall_ms - runner->since_ms) : 0;
    ps_log(PS_LOG_INFO, runner->spec->component, "is open again, after %s",
           ps_quantity_print_ns(ms * PS_NS_PER_MS).text);
}

/* On failure nothing stays open: the stage has undone what its `open` did. */
static bool runner_try_open(struct ps_runner *runner, const struct ps_now *now)
{
    struct ps_err err = {0};
    if (!ps_runner_open_dead_letter_queue(runner, now))
        return false;
    __atomic_store_n(&runner->halted, false, __ATOMIC_RELAXED);
    ps_runner_forget_lack(runner);
    if (runner_open_stage(runner, &err) == PS_OK) {
        log_end_of_failures(runner, now);
        if (runner->lack == PS_LACK_NONE) { /* else `open` has reported it, with its reason, or it is kept */
            ps_runner_set_error(runner, "");
            __atomic_store_n(&runner->since_ms, 0, __ATOMIC_RELAXED);
        }
        __atomic_store_n(&runner->start_ms, now->wall_ms, __ATOMIC_RELAXED);
        __atomic_store_n(&runner->stop_ms, 0, __ATOMIC_RELAXED);
        runner_set_status(runner, PS_RUNNER_OPEN);
        runner->deadline_ns = now->mono_ns;
        return true;
    }
    runner_close_epoll(runner);
    ps_runner_fail(runner, runner->spec, &err, now);
    return false;
}

bool ps_runner_may_open(const struct ps_runner *runner, const struct ps_now *now)
{
    return runner->status != PS_RUNNER_FAILED || now->mono_ns >= runner->retry_ns;
}

bool ps_runner_open(struct ps_runner *runner, const struct ps_now *now)
{
    if (PS_LIKELY(runner->status == PS_RUNNER_OPEN))
        return true;
    return ps_runner_may_open(runner, now) && runner_try_open(runner, now);
}

void ps_runner_note(struct ps_runner *runner, const struct ps_runner_look *look)
{
    struct ps_runner_look *to = &runner->look;
    __atomic_store_n(&to->held, look->held, __ATOMIC_RELAXED);
    __atomic_store_n(&to->open_events, look->open_events, __ATOMIC_RELAXED);
    __atomic_store_n(&to->rests_until_ns, look->rests_until_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&to->waits_since_ns, look->waits_since_ns, __ATOMIC_RELAXED);
    __atomic_store_n(&to->waits_for, look->waits_for, __ATOMIC_RELAXED);
}

void ps_source_runner_note(struct ps_source_runner *runner)
{
    enum ps_metrics_wait waits_for = PS_METRICS_WAITS_NOT;
    if (runner->chain.lease != NULL && !runner->chain.routed)
        waits_for = PS_METRICS_WAITS_FOR_CHAIN;
    else if (runner->waiting)
        waits_for = runner->chain.lease != NULL || runner->inherited != NULL ? PS_METRICS_WAITS_FOR_CHANNEL
                                                                             : PS_METRICS_WAITS_FOR_MEMORY;
    ps_runner_note(&runner->base, &(struct ps_runner_look){
                                      .held = ps_window_outstanding(runner->window),
                                      .open_events = runner->batch != NULL ? runner->batch->count : 0,
                                      .rests_until_ns = runner->backoff_until_ns,
                                      .waits_since_ns = runner->waiting ? runner->waiting_since_ns : 0,
                                      .waits_for = waits_for,
                                  });
}

void ps_runner_close(struct ps_runner *runner, const struct ps_now *now)
{
    const struct ps_stage_ops *ops = runner->spec->ops;
    if (ps_runner_has_stage(runner) && ops->close != NULL)
        ops->close(runner->spec->plan, runner->state);
    runner_close_epoll(runner);
    ps_runner_forget_lack(runner);
    runner->port.planned = false;
    runner_set_status(runner, PS_RUNNER_CLOSED);
    __atomic_store_n(&runner->stop_ms, now->wall_ms, __ATOMIC_RELAXED);
    runner->deadline_ns = PS_NEVER;
}

void ps_runner_end(struct ps_runner *runner, const struct ps_now *now)
{
    bool planned = runner->port.planned;
    ps_runner_close(runner, now);
    runner_rest(runner, now, planned ? 0 : PS_OPEN_RETRY_NS);
}
