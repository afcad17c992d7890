#include "stages/lib/tail/thread.h"

#include <limits.h>

#define JOBS_MAX 256U

static void run(void *, void *job_)
{
    struct ps_tail_job *job = job_;
    job->run(job);
}

static void discard(void *, void *job_)
{
    struct ps_tail_job *job = job_;
    job->discard(job);
}

enum ps_status ps_tail_thread_start(struct ps_tail_thread *thread, const char *name, int wake_fd, void *owner,
                                    struct ps_err *err)
{
    const struct ps_helper_settings settings = {
        .name = name, .room = JOBS_MAX, .wake_fd = wake_fd, .run = run, .discard = discard};
    *thread = (struct ps_tail_thread){.owner = owner, .helper = ps_helper_create(&settings, err)};
    return thread->helper != NULL ? PS_OK : PS_FAIL;
}

void ps_tail_thread_stop(struct ps_tail_thread *thread, uint32_t patience_ms)
{
    (void)ps_helper_destroy(thread->helper, patience_ms);
    while (thread->first != NULL) {
        struct ps_tail_job *job = thread->first;
        thread->first = job->next;
        job->discard(job);
    }
    *thread = (struct ps_tail_thread){.helper = NULL};
}

/* Moves waiting jobs into the ring until it is full. */
static void push(struct ps_tail_thread *thread)
{
    for (struct ps_tail_job *next; thread->first != NULL; thread->first = next) {
        next = thread->first->next;
        if (!ps_helper_ask(thread->helper, thread->first))
            return;
    }
    thread->last = NULL;
}

void ps_tail_thread_ask(struct ps_tail_thread *thread, struct ps_tail_job *job)
{
    job->next = NULL;
    if (thread->last != NULL)
        thread->last->next = job;
    else
        thread->first = job;
    thread->last = job;
    push(thread);
}

static void answered(struct ps_tail_thread *thread, struct ps_tail_job *job)
{
    if (job->answer != NULL)
        job->answer(thread->owner, job);
    else
        job->discard(job);
}

unsigned ps_tail_thread_some_answers(struct ps_tail_thread *thread, unsigned max)
{
    unsigned count = 0;
    for (struct ps_tail_job *job; count < max && (job = ps_helper_answer(thread->helper)) != NULL; count++)
        answered(thread, job);
    push(thread);
    return count;
}

unsigned ps_tail_thread_answers(struct ps_tail_thread *thread)
{
    return ps_tail_thread_some_answers(thread, UINT_MAX);
}

unsigned ps_tail_thread_wait(struct ps_tail_thread *thread, uint32_t timeout_ms)
{
    struct ps_tail_job *job = ps_helper_wait(thread->helper, timeout_ms);
    if (job == NULL)
        return 0;
    answered(thread, job);
    return 1 + ps_tail_thread_answers(thread);
}

bool ps_tail_thread_is_idle(const struct ps_tail_thread *thread)
{
    return thread->first == NULL && ps_helper_busy_count(thread->helper) == 0;
}
