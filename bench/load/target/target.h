/* The interface between the generator, which knows when events are due, and the targets, which deliver them.
 * One lane is one connection: it has one source number and its own sequence. A sender thread owns some lanes,
 * renders due events into blocks, and gives the blocks to the lane's target, which completes them in order.
 * While no block is free the schedule continues: events that are due and not yet rendered are the backlog.
 *
 * Nothing here blocks: `open` begins to connect, `work` does what can be done now. A target that lost its
 * connection calls ps_lane_down, tries again with back-off, and continues with the first event that was not
 * completed.
 *
 * Thread: the lane's sender, except `plan` and `unplan`. */
#pragma once

#include "bench/load/content/content.h"
#include "bench/support/url.h"

#define PS_LOAD_BLOCK_EVENTS 1024U

/* A block of rendered events. */
struct ps_load_block {
    struct ps_load_block *next; /* for lists of the current owner */
    uint32_t count;             /* events in it */
    uint32_t completed;         /* number of events at the block's front that are completed or failed */
    uint32_t cursor;            /* for the target: bytes or events handed on */
    uint32_t lane;              /* index of its lane among the sender's */
    uint64_t first_sequence;
    uint64_t due_ns[PS_LOAD_BLOCK_EVENTS]; /* monotonic */
    uint32_t ends[PS_LOAD_BLOCK_EVENTS];   /* event i is bytes[ends[i-1] .. ends[i]) */
    void *target;                          /* the target's own data */
    char *bytes;
};

struct ps_lane;

enum ps_completion {
    PS_COMPLETION_WRITTEN, /* the kernel accepted it: TCP, UDP, files */
    /* The receiver confirmed it: netcat's OK, HTTP 200, a delivery report, Avro's OK. */
    PS_COMPLETION_ACKNOWLEDGED,
};

struct ps_target_ops {
    const char *scheme;  /* "tcp" */
    const char *summary; /* one line for --help, with the keys of the URL */
    enum ps_framing framing;
    enum ps_completion completion;
    /* Maximum number of blocks that one lane may have given and that are not completed; at least 2. */
    uint32_t blocks_max;
    bool one_lane; /* the target takes only one connection: stdout, file */

    size_t plan_bytes, state_bytes; /* of what `plan` and `open` fill; zeroed before */

    /* Reads the URL's keys with ps_url_get; the caller then calls ps_url_check. May change `*framing`. The
     * plan is shared by all lanes and constant afterwards; it may point into the URL. May block (resolves names).
     * NULL: no keys. */
    enum ps_status (*plan)(void *plan, struct ps_url *url, enum ps_framing *framing, struct ps_err *err);
    /* Frees what the plan points to, also after `plan` failed. NULL: nothing. */
    void (*unplan)(void *plan);

    /* Returns the meaning of completion with this plan. NULL: the meaning is `completion` with every plan. */
    enum ps_completion (*completes)(const void *plan);

    /* Begins to connect. Returns PS_FAIL only for errors that waiting cannot cure; `close` is not called then. */
    enum ps_status (*open)(void *state, const void *plan, struct ps_lane *lane, struct ps_err *err);
    /* Takes a block and keeps it until its last event is completed or failed. It is never called while blocks_max
     * blocks are outstanding. */
    void (*give)(void *state, struct ps_load_block *block);
    /* Connects, writes, reads answers. Returns the time (monotonic) at which it must be called again even if its
     * descriptor is not ready; PS_NEVER: `work` need not be called before. */
    uint64_t (*work)(void *state, uint64_t now_ns);
    /* Returns the descriptor and events to poll for, or -1. */
    int (*descriptor)(void *state, short *events);
    /* Called when every event was given: ends what can be ended (flush, half-close). Returns true when nothing is
     * outstanding and everything written has been handed to the kernel. */
    bool (*finish)(void *state, uint64_t now_ns);
    /* Closes immediately, whatever is outstanding. */
    void (*close)(void *state);
};

/* All targets, NULL at the end. */
extern const struct ps_target_ops *const ps_targets[];

/* Makes a plan; `*plan` is NULL when it fails. The URL must outlive it. Thread: the main one. */
enum ps_status ps_target_plan(const struct ps_target_ops *ops, struct ps_url *url, enum ps_framing *framing,
                              void **plan, struct ps_err *err);
void ps_target_unplan(const struct ps_target_ops *ops, void *plan); /* NULL is allowed */
/* Opens the lane's state; `*state` is NULL when it fails. */
enum ps_status ps_target_open(const struct ps_target_ops *ops, const void *plan, struct ps_lane *lane,
                              void **state, struct ps_err *err);
void ps_target_close(const struct ps_target_ops *ops, void *state); /* NULL is allowed */

/* ---- functions that a target may call ---- */

/* Reports that the next `count` events of the block were completed at now_ns. With the report of its last event the
 * block belongs to the lane again. */
void ps_lane_completed(struct ps_lane *lane, struct ps_load_block *block, uint32_t count, uint64_t now_ns);
/* Reports that the next `count` events were refused for good (HTTP 400, message too large, datagram not sent): they
 * count as failed and are not sent again. The lane copies `reason` for the summary (the first of each kind). */
void ps_lane_failed(struct ps_lane *lane, struct ps_load_block *block, uint32_t count, const char *reason);
/* Reports that the connection is lost or could not be made: an outage begins or continues. The lane counts outages,
 * measures their length and shows the reason. */
void ps_lane_down(struct ps_lane *lane, uint64_t now_ns, const char *reason);
/* Reports that the target is ready to take events. Every target calls it once before the schedule starts, even when
 * it does not connect to anything. */
void ps_lane_up(struct ps_lane *lane, uint64_t now_ns);
/* Reports that the target will never accept events again (standard output was closed): the run ends early. */
void ps_lane_target_gone(struct ps_lane *lane);
/* Returns when to try again after the n-th consecutive failure (0, 1, ...): 100 ms doubling to 5 s, with
 * jitter from the lane's seed. */
uint64_t ps_lane_retry_at(struct ps_lane *lane, unsigned failures, uint64_t now_ns);
uint32_t ps_lane_number(const struct ps_lane *lane); /* from 0 */
/* Reads the clock again: for completions after a call that may have taken long. */
uint64_t ps_lane_now(const struct ps_lane *lane);
/* Reports that the target now uses another descriptor, possibly with the same number as before. ps_lane_down and
 * ps_lane_up imply this. */
void ps_lane_descriptor_changed(struct ps_lane *lane);
