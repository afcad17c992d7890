/* How many rows a frame gets: as many as fit, one byte less and one byte more than a frame included, with headers and without; and none that is
 * not committed. */
#include "tests/stages/lib/queue/database/store_support.h"

#define MOST PS_EVENTS_PAYLOAD_BYTES

static struct ps_err err;
static char body[MOST + 2];

/* Appends an event as a frame of its own. With `header` it has a header, the same in all events. */
static void put(size_t length, bool header)
{
    struct ps_events_encoder encoder = {0};
    uint64_t number;
    ps_events_begin(&encoder);
    ps_events_add(&encoder, body, (uint32_t)length, header);
    if (header)
        ps_events_header(&encoder, "name", 4, "value", 5);
    const char *payload = ps_events_end(&encoder);
    assert_int_equal(ps_database_store.append(store, payload, (uint32_t)encoder.length, encoder.count,
                                              encoder.body_bytes, &number, &err),
                     PS_OK);
    ps_events_encoder_fini(&encoder);
}

/* Takes the next frame. Returns its bytes, 0 if there is none. */
static uint32_t feed(uint32_t *count)
{
    struct ps_store_frame frame = {.blocks = &blocks};
    *count = 0;
    if (ps_database_store.feed(store, &frame, &err) != PS_STORE_FED)
        return 0;
    *count = frame.count;
    ps_database_store.release(&frame);
    ps_database_store.take(store, &frame);
    assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
    return frame.length;
}

/* Puts two events of these lengths; returns how many come in the first frame, and its bytes. */
static uint32_t first_of(size_t first, size_t second, bool header, uint32_t *bytes)
{
    uint32_t count, rest;
    put(first, header);
    put(second, header);
    assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
    *bytes = feed(&count);
    if (count == 1)
        (void)feed(&rest);
    assert_int_equal(feed(&rest), 0);
    return count;
}

/* The second event is just long enough to fill the frame, then a byte longer. Returns the bytes of the full frame. */
static uint32_t fill(size_t first, bool header)
{
    size_t low = 0, high = MOST - first + 1; /* lengths that fit, and that do not */
    uint32_t bytes, full = 0;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (first_of(first, middle, header, &bytes) == 2)
            low = middle, full = bytes;
        else
            high = middle;
    }
    assert_int_equal(first_of(first, low, header, &bytes), 2);
    assert_int_equal(bytes, full);
    assert_int_equal(first_of(first, high, header, &bytes), 1);
    return full;
}

static void test_a_full_frame(void **state)
{
    static const size_t firsts[] = {0, 1, 4096, MOST / 2};
    begin_memory();
    assert_true(open_store(&err));
    for (size_t i = 0; i < PS_COUNT_OF(firsts); i++)
        assert_int_equal(fill(firsts[i], false), MOST);
    for (size_t i = 0; i < PS_COUNT_OF(firsts);
         i++) /* a header counts with its largest size; its name is stored only once */
        assert_in_range(fill(firsts[i], true), MOST - 2 * 20, MOST);
    ps_database_store.close(store);
    end_memory();
}

/* Events of a transaction that is under way are not read, behind others or alone. */
static void test_an_open_transaction(void **state)
{
    uint32_t count;
    begin_memory();
    assert_true(open_store(&err));
    for (unsigned before = 0; before < 2; before++) {
        for (unsigned i = 0; i < before; i++)
            put(10, false);
        assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
        put(10, false);
        put(10, false);
        for (unsigned i = 0; i < before; i++) {
            struct ps_store_frame frame = {.blocks = &blocks};
            assert_int_equal(ps_database_store.feed(store, &frame, &err), PS_STORE_FED);
            assert_int_equal(frame.count, 1);
            ps_database_store.release(&frame);
            ps_database_store.take(store, &frame);
        }
        struct ps_store_frame frame = {.blocks = &blocks};
        assert_int_equal(ps_database_store.feed(store, &frame, &err), PS_STORE_EMPTY);
        assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
        assert_true(feed(&count) > 0);
        assert_int_equal(count, 2);
    }
    ps_database_store.close(store);
    end_memory();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_full_frame, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_an_open_transaction, ps_test_folder_setup,
                                        ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
