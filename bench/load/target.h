/* The seam between the generator, which knows when events are due, and the targets, which know how to bring
 * them there. One lane is one connection: it has one source number and its own sequence. A sender thread owns
 * some lanes, renders what is due into blocks, and gives these to the lane's target, which completes them in
 * order. While no block is free the schedule goes on: what is due and not yet rendered is the backlog.
 *
 * Nothing here waits: `open` begins to connect, `work` does what can be done now. A target that lost its
 * connection says so (ps_lane_down), tries again with back-off, and goes on with the first event it had not
 * completed.
 *
 * Thread: the lane's sender, but for `plan` and `unplan`. */
#pragma once

#include "bench/load/content.h"
#include "bench/support/url.h"

#define PS_LOAD_BLOCK_EVENTS 1024U

/* Rendered events on their way. */
struct ps_load_block {
    struct ps_load_block *next; /* of whoever has it */
    uint32_t count;             /* events in it */
    uint32_t completed;         /* of them, from the front: completed or failed */
    uint32_t cursor;            /* the target's own: bytes or events handed on */
    uint64_t first_sequence;
    uint64_t due_ns[PS_LOAD_BLOCK_EVENTS]; /* monotonic */
    uint32_t ends[PS_LOAD_BLOCK_EVENTS];   /* event i is bytes[ends[i-1] .. ends[i]) */
    void *target;                          /* the target's own */
    char *bytes;
};

struct ps_lane;

enum ps_completion {
    PS_COMPLETION_WRITTEN,      /* the kernel took it: TCP, UDP, files */
    PS_COMPLETION_ACKNOWLEDGED, /* the far side said so: netcat's OK, HTTP 200, a delivery report, Avro's OK
                                 */
};

struct ps_target_ops {
    const char *scheme;  /* "tcp" */
    const char *summary; /* one line for --help, with its keys */
    enum ps_framing framing;
    enum ps_completion completion;
    uint32_t blocks_max; /* blocks one lane may have given and not completed; at least 2 */
    bool one_lane;       /* several connections make no sense: stdout, file */

    /* Reads the URL's keys (ps_url_get; ps_url_check is called behind it). `*framing` may be changed. Shared
     * by all lanes and const from then on. May block (names are resolved). */
    enum ps_status (*plan)(void **plan, struct ps_url *url, enum ps_framing *framing, struct ps_err *err);
    void (*unplan)(void *plan);

    /* What completion means with this plan; NULL: `completion`. */
    enum ps_completion (*completes)(const void *plan);

    /* Begins to connect. PS_FAIL only for what no waiting can cure. `*state` is the lane's. */
    enum ps_status (*open)(void **state, const void *plan, struct ps_lane *lane, struct ps_err *err);
    /* Takes a block; the target has it until its last event is completed or failed. Only called with less
     * than blocks_max of them outstanding. */
    void (*give)(void *state, struct ps_load_block *block);
    /* Goes on: connects, writes, reads answers. Returns when it wants to be called again without its
     * descriptor being ready (PS_NEVER: not at all). */
    uint64_t (*work)(void *state, uint64_t now_ns);
    /* What to poll for, -1: nothing. */
    int (*descriptor)(void *state, short *events);
    /* Everything was given: end what can be ended (flush, half-close). True when nothing is outstanding any
     * more and what was written is on its way. */
    bool (*finish)(void *state, uint64_t now_ns);
    /* At once, whatever is outstanding. */
    void (*close)(void *state);
};

/* All of them, NULL at the end. */
extern const struct ps_target_ops *const ps_targets[];

/* ---- what a target may ask of its lane ---- */

/* The next `count` events of the block are where they should be, at now_ns. When it was the last of them, the
 * block is the lane's again. */
void ps_lane_completed(struct ps_lane *lane, struct ps_load_block *block, uint32_t count, uint64_t now_ns);
/* The next `count` events were refused for good (HTTP 400, message too large, datagram not sent): counted as
 * failed, not sent again. `reason` is kept by the lane for the summary (copied; the first of each kind). */
void ps_lane_failed(struct ps_lane *lane, struct ps_load_block *block, uint32_t count, const char *reason);
/* The connection is lost or could not be made: an outage begins (or goes on). The lane counts outages and
 * their length and shows the reason. */
void ps_lane_down(struct ps_lane *lane, uint64_t now_ns, const char *reason);
/* Ready to take events. Every target says so once before the schedule starts, even where nothing connects. */
void ps_lane_up(struct ps_lane *lane, uint64_t now_ns);
/* Nothing will ever be taken again (standard output was closed): the run ends early. */
void ps_lane_hopeless(struct ps_lane *lane);
/* When to try again after the n-th failure in a row (0, 1, ...): 100 ms doubling to 5 s, with jitter from the
 * lane's seed. */
uint64_t ps_lane_retry_at(struct ps_lane *lane, unsigned failures, uint64_t now_ns);
uint32_t ps_lane_number(const struct ps_lane *lane); /* from 0 */
/* The clock, read anew: for completions after a call that may have taken long. */
uint64_t ps_lane_now(const struct ps_lane *lane);
/* Another descriptor than before, under whatever number (a number may come again). ps_lane_down and
 * ps_lane_up imply it. */
void ps_lane_descriptor_changed(struct ps_lane *lane);
