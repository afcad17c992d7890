/* librdkafka's consumer, for the source: a client in a group, a queue of group events (rebalances, commit
 * replies, errors, log lines) and a queue of records.
 *
 * The two queues are separate on purpose. Every partition's queue is forwarded to the record queue before it is
 * assigned. A source that must not read, because its channel is full, therefore does not poll the record queue:
 * the client stops fetching when the record queue is full, and keeps the fetched records. Polling the queue of
 * group events keeps the client in its group (`max.poll.interval.ms`) and delivers rebalances.
 *
 * Records are taken with rd_kafka_consume_callback_queue. Do not use rd_kafka_consume_batch_queue: up to
 * librdkafka 2.0 it skips records when a partition is paused, resumed or rebalanced during the call (librdkafka
 * pull request 4208; Debian 12 has 2.0.2).
 *
 * Up to librdkafka 2.2 a full queue makes a broker's thread sleep for up to a second, even if the queue is
 * empty long before; `refill` wakes the thread. (`fetch.queue.backoff.ms` came with 2.3.)
 *
 * Thread: one worker calls everything. No callback of penstock's runs on the library's threads. */
#pragma once

#include "core/option.h"
#include "core/status.h"
#include "stages/lib/kafka/fetch/reports.h"

#include <librdkafka/rdkafka.h>

struct ps_block;

/* A record of a partition that is assigned to this member. Valid during the call to `take`. */
struct ps_kafka_message {
    uint32_t stream; /* index of its partition in the group's table */
    int64_t offset;
    int64_t timestamp_ms; /* -1: the record has none */
    const char *key;      /* NULL: none */
    const char *value;    /* NULL: a tombstone */
    /* one value for each wanted header name; data NULL: the record has no such header */
    const struct ps_slice *mapped;
    uint32_t key_length, value_length;
    int32_t epoch; /* epoch of the leader that wrote the record; -1: not known */
    /* The block that has key, value and headers; the batch becomes an owner of the block. NULL: key, value and
     * headers are copied. An earlier block at the same address had another `block_number`. */
    struct ps_block *block;
    uint64_t block_number;
};

enum ps_kafka_take {
    PS_KAFKA_TAKEN,
    PS_KAFKA_TAKEN_LAST, /* taken, and the reader wants no more records in this call */
    PS_KAFKA_NOT_TAKEN,  /* no room: the record is kept and offered first at the next call */
};

struct ps_kafka_consumer_config {
    const char *component;       /* for the log; must outlive the consumer */
    const struct ps_pair *pairs; /* the library's own properties */
    size_t pair_count;
    /* NULL: none. Instances of a source are members of their own: instance 0 has this id, the others <id>-<instance>. */
    const char *group_instance_id;
    unsigned instance;
    struct ps_texts subscription; /* topic names, or one "^.." expression */
    bool cooperative;       /* the protocol may be cooperative: watches the group's state (`rejoining`) */
    struct ps_texts wanted; /* names of the record headers to read; must outlive the consumer */
    int wake_fd;            /* eventfd, written when events or records have come; -1: none */
};

struct ps_kafka_consumer {
    const char *component;
    rd_kafka_t *client;
    rd_kafka_queue_t *control, *records, *closing;
    int wake_fd; /* a duplicate (core/helper/wake_fd.h); -1: none */
    struct ps_texts wanted;
    struct ps_slice *mapped; /* the mapped headers of the current record */
    bool fatal;              /* the client failed for good and does nothing more */
    /* a rebalance was handed out and is not answered yet (stages/lib/kafka/librdkafka/rebalance.c) */
    bool asked;
    bool no_memory;               /* there was no memory to keep a record: this client reads no more */
    struct ps_kafka_message kept; /* the record that was not taken; its bytes are in `kept_bytes` */
    struct ps_slice *kept_mapped;
    char *kept_bytes;
    size_t kept_room;
    bool has_kept;
    /* The group rebalances while this member keeps partitions (cooperative protocol): it must not commit. Up to
     * librdkafka 2.10 a commit that arrives then loses the whole assignment (issue 4059). */
    bool rejoining;
    struct ps_kafka_reports reports;
    uint64_t mono_ns; /* of the last poll */
    /* The record queue: its limits, the average size of a record, and whether the queue was full and has not
     * run low since. */
    uint64_t records_max, bytes_max, average_bytes;
    bool was_full;
    unsigned nudge_count;
    uint64_t nudge_ns;
};

