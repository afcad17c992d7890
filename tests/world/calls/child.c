/* Children of the agent. There is one program, the agent's own, of which the world knows the command `rules compile`: a thread
 * carries it out. In every other run there is none, and Hyperscan's expressions are run by PCRE2. */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "regex/compile/compiler.h"
#include "tests/world/child.h"
#include "tests/world/descriptor.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

#define CHILDREN_MAX 16
#define FIRST_PID 70000

struct child {
    bool there;
    pthread_t thread;
    int socket, status; /* the request comes and the answer goes through the socket; as of waitpid */
    int killed;         /* the signal, or 0 */
};

static struct child children[CHILDREN_MAX];
static _Thread_local int next_input = -1; /* what the next child reads */

static struct child *find(pid_t pid)
{
    int at = pid - FIRST_PID;
    return at >= 0 && at < CHILDREN_MAX && children[at].there ? &children[at] : NULL;
}

/* ---- rules compile ---- */

static bool read_request(int socket, struct ps_bytes *bytes)
{
    char room[4096];
    ssize_t got;
    while ((got = read(socket, room, sizeof room)) > 0)
        ps_bytes_put(bytes, room, (size_t)got);
    return got == 0;
}

/* As ps_compile_serve, without the limits of a process. Returns the exit code. */
static int compile(int socket)
{
    struct ps_bytes bytes = {0};
    struct ps_compile_request request;
    struct ps_err err;
    bool good = read_request(socket, &bytes) &&
                ps_compile_request_read(bytes.data, bytes.length, &request, &err) == PS_OK;
    ps_bytes_fini(&bytes);
    if (!good)
        return 2;
    struct ps_compile_answer answer = {.failed = UINT32_MAX};
    if (ps_hyperscan_build(request.expressions, request.count, &answer.built, &answer.failed, &err) != PS_OK)
        snprintf(answer.error, sizeof answer.error, "%s", err.text);
    ps_compile_answer_write(&bytes, &answer, request.count);
    bool written = ps_bytes_write(socket, &bytes);
    ps_bytes_fini(&bytes);
    ps_compile_answer_fini(&answer);
    ps_compile_request_fini(&request);
    return written ? 0 : 1;
}

static void *run(void *argument)
{
    struct child *child = argument;
    child->status = compile(child->socket) << 8;
    close(child->socket);
    return NULL;
}

/* ---- calls ---- */

/* Only the descriptor 0 matters: the one child reads and writes the same socket. */
int posix_spawn_file_actions_adddup2(posix_spawn_file_actions_t *actions, int fd, int to)
{
    if (to == 0)
        next_input = fd;
    return 0;
}

static int start(pid_t *pid, const struct child *begin, struct description *open)
{
    struct child *child = children;
    while (child < children + CHILDREN_MAX && child->there)
        child++;
    if (child == children + CHILDREN_MAX || open == NULL)
        return EAGAIN;
    *child = *begin;
    child->socket = descriptor_share(open, 0, true);
    int error = turn_start(&child->thread, NULL, run, child);
    child->there = error == 0;
    if (error != 0)
        descriptor_close(child->socket);
    *pid = FIRST_PID + (pid_t)(child - children);
    return error;
}

int posix_spawn(pid_t *restrict pid, const char *restrict path, const posix_spawn_file_actions_t *actions,
                const posix_spawnattr_t *restrict attributes, char *const argv[restrict],
                char *const environment[restrict])
{
    call_enter("posix_spawn", 0, 0);
    bool compiles = world->has_compiler && strcmp(path, "/proc/self/exe") == 0 && argv[1] != NULL &&
                    strcmp(argv[1], "rules") == 0;
    if (!compiles)
        return (int)call_leave(EAGAIN);
    return (int)call_leave(start(pid, &(struct child){0}, descriptor_get(next_input)));
}

bool child_kill(pid_t pid, int number)
{
    struct child *child = find(pid);
    if (child != NULL)
        child->killed = number;
    return child != NULL;
}

pid_t waitpid(pid_t pid, int *status, int options)
{
    if (!turn_is_ours())
        return (pid_t)descriptor_result(real_call(SYS_wait4, pid, (long)status, options, 0, 0, 0));
    call_enter("waitpid", (uint64_t)pid, (uint64_t)options);
    struct child *child = find(pid);
    if (child == NULL)
        return (pid_t)descriptor_result(call_leave(-ECHILD));
    if (turn_join(child->thread, NULL, (options & WNOHANG) != 0 ? 0 : WORLD_NEVER) != 0)
        return (pid_t)call_leave(0);
    child->there = false;
    if (status != NULL)
        *status = child->killed != 0 ? child->killed : child->status;
    return (pid_t)call_leave(pid);
}
