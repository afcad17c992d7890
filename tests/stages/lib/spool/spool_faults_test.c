/* The file system of a spooling directory while the system fails: each call and allocation of its jobs fails once, at
 * every point of a small workload with two restarts. A file is read until it is retired, and not afterwards; events
 * before the last saved position do not come again; later ones are not skipped; and a file keeps its number. */
#include "core/log/log.h"
#include "stages/lib/spool/meta.h"
#include "stages/lib/spool/spool.h"
#include "tests/stages/lib/spool/spool_support.h"
#include "tests/support/allocations.h"
#include "tests/support/folder.h"
#include "tests/support/system_calls.h"

#define FILES 3U
#define BYTES 100U /* of each file */
#define TRIES 4U   /* attempts at a job, because the injected failure can spoil one */

enum policy { RENAMES, DELETES, MARKS };

static struct {
    struct ps_spool *spool;
    enum policy policy;
    struct ps_spool_file *open[FILES]; /* by number */
    bool retired[FILES];               /* as the job answered */
    uint64_t number[FILES];            /* random number of each file; 0: none yet */
    uint64_t
        aside[FILES]; /* the position that was written for each file that was left alone, and that remains */
    unsigned saved_file; /* file of the last good save; FILES: none */
    uint64_t saved;
    unsigned
        unsure_file; /* a later save that failed: it may have replaced the file without syncing its name */
    uint64_t unsure;
    bool identities; /* not while allocations fail: without memory for the numbers the process ends */
    /* The failure, counted over all jobs. */
    uint64_t calls, allocations;
} bench;

/* Runs a job as the source's thread does, and counts its calls and allocations down to the failure. */
static void run(struct ps_tail_job *job)
{
    ps_test_call_fails = bench.calls;
    ps_test_allocation_fails = bench.allocations;
    job->run(job);
    bench.calls = ps_test_call_fails;
    bench.allocations = ps_test_allocation_fails;
    ps_test_call_fails = ps_test_allocation_fails = 0;
}

static void begin(void)
{
    struct ps_err err = {0};
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".flumespool",
                                               .suffix = ".COMPLETED",
                                               .include = "^.*$",
                                               .ignore = "^$",
                                               .decompress = PS_SPOOL_DECOMPRESS_ALWAYS,
                                               .identities = bench.identities,
                                               .deletes = bench.policy == DELETES,
                                               .marks = bench.policy == MARKS};
    bench.spool = ps_spool_create(&settings, &err);
    assert_non_null(bench.spool);
}

static void end(void)
{
    struct ps_tail_thread none = {.helper = NULL};
    for (unsigned i = 0; i < FILES; i++) {
        if (bench.open[i] != NULL)
            close(bench.open[i]->fd);
        if (bench.open[i] != NULL)
            bench.open[i]->fd = -1;
        bench.open[i] = NULL;
    }
    ps_spool_leave(bench.spool, &none);
}

/* Opens the files that exist, and checks where each begins. */
static void fetch_once(void)
{
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(bench.spool);
    struct ps_spool_file *files = ps_spool_files(bench.spool);
    fetch->wanted = 0;
    fetch->list = true;
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX && fetch->wanted < FILES; i++) {
        if (files[i].fd < 0 && !files[i].in_flight)
            fetch->files[fetch->wanted++] = &files[i];
    }
    ps_spool_fetch_prepare(fetch, bench.spool, answer);
    run(&fetch->job);
    for (unsigned i = 0; i < fetch->found; i++) {
        struct ps_spool_file *file = fetch->files[i];
        unsigned number = (unsigned)(file->name[0] - 'a');
        assert_true(number < FILES && bench.open[number] == NULL);
        if (bench.retired[number])
            fail_msg("%s is read again after it was retired; %s failed", file->name, ps_test_call_failed);
        uint64_t start = number == bench.saved_file ? bench.saved : bench.aside[number];
        if (file->start != start && (number != bench.unsure_file || file->start != bench.unsure))
            fail_msg("%s begins at %llu, not %llu; %s failed", file->name, (unsigned long long)file->start,
                     (unsigned long long)start,
                     ps_test_call_failed != NULL ? ps_test_call_failed : "an allocation");
        uint64_t known = bench.number[number];
        if (file->number != 0 && known != 0 && file->number != known && (start == 0 || file->counted))
            fail_msg("%s has another number than before; %s failed", file->name, ps_test_call_failed);
        bench.number[number] = file->number != 0 ? file->number : known;
        bench.open[number] = file;
    }
}

