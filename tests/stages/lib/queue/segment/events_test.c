/* A lease on disk: random events and headers, written and read in both ways; damaged payloads never lead
 * outside the payload. */
#include "stages/lib/queue/segment/events.h"

#include "core/flow/bump.h"
#include "tests/support/hash_tables.h"
#include "tests/support/stage.h"

#include <stdlib.h>
#include <string.h>

#define TRIES 300

struct fixture {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    uint64_t random;
};

static int set_up(void **state)
{
    struct ps_err err = {0};
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->depot = ps_depot_create(UINT64_C(64) << 20, &err);
    fixture->pool = ps_pool_create(fixture->depot, 0);
    ps_bump_init(&fixture->bump, fixture->pool);
    fixture->random = ps_test_seed();
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

static uint64_t pick(struct fixture *fixture, uint64_t below)
{
    return ps_test_random(&fixture->random) % below;
}

static const char *random_bytes(struct fixture *fixture, struct ps_batch *batch, uint32_t length)
{
    char *bytes = ps_batch_alloc(batch, length > 0 ? length : 1);
    assert_non_null(bytes);
    for (uint32_t i = 0; i < length; i++)
        bytes[i] = (char)pick(fixture, 256);
    return bytes;
}

static const struct ps_name *random_name(struct fixture *fixture, struct ps_batch *batch, unsigned names)
{
    char text[32];
    snprintf(text, sizeof text, "name-%u", (unsigned)pick(fixture, names));
    return ps_batch_name(batch, text, strlen(text));
}

static struct ps_batch *make_batch(struct fixture *fixture, uint32_t count, uint32_t body_max, unsigned names)
{
    static char body[2 * PS_BLOCK_BYTES];
    struct ps_batch *batch = ps_batch_take(&fixture->bump, (struct ps_now){.mono_ns = 1});
    assert_non_null(batch);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t length = (uint32_t)pick(fixture, body_max + 1);
        for (uint32_t k = 0; k < length; k++)
            body[k] = (char)(ps_test_random(&fixture->random) >> 20);
        if (ps_batch_add_copy(batch, body, length) == NULL)
            break;
    }
    assert_true(batch->count > 0);
    for (uint32_t i = 0; names > 0 && i < batch->count; i++) {
        for (uint64_t k = pick(fixture, 4); k > 0; k--) {
            uint32_t length = (uint32_t)pick(fixture, 40);
            assert_true(ps_batch_header_set(batch, &batch->events[i], random_name(fixture, batch, names),
                                            random_bytes(fixture, batch, length), length));
        }
    }
    for (uint64_t k = names > 0 ? pick(fixture, 3) : 0; k > 0; k--) {
        uint32_t length = (uint32_t)pick(fixture, 40);
        assert_true(ps_batch_shared_set(batch, random_name(fixture, batch, names),
                                        random_bytes(fixture, batch, length), length, false));
    }
    ps_batch_close(batch);
    return batch;
}

static void give(struct ps_batch *batch)
{
    ps_batch_give(batch);
}

static void assert_same_event(const struct ps_batch *batch, const struct ps_event *event,
                              const struct ps_batch *other, const struct ps_event *read)
{
    assert_int_equal(event->body_length, read->body_length);
    assert_memory_equal(event->body, read->body, event->body_length);
    struct ps_header_cursor cursor = ps_headers_begin(batch, event);
    const struct ps_header *header;
    unsigned count = 0, count_read = 0;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        struct ps_slice value;
        assert_true(ps_event_header(other, read, header->name, &value));
        assert_int_equal(value.length, header->value_length);
        assert_memory_equal(value.data, header->value, header->value_length);
        count++;
    }
    cursor = ps_headers_begin(other, read);
    while (ps_headers_next(&cursor) != NULL)
        count_read++;
    assert_int_equal(count, count_read);
}

/* Encodes the lease in frames, decodes each into a batch, and compares. */
static unsigned round_trip(struct fixture *fixture, const struct ps_lease *lease)
{
    struct ps_events_encoder encoder = {.bytes = NULL};
    uint32_t position = 0, checked = 0;
    unsigned frames = 0;
    while (position < lease->count) {
        uint32_t from = position;
        const char *payload = ps_events_encode(&encoder, lease, &position);
        assert_int_equal(position - from, encoder.count);
        assert_true(encoder.count == 1 || encoder.length <= PS_EVENTS_PAYLOAD_BYTES);
        struct ps_batch *batch = ps_batch_take(&fixture->bump, (struct ps_now){.mono_ns = 1});
        uint32_t room;
        bool own = encoder.length > PS_BLOCK_BYTES;
        char *bytes = own ? ps_batch_alloc(batch, (uint32_t)encoder.length)
                          : ps_batch_reserve(batch, (uint32_t)encoder.length, &room);
        assert_non_null(bytes);
        memcpy(bytes, payload, encoder.length);
        if (!own)
            ps_batch_commit(batch, (uint32_t)encoder.length);
        assert_int_equal(ps_events_decode(batch, bytes, encoder.length), PS_EVENTS_OK);
        assert_int_equal(batch->count, encoder.count);
        assert_int_equal(batch->body_bytes, encoder.body_bytes);
        for (uint32_t i = 0; i < batch->count; i++, checked++)
            assert_same_event(lease->batch, ps_lease_event(lease, checked), batch, &batch->events[i]);
        give(batch);
        frames++;
    }
    ps_events_encoder_fini(&encoder);
    assert_int_equal(checked, lease->count);
    return frames;
}

