/* The messages of the Java host that one component has not taken yet. The thread that reads the pipe puts
 * messages into the inbox. It does not wait for a worker, because the pipe has the messages of all components;
 * so the inbox grows while the worker is busy elsewhere. The largest size of an inbox is more than a component
 * can send about the batches that it has, even if a sink commits each event in a message of its own and all of its
 * slots are full of events without a body. A host that sends more has broken the protocol, and is ended.
 *
 * Thread: any; the caller has a lock. */
#pragma once

#include "stages/lib/java/exchange/message.h"

#define PS_JAVA_INBOX_BYTES_FIRST (4U * PS_JAVA_MESSAGE_BYTES_MAX)
#define PS_JAVA_INBOX_BYTES_MAX (4096U * PS_JAVA_MESSAGE_BYTES_MAX)

struct ps_java_inbox {
    char *bytes;             /* `first`, or memory from the heap */
    uint32_t size, from, to; /* the messages are between `from` and `to` */
    char first[PS_JAVA_INBOX_BYTES_FIRST];
};

void ps_java_inbox_init(struct ps_java_inbox *inbox);
/* Gives the memory back, and forgets the messages. */
void ps_java_inbox_fini(struct ps_java_inbox *inbox);

static inline bool ps_java_inbox_is_empty(const struct ps_java_inbox *inbox)
{
    return inbox->from == inbox->to;
}

/* Appends a whole message. Returns false when the inbox is full at its largest size, or there is no memory. */
bool ps_java_inbox_put(struct ps_java_inbox *inbox, const char *bytes, size_t length);
/* Takes the oldest message. Returns false when there is none. */
bool ps_java_inbox_take(struct ps_java_inbox *inbox, struct ps_java_message *message);
