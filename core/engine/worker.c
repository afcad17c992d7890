#include "core/engine/worker.h"
#include "rings/swap.h"
#include "core/engine/worker_internal.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <urcu-qsbr.h>

#include "rings/tsan.h"

#define HOME_PER_CYCLE 1024U /* maximum number of leases from the inbox that are released in one cycle */
#define SPIN_PINNED_CYCLES 2000U
#define SPIN_SHARED_CYCLES 2U
#define PARK_MAX_NS PS_NS_PER_S

static void stat_set(uint64_t *value, uint64_t to)
{
    __atomic_store_n(value, to, __ATOMIC_RELAXED);
}

static void stat_add(uint64_t *value, uint64_t amount)
{
    __atomic_store_n(value, *value + amount, __ATOMIC_RELAXED);
}

struct ps_worker *ps_worker_create(struct ps_engine *engine, uint16_t id, struct ps_pool *pool,
                                   const struct ps_engine_settings *settings, struct ps_err *err)
{
    bool simulated = settings->simulated;
    struct ps_worker *worker = ps_must_alloc_aligned(sizeof *worker, "a worker");
    worker->engine = engine;
    worker->id = id;
    worker->pool = pool;
    worker->simulated = simulated;
    worker->park_max_ns = settings->park_max_ns > 0 ? settings->park_max_ns : PARK_MAX_NS;
    worker->cpu = -1;
    worker->home_last = &worker->home_first;
    worker->phase = PS_PHASE_CLOSE;
    /* the worker does not count as stuck before its first cycle */
    worker->stats.heartbeat_ns = ps_clock_now().mono_ns;
    worker->epoll_fd = -1;
    struct epoll_event event = {.events = EPOLLIN};
    if (!ps_park_init(&worker->park) ||
        (!simulated && (worker->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) < 0)) {
        ps_err_set(err, "cannot create the descriptors of worker %u: %s; raise the limit of open files", id,
                   strerror(errno));
    } else if (!simulated && epoll_ctl(worker->epoll_fd, EPOLL_CTL_ADD, worker->park.event_fd, &event) != 0) {
        ps_err_set(err, "worker %u cannot watch its wake-up descriptor: %s", id, strerror(errno));
    } else {
        return worker;
    }
    ps_worker_destroy(worker);
    return NULL;
}

void ps_worker_destroy(struct ps_worker *worker)
{
    if (worker == NULL)
        return;
    ps_worker_exchange_runners(worker, NULL);
    if (worker->epoll_fd >= 0)
        close(worker->epoll_fd);
    ps_park_fini(&worker->park);
    free(worker);
}

/* ---- what runners use ---- */

struct ps_pool *ps_worker_pool(struct ps_worker *worker)
{
    return worker->pool;
}

struct ps_dead_letters *ps_worker_letters(const struct ps_worker *worker)
{
    return ps_engine_letters(worker->engine);
}

int ps_worker_wake_fd(const struct ps_worker *worker)
{
    return worker->simulated ? -1 : worker->park.event_fd;
}

int ps_worker_epoll_fd(const struct ps_worker *worker)
{
    return worker->epoll_fd;
}

bool ps_worker_is_simulated(const struct ps_worker *worker)
{
    return worker->simulated;
}

const struct ps_now *ps_worker_now(const struct ps_worker *worker)
{
    return &worker->now;
}

void ps_worker_touch(struct ps_worker *worker, uint64_t others)
{
    worker->touched |= others;
}

unsigned ps_worker_id(const struct ps_worker *worker)
{
    return worker->id;
}

void ps_worker_enter(struct ps_worker *worker, const char *component)
{
    __atomic_store_n(&worker->stats.doing, component, __ATOMIC_RELAXED);
}

void ps_worker_count_memory_wait(struct ps_worker *worker)
{
    stat_add(&worker->stats.memory_waits, 1);
}

void ps_worker_send_home(struct ps_worker *worker, struct ps_lease **lease)
{
    struct ps_lease *going = *lease;
    unsigned home = ps_batch_worker(going->batch);
    *lease = NULL;
    if (home == worker->id) {
        going->next = NULL;
        *worker->home_last = going;
        worker->home_last = &going->next;
        return;
    }
    ps_inbox_put(&ps_engine_worker(worker->engine, home)->inbox, &going->homeward);
    ps_worker_touch(worker, UINT64_C(1) << home);
}

/* ---- the duty cycle ---- */

/* Takes the leases of the inbox only when all leases taken before are released: otherwise an old lease could wait for
 * ever while newer ones are released. */
