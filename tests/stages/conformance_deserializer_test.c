/* The promises of every deserializer (core/stage.h), tested with each of them: it makes the same events however small
 * the pieces of the file are, and however few events fit into a batch; its position never goes back, and a restart at
 * any earlier position makes the remaining events and, if it continues within a position, exactly these; it waits
 * without using memory up; once warm it allocates nothing. */
#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/container.h"
#include "stages/table.h"
#include "stages/lib/text/charset.h"
#include "tests/support/allocations.h"
#include "tests/support/stage.h"

#include <stdio.h>

#define EVENTS_MIN 3U
#define EVENTS_MAX 600U

struct adapter {
    const struct ps_stage_ops *ops;
    const char *keys[16];
    void (*make)(void); /* writes `contents` */
    unsigned events;    /* 0: as many as the first reading makes */
    bool any_bytes;     /* any bytes are good: it never reports a damaged file */
};

static char contents[1 << 20];
static size_t length;
static unsigned event_count; /* of `contents` */

#ifdef PS_TEST_PLUGIN /* tests/plugin */
static struct adapter adapters[1];
#else
static void make_lines(void)
{
    length = 0;
    for (unsigned i = 0; i < 500; i++)
        length += (size_t)sprintf(
            contents + length, "line %u%.*s\n", i, (int)(i % 90),
            "........................................................................................");
}

/* Records {n: long, s: string} in blocks of 40. */
static void make_records(void)
{
    static const uint8_t sync[PS_AVRO_SYNC_BYTES] = "0123456789abcdef";
    const char *const pairs[] = {
        "avro.schema",
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"n\",\"type\":\"long\"},"
        "{\"name\":\"s\",\"type\":\"string\"}]}",
        NULL};
    length = ps_avro_container_header_write(pairs, sync, contents, sizeof contents);
    for (unsigned block = 0; block < 5; block++) {
        char data[40 * 128];
        size_t size = 0;
        for (unsigned i = 0; i < 40; i++) {
            size += ps_avro_put_long(data + size, (int64_t)block * 40 + i);
            size += ps_avro_put_long(data + size, i);
            memset(data + size, 'a' + (int)(i % 26), i);
            size += i;
        }
        length += ps_avro_put_long(contents + length, 40);
        length += ps_avro_put_long(contents + length, (int64_t)size);
        memcpy(contents + length, data, size);
        memcpy(contents + length + size, sync, sizeof sync);
        length += size + sizeof sync;
    }
}

static const struct adapter adapters[] = {
    {.ops = &ps_deserializer_avro, .make = make_records, .events = 200},
    {.ops = &ps_deserializer_blob,
     .keys = {"maxBlobLength", "10000"},
     .make = make_lines,
     .events = 3,
     .any_bytes = true},
    {.ops = &ps_deserializer_line, .keys = {"maxLineLength", "4096"}, .make = make_lines, .events = 500},
};
#endif

static void test_all_are_here(void **state)
{
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        unsigned times = 0;
        for (size_t k = 0; k < PS_COUNT_OF(adapters); k++)
            times += adapters[k].ops == ps_stages[i];
        if (times != (ps_stages[i]->kind == PS_KIND_DESERIALIZER))
            fail_msg("%s is asked %u times", ps_stages[i]->name, times);
    }
}

/* A file in memory that gives at most `piece` bytes, and nothing at every other call. */
struct source {
    struct ps_input input;
    uint32_t piece;
    bool hesitates, turn;
    uint64_t fails_at; /* offset from which reads fail; 0: no read fails */
};

static int64_t give(struct ps_input *input, uint64_t offset, void *to, uint32_t room)
{
    struct source *source = (struct source *)(void *)input;
    if (offset >= length)
        return PS_INPUT_END;
    source->turn = !source->turn;
    if (source->hesitates && source->turn)
        return PS_INPUT_NOT_NOW;
    if (source->fails_at > 0 && offset >= source->fails_at)
        return PS_INPUT_UNREADABLE;
    uint64_t count = (source->fails_at > 0 ? source->fails_at : length) - offset;
    count = count < room ? count : room;
    count = count < source->piece ? count : source->piece;
    memcpy(to, contents + offset, count);
    return (int64_t)count;
}

static struct ps_charset charset;

static void source_init(struct source *source, uint32_t piece, uint64_t position)
{
    assert_int_equal(ps_charset_find("UTF-8", &charset, NULL), PS_OK);
    *source = (struct source){
        .input = {.read = give, .charset = &charset, .size = length, .position = position}, .piece = piece};
}

struct event {
    char *body;
    size_t length;
    uint64_t position; /* position after the call that made the event */
};
static struct event expected[EVENTS_MAX];

