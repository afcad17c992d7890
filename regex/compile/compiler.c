/* Runs the compiler: as a process of its own, supervised, or in this thread. Called by the control thread or
 * a helper, which waits for it; never by a worker. */
#include "regex/compile/compiler.h"

#include "core/spawn.h"
#include "core/quantity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 50

struct child {
    pid_t pid;
    int socket; /* sends the request, receives the answer */
};

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static enum ps_status child_start(struct child *child, const char *program, struct ps_err *err)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return ps_err_set(err, "cannot create a socket for the compiler: %s", strerror(errno));
    (void)fcntl(ends[0], F_SETFL, O_NONBLOCK);
    const char *argv[] = {program, "rules", "compile", NULL};
    int failed = ps_spawn(&child->pid, &(struct ps_spawn){.program = program,
                                                          .argv = argv,
                                                          .input = ends[1],
                                                          .output = ends[1],
                                                          .errors = PS_SPAWN_INHERIT});
    close(ends[1]);
    child->socket = ends[0];
    if (failed == 0)
        return PS_OK;
    close(ends[0]);
    return ps_err_set(err, "cannot start %s: %s", program, strerror(failed));
}

enum talk { TALK_DONE, TALK_CANCELLED, TALK_LATE, TALK_BROKEN };

/* Does one step of sending and receiving. Returns false when the exchange is over; `*talk` has the result. */
static bool step(int socket, const struct ps_bytes *request, size_t *sent, struct ps_bytes *answer,
                 enum talk *talk)
{
    static _Thread_local unsigned char room[65536];
    if (*sent < request->length) {
        ssize_t n = send(socket, request->data + *sent, request->length - *sent, MSG_NOSIGNAL);
        if (n > 0) {
            *sent += (size_t)n;
            if (*sent == request->length)
                (void)shutdown(socket, SHUT_WR);
        } else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            *sent = request->length; /* the compiler has exited: its exit status gives the reason */
        }
    }
    ssize_t n = recv(socket, room, sizeof room, 0);
    if (n > 0) {
        ps_bytes_put(answer, room, (size_t)n);
        *talk = TALK_BROKEN;
        return answer->length <= PS_COMPILE_ANSWER_BYTES_MAX;
    }
    *talk = n == 0 ? TALK_DONE : TALK_BROKEN;
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

/* A compiler at SCHED_IDLE may wait long for the CPU, so there is also a limit on elapsed time. */
static uint64_t wall_limit_ms(uint64_t time_ms)
{
    return time_ms == 0 || time_ms > UINT64_MAX / 16 ? UINT64_MAX / 2 : time_ms * 10 + 60000;
}

static enum talk child_talk(int socket, const struct ps_bytes *request, const struct ps_compile_how *how,
                            struct ps_bytes *answer)
{
    uint64_t start = now_ms(), limit = wall_limit_ms(how->limits.time_ms);
    size_t sent = 0;
    enum talk talk = TALK_BROKEN;
    while (step(socket, request, &sent, answer, &talk)) {
        struct pollfd poll_fd = {.fd = socket,
                                 .events = (short)(POLLIN | (sent < request->length ? POLLOUT : 0))};
        (void)poll(&poll_fd, 1, POLL_MS);
        if (how->cancelled != NULL && how->cancelled(how->argument))
            return TALK_CANCELLED;
        if (now_ms() - start > limit)
            return TALK_LATE;
    }
    return talk;
}

/* Waits until the child ends; with `kill_it` kills the child first. Returns the signal that ended the child, or 0. */
static int child_end(struct child *child, bool kill_it)
{
    close(child->socket);
    if (kill_it)
        (void)kill(child->pid, SIGKILL);
    int status = ps_spawn_wait(child->pid);
    return status != -1 && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static enum ps_status explain(enum talk talk, int signal, const struct ps_compile_limits *limits,
                              struct ps_err *err)
{
    if (talk == TALK_CANCELLED)
        return ps_err_set(err, "compiling was cancelled");
    if (talk == TALK_LATE)
        return ps_err_set(err, "compiling was given up: the compiler got no CPU");
    if (signal == SIGXCPU || signal == SIGPROF)
        return ps_err_set(err, "compiling took more than %s of CPU time",
                          ps_quantity_print_ns(limits->time_ms * 1000000).text);
    if (signal == SIGKILL)
        return ps_err_set(err, "the compiler was killed, probably because memory ran out");
    if (signal != 0 && limits->memory_bytes != 0) /* parts of the compiler crash when memory runs out */
        return ps_err_set(err, "the compiler ended by signal %d (%s): perhaps %s of memory is too little",
                          signal, strsignal(signal), ps_quantity_print_bytes(limits->memory_bytes).text);
    if (signal != 0)
        return ps_err_set(err, "the compiler ended by signal %d (%s)", signal, strsignal(signal));
    return ps_err_set(err, "the compiler ended without an answer");
}

static enum ps_status run_child(uint32_t count, const struct ps_bytes *key, const struct ps_compile_how *how,
                                struct ps_compile_answer *answer, struct ps_err *err)
{
    struct ps_bytes request = {0}, bytes = {0};
    struct child child;
    if (child_start(&child, how->program, err) != PS_OK) {
        answer->passing = true;
        return PS_FAIL;
    }
    ps_compile_request_write(&request, &how->limits, key);
    enum talk talk = child_talk(child.socket, &request, how, &bytes);
    int signal = child_end(&child, talk != TALK_DONE);
    enum ps_status status = PS_FAIL;
    if (talk != TALK_DONE || signal != 0 || bytes.length == 0) {
        explain(talk, signal, &how->limits, err);
        /* a compiler that ends by itself and without an answer could not be loaded */
        answer->passing = talk != TALK_CANCELLED && (signal == SIGKILL || signal == 0);
    } else
        status = ps_compile_answer_read(bytes.data, bytes.length, count, answer, err);
    ps_bytes_fini(&request);
    ps_bytes_fini(&bytes);
    if (status != PS_OK || answer->built.outcomes != NULL)
        return status;
    if (how->limits.memory_bytes != 0 && strstr(answer->error, "memory") != NULL)
        return ps_err_set(err, "compiling took more than %s of memory",
                          ps_quantity_print_bytes(how->limits.memory_bytes).text);
    return ps_err_set(err, "%s", answer->error);
}

enum ps_status ps_compile_run(const struct ps_hyperscan_expression *expressions, uint32_t count,
                              const struct ps_bytes *key, const struct ps_compile_how *how,
                              struct ps_compile_answer *answer, struct ps_err *err)
{
    *answer = (struct ps_compile_answer){.failed = UINT32_MAX};
    if (how->cancelled != NULL && how->cancelled(how->argument))
        return ps_err_set(err, "compiling was cancelled");
    if (how->program != NULL)
        return run_child(count, key, how, answer, err);
    return ps_hyperscan_build(expressions, count, &answer->built, &answer->failed, err);
}
