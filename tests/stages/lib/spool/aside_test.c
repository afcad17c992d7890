/* Positions of files that were left alone, at the start of the next run: they are forgotten when the file is gone or
 * another file has its name, and only then; an error of the system is neither. */
#include "core/log/log.h"
#include "tests/stages/lib/spool/spool_support.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

static struct ps_spool *spool;

static void open_spool(void)
{
    struct ps_err err = {.length = 0};
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = ".DONE",
                                               .include = "^.*$",
                                               .ignore = "^$",
                                               .decompress = PS_SPOOL_DECOMPRESS_NEVER};
    spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
}

static void close_spool(void)
{
    struct ps_tail_thread none = {.helper = NULL};
    ps_spool_leave(spool, &none);
}

static struct ps_spool_fetch *fetch(void)
{
    struct ps_spool_fetch *job = ps_spool_fetch_of(spool);
    job->wanted = 0;
    job->list = true;
    for (unsigned i = 0; i < PS_SPOOL_FILES_MAX && job->wanted < PS_SPOOL_FETCH_MAX; i++)
        if (!ps_spool_files(spool)[i].in_flight)
            job->files[job->wanted++] = &ps_spool_files(spool)[i];
    ps_spool_fetch_prepare(job, spool, answer);
    job->job.run(&job->job);
    return job;
}

/* Leaves each file that the run finds alone, where 3 of its bytes are delivered. */
static void leave_all_alone(void)
{
    const struct ps_spool_fetch *job = fetch();
    for (unsigned i = 0; i < job->found; i++) {
        struct ps_spool_file *file = job->files[i];
        close(file->fd);
        file->fd = -1;
        file->end = PS_SPOOL_VIOLATED;
        file->stop = 3;
        ps_spool_retire_prepare(file, answer);
        file->job.run(&file->job);
    }
}

static unsigned positions(void)
{
    unsigned count = 0;
    DIR *tracker = opendir(ps_test_folder_path(".track"));
    for (const struct dirent *entry; tracker != NULL && (entry = readdir(tracker)) != NULL;)
        count += strstr(entry->d_name, ".meta") != NULL;
    if (tracker != NULL)
        closedir(tracker);
    return count;
}

static void expect_starts(uint64_t start, unsigned files)
{
    open_spool();
    const struct ps_spool_fetch *job = fetch();
    assert_int_equal(job->found, files);
    for (unsigned i = 0; i < job->found; i++) {
        assert_int_equal(job->files[i]->start, start);
        close(job->files[i]->fd);
        job->files[i]->fd = -1;
    }
    close_spool();
}

static void make_two(void)
{
    ps_test_folder_append("a", "one\ntwo\n", 8);
    ps_test_folder_append("b", "one\ntwo\n", 8);
    open_spool();
    leave_all_alone();
    close_spool();
}

/* In one run no file can be examined; the next run continues where the files were left. */
static void test_errors_of_the_system(void **unused)
{
    static const int errors[] = {EACCES, EIO, ENOMEM, ENOTDIR, ELOOP};
    make_two();
    unsigned before = positions();
    assert_true(before >= 2);
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        open_spool();
        ps_test_call_error = errors[i];
        ps_test_call_broken = "stat";
        (void)fetch();
        close_spool();
        ps_test_call_broken = NULL;
        assert_int_equal(positions(), before);
    }
    expect_starts(3, 2);
}

/* Each file that is gone, or whose name another one has, loses its position; the second one as well as the first. */
static void test_files_that_are_gone(void **unused)
{
    make_two();
    unsigned before = positions();
    assert_int_equal(rename(ps_test_folder_path("b"), ps_test_folder_path(".b")), 0);
    ps_test_folder_append("b", "new\n", 4);
    open_spool();
    (void)fetch();
    close_spool();
    assert_int_equal(positions(), before - 1);
    assert_int_equal(unlink(ps_test_folder_path("a")), 0);
    open_spool();
    (void)fetch();
    close_spool();
    assert_int_equal(positions(), before - 2);
    expect_starts(0, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, ps_test_folder_setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(errors_of_the_system), TEST(files_that_are_gone)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
