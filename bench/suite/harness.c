#include "bench/suite/harness.h"
#include "bench/suite/paired.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stages/table.h"

#define KEYS_MAX 16U

void ps_bench_harness_init(struct ps_bench_harness *harness, uint64_t bytes)
{
    memset(harness, 0, sizeof *harness);
    harness->arena = ps_arena_create();
    ps_problems_init(&harness->problems, harness->arena);
    harness->depot = ps_depot_create(bytes, NULL);
    PS_ASSERT(harness->depot != NULL);
    harness->pool = ps_pool_create(harness->depot, 0);
    PS_ASSERT(harness->pool != NULL);
    ps_bump_init(&harness->bump, harness->pool);
    harness->now = ps_clock_now();
    harness->port = (struct ps_port){.component = "bench",
                                     .name = "b1",
                                     .counters = &harness->counters,
                                     .instances = 1,
                                     .epoll_fd = -1,
                                     .wake_fd = -1,
                                     .chain = &harness->chain_open,
                                     .blocks = ps_pool_cache(harness->pool)};
}

void ps_bench_harness_fini(struct ps_bench_harness *harness)
{
    if (harness->ops != NULL && harness->ops->close != NULL)
        harness->ops->close(harness->plan, harness->state);
    if (harness->chain_open.value != NULL)
        harness->chain_open.destroy(harness->chain_open.value);
    if (harness->chain_built.value != NULL)
        harness->chain_built.destroy(harness->chain_built.value);
    if (harness->ops != NULL && harness->ops->teardown != NULL)
        harness->ops->teardown(harness->plan);
    ps_bump_fini(&harness->bump);
    ps_pool_destroy(harness->pool);
    ps_depot_destroy(harness->depot);
    ps_problems_fini(&harness->problems);
    ps_arena_destroy(harness->arena);
}

static const struct ps_stage_ops *stage_find(enum ps_kind kind, const char *name)
{
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        if (ps_stages[i]->kind == kind && strcasecmp(ps_stages[i]->name, name) == 0)
            return ps_stages[i];
    }
    ps_bench_fatal("%s: there is no such stage", name);
}

static void report(const struct ps_context *, enum ps_log_level severity, const char *key,
                   const char *message)
{
    if (severity >= PS_LOG_WARN)
        fprintf(stderr, "%s: %s\n", key, message);
}

void ps_bench_harness_open(struct ps_bench_harness *harness, enum ps_kind kind, const char *name,
                           struct ps_texts channels, const char *const *keys)
{
    struct ps_pair pairs[KEYS_MAX];
    size_t count = 0;
    struct ps_err err = {.length = 0};
    for (; keys[2 * count] != NULL; count++) {
        PS_ASSERT(count < KEYS_MAX);
        pairs[count] = (struct ps_pair){.key = keys[2 * count], .value = keys[2 * count + 1]};
    }
    harness->ops = stage_find(kind, name);
    harness->plan = ps_arena_alloc(harness->arena, harness->ops->plan_size + 1);
    harness->state = ps_arena_alloc(harness->arena, harness->ops->state_size + 1);
    struct ps_bind bind = {.arena = harness->arena, .problems = &harness->problems, .prefix = ""};
    struct ps_context context = {.agent = "a1",
                                 .component = "bench",
                                 .name = "b1",
                                 .arena = harness->arena,
                                 .channels = channels,
                                 .chain = &harness->chain_built,
                                 .report = report,
                                 .client_queue_bytes = harness->client_queue_bytes,
                                 .instances = 1};
    if (ps_bind_options(&bind, harness->ops->options, NULL, &(struct ps_pairs){count, pairs},
                        harness->plan) != PS_OK)
        ps_bench_fatal("%s: its keys have errors", name);
    if (harness->ops->check != NULL && harness->ops->check(harness->plan, &context) != PS_OK)
        ps_bench_fatal("%s: its keys do not go together", name);
    if (harness->ops->build != NULL && harness->ops->build(harness->plan, &context, &err) != PS_OK)
        ps_bench_fatal("%s: %s", name, err.text);
    if (harness->chain_built.value != NULL &&
        harness->chain_built.finish(harness->chain_built.value, &err) != PS_OK)
        ps_bench_fatal("%s: %s", name, err.text);
    if (harness->ops->open != NULL &&
        harness->ops->open(harness->plan, harness->state, &harness->port, &err) != PS_OK)
        ps_bench_fatal("%s: %s", name, err.text);
}

/* Adds as many lines as the current block has room for, and repeats until all are added. */
static uint32_t add_in_place(struct ps_batch *batch, const char *lines, uint32_t length, uint32_t count)
{
    uint32_t taken = 0, room, step = length + 1;
    while (taken < count) {
        char *to = ps_batch_reserve(batch, step, &room);
        if (to == NULL)
            break;
        uint32_t fit = room / step < count - taken ? room / step : count - taken;
        memcpy(to, lines + (size_t)taken * step, (size_t)fit * step);
        ps_batch_commit(batch, fit * step);
        for (uint32_t i = 0; i < fit; i++) {
            if (ps_batch_add(batch, to + i * step, length) == NULL)
                return taken;
            taken++;
        }
    }
    return taken;
}

struct ps_batch *ps_bench_harness_batch(struct ps_bench_harness *harness, const char *lines, uint32_t length,
                                        uint32_t count, uint32_t *taken)
{
    struct ps_batch *batch = ps_batch_take(&harness->bump, harness->now);
    PS_ASSERT(batch != NULL);
    *taken = add_in_place(batch, lines, length, count);
    PS_ASSERT(*taken > 0);
    ps_batch_close(batch);
    return batch;
}
