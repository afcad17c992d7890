/* A lane and its sender for tests of targets: makes numbered events, gives them, notes what becomes of them.
 *
 * It defines ps_lane_completed and the others of bench/load/target.h weakly: only a test that calls
 * ps_test_lane_* gets them, and one that links the real lane keeps the real ones. Its back-off is short.
 *
 * The events are "e <sequence> xxx.." of about the size asked for; sequences count from 0. */
#pragma once

#include "bench/load/target.h"
#include "tests/support/support.h"

#define PS_TEST_FAILED_MAX 4096U

struct ps_lane {
    const struct ps_target_ops *ops;
    struct ps_url url;
    void *plan, *state;
    enum ps_framing framing;
    uint32_t number;
    uint64_t back_off_ns; /* between tries to connect */
    bool unordered;       /* blocks may be completed in any order; each from its front */

    struct ps_test_block *blocks; /* given and not back, oldest first */
    uint32_t outstanding;
    uint64_t given, completed, failed; /* events */
    uint64_t ups, downs;
    bool up, down;
    unsigned failures_max;                    /* in a row */
    char reason[256];                         /* of the last outage */
    char failure[256];                        /* of the last events that failed */
    uint64_t failed_list[PS_TEST_FAILED_MAX]; /* sequences of the first of them; good after close, too */
    size_t failed_count;
};

struct ps_test_event_size {
    uint32_t low, high; /* bytes, framing included */
};

/* Plans and opens; fails the test when it cannot. */
void ps_test_lane_open(struct ps_lane *lane, const struct ps_target_ops *ops, const char *url);
/* Only the plan: PS_FAIL and the message. Everything is let go again. */
enum ps_status ps_test_lane_plan(const struct ps_target_ops *ops, const char *url, struct ps_err *err);
/* Fails the test when the URL is taken, or when the message does not have `part` in it. */
void ps_test_lane_refused(const struct ps_target_ops *ops, const char *url, const char *part);
/* Closes, gives up what is outstanding, frees. */
void ps_test_lane_close(struct ps_lane *lane);

/* Room for another block? */
bool ps_test_lane_has_room(const struct ps_lane *lane);
/* Gives a block of `count` events. */
void ps_test_lane_give(struct ps_lane *lane, uint32_t count, struct ps_test_event_size size);

/* One round: work, then at most `timeout_ms` waiting for the descriptor. */
void ps_test_lane_turn(struct ps_lane *lane, int timeout_ms);
/* Turns until `done` says so; false after `patience_ms`. `done` NULL: until nothing is outstanding. */
bool ps_test_lane_run(struct ps_lane *lane, unsigned patience_ms, bool (*done)(void *argument),
                      void *argument);
/* Gives `events` in all, blocks of up to `per_block`, and turns until all are settled; false after
 * `patience_ms`. */
bool ps_test_lane_send(struct ps_lane *lane, uint64_t events, uint32_t per_block,
                       struct ps_test_event_size size, unsigned patience_ms);
/* Calls `finish` until it says true; false after `patience_ms`. */
bool ps_test_lane_finish(struct ps_lane *lane, unsigned patience_ms);

/* Writes the text of event `sequence`, framing not included, into `to`; returns its length. The same that
 * ps_test_lane_give makes. */
uint32_t ps_test_lane_event(uint64_t sequence, struct ps_test_event_size size, enum ps_framing framing,
                            char *to);
