/* Events in an area of the memory that the agent shares with its Java host.
 *
 * An entry has a head, its headers (name length, value length, name, value) and its body, one after the other;
 * the next entry begins at the next multiple of 4. The host may write the area at any time, also while it is
 * read here. So each length is copied once, compared with the bytes that are left, and only the copy is used.
 * Bodies and values are bytes that nobody interprets.
 *
 * Thread: any; no state. */
#pragma once

#include "core/flow/batch.h"

#define PS_JAVA_NO_ORIGIN UINT32_MAX

enum ps_java_event_flags {
    PS_JAVA_EVENT_BODY = 1 << 0,    /* the entry has the body; else the body is that of the origin */
    PS_JAVA_EVENT_HEADERS = 1 << 1, /* the entry has all headers; else the headers are those of the origin */
    /* In a reply: no channel can take the event that the class returned, so the event is given up. The entry has
     * nothing else. */
    PS_JAVA_EVENT_GIVEN_UP = 1 << 2,
};

struct ps_java_event {
    uint32_t size; /* of the entry, head included */
    uint32_t
        /* of a reply: position in the batch of the event from which this event was made; PS_JAVA_NO_ORIGIN: a
         * new event */
        origin;
    uint32_t flags;
    uint32_t body_length;
    uint32_t header_count;
};

/* Returns the length of an event's entry in bytes. */
uint64_t ps_java_event_bytes(const struct ps_batch *batch, const struct ps_event *event);

/* Writes the entry of an event; the caller has made room. Returns the address at which the next entry begins. */
char *ps_java_event_write(char *to, const struct ps_batch *batch, const struct ps_event *event);

/* Reads entries. The functions return false at the first entry that is not within the `size` bytes of the area. */
struct ps_java_reader {
    const char *base;
    uint32_t size;
    uint32_t at;   /* of the next entry */
    uint32_t next; /* of the next header, or the body */
    uint32_t end;  /* of the current entry */
};

/* Copies the head of the next entry. */
bool ps_java_reader_next(struct ps_java_reader *reader, struct ps_java_event *event);
/* Reads the next header of the entry. Call it header_count times. */
bool ps_java_reader_header(struct ps_java_reader *reader, struct ps_slice *name, struct ps_slice *value);
/* Reads the body. Call it after the headers. */
bool ps_java_reader_body(struct ps_java_reader *reader, const struct ps_java_event *event,
                         struct ps_slice *body);

/* Returns whether headers and body of the entry whose head was just copied are within the entry, and within the
 * limits of an event. The reader stays where it is. The entry is in a copy, because the host may change the
 * area after the check. */
bool ps_java_reader_is_good(const struct ps_java_reader *reader, const struct ps_java_event *event);
