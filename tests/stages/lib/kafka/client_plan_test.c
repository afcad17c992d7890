/* The properties that a sink sets in librdkafka in addition to the user's: the whole list, and each limit. The user's values are kept. */
#include "stages/lib/kafka/client_plan.h"

#include "stages/lib/kafka/cluster/native.h"
#include "tests/support/arena.h"
#include "tests/support/kafka/settings.h"
#include "tests/support/support.h"

#include <inttypes.h>
#include <stdio.h>

#define KIB UINT64_C(1024)

static struct ps_kafka_settings settings;
static struct ps_kafka_sender_plan sender;

static int teardown(void **state)
{
    ps_kafka_settings_fini(&settings);
    return ps_test_arena_teardown(state);
}

/* Begins with these properties: "name=value ..". */
static void begin(enum ps_kafka_client client, const char *given)
{
    struct ps_pair items[8];
    struct ps_pairs pairs = {.items = items};
    const struct ps_context context = {.arena = ps_test_arena()};
    struct ps_err err = {.length = 0};
    for (; *given != '\0'; given += strcspn(given, " "), given += strspn(given, " ")) {
        size_t name = strcspn(given, "="), whole = strcspn(given, " ");
        items[pairs.count++] =
            (struct ps_pair){.key = ps_arena_copy(ps_test_arena(), given, name),
                             .value = ps_arena_copy(ps_test_arena(), given + name + 1, whole - name - 1)};
    }
    ps_kafka_settings_fini(&settings);
    if (ps_kafka_translate(client, &pairs, &context, NULL, &settings, &err) != PS_OK)
        fail_msg("%s", err.text);
}

static void assert_value(const char *name, const char *expected)
{
    if (!ps_test_setting_is(&settings, name, expected))
        fail_msg("%s: %s, not %s", name, ps_test_setting(&settings, name), expected);
}

static void build(const char *given, const struct ps_kafka_sender_wants *wants)
{
    struct ps_err err = {.length = 0};
    begin(PS_KAFKA_PRODUCER, given);
    memset(&sender, 0xee, sizeof sender);
    if (ps_kafka_sender_plan_build(&sender, &settings, wants, &err) != PS_OK)
        fail_msg("%s", err.text);
    assert_ptr_equal(sender.settings, &settings);
}

static void assert_number(const char *name, uint64_t expected)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, expected);
    assert_value(name, text);
}

static uint64_t between(uint64_t value, uint64_t least, uint64_t most)
{
    return value < least ? least : value > most ? most : value;
}

/* The queue's size follows the memory that it may have: one step on each side of each limit. */
static void test_queue(void **state)
{
    static const uint64_t sizes[] = {0,
                                     2048 * 256 - 1,
                                     2048 * 256,
                                     2049 * 256,
                                     2048 * KIB - 1,
                                     2048 * KIB,
                                     2049 * KIB,
                                     UINT64_C(10000000) * 256 - 1,
                                     UINT64_C(10000000) * 256,
                                     UINT64_C(10000001) * 256,
                                     (uint64_t)INT32_MAX * KIB,
                                     ((uint64_t)INT32_MAX + 1) * KIB,
                                     UINT64_MAX};
    for (size_t i = 0; i < PS_COUNT_OF(sizes); i++) {
        uint64_t kib = between(sizes[i] / KIB, 2048, INT32_MAX);
        for (int step = -1; step <= 1; step++) {
            uint64_t in_flight = kib * KIB + (uint64_t)(int64_t)step;
            build("",
                  &(struct ps_kafka_sender_wants){.queue_bytes = sizes[i], .in_flight_bytes_max = in_flight});
            assert_number("queue.buffering.max.messages", between(sizes[i] / 256, 2048, 10000000));
            assert_number("queue.buffering.max.kbytes", kib);
            assert_int_equal(sender.in_flight_bytes_max, step < 0 ? in_flight : kib * KIB);
        }
    }
    /* one record of the largest size always has room */
    for (uint64_t largest = 2048 * KIB - 2; largest <= 2048 * KIB + 1; largest++) {
        char given[64];
        snprintf(given, sizeof given, "message.max.bytes=%" PRIu64, largest);
        build(given, &(struct ps_kafka_sender_wants){.queue_bytes = 0});
        assert_number("queue.buffering.max.kbytes", largest < 2048 * KIB ? 2048 : 2049);
        assert_int_equal(sender.record_bytes_max, largest);
    }
}

