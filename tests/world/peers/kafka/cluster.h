/* A Kafka cluster of three brokers: what they know and keep. It keeps the sequence numbers of producers as Kafka does (the
 * last five batches of each, KIP-98): what was written twice by a retry is written once. Written from Kafka's protocol guide, KIP-62, KIP-98, KIP-227,
 * KIP-320, KIP-345, KIP-394, KIP-447, KIP-516 and KIP-890.
 *
 * Brokers misbehave as long as world->server_faults holds: leaders and coordinators move, brokers go away and come back, connections break
 * before or after a request is carried out, answers are late, replicas are missing. */
#pragma once

#include "tests/world/peers/connections.h"
#include "tests/world/peers/kafka/wire.h"

#define KAFKA_BROKERS 3
#define KAFKA_PARTITIONS 8 /* of a topic, at most */
#define KAFKA_TOPICS 6
#define KAFKA_FAILURES_MAX 16
#define KAFKA_PRODUCERS_MAX 64
#define KAFKA_SESSIONS 4
#define KAFKA_MEMBERS_MAX 8
#define KAFKA_PROTOCOLS_MAX 4
#define KAFKA_TRANSACTIONS_MAX 16
#define KAFKA_NAME_MAX 128
#define KAFKA_REQUEST_BYTES ((size_t)1 << 20)
#define KAFKA_NOBODY UINT32_MAX

/* Kafka's error codes. */
enum {
    KAFKA_NONE = 0,
    KAFKA_OFFSET_OUT_OF_RANGE = 1,
    KAFKA_CORRUPT_MESSAGE = 2,
    KAFKA_UNKNOWN_TOPIC_OR_PARTITION = 3,
    KAFKA_LEADER_NOT_AVAILABLE = 5,
    KAFKA_NOT_LEADER = 6,
    KAFKA_REQUEST_TIMED_OUT = 7,
    KAFKA_REPLICA_NOT_AVAILABLE = 9,
    KAFKA_MESSAGE_TOO_LARGE = 10,
    KAFKA_COORDINATOR_LOADS = 14,
    KAFKA_COORDINATOR_NOT_AVAILABLE = 15,
    KAFKA_NOT_COORDINATOR = 16,
    KAFKA_NOT_ENOUGH_REPLICAS = 19,
    KAFKA_NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20,
    KAFKA_ILLEGAL_GENERATION = 22,
    KAFKA_INCONSISTENT_PROTOCOL = 23,
    KAFKA_UNKNOWN_MEMBER = 25,
    KAFKA_REBALANCE_IN_PROGRESS = 27,
    KAFKA_UNSUPPORTED_VERSION = 35,
    KAFKA_OUT_OF_ORDER_SEQUENCE = 45,
    KAFKA_INVALID_PRODUCER_EPOCH = 47,
    KAFKA_INVALID_TRANSACTION_STATE = 48,
    KAFKA_INVALID_PRODUCER_MAPPING = 49,
    KAFKA_CONCURRENT_TRANSACTIONS = 51,
    KAFKA_UNKNOWN_PRODUCER = 59,
    KAFKA_SESSION_NOT_FOUND = 70,
    KAFKA_INVALID_SESSION_EPOCH = 71,
    KAFKA_FENCED_LEADER_EPOCH = 74,
    KAFKA_UNKNOWN_LEADER_EPOCH = 75,
    KAFKA_MEMBER_ID_REQUIRED = 79,
    KAFKA_FENCED_INSTANCE = 82,
    KAFKA_UNSTABLE_OFFSET = 88,
    KAFKA_UNKNOWN_TOPIC_ID = 100,
    KAFKA_INCONSISTENT_TOPIC_ID = 103,
};

/* ---- logs ---- */

struct kafka_producer {
    int64_t id; /* 0: this place is free */
    int16_t epoch;
    struct {
        int32_t sequence, count; /* of the last batches, the newest first */
        int64_t offset;
    } last[5];
    unsigned last_count;
    bool is_open; /* it has a transaction here, which began at `first` */
    int64_t first;
};

struct kafka_batch {
    int64_t base, last;
    int64_t producer; /* of a transaction; else -1 */
    int32_t epoch;    /* of the leader that wrote it */
    unsigned char *bytes;
    size_t length;
};