static struct ps_batch *batch_take(struct ps_test_stage *stage, uint32_t capacity)
{
    struct ps_batch *batch = ps_batch_take(&stage->bump, stage->now);
    assert_non_null(batch);
    if (capacity < batch->capacity)
        batch->capacity = capacity;
    return batch;
}

/* Reads the file from `position` on; its events must be expected[first ..]. */
static void read_all(struct ps_test_stage *stage, struct source *source, unsigned first, unsigned count,
                     uint32_t capacity)
{
    const struct ps_deserializer_ops *ops = stage->ops->deserializer;
    struct ps_err err;
    ops->begin(stage->plan, stage->state, &source->input);
    struct ps_batch *batch = batch_take(stage, capacity);
    unsigned seen = first;
    for (unsigned calls = 0; calls < 10000000; calls++) {
        uint64_t before = source->input.position;
        uint32_t rows = batch->count;
        enum ps_deserialized result = ops->work(stage->plan, stage->state, &source->input, batch, &err);
        assert_true(source->input.position >= before);
        for (; rows < batch->count; rows++, seen++) {
            assert_true(seen < count);
            assert_int_equal(batch->events[rows].body_length, expected[seen].length);
            if (expected[seen].length > 0)
                assert_memory_equal(batch->events[rows].body, expected[seen].body, expected[seen].length);
        }
        assert_true(result != PS_DESERIALIZED_FAILED);
        if (result == PS_DESERIALIZED_ALL)
            break;
        if (result == PS_DESERIALIZED_FULL || batch->full) {
            assert_true(batch->full);
            ps_batch_give(batch);
            batch = batch_take(stage, capacity);
        }
    }
    ps_batch_give(batch);
    assert_int_equal(seen, count);
    assert_true(source->input.position >= length);
}

/* Fills `expected` by reading the file in one piece. Returns the number of events. */
static unsigned learn(struct ps_test_stage *stage)
{
    const struct ps_deserializer_ops *ops = stage->ops->deserializer;
    struct source source;
    struct ps_err err;
    unsigned count = 0;
    source_init(&source, UINT32_MAX, 0);
    ops->begin(stage->plan, stage->state, &source.input);
    struct ps_batch *batch = batch_take(stage, PS_BATCH_EVENTS_MAX);
    for (;;) {
        uint32_t rows = batch->count;
        enum ps_deserialized result = ops->work(stage->plan, stage->state, &source.input, batch, &err);
        for (; rows < batch->count; rows++) {
            if (count == EVENTS_MAX)
                fail_msg("%s: the file has more than %u events", stage->ops->name, EVENTS_MAX);
            struct event *event = &expected[count++];
            free(event->body);
            event->length = batch->events[rows].body_length;
            event->body = malloc(event->length + 1);
            memcpy(event->body, batch->events[rows].body, event->length);
            event->position = source.input.position;
        }
        if (result == PS_DESERIALIZED_FAILED)
            fail_msg("%s: the file %s", stage->ops->name, err.text);
        if (result == PS_DESERIALIZED_FULL)
            fail_msg("%s: the events of the file do not fit into one batch", stage->ops->name);
        if (result == PS_DESERIALIZED_ALL)
            break;
    }
    ps_batch_give(batch);
    return count;
}

static void start(struct ps_test_stage *stage, const struct adapter *adapter)
{
    adapter->make();
    ps_test_stage_start(stage, adapter->ops, adapter->keys);
    event_count = learn(stage);
    if (adapter->events > 0)
        assert_int_equal(event_count, adapter->events);
    if (event_count < EVENTS_MIN)
        fail_msg("%s: the file has %u events, and the suite needs %u", adapter->ops->name, event_count,
                 EVENTS_MIN);
}

static void test_pieces(void **state)
{
    static const uint32_t pieces[] = {UINT32_MAX, 100000, 777, 61};
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        for (size_t k = 0; k < PS_COUNT_OF(pieces); k++) {
            for (uint32_t capacity = 3; capacity <= PS_BATCH_EVENTS_MAX; capacity = 7 * capacity + 1000) {
                struct source source;
                source_init(&source, pieces[k], 0);
                source.hesitates = k % 2 == 1;
                read_all(&stage, &source, 0, event_count, capacity);
            }
        }
        ps_test_stage_fini(&stage);
    }
}

/* Begins at each position of the first run. */
static void test_positions(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        for (unsigned k = 0; k + 1 < event_count; k++) {
            if (expected[k].position == expected[k + 1].position)
                continue; /* a later event has the same position */
            struct source source;
            source_init(&source, UINT32_MAX, expected[k].position);
            read_all(&stage, &source, k + 1, event_count, PS_BATCH_EVENTS_MAX);
        }
        ps_test_stage_fini(&stage);
    }
}

