#include "core/engine/runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "core/engine/worker.h"

#define OPEN_RETRY_NS (3 * PS_NS_PER_S) /* Flume's lifecycle supervisor */

static void runner_home(struct ps_port *port, struct ps_lease **lease)
{
    ps_worker_send_home(port->runner->worker, lease);
}

void ps_runner_init(struct ps_runner *runner, struct ps_worker *worker, const struct ps_stage_spec *spec,
                    unsigned instance, unsigned instances)
{
    runner->worker = worker;
    runner->spec = spec;
    runner->instance = instance;
    runner->deadline_ns = PS_NEVER;
    runner->state = calloc(1, spec->ops->state_size > 0 ? spec->ops->state_size : 1);
    runner->counters = aligned_alloc(PS_CACHE_GAP, sizeof *runner->counters);
    runner->tap = ps_tap_create();
    PS_ASSERT(runner->state != NULL && runner->counters != NULL && runner->tap != NULL);
    memset(runner->counters, 0, sizeof *runner->counters);
    pthread_mutex_init(&runner->lock, NULL);
    runner->port = (struct ps_port){
        .component = spec->component,
        .name = spec->name,
        .counters = runner->counters,
        .instance = instance,
        .instances = instances,
        .epoll_fd = -1,
        .wake_fd = ps_worker_wake_fd(worker),
        .blocks = ps_pool_cache(ps_worker_pool(worker)),
        .runner = runner,
        .home = runner_home,
    };
}

void ps_runner_fini(struct ps_runner *runner)
{
    free(runner->state);
    free(runner->counters);
    ps_tap_destroy(runner->tap);
    pthread_mutex_destroy(&runner->lock);
}

static void runner_set_error(struct ps_runner *runner, const char *text)
{
    pthread_mutex_lock(&runner->lock);
    snprintf(runner->error, sizeof runner->error, "%.*s", (int)sizeof runner->error - 1, text);
    pthread_mutex_unlock(&runner->lock);
}

/* On failure nothing stays open: the stage undid its own part. */
static bool runner_try_open(struct ps_runner *runner, const struct ps_now *now)
{
    const struct ps_stage_ops *ops = runner->spec->ops;
    struct ps_err err = {0};
    memset(runner->state, 0, ops->state_size);
    if (ops->kind == PS_KIND_SOURCE && !ps_worker_is_simulated(runner->worker)) {
        runner->port.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (runner->port.epoll_fd < 0)
            ps_err_set(&err,
                       "no epoll descriptor: %s; raise the limit of open files (LimitNOFILE, ulimit -n)",
                       strerror(errno));
    }
    bool ready = err.length == 0;
    if (ready &&
        (ops->open == NULL || ops->open(runner->spec->plan, runner->state, &runner->port, &err) == PS_OK)) {
        runner_set_error(runner, "");
        __atomic_store_n(&runner->start_ms, now->wall_ms, __ATOMIC_RELAXED);
        __atomic_store_n(&runner->stop_ms, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&runner->status, PS_RUNNER_OPEN, __ATOMIC_RELAXED);
        runner->deadline_ns = now->mono_ns;
        return true;
    }
    if (runner->port.epoll_fd >= 0)
        close(runner->port.epoll_fd);
    runner->port.epoll_fd = -1;
    runner_set_error(runner, err.text);
    ps_log(PS_LOG_ERROR, runner->spec->component, "%s; trying again every 3 s", err.text);
    __atomic_store_n(&runner->status, PS_RUNNER_FAILED, __ATOMIC_RELAXED);
    runner->retry_ns = runner->deadline_ns = now->mono_ns + OPEN_RETRY_NS;
    return false;
}

bool ps_runner_open(struct ps_runner *runner, const struct ps_now *now)
{
    if (PS_LIKELY(runner->status == PS_RUNNER_OPEN))
        return true;
    if (runner->status == PS_RUNNER_FAILED && now->mono_ns < runner->retry_ns)
        return false;
    return runner_try_open(runner, now);
}

void ps_runner_close(struct ps_runner *runner, const struct ps_now *now)
{
    const struct ps_stage_ops *ops = runner->spec->ops;
    if (runner->status == PS_RUNNER_OPEN && ops->close != NULL)
        ops->close(runner->spec->plan, runner->state);
    if (runner->port.epoll_fd >= 0)
        close(runner->port.epoll_fd);
    runner->port.epoll_fd = -1;
    __atomic_store_n(&runner->status, PS_RUNNER_CLOSED, __ATOMIC_RELAXED);
    __atomic_store_n(&runner->stop_ms, now->wall_ms, __ATOMIC_RELAXED);
    runner->deadline_ns = PS_NEVER;
}