/* A record as scenarios see it. */
struct kafka_record {
    const char *key, *value; /* NULL: none */
    size_t key_length, value_length;
    int64_t time_ms, header_count;
    struct kafka_in headers;
};

struct kafka_aborted {
    int64_t producer, first, last;
};

struct kafka_partition {
    int leader; /* -1: none */
    int32_t leader_epoch;
    int replica; /* the broker that the leader names to readers with a rack (KIP-392), from 1; 0: none */
    uint64_t lacks[KAFKA_BROKERS]; /* so many of the newest batches are not there yet, if it does not lead */
    int64_t end;                   /* offset of the next record */
    int64_t delivered;             /* what is before it has arrived at the far end */
    struct kafka_batch *batches;
    size_t batch_count, batch_room;
    struct kafka_aborted *aborted;
    size_t aborted_count, aborted_room;
    struct kafka_producer producers[KAFKA_PRODUCERS_MAX];
};

struct kafka_topic {
    char name[32]; /* "": this place is free */
    int64_t id;
    int32_t count; /* of its partitions */
    bool counts;   /* committed records are arrivals */
    bool
        takes_any; /* an idempotent producer that a partition does not know may begin with any sequence (KIP-360) */
    struct kafka_partition partitions[KAFKA_PARTITIONS];
};

/* ---- groups ---- */

enum kafka_group_state { KAFKA_EMPTY, KAFKA_JOINING, KAFKA_SYNCING, KAFKA_STABLE };

struct kafka_bytes {
    unsigned char *bytes;
    size_t length;
};

struct kafka_member {
    char id[KAFKA_NAME_MAX]; /* "": this place is free */
    char instance[KAFKA_NAME_MAX];
    bool is_new; /* it has got its id, and has not joined with it (KIP-394) */
    bool joins;  /* its JoinGroup waits */
    uint64_t session_ns, rebalance_ns;
    uint64_t expires_ns; /* without a sign of it */
    struct {
        char name[32];
        struct kafka_bytes subscription;
    } protocols[KAFKA_PROTOCOLS_MAX];
    unsigned protocol_count;
    struct kafka_bytes assignment;
};

struct kafka_offset {
    int64_t offset; /* -1: none */
    int32_t epoch;
};

/* The one group: its members and offsets. */
struct kafka_group {
    char name[KAFKA_NAME_MAX];
    enum kafka_group_state state;
    int32_t generation;
    uint64_t rebalance_ends_ns;
    char protocol[32];
    char leader[KAFKA_NAME_MAX];
    struct kafka_member members[KAFKA_MEMBERS_MAX];
    unsigned ids; /* that were given */
    struct kafka_offset offsets[KAFKA_TOPICS][KAFKA_PARTITIONS];
    struct {
        int64_t producer; /* 0: none */
        struct kafka_offset offset;
    } pending[KAFKA_TOPICS][KAFKA_PARTITIONS]; /* of an open transaction */
};

/* ---- transactions ---- */

enum kafka_transaction_state { KAFKA_NO_TRANSACTION, KAFKA_ONGOING, KAFKA_ENDING, KAFKA_ENDED };

struct kafka_transaction {
    char id[KAFKA_NAME_MAX]; /* "": this place is free */
    int64_t producer;
    int16_t epoch;
    enum kafka_transaction_state state;
    bool commits; /* from KAFKA_ENDING on */
    bool bumps;   /* its end raises the epoch (KIP-890) */
    uint64_t times_out_ns, timeout_ns;
    uint64_t ends_ns; /* when its markers are written */
    bool joined[KAFKA_TOPICS][KAFKA_PARTITIONS];
    bool has_group;
};

/* ---- the cluster ---- */

/* One partition that is asked for, or that a session has. */
struct kafka_asked {
    int topic;  /* -1: an unknown one */
    int64_t id; /* of the topic; 0: it is named */
    char name[KAFKA_NAME_MAX];
    int32_t number, epoch;
    int64_t offset;
    size_t most;  /* bytes that it wants */
    int64_t told; /* the end of the log in the last answer; -1: none */
};

#define KAFKA_ASKED_MAX (KAFKA_TOPICS * KAFKA_PARTITIONS)

/* A fetch session (KIP-227). */
struct kafka_session {
    int32_t id; /* 0: this place is free */
    int32_t epoch;
    bool by_ids;
    unsigned count;
    struct kafka_asked parts[KAFKA_ASKED_MAX];
};

