/* penstock channel repair when files cannot be opened or read: only what the disk cannot read is given up. */
#include "commands/commands.h"
#include "tests/support/folder.h"
#include "tests/support/small_channel.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

#include <stdlib.h>
#include <sys/mman.h>

static const char state_name[] = "checkpoint/state", segment_name[] = "data/000000000001.segment";

static int setup(void **state)
{
    ps_test_small_channel_make();
    return 0;
}

/* Returns whether the two files are there, and no folder of files that were moved. */
static bool nothing_is_moved(void)
{
    static const char *const folders[] = {"data", "checkpoint"};
    unsigned moved = 0;
    for (size_t i = 0; i < PS_COUNT_OF(folders); i++) {
        DIR *folder = opendir(ps_test_folder_path(folders[i]));
        assert_non_null(folder);
        for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
            moved += strncmp(entry->d_name, "damaged-", 8) == 0;
        closedir(folder);
    }
    return moved == 0 && access(ps_test_folder_path(state_name), F_OK) == 0 &&
           access(ps_test_folder_path(segment_name), F_OK) == 0;
}

/* Runs the command while the file cannot be opened, or, for NULL, no file can be read. Returns the exit status; its
 * messages are in `said`. */
static char said[4096];
static int repair(const char *option, const char *name, int error)
{
    char path[512] = "", *argv[] = {(char *)(uintptr_t) "channel", (char *)(uintptr_t) "repair",
                                    (char *)(uintptr_t)ps_test_folder(), (char *)(uintptr_t)option, NULL};
    int out = memfd_create("messages", MFD_CLOEXEC), saved = dup(STDERR_FILENO);
    assert_true(out >= 0 && saved >= 0 && dup2(out, STDERR_FILENO) == STDERR_FILENO);
    if (name != NULL)
        snprintf(path, sizeof path, "%s", ps_test_folder_path(name));
    ps_test_call_path = path;
    ps_test_call_error = error;
    ps_test_call_broken = error == 0 ? NULL : name != NULL ? "open" : "pread";
    int code = ps_main_channel(option != NULL ? 4 : 3, argv);
    ps_test_call_broken = ps_test_call_path = NULL;
    fflush(stderr);
    assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
    ssize_t length = pread(out, said, sizeof said - 1, 0);
    assert_true(length >= 0);
    said[length] = '\0';
    close(saved);
    close(out);
    return code;
}

/* The reason is this process, or a right: nothing is moved, with and without the option. */
static void test_files_that_may_be_sound(void **unused)
{
    static const int errors[] = {EACCES, EPERM, EMFILE, ENFILE, ENOMEM, ESTALE, ELOOP};
    static const char *const names[] = {state_name, segment_name, NULL};
    static const char *const options[] = {NULL, "--give-up-unreadable", "--dry-run"};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++)
        for (size_t k = 0; k < PS_COUNT_OF(names); k++)
            for (size_t m = 0; m < PS_COUNT_OF(options); m++) {
                int code = repair(options[m], names[k], errors[i]);
                bool is_said =
                    strstr(said, strerror(errors[i])) != NULL && strstr(said, "it stays as it is") != NULL;
                if (code != 1 || !is_said || !nothing_is_moved())
                    fail_msg("%s, %s: exit status %d, \"%s\", %s", names[k] != NULL ? names[k] : "reads",
                             strerror(errors[i]), code, said, nothing_is_moved() ? "in place" : "moved");
            }
    assert_int_equal(repair(NULL, NULL, 0), 0);
    assert_true(nothing_is_moved());
}

/* The disk cannot read it: only the option gives it up. */
static void give_up(const char *name, int error)
{
    assert_int_equal(repair(NULL, name, error), 1);
    assert_non_null(strstr(said, "--give-up-unreadable"));
    assert_true(nothing_is_moved());
    (void)repair("--give-up-unreadable", name, error); /* a new file of this name cannot be opened either */
    assert_false(nothing_is_moved());
    assert_int_equal(repair(NULL, NULL, 0), 0);
}

static void test_state_that_the_disk_cannot_read(void **unused)
{
    give_up(state_name, EIO);
}

static void test_segment_that_the_disk_cannot_read(void **unused)
{
    give_up(segment_name, EUCLEAN);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(files_that_may_be_sound), TEST(state_that_the_disk_cannot_read),
                                       TEST(segment_that_the_disk_cannot_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
