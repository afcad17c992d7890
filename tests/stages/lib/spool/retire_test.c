/* The end of a delivered file: it is renamed, marked or deleted only if it is the file that was read, unchanged; else the reason says which
 * assumption was broken, and its position stays unless the file is as it was opened. Each near miss is tested with each policy. */
#include "core/log/log.h"
#include "stages/lib/spool/meta.h"
#include "stages/lib/spool/spool_internal.h"
#include "tests/stages/lib/spool/spool_support.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#define SUFFIX ".DONE"
#define PATH_BYTES 512U
#define TEXT "one\ntwo\n"

enum policy { RENAMES, MARKS, DELETES, POLICIES };

static struct ps_spool *spool;
static struct ps_spool_file *file;
static char path[PATH_BYTES], marker[PATH_BYTES], other[PATH_BYTES];

static bool durable; /* files get numbers, which are kept until the files' names are synced */
static time_t born;  /* of all files; 0: the file system does not know it */

int statx(int fd, const char *restrict name, int flags, unsigned mask, struct statx *restrict status)
{
    *status = (struct statx){.stx_mask = born == 0 ? 0 : STATX_BTIME, .stx_btime.tv_sec = born};
    return 0;
}

/* Starts a run, which opens the file. */
static void open_again(enum policy policy)
{
    struct ps_err err = {.length = 0};
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = SUFFIX,
                                               .include = "^file$",
                                               .ignore = "^$",
                                               .decompress = PS_SPOOL_DECOMPRESS_NEVER,
                                               .identities = durable,
                                               .marks = policy == MARKS,
                                               .deletes = policy == DELETES};
    spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(spool);
    fetch->wanted = 1;
    fetch->list = true;
    fetch->files[0] = ps_spool_files(spool);
    ps_spool_fetch_prepare(fetch, spool, answer);
    fetch->job.run(&fetch->job);
    assert_int_equal(fetch->found, 1);
    file = fetch->files[0];
}

/* Opens the file and notes a position in its middle. */
static void begin(enum policy policy)
{
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    snprintf(path, sizeof path, "%s/file", ps_test_folder());
    snprintf(other, sizeof other, "%s/.other", ps_test_folder());
    snprintf(marker, sizeof marker, "%s/%sfile" SUFFIX, ps_test_folder(), policy == MARKS ? ".track/" : "");
    ps_test_folder_append("file", TEXT, sizeof TEXT - 1);
    open_again(policy);
    struct ps_spool_mark *mark = ps_spool_mark_of(spool);
    mark->file = file;
    mark->position = file->stop = 4;
    ps_spool_mark_prepare(mark, spool, answer);
    mark->job.run(&mark->job);
    assert_false(mark->failed);
}

static bool has_position(void)
{
    return access(ps_test_folder_path(".track/" PS_SPOOL_META_NAME), F_OK) == 0;
}

static void retire(void)
{
    close(file->fd);
    file->fd = -1;
    ps_spool_retire_prepare(file, answer);
    file->job.run(&file->job);
}

static void leave(void)
{
    struct ps_tail_thread none = {.helper = NULL};
    ps_spool_leave(spool, &none);
}

static void end(void)
{
    ps_test_call_broken = NULL;
    leave();
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
}

/* ---- what happens to the file while it is read ---- */

static void nothing(void)
{
}

static void set_time(time_t seconds)
{
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = seconds}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void append(void)
{
    ps_test_folder_append("file", "x", 1);
}

static void grows(void)
{
    append();
    set_time(1000000001); /* the clock's tick may be that of the beginning yet */
}

