/* The native fetch client when the leader of a partition was elected although it lacks records (KIP-320). */
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

static void lose_records(struct run *run, unsigned batches)
{
    ps_test_group_truncate(&run->group, 0);
    for (unsigned i = 0; i < batches; i++)
        ps_test_group_append_plain(&run->group, 0, 4);
}

/* A leader that was behind is elected, and writes other records at offsets that were read: fewer, as many, or more.
 * When the earlier records are delivered, the source asks the leader where its log differs, and reads all records from
 * there on. */
static void run_unclean_election(bool sink_commits)
{
    static struct run run;
    for (unsigned batches = 0; batches < 12; batches++) {
        begin_with(&run, 1, NULL, 0, sink_commits);
        for (unsigned i = 0; i < 4; i++)
            append(&run);
        read_all(&run);
        append(&run);
        for (unsigned i = 0; i < 200; i++)
            turn(&run); /* it reads, and nothing is delivered */
        unsigned asked = run.group.asked[PS_TEST_KEY_EPOCHS], read = run.read;
        int64_t before = run.next[0];
        lose_records(&run, batches);
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
        assert_int_equal(run.read - read, 4 * batches);
        assert_true(batches < 8 || run.group.logs[0].end > before);
        assert_false(run.dead);
        assert_in_range(run.group.logs[0].committed, 0, run.group.logs[0].end); /* also without new records */
        stop(&run);
        check_committed(&run);
        end(&run);
    }
}

static void test_unclean_election(void **state)
{
    run_unclean_election(false);
}

/* The source itself commits the offset to which it goes back before it reads on: otherwise its commit could follow that of a
 * transaction. */
static void test_unclean_election_in_transactions(void **state)
{
    run_unclean_election(true);
}

static void finish(struct run *run)
{
    read_all(run);
    assert_false(run->dead);
    stop(run);
    check_committed(run);
    end(run);
}

/* ---- after a restart ---- */

enum killed {
    KILLED_BEFORE, /* the member has not heard of the election */
    /* it goes on there, if the sink does not commit; the group's coordinator does not have an offset of it yet */
    KILLED_BETWEEN,
    KILLED_AFTER,
};

static void turn_until_told(struct run *run)
{
    for (unsigned turns = 0; run->group.logs[0].cut || turns < 400; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(run);
        deliver(run);
    }
}

/* The member is killed before, between or after an election and the commit of the lower offset. The group's offset has
 * the epoch of its record: the next member asks where the log differs before it reads, and reads all records from
 * there. */
static void run_killed(enum killed killed, unsigned batches, bool sink_commits)
{
    static struct run run;
    begin_with(&run, 1 + batches, NULL, 0, sink_commits);
    struct ps_test_group_log *log = &run.group.logs[0];
    for (unsigned i = 0; i < 4; i++)
        append(&run);
    read_all(&run);
    for (unsigned i = 0; i < 200; i++)
        turn(&run); /* it commits what is delivered */
    int64_t before = log->committed;
    unsigned read = run.read;
    assert_true(ps_test_group_visible(log, before) == log->end && log->committed_epoch == 0);
    if (killed == KILLED_BETWEEN)
        run.group.leaves_out = true;
    lose_records(&run, batches);
    if (killed != KILLED_BEFORE)
        turn_until_told(&run);
    assert_int_equal(log->committed == before, killed != KILLED_AFTER);
    assert_true((killed != KILLED_BEFORE && !sink_commits) || run.read == read);
    unsigned again = killed == KILLED_BETWEEN ? run.read - read : 0; /* they are not committed */
    kill_and_start(&run);
    run.group.leaves_out = false;
    turn_until_told(&run);
    read_all(&run);
    assert_int_equal(run.read - read, 4 * batches + again);
    assert_in_range(log->committed, 0, log->end);
    stop(&run);
    check_committed(&run);
    end(&run);
}

static void test_killed(void **state)
{
    for (unsigned batches = 0; batches < 12; batches++) {
        run_killed(KILLED_BEFORE, batches, false);
        run_killed(KILLED_BETWEEN, batches, false);
        run_killed(KILLED_AFTER, batches, false);
        run_killed(KILLED_BETWEEN, batches, true);
    }
}

/* Starts with an offset that others have committed. */
static void begin_at(struct run *run, int64_t offset, int32_t epoch)
{
    begin(run, 1, NULL, 0);
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run->group.logs[i].committed = 0;
    for (unsigned i = 0; i < 4; i++)
        append_plain(run);
    for (unsigned i = 0; i < 2; i++) {
        ps_test_group_move_leader(&run->group, 0);
        ps_test_group_append_plain(&run->group, 0, 4);
    }
    run->group.logs[0].committed = run->group.logs[0].delivered = offset;
    run->group.logs[0].committed_epoch = epoch;
}

/* An offset that an old client or a tool committed has no epoch: the leader is not asked. */
static void test_no_epoch(void **state)
{
    static struct run run;
    begin_at(&run, 10, -1);
    read_all(&run);
    assert_int_equal(run.group.asked[PS_TEST_KEY_EPOCHS], 0);
    finish(&run);
}

