/* The conformance suite's adapters for sources (tests/stages/conformance_source_test.c): they set up every source
 * and its far end. A new source gets a line in ps_test_source_adapters. */
#pragma once

#include "tests/support/stage.h"

/* Number of events of every source. */
#define PS_TEST_SOURCE_EVENTS 3000U

struct ps_test_source_adapter {
    const struct ps_stage_ops *ops;
    const char *keys[16];
    bool asserts_memory; /* its set-up ends the process when there is no memory, as the engine's own does */
    /* Joins a group when it is opened, which takes seconds: the test waits, and its clock does not run faster
     * than the real one. */
    bool joins;
    /* Why conformance_source_again_test.c does not ask it, and the test that does: "FILE: REASON". */
    const char *asked_elsewhere;
    void (*prepare)(void); /* called before the keys are bound */
    void (*begin)(const struct ps_test_source_adapter *adapter, struct ps_test_stage *stage);
    /* Sends one more event; NULL: the events come by themselves. */
    void (*send)(unsigned number);
    void (*end)(void);
    /* Makes the far end fail some requests, which the source repeats; `refused` returns whether it has failed all of them. */
    void (*refuse)(void);
    bool (*refused)(void);
    /* Instead of these, for sources that read files: the system call that fails some times. */
    const char *failing_call;
    unsigned
        rest_step_ms; /* by which the test's clock moves then in each turn, for a source that rests for long; 0: 1 */
    /* Checks the body of an event. */
    void (*expect)(const struct ps_test_event *event, unsigned number);
    /* Returns how many events the far end knows as delivered, without waiting; NULL: it does not know. */
    unsigned (*position)(void);
};

extern const struct ps_test_source_adapter *const ps_test_source_adapters;
extern const size_t ps_test_source_adapter_count;

/* Number of events that the running test has seen delivered. */
extern unsigned ps_test_source_delivered;

/* Moves the source's answers to its client into `to`, without waiting. Returns their length in bytes; 0 also
 * for a source without a client. */
size_t ps_test_source_answer(char *to, size_t room);

/* Set-up and tear-down of the group of tests: the far ends. */
int ps_test_sources_start(void **state);
int ps_test_sources_stop(void **state);
