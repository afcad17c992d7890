/* The tap: which events its reader sees of those that a worker passes, and that the worker never waits. */
#include "core/flow/bump.h"
#include "core/watch/tap.h"
#include "tests/support/support.h"

#include <pthread.h>
#include <stdio.h>

#include <jansson.h>

struct fixture {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_tap *tap;
    struct ps_page page;
};

static int setup(void **state)
{
    static struct fixture fixture;
    struct ps_err err;
    fixture = (struct fixture){.depot = ps_depot_create(UINT64_C(32) << 20, &err)};
    fixture.pool = ps_pool_create(fixture.depot, 0);
    if (fixture.pool == NULL)
        return -1;
    ps_bump_init(&fixture.bump, fixture.pool);
    fixture.tap = ps_tap_create();
    *state = &fixture;
    return fixture.tap == NULL;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    ps_page_fini(&fixture->page);
    ps_tap_destroy(fixture->tap);
    ps_bump_fini(&fixture->bump);
    ps_pool_destroy(fixture->pool);
    ps_depot_destroy(fixture->depot);
    return 0;
}

static void batch_end(struct ps_batch *batch)
{
    ps_batch_close(batch);
    ps_batch_give(batch);
}

static struct ps_batch *numbers(struct fixture *fixture, unsigned count)
{
    struct ps_batch *batch = ps_batch_take(&fixture->bump, (struct ps_now){.mono_ns = 1});
    assert_non_null(batch);
    for (unsigned i = 0; i < count; i++) {
        char text[32];
        int length = snprintf(text, sizeof text, "event %u", i);
        assert_non_null(ps_batch_add_copy(batch, text, (uint32_t)length));
    }
    ps_batch_chain(batch)->count = count;
    return batch;
}

static void test_off(void **state)
{
    struct fixture *fixture = *state;
    struct ps_batch *batch = numbers(fixture, 3);
    ps_tap_offer(NULL, ps_batch_chain(batch));
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    assert_int_equal(ps_tap_take(fixture->tap, 0, 100, &fixture->page), 0);
    ps_tap_start(fixture->tap, 0);
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    ps_tap_stop(fixture->tap, 0);
    ps_tap_start(fixture->tap, 0); /* another reader: gets nothing that the previous one left */
    assert_int_equal(ps_tap_take(fixture->tap, 0, 100, &fixture->page), 0);
    ps_tap_stop(fixture->tap, 0);
    batch_end(batch);
}

static void test_events(void **state)
{
    struct fixture *fixture = *state;
    struct ps_batch *batch = numbers(fixture, 3);
    const struct ps_name *host = ps_name_intern("host"), *own = ps_name_intern("own\"");
    assert_true(ps_batch_shared_set(batch, host, "h1", 2, true));
    assert_true(ps_batch_header_add(batch, &batch->events[1], own, "v\n", 2));
    ps_tap_start(fixture->tap, 0);
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    assert_int_equal(ps_tap_take(fixture->tap, 0, 2, &fixture->page), 2);
    assert_int_equal(ps_tap_take(fixture->tap, 0, 2, &fixture->page), 1);
    assert_string_equal(
        fixture->page.text,
        "{\"headers\":{\"host\":\"h1\"},\"body\":\"event 0\",\"bytes\":7}\n"
        "{\"headers\":{\"own\\\"\":\"v\\n\",\"host\":\"h1\"},\"body\":\"event 1\",\"bytes\":7}\n"
        "{\"headers\":{\"host\":\"h1\"},\"body\":\"event 2\",\"bytes\":7}\n");
    batch_end(batch);
}

static void test_cut(void **state)
{
    struct fixture *fixture = *state;
    struct ps_batch *batch = ps_batch_take(&fixture->bump, (struct ps_now){.mono_ns = 1});
    char *giant = malloc(100000);
    memset(giant, 'x', 100000);
    struct ps_event *event = ps_batch_add_copy(batch, giant, 100000);
    assert_non_null(event);
    ps_batch_chain(batch)->count = 1;
    ps_tap_start(fixture->tap, 0);
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    assert_int_equal(ps_tap_take(fixture->tap, 0, 1, &fixture->page), 1);
    assert_non_null(strstr(fixture->page.text, "x\",\"bytes\":100000,\"cut\":true}\n"));
    assert_true(fixture->page.length < PS_TAP_EVENT_BYTES + 100);
    /* A header does not fit: neither the header nor the body is shown past the limit. */
    assert_true(ps_batch_header_add(batch, event, ps_name_intern("big"), giant, 5000));
    fixture->page.length = 0;
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    assert_int_equal(ps_tap_take(fixture->tap, 0, 1, &fixture->page), 1);
    assert_non_null(strstr(fixture->page.text, "\"cut\":true}\n"));
    batch_end(batch);
    free(giant);
}

