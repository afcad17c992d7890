/* A cluster that does not take the transactions of this sender. */
#include "tests/support/kafka/listener.h"
#include "tests/support/kafka/transaction_run.h"

/* A cluster that gives no producer id: the sink has not reached its destination, with the broker's reason and the cure, also without
 * events, until the cluster gives one. Nothing is said at a recall about a transaction that was not opened. */
static void test_refused_id(void **state)
{
    static struct run run;
    begin(&run, 1, 0);
    ps_test_coordinator_refuse(run.broker, 22, 50, 0);
    open_source(&run);
    for (unsigned turns = 0; turns < 500; turns++)
        turn(&run);
    assert_int_equal(run.stage.port.lack, PS_LACK_NEVER);
    assert_non_null(strstr(run.sender->last_lost, "INVALID_TRANSACTION_TIMEOUT"));
    assert_non_null(strstr(run.sender->last_lost, "transaction.max.timeout.ms"));
    read_batch(&run, 0);
    for (unsigned turns = 0; turns < 100; turns++)
        turn(&run);
    assert_int_equal(run.stage.port.lack, PS_LACK_NEVER);
    uint64_t warned = ps_log_count(PS_LOG_WARN);
    recall(&run);
    assert_int_equal(ps_log_count(PS_LOG_WARN), warned);
    ps_test_coordinator_refuse(run.broker, 0, 0, 0);
    serve_until(&run, 1, 5000);
    assert_int_equal(run.stage.port.lack, PS_LACK_NONE);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_id),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
