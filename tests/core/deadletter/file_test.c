/* The files of a directory of dead letters: one for each hour, whole lines only, whatever fails. */
#include "core/deadletter/file.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static struct ps_dead_letter_file file;
static struct ps_now now = {.mono_ns = 1, .wall_ms = 1763719200000};

static int setup(void **state)
{
    struct ps_err err = {0};
    if (ps_test_folder_setup(state) != 0)
        return -1;
    assert_int_equal(ps_dead_letter_file_init(&file, ps_test_folder_path("dead"), "a/1", &err), PS_OK);
    return 0;
}

static int teardown(void **state)
{
    ps_dead_letter_file_fini(&file);
    return ps_test_folder_teardown(state);
}

static enum ps_status append(const char *text, struct ps_err *err)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    struct iovec parts[2] = {{copy, strlen(text) / 2},
                             {copy + strlen(text) / 2, strlen(text) - strlen(text) / 2}};
    return ps_dead_letter_file_append(&file, parts, 2, now, err);
}

static void assert_file(const char *path, const char *text)
{
    char found[512] = "";
    FILE *in = fopen(path, "r");
    assert_non_null(in);
    found[fread(found, 1, sizeof found - 1, in)] = '\0';
    fclose(in);
    assert_string_equal(found, text);
}

static unsigned count_files(void)
{
    unsigned count = 0;
    DIR *folder = opendir(ps_test_folder_path("dead"));
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
        count += strstr(entry->d_name, ".jsonl") != NULL;
    closedir(folder);
    return count;
}

static void test_hours(void **state)
{
    struct ps_err err = {0};
    assert_int_equal(append("one\n", &err), PS_OK);
    char first[sizeof file.path];
    snprintf(first, sizeof first, "%s", file.path);
    assert_non_null(strstr(first, "/dead/20251121T100000-a_1-"));
    now.wall_ms += 3599999;
    assert_int_equal(append("two\n", &err), PS_OK);
    assert_string_equal(file.path, first);
    now.wall_ms += 1;
    assert_int_equal(append("three\n", &err), PS_OK);
    assert_file(first, "one\ntwo\n");
    assert_file(file.path, "three\n");
    assert_int_equal(count_files(), 2);
}

static void test_deleted(void **state)
{
    struct ps_err err = {0};
    assert_int_equal(append("one\n", &err), PS_OK);
    assert_int_equal(unlink(file.path), 0);
    assert_int_equal(append("two\n", &err), PS_OK);
    assert_file(file.path, "two\n");
    assert_int_equal(unlink(file.path), 0);
    assert_int_equal(rmdir(ps_test_folder_path("dead")), 0);
    assert_int_equal(append("three\n", &err), PS_OK);
    assert_file(file.path, "three\n");
    assert_int_equal(count_files(), 1);
}

/* The disk is full in the middle of a line: the file ends after the last whole line. */
static void test_no_room(void **state)
{
    struct ps_err err = {0};
    struct rlimit limit, before;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(append("whole line\n", &err), PS_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    limit = before;
    limit.rlim_cur = 15;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(append("too long for that\n", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "cannot write"));
    assert_file(file.path, "whole line\n");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(append("too long for that\n", &err), PS_OK);
    assert_file(file.path, "whole line\ntoo long for that\n");
    assert_int_equal(count_files(), 1);
}

static void test_no_directory(void **state)
{
    struct ps_dead_letter_file other;
    struct ps_err err = {0};
    assert_int_equal(ps_dead_letter_file_init(&other, ps_test_folder_path("no/parent"), "a", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "No such file or directory"));
    ps_test_folder_append("plain", "", 0);
    assert_int_equal(ps_dead_letter_file_init(&other, ps_test_folder_path("plain"), "a", &err), PS_FAIL);
    assert_non_null(strstr(err.text, "Not a directory"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hours, setup, teardown),
        cmocka_unit_test_setup_teardown(test_deleted, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