/* A lease of many events is sampled over its whole length. A full ring shows no more events, and the
 * worker does not wait. */
static void test_sample_and_full(void **state)
{
    struct fixture *fixture = *state;
    struct ps_batch *batch = numbers(fixture, 1000);
    ps_tap_start(fixture->tap, 0);
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    unsigned shown = ps_tap_take(fixture->tap, 0, 1000, &fixture->page);
    assert_in_range(shown, PS_TAP_LEASE_EVENTS / 2, PS_TAP_LEASE_EVENTS);
    assert_non_null(strstr(fixture->page.text, "\"event 0\""));
    assert_non_null(strstr(fixture->page.text, "\"event 99"));
    for (int i = 0; i < 1000; i++)
        ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    unsigned left = ps_tap_take(fixture->tap, 0, UINT32_MAX, &fixture->page);
    assert_true(left > 500 && left < PS_TAP_BYTES / 20);
    batch_end(batch);
}

/* Two readers: each sees every event since it began, the ring keeps what the slower one has not read, and the
 * end of one reader frees what only that one held. */
static void test_two_lookers(void **state)
{
    struct fixture *fixture = *state;
    struct ps_batch *batch = numbers(fixture, 3);
    struct ps_page other = {0};
    ps_tap_start(fixture->tap, 0);
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    ps_tap_start(fixture->tap, 3);
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    assert_int_equal(ps_tap_take(fixture->tap, 3, 100, &other), 3);
    assert_int_equal(ps_tap_take(fixture->tap, 0, 100, &fixture->page), 6);
    assert_memory_equal(fixture->page.text + other.length, other.text, other.length);
    for (int i = 0; i < 10000; i++) /* reader 0 does not read: the ring is full for both */
        ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    assert_true(ps_tap_take(fixture->tap, 3, UINT32_MAX, &other) > 100);
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    assert_int_equal(ps_tap_take(fixture->tap, 3, 100, &other), 0);
    ps_tap_stop(fixture->tap, 0);
    assert_true(ps_flag_get(&fixture->tap->wanted));
    assert_false(ps_tap_is_looking(fixture->tap, 0));
    ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    assert_int_equal(ps_tap_take(fixture->tap, 3, 100, &other), 3);
    ps_tap_stop(fixture->tap, 3);
    assert_false(ps_flag_get(&fixture->tap->wanted));
    ps_page_fini(&other);
    batch_end(batch);
}

static struct ps_flag stop_worker;

static void *worker(void *argument)
{
    struct fixture *fixture = argument;
    struct ps_batch *batch = numbers(fixture, 100);
    const struct ps_name *name = ps_name_intern("n");
    assert_true(ps_batch_shared_set(batch, name, "0123456789", 10, true));
    while (!ps_flag_get(&stop_worker))
        ps_tap_offer(fixture->tap, ps_batch_chain(batch));
    batch_end(batch);
    return NULL;
}

/* Readers start and stop while the worker runs: every line is complete. */
static void test_threads(void **state)
{
    struct fixture *fixture = *state;
    pthread_t thread;
    ps_flag_set(&stop_worker, false);
    assert_int_equal(pthread_create(&thread, NULL, worker, fixture), 0);
    unsigned shown = 0;
    for (int round = 0; round < 200 || shown < 2000; round++) {
        ps_tap_start(fixture->tap, 0);
        fixture->page.length = 0;
        unsigned taken = 0;
        for (int i = 0; i < 20; i++)
            taken += ps_tap_take(fixture->tap, 0, 50, &fixture->page);
        ps_tap_stop(fixture->tap, 0);
        shown += taken;
        size_t at = 0;
        for (unsigned line = 0; line < taken; line++) {
            const char *end = memchr(fixture->page.text + at, '\n', fixture->page.length - at);
            assert_non_null(end);
            json_t *event =
                json_loadb(fixture->page.text + at, (size_t)(end - fixture->page.text) - at, 0, NULL);
            assert_non_null(event);
            assert_string_equal(json_string_value(json_object_get(json_object_get(event, "headers"), "n")),
                                "0123456789");
            assert_memory_equal(json_string_value(json_object_get(event, "body")), "event ", 6);
            json_decref(event);
            at = (size_t)(end - fixture->page.text) + 1;
        }
        assert_int_equal(at, fixture->page.length);
    }
    ps_flag_set(&stop_worker, true);
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_off, setup, teardown),
        cmocka_unit_test_setup_teardown(test_events, setup, teardown),
        cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sample_and_full, setup, teardown),
        cmocka_unit_test_setup_teardown(test_two_lookers, setup, teardown),
        cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
