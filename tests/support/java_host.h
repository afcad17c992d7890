/* A Java host without Java: tests/stages/lib/java/fake_host.c, a program that speaks the protocol and behaves as the test says,
 * well or badly. The stages `java` that a test builds use it. One for the process. */
#pragma once

#include "core/base.h"

/* What the fake host does with the batches that it has. Shared memory: the test writes, the host reads. */
enum ps_test_java_mode {
    PS_TEST_JAVA_WELL,    /* it commits each batch at once, answers each call */
    PS_TEST_JAVA_SLOW,    /* it does so after 50 ms */
    PS_TEST_JAVA_NOTHING, /* it keeps the batches */
    PS_TEST_JAVA_TWICE,   /* it commits each batch twice */
    PS_TEST_JAVA_BEYOND,  /* it commits more events than it has */
    PS_TEST_JAVA_STRANGE, /* it commits a batch that nobody sent */
    PS_TEST_JAVA_TORN,    /* it sends half a message, and ends */
    PS_TEST_JAVA_GARBAGE, /* it sends bytes that are no message */
    PS_TEST_JAVA_FLOOD,   /* it sends messages without end */
    PS_TEST_JAVA_DIES,    /* it ends at the next batch */
    PS_TEST_JAVA_SILENT,  /* it reads nothing and gives no sign of life */
};

struct ps_test_java_control {
    volatile int mode;
    volatile int batches; /* that came since the start */
    volatile int starts;  /* of the program */
    volatile int stops;   /* components that were stopped */
};

extern struct ps_test_java_control *ps_test_java;

/* Starts it and waits until it runs. A host that is silent for `silence_ms` is ended; it is started again after `rest_ms`. */
void ps_test_java_start(unsigned silence_ms, unsigned rest_ms);
void ps_test_java_stop(void);

/* Forgets what arrived; returns the bodies that sinks committed since then, one a line, as text that lives until the next call. */
void ps_test_java_clear(void);
const char *ps_test_java_text(void);
