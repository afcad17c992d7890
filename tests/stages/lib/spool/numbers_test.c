/* The numbers of spooled files when the system does not let their file be read: no file is read until it does, and the events keep their
 * identities. A file that has no numbers counts as lost. */
#include "core/log/log.h"
#include "stages/lib/spool/spool_internal.h"
#include "tests/stages/lib/spool/spool_support.h"
#include "tests/support/folder.h"
#include "tests/support/support.h"
#include "tests/support/system_calls.h"

#define NUMBERS_PATH ".track/" PS_SPOOL_NUMBERS_NAME

static struct ps_spool *spool;

static void begin(void)
{
    struct ps_err err = {.length = 0};
    const struct ps_spool_settings settings = {.component = "source s",
                                               .directory = ps_test_folder(),
                                               .tracker = ".track",
                                               .suffix = ".DONE",
                                               .include = "^file.?$",
                                               .ignore = "^$",
                                               .decompress = PS_SPOOL_DECOMPRESS_NEVER,
                                               .identities = true};
    spool = ps_spool_create(&settings, &err);
    assert_non_null(spool);
}

static void leave(void)
{
    struct ps_tail_thread none = {.helper = NULL};
    ps_spool_leave(spool, &none);
}

/* Opens the next file, in this place. Returns its number; 0: nothing was opened. */
static uint64_t fetch_into(unsigned place)
{
    struct ps_spool_fetch *fetch = ps_spool_fetch_of(spool);
    fetch->wanted = 1;
    fetch->list = false; /* the list of the first fetch has all files that were there */
    fetch->files[0] = ps_spool_files(spool) + place;
    ps_spool_fetch_prepare(fetch, spool, answer);
    fetch->job.run(&fetch->job);
    assert_int_equal(fetch->found, !fetch->failed);
    if (fetch->failed)
        return 0;
    close(fetch->files[0]->fd);
    fetch->files[0]->fd = -1;
    return fetch->files[0]->number;
}

static uint64_t fetch_number(void)
{
    return fetch_into(0);
}

static bool is_on_the_disk(uint64_t number)
{
    char wanted[64];
    snprintf(wanted, sizeof wanted, "\"number\":%lld}", (long long)number);
    return strstr(ps_test_folder_read(NUMBERS_PATH), wanted) != NULL;
}

/* A file was opened while its number could not be written; then a link of it is opened. As long as one of them is read, what the other one leaves
 * behind does not take its number from the disk. */
static void test_links(void **unused)
{
    char path[512], link_path[512];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("file"));
    snprintf(link_path, sizeof link_path, "%s", ps_test_folder_path("file1"));
    for (unsigned fails = 0; fails < 2; fails++) {
        begin();
        ps_test_call_broken = fails > 0 ? "rename" : NULL;
        ps_test_call_error = ENOSPC;
        assert_int_equal(link(path, link_path), 0);
        uint64_t first = fetch_into(0);
        ps_test_call_broken = NULL;
        assert_true((first == 0) == (fails > 0));
        uint64_t second = fetch_into(1);
        assert_true(second != 0);
        ps_spool_numbers_forget(spool, ps_spool_files(spool)); /* it is retired */
        ps_spool_files(spool)->in_flight = false;
        ps_test_folder_append("file2", "more\n", 5);
        assert_true(fetch_into(2) != 0);
        assert_true(is_on_the_disk(second));
        ps_spool_numbers_forget(spool, ps_spool_files(spool) + 1);
        ps_spool_files(spool)[1].in_flight = false;
        ps_test_folder_append("file3", "more\n", 5);
        assert_true(fetch_into(3) != 0);
        assert_false(is_on_the_disk(second));
        leave();
        for (unsigned i = 1; i <= 3; i++) {
            snprintf(link_path, sizeof link_path, "file%u", i);
            assert_int_equal(unlink(ps_test_folder_path(link_path)), 0);
        }
        snprintf(link_path, sizeof link_path, "%s", ps_test_folder_path("file1"));
        (void)unlink(ps_test_folder_path(NUMBERS_PATH));
    }
}

static int setup(void **state)
{
    if (ps_test_folder_setup(state) != 0)
        return -1;
    ps_test_folder_append("file", "text\n", 5);
    return 0;
}

static void test_numbers_that_cannot_be_read_now(void **unused)
{
    static const struct {
        const char *call;
        int error;
    } rows[] = {{"open", EMFILE}, {"open", ENFILE}, {"open", ENOMEM}, {"open", EACCES},
                {"open", EIO},    {"fstat", EIO},   {"pread", EIO},   {"pread", ENOMEM}};
    begin();
    uint64_t number = fetch_number();
    assert_true(number != 0);
    leave();
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char path[512];
        snprintf(path, sizeof path, "%s", ps_test_folder_path(NUMBERS_PATH));
        begin();
        ps_test_call_path = path;
        ps_test_call_error = rows[i].error;
        ps_test_call_broken = rows[i].call;
        uint64_t found = fetch_number();
        ps_test_call_broken = ps_test_call_path = NULL;
        if (found != 0)
            fail_msg("%s, %s: the file is read", rows[i].call, strerror(rows[i].error));
        const char *reason = ps_spool_fetch_of(spool)->reason;
        assert_non_null(strstr(reason, PS_SPOOL_NUMBERS_NAME " cannot be read"));
        assert_non_null(strstr(reason, strerror(rows[i].error)));
        assert_true(fetch_number() == number);
        leave();
        begin();
        assert_true(fetch_number() == number); /* nothing was written over it */
        leave();
    }
}

/* There is nothing to wait for. */
static void test_numbers_that_are_lost(void **unused)
{
    for (unsigned what = 0; what < 3; what++) {
        begin();
        uint64_t before = fetch_number();
        leave();
        assert_int_equal(unlink(ps_test_folder_path(NUMBERS_PATH)), 0);
        if (what == 1)
            ps_test_folder_append(NUMBERS_PATH, "no numbers", 10);
        if (what == 2)
            assert_int_equal(mkdir(ps_test_folder_path(NUMBERS_PATH), 0750), 0);
        begin();
        uint64_t number = fetch_number();
        assert_false(ps_spool_fetch_of(spool)->failed);
        assert_true(what == 2 ? number == 0 : number != 0 && number != before);
        leave();
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, ps_test_folder_teardown)
    const struct CMUnitTest tests[] = {TEST(numbers_that_cannot_be_read_now), TEST(numbers_that_are_lost),
                                       TEST(links)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