bool ps_worker_cycle_home(struct ps_worker *worker)
{
    uint64_t count = 0;
    struct ps_lease *lease = worker->home_first;
    worker->home_first = NULL;
    worker->home_last = &worker->home_first;
    while (lease != NULL) {
        struct ps_lease *next = lease->next;
        ps_window_release(lease);
        lease = next;
        count++;
    }
    if (worker->arrived == NULL)
        worker->arrived = ps_inbox_take(&worker->inbox);
    for (unsigned i = 0; i < HOME_PER_CYCLE && worker->arrived != NULL; i++) {
        lease = ps_lease_homeward(worker->arrived);
        worker->arrived = worker->arrived->next;
        ps_window_release(lease);
        count++;
    }
    if (count > 0)
        stat_add(&worker->stats.home_leases, count);
    return count > 0;
}

static void wake_touched(struct ps_worker *worker)
{
    worker->touched &= ~(UINT64_C(1) << worker->id);
    while (worker->touched != 0) {
        unsigned other = (unsigned)__builtin_ctzll(worker->touched);
        worker->touched &= worker->touched - 1;
        if (ps_park_wake(&ps_engine_worker(worker->engine, other)->park))
            stat_add(&worker->stats.wakes, 1);
    }
}

static void pin(const struct ps_worker *worker)
{
    cpu_set_t set;
    if (worker->cpu < 0 || worker->simulated)
        return;
    CPU_ZERO(&set);
    CPU_SET((unsigned)worker->cpu, &set);
    if (pthread_setaffinity_np(pthread_self(), sizeof set, &set) != 0)
        ps_log(PS_LOG_WARN, "agent", "worker %u cannot be pinned to CPU %d", worker->id, worker->cpu);
}

/* Restores the mask that the process was given (taskset, CPUAffinity of systemd, cpusets). */
static void unpin(const struct ps_worker *worker)
{
    if (worker->cpu < 0 || worker->simulated || CPU_COUNT(&worker->inherited) == 0)
        return;
    pthread_setaffinity_np(pthread_self(), sizeof worker->inherited, &worker->inherited);
}

/* Runs one turn of a source. */
static bool turn_source(struct ps_worker *worker, struct ps_source_runner *source)
{
    ps_worker_enter(worker, source->base.spec->component);
    return ps_source_runner_cycle(source, &worker->now);
}

static bool turn_sink(struct ps_worker *worker, struct ps_sink_runner *sink, bool draining)
{
    ps_worker_enter(worker, sink->base.spec->component);
    return ps_sink_runner_cycle(sink, draining, &worker->now);
}

static void rest_sink(struct ps_worker *worker, struct ps_sink_runner *sink)
{
    ps_worker_enter(worker, sink->base.spec->component);
    ps_sink_runner_rest(sink, &worker->now);
    if (worker->phase != PS_PHASE_CLOSE) /* in CLOSE, control strips the channel of the dead letters */
        (void)ps_dead_letter_channel_cycle(sink->base.letters, false, &sink->base.deadline_ns, &worker->now);
}

/* A worker opens its stages unpinned: opening may block a little, and threads of libraries inherit the
 * affinity. */
static void open_all(struct ps_worker *worker)
{
    unpin(worker);
    for (size_t i = 0; i < worker->sink_count; i++)
        turn_sink(worker, worker->sinks[i], false);
    for (size_t i = 0; i < worker->source_count; i++) {
        ps_source_runner_tick_channels(worker->sources[i], &worker->now);
        turn_source(worker, worker->sources[i]);
    }
    pin(worker);
    worker->opened_once = true;
}

static bool runs(const struct ps_worker *worker)
{
    return (worker->phase == PS_PHASE_RUN && worker->opened_once) || worker->phase == PS_PHASE_PAUSE ||
           worker->phase == PS_PHASE_DRAIN;
}

/* Runs one turn of a sink. A sink that stays ignores the orders until CLOSE. */
static bool cycle_sink(struct ps_worker *worker, struct ps_sink_runner *sink)
{
    bool stays = ps_worker_adopts_sink(worker, sink);
    if (!stays && !runs(worker))
        return false;
    if (stays ? worker->phase == PS_PHASE_CLOSE : ps_worker_sink_rests(worker, sink)) {
        rest_sink(worker, sink);
        return false;
    }
    return turn_sink(worker, sink, !stays && worker->phase != PS_PHASE_RUN);
}

