/* penstock channel repair --give-up-unreadable: the name of the state file always has a file, whatever the file system can do and
 * whichever call fails. A kill at any moment then leaves the original or its copy under the name. */
#include "commands/commands.h"
#include "core/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/support/folder.h"
#include "tests/support/small_channel.h"
#include "tests/support/support.h"

static char state_path[512];
static ino_t bad_file;                /* the file of which the disk cannot read the first block; 0: none */
static bool has_links, has_exchanges; /* what the file system can do */
static bool copy_stays;               /* the copy cannot be renamed */
static bool was_nameless;             /* no file had the name of the state after one of the calls */

/* ---- called in place of libc's functions ---- */

static int outcome(int result)
{
    int error = errno;
    was_nameless |= state_path[0] != '\0' && access(state_path, F_OK) != 0;
    errno = error;
    return result;
}

ssize_t pread(int fd, void *to, size_t length, off_t offset)
{
    struct stat about;
    if (bad_file == 0 || offset >= 4096 || fstat(fd, &about) != 0 || about.st_ino != bad_file)
        return syscall(SYS_pread64, fd, to, length, offset);
    errno = EIO;
    return -1;
}

int link(const char *from, const char *to)
{
    if (has_links)
        return outcome(linkat(AT_FDCWD, from, AT_FDCWD, to, 0));
    errno = EPERM;
    return -1;
}

int renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags)
{
    if (has_exchanges || flags != RENAME_EXCHANGE)
        return outcome((int)syscall(SYS_renameat2, from_folder, from, to_folder, to, flags));
    errno = EINVAL;
    return -1;
}

int rename(const char *from, const char *to)
{
    if (!copy_stays || strstr(from, "/state.damaged-") == NULL)
        return outcome(renameat(AT_FDCWD, from, AT_FDCWD, to));
    errno = EIO;
    return -1;
}

/* ---- a channel ---- */

static void make_channel(void)
{
    ps_test_small_channel_make();
    snprintf(state_path, sizeof state_path, "%s/checkpoint/state", ps_test_folder());
}

static void remove_channel(void)
{
    state_path[0] = '\0';
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

/* Runs `penstock channel repair FOLDER --give-up-unreadable`, and returns its exit status. */
static int repair(void)
{
    char *argv[] = {(char *)"channel", (char *)"repair", (char *)(uintptr_t)ps_test_folder(),
                    (char *)"--give-up-unreadable", NULL};
    int nowhere = open("/dev/null", O_WRONLY), out = dup(1), errors = dup(2);
    fflush(stdout);
    fflush(stderr);
    dup2(nowhere, 1);
    dup2(nowhere, 2);
    int code = ps_main_channel(4, argv);
    fflush(stdout);
    fflush(stderr);
    dup2(out, 1);
    dup2(errors, 2);
    close(nowhere);
    close(out);
    close(errors);
    return code;
}

/* ---- tests ---- */

/* Returns whether the file system of the test's folder exchanges names. */
static bool can_exchange(void)
{
    char one[512];
    snprintf(one, sizeof one, "%s/data", ps_test_folder());
    return syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, ps_test_folder_path("checkpoint"),
                   RENAME_EXCHANGE) == 0 &&
           syscall(SYS_renameat2, AT_FDCWD, one, AT_FDCWD, ps_test_folder_path("checkpoint"),
                   RENAME_EXCHANGE) == 0;
}

static void test_the_name_always_has_a_file(void **state)
{
    static const struct {
        bool links, exchanges, copy_stays;
        int code;
        bool nameless, is_original; /* whether the file that has the name at the end is the original */
    } rows[] = {
        {true, true, false, 0, false, false},  {true, true, true, 1, false, true},
        {false, true, false, 0, false, false}, {false, true, true, 1, false, false},
        {false, false, false, 0, true, false}, {false, false, true, 1, true, true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct stat before, after;
        make_channel();
        if (rows[i].exchanges && !can_exchange()) {
            remove_channel();
            ps_test_skip("the file system cannot exchange names");
        }
        assert_int_equal(stat(state_path, &before), 0);
        bad_file = before.st_ino;
        has_links = rows[i].links;
        has_exchanges = rows[i].exchanges;
        copy_stays = rows[i].copy_stays;
        was_nameless = false;
        int code = repair();
        bad_file = 0;
        if (code != rows[i].code || was_nameless != rows[i].nameless)
            fail_msg("row %zu: status %d, %s", i, code, was_nameless ? "nameless" : "never nameless");
        assert_int_equal(stat(state_path, &after), 0);
        assert_int_equal(after.st_ino == before.st_ino, rows[i].is_original);
        remove_channel();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_the_name_always_has_a_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
