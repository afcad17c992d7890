/* The sender with a producer and a broker of the test's own that refuse records, requests or topics for as long as the
 * test says: wherever the refused record is, nothing is lost, nothing comes twice, and no later record overtakes it. */
#include "tests/support/kafka/fake_producer.h"

/* ---- one record is refused for ever ---- */

struct refused {
    unsigned partition_count;
    uint32_t records_max, report_max;
    int code, rest_code;
    unsigned refusals_max; /* until the record is found: halved, not tried one by one */
};

#define LEASES 6U
#define EVENTS 16U

/* The record is found, the records before it are delivered, those after it are held; 30 s later it is accepted. */
static void run_poison(const struct refused *how, unsigned poison, unsigned lease_total, unsigned events)
{
    start(how->partition_count);
    fake.records_max = how->records_max;
    fake.report_max = how->report_max;
    fake.rest_code = how->rest_code;
    fake.code = how->code;
    fake.poison = poison;
    add_leases(lease_total, events, 32);
    if (poison % 2 == 0)
        offer_together(); /* else each lease is a request */
    for (unsigned i = 0; i < 10000 && counted(PS_COUNTER_refused) == 0; i++)
        turn();
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    assert_in_range(fake.refusal_count, 1, how->refusals_max);
    unsigned before = fake.refusal_count;
    unsigned logged[PARTITIONS_MAX] = {fake.log_count[0], fake.log_count[1]};
    pass_s(30);
    assert_memory_equal(fake.log_count, logged, sizeof logged);  /* no later record is sent */
    assert_in_range(fake.refusal_count, before + 5, before + 9); /* after 1, 2, .. 5 s, and each 5 s */
    assert_log(poison % how->partition_count, poison);
    assert_int_equal(stage.done_count, poison / events);
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    fake.poison = NEVER_REFUSED;
    wait_done();
    assert_all();
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    assert_int_equal(counted(PS_COUNTER_duplicated), 0);
    assert_null(sender->search.fence);
    assert_false(sender->search.stepping);
    add_leases(2, 200, 32); /* and it goes on as before */
    before = fake.made_count;
    fake.submit_max = 0;
    wait_done();
    assert_all();
    assert_int_equal(fake.made_count, before);
    assert_int_equal(fake.submit_max, 200);
    stop();
}

static void test_poison_anywhere(void **state)
{
    /* first, middle and last of the first lease, of one inside, and of the last */
    static const unsigned positions[] = {0, 7, 15, 32, 41, 47, 80, 88, 95};
    static const struct refused ways[] = {
        {1, NUMBERS_MAX, NUMBERS_MAX, INVALID_RECORD, 0, 8},
        {1, NUMBERS_MAX, 5, INVALID_RECORD, -148, 8},
        {1, 8, NUMBERS_MAX, INVALID_RECORD, -148, 8},
        {2, NUMBERS_MAX, NUMBERS_MAX, INVALID_RECORD, -148, 8},
        {2, 1, NUMBERS_MAX, INVALID_RECORD, 0, 8},
        {1, NUMBERS_MAX, NUMBERS_MAX, TOO_LARGE, -148, 8},
        {2, 8, 5, TOO_LARGE, 0, 12}, /* the bytes of a request in parts are not known */
    };
    for (size_t way = 0; way < PS_COUNT_OF(ways); way++) {
        for (size_t i = 0; i < PS_COUNT_OF(positions); i++)
            run_poison(&ways[way], positions[i], LEASES, EVENTS);
    }
}

/* The refused record is in a request of hundreds of records, whose report comes in many parts. */
static void test_poison_in_a_large_request(void **state)
{
    static const unsigned positions[] = {0, 399, 799};
    for (size_t i = 0; i < PS_COUNT_OF(positions); i++)
        run_poison(&(struct refused){1, NUMBERS_MAX, 8, INVALID_RECORD, -148, 12}, positions[i], 1, 800);
}

/* The refused record is larger than half of any request that contains it. */
static void test_large_poison(void **state)
{
    start(1);
    fake.code = TOO_LARGE;
    fake.poison = 10;
    add_leases(1, 10, 32);
    add_leases(1, 1, 20000);
    add_leases(1, 10, 32);
    offer_together();
    for (unsigned i = 0; i < 10000 && counted(PS_COUNTER_refused) == 0; i++)
        turn();
    pass_s(10);
    assert_log(0, 10);
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    fake.poison = NEVER_REFUSED;
    wait_done();
    assert_all();
    stop();
}

