/* The cost of a batch per event: adding rows, copying bodies, headers. One iteration is one event. */
#include <string.h>

#include "bench/suite/harness.h"
#include "bench/suite/micro/micro.h"

#define EVENTS 250 /* per batch: blocks always have room for this many */
#define BODY_BYTES 120

static struct ps_batch *batch_filled(struct ps_bench_harness *harness, const char *body)
{
    struct ps_batch *batch = ps_batch_take(&harness->bump, harness->now);
    PS_ASSERT(batch != NULL);
    for (unsigned i = 0; i < EVENTS; i++)
        PS_ASSERT(ps_batch_add_copy(batch, body, BODY_BYTES) != NULL);
    return batch;
}

static void bench_fill(struct ps_micro *micro)
{
    struct ps_bench_harness harness;
    char body[BODY_BYTES];
    memset(body, 'x', sizeof body);
    ps_bench_harness_init(&harness, UINT64_C(64) << 20);
    while (ps_micro_batch(micro, EVENTS))
        ps_batch_give(batch_filled(&harness, body));
    ps_micro_bytes(micro, BODY_BYTES);
    ps_bench_harness_fini(&harness);
}

static void bench_header_add(struct ps_micro *micro)
{
    struct ps_bench_harness harness;
    char body[BODY_BYTES] = "x";
    ps_bench_harness_init(&harness, UINT64_C(64) << 20);
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
    ps_bench_harness_fini(&harness);
}

static void bench_shared_header(struct ps_micro *micro)
{
    struct ps_bench_harness harness;
    char body[BODY_BYTES] = "x";
    ps_bench_harness_init(&harness, UINT64_C(64) << 20);
    const struct ps_name *name = ps_name_intern("static");
    while (ps_micro_batch(micro, EVENTS)) {
        struct ps_batch *batch = batch_filled(&harness, body);
        PS_ASSERT(ps_batch_shared_set(batch, name, "value", 5, false));
        ps_batch_give(batch);
    }
    ps_bench_harness_fini(&harness);
}

void ps_micro_batches(void)
{
    ps_micro_add("batch/fill_copy_120", bench_fill);
    ps_micro_add("batch/fill_and_4_headers", bench_header_add);
    ps_micro_add("batch/fill_and_shared_header", bench_shared_header);
}
