/* A process of the Java host in the simulator: it speaks the protocol, on the descriptors that a JVM would get, and behaves as drawn: late, dead,
 * standing still, lying. It keeps the ledger of the flow (tests/support/flow.h): what its sinks commit has left the agent, what its sources are answered,
 * or have promised, is acknowledged. One thread: that of the simulator. */
#pragma once

#include "tests/support/flow_channel.h"
#include "tests/support/java/entries.h"
#include "stages/lib/java/component.h"

/* Chances of 100,000 at each turn of a process. */
struct java_chances {
    unsigned die;    /* it ends, in the middle of a message, too */
    unsigned exit;   /* it says that it ends, and hangs in a shutdown hook, or does not */
    unsigned still;  /* a signal stops it, for some seconds */
    unsigned silent; /* it does nothing for good */
    unsigned lie;
    unsigned fail;  /* a component: it cannot be configured; it ends by itself */
    unsigned hang;  /* a component: it does not start, or does not stop */
    unsigned renew; /* the command changes, as by a reload */
    unsigned start; /* of 1,000, at each start: there is no process */
    uint32_t late_max_ms;
    bool promises; /* sources promise events where they may */
};

#define JAVA_COMPONENTS_MAX 128U
#define JAVA_BATCHES_MAX 256U

struct java_slot {
    uint64_t offset, size; /* without the note in its last bytes; 0: it has none yet */
    uint64_t call;         /* 0: it is free */
    bool promised;
};

struct java_component {
    uint32_t link; /* 0: the place is free */
    enum ps_java_component_kind kind;
    unsigned number; /* of the sink or source */
    enum { JAVA_STARTS, JAVA_RUNS, JAVA_STOPS } state;
    bool hangs;
    uint64_t due_ns; /* STARTS, STOPS: its end */
    /* A source. */
    uint64_t promised, most; /* events: so far, and at most */
    uint64_t call_slot;      /* 1 + slot of the call that waits for its answer; 0: none */
    uint64_t first;          /* its events */
    uint32_t count;
    uint64_t retry_ns;
    uint64_t grows; /* 1 + slot that is to become larger */
    bool lied;
    struct java_slot slots[16];
};

struct java_batch {
    struct java_component *component; /* NULL: the place is free */
    uint64_t number, offset, size, bytes, count;
    uint64_t reply_offset, reply_size, reply_most; /* interceptor */
    uint64_t at, committed;                        /* sink: bytes and events */
    uint64_t due_ns;
    bool waits; /* for a larger area */
};

struct java_process {
    int in, out, memory;
    bool runs, killed;
    int status;              /* of waitpid, after its end */
    bool silent;             /* it does nothing any more */
    uint64_t still_until_ns; /* stopped by a signal; 0: not */
    uint64_t begins_ns;      /* its first sign of life */
    uint64_t beat_ns, ends_ns;
    bool eof;       /* its input has ended */
    uint64_t turns; /* since a lie that the agent must notice; 0: none */
    struct java_component *accused;
    struct java_component components[JAVA_COMPONENTS_MAX];
    struct java_batch batches[JAVA_BATCHES_MAX];
    uint64_t last_call, last_reply, last_commit[3];
    uint32_t last_commit_link, last_reply_link;
    char input[4 * PS_JAVA_MESSAGE_BYTES_MAX];
    size_t used;
    char *output; /* written, and not in the pipe yet */
    size_t output_from, output_to, output_room;
    const struct ps_now *now;
    uint64_t *random;
    struct flow *flow;
    const struct java_chances *chances;
};

/* Begins with these descriptors, which it owns. */
void java_process_begin(struct java_process *process, int in, int out, int memory);
void java_process_turn(struct java_process *process);
/* The process ends with this status. What it has not written is lost. */
void java_process_end(struct java_process *process, int status);

/* ---- for the kinds of components ---- */

uint64_t java_draw(struct java_process *process, uint64_t below);
bool java_chance(struct java_process *process, unsigned of_100000);
void java_send(struct java_process *process, enum ps_java_message_type type, uint32_t link,
               const uint64_t *numbers, uint32_t count, const char *text);
void java_send_bytes(struct java_process *process, const void *bytes, size_t length);
/* Reads and writes the shared memory. */
void java_read(const struct java_process *process, uint64_t offset, void *to, size_t length);
void java_write(const struct java_process *process, uint64_t offset, const void *from, size_t length);
uint64_t java_late_ns(struct java_process *process);

/* ---- sink.c, interceptor.c, source.c ---- */

void java_sink_turn(struct java_process *process, struct java_batch *batch);
void java_interceptor_turn(struct java_process *process, struct java_batch *batch);
void java_source_turn(struct java_process *process, struct java_component *component);
void java_source_take(struct java_process *process, struct java_component *component,
                      const struct ps_java_message *message);

/* ---- lies.c ---- */

/* Lies that were told, and those of them for which the agent must end the process. */
extern uint64_t java_lies, java_lies_noticed;

/* Tells a lie that is drawn, if there is a component that can. */
void java_lie(struct java_process *process);
