/* Runs a program and holds single threads of it, or processes, for a moment, each at the beginning or the end of a system call:
 *
 *   hold_threads COMMAND [ARGUMENT]...     ends as the command does
 *
 * A busy machine does the same, but seldom at the place that matters: between a rename and the sync behind it another thread has a few
 * microseconds to look. Each place of the program, a call with the address that it returns to, is held most often in its first
 * turns, so each pair of places comes in both orders. PENSTOCK_HOLD_SEED draws; a hold lasts up to PENSTOCK_HOLD_MS (400), all of them
 * together PENSTOCK_HOLD_TOTAL_S (20); then the program runs freely. Nothing is held while the program has one thread. tests/hold calls it. */
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 4096U
#define PLACES 65536U /* a power of two */
#define PROBES 64U    /* a place that finds no room after so many looks counts as one that was held often */
#define LOOK_US 500U  /* between two looks whether a thread goes on, while one is held */

struct thread {
    pid_t id;
    bool is_held;
    double until_s;
};

struct place {
    uint64_t key;   /* 0: free */
    uint32_t turns; /* how often a thread came here */
};

static struct thread threads[THREADS_MAX];
static size_t thread_count;
static struct place places[PLACES];
static uint64_t drawn;
static double left_s, hold_max_s;
static unsigned holds;

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double number_of(const char *name, double otherwise)
{
    const char *text = getenv(name);
    return text != NULL && text[0] != '\0' ? strtod(text, NULL) : otherwise;
}

/* Returns a number from 0 to below 1 (xorshift64). */
static double draw(void)
{
    drawn ^= drawn << 13;
    drawn ^= drawn >> 7;
    drawn ^= drawn << 17;
    return (double)(drawn >> 11) / (double)(UINT64_C(1) << 53);
}

/* Returns the thread with this id, which it adds if it is new; NULL: there are too many. */
static struct thread *thread_of(pid_t id)
{
    for (size_t i = 0; i < thread_count; i++) {
        if (threads[i].id == id)
            return &threads[i];
    }
    if (thread_count == THREADS_MAX)
        return NULL;
    threads[thread_count] = (struct thread){.id = id};
    return &threads[thread_count++];
}

static void thread_gone(pid_t id)
{
    for (size_t i = 0; i < thread_count; i++) {
        if (threads[i].id == id) {
            threads[i] = threads[--thread_count];
            return;
        }
    }
}

/* Counts a turn of the place, and returns how often it has come. */
static uint32_t turns_of(uint64_t key)
{
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 48);
    for (size_t i = 0; i < PROBES; i++, at++) {
        struct place *place = &places[at % PLACES];
        if (place->key == key || place->key == 0) {
            place->key = key;
            return ++place->turns;
        }
    }
    return UINT32_MAX;
}

/* Lets the thread run, to its next system call as long as threads may be held. A thread that is alone, and begins no other, is not stopped: each
 * stop counts for its CPU time, which some tests measure. It may be gone. */
static void go_on(pid_t id, int signal_number, bool begins_another)
{
    bool stops = left_s > 0 && (thread_count > 1 || begins_another);
    ptrace(stops ? PTRACE_SYSCALL : PTRACE_CONT, id, NULL, (void *)(intptr_t)signal_number);
}

/* Returns the key of the place where the thread stopped, and whether its call begins there; 0: the thread must not be held here. */
static uint64_t place_of(pid_t id, bool *begins)
{
    struct __ptrace_syscall_info info;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, id, (void *)sizeof info, &info) <= 0)
        return 0;
    *begins = info.op == PTRACE_SYSCALL_INFO_ENTRY;
    if (*begins &&
        (info.entry.nr == SYS_exit || info.entry.nr == SYS_exit_group || info.entry.nr == SYS_execve))
        return 0;
    errno = 0;
    long back =
        ptrace(PTRACE_PEEKDATA, id, (void *)(uintptr_t)info.stack_pointer, NULL); /* mostly libc's caller */
    uint64_t caller = errno == 0 ? (uint64_t)back : 0;
    return ((info.instruction_pointer * 31) ^ caller) * 2 + *begins + 1;
}

