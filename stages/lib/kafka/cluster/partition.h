/* The native client's requests, and its topics with their partitions, which keep record batches in order.
 *
 * Owner and thread: as in native_internal.h, which includes this file. */
#pragma once

#include "stages/lib/kafka/wire/batch_writer.h"

#include "core/clock.h"

#define PS_KAFKA_NATIVE_TOPIC_BYTES 250U /* Kafka's limit, and the terminating zero */
#define PS_KAFKA_NATIVE_TOPIC_ID_BYTES 16U
#define PS_KAFKA_NATIVE_FORMERS 4U /* number of former ids that are kept of a topic that was created again */
#define PS_KAFKA_NATIVE_TOPICS_MAX 1024U        /* limited, because headers may name topics */
#define PS_KAFKA_NATIVE_BATCH_SIZES 4U          /* lists of free batches */
#define PS_KAFKA_NATIVE_REQUEST_BATCHES_MAX 64U /* of one produce request */
#define PS_KAFKA_NATIVE_TRANSACTIONAL_ID_BYTES 300U
#define PS_KAFKA_NATIVE_CLUSTER_BYTES 64U
#define PS_KAFKA_NATIVE_GROUP_BYTES 1024U /* the source refuses longer names (kafka_yields_positions) */

struct ps_kafka_native;
struct ps_kafka_native_broker;
struct ps_kafka_native_topic;

/* ---- partitions ---- */

/* A broker accepts any first sequence number of a producer that it does not know, or has forgotten. If it
 * refused the first batch with a temporary error, and then accepted the second batch, the first batch could never be
 * written before the second one. Therefore the first batch is sent alone. The next batch after
 * PS_KAFKA_NATIVE_KNOWN_NS without a batch is also sent alone, and the first batch for each new leader, whose log
 * may be another one (unclean election, topic created again). */
#define PS_KAFKA_NATIVE_KNOWN_NS (600 * PS_NS_PER_S) /* far below producer.id.expiration.ms, a day */

/* A partition sends its batches in order. After a temporary failure it sends no batch until every batch in flight is
 * answered (`resends`). Then it sends all batches that were not written again, one at a time, oldest first. The
 * broker remembers only the last five batches of a producer: with more batches in flight it could take a repeated batch
 * for a new one. (Java's RecordAccumulator.shouldStopDrainBatchesForPartition does the same.) */
struct ps_kafka_native_partition {
    struct ps_kafka_native_topic *topic;
    int32_t number;
    int32_t leader_epoch;                       /* -1: not known */
    struct ps_kafka_native_broker *leader;      /* NULL: none, or not known */
    struct ps_kafka_native_batch *first, **end; /* to be sent, oldest first; the last one may be open */
    struct ps_kafka_native_batch *returned; /* batches that were sent without success, in order of sequence */
    uint32_t in_flight;                     /* number of batches in flight */
    uint32_t usual_bytes;                   /* length of its last batch, before compression */
    int32_t next_sequence;                  /* sequence number of the batch that is closed next */
    bool resends;                           /* no batch is sent before `in_flight` is 0 */
    uint64_t rest_ns;                       /* nothing is sent before this time */
    bool alone;                             /* a batch that must be sent alone is in flight */
    bool denied; /* by this leader's last answer, another broker leads, or it has no such partition */
    /* since when all metadata has lacked the partition, or had an older leader (cluster.c); 0: it does not */
    uint64_t older_ns;
    uint64_t refused_ns; /* since when its records are refused for a reason that may pass; 0: they are not */
    uint64_t known_ns;   /* when this leader last took a batch, and so knows the producer; 0: never */
    bool ready;          /* in its leader's list */
    uint64_t joined;     /* the transaction that it has joined (client->transaction.number) */
    struct ps_kafka_native_partition *next_ready;
};

struct ps_kafka_native_topic {
    char name[PS_KAFKA_NATIVE_TOPIC_BYTES];
    uint32_t length, hash;
    char id[PS_KAFKA_NATIVE_TOPIC_ID_BYTES]; /* zeros: not known */
    struct {
        /* a former id: answers with this id are ignored until `until_ns` */
        char id[PS_KAFKA_NATIVE_TOPIC_ID_BYTES];
        uint64_t until_ns;
    } formers[PS_KAFKA_NATIVE_FORMERS]; /* ring of the last former ids */
    bool has_id;                        /* the last metadata had the topic's id */
    bool of_positions;                  /* nothing is written to it: a transaction has positions in it */
    uint64_t listed_ns;                 /* time of the last answer to Metadata that has the topic, */
    uint64_t described_ns;              /* and of the request that it answers */
    uint32_t lives;                     /* how often the id has changed: the topic was created again */
    struct ps_kafka_native_partition **partitions; /* each stays at its address */
    int32_t partition_count;                       /* 0: not known */
    int32_t listed_count; /* of the last answer with partitions; the topic may keep former ones */
    /* the topic's error in the last metadata; 0: none, or not requested yet */
    int error;
    uint64_t asked_ns; /* since when the topic's metadata has been incomplete; 0: it is complete */
    /* No partition yet: one record waits here until the partitions are known. Its number is what the record names, or PS_KAFKA_PARTITION_ANY. */
    struct ps_kafka_native_partition nowhere;
    bool unplaced_has_key; /* whether this record has a key; then unplaced_key is its hash */
    uint32_t unplaced_key;
    int32_t sticky_partition;           /* of records that name none; at first a number drawn by chance */
    uint32_t sticky_bytes_left;         /* bytes left for the present partition; 0: the next one is chosen */
    uint64_t written_ns;                /* time of the last record for it, or of the first answer with it */
    struct ps_kafka_native_topic *next; /* in its bucket */
};

