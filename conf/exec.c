/* See exec.h. The command has a process group of its own, so that children of a script are killed with it. */
#include "conf/exec.h"

#include "core/clock.h"
#include "core/spawn.h"
#include "core/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static enum ps_status spawn(const struct ps_texts *words, const char *const *environment, int out, pid_t *pid,
                            struct ps_err *err)
{
    const char **argv = ps_must_alloc(words->count + 1, sizeof *argv, "a command's arguments");
    for (size_t i = 0; i < words->count; i++)
        argv[i] = words->items[i];
    argv[words->count] = NULL;
    int failed = ps_spawn(pid, &(struct ps_spawn){.argv = argv,
                                                  .environment = environment,
                                                  .input = PS_SPAWN_NOTHING,
                                                  .output = out,
                                                  .errors = PS_SPAWN_INHERIT});
    free(argv);
    return failed == 0 ? PS_OK : ps_err_set(err, "cannot run %s: %s", words->items[0], strerror(failed));
}

static int left_ms(uint64_t deadline_ns)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    return now_ns >= deadline_ns ? 0 : (int)((deadline_ns - now_ns) / PS_NS_PER_MS) + 1;
}

/* Reads to the end, so that the child never gets SIGPIPE, and keeps the first bytes. */
static enum ps_status drain(int fd, char *line, size_t room, size_t *length, uint64_t deadline_ns,
                            struct ps_err *err)
{
    char buffer[4096];
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        int left = left_ms(deadline_ns);
        int ready = left > 0 ? poll(&wait, 1, left) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready == 0)
            return ps_err_set(err, "the command did not end in time and was killed");
        ssize_t got = read(fd, buffer, sizeof buffer);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return PS_OK;
        size_t keep = (size_t)got < room - *length ? (size_t)got : room - *length;
        memcpy(line + *length, buffer, keep);
        *length += keep;
    }
}

/* Waits for the child until the deadline, then kills its process group. */
static enum ps_status reap(pid_t pid, uint64_t deadline_ns, const char *name, struct ps_err *err)
{
    int status = 0;
    pid_t ended;
    while ((ended = waitpid(pid, &status, WNOHANG)) == 0 && left_ms(deadline_ns) > 0)
        usleep(2000);
    if (ended == 0) {
        kill(-pid, SIGKILL);
        (void)ps_spawn_wait(pid);
        return ps_err_set(err, "%s did not end in time and was killed", name);
    }
    if (ended < 0)
        return ps_err_set(err, "cannot wait for %s: %s", name, strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return PS_OK;
    if (WIFEXITED(status))
        return ps_err_set(err, "%s exited with status %d", name, WEXITSTATUS(status));
    return ps_err_set(err, "%s was ended by signal %d", name, WTERMSIG(status));
}

/* Runs the words, and keeps the first bytes of the output: `*length` of at most `room`. */
static enum ps_status run(const struct ps_texts *words, const char *const *environment, int timeout_ms,
                          char *bytes, size_t room, size_t *length, struct ps_err *err)
{
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ps_err_set(err, "cannot create a pipe: %s", strerror(errno));
    enum ps_status status = spawn(words, environment, ends[1], &pid, err);
    close(ends[1]);
    if (status != PS_OK) {
        close(ends[0]);
        return status;
    }
    uint64_t deadline_ns = ps_clock_now().mono_ns + (uint64_t)timeout_ms * PS_NS_PER_MS;
    *length = 0;
    status = drain(ends[0], bytes, room, length, deadline_ns, err);
    close(ends[0]);
    if (status != PS_OK)
        deadline_ns = 0;
    if (reap(pid, deadline_ns, words->items[0], err) != PS_OK)
        status = PS_FAIL;
    return status;
}

const char *ps_exec_output(struct ps_arena *arena, const struct ps_texts *words,
                           const char *const *environment, size_t bytes_max, int timeout_ms,
                           struct ps_err *err)
{
    char *bytes = ps_must_alloc(1, bytes_max + 1, "a command's output");
    size_t length;
    const char *text = NULL;
    if (run(words, environment, timeout_ms, bytes, bytes_max + 1, &length, err) == PS_OK) {
        if (length > bytes_max)
            ps_err_set(err, "%s printed more than %s", words->items[0],
                       ps_quantity_print_bytes(bytes_max).text);
        else
            text = ps_arena_copy(arena, bytes, length);
    }
    free(bytes);
    return text;
}

const char *ps_exec_first_line(struct ps_arena *arena, const struct ps_texts *command, const char *argument,
                               int timeout_ms, struct ps_err *err)
{
    const char **items = ps_must_alloc(command->count + 1, sizeof *items, "a command's arguments");
    for (size_t i = 0; i < command->count; i++)
        items[i] = command->items[i];
    items[command->count] = argument;
    const struct ps_texts words = {command->count + 1, items};
    char *line = ps_must_alloc(1, PS_EXEC_LINE_BYTES_MAX, "a line of output");
    size_t length;
    const char *result = NULL;
    if (run(&words, NULL, timeout_ms, line, PS_EXEC_LINE_BYTES_MAX, &length, err) != PS_OK)
        goto out;
    char *end = memchr(line, '\n', length);
    if (length == 0)
        ps_err_set(err, "%s printed nothing", items[0]);
    else if (end == NULL && length == PS_EXEC_LINE_BYTES_MAX)
        ps_err_set(err, "%s printed a line of more than %s", items[0],
                   ps_quantity_print_bytes(PS_EXEC_LINE_BYTES_MAX).text);
    else {
        size_t size = end != NULL ? (size_t)(end - line) : length;
        if (size > 0 && line[size - 1] == '\r')
            size--;
        result = ps_arena_copy(arena, line, size);
    }
out:
    free(line);
    free(items);
    return result;
}
