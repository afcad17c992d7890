/* The native fetch client against brokers that answer wrongly: every error code of every request at several places, answers that
 * end after any byte or come byte by byte, and answers that are late. */
#include "stages/lib/kafka/errors.h"

#include "core/log/log.h"
#include "stages/lib/kafka/fetch/fetch_internal.h"
#include "tests/support/kafka/fetch_run.h"

#include <limits.h>

#define ERROR_FENCED_INSTANCE 82
#define CUTS 160U     /* answers end after each of the first bytes, */
#define CUTS_STEP 13U /* and after some of the others */

/* ---- one history ---- */

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

/* Each request is sent several times: leaders and the coordinator move, the group rebalances, an offset is forgotten. */
static void change(struct run *run, unsigned round)
{
    struct ps_test_group_broker *group = &run->group;
    ps_test_group_move_leader(group, round % PS_TEST_GROUP_PARTITIONS);
    group->coordinator = (group->coordinator + 1) % PS_TEST_GROUP_NODES;
    group->logs[2].committed = -1;
    group->leads = round % 2 == 0;
    group->rebalances = true;
}

/* Waits until the coordinator has received one more heartbeat. */
static void wait_for_heartbeat(struct run *run)
{
    unsigned before = run->group.asked[PS_TEST_KEY_HEARTBEAT];
    for (unsigned turns = 0; run->group.asked[PS_TEST_KEY_HEARTBEAT] == before && !run->dead; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(run);
    }
}

static void tell(struct run *run)
{
    append(run);
    read_all(run);
    for (unsigned round = 0; round < 2 && !run->dead; round++) {
        change(run, round);
        append(run);
        read_all(run);
    }
    if (run->dead)
        return;
    stop(run);
    check_committed(run);
}

static void begin_history(struct run *run, bool old)
{
    begin(run, 1, NULL, 0);
    run->group.old = old;
}

/* ---- errors ---- */

static const int16_t keys[] = {PS_TEST_KEY_FETCH,  PS_TEST_KEY_METADATA,     PS_TEST_KEY_JOIN,
                               PS_TEST_KEY_SYNC,   PS_TEST_KEY_HEARTBEAT,    PS_TEST_KEY_OFFSETS,
                               PS_TEST_KEY_COMMIT, PS_TEST_KEY_LIST_OFFSETS, PS_TEST_KEY_COORDINATOR,
                               PS_TEST_KEY_LEAVE,  PS_TEST_KEY_EPOCHS};

static bool is_of_member(int16_t key)
{
    return key == PS_TEST_KEY_JOIN || key == PS_TEST_KEY_SYNC || key == PS_TEST_KEY_HEARTBEAT ||
           key == PS_TEST_KEY_OFFSETS || key == PS_TEST_KEY_COMMIT;
}

static void meet(int16_t key, int16_t error, unsigned at, bool top, bool old)
{
    static struct run run;
    begin_history(&run, old);
    run.group.fail_key = key;
    run.group.fail_error = error;
    run.group.fail_at = run.group.fail_last = at;
    run.group.fail_top = top;
    tell(&run);
    bool of_group = top || key != PS_TEST_KEY_OFFSETS; /* brokers do not fence a member in one partition */
    bool is_final =
        error == ERROR_FENCED_INSTANCE && is_of_member(key) && of_group && run.group.counts.errors > 0;
    if (run.dead != is_final)
        fail_msg("request %d, number %u, error %d: %s", key, at, error,
                 run.dead ? run.reason.text : "it goes on");
    end(&run);
}

/* The errors after which the native client does something of its own. */
static bool is_special(int code)
{
    static const int special[] = {1,  2,  3,  5,  6,  9,  14, 15, 16, 22, 25, 26, 27, 29,
                                  30, 35, 42, 56, 70, 71, 72, 74, 75, 79, 82, 88, 106};
    for (size_t i = 0; i < PS_COUNT_OF(special); i++) {
        if (special[i] == code)
            return true;
    }
    return false;
}

/* Whatever the error is and whenever it comes, all records arrive in order, and are committed; only a member that another one
 * has replaced ends. */
