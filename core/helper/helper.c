#include "core/helper/helper.h"

#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/helper/wake_fd.h"
#include "rings/flag.h"
#include "rings/spsc.h"
#include "rings/word.h"

/* The owner and the thread share the helper; the thread frees it. */
struct ps_helper {
    struct ps_helper_settings settings;
    pthread_t thread;
    struct ps_spsc *jobs, *answers;
    /* one post for each entry of the rings `jobs` and `answers`; the last entry of `jobs` tells the thread to end */
    sem_t asked, answered;
    struct ps_flag ending;
    struct ps_mark cancelled; /* number of the last cancelled job */
    /* The job that the owner has withdrawn, and the job that the thread looks at. Each side writes its own word and
     * then reads the other's. So either the owner sees that the job has begun, or the thread sees that the job is
     * withdrawn. */
    uint64_t withdrawn, begun;
    uint64_t done;         /* number of the last job that the thread has finished; written by the thread */
    uint64_t count, taken; /* numbers of jobs asked for and taken back; written by the owner */
};

/* ---- the thread ---- */

static void helper_free(struct ps_helper *helper)
{
    ps_wake_fd_close(helper->settings.wake_fd);
    sem_destroy(&helper->asked);
    sem_destroy(&helper->answered);
    ps_spsc_destroy(helper->jobs);
    ps_spsc_destroy(helper->answers);
    free(helper);
}

/* Returns the next job; or the helper itself, which the owner pushes after all jobs when the thread must end. If the
 * thread looked only at the flag `ending`, it could free the helper while the owner still posts. */
static void *wait_for_job(struct ps_helper *helper)
{
    while (sem_wait(&helper->asked) != 0)
        PS_ASSERT(errno == EINTR);
    return ps_spsc_pop(helper->jobs);
}

static void answer(struct ps_helper *helper, void *job)
{
    const uint64_t one = 1;
    bool pushed = ps_spsc_push(helper->answers, job);
    PS_ASSERT(pushed); /* ps_helper_ask leaves room for each answer */
    sem_post(&helper->answered);
    if (helper->settings.wake_fd >= 0 && !ps_flag_get(&helper->ending))
        (void)!write(helper->settings.wake_fd, &one, sizeof one);
}

static void discard_all(struct ps_helper *helper)
{
    for (void *job; (job = ps_spsc_pop(helper->answers)) != NULL;) {
        if (helper->settings.discard != NULL)
            helper->settings.discard(helper->settings.argument, job);
    }
}

static void *helper_main(void *helper_)
{
    struct ps_helper *helper = helper_;
    if (helper->settings.idle)
        (void)sched_setscheduler(0, SCHED_IDLE, &(struct sched_param){.sched_priority = 0});
    for (void *job; (job = wait_for_job(helper)) != helper;) {
        ps_word_set(&helper->begun, (uint64_t)(uintptr_t)job);
        if (!ps_helper_is_cancelled(helper))
            helper->settings.run(helper->settings.argument, job);
        helper->done++;
        answer(helper, job);
    }
    discard_all(helper);
    if (helper->settings.end != NULL)
        helper->settings.end(helper->settings.argument);
    helper_free(helper);
    return NULL;
}

bool ps_helper_is_cancelled(const struct ps_helper *helper)
{
    return ps_flag_get(&helper->ending) || ps_mark_read(&helper->cancelled) > helper->done ||
           ps_word_get(&helper->withdrawn) == ps_word_get(&helper->begun);
}

/* ---- the owner ---- */

struct ps_helper *ps_helper_create(const struct ps_helper_settings *settings, struct ps_err *err)
{
    struct ps_helper *helper = calloc(1, sizeof *helper);
    if (helper == NULL) {
        ps_err_set(err, "no memory");
        return NULL;
    }
    helper->settings = *settings;
    helper->jobs = ps_spsc_create(settings->room + 1); /* one more, for the entry that ends the thread */
    helper->answers = ps_spsc_create(settings->room);
    sem_init(&helper->asked, 0, 0);
    sem_init(&helper->answered, 0, 0);
    if (ps_wake_fd_copy(settings->wake_fd, &helper->settings.wake_fd, err) != PS_OK) {
        helper_free(helper);
        return NULL;
    }
    int failed = ps_thread_start(&helper->thread, settings->name, helper_main, helper);
    if (failed != 0) {
        ps_err_set(err,
                   "cannot start the thread \"%s\": %s; raise the limit of processes (TasksMax, ulimit -u)",
                   settings->name, strerror(failed));
        helper_free(helper);
        return NULL;
    }
    return helper;
}

bool ps_helper_destroy(struct ps_helper *helper, uint32_t patience_ms)
{
    if (helper == NULL)
        return true;
    pthread_t thread = helper->thread;
    ps_flag_set(&helper->ending, true); /* jobs that are still in the ring are not run */
    bool pushed = ps_spsc_push(helper->jobs, helper);
    PS_ASSERT(pushed);        /* ps_helper_create has made room for it */
    sem_post(&helper->asked); /* the thread may free the helper now */
    return ps_thread_join(thread, patience_ms);
}

bool ps_helper_ask(struct ps_helper *helper, void *job)
{
    if (ps_helper_busy_count(helper) == helper->settings.room)
        return false;
    bool pushed = ps_spsc_push(helper->jobs, job);
    PS_ASSERT(pushed);
    helper->count++;
    sem_post(&helper->asked);
    return true;
}

static void *take(struct ps_helper *helper)
{
    helper->taken++;
    return ps_spsc_pop(helper->answers);
}

void *ps_helper_answer(struct ps_helper *helper)
{
    return sem_trywait(&helper->answered) == 0 ? take(helper) : NULL;
}

void *ps_helper_wait(struct ps_helper *helper, uint32_t timeout_ms)
{
    struct timespec until = {.tv_sec = 0};
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += timeout_ms / 1000;
    until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    for (;;) {
        int failed = timeout_ms == PS_THREAD_PATIENT
                         ? sem_wait(&helper->answered)
                         : sem_clockwait(&helper->answered, CLOCK_MONOTONIC, &until);
        if (failed == 0)
            return take(helper);
        if (errno != EINTR)
            return NULL;
    }
}

size_t ps_helper_busy_count(const struct ps_helper *helper)
{
    return (size_t)(helper->count - helper->taken);
}

void ps_helper_cancel(struct ps_helper *helper)
{
    ps_mark_move(&helper->cancelled, helper->count);
}

bool ps_helper_withdraw(struct ps_helper *helper, const void *job)
{
    ps_word_set(&helper->withdrawn, (uint64_t)(uintptr_t)job);
    return ps_word_get(&helper->begun) == (uint64_t)(uintptr_t)job;
}
