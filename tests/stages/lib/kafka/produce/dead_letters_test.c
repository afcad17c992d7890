/* The sender with dead letters (penstock.deadletter): a record that is refused for good becomes a letter, and those
 * after it go on, in order; nothing is settled before its letter is written; attempts that are used up. */
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/kafka/fake_producer.h"

#include <stdlib.h>
#include <string.h>

static void start_with_letters(unsigned partition_count)
{
    start(partition_count);
    fake.rest_code = -148;
    ps_test_dead_letters_open(&stage);
}

static void stop_with_letters(void)
{
    stop();
    ps_test_dead_letters_close(&stage);
}

/* Reads all letters; checks their reason and that their bodies are these numbers, in order. */
static unsigned check_letters(const char *reason, const unsigned *numbers)
{
    unsigned count = 0;
    for (const char *body = ps_test_dead_letters_bodies(reason); *body != '\0'; body = strchr(body, '\n') + 1)
        assert_int_equal(strtoul(body, NULL, 10), numbers[count++]);
    return count;
}

static uint32_t dead_events(void)
{
    uint32_t dead = 0;
    for (size_t i = 0; i < lease_count; i++)
        dead += leases[i]->dead;
    return dead;
}

/* Asserts that every number but the dead one is in its partition's log, once and in order. */
static void assert_all_but(unsigned dead)
{
    for (unsigned partition = 0; partition < fake.partition_count; partition++) {
        unsigned number = partition;
        for (unsigned i = 0; i < fake.log_count[partition]; i++, number += fake.partition_count) {
            number += number == dead ? fake.partition_count : 0;
            assert_int_equal(fake.log[partition][i], number);
        }
        number += number == dead ? fake.partition_count : 0;
        assert_true(number >= sent_count && number < sent_count + fake.partition_count);
    }
}

static void run_refused(int code, const char *reason, unsigned poison, unsigned partition_count,
                        bool together)
{
    start_with_letters(partition_count);
    fake.code = code;
    fake.poison = poison;
    add_leases(6, 16, 32);
    if (together)
        offer_together();
    wait_done();
    assert_all_but(poison);
    assert_int_equal(check_letters(reason, &poison), 1);
    assert_int_equal(dead_events(), 1);
    assert_int_equal(counted(PS_COUNTER_deadletter), 1);
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    assert_null(sender->search.fence);
    unsigned made = fake.made_count;
    add_leases(2, PS_KAFKA_RUN_MAX + 1, 32); /* and it goes on as before */
    fake.submit_max = 0;
    wait_done();
    assert_all_but(poison);
    assert_int_equal(fake.made_count, made);
    assert_int_equal(fake.submit_max, PS_KAFKA_RUN_MAX);
    assert_false(sender->search.stepping);
    stop_with_letters();
}

static void test_refused(void **state)
{
    static const unsigned positions[] = {0, 7, 15, 32, 41, 47, 80, 95};
    for (size_t i = 0; i < PS_COUNT_OF(positions); i++) {
        for (unsigned way = 0; way < 8; way++) {
            ps_test_folder_setup(state);
            run_refused(way & 1 ? TOO_LARGE : INVALID_RECORD, way & 1 ? "record-too-large" : "record-refused",
                        positions[i], way & 2 ? 2 : 1, way & 4);
            ps_test_folder_teardown(state);
        }
    }
}

/* A refusal for which no event is to blame: the time of sending is refused, or one record arrives damaged. There is no
 * letter. */
static void test_not_to_blame(void **state)
{
    static const int codes[] = {32, 2};
    for (size_t i = 0; i < PS_COUNT_OF(codes); i++) {
        ps_test_folder_setup(state);
        start_with_letters(1);
        fake.code = codes[i];
        fake.refuses_all = true;
        add_leases(1, 1, 32);
        for (unsigned turns = 0; turns < 10000 && fake.refusal_count < 2; turns++)
            turn();
        fake.refuses_all = false;
        wait_done();
        assert_all();
        assert_int_equal(dead_events(), 0);
        assert_int_equal(counted(PS_COUNTER_refused), 0);
        stop_with_letters();
        ps_test_folder_teardown(state);
    }
}