/* Brokers of Kafka 2.1 and 2.2 have leader epochs, and cannot be asked about them. The group's offset is one of a topic that had
 * more of them: nothing but the question connects to the leader, which shows its versions. */
static void test_old_leader(void **state)
{
    static struct run run;
    for (unsigned moves = 0; moves < PS_TEST_GROUP_NODES; moves++) {
        begin_at(&run, 10, 9);
        run.group.old_epochs = true;
        for (unsigned i = 0; i < moves; i++)
            ps_test_group_move_leader(&run.group, 0);
        for (unsigned i = 1; i < PS_TEST_GROUP_PARTITIONS; i++)
            run.group.logs[i].committed_epoch = 9;
        read_all(&run);
        assert_int_equal(run.group.asked[PS_TEST_KEY_EPOCHS], 0);
        finish(&run);
    }
}

/* The log begins after the offset; the leader says that the epoch ends where its log begins. */
static void test_epoch_before_the_log(void **state)
{
    static struct run run;
    begin_at(&run, 2, 0);
    while (run.group.logs[0].batch_count > 2)
        ps_test_group_trim(&run.group, 0);
    assert_true(run.group.logs[0].start > 2);
    read_all(&run);
    assert_int_equal(run.group.asked[PS_TEST_KEY_EPOCHS], 1);
    assert_int_equal(run.group.counts.out_of_range, 1); /* by auto.offset.reset, as without an epoch */
    finish(&run);
}

/* The leader refuses the request for the end of an epoch for a while, or does not answer it. */
static void test_refused(void **state)
{
    static const int16_t errors[] = {3, 5, 6, 29, 56, 74, 75, 78, -1};
    static struct run run;
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        begin_at(&run, 10, 0);
        run.group.fail_key = PS_TEST_KEY_EPOCHS;
        run.group.fail_error = errors[i];
        run.group.fail_at = 1;
        run.group.fail_last = 5;
        read_all(&run);
        assert_int_equal(run.group.asked[PS_TEST_KEY_EPOCHS], 6);
        assert_int_equal(run.again, 0);
        finish(&run);
    }
}

/* Runs for a time. Returns how many lines of errors came. */
static uint64_t errors_in(struct run *run, unsigned seconds)
{
    uint64_t until_ns = run->group.now_ns + seconds * PS_NS_PER_S, before = ps_log_count(PS_LOG_ERROR);
    while (run->group.now_ns < until_ns) {
        turn(run);
        deliver(run);
    }
    return ps_log_count(PS_LOG_ERROR) - before;
}

/* Until a broker has reported where its log differs, nothing is read. The log says why after 10 s, and again after 30 s. */
static void test_says_why(void **state)
{
    static struct run run;
    for (unsigned trial = 1; trial < 3; trial++) {
        begin_at(&run, 10, trial == 2 ? 4 : 0); /* the brokers do not know leader epoch 4 yet */
        run.group.fail_key = PS_TEST_KEY_EPOCHS;
        run.group.fail_error = 75;
        run.group.fail_at = trial == 1;
        run.group.fail_last = trial == 1 ? UINT32_MAX : 0;
        assert_int_equal(errors_in(&run, 9), 0);
        assert_int_equal(errors_in(&run, 3), 1);
        assert_int_equal(errors_in(&run, 25), 0);
        assert_int_equal(errors_in(&run, 6), 1);
        assert_int_equal(run.next[0], -1);
        assert_int_equal(run.group.asked[PS_TEST_KEY_EPOCHS] > 0, trial < 2);
        run.group.fail_at = run.group.fail_last = 0;
        for (unsigned i = 0; trial == 2 && i < 3; i++)
            ps_test_group_move_leader(&run.group, 0);
        assert_int_equal(errors_in(&run, 40), 0);
        finish(&run);
    }
}

/* ---- commits ---- */

/* The offset of a partition that an answer to OffsetCommit lacks is committed again, also if nothing else is to be committed. */
static void test_left_out(void **state)
{
    static struct run run;
    for (unsigned lowered = 0; lowered < 2; lowered++) {
        begin(&run, 1, NULL, 0);
        for (unsigned i = 0; i < 4; i++)
            append_plain(&run);
        if (lowered) {
            read_all(&run);
            (void)errors_in(&run, 1);
            lose_records(&run, 0);
        }
        run.group.leaves_out = true;
        turn_until_told(&run);
        read_all(&run);
        (void)errors_in(&run, 2);
        assert_int_equal(
            run.group.logs[0].committed <= run.group.logs[0].end && run.group.logs[0].committed >= 0, 0);
        run.group.leaves_out = false;
        (void)errors_in(&run, 2);
        check_committed(&run);
        finish(&run);
    }
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
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_no_epoch),
        cmocka_unit_test(test_old_leader),
        cmocka_unit_test(test_epoch_before_the_log),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_says_why),
        cmocka_unit_test(test_left_out),
    };
    assert_int_equal(ps_log_open("/dev/null", NULL), PS_OK);
    ps_log_set_level(PS_LOG_WARN); /* warnings are counted */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
