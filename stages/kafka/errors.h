/* What every produce error code means for the events it hit. One table; docs/KAFKA_ERRORS.md is printed from
 * it and a test compares the two. Codes above zero are Kafka's (the protocol's error table), codes from -200
 * to -100 are the client library's own.
 *
 * Nothing in this table loses an event: every outcome but DELIVERED ends in sending it again. They differ in
 * what is done first, and in whom the log names. Thread: any; const data. */
#pragma once

#include "core/base.h"

enum ps_kafka_outcome {
    PS_KAFKA_DELIVERED, /* settled */
    PS_KAFKA_AGAIN,     /* passes by itself; the library retries within the producer. Should it surface: stop,
                           collect, send again in order after a rest */
    PS_KAFKA_WAIT,      /* somebody must put something right (grant, topic, disk): the same, and the cure is
                           logged */
    PS_KAFKA_SPLIT,     /* the request was too large: halved until it fits or a single event is left, which is
                           then blamed */
    PS_KAFKA_BLAME,  /* the broker refuses a record: requests are halved until a single event is left, which
                        is then blamed: named in the log, counted, tried again after a rest */
    PS_KAFKA_RENEW,  /* this producer cannot go on: another one is made, undelivered events are sent again in
                        order */
    PS_KAFKA_PURGED, /* we asked for it */
};

struct ps_kafka_error {
    int code;
    const char *name;
    enum ps_kafka_outcome outcome;
    const char *meaning; /* and what to do about it */
};

extern const struct ps_kafka_error ps_kafka_errors[];
extern const size_t ps_kafka_error_count;

/* The row of a code; for one that is not in the table a row that says AGAIN, named "error". */
const struct ps_kafka_error *ps_kafka_error_find(int code);

/* "AGAIN", .. */
const char *ps_kafka_outcome_name(enum ps_kafka_outcome outcome);
