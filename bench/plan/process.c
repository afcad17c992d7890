#include "bench/plan/process.h"
#include "core/clock.h"
#include "core/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum ps_status ps_process_start(struct ps_process *child, const char *program, const char *const *arguments,
                                const char *log, bool quiet, struct ps_err *err)
{
    const char *argv[PS_PROCESS_ARGUMENTS_MAX + 2] = {"penstock"};
    int ends[2] = {-1, -1};
    *child = (struct ps_process){.out = -1};
    for (unsigned i = 0; arguments[i] != NULL; i++) {
        PS_ASSERT(i < PS_PROCESS_ARGUMENTS_MAX);
        argv[i + 1] = arguments[i];
    }
    snprintf(child->log, sizeof child->log, "%s", log);
    if (!quiet && pipe2(ends, O_CLOEXEC) != 0)
        return ps_err_set(err, "cannot start `penstock %s`: %s", arguments[0], strerror(errno));
    int log_fd = open(child->log, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    int to_log = log_fd >= 0 ? log_fd : PS_SPAWN_INHERIT;
    int failed =
        ps_spawn(&child->pid, &(struct ps_spawn){.program = program != NULL ? program : "/proc/self/exe",
                                                 .argv = argv,
                                                 .input = PS_SPAWN_NOTHING,
                                                 .output = ends[1] >= 0 ? ends[1] : to_log,
                                                 .errors = to_log,
                                                 .ends_with_caller = true});
    if (log_fd >= 0)
        close(log_fd);
    if (ends[1] >= 0)
        close(ends[1]);
    if (failed != 0) {
        child->pid = 0;
        if (ends[0] >= 0)
            close(ends[0]);
        return ps_err_set(err, "cannot start `penstock %s`: %s", arguments[0], strerror(failed));
    }
    child->out = ends[0];
    if (child->out >= 0)
        fcntl(child->out, F_SETFL, O_NONBLOCK);
    return PS_OK;
}

/* Reads the available output. */
static void fill(struct ps_process *child)
{
    while (child->out >= 0) {
        if (child->room - child->length < 65536) {
            if (child->room >= PS_PROCESS_LINE_BYTES_MAX)
                child->length = 0; /* the line is too long: drop it */
            else
                child->room = child->room == 0 ? 131072 : 2 * child->room;
            child->buffer = ps_must_realloc(child->buffer, child->room, "the output of a child");
        }
        ssize_t got = read(child->out, child->buffer + child->length, child->room - child->length - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got <= 0) {
            close(child->out);
            child->out = -1;
            return;
        }
        child->length += (size_t)got;
        if (memchr(child->buffer + child->length - got, '\n', (size_t)got) != NULL)
            return;
    }
}

const char *ps_process_line(struct ps_process *child)
{
    if (child->line_length > 0) { /* removes the line that the last call returned */
        child->length -= child->line_length;
        memmove(child->buffer, child->buffer + child->line_length, child->length);
        child->line_length = 0;
    }
    char *end = child->length > 0 ? memchr(child->buffer, '\n', child->length) : NULL;
    if (end == NULL) {
        fill(child);
        end = child->length > 0 ? memchr(child->buffer, '\n', child->length) : NULL;
    }
    if (end == NULL)
        return NULL;
    *end = '\0';
    child->line_length = (size_t)(end - child->buffer) + 1;
    return child->buffer;
}

bool ps_process_runs(struct ps_process *child)
{
    if (child->pid > 0 && ps_spawn_poll(child->pid, &child->exit_status))
        child->pid = 0;
    return child->pid > 0;
}

void ps_process_end(struct ps_process *child, unsigned wait_ms)
{
    if (ps_process_runs(child)) {
        kill(child->pid, SIGTERM);
        for (unsigned waited = 0; waited < wait_ms && ps_process_runs(child); waited += 10)
            nanosleep(&(struct timespec){.tv_nsec = 10 * (long)PS_NS_PER_MS}, NULL);
        if (ps_process_runs(child)) {
            kill(child->pid, SIGKILL);
            child->exit_status = ps_spawn_wait(child->pid);
            child->pid = 0;
        }
    }
    if (child->out > 0)
        close(child->out);
    child->out = -1;
    free(child->buffer);
    child->buffer = NULL;
    child->length = child->room = child->line_length = 0;
}

int ps_process_exit_code(const struct ps_process *child)
{
    if (child->pid != 0 || child->log[0] == '\0')
        return -1;
    return ps_spawn_exit_code(child->exit_status);
}

void ps_process_explain(const struct ps_process *child, const char *what, struct ps_err *err)
{
    char line[512], last[512] = "";
    FILE *file = fopen(child->log, "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0' && strstr(line, "--help`") == NULL)
            memcpy(last, line, sizeof last);
    }
    if (file != NULL)
        fclose(file);
    if (last[0] != '\0')
        ps_err_append(err, "%s said: %s", what, last);
}