static void test_round_trip(void **state)
{
    struct fixture *fixture = *state;
    static const uint32_t bodies[] = {0, 10, 300, 5000, PS_BLOCK_BYTES};
    for (unsigned i = 0; i < TRIES; i++) {
        struct ps_batch *batch =
            make_batch(fixture, 1 + (uint32_t)pick(fixture, PS_BATCH_EVENTS_MAX),
                       bodies[pick(fixture, PS_COUNT_OF(bodies))], (unsigned)pick(fixture, 3) * 400);
        round_trip(fixture, ps_batch_chain(batch));
        give(batch);
    }
}

static void test_an_event_longer_than_a_block_has_its_own_frame(void **state)
{
    struct fixture *fixture = *state;
    static char body[PS_BLOCK_BYTES + 100];
    struct ps_batch *batch = ps_batch_take(&fixture->bump, (struct ps_now){.mono_ns = 1});
    assert_non_null(ps_batch_add_copy(batch, "a", 1));
    assert_non_null(ps_batch_add_copy(batch, body, sizeof body));
    assert_non_null(ps_batch_add_copy(batch, "b", 1));
    ps_batch_close(batch);
    assert_int_equal(round_trip(fixture, ps_batch_chain(batch)), 3);
    give(batch);
}

static void test_only_the_rows_of_the_lease(void **state)
{
    struct fixture *fixture = *state;
    uint64_t keep[PS_BATCH_EVENTS_MAX / 64] = {0x5};
    struct ps_batch *batch = make_batch(fixture, 10, 20, 5);
    assert_true(ps_lease_filter_bits(ps_batch_chain(batch), keep));
    assert_int_equal(ps_batch_chain(batch)->count, 2);
    round_trip(fixture, ps_batch_chain(batch));
    give(batch);
}

/* A payload that fits into lent memory is made there, once; elsewhere it has the same bytes. */
static void test_lent_memory(void **state)
{
    struct fixture *fixture = *state;
    struct ps_events_encoder encoder = {.bytes = NULL}, plain = {.bytes = NULL};
    static char lent[PS_EVENTS_PAYLOAD_BYTES];
    for (unsigned i = 0; i < TRIES; i++) {
        struct ps_batch *batch =
            make_batch(fixture, 1 + (uint32_t)pick(fixture, 20), (uint32_t)pick(fixture, 500), 30);
        uint32_t position = 0, plain_position = 0;
        const char *wanted = ps_events_encode(&plain, ps_batch_chain(batch), &plain_position);
        size_t room = pick(fixture, 2) == 0 ? sizeof lent : pick(fixture, 2 * plain.length);
        ps_events_lend(&encoder, lent, room);
        const char *payload = ps_events_encode(&encoder, ps_batch_chain(batch), &position);
        assert_int_equal(encoder.length, plain.length);
        assert_memory_equal(payload, wanted, plain.length);
        assert_true((payload == lent) == (plain.length <= room));
        position = 0;
        assert_ptr_not_equal(ps_events_encode(&encoder, ps_batch_chain(batch), &position), lent);
        give(batch);
    }
    ps_events_encoder_fini(&encoder);
    ps_events_encoder_fini(&plain);
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

/* Each byte is changed, and each length: the cursor stays inside (ASan sees it) and never counts more than there is. */
static void test_damage_stays_inside(void **state)
{
    struct fixture *fixture = *state;
    struct ps_events_encoder encoder = {.bytes = NULL};
    struct ps_batch *source = make_batch(fixture, 5, 30, 5);
    uint32_t position = 0;
    const char *payload = ps_events_encode(&encoder, ps_batch_chain(source), &position);
    for (size_t i = 0; i < 4 * encoder.length; i++) {
        size_t length = i < encoder.length ? i : encoder.length;
        char *copy = ps_test_exact_copy(payload, length);
        if (i >= encoder.length)
            copy[i % encoder.length] ^= (char)(1 << (i / encoder.length * 2));
        struct ps_batch *batch = ps_batch_take(&fixture->bump, (struct ps_now){.mono_ns = 1});
        enum ps_events_result result = ps_events_decode(batch, copy, length);
        assert_true(i >= encoder.length || result == PS_EVENTS_DAMAGED);
        assert_true(batch->count <= length / 8);
        give(batch);
        free(copy);
    }
    ps_events_encoder_fini(&encoder);
    give(source);
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
        cmocka_unit_test_setup_teardown(test_round_trip, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_event_longer_than_a_block_has_its_own_frame, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_only_the_rows_of_the_lease, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lent_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_no_frame_holds_is_cut, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damage_stays_inside, set_up, tear_down),
        cmocka_unit_test(test_names_of_one_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
