#include "bench/suite/cpu_watch.h"

#include "bench/suite/drain.h"
#include "core/clock.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS UINT64_C(200000)
#define GAP_NS UINT64_C(200000)
#define GAPS 4096U

struct gap {
    uint64_t from_ns, to_ns;
};

struct ps_cpu_watch {
    pthread_t thread;
    int cpu, stopping; /* relaxed */
    uint64_t count;    /* gaps seen; relaxed */
    struct gap gaps[GAPS];
};

static void *run(void *argument)
{
    struct ps_cpu_watch *watch = argument;
    ps_cpu_pin(watch->cpu);
    /* without permission for either it has normal priority */
    if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 1}) != 0)
        (void)setpriority(PRIO_PROCESS, (id_t)gettid(), -20);
    uint64_t due_ns = ps_clock_now().mono_ns;
    while (!__atomic_load_n(&watch->stopping, __ATOMIC_RELAXED)) {
        due_ns += STEP_NS;
        struct timespec until = {(time_t)(due_ns / PS_NS_PER_S), (long)(due_ns % PS_NS_PER_S)};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        uint64_t now_ns = ps_clock_now().mono_ns;
        if (now_ns < due_ns + GAP_NS)
            continue;
        watch->gaps[watch->count % GAPS] = (struct gap){due_ns, now_ns};
        __atomic_store_n(&watch->count, watch->count + 1, __ATOMIC_RELAXED);
        due_ns = now_ns;
    }
    return NULL;
}

struct ps_cpu_watch *ps_cpu_watch_start(int cpu)
{
    struct ps_cpu_watch *watch = ps_must_alloc(1, sizeof *watch, "the watch of a CPU");
    watch->cpu = cpu;
    PS_ASSERT(pthread_create(&watch->thread, NULL, run, watch) == 0);
    return watch;
}

uint64_t ps_cpu_watch_gap_ns(const struct ps_cpu_watch *watch, uint64_t from_ns, uint64_t to_ns)
{
    uint64_t count = __atomic_load_n(&watch->count, __ATOMIC_RELAXED), sum = 0;
    for (uint64_t i = count > GAPS ? count - GAPS : 0; i < count; i++) {
        struct gap gap = watch->gaps[i % GAPS];
        uint64_t from = gap.from_ns > from_ns ? gap.from_ns : from_ns;
        uint64_t to = gap.to_ns < to_ns ? gap.to_ns : to_ns;
        sum += to > from ? to - from : 0;
    }
    return sum;
}

void ps_cpu_watch_stop(struct ps_cpu_watch *watch)
{
    __atomic_store_n(&watch->stopping, 1, __ATOMIC_RELAXED);
    pthread_join(watch->thread, NULL);
    free(watch);
}