static void test_errors(void **state)
{
    static struct run run;
    unsigned asked[PS_TEST_GROUP_KEYS];
    begin_history(&run, false);
    tell(&run);
    assert_false(run.dead);
    memcpy(asked, run.group.asked, sizeof asked);
    end(&run);
    for (size_t k = 0; k < PS_COUNT_OF(keys); k++) {
        unsigned most = asked[keys[k]];
        print_message("request %d is sent %u times\n", keys[k], most);
        assert_in_range(most, 1, 1000);
        for (size_t e = 0; e < ps_kafka_error_count; e++) {
            int code = ps_kafka_errors[e].code;
            if (code == 0 || code < -1)
                continue;
            meet(keys[k], (int16_t)code, 1, false, false);
            if (!is_special(code))
                continue;
            meet(keys[k], (int16_t)code, (most + 1) / 2, false, false);
            meet(keys[k], (int16_t)code, most, false, false);
        }
    }
}

/* Fetch and OffsetFetch also have an error code for the whole answer. */
static void test_errors_of_answers(void **state)
{
    for (size_t e = 0; e < ps_kafka_error_count; e++) {
        int code = ps_kafka_errors[e].code;
        for (unsigned at = 1; at <= 3 && (code > 0 || code == -1) && is_special(code); at++) {
            meet(PS_TEST_KEY_FETCH, (int16_t)code, at, true, false);
            meet(PS_TEST_KEY_OFFSETS, (int16_t)code, at, true, false);
        }
    }
}

/* ---- torn answers ---- */

/* A short history: each request is sent once, and the request for metadata twice. */
static void tell_short(struct run *run)
{
    append(run);
    read_all(run);
    wait_for_heartbeat(run);
    ps_test_group_move_leader(&run->group, 0);
    append(run);
    read_all(run);
    stop(run);
    check_committed(run);
}

/* The answers to these requests end after each byte; `inside`: their length field has the shortened length. */
static void tear(int16_t key, unsigned from, unsigned last, bool inside)
{
    static struct run run;
    uint32_t bytes = 1;
    for (uint32_t cut = 0; cut < bytes; cut += cut < CUTS ? 1 : CUTS_STEP) {
        begin_history(&run, false);
        run.group.fail_key = key;
        run.group.fail_at = from;
        run.group.fail_last = last;
        run.group.cut_at = cut;
        run.group.cut_inside = inside;
        tell_short(&run);
        if (run.dead)
            fail_msg("request %d, byte %u: %s", key, cut, run.reason.text);
        if (run.group.counts.breaks == 0)
            fail_msg("request %d was not sent %u times", key, from);
        bytes = run.group.cut_bytes;
        end(&run);
    }
}

/* The connection ends after each byte of an answer of each kind. */
static void test_torn(void **state)
{
    for (size_t k = 0; k < PS_COUNT_OF(keys); k++)
        tear(keys[k], 1, 1, false);
    tear(PS_TEST_KEY_VERSIONS, 1, 1, false);
    tear(PS_TEST_KEY_METADATA, 2, 2, false);
}

/* Answers that cannot be read, several in a row: each costs the connection, and nothing else. */
static void test_unreadable(void **state)
{
    for (size_t k = 0; k < PS_COUNT_OF(keys); k++)
        tear(keys[k], 1, 3, true);
    tear(PS_TEST_KEY_VERSIONS, 1, 3, true);
    tear(PS_TEST_KEY_METADATA, 2, 4, true);
}

static void test_byte_by_byte(void **state)
{
    static struct run run;
    for (unsigned old = 0; old < 2; old++) {
        begin_history(&run, old != 0);
        for (unsigned i = 0; i < PS_TEST_GROUP_NODES; i++)
            run.group.nodes[i].step = 1;
        tell(&run);
        assert_false(run.dead);
        end(&run);
    }
}

/* ---- late answers ---- */

static void wait_for_fetches(struct run *run, unsigned count)
{
    for (unsigned turns = 0; run->group.asked[PS_TEST_KEY_FETCH] < count; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(run);
        deliver(run);
    }
}

static void wait_for_generation(struct run *run)
{
    int32_t before = run->group.generation;
    run->group.rebalances = true;
    for (unsigned turns = 0; run->group.generation == before || !run->group.synced; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(run);
        deliver(run);
    }
}

/* The answer to a request of an earlier assignment comes when the member has its partitions again: meanwhile other
 * members read and delivered the records in it. */
