/* A dead letter becomes an event: its bytes, its headers, and why. */
#include "core/deadletter/copy.h"
#include "core/flow/bump.h"
#include "tests/support/support.h"

#include <stdio.h>

static struct ps_depot *depot;
static struct ps_pool *pool;
static struct ps_bump bump;

static int setup(void **state)
{
    struct ps_err err = {0};
    depot = ps_depot_create(16 << 20, &err);
    assert_non_null(depot);
    pool = ps_pool_create(depot, 0);
    ps_bump_init(&bump, pool);
    return 0;
}

static int teardown(void **state)
{
    ps_bump_fini(&bump);
    ps_pool_destroy(pool);
    ps_depot_destroy(depot);
    return 0;
}

static struct ps_batch *take(void)
{
    struct ps_batch *batch = ps_batch_take(&bump, (struct ps_now){0});
    assert_non_null(batch);
    return batch;
}

static void assert_header(const struct ps_batch *batch, const struct ps_event *event, const char *name,
                          const char *value)
{
    struct ps_slice found;
    if (!ps_event_header(batch, event, ps_name_intern(name), &found))
        fail_msg("no header %s", name);
    assert_int_equal(found.length, strlen(value));
    assert_memory_equal(found.data, value, found.length);
}

static unsigned count_headers(const struct ps_batch *batch, const struct ps_event *event)
{
    unsigned count = 0;
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    while (ps_headers_next(&cursor) != NULL)
        count++;
    return count;
}

static struct ps_dead_letter letter_of(const struct ps_batch *batch, const struct ps_event *event)
{
    return (struct ps_dead_letter){.agent = "a1",
                                   .component = "sink k1",
                                   .reason = {"record-refused", "the broker says no", 3},
                                   .time_ms = 1700000000123,
                                   .batch = batch,
                                   .event = event};
}

static void test_event(void **state)
{
    struct ps_batch *from = take();
    struct ps_event *event = ps_batch_add_copy(from, "body\0\377", 6);
    assert_true(ps_batch_header_add(from, event, ps_name_intern("own"), "1", 1));
    assert_true(ps_batch_header_add(from, event, ps_name_intern("none"), "", 0));
    assert_true(ps_batch_shared_set(from, ps_name_intern("shared"), "s", 1, false));
    const struct ps_dead_letter letter = letter_of(from, event);
    struct ps_dead_letter_copy *copy = ps_dead_letter_copy_make(&letter, 1000);
    assert_non_null(copy);
    ps_batch_give(from);
    struct ps_batch *batch = take();
    assert_true(ps_dead_letter_copy_add(copy, batch));
    assert_true(ps_dead_letter_copy_add(copy, batch));
    free(copy);
    assert_int_equal(batch->count, 2);
    assert_int_equal(batch->body_bytes, 12);
    for (unsigned i = 0; i < 2; i++) {
        const struct ps_event *made = &batch->events[i];
        assert_int_equal(made->body_length, 6);
        assert_memory_equal(made->body, "body\0\377", 6);
        assert_header(batch, made, "own", "1");
        assert_header(batch, made, "none", "");
        assert_header(batch, made, "shared", "s");
        assert_header(batch, made, "penstock.deadletter.time", "2023-11-14T22:13:20.123Z");
        assert_header(batch, made, "penstock.deadletter.agent", "a1");
        assert_header(batch, made, "penstock.deadletter.component", "sink k1");
        assert_header(batch, made, "penstock.deadletter.reason", "record-refused");
        assert_header(batch, made, "penstock.deadletter.text", "the broker says no");
        assert_header(batch, made, "penstock.deadletter.attempts", "3");
        assert_header(batch, made, "penstock.deadletter.count", "1");
        assert_int_equal(count_headers(batch, made), 10);
    }
    ps_batch_give(batch);
}

/* Headers of an earlier letter are replaced, and its count continues. */
static void test_again(void **state)
{
    struct ps_batch *from = take();
    struct ps_event *event = ps_batch_add_copy(from, "x", 1);
    assert_true(ps_batch_header_add(from, event, ps_name_intern("penstock.deadletter.count"), "41", 2));
    assert_true(ps_batch_header_add(from, event, ps_name_intern("penstock.deadletter.reason"), "old", 3));
    const struct ps_dead_letter letter = letter_of(from, event);
    struct ps_dead_letter_copy *copy = ps_dead_letter_copy_make(&letter, 1000);
    struct ps_batch *batch = take();
    assert_true(ps_dead_letter_copy_add(copy, batch));
    free(copy);
    assert_header(batch, &batch->events[0], "penstock.deadletter.count", "42");
    assert_header(batch, &batch->events[0], "penstock.deadletter.reason", "record-refused");
    assert_int_equal(count_headers(batch, &batch->events[0]), 7);
    ps_batch_give(batch);
    ps_batch_give(from);
}