/* A record that arrives damaged each time becomes a letter. */
static void test_always_damaged(void **state)
{
    run_refused(2, "record-refused", 7, 1, true);
}

/* Records that can never be sent do not stop the others, not even for a cycle. */
static void test_too_large_here(void **state)
{
    static unsigned dead[64];
    unsigned count = 0;
    start_with_letters(1);
    for (unsigned i = 0; i < 20; i++) {
        add_leases(1, 16, 32);
        dead[count++] = sent_count;
        dead[count++] = sent_count + 1;
        add_leases(1, 2, RECORD_BYTES_MAX + 1);
    }
    wait_done();
    assert_int_equal(check_letters("record-too-large", dead), 40);
    assert_int_equal(dead_events(), 40);
    assert_int_equal(fake.log_count[0], sent_count - 40);
    assert_int_equal(fake.made_count, 1);
    assert_int_equal(counted(PS_COUNTER_RollbackCount), 0);
    stop_with_letters();
}

/* An event whose body is too large is not encoded first, which would need several times its memory. */
static void test_too_large_to_encode(void **state)
{
    static const unsigned dead[] = {1};
    struct ps_kafka_sender_plan encoding = plan;
    start_with_letters(1);
    encoding.mapping.event_format = true;
    encoding.mapping.key_header = ps_name_intern("key");
    sender->plan = &encoding;
    add_leases(1, 1, 32);
    add_leases(1, 1, 10 * RECORD_BYTES_MAX);
    wait_done();
    assert_int_equal(check_letters("record-too-large", dead), 1);
    assert_in_range(sender->run.datums_room, 1, 10 * RECORD_BYTES_MAX - 1);
    stop_with_letters();
}

