/* A thread that runs blocking jobs for its owner, mostly a worker: a name server, a file system, a client library, a
 * commit. Jobs go to it through one ring and come back through another, in order; neither side waits for the other.
 *
 *   owner    ps_helper_ask(helper, job)      helper   run(argument, job)
 *            .. woken by wake_fd ..
 *            job = ps_helper_answer(helper)
 *
 * A job is a pointer to memory of the owner. Between `ask` and the answer only the helper's thread reads and writes
 * it. When the helper is destroyed the thread may be in the middle of a job, for longer than the owner can wait:
 * then the thread ends later by itself, and calls `end`, which frees the memory that it uses, `argument` included.
 *
 * The thread reads nothing that RCU protects. Thread of all functions: the owner's, one at a time, unless they say
 * otherwise. */
#pragma once

#include "core/status.h"
#include "core/thread.h"

struct ps_helper;

struct ps_helper_settings {
    const char *name; /* of the thread: at most 15 bytes */
    size_t room;      /* maximum number of jobs that are requested and not yet taken back */
    /* An eventfd (port->wake_fd) that is written when a job is answered; -1: none. The helper has a copy of its own. */
    int wake_fd;
    /* the thread is at SCHED_IDLE: it runs only while a CPU has nothing else to do, and must hold no lock that other
     * threads need */
    bool idle;

    /* The three functions below run on the thread. */

    void (*run)(void *argument, void *job);
    /* Frees a job that nobody will take: it was not begun when the helper was destroyed, or its answer was
     * not taken. It may block. NULL: nothing to free. */
    void (*discard)(void *argument, void *job);
    /* Runs last on the thread: frees `argument` and the jobs. NULL: nothing to free. */
    void (*end)(void *argument);
    void *argument;
};

/* Starts the thread. Returns NULL and the reason: no memory, no descriptor, no thread. `end` is not called then. */
struct ps_helper *ps_helper_create(const struct ps_helper_settings *settings, struct ps_err *err);

/* Cancels all jobs, and ends the thread once it has finished its current job, discarded the others and called `end`.
 * Waits for that at most `patience_ms` (0: not at all, PS_THREAD_PATIENT: for ever). Returns whether the thread has
 * ended; true for NULL. */
bool ps_helper_destroy(struct ps_helper *helper, uint32_t patience_ms);

/* Requests a job. Returns false when there is no room. */
bool ps_helper_ask(struct ps_helper *helper, void *job);

/* Returns the oldest job that is answered, or NULL. Never waits. */
void *ps_helper_answer(struct ps_helper *helper);

/* The same, but waits for the job, at most `timeout_ms` (PS_THREAD_PATIENT: for ever). Not on a worker, unless the
 * job is known to be short. */
void *ps_helper_wait(struct ps_helper *helper, uint32_t timeout_ms);

/* Returns the number of jobs that are requested and not taken back. */
size_t ps_helper_busy_count(const struct ps_helper *helper);

/* Cancels the jobs in progress: the waiting ones are answered without being run, and the running one may end early.
 * All are answered as usual. For plug-ins: no stage of penstock's own cancels its jobs. */
void ps_helper_cancel(struct ps_helper *helper);

/* Cancels this job, and no other. Returns whether the thread may be running it; if not, the job will not run. For an
 * owner that ends while jobs use its memory: the owner must wait for a job that may be running, but not for the jobs
 * before it. Withdraw one job at a time, and do not ask for it again. */
bool ps_helper_withdraw(struct ps_helper *helper, const void *job);

/* Returns whether the running job was cancelled: `run` checks between its steps. Thread: the helper's. */
bool ps_helper_is_cancelled(const struct ps_helper *helper);
