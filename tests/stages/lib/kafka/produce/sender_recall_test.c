/* The sender is recalled while a record is refused, and while requests are not answered: every lease is done or comes back in
 * order, and offered again everything is there once. The producer and the broker are the test's own. */
#include "tests/support/dead_letters.h"
#include "tests/support/folder.h"
#include "tests/support/kafka/fake_producer.h"

static struct ps_lease *recall(unsigned limit_ms)
{
    struct ps_lease *back = NULL;
    uint64_t until_ns = stage.now.mono_ns + limit_ms * PS_NS_PER_MS;
    while (!ps_kafka_sender_recall(sender, &back, &stage.now)) {
        assert_true(stage.now.mono_ns < until_ns);
        ps_test_stage_pass_ms(&stage, 10);
    }
    return back;
}

/* The leases that came back will be offered again, in place of those that the sender had. Asserts their order. */
static void offer_again(struct ps_lease *back)
{
    size_t at = stage.done_count;
    for (struct ps_lease *next; back != NULL; back = next) {
        next = back->next;
        back->next = NULL;
        assert_ptr_equal(back, leases[at]);
        assert_int_equal(back->cursor, 0);
        assert_int_equal(back->pending, 0);
        assert_true(back->settled < back->count);
        at++;
    }
    assert_int_equal(at, offered_count);
    offered_count = stage.done_count;
}

/* The sender is recalled while a record is refused: nothing of the search for it is left, and delivered records are
 * not sent again. */
static void run_recall_with_refused(unsigned turns_after)
{
    start(1);
    fake.code = INVALID_RECORD;
    fake.poison = 23;
    add_leases(4, 16, 32);
    for (unsigned i = 0; i < 10000 && fake.refusal_count == 0; i++)
        turn();
    for (unsigned i = 0; i < turns_after; i++)
        turn();
    struct ps_lease *back = recall(1100);
    assert_null(sender->search.fence);
    assert_false(sender->search.stepping);
    assert_int_equal(sender->search.step_records, 0);
    offer_again(back);
    fake.poison = NEVER_REFUSED;
    wait_done();
    assert_all();
    stop();
}

static void test_recall_with_refused(void **state)
{
    for (unsigned turns = 0; turns < 40; turns++)
        run_recall_with_refused(turns);
    run_recall_with_refused(1000);
}

/* The sender is recalled between the refusal and the dead letter: the event is sent again like the others, and no
 * letter is written for it. An event whose letter is written counts as delivered, and is not sent. */
static unsigned run_recall_before_the_letter(unsigned turns_after)
{
    start(1);
    fake.rest_code = -148;
    ps_test_dead_letters_open(&stage);
    fake.code = INVALID_RECORD;
    fake.records_max = 1; /* which one is refused is known at once */
    fake.poison = 23;
    add_leases(4, 16, 32);
    for (unsigned i = 0; i < 10000 && fake.refusal_count == 0; i++)
        turn();
    for (unsigned i = 0; i < turns_after; i++)
        turn();
    struct ps_lease *back = recall(1100);
    unsigned letters = (unsigned)counted(PS_COUNTER_deadletter);
    offer_again(back);
    fake.poison = NEVER_REFUSED;
    wait_done();
    assert_int_equal(counted(PS_COUNTER_deadletter), letters);
    if (letters == 0)
        assert_all();
    stop();
    ps_test_dead_letters_close(&stage);
    return letters;
}

static void test_recall_before_the_letter(void **state)
{
    unsigned letters = 0, runs = 0;
    for (; runs < 20; runs++)
        letters += run_recall_before_the_letter(runs);
    assert_in_range(letters, 1, runs - 2); /* both were tried */
}

/* Answers to sent records are awaited for up to a second, or a tenth of one when the brokers have been silent
 * for long; records that wait in the producer come back at once, and a producer that was purged is not used
 * again. */
static void run_recall_of_unanswered(unsigned silent_before_ms, unsigned answered_after_ms)
{
    const unsigned patience_ms = silent_before_ms > 5000 ? 100 : 1000;
    struct ps_lease *back = NULL;
    start(1);
    add_leases(3, 16, 32);
    fake.silent = true;
    for (unsigned i = 0; i < 5; i++)
        turn();
    assert_int_equal(offered_count, 3);
    for (unsigned ms = 0; ms < silent_before_ms; ms += 100) {
        ps_test_stage_pass_ms(&stage, 100);
        turn();
    }
    uint64_t begun_ns = stage.now.mono_ns;
    while (!ps_kafka_sender_recall(sender, &back, &stage.now)) {
        ps_test_stage_pass_ms(&stage, 10);
        uint64_t passed_ms = (stage.now.mono_ns - begun_ns) / PS_NS_PER_MS;
        assert_true(passed_ms <= patience_ms + 100);
        fake.silent = passed_ms < answered_after_ms;
    }
    if (answered_after_ms > patience_ms)
        assert_in_range((stage.now.mono_ns - begun_ns) / PS_NS_PER_MS, patience_ms, patience_ms + 100);
    else
        assert_true(fake.log_count[0] > 0); /* the answer counted */
    assert_int_equal(fake.count, 0);
    fake.silent = false;
    offer_again(back);
    wait_done();
    assert_all();
    stop();
}

static void test_recall_of_unanswered(void **state)
{
    run_recall_of_unanswered(0, 10);
    run_recall_of_unanswered(0, 500);
    run_recall_of_unanswered(0, 900);
    run_recall_of_unanswered(0, 5000);
    run_recall_of_unanswered(4000, 5000);
    run_recall_of_unanswered(6000, 50);
    run_recall_of_unanswered(6000, 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recall_with_refused),
        cmocka_unit_test_setup_teardown(test_recall_before_the_letter, ps_test_folder_setup,
                                        ps_test_folder_teardown),
        cmocka_unit_test(test_recall_of_unanswered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