/* Bytes that never were an event become the letter's body; they are cut when they are too long. */
static void test_bytes(void **state)
{
    struct ps_dead_letter letter = letter_of(NULL, NULL);
    letter.bytes = "0123456789";
    letter.length = 10;
    struct ps_dead_letter_copy *copy = ps_dead_letter_copy_make(&letter, 4);
    struct ps_batch *batch = take();
    assert_true(ps_dead_letter_copy_add(copy, batch));
    free(copy);
    assert_int_equal(batch->events[0].body_length, 4);
    assert_memory_equal(batch->events[0].body, "0123", 4);
    assert_header(batch, &batch->events[0], "penstock.deadletter.length", "10");
    ps_batch_give(batch);
}

/* A body of exactly the longest length is whole, and its letter does not tell a length. */
static void test_longest_body(void **state)
{
    for (uint32_t most = 9; most <= 11; most++) {
        struct ps_dead_letter letter = letter_of(NULL, NULL);
        letter.bytes = "0123456789";
        letter.length = 10;
        struct ps_dead_letter_copy *copy = ps_dead_letter_copy_make(&letter, most);
        struct ps_batch *batch = take();
        assert_true(ps_dead_letter_copy_add(copy, batch));
        free(copy);
        assert_int_equal(batch->events[0].body_length, most < 10 ? most : 10);
        assert_int_equal(count_headers(batch, &batch->events[0]), most < 10 ? 8 : 7);
        ps_batch_give(batch);
    }
}

/* The count of an earlier letter, as somebody may have changed it. */
static void test_counts(void **state)
{
    static const struct {
        const char *before, *count;
    } rows[] = {{"0", "1"},  {"1", "2"},  {"9", "10"}, {"99999", "100000"}, {"999999", "1000000"},
                {"", "1"},   {"x", "1"},  {"4x", "1"}, {"x4", "1"},         {"-4", "1"},
                {" 4", "1"}, {"4:", "1"}, {"4/", "1"}, {"007", "8"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_batch *from = take();
        struct ps_event *event = ps_batch_add_copy(from, "x", 1);
        assert_true(ps_batch_header_add(from, event, ps_name_intern("penstock.deadletter.counts"), "7", 1));
        assert_true(ps_batch_header_add(from, event, ps_name_intern("penstock.deadletter.count"),
                                        rows[i].before, (uint32_t)strlen(rows[i].before)));
        const struct ps_dead_letter letter = letter_of(from, event);
        struct ps_dead_letter_copy *copy = ps_dead_letter_copy_make(&letter, 1000);
        struct ps_batch *batch = take();
        assert_true(ps_dead_letter_copy_add(copy, batch));
        free(copy);
        assert_header(batch, &batch->events[0], "penstock.deadletter.count", rows[i].count);
        ps_batch_give(batch);
        ps_batch_give(from);
    }
}

/* A batch without room stays as it was, and the next one takes the letter. */
static void test_no_room(void **state)
{
    static char body[PS_BLOCK_BYTES];
    struct ps_dead_letter letter = letter_of(NULL, NULL);
    letter.bytes = body;
    letter.length = sizeof body - 100;
    struct ps_dead_letter_copy *copy = ps_dead_letter_copy_make(&letter, UINT32_MAX);
    struct ps_batch *batch = take();
    unsigned count = 0;
    while (ps_dead_letter_copy_add(copy, batch))
        count++;
    assert_true(count > 0 && count < 10);
    assert_int_equal(batch->count, count);
    assert_int_equal(batch->body_bytes, count * letter.length);
    struct ps_batch *next = take();
    assert_true(ps_dead_letter_copy_add(copy, next));
    free(copy);
    ps_batch_give(batch);
    ps_batch_give(next);
}

/* The body has room and there is no memory for a header: nothing of the event stays. */
static void test_no_memory_for_a_header(void **state)
{
    static char value[PS_BLOCK_BYTES / 3];
    struct ps_batch *batches[1024], *from = take();
    unsigned count = 0;
    memset(value, 'v', sizeof value);
    struct ps_event *event = ps_batch_add_copy(from, "body", 4);
    assert_true(ps_batch_header_add(from, event, ps_name_intern("large"), value, sizeof value));
    const struct ps_dead_letter letter = letter_of(from, event);
    struct ps_dead_letter_copy *copy = ps_dead_letter_copy_make(&letter, 1000);
    while ((batches[count] = ps_batch_take(&bump, (struct ps_now){0})) != NULL) {
        const struct ps_batch *batch = batches[count++];
        uint32_t events = 0;
        assert_true(count < PS_COUNT_OF(batches));
        while (ps_dead_letter_copy_add(copy, batches[count - 1]))
            events++;
        assert_int_equal(batch->count, events);
        assert_int_equal(batch->body_bytes, events * 4);
        if (events == 0)
            break;
    }
    free(copy);
    assert_true(count > 0);
    while (count > 0)
        ps_batch_give(batches[--count]);
    ps_batch_give(from);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_event, setup, teardown),
        cmocka_unit_test_setup_teardown(test_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_longest_body, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_room, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_memory_for_a_header, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
