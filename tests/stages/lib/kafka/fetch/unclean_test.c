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

static void lose_records(struct run *run, unsigned sets)
{
    ps_test_group_truncate(&run->group, 0);
    for (unsigned i = 0; i < sets; i++)
        ps_test_group_append_plain(&run->group, 0, 4);
}

/* A leader that was behind is elected, and writes other records at offsets that were read: fewer, as many, or more.
 * When the earlier records are delivered, the source asks the leader where its log differs, and reads all records from
 * there on. */
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

/* The source itself commits the offset to which it goes back before it reads on: otherwise the next transaction would begin
 * below the committed offset. */
static void test_unclean_election_in_transactions(void **state)
{
    run_unclean_election(true);
}

/* ---- another topic of the same name ---- */

static void finish(struct run *run)
{
    read_all(run);
    assert_false(run->dead);
    stop(run);
    check_committed(run);
    end(run);
}

static void turn_often(struct run *run, unsigned turns)
{
    for (unsigned i = 0; i < turns; i++) {
        turn(run);
        deliver(run);
    }
}

static void turn_for(struct run *run, uint64_t time_ns)
{
    for (uint64_t until_ns = run->group.now_ns + time_ns; run->group.now_ns < until_ns;)
        turn_often(run, 1);
}

static void move_leaders(struct run *run)
{
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        ps_test_group_move_leader(&run->group, i);
}

/* Reads all records of a new topic. `moves_first`: its records have a later leader epoch than those that the recreated
 * topic will have; false: the same. */
static void read_the_first(struct run *run, bool moves_first)
{
    static const struct ps_pair often = {.key = "topic.metadata.refresh.interval.ms", .value = "50"};
    begin(run, 1, &often, 1);
    run->group.leads = true;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run->group.logs[i].committed = 0;
    if (moves_first)
        move_leaders(run);
    for (unsigned i = 0; i < 4; i++)
        append_plain(run);
    read_all(run);
    if (!moves_first)
        move_leaders(run);
    turn_often(run, 200); /* it commits what is delivered, and knows the leaders */
}

/* The topic is deleted and created again while it is read. Its new id shows that the lower leader epochs are not outdated
 * and that the records are new, even where the new log reaches the known epoch and offset. All of them are read, by
 * auto.offset.reset, wherever the new logs end. */
static void test_topic_made_anew(void **state)
{
    static struct run run;
    for (unsigned sets = 0; sets < 12; sets++) {
        for (unsigned first = 0; first < 2; first++) {
            read_the_first(&run, first != 0);
            unsigned read = run.read;
            ps_test_group_make_anew(&run.group);
            for (unsigned i = 0; i < sets; i++)
                append_plain(&run);
            turn_often(&run, 400);
            read_all(&run);
            assert_int_equal(run.read - read, 5 * sets * PS_TEST_GROUP_PARTITIONS);
            append_plain(&run);
            finish(&run);
        }
    }
}

/* Reads all records of a topic; its id is then not requested for a while without a reason. */
static void read_the_first_quietly(struct run *run)
{
    static const struct ps_pair seldom = {.key = "topic.metadata.refresh.interval.ms", .value = "2000"};
    begin(run, 1, &seldom, 1);
    for (unsigned i = 0; i < 4; i++)
        append_plain(run);
    read_all(run);
    turn_often(run, 200);
}

/* The new topic has the leader epochs of the former one and shorter logs: the first sign is offsets out of range. No
 * record is read before the id is known, because it would be read twice. */
static void test_topic_made_anew_is_shorter(void **state)
{
    static struct run run;
    for (unsigned sets = 0; sets < 4; sets++) {
        read_the_first_quietly(&run);
        unsigned read = run.read;
        ps_test_group_make_anew(&run.group);
        for (unsigned i = 0; i < sets; i++)
            append_plain(&run);
        turn_often(&run, 4000);
        read_all(&run);
        assert_int_equal(run.read - read, 5 * sets * PS_TEST_GROUP_PARTITIONS);
        finish(&run);
    }
}

