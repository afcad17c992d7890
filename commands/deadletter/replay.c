/* `penstock deadletter replay`: sends each open letter once to a netcat source or to standard output. A letter is
 * marked after the source has answered or the output has accepted it; if the command crashes before the mark, the
 * letter is replayed again. */
#include "commands/deadletter/deadletter.h"
#include "commands/deadletter/internal.h"
#include "core/quantity.h"
#include "core/text/utf8.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define WINDOW 64U /* maximum number of letters without an answer */
#define PATIENCE_S 30

struct replay {
    const struct ps_deadletter_command *command;
    struct ps_deadletter_marker *marker;
    struct ps_deadletter_mark waiting[WINDOW]; /* sent but not answered yet; a ring */
    uint64_t sent, answered, skipped, no_line;
    int socket;
    FILE *answers;
    bool failed;
};

static bool fail(struct replay *replay, const char *what, const char *why)
{
    fprintf(stderr, "penstock deadletter: %s: %s\n", what, why);
    replay->failed = true;
    return false;
}

/* ---- the source ---- */

static int connect_to(const struct addrinfo *addresses)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd = -1;
    for (const struct addrinfo *at = addresses; at != NULL && fd < 0; at = at->ai_next) {
        fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
        if (fd < 0)
            continue;
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        if (connect(fd, at->ai_addr, at->ai_addrlen) == 0)
            return fd;
        int reason = errno;
        close(fd);
        errno = reason;
        fd = -1;
    }
    return fd;
}

/* Connects. Returns -1 for a wrong URL, else whether the connection is open. */
static int source_open(struct replay *replay, const char *url)
{
    static const char scheme[] = "tcp://";
    char host[256];
    const char *colon = strrchr(url, ':');
    if (strncmp(url, scheme, strlen(scheme)) != 0 || colon < url + strlen(scheme) || colon[1] == '\0' ||
        (size_t)(colon - url) - strlen(scheme) >= sizeof host) {
        fprintf(stderr, "penstock deadletter: --to takes tcp://HOST:PORT, not %s\n", url);
        return -1;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - url - (ptrdiff_t)strlen(scheme)), url + strlen(scheme));
    size_t length = strlen(host);
    if (length >= 2 && host[0] == '[' && host[length - 1] == ']') {
        memmove(host, host + 1, length - 2);
        host[length - 2] = '\0';
    }
    const struct addrinfo want = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    int code = getaddrinfo(host, colon + 1, &want, &addresses);
    if (code != 0)
        return fail(replay, url, gai_strerror(code));
    replay->socket = connect_to(addresses);
    int reason = errno;
    freeaddrinfo(addresses);
    if (replay->socket < 0)
        return fail(replay, url, strerror(reason));
    replay->answers = fdopen(replay->socket, "r");
    return replay->answers != NULL || fail(replay, url, strerror(errno));
}

/* Waits for the answer to the oldest letter. */
static bool source_answer(struct replay *replay)
{
    char line[256];
    const struct ps_deadletter_mark *mark = &replay->waiting[replay->answered % WINDOW];
    errno = 0;
    if (fgets(line, sizeof line, replay->answers) == NULL)
        return fail(replay, replay->command->to,
                    errno == EAGAIN ? "no answer in 30 s: is it a netcat source, with ack-every-event?"
                    : errno != 0    ? strerror(errno)
                                    : "the source closed the connection");
    line[strcspn(line, "\r\n")] = '\0';
    if (strcmp(line, "OK") != 0) {
        fprintf(stderr, "penstock deadletter: %s, byte %llu: the source answers: %s\n", mark->file,
                (unsigned long long)mark->offset, line);
        replay->failed = true;
        return false;
    }
    if (!ps_deadletter_marker_add(replay->marker, mark)) {
        replay->failed = true;
        return false;
    }
    replay->answered++;
    return true;
}

static bool source_write(struct replay *replay, const char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t put = send(replay->socket, bytes, length, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0) { /* the source may have answered with a reason */
            int reason = errno;
            while (replay->answered < replay->sent && source_answer(replay))
                continue;
            return replay->failed ? false : fail(replay, replay->command->to, strerror(reason));
        }
        bytes += put;
        length -= (size_t)put;
    }
    return true;
}

/* Sends the body and the newline in one call, because each write may become a TCP segment of its own. */
static bool source_send(struct replay *replay, const struct ps_deadletter *letter)
{
    if (replay->sent - replay->answered == WINDOW && !source_answer(replay))
        return false;
    char *line = ps_must_alloc(letter->body_length + 1, 1, "a letter");
    memcpy(line, letter->body, letter->body_length);
    line[letter->body_length] = '\n';
    bool good = source_write(replay, line, letter->body_length + 1);
    free(line);
    if (good)
        replay->waiting[replay->sent++ % WINDOW] = ps_deadletter_mark_of(letter);
    return good;
}