/* Runs one turn of a source. A source that stays continues to read, or pauses. */
static bool cycle_source(struct ps_worker *worker, struct ps_source_runner *source)
{
    bool stays = ps_worker_adopts(worker, source);
    if (stays ? ps_worker_reads_on(worker, source) : runs(worker))
        return turn_source(worker, source);
    if (stays && worker->next != NULL)
        ps_source_runner_pause(source, worker->phase != PS_PHASE_CLOSE, &worker->now);
    return false;
}

static bool cycle_runners(struct ps_worker *worker)
{
    bool moved = false;
    for (size_t i = 0; (runs(worker) || worker->next != NULL) && i < worker->source_count; i++)
        moved |= cycle_source(worker, worker->sources[i]);
    wake_touched(worker);
    for (size_t i = 0; (runs(worker) || worker->next != NULL) && i < worker->sink_count; i++)
        moved |= cycle_sink(worker, worker->sinks[i]);
    return moved;
}

bool ps_worker_cycle(struct ps_worker *worker, const struct ps_now *now)
{
    worker->now = *now;
    stat_add(&worker->stats.cycles, 1);
    stat_set(&worker->stats.heartbeat_ns, now->mono_ns);
    ps_worker_take_orders(worker);
    if (PS_UNLIKELY(!worker->opened_once && worker->phase == PS_PHASE_RUN))
        open_all(worker);
    bool moved = ps_worker_cycle_home(worker);
    moved |= cycle_runners(worker);
    ps_worker_enter(worker, NULL);
    if (PS_UNLIKELY(ps_mark_own(&worker->done) != worker->orders_number) && ps_worker_orders_done(worker))
        ps_mark_move(&worker->done, worker->orders_number);
    wake_touched(worker);
    return moved || worker->home_first != NULL;
}

uint64_t ps_worker_deadline_ns(const struct ps_worker *worker)
{
    uint64_t deadline_ns = worker->now.mono_ns + worker->park_max_ns;
    bool running = runs(worker);
    if (ps_mark_own(&worker->done) != worker->orders_number)
        deadline_ns = worker->now.mono_ns + PS_NS_PER_MS;
    for (size_t i = 0; i < worker->source_count; i++) {
        uint64_t due_ns = worker->sources[i]->base.deadline_ns;
        if (due_ns < deadline_ns && (running || ps_worker_adopts(worker, worker->sources[i])))
            deadline_ns = due_ns;
    }
    for (size_t i = 0; i < worker->sink_count; i++) {
        uint64_t due_ns = worker->sinks[i]->base.deadline_ns;
        if (due_ns < deadline_ns && (running || ps_worker_adopts_sink(worker, worker->sinks[i])))
            deadline_ns = due_ns;
    }
    return deadline_ns;
}

/* Joins the waiters of all runners. Returns whether the worker must look again before it sleeps. */
static bool join_waiters(struct ps_worker *worker)
{
    bool joined = false, running = runs(worker), recalls = worker->phase == PS_PHASE_RECALL;
    for (size_t i = 0; i < worker->source_count; i++) {
        if (running || ps_worker_reads_on(worker, worker->sources[i]))
            joined |= ps_source_runner_join(worker->sources[i]);
    }
    for (size_t i = 0; i < worker->sink_count; i++) {
        if (running || (recalls && ps_worker_adopts_sink(worker, worker->sinks[i])))
            joined |= ps_sink_runner_join(worker->sinks[i]);
    }
    return joined;
}

bool ps_worker_park(struct ps_worker *worker, const struct ps_now *now)
{
    (void)join_waiters(worker);
    ps_park_announce(&worker->park);
    return !ps_worker_cycle(worker, now) && !join_waiters(worker);
}

void ps_worker_unpark(struct ps_worker *worker)
{
    for (size_t i = 0; i < worker->source_count; i++)
        ps_source_runner_leave(worker->sources[i]);
    for (size_t i = 0; i < worker->sink_count; i++)
        ps_sink_runner_leave(worker->sinks[i]);
    ps_park_cancel(&worker->park);
}

bool ps_worker_is_parked(const struct ps_worker *worker)
{
    return ps_park_is_parked(&worker->park);
}

/* In the RECALL and CLOSE of a stop no component reads its descriptors: one that is readable would wake the worker again and again. */
static void wait_for_events(struct ps_worker *worker, const struct timespec *timeout)
{
    struct epoll_event events[8];
    if (!runs(worker) && worker->next == NULL)
        ppoll(&(struct pollfd){.fd = worker->park.event_fd, .events = POLLIN}, 1, timeout, NULL);
    else if (epoll_pwait2(worker->epoll_fd, events, PS_COUNT_OF(events), timeout, NULL) < 0 &&
             errno == ENOSYS)
        epoll_wait(worker->epoll_fd, events, PS_COUNT_OF(events),
                   (int)(timeout->tv_sec * 1000 + timeout->tv_nsec / 1000000) + 1); /* Linux before 5.11 */
}

