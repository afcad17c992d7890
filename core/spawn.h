/* Starts a program as a process of its own: in a process group of its own, with all signals at their defaults and
 * none blocked, so that neither the signals that the caller ignores nor a ^C at its terminal affect it. The process
 * gets the caller's environment, unless `environment` is set. Descriptors other than 0, 1 and 2 must be
 * close-on-exec.
 *
 * Thread: any; ps_spawn blocks for as long as the kernel needs to execute a file. */
#pragma once

#include "core/base.h"

#include <sys/types.h>

enum {
    PS_SPAWN_INHERIT = -1, /* the caller's */
    PS_SPAWN_NOTHING = -2, /* /dev/null */
};

struct ps_spawn {
    const char *program;            /* a path; NULL: argv[0], looked for in PATH */
    const char *const *argv;        /* ends with NULL */
    const char *const *environment; /* ends with NULL; NULL: the caller's */
    int input, output, errors;      /* descriptors of the caller that become 0, 1 and 2, or PS_SPAWN_* */
    /* Descriptors of the caller that become 3, 4 and so on. None of them, or of the three above, may have such a
     * number itself. Cannot be used with `ends_with_caller`. */
    const int *further;
    int further_count;
    /* The process gets SIGTERM when the thread that started it ends. Needs `program`. If the program cannot be
     * executed, ps_spawn still returns 0: the process writes a line to `errors` and exits with code 127. */
    bool ends_with_caller;
};

/* Starts the process. Returns 0 and `*pid`, or an errno. Owns: the caller waits for the process. */
int ps_spawn(pid_t *pid, const struct ps_spawn *spawn);

/* Returns true when the process has ended, and reaps it: `*status` is as of waitpid, or -1 if it cannot be waited
 * for. */
bool ps_spawn_poll(pid_t pid, int *status);
/* Waits until the process has ended, and reaps it. Returns the status as ps_spawn_poll writes it. */
int ps_spawn_wait(pid_t pid);
/* Returns a status as a shell shows it: the exit code, or 128 + the signal that ended the process; -1: unknown. */
int ps_spawn_exit_code(int status);
