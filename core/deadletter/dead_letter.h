/* A dead letter: an event, or input that did not become one, which a stage gives up for good. It becomes one line of
 * JSON (docs/DEADLETTERS.md describes the fields), or an event again (core/deadletter/copy.h). Thread: any. */
#pragma once

#include "core/flow/batch.h"

/* The reason. Both texts must live only during the call that passes them. */
struct ps_dead_letter_reason {
    const char *code;  /* one word that programs compare: "record-too-large" */
    const char *text;  /* one sentence for people */
    uint32_t attempts; /* how often delivery was tried; 0: never */
};

struct ps_dead_letter {
    const char *agent, *component; /* "a1", "sink k1" */
    struct ps_dead_letter_reason reason;
    int64_t time_ms;              /* since the epoch */
    const struct ps_batch *batch; /* NULL: no event, only bytes */
    const struct ps_event *event;
    const char *bytes; /* without an event: the input as it came */
    size_t length;
};

/* Returns the line with its newline, after `head_bytes` free bytes and without a zero byte at its end; NULL without
 * memory. The caller frees it. *length is the length of the line without the free bytes. */
char *ps_dead_letter_encode(const struct ps_dead_letter *letter, size_t head_bytes, size_t *length);

#define PS_DEAD_LETTER_TIME_BYTES 64U
/* Prints the time as text, UTC: "2026-11-21T09:42:49.827Z". `stamp`: PS_DEAD_LETTER_TIME_BYTES. */
void ps_dead_letter_print_time(char *stamp, int64_t time_ms);
