/* Errors that a consumer logs, each with its remedy; the same error is not logged again for 30 s. Codes above zero are
 * Kafka's, codes below zero are librdkafka's own. They also say what the consumer lacks (ps_lack) until it has it again.
 * Thread: the source's worker. */
#pragma once

#include "core/flow/port.h"

#include <librdkafka/rdkafka.h>

#define PS_KAFKA_LACK_BYTES 256U
#define PS_KAFKA_NO_PARTITION "the group gives it no partition: other members read them all"

/* What can be missing, the first one that is missing counts. */
enum ps_kafka_need {
    PS_KAFKA_NEED_BROKERS,
    PS_KAFKA_NEED_GROUP,
    PS_KAFKA_NEED_TOPICS,
    PS_KAFKA_NEED_LEADERS, /* of partitions; the native client only */
    PS_KAFKA_NEEDS
};

struct ps_kafka_reports {
    const char *component; /* for the log */
    uint64_t now_ns;       /* of the client's turn */
    bool cut_off;          /* a connection error was logged, and no record has come since */
    bool reached;          /* a broker has answered */
    bool is_missing[PS_KAFKA_NEEDS];
    char missing[PS_KAFKA_NEEDS][PS_KAFKA_LACK_BYTES]; /* the reasons */
    uint64_t opened_ns;                                /* when it was looked at first */
    uint64_t without_ns; /* since when the group gives no partition; 0: it gives some, or is not known */
    struct {
        int code;
        uint64_t mono_ns;
    } reported[8]; /* the errors logged last */
};

/* Logs an error. */
void ps_kafka_reports_error(struct ps_kafka_reports *reports, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Called when a need is not met, with the reason; ps_kafka_reports_error calls it for errors that name one. */
void ps_kafka_reports_missing(struct ps_kafka_reports *reports, enum ps_kafka_need need, const char *why);
/* Called when a need is met: brokers answer; the group has this member; the brokers have every topic. */
void ps_kafka_reports_met(struct ps_kafka_reports *reports, enum ps_kafka_need need);

/* Returns what the consumer lacks now, and why. `has_partitions`: partitions are assigned to it. `has_topics`: some topic
 * matches its expression, or it has none. Called at every cycle. */
enum ps_lack ps_kafka_reports_lack(struct ps_kafka_reports *reports, bool has_partitions, bool has_topics,
                                   const char **why);

/* Returns the level at which the lack is logged: the errors were logged with their cures. */
int ps_kafka_reports_lack_level(enum ps_lack lack, const char *why);

/* Called when records come: after a connection error logs the recovery, and allows the same errors to be logged
 * again. */
void ps_kafka_reports_recovery(struct ps_kafka_reports *reports);