/* Two records are refused, one of them by the sink itself; the one in front is found later. Each counts once. */
static void test_two_refused(void **state)
{
    start(1);
    fake.code = INVALID_RECORD;
    fake.poison = 3;
    add_leases(1, 6, 32);
    sent_count--; /* the last body is too large to be sent */
    add_leases(1, 1, RECORD_BYTES_MAX);
    struct ps_event *large = &leases[1]->batch->events[0];
    leases[0]->batch->events[5] = *large;
    lease_count = 1;
    for (unsigned i = 0; i < 10000 && counted(PS_COUNTER_refused) < 2; i++)
        turn();
    assert_int_equal(counted(PS_COUNTER_refused), 2);
    pass_s(20);
    assert_log(0, 3);
    fake.poison = NEVER_REFUSED;
    pass_s(20);
    assert_log(0, 5);
    assert_int_equal(stage.done_count, 0);
    assert_ptr_equal(sender->search.fence, ps_kafka_token(leases[0], 5));
    struct ps_lease *back = NULL;
    assert_true(ps_kafka_sender_recall(sender, &back, &stage.now));
    assert_ptr_equal(back, leases[0]);
    assert_int_equal(back->settled, 5);
    stop();
}

/* ---- requests and topics ---- */

/* The topic accepts smaller requests than the sender makes: after one search for the limit the next requests fit, and
 * the queue is filled as before. */
static void test_smaller_requests(void **state)
{
    start(1);
    fake.code = TOO_LARGE;
    fake.bytes_limit = 40000;
    fake.rest_code = -148;
    add_leases(4, 200, 1000);
    wait_done();
    assert_all();
    assert_int_equal(counted(PS_COUNTER_refused), 0);
    assert_in_range(fake.refusal_count, 1, 3);
    assert_in_range(fake.request_bytes_max, 16384, 40000);
    unsigned refusals = fake.refusal_count, made = fake.made_count;
    fake.submit_max = 0;
    add_leases(4, 200, 1000);
    wait_done();
    assert_all();
    assert_int_equal(fake.refusal_count, refusals);
    assert_int_equal(fake.made_count, made);
    assert_int_equal(fake.submit_max, 200);
    stop();
}

/* The same with records so small that a request has thousands, whose report does not say how many bytes it had: the limit is
 * learned in some steps. */
static void test_smaller_requests_of_small_records(void **state)
{
    start(1);
    fake.code = TOO_LARGE;
    fake.bytes_limit = 20000;
    fake.report_max = 512;
    add_leases(10, 1000, 32);
    wait_done();
    assert_all();
    assert_in_range(fake.refusal_count, 1, 4); /* 100,000, 50,000 and 25,000 bytes */
    assert_in_range(fake.request_bytes_max, 16384, 20000);
    stop();
}

/* Every request is refused for a while, from the n-th on: sent again after 1, 2, .. 5 s. */
static void run_refused_topic(int code, unsigned after)
{
    start(2);
    fake.code = code;
    fake.rest_code = -148;
    add_leases(8, 16, 32);
    while (fake.request_count < after)
        turn();
    fake.refuses_all = true;
    pass_s(30);
    assert_in_range(fake.refusal_count, 7, 9);
    assert_true(fake.log_count[0] + fake.log_count[1] < sent_count);
    assert_int_equal(counted(PS_COUNTER_refused), 0);
    fake.refuses_all = false;
    wait_done();
    assert_all();
    stop();
}

static void test_topic_refused(void **state)
{
    static const int codes[] = {29 /* WAIT */, -192 /* AGAIN */, 45 /* RENEW */};
    for (size_t i = 0; i < PS_COUNT_OF(codes); i++) {
        for (unsigned after = 0; after < 4; after++)
            run_refused_topic(codes[i], after);
    }
}

/* The topic is refused while records before are on their way, and then the producer fails with them: it reports the others only
 * when they are purged. */
