/* The settings of the native reader: every field after each property alone, and the limits of each number. */
#include "stages/lib/kafka/cluster/account.h"
#include "stages/lib/kafka/cluster/native.h"

#include "tests/support/support.h"

#include <stdio.h>

#define ANSWER_BYTES (1024 * 1024)

static struct ps_kafka_fetch_settings read_one(const char *name, const char *value, uint64_t held_bytes_max)
{
    struct ps_kafka_settings settings;
    struct ps_err err = {0};
    /* properties with similar names must not be taken for the tested one */
    const struct ps_pair pairs[] = {{.key = "session.timeout", .value = "1"},
                                    {.key = "x.fetch.min.bytes", .value = "2"},
                                    {.key = name, .value = value},
                                    {.key = "isolation.level.x", .value = "read_uncommitted"}};
    memset(&settings, 0xee, sizeof settings);
    ps_kafka_settings_init(&settings);
    for (size_t i = 0; i < PS_COUNT_OF(pairs); i++)
        ps_kafka_settings_set(&settings, pairs[i].key, pairs[i].value);
    assert_int_equal(ps_kafka_native_fits(&settings, &err), PS_FAIL);
    assert_string_equal(err.text, "session.timeout"); /* it does not know the name */
    ps_kafka_settings_fini(&settings);
    ps_kafka_fetch_settings_bound(&settings.reader, held_bytes_max);
    return settings.reader;
}

static struct ps_kafka_fetch_settings defaults(void)
{
    return (struct ps_kafka_fetch_settings){
        .session_ms = 45000,
        .rebalance_ms = 300000,
        .heartbeat_ns = UINT64_C(3000000000),
        .assignors = {PS_KAFKA_RANGE, PS_KAFKA_ROUND_ROBIN},
        .assignor_count = 2,
        .reset = PS_KAFKA_RESET_LATEST,
        .committed_only = true,
        .checks_sums = true,
        .wait_ms = 500,
        .bytes_min = 1,
        .bytes_max = ANSWER_BYTES,
        .partition_bytes_max = ANSWER_BYTES,
    };
}

static void assert_settings(const struct ps_kafka_fetch_settings *found,
                            const struct ps_kafka_fetch_settings *expected)
{
    assert_int_equal(found->session_ms, expected->session_ms);
    assert_int_equal(found->rebalance_ms, expected->rebalance_ms);
    assert_int_equal(found->heartbeat_ns, expected->heartbeat_ns);
    assert_int_equal(found->assignor_count, expected->assignor_count);
    for (uint32_t i = 0; i < expected->assignor_count; i++)
        assert_int_equal(found->assignors[i], expected->assignors[i]);
    assert_int_equal(found->cooperative, expected->cooperative);
    assert_int_equal(found->reset, expected->reset);
    assert_int_equal(found->committed_only, expected->committed_only);
    assert_int_equal(found->checks_sums, expected->checks_sums);
    assert_int_equal(found->wait_ms, expected->wait_ms);
    assert_int_equal(found->bytes_min, expected->bytes_min);
    assert_int_equal(found->bytes_max, expected->bytes_max);
    assert_int_equal(found->partition_bytes_max, expected->partition_bytes_max);
}

#define CASE(name, value, ...)                                                                               \
    do {                                                                                                     \
        struct ps_kafka_fetch_settings found = read_one(name, value, UINT64_MAX), expected = defaults();     \
        __VA_ARGS__;                                                                                         \
        assert_settings(&found, &expected);                                                                  \
    } while (0)

