/* A Kafka cluster of three brokers with one topic `t`: what they know and keep. It keeps the sequence numbers of producers as Kafka does (the
 * last five batches of each, KIP-98): what was written twice by a retry is written once.
 *
 * Brokers misbehave as long as world->server_faults holds: leaders move, brokers go away and come back, connections break before or after
 * a request is carried out, answers are late, replicas are missing. */
#pragma once

#include "tests/world/peers/connections.h"
#include "tests/world/peers/kafka/wire.h"

#define KAFKA_BROKERS 3
#define KAFKA_PARTITIONS 4
#define KAFKA_PRODUCERS_MAX 64
#define KAFKA_REQUEST_BYTES ((size_t)1 << 20)

/* Kafka's error codes. */
enum {
    KAFKA_NONE = 0,
    KAFKA_CORRUPT_MESSAGE = 2,
    KAFKA_UNKNOWN_TOPIC_OR_PARTITION = 3,
    KAFKA_NOT_LEADER = 6,
    KAFKA_REQUEST_TIMED_OUT = 7,
    KAFKA_NOT_ENOUGH_REPLICAS = 19,
    KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
    KAFKA_UNSUPPORTED_VERSION = 35,
    KAFKA_OUT_OF_ORDER_SEQUENCE = 45,
    KAFKA_INVALID_PRODUCER_EPOCH = 47,
};

struct kafka_producer {
    int64_t id; /* 0: this place is free */
    int16_t epoch;
    struct {
        int32_t sequence, count; /* of the last batches, the newest first */
        int64_t offset;
    } last[5];
    unsigned last_count;
};

struct kafka_partition {
    int leader;
    int32_t leader_epoch;
    int64_t end; /* offset of the next record */
    struct kafka_producer producers[KAFKA_PRODUCERS_MAX];
};

struct kafka_cluster {
    struct world_peer *peer;
    struct net_listener *listeners[KAFKA_BROKERS]; /* NULL: the broker is away */
    uint64_t back_ns[KAFKA_BROKERS];
    uint64_t next_fault_ns;
    int64_t next_producer;
    struct kafka_partition partitions[KAFKA_PARTITIONS];
    struct connections connections;
};

/* Starts the brokers at kafka1..3:9092, whose addresses are names of the network. */
void kafka_add(void);

/* Carries out a request (without its length) and writes the answer behind the correlation id. Returns false when the connection is to be closed.
 * In requests.c. */
bool kafka_serve(struct kafka_cluster *cluster, int broker, struct kafka_in *request,
                 struct kafka_out *answer);
/* Appends a record batch. Returns an error code, and the offset. In log.c. */
int kafka_append(struct kafka_partition *partition, const unsigned char *batch, int64_t length,
                 int64_t *offset);