/* ---- standard output ---- */

/* Marks the written letters after the output was flushed. */
static bool output_answer(struct replay *replay)
{
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        return fail(replay, "standard output", errno != 0 ? strerror(errno) : "an earlier write failed");
    for (; replay->answered < replay->sent; replay->answered++) {
        if (!ps_deadletter_marker_add(replay->marker, &replay->waiting[replay->answered % WINDOW])) {
            replay->failed = true;
            return false;
        }
    }
    return true;
}

static void write_json(const struct ps_deadletter *letter)
{
    char count[16];
    json_t *headers = json_object_get(letter->json, "headers");
    if (headers == NULL) {
        headers = json_object();
        json_object_set_new(letter->json, "headers", headers);
    }
    snprintf(count, sizeof count, "%u", letter->replays + 1);
    json_object_set_new(headers, PS_DEADLETTER_HEADER, json_string(count));
    json_dumpf(letter->json, stdout, JSON_COMPACT);
    putchar('\n');
}

static bool output_send(struct replay *replay, const struct ps_deadletter *letter)
{
    if (replay->sent - replay->answered == WINDOW && !output_answer(replay))
        return false;
    replay->waiting[replay->sent++ % WINDOW] = ps_deadletter_mark_of(letter);
    if (replay->command->json) {
        write_json(letter);
    } else {
        fwrite(letter->body, 1, letter->body_length, stdout);
        putchar('\n');
    }
    return true;
}

/* ---- which ---- */

static bool is_line(const struct ps_deadletter *letter)
{
    return memchr(letter->body, '\n', letter->body_length) == NULL &&
           ps_utf8_valid_length(letter->body, letter->body_length) == letter->body_length;
}

static bool replay_letter(void *argument, const struct ps_deadletter *letter)
{
    struct replay *replay = argument;
    if ((letter->replayed || letter->aside) && !replay->command->again) {
        replay->skipped += letter->aside;
        return true;
    }
    if (!replay->command->json && !is_line(letter)) {
        replay->no_line++;
        return true;
    }
    if (replay->command->limit > 0 && replay->sent == replay->command->limit)
        return false;
    return replay->command->to != NULL ? source_send(replay, letter) : output_send(replay, letter);
}

static void say(const struct replay *replay, const struct ps_deadletter_found *found)
{
    fprintf(stderr, "penstock deadletter: %s replayed", ps_quantity_print_count(replay->answered).text);
    if (replay->skipped > 0)
        fprintf(stderr, "; %s set aside after %s unsuccessful %s (--again includes them)",
                ps_quantity_print_count(replay->skipped).text,
                ps_quantity_print_count(replay->command->replays_max).text,
                ps_quantity_word(replay->command->replays_max, "replay", "replays"));
    if (replay->no_line > 0)
        fprintf(stderr, "; %s skipped: a body is not a single line (--json replays it)",
                ps_quantity_print_count(replay->no_line).text);
    if (found->unreadable > 0)
        fprintf(stderr, "; %s %s cannot be read", ps_quantity_print_count(found->unreadable).text,
                ps_quantity_word(found->unreadable, "line", "lines"));
    fputc('\n', stderr);
}

/* Does not read letters that arrive while it runs: a replayed letter that becomes a dead letter again waits for the
 * next replay. */
int ps_main_deadletter_replay(const struct ps_deadletter_command *command)
{
    struct replay replay = {.command = command, .socket = -1};
    struct ps_deadletter_found found = {0};
    struct ps_deadletter_command all = *command; /* the limit counts replayed letters only */
    struct ps_deadletter_marks *marks = NULL;
    bool good = false;
    all.limit = 0;
    replay.marker = ps_deadletter_marker_open(command->directory);
    if (replay.marker != NULL)
        marks = ps_deadletter_marks_read(command->directory);
    int opened = marks == NULL ? 0 : command->to == NULL ? 1 : source_open(&replay, command->to);
    if (opened == 1) {
        good = ps_deadletter_each(&all, marks, replay_letter, &replay, &found);
        while (!replay.failed && replay.answered < replay.sent)
            (void)(command->to != NULL ? source_answer(&replay) : output_answer(&replay));
        say(&replay, &found);
    }
    if (replay.answers != NULL)
        fclose(replay.answers);
    if (replay.marker != NULL)
        good &= ps_deadletter_marker_close(replay.marker);
    ps_deadletter_marks_free(marks);
    return opened < 0 ? 2 : good && !replay.failed && replay.no_line == 0 ? 0 : 1;
}
