/* See child.h. */
#include "stages/lib/process/child.h"

#include "core/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define EXEC_ROUNDS 8  /* a process that is in an exec shows no environment for a moment; others never do */
#define KILL_ROUNDS 20 /* a process may start another one before it is killed */

_Static_assert(sizeof(((struct ps_child_cpus *)0)->words) >= sizeof(cpu_set_t),
               "ps_child_cpus must hold a cpu_set_t");

void ps_child_init(struct ps_child *child)
{
    *child = (struct ps_child){.input = -1, .output = -1, .errors = -1, .pidfd = -1};
}

void ps_child_cpus_init(struct ps_child_cpus *cpus)
{
    memset(cpus, 0, sizeof *cpus);
    cpus->known = sched_getaffinity(0, sizeof cpus->words, (cpu_set_t *)(void *)cpus->words) == 0;
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

void ps_child_fini(struct ps_child *child)
{
    PS_ASSERT(child->pid == 0 || child->ended);
    fd_close(&child->input);
    fd_close(&child->output);
    fd_close(&child->errors);
    fd_close(&child->pidfd);
    child->pid = 0;
}

/* The child's ends of its pipes. */
struct ends {
    int input, output, errors;
};

/* Makes a pipe; our end is non-blocking. */
static bool pipe_make(int *ours, int *theirs, bool we_read)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    *ours = fds[we_read ? 0 : 1];
    *theirs = fds[we_read ? 1 : 0];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

enum ps_status ps_child_start(struct ps_child *child, const char *const *argv, bool errors,
                              const struct ps_child_cpus *cpus, struct ps_err *err)
{
    struct ends ends = {-1, -1, -1};
    ps_child_init(child);
    ps_child_mark(child);
    const char **environment = ps_child_environment(child);
    int failed = environment == NULL ? ENOMEM : 0;
    if (failed == 0 &&
        (!pipe_make(&child->input, &ends.input, false) || !pipe_make(&child->output, &ends.output, true) ||
         (errors && !pipe_make(&child->errors, &ends.errors, true))))
        failed = errno;
    if (failed == 0) {
        /* A child inherits the CPUs of the thread that starts it; it must not be limited to the CPUs to which the
         * worker is pinned. */
        struct ps_child_cpus own;
        ps_child_cpus_init(&own);
        if (cpus->known)
            (void)sched_setaffinity(0, sizeof cpus->words, (const cpu_set_t *)(const void *)cpus->words);
        failed = ps_spawn(&child->pid, &(struct ps_spawn){.argv = argv,
                                                          .environment = environment,
                                                          .input = ends.input,
                                                          .output = ends.output,
                                                          .errors = errors ? ends.errors : PS_SPAWN_NOTHING});
        if (own.known)
            (void)sched_setaffinity(0, sizeof own.words, (const cpu_set_t *)(const void *)own.words);
    }
    free(environment);
    fd_close(&ends.input);
    fd_close(&ends.output);
    fd_close(&ends.errors);
    if (failed != 0) {
        child->pid = 0;
        ps_child_fini(child);
        child->start_error = failed;
        return ps_err_set(err, "cannot start %s: %s", argv[0], strerror(failed));
    }
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0); /* -1 on an old kernel: the caller polls */
    return PS_OK;
}

bool ps_child_poll(struct ps_child *child)
{
    int status;
    if (child->pid == 0 || child->ended)
        return true;
    if (!ps_spawn_poll(child->pid, &status))
        return false;
    child->ended = true;
    child->status = ps_spawn_exit_code(status);
    return true;
}

void ps_child_signal(struct ps_child *child, int signal, bool group)
{
    /* After reaping, another process may have the pid, and be the leader of another group: the group id is
     * reserved only while the group has members. */
    if (child->pid != 0 && !child->ended)
        (void)kill(group ? -child->pid : child->pid, signal);
}

static void kill_descendants(const struct ps_child *child)
{
    bool again = true;
    for (int round = 0; round < KILL_ROUNDS && again; round++) {
        bool unknown = false; /* a process showed no environment */
        bool found = ps_child_signal_descendants(child, SIGKILL, &unknown) > 0;
        again = found || (unknown && round < EXEC_ROUNDS);
        if (again)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

void ps_child_kill(struct ps_child *child)
{
    if (child->pid == 0)
        return;
    ps_child_signal(child, SIGTERM, true);
    unsigned others = ps_child_signal_descendants(child, SIGTERM, NULL);
    for (int i = 0; i < 100 && (others > 0 || !ps_child_poll(child)); i++) {
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        (void)ps_child_poll(child);
        if (others > 0 && i % 10 == 0)
            others = ps_child_signal_descendants(child, 0, NULL);
    }
    ps_child_signal(child, SIGKILL, true);
    kill_descendants(child);
    while (!ps_child_poll(child))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    ps_child_fini(child);
}
