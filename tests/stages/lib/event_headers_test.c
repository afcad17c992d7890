/* Headers of events: the last header of a name wins, however many there are and whatever names lie between, as in Flume's maps; a withdrawn event
 * leaves nothing. A model that has one place for each name says what must come out. */
#include "stages/lib/event_headers.h"

#include "tests/support/hash_tables.h"
#include "tests/support/stage.h"

#include <stdio.h>

#define NAMES 300U /* more than a batch's table of names has places */
#define VALUES 64U

static char values[VALUES][4];
static struct ps_event_headers headers;

/* Draws how many headers an event has: about the limit below which they are compared one by one, or many. */
static uint32_t draw_count(uint64_t *random)
{
    static const uint32_t limits[] = {1, 16, 17, 33, 200, 2000, PS_EVENT_HEADERS_MAX};
    uint32_t most = limits[ps_test_random(random) % PS_COUNT_OF(limits)];
    return ps_test_random(random) % 2 == 0 ? most : (uint32_t)(ps_test_random(random) % (most + 1));
}

/* Adds an event with drawn headers of `names` names. Returns false if there is no more room. */
static bool add_event(struct ps_batch *batch, uint64_t *random, uint32_t names, uint32_t model[NAMES])
{
    uint32_t count = draw_count(random);
    struct ps_event *event = ps_batch_add_copy(batch, "body", 4);
    if (event == NULL)
        return false;
    memset(model, 0, NAMES * sizeof model[0]);
    ps_event_headers_expect(&headers, count);
    for (uint32_t i = 0; i < count; i++) {
        char text[16];
        uint32_t number = (uint32_t)(ps_test_random(random) % names),
                 value = (uint32_t)(ps_test_random(random) % VALUES);
        const struct ps_slice name = {text, (uint32_t)snprintf(text, sizeof text, "name %u", number)};
        const struct ps_slice given = {values[value], (uint32_t)strlen(values[value])};
        if (!ps_event_headers_add(&headers, batch, event, &name, &given))
            return false;
        model[number] = value + 1;
    }
    return true;
}

static void expect(const struct ps_event *event, const uint32_t model[NAMES])
{
    uint32_t left = 0;
    for (uint32_t number = 0; number < NAMES; number++)
        left += model[number] != 0;
    for (const struct ps_header *header = event->headers; header != NULL; header = header->next) {
        uint32_t number;
        assert_int_equal(sscanf(header->name->text, "name %u", &number), 1);
        assert_true(number < NAMES && model[number] != 0);
        assert_int_equal(header->value_length, strlen(values[model[number] - 1]));
        assert_memory_equal(header->value, values[model[number] - 1], header->value_length);
        left--;
    }
    assert_int_equal(left, 0); /* with the values' check: no name is there twice */
}

static void test_last_one_wins(void **unused)
{
    enum { BATCHES = 300, EVENTS = 8 };
    static uint32_t models[EVENTS][NAMES], withdrawn[NAMES];
    uint64_t random = ps_test_seed();
    unsigned checked = 0;
    for (unsigned i = 0; i < VALUES; i++)
        snprintf(values[i], sizeof values[i], "%.*s%u", (int)(i % 2), "v", i);
    for (unsigned round = 0; round < BATCHES; round++) {
        struct ps_test_stage stage;
        ps_test_stage_init(&stage, &ps_source_netcat); /* for its memory */
        struct ps_batch *batch = ps_test_stage_take_batch(&stage);
        uint32_t names = 1 + (uint32_t)(ps_test_random(&random) % NAMES), count = 0;
        ps_event_headers_begin(&headers);
        while (count < EVENTS) {
            const struct ps_batch_point point = ps_batch_point(batch);
            bool withdraws = ps_test_random(&random) % 4 == 0;
            bool added = add_event(batch, &random, names, withdraws ? withdrawn : models[count]);
            if (added && !withdraws) {
                count++;
                continue;
            }
            ps_event_withdraw(&headers, batch, &point);
            assert_int_equal(batch->count, count);
            assert_int_equal(batch->full, count > 0);
            batch->full = false;
            if (!added)
                break;
        }
        for (uint32_t i = 0; i < count; i++, checked++)
            expect(&batch->events[i], models[i]);
        ps_test_stage_fini(&stage);
    }
    assert_true(checked > BATCHES);
}

/* Adds headers whose names a client has chosen to have one hash. The event's list of headers is never walked. */
static void add_colliding(struct ps_batch *batch, uint32_t count)
{
    const struct ps_slice value = {"v", 1};
    struct ps_event *event = ps_batch_add_copy(batch, "body", 4);
    ps_event_headers_begin(&headers);
    ps_event_headers_expect(&headers, count);
    for (uint32_t i = 0; i < count; i++) {
        char text[PS_TEST_COLLIDING_ROOM];
        const struct ps_slice name = {text, (uint32_t)ps_test_colliding_name(text, "", i)};
        event->headers = ps_test_nowhere();
        assert_true(ps_event_headers_add(&headers, batch, event, &name, &value));
    }
    event->headers = NULL;
}

/* The places of the index that are visited grow with the number of headers, not with its square. */
static void test_names_of_one_hash(void **unused)
{
    for (uint32_t count = PS_EVENT_HEADERS_MAX / 4; count <= PS_EVENT_HEADERS_MAX; count *= 4) {
        struct ps_test_stage stage;
        uint32_t visited = 0, found = 0;
        ps_test_stage_init(&stage, &ps_source_netcat);
        add_colliding(ps_test_stage_take_batch(&stage), count);
        for (uint32_t at = 0; at <= headers.mask; at++) {
            if (headers.index[at] == NULL)
                continue;
            const struct ps_name *name = headers.index[at]->name;
            visited += ps_test_visited(ps_name_keyed_hash(name->text, name->length), at, headers.mask);
            found++;
        }
        assert_int_equal(found, count);
        assert_in_range(visited, count, 3 * count);
        ps_test_stage_fini(&stage);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_last_one_wins),
        cmocka_unit_test(test_names_of_one_hash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
