/* Entries of the Java host compared with a model: random events go into batches that are partly full, with too little memory now and then;
 * each comes once, unchanged and in order, with the last value of each header. A batch without memory is as it was. What is
 * written of these batches can be read again. */
#include "stages/lib/java/exchange/entries.h"

#include "tests/stages/lib/java/exchange/drawn_entries.h"

static struct ps_event_headers headers;

static void expect_event(const struct ps_batch *batch, uint32_t row, const struct drawn *wanted)
{
    unsigned values[NAMES];
    memset(values, 0xFF, sizeof values);
    values_add(wanted, values);
    expect_body(&batch->events[row], wanted);
    expect_headers(batch, &batch->events[row], values);
}

/* Writes the batch's event as an entry, reads it back, and compares. */
static void expect_written(const struct ps_batch *batch, uint32_t row, const struct drawn *wanted)
{
    static char bytes[1 << 17];
    const struct ps_event *event = &batch->events[row];
    uint64_t size = ps_java_event_bytes(batch, event);
    assert_true(size <= sizeof bytes);
    memset(bytes, '#', sizeof bytes);
    assert_ptr_equal(ps_java_event_write(bytes, batch, event), bytes + size);
    assert_true(size == sizeof bytes || bytes[size] == '#');
    struct ps_java_reader reader = {.base = bytes, .size = (uint32_t)size};
    struct ps_java_event head;
    struct ps_slice name, value, body;
    assert_true(ps_java_reader_next(&reader, &head));
    assert_int_equal(reader.at, size);
    assert_true(ps_java_reader_is_good(&reader, &head));
    for (uint32_t i = 0; i < head.header_count; i++)
        assert_true(ps_java_reader_header(&reader, &name, &value));
    assert_true(ps_java_reader_body(&reader, &head, &body));
    assert_int_equal(body.length, wanted->body_length);
    assert_true(body.length == 0 || memcmp(body.data, event->body, body.length) == 0);
    assert_false(ps_java_reader_next(&reader, &head));
}

/* Returns a batch that has some rows already. */
static struct ps_batch *batch_begin(uint32_t *before)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_non_null(batch);
    ps_event_headers_begin(&headers);
    *before = draw(2) == 0 ? 0 : (uint32_t)draw(PS_BATCH_EVENTS_MAX);
    for (uint32_t i = 0; i < *before; i++)
        assert_non_null(ps_batch_add_copy(batch, "before", 6));
    return batch;
}

static void play(uint32_t count)
{
    uint32_t bytes = 0, seen = 0;
    for (uint32_t i = 0; i < count; i++) {
        event_draw(&drawn[i]);
        bytes += entry_write(area + bytes, &drawn[i], PS_JAVA_NO_ORIGIN,
                             PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS);
        assert_true(bytes < AREA_BYTES - 100000);
    }
    struct ps_java_entries entries = {.memory = area, .bytes = bytes, .count = count};
    for (unsigned tries = 0; seen < count; tries++) {
        uint32_t before;
        assert_true(tries < 1000);
        struct ps_batch *batch = batch_begin(&before);
        if (draw(3) == 0)
            memory_take_all();
        enum ps_java_read outcome = ps_java_entries_read(&entries, batch, &hoard, &headers, 77);
        uint32_t more = batch->count - before;
        assert_int_equal(entries.taken, seen + more);
        assert_int_equal(batch->tickets != NULL, more > 0);
        if (more > 0)
            assert_true(batch->tickets->origin == 77 && batch->tickets->events == more);
        assert_true(outcome == PS_JAVA_READ_ALL ? seen + more == count : seen + more < count);
        assert_true(outcome != PS_JAVA_READ_PART || batch->full);
        assert_true(outcome != PS_JAVA_READ_NO_MEMORY || hoarded_count > 0);
        assert_true(outcome != PS_JAVA_READ_WRONG);
        memory_return();
        for (uint32_t i = 0; i < more; i++) {
            expect_event(batch, before + i, &drawn[seen + i]);
            expect_written(batch, before + i, &drawn[seen + i]);
        }
        seen += more;
        ps_batch_close(batch);
        ps_batch_give(batch);
    }
    ps_java_entries_drop(&entries, &hoard);
    assert_null(entries.block);
}

static void test_drawn(void **unused)
{
    static const uint32_t counts[] = {1, 2, 3, 100, 255, 256, 257, EVENTS_MAX};
    for (unsigned round = 0; round < 60; round++)
        play(draw(2) == 0 ? counts[draw(PS_COUNT_OF(counts))] : 1 + (uint32_t)draw(20));
}

/* One field of one entry is wrong: no event of that entry, nor of one after it, is in the batch. */
static void test_wrong(void **unused)
{
    enum { GOOD = 3 };
    static const struct {
        size_t at;
        uint32_t add;
    } wrongs[] = {{offsetof(struct ps_java_event, size), 4},
                  {offsetof(struct ps_java_event, size), 1},
                  {offsetof(struct ps_java_event, origin), 1},
                  {offsetof(struct ps_java_event, flags), 1},
                  {offsetof(struct ps_java_event, flags), 4},
                  {offsetof(struct ps_java_event, body_length), 4},
                  {offsetof(struct ps_java_event, header_count), 1},
                  {offsetof(struct ps_java_event, size), (uint32_t)-4}};
    for (size_t i = 0; i < PS_COUNT_OF(wrongs); i++) {
        for (unsigned which = 0; which < GOOD; which++) {
            uint32_t bytes = 0, value, wrong_at = 0;
            const struct drawn event = {.body_length = 8, .header_count = 1, .names = {3}, .values = {5}};
            for (unsigned k = 0; k < GOOD; k++) {
                wrong_at = k == which ? bytes : wrong_at;
                bytes += entry_write(area + bytes, &event, PS_JAVA_NO_ORIGIN,
                                     PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS);
            }
            memcpy(&value, area + wrong_at + wrongs[i].at, sizeof value);
            value += wrongs[i].add;
            memcpy(area + wrong_at + wrongs[i].at, &value, sizeof value);
            struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
            ps_event_headers_begin(&headers);
            struct ps_java_entries entries = {.memory = area, .bytes = bytes, .count = GOOD};
            assert_int_equal(ps_java_entries_read(&entries, batch, &hoard, &headers, 1), PS_JAVA_READ_WRONG);
            assert_in_range(batch->count, which, which + (wrongs[i].add == 4 && wrongs[i].at == 0));
            ps_java_entries_drop(&entries, &hoard);
            ps_batch_give(batch);
        }
    }
}

/* More bytes than the entries have, or fewer. */
static void test_wrong_bytes(void **unused)
{
    const struct drawn event = {.body_length = 8};
    for (int more = -4; more <= 4; more += 4) {
        uint32_t bytes =
            entry_write(area, &event, PS_JAVA_NO_ORIGIN, PS_JAVA_EVENT_BODY | PS_JAVA_EVENT_HEADERS);
        struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
        ps_event_headers_begin(&headers);
        struct ps_java_entries entries = {.memory = area, .bytes = bytes + (uint32_t)more, .count = 1};
        assert_int_equal(ps_java_entries_read(&entries, batch, &hoard, &headers, 1),
                         more == 0 ? PS_JAVA_READ_ALL : PS_JAVA_READ_WRONG);
        ps_batch_give(batch);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, memory_setup, memory_teardown)
    const struct CMUnitTest tests[] = {TEST(drawn), TEST(wrong), TEST(wrong_bytes)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
