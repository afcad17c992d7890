/* The Avro datum of a Flume event: encoding as Avro does, decoding, and refusing other bytes. */
#include "stages/lib/avro/event.h"
#include "tests/support/stage.h"

extern const struct ps_stage_ops ps_sink_kafka;

static size_t encode(struct ps_lease *lease, char *out)
{
    const struct ps_event *event = ps_lease_event(lease, 0);
    size_t length = ps_avro_event_encode(lease->batch, event, out);
    assert_true(length <= ps_avro_event_bound(lease->batch, event));
    return length;
}

static void test_there_and_back(void **state)
{
    struct ps_test_stage stage;
    char datum[4096];
    ps_test_stage_init(&stage, &ps_sink_kafka);
    struct ps_lease *lease =
        PS_LEASE(&stage, PS_EVENT("the body", "a", "1", "empty", "", "long",
                                  "0123456789012345678901234567890123456789012345678901234567890123456789"));
    size_t length = encode(lease, datum);
    struct ps_avro_event_reader reader;
    struct ps_slice name, value;
    ps_avro_event_reader_init(&reader, datum, length);
    unsigned headers = 0;
    enum ps_avro_event_step step;
    while ((step = ps_avro_event_reader_next(&reader, &name, &value)) == PS_AVRO_EVENT_HEADER) {
        struct ps_test_event event = ps_test_lease_event(&stage, lease, 0);
        char key[16];
        assert_true(name.length < sizeof key);
        memcpy(key, name.data, name.length);
        key[name.length] = 0;
        const char *expected = ps_test_event_header(&event, key);
        assert_non_null(expected);
        assert_int_equal(strlen(expected), value.length);
        assert_memory_equal(expected, value.data, value.length);
        headers++;
    }
    assert_int_equal(step, PS_AVRO_EVENT_BODY);
    assert_int_equal(headers, 3);
    assert_int_equal(value.length, 8);
    assert_memory_equal(value.data, "the body", 8);
    assert_ptr_equal(reader.next, reader.end);
    ps_test_stage_fini(&stage);
}

/* Reads all parts until the end. */
static enum ps_avro_event_step read_all(const char *datum, size_t length)
{
    struct ps_avro_event_reader reader;
    struct ps_slice name, value;
    enum ps_avro_event_step step;
    ps_avro_event_reader_init(&reader, datum, length);
    do
        step = ps_avro_event_reader_next(&reader, &name, &value);
    while (step == PS_AVRO_EVENT_HEADER);
    return step;
}

static void test_several_blocks(void **state)
{
    /* a block of one, a block of one with its length in bytes, the end, the body */
    static const char datum[] = "\x02\x02"
                                "a\x02"
                                "1\x01\x08\x02"
                                "b\x02"
                                "2\x00\x04hi";
    assert_int_equal(read_all(datum, sizeof datum - 1), PS_AVRO_EVENT_BODY);
}

static void test_no_datum(void **state)
{
    static const char *const bad[] = {
        "",                                             /* nothing */
        "plain text",                                   /* a count of 56 headers, the first of 54 bytes */
        "\x01",                                         /* a block's length is missing */
        "\x02\x02",                                     /* a name that is cut */
        "\x02\x03z",                                    /* a negative length */
        "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", /* a number without end */
        "\x02\x02z\xfe\xff\xff\xff\x0f",                /* a value longer than anything */
    };
    for (size_t i = 0; i < PS_COUNT_OF(bad); i++)
        assert_int_equal(read_all(bad[i], strlen(bad[i])), PS_AVRO_EVENT_BAD);
    assert_int_equal(read_all("\x00\x06hi", 4), PS_AVRO_EVENT_BAD); /* a body of three */
    assert_int_equal(read_all("\x00\x04hi+", 5), PS_AVRO_EVENT_BODY);
}

static void test_every_cut_is_bad(void **state)
{
    struct ps_test_stage stage;
    char datum[4096];
    ps_test_stage_init(&stage, &ps_sink_kafka);
    size_t length = encode(PS_LEASE(&stage, PS_EVENT("body", "name", "value", "n", "v")), datum);
    for (size_t cut = 0; cut < length; cut++)
        assert_int_equal(read_all(datum, cut), PS_AVRO_EVENT_BAD);
    ps_test_stage_fini(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_several_blocks),
        cmocka_unit_test(test_no_datum),
        cmocka_unit_test(test_every_cut_is_bad),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
