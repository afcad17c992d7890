/* A broker that closes each connection, because it expects another security.protocol. */
#include "tests/support/kafka/native_run.h"

/* The broker expects a login: it names its versions, and closes the connection at the first request, each time. */
static void test_other_protocol(void **state)
{
    struct run run;
    const struct ps_pair pairs[] = {{.key = "reconnect.backoff.max.ms", .value = "100"},
                                    {.key = "enable.idempotence", .value = "false"}};
    begin_with(&run, "127.0.0.1", pairs, PS_COUNT_OF(pairs));
    submit(&run);
    for (unsigned i = 0; i < 30; i++) {
        (void)expect(&run, KEY_METADATA);
        ps_test_broker_hang_up(&run.broker);
    }
    assert_int_equal(run.tolds, 2);
    assert_non_null(strstr(run.told, "does it expect another security.protocol"));
    assert_false(ps_kafka_native.reaches(run.producer));
    const struct produced produced = expect_produce(&run);
    answer_produce(&run, &produced, 0, 0);
    wait_for_reports(&run, 1);
    end(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_other_protocol),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