/* A fetch gets UNKNOWN_TOPIC_OR_PARTITION; then all partitions have other records, also at the offsets that are read
 * next. */
static void test_topic_made_anew_is_longer(void **state)
{
    static struct run run;
    read_the_first_quietly(&run);
    unsigned read = run.read;
    run.group.fail_key = PS_TEST_KEY_FETCH;
    run.group.fail_error = 3;
    run.group.fail_at = 1;
    run.group.fail_last = 1000000;
    unsigned errors = run.group.counts.errors;
    ps_test_group_append_plain(&run.group, 0, 1); /* is not read, because its broker answers with the error */
    for (unsigned turns = 0; run.group.counts.errors == errors; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn_often(&run, 1);
    }
    run.group.fail_last = 0;
    ps_test_group_make_anew(&run.group);
    for (unsigned i = 0; i < 8; i++)
        append_plain(&run);
    turn_often(&run, 4000);
    read_all(&run);
    assert_int_equal(run.read - read, 5 * 8 * PS_TEST_GROUP_PARTITIONS);
    finish(&run);
}

/* No answer in between is an error, and the new logs have the offsets that are read next: the id in the requests
 * names the topic that is meant (KIP-516). */
static void test_topic_made_anew_is_longer_in_silence(void **state)
{
    static struct run run;
    for (unsigned sets = 5; sets < 9; sets++) {
        read_the_first_quietly(&run);
        assert_true(run.group.counts.by_ids > 0);
        unsigned read = run.read;
        ps_test_group_make_anew(&run.group);
        for (unsigned i = 0; i < sets; i++)
            append_plain(&run);
        turn_often(&run, 400);
        read_all(&run);
        assert_int_equal(run.read - read, 5 * sets * PS_TEST_GROUP_PARTITIONS);
        assert_int_equal(run.again, 0);
        assert_true(run.group.counts.stale_ids > 0);
        finish(&run);
    }
}

/* Records of the former topic are delivered after metadata has the new one: their offsets are not committed, because the group
 * would take them for offsets of the new topic. */
static void test_former_offsets_are_not_committed(void **state)
{
    static struct run run;
    read_the_first(&run, true);
    for (unsigned i = 0; i < 4; i++)
        append_plain(&run);
    for (unsigned i = 0; i < 200; i++)
        turn(&run); /* it reads, and nothing is delivered */
    assert_true(run.waiting_count > 1);
    ps_test_group_make_anew(&run.group);
    for (unsigned i = 0; i < 200; i++)
        turn(&run); /* until metadata has the new topic */
    while (run.waiting_count > 0) {
        deliver(&run);
        for (unsigned i = 0; i < 100; i++) {
            turn(&run);
            for (unsigned p = 0; p < PS_TEST_GROUP_PARTITIONS; p++)
                assert_true(run.group.logs[p].committed <= 0);
        }
    }
    unsigned read = run.read;
    append_plain(&run);
    turn_often(&run, 400);
    read_all(&run);
    assert_int_equal(run.read - read, 5 * PS_TEST_GROUP_PARTITIONS);
    finish(&run);
}

/* The partitions back off after an error when metadata has the new topic, and metadata comes again before the offset
 * is requested: the first offset of the new topic is not taken for one of the former topic. */
static void test_made_anew_after_an_error(void **state)
{
    static struct run run;
    read_the_first(&run, false);
    run.group.fail_key = PS_TEST_KEY_FETCH;
    run.group.fail_error = 3;
    run.group.fail_at = 1;
    run.group.fail_last = UINT32_MAX;
    append_plain(&run); /* which is not read: its brokers answer with the error */
    turn_often(&run, 100);
    ps_test_group_make_anew(&run.group);
    run.group.fail_last = 0;
    append_plain(&run);
    unsigned read = run.read;
    uint64_t told = ps_log_count(PS_LOG_WARN);
    run.group.leaves_out = true; /* the lower offset is not committed yet */
    turn_often(&run, 200);
    run.group.leaves_out = false;
    turn_often(&run, 4000);
    assert_int_equal(run.read - read, 5 * PS_TEST_GROUP_PARTITIONS);
    assert_int_equal(ps_log_count(PS_LOG_WARN) - told, PS_TEST_GROUP_PARTITIONS + 1); /* 1: no commit */
    finish(&run);
}

