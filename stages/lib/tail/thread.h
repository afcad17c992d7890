/* The thread of a source that reads files. It lists directories, opens and closes files, reads bytes that are not in
 * memory, and writes positions (decision 32). Each source defines its own jobs, which begin with a struct ps_tail_job.
 *
 * `ask` accepts every job: jobs that do not fit into the ring wait in a list. Jobs run in the order in which they were
 * asked for, so a close comes after the reads before it. Thread of all functions: the owner's (a worker). */
#pragma once

#include "core/helper/helper.h"

struct ps_tail_job {
    /* Runs on the thread, and may wait. It reads and writes only the job. */
    void (*run)(struct ps_tail_job *job);
    /* Runs on the owner's thread, from ps_tail_thread_answers. It frees the job or keeps it. NULL: nobody waits for the
     * job, and `discard` is called. */
    void (*answer)(void *owner, struct ps_tail_job *job);
    /* Frees a job whose answer nobody takes. Runs on either thread. */
    void (*discard)(struct ps_tail_job *job);
    struct ps_tail_job *next; /* used by the thread */
};

struct ps_tail_thread {
    struct ps_helper *helper;
    struct ps_tail_job *first, *last; /* jobs that did not fit into the ring yet */
    void *owner;
};

/* Starts the thread. `owner` is passed to `answer`; wake_fd is written for each answer. Returns PS_FAIL if there is no memory or no thread. */
enum ps_status ps_tail_thread_start(struct ps_tail_thread *thread, const char *name, int wake_fd, void *owner,
                                    struct ps_err *err);

/* Discards all jobs. Waits at most `patience_ms` for the running job; if that is not enough, the thread ends by itself later. */
void ps_tail_thread_stop(struct ps_tail_thread *thread, uint32_t patience_ms);

void ps_tail_thread_ask(struct ps_tail_thread *thread, struct ps_tail_job *job);

/* Calls `answer` of each finished job. Returns their number. */
unsigned ps_tail_thread_answers(struct ps_tail_thread *thread);
/* Like ps_tail_thread_answers, for `max` jobs at most. If it returns `max`, there may be more. */
unsigned ps_tail_thread_some_answers(struct ps_tail_thread *thread, unsigned max);

/* Like ps_tail_thread_answers, but waits up to `timeout_ms` for at least one answer. For `close`, and for tests. */
unsigned ps_tail_thread_wait(struct ps_tail_thread *thread, uint32_t timeout_ms);

/* For tests: returns whether there is no job to run or to answer. */
bool ps_tail_thread_is_idle(const struct ps_tail_thread *thread);
