#include "bench/suite/bed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stages/table.h"

#define KEYS_MAX 16U
#define BATCHES_MAX 256U
/* Leases of one batch: the chain's, and required and optional ones of four channels. */
#define LEASES_MAX 9U

static _Noreturn void fatal(const char *name, const char *why)
{
    fprintf(stderr, "bench: %s: %s\n", name, why);
    exit(1);
}

void ps_bed_init(struct ps_bed *bed, uint64_t bytes)
{
    memset(bed, 0, sizeof *bed);
    bed->arena = ps_arena_create();
    ps_problems_init(&bed->problems, bed->arena);
    bed->depot = ps_depot_create(bytes, NULL);
    PS_ASSERT(bed->depot != NULL);
    bed->pool = ps_pool_create(bed->depot, 0);
    PS_ASSERT(bed->pool != NULL);
    ps_bump_init(&bed->bump, bed->pool);
    bed->now = ps_clock_now();
    bed->port = (struct ps_port){.component = "bench",
                                 .name = "b1",
                                 .counters = &bed->counters,
                                 .instances = 1,
                                 .epoll_fd = -1,
                                 .wake_fd = -1,
                                 .chain = &bed->chain_open,
                                 .blocks = ps_pool_cache(bed->pool)};
}

void ps_bed_fini(struct ps_bed *bed)
{
    if (bed->ops != NULL && bed->ops->close != NULL)
        bed->ops->close(bed->plan, bed->state);
    if (bed->chain_open.value != NULL)
        bed->chain_open.destroy(bed->chain_open.value);
    if (bed->chain_built.value != NULL)
        bed->chain_built.destroy(bed->chain_built.value);
    if (bed->ops != NULL && bed->ops->teardown != NULL)
        bed->ops->teardown(bed->plan);
    ps_bump_fini(&bed->bump);
    ps_pool_destroy(bed->pool);
    ps_depot_destroy(bed->depot);
    ps_problems_fini(&bed->problems);
    ps_arena_destroy(bed->arena);
}

static const struct ps_stage_ops *stage_find(enum ps_kind kind, const char *name)
{
    for (size_t i = 0; ps_stages[i] != NULL; i++) {
        if (ps_stages[i]->kind == kind && strcasecmp(ps_stages[i]->name, name) == 0)
            return ps_stages[i];
    }
    fatal(name, "there is no such stage");
}

void ps_bed_open(struct ps_bed *bed, enum ps_kind kind, const char *name, struct ps_texts channels,
                 const char *const *keys)
{
    struct ps_pair pairs[KEYS_MAX];
    size_t count = 0;
    struct ps_err err = {.length = 0};
    for (; keys[2 * count] != NULL; count++) {
        PS_ASSERT(count < KEYS_MAX);
        pairs[count] = (struct ps_pair){.key = keys[2 * count], .value = keys[2 * count + 1]};
    }
    bed->ops = stage_find(kind, name);
    bed->plan = ps_arena_alloc(bed->arena, bed->ops->plan_size + 1);
    bed->state = ps_arena_alloc(bed->arena, bed->ops->state_size + 1);
    struct ps_bind bind = {.arena = bed->arena, .problems = &bed->problems, .prefix = ""};
    struct ps_context context = {.agent = "a1",
                                 .component = "bench",
                                 .name = "b1",
                                 .arena = bed->arena,
                                 .channels = channels,
                                 .chain = &bed->chain_built,
                                 .instances = 1};
    if (ps_bind_options(&bind, bed->ops->options, NULL, &(struct ps_pairs){count, pairs}, bed->plan) != PS_OK)
        fatal(name, "its keys have errors");
    if (bed->ops->build != NULL && bed->ops->build(bed->plan, &context, &err) != PS_OK)
        fatal(name, err.text);
    if (bed->chain_built.value != NULL && bed->chain_built.finish(bed->chain_built.value, &err) != PS_OK)
        fatal(name, err.text);
    if (bed->ops->open != NULL && bed->ops->open(bed->plan, bed->state, &bed->port, &err) != PS_OK)
        fatal(name, err.text);
}

struct sum {
    const char *name;
    double value;
};

static void sum_add(void *argument, const struct ps_series *series)
{
    struct sum *sum = argument;
    if (strcmp(series->name, sum->name) == 0)
        sum->value += series->value;
}

double ps_bed_series_sum(const struct ps_bed *bed, const char *name)
{
    struct sum sum = {.name = name};
    if (bed->ops->series != NULL)
        bed->ops->series(bed->plan, sum_add, &sum);
    return sum.value;
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

struct ps_batch *ps_bed_batch(struct ps_bed *bed, const char *lines, uint32_t length, uint32_t count,
                              bool in_place, uint32_t *taken)
{
    struct ps_batch *batch = ps_batch_take(&bed->bump, bed->now);
    PS_ASSERT(batch != NULL);
    *taken = 0;
    if (in_place)
        *taken = add_in_place(batch, lines, length, count);
    while (!in_place && *taken < count &&
           ps_batch_add_copy(batch, lines + (size_t)*taken * (length + 1), length) != NULL)
        ++*taken;
    PS_ASSERT(*taken > 0);
    ps_batch_close(batch);
    return batch;
}

struct ps_batch *ps_bed_batch_over(struct ps_bed *bed, char *lines, uint32_t length, uint32_t count,
                                   uint32_t *taken)
{
    struct ps_batch *batch = ps_batch_take(&bed->bump, bed->now);
    PS_ASSERT(batch != NULL);
    *taken = 0;
    while (*taken < count && ps_batch_add(batch, lines + (size_t)*taken * (length + 1), length) != NULL)
        ++*taken;
    PS_ASSERT(*taken > 0);
    ps_batch_close(batch);
    return batch;
}
