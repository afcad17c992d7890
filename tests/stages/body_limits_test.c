/* Bodies of exactly PS_BODY_BYTES_MAX, one byte less and one more, wherever lengths are compared with this limit, but for the interceptor
 * search_replace, which would have to write such a body. Here no body is written: lengths are claimed, reads write nothing, and memory is
 * reserved but not touched. */
#include "core/flow/limits.h"

#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/container.h"
#include "stages/lib/java/exchange/events.h"
#include "stages/lib/kafka/fetch/record.h"
#include "stages/lib/stream/stream.h"
#include "stages/lib/text/line_text.h"
#include "tests/support/stage.h"

#define LIMIT ((uint64_t)PS_BODY_BYTES_MAX)
#define GIB (UINT64_C(1) << 30)
#define SQLITE_VALUE_BYTES_MAX 1000000000U

/* The bytes of an event that is at all limits, with the lengths of its headers. */
#define EVENT_BYTES                                                                                          \
    (LIMIT + PS_EVENT_NAMES_BYTES_MAX + PS_EVENT_VALUES_BYTES_MAX + UINT64_C(16) * PS_EVENT_HEADERS_MAX)
_Static_assert(EVENT_BYTES <= PS_EVENT_FRAME_BYTES_MAX && PS_EVENT_FRAME_BYTES_MAX < GIB &&
                   EVENT_BYTES <= SQLITE_VALUE_BYTES_MAX,
               "an event within the limits fits into a frame of each durable channel");

static void start(struct ps_test_stage *stage, const struct ps_stage_ops *ops, uint64_t budget_bytes,
                  const char *const *keys)
{
    ps_test_stage_init_sized(stage, ops, budget_bytes);
    assert_int_equal(ps_test_stage_bind(stage, keys), PS_OK);
    assert_int_equal(ps_test_stage_build(stage), PS_OK);
    assert_int_equal(ps_test_stage_open(stage), PS_OK);
}

/* Lets the deserializer work until it has no more to do for the batch, which takes no event. */
static enum ps_deserialized work(struct ps_test_stage *stage, struct ps_input *input, struct ps_err *err)
{
    const struct ps_deserializer_ops *ops = stage->ops->deserializer;
    struct ps_batch *batch = ps_batch_take(&stage->bump, stage->now);
    enum ps_deserialized result;
    batch->capacity = 0;
    ops->begin(stage->plan, stage->state, input);
    do
        result = ops->work(stage->plan, stage->state, input, batch, err);
    while (result == PS_DESERIALIZED_SOME);
    ps_batch_give(batch);
    return result;
}

/* ---- blob ---- */

static uint64_t read_to;

static int64_t claim(struct ps_input *, uint64_t offset, void *, uint32_t room)
{
    read_to = offset + room;
    return room;
}

/* A file is cut at maxBlobLength, but not later than at the limit. */
static void test_blob(void **unused)
{
    static const struct {
        const char *max_blob_length;
        uint64_t body_bytes;
    } rows[] = {{"939524095", LIMIT - 1}, {"939524096", LIMIT}, {"939524097", LIMIT}, {"2147483647", LIMIT}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        struct ps_err err = {.length = 0};
        struct ps_input input = {.read = claim, .size = 2 * GIB};
        start(&stage, &ps_deserializer_blob, 4 * GIB, PS_KEYS("maxBlobLength", rows[i].max_blob_length));
        assert_int_equal(work(&stage, &input, &err), PS_DESERIALIZED_FULL);
        assert_int_equal(read_to, rows[i].body_bytes);
        ps_test_stage_fini(&stage);
    }
}

/* ---- avro ---- */

static char contents[1024];
static size_t length;

static int64_t give(struct ps_input *, uint64_t offset, void *to, uint32_t room)
{
    uint64_t count = offset >= length ? 0 : length - offset < room ? length - offset : room;
    memcpy(to, contents + offset, count);
    return count > 0 ? (int64_t)count : PS_INPUT_END;
}

/* A block whose head claims these bytes, which do not follow; or, with snappy, one that claims to have these bytes when it is decompressed. */
static void make_block(const char *codec, uint64_t bytes)
{
    static const uint8_t sync[PS_AVRO_SYNC_BYTES] = "0123456789abcdef";
    const char *const pairs[] = {"avro.schema", "\"bytes\"", "avro.codec", codec, NULL};
    length = ps_avro_container_header_write(pairs, sync, contents, sizeof contents);
    length += ps_avro_put_long(contents + length, 1);
    if (strcmp(codec, "null") == 0) {
        length += ps_avro_put_long(contents + length, (int64_t)bytes);
        return;
    }
    length += ps_avro_put_long(contents + length, 5 + 4);
    for (unsigned i = 0; i < 5; i++) /* 7 bits in each byte */
        contents[length++] = (char)(bytes >> 7 * i & 0x7F) | (char)(i < 4 ? 0x80 : 0);
    memset(contents + length, 0, 4); /* the checksum */
    memcpy(contents + length + 4, sync, sizeof sync);
    length += 4 + sizeof sync;
}

static void test_avro(void **unused)
{
    static const struct {
        const char *codec, *why;
        uint64_t bytes;
    } rows[] = {{"null", "the file ends in it", LIMIT},
                {"null", "its lengths", LIMIT + 1},
                {"snappy", "it cannot be decompressed", LIMIT},
                {"snappy", "it is larger than", LIMIT + 1}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        struct ps_err err = {.length = 0};
        make_block(rows[i].codec, rows[i].bytes);
        struct ps_input input = {.read = give, .size = length};
        start(&stage, &ps_deserializer_avro, 8 * GIB, NULL);
        assert_int_equal(work(&stage, &input, &err), PS_DESERIALIZED_FAILED);
        if (strstr(err.text, rows[i].why) == NULL)
            fail_msg("row %zu: %s", i, err.text);
        ps_test_stage_fini(&stage);
    }
}

