/* See spawn.h. */
#include "core/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static int file_actions(posix_spawn_file_actions_t *actions, const struct ps_spawn *spawn)
{
    const int from[] = {spawn->input, spawn->output, spawn->errors};
    int failed = 0;
    for (int fd = 0; fd < 3 && failed == 0; fd++) {
        if (from[fd] == PS_SPAWN_NOTHING)
            failed =
                posix_spawn_file_actions_addopen(actions, fd, "/dev/null", fd == 0 ? O_RDONLY : O_WRONLY, 0);
        else if (from[fd] != PS_SPAWN_INHERIT)
            failed = posix_spawn_file_actions_adddup2(actions, from[fd], fd);
    }
    for (int i = 0; i < spawn->further_count && failed == 0; i++)
        failed = posix_spawn_file_actions_adddup2(actions, spawn->further[i], 3 + i);
    return failed;
}

static char *const *environment_of(const struct ps_spawn *spawn)
{
    return spawn->environment != NULL ? (char *const *)(uintptr_t)spawn->environment : environ;
}

static int start(pid_t *pid, const struct ps_spawn *spawn)
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
        char *const *argv = (char *const *)(uintptr_t)spawn->argv;
        char *const *environment = environment_of(spawn);
        (void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF |
                                                        POSIX_SPAWN_SETSIGMASK);
        (void)posix_spawnattr_setpgroup(&attributes, 0);
        (void)posix_spawnattr_setsigdefault(&attributes, &all);
        (void)posix_spawnattr_setsigmask(&attributes, &none);
        failed = file_actions(&actions, spawn);
        if (failed == 0)
            failed = spawn->program != NULL
                         ? posix_spawn(pid, spawn->program, &actions, &attributes, argv, environment)
                         : posix_spawnp(pid, spawn->argv[0], &actions, &attributes, argv, environment);
        posix_spawnattr_destroy(&attributes);
    }
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

/* ---- PR_SET_PDEATHSIG, which posix_spawn does not know ---- */

/* Makes the same set-up in a forked child: only async-signal-safe calls until execve. */
static _Noreturn void child_exec(const struct ps_spawn *spawn, pid_t parent)
{
    const int from[] = {spawn->input, spawn->output, spawn->errors};
    sigset_t none;
    sigemptyset(&none);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    (void)setpgid(0, 0);
    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        (void)signal(signal_number, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    for (int fd = 0; fd < 3; fd++) {
        int source = from[fd];
        if (source == PS_SPAWN_NOTHING)
            source = open("/dev/null", (fd == 0 ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
        if (source >= 0)
            (void)dup2(source, fd);
    }
    if (getppid() == parent) /* otherwise the parent has ended before the prctl */
        (void)execve(spawn->program, (char *const *)(uintptr_t)spawn->argv, environment_of(spawn));
    dprintf(STDERR_FILENO, "cannot run %s: %s\n", spawn->program, strerror(errno));
    _exit(127);
}

static int start_with_caller(pid_t *pid, const struct ps_spawn *spawn)
{
    PS_ASSERT(spawn->program != NULL && spawn->further_count == 0);
    pid_t parent = getpid();
    *pid = fork();
    if (*pid == 0)
        child_exec(spawn, parent);
    return *pid < 0 ? errno : 0;
}

int ps_spawn(pid_t *pid, const struct ps_spawn *spawn)
{
    return spawn->ends_with_caller ? start_with_caller(pid, spawn) : start(pid, spawn);
}

/* ---- the end of the process ---- */

bool ps_spawn_poll(pid_t pid, int *status)
{
    pid_t got = waitpid(pid, status, WNOHANG);
    if (got == 0 || (got < 0 && errno == EINTR))
        return false;
    if (got < 0)
        *status = -1;
    return true;
}

int ps_spawn_wait(pid_t pid)
{
    int status;
    pid_t got;
    do {
        got = waitpid(pid, &status, 0);
    } while (got < 0 && errno == EINTR);
    return got == pid ? status : -1;
}

int ps_spawn_exit_code(int status)
{
    if (status == -1)
        return -1;
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}