static void fetch_all(void)
{
    for (unsigned tries = 0; tries < TRIES; tries++) {
        bool all = true;
        for (unsigned i = 0; i < FILES; i++)
            all &= bench.open[i] != NULL || bench.retired[i];
        if (all)
            return;
        fetch_once();
    }
    fail_msg("a file is not found any more; %s failed", ps_test_call_failed);
}

/* Saves that the file is delivered up to this position. */
static void save(unsigned number, uint64_t position)
{
    struct ps_spool_mark *mark = ps_spool_mark_of(bench.spool);
    mark->file = bench.open[number];
    mark->position = mark->events = position;
    mark->counted = true;
    ps_spool_mark_prepare(mark, bench.spool, answer);
    run(&mark->job);
    if (mark->failed) {
        assert_true(mark->reason[0] != '\0');
        bench.unsure_file = number;
        bench.unsure = position;
        return;
    }
    bench.unsure_file = FILES;
    bench.saved_file = number;
    bench.saved = position;
}

/* The file is delivered completely. Returns false when it could not be renamed or deleted: it stays until the next run. */
static bool retire(unsigned number)
{
    struct ps_spool_file *file = bench.open[number];
    close(file->fd);
    file->fd = -1;
    bench.open[number] = NULL;
    ps_spool_retire_prepare(file, answer);
    run(&file->job);
    bench.retired[number] = file->end == PS_SPOOL_RETIRED && !file->again;
    if (bench.retired[number] && number == bench.saved_file)
        bench.saved_file = FILES;
    return bench.retired[number];
}

/* Returns whether the tracker directory has the position of a file that is left alone. */
static bool has_aside(void)
{
    DIR *tracker = opendir(ps_test_folder_path(".flumespool"));
    bool found = false;
    assert_non_null(tracker);
    for (const struct dirent *entry; (entry = readdir(tracker)) != NULL;)
        found |=
            strncmp(entry->d_name, ".flumespool-aside-", 18) == 0 && strstr(entry->d_name, ".tmp") == NULL;
    closedir(tracker);
    return found;
}

/* The file is left alone in this run because of an error after this position. */
static void leave_alone(unsigned number, uint64_t stop)
{
    struct ps_spool_file *file = bench.open[number];
    close(file->fd);
    file->fd = -1;
    bench.open[number] = NULL;
    file->end = PS_SPOOL_VIOLATED;
    file->stop = stop;
    ps_spool_retire_prepare(file, answer);
    run(&file->job);
    bench.aside[number] = has_aside() ? stop : 0;
}

/* A run ends, and the next one finds the files. */
static void restart(void)
{
    end();
    begin();
    fetch_all();
}

