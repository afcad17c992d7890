#include "stages/lib/java/ask.h"

#include "core/arena.h"
#include "core/clock.h"
#include "core/spawn.h"
#include "stages/lib/java/launch.h"
#include "stages/lib/java/pipes.h"
#include "stages/lib/java/texts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum kind { VALUE = '=', NOTHING = '-', FAILED = '!' };
#define REFUSES 1     /* the exit code of a JVM that does not start */
#define HEAD_BYTES 5U /* kind, length in network order */

/* ---- the question ---- */

/* Returns a file in memory with the question, to be read from its beginning, or -1. */
static int write_question(const struct ps_java_question *question, struct ps_err *err)
{
    char count[24];
    int fd = memfd_create("penstock-ask", MFD_CLOEXEC);
    int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 5) : -1;
    FILE *out = copy >= 0 ? fdopen(copy, "w") : NULL;
    if (out == NULL) {
        ps_err_set(err, "a file in memory for a question cannot be made: %s", strerror(errno));
        if (copy >= 0)
            close(copy);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    snprintf(count, sizeof count, "%zu", question->settings.count);
    ps_java_put_count(out, 4 + 2 * question->settings.count + question->asked.count);
    ps_java_put_text(out, question->kind);
    ps_java_put_text(out, question->class_name);
    ps_java_put_text(out, question->name);
    ps_java_put_text(out, count);
    for (size_t i = 0; i < question->settings.count; i++) {
        ps_java_put_text(out, question->settings.items[i].key);
        ps_java_put_text(out, question->settings.items[i].value);
    }
    for (size_t i = 0; i < question->asked.count; i++)
        ps_java_put_text(out, question->asked.items[i]);
    bool written = fclose(out) == 0 && lseek(fd, 0, SEEK_SET) == 0;
    if (written)
        return fd;
    ps_err_set(err, "a question cannot be written: %s", strerror(errno));
    close(fd);
    return -1;
}

/* ---- the answers ---- */

struct answers {
    uint8_t *bytes;
    size_t used;
    int exit_code; /* of the process */
};

/* Reads to the end of the answers, to the deadline, or to the limit of their size. Returns whether it read to the
 * end. */
static bool read_answers(int fd, struct answers *answers, uint64_t deadline_ns)
{
    for (;;) {
        struct pollfd wait = {.fd = fd, .events = POLLIN};
        uint64_t now_ns = ps_clock_now().mono_ns;
        int left_ms = now_ns < deadline_ns ? (int)((deadline_ns - now_ns) / PS_NS_PER_MS) + 1 : 0;
        int ready = left_ms > 0 ? poll(&wait, 1, left_ms) : 0;
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0 || answers->used == PS_JAVA_ANSWERS_BYTES_MAX)
            return false;
        ssize_t got = read(fd, answers->bytes + answers->used, PS_JAVA_ANSWERS_BYTES_MAX - answers->used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got == 0;
        answers->used += (size_t)got;
    }
}

/* Takes the answer at `*at`. If the answer is a failure, copies its text to `failure`. Returns false if the
 * answer is not complete. */
static bool next_answer(const struct answers *answers, size_t *at, struct ps_java_answer *answer,
                        char failure[PS_ERR_BYTES])
{
    uint32_t length;
    if (answers->used - *at < HEAD_BYTES)
        return false;
    const uint8_t *head = answers->bytes + *at;
    memcpy(&length, head + 1, sizeof length);
    length = ntohl(length);
    if (answers->used - *at - HEAD_BYTES < length)
        return false;
    *at += HEAD_BYTES + length;
    *answer = (struct ps_java_answer){.length = length};
    if (head[0] == VALUE)
        answer->bytes = head + HEAD_BYTES;
    if (head[0] == FAILED) {
        snprintf(failure, PS_ERR_BYTES, "%.*s", length < PS_ERR_BYTES ? (int)length : PS_ERR_BYTES,
                 (const char *)head + HEAD_BYTES);
        answer->failure = failure;
    }
    return head[0] == VALUE || head[0] == NOTHING || head[0] == FAILED;
}