/* ---- lines ---- */

static void test_line_text(void **unused)
{
    static const int64_t chars = LIMIT / 4;
    static const struct {
        int64_t wanted, most;
        uint64_t bytes_max;
    } rows[] = {{chars - 1, chars - 1, 8 * GIB}, {chars, chars, 8 * GIB},   {chars + 1, chars, 8 * GIB},
                {chars + 1, chars, LIMIT + 4},   {chars + 1, chars, LIMIT}, {chars, chars - 1, LIMIT - 1},
                {INT64_MAX, chars, UINT64_MAX}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_charset utf8;
        struct ps_err err;
        struct ps_line_text text = {.in = NULL};
        assert_int_equal(ps_charset_find("UTF-8", &utf8, &err), PS_OK);
        const struct ps_input input = {.charset = &utf8};
        ps_line_text_begin(&text, NULL, &input, &utf8, rows[i].wanted, rows[i].bytes_max);
        assert_int_equal(text.chars_max, rows[i].most);
    }
}

/* ---- sources of streams ---- */

static void test_stream(void **unused)
{
    static const struct {
        uint64_t budget_bytes, wanted, most;
        unsigned instances;
    } rows[] = {{16 * (LIMIT - 1), LIMIT, LIMIT - 1, 1}, {16 * LIMIT, LIMIT, LIMIT, 1},
                {16 * (LIMIT + 1), LIMIT + 1, LIMIT, 1}, {16 * (LIMIT + 1), LIMIT - 1, LIMIT - 1, 1},
                {32 * LIMIT, LIMIT + 1, LIMIT, 2},       {UINT64_MAX, UINT64_MAX, LIMIT, 1}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_source_netcat);
        stage.context.memory_budget_bytes = rows[i].budget_bytes;
        stage.context.instances = rows[i].instances;
        assert_int_equal(ps_stream_message_max(&stage.context, rows[i].wanted), rows[i].most);
        assert_int_equal(ps_stream_message_max_of(&stage.context, "key", rows[i].wanted), rows[i].most);
        assert_int_equal(ps_test_stage_reported(&stage, PS_LOG_WARN, "at most 896 MiB"),
                         rows[i].most < rows[i].wanted);
        ps_test_stage_fini(&stage);
    }
}

/* ---- records of Kafka ---- */

static void test_kafka_record(void **unused)
{
    static const struct {
        uint32_t value, key; /* lengths */
        bool is_event;
    } rows[] = {{LIMIT - 1, 0, true},         {LIMIT, 0, true},      {LIMIT + 1, 0, false},
                {LIMIT - 3, 3, true},         {LIMIT - 3, 4, false}, {INT32_MAX, 0, false},
                {INT32_MAX, INT32_MAX, false}};
    const struct ps_kafka_record_plan plan = {
        .key = ps_name_intern("key"), .group = "g", .batch_events_max = 1000};
    struct ps_test_stage stage;
    struct ps_kafka_streams streams = {.count = 0};
    ps_test_stage_init_sized(&stage, &ps_source_kafka, 2 * GIB);
    ps_kafka_streams_assign(&streams, "topic", 0);
    struct ps_block *block = ps_block_take(ps_pool_cache(stage.pool));
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_kafka_record_state state = {.plan = &plan, .streams = &streams, .port = &stage.port};
        struct ps_batch *batch = ps_batch_take(&stage.bump, stage.now);
        uint64_t malformed = ps_test_stage_counter(&stage, PS_COUNTER_malformed);
        const struct ps_kafka_message message = {.offset = (int64_t)i,
                                                 .value = block->base,
                                                 .value_length = rows[i].value,
                                                 .key = rows[i].key > 0 ? block->base : NULL,
                                                 .key_length = rows[i].key,
                                                 .block = block,
                                                 .block_number = 1};
        ps_kafka_record_begin(&state, batch);
        assert_int_equal(ps_kafka_record_take(&state, &message), PS_KAFKA_TAKEN_LAST);
        assert_int_equal(batch->count, rows[i].is_event);
        if (rows[i].is_event)
            assert_int_equal(batch->events[0].body_length, rows[i].value);
        assert_int_equal(ps_test_stage_counter(&stage, PS_COUNTER_malformed), malformed + !rows[i].is_event);
        assert_int_equal(rows[i].is_event ? streams.items[0].taken : streams.items[0].skipped, i);
        ps_batch_give(batch);
    }
    ps_block_drop(ps_pool_cache(stage.pool), block);
    ps_kafka_streams_fini(&streams);
    ps_test_stage_fini(&stage);
}

/* ---- events from Java ---- */

static void test_java_event(void **unused)
{
    for (uint32_t body_length = (uint32_t)LIMIT - 1; body_length <= LIMIT + 1; body_length++) {
        struct ps_java_event head = {.size = (uint32_t)(sizeof head + LIMIT + 8), .body_length = body_length};
        struct ps_java_event event;
        struct ps_java_reader reader = {.base = (const char *)&head, .size = head.size};
        assert_true(ps_java_reader_next(&reader, &event));
        assert_int_equal(ps_java_reader_is_good(&reader, &event), body_length <= LIMIT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blob),         cmocka_unit_test(test_avro),
        cmocka_unit_test(test_line_text),    cmocka_unit_test(test_stream),
        cmocka_unit_test(test_kafka_record), cmocka_unit_test(test_java_event)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
