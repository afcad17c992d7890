/* A lane and its sender for tests of targets: makes numbered events, gives them to the target, and records
 * which ones complete and which ones fail.
 *
 * It defines ps_lane_completed and the others of bench/load/target/target.h: a test that calls functions of this file gets
 * these, and cannot also have the real lane. Its back-off is 5 ms.
 *
 * The events are those of tests/support/lane_event.h; sequences count from 0. */
#pragma once

#include "bench/load/target/target.h"
#include "tests/support/lane_event.h"
#include "tests/support/support.h"

#define PS_TEST_FAILED_MAX 4096U

struct ps_lane {
    const struct ps_target_ops *ops;
    struct ps_url url;
    void *plan, *state;
    enum ps_framing framing;
    uint32_t number;
    uint64_t back_off_ns; /* between attempts to connect */
    bool unordered;       /* blocks may be completed in any order, but each one from its front */

    struct ps_test_block *blocks; /* given and not settled, oldest first */
    uint32_t outstanding;
    uint64_t given, completed, failed; /* events */
    uint64_t ups, downs;
    bool up, down;
    unsigned failures_max;                    /* failures in a row */
    char reason[256];                         /* of the last outage */
    char failure[256];                        /* of the last events that failed */
    uint64_t failed_list[PS_TEST_FAILED_MAX]; /* sequences of the first failed events; valid after close */
    size_t failed_count;
};

/* Plans and opens the target; fails the test when one of them fails. */
void ps_test_lane_open(struct ps_lane *lane, const struct ps_target_ops *ops, const char *url);
/* Only plans, then frees the plan. Returns PS_FAIL and the message in *err when the URL is refused. */
enum ps_status ps_test_lane_plan(const struct ps_target_ops *ops, const char *url, struct ps_err *err);
/* Fails the test when the URL is accepted, or when the message does not contain `part`. */
void ps_test_lane_refused(const struct ps_target_ops *ops, const char *url, const char *part);
/* Closes the target, drops the blocks that are still outstanding, frees everything. */
void ps_test_lane_close(struct ps_lane *lane);

/* Returns whether the target takes another block. */
bool ps_test_lane_has_room(const struct ps_lane *lane);
/* Gives a block of `count` events. */
void ps_test_lane_give(struct ps_lane *lane, uint32_t count, struct ps_test_event_size size);

/* Runs one round: calls `work`, then waits for the target's descriptor for at most `timeout_ms`. */
void ps_test_lane_turn(struct ps_lane *lane, int timeout_ms);
/* Runs rounds until `done` returns true (NULL: until nothing is outstanding). Returns false after
 * `patience_ms`. */
bool ps_test_lane_run(struct ps_lane *lane, unsigned patience_ms, bool (*done)(void *argument),
                      void *argument);
/* Gives `events` events in blocks of up to `per_block`, and runs rounds until all are settled. Returns false
 * after `patience_ms`. */
bool ps_test_lane_send(struct ps_lane *lane, uint64_t events, uint32_t per_block,
                       struct ps_test_event_size size, unsigned patience_ms);
/* Calls `finish` until it returns true. Returns false after `patience_ms`. */
bool ps_test_lane_finish(struct ps_lane *lane, unsigned patience_ms);
