/* A consumer that could not wake its worker is not made: it is tried again when there is a descriptor. */
#include "stages/lib/kafka/consumer/consumer.h"
#include "tests/support/conformance.h"
#include "tests/support/support.h"

#include <sys/eventfd.h>
#include <unistd.h>

static void test_no_descriptor_to_wake(void **unused)
{
    const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = "127.0.0.1:1"},
                                    {.key = "group.id", .value = "g"},
                                    {.key = "log_level", .value = "0"}};
    const char *const topics[] = {"t"};
    struct ps_kafka_consumer_config config = {.component = "test",
                                              .pairs = pairs,
                                              .pair_count = PS_COUNT_OF(pairs),
                                              .subscription = {1, topics},
                                              .wake_fd = 1000000}; /* it cannot be copied */
    struct ps_kafka_consumer consumer;
    struct ps_err err = {.length = 0};
    unsigned before = ps_test_open_fds();
    assert_int_equal(ps_kafka_consumer_open(&consumer, &config, &err), PS_FAIL);
    assert_non_null(strstr(err.text, "cannot copy a file descriptor: Bad file descriptor"));
    assert_int_equal(ps_test_open_fds(), before);
    ps_kafka_consumer_destroy(&consumer); /* of one that failed: nothing */
}

/* A failure after the copy gives the descriptor back. */
static void test_wrong_settings(void **unused)
{
    const struct ps_pair pairs[] = {{.key = "no.such.property", .value = "x"}};
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct ps_kafka_consumer_config config = {
        .component = "test", .pairs = pairs, .pair_count = PS_COUNT_OF(pairs), .wake_fd = wake_fd};
    struct ps_kafka_consumer consumer;
    struct ps_err err = {.length = 0};
    unsigned before = ps_test_open_fds();
    assert_int_equal(ps_kafka_consumer_open(&consumer, &config, &err), PS_FAIL);
    assert_int_equal(ps_test_open_fds(), before);
    close(wake_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_descriptor_to_wake),
                                       cmocka_unit_test(test_wrong_settings)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