/* Brokers do not know the topic of an id for a while, because they are behind or are being upgraded. Records that
 * were read are delivered; then reading continues at its position. */
static void test_id_is_not_known_for_a_while(void **state)
{
    static const int16_t errors[] = {100, 103};
    static struct run run;
    for (size_t i = 0; i < PS_COUNT_OF(errors); i++) {
        read_the_first_quietly(&run);
        unsigned asked = run.group.asked[PS_TEST_KEY_METADATA];
        uint64_t told = ps_log_count(PS_LOG_ERROR);
        run.group.fail_key = PS_TEST_KEY_FETCH;
        run.group.fail_error = errors[i];
        run.group.fail_at = 1;
        run.group.fail_last = UINT32_MAX;
        append_plain(&run);
        unsigned read = run.read;
        turn_often(&run, 600);
        assert_int_equal(run.read, read);
        assert_true(run.group.asked[PS_TEST_KEY_METADATA] > asked);
        assert_int_equal(ps_log_count(PS_LOG_ERROR), told);
        run.group.fail_last = 0;
        read_all(&run);
        assert_int_equal(run.again, 0);
        finish(&run);
    }
}

/* Some brokers are behind, and name the former topic for a while. The source does not take the new one for yet another
 * topic. */
static void test_former_topic_is_named_late(void **state)
{
    static struct run run;
    read_the_first(&run, true);
    unsigned read = run.read;
    ps_test_group_make_anew(&run.group);
    append_plain(&run);
    uint64_t since_ns = run.group.now_ns;
    turn_for(&run, PS_NS_PER_S);
    for (unsigned i = 0; i < 10; i++) {
        run.group.former_answers = 1;
        for (unsigned turns = 0; run.group.former_answers > 0; turns++) {
            assert_in_range(turns, 0, 1000);
            turn_often(&run, 1);
        }
        turn_for(&run, 300 * PS_NS_PER_MS);
    }
    assert_in_range(run.group.now_ns - since_ns, 4 * PS_NS_PER_S,
                    10 * PS_NS_PER_S); /* longer, it would be yet another */
    read_all(&run);
    assert_int_equal(run.read - read, 5 * PS_TEST_GROUP_PARTITIONS);
    finish(&run);
}

/* The new topic has fewer partitions: the group gets new shares, and no member requests missing partitions. */
static void test_topic_made_anew_with_fewer_partitions(void **state)
{
    static struct run run;
    read_the_first(&run, true);
    int32_t generation = run.group.generation;
    ps_test_group_make_anew(&run.group);
    run.group.partitions = 1;
    turn_often(&run, 600);
    assert_true(run.group.generation > generation);
    assert_int_equal(run.group.owned, 1);
    uint64_t errors = ps_log_count(PS_LOG_ERROR);
    turn_often(&run, 3000);
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors);
    end(&run);
}

/* ---- after a restart ---- */