/* Returns how long the thread is held where it stopped; 0: not at all. */
static double hold_s(pid_t id)
{
    bool begins = false;
    uint64_t place = left_s > 0 && thread_count > 1 ? place_of(id, &begins) : 0;
    if (place == 0)
        return 0;
    uint32_t turns = turns_of(place);
    double chance = turns <= 4 ? 0.25 : turns <= 30 ? 0.03 : turns <= 300 ? 0.004 : 0.0003;
    if (draw() >= (begins ? chance / 3 : chance))
        return 0;
    return 0.001 + draw() * (draw() < 0.25 ? hold_max_s
                                           : hold_max_s / 8); /* most are short, so that there are many */
}

/* A thread stopped: holds it, or lets it go on. */
static void stopped(pid_t id, int status)
{
    int signal_number = WSTOPSIG(status), event = status >> 16;
    struct thread *thread = thread_of(id);
    double seconds = 0;
    if (event == PTRACE_EVENT_STOP && signal_number != SIGTRAP && signal_number != SIGCONT) {
        ptrace(PTRACE_LISTEN, id, NULL, NULL); /* the process is stopped by a signal, and stays so */
        return;
    }
    if (event == 0 && signal_number == (SIGTRAP | 0x80) && thread != NULL)
        seconds = hold_s(id);
    if (seconds <= 0) {
        go_on(id, event != 0 || signal_number == (SIGTRAP | 0x80) ? 0 : signal_number,
              event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK);
        return;
    }
    thread->is_held = true;
    thread->until_s = now_s() + seconds;
    left_s -= seconds;
    holds++;
}

/* Lets the threads go on whose time is over. Returns whether others are held. */
static bool release(void)
{
    bool any = false;
    double now = now_s();
    for (size_t i = 0; i < thread_count; i++) {
        if (threads[i].is_held && threads[i].until_s <= now) {
            threads[i].is_held = false;
            go_on(threads[i].id, 0, false);
        }
        any |= threads[i].is_held;
    }
    return any;
}

/* Returns the wait status with which the child ended. */
static int follow(pid_t child)
{
    for (;;) {
        bool held = release();
        int status;
        pid_t id = waitpid(-1, &status, __WALL | (held ? WNOHANG : 0));
        if (id == 0) {
            usleep(LOOK_US);
        } else if (id < 0 && errno != EINTR) {
            return 127 << 8;
        } else if (id > 0 && WIFSTOPPED(status)) {
            stopped(id, status);
        } else if (id > 0) {
            thread_gone(id);
            if (id == child)
                return status;
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: hold_threads COMMAND [ARGUMENT]...\n");
        return 2;
    }
    drawn = (uint64_t)number_of("PENSTOCK_HOLD_SEED", 1) * UINT64_C(0x9E3779B97F4A7C15) | 1;
    hold_max_s = number_of("PENSTOCK_HOLD_MS", 400) / 1000;
    left_s = number_of("PENSTOCK_HOLD_TOTAL_S", 20);
    pid_t child = fork();
    if (child == 0) {
        raise(SIGSTOP);
        execvp(argv[1], argv + 1);
        fprintf(stderr, "hold_threads: cannot run %s: %s\n", argv[1], strerror(errno));
        _exit(127);
    }
    int status = 0;
    const unsigned long options = PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                  PTRACE_O_TRACEEXEC | PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL;
    if (child < 0 || waitpid(child, &status, WUNTRACED) < 0 ||
        ptrace(PTRACE_SEIZE, child, NULL, (void *)options) != 0) {
        fprintf(stderr, "hold_threads: cannot trace %s: %s\n", argv[1], strerror(errno));
        return 77;
    }
    kill(child, SIGCONT);
    status = follow(child);
    fprintf(stderr, "hold_threads: %u holds\n", holds);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
