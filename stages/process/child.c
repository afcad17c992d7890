/* See child.h. */
#include "stages/process/child.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char **environ;

_Static_assert(sizeof(((struct ps_child_cpus *)0)->words) >= sizeof(cpu_set_t), "a set of CPUs fits");

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

/* `ours` is made non-blocking. */
static bool pipe_make(int *ours, int *theirs, bool we_read)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0)
        return false;
    *ours = fds[we_read ? 0 : 1];
    *theirs = fds[we_read ? 1 : 0];
    return fcntl(*ours, F_SETFL, O_NONBLOCK) == 0;
}

static int spawn(struct ps_child *child, const char *const *argv, const struct ends *ends)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed != 0)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed == 0) {
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                                        POSIX_SPAWN_SETSIGMASK);
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setsigdefault(&attributes, &all);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        failed = posix_spawn_file_actions_adddup2(&actions, ends->input, 0);
        if (failed == 0)
            failed = posix_spawn_file_actions_adddup2(&actions, ends->output, 1);
        if (failed == 0)
            failed = ends->errors >= 0
                         ? posix_spawn_file_actions_adddup2(&actions, ends->errors, 2)
                         : posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        if (failed == 0)
            failed = posix_spawnp(&child->pid, argv[0], &actions, &attributes, (char *const *)(uintptr_t)argv,
                                  environ);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

enum ps_status ps_child_start(struct ps_child *child, const char *const *argv, bool errors,
                              const struct ps_child_cpus *cpus, struct ps_err *err)
{
    struct ends ends = {-1, -1, -1};
    ps_child_init(child);
    int failed = 0;
    if (!pipe_make(&child->input, &ends.input, false) || !pipe_make(&child->output, &ends.output, true) ||
        (errors && !pipe_make(&child->errors, &ends.errors, true)))
        failed = errno;
    if (failed == 0) {
        /* A child inherits the CPUs of the thread that makes it: not those a worker is pinned to. */
        struct ps_child_cpus own;
        ps_child_cpus_init(&own);
        if (cpus->known)
            (void)sched_setaffinity(0, sizeof cpus->words, (const cpu_set_t *)(const void *)cpus->words);
        failed = spawn(child, argv, &ends);
        if (own.known)
            (void)sched_setaffinity(0, sizeof own.words, (const cpu_set_t *)(const void *)own.words);
    }
    fd_close(&ends.input);
    fd_close(&ends.output);
    fd_close(&ends.errors);
    if (failed != 0) {
        child->pid = 0;
        ps_child_fini(child);
        return ps_err_set(err, "cannot start %s: %s", argv[0], strerror(failed));
    }
    child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0); /* -1 on an old kernel: polled then */
    return PS_OK;
}

bool ps_child_poll(struct ps_child *child)
{
    int status;
    if (child->pid == 0 || child->ended)
        return true;
    pid_t got = waitpid(child->pid, &status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    child->ended = true;
    child->status = got < 0 ? -1 : WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    return true;
}

void ps_child_signal(struct ps_child *child, int signal, bool group)
{
    /* Once reaped, the number may belong to somebody else: only a group with members keeps it. */
    if (child->pid == 0)
        return;
    if (group)
        (void)kill(-child->pid, signal);
    else if (!child->ended)
        (void)kill(child->pid, signal);
}

void ps_child_kill(struct ps_child *child)
{
    if (child->pid == 0)
        return;
    if (!child->ended) {
        ps_child_signal(child, SIGTERM, true);
        for (int i = 0; i < 100 && !ps_child_poll(child); i++)
            nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
        ps_child_signal(child, SIGKILL, true);
        while (!ps_child_poll(child))
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    ps_child_fini(child);
}
