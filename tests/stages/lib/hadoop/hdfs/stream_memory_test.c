/* Output streams and calls of HDFS that find no memory: the failure is the process's own, and says so. */
#include "tests/support/allocations.h"
#include "tests/support/hdfs_stream.h"

/* The next allocation of a write fails; the flush after it has the reason. */
static void expect_no_memory(struct ps_test_stream *bench, const char *bytes)
{
    unsigned flushes = bench->flushed.calls;
    unsigned writes = 0;
    ps_test_allocation_fails = 1;
    while (ps_file_write(bench->stream, bytes, strlen(bytes))) /* until the free segments are used up */
        assert_true(++writes < 1000);
    assert_int_equal(ps_test_allocation_fails, 0);
    ps_file_flush(bench->stream, PS_FILE_HFLUSH, ps_test_stream_noted, &bench->flushed);
    ps_test_stream_pump(bench, &bench->flushed.calls, flushes + 1);
    assert_int_equal(bench->flushed.error, PS_FILE_NO_MEMORY);
    assert_string_equal(bench->flushed.reason, "/d/f: no memory");
    ps_file_abandon(bench->stream);
}

static void test_bytes_before_the_file_is_there(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_create(bench);
    if (PS_TEST_ALLOCATIONS)
        expect_no_memory(bench, "0123456789");
    else
        ps_file_abandon(bench->stream);
}

static void test_bytes_of_a_packet(void **state)
{
    struct ps_test_stream *bench = *state;
    ps_test_stream_begin_file(bench, "0123456789", 2);
    if (PS_TEST_ALLOCATIONS)
        expect_no_memory(bench, "abcde");
    else
        ps_file_abandon(bench->stream);
}

/* The request of a call cannot be made. */
static void test_a_call(void **state)
{
    struct ps_test_stream *bench = *state;
    struct ps_test_outcome removed = {0};
    ps_test_stream_begin_file(bench, "0123456789", 2);
    ps_test_allocation_fails =
        PS_TEST_ALLOCATIONS ? 3 : 0; /* after the call and its path, which must not fail */
    ps_file_remove(bench->filesystem, "/d/g", ps_test_stream_noted, &removed);
    assert_int_equal(ps_test_allocation_fails, 0);
    if (PS_TEST_ALLOCATIONS) {
        ps_test_stream_pump(bench, &removed.calls, 1);
        assert_int_equal(removed.error, PS_FILE_NO_MEMORY);
        assert_non_null(strstr(removed.reason, "no memory"));
    }
    ps_file_abandon(bench->stream);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, ps_test_stream_set_up, ps_test_stream_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(test_bytes_before_the_file_is_there),
        TEST(test_bytes_of_a_packet),
        TEST(test_a_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
