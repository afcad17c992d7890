#include "core/thread.h"

#include "core/clock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JOIN_REST_NS_MIN 50000
#define JOIN_REST_NS_MAX 5000000

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool left_alone; /* a thread was left alone at some time; it may still run; under `lock` */

/* Lets the thread run on the main thread's CPUs: the main thread is never pinned, so these are the process's CPUs. */
static void set_cpus(pthread_attr_t *attributes)
{
    cpu_set_t cpus;
    if (sched_getaffinity(getpid(), sizeof cpus, &cpus) == 0)
        (void)pthread_attr_setaffinity_np(attributes, sizeof cpus, &cpus);
}

int ps_thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument), void *argument)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    PS_ASSERT(strlen(name) < 16);
    int failed = pthread_attr_init(&attributes);
    if (failed != 0)
        return failed;
    set_cpus(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(thread, &attributes, run, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed == 0)
        (void)pthread_setname_np(*thread, name);
    return failed;
}

bool ps_thread_join(pthread_t thread, uint32_t patience_ms)
{
    if (patience_ms == PS_THREAD_PATIENT)
        return pthread_join(thread, NULL) == 0;
    uint64_t until_ns = ps_clock_now().mono_ns + patience_ms * PS_NS_PER_MS;
    long rest_ns = JOIN_REST_NS_MIN;
    int failed;
    while ((failed = pthread_tryjoin_np(thread, NULL)) == EBUSY && ps_clock_now().mono_ns < until_ns) {
        nanosleep(&(struct timespec){.tv_nsec = rest_ns}, NULL);
        rest_ns = rest_ns < JOIN_REST_NS_MAX ? 2 * rest_ns : rest_ns;
    }
    if (failed == 0)
        return true;
    pthread_mutex_lock(&lock);
    left_alone = true;
    pthread_mutex_unlock(&lock);
    pthread_detach(thread);
    return false;
}

bool ps_thread_try_join(pthread_t thread)
{
    return pthread_tryjoin_np(thread, NULL) == 0;
}

bool ps_thread_some_left_alone(void)
{
    pthread_mutex_lock(&lock);
    bool some = left_alone;
    pthread_mutex_unlock(&lock);
    return some;
}

_Noreturn void ps_thread_exit_process(int code)
{
    pthread_mutex_lock(&lock);
    if (left_alone) {
        fflush(NULL);
        _exit(code);
    }
    pthread_mutex_unlock(&lock);
    exit(code);
}