/* Sleeps. The thread is offline for RCU while it waits. */
static void worker_sleep(struct ps_worker *worker)
{
    struct ps_now now = ps_clock_now();
    if (ps_worker_park(worker, &now) && !__atomic_load_n(&worker->exit_wanted, __ATOMIC_RELAXED)) {
        uint64_t deadline_ns = ps_worker_deadline_ns(worker);
        uint64_t wait_ns = deadline_ns > now.mono_ns ? deadline_ns - now.mono_ns : 0;
        struct timespec timeout = {.tv_sec = (time_t)(wait_ns / PS_NS_PER_S),
                                   .tv_nsec = (long)(wait_ns % PS_NS_PER_S)};
        stat_add(&worker->stats.parked_count, 1);
        __atomic_store_n(&worker->stats.parked, 1, __ATOMIC_RELAXED);
        PS_TSAN_RELEASE(&ps_swap_grace);
        urcu_qsbr_thread_offline();
        wait_for_events(worker, &timeout);
        urcu_qsbr_thread_online();
        __atomic_store_n(&worker->stats.parked, 0, __ATOMIC_RELAXED);
    }
    ps_worker_unpark(worker);
}

void ps_worker_run(struct ps_worker *worker)
{
    urcu_qsbr_register_thread();
    if (pthread_getaffinity_np(pthread_self(), sizeof worker->inherited, &worker->inherited) != 0)
        CPU_ZERO(&worker->inherited);
    unsigned idle = 0;
    unsigned spin = worker->idle == PS_IDLE_SPIN   ? UINT32_MAX
                    : worker->idle == PS_IDLE_PARK ? 0
                    : worker->cpu >= 0             ? SPIN_PINNED_CYCLES
                                                   : SPIN_SHARED_CYCLES;
    while (!__atomic_load_n(&worker->exit_wanted, __ATOMIC_RELAXED)) {
        struct ps_now now = ps_clock_now();
        bool moved = ps_worker_cycle(worker, &now);
        PS_TSAN_RELEASE(&ps_swap_grace);
        urcu_qsbr_quiescent_state();
        if (moved) {
            uint64_t took_ns = ps_clock_now().mono_ns - now.mono_ns;
            stat_add(&worker->stats.busy_cycles, 1);
            stat_add(&worker->stats.busy_ns, took_ns);
            if (took_ns > worker->stats.cycle_max_ns)
                stat_set(&worker->stats.cycle_max_ns, took_ns);
            if (PS_UNLIKELY(took_ns > PS_SLOW_CYCLE_NS))
                stat_add(&worker->stats.slow_cycles, 1);
            idle = 0;
        } else if (idle++ >= spin && worker->idle != PS_IDLE_SPIN) {
            worker_sleep(worker);
            idle = 0;
        }
    }
    urcu_qsbr_unregister_thread();
}

/* ---- for the control thread ---- */

void ps_worker_wake(struct ps_worker *worker)
{
    ps_park_wake(&worker->park);
}

uint64_t ps_worker_done_number(const struct ps_worker *worker)
{
    return ps_mark_read(&worker->done);
}

uint64_t ps_worker_taken_number(const struct ps_worker *worker)
{
    return ps_mark_read(&worker->taken);
}

struct ps_lease *ps_worker_take_left(struct ps_worker *worker)
{
    struct ps_lease *left = worker->left;
    worker->left = NULL;
    return left;
}

const struct ps_worker_stats *ps_worker_stats(const struct ps_worker *worker)
{
    return &worker->stats;
}

void ps_worker_set_cpu(struct ps_worker *worker, int cpu, enum ps_idle idle)
{
    worker->cpu = cpu;
    worker->idle = idle;
}

int ps_worker_cpu(const struct ps_worker *worker)
{
    return worker->cpu;
}

struct ps_source_runner **ps_worker_sources(struct ps_worker *worker, size_t *count)
{
    *count = ps_mark_read(&worker->sources_seen);
    return worker->sources;
}

struct ps_sink_runner **ps_worker_sinks(struct ps_worker *worker, size_t *count)
{
    *count = ps_mark_read(&worker->sinks_seen);
    return worker->sinks;
}

void ps_worker_stop(struct ps_worker *worker)
{
    __atomic_store_n(&worker->exit_wanted, 1, __ATOMIC_RELAXED);
    uint64_t one = 1;
    ssize_t ignored = write(worker->park.event_fd, &one, sizeof one);
    (void)ignored;
}
