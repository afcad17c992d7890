/* A Java host without Java: tests/support/java/host/, a program that speaks the protocol and behaves as the test says,
 * well or badly. The stages `java` that a test builds use it. One for the process. */
#pragma once

#include "core/base.h"

/* The way in which the fake host handles its batches; for an interceptor, a commit is an answer. Shared memory: the test
 * writes, the host reads. */
enum ps_test_java_mode {
    PS_TEST_JAVA_WELL,    /* it commits each batch immediately, answers each call */
    PS_TEST_JAVA_SLOW,    /* it does so after 50 ms */
    PS_TEST_JAVA_NOTHING, /* it keeps the batches */
    PS_TEST_JAVA_TWICE,   /* it commits each batch twice */
    PS_TEST_JAVA_BEYOND,  /* it commits more events than it has */
    PS_TEST_JAVA_STRANGE, /* it commits a batch that nobody sent */
    PS_TEST_JAVA_TORN,    /* it sends half a message, and ends */
    PS_TEST_JAVA_GARBAGE, /* it sends bytes that are not a message */
    PS_TEST_JAVA_FLOOD,   /* it sends messages without end */
    PS_TEST_JAVA_DIES,    /* it ends at the next batch */
    PS_TEST_JAVA_SILENT,  /* it reads nothing and gives no sign of life */
    PS_TEST_JAVA_THROWS,  /* interceptor: it cannot handle the batch */
    PS_TEST_JAVA_MUCH,    /* interceptor: the reply would be too large */
    PS_TEST_JAVA_BROKEN,  /* it fails at each configuration */
    PS_TEST_JAVA_LEAVES,  /* source: it promises events and does not hand them over */
    PS_TEST_JAVA_HALF, /* sink: it commits half of a batch, notes that in the slot, and ends before it sends the message */
    PS_TEST_JAVA_NOTES, /* sink: it notes in the slot that it has committed more events than it has, and ends */
    PS_TEST_JAVA_SKIPS, /* source: it hands over promised events with a wrong number */
    PS_TEST_JAVA_DEAF,  /* it continues, but reads no messages */
    PS_TEST_JAVA_HANGS, /* its components do not get ready: their start() does not return until another mode begins */
    PS_TEST_JAVA_FOLLOWS, /* the same, because they wait for org.example.Hanging */
    PS_TEST_JAVA_SINGLY,  /* sink: it commits each event in a message of its own */
    PS_TEST_JAVA_REFUSES, /* sink: it refuses an event, for which there must be dead letters */
    PS_TEST_JAVA_AGAIN, /* sink: it commits the first event of a batch, and 100 ms later the same event again */
};

/* For a source the modes are: WELL, SLOW; NOTHING, SILENT: it puts none; TWICE: each call in a slot that already has one;
 * BEYOND: a call announces more events than it has; STRANGE: it uses a slot that it was not given; TORN, GARBAGE, DIES: at
 * its next call; BROKEN. */

/* The way in which an interceptor in the fake host changes the events. */
enum ps_test_java_edit {
    PS_TEST_JAVA_SAME,
    PS_TEST_JAVA_CHANGE, /* header by=java, no header b, `!` after the body; every third one is dropped */
    PS_TEST_JAVA_ADD,    /* after each event a new one: body `new`, header by=java */
    PS_TEST_JAVA_TURN,   /* in the opposite order */
    PS_TEST_JAVA_GROW,   /* each body is 1 MiB */
    PS_TEST_JAVA_EMPTY,  /* all are dropped */
};

/* How an interceptor of mode BEYOND breaks the protocol. */
enum ps_test_java_lie {
    PS_TEST_JAVA_LIE_EVENT,   /* its answer names an event that does not exist */
    PS_TEST_JAVA_LIE_BYTES,   /* its answer has a byte more than its area */
    PS_TEST_JAVA_LIE_EVENTS,  /* its answer has an event more than a batch may have */
    PS_TEST_JAVA_LIE_NOTHING, /* its answer has an event and no bytes */
    PS_TEST_JAVA_LIE_SHORT,   /* its answer lacks the last number */
    PS_TEST_JAVA_LIE_NEED,    /* it wants an area of the same size */
    PS_TEST_JAVA_LIE_NEEDS,   /* it wants more than 1 GiB */
    PS_TEST_JAVA_LIE_TROUBLE, /* it cannot handle a batch that it was not given */
    PS_TEST_JAVA_LIE_READY,   /* it is ready once more */
    PS_TEST_JAVA_LIE_COMMIT,  /* it commits the batch, as a sink does */
    PS_TEST_JAVA_LIES,
};

struct ps_test_java_control {
    volatile enum ps_test_java_mode mode;
    volatile enum ps_test_java_edit edit;
    volatile int batches;    /* batches since the start */
    volatile int starts;     /* of the program */
    volatile int configured; /* components */
    volatile int rollbacks;  /* sink: so many transactions are rolled back, and begin again */
    volatile int torn;       /* components whose properties the host read otherwise than they were written */
    volatile int deaf;       /* grows while the mode is DEAF */
    volatile int singles;    /* configured interceptors that are called with single events */
    volatile int stops;      /* components that were stopped */
    volatile int abandoned;  /* stopped components whose stage was closed */
    /* Sources: each puts events "event 0", "event 1", .. until it has put as many as `events`. */
    volatile int events;
    volatile int call_events;           /* maximum of one call; 0: 7 */
    volatile int large_bytes;           /* length of the body of each tenth event; 0: as the others */
    volatile int taken, refused;        /* events, as the agent has answered */
    volatile int promises;              /* the sources promise events where they may */
    volatile int promised, keeps;       /* promised events; how often it was asked to stop promising */
    volatile int revoked;               /* events whose promise was revoked */
    volatile int needs, needs_taken;    /* requests for larger slots or reply areas; larger slots that came */
    volatile enum ps_test_java_lie lie; /* of an interceptor, in mode BEYOND */
};

extern struct ps_test_java_control *ps_test_java;

/* Time after which a silent host is ended. The short one is for the tests of just that, which wait so long: a host that gets no CPU
 * in that time is ended, too. Both are longer than a program with a sanitizer takes to start beside other load. */
#define PS_TEST_JAVA_SILENCE_MS 60000U
#define PS_TEST_JAVA_SHORT_SILENCE_MS 4000U

/* Starts the host and waits until it runs. A host that is silent for `silence_ms` is ended; it is started again after
 * `rest_ms`. */
void ps_test_java_start(unsigned silence_ms, unsigned rest_ms);
void ps_test_java_stop(void);

/* ps_test_java_attach waits until the host runs, and connects this link with it; ps_test_java_detach ends that. Meanwhile the host's shared
 * memory is there. */
struct ps_java_link;
void ps_test_java_attach(struct ps_java_link *link);
void ps_test_java_detach(struct ps_java_link *link);

/* ps_test_java_clear forgets what arrived; ps_test_java_text returns the bodies that sinks committed since then, one a line, as
 * text that is valid until the next call. */
void ps_test_java_clear(void);
const char *ps_test_java_text(void);

/* Returns whether the stage says that it is open but waits, with this part in its reason. */
struct ps_test_stage;
bool ps_test_java_is_opening(const struct ps_test_stage *stage, const char *part);
