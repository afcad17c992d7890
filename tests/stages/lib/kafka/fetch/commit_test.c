/* The native fetch client whose commits are lost: the connection ends before the answer comes, and nobody knows whether they were carried out. */
#include "core/log/log.h"
#include "tests/support/kafka/fetch_run.h"

static void append(struct run *run)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_append_plain(&run->group, i, 3);
}

/* Reads and delivers some records, three times, and stops. */
static void tell(struct run *run)
{
    for (unsigned i = 0; i < 3; i++) {
        append(run);
        read_all(run);
    }
    stop(run);
}

/* Each commit is lost in turn, also the last one, after which the member stops: it is made again, before the member has stopped. */
static void test_each_commit_is_lost(void **state)
{
    static struct run run;
    bool lost = true;
    unsigned commits = 0;
    while (lost) {
        begin(&run, 1, NULL, 0);
        run.group.fail_key = PS_TEST_KEY_COMMIT;
        run.group.fail_at = run.group.fail_last = ++commits;
        run.group.cut_at = 0;
        tell(&run);
        assert_false(run.dead);
        check_committed(&run);
        assert_int_equal(run.again, 0);
        lost = run.group.counts.breaks > 0;
        if (lost) /* whether it was carried out is not known */
            assert_true(run.group.asked[PS_TEST_KEY_COMMIT] > commits);
        end(&run);
    }
    assert_true(commits > 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_commit_is_lost)};
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
