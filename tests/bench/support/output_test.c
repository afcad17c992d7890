/* Outputs: complete or absent; pipes and devices are written to. */
#include "bench/support/output.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *content_of(const char *path, char text[64])
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, 63, file)] = '\0';
    fclose(file);
    return text;
}

static unsigned files_in_folder(void)
{
    char command[512], count[16] = "";
    snprintf(command, sizeof command, "ls -A %s | wc -l", ps_test_folder());
    FILE *pipe = popen(command, "re");
    assert_non_null(pipe);
    assert_non_null(fgets(count, sizeof count, pipe));
    pclose(pipe);
    return (unsigned)atoi(count);
}

static void test_written_whole(void **state)
{
    struct ps_err err = {0};
    char text[64];
    const char *path = ps_test_folder_path("result");
    assert_int_equal(ps_output_check("--result", path, &err), PS_OK);
    assert_int_equal(files_in_folder(), 0); /* the check leaves nothing */
    assert_int_equal(ps_output_write(path, "one", 3, &err), PS_OK);
    assert_string_equal(content_of(path, text), "one");
    assert_int_equal(ps_output_check("--result", path, &err), PS_OK);
    assert_string_equal(content_of(path, text), "one"); /* the check changes nothing */
    assert_int_equal(ps_output_write(path, "2", 1, &err), PS_OK);
    assert_string_equal(content_of(path, text), "2");
    assert_int_equal(files_in_folder(), 1);
}

static void test_cannot_be_written(void **state)
{
    struct ps_err err = {0};
    char path[512], says[600];
    snprintf(path, sizeof path, "%s/no/such/file", ps_test_folder());
    assert_int_equal(ps_output_check("--csv", path, &err), PS_FAIL);
    snprintf(says, sizeof says, "--csv %s: cannot be written: No such file or directory", path);
    assert_string_equal(err.text, says);
    assert_int_equal(ps_output_write(path, "x", 1, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "No such file"));
    assert_int_equal(ps_output_check("--csv", ps_test_folder(), &err), PS_FAIL);
    assert_non_null(strstr(err.text, "it is a directory"));
    assert_int_equal(ps_output_write(ps_test_folder(), "x", 1, &err), PS_FAIL);
    assert_int_equal(ps_output_write("/dev/full", "x", 1, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "No space left"));
}

static void test_pipe(void **state)
{
    struct ps_err err = {0};
    const char *path = ps_test_folder_path("pipe");
    char got[8] = "";
    assert_int_equal(mkfifo(path, 0600), 0);
    int reader = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(ps_output_check("--hlog", path, &err), PS_OK);
    assert_int_equal(ps_output_write(path, "through", 7, &err), PS_OK);
    assert_int_equal(read(reader, got, sizeof got), 7);
    assert_memory_equal(got, "through", 7);
    close(reader);
    struct stat there;
    assert_int_equal(stat(path, &there), 0);
    assert_true(S_ISFIFO(there.st_mode));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_written_whole, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_cannot_be_written, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_pipe, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
