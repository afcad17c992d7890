/* A channel of the simulator on a disk of the test (core/stage.h: promises PS_LEVEL_DURABLE). The store is the
 * content of the disk: it outlives plans and the agent. A lease that was put waits in a queue until the disk has
 * synced it, which takes a random time, and is promised then. While the disk is broken nothing is promised, puts are
 * refused, and leases that a source can refuse are given up after keep-alive. Consumers read frames of the store
 * into batches of their own; a frame leaves the store when its batch was delivered. An agent that starts feeds the
 * store's events again.
 *
 * Thread: the simulator has one. There are two kinds of channels: in one the disk is a thread of its own
 * (flow_store_run), which wakes workers as an eventfd does (flow.alarms); in the other `tick` returns the time of
 * the next sync. */
#pragma once

#include "core/engine/worker.h"
#include "tests/support/flow.h"

extern const struct ps_stage_ops flow_channel_stage;

/* For flow.c. The plan is in the arena. */
void *flow_channel_plan(struct flow *flow, struct ps_arena *arena, unsigned number);
struct flow_store *flow_store_create(struct flow *flow, unsigned number);
void flow_store_destroy(struct flow_store *store);

/* Runs a turn of the disk: it syncs what is due, breaks, or is repaired. */
void flow_store_run(struct flow_store *store, const struct ps_now *now);
/* Ends the faults: none is injected from here on. */
void flow_store_calm(struct flow_store *store);
/* Returns whether everything in the store was delivered, and nothing waits for a sync. */
bool flow_store_is_empty(const struct flow_store *store);
bool flow_store_is_broken(const struct flow_store *store);
/* Returns whether the next take of a consumer gets a frame. */
bool flow_store_has_frames(const struct flow_store *store);
/* Returns whether this consumer found no memory for the next frame. */
bool flow_store_is_short(const struct flow_store *store, unsigned consumer);
/* Returns whether a promised lease of a producer on this worker was not returned, although the worker could return
 * it. */
bool flow_store_has_news(const struct flow_store *store, unsigned worker, uint64_t now_ns);

/* Call it while the workers of this plan sleep: fails the test if this channel has something to do. */
void flow_check_sleeper(const struct flow *flow, const struct ps_plan *plan, struct ps_worker *worker,
                        unsigned id, const struct ps_now *now);
