/* A child process whose output is read. It is started with posix_spawn in its own process group, with standard
 * output (and, optionally, standard error) on non-blocking pipes. A pidfd becomes readable when the process
 * ends. No other code may wait for the process. Thread: the worker that started it. Only the start (as long as
 * the kernel needs to execute a file) and ps_child_kill block. */
#pragma once

#include "core/status.h"

#include <sys/types.h>

struct ps_child {
    pid_t pid;          /* 0: none */
    bool ended;         /* the process is reaped; `status` is valid */
    int start_error;    /* the errno of a start that failed */
    int status;         /* as a shell shows it: exit code, or 128 + signal */
    int input;          /* kept open; nothing is written to it, as with Java's Process */
    int output, errors; /* -1: none */
    int pidfd;          /* readable when the process has ended; -1: none */
    char mark[64];      /* NAME=value in its environment, inherited by all that it starts */
};

void ps_child_init(struct ps_child *child);

/* Starts the process. `argv` ends with NULL; argv[0] is searched for in PATH. In the child, signals have
 * their default handlers, and it may run on the CPUs of `cpus` (the process's set before workers were
 * pinned). Without `errors`, standard error is discarded. On failure child->start_error is the errno. */
struct ps_child_cpus;
enum ps_status ps_child_start(struct ps_child *child, const char *const *argv, bool errors,
                              const struct ps_child_cpus *cpus, struct ps_err *err);

/* Reaps the process if it has ended. Returns true when it has. */
bool ps_child_poll(struct ps_child *child);

/* Sends a signal to the process alone, as Java's Process.destroy() does, or to its whole group. Does nothing
 * when the process has been reaped: ps_child_signal_descendants reaches what it left behind. */
void ps_child_signal(struct ps_child *child, int signal, bool group);

/* Sends a signal to every process that the child or one of its descendants started, also those in another
 * session (setsid) or whose parent has ended: it looks for the child's mark in /proc/<pid>/environ. A process
 * that cleared its environment, or that belongs to another user, is not found. Returns how many were found.
 * `unknown`, if not NULL, is set if a process showed no environment: it has none, or it is in the middle of an exec
 * and will be found later. Takes a few milliseconds with hundreds of processes. (stages/lib/process/descendants.c) */
unsigned ps_child_signal_descendants(const struct ps_child *child, int signal, bool *unknown);
/* Writes a mark that no other child has. */
void ps_child_mark(struct ps_child *child);
/* Returns the caller's environment with the mark, for ps_spawn; NULL: no memory. The caller frees the array. */
const char **ps_child_environment(const struct ps_child *child);

/* Closes the pipes. The process must have been reaped. */
void ps_child_fini(struct ps_child *child);

/* Ends the process and its descendants and releases everything, for `close`: sends SIGTERM to the group and the
 * descendants, waits up to about one second, then sends SIGKILL and waits until the process is gone. */
void ps_child_kill(struct ps_child *child);

/* The CPUs that the calling thread may run on. Read them before the thread is pinned. */
struct ps_child_cpus {
    bool known;
    unsigned long words[16];
};
void ps_child_cpus_init(struct ps_child_cpus *cpus);
