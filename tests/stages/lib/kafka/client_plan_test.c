/* The properties that the stages set in a Kafka client in addition to the user's: the whole list, and each limit. The
 * user's values are kept. */
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

static void test_acks(void **state)
{
    static const struct {
        const char *given;
        int32_t acks;
        bool is_idempotent;
    } cases[] = {
        {"", -1, true},
        {"acks=all", -1, true},
        {"acks=-1", -1, true},
        {"acks=1", 1, false},
        {"acks=0", 0, false},
        {"enable.idempotence=false", -1, false},
        {"acks=all enable.idempotence=true", -1, true},
        {"acks=1 enable.idempotence=false", 1, false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        const struct ps_kafka_sender_wants wants = {.queue_bytes = 0};
        build(cases[i].given, &wants);
        assert_int_equal(settings.acks, cases[i].acks);
        assert_int_equal(settings.idempotent, cases[i].is_idempotent);
        assert_int_equal(settings.in_flight_max, cases[i].is_idempotent ? 0 : 1);
        assert_value("enable.gapless.guarantee", cases[i].is_idempotent ? "true" : NULL);
        assert_value("message.timeout.ms", "0");
        assert_int_equal(ps_kafka_acks_are_weak(settings.acks), cases[i].acks >= 0);
    }
}

/* The older key counts if there is no newer one; files are not read. */
static void test_peek(void **state)
{
    struct ps_pair items[] = {{.key = "security.protocol", .value = "SSL"},
                              {.key = "ssl.truststore.location", .value = "/none"},
                              {.key = "acks", .value = " all "}};
    const struct ps_pairs without = {.count = 2, .items = items}, with = {.count = 3, .items = items};
    assert_int_equal(ps_kafka_peek(PS_KAFKA_PRODUCER, &without, NULL).acks, -1);
    assert_int_equal(ps_kafka_peek(PS_KAFKA_PRODUCER, &without, "1").acks, 1);
    assert_int_equal(ps_kafka_peek(PS_KAFKA_PRODUCER, &without, "2").acks, -1);
    assert_int_equal(ps_kafka_peek(PS_KAFKA_PRODUCER, &with, "1").acks, -1);
}

/* acks=0 and acks=1 have warnings of their own, about what each may lose. */
static void test_warnings(void **state)
{
    assert_string_equal(
        ps_kafka_acks_warning(0),
        "acks=0: the broker never answers, so an event counts as delivered once it is sent; if a broker "
        "fails, events are lost and not counted. Remove the key for acks=all");
    assert_string_equal(
        ps_kafka_acks_warning(1),
        "acks=1: if the leader of a partition fails, events that it had not copied are lost, and a retry may "
        "duplicate events or change their order. Remove the key for acks=all with idempotence");
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

static void test_native(void **state)
{
    const struct ps_kafka_sender_wants wants = {
        .queue_bytes = 8192 * KIB, .in_flight_bytes_max = 3000 * KIB + 5, .native = true};
    build("", &wants);
    assert_ptr_equal(sender.engine, &ps_kafka_native);
    assert_int_equal(sender.linger_ns, 0);
    assert_value("linger.ms", "0");
    assert_value("queue.buffering.max.kbytes", "3000");
    build("linger.ms=20", &wants);
    assert_value("linger.ms", "20");
    assert_int_equal(sender.linger_ns, 0);
}

static void note(void *key_, enum ps_log_level severity, const char *key, const char *message)
{
    assert_int_equal(severity, PS_LOG_ERROR);
    assert_non_null(strstr(message, "librdkafka's own"));
    snprintf(key_, 64, "%s", key);
}

/* A source and a channel have no other client than the native one. */
static void test_native_only(void **state)
{
    for (enum ps_kafka_client client = PS_KAFKA_PRODUCER; client <= PS_KAFKA_CONSUMER; client++) {
        char key[64] = "";
        struct ps_pair own = {.key = "socket.keepalive.enable", .value = "true"}, java = {"client.id", "c"};
        const struct ps_pairs refused = {.items = &own, .count = 1}, fits = {.items = &java, .count = 1};
        const struct ps_context context = {.arena = ps_test_arena()};
        const struct ps_notes notes = {.report = note, .argument = key};
        assert_int_equal(ps_kafka_native_check(client, &refused, &context, &notes), PS_FAIL);
        assert_string_equal(key, "socket.keepalive.enable");
        assert_int_equal(ps_kafka_native_check(client, &fits, &context, &notes), PS_OK);
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

static void test_groups(void **state)
{
    static const struct {
        const char *given;
        bool cooperative;
        uint64_t wait_ms;
    } cases[] = {
        {"", false, 30000},
        {"partition.assignment.strategy=cooperative-sticky", true, 30000},
        {"partition.assignment.strategy=cooperative-sticky,range", false, 30000},
        {"max.poll.interval.ms=40000", false, 30000},
        {"max.poll.interval.ms=39996", false, 29997},
        {"max.poll.interval.ms=4", false, 3},
        {"max.poll.interval.ms=50000", false, 30000},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        begin(PS_KAFKA_CONSUMER, cases[i].given);
        assert_int_equal(settings.reader.cooperative, cases[i].cooperative);
        assert_int_equal(ps_kafka_revoke_wait_ns(&settings), cases[i].wait_ms * PS_NS_PER_MS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acks),
        cmocka_unit_test(test_peek),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_queue),
        cmocka_unit_test(test_defaults_and_given),
        cmocka_unit_test(test_waves),
        cmocka_unit_test(test_native),
        cmocka_unit_test(test_native_only),
        cmocka_unit_test(test_older_names),
        cmocka_unit_test(test_no_refresh),
        cmocka_unit_test(test_groups),
    };
    return cmocka_run_group_tests(tests, ps_test_arena_setup, teardown);
}
