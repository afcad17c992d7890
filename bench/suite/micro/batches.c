/* The cost of a batch per event: adding rows, copying bodies, headers. One iteration is one event. */
#include <string.h>

#include "bench/suite/micro/micro.h"
#include "core/flow/batch.h"
#include "core/flow/bump.h"

#define EVENTS 250 /* per batch: blocks always have room for this many */
#define BODY_BYTES 120

struct harness {
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_now now;
};

static void harness_make(struct harness *harness)
{
    harness->depot = ps_depot_create(UINT64_C(64) << 20, NULL);
    PS_ASSERT(harness->depot != NULL);
    harness->pool = ps_pool_create(harness->depot, 0);
    PS_ASSERT(harness->pool != NULL);
    ps_bump_init(&harness->bump, harness->pool);
    harness->now = ps_clock_now();
}

static void harness_free(struct harness *harness)
{
    ps_bump_fini(&harness->bump);
    ps_pool_destroy(harness->pool);
    ps_depot_destroy(harness->depot);
}

static struct ps_batch *batch_filled(struct harness *harness, const char *body)
{
    struct ps_batch *batch = ps_batch_take(&harness->bump, harness->now);
    PS_ASSERT(batch != NULL);
    for (unsigned i = 0; i < EVENTS; i++)
        PS_ASSERT(ps_batch_add_copy(batch, body, BODY_BYTES) != NULL);
    return batch;
}

static void bench_fill(struct ps_micro *micro)
{
    struct harness harness;
    char body[BODY_BYTES];
    memset(body, 'x', sizeof body);
    harness_make(&harness);
    while (ps_micro_batch(micro, EVENTS))
        ps_batch_give(batch_filled(&harness, body));
    ps_micro_bytes(micro, BODY_BYTES);
    harness_free(&harness);
}

static void bench_add_run(struct ps_micro *micro)
{
    struct harness harness;
    harness_make(&harness);
    while (ps_micro_batch(micro, EVENTS)) {
        struct ps_batch *batch = ps_batch_take(&harness.bump, harness.now);
        uint32_t room;
        char *bodies = ps_batch_reserve(batch, EVENTS * BODY_BYTES, &room);
        PS_ASSERT(ps_batch_add_run(batch, bodies, BODY_BYTES, EVENTS) == EVENTS);
        ps_batch_commit(batch, EVENTS * BODY_BYTES);
        ps_batch_give(batch);
    }
    harness_free(&harness);
}

static void bench_header_add(struct ps_micro *micro)
{
    struct harness harness;
    char body[BODY_BYTES] = "x";
    harness_make(&harness);
    const struct ps_name *names[4] = {ps_name_intern("Facility"), ps_name_intern("Severity"),
                                      ps_name_intern("timestamp"), ps_name_intern("host")};
    while (ps_micro_batch(micro, EVENTS)) {
        struct ps_batch *batch = batch_filled(&harness, body);
        for (uint32_t i = 0; i < batch->count; i++) {
            for (unsigned k = 0; k < 4; k++)
                PS_ASSERT(ps_batch_header_add(batch, &batch->events[i], names[k], "value", 5));
        }
        ps_batch_give(batch);
    }
    harness_free(&harness);
}

static void bench_header_find(struct ps_micro *micro)
{
    struct harness harness;
    char body[BODY_BYTES] = "x";
    harness_make(&harness);
    const struct ps_name *there = ps_name_intern("there"), *absent = ps_name_intern("absent");
    struct ps_batch *batch = batch_filled(&harness, body);
    for (uint32_t i = 0; i < batch->count; i++)
        PS_ASSERT(ps_batch_header_add(batch, &batch->events[i], there, "value", 5));
    PS_ASSERT(ps_batch_shared_set(batch, ps_name_intern("static"), "v", 1, true));
    uint64_t found = 0;
    while (ps_micro_batch(micro, EVENTS)) {
        struct ps_slice value;
        for (uint32_t i = 0; i < batch->count; i++) {
            found += ps_event_header(batch, &batch->events[i], there, &value);
            found += ps_event_header(batch, &batch->events[i], absent, &value);
        }
    }
    PS_ASSERT(found > 0);
    ps_batch_give(batch);
    harness_free(&harness);
}

static void bench_shared_header(struct ps_micro *micro)
{
    struct harness harness;
    char body[BODY_BYTES] = "x";
    harness_make(&harness);
    const struct ps_name *name = ps_name_intern("static");
    while (ps_micro_batch(micro, EVENTS)) {
        struct ps_batch *batch = batch_filled(&harness, body);
        PS_ASSERT(ps_batch_shared_set(batch, name, "value", 5, false));
        ps_batch_give(batch);
    }
    harness_free(&harness);
}

void ps_micro_batches(void)
{
    ps_micro_add("batch/fill_copy_120", bench_fill);
    ps_micro_add("batch/add_run_120", bench_add_run);
    ps_micro_add("batch/fill_and_4_headers", bench_header_add);
    ps_micro_add("batch/header_find_hit_and_miss", bench_header_find);
    ps_micro_add("batch/fill_and_shared_header", bench_shared_header);
}
