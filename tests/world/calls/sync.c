/* Locks, conditions, semaphores and what else threads wait on. Where the type has state of its own (recursive and error-checking
 * mutexes) libc keeps it, and the world only waits; the others are an integer in the caller's object. */
#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#include "tests/world/clock.h"
#include "tests/world/fault.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

/* ---- threads ---- */

int pthread_create(pthread_t *restrict thread, const pthread_attr_t *restrict attributes,
                   void *(*run)(void *), void *restrict argument)
{
    if (!turn_is_ours()) {
        REAL(pthread_create);
        return real_pthread_create(thread, attributes, run, argument);
    }
    call_enter("pthread_create", 0, 0);
    return fault_strikes(FAULT_THREAD, NULL) ?: turn_start(thread, attributes, run, argument);
}

int pthread_join(pthread_t thread, void **result)
{
    if (!turn_is_ours()) {
        REAL(pthread_join);
        return real_pthread_join(thread, result);
    }
    call_enter("pthread_join", 0, 0);
    return turn_join(thread, result, WORLD_NEVER);
}

int pthread_tryjoin_np(pthread_t thread, void **result)
{
    call_enter("pthread_tryjoin_np", 0, 0);
    int error = turn_join(thread, result, 0);
    return error == ETIMEDOUT ? EBUSY : error;
}

int pthread_detach(pthread_t thread)
{
    if (!turn_is_ours()) {
        REAL(pthread_detach);
        return real_pthread_detach(thread);
    }
    return turn_detach(thread);
}

/* ---- mutexes ---- */

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    if (!turn_is_ours()) {
        REAL(pthread_mutex_lock);
        return real_pthread_mutex_lock(mutex);
    }
    REAL(pthread_mutex_trylock);
    call_enter("pthread_mutex_lock", 0, 0);
    int error;
    while ((error = real_pthread_mutex_trylock(mutex)) == EBUSY)
        turn_wait(mutex, WORLD_NEVER);
    return error;
}

int pthread_mutex_trylock(pthread_mutex_t *mutex)
{
    REAL(pthread_mutex_trylock);
    if (turn_is_ours())
        call_enter("pthread_mutex_trylock", 0, 0);
    return real_pthread_mutex_trylock(mutex);
}

int pthread_mutex_timedlock(pthread_mutex_t *restrict mutex, const struct timespec *restrict until)
{
    REAL(pthread_mutex_trylock);
    call_enter("pthread_mutex_timedlock", 0, 0);
    uint64_t deadline_ns = clock_deadline(CLOCK_REALTIME, until);
    int error;
    while ((error = real_pthread_mutex_trylock(mutex)) == EBUSY) {
        if (deadline_ns <= world->now_ns)
            return ETIMEDOUT;
        turn_wait(mutex, deadline_ns);
    }
    return error;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    REAL(pthread_mutex_unlock);
    int error = real_pthread_mutex_unlock(mutex);
    if (turn_is_ours() && error == 0) {
        turn_wake(mutex, 1);
        call_enter("pthread_mutex_unlock", 0, 0);
    }
    return error;
}

/* ---- conditions ---- */

/* In a pthread_cond_t; all zero is a condition of the wall clock. */
struct condition {
    bool monotonic;
};
_Static_assert(sizeof(struct condition) <= sizeof(pthread_cond_t), "it is kept in the caller's object");

int pthread_cond_init(pthread_cond_t *restrict condition, const pthread_condattr_t *restrict attributes)
{
    if (!turn_is_ours()) {
        REAL(pthread_cond_init);
        return real_pthread_cond_init(condition, attributes);
    }
    clockid_t clock = CLOCK_REALTIME;
    if (attributes != NULL)
        pthread_condattr_getclock(attributes, &clock);
    *condition = (pthread_cond_t)PTHREAD_COND_INITIALIZER;
    ((struct condition *)condition)->monotonic = clock != CLOCK_REALTIME;
    return 0;
}

int pthread_cond_destroy(pthread_cond_t *condition)
{
    (void)condition;
    return 0;
}

static int wait_for_condition(pthread_cond_t *condition, pthread_mutex_t *mutex, uint64_t deadline_ns)
{
    REAL(pthread_mutex_unlock);
    REAL(pthread_mutex_trylock);
    int error = real_pthread_mutex_unlock(mutex);
    if (error != 0)
        return error;
    turn_wake(mutex, 1);
    bool woken = turn_wait(condition, deadline_ns);
    while ((error = real_pthread_mutex_trylock(mutex)) == EBUSY)
        turn_wait(mutex, WORLD_NEVER);
    return error != 0 ? error : woken ? 0 : ETIMEDOUT;
}