/* What a scenario lets requests come to: an error, or KAFKA_BREAKS .. */
struct kafka_failure {
    int16_t key; /* of the requests */
    int error;
    uint32_t times; /* UINT32_MAX: all; 0: this place is free */
    int topic;      /* -1: any */
    int32_t number; /* of a partition; -1: any */
};
enum {
    KAFKA_BREAKS = 1000, /* the connection breaks before the request is carried out */
    KAFKA_LOSES,         /* .. after it */
    KAFKA_HANGS,         /* there is no answer while this holds */
};

struct kafka_cluster {
    struct world_peer *peer;
    int generation; /* which versions of requests the brokers know: 0: Kafka 2.3, 1: 3.1, 2: 4.0, 3: 0.10 */
    struct net_listener *listeners[KAFKA_BROKERS]; /* NULL: the broker is away */
    uint64_t back_ns[KAFKA_BROKERS];
    bool hangs[KAFKA_BROKERS], leaves_metadata[KAFKA_BROKERS];
    struct kafka_failure failures[KAFKA_FAILURES_MAX];
    int32_t throttle_ms; /* of answers to Produce and Fetch */
    int64_t batch_limit; /* of bytes; 0: none */
    int refused_error;   /* of batches that have a record with these bytes in it; 0: none is refused */
    char refused[KAFKA_NAME_MAX];
    int64_t topics_made;
    unsigned far_end; /* of the ledger */
    uint64_t next_fault_ns;
    int64_t next_producer;
    int32_t next_session;
    int group_coordinator, transaction_coordinator; /* brokers */
    uint64_t loaded_ns;                             /* until then coordinators load */
    bool changed;                                   /* something that a waiting answer may depend on */
    bool is_unclean;      /* a new leader may lack the newest records of topic `in` */
    bool keeps_topics;    /* no fault deletes topic `t` */
    uint64_t remade_ns;   /* when it is made again */
    bool checks_delivery; /* a committed offset must not be above a record that has not arrived */
    struct kafka_topic topics[KAFKA_TOPICS];
    struct kafka_session sessions[KAFKA_BROKERS][KAFKA_SESSIONS];
    struct kafka_group group;
    struct kafka_transaction transactions[KAFKA_TRANSACTIONS_MAX];
    struct connections connections;
};

/* Starts the brokers at kafka1..3:9092, whose addresses are names of the network. Topic `t` is written by the agent, topic `in` is read. */
struct kafka_cluster *kafka_add(void);

/* A request, of which `in` is what follows its head. */
struct kafka_request {
    struct kafka_in in;
    int16_t key, version;
    int broker;
    struct connection *connection; /* its since_ns is 0 the first time */
};

enum kafka_served { KAFKA_ANSWERED, KAFKA_LATER, KAFKA_CLOSE };

/* Carries out a request (without its length) and writes the answer from the correlation id on. In requests.c. */
enum kafka_served kafka_serve(struct kafka_cluster *cluster, struct connection *connection,
                              struct kafka_in request, struct kafka_out *answer);
/* Leaves the request where it is until something changes, at the latest until then. Returns KAFKA_LATER. */
enum kafka_served kafka_wait(struct kafka_request *request, uint64_t until_ns);
/* Returns an index, or -1. */
int kafka_topic_named(const struct kafka_cluster *cluster, const char *name);
int kafka_topic_of_id(const struct kafka_cluster *cluster, int64_t id);
/* Returns NULL for an unknown one. */
struct kafka_partition *kafka_partition_of(struct kafka_cluster *cluster, int topic, int32_t number);
/* Topics' ids: 16 bytes on the wire. */
int64_t kafka_get_id(struct kafka_in *in);
void kafka_put_id(struct kafka_out *out, int64_t id);
/* Returns the error of a request, or of its part: what a scenario says, else one of these for one of 20 requests while servers misbehave. `topic`,
 * `number`: -1 for a request without such parts. */
int kafka_fails(struct kafka_cluster *cluster, const struct kafka_request *request, int topic, int32_t number,
                const int *errors, unsigned count);

/* ---- changes, by faults and scenarios; cluster.c ---- */

