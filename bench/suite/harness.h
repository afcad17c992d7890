/* One stage, bound, built and open, without an engine around it, for benches that call `work` directly; and batches of
 * log lines for the stage.
 *
 * Thread: one, which acts as the stage's worker. Errors end the program with a message. */
#pragma once

#include "conf/bind.h"
#include "core/flow/batch.h"
#include "core/flow/bump.h"
#include "core/stage.h"

struct ps_bench_harness {
    struct ps_arena *arena;
    struct ps_problems problems;
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_counters counters;
    struct ps_port port;
    struct ps_chain_share chain_built, chain_open;
    struct ps_now now;
    uint64_t client_queue_bytes;    /* of a stage with a client library */
    const struct ps_stage_ops *ops; /* NULL: no stage is open */
    void *plan, *state;
};

/* Initialises the harness with this much memory for batches. */
void ps_bench_harness_init(struct ps_bench_harness *harness, uint64_t bytes);
void ps_bench_harness_fini(struct ps_bench_harness *harness);

/* Opens a stage. `keys`: the stage's configuration as key, value, .., NULL. `channels`: a selector's channels. */
void ps_bench_harness_open(struct ps_bench_harness *harness, enum ps_kind kind, const char *name,
                           struct ps_texts channels, const char *const *keys);

/* Makes a closed batch of up to `count` lines of `length` bytes from `lines`, each followed by a newline, one after the
 * other as a source reads them; `*taken` is how many fitted. */
struct ps_batch *ps_bench_harness_batch(struct ps_bench_harness *harness, const char *lines, uint32_t length,
                                        uint32_t count, uint32_t *taken);
