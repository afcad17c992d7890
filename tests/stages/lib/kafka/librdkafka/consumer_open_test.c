/* What a consumer needs to be made, and gives back: without a descriptor to wake its worker it is not made, and is tried again when
 * there is one. */
#include "stages/lib/kafka/librdkafka/consumer.h"
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

/* A consumer gives its descriptors back: one that is destroyed, and one that could not be made after its copy of the worker's. */
static void test_descriptors_come_back(void **unused)
{
    static const struct {
        struct ps_pair pair;
        const char *topic, *refused; /* refused NULL: the consumer is made */
    } rows[] = {
        {{.key = "log_level", .value = "0"}, "t", NULL},
        {{.key = "no.such.property", .value = "x"}, "t", "no.such.property"},
        {{.key = "max.poll.interval.ms", .value = "1"}, "t", "`max.poll.interval.ms`"}, /* the client */
        {{.key = "log_level", .value = "0"}, "", "cannot subscribe to \"\""}};
    int wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    unsigned before = 0;
    for (size_t i = 0; i < 3 * PS_COUNT_OF(rows); i++) {
        size_t row = i % PS_COUNT_OF(rows);
        const struct ps_pair pairs[] = {{.key = "bootstrap.servers", .value = "127.0.0.1:1"},
                                        {.key = "group.id", .value = "g"},
                                        {.key = "log_level", .value = "0"},
                                        rows[row].pair};
        const struct ps_kafka_consumer_config config = {.component = "test",
                                                        .pairs = pairs,
                                                        .pair_count = PS_COUNT_OF(pairs),
                                                        .subscription = {1, &rows[row].topic},
                                                        .wake_fd = wake_fd};
        struct ps_kafka_consumer consumer;
        struct ps_err err = {.length = 0};
        enum ps_status status = ps_kafka_consumer_open(&consumer, &config, &err);
        assert_int_equal(status, rows[row].refused == NULL ? PS_OK : PS_FAIL);
        if (status != PS_OK && strstr(err.text, rows[row].refused) == NULL)
            fail_msg("\"%s\" does not say %s", err.text, rows[row].refused);
        if (status == PS_OK)
            ps_kafka_consumer_destroy(&consumer);
        if (i == 0) /* the first one may open what the library keeps */
            before = ps_test_open_fds();
        assert_int_equal(ps_test_open_fds(), before);
        if (status != PS_OK)
            ps_kafka_consumer_destroy(&consumer); /* nothing is left to it */
    }
    close(wake_fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_descriptor_to_wake),
                                       cmocka_unit_test(test_descriptors_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