/* Reads one batch of the file after a restart at input->position and input->inside; its events must be expected[first
 * ..]. Returns their number. */
static unsigned read_batch(struct ps_test_stage *stage, struct source *source, unsigned first,
                           uint32_t capacity)
{
    const struct ps_deserializer_ops *ops = stage->ops->deserializer;
    struct ps_err err;
    enum ps_deserialized result = PS_DESERIALIZED_SOME;
    ops->begin(stage->plan, stage->state, &source->input);
    struct ps_batch *batch = batch_take(stage, capacity);
    while (batch->count < capacity && result == PS_DESERIALIZED_SOME)
        result = ops->work(stage->plan, stage->state, &source->input, batch, &err);
    uint32_t count = batch->count;
    for (uint32_t row = 0; row < count; row++) {
        assert_int_equal(batch->events[row].body_length, expected[first + row].length);
        if (batch->events[row].body_length > 0)
            assert_memory_equal(batch->events[row].body, expected[first + row].body,
                                batch->events[row].body_length);
    }
    ps_batch_give(batch);
    return count;
}

/* Restarts after each batch. */
static void test_continues(void **state)
{
    static const uint32_t capacities[] = {1, 3, 40, 41, 500};
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
#ifdef PS_TEST_PLUGIN
        if (!adapters[i].ops->deserializer->continues)
            ps_test_skip("the deserializer does not say that it `continues`");
#endif
        assert_true(adapters[i].ops->deserializer->continues);
        for (size_t k = 0; k < PS_COUNT_OF(capacities); k++) {
            uint64_t position = 0, inside = 0;
            unsigned seen = 0, count;
            do {
                struct source source;
                source_init(&source, UINT32_MAX, position);
                source.input.inside = inside;
                count = read_batch(&stage, &source, seen, capacities[k]);
                seen += count;
                assert_true(seen <= event_count);
                position = source.input.position;
                inside = source.input.inside;
            } while (count > 0);
            assert_int_equal(seen, event_count);
            assert_true(position >= length);
            assert_int_equal(inside, 0);
        }
        ps_test_stage_fini(&stage);
    }
}

/* The events before the byte that cannot be read, and the error. */
struct failure {
    unsigned events;
    uint64_t position;
    struct ps_err err;
};

static struct failure read_until_it_fails(struct ps_test_stage *stage, struct source *source)
{
    const struct ps_deserializer_ops *ops = stage->ops->deserializer;
    struct failure failure = {.events = 0};
    enum ps_deserialized result = PS_DESERIALIZED_SOME;
    ops->begin(stage->plan, stage->state, &source->input);
    struct ps_batch *batch = batch_take(stage, PS_BATCH_EVENTS_MAX);
    for (unsigned calls = 0; result != PS_DESERIALIZED_FAILED; calls++) {
        result = ops->work(stage->plan, stage->state, &source->input, batch, &failure.err);
        if (result == PS_DESERIALIZED_ALL || calls > 1000000)
            fail_msg("%s: it does not say that the file is bad", stage->ops->name);
        for (; failure.events < batch->count; failure.events++) {
            const struct ps_event *event = &batch->events[failure.events];
            assert_int_equal(event->body_length, expected[failure.events].length);
            if (event->body_length > 0)
                assert_memory_equal(event->body, expected[failure.events].body, event->body_length);
        }
    }
    ps_batch_give(batch);
    failure.position = source->input.position;
    return failure;
}

static void assert_fails_in_turns(struct ps_test_stage *stage, uint64_t fails_at, char *damaged)
{
    struct failure first = {.events = 0};
    uint64_t first_bytes = 0;
    for (unsigned round = 0; round < 4; round++) {
        struct source source;
        source_init(&source, 777, 0);
        source.fails_at = fails_at;
        if (damaged != NULL)
            *damaged = (char)~*damaged;
        struct failure failure = read_until_it_fails(stage, &source);
        if (damaged != NULL)
            *damaged = (char)~*damaged;
        assert_true(failure.err.length > 0);
        source_init(&source, 777, 0);
        read_all(stage, &source, 0, event_count, PS_BATCH_EVENTS_MAX);
        uint64_t used_bytes = ps_depot_used_bytes(stage->depot);
        if (round == 0)
            first = failure, first_bytes = used_bytes;
        assert_string_equal(failure.err.text, first.err.text);
        if (failure.events != first.events || failure.position != first.position || used_bytes != first_bytes)
            fail_msg(
                "%s, round %u: %u events, position %llu, %llu bytes in use; in the first one %u, %llu, %llu",
                stage->ops->name, round, failure.events, (unsigned long long)failure.position,
                (unsigned long long)used_bytes, first.events, (unsigned long long)first.position,
                (unsigned long long)first_bytes);
    }
}

