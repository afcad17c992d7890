/* The thread of a source that reads files: it lists directories, opens and closes files, reads what is not in memory, and
 * writes positions (decision 32). A source gives it jobs of its own; each begins with a struct ps_tail_job.
 *
 * `ask` always takes a job: what the ring has no room for waits in a list. Jobs run in the order in which they were asked
 * for, so that a close comes after the reads before it. Thread of all functions: the owner's (a worker). */
#pragma once

#include "core/helper/helper.h"

struct ps_tail_job {
    /* On the thread; may wait. It reads and writes nothing but the job. */
    void (*run)(struct ps_tail_job *job);
    /* On the owner's thread, from ps_tail_thread_answers. It frees the job, or keeps it. NULL: nobody waits for it, and
     * `discard` is called. */
    void (*answer)(void *owner, struct ps_tail_job *job);
    /* Frees a job that nobody takes any more; on either thread. */
    void (*discard)(struct ps_tail_job *job);
    struct ps_tail_job *next; /* the thread's */
};

struct ps_tail_thread {
    struct ps_helper *helper;
    struct ps_tail_job *first, *last; /* no room in the ring yet */
    void *owner;
};

/* `owner` is passed to `answer`; wake_fd is written for each answer. PS_FAIL: no memory, no thread. */
enum ps_status ps_tail_thread_start(struct ps_tail_thread *thread, const char *name, int wake_fd, void *owner,
                                    struct ps_err *err);

/* Discards all jobs. Waits for the one that runs at most `patience_ms`; after that the thread ends by itself. */
void ps_tail_thread_stop(struct ps_tail_thread *thread, uint32_t patience_ms);

void ps_tail_thread_ask(struct ps_tail_thread *thread, struct ps_tail_job *job);

/* Calls `answer` of each job that is done. Returns how many there were. */
unsigned ps_tail_thread_answers(struct ps_tail_thread *thread);
/* The same, of `max` jobs at most: if there were so many, there may be more. */
unsigned ps_tail_thread_some_answers(struct ps_tail_thread *thread, unsigned max);

/* The same, but waits for at least one, at most `timeout_ms`: for `close`, and for tests. */
unsigned ps_tail_thread_wait(struct ps_tail_thread *thread, uint32_t timeout_ms);

/* Whether nothing is asked for. */
bool ps_tail_thread_is_idle(const struct ps_tail_thread *thread);
