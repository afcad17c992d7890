/* A process that the plan started: its standard output is read line by line, its standard error goes to a
 * file whose last line is shown after an error. The process has its own process group, so ^C at the terminal reaches
 * only the plan. It ends when the plan ends.
 *
 * Thread: the driver's. */
#pragma once

#include "core/status.h"

#include <sys/types.h>

#define PS_PROCESS_LINE_BYTES_MAX (16U << 20) /* a summary with its histogram and many sources */
#define PS_PROCESS_ARGUMENTS_MAX 128U

struct ps_process {
    pid_t pid;       /* 0: no process, or the process has ended and was waited for */
    int out;         /* its standard output; -1: the process has closed it or ended */
    int exit_status; /* valid once `pid` is 0: the status that waitpid returned */
    char *buffer;
    size_t length, room, line_length;
    char log[256]; /* path of its standard error */
};

/* `arguments` as for execv, without the program; NULL at the end. `program` NULL: this program. `log`: a file
 * that is truncated. With `quiet`, standard output goes to the log too. */
enum ps_status ps_process_start(struct ps_process *child, const char *program, const char *const *arguments,
                                const char *log, bool quiet, struct ps_err *err);

/* Returns the next line without its newline, valid until the next call, or NULL when there is none now. Never
 * waits. Drops a line beyond the limit. */
const char *ps_process_line(struct ps_process *child);

/* Returns whether the process still runs. */
bool ps_process_runs(struct ps_process *child);
/* Sends SIGTERM to the process, waits up to `wait_ms`, then kills it. Closes everything. May be called for a process
 * that never started ({0}) or has ended. */
void ps_process_end(struct ps_process *child, unsigned wait_ms);
/* Returns the exit code of the process, 0 to 255; 128 + the signal that ended it; -1: the process runs, or never
 * ran. */
int ps_process_exit_code(const struct ps_process *child);

/* Adds the last line of the process's log to the error. */
void ps_process_explain(const struct ps_process *child, const char *what, struct ps_err *err);