/* The names are librdkafka's: the stage translates Java's. */
static void test_each_alone(void **state)
{
    CASE("none", "1", (void)expected);
    CASE("session.timeout.ms", "10000", expected.session_ms = 10000);
    CASE("max.poll.interval.ms", "60000", expected.rebalance_ms = 60000);
    CASE("heartbeat.interval.ms", "7", expected.heartbeat_ns = 7000000);
    CASE("fetch.wait.max.ms", "5", expected.wait_ms = 5);
    CASE("fetch.min.bytes", "100", expected.bytes_min = 100);
    CASE("fetch.max.bytes", "5000", expected.bytes_max = 5000);
    CASE("max.partition.fetch.bytes", "6000", expected.partition_bytes_max = 6000);
    CASE("isolation.level", "read_uncommitted", expected.committed_only = false);
    CASE("isolation.level", "read_committed", (void)expected);
    CASE("check.crcs", "false", expected.checks_sums = false);
    CASE("check.crcs", "true", (void)expected);
    CASE("auto.offset.reset", "earliest", expected.reset = PS_KAFKA_RESET_EARLIEST);
    CASE("auto.offset.reset", "latest", (void)expected);
    CASE("auto.offset.reset", "error", expected.reset = PS_KAFKA_RESET_ERROR);
}

static void test_large_numbers(void **state)
{
    CASE("session.timeout.ms", "2147483647", expected.session_ms = INT32_MAX);
    CASE("session.timeout.ms", "2147483648", expected.session_ms = INT32_MAX);
    CASE("fetch.min.bytes", "2147483648", expected.bytes_min = INT32_MAX);
    CASE("max.partition.fetch.bytes", "2147483648", expected.partition_bytes_max = INT32_MAX);
    CASE("fetch.max.bytes", "1048575", expected.bytes_max = ANSWER_BYTES - 1);
    CASE("fetch.max.bytes", "1048577", (void)expected);
    CASE("fetch.max.bytes", "2147483648", (void)expected);
}

/* An answer is a quarter of what may be held, at least 64 KiB and at most 1 MiB. */
static void test_memory(void **state)
{
    static const struct {
        uint64_t held;
        int32_t answer;
    } cases[] = {
        {0, 65536},
        {4 * 65536 - 1, 65536},
        {4 * 65536 + 3, 65536},
        {4 * 65537, 65537},
        {4 * (ANSWER_BYTES - 1), ANSWER_BYTES - 1},
        {UINT64_C(4) * ANSWER_BYTES, ANSWER_BYTES},
        {UINT64_C(4) * (ANSWER_BYTES + 1), ANSWER_BYTES},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_kafka_fetch_settings found = read_one("none", "", cases[i].held), expected = defaults();
        expected.bytes_max = cases[i].answer;
        assert_settings(&found, &expected);
    }
}

/* Known assignors in the order of the list, each once; unknown ones are ignored, and without a known one it is range. */
static void test_assignors(void **state)
{
    static const struct {
        const char *text, *expected;
    } cases[] = {
        {"range", "0"},
        {"roundrobin", "1"},
        {"cooperative-sticky", "2 cooperative"},
        {"roundrobin,range", "10"},
        {"cooperative-sticky,range", "20"},
        {"range,cooperative-sticky", "02"},
        {"roundrobin, cooperative-sticky\t,range", "120"},
        {"range,range,roundrobin,range", "01"},
        {"cooperative-sticky,cooperative-sticky", "2 cooperative"},
        {"sticky,roundrobin", "1"},
        {"cooperative-sticky,unknown", "2 cooperative"},
        {"rang,ranges,Range", "0"},
        {"", "0"},
        {", ,", "0"},
        {",roundrobin", "1"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_kafka_fetch_settings found =
            read_one("partition.assignment.strategy", cases[i].text, UINT64_MAX);
        char text[64] = "";
        for (uint32_t k = 0; k < found.assignor_count; k++)
            snprintf(text + strlen(text), 8, "%d", (int)found.assignors[k]);
        strcat(text, found.cooperative ? " cooperative" : "");
        if (strcmp(text, cases[i].expected) != 0)
            fail_msg("\"%s\": %s, not %s", cases[i].text, text, cases[i].expected);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_alone),
        cmocka_unit_test(test_large_numbers),
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_assignors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
