/* The reply of an interceptor in the Java host: events that replace the events of a lease. The entries are
 * those of events.h. An entry with an origin stands for the event that had this position in the lease, and has
 * only the parts that differ.
 *
 * The reply is copied out of the shared memory once, into the batch; then it is checked, and bodies and values
 * stay where they are. Thread: the worker of the chain. */
#pragma once

#include "stages/lib/java/exchange/events.h"

struct ps_port;

/* The progress of a reply: memory may be missing at any step, and the next call continues at that step. */
struct ps_java_reply {
    uint32_t bytes, count;
    char *copy; /* in the batch; NULL: not yet */
    bool checked;
    struct ps_event *rows; /* in the batch; NULL: not yet */
    uint32_t next;         /* entry that becomes a row */
    uint32_t made;         /* rows */
    struct ps_java_reader reader;
    uint16_t from[PS_BATCH_EVENTS_MAX];
};

/* Begins with a reply of `count` events in `bytes` bytes. */
void ps_java_reply_begin(struct ps_java_reply *reply, uint32_t bytes, uint32_t count);

enum ps_java_put {
    PS_JAVA_PUT_DONE,
    PS_JAVA_PUT_MEMORY, /* there is no memory: call it again */
    PS_JAVA_PUT_WRONG,  /* the host broke the protocol; the lease is unchanged */
};
/* Replaces the lease's events by those of the reply, which begins at `area`. Each call for one reply has the
 * same lease. Events that are given up become dead letters of the port, if the port has dead letters. */
enum ps_java_put ps_java_reply_put(struct ps_java_reply *reply, struct ps_lease *lease, struct ps_port *port,
                                   const char *area);
/* Gives up the lease's only event, of which the class made more than a batch may have. Returns false when there is no memory, or
 * no room for the letter. */
bool ps_java_reply_give_up(struct ps_lease *lease, struct ps_port *port);
