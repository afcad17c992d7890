/* Runs one stage without the engine: binds its keys, checks, builds and opens it, passes it batches and
 * leases, and records its output. The clock is the test's own. One thread; failures are cmocka assertions. */
#pragma once

#include "core/flow/bump.h"
#include "core/stage.h"
#include "stages/table.h"
#include "tests/support/support.h"

/* An event as tests write and read it. */
struct ps_test_event {
    const char *body;
    uint32_t length;
    const char *const *headers; /* name, value, name, value, .., NULL; or NULL */
    const char *identity;       /* of an event that a source made; "": none */
};

/* PS_EVENT("body", "name", "value", ..): an event with headers. */
#define PS_EVENT(text, ...)                                                                                  \
    ((struct ps_test_event){                                                                                 \
        .body = (text), .length = (uint32_t)strlen(text), .headers = PS_WORDS(__VA_ARGS__)})
#define PS_BODY(text)                                                                                        \
    ((struct ps_test_event){.body = (text), .length = (uint32_t)strlen(text), .headers = NULL})
/* PS_KEYS("host", "::", "port", "0"): configuration keys of a stage, prefix stripped. */
#define PS_KEYS(...) PS_WORDS(__VA_ARGS__)

/* Returns the value, terminated, or NULL. */
const char *ps_test_event_header(const struct ps_test_event *event, const char *name);
size_t ps_test_event_header_count(const struct ps_test_event *event);

#define PS_TEST_BATCHES_MAX 4096

struct ps_test_problems;

struct ps_test_stage {
    const struct ps_stage_ops *ops;
    void *plan, *state;
    struct ps_context context; /* change channels, instances, .. between init and build */
    struct ps_arena *arena;
    struct ps_depot *depot;
    struct ps_pool *pool;
    struct ps_bump bump;
    struct ps_port port;
    struct ps_counters counters;
    struct ps_now now; /* the fake clock, passed to every call */
    uint64_t ahead_ns; /* by which it is ahead of the real one (ps_test_stage_real_clock) */
    struct ps_err err; /* of the last bind, check, build or open that failed, or of ps_port_failed */
    bool built, opened;
    bool failed; /* the open stage called ps_port_failed */

    struct ps_test_problems *problems; /* reported by binding and `check` */

    struct ps_batch *batch; /* source: the open batch */

    struct ps_test_event *events; /* source: all events of closed batches, in order */
    size_t event_count, event_room;

    struct ps_lease *done[PS_TEST_BATCHES_MAX]; /* sink: leases given to ps_port_done, in order */
    size_t done_count;
    struct ps_lease *home[PS_TEST_BATCHES_MAX]; /* channel: leases given to ps_port_home, in order */
    size_t home_count;

    struct ps_batch *batches[PS_TEST_BATCHES_MAX]; /* out of the pool; given back by ps_test_stage_fini */
    size_t batch_count;

    struct ps_chain_share chain_built, chain_open; /* of a chain of this one stage */
    struct ps_pairs system;                        /* what context.system_property answers from */
    struct {
        const struct ps_stage_ops *ops;
        void *plan;
    } subs[8]; /* sub-stages (serializers) that were built */
    const struct ps_stage_ops
        *sub; /* takes the place of each sub-stage of its kind; may be set between init and bind */
    size_t sub_count;
};

/* ---- life cycle ---- */

/* Makes arena, depot, pool and port; does not call the stage. */
void ps_test_stage_init(struct ps_test_stage *stage, const struct ps_stage_ops *ops);
void ps_test_stage_init_sized(struct ps_test_stage *stage, const struct ps_stage_ops *ops,
                              uint64_t budget_bytes);
/* Closes an open stage, gives back every batch, frees everything. Fails the test when the pool misses a
 * batch. */
void ps_test_stage_fini(struct ps_test_stage *stage);

/* Binds keys (NULL: none) and runs `check`. PS_FAIL: Flume drops such a component; see err and problems. */
enum ps_status ps_test_stage_bind(struct ps_test_stage *stage, const char *const *keys);
enum ps_status ps_test_stage_build(struct ps_test_stage *stage);
enum ps_status ps_test_stage_open(struct ps_test_stage *stage);
void ps_test_stage_close(struct ps_test_stage *stage);

/* An `open` that fails without a reason, as one of a plug-in may. */
enum ps_status ps_test_silent_open(const void *plan, void *state, struct ps_port *port, struct ps_err *err);

/* Calls init, bind, build and open; fails the test when one fails. */
void ps_test_stage_start(struct ps_test_stage *stage, const struct ps_stage_ops *ops,
                         const char *const *keys);

/* Releases the leases that were returned after the first `home` ones, if the channel that made their batches counts them. */
void ps_test_stage_release_home(struct ps_test_stage *stage, size_t home);

/* Gives every batch back and forgets leases and events: for long tests. */
void ps_test_stage_recycle(struct ps_test_stage *stage);

/* Moves the fake clock forward (it starts at 2023-11-14 22:13:20 UTC = 1700000000000 ms). */
void ps_test_stage_pass_ms(struct ps_test_stage *stage, uint64_t ms);

