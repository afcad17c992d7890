/* The record that is made of an event: every field after each event, numbers as Java reads them, and the reason for each refusal. */
#include "stages/lib/kafka/produce/mapping.h"

#include "tests/support/stage.h"

#define HEADERS 3U

static struct ps_test_stage stage;
static struct ps_kafka_mapping mapping;
static struct ps_kafka_fields fields;
static const struct ps_name *names[HEADERS];
static const char *kafka_names[HEADERS] = {"k-a", "k-b", "k-c"};

struct mapped {
    enum ps_kafka_flaw flaw;
    struct ps_kafka_record record;
    struct ps_slice topic;
    bool timestamp_ignored;
};

static int setup(void **state)
{
    static const char *const flume_names[HEADERS] = {"a", "b", "c"};
    ps_test_stage_init(&stage, &ps_sink_null);
    for (unsigned i = 0; i < HEADERS; i++)
        names[i] = ps_name_intern(flume_names[i]);
    mapping = (struct ps_kafka_mapping){.topic = "usual",
                                        .topic_length = 5,
                                        .topic_header = ps_name_intern("topic"),
                                        .key_header = ps_name_intern("key"),
                                        .partition_header = ps_name_intern("partition"),
                                        .timestamp_header = ps_name_intern("time"),
                                        .default_partition = 7,
                                        .header_count = HEADERS,
                                        .header_names = names,
                                        .kafka_names = kafka_names};
    return 0;
}

static int teardown(void **state)
{
    ps_test_stage_fini(&stage);
    return 0;
}

/* The call must set every field: nothing that the fields had before may remain. */
static struct mapped map(struct ps_lease *lease)
{
    struct mapped mapped = {.topic = {"before", 6}};
    memset(&mapped.record, 0xee, sizeof mapped.record);
    memset(fields.headers, 0xee, sizeof fields.headers);
    fields.header_count = 99;
    mapped.flaw =
        ps_kafka_mapping_apply(&mapping, lease->batch, ps_lease_event(lease, 0), &fields, &stage.now,
                               &mapped.record, &mapped.topic, &mapped.timestamp_ignored);
    return mapped;
}

static void assert_slice(struct ps_slice slice, const char *text)
{
    assert_int_equal(slice.length, strlen(text));
    assert_memory_equal(slice.data, text, slice.length);
}

static void assert_headers(const struct ps_kafka_record *record, const char *expected)
{
    char text[256] = "";
    for (uint32_t i = 0; i < record->header_count; i++) {
        strcat(strcat(text, record->headers[i].name), "=");
        strncat(text, record->headers[i].value, record->headers[i].value_length);
        strcat(text, " ");
    }
    assert_string_equal(text, expected);
}

static void test_every_field(void **state)
{
    struct mapped mapped = map(PS_LEASE(&stage, PS_BODY("body")));
    assert_int_equal(mapped.flaw, PS_KAFKA_FLAW_NONE);
    assert_slice(mapped.topic, "usual");
    assert_int_equal(mapped.record.partition, 7);
    assert_true(mapped.record.timestamp_ms == PS_KAFKA_TIMESTAMP_NONE);
    assert_null(mapped.record.key);
    assert_int_equal(mapped.record.key_length, 0);
    assert_int_equal(mapped.record.header_count, 0);
    assert_false(mapped.timestamp_ignored);
    mapped = map(PS_LEASE(&stage, PS_EVENT("body", "topic", "other", "key", "k1", "partition", "3", "time",
                                           "1234567890123", "b", "B", "c", "", "d", "no")));
    assert_int_equal(mapped.flaw, PS_KAFKA_FLAW_NONE);
    assert_slice(mapped.topic, "other");
    assert_int_equal(mapped.record.partition, 3);
    assert_true(mapped.record.timestamp_ms == INT64_C(1234567890123));
    assert_slice((struct ps_slice){mapped.record.key, (uint32_t)mapped.record.key_length}, "k1");
    assert_headers(&mapped.record, "k-b=B k-c= ");
    assert_false(mapped.timestamp_ignored);
    mapped = map(PS_LEASE(&stage, PS_EVENT("body", "key", "", "c", "3", "a", "1", "b", "2")));
    assert_non_null(mapped.record.key); /* an empty key is not an absent one */
    assert_int_equal(mapped.record.key_length, 0);
    assert_headers(&mapped.record, "k-a=1 k-b=2 k-c=3 ");
    assert_slice(mapped.topic, "usual");
}