static void test_defaults_and_given(void **state)
{
    static const char *const names[] = {"batch.size",
                                        "batch.num.messages",
                                        "message.max.bytes",
                                        "linger.ms",
                                        "statistics.interval.ms",
                                        "topic.metadata.propagation.max.ms",
                                        "log.connection.close",
                                        "message.timeout.ms"};
    static const char *const defaults[] = {"1000000", "10000", "1048576", "5", "5000", "5000", "false", "0"};
    static const char *const given[] = {"2000", "3", "4000", "7", "8", "9", "true", "11"};
    for (size_t which = 0; which < PS_COUNT_OF(names); which++) {
        char text[64];
        snprintf(text, sizeof text, "%s=%s", names[which], given[which]);
        build(text, &(struct ps_kafka_sender_wants){.queue_bytes = 4096 * KIB});
        for (size_t i = 0; i < PS_COUNT_OF(names); i++)
            assert_value(names[i], i == which ? given[i] : defaults[i]);
        assert_int_equal(sender.record_bytes_max, which == 2 ? 4000 : 1048576);
        assert_int_equal(sender.request_bytes_max, which == 0 ? 2000 : 1000000);
        assert_int_equal(sender.linger_ns, (which == 3 ? 7 : 5) * PS_NS_PER_MS);
        assert_ptr_equal(sender.engine, &ps_kafka_librdkafka);
    }
}

/* There is no limit of waves where the user decides about the queue, the linger or the order. */
static void test_waves(void **state)
{
    static const struct {
        const char *given;
        uint64_t linger_ns;
    } cases[] = {
        {"queue.buffering.max.ms=1.9", 0},       {"linger.ms=2", 2 * PS_NS_PER_MS},
        {"queue.buffering.max.ms=2.5", 2500000}, {"linger.ms=0", 0},
        {"enable.idempotence=false", 0},         {"queue.buffering.max.messages=5000", 0},
        {"queue.buffering.max.kbytes=5000", 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        build(cases[i].given, &(struct ps_kafka_sender_wants){.queue_bytes = 4096 * KIB});
        assert_int_equal(sender.linger_ns, cases[i].linger_ns);
    }
}

/* Keeps what librdkafka has at last of the properties that have two names. */
static bool note_last(void *last_, const char *name, const char *value)
{
    static const char *const older[] = {"metadata.broker.list", "max.in.flight"};
    static const char *const newer[] = {"bootstrap.servers", "max.in.flight.requests.per.connection"};
    char(*last)[32] = last_;
    for (size_t i = 0; i < PS_COUNT_OF(older); i++)
        if (strcmp(name, older[i]) == 0 || strcmp(name, newer[i]) == 0)
            snprintf(last[i], sizeof last[i], "%s", value);
    return true;
}

/* What the sink sets counts, also if the user sets the same property by librdkafka's older name. */
static void test_older_names(void **state)
{
    char last[2][32] = {"", ""};
    begin(PS_KAFKA_PRODUCER, "metadata.broker.list=wrong:9092 max.in.flight=100 acks=1");
    ps_kafka_text_set(&settings.texts.servers, "right:9092");
    struct ps_err err = {.length = 0};
    const struct ps_kafka_sender_wants wants = {.native = true};
    assert_int_equal(ps_kafka_sender_plan_build(&sender, &settings, &wants, &err), PS_OK);
    assert_ptr_equal(sender.engine, &ps_kafka_librdkafka);
    ps_kafka_settings_each(&settings, note_last, last);
    assert_string_equal(last[0], "right:9092");
    assert_string_equal(last[1], "1");
}

/* librdkafka takes -1 for "metadata is not asked for again". */
static void test_no_refresh(void **state)
{
    build("topic.metadata.refresh.interval.ms=-1", &(struct ps_kafka_sender_wants){.queue_bytes = 0});
    assert_value("topic.metadata.refresh.interval.ms", "-1");
    assert_string_equal(ps_test_setting(&settings, "topic.metadata.refresh.interval.ms"), "-1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_queue),      cmocka_unit_test(test_defaults_and_given),
        cmocka_unit_test(test_waves),      cmocka_unit_test(test_older_names),
        cmocka_unit_test(test_no_refresh),
    };
    return cmocka_run_group_tests(tests, ps_test_arena_setup, teardown);
}
