/* A component that is a Java class, as an open stage sees it: attaches to the host when the host runs, hands
 * over class and properties, and passes on the messages of the component. Thread: the stage's worker. No
 * function waits. */
#pragma once

#include "core/stage.h"
#include "stages/lib/java/host.h"
#include "stages/lib/java/starts.h"

enum ps_java_component_kind { PS_JAVA_SINK = 1, PS_JAVA_INTERCEPTOR = 2, PS_JAVA_SOURCE = 3 };

/* The first member of the plan of a stage that runs a Java class; const after `build`. */
struct ps_java_class {
    enum ps_java_component_kind kind;
    bool is_single;        /* interceptor: the class is called with single events, not with lists */
    const char *name;      /* of the class */
    struct ps_pairs pairs; /* all properties of the component, `type` included */
    const char *agent;
    struct ps_java_host *host;
    struct ps_java_starts *starts; /* starts of the class's components; NULL: the plan is not built */
};

/* The option rows, `check` and `teardown` of such a stage. `check` reports a type that names no class, and a host
 * that is not installed. Thread: control. */
extern const struct ps_option ps_java_class_options[];
enum ps_status ps_java_class_check(const void *plan, const struct ps_context *context);
void ps_java_class_teardown(void *plan);
/* For `reread`: makes a change of one of the class's jars start the host again. */
void ps_java_class_reread(const void *plan);

/* Returns the name of the class: the one that `check` found for the `type`, else the `type` itself. The plan
 * need not be built. */
const char *ps_java_class_name(const struct ps_java_class *class, enum ps_java_component_kind kind,
                               const struct ps_context *context);

/* For `outline`. The plan need not be built. Thread: control. */
void ps_java_class_outline(const struct ps_java_class *class, enum ps_java_component_kind kind,
                           const struct ps_context *context, FILE *out);

/* Returns whether the class is a flow that runs in Java as a whole (conf/validate/flow.h): such a flow hands
 * over no events. */
bool ps_java_class_is_flow(const struct ps_java_class *class);

/* Holds the agent's host; the first holder starts it. `class->pairs` is set. Thread: control. */
enum ps_status ps_java_class_build(struct ps_java_class *class, const struct ps_context *context,
                                   enum ps_java_component_kind kind, struct ps_err *err);

/* Called by `open` of sources and sinks. Returns PS_FAIL with the reason while the host does not run. Thread: the stage's worker. */
enum ps_status ps_java_class_needs_host(const struct ps_java_class *class, struct ps_err *err);

/* For `opening`: returns true, with a text, if the host runs and a component of the class is not ready yet, or
 * waits for memory. Thread: any. */
bool ps_java_class_opening(const void *plan, char *text, size_t room);

enum ps_java_component_state {
    PS_JAVA_WAITS,      /* the component waits for the host */
    PS_JAVA_CONFIGURED, /* the properties are on their way */
    PS_JAVA_RUNS,
    PS_JAVA_STOPS, /* PS_JAVA_STOP is on its way */
    PS_JAVA_OVER,  /* the component cannot go on, or has stopped */
};

struct ps_java_component {
    const struct ps_java_class *class;
    struct ps_port *port;
    enum ps_java_component_state state;
    bool was_ready; /* PS_JAVA_READY has come, which the host sends once */
    bool explained; /* PS_JAVA_FOLLOWS has come, which the host sends once */
    uint32_t taken; /* number of messages since the inbox was empty, or since the stage was sent away */
    struct ps_java_link link;
    struct ps_java_area properties;
    struct ps_java_message message;
    struct ps_err reason; /* OVER: the reason; empty: the component has stopped */
    bool planned;         /* OVER: the host will start again because its jars have changed */
    struct ps_err lack;   /* why the last area could not be taken; empty: it was taken */
};

void ps_java_component_open(struct ps_java_component *component, const struct ps_java_class *class,
                            struct ps_port *port);
void ps_java_component_close(struct ps_java_component *component);

enum ps_java_event_kind {
    PS_JAVA_NOTHING,
    PS_JAVA_STARTED, /* the component runs now */
    PS_JAVA_MESSAGE, /* component->message */
    PS_JAVA_ENDED,   /* the state is OVER */
};
/* Attaches when it can, and takes the next message. Call it until it returns NOTHING or ENDED. After 64
 * messages it also returns NOTHING, and wakes the worker, so that a host that sends without end does not occupy
 * the worker. */
enum ps_java_event_kind ps_java_component_next(struct ps_java_component *component);

/* Takes an area of the memory shared with the host. Returns false if there is none now: `lack` has the reason, which is logged, and which
 * `opening` reports until an area can be taken. Try again after PS_JAVA_LACK_REST_NS. */
bool ps_java_component_take_area(struct ps_java_component *component, uint64_t bytes,
                                 struct ps_java_area *area);
#define PS_JAVA_LACK_REST_NS (100 * PS_NS_PER_MS)

/* Sends a message. Returns false when the pipe has no room: try again later. A lost link shows in the next call of
 * ps_java_component_next. */
bool ps_java_component_send(struct ps_java_component *component, enum ps_java_message_type type,
                            const uint64_t *numbers, uint32_t number_count, const char *text);

/* Asks the component to stop. Called at every cycle until it returns true, when the component has stopped or does
 * not exist. */
bool ps_java_component_stop(struct ps_java_component *component);

/* Called when the host sent something that it must not send: ends the host, and so the component. */
void ps_java_component_accuse(struct ps_java_component *component, const char *what);

/* Call it in state OVER: fails the stage with the component's reason; the stage is opened again immediately if the
 * host starts again because its jars have changed. */
void ps_java_component_fail(struct ps_java_component *component);

/* Returns whether the component's host has ended; then no process writes the shared memory. */
bool ps_java_component_is_lost(struct ps_java_component *component);

/* Returns when ps_java_component_next must be called again at the latest. */
uint64_t ps_java_component_due_ns(const struct ps_java_component *component, const struct ps_now *now);
