/* Commands whose output is read: how they may end, the most that they may print, and what they leave behind. */
#include "tests/support/support.h"

#include "conf/exec.h"
#include "core/clock.h"
#include "tests/support/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATIENCE_MS 120000

static struct ps_arena *arena;
static struct ps_err err;

static int setup(void **state)
{
    arena = ps_arena_create();
    return ps_test_folder_setup(state);
}

static int teardown(void **state)
{
    ps_arena_destroy(arena);
    return ps_test_folder_teardown(state);
}

static const char *first_line(const char *script, const char *argument, int timeout_ms)
{
    const char *const words[] = {"/bin/sh", "-c", script, "name"};
    err.length = 0;
    err.text[0] = '\0';
    return ps_exec_first_line(arena, &(struct ps_texts){PS_COUNT_OF(words), words}, argument, timeout_ms,
                              &err);
}

static const char *output(const char *script, const char *const *environment, size_t bytes_max)
{
    const char *const words[] = {"/bin/sh", "-c", script};
    err.length = 0;
    err.text[0] = '\0';
    return ps_exec_output(arena, &(struct ps_texts){PS_COUNT_OF(words), words}, environment, bytes_max,
                          PATIENCE_MS, &err);
}

static void test_first_line(void **state)
{
    static const struct {
        const char *script, *line; /* NULL: it fails */
        const char *why;
    } rows[] = {
        {"echo one; echo two", "one", ""},
        {"printf one", "one", ""},
        {"printf 'one\\r\\ntwo'", "one", ""},
        {"printf 'one\\r'", "one", ""},
        {"printf '\\r\\ntwo'", "", ""},
        {"echo", "", ""},
        {"printf ' o\\tn \\n'", " o\tn ", ""},
        {"echo \"$0 $1\"", "name argument", ""},
        {"cat; echo one", "one", ""}, /* there is nothing to read */
        {"echo one; head -c 1000000 /dev/zero", "one", ""},
        {":", NULL, "/bin/sh printed nothing"},
        {"echo one; exit 3", NULL, "/bin/sh exited with status 3"},
        {"echo one; kill -9 $$", NULL, "/bin/sh was ended by signal 9"},
        {"head -c 65535 /dev/zero | tr '\\0' x; echo; echo two", "x", ""},
        {"head -c 65535 /dev/zero | tr '\\0' x", "x", ""},
        {"head -c 65536 /dev/zero | tr '\\0' x; echo", NULL, "/bin/sh printed a line of more than 64 KiB"},
        {"head -c 200000 /dev/zero | tr '\\0' x; echo", NULL, "/bin/sh printed a line of more than 64 KiB"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        const char *line = first_line(rows[i].script, "argument", PATIENCE_MS);
        if (strcmp(err.text, rows[i].why) != 0 || (line == NULL) != (rows[i].line == NULL))
            fail_msg("%s: %s", rows[i].script, err.text);
        if (line != NULL && strcmp(rows[i].line, "x") == 0)
            assert_int_equal(strspn(line, "x"), 65535);
        else if (line != NULL)
            assert_string_equal(line, rows[i].line);
    }
    const char *const words[] = {"/no/such/program"};
    assert_null(ps_exec_first_line(arena, &(struct ps_texts){1, words}, "x", PATIENCE_MS, &err));
    assert_string_equal(err.text, "cannot run /no/such/program: No such file or directory");
}

static void test_output(void **state)
{
    static const char *const environment[] = {"ONE=1", "TWO=2", NULL};
    assert_string_equal(output("printf 'a\\nb\\n'", NULL, 4), "a\nb\n");
    assert_string_equal(output("printf ''", NULL, 4), "");
    assert_string_equal(output("printf abcd", NULL, 4), "abcd");
    assert_null(output("printf abcde", NULL, 4));
    assert_string_equal(err.text, "/bin/sh printed more than 4 B");
    assert_null(output("head -c 1000000 /dev/zero", NULL, 4));
    assert_string_equal(err.text, "/bin/sh printed more than 4 B");
    assert_null(output("printf abcde; exit 2", NULL, 4));
    assert_string_equal(err.text, "/bin/sh exited with status 2");
    assert_int_equal(setenv("THREE", "3", 1), 0);
    assert_string_equal(output("printf \"$ONE$TWO$THREE\"", environment, 100), "12");
    assert_string_equal(output("printf \"$ONE$TWO$THREE\"", NULL, 100), "3");
    assert_int_equal(unsetenv("THREE"), 0);
}

/* A command that does not end, and one that only closes its output, is killed with its children. */
static void test_too_slow(void **state)
{
    static const struct {
        const char *begin, *why;
    } rows[] = {{"", "did not end in time and was killed"},
                {"echo one; exec >&-; ", "/bin/sh did not end in time and was killed"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char script[512];
        (void)remove(ps_test_folder_path("child"));
        snprintf(script, sizeof script, "%ssleep 1000 & echo $! >%s; wait", rows[i].begin,
                 ps_test_folder_path("child"));
        assert_null(first_line(script, "", 2000));
        assert_non_null(strstr(err.text, rows[i].why));
        const char *text = ps_test_folder_read("child");
        pid_t child = text != NULL ? (pid_t)atoi(text) : 0;
        if (child <= 0) /* the machine was too busy to start it */
            continue;
        for (const uint64_t begin_ns = ps_test_patient_ns(); kill(child, 0) == 0; usleep(1000)) {
            char name[64], letter = '\0';
            snprintf(name, sizeof name, "/proc/%d/stat", (int)child);
            FILE *file = fopen(name, "re");
            bool gone = file == NULL || (fscanf(file, "%*d %*s %c", &letter) == 1 && letter == 'Z');
            if (file != NULL)
                fclose(file);
            if (gone)
                break;
            assert_true(ps_test_patient_ns() - begin_ns < PS_TEST_PATIENCE_MS * PS_NS_PER_MS);
        }
    }
}

static unsigned open_fds(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void test_descriptors(void **state)
{
    static const char *const scripts[] = {"echo one", ":", "exit 3", "sleep 1000"};
    unsigned before = open_fds();
    for (size_t i = 0; i < PS_COUNT_OF(scripts); i++) {
        (void)first_line(scripts[i], "", i == 3 ? 50 : PATIENCE_MS);
        assert_int_equal(open_fds(), before);
    }
    const char *const words[] = {"/no/such/program"};
    assert_null(ps_exec_first_line(arena, &(struct ps_texts){1, words}, "x", PATIENCE_MS, &err));
    assert_int_equal(open_fds(), before);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_first_line), TEST(test_output), TEST(test_too_slow),
                                       TEST(test_descriptors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
