/* The interface between the Kafka sink as Flume defines it (topic, key, partition, headers, acknowledgement)
 * and the client library that talks to the brokers. The sink uses this file only. kafka/librdkafka/producer.c implements
 * it with librdkafka; stages/lib/kafka/cluster/ and produce/producer.c are the other engine, the only one of the channel.
 *
 * Thread: one worker calls everything but `create` and `destroy`, which may block and whose comments name
 * their threads. Payloads are not copied: they must stay valid until their report. */
#pragma once

#include "core/clock.h"
#include "core/flow/batch.h"
#include "core/status.h"
#include "stages/lib/kafka/cluster/settings.h"

#define PS_KAFKA_PARTITION_ANY (-1) /* chosen by enum ps_kafka_spread */
#define PS_KAFKA_TIMESTAMP_NONE (-1)

struct ps_kafka_header {
    const char *name;  /* terminated */
    const char *value; /* not terminated */
    uint32_t value_length;
};

struct ps_kafka_record {
    const char *value; /* NULL: a tombstone, only of engines with transactions */
    const char *key;   /* NULL: none. Copied */
    uint32_t value_length;
    uint32_t key_length;
    int32_t partition;
    uint32_t header_count;
    int64_t timestamp_ms;
    const struct ps_kafka_header *headers; /* copied */
    void *token;                           /* returned in the report */
};

/* Codes of local conditions, in addition to Kafka's codes (positive) and the library's (-200 .. -100). */
enum {
    PS_KAFKA_OK = 0,
    /* The engine has no room: continue after the next report. If no record is in flight, no report will come: then
     * the record is larger than the engine's whole queue. */
    PS_KAFKA_FULL = -1,
    /* `submit` found no memory for the next record, which may be tried again later. The library has no code of its own for
     * it, so it is PS_KAFKA_LIBRARY_FAIL. */
    PS_KAFKA_NO_MEMORY = -196,
};

/* The result that some records have in common; usually they were one request to a broker. */
struct ps_kafka_report {
    int error; /* 0: delivered; else a code of kafka/errors.h */
    /* the records failed, but may be in the log: sending them again may duplicate them */
    bool perhaps_written;
    uint32_t count;       /* number of tokens */
    uint32_t group_count; /* number of records of the whole group of which this report is a part */
    uint64_t group_bytes; /* bytes of the group's keys and values, if the group fits one report; else 0 */
    int32_t partition;    /* -1: not known */
    uint64_t sent_ns;     /* when the last byte of the request was written; 0: not known */
    const char *topic;    /* valid during the call */
    void *const *tokens;
};

enum ps_kafka_notice_kind {
    PS_KAFKA_NOTICE_ERROR, /* a problem with brokers or connections; records wait */
    /* a broker refused a request for a reason that need not pass; the engine sends the records again */
    PS_KAFKA_NOTICE_ATTEMPT,
    PS_KAFKA_NOTICE_FATAL,      /* this producer cannot continue: purge, collect, destroy, create another */
    PS_KAFKA_NOTICE_STATISTICS, /* has `measured` */
    PS_KAFKA_NOTICE_LOG,        /* code is a syslog level */
};

/* What a producer measures about itself (statistics.interval.ms). */
struct ps_kafka_measured {
    uint64_t queue_records, queue_bytes, queue_records_max;
    uint64_t requests, request_bytes; /* sent since the producer was made */
    uint64_t requests_in_flight;
    /* round trips of the answers since the last such notice, from a request's last byte to its answer; 0: there was no answer */
    uint64_t round_trip_us, round_trip_p99_us;
    bool reaches; /* a broker is connected. Only engines without `reaches` say so here */
};

struct ps_kafka_notice {
    enum ps_kafka_notice_kind kind;
    int code;
    const char *text;
    const struct ps_kafka_measured *measured; /* valid during the call; NULL: none */
};

/* ---- transactions (KIP-98, KIP-447), only of the native engine (kafka/cluster/native.h) ---- */

/* The position of a source in a partition, which a transaction commits for the source's consumer group. */
struct ps_kafka_position {
    const struct ps_stream_name *name;
    /* Offset of the record to be read next. If the position is kept in a record of a topic: the value of the
     * span. */
    int64_t next;
    int32_t epoch; /* epoch of the leader that wrote the record before `next`; -1: not known */
    /* Set by the engine: the topic was deleted, and the position is not part of the transaction. */
    bool left_out;
};

enum ps_kafka_ending {
    PS_KAFKA_END_COMMITTED,
    /* the transaction is aborted, or will be, at the latest by a new producer with this transactional id */
    PS_KAFKA_END_ABORTED,
    /* aborted, because the member that read the records has lost its partitions: other members read the records
     * again */
    PS_KAFKA_END_STALE,
    PS_KAFKA_END_UNKNOWN, /* no answer came: `resolve` of a new producer asks for the outcome */
};