enum killed {
    KILLED_BEFORE,  /* the member has not heard of the election */
    KILLED_BETWEEN, /* it knows where to continue; the group's coordinator does not have that offset yet */
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
static void run_killed(enum killed killed, unsigned sets, bool sink_commits)
{
    static struct run run;
    begin_with(&run, 1 + sets, NULL, 0, sink_commits);
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
    lose_records(&run, sets);
    if (killed != KILLED_BEFORE)
        turn_until_told(&run);
    assert_int_equal(log->committed == before, killed != KILLED_AFTER);
    assert_true(killed == KILLED_AFTER || run.read == read);
    kill_and_start(&run);
    run.group.leaves_out = false;
    turn_until_told(&run);
    read_all(&run);
    assert_int_equal(run.read - read, 4 * sets);
    assert_in_range(log->committed, 0, log->end);
    stop(&run);
    check_committed(&run);
    end(&run);
}

static void test_killed(void **state)
{
    for (unsigned sets = 0; sets < 12; sets++) {
        run_killed(KILLED_BEFORE, sets, false);
        run_killed(KILLED_BETWEEN, sets, false);
        run_killed(KILLED_AFTER, sets, false);
        run_killed(KILLED_BETWEEN, sets, true);
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

/* The log begins after the offset; the leader says that the epoch ends where its log begins. */
static void test_epoch_before_the_log(void **state)
{
    static struct run run;
    begin_at(&run, 2, 0);
    while (run.group.logs[0].set_count > 2)
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

/* Runs for a time. Returns how many lines of warnings came. */
static uint64_t warnings_in(struct run *run, unsigned seconds)
{
    uint64_t until_ns = run->group.now_ns + seconds * PS_NS_PER_S, before = ps_log_count(PS_LOG_WARN);
    while (run->group.now_ns < until_ns) {
        turn(run);
        deliver(run);
    }
    return ps_log_count(PS_LOG_WARN) - before;
}

/* Until a broker has reported where its log differs, nothing is read. The log says why after 10 s, and then each minute. */
static void test_says_why(void **state)
{
    static struct run run;
    for (unsigned trial = 0; trial < 3; trial++) {
        begin_at(&run, 10, trial == 2 ? 4 : 0); /* the brokers do not know leader epoch 4 yet */
        run.group.stalls = trial == 0;
        run.group.fail_key = PS_TEST_KEY_EPOCHS;
        run.group.fail_error = 75;
        run.group.fail_at = trial == 1;
        run.group.fail_last = trial == 1 ? UINT32_MAX : 0;
        assert_int_equal(warnings_in(&run, 9), 0);
        assert_int_equal(warnings_in(&run, 3), 1);
        assert_int_equal(warnings_in(&run, 50), 0);
        assert_int_equal(warnings_in(&run, 65), 1);
        assert_int_equal(run.next[0], -1);
        assert_int_equal(run.group.asked[PS_TEST_KEY_EPOCHS] > 0, trial < 2);
        run.group.stalls = false;
        run.group.fail_at = run.group.fail_last = 0;
        for (unsigned i = 0; trial == 2 && i < 3; i++)
            ps_test_group_move_leader(&run.group, 0);
        assert_int_equal(warnings_in(&run, 40), 0);
        finish(&run);
    }
}

/* ---- commits ---- */

/* An answer to OffsetCommit that leaves partitions out is a failed one, also if nothing else is to be committed. */
static void test_left_out(void **state)
{
    static struct run run;
    for (unsigned lowered = 0; lowered < 2; lowered++) {
        begin(&run, 1, NULL, 0);
        for (unsigned i = 0; i < 4; i++)
            append_plain(&run);
        if (lowered) {
            read_all(&run);
            (void)warnings_in(&run, 1);
            lose_records(&run, 0);
        }
        run.group.leaves_out = true;
        turn_until_told(&run);
        read_all(&run);
        (void)warnings_in(&run, 2);
        assert_int_equal(
            run.group.logs[0].committed <= run.group.logs[0].end && run.group.logs[0].committed >= 0, 0);
        run.group.leaves_out = false;
        (void)warnings_in(&run, 2);
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
        cmocka_unit_test(test_topic_made_anew),
        cmocka_unit_test(test_topic_made_anew_is_shorter),
        cmocka_unit_test(test_topic_made_anew_is_longer),
        cmocka_unit_test(test_topic_made_anew_is_longer_in_silence),
        cmocka_unit_test(test_former_offsets_are_not_committed),
        cmocka_unit_test(test_made_anew_after_an_error),
        cmocka_unit_test(test_id_is_not_known_for_a_while),
        cmocka_unit_test(test_former_topic_is_named_late),
        cmocka_unit_test(test_topic_made_anew_with_fewer_partitions),
        cmocka_unit_test(test_killed),
        cmocka_unit_test(test_no_epoch),
        cmocka_unit_test(test_epoch_before_the_log),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_says_why),
        cmocka_unit_test(test_left_out),
    };
    assert_int_equal(ps_log_open("/dev/null", NULL), PS_OK);
    ps_log_set_level(PS_LOG_WARN); /* warnings are counted */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