/* A sink that does not have these keys does not look at these headers. */
static void test_without_keys(void **state)
{
    const struct ps_kafka_mapping whole = mapping;
    mapping.topic_header = mapping.partition_header = mapping.timestamp_header = NULL;
    mapping.header_count = 0;
    struct mapped mapped = map(PS_LEASE(
        &stage, PS_EVENT("", "topic", "other", "partition", "bad", "time", "-1", "a", "1", "key", "k")));
    assert_int_equal(mapped.flaw, PS_KAFKA_FLAW_NONE);
    assert_slice(mapped.topic, "usual");
    assert_int_equal(mapped.record.partition, 7);
    assert_true(mapped.record.timestamp_ms == PS_KAFKA_TIMESTAMP_NONE);
    assert_int_equal(mapped.record.header_count, 0);
    assert_slice((struct ps_slice){mapped.record.key, (uint32_t)mapped.record.key_length}, "k");
    mapping = whole;
}

/* Java's parseInt and parseLong. `partition` and `time` are what the event's record has; -1: the event is refused. */
static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        int64_t partition, time;
        bool ignored;
    } cases[] = {
        {"0", 0, 0, false},
        {"+0", 0, 0, false},
        {"-0", 0, 0, false},
        {"+5", 5, 5, false},
        {"007", 7, 7, false},
        {"-1", -1, -1, false},
        {"2147483646", INT32_MAX - 1, INT32_MAX - 1, false},
        {"2147483647", INT32_MAX, INT32_MAX, false},
        {"2147483648", -1, INT64_C(2147483648), false},
        {"4294967297", -1, INT64_C(4294967297), false},
        {"-2147483648", -1, -1, false},
        {"-2147483649", -1, -1, false},
        {"9223372036854775806", -1, INT64_MAX - 1, false},
        {"9223372036854775807", -1, INT64_MAX, false},
        {"9223372036854775808", -1, 0, true},
        {"-9223372036854775808", -1, -1, false},
        {"-9223372036854775809", -1, 0, true},
        {"92233720368547758070", -1, 0, true},
        {"18446744073709551617", -1, 0, true},
        {"", -1, 0, true},
        {"+", -1, 0, true},
        {"-", -1, 0, true},
        {"--1", -1, 0, true},
        {"+-1", -1, 0, true},
        {" 1", -1, 0, true},
        {"1 ", -1, 0, true},
        {"1.0", -1, 0, true},
        {"0x1", -1, 0, true},
        {"1/", -1, 0, true},
        {"1:", -1, 0, true},
        {"a", -1, 0, true},
        {"1a", -1, 0, true},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct mapped mapped = map(PS_LEASE(&stage, PS_EVENT("", "partition", cases[i].text, "a", "1")));
        assert_int_equal(mapped.flaw, cases[i].partition < 0 ? PS_KAFKA_FLAW_PARTITION : PS_KAFKA_FLAW_NONE);
        if (cases[i].partition >= 0)
            assert_true(mapped.record.partition == cases[i].partition);
        assert_false(mapped.timestamp_ignored);
        mapped = map(PS_LEASE(&stage, PS_EVENT("", "time", cases[i].text, "a", "1")));
        assert_int_equal(mapped.timestamp_ignored, cases[i].ignored);
        assert_int_equal(mapped.flaw, cases[i].time < 0 ? PS_KAFKA_FLAW_TIMESTAMP : PS_KAFKA_FLAW_NONE);
        if (cases[i].ignored)
            assert_true(mapped.record.timestamp_ms == PS_KAFKA_TIMESTAMP_NONE);
        else if (cases[i].time >= 0)
            assert_true(mapped.record.timestamp_ms == cases[i].time);
        if (cases[i].time >= 0)
            assert_headers(&mapped.record, "k-a=1 ");
    }
}

