/* The sender with an engine whose reports come in parts, do not say how many bytes a request had, and fail the other records of a refused request, as
 * librdkafka's do (scenarios ask the native engine: tests/scenarios/kafka_sink_poison.scn). Nothing is lost, nothing comes twice or is overtaken. */
#include "tests/support/kafka/fake_producer.h"

#define EVENTS 800U

/* The record is found, the records before it are delivered, those after it are held; 30 s later it is accepted. */
static void run_poison(unsigned poison)
{
    start();
    fake.report_max = 8;
    fake.rest_code = -148;
    fake.code = INVALID_RECORD;
    fake.poison = poison;
    add_leases(1, EVENTS, 32);
    for (unsigned i = 0; i < 10000 && counted(PS_COUNTER_refused) == 0; i++)
        turn();
    assert_in_range(fake.refusal_count, 1, 12); /* halved, not tried one by one */
    unsigned before = fake.refusal_count;
    pass_s(30);
    assert_in_range(fake.refusal_count, before + 5, before + 9); /* after 1, 2, .. 5 s, and each 5 s */
    assert_log(poison);
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    fake.poison = NEVER_REFUSED;
    wait_done();
    assert_all();
    assert_int_equal(counted(PS_COUNTER_refused), 1);
    assert_int_equal(counted(PS_COUNTER_duplicated), 0);
    stop();
}

/* The refused record is in a request of hundreds of records, whose report comes in many parts. */
static void test_poison_in_a_large_request(void **state)
{
    static const unsigned positions[] = {0, 399, 799};
    for (size_t i = 0; i < PS_COUNT_OF(positions); i++)
        run_poison(positions[i]);
}

/* ---- requests and topics ---- */

/* The topic accepts smaller requests than the sender makes: after one search for the limit the next requests fit, and
 * the queue is filled as before. */
static void test_smaller_requests(void **state)
{
    start();
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
    start();
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

/* The topic is refused while records before are on their way, and then the producer fails with them: it reports the others only
 * when they are purged. */
static void test_fails_while_it_collects(void **state)
{
    start();
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

/* The broker has the records already: they count as delivered. */
static void test_known_already(void **state)
{
    start();
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
        cmocka_unit_test(test_poison_in_a_large_request),
        cmocka_unit_test(test_smaller_requests),
        cmocka_unit_test(test_smaller_requests_of_small_records),
        cmocka_unit_test(test_fails_while_it_collects),
        cmocka_unit_test(test_known_already),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
