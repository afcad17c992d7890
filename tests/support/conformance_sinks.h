/* The conformance suite's adapters for sinks (tests/stages/conformance_sink_test.c): they set up every sink, and
 * read what arrived at its far end. A new sink gets a line in ps_test_sink_adapters. */
#pragma once

#include "tests/support/echo.h"
#include "tests/support/stage.h"

struct ps_test_sink_adapter {
    const struct ps_stage_ops *ops;
    const char *keys[16];
    /* Bodies that arrived since `begin`, one a line; NULL: the test cannot see them. */
    void (*begin)(void);
    const char *(*arrived)(void);
    /* Sets how the far end behaves, for sinks with leases in flight; NULL: `work` settles every lease. */
    void (*far_end)(enum ps_test_far_end state);
    /* Makes the far end refuse some requests, which the sink may repeat; `refused` returns whether it has refused any. */
    void (*refuse)(void);
    bool (*refused)(void);
    /* Instead of `refuse`, for sinks that write files: the system call that fails some times. */
    const char *failing_call;
    /* Why there is none of these, and the test that has the sink's failures: "FILE: REASON". */
    const char *refuses_elsewhere;
    /* Allocations of the client library for each event, in this thread. */
    unsigned allocations_per_event;
    /* The first allocations of `open`, which may fail; the later ones are the client library's, which ends
     * the process when it gets no memory. 0: all may fail. */
    unsigned allocations_before_library;
};

extern const struct ps_test_sink_adapter *const ps_test_sink_adapters;
extern const size_t ps_test_sink_adapter_count;

/* Set-up and tear-down of the group of tests: the far ends, a folder and a log of their own. */
int ps_test_sinks_start(void **state);
int ps_test_sinks_stop(void **state);
