/* `penstock deadletter` while system calls fail: each call once, also each read of a file, at every point of
 * `replay` and `list`. A letter that was not replayed is replayed by the next run, once; a failure
 * is printed, and the exit status is 1. */
#include "commands/commands.h"
#include "core/option.h"

#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

#include <stdlib.h>

#define LETTERS 6U

/* ---- reads of stdio, which no program can replace ---- */

static ssize_t cookie_read(void *cookie, char *to, size_t length)
{
    return ps_test_call_may("read") ? read((int)(intptr_t)cookie, to, length < 40 ? length : 40) : -1;
}

static int cookie_close(void *cookie)
{
    return close((int)(intptr_t)cookie);
}

static FILE *cookie_open(int fd)
{
    return fopencookie((void *)(intptr_t)fd, "r",
                       (cookie_io_functions_t){.read = cookie_read, .close = cookie_close});
}

FILE *fdopen(int fd, const char *mode)
{
    return mode[0] == 'r' ? cookie_open(fd) : PS_TEST_REAL(fdopen)(fd, mode);
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    if (mode[0] != 'r')
        return ps_test_call_may("fopen") ? PS_TEST_REAL(fopen)(path, mode) : NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd >= 0 ? cookie_open(fd) : NULL;
}

/* ---- the command ---- */

static char directory[256], output[300], errors[300];

static void write_letters(void)
{
    static const char *const names[] = {"a.jsonl", "b.jsonl"};
    snprintf(directory, sizeof directory, "%s/dead", ps_test_folder());
    snprintf(output, sizeof output, "%s/output", ps_test_folder());
    snprintf(errors, sizeof errors, "%s/errors", ps_test_folder());
    assert_int_equal(mkdir(directory, 0750), 0);
    for (unsigned i = 0; i < LETTERS; i++) {
        char line[256], name[32];
        int length =
            snprintf(line, sizeof line,
                     "{\"time\":\"2026-11-22T10:00:0%uZ\",\"agent\":\"a1\",\"component\":\"sink k1\","
                     "\"reason\":\"test\",\"body\":\"letter %u\"}\n",
                     i, i);
        snprintf(name, sizeof name, "dead/%s", names[i / (LETTERS / 2)]);
        ps_test_folder_append(name, line, (size_t)length);
    }
}

static int redirect(int to, const char *path)
{
    int kept = dup(to),
        fd = PS_TEST_REAL(openat)(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    assert_true(kept >= 0 && fd >= 0 && dup2(fd, to) == to);
    PS_TEST_REAL(close)(fd);
    return kept;
}

static void put_back(int kept, int to)
{
    assert_int_equal(dup2(kept, to), to);
    PS_TEST_REAL(close)(kept);
}

/* Runs the command; its nth system call fails (0: none). Returns the exit status. */
static int run(uint64_t nth, const char *const *words)
{
    char *argv[8] = {NULL};
    int argc = 0;
    for (; words[argc] != NULL; argc++)
        argv[argc] = (char *)(uintptr_t)words[argc];
    fflush(stdout);
    int out = redirect(1, output), err = redirect(2, errors);
    ps_test_call_failed = NULL;
    ps_test_call_count = 0;
    ps_test_call_fails = nth;
    int status = ps_main_deadletter(argc, argv);
    fflush(stdout);
    ps_test_call_fails = 0;
    put_back(out, 1);
    put_back(err, 2);
    return status;
}

static size_t read_all(const char *path, char *to, size_t room)
{
    FILE *file = PS_TEST_REAL(fopen)(path, "r");
    assert_non_null(file);
    size_t length = fread(to, 1, room - 1, file);
    to[length] = '\0';
    fclose(file);
    return length;
}

static void count_letters(unsigned *times)
{
    char text[4096];
    read_all(output, text, sizeof text);
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned number;
        assert_int_equal(sscanf(line, "letter %u", &number), 1);
        assert_true(number < LETTERS);
        times[number]++;
    }
}

static bool is_of_marks(const char *call)
{
    static const char *const writing[] = {"fsync", "fdatasync", "write", "fopen"};
    for (size_t i = 0; i < PS_COUNT_OF(writing); i++) {
        if (strcmp(call, writing[i]) == 0)
            return true;
    }
    return false;
}

static void expect_said(int status)
{
    char text[4096];
    assert_int_equal(status, 1);
    read_all(errors, text, sizeof text);
    assert_non_null(strstr(text, "Input/output error"));
}

static void test_replay(void **state)
{
    for (uint64_t nth = 1, all = 1; nth <= all; nth++) {
        unsigned times[LETTERS] = {0};
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        write_letters();
        assert_int_equal(run(0, PS_WORDS("deadletter", "replay", directory, "--limit", "1")), 0);
        count_letters(times);
        int status = run(nth, PS_WORDS("deadletter", "replay", directory));
        const char *call = ps_test_call_failed;
        all = nth == 1 ? 1000 : call == NULL ? nth : all;
        count_letters(times);
        if (call != NULL && strcmp(call, "close") != 0)
            expect_said(status);
        if (call == NULL)
            assert_int_equal(status, 0);
        assert_int_equal(run(0, PS_WORDS("deadletter", "replay", directory)), 0);
        count_letters(times);
        for (unsigned i = 0; i < LETTERS; i++) {
            bool once = call == NULL || !is_of_marks(call);
            if (times[i] < 1 || (once && times[i] > 1))
                fail_msg("call %llu (%s): letter %u came %u times", (unsigned long long)nth, call, i,
                         times[i]);
        }
        assert_true(nth > 20 || call != NULL);
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

static void test_list(void **state)
{
    char right[4096], text[4096];
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    write_letters();
    assert_int_equal(run(0, PS_WORDS("deadletter", "replay", directory, "--limit", "2")), 0);
    assert_int_equal(run(0, PS_WORDS("deadletter", "list", directory, "--json")), 0);
    read_all(output, right, sizeof right);
    assert_non_null(strstr(right, "\"letters\":6"));
    assert_non_null(strstr(right, "\"replayed\":2"));
    for (uint64_t nth = 1;; nth++) {
        int status = run(nth, PS_WORDS("deadletter", "list", directory, "--json"));
        read_all(output, text, sizeof text);
        if (status == 0)
            assert_string_equal(text, right);
        else
            expect_said(status);
        if (ps_test_call_failed == NULL)
            break;
        assert_true(nth < 1000);
    }
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_replay),
        cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
