/* A lease on disk: what no frame can hold is cut, and names of one hash cost what other names cost. */
#include "stages/lib/queue/segment/events.h"

#include "core/flow/bump.h"
#include "tests/support/hash_tables.h"
#include "tests/support/stage.h"

#include <stdlib.h>
#include <string.h>

struct fixture {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
};

static int set_up(void **state)
{
    struct ps_err err = {0};
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->depot = ps_depot_create(UINT64_C(64) << 20, &err);
    fixture->pool = ps_pool_create(fixture->depot, 0);
    ps_bump_init(&fixture->bump, fixture->pool);
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(ps_pool_out_count(fixture->pool), 0);
    ps_bump_fini(&fixture->bump);
    ps_pool_destroy(fixture->pool);
    ps_depot_destroy(fixture->depot);
    free(fixture);
    return 0;
}

static void give(struct ps_batch *batch)
{
    ps_batch_give(batch);
}

/* An event that no frame can hold (its interceptors copied the body into headers) is cut, and counted: the end of its body, then the
 * newest headers. */
static void test_what_no_frame_holds_is_cut(void **state)
{
    struct fixture *fixture = *state;
    struct ps_events_encoder encoder = {.event_bytes_max = 1000};
    static const char text[2000] = "text";
    struct ps_batch *batch = ps_batch_take(&fixture->bump, (struct ps_now){.mono_ns = 1});
    assert_non_null(ps_batch_add_copy(batch, text, 1000));
    assert_non_null(ps_batch_add_copy(batch, text, 100));
    assert_non_null(ps_batch_add_copy(batch, text, 7));
    for (unsigned i = 0; i < 10; i++) {
        char name[8];
        snprintf(name, sizeof name, "n%u", i);
        /* four of them and the body fill the room exactly */
        assert_true(ps_batch_header_add(batch, &batch->events[1], ps_batch_name(batch, name, 2), text, 207));
    }
    ps_batch_close(batch);
    uint32_t position = 0, cut = 0, events = 0;
    while (position < 3) {
        const char *payload = ps_events_encode(&encoder, ps_batch_chain(batch), &position);
        struct ps_events_cursor cursor;
        struct ps_events_item item;
        cut += encoder.cut;
        assert_true(ps_events_cursor_init(&cursor, payload, encoder.length));
        for (; ps_events_next(&cursor, &item); events++) {
            static const uint32_t lengths[] = {976, 100, 7}, headers[] = {0, 4, 0};
            assert_int_equal(item.length, lengths[events]);
            assert_int_equal(item.header_count, headers[events]);
            struct ps_events_field field;
            for (unsigned k = 0; ps_events_next_field(&cursor, &field); k++)
                assert_int_equal(field.name[1], '0' + k);
        }
        assert_int_equal(cursor.done, cursor.count);
        ps_events_cursor_fini(&cursor);
    }
    assert_int_equal(events, 3);
    assert_int_equal(cut, 2);
    ps_events_encoder_fini(&encoder);
    give(batch);
}

/* One event whose names a client has chosen to have one hash: the places of the table of names that are visited grow with the number of
 * names, not with its square. */
static void test_names_of_one_hash(void **state)
{
    static char names[PS_EVENT_HEADERS_MAX][PS_TEST_COLLIDING_ROOM];
    for (uint32_t count = PS_EVENT_HEADERS_MAX / 4; count <= PS_EVENT_HEADERS_MAX; count *= 4) {
        struct ps_events_encoder encoder = {0};
        uint32_t visited = 0;
        ps_events_begin(&encoder);
        ps_events_add(&encoder, "body", 4, count);
        for (uint32_t i = 0; i < count; i++)
            ps_events_header(&encoder, names[i], ps_test_colliding_name(names[i], "", i), "v", 1);
        assert_int_equal(encoder.name_count, count);
        for (uint32_t at = 0; at < encoder.place_count; at++) {
            const char *name = encoder.places[at] > 0 ? names[encoder.places[at] - 1] : NULL;
            if (name != NULL)
                visited +=
                    ps_test_visited(ps_name_keyed_hash(name, strlen(name)), at, encoder.place_count - 1);
        }
        assert_in_range(visited, count, 3 * count);
        ps_events_encoder_fini(&encoder);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_no_frame_holds_is_cut, set_up, tear_down),
        cmocka_unit_test(test_names_of_one_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