/* An unreadable or damaged file and a good one, in turn: each failure comes at the same offset as the first one, with
 * the same message. */
static void test_fails_in_turns(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        for (uint64_t part = 1; part < 4; part++)
            assert_fails_in_turns(&stage, part * length / 4, NULL);
        /* damages one byte: of the last block's sync marker, or of a line, which then is not ASCII */
        if (!adapters[i].any_bytes)
            assert_fails_in_turns(&stage, 0, &contents[length - 5]);
        ps_test_stage_fini(&stage);
    }
}

/* Takes every free block, and uses up the room of `batch`. Returns how many blocks are in `taken`. */
static unsigned hoard_all(struct ps_test_stage *stage, struct ps_block_cache *hoard, struct ps_block **taken,
                          struct ps_batch *batch)
{
    unsigned count = 0;
    ps_block_cache_init(hoard, stage->depot);
    while ((taken[count] = ps_block_take(hoard)) != NULL)
        count++;
    while (ps_batch_alloc(batch, 256) != NULL)
        ;
    return count;
}

/* Reads the file while memory is short, and a block becomes free from time to time. */
static void short_round(struct ps_test_stage *stage, unsigned events)
{
    const struct ps_deserializer_ops *ops = stage->ops->deserializer;
    static struct ps_block *taken[4096];
    struct ps_block_cache hoard;
    struct source source;
    struct ps_err err;
    unsigned seen = 0;
    uint32_t row = 0;
    source_init(&source, UINT32_MAX, 0);
    struct ps_batch *batch = batch_take(stage, PS_BATCH_EVENTS_MAX);
    ops->begin(stage->plan, stage->state, &source.input);
    unsigned count = hoard_all(stage, &hoard, taken, batch);
    enum ps_deserialized result = PS_DESERIALIZED_SOME;
    for (unsigned calls = 0; result != PS_DESERIALIZED_ALL; calls++) {
        result = ops->work(stage->plan, stage->state, &source.input, batch, &err);
        assert_true(result != PS_DESERIALIZED_FAILED && calls < 100000);
        for (; row < batch->count; row++, seen++) {
            assert_int_equal(batch->events[row].body_length, expected[seen].length);
            assert_memory_equal(batch->events[row].body, expected[seen].body, expected[seen].length);
        }
        if (result == PS_DESERIALIZED_WAITS && calls % 3 == 2)
            ps_block_drop(&hoard, taken[--count]);
        assert_true(count > 0);
        if (result != PS_DESERIALIZED_FULL)
            continue;
        ps_batch_give(batch);
        while ((batch = ps_batch_take(&stage->bump, stage->now)) == NULL) {
            assert_true(count > 0);
            ps_block_drop(&hoard, taken[--count]);
        }
        row = 0;
    }
    assert_int_equal(seen, events);
    ps_batch_give(batch);
    while (count > 0)
        ps_block_drop(&hoard, taken[--count]);
    ps_block_cache_fini(&hoard);
}

/* Memory for a batch's bytes is lacking and available in turn: nothing is lost, nothing comes twice, and no more memory
 * is in use at the end. */
static void test_no_memory_in_turns(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        uint64_t first_bytes = 0;
        start(&stage, &adapters[i]);
        for (unsigned round = 0; round < 4; round++) {
            short_round(&stage, event_count);
            ps_test_stage_recycle(&stage);
            if (round == 0)
                first_bytes = ps_depot_used_bytes(stage.depot);
            assert_int_equal(ps_depot_used_bytes(stage.depot), first_bytes);
        }
        ps_test_stage_fini(&stage);
    }
}

static void test_allocates_nothing(void **state)
{
    if (!PS_TEST_ALLOCATIONS)
        ps_test_skip("the sanitizer counts allocations of its own");
    for (size_t i = 0; i < PS_COUNT_OF(adapters); i++) {
        struct ps_test_stage stage;
        start(&stage, &adapters[i]);
        struct source source;
        source_init(&source, 777, 0);
        read_all(&stage, &source, 0, event_count, 100);
        uint64_t before = ps_test_allocation_count;
        source_init(&source, 777, 0);
        read_all(&stage, &source, 0, event_count, 100);
        if (ps_test_allocation_count != before)
            fail_msg("%s allocates", stage.ops->name);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_are_here),      cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_positions),         cmocka_unit_test(test_continues),
        cmocka_unit_test(test_fails_in_turns),    cmocka_unit_test(test_no_memory_in_turns),
        cmocka_unit_test(test_allocates_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
