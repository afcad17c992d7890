/* The consequence of each produce error code for its events. docs/KAFKA_ERRORS.md is printed from this table,
 * and a test compares the two. Codes above zero are Kafka's (the protocol's error table); codes from -200 to
 * -100 are librdkafka's own.
 *
 * No row loses an event: after every outcome but DELIVERED the event is sent again. Outcomes differ in the first
 * reaction, and in the cause that is logged. Thread: any; const data. */
#pragma once

#include "core/base.h"

enum ps_kafka_outcome {
    /* The events are settled. */
    PS_KAFKA_DELIVERED,
    /* A temporary error: the library retries within the producer. If the library reports the error
     * nevertheless: stop, collect the reports, back off, send again in order. */
    PS_KAFKA_AGAIN,
    /* An operator must correct a mistake (permission, topic, disk): like AGAIN, and the remedy is logged. */
    PS_KAFKA_WAIT,
    /* The request was too large: it is halved until it fits or one event is left; that event is blamed. */
    PS_KAFKA_SPLIT,
    /* The broker refuses a record: requests are halved until one event is left; that event is blamed: logged,
     * counted, tried again after a backoff. */
    PS_KAFKA_BLAME,
    /* This producer cannot continue: a new one is made, undelivered events are sent again in order. */
    PS_KAFKA_RENEW,
    /* The sender itself has purged the record. */
    PS_KAFKA_PURGED,
};

struct ps_kafka_error {
    int code;
    const char *name;
    enum ps_kafka_outcome outcome;
    const char *meaning; /* the meaning of the code, and the cure */
};

extern const struct ps_kafka_error ps_kafka_errors[];
extern const size_t ps_kafka_error_count;

/* Returns the row of a code; for a code that is not in the table, a row with outcome AGAIN, named "error". */
const struct ps_kafka_error *ps_kafka_error_find(int code);
