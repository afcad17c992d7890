#include "tests/world/turn.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "tests/world/context.h"
#include "tests/world/peer.h"
#include "tests/world/real.h"

#define HAIR_NS_MAX 1500U /* a call takes less than this */

struct thread {
    bool used, runnable, ended, detached, over;
    const void *key;      /* what it waits for */
    uint64_t deadline_ns; /* of the wait */
    bool woken;
    struct context context;
    pthread_t
        real; /* rests from its first step to its last one; gives the context its stack and its thread-local variables */
    uint32_t rests, may_end; /* futexes of the real thread */
    char name[16];
    void *(*run)(void *);
    void *argument, *result;
    struct thread *ending; /* the thread that passed the turn here as its last step; it is over */
};

static struct thread threads[TURN_THREADS_MAX];
static unsigned threads_end; /* no place from here on was ever used */
static __thread struct thread *self;
static unsigned held; /* turn_hold */
const char turn_io;

/* For real threads, at their first and last steps. */
static void await_word(uint32_t *word)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) == 0)
        real_call(SYS_futex, (long)word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
}

static void set_word(uint32_t *word)
{
    __atomic_store_n(word, 1, __ATOMIC_RELEASE);
    real_call(SYS_futex, (long)word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0);
}

void turn_begin(void)
{
    memset(threads, 0, sizeof threads);
    world->calls = 0;
    world->end = WORLD_RUNS;
    self = &threads[0];
    threads_end = 1;
    self->used = self->runnable = true;
    self->real = pthread_self();
}

bool turn_is_ours(void)
{
    return self != NULL;
}

static struct thread *find(pthread_t thread)
{
    for (unsigned i = 0; i < threads_end; i++)
        if (threads[i].used && pthread_equal(threads[i].real, thread))
            return &threads[i];
    return NULL;
}

int pthread_setname_np(pthread_t thread, const char *name)
{
    struct thread *named = find(thread);
    if (named != NULL)
        snprintf(named->name, sizeof named->name, "%s", name);
    return 0;
}

int pthread_getname_np(pthread_t thread, char *to, size_t room)
{
    const struct thread *named = find(thread);
    snprintf(to, room, "%s", named == NULL ? "" : named->name);
    return 0;
}

unsigned turn_thread(void)
{
    return self == NULL ? 0 : (unsigned)(self - threads) + 1;
}

unsigned turn_threads(void)
{
    unsigned count = 0;
    for (unsigned i = 0; i < threads_end; i++)
        count += threads[i].used;
    return count;
}

void turn_end_life(enum world_end end, int code, const char *reason)
{
    world->end = end;
    world->exit_code = code;
    snprintf(world->reason, sizeof world->reason, "%s", reason);
    world_note((uint64_t)end << 32 | (uint32_t)code);
    self = NULL;
    if (end == WORLD_EXIT) {
        REAL(exit);
        real_exit(code);
    }
#ifdef PS_COVERAGE
    void __gcov_dump(void);
    __gcov_dump(); /* what a killed life has reached counts, too (tests/world/coverage) */
#endif
    real_call(SYS_exit_group, 137, 0, 0, 0, 0, 0);
    __builtin_unreachable();
}

/* What every thread waits for, for a life that hangs. */
static _Noreturn void hang(void)
{
    char reason[sizeof world->reason] = "no thread can run:";
    size_t length = strlen(reason);
    for (unsigned i = 0; i < threads_end; i++) {
        if (!threads[i].used || threads[i].ended)
            continue;
        if (length < sizeof reason)
            length += (size_t)snprintf(reason + length, sizeof reason - length, " %s (%s)", threads[i].name,
                                       threads[i].key == &turn_io ? "descriptors" : "lock");
    }
    turn_end_life(WORLD_HANGS, 0, reason);
}

/* Makes those that waited long enough runnable. Returns how many can run; the next deadline if none can. */
static unsigned find_runnable(struct thread **runnable, uint64_t *next_ns)
{
    unsigned count = 0;
    for (struct thread *thread = threads; thread < threads + threads_end; thread++) {
        if (!thread->used)
            continue;
        if (!thread->runnable && thread->deadline_ns <= world->now_ns)
            thread->runnable = true;
        if (thread->runnable)
            runnable[count++] = thread;
        else if (thread->deadline_ns < *next_ns)
            *next_ns = thread->deadline_ns;
    }
    return count;
}

/* Draws one of the threads that can run; lets time pass until there is one. */
static struct thread *choose(void)
{
    for (;;) {
        peers_run();
        struct thread *runnable[TURN_THREADS_MAX];
        uint64_t next_ns = WORLD_NEVER;
        unsigned count = find_runnable(runnable, &next_ns);
        if (count > 0)
            return runnable[count == 1 ? 0 : world_below(count)];
        uint64_t due_ns = peers_due_ns();
        if (due_ns < next_ns)
            next_ns = due_ns;
        if (next_ns == WORLD_NEVER)
            hang();
        if (next_ns > world->now_ns)
            world->now_ns = next_ns;
    }
}

/* Lets the real thread of a context that is over go through libc's last steps. Its identifier may be another's from now on. */
static void forget(struct thread *other)
{
    set_word(&other->may_end);
    REAL(pthread_join);
    real_pthread_join(other->real, NULL);
    other->used = false;
}