/* Returns false if the failure did not come. */
static bool play(enum policy policy, uint64_t call, uint64_t allocation, int error)
{
    static char text[BYTES];
    assert_int_equal(ps_test_folder_setup(NULL), 0);
    memset(&bench, 0, sizeof bench);
    memset(text, 'x', sizeof text);
    for (const char *name = "abc"; *name != '\0'; name++) {
        memcpy(text, *name == 'b' ? "\x1f\x8b\x08" : "xxx",
               3); /* b is compressed, and recognized as such in each run */
        ps_test_folder_append((const char[]){*name, '\0'}, text, sizeof text);
    }
    bench.policy = policy;
    bench.saved_file = bench.unsure_file = FILES;
    bench.calls = call;
    bench.identities = call > 0;
    bench.allocations = allocation;
    ps_test_call_error = error;
    ps_test_call_failed = NULL;
    begin();
    fetch_all();
    leave_alone(2, 30); /* its position is valid in all later runs */
    restart();
    save(0, 40);
    save(0, 60);
    restart();
    save(0, 80);
    if (!retire(0)) {
        restart();
        assert_true(retire(0));
    }
    save(1, 50);
    restart();
    save(1, 70);
    restart();
    for (unsigned number = 1; number < FILES; number++) {
        if (!retire(number)) {
            restart();
            assert_true(retire(number));
        }
    }
    restart();
    fetch_once();
    bool came = bench.calls == 0 && bench.allocations == 0;
    end();
    assert_null(ps_test_folder_read(
        ".flumespool/" PS_SPOOL_META_NAME)); /* is deleted in the end, even if the first try failed */
    assert_int_equal(ps_test_folder_teardown(NULL), 0);
    return came;
}

static void test_each_call_fails(void **unused)
{
    static const int errors[] = {EIO, ENOSPC, EACCES};
    for (enum policy policy = RENAMES; policy <= MARKS; policy++) {
        uint64_t nth = 1;
        while (play(policy, nth, 0, errors[nth % PS_COUNT_OF(errors)]))
            nth++;
        assert_in_range(nth, 50, 1000);
    }
}

static void test_each_allocation_fails(void **unused)
{
    for (enum policy policy = RENAMES; PS_TEST_ALLOCATIONS && policy <= MARKS; policy++) {
        uint64_t nth = 1;
        for (; play(policy, 0, nth, ENOMEM); nth++)
            ;
        assert_in_range(nth, 10, 1000);
    }
}

/* A file system that has no RENAME_NOREPLACE (EINVAL; ENOSYS: an old kernel has no renameat2) gets two calls instead. Both ways, no file is
 * replaced. After each other error the file stays where it is. */
static void test_renames_without_noreplace(void **unused)
{
    static const struct {
        int error;
        bool in_use; /* the new name */
        const char *reason;
    } rows[] = {{EINVAL, false, NULL},
                {EINVAL, true, "File name has been re-used"},
                {ENOSYS, false, NULL},
                {ENOSYS, true, "File name has been re-used"},
                {EEXIST, false, "File name has been re-used"},
                {EACCES, false, "Unable to move"},
                {EXDEV, true, "Unable to move"},
                {EROFS, false, "Unable to move"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        assert_int_equal(ps_test_folder_setup(NULL), 0);
        memset(&bench, 0, sizeof bench);
        bench.policy = RENAMES;
        bench.saved_file = bench.unsure_file = FILES;
        ps_test_folder_append("a", "new", 3);
        if (rows[i].in_use)
            ps_test_folder_append("a.COMPLETED", "old", 3);
        begin();
        fetch_once();
        struct ps_spool_file *file = bench.open[0];
        assert_non_null(file);
        ps_test_call_broken = "renameat2";
        ps_test_call_error = rows[i].error;
        bool retired = retire(0);
        ps_test_call_broken = NULL;
        assert_int_equal(retired, rows[i].reason == NULL);
        if (!retired && strstr(file->reason, rows[i].reason) == NULL)
            fail_msg("'%s', not '%s'", file->reason, rows[i].reason);
        const char *text = ps_test_folder_read("a");
        assert_int_equal(text == NULL, retired);
        text = ps_test_folder_read("a.COMPLETED");
        if (retired || rows[i].in_use)
            assert_string_equal(text, retired ? "new" : "old");
        else
            assert_null(text);
        end();
        assert_int_equal(ps_test_folder_teardown(NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_renames_without_noreplace),
                                       cmocka_unit_test(test_each_call_fails),
                                       cmocka_unit_test(test_each_allocation_fails)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