/* Returns a partition of the topic; PS_KAFKA_PARTITION_ANY: the one of records whose partition is not known yet. */
static inline struct ps_kafka_native_partition *
ps_kafka_native_partition_of(struct ps_kafka_native_topic *topic, int32_t number)
{
    return number == PS_KAFKA_PARTITION_ANY ? &topic->nowhere : topic->partitions[number];
}

/* ---- requests ---- */

enum ps_kafka_native_kind {
    PS_KAFKA_NATIVE_API_VERSIONS,
    PS_KAFKA_NATIVE_SASL_HANDSHAKE,
    PS_KAFKA_NATIVE_SASL_AUTHENTICATE,
    PS_KAFKA_NATIVE_METADATA,
    PS_KAFKA_NATIVE_INIT_PRODUCER_ID,
    PS_KAFKA_NATIVE_PRODUCE,
    PS_KAFKA_NATIVE_FIND_COORDINATOR,
    PS_KAFKA_NATIVE_ADD_PARTITIONS,
    PS_KAFKA_NATIVE_ADD_OFFSETS,
    PS_KAFKA_NATIVE_COMMIT_OFFSETS,
    PS_KAFKA_NATIVE_END_TRANSACTION,
    PS_KAFKA_NATIVE_FETCH_OFFSETS,
    /* The remaining kinds belong to a reader (struct ps_kafka_native_reader). */
    PS_KAFKA_NATIVE_FETCH,
    PS_KAFKA_NATIVE_LIST_OFFSETS,
    PS_KAFKA_NATIVE_LEADER_EPOCH,  /* OffsetForLeaderEpoch */
    PS_KAFKA_NATIVE_GROUP_OFFSETS, /* OffsetFetch */
    PS_KAFKA_NATIVE_GROUP_COMMIT,
    PS_KAFKA_NATIVE_JOIN_GROUP,
    PS_KAFKA_NATIVE_SYNC_GROUP,
    PS_KAFKA_NATIVE_HEARTBEAT,
    PS_KAFKA_NATIVE_LEAVE_GROUP,
    PS_KAFKA_NATIVE_DESCRIBE_GROUPS,
    PS_KAFKA_NATIVE_KINDS,
};

/* What the requests of a kind are in Kafka's protocol, and the versions that this client uses: those from `least` to
 * `most`, and `modern`, a later one, for what they cannot do (0: none). */
struct ps_kafka_native_api {
    const char *name;
    int16_t key;
    int16_t least, most, modern;
    int16_t flexible; /* the first flexible version (KIP-482) */
    int16_t
        throttles; /* the first version whose answer begins with a throttle time; INT16_MAX: there is none */
};

extern const struct ps_kafka_native_api ps_kafka_native_apis[PS_KAFKA_NATIVE_KINDS];

#define PS_KAFKA_NATIVE_PRODUCE_OF_BATCHES                                                                   \
    3 /* version of Produce, from Kafka 0.11 on; earlier ones have messages */

/* A reader talks to its group's coordinator over a connection of its own, because answers to Fetch may take long. The
 * broker of that connection has the number COORDINATOR - node. */
#define PS_KAFKA_NATIVE_COORDINATOR INT32_MAX

/* The broker that keeps a transactional id, or a consumer group. */
struct ps_kafka_native_coordinator {
    struct ps_slice key; /* the id, or the group's name */
    int8_t type;         /* 0: of a group; 1: of a transactional id */
    int32_t node;        /* -1: not known */
    uint32_t failures;   /* the broker's `failures` when the cluster named it */
    bool asked;
    uint64_t rest_ns;    /* no request before this time */
    uint64_t awaited_ns; /* since when the cluster names none, or since this was reported; 0: it names one */
};

/* The bytes of a request: parts in `head`, with the bytes of the batches between them: part 0, batch 0, part 1, batch
 * 1, ... */
struct ps_kafka_native_request {
    struct ps_kafka_native_request *next;
    enum ps_kafka_native_kind kind;
    struct ps_kafka_native_coordinator *coordinator; /* of FIND_COORDINATOR */
    int16_t version;
    bool flexible; /* the version is a flexible one */
    int32_t correlation;
    int32_t throttle_ms; /* in the answer, if that begins with it */
    char *head;
    uint32_t head_length, head_room;
    uint32_t
        part_end[PS_KAFKA_NATIVE_REQUEST_BATCHES_MAX]; /* end in `head` of part i, which is before batch i */
    struct ps_kafka_native_batch *batches[PS_KAFKA_NATIVE_REQUEST_BATCHES_MAX];
    uint32_t batch_count;
    uint64_t bytes, written; /* length of the request, and written bytes; length field included */
    uint64_t sent_ns;        /* when its last byte was written; 0: not yet */
    uint64_t timeout_ns;     /* time limit of the answer; 0: request_timeout_ns of the settings */
    int32_t node;            /* Fetch: the node of the broker */
    bool ignored;            /* METADATA: the answer is skipped, because the client asks another broker */
    /* METADATA: asked_ns of the transaction, if topics are asked for that a group's coordinator lacks; 0: they are not */
    uint64_t question_ns;
    void *answer; /* a reader's memory for the answer, which goes there directly; NULL: none */
};

/* Returns whether the request was written in full: a broker carries out only such requests. */
static inline bool ps_kafka_native_is_written(const struct ps_kafka_native_request *request)
{
    return request->written == request->bytes;
}