int pthread_cond_wait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex)
{
    if (!turn_is_ours()) {
        REAL(pthread_cond_wait);
        return real_pthread_cond_wait(condition, mutex);
    }
    call_enter("pthread_cond_wait", 0, 0);
    return wait_for_condition(condition, mutex, WORLD_NEVER);
}

int pthread_cond_clockwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           clockid_t clock, const struct timespec *restrict until)
{
    call_enter("pthread_cond_clockwait", 0, 0);
    return wait_for_condition(condition, mutex, clock_deadline(clock, until));
}

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict until)
{
    if (!turn_is_ours()) {
        REAL(pthread_cond_timedwait);
        return real_pthread_cond_timedwait(condition, mutex, until);
    }
    call_enter("pthread_cond_timedwait", 0, 0);
    clockid_t clock = ((struct condition *)condition)->monotonic ? CLOCK_MONOTONIC : CLOCK_REALTIME;
    return wait_for_condition(condition, mutex, clock_deadline(clock, until));
}

int pthread_cond_signal(pthread_cond_t *condition)
{
    if (!turn_is_ours()) {
        REAL(pthread_cond_signal);
        return real_pthread_cond_signal(condition);
    }
    turn_wake(condition, 1);
    call_enter("pthread_cond_signal", 0, 0);
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t *condition)
{
    if (!turn_is_ours()) {
        REAL(pthread_cond_broadcast);
        return real_pthread_cond_broadcast(condition);
    }
    turn_wake(condition, TURN_THREADS_MAX);
    call_enter("pthread_cond_broadcast", 0, 0);
    return 0;
}

/* ---- semaphores ---- */

/* In a sem_t. */
struct semaphore {
    unsigned value;
};

int sem_init(sem_t *semaphore, int shared, unsigned value)
{
    if (!turn_is_ours()) {
        REAL(sem_init);
        return real_sem_init(semaphore, shared, value);
    }
    ((struct semaphore *)semaphore)->value = value;
    return 0;
}

int sem_destroy(sem_t *semaphore)
{
    (void)semaphore;
    return 0;
}

int sem_post(sem_t *semaphore)
{
    if (!turn_is_ours()) {
        REAL(sem_post);
        return real_sem_post(semaphore);
    }
    ((struct semaphore *)semaphore)->value++;
    turn_wake(semaphore, 1);
    call_enter("sem_post", 0, 0);
    return 0;
}

static int take_semaphore(sem_t *semaphore, uint64_t deadline_ns, int error)
{
    struct semaphore *own = (struct semaphore *)semaphore;
    while (own->value == 0) {
        if (deadline_ns <= world->now_ns) {
            errno = error;
            return -1;
        }
        turn_wait(semaphore, deadline_ns);
    }
    own->value--;
    return 0;
}

int sem_wait(sem_t *semaphore)
{
    if (!turn_is_ours()) {
        REAL(sem_wait);
        return real_sem_wait(semaphore);
    }
    call_enter("sem_wait", 0, 0);
    return take_semaphore(semaphore, WORLD_NEVER, 0);
}

int sem_trywait(sem_t *semaphore)
{
    call_enter("sem_trywait", 0, 0);
    return take_semaphore(semaphore, 0, EAGAIN);
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict until)
{
    call_enter("sem_timedwait", 0, 0);
    return take_semaphore(semaphore, clock_deadline(CLOCK_REALTIME, until), ETIMEDOUT);
}

int sem_clockwait(sem_t *restrict semaphore, clockid_t clock, const struct timespec *restrict until)
{
    call_enter("sem_clockwait", 0, 0);
    return take_semaphore(semaphore, clock_deadline(clock, until), ETIMEDOUT);
}

/* ---- read-write locks ---- */

/* In a pthread_rwlock_t; all zero is free. */
struct rwlock {
    unsigned readers;
    bool written;
};

int pthread_rwlock_init(pthread_rwlock_t *restrict lock, const pthread_rwlockattr_t *restrict attributes)
{
    (void)attributes;
    *lock = (pthread_rwlock_t)PTHREAD_RWLOCK_INITIALIZER;
    return 0;
}

