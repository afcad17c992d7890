/* `penstock deadletter replay` of as many letters as may wait for their marks, one fewer and one more: each is replayed and marked once,
 * to standard output and to a source, whatever its answers. */
#include "commands/commands.h"
#include "core/option.h"

#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#define WINDOW 64U /* as in commands/deadletter/replay.c */
#define LETTERS_MAX 200U

static char directory[256];

static void write_letters(unsigned count)
{
    char line[256];
    for (unsigned i = 0; i < count; i++) {
        int length =
            snprintf(line, sizeof line,
                     "{\"time\":\"2026-11-22T10:%02u:%02uZ\",\"agent\":\"a1\",\"component\":\"sink k1\","
                     "\"reason\":\"test\",\"body\":\"letter %u\"}\n",
                     i / 60, i % 60, i);
        ps_test_folder_append("a.jsonl", line, (size_t)length);
    }
    snprintf(directory, sizeof directory, "%s", ps_test_folder());
}

static int redirect(int to, const char *name)
{
    int kept = dup(to), fd = open(ps_test_folder_path(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    assert_true(kept >= 0 && fd >= 0 && dup2(fd, to) == to);
    close(fd);
    return kept;
}

/* Runs a replay, into the files `out` and `err`. Returns the exit status. `to` NULL: to standard output. */
static int replay(const char *to)
{
    const char *words[] = {"deadletter", "replay", directory, to != NULL ? "--to" : NULL, to};
    char *argv[PS_COUNT_OF(words) + 1] = {NULL};
    int argc = 0;
    for (; argc < (int)PS_COUNT_OF(words) && words[argc] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    fflush(stdout);
    int out = redirect(1, "out"), err = redirect(2, "err");
    int status = ps_main_deadletter(argc, argv);
    fflush(stdout);
    assert_true(dup2(out, 1) == 1 && dup2(err, 2) == 2);
    close(out);
    close(err);
    return status;
}

static void assert_letters(const char *text, unsigned from, unsigned end)
{
    char expected[LETTERS_MAX * 12] = "";
    size_t used = 0;
    for (unsigned i = from; i < end; i++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "letter %u\n", i);
    assert_string_equal(text, expected);
}

static const unsigned counts[] = {1, WINDOW - 1, WINDOW, WINDOW + 1, 2 * WINDOW, 2 * WINDOW + 1, LETTERS_MAX};

static void test_output(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        char said[64];
        assert_int_equal(ps_test_folder_setup(state), 0);
        write_letters(counts[i]);
        assert_int_equal(replay(NULL), 0);
        assert_letters(ps_test_folder_read("out"), 0, counts[i]);
        snprintf(said, sizeof said, "penstock deadletter: %u replayed\n", counts[i]);
        assert_string_equal(ps_test_folder_read("err"), said);
        assert_int_equal(replay(NULL), 0);
        assert_string_equal(ps_test_folder_read("out"), "");
        assert_string_equal(ps_test_folder_read("err"), "penstock deadletter: 0 replayed\n");
        assert_int_equal(ps_test_folder_teardown(state), 0);
    }
}

/* ---- a source that answers each line ---- */

static struct {
    int listener;
    unsigned refuses; /* the number of the line, from 0 on, that gets another answer */
    char got[LETTERS_MAX * 12];
} source;

static void *run_source(void *unused)
{
    char line[256];
    int fd = accept(source.listener, NULL, NULL);
    FILE *in = fdopen(fd, "r");
    size_t used = 0;
    for (unsigned number = 0; in != NULL && fgets(line, sizeof line, in) != NULL; number++) {
        used += (size_t)snprintf(source.got + used, sizeof source.got - used, "%s", line);
        const char *answer = number == source.refuses ? "FULL\n" : "OK\n";
        (void)send(fd, answer, strlen(answer), MSG_NOSIGNAL);
    }
    if (in != NULL)
        fclose(in);
    return NULL;
}

/* Replays to a new source that refuses this letter. Returns the exit status. */
static int replay_to_source(unsigned refuses)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    pthread_t thread;
    char to[64];
    memset(&source, 0, sizeof source);
    source.refuses = refuses;
    source.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(source.listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(source.listener, 1), 0);
    assert_int_equal(getsockname(source.listener, (struct sockaddr *)&address, &size), 0);
    snprintf(to, sizeof to, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    assert_int_equal(pthread_create(&thread, NULL, run_source, NULL), 0);
    int status = replay(to);
    pthread_join(thread, NULL);
    close(source.listener);
    return status;
}

static void test_source(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        assert_int_equal(ps_test_folder_setup(state), 0);
        write_letters(counts[i]);
        assert_int_equal(replay_to_source(UINT32_MAX), 0);
        assert_letters(source.got, 0, counts[i]);
        assert_int_equal(replay_to_source(UINT32_MAX), 0);
        assert_string_equal(source.got, "");
        assert_int_equal(ps_test_folder_teardown(state), 0);
    }
}

/* The first, a middle and the last letter is refused: those before it are marked, and the next replay begins with it. */
static void test_refused(void **state)
{
    static const unsigned refused[] = {0, 1, WINDOW - 1, WINDOW, WINDOW + 1, LETTERS_MAX - 1};
    for (size_t i = 0; i < PS_COUNT_OF(refused); i++) {
        char said[256];
        assert_int_equal(ps_test_folder_setup(state), 0);
        write_letters(LETTERS_MAX);
        assert_int_equal(replay_to_source(refused[i]), 1);
        snprintf(said, sizeof said, ": the source answers: FULL\npenstock deadletter: %u replayed\n",
                 refused[i]);
        assert_non_null(strstr(ps_test_folder_read("err"), said));
        assert_int_equal(replay_to_source(UINT32_MAX), 0);
        assert_letters(source.got, refused[i], LETTERS_MAX);
        assert_int_equal(ps_test_folder_teardown(state), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_output),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