/* The context that passed the turn here as its last step is over. */
static void bury(void)
{
    struct thread *other = self->ending;
    if (other == NULL)
        return;
    self->ending = NULL;
    other->over = true;
    if (other->detached)
        forget(other);
}

static void give_turn(struct thread *to)
{
    world_note((uint64_t)(to - threads));
    context_switch(&self->context, &to->context);
    bury();
}

static void pass(void)
{
    struct thread *next = choose();
    if (next != self)
        give_turn(next);
}

static void count_call(const char *name, uint64_t a, uint64_t b)
{
    world->calls++;
    world->now_ns += world_draw() % HAIR_NS_MAX;
    world_note_bytes(name, strlen(name));
    world_note(a);
    world_note(b);
    if (world->traces) {
        char line[128];
        int length = snprintf(line, sizeof line, "%llu %u %s %llx %llx %016llx\n",
                              (unsigned long long)world->calls, turn_thread(), name, (unsigned long long)a,
                              (unsigned long long)b, (unsigned long long)world->history);
        real_call(SYS_write, 2, (long)line, length, 0, 0, 0);
    }
    if (world->calls == world->kill_at)
        turn_end_life(WORLD_KILLED, 0, name);
    if (world->calls >= world->calls_max)
        turn_end_life(WORLD_ENDLESS, 0, name);
}

void call_enter(const char *name, uint64_t a, uint64_t b)
{
    count_call(name, a, b);
    if (held == 0 && (world_chance(world->pass_share) || peers_due_ns() <= world->now_ns))
        pass();
}

void turn_block(void)
{
    if (held == 0)
        pass();
}

long call_leave(long result)
{
    world_note((uint64_t)result);
    return result;
}

bool turn_wait(const void *key, uint64_t deadline_ns)
{
    if (held > 0)
        world_fatal("a thread waits although it holds a lock of libc");
    self->key = key;
    self->deadline_ns = deadline_ns;
    self->woken = false;
    self->runnable = false;
    pass();
    self->key = NULL;
    return self->woken;
}

unsigned turn_wake(const void *key, unsigned count)
{
    unsigned woken = 0;
    while (woken < count) {
        struct thread *waiting[TURN_THREADS_MAX];
        unsigned found = 0;
        for (unsigned i = 0; i < threads_end; i++)
            if (threads[i].used && !threads[i].runnable && threads[i].key == key)
                waiting[found++] = &threads[i];
        if (found == 0)
            return woken;
        struct thread *one = waiting[found == 1 || count >= found ? 0 : world_below(found)];
        one->runnable = one->woken = true;
        woken++;
    }
    return woken;
}

/* The whole life of a thread, as a context. */
static void run_context(void)
{
    bury();
    self->result = self->run(self->argument);
    count_call("thread ends", turn_thread(), 0);
    self->ended = true;
    self->runnable = false;
    self->deadline_ns = WORLD_NEVER;
    struct thread *me = self;
    turn_wake(me, TURN_THREADS_MAX);
    struct thread *next = choose();
    next->ending = me;
    world_note((uint64_t)(next - threads));
    self = NULL; /* the last steps of the real thread are not the world's */
    context_switch(&me->context, &next->context);
    __builtin_unreachable();
}

/* The real thread of a context. */
static void *rest(void *argument)
{
    struct thread *mine = self = argument;
    context_prepare(&mine->context, run_context);
    set_word(&mine->rests);
    await_word(&mine->may_end);
    return mine->result;
}

int turn_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *), void *argument)
{
    struct thread *started = threads;
    while (started < threads + TURN_THREADS_MAX && started->used)
        started++;
    if (started == threads + TURN_THREADS_MAX)
        return EAGAIN;
    if (started == threads + threads_end)
        threads_end++;
    int detach_state = PTHREAD_CREATE_JOINABLE;
    pthread_attr_t own;
    if (attributes == NULL)
        pthread_attr_init(&own);
    else {
        own = *attributes;
        pthread_attr_getdetachstate(attributes, &detach_state);
        pthread_attr_setdetachstate(&own, PTHREAD_CREATE_JOINABLE);
    }
    *started = (struct thread){.used = true,
                               .runnable = true,
                               .run = run,
                               .argument = argument,
                               .detached = detach_state == PTHREAD_CREATE_DETACHED};
    REAL(pthread_create);
    int error = real_pthread_create(&started->real, &own, rest, started);
    if (error != 0) {
        started->used = false;
        return error;
    }
    await_word(&started->rests);
    *thread = started->real;
    return 0;
}

void turn_hold(void)
{
    held++;
}

void turn_release(void)
{
    held--;
}

int turn_join(pthread_t thread, void **result, uint64_t deadline_ns)
{
    struct thread *other = find(thread);
    if (other == NULL)
        return ESRCH;
    while (!other->ended || !other->over) {
        if (deadline_ns <= world->now_ns)
            return ETIMEDOUT;
        turn_wait(other, deadline_ns);
    }
    if (result != NULL)
        *result = other->result;
    forget(other);
    return 0;
}

int turn_detach(pthread_t thread)
{
    struct thread *other = find(thread);
    if (other == NULL)
        return ESRCH;
    other->detached = true;
    if (other->ended && other->over)
        forget(other);
    return 0;
}
