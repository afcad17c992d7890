/* The consequence of each produce error code for its events. docs/KAFKA_ERRORS.md is printed from this table,
 * and a test compares the two. Codes above zero are Kafka's (the protocol's error table); codes from -200 to
 * -100 are librdkafka's own.
 *
 * No row loses an event: after every outcome but DELIVERED the event is sent again. Outcomes differ in the first
 * reaction, and in the cause that is logged. Thread: any; const data. */
#pragma once

#include "core/base.h"

enum ps_kafka_code {
#define KAFKA(code, name, ...) PS_KAFKA_ERROR_##name = (code),
#define LIBRARY(code, name, ...) PS_KAFKA_LIBRARY_##name = (code),
#include "stages/lib/kafka/errors.def"
#undef KAFKA
#undef LIBRARY
    /* Of answers to other requests. */
    PS_KAFKA_ERROR_OFFSET_OUT_OF_RANGE = 1,
    PS_KAFKA_ERROR_COORDINATOR_LOAD_IN_PROGRESS = 14,
    PS_KAFKA_ERROR_COORDINATOR_NOT_AVAILABLE = 15,
    PS_KAFKA_ERROR_NOT_COORDINATOR = 16,
    PS_KAFKA_ERROR_ILLEGAL_GENERATION = 22,
    PS_KAFKA_ERROR_UNKNOWN_MEMBER_ID = 25,
    PS_KAFKA_ERROR_INVALID_SESSION_TIMEOUT = 26,
    PS_KAFKA_ERROR_REBALANCE_IN_PROGRESS = 27,
    PS_KAFKA_ERROR_OPERATION_NOT_ATTEMPTED = 55,
    PS_KAFKA_ERROR_FETCH_SESSION_ID_NOT_FOUND = 70,
    PS_KAFKA_ERROR_INVALID_FETCH_SESSION_EPOCH = 71,
    PS_KAFKA_ERROR_MEMBER_ID_REQUIRED = 79,
    PS_KAFKA_ERROR_UNSTABLE_OFFSET_COMMIT = 88,
    PS_KAFKA_ERROR_UNKNOWN_TOPIC_ID = 100,
    PS_KAFKA_ERROR_INCONSISTENT_TOPIC_ID = 103,
    PS_KAFKA_ERROR_FETCH_SESSION_TOPIC_ID_ERROR = 106,
};

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
    /* The broker refuses a record: the one that it names (KIP-467); else requests are halved until one event is left; that
     * event is blamed: logged, counted, tried again after a backoff. */
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
    const char *remedy;  /* what an operator of a consumer may do about it; NULL: nothing is known */
    bool passes; /* AGAIN: the error is of leaders, replicas, disks or quotas, and passes without a cure */
};

extern const struct ps_kafka_error ps_kafka_errors[];
extern const size_t ps_kafka_error_count;

/* Returns the row of a code; for a code that is not in the table, a row with outcome AGAIN, named "error". */
const struct ps_kafka_error *ps_kafka_error_find(int code);

/* Returns whether the broker's error, whose outcome is AGAIN, does not pass without a cure: each
 * such answer counts as a failed attempt (penstock.retry.max), although the native client itself sends the records again.
 * Java's producer does not repeat such requests. */
bool ps_kafka_error_counts(int code);

/* Returns whether the error of a coordinator passes as a rule: a cluster that has just started makes the topics of groups and
 * transactions first. */
bool ps_kafka_error_is_awaited(int code);

/* Returns whether the error is that of a connection: it says that a broker cannot be reached. */
bool ps_kafka_error_is_of_connection(int code);