static void test_stale(void **state)
{
    static struct run run;
    for (unsigned lead = 0; lead < 2; lead++) {
        begin_history(&run, false);
        append(&run);
        read_all(&run);
        run.group.holds = run.group.changes = true;
        wait_for_fetches(&run, run.group.asked[PS_TEST_KEY_FETCH] + PS_TEST_GROUP_NODES);
        append(&run);
        run.group.share = 0;
        wait_for_generation(&run);
        for (unsigned i = 0; i < 200; i++)
            ps_test_group_others_read(&run.group);
        append(&run);
        run.group.share = (1U << PS_TEST_GROUP_PARTITIONS) - 1;
        run.group.leads = lead != 0;
        wait_for_generation(&run);
        for (unsigned i = 0; i < 20; i++)
            turn(&run);
        run.group.holds = false;
        read_all(&run);
        assert_int_equal(run.again, 0);
        stop(&run);
        check_committed(&run);
        end(&run);
    }
}

/* The group removes the member and, as the leader, it gets the same partitions again. The records that it had read are
 * not delivered. */
static void remove_member(struct run *run)
{
    int32_t before = run->group.generation;
    run->group.leads = true;
    run->group.joined = false;
    for (unsigned turns = 0; run->group.generation == before || !run->group.synced; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(run);
    }
}

