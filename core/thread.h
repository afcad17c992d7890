/* Starts and ends threads: every thread of the program, except those of client libraries, is started here. */
#pragma once

#include "core/base.h"

#include <pthread.h>

#define PS_THREAD_PATIENT UINT32_MAX /* ps_thread_join: for ever */

/* Starts a thread with this name (at most 15 bytes). It blocks all signals, because the control thread serves them.
 * It may run on every CPU that the process may use, and so may the threads that it starts, even when the caller is
 * pinned. Returns 0, or an errno: no more threads are allowed (TasksMax, ulimit -u), or there is no memory. */
int ps_thread_start(pthread_t *thread, const char *name, void *(*run)(void *argument), void *argument);

/* Waits until the thread has ended, at most `patience_ms`; after that time it is left alone, and ends by itself.
 * Returns whether it has ended. In both cases the caller must not use `thread` any longer. */
bool ps_thread_join(pthread_t thread, uint32_t patience_ms);

/* Returns whether the thread has ended; does not wait. If it has, the caller must not use `thread` any longer. */
bool ps_thread_try_join(pthread_t thread);

/* Returns whether a thread was ever left alone: such a thread may still run. Thread: any. */
bool ps_thread_some_left_alone(void);

/* Ends the process with `code`. A thread that was left alone may still use memory that exit() would free, such as
 * the tables of a client library: if there was one, this function flushes stdio and nothing else. */
_Noreturn void ps_thread_exit_process(int code);
