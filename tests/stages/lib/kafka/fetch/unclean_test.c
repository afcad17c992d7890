/* The native fetch lane when the leader of a partition was elected although it lacks records (KIP-320). */
#include "core/log/log.h"
#include "tests/support/kafka/fetch_run.h"

static void append_plain(struct run *run)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        ps_test_group_append_plain(&run->group, i, 3);
        ps_test_group_append_plain(&run->group, i, 2);
    }
}

static void append(struct run *run)
{
    append_plain(run);
    ps_test_group_append_nested(&run->group, 1);
}

static void lose_records(struct run *run, unsigned sets)
{
    ps_test_group_truncate(&run->group, 0);
    for (unsigned i = 0; i < sets; i++)
        ps_test_group_append_plain(&run->group, 0, 4);
}

/* A leader that was behind is elected, and writes other records at offsets that were read: fewer, as many, or more. When the
 * earlier records are delivered, the source asks it where its log differs, and reads all records from there on. */
static void run_unclean_election(bool sink_commits)
{
    static struct run run;
    for (unsigned sets = 0; sets < 12; sets++) {
        begin_with(&run, 1, NULL, 0, sink_commits);
        for (unsigned i = 0; i < 4; i++)
            append(&run);
        read_all(&run);
        append(&run);
        for (unsigned i = 0; i < 200; i++)
            turn(&run); /* it reads, and nothing is delivered */
        unsigned asked = run.group.asked[PS_TEST_KEY_EPOCHS], read = run.read;
        int64_t before = run.next[0];
        lose_records(&run, sets);
        for (unsigned i = 0; i < 400; i++)
            turn(&run);
        assert_int_equal(run.read, read);
        for (unsigned turns = 0; run.group.logs[0].cut || turns < 200; turns++) {
            assert_in_range(turns, 0, TURNS_MAX);
            turn(&run);
            deliver(&run);
        }
        read_all(&run);
        assert_true(run.group.asked[PS_TEST_KEY_EPOCHS] > asked);
        assert_int_equal(run.read - read, 4 * sets);
        assert_true(sets < 8 || run.group.logs[0].end > before);
        assert_false(run.dead);
        assert_in_range(run.group.logs[0].committed, 0, run.group.logs[0].end); /* also if nothing followed */
        stop(&run);
        check_committed(&run);
        end(&run);
    }
}

static void test_unclean_election(void **state)
{
    run_unclean_election(false);
}

/* The source itself commits the offset to which it goes back before it reads on: otherwise the next transaction would begin
 * below the committed offset. */
static void test_unclean_election_in_transactions(void **state)
{
    run_unclean_election(true);
}

/* The new leader does not know where its log differs, or auto.offset.reset allows no other place to read from. */
static void test_unclean_election_without_place(void **state)
{
    static struct run run;
    static const struct ps_pair none[] = {{.key = "auto.offset.reset", .value = "error"}};
    for (unsigned trial = 0; trial < 3; trial++) {
        bool forbids = trial > 0;
        begin(&run, 1, none, forbids);
        for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
            run.group.logs[i].committed = 0;
        for (unsigned i = 0; i < 4; i++)
            append_plain(&run);
        read_all(&run);
        assert_false(run.dead);
        unsigned read = run.read, asked = run.group.asked[PS_TEST_KEY_EPOCHS];
        run.group.forgets = trial < 2;
        lose_records(&run, 12);
        read_all(&run);
        assert_true(run.group.asked[PS_TEST_KEY_EPOCHS] > asked);
        assert_int_equal(run.dead, forbids);
        if (forbids) {
            assert_int_equal(run.read, read);
            assert_non_null(strstr(run.reason.text, "auto.offset.reset = none"));
        } else {
            assert_true(run.read - read > 4 * 12 && run.again > 0); /* from the beginning */
            stop(&run);
            check_committed(&run);
        }
        end(&run);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unclean_election),
        cmocka_unit_test(test_unclean_election_in_transactions),
        cmocka_unit_test(test_unclean_election_without_place),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