static void test_fails_while_it_collects(void **state)
{
    start(1);
    fake.code = INVALID_RECORD;
    fake.poison = 3;
    fake.records_max = 8;
    fake.submits_fail = 1;
    fake.fails_after = 16;
    fake.submit_code = 29; /* WAIT */
    add_leases(1, 32, 32);
    pass_s(30);
    assert_int_equal(fake.submits_fail, 0);
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    fake.poison = NEVER_REFUSED;
    wait_done();
    assert_all();
    stop();
}

/* ---- a refusal for which the event is not to blame ---- */

#define INVALID_TIMESTAMP 32
#define CORRUPT_MESSAGE 2

/* Adds a lease of one event, with a timestamp header or without. */
static void add_stamped(const char *time)
{
    const char *const headers[] = {"time", time, NULL};
    char *body = ps_arena_alloc(stage.arena, 16);
    snprintf(body, 16, "%-8u", sent_count++);
    const struct ps_test_event event = {
        .body = body, .length = (uint32_t)strlen(body), .headers = time != NULL ? headers : NULL};
    leases[lease_count++] = ps_test_lease(&stage, &event, 1);
}

/* The broker refuses the time of sending: the clock is wrong, and no event. */
static void run_wrong_clock(bool has_header, const char *time)
{
    start(1);
    struct ps_kafka_sender_plan stamps = plan;
    stamps.mapping.key_header = ps_name_intern("key");
    stamps.mapping.timestamp_header = has_header ? ps_name_intern("time") : NULL;
    stamps.mapping.mask = UINT64_MAX;
    sender->plan = &stamps;
    fake.code = INVALID_TIMESTAMP;
    fake.rest_code = -148;
    fake.refuses_all = true;
    for (unsigned i = 0; i < 4; i++)
        add_stamped(time);
    offer_together();
    pass_s(30);
    bool blamed = has_header && time != NULL && time[0] != 'x';
    assert_int_equal(counted(PS_COUNTER_refused), blamed);
    assert_in_range(fake.refusal_count, 7, 12);
    assert_int_equal(fake.log_count[0], 0);
    fake.refuses_all = false;
    wait_done();
    assert_all();
    assert_int_equal(counted(PS_COUNTER_refused), blamed);
    stop();
}

static void test_wrong_clock(void **state)
{
    run_wrong_clock(false, NULL);
    run_wrong_clock(false, "1"); /* not a header that the sink uses */
    run_wrong_clock(true, NULL);
    run_wrong_clock(true, "x"); /* not a number: the time of sending is used */
    run_wrong_clock(true, "1");
}

/* The only event of a request arrives damaged: it is sent again twice, and only then blamed. */
static void test_damaged_on_the_way(void **state)
{
    for (unsigned times = 1; times <= 3; times++) {
        start(1);
        fake.code = CORRUPT_MESSAGE;
        fake.rest_code = -148;
        for (unsigned round = 0; round < 2; round++) {
            unsigned before = fake.refusal_count;
            fake.refuses_all = true;
            add_leases(1, 1, 32);
            for (unsigned i = 0; i < 10000 && fake.refusal_count < before + times; i++)
                turn();
            assert_int_equal(fake.refusal_count, before + times);
            fake.refuses_all = false;
            wait_done();
            assert_all();
            assert_int_equal(counted(PS_COUNTER_refused), times == 3 ? round + 1 : 0);
        }
        stop();
    }
}

/* The broker has the records already: they count as delivered. */
static void test_known_already(void **state)
{
    start(1);
    fake.known_already = true;
    add_leases(4, 16, 32);
    wait_done();
    assert_all();
    assert_int_equal(counted(PS_COUNTER_retried), 0);
    assert_int_equal(fake.made_count, 1);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_poison_anywhere),
        cmocka_unit_test(test_poison_in_a_large_request),
        cmocka_unit_test(test_large_poison),
        cmocka_unit_test(test_two_refused),
        cmocka_unit_test(test_smaller_requests),
        cmocka_unit_test(test_smaller_requests_of_small_records),
        cmocka_unit_test(test_topic_refused),
        cmocka_unit_test(test_known_already),
        cmocka_unit_test(test_wrong_clock),
        cmocka_unit_test(test_damaged_on_the_way),
        cmocka_unit_test(test_fails_while_it_collects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
