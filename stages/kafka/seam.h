/* The seam between what Flume's Kafka sink defines (topic, key, partition, headers, acknowledgement) and the
 * client library that speaks to the brokers. The sink is written against this page alone; librdkafka stands
 * behind it in kafka/producer.c, and another engine can be put beside it without touching the sink.
 *
 * Thread: one worker calls everything but `create` and `destroy`, which may block and are called where a
 * function says so. Payloads are not copied: they must stay valid until their report. */
#pragma once

#include "core/option.h"
#include "core/status.h"

#define PS_KAFKA_PARTITION_ANY (-1) /* as enum ps_kafka_spread says */
#define PS_KAFKA_TIMESTAMP_NONE (-1)

struct ps_kafka_header {
    const char *name;  /* terminated */
    const char *value; /* not terminated */
    uint32_t value_length;
};

struct ps_kafka_record {
    const char *value; /* not NULL (that would be a tombstone) */
    const char *key;   /* NULL: none. Copied */
    uint32_t value_length;
    uint32_t key_length;
    int32_t partition;
    uint32_t header_count;
    int64_t timestamp_ms;
    const struct ps_kafka_header *headers; /* copied */
    void *token;                           /* the report brings it back */
};

/* Local conditions, beside Kafka's own codes (positive) and the library's (-200 .. -100). */
enum {
    PS_KAFKA_OK = 0,
    PS_KAFKA_FULL = -1, /* the engine holds as much as it may: go on after the next report */
};

/* What became of some records, all with the same outcome; usually one request to a broker. */
struct ps_kafka_report {
    int error;            /* 0: delivered; else a code of kafka/errors.h */
    bool perhaps_written; /* failed, but may be in the log: sending it again may duplicate it */
    uint32_t count;       /* tokens */
    uint32_t group_count; /* records of the whole group this report is a part of */
    uint64_t group_bytes; /* their keys and values, known when the group fits one report; else 0 */
    int32_t partition;    /* or -1 */
    const char *topic;    /* valid during the call */
    void *const *tokens;
};

enum ps_kafka_notice_kind {
    PS_KAFKA_NOTICE_ERROR,      /* something is wrong with brokers or connections; data waits */
    PS_KAFKA_NOTICE_FATAL,      /* this producer is finished: purge, collect, destroy, create another */
    PS_KAFKA_NOTICE_STATISTICS, /* text is JSON */
    PS_KAFKA_NOTICE_LOG,        /* code is a syslog level */
};

struct ps_kafka_notice {
    enum ps_kafka_notice_kind kind;
    int code;
    const char *text;
};

/* Called from `poll`. */
struct ps_kafka_listener {
    void (*report)(void *argument, const struct ps_kafka_report *report);
    void (*notice)(void *argument, const struct ps_kafka_notice *notice);
    void *argument;
};

/* How records that name no partition find one. */
enum ps_kafka_spread {
    PS_KAFKA_SPREAD_BY_KEY, /* by key as Java's default partitioner; without one: sticky */
    PS_KAFKA_SPREAD_STICKY, /* keys are not looked at: a while on each partition */
    PS_KAFKA_SPREAD_EVENLY, /* each record on the next partition */
};

/* How a producer is made. Owned by the caller; not kept. */
struct ps_kafka_producer_config {
    const char *component;       /* for the log */
    const struct ps_pair *pairs; /* the library's own properties */
    size_t pair_count;
    uint64_t request_bytes_max; /* 0: as the properties say; else requests are no larger */
    enum ps_kafka_spread spread;
    bool copy_values; /* values are only valid during `submit` */
    int wake_fd;      /* eventfd to write to when there is something to poll; -1: none */
};

struct ps_kafka_producer;
struct ps_kafka_topic;

struct ps_kafka_engine {
    const char *name;
    /* A producer; connects by itself, does not wait for brokers. Takes milliseconds. Thread: any. */
    struct ps_kafka_producer *(*create)(const struct ps_kafka_producer_config *config, struct ps_err *err);
    /* Forgets what was not reported. May take seconds. Thread: any, and the last to touch it. */
    void (*destroy)(struct ps_kafka_producer *producer);
    /* The topic of that name, from a bounded cache. Valid until the next call of `topic`. NULL: no such name
     * can exist. */
    struct ps_kafka_topic *(*topic)(struct ps_kafka_producer *producer, const char *name, uint32_t length);
    /* Takes records in order; returns how many, and in *error why not the next one (0 when all). */
    uint32_t (*submit)(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic,
                       const struct ps_kafka_record *records, uint32_t count, int *error);
    /* Hands reports and notices to the listener, `budget` records at most (roughly). Returns how many. */
    uint32_t (*poll)(struct ps_kafka_producer *producer, const struct ps_kafka_listener *listener,
                     uint32_t budget);
    /* Gives up what waits (its reports come with a purge code); with `in_flight` also what was sent and not
     * answered. */
    void (*purge)(struct ps_kafka_producer *producer, bool in_flight);
    /* Sends nothing new of what it has until told otherwise; what is in flight stays so. For brokers that do
     * not answer (kafka/silence.c). */
    void (*hold)(struct ps_kafka_producer *producer, bool hold);
};

/* librdkafka; kafka/producer.c */
extern const struct ps_kafka_engine ps_kafka_librdkafka;
