/* The work of check --probe on a file system, and its output. */
#include "stages/lib/hadoop/hdfs/probe.h"

#include "tests/support/fake_filesystem.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

static char said[8192];

static void on_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                     const char *cause, const char *cure)
{
    size_t length = strlen(said);
    snprintf(said + length, sizeof said - length, "%s %s %s|%s|%s\n",
             result == PS_PROBED_OK ? "ok" : "FAILED", key != NULL ? key : "-", what,
             cause != NULL ? cause : "-", cure != NULL ? cure : "-");
}

static void try(const char *directory, uint64_t timeout_ms)
{
    const struct ps_probe probe = {.component = "sink k1", .timeout_ms = timeout_ms, .tried = on_tried};
    const struct ps_hadoop_probe what = {
        .key = "hdfs.path", .directory = directory, .url = "hdfs://nn:8020", .user = "flume"};
    struct ps_filesystem *filesystem = ps_test_files();
    int epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    said[0] = '\0';
    ps_hadoop_probe_filesystem(&probe, filesystem, epoll_fd, &what);
    close(epoll_fd);
    assert_int_equal(ps_test_files_open(), 0);
    ps_filesystem_close(filesystem);
}

static void ignore(void *argument, const struct ps_file_answer *answer)
{
    assert_int_equal(answer->error, PS_FILE_OK);
}

static void expect(const char *text)
{
    if (strstr(said, text) == NULL)
        fail_msg("not said: %s\n%s", text, said);
}

static void test_writes_and_removes(void **unused)
{
    try("/logs/web", PS_TEST_PATIENCE_MS);
    expect("ok - hdfs.path: hdfs://nn:8020 as flume: answers|-|-\n");
    expect("ok - hdfs.path: directory / (missing directories below it are made when events come): a file was "
           "written, and removed again|-|-\n");
    assert_int_equal(ps_test_files_count(PS_TEST_STAT), 3);
    assert_int_equal(ps_test_files_count(PS_TEST_FLUSH), 1);
    assert_int_equal(ps_test_files_count(PS_TEST_REMOVE), 1);
    ps_test_files_expect_names(PS_WORDS(NULL));
}

/* The free space, and whether it has room for a block. */
static void test_space(void **unused)
{
    const struct ps_file_space roomy = {UINT64_C(4) << 40, UINT64_C(1) << 40, 128 << 20, 3},
                               full = {UINT64_C(4) << 40, 383 << 20, 128 << 20, 3},
                               enough = {UINT64_C(4) << 40, 384 << 20, 128 << 20, 3};
    try("/", PS_TEST_PATIENCE_MS);
    assert_null(strstr(said, "room on"));
    ps_test_files_space(&roomy);
    try("/", PS_TEST_PATIENCE_MS);
    expect("ok - hdfs.path: room on hdfs://nn:8020: 1 TiB of 4 TiB are left; new files have blocks of 128 "
           "MiB, 3 "
           "copies|-|-\n");
    ps_test_files_space(&full);
    try("/", PS_TEST_PATIENCE_MS);
    expect("FAILED - hdfs.path: room on hdfs://nn:8020: 383 MiB of 4 TiB are left|less than a new block of "
           "128 MiB needs, in 3 copies|free space");
    ps_test_files_space(&enough);
    try("/", PS_TEST_PATIENCE_MS);
    expect("ok - hdfs.path: room on");
}

/* Each failure ends the probe, with its cure; no file is left. */
static void test_failures(void **unused)
{
    static const struct {
        enum ps_test_file_operation operation;
        enum ps_file_error error;
        const char *cure;
        unsigned removals;
    } cases[] = {
        {PS_TEST_STAT, PS_FILE_UNAVAILABLE, "see whether the namenode runs", 0},
        {PS_TEST_CREATE, PS_FILE_DENIED, "let the user write there", 0},
        {PS_TEST_FLUSH, PS_FILE_NO_SPACE, "free space, or raise the quota", 1},
        {PS_TEST_CLOSE, PS_FILE_TIMEOUT, "see whether the namenode runs", 1},
        {PS_TEST_REMOVE, PS_FILE_DENIED, "let the user write there", 1},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        ps_test_files_setup(unused);
        ps_test_files_fail(cases[i].operation, 0, 1, cases[i].error);
        try("/", PS_TEST_PATIENCE_MS);
        expect("FAILED hdfs.path hdfs.path: ");
        expect(cases[i].cure);
        assert_int_equal(ps_test_files_count(PS_TEST_REMOVE), cases[i].removals);
    }
}

static void test_no_answer(void **unused)
{
    ps_test_files_hold(PS_TEST_STAT, "");
    try("/logs", 1);
    expect("FAILED hdfs.path hdfs.path: hdfs://nn:8020 as flume|no answer|see whether");
}

/* There is a file where a directory should be. */
static void test_a_file_in_the_way(void **unused)
{
    static const char *const directories[] = {"/logs", "/logs/web/today"};
    for (size_t i = 0; i < PS_COUNT_OF(directories); i++) {
        ps_test_files_setup(unused);
        const struct ps_now now = {.mono_ns = 1};
        struct ps_filesystem *filesystem = ps_test_files();
        struct ps_file_stream *stream = ps_file_create(filesystem, "/logs", ignore, NULL);
        (void)ps_filesystem_turn(filesystem, &now);
        ps_file_close(stream, ignore, NULL);
        (void)ps_filesystem_turn(filesystem, &now);
        try(directories[i], PS_TEST_PATIENCE_MS);
        expect("ok - hdfs.path: hdfs://nn:8020 as flume: answers|-|-\n");
        expect("FAILED hdfs.path hdfs.path: /logs|it is a file|-\n");
        assert_int_equal(ps_test_files_count(PS_TEST_CREATE), 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_writes_and_removes, ps_test_files_setup),
        cmocka_unit_test_setup(test_space, ps_test_files_setup),
        cmocka_unit_test_setup(test_failures, ps_test_files_setup),
        cmocka_unit_test_setup(test_no_answer, ps_test_files_setup),
        cmocka_unit_test_setup(test_a_file_in_the_way, ps_test_files_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
