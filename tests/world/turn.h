/* Threads run one at a time. The thread that has the turn may lose it at any call of the world, and, in the build `world`, at any
 * basic block of the product; the seed decides. When no thread can run, time jumps to the next moment at which one can. */
#pragma once

#include <pthread.h>

#include "tests/world/shared.h"

#define TURN_THREADS_MAX 64

/* Makes the calling thread the first one of a life: from here on the calls of this process are the world's. */
void turn_begin(void);
/* Returns whether the calling thread is one of the world's. Others (before a life, or in their last steps) get the real
 * functions. */
bool turn_is_ours(void);

/* Begins a call: counts it, adds it to the history, lets time pass, kills the process if this is the call, and may pass the
 * turn. `name` is a literal. */
void call_enter(const char *name, uint64_t a, uint64_t b);
/* May pass the turn at a basic block of the product. */
void turn_block(void);
/* Between these two the calling thread keeps the turn: libc holds a lock that no other thread may ask for. */
void turn_hold(void);
void turn_release(void);
/* Ends a call: adds the result to the history and returns it. */
long call_leave(long result);

/* Waits until turn_wake(key), or until now_ns is `deadline_ns`. Returns whether it was woken. Callers look again at what
 * they wait for, since others may have been faster. */
bool turn_wait(const void *key, uint64_t deadline_ns);
/* Lets at most `count` of the threads that wait for `key` run; which ones is drawn. Returns how many. */
unsigned turn_wake(const void *key, unsigned count);
/* Everything that polls descriptors waits for this key. */
extern const char turn_io;

int turn_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument);
/* Waits for the end of a thread. Returns 0, ETIMEDOUT, or ESRCH for a thread that is not known. */
int turn_join(pthread_t thread, void **result, uint64_t deadline_ns);
int turn_detach(pthread_t thread);
/* A number for the calling thread: 1 for the first of a life. */
unsigned turn_thread(void);
/* Returns how many threads have not ended, or were not joined. */
unsigned turn_threads(void);

/* Ends the life, and the process. */
_Noreturn void turn_end_life(enum world_end end, int code, const char *reason);
