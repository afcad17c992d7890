/* The messages between the agent and its Java host (docs/decisions/0090-java-host.md has the
 * protocol).
 *
 * A message goes through a pipe as a whole: it is at most PIPE_BUF long. It has a head, numbers of 64 bits, and
 * a text, all in the byte order of the machine. Events do not go through the pipe: they are in an area of the
 * shared memory, which the message names.
 *
 * The host is not trusted: a message is copied out of the pipe before it is read. Thread: any; no state. */
#pragma once

#include "core/base.h"

#define PS_JAVA_PROTOCOL 9U
#define PS_JAVA_MESSAGE_BYTES_MAX 4096U
#define PS_JAVA_NUMBERS_MAX 510U

enum ps_java_message_type {
    /* to the host */
    /* kind, offset and size of the area, bytes in it (class, label, name, agent, pairs); interceptor: 1: single events */
    PS_JAVA_CONFIGURE = 1,
    PS_JAVA_BATCH = 2, /* batch, offset, size, bytes, events; interceptor: reply's offset, size, most bytes */
    /* the use of the area (interceptor: batch; source: slot), its offset and size. Source: size 0: there is no
     * area of this size; text: the reason */
    PS_JAVA_AREA = 3,
    /* call, 1: taken, 0: refused; the number of events that the source may have promised since it was made (0:
     * as before); text: the reason */
    PS_JAVA_ANSWER = 4,
    /* the component stops, and forgets its batches. Sent a second time: the agent no longer waits, and answers no calls */
    PS_JAVA_STOP = 5,
    PS_JAVA_DROP =
        6, /* the agent has forgotten a batch: no answer is wanted. Sink: the letter of the refused event is written */
    /* source: must promise no more events until an answer allows it, and must answer PROMISED */
    PS_JAVA_KEEP = 7,

    /* from the host; link 0: of the host itself */
    PS_JAVA_BEAT = 64,   /* link 0: the host lives; PS_JAVA_PROTOCOL */
    PS_JAVA_READY = 65,  /* the component is configured and started */
    PS_JAVA_FAILED = 66, /* the component cannot run; text: why */
    PS_JAVA_COMMIT = 67, /* sink: batch, first event, event after the last; repeated */
    /* sink: it tries again; nanoseconds until then. Interceptor: it has not handled the batch; batch, 1: the reply
     * would have too many events or bytes. Source that is a whole flow: 0; a part of it cannot start (no text: all have).
     * Text: why. */
    PS_JAVA_TROUBLE = 68,
    PS_JAVA_REPLY = 69, /* interceptor: batch, bytes, events; and 1 if the events are unchanged */
    PS_JAVA_NEED = 70,  /* the component needs a larger area: batch or slot for which it needs it, bytes */
    /* source: slot, call, bytes, events; if the events are promised, also the number of the first event and how many
     * calls there were */
    PS_JAVA_PUT = 71,
    PS_JAVA_STOPPED = 72,
    PS_JAVA_PROMISED = 73, /* source: the number of events that the source has promised since it was made */
    PS_JAVA_BEAN =
        74, /* link 0: text: name of a component, and its attributes, as in core/watch/metrics/foreign.h */
    PS_JAVA_STATE =
        /* link 0: bytes of heap used, and their maximum; number of garbage collections, and their duration
         * in ms */
    75,
    PS_JAVA_FOLLOWS = 76, /* before READY, once: the component waits for another component; text: its name */
    PS_JAVA_ENDS = 77,    /* link 0: a class has called System.exit, and shutdown hooks run */
    /* sink with dead letters: the class cannot deliver an event; its batch, its number there, how often it was tried, 1 if that was
     * penstock.retry.max times; text: why. No further one comes before the answer DROP. */
    PS_JAVA_REFUSE = 78,
};

/* The last bytes of each slot of a sink: the number of events of its batch that were committed, from the first
 * one on. If the host ends before it has sent COMMIT for these events, the agent settles them. */
struct ps_java_committed {
    uint64_t count;
};

/* The last bytes of each slot of a source: the promised events in the slot. If the host ends before it has
 * handed them over, the agent takes them. */
struct ps_java_promised {
    uint64_t first; /* number of the first promised event */
    /* number of events << 32, plus their bytes: in one word, so that the two numbers always belong together */
    uint64_t size;
    /* The agent writes 1 when it no longer takes events that are promised later. The host writes `size` and then
     * reads this word; the agent writes this word and then reads `size`. So at least one of them sees what the
     * other one has written. */
    uint64_t revoked;
};

struct ps_java_head {
    uint32_t length; /* bytes of the whole message */
    uint32_t type;
    uint32_t link;
    uint32_t number_count;
};

struct ps_java_message {
    uint32_t type, link;
    uint32_t number_count, text_length;
    uint64_t numbers[PS_JAVA_NUMBERS_MAX];
    char text[PS_JAVA_MESSAGE_BYTES_MAX];
};

enum ps_java_parse {
    PS_JAVA_PARSED,
    PS_JAVA_PARTIAL,   /* the bytes are the beginning of a message */
    PS_JAVA_MALFORMED, /* no message begins like that */
};

/* Copies the message at the beginning of the bytes. `*used`: the message's length in bytes. */
enum ps_java_parse ps_java_message_parse(const char *bytes, size_t length, struct ps_java_message *message,
                                         size_t *used);

/* Writes a message to `to`, which has PS_JAVA_MESSAGE_BYTES_MAX bytes; a longer text is cut. Returns the
 * message's length in bytes. */
uint32_t ps_java_message_write(char *to, const struct ps_java_head *head, const uint64_t *numbers,
                               const char *text);