/* Nothing is settled while the directory cannot be written; a recall gives the events back. */
static void test_not_settled_before_written(void **state)
{
    struct ps_lease *back = NULL;
    char path[256], away[256];
    start_with_letters(1);
    snprintf(path, sizeof path, "%s", ps_test_folder_path("dead"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    assert_int_equal(rename(path, away), 0);
    ps_test_folder_append("dead", "", 0);
    add_leases(1, 1, RECORD_BYTES_MAX + 1);
    add_leases(1, 5, 32);
    pass_s(120);
    assert_int_equal(stage.done_count, 0);
    assert_int_equal(leases[0]->settled, 0);
    assert_int_equal(fake.log_count[0], 5); /* those after it were sent */
    assert_false(sender->troubled);         /* the broker is not to blame */
    assert_true(ps_kafka_sender_recall(sender, &back, &stage.now));
    assert_ptr_equal(back, leases[0]);
    assert_int_equal(back->settled, 0);
    assert_int_equal(back->pending, 0);
    assert_int_equal(stage.done_count, 1);
    stop_with_letters();
}

/* More events are too large than letters can wait while the directory cannot be written: the others wait in their leases, and all of them become
 * letters, in order. */
static void test_more_than_can_wait(void **state)
{
    enum { LEASES = 3, EVENTS = PS_KAFKA_LETTERS_MAX / 2 };
    static unsigned dead[LEASES * EVENTS];
    struct ps_kafka_sender_plan small = plan;
    char path[256], away[256];
    start_with_letters(1);
    small.record_bytes_max = 7;
    sender->plan = &small;
    snprintf(path, sizeof path, "%s", ps_test_folder_path("dead"));
    snprintf(away, sizeof away, "%s", ps_test_folder_path("away"));
    assert_int_equal(rename(path, away), 0);
    ps_test_folder_append("dead", "", 0);
    for (unsigned i = 0; i < PS_COUNT_OF(dead); i++)
        dead[i] = i;
    add_leases(LEASES, EVENTS, 8);
    for (unsigned i = 0; i < 10000 && ps_kafka_letters_waiting(&sender->letters) < PS_KAFKA_LETTERS_MAX; i++)
        turn();
    pass_s(2);
    assert_int_equal(ps_kafka_letters_waiting(&sender->letters), PS_KAFKA_LETTERS_MAX);
    assert_int_equal(stage.done_count, 0);
    assert_int_equal(remove(path), 0);
    assert_int_equal(rename(away, path), 0);
    wait_done();
    assert_int_equal(check_letters("record-too-large", dead), LEASES * EVENTS);
    assert_int_equal(dead_events(), LEASES * EVENTS);
    stop_with_letters();
}

/* An error that may be temporary: after this number of attempts the oldest lease is given up, and no other. */
static void test_attempts(void **state)
{
    static unsigned dead[16];
    start_with_letters(1);
    stage.port.retry_max = 3;
    fake.code = 29; /* not authorized */
    fake.rest_code = 0;
    fake.refuses_all = true;
    fake.records_max = 16;
    for (unsigned i = 0; i < 16; i++)
        dead[i] = i;
    add_leases(3, 16, 32);
    for (unsigned i = 0; i < 10000 && stage.done_count < 1; i++)
        turn();
    assert_int_equal(stage.done_count, 1);
    assert_in_range(fake.refusal_count, 3, 4); /* the next lease may also have been tried */
    fake.refuses_all = false;
    wait_done();
    assert_int_equal(check_letters("attempts-exhausted", dead), 16);
    assert_int_equal(leases[0]->dead, 16);
    assert_int_equal(dead_events(), 16);
    assert_int_equal(fake.log_count[0], 32);
    assert_int_equal(fake.log[0][0], 16);
    stop_with_letters();
}

/* An event is refused alone, and before its letter is made the attempts of its lease are used up by an event before it. The lease goes
 * home; a later one at the same address has no event that was refused: nothing of it is given up. */
static void test_refused_in_an_exhausted_lease(void **state)
{
    enum { EVENTS = 12, REFUSED = 5, BEFORE = 4 };
    static const unsigned dead[] = {4, 5, 6, 7, 8, 9, 10, 11};
    start_with_letters(2);
    stage.port.retry_max = 1;
    fake.code = INVALID_RECORD;
    fake.poison = REFUSED;
    add_leases(1, EVENTS, 32);
    for (unsigned i = 0; i < 1000 && sender->letters.condemned == NULL; i++) {
        fake.turn = 1; /* the partition of the refused event answers first */
        turn();
    }
    assert_ptr_equal(sender->letters.condemned, ps_kafka_token(leases[0], REFUSED));
    assert_false(ps_lease_is_settled(leases[0], BEFORE));
    fake.code = 29; /* not authorized */
    fake.refuses_all = true;
    for (unsigned i = 0; i < 1000 && stage.done_count < 1; i++)
        turn();
    assert_int_equal(stage.done_count, 1);
    assert_int_equal(check_letters("attempts-exhausted", dead), PS_COUNT_OF(dead));
    fake.refuses_all = false;
    fake.poison = NEVER_REFUSED;
    add_leases(1, EVENTS, 32);
    *leases[0] = *leases[1];
    leases[1] = leases[0];
    wait_done();
    assert_int_equal(leases[1]->dead, 0);
    assert_int_equal(fake.log_count[0] + fake.log_count[1], sent_count - PS_COUNT_OF(dead));
    assert_int_equal(counted(PS_COUNTER_deadletter), PS_COUNT_OF(dead));
    stop_with_letters();
}

/* Attempts are those in a row: with one fewer than the limit before each success, nothing is ever given up. An event
 * that fails for good afterwards gets all of its attempts again. */
static void test_attempts_after_a_success(void **state)
{
    static unsigned dead[1];
    start_with_letters(1);
    stage.port.retry_max = 3;
    fake.code = 29; /* not authorized */
    fake.rest_code = 0;
    for (unsigned round = 0; round < 4; round++) {
        unsigned refused = fake.refusal_count;
        fake.refuses_all = true;
        add_leases(1, 1, 32);
        for (unsigned i = 0; i < 10000 && fake.refusal_count < refused + 2; i++)
            turn();
        assert_int_equal(fake.refusal_count, refused + 2);
        fake.refuses_all = false;
        wait_done();
        assert_all();
        assert_int_equal(dead_events(), 0);
    }
    unsigned refused = fake.refusal_count;
    fake.refuses_all = true;
    dead[0] = sent_count;
    add_leases(1, 1, 32);
    for (unsigned i = 0; i < 10000 && stage.done_count < 5; i++)
        turn();
    assert_int_equal(fake.refusal_count, refused + 3);
    assert_int_equal(check_letters("attempts-exhausted", dead), 1);
    stop_with_letters();
}

/* Without a limit nothing is given up. */
static void test_no_limit_of_attempts(void **state)
{
    start_with_letters(1);
    fake.code = 29;
    fake.rest_code = 0;
    fake.refuses_all = true;
    add_leases(1, 16, 32);
    pass_s(200);
    assert_true(fake.refusal_count > 20);
    fake.refuses_all = false;
    wait_done();
    assert_all();
    assert_int_equal(dead_events(), 0);
    stop_with_letters();
}

/* Without memory for a topic with a legal name the sink backs off, and tries again with the same producer: no event is to blame,
 * whether all events of the batch have the topic of the configuration, or each is looked at. */
static void test_no_memory_for_a_topic(void **state)
{
    for (unsigned mapped = 0; mapped < 2; mapped++) {
        struct ps_kafka_sender_plan own = plan;
        ps_test_folder_setup(state);
        start_with_letters(1);
        own.mapping.key_header = ps_name_intern("key");
        own.mapping.mask = mapped ? UINT64_MAX : 0;
        sender->plan = &own;
        fake.topics_fail = 3;
        add_leases(2, 5, 32);
        leases[0]->batch->own_mask = UINT64_MAX; /* the events may have headers with a meaning for the sink */
        pass_s(1);
        assert_int_equal(fake.topics_fail, 0);
        wait_done();
        assert_all();
        assert_in_range(fake.topic_count, 4, 40); /* not in each cycle */
        assert_int_equal(dead_events(), 0);
        assert_int_equal(counted(PS_COUNTER_EventWriteFail), 3);
        assert_int_equal(counted(PS_COUNTER_refused), 0);
        assert_int_equal(fake.made_count, 1);
        stop_with_letters();
        ps_test_folder_teardown(state);
    }
}

/* Without memory for a record the sink backs off, and continues with the same producer after the records that were taken. It is no
 * attempt of the lease. */
static void test_no_memory_for_a_record(void **state)
{
    for (unsigned after = 0; after < 5; after++) {
        ps_test_folder_setup(state);
        start_with_letters(1);
        stage.port.retry_max = 1;
        fake.submits_fail = 2;
        fake.fails_after = after;
        add_leases(3, 12, 32);
        pass_s(1);
        assert_int_equal(fake.submits_fail, 0);
        wait_done();
        assert_all();
        assert_int_equal(dead_events(), 0);
        assert_int_equal(counted(PS_COUNTER_EventWriteFail), 2);
        assert_int_equal(counted(PS_COUNTER_RollbackCount), 0);
        assert_int_equal(fake.made_count, 1);
        stop_with_letters();
        ps_test_folder_teardown(state);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_not_to_blame),
        cmocka_unit_test_setup_teardown(test_always_damaged, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_too_large_here, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_too_large_to_encode, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_not_settled_before_written, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_more_than_can_wait, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_attempts, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_refused_in_an_exhausted_lease, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_attempts_after_a_success, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_no_limit_of_attempts, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test(test_no_memory_for_a_topic),
        cmocka_unit_test(test_no_memory_for_a_record),
    };
    ps_log_set_level(PS_LOG_OFF);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
