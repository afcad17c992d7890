/* The reason why a channel's client makes no progress, for /readyz. The channel's worker writes the reason, any
 * thread reads it. */
#pragma once

#include <pthread.h>

#include "core/base.h"

#define PS_KAFKA_REASON_BYTES 256U

struct ps_kafka_reason {
    /* held while the text is copied; the worker, the only writer, compares the text without the lock */
    pthread_mutex_t lock;
    char text[PS_KAFKA_REASON_BYTES];
};

/* Thread: control. */
void ps_kafka_reason_init(struct ps_kafka_reason *reason);
void ps_kafka_reason_fini(struct ps_kafka_reason *reason);

/* Sets the reason; "": there is none. Takes no lock if the text is the same. Thread: the worker. */
void ps_kafka_reason_note(struct ps_kafka_reason *reason, const char *text);
/* Copies the reason; if there is none, copies `otherwise`. Thread: any. */
void ps_kafka_reason_read(struct ps_kafka_reason *reason, char to[PS_KAFKA_REASON_BYTES],
                          const char *otherwise);