/* It grows, and a program gives it the time of its last write again. */
static void grows_unseen(void)
{
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    append();
    const struct timespec times[] = {{.tv_nsec = UTIME_OMIT}, status.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void is_touched(void)
{
    set_time(1000000000);
}

static void goes(void)
{
    assert_int_equal(rename(path, other), 0);
}

/* Another file of the same size and times is there, as of a program that wrote both within one tick of the clock. */
static void is_replaced(void)
{
    struct stat status;
    goes();
    ps_test_folder_append("file", "ONE\nTWO\n", sizeof TEXT - 1);
    assert_int_equal(stat(path, &status), 0);
    file->state = ps_spool_state_of(&status);
    file->modified_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
}

/* The same inode on another file system, which is mounted over the first one. */
static void is_of_another_device(void)
{
    file->device++;
}

static void target_is_there(void)
{
    fclose(fopen(marker, "w"));
}

/* What retires the file fails: the call that the policy makes. */
static void cannot_rename(void)
{
    ps_test_call_error = EACCES;
    ps_test_call_broken = "renameat2";
}

static void cannot_delete(void)
{
    ps_test_call_error = EACCES;
    ps_test_call_broken = "unlink";
}

static void cannot_create(void)
{
    ps_test_call_error = EACCES;
    ps_test_call_path = marker;
    ps_test_call_fails = 0;
    ps_test_call_broken = "open";
}

#define ALL (1U << RENAMES | 1U << MARKS | 1U << DELETES)
#define MODIFIED "File has been modified since being read: %s"

static const struct {
    void (*happens)(void);
    unsigned policies;  /* with which it is tested */
    const char *reason; /* of the path; NULL: it is retired */
    bool keeps;         /* its position stays */
    bool target;        /* the reason has the target's path instead */
} rows[] = {
    {nothing, ALL, NULL, false, false},
    {grows, ALL, MODIFIED, true, false},
    {grows_unseen, ALL, "File has changed size since being read: %s", true, false},
    {is_touched, ALL, MODIFIED, true, false},
    {goes, ALL, MODIFIED, true, false},
    {is_replaced, ALL, MODIFIED, true, false},
    {is_of_another_device, ALL, MODIFIED, true, false},
    {target_is_there, 1U << RENAMES | 1U << MARKS,
     "File name has been re-used with different files. Spooling assumptions violated for %s", false, true},
    {cannot_rename, 1U << RENAMES,
     "Unable to move %s to %s" SUFFIX
     ": Permission denied. This will likely cause duplicate events. Please verify that "
     "flume has sufficient permissions to perform these operations.",
     false, false},
    {cannot_create, 1U << MARKS, "Could not create tracker file: %s: Permission denied", false, true},
};

static void expect(size_t row, enum policy policy)
{
    char reason[2 * PATH_BYTES + 256];
    bool retired = rows[row].reason == NULL;
    if (!retired) {
        const char *subject = rows[row].target ? marker : path;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(reason, sizeof reason, rows[row].reason, subject, subject);
#pragma GCC diagnostic pop
        assert_string_equal(file->reason, reason);
    }
    assert_int_equal(file->end, retired ? PS_SPOOL_RETIRED : PS_SPOOL_VIOLATED);
    if (has_position() != rows[row].keeps)
        fail_msg("row %zu, policy %d: the position %s", row, (int)policy,
                 rows[row].keeps ? "is gone" : "is there");
    bool there = access(path, F_OK) == 0;
    assert_int_equal(there, rows[row].happens != goes && (!retired || policy == MARKS));
    if (policy != DELETES && rows[row].happens != target_is_there)
        assert_int_equal(access(marker, F_OK) == 0, retired);
}

static void test_each_end(void **unused)
{
    for (size_t row = 0; row < PS_COUNT_OF(rows); row++)
        for (enum policy policy = 0; policy < POLICIES; policy++) {
            if ((rows[row].policies & 1U << policy) == 0)
                continue;
            begin(policy);
            assert_true(has_position());
            rows[row].happens();
            retire();
            ps_test_call_broken = ps_test_call_path = NULL;
            expect(row, policy);
            end();
        }
}

/* The file stays if it cannot be deleted, with the system's reason. */
static void test_not_deleted(void **unused)
{
    char reason[2 * PATH_BYTES];
    begin(DELETES);
    cannot_delete();
    retire();
    ps_test_call_broken = NULL;
    snprintf(reason, sizeof reason, "Unable to delete spool file: %s: Permission denied", path);
    assert_string_equal(file->reason, reason);
    assert_int_equal(file->end, PS_SPOOL_VIOLATED);
    assert_int_equal(access(path, F_OK), 0);
    end();
}

/* Returns whether the position of a file that is not retired is kept for the next process. */
static bool has_aside(void)
{
    DIR *tracker = opendir(ps_test_folder_path(".track"));
    bool found = false;
    assert_non_null(tracker);
    for (const struct dirent *entry; (entry = readdir(tracker)) != NULL;)
        found |= strncmp(entry->d_name, ".flumespool-aside-", 18) == 0;
    closedir(tracker);
    return found;
}

/* The system cannot do it now: nothing is broken, the next process does not read the file again, and the next try retires it. */
static void expect_another_try(enum policy policy, const char *call, int error, const char *reason)
{
    begin(policy);
    ps_test_call_error = error;
    ps_test_call_path = policy == MARKS ? marker : NULL;
    ps_test_call_broken = call;
    for (unsigned tries = 0; tries < 3; tries++) {
        retire();
        assert_true(file->again && file->in_flight);
        assert_int_equal(file->end, PS_SPOOL_RETIRED);
        assert_non_null(strstr(file->reason, reason));
        assert_non_null(strstr(file->reason, strerror(error)));
    }
    ps_test_call_broken = ps_test_call_path = NULL;
    assert_int_equal(access(path, F_OK), 0);
    assert_true(has_aside());
    retire();
    assert_false(file->again || file->in_flight);
    assert_int_equal(file->end, PS_SPOOL_RETIRED);
    assert_int_equal(access(path, F_OK) == 0, policy == MARKS);
    assert_false(has_aside() || has_position());
    end();
}

static void test_errors_that_pass(void **unused)
{
    static const int errors[] = {ENOSPC, EDQUOT, EMFILE, ENFILE, ENOMEM, EIO, ESTALE, EROFS};
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        expect_another_try(RENAMES, "renameat2", errors[i], "Unable to move");
        expect_another_try(DELETES, "unlink", errors[i], "Unable to delete");
        expect_another_try(MARKS, "open", errors[i], "Could not create tracker file");
        expect_another_try(RENAMES, "stat", errors[i], "cannot be looked at");
    }
}

/* The next process goes on behind what was delivered of a file that could not be retired. */
static void test_a_restart_before_the_next_try(void **unused)
{
    begin(RENAMES);
    file->stop = sizeof TEXT - 1; /* all of it; the mark has its middle */
    ps_test_call_error = ENOSPC;
    ps_test_call_broken = "renameat2";
    retire();
    ps_test_call_broken = NULL;
    assert_true(file->again);
    leave();
    open_again(RENAMES);
    assert_int_equal(file->start, sizeof TEXT - 1);
    file->stop = file->start;
    retire();
    assert_int_equal(file->end, PS_SPOOL_RETIRED);
    assert_false(has_aside());
    end();
}

/* A marker whose directory is a file, or cannot be made: the reason is the system's, with nothing before it. */
static void test_no_place_for_a_marker(void **unused)
{
    char reason[2 * PATH_BYTES];
    for (unsigned is_file = 0; is_file < 2; is_file++) {
        begin(MARKS);
        assert_int_equal(rename(ps_test_folder_path(".track"), ps_test_folder_path(".moved")), 0);
        if (is_file)
            ps_test_folder_append(".track", "a file", 6);
        ps_test_call_error = EACCES;
        ps_test_call_broken = is_file ? NULL : "mkdir";
        retire();
        ps_test_call_broken = NULL;
        if (is_file)
            snprintf(reason, sizeof reason, "Could not create tracker file: %s: Not a directory", marker);
        else
            snprintf(reason, sizeof reason,
                     "Could not create tracker file: %s/.track cannot be made: Permission denied",
                     ps_test_folder());
        assert_string_equal(file->reason, reason);
        assert_int_equal(file->end, PS_SPOOL_VIOLATED);
        end();
    }
}

/* A file system without RENAME_NOREPLACE: the file is renamed, but not over another one. */
static void test_plain_rename(void **unused)
{
    static const int errors[] = {EINVAL, ENOSYS};
    for (unsigned i = 0; i < 2 * PS_COUNT_OF(errors); i++) {
        bool in_the_way = i % 2 == 1;
        begin(RENAMES);
        if (in_the_way)
            target_is_there();
        ps_test_call_error = errors[i / 2];
        ps_test_call_broken = "renameat2";
        retire();
        ps_test_call_broken = NULL;
        assert_int_equal(file->end, in_the_way ? PS_SPOOL_VIOLATED : PS_SPOOL_RETIRED);
        assert_int_equal(access(path, F_OK) == 0, in_the_way);
        assert_int_equal(access(marker, F_OK), 0);
        end();
    }
}

/* The process is killed after it deleted the file and before it deleted the position; a program makes another file of this name, which
 * gets the inode again. The position does not count for it. A position of a file system that does not know times of birth, or of a
 * version that did not note them, counts as before. */
static void test_inode_comes_again(void **unused)
{
    static const struct {
        time_t noted, found;
        uint64_t start;
    } births[] = {{5, 6, 0}, {6, 5, 0}, {5, 5, 4}, {0, 6, 4}, {5, 0, 4}, {0, 0, 4}};
    for (size_t i = 0; i < PS_COUNT_OF(births); i++) {
        born = births[i].noted;
        begin(DELETES);
        leave();
        born = births[i].found;
        open_again(DELETES);
        if (file->start != births[i].start || file->begun != (births[i].start > 0))
            fail_msg("births %zu: the file is read from %llu", i, (unsigned long long)file->start);
        end();
    }
    born = 0;
}

/* Retires the file while the nth call fails. Returns the name of the call, NULL: there are fewer calls. */
static const char *retire_with_failure(enum policy policy, bool last, uint64_t nth)
{
    begin(policy);
    assert_int_equal(spool->numbers.count, 1);
    file->last = last;
    ps_test_call_failed = NULL;
    close(file->fd);
    file->fd = -1;
    ps_spool_retire_prepare(file, answer);
    ps_test_call_error = EIO;
    ps_test_call_fails = nth;
    file->job.run(&file->job);
    ps_test_call_fails = 0;
    return ps_test_call_failed;
}

/* The directory of the new name is synced after the file is renamed, deleted or marked, and before its number is forgotten. If that
 * fails, the file is retired, and its number stays. Only the last file of a group is synced. */
static void test_names_are_synced(void **unused)
{
    static const char *const retires[POLICIES] = {"renameat2", "open", "unlink"};
    durable = true;
    for (enum policy policy = 0; policy < POLICIES; policy++) {
        uint64_t retired_at = 0, synced_at = 0, nth = 1;
        for (const char *failed; (failed = retire_with_failure(policy, true, nth)) != NULL; nth++, end()) {
            if (retired_at == 0 && strcmp(failed, retires[policy]) == 0)
                retired_at = nth;
            bool sync = strcmp(failed, "fsync") == 0;
            if (!sync)
                continue;
            synced_at = nth;
            assert_int_equal(file->end, PS_SPOOL_RETIRED);
            assert_int_equal(access(path, F_OK) == 0, policy == MARKS);
            assert_false(file->synced);
            assert_int_equal(spool->numbers.count, 1);
        }
        assert_true(file->synced);
        assert_int_equal(spool->numbers.count, 0);
        end();
        assert_in_range(retired_at, 1, synced_at);
        assert_null(retire_with_failure(policy, false, 1000));
        assert_int_equal(file->end, PS_SPOOL_RETIRED);
        assert_false(file->synced);
        assert_int_equal(spool->numbers.count, 1);
        end();
    }
    durable = false;
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_end),
                                       cmocka_unit_test(test_not_deleted),
                                       cmocka_unit_test(test_no_place_for_a_marker),
                                       cmocka_unit_test(test_errors_that_pass),
                                       cmocka_unit_test(test_a_restart_before_the_next_try),
                                       cmocka_unit_test(test_plain_rename),
                                       cmocka_unit_test(test_inode_comes_again),
                                       cmocka_unit_test(test_names_are_synced)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