int pthread_rwlock_destroy(pthread_rwlock_t *lock)
{
    (void)lock;
    return 0;
}

int pthread_rwlock_rdlock(pthread_rwlock_t *lock)
{
    struct rwlock *own = (struct rwlock *)lock;
    if (turn_is_ours()) {
        call_enter("pthread_rwlock_rdlock", 0, 0);
        while (own->written)
            turn_wait(lock, WORLD_NEVER);
    }
    own->readers++;
    return 0;
}

int pthread_rwlock_wrlock(pthread_rwlock_t *lock)
{
    struct rwlock *own = (struct rwlock *)lock;
    if (turn_is_ours()) {
        call_enter("pthread_rwlock_wrlock", 0, 0);
        while (own->written || own->readers > 0)
            turn_wait(lock, WORLD_NEVER);
    }
    own->written = true;
    return 0;
}

int pthread_rwlock_tryrdlock(pthread_rwlock_t *lock)
{
    struct rwlock *own = (struct rwlock *)lock;
    if (own->written)
        return EBUSY;
    own->readers++;
    return 0;
}

int pthread_rwlock_trywrlock(pthread_rwlock_t *lock)
{
    struct rwlock *own = (struct rwlock *)lock;
    if (own->written || own->readers > 0)
        return EBUSY;
    own->written = true;
    return 0;
}

int pthread_rwlock_unlock(pthread_rwlock_t *lock)
{
    struct rwlock *own = (struct rwlock *)lock;
    if (own->written)
        own->written = false;
    else
        own->readers--;
    if (turn_is_ours()) {
        turn_wake(lock, TURN_THREADS_MAX);
        call_enter("pthread_rwlock_unlock", 0, 0);
    }
    return 0;
}

/* ---- once ---- */

/* glibc's own values, so that what was done before a life stays done. */
enum { ONCE_NEVER = 0, ONCE_RUNS = 1, ONCE_DONE = 2 };

int pthread_once(pthread_once_t *once, void (*run)(void))
{
    if (!turn_is_ours()) {
        REAL(pthread_once);
        return real_pthread_once(once, run);
    }
    while (*once == ONCE_RUNS)
        turn_wait(once, WORLD_NEVER);
    if (*once == ONCE_NEVER) {
        *once = ONCE_RUNS;
        run();
        *once = ONCE_DONE;
        turn_wake(once, TURN_THREADS_MAX);
    }
    return 0;
}

/* ---- C11's names, which librdkafka uses ---- */

static int c11(int error)
{
    return error == 0           ? thrd_success
           : error == EBUSY     ? thrd_busy
           : error == ETIMEDOUT ? thrd_timedout
           : error == ENOMEM    ? thrd_nomem
                                : thrd_error;
}

struct c11_start {
    thrd_start_t run;
    void *argument;
};

static void *run_c11(void *argument)
{
    struct c11_start start = *(struct c11_start *)argument;
    world_free(argument, sizeof start);
    return (void *)(intptr_t)start.run(start.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t run, void *argument)
{
    struct c11_start *start = world_allocate(sizeof *start);
    *start = (struct c11_start){run, argument};
    return c11(pthread_create(thread, NULL, run_c11, start));
}

int thrd_join(thrd_t thread, int *result)
{
    void *value = NULL;
    int error = pthread_join(thread, &value);
    if (result != NULL)
        *result = (int)(intptr_t)value;
    return c11(error);
}

int thrd_detach(thrd_t thread)
{
    return c11(pthread_detach(thread));
}

int mtx_lock(mtx_t *mutex)
{
    return c11(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex)
{
    return c11(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex)
{
    return c11(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

int cnd_init(cnd_t *condition)
{
    return c11(pthread_cond_init((pthread_cond_t *)condition, NULL));
}

void cnd_destroy(cnd_t *condition)
{
    (void)condition;
}

int cnd_wait(cnd_t *condition, mtx_t *mutex)
{
    return c11(pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *restrict condition, mtx_t *restrict mutex, const struct timespec *restrict until)
{
    return c11(pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until));
}

int cnd_signal(cnd_t *condition)
{
    return c11(pthread_cond_signal((pthread_cond_t *)condition));
}

int cnd_broadcast(cnd_t *condition)
{
    return c11(pthread_cond_broadcast((pthread_cond_t *)condition));
}