/* Lets the fake clock go on with the real one. It is set to the real clock, but it does not go back: on a machine that was started a
 * short time ago, or after long fake times, it stays ahead of the real clock by the difference. */
void ps_test_stage_real_clock(struct ps_test_stage *stage);

/* Returns whether a problem of that level (ERROR: the component is dropped) has `text` in its key or
 * message. */
bool ps_test_stage_reported(const struct ps_test_stage *stage, enum ps_log_level level, const char *text);

static inline uint64_t ps_test_stage_counter(const struct ps_test_stage *stage, enum ps_counter counter)
{
    return ps_counter_read(&stage->counters, counter);
}

/* Makes a copy of an event, with its own headers and then the batch's, in the stage's arena. */
struct ps_test_event ps_test_event_copy(struct ps_test_stage *stage, const struct ps_batch *batch,
                                        const struct ps_event *event);

/* Takes a batch of the stage's bump, given back by ps_test_stage_fini; NULL: the memory budget is used up. */
struct ps_batch *ps_test_stage_take_batch(struct ps_test_stage *stage);

/* ---- sources ---- */

/* Makes one call of `work`, into the open batch (taken when there is none). A batch that comes back full or
 * flushed is closed. Also calls `tick`. */
enum ps_result ps_test_source_work(struct ps_test_stage *stage);

/* Makes one call of `work`, without `tick`, into the open batch (taken when there is none), which stays open. */
void ps_test_source_read(struct ps_test_stage *stage);

/* Reads until the open batch, which stays open, has at least `events` events. */
void ps_test_source_fill(struct ps_test_stage *stage, uint32_t events);

/* ps_test_source_work with a channel that is never full: an open batch with events is closed, and all batches are given back. */
void ps_test_source_cycle(struct ps_test_stage *stage);

/* Closes the open batch as the engine would when all channels took it: its events are appended to
 * stage->events, then `accepted` and `delivered` are called. */
void ps_test_source_close_batch(struct ps_test_stage *stage);

/* The two halves of that: the first returns the batch, or NULL when none is open. Batches are delivered in order; those that are
 * not go with the stage. */
struct ps_batch *ps_test_source_put_batch(struct ps_test_stage *stage);
void ps_test_source_deliver_batch(struct ps_test_stage *stage, struct ps_batch *batch);

/* Closes the open batch without it reaching a channel: calls `refused`; its events are not recorded. */
void ps_test_source_refuse_batch(struct ps_test_stage *stage, const char *reason);

/* Works (waiting on the port's epoll in between, fake clock moved by the real time that passed) until
 * `count` events are there in closed batches; fails the test after `patience_ms` of real time. Each call of
 * `work` that yields events is a batch of its own. */
void ps_test_source_wait(struct ps_test_stage *stage, size_t count, unsigned patience_ms);

/* Calls `work` for `quiet_ms`, then asserts that there are exactly `count` events. */
void ps_test_source_settle(struct ps_test_stage *stage, size_t count, unsigned quiet_ms);

/* Forgets recorded events. */
void ps_test_source_clear(struct ps_test_stage *stage);

/* ---- interceptors, selectors, sinks, channels: leases made by hand ---- */

/* Makes the chain's lease of a new batch with these events. */
struct ps_lease *ps_test_lease(struct ps_test_stage *stage, const struct ps_test_event *events, size_t count);
#define PS_LEASE(stage, ...)                                                                                 \
    ps_test_lease((stage), (const struct ps_test_event[]){__VA_ARGS__},                                      \
                  PS_COUNT_OF(((const struct ps_test_event[]){__VA_ARGS__})))

/* Returns the event at a position of a lease, copied (arena memory). Headers: own ones first, then the batch's. */
struct ps_test_event ps_test_lease_event(struct ps_test_stage *stage, const struct ps_lease *lease,
                                         uint32_t position);

/* Makes one call of `work`. The sink may have nulled *lease (PS_TAKEN). */
enum ps_result ps_test_sink_work(struct ps_test_stage *stage, struct ps_lease **lease);
uint64_t ps_test_sink_tick(struct ps_test_stage *stage);
/* Calls `recall` until it is true (at most 10 s of real time), a millisecond apart by both clocks; returns what came back,
 * oldest first. */
struct ps_lease *ps_test_sink_recall(struct ps_test_stage *stage);
/* Ticks until `count` leases are in stage->done; fails the test after `patience_ms` of real time. */
void ps_test_sink_wait(struct ps_test_stage *stage, size_t count, unsigned patience_ms);

/* Calls the channel's `tick`, a millisecond apart, until `count` leases, which its thread promises, have been returned since
 * the start. */
void ps_test_channel_await_home(struct ps_test_stage *stage, size_t count);
/* Consumer 0 has delivered the lease: returns it as the engine does, so that its channel counts it. */
void ps_test_channel_deliver(struct ps_test_stage *stage, struct ps_lease *lease);

/* Serializers: runs begin, every event of the lease, flush, end; returns the written bytes, terminated. Free it. */
char *ps_test_serializer_run(struct ps_test_stage *stage, const struct ps_lease *lease, size_t *length);

/* Calls `work` until the result is not PS_LATER. */
enum ps_result ps_test_interceptor_work(struct ps_test_stage *stage, struct ps_lease *lease);
