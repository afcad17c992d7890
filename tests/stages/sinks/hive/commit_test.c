/* Sink hive: commits whose answers are lost, or say nothing. */
#include "tests/support/hive_stage.h"

#define USUAL "batchSize", "15000"

/* The commit took effect, and its answer was lost. */
static void test_a_commit_without_an_answer(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one")));
    ps_test_metastore_cut("commit_txn", 2);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("two")));
    ps_test_hive_expect_rows("", "one\ntwo\n");
    assert_int_equal(ps_test_metastore_calls("commit_txn"), 4);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_ConnectionFailedCount), 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 0);
    ps_test_stage_fini(&stage);
}

static void test_a_commit_that_is_refused(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    ps_test_metastore_refuse("commit_txn", 1);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two")));
    ps_test_hive_expect_rows("", "one\ntwo\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 2);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 1);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 1);
    ps_test_stage_fini(&stage);
}

/* The commits took effect, and were answered with an error that says nothing about them. */
static void test_a_commit_and_an_internal_error(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    for (unsigned round = 0; round < 2; round++) {
        ps_test_metastore_refuse_by("commit_txn", 3, PS_TEST_METASTORE_BREAKS);
        ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY(round == 0 ? "one" : "two")));
        assert_int_equal(ps_test_metastore_left(), 0);
        assert_int_equal(ps_test_metastore_calls("commit_txn"), 4 * (round + 1));
    }
    ps_test_hive_expect_rows("", "one\ntwo\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 0);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 2);
    ps_test_stage_fini(&stage);
}

/* Such an error that lasts: the transaction is given up, and its events are written again. */
static void test_commits_that_are_never_answered_well(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    ps_test_metastore_refuse_by("commit_txn", 6, 3);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two")));
    assert_int_equal(ps_test_metastore_left(), 0);
    assert_int_equal(ps_test_metastore_calls("commit_txn"), 7);
    ps_test_hive_expect_rows("", "one\ntwo\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 1);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 2);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 1);
    ps_test_stage_fini(&stage);
}

/* A listener fails after each commit, so that the commit took effect and never gets a good answer. The metastore says it when it is
 * asked to abort the transaction; with `is_cut` the answer to that is lost, and the next commit gets a good answer. */
static void run_listener_that_fails(bool is_cut)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    if (is_cut)
        ps_test_metastore_cut("abort_txn", 1);
    ps_test_metastore_refuse_by("commit_txn", 6, PS_TEST_METASTORE_BREAKS);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two")));
    assert_int_equal(ps_test_metastore_left(), 0);
    assert_int_equal(ps_test_metastore_calls("abort_txn"), 1);
    assert_int_equal(ps_test_metastore_calls("commit_txn"), is_cut ? 7 : 6);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("three")));
    ps_test_hive_expect_rows("", "one\ntwo\nthree\n");
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_EventWriteFail), 0);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 0);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 2);
    ps_test_stage_fini(&stage);
}

static void test_a_listener_that_fails_after_each_commit(void **unused)
{
    run_listener_that_fails(false);
}

static void test_a_listener_that_fails_and_an_abort_without_an_answer(void **unused)
{
    run_listener_that_fails(true);
}

/* No commit took effect, and the answer to the abort, which did, is lost: the next commit says that it is aborted. */
static void test_an_abort_without_an_answer(void **unused)
{
    struct ps_test_stage stage;
    ps_test_hive_start(&stage, PS_HIVE_LINES(USUAL));
    ps_test_metastore_cut("abort_txn", 1);
    ps_test_metastore_refuse_by("commit_txn", 6, 3);
    ps_test_hive_deliver(&stage, PS_LEASE(&stage, PS_BODY("one"), PS_BODY("two")));
    assert_int_equal(ps_test_metastore_left(), 0);
    ps_test_hive_expect_rows("", "one\ntwo\n");
    assert_int_equal(ps_test_metastore_calls("commit_txn"), 8);
    assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_retried), 2);
    assert_int_equal(ps_test_metastore_txns(PS_TEST_TXN_COMMITTED), 1);
    ps_test_stage_fini(&stage);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, ps_test_hive_setup, ps_test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_commit_without_an_answer),
        TEST(test_a_commit_that_is_refused),
        TEST(test_a_commit_and_an_internal_error),
        TEST(test_a_listener_that_fails_after_each_commit),
        TEST(test_a_listener_that_fails_and_an_abort_without_an_answer),
        TEST(test_an_abort_without_an_answer),
        TEST(test_commits_that_are_never_answered_well),
    };
    return cmocka_run_group_tests(tests, ps_test_hive_group_setup, ps_test_hive_group_teardown);
}
