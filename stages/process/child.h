/* A child process whose output is read: started with posix_spawn in a process group of its own, with standard
 * output (and, if wanted, standard error) on non-blocking pipes, and a pidfd that says when it has ended.
 * Nobody else may wait for it. Thread: the worker that started it; nothing here blocks but the start itself,
 * for as long as the kernel needs to execute a file. */
#pragma once

#include "core/status.h"

#include <sys/types.h>

struct ps_child {
    pid_t pid;          /* 0: none */
    bool ended;         /* reaped; `status` is valid */
    int status;         /* as a shell shows it: exit code, or 128 + signal */
    int input;          /* kept open, nothing is ever written: as Java's Process */
    int output, errors; /* -1: none */
    int pidfd;          /* readable when it has ended; -1: none */
};

void ps_child_init(struct ps_child *child);

/* `argv` ends with NULL; argv[0] is looked for in PATH. Signals are at their defaults in the child, and it
 * may run on the CPUs of `cpus` (the set of the process before workers were pinned). Without `errors`
 * standard error is discarded. */
struct ps_child_cpus;
enum ps_status ps_child_start(struct ps_child *child, const char *const *argv, bool errors,
                              const struct ps_child_cpus *cpus, struct ps_err *err);

/* Reaps it if it has ended. True when it has. */
bool ps_child_poll(struct ps_child *child);

/* A signal to the process alone, as Java's destroy() does, or to its whole group. */
void ps_child_signal(struct ps_child *child, int signal, bool group);

/* Closes the pipes; the process must have been reaped. */
void ps_child_fini(struct ps_child *child);

/* Kills the group and waits until the process is gone, at most about a second for it to end by itself. For
 * `close`. */
void ps_child_kill(struct ps_child *child);

/* The CPUs the calling thread may run on: to be taken before it is pinned. */
struct ps_child_cpus {
    bool known;
    unsigned long words[16];
};
void ps_child_cpus_init(struct ps_child_cpus *cpus);
