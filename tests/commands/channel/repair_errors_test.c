/* penstock channel repair when files cannot be opened or read, or another call of the file system fails: only what the disk cannot read is given up. */
#include "commands/commands.h"
#include "stages/lib/queue/segment/log.h"
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

/* Runs the command; its nth call of the file system fails (0: none). Returns the exit status; what it printed is in `said`. */
static char said[8192];
static bool is_reached; /* there was an nth call */
static int run(const char *option, uint64_t nth)
{
    char *argv[] = {(char *)(uintptr_t) "channel", (char *)(uintptr_t) "repair",
                    (char *)(uintptr_t)ps_test_folder(), (char *)(uintptr_t)option, NULL};
    const int streams[] = {STDOUT_FILENO, STDERR_FILENO};
    int out = memfd_create("messages", MFD_CLOEXEC), saved[2];
    fflush(stdout);
    for (size_t i = 0; i < 2; i++) {
        saved[i] = dup(streams[i]);
        assert_true(out >= 0 && saved[i] >= 0 && dup2(out, streams[i]) == streams[i]);
    }
    ps_test_call_fails = nth;
    int code = ps_main_channel(option != NULL ? 4 : 3, argv);
    is_reached = ps_test_call_fails == 0;
    ps_test_call_fails = 0;
    ps_test_call_broken = ps_test_call_path = NULL;
    fflush(stdout);
    fflush(stderr);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(dup2(saved[i], streams[i]), streams[i]);
        close(saved[i]);
    }
    ssize_t length = pread(out, said, sizeof said - 1, 0);
    assert_true(length >= 0);
    said[length] = '\0';
    close(out);
    return code;
}

/* Runs the command while the file cannot be opened, or, for NULL, no file can be read; 0: no error. */
static int repair(const char *option, const char *name, int error)
{
    char path[512] = "";
    if (name != NULL)
        snprintf(path, sizeof path, "%s", ps_test_folder_path(name));
    ps_test_call_path = path;
    ps_test_call_error = error;
    ps_test_call_broken = error == 0 ? NULL : name != NULL ? "open" : "pread";
    return run(option, 0);
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

/* ---- each call fails once ---- */

struct damage {
    bool has_state;
    unsigned own;    /* segments of the channel, each with one event */
    unsigned strays; /* segments of another log, with the numbers that follow */
};

static const char *segment(uint64_t number)
{
    static char name[64];
    snprintf(name, sizeof name, "data/%012llu.segment", (unsigned long long)number);
    return name;
}

static void make_channel(const struct damage *damage)
{
    char bytes[PS_SEGMENT_SEALED_HEAD_BYTES] = {0};
    struct ps_segment_head head;
    ps_test_small_channel_make();
    for (unsigned i = 1; i < damage->own; i++)
        ps_test_small_channel_append("more", 4);
    assert_true(ps_segment_head_read(ps_test_folder_read(segment_name), &head));
    head.log++;
    for (head.segment = damage->own + 1; head.segment <= damage->own + damage->strays; head.segment++) {
        ps_segment_head_write(bytes, &head);
        assert_int_not_equal(access(ps_test_folder_path(segment(head.segment)), F_OK), 0);
        ps_test_folder_append(segment(head.segment), bytes, sizeof bytes);
    }
    if (!damage->has_state)
        assert_int_equal(unlink(ps_test_folder_path(state_name)), 0);
}

static bool is_whole(const struct damage *damage)
{
    bool whole = !damage->has_state || access(ps_test_folder_path(state_name), F_OK) == 0;
    for (unsigned i = 1; i <= damage->own; i++)
        whole &= access(ps_test_folder_path(segment(i)), F_OK) == 0;
    return whole;
}

/* No file of the channel is moved, whichever call of the command fails. After one more repair, without an error, the channel opens with
 * all events. */
static void each_call(const struct damage *damage, const char *option, int error)
{
    char opens[64];
    snprintf(opens, sizeof opens, "the channel opens: %u event", damage->own);
    is_reached = true;
    for (uint64_t nth = 1; is_reached; nth++) {
        make_channel(damage);
        ps_test_call_error = error;
        int code = run(option, nth);
        bool was_reached = is_reached;
        const char *failed = was_reached ? ps_test_call_failed : "none";
        if (!is_whole(damage) || (!was_reached && code != 0) || (strcmp(failed, "pread") == 0 && code == 0))
            fail_msg("call %llu (%s): %s; exit status %d, \"%s\"", (unsigned long long)nth, failed,
                     is_whole(damage) ? "whole" : "a file is gone", code, said);
        code = run(NULL, 0);
        if (!is_whole(damage) || code != 0 || strstr(said, opens) == NULL)
            fail_msg("once more, after call %llu (%s) failed: exit status %d, \"%s\"",
                     (unsigned long long)nth, failed, code, said);
        is_reached = was_reached;
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
        assert_in_range(nth, 1, 1000);
    }
}

static void test_each_call_fails(void **unused)
{
    static const struct damage damages[] = {{true, 3, 0}, {false, 3, 0}, {true, 1, 1}, {false, 3, 3}};
    ps_test_folder_in_memory();
    for (size_t i = 0; i < PS_COUNT_OF(damages); i++) {
        each_call(&damages[i], NULL, EIO);
        each_call(&damages[i], NULL, EACCES);
        each_call(&damages[i], "--give-up-unreadable", EACCES);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {
        TEST(files_that_may_be_sound), TEST(state_that_the_disk_cannot_read),
        TEST(segment_that_the_disk_cannot_read),
        cmocka_unit_test_teardown(test_each_call_fails, ps_test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