/* Which Kafka the brokers are. */
void kafka_set_generation(struct kafka_cluster *cluster, int generation);
void kafka_broker_down(struct kafka_cluster *cluster, int broker);
void kafka_broker_up(struct kafka_cluster *cluster, int broker);
/* Adds a topic, or partitions to the one that has the name. */
struct kafka_topic *kafka_add_topic(struct kafka_cluster *cluster, const char *name, int32_t partitions);
/* The topic's records and offsets are gone. */
void kafka_delete_topic(struct kafka_cluster *cluster, int topic);
/* Another broker, or none (-1), leads the partition. */
void kafka_lead(struct kafka_cluster *cluster, struct kafka_partition *partition, int broker);

/* ---- log.c ---- */

/* Appends a record batch. Returns an error code, and the offset. */
int kafka_append(struct kafka_topic *topic, int32_t number, const unsigned char *bytes, int64_t length,
                 int64_t *offset);
/* Returns the number of the first record of a batch whose value has this text in it; -1: none. */
int64_t kafka_find_record(const unsigned char *bytes, int64_t length, const char *text);
/* Writes the marker that ends a producer's transaction. `next_epoch`: the producer's from now on. */
void kafka_end(struct kafka_topic *topic, int32_t number, int64_t producer, int16_t next_epoch, bool commits);
/* Removes the newest batches, none of them of a transaction: nobody has to see their records. */
void kafka_truncate(struct kafka_topic *topic, int32_t number, uint64_t batches);
/* Returns the last stable offset: that of the first record of a transaction that is open. */
int64_t kafka_stable(const struct kafka_partition *partition);
/* Returns the first batch with this offset or a later one; batch_count: there is none. */
size_t kafka_batch_at(const struct kafka_partition *partition, int64_t offset);
/* Appends one batch with these lines as records; `codec`: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd. */
void kafka_write_lines(struct kafka_topic *topic, int32_t number, const char *text, size_t length, int codec);
/* Calls `note` with each record that a reader of committed records sees. */
void kafka_each_record(struct kafka_topic *topic, int32_t number,
                       void (*note)(void *argument, const struct kafka_record *record), void *argument);

/* A batch that is made in `out`: its head has its place until the end, which also compresses the records. */
void kafka_batch_begin(struct kafka_out *out);
void kafka_batch_add(struct kafka_out *out, int32_t delta, int64_t delta_ms, const char *key,
                     int64_t key_length, const char *value, size_t length);
void kafka_batch_end(struct kafka_out *out, int32_t count, int codec, int64_t first_ms);
int kafka_batch_codec(const struct kafka_batch *batch);
void kafka_batch_records(const struct kafka_batch *batch,
                         void (*note)(void *argument, const struct kafka_record *record), void *argument);

/* ---- messages.c: format 1, of brokers before Kafka 0.11 ---- */

int kafka_append_messages(struct kafka_topic *topic, int32_t number, const unsigned char *bytes,
                          int64_t length, int64_t *offset);
/* Without those before `from`, unless they are compressed. */
void kafka_put_messages(struct kafka_out *out, const struct kafka_batch *batch, int64_t from);

/* ---- codec.c: by the libraries that wrote the formats ---- */

/* Returns the bytes that a batch's records were before they were compressed, in memory of its own that the next call overwrites; NULL: they are damaged. */
const unsigned char *kafka_decompress(int codec, const unsigned char *bytes, size_t length, size_t *result);
const unsigned char *kafka_compress(int codec, const unsigned char *bytes, size_t length, size_t *result);

/* Appends what a peer writes: events of the ledger from `first` on. `producer`: of a transaction; -1: of none. */
void kafka_write(struct kafka_topic *topic, int32_t number, uint32_t first, uint32_t count, int64_t producer);
/* Reads some records from the offset on: they arrive at the far end. Returns the offset behind them, and the epoch of the last one. */
int64_t kafka_take(struct kafka_topic *topic, int32_t number, int64_t from, bool committed_only,
                   int32_t *epoch);
/* Returns whether all committed records before the offset have arrived at the far end. */
bool kafka_is_delivered(struct kafka_topic *topic, int32_t number, int64_t offset);

/* ---- requests, by file ---- */

enum kafka_served kafka_fetch(struct kafka_cluster *, struct kafka_request *,
                              struct kafka_out *); /* fetch.c */
