/* Files of a configuration, each of a length just within the limit and just beyond it, and what is no file. */
#include "tests/support/support.h"

#include "conf/file.h"
#include "tests/support/folder.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file that is longer than one read, at each length around the limit. */
static void test_limit(void **state)
{
    enum { LENGTH = 40000 };
    static char bytes[LENGTH];
    for (size_t i = 0; i < LENGTH; i++)
        bytes[i] = (char)('a' + i % 23);
    ps_test_folder_append("long", bytes, LENGTH);
    for (size_t most = LENGTH - 1; most <= LENGTH + 1; most++) {
        struct ps_file file;
        struct ps_err err = {.length = 0};
        enum ps_status status = ps_file_read(ps_test_folder_path("long"), most, &file, &err);
        assert_int_equal(status, most < LENGTH ? PS_FAIL : PS_OK);
        assert_int_equal(err.length > 0, most < LENGTH);
        assert_int_equal(file.length, most < LENGTH ? 0 : LENGTH);
        if (status == PS_OK) {
            assert_memory_equal(file.bytes, bytes, LENGTH);
            assert_int_equal(file.bytes[LENGTH], '\0');
        } else {
            assert_null(file.bytes);
            assert_non_null(strstr(err.text, "/long is larger than "));
        }
        ps_file_free(&file);
    }
}

static void test_what_a_file_is(void **state)
{
    struct ps_file file;
    struct ps_err err = {.length = 0};
    struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 2000, .tv_nsec = 3}};
    ps_test_folder_append("empty", "", 0);
    assert_int_equal(utimensat(AT_FDCWD, ps_test_folder_path("empty"), times, 0), 0);
    assert_int_equal(ps_file_read(ps_test_folder_path("empty"), 0, &file, &err), PS_OK);
    assert_int_equal(file.length, 0);
    assert_string_equal(file.bytes, "");
    assert_int_equal(file.modified_ns, INT64_C(2000000000003));
    assert_false(file.unchanged);
    ps_file_free(&file);
    assert_null(file.bytes);
    ps_test_folder_append("nul", "a\0b", 3);
    assert_int_equal(ps_file_read(ps_test_folder_path("nul"), 3, &file, &err), PS_OK);
    assert_int_equal(file.length, 3);
    assert_memory_equal(file.bytes, "a\0b", 4);
    ps_file_free(&file);
}

/* A folder, a file that is not there, and a pipe that nobody writes to: none of them makes the agent wait. */
static void test_no_files(void **state)
{
    struct ps_file file;
    struct ps_err err = {.length = 0};
    assert_int_equal(ps_file_read(ps_test_folder(), 10, &file, &err), PS_FAIL);
    assert_non_null(strstr(err.text, ": it is a directory"));
    err.length = 0;
    assert_int_equal(ps_file_read(ps_test_folder_path("none"), 10, &file, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "/none: No such file or directory"));
    assert_int_equal(mkfifo(ps_test_folder_path("pipe"), 0600), 0);
    assert_int_equal(ps_file_read(ps_test_folder_path("pipe"), 10, &file, &err), PS_OK);
    assert_int_equal(file.length, 0);
    ps_file_free(&file);
    int next = open("/dev/null", O_RDONLY | O_CLOEXEC);
    for (unsigned i = 0; i < 3; i++) { /* none of them leaves a descriptor open */
        (void)ps_file_read(i == 0 ? ps_test_folder() : ps_test_folder_path(i == 1 ? "none" : "pipe"), 10,
                           &file, NULL);
        ps_file_free(&file);
    }
    int after = open("/dev/null", O_RDONLY | O_CLOEXEC);
    assert_int_equal(after, next + 1);
    close(next);
    close(after);
}

/* Pieces are joined until the limit; a piece that is too long changes nothing. */
static void test_pieces(void **state)
{
    struct ps_file file = {.length = 0};
    size_t room = 0;
    assert_true(ps_file_add(&file, &room, NULL, 0, 5));
    assert_string_equal(file.bytes, "");
    assert_true(ps_file_add(&file, &room, "ab", 2, 5));
    assert_false(ps_file_add(&file, &room, "cdef", 4, 5));
    assert_string_equal(file.bytes, "ab");
    assert_true(ps_file_add(&file, &room, "cde", 3, 5));
    assert_false(ps_file_add(&file, &room, "f", 1, 5));
    assert_true(ps_file_add(&file, &room, "", 0, 5));
    assert_string_equal(file.bytes, "abcde");
    assert_int_equal(file.length, 5);
    assert_true(room > 5);
    ps_file_free(&file);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(test_limit), TEST(test_what_a_file_is), TEST(test_no_files),
                                       TEST(test_pieces)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
