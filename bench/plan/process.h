/* A process that the plan started: its standard output comes line by line, its standard error goes to a file
 * whose end is shown when something goes wrong. It has a process group of its own, so that ^C at the terminal
 * reaches only the plan, and it ends with the plan.
 *
 * Thread: the driver's. */
#pragma once

#include "core/status.h"

#include <sys/types.h>

#define PS_PROCESS_LINE_BYTES_MAX (16U << 20) /* a summary with its histogram and many sources */
#define PS_PROCESS_ARGUMENTS_MAX 128U

struct ps_process {
    pid_t pid;       /* 0: none, or it was waited for */
    int out;         /* -1: closed: it ended or closed it */
    int exit_status; /* as of waitpid, once pid is 0 */
    char *buffer;
    size_t length, room, line_length;
    char log[256]; /* its standard error */
};

/* `arguments` as for execv, without the program; NULL at the end. `program` NULL: this program itself. `log`:
 * a file that is written anew. With `quiet`, standard output goes to the log too. */
enum ps_status ps_process_start(struct ps_process *child, const char *program, const char *const *arguments,
                                const char *log, bool quiet, struct ps_err *err);

/* The next line without its newline, valid until the next call; NULL: none now. Never waits. A line beyond
 * the limit is dropped. */
const char *ps_process_line(struct ps_process *child);

/* Whether it still runs. */
bool ps_process_runs(struct ps_process *child);
/* Sends SIGTERM, waits up to `wait_ms`, then kills it. Closes everything. May be called on one that never
 * started ({0} or ended). */
void ps_process_end(struct ps_process *child, unsigned wait_ms);
/* 0 to 255; 128 + the signal that ended it; -1: runs, or never did. */
int ps_process_exit_code(const struct ps_process *child);

/* Adds the last line of its log to the error. */
void ps_process_explain(const struct ps_process *child, const char *what, struct ps_err *err);