/* Checks that there is an answer to each question, then hands them over. */
static enum ps_status hand_over(const struct answers *answers, size_t count, ps_java_answer_function *answer,
                                void *argument, struct ps_err *err)
{
    struct ps_java_answer one;
    char failure[PS_ERR_BYTES];
    size_t at = 0;
    if (!next_answer(answers, &at, &one, failure))
        return ps_err_set(err,
                          "the JVM ended with exit code %d and without an answer; what it wrote is above%s",
                          answers->exit_code,
                          answers->exit_code == REFUSES ? "; its options are those of JAVA_OPTS, of "
                                                          "FLUME_JAVA_OPTS and of the command line"
                                                        : "");
    if (one.failure != NULL)
        return ps_err_set(err, "%s", one.failure);
    const size_t first = at;
    for (size_t i = 0; i < count; i++)
        if (!next_answer(answers, &at, &one, failure))
            return ps_err_set(err, "the JVM ended after %zu of %zu answers", i, count);
    at = first;
    for (size_t i = 0; i < count; i++) {
        (void)next_answer(answers, &at, &one, failure);
        answer(argument, i, &one);
    }
    return PS_OK;
}

/* ---- the process ---- */

/* The answers come through descriptor 3: the JVM itself writes to its standard output (-verbose:gc). */
static int spawn(pid_t *pid, const char *const *argv, int question, int end)
{
    int answers = fcntl(end, F_DUPFD_CLOEXEC, PS_JAVA_LOW_FD);
    if (answers < 0)
        return errno;
    int failed = ps_spawn(pid, &(struct ps_spawn){.argv = argv,
                                                  .input = question,
                                                  .output = STDERR_FILENO,
                                                  .errors = PS_SPAWN_INHERIT,
                                                  .further = &answers,
                                                  .further_count = 1});
    close(answers);
    return failed;
}

static enum ps_status run(const char *const *argv, int question, struct answers *answers, uint64_t timeout_ms,
                          struct ps_err *err)
{
    int ends[2];
    pid_t pid;
    if (pipe2(ends, O_CLOEXEC) != 0)
        return ps_err_set(err, "cannot create a pipe: %s", strerror(errno));
    int failed = spawn(&pid, argv, question, ends[1]);
    close(ends[1]);
    bool ended = false;
    if (failed == 0) {
        ended = read_answers(ends[0], answers, ps_clock_now().mono_ns + timeout_ms * PS_NS_PER_MS);
        if (!ended)
            kill(-pid, SIGKILL);
        answers->exit_code = ps_spawn_exit_code(ps_spawn_wait(pid));
    }
    close(ends[0]);
    if (failed != 0)
        return ps_err_set(err, "cannot run %s: %s", argv[0], strerror(failed));
    if (ended)
        return PS_OK;
    return answers->used == PS_JAVA_ANSWERS_BYTES_MAX
               ? ps_err_set(err, "its answers are too large: more than 4 MiB")
               : ps_err_set(err, "it did not answer within %llu ms", (unsigned long long)timeout_ms);
}

enum ps_status ps_java_ask_command(const char *const *argv, const struct ps_java_question *question,
                                   uint64_t timeout_ms, ps_java_answer_function *answer, void *argument,
                                   struct ps_err *err)
{
    int fd = write_question(question, err);
    if (fd < 0)
        return PS_FAIL;
    struct answers answers = {.bytes = ps_must_alloc(1, PS_JAVA_ANSWERS_BYTES_MAX, "the answers of a class")};
    enum ps_status status = run(argv, fd, &answers, timeout_ms, err);
    if (status == PS_OK)
        status = hand_over(&answers, question->asked.count, answer, argument, err);
    explicit_bzero(answers.bytes, answers.used);
    free(answers.bytes);
    close(fd);
    return status;
}

enum ps_status ps_java_ask(const struct ps_class_path *path, const struct ps_java_question *question,
                           ps_java_answer_function *answer, void *argument, struct ps_err *err)
{
    struct ps_arena *arena = ps_arena_create();
    const char *const *argv = ps_java_launch_alone(arena, path, "penstock.host.Ask", err);
    enum ps_status status =
        argv != NULL ? ps_java_ask_command(argv, question, PS_JAVA_ASK_MS, answer, argument, err) : PS_FAIL;
    ps_arena_destroy(arena);
    return status;
}
