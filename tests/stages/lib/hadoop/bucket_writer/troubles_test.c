/* The log lines about failures that many files meet again and again. */
#include "stages/lib/hadoop/bucket_writer/sink.h"

#include "tests/support/bucket_files.h"
#include "tests/support/folder.h"

static int fresh(void **state)
{
    if (ps_test_folder_setup(state) != 0)
        return -1;
    ps_log_unlimited();
    assert_int_equal(ps_log_open(ps_test_folder_path("log"), NULL), PS_OK);
    return ps_test_bucket_setup(state);
}

static int remove_log(void **state)
{
    assert_int_equal(ps_log_open(NULL, NULL), PS_OK);
    return ps_test_folder_teardown(state);
}

/* Returns how often the log has this text. */
static unsigned count(const char *text)
{
    unsigned found = 0;
    const char *at = ps_test_folder_read("log");
    assert_non_null(at);
    while ((at = strstr(at, text)) != NULL) {
        found++;
        at += strlen(text);
    }
    return found;
}

#define FILES(body) TO("a", body), TO("b", body), TO("c", body), TO("d", body), TO("e", body)

/* No file can be created for two minutes: one line at the beginning, one for all files after a minute, and one at the end. */
static void test_outage(void **unused)
{
    ps_test_bucket_path = "/d/%{k}";
    ps_test_bucket_start();
    ps_test_files_fail(PS_TEST_CREATE, 0, UINT32_MAX, PS_FILE_UNAVAILABLE);
    TAKE(FILES("1"));
    ps_test_bucket_pass(0);
    assert_int_equal(count("cannot create"), 1);
    assert_int_equal(count("tries so far"), 0);
    for (unsigned s = 0; s < 59; s++)
        ps_test_bucket_pass(1000);
    assert_int_equal(count("cannot create"), 1);
    for (unsigned s = 0; s < 61; s++)
        ps_test_bucket_pass(1000);
    assert_int_equal(count("cannot create"), 2);
    assert_int_equal(
        count("; the sink begins a new file in 5 s, and writes 1 event again; 5 files have the same "
              "failure; tries so far: "),
        1);
    assert_in_range(ps_test_bucket_counter(PS_COUNTER_ConnectionFailedCount), 5 * 20, 5 * 30);
    ps_test_files_fail(PS_TEST_CREATE, 0, 0, PS_FILE_UNAVAILABLE);
    assert_int_equal(count("again, after"), 0);
    for (unsigned s = 0; s < 6; s++)
        ps_test_bucket_pass(1000);
    assert_int_equal(ps_test_bucket_stage.done_count, 1);
    assert_int_equal(count("it can create files again, after "), 1);
    ps_test_files_fail(PS_TEST_CREATE, 0, 1, PS_FILE_UNAVAILABLE); /* another outage */
    TAKE(TO("f", "2"));
    ps_test_bucket_pass(0);
    assert_int_equal(count("cannot create"), 3);
    ps_test_bucket_finish();
}

static bool met(struct ps_bucket_writer *sink, struct ps_bucket_trouble **held, const char *verb,
                const char *reason)
{
    char behind[PS_BUCKET_TROUBLE_BYTES];
    return ps_bucket_trouble_met(sink, held, verb, reason, behind);
}

/* Numbers and paths do not distinguish causes; the verb, the user and the host do. */
static void test_causes(void **unused)
{
    struct ps_bucket_writer *sink = calloc(1, sizeof *sink);
    struct ps_bucket_trouble *held[PS_BUCKET_TROUBLES_MAX + 2] = {NULL};
    struct ps_port port = {.component = "sink k1"};
    assert_non_null(sink);
    sink->port = &port;
    assert_true(met(sink, &held[0], "create", "Permission denied: user=a, inode=\"/x/y\":b"));
    assert_false(met(sink, &held[1], "create", "Permission denied: user=a, inode=\"/z\":b"));
    assert_true(met(sink, &held[2], "write", "Permission denied: user=a, inode=\"/z\":b"));
    assert_true(met(sink, &held[3], "create", "Permission denied: user=c, inode=\"/x/y\":b"));
    assert_true(met(sink, &held[4], "write", "nn1/10.0.0.1:8020: no answer in 30 s"));
    assert_false(met(sink, &held[5], "write", "nn1/10.0.0.2:8020: no answer in 29 s"));
    assert_false(met(sink, &held[5], "write", "nn2/10.0.0.2:8020: no answer in 29 s"));
    assert_true(met(sink, &held[6], "write", "other/10.0.0.2:8020: no answer in 29 s"));
    assert_ptr_equal(held[0], held[1]);
    assert_int_equal(held[0]->holders, 2);
    assert_true(met(sink, &held[1], "write", "another thing"));
    assert_int_equal(held[0]->holders, 1);
    ps_bucket_trouble_over(sink, &held[0]);
    assert_null(held[0]);
    assert_true(met(sink, &held[0], "create", "Permission denied: user=a, inode=\"/x/y\":b"));
    for (unsigned i = 0; i < PS_BUCKET_TROUBLES_MAX + 2; i++)
        ps_bucket_trouble_left(&held[i]);
    for (unsigned i = 0; i < PS_BUCKET_TROUBLES_MAX + 2; i++) { /* more than there is room for: all are
                                                               * reported */
        char reason[] = {(char)('a' + i), '\0'};
        assert_true(met(sink, &held[i], "write", reason));
        assert_true((held[i] == NULL) == (i >= PS_BUCKET_TROUBLES_MAX));
    }
    free(sink);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_outage, fresh, remove_log),
        cmocka_unit_test_setup_teardown(test_causes, fresh, remove_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