/* A member that the group has removed, and that has joined again, sends heartbeats as before. */
static void test_removed(void **state)
{
    static struct run run;
    begin_history(&run, false);
    append(&run);
    read_all(&run);
    for (unsigned i = 0; i < 3; i++) {
        remove_member(&run);
        wait_for_heartbeat(&run);
        append(&run);
        read_all(&run);
    }
    assert_false(run.dead);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* Brokers change their addresses while the member is removed from the group and joins again. The old addresses
 * still answer requests of the earlier assignment, with offsets above the member's present ones. */
static void test_addresses(void **state)
{
    static struct run run;
    begin_history(&run, false);
    append(&run);
    for (unsigned i = 0; i < 200; i++)
        turn(&run); /* it reads, and nothing is delivered */
    assert_in_range(run.read, 1, PS_TEST_GROUP_RECORDS);
    run.group.holds = true;
    for (unsigned before = run.group.asked[PS_TEST_KEY_FETCH], turns = 0;
         run.group.asked[PS_TEST_KEY_FETCH] == before && turns < 400; turns++)
        turn(&run);
    ps_test_group_swap(&run.group);
    remove_member(&run);
    append(&run);
    for (unsigned i = 0; i < 200; i++)
        turn(&run);
    run.group.holds = false;
    read_all(&run);
    assert_true(run.again > 0);
    assert_false(run.dead);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* The first partitions may use an answer up: each partition is the first one in turn, so that all of them are read equally
 * fast. */
static void test_first_in_turn(void **state)
{
    static struct run run;
    begin_history(&run, false);
    run.group.no_sessions = true; /* with a session the broker takes turns */
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
        run.group.logs[i].leader = 0;
    for (unsigned round = 0; round < 30; round++) {
        append_plain(&run);
        read_all(&run);
    }
    unsigned most = 0, least = UINT_MAX;
    for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++) {
        most = run.group.first[i] > most ? run.group.first[i] : most;
        least = run.group.first[i] < least ? run.group.first[i] : least;
    }
    assert_in_range(least, 5, UINT_MAX);
    assert_in_range(most, least, 2 * least);
    end(&run);
}

/* The log is shorter than what was read, and the brokers are too old to report where it ends: it is read again from its beginning,
 * and counts as read only when it is delivered. */
static void test_shorter_log(void **state)
{
    static struct run run;
    begin_history(&run, true);
    for (unsigned i = 0; i < 4; i++)
        append(&run);
    read_all(&run);
    for (unsigned i = 0; i < 100; i++)
        turn(&run); /* commits */
    assert_true(ps_kafka_reading_is_drained(run.reading));
    ps_test_group_truncate(&run.group, 0);
    unsigned before = run.read;
    for (unsigned turns = 0; run.read == before; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
    assert_int_equal(run.next[0] <= run.group.logs[0].end, 1);
    assert_false(ps_kafka_reading_is_drained(run.reading));
    read_all(&run);
    assert_true(ps_kafka_reading_is_drained(run.reading));
    end(&run);
}

/* Takes all memory that is left. Returns the number of blocks. */
static unsigned take_memory(struct run *run, struct ps_block **blocks, unsigned room)
{
    unsigned count = 0;
    while (count < room && (blocks[count] = ps_block_take(run->stage.port.blocks)) != NULL)
        count++;
    assert_true(count > 0 && count < room);
    return count;
}

static void give_memory(struct run *run, struct ps_block **blocks, unsigned count)
{
    while (count > 0)
        ps_block_drop(run->stage.port.blocks, blocks[--count]);
}

static void turn_for(struct run *run, uint64_t ms)
{
    for (uint64_t until_ns = run->group.now_ns + ms * PS_NS_PER_MS; run->group.now_ns < until_ns;) {
        turn(run);
        deliver(run);
    }
}

/* A batch waits while there is no memory to decompress it. Freed memory is used immediately; if none is freed, the
 * answers fetched ahead give up theirs. No record is skipped: the source fetches the dropped answers again, and refuses
 * an answer under way that begins after them. */
static void test_no_memory_to_decompress(void **state)
{
    static struct run run;
    struct ps_block *blocks[128];
    for (unsigned trial = 0; trial < 3; trial++) {
        bool comes_back = trial == 1, under_way = trial == 2;
        begin_history(&run, false);
        append_plain(&run);
        read_all(&run);
        for (unsigned i = 0; i < PS_TEST_GROUP_PARTITIONS; i++)
            run.group.logs[i].compressed = true;
        run.waiting_max = 0; /* nothing is read, so answers wait */
        unsigned before = run.group.asked[PS_TEST_KEY_FETCH], read = run.read;
        for (unsigned i = 0; i < 4; i++) {
            append_plain(&run);
            run.group.holds = under_way && i > 0;
            for (unsigned turns = 0; turns < 50; turns++) {
                (void)ps_kafka_reading_tick(run.reading, false, run.group.now_ns);
                (void)ps_test_group_serve(&run.group);
                run.group.now_ns += PS_NS_PER_MS;
            }
        }
        assert_true(run.group.asked[PS_TEST_KEY_FETCH] > before + 1);
        if (run.open == NULL)
            run.open = ps_test_stage_take_batch(&run.stage);
        unsigned count = take_memory(&run, blocks, PS_COUNT_OF(blocks));
        run.waiting_max = WAITING_MAX;
        turn_for(&run, 900);
        assert_int_equal(run.read, read);
        if (comes_back)
            give_memory(&run, blocks, count);
        turn_for(&run, 200);
        assert_true(run.read > read);
        if (!comes_back)
            give_memory(&run, blocks, count);
        run.group.holds = false;
        read_all(&run);
        assert_false(run.dead);
        assert_int_equal(run.again, 0);
        stop(&run);
        check_committed(&run);
        end(&run);
    }
}

static void fetch_ahead(struct run *run)
{
    for (unsigned turns = 0; turns < 500; turns++) {
        (void)ps_kafka_reading_tick(run->reading, false, run->group.now_ns);
        (void)ps_test_group_serve(&run->group);
        run->group.now_ns += PS_NS_PER_MS;
    }
}

/* The offset after a fetched answer is no longer in the log, and the answer gives up its memory before it is read. The
 * source fetches from the log again before it applies auto.offset.reset. */
static void test_given_back_before_reset(void **state)
{
    static struct run run;
    struct ps_block *blocks[128];
    begin_history(&run, true);
    append_plain(&run);
    read_all(&run);
    run.waiting_max = 0;
    run.group.logs[1].compressed = true;
    ps_test_group_append_plain(&run.group, 1, 3);
    fetch_ahead(&run);
    ps_test_group_append_plain(&run.group, 0, 3);
    fetch_ahead(&run);
    int64_t before = run.group.logs[0].end;
    ps_test_group_truncate(&run.group, 0);
    assert_true(run.group.logs[0].end < before);
    fetch_ahead(&run);
    assert_true(run.group.counts.out_of_range > 0);
    if (run.open == NULL)
        run.open = ps_test_stage_take_batch(&run.stage);
    unsigned count = take_memory(&run, blocks, PS_COUNT_OF(blocks)), read = run.read;
    run.waiting_max = WAITING_MAX;
    turn_for(&run, 1200);
    assert_true(run.read > read); /* of partition 1, whose answer got the memory */
    give_memory(&run, blocks, count);
    read_all(&run);
    assert_false(run.dead);
    assert_int_equal(run.again, 0);
    assert_int_equal(run.next[0], run.group.logs[0].end);
    end(&run);
}

/* A member takes much longer than its session to give its partitions up, and every heartbeat is answered with the rebalance. It stays a
 * member, and loses nothing that it delivers. */
static void test_slow_revocation(void **state)
{
    static struct run run;
    static const struct ps_pair session = {.key = "session.timeout.ms", .value = "1000"};
    begin(&run, 1, &session, 1);
    append(&run);
    read_all(&run);
    for (unsigned i = 0; i < 2; i++) {
        append(&run);
        while (run.waiting_count == 0)
            turn(&run);
        run.group.rebalances = true;
        int32_t generation = run.group.generation;
        unsigned beats = run.group.asked[PS_TEST_KEY_HEARTBEAT];
        uint64_t until_ns = run.group.now_ns + 5 * PS_NS_PER_S;
        while (run.group.now_ns < until_ns)
            turn(&run);
        assert_int_equal(run.group.generation, generation);
        assert_in_range(run.group.asked[PS_TEST_KEY_HEARTBEAT] - beats, 15, 30);
        read_all(&run);
        assert_int_equal(run.group.generation, generation + 1);
    }
    assert_int_equal(run.again, 0);
    stop(&run);
    check_committed(&run);
    end(&run);
}

/* A member with an instance id needs version 5 of JoinGroup: the reason names the property and the cure. */
static void test_too_old_for_an_instance(void **state)
{
    static struct run run;
    instance_id = "i1";
    begin_history(&run, true);
    instance_id = NULL;
    for (unsigned turns = 0; !run.dead; turns++) {
        assert_in_range(turns, 0, TURNS_MAX);
        turn(&run);
    }
    assert_non_null(strstr(run.reason.text, "too old for group.instance.id"));
    assert_non_null(strstr(run.reason.text, "remove kafka.consumer.group.instance.id"));
    assert_int_equal(run.group.asked[PS_TEST_KEY_JOIN], 0);
    end(&run);
}

/* The others join later than a session lasts, and then the group rebalances once more: the member keeps its partitions. */
static void test_rebalance_longer_than_a_session(void **state)
{
    static struct run run;
    const struct ps_pair option = {.key = "partition.assignment.strategy", .value = "cooperative-sticky"};
    begin(&run, 1, &option, 1);
    const struct ps_kafka_fetch_member *member = &((struct ps_kafka_fetch *)run.reading)->member;
    run.group.cooperative = true;
    append_plain(&run);
    read_all(&run);
    run.group.fail_key = PS_TEST_KEY_SYNC;
    run.group.fail_error = PS_KAFKA_ERROR_REBALANCE_IN_PROGRESS;
    run.group.fail_at = run.group.fail_last = run.group.asked[PS_TEST_KEY_SYNC] + 1;
    run.group.rebalances = true;
    while (member->phase != PS_KAFKA_MEMBER_JOINING)
        turn(&run);
    run.group.now_ns += 50 * PS_NS_PER_S;
    append_plain(&run);
    read_all(&run);
    assert_int_equal(run.group.counts.errors, 1);
    assert_int_equal(run.group.claimed, (1U << PS_TEST_GROUP_PARTITIONS) - 1);
    assert_int_equal(run.again, 0);
    stop(&run);
    check_committed(&run);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_removed),
        cmocka_unit_test(test_first_in_turn),
        cmocka_unit_test(test_shorter_log),
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_stale),
        cmocka_unit_test(test_byte_by_byte),
        cmocka_unit_test(test_torn),
        cmocka_unit_test(test_unreadable),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_errors_of_answers),
        cmocka_unit_test(test_no_memory_to_decompress),
        cmocka_unit_test(test_given_back_before_reset),
        cmocka_unit_test(test_slow_revocation),
        cmocka_unit_test(test_too_old_for_an_instance),
        cmocka_unit_test(test_rebalance_longer_than_a_session),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