static void test_escapes(void **state)
{
    const struct ps_escape_options options = {.value = 1, .time_zone = "UTC"};
    const struct ps_kafka_mapping whole = mapping;
    char name[PS_KAFKA_TOPIC_BYTES_MAX + 2];
    mapping.topic_escape = ps_escape_compile(stage.arena, "t-%{a}-%Y", &options, &stage.err);
    assert_non_null(mapping.topic_escape);
    struct mapped mapped = map(PS_LEASE(&stage, PS_EVENT("", "a", "x", "timestamp", "1000")));
    assert_int_equal(mapped.flaw, PS_KAFKA_FLAW_NONE);
    assert_slice(mapped.topic, "t-x-1970");
    assert_int_equal(map(PS_LEASE(&stage, PS_EVENT("", "a", "x"))).flaw, PS_KAFKA_FLAW_ESCAPE);
    assert_int_equal(map(PS_LEASE(&stage, PS_EVENT("", "a", "x", "timestamp", "now"))).flaw,
                     PS_KAFKA_FLAW_ESCAPE);
    /* the header alone names the topic: no timestamp is needed */
    mapped = map(PS_LEASE(&stage, PS_EVENT("", "a", "x", "topic", "other")));
    assert_int_equal(mapped.flaw, PS_KAFKA_FLAW_NONE);
    assert_slice(mapped.topic, "other");
    for (size_t length = PS_KAFKA_TOPIC_BYTES_MAX - 1; length <= PS_KAFKA_TOPIC_BYTES_MAX + 1; length++) {
        memset(name, 'n', length - strlen("t--1970"));
        name[length - strlen("t--1970")] = '\0';
        mapped = map(PS_LEASE(&stage, PS_EVENT("", "a", name, "timestamp", "1000")));
        assert_int_equal(mapped.flaw,
                         length <= PS_KAFKA_TOPIC_BYTES_MAX ? PS_KAFKA_FLAW_NONE : PS_KAFKA_FLAW_TOPIC);
        if (length <= PS_KAFKA_TOPIC_BYTES_MAX)
            assert_int_equal(mapped.topic.length, length);
    }
    mapping = whole;
}

/* People read these in the log and in dead letters. */
static void test_texts(void **state)
{
    static const char *const texts[] = {
        [PS_KAFKA_FLAW_NONE] = "none",
        [PS_KAFKA_FLAW_PARTITION] = "its partition header is not a partition number: check partitionIdHeader",
        [PS_KAFKA_FLAW_TIMESTAMP] = "its timestamp header is negative: check timestampHeader",
        [PS_KAFKA_FLAW_ESCAPE] = "kafka.topic has a time escape, and the event has no header timestamp with "
                                 "milliseconds: add a timestamp interceptor",
        [PS_KAFKA_FLAW_TOPIC] = "its topic is not a legal name: check kafka.topic and the topic header",
        [PS_KAFKA_FLAW_QUEUE] = "it is larger than the producer's queue: raise kafka.producer.buffer.memory, "
                                "or lower kafka.producer.max.request.size",
    };
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++)
        assert_string_equal(ps_kafka_flaw_text((enum ps_kafka_flaw)i), texts[i]);
}

/* An event needs no mapping only if none of the names can be in its batch. */
static void test_plain(void **state)
{
    const struct ps_kafka_mapping whole = mapping;
    struct ps_batch batch = {.shared_mask = 0};
    mapping.mask = 6;
    assert_true(ps_kafka_mapping_is_plain(&mapping, &batch));
    batch = (struct ps_batch){.shared_mask = 8, .own_mask = 1};
    assert_true(ps_kafka_mapping_is_plain(&mapping, &batch));
    batch = (struct ps_batch){.shared_mask = 2, .own_mask = 1};
    assert_false(ps_kafka_mapping_is_plain(&mapping, &batch));
    batch = (struct ps_batch){.shared_mask = 8, .own_mask = 4};
    assert_false(ps_kafka_mapping_is_plain(&mapping, &batch));
    batch = (struct ps_batch){.shared_mask = 0};
    mapping.event_format = true;
    assert_false(ps_kafka_mapping_is_plain(&mapping, &batch));
    mapping = whole;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_every_field, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_keys, setup, teardown),
        cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_escapes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_plain, setup, teardown),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