enum kafka_served kafka_list_offsets(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_epochs(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_join(struct kafka_cluster *, struct kafka_request *,
                             struct kafka_out *); /* group.c */
enum kafka_served kafka_sync(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_heartbeat(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_leave(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_describe(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_coordinator(struct kafka_cluster *, struct kafka_request *,
                                    struct kafka_out *); /* offsets.c */
enum kafka_served kafka_commit(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_offsets(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_commit_in_transaction(struct kafka_cluster *, struct kafka_request *,
                                              struct kafka_out *);
enum kafka_served kafka_producer_id(struct kafka_cluster *, struct kafka_request *,
                                    struct kafka_out *); /* transaction.c */
enum kafka_served kafka_add_partitions(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_add_offsets(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);
enum kafka_served kafka_end_transaction(struct kafka_cluster *, struct kafka_request *, struct kafka_out *);

/* ---- groups and transactions ---- */

/* Lets time pass in the group: members expire, rebalances end. Returns when it is due again. */
uint64_t kafka_group_turn(struct kafka_cluster *cluster);
struct kafka_member *kafka_find_member(struct kafka_group *group, const char *id);
/* Returns how many have joined. */
int64_t kafka_members(struct kafka_group *group);
/* The member has given a sign of life. */
void kafka_touch(struct kafka_member *member);
const struct kafka_bytes *kafka_subscription_of(const struct kafka_group *group,
                                                const struct kafka_member *member);
/* Takes the leader's assignments. */
void kafka_share_out(struct kafka_cluster *cluster, struct kafka_in *in);
/* A neighbour joins, again or as a new member, whose id is then written to `id`. */
void kafka_neighbour_joins(struct kafka_cluster *cluster, char id[KAFKA_NAME_MAX], struct kafka_in protocols);
void kafka_neighbour_leaves(struct kafka_cluster *cluster, const char *id);
/* Notes an offset that is committed. The referee asks at once whether what is before it was delivered. */
void kafka_set_offset(struct kafka_cluster *cluster, int topic, int32_t number, struct kafka_offset offset);
/* Another broker has become the coordinator: it has what was written. */
void kafka_group_moved(struct kafka_cluster *cluster);
/* Returns the error for a member's commit: it is not one, or of another generation. */
int kafka_check_member(struct kafka_group *group, const char *member, const char *instance,
                       int32_t generation, bool in_transaction);
/* Returns the error of a request to a coordinator: it has moved, or loads. */
int kafka_check_coordinator(const struct kafka_cluster *cluster, int coordinator, int broker);
/* Writes markers that are due, and aborts transactions that take too long. Returns when it is due again. */
uint64_t kafka_transactions_turn(struct kafka_cluster *cluster);
/* Returns the error of a transactional batch, whose partition joins the transaction if the version lets it. */
int kafka_check_transaction(struct kafka_cluster *cluster, const char *id, const unsigned char *batch,
                            int64_t length, int topic, int32_t number, bool joins);
/* The offsets that wait for this transaction's end are committed, or forgotten. */
void kafka_offsets_end(struct kafka_cluster *cluster, int64_t producer, bool commits);
/* Returns the transaction with this id and epoch, or NULL with an error. */
struct kafka_transaction *kafka_transaction_of(struct kafka_cluster *cluster, const char *id,
                                               int64_t producer, int16_t epoch, int *error);
/* A part joins: the first one begins the transaction. Returns an error. */
int kafka_transaction_begin(struct kafka_transaction *transaction);

/* ---- assignment.c: of the topic that is read ---- */

void kafka_read_assignment(const struct kafka_bytes *bytes, bool parts[KAFKA_PARTITIONS]);
void kafka_write_assignment(struct kafka_out *out, const bool parts[KAFKA_PARTITIONS]);
void kafka_read_claims(const struct kafka_bytes *bytes, bool parts[KAFKA_PARTITIONS]);
void kafka_write_claims(struct kafka_out *out, const bool parts[KAFKA_PARTITIONS], int32_t generation);

/* ---- writer.c, neighbour.c ---- */

/* Adds a member that joins the agent's group now and then. */
void kafka_neighbour_add(struct kafka_cluster *cluster, bool committed_only);
/* Writes events into topic `in`. */
void kafka_writer_add(struct kafka_cluster *cluster, bool in_transactions);