struct ps_kafka_end {
    enum ps_kafka_ending ending;
    const struct ps_stream_name *stale; /* PS_KAFKA_END_STALE: the member and generation that are lost */
    int code;                           /* of kafka/errors.h; 0: none */
    /* the reason why the transaction was not committed; valid during the call */
    const char *text;
};

/* Called from `poll`. */
struct ps_kafka_listener {
    void (*report)(void *argument, const struct ps_kafka_report *report);
    void (*notice)(void *argument, const struct ps_kafka_notice *notice);
    /* A topic's partitions are known: the records behind its first one need not wait for the report of that one, whose
     * partition may have no leader. NULL: submits again by itself. */
    void (*room)(void *argument);
    void (*ended)(void *argument, const struct ps_kafka_end *end); /* one for each `commit` and `resolve` */
    void *argument;
    struct ps_now now; /* of this call */
};

/* How to make a producer. Owned by the caller; read only during `create`, but for the settings, which outlive the producer. */
struct ps_kafka_producer_config {
    const struct ps_kafka_settings *settings;
    uint64_t request_bytes_max; /* upper limit of a request; 0: the settings have the limit */
    bool copy_values;           /* the engine must copy values, which are valid only during `submit` */
    /* All records are part of a transaction. A new producer aborts the open transaction of the previous producer
     * with this id, which can then write nothing more. NULL: no transactions. */
    const char *transactional_id;
    int wake_fd;  /* eventfd, written when reports or notices have come; -1: none */
    int epoll_fd; /* epoll that watches the engine's own sockets, if it has any; -1: none */
};

struct ps_kafka_producer;
struct ps_kafka_topic;

struct ps_kafka_engine {
    /* Makes a producer. It connects in the background; does not wait for brokers. Takes milliseconds.
     * Thread: any. */
    struct ps_kafka_producer *(*create)(const struct ps_kafka_producer_config *config, struct ps_err *err);
    /* Drops the records that were not reported. May take seconds. Thread: any; no other call may follow. */
    void (*destroy)(struct ps_kafka_producer *producer);
    /* Returns the topic of that name, from a bounded cache. Valid until the next call of `topic`. NULL: the
     * name is not legal (ps_kafka_topic_name_is_legal), or there is no memory. */
    struct ps_kafka_topic *(*topic)(struct ps_kafka_producer *producer, const char *name, uint32_t length);
    /* Takes records in order; returns the number taken. *error: the code of the reason why the next record was
     * not taken; 0: all were taken. */
    uint32_t (*submit)(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic,
                       const struct ps_kafka_record *records, uint32_t count, int *error);
    /* Hands reports and notices to the listener, of about `budget` records at most. Returns the number of
     * records reported. */
    uint32_t (*poll)(struct ps_kafka_producer *producer, const struct ps_kafka_listener *listener,
                     uint32_t budget);
    /* Returns the time (monotonic ns) at which `poll` is needed although neither descriptor is ready, or
     * PS_NEVER. NULL: the engine has threads that do this work. */
    uint64_t (*due_ns)(struct ps_kafka_producer *producer);
    /* Drops the waiting records (their reports have a purge code); with `in_flight` also those that were sent and
     * not answered. */
    void (*purge)(struct ps_kafka_producer *producer, bool in_flight);
    /* `hurry` true: until this is called with false, no record waits for linger.ms; present and later records
     * are sent as soon as a connection takes them. NULL: records wait for linger.ms at most. */
    void (*hurry)(struct ps_kafka_producer *producer, bool hurry);
    /* Sets how many bytes of records without a key go to one partition before the next partition is chosen. For
     * brokers with a long round trip: nearly as many as a request holds (more would wait for another round
     * trip). 0: the engine's smaller number, which spreads the records more evenly. NULL: the engine always uses that. */
    void (*fill_requests)(struct ps_kafka_producer *producer, uint64_t request_bytes);
    /* Returns whether a broker has answered since `create`. The producer requests metadata from its first call
     * of `topic` on. Does not wait. Used by tools that begin only when a broker answers. NULL: such tools do not use the
     * engine. */
    bool (*answered)(struct ps_kafka_producer *producer);
    /* Returns whether the cluster has described the topic in an answer to a question that was asked at `since_ns` or
     * later; if not, asks again. An error of `submit` is then up to date, unless the answer refuses the topic: *error is
     * the reason then, and else 0. NULL: only a new producer asks again. */
    bool (*heard)(struct ps_kafka_producer *producer, struct ps_kafka_topic *topic, uint64_t since_ns,
                  int *error);
    /* Returns whether a broker has answered, since then not all of them were down, and the cluster has given the producer what it needs
     * for writing. NULL: the statistics of the engine have this. */
    bool (*reaches)(struct ps_kafka_producer *producer);
};

/* librdkafka; kafka/librdkafka/producer.c */
extern const struct ps_kafka_engine ps_kafka_librdkafka;