/* Callbacks of `poll`. The library owns the lists; they are valid during the call. */
struct ps_kafka_consumer_listener {
    void (*assigned)(void *argument, rd_kafka_topic_partition_list_t *list);
    void (*revoked)(void *argument, rd_kafka_topic_partition_list_t *list);
    void (*committed)(void *argument, rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t *list);
    void *argument;
};

/* Makes the client and subscribes. It connects in the background; does not wait for brokers. Takes
 * milliseconds. */
enum ps_status ps_kafka_consumer_open(struct ps_kafka_consumer *consumer,
                                      const struct ps_kafka_consumer_config *config, struct ps_err *err);

/* Handles group events, without waiting. Must be called well within max.poll.interval.ms. */
void ps_kafka_consumer_poll(struct ps_kafka_consumer *consumer,
                            const struct ps_kafka_consumer_listener *listener, uint64_t mono_ns);

/* For a consumer that is `fatal` (for example because another member took the group.instance.id) or has `no_memory`:
 * sets a text with the cause and the cure. */
void ps_kafka_consumer_failure(const struct ps_kafka_consumer *consumer, struct ps_err *reason);

struct ps_kafka_consumer_reader {
    /* Returns the stream of the record's partition; UINT32_MAX: the partition is not assigned to this member, and the
     * record is discarded. */
    uint32_t (*stream)(void *argument, const rd_kafka_message_t *message);
    enum ps_kafka_take (*take)(void *argument, const struct ps_kafka_message *message);
    void *argument;
};

/* Hands over records, in order per partition, until there are none or the reader returns TAKEN_LAST or
 * NOT_TAKEN. Returns the number of records that were taken. */
uint32_t ps_kafka_consumer_read(struct ps_kafka_consumer *consumer,
                                const struct ps_kafka_consumer_reader *reader);

/* Called once in each cycle in which records may be read: when the queue was full and runs low, makes the
 * library fetch again. Returns the time of the next call at the latest. */
uint64_t ps_kafka_consumer_refill(struct ps_kafka_consumer *consumer, uint64_t mono_ns);

/* Returns whether `read` would find a record: a kept one, or one that the library has fetched. */
static inline bool ps_kafka_consumer_has_records(const struct ps_kafka_consumer *consumer)
{
    return consumer->has_kept || rd_kafka_queue_length(consumer->records) > 0;
}

/* Returns true when a record that was not taken is kept. */
static inline bool ps_kafka_consumer_has_kept(const struct ps_kafka_consumer *consumer)
{
    return consumer->has_kept;
}

/* Drops the kept record, because its partition was revoked or the source stops: the partition's next owner
 * reads the record again. */
static inline void ps_kafka_consumer_forget_kept(struct ps_kafka_consumer *consumer)
{
    consumer->has_kept = false;
}

/* Sends records of this partition to the record queue from now on. Call it before the partition is
 * assigned. */
void ps_kafka_consumer_forward(struct ps_kafka_consumer *consumer, const char *topic, int32_t partition);

/* Starts to leave the group. Call `poll` (a last rebalance may come) until `closed` returns true. */
void ps_kafka_consumer_close(struct ps_kafka_consumer *consumer);
bool ps_kafka_consumer_closed(const struct ps_kafka_consumer *consumer);

/* Leaves the group; waits some seconds at most until the consumer has left. Thread: the farewell's. */
void ps_kafka_consumer_leave(struct ps_kafka_consumer *consumer);

/* Frees the consumer. If it is not closed, the group notices only by the session time-out. Takes as long as the
 * library's threads need to end: usually milliseconds; minutes while a coordinator is silent that owes an answer
 * (stages/lib/kafka/librdkafka/farewell.h). */
void ps_kafka_consumer_destroy(struct ps_kafka_consumer *consumer);
