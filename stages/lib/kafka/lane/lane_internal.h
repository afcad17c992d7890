/* The structures of the native lane: one producer's brokers, topics and requests. The lane is an engine behind
 * stages/lib/kafka/producer/seam.h that speaks Kafka's protocol itself.
 *
 *   producer.c              the engine's table: records into sets, reports, purges
 *   topics.c                topics and partitions, and the choice of the next set to send
 *   record_set.c            records as bytes, compression
 *   broker.c                connections: bytes out and in, time-outs, back-off
 *   requests.c              requests as bytes
 *   receive.c, responses.c  answers, and the reaction to each
 *   login.c                 SASL
 *   transaction*.c          the steps of a transaction, and the handling of their answers
 *   coordinator*.c          the brokers that keep transactions and groups, and the requests to them
 *   statistics.c            the figures of the sink's metrics
 *
 * Owner and thread: the sink's worker, from the first call of `poll` or `topic` on. The lane has no thread of its own but
 * the resolver of host names. Requests, sets and buffers are allocated while the lane is warming up, and used again. */
#pragma once

#include "stages/lib/kafka/lane/record_set.h"
#include "stages/lib/net/client.h"
#include "stages/lib/kafka/lane/wire.h"
#include "stages/lib/net/resolver.h"
#include "stages/lib/sasl/bearer.h"
#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/sasl/sasl.h"
#include "stages/lib/tls/client.h"

#include "core/clock.h"

#define PS_KAFKA_LANE_TOPIC_BYTES 250U /* Kafka's limit, and its end */
#define PS_KAFKA_LANE_TOPICS_MAX 1024U /* topics come from headers */
/* requests of a broker: the broker knows an idempotent producer's last 5 sets */
#define PS_KAFKA_LANE_IN_FLIGHT_MAX 5U
#define PS_KAFKA_LANE_REQUEST_SETS_MAX 64U /* of one produce request */
#define PS_KAFKA_LANE_CLIENT_ID_BYTES 256U
#define PS_KAFKA_LANE_TRANSACTIONAL_ID_BYTES 300U
#define PS_KAFKA_LANE_CLUSTER_BYTES 64U
#define PS_KAFKA_LANE_GROUP_BYTES 1024U /* the source refuses longer names (kafka_yields_positions) */

struct ps_kafka_lane;
struct ps_kafka_lane_broker;
struct ps_kafka_lane_topic;

/* ---- partitions ---- */

/* A broker takes any first sequence number of a producer that it does not know, or has forgotten. If the first set were
 * refused by an error that may pass, and the second one taken, the first one could never be written before it. The first
 * set therefore goes alone, and so does the next one after PS_KAFKA_LANE_KNOWN_NS without a set. */
#define PS_KAFKA_LANE_KNOWN_NS (600 * PS_NS_PER_S) /* far below producer.id.expiration.ms, a day */

/* A partition sends its sets in order. After a failure that may pass it sends nothing until every set in flight is
 * answered, and then all sets that were not written again, from the oldest on, one at a time: the broker knows the last five
 * sets of a producer, and would not know a set again that was written and then followed by five others (as Java's
 * RecordAccumulator.shouldStopDrainBatchesForPartition). */
struct ps_kafka_lane_partition {
    struct ps_kafka_lane_topic *topic;
    int32_t number;
    int32_t leader_epoch;                   /* -1: not known */
    struct ps_kafka_lane_broker *leader;    /* NULL: none, or not known */
    struct ps_kafka_lane_set *first, **end; /* to be sent, oldest first; the last one may be open */
    struct ps_kafka_lane_set *returned;     /* sent without success, by sequence */
    uint32_t in_flight;                     /* sets */
    int32_t next_sequence;                  /* of the set that is closed next */
    bool rewinds;                           /* sends nothing before `in_flight` is 0 */
    uint64_t rest_ns;                       /* nothing is sent before this time */
    bool alone;                             /* a set that nothing may follow is in flight */
    uint64_t known_ns; /* when the broker last took a set of this producer, and so knows it; 0: never */
    bool ready;        /* in its leader's list */
    uint64_t joined;   /* the transaction that it has joined (lane->transaction.number) */
    struct ps_kafka_lane_partition *next_ready;
};

struct ps_kafka_lane_topic {
    char name[PS_KAFKA_LANE_TOPIC_BYTES];
    uint32_t length, hash;
    struct ps_kafka_lane_partition *partitions;
    int32_t partition_count; /* 0: not known */
    /* error of the last metadata: the reason why the partitions are not known; 0: not requested yet */
    int error;
    uint64_t asked_ns;                  /* time of the first request for them that failed; 0: none */
    struct ps_kafka_lane_set *unplaced; /* records without a partition, until the partitions are known */
    /* a partition without number and leader: has the topic's records until its partitions are known */
    struct ps_kafka_lane_partition nowhere;
    int32_t unplaced_partition; /* which partition its record names, or PS_KAFKA_PARTITION_ANY; */
    bool unplaced_has_key;      /* whether it has a key, and the key's hash */
    uint32_t unplaced_key;
    int32_t sticky_partition;
    uint32_t sticky_bytes_left;       /* 0: another partition is next */
    uint32_t turn;                    /* partition to try first next time */
    uint64_t used;                    /* the lane's count of calls when it was used last */
    struct ps_kafka_lane_topic *next; /* in its bucket */
};

/* ---- requests ---- */

enum ps_kafka_lane_kind {
    PS_KAFKA_LANE_API_VERSIONS,
    PS_KAFKA_LANE_SASL_HANDSHAKE,
    PS_KAFKA_LANE_SASL_AUTHENTICATE,
    PS_KAFKA_LANE_METADATA,
    PS_KAFKA_LANE_INIT_PRODUCER_ID,
    PS_KAFKA_LANE_PRODUCE,
    PS_KAFKA_LANE_FIND_COORDINATOR,
    PS_KAFKA_LANE_ADD_PARTITIONS,
    PS_KAFKA_LANE_ADD_OFFSETS,
    PS_KAFKA_LANE_COMMIT_OFFSETS,
    PS_KAFKA_LANE_END_TRANSACTION,
    PS_KAFKA_LANE_FETCH_OFFSETS,
    /* The rest is a reader's (struct ps_kafka_lane_reader). */
    PS_KAFKA_LANE_READER_KINDS,
    PS_KAFKA_LANE_FETCH = PS_KAFKA_LANE_READER_KINDS,
    PS_KAFKA_LANE_LIST_OFFSETS,
    PS_KAFKA_LANE_LEADER_EPOCH,  /* OffsetForLeaderEpoch */
    PS_KAFKA_LANE_GROUP_OFFSETS, /* OffsetFetch */
    PS_KAFKA_LANE_GROUP_COMMIT,
    PS_KAFKA_LANE_JOIN_GROUP,
    PS_KAFKA_LANE_SYNC_GROUP,
    PS_KAFKA_LANE_HEARTBEAT,
    PS_KAFKA_LANE_LEAVE_GROUP,
    PS_KAFKA_LANE_KINDS,
};

#define PS_KAFKA_LANE_READER_KIND_COUNT (PS_KAFKA_LANE_KINDS - PS_KAFKA_LANE_READER_KINDS)
/* A reader talks to its group's coordinator over a connection of its own, because answers to Fetch may take long. That
 * broker is node COORDINATOR - node. */
#define PS_KAFKA_LANE_COORDINATOR INT32_MAX

/* The broker that keeps a transactional id, or a consumer group. */
struct ps_kafka_lane_coordinator {
    struct ps_slice key; /* the id, or the group's name */
    int8_t type;         /* 0: of a group; 1: of a transactional id */
    int32_t node;        /* -1: not known */
    uint32_t failures;   /* of that broker's connection in a row, when the node was named */
    bool asked;
    uint64_t rest_ns; /* no question before */
};

/* The bytes of a request are its own, cut by the bytes of its sets: part 0, set 0, part 1, set 1, ... */
struct ps_kafka_lane_request {
    struct ps_kafka_lane_request *next;
    enum ps_kafka_lane_kind kind;
    struct ps_kafka_lane_coordinator *coordinator; /* of FIND_COORDINATOR */
    int16_t version;
    int32_t correlation;
    char *head;
    uint32_t head_length, head_room;
    uint32_t part_end[PS_KAFKA_LANE_REQUEST_SETS_MAX]; /* in `head`, before set i */
    struct ps_kafka_lane_set *sets[PS_KAFKA_LANE_REQUEST_SETS_MAX];
    uint32_t set_count;
    uint64_t bytes, written; /* length field included */
    uint64_t sent_ns;        /* when its last byte was written; 0: not yet */
    uint64_t timeout_ns;     /* of the answer; 0: request_timeout_ns of the settings */
    int32_t node;            /* of Fetch: the broker's */
    void *answer;            /* a reader's memory for the answer, which goes there directly; NULL: none */
};

/* A broker carries out only requests that it has as a whole. */
static inline bool ps_kafka_lane_is_written(const struct ps_kafka_lane_request *request)
{
    return request->written == request->bytes;
}

/* ---- brokers ---- */

enum ps_kafka_lane_phase {
    PS_KAFKA_LANE_DOWN,
    PS_KAFKA_LANE_RESOLVING,
    PS_KAFKA_LANE_CONNECTING, /* and handshake */
    PS_KAFKA_LANE_ASKING,     /* waits for the versions that the broker supports */
    PS_KAFKA_LANE_LOGGING_IN, /* SASL; again before a session ends (KIP-368) */
    PS_KAFKA_LANE_UP,
};

struct ps_kafka_lane_broker {
    struct ps_kafka_lane *lane;
    int32_t node; /* -1: only in bootstrap.servers */
    char host[PS_HOST_NAME_BYTES];
    unsigned port;
    bool gone;                 /* not in the last metadata */
    struct ps_address address; /* the last one, unless it did well; length 0: none */
    uint32_t address_count;    /* of the name, */
    uint32_t addresses_tried;  /* and how many did not help, in a row */
    enum ps_kafka_lane_phase phase;
    struct ps_client_plan plan;
    struct ps_client client;
    struct ps_tls_client *tls; /* the lane's, for this host; NULL: plain text */
    int watched_fd;
    uint32_t watched_events;
    bool write_blocked;
    int16_t produce_version, metadata_version, init_version, login_version; /* -1: it has none */
    bool has_transactions; /* with the member of the group (KIP-447) */
    bool has_second;       /* and the second protocol of transactions (KIP-890), which the cluster uses */
    struct ps_sasl *sasl;  /* while it logs in */
    struct ps_gss_initiator *kerberos; /* tickets for this broker; NULL: not asked for yet */
    bool awaits_ticket;                /* LOGGING_IN: nothing is sent before the ticket, or token, is there */
    bool login_is_last;                /* after the next answer the login is complete */
    bool login_is_refused;             /* why the connection is lost */
    uint64_t login_ns;                 /* when to log in again; PS_NEVER: never */
    int16_t reader_versions[PS_KAFKA_LANE_READER_KIND_COUNT]; /* -1: it has none */
    char *answer; /* where the bytes of the answer to Fetch go that is being read; NULL: to `in` */
    uint32_t answer_length, answer_got;
    bool starved;                               /* there is no memory for the answer: nothing is read */
    bool fetch_asked;                           /* a reader's: Fetch is not answered; */
    uint32_t fetch_turn;                        /* the stream that is first in the next one */
    struct ps_kafka_lane_request *first, **end; /* in the order sent; the first is answered first */
    struct ps_kafka_lane_request *writing;      /* the first that is not written in full; NULL: all are */
    uint32_t produce_in_flight;
    struct ps_kafka_lane_partition *ready, **ready_end; /* have a set to send */
    char *in;                                           /* bytes of responses */
    uint32_t in_length, in_room;
    uint64_t rest_ns, throttle_ns;
    uint64_t begun_ns;                    /* connecting */
    uint64_t used_ns;                     /* the last answer, or the last request */
    uint32_t failures;                    /* in a row */
    char told[PS_TRANSPORT_REASON_BYTES]; /* the last failure that was reported, */
    uint64_t told_ns;                     /* and when */
    struct ps_kafka_lane_broker *next;
};

/* ---- the lane ---- */

struct ps_kafka_lane_settings {
    char client_id[PS_KAFKA_LANE_CLIENT_ID_BYTES];
    int16_t acks;
    bool idempotent;
    enum ps_kafka_compression compression;
    int compression_level;
    uint32_t set_bytes_max;      /* batch.size */
    uint32_t set_records_max;    /* batch.num.messages */
    uint32_t in_flight_max;      /* requests of a broker; 1 to PS_KAFKA_LANE_IN_FLIGHT_MAX */
    uint64_t queue_records_max;  /* of sets that are not delivered */
    uint32_t request_bytes_max;  /* of all sets of a request */
    uint64_t queue_bytes_max;    /* of sets that are not delivered */
    uint64_t request_timeout_ns; /* without an answer the connection is given up */
    int32_t acks_timeout_ms;     /* how long the broker waits for replicas */
    uint64_t retry_rest_ns;      /* retry.backoff.ms */
    uint64_t reconnect_ns, reconnect_max_ns;
    uint64_t connect_ns;  /* limit */
    uint64_t idle_ns;     /* a connection that is not used is closed after it; 0: never */
    uint64_t linger_ns;   /* the time for which a set that is not full waits for more records */
    uint64_t delivery_ns; /* a record that waits longer is reported as timed out; 0: never */
    uint64_t send_buffer_bytes, receive_buffer_bytes; /* of sockets; 0: the system's */
    uint64_t metadata_age_ns;                         /* asked for again */
    uint64_t topic_patience_ns;                       /* a topic that nobody knows is reported after it */
    bool creates_topics;
    uint64_t statistics_ns;         /* the time between two reports of statistics; 0: none */
    int32_t transaction_timeout_ms; /* after which the coordinator aborts a transaction */
};

/* The account for SASL. The texts are overwritten at the end. */
struct ps_kafka_lane_account {
    char *mechanism; /* NULL: nobody */
    char *name, *password;
    /* GSSAPI: the brokers' service; the client's principal and its keys. NULL: the tickets of the default cache */
    char *service, *principal, *keytab;
    struct ps_token_source *tokens; /* OAUTHBEARER */
};

enum ps_kafka_lane_id_state {
    PS_KAFKA_LANE_ID_NONE,
    PS_KAFKA_LANE_ID_ASKED,
    PS_KAFKA_LANE_ID_KNOWN, /* or not needed */
};

/* The steps of a commit. */
enum ps_kafka_lane_step {
    PS_KAFKA_LANE_FILLING,      /* no commit is under way */
    PS_KAFKA_LANE_STEP_GROUP,   /* the group joins the transaction */
    PS_KAFKA_LANE_STEP_OFFSETS, /* its coordinator gets the positions of one member */
    PS_KAFKA_LANE_STEP_END,     /* the transaction's coordinator ends it */
    PS_KAFKA_LANE_STEP_RESOLVE, /* what was committed? */
};

struct ps_kafka_lane_transaction {
    char id[PS_KAFKA_LANE_TRANSACTIONAL_ID_BYTES]; /* "": no transactions */
    struct ps_kafka_lane_coordinator own, group;
    uint64_t number; /* of the open one, from 1 */
    /* The second protocol (KIP-890): requests of the transaction add what they write to, and each end gives a new epoch. Decided
     * with the producer's id. */
    bool second;
    bool any_joined; /* the coordinator knows of something in it, or may */
    bool joins_wanted;
    bool joins_asked, step_asked;
    uint64_t rest_ns; /* no request before */
    enum ps_kafka_lane_step step;
    bool end_lost; /* the transaction may have ended: an answer did not come, or does not tell */
    bool behind;   /* RESOLVE: a position was not committed */
    uint32_t compared;
    const struct ps_kafka_position *positions;
    char group_text[PS_KAFKA_LANE_GROUP_BYTES]; /* the key of `group` */
    uint32_t count, from, end; /* `from` .. `end`: those of one member, being committed; or of one group */
};

#define PS_KAFKA_LANE_ROUND_TRIPS 128U

struct ps_kafka_lane_statistics {
    uint64_t requests, bytes;                        /* bytes written since the producer was made */
    uint64_t answers, round_trips_us;                /* since the last report: their number, and their sum */
    uint32_t round_trips[PS_KAFKA_LANE_ROUND_TRIPS]; /* by length */
    uint64_t due_ns;
};

/* The functions of the lane for a reader (stages/lib/kafka/fetch/): connections, metadata and coordinators; requests and
 * answers are the reader's. Called during a turn. */
struct ps_kafka_lane_reader {
    /* Sends what is to be sent, before connections are served. */
    void (*turn)(struct ps_kafka_lane *lane);
    /* Notes which versions of a request the broker has. Returns false: the request is not the reader's. */
    bool (*versions)(struct ps_kafka_lane_broker *broker, int16_t key, int16_t least, int16_t most);
    /* The answer to Fetch will have this many bytes: returns where they go, and sets request->answer. NULL: there is no
     * memory now. */
    char *(*room)(struct ps_kafka_lane *lane, struct ps_kafka_lane_request *request, uint32_t length);
    /* Handles an answer. Returns false with `reason`: the connection is closed. */
    bool (*answer)(struct ps_kafka_lane_broker *broker, struct ps_kafka_lane_request *request,
                   struct ps_wire_in *in, char *reason);
    /* The connection was lost before the answer. */
    void (*lost)(struct ps_kafka_lane *lane, struct ps_kafka_lane_request *request);
    /* The cluster has this topic (metadata with `all_topics`). */
    void (*topic)(struct ps_kafka_lane *lane, const char *name, uint32_t length, bool internal);
};

struct ps_kafka_lane {
    const struct ps_kafka_lane_reader *reader; /* NULL: it is a producer's */
    void *reader_argument;
    bool all_topics; /* asks for metadata of all topics */
    struct ps_kafka_lane_settings settings;
    struct ps_kafka_lane_transaction transaction;
    char cluster[PS_KAFKA_LANE_CLUSTER_BYTES]; /* its id; "": not known */
    enum ps_kafka_spread spread;
    uint32_t portion_bytes; /* of records without a key, before they change to another partition */
    int epoll_fd;           /* has all sockets; is watched itself by the worker */
    struct ps_resolver *resolver;
    int wake_fd;               /* the worker's eventfd; -1: none */
    struct ps_tls_client *tls; /* NULL: plain text */
    struct ps_kafka_lane_account account;
    struct ps_kafka_lane_broker *brokers;
    struct ps_kafka_lane_topic *buckets[2 * PS_KAFKA_LANE_TOPICS_MAX];
    uint32_t topic_count;
    uint64_t uses;
    struct ps_kafka_lane_producer_id id;
    enum ps_kafka_lane_id_state id_state;
    uint64_t id_rest_ns;
    bool metadata_asked, metadata_wanted;
    uint64_t metadata_ns, metadata_rest_ns; /* of the last answer; of the next question at the earliest */
    int32_t correlation;
    struct ps_kafka_lane_statistics statistics;
    uint64_t queued_bytes, queued_records; /* before compression, as their buffers are */
    uint64_t resting_ns;  /* the earliest end of a partition's rest or linger; PS_NEVER: none rests */
    uint64_t expiry_ns;   /* the time to check for records that wait too long; PS_NEVER: no limit */
    bool hurries;         /* linger.ms does not count */
    bool unplaced_topics; /* some topic has records without a partition */
    struct ps_kafka_compressor *compressor; /* NULL: no compression */
    struct ps_byte_buffer spare;            /* of the compressor */
    struct ps_kafka_lane_set *free_sets;
    uint64_t free_bytes; /* of their buffers; at most twice queue_bytes_max */
    struct ps_kafka_lane_request *free_requests;
    struct ps_kafka_lane_set *purged, **purged_end; /* to be reported */
    bool fatal, fatal_told, answered;
    bool all_down_told; /* since the last answer */
    int fatal_code;
    char fatal_text[256];
    struct ps_now now;
    uint64_t random;
    const struct ps_kafka_listener *listener; /* during `poll` */
    uint32_t reported;                        /* records, during `poll` */
};

/* Reads the lane's settings out of librdkafka's properties. PS_FAIL: `err` names a property that the lane does not do. */
enum ps_status ps_kafka_lane_settings_read(struct ps_kafka_lane_settings *settings,
                                           const struct ps_pair *pairs, size_t count, struct ps_err *err);

/* Makes the client of TLS. It is NULL without TLS. */
enum ps_status ps_kafka_lane_tls_open(struct ps_tls_client **tls, const struct ps_pair *pairs, size_t count,
                                      struct ps_err *err);

/* Copies the account; it is empty without SASL. `wake_fd`: of the source of tokens. */
enum ps_status ps_kafka_lane_account_read(struct ps_kafka_lane_account *account, const struct ps_pair *pairs,
                                          size_t count, int wake_fd, struct ps_err *err);
void ps_kafka_lane_account_fini(struct ps_kafka_lane_account *account);

/* ---- topics.c ---- */

/* Returns the topic, made if needed. NULL: the name is not legal, or no memory. */
struct ps_kafka_lane_topic *ps_kafka_lane_topic_get(struct ps_kafka_lane *lane, const char *name,
                                                    uint32_t length);
struct ps_kafka_lane_topic *ps_kafka_lane_topic_find(const struct ps_kafka_lane *lane, const char *name,
                                                     uint32_t length);
void ps_kafka_lane_topics_free(struct ps_kafka_lane *lane);
/* The topic has this many partitions now. Returns false without memory. */
bool ps_kafka_lane_topic_resize(struct ps_kafka_lane_topic *topic, int32_t partition_count);
/* Returns the partition for a record: its own number, by key, or in turn. */
int32_t ps_kafka_lane_topic_place(const struct ps_kafka_lane *lane, struct ps_kafka_lane_topic *topic,
                                  const struct ps_kafka_record *record);
/* Returns whether the broker leads a partition. */
bool ps_kafka_lane_leads(const struct ps_kafka_lane *lane, const struct ps_kafka_lane_broker *broker);
void ps_kafka_lane_partition_lead(struct ps_kafka_lane_partition *partition,
                                  struct ps_kafka_lane_broker *leader);
/* Puts the partition into its leader's list if it has something to send now. */
void ps_kafka_lane_partition_offer(struct ps_kafka_lane *lane, struct ps_kafka_lane_partition *partition);
/* Takes the partition out of its leader's list. */
void ps_kafka_lane_partition_withdraw(struct ps_kafka_lane_partition *partition);
/* Takes the oldest set to send. */
struct ps_kafka_lane_set *ps_kafka_lane_partition_pop(struct ps_kafka_lane_partition *partition);
/* A set in flight was not written: sends it again. */
void ps_kafka_lane_partition_return(struct ps_kafka_lane *lane, struct ps_kafka_lane_set *set);
/* A set in flight was answered or given up: begins to send again if it was the last one of a rewind. */
void ps_kafka_lane_partition_landed(struct ps_kafka_lane *lane, struct ps_kafka_lane_partition *partition);

/* ---- sets and requests of the lane ---- */

/* Returns whether nothing more is taken before something is delivered. */
static inline bool ps_kafka_lane_is_full(const struct ps_kafka_lane *lane)
{
    return lane->queued_bytes >= lane->settings.queue_bytes_max ||
           lane->queued_records >= lane->settings.queue_records_max;
}

struct ps_kafka_lane_set *ps_kafka_lane_take_set(struct ps_kafka_lane *lane,
                                                 struct ps_kafka_lane_partition *partition);
void ps_kafka_lane_give_set(struct ps_kafka_lane *lane, struct ps_kafka_lane_set *set);
struct ps_kafka_lane_request *ps_kafka_lane_take_request(struct ps_kafka_lane *lane,
                                                         enum ps_kafka_lane_kind kind, int16_t version);
void ps_kafka_lane_give_request(struct ps_kafka_lane *lane, struct ps_kafka_lane_request *request);

/* Reports the records of a set, and frees it. `error` 0: delivered. */
void ps_kafka_lane_report(struct ps_kafka_lane *lane, struct ps_kafka_lane_set *set, int error);
void ps_kafka_lane_notice(struct ps_kafka_lane *lane, enum ps_kafka_notice_kind kind, int code,
                          const char *text);
/* Tells once that no broker can be reached, and why the last one cannot, until one answers again. */
void ps_kafka_lane_tell_all_down(struct ps_kafka_lane *lane, const char *reason);
/* The producer cannot go on: nothing more is sent. */
void ps_kafka_lane_die(struct ps_kafka_lane *lane, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* A lane of a producer, or of a reader. NULL: `err` has the reason. */
struct ps_kafka_lane *ps_kafka_lane_make(const struct ps_kafka_producer_config *config, struct ps_err *err);
void ps_kafka_lane_free(struct ps_kafka_lane *lane);
/* Asks for metadata soon. */
void ps_kafka_lane_want_metadata(struct ps_kafka_lane *lane);

/* ---- statistics.c ---- */

/* A request was answered: counts its round trip. */
void ps_kafka_lane_count_answer(struct ps_kafka_lane *lane, const struct ps_kafka_lane_request *request);
/* Hands a report to the listener if its time has come. */
void ps_kafka_lane_tell_statistics(struct ps_kafka_lane *lane);
uint64_t ps_kafka_lane_statistics_due_ns(const struct ps_kafka_lane *lane);

/* ---- requests.c ---- */

struct ps_kafka_lane_request *ps_kafka_lane_request_versions(struct ps_kafka_lane *lane, int16_t version);
struct ps_kafka_lane_request *ps_kafka_lane_request_metadata(struct ps_kafka_lane *lane, int16_t version);
struct ps_kafka_lane_request *ps_kafka_lane_request_id(struct ps_kafka_lane *lane, int16_t version);
/* Takes sets from the broker's ready partitions. Returns NULL if there is none, or no memory. */
struct ps_kafka_lane_request *ps_kafka_lane_request_produce(struct ps_kafka_lane_broker *broker);

/* The mechanism in front of the first message (KIP-43), and one message (KIP-152). */
struct ps_kafka_lane_request *ps_kafka_lane_request_handshake(struct ps_kafka_lane *lane);
struct ps_kafka_lane_request *ps_kafka_lane_request_message(struct ps_kafka_lane *lane, int16_t version,
                                                            const void *message, size_t length);

/* Begins a request with a body of at most `body_bytes`. Returns where the body begins; NULL: no memory. */
char *ps_kafka_lane_request_begin(struct ps_kafka_lane *lane, enum ps_kafka_lane_kind kind, int16_t version,
                                  size_t body_bytes, struct ps_kafka_lane_request **request);
/* Ends the request behind the last byte of its body. */
struct ps_kafka_lane_request *ps_kafka_lane_request_end(struct ps_kafka_lane_request *request,
                                                        const char *at);

/* ---- coordinator_requests.c ---- NULL: no memory */

struct ps_kafka_lane_request *
ps_kafka_lane_request_coordinator(struct ps_kafka_lane *lane, struct ps_kafka_lane_coordinator *coordinator);
/* Takes all partitions that want to join; *any: there are some. */
struct ps_kafka_lane_request *ps_kafka_lane_request_join(struct ps_kafka_lane *lane, bool *any);
struct ps_kafka_lane_request *ps_kafka_lane_request_group(struct ps_kafka_lane *lane);
struct ps_kafka_lane_request *ps_kafka_lane_request_offsets(struct ps_kafka_lane *lane);
struct ps_kafka_lane_request *ps_kafka_lane_request_end_transaction(struct ps_kafka_lane *lane);
struct ps_kafka_lane_request *ps_kafka_lane_request_committed(struct ps_kafka_lane *lane);

/* ---- coordinator.c ---- */

/* Returns the coordinator's broker if it is connected, else NULL after doing what is possible now to find and connect it. */
struct ps_kafka_lane_broker *ps_kafka_lane_coordinator_broker(struct ps_kafka_lane *lane,
                                                              struct ps_kafka_lane_coordinator *coordinator);
/* Returns when the function above should be called again although no socket is ready. */
uint64_t ps_kafka_lane_coordinator_due_ns(const struct ps_kafka_lane *lane,
                                          const struct ps_kafka_lane_coordinator *coordinator);
/* Another broker is the coordinator, or it is not known: asks again, after a rest. */
static inline void ps_kafka_lane_coordinator_forget(const struct ps_kafka_lane *lane,
                                                    struct ps_kafka_lane_coordinator *coordinator)
{
    coordinator->node = -1;
    coordinator->rest_ns = lane->now.mono_ns + lane->settings.retry_rest_ns;
}

/* ---- transaction.c ---- */

static inline bool ps_kafka_lane_is_transactional(const struct ps_kafka_lane *lane)
{
    return lane->transaction.id[0] != '\0';
}

/* The versions of requests of the second protocol. */
#define PS_KAFKA_LANE_SECOND_PRODUCE 12
#define PS_KAFKA_LANE_SECOND_OFFSETS 5
#define PS_KAFKA_LANE_SECOND_END 5

/* The first step for each member of a group. */
static inline enum ps_kafka_lane_step
ps_kafka_lane_member_step(const struct ps_kafka_lane_transaction *transaction)
{
    return transaction->second ? PS_KAFKA_LANE_STEP_OFFSETS : PS_KAFKA_LANE_STEP_GROUP;
}

void ps_kafka_lane_transaction_init(struct ps_kafka_lane *lane, const char *id);
/* Sends the requests that transactions need now: the producer's id, partitions that join, the next step of a
 * commit. */
void ps_kafka_lane_transaction_turn(struct ps_kafka_lane *lane);
uint64_t ps_kafka_lane_transaction_due_ns(const struct ps_kafka_lane *lane);
/* ---- transaction_answers.c ---- */

/* The producer has its id: decides its protocol. */
void ps_kafka_lane_transaction_decide(struct ps_kafka_lane *lane, bool second);
/* Ends a commit, or the request that finds out how one ended. */
void ps_kafka_lane_transaction_finish(struct ps_kafka_lane *lane, enum ps_kafka_ending ending);
/* The lane has died: reports how a commit under way ended. */
void ps_kafka_lane_transaction_die(struct ps_kafka_lane *lane);
/* The connection was lost before the answer to the request. */
void ps_kafka_lane_transaction_lost(struct ps_kafka_lane *lane, const struct ps_kafka_lane_request *request);
bool ps_kafka_lane_withdraw(struct ps_kafka_lane *lane);
/* Handles an answer. Returns false with `reason`. */
bool ps_kafka_lane_transaction_answer(struct ps_kafka_lane *lane, struct ps_kafka_lane_request *request,
                                      struct ps_wire_in *in, char *reason);
/* Returns whether the partition may be written to in the open transaction. If not, it joins soon. */
static inline bool ps_kafka_lane_has_joined(struct ps_kafka_lane *lane,
                                            const struct ps_kafka_lane_partition *partition)
{
    if (!ps_kafka_lane_is_transactional(lane) || lane->transaction.second ||
        partition->joined == lane->transaction.number)
        return true;
    lane->transaction.joins_wanted = true;
    return false;
}
/* The engine's functions. */
void ps_kafka_lane_commit(struct ps_kafka_lane *lane, const struct ps_kafka_position *positions,
                          uint32_t count);
void ps_kafka_lane_resolve(struct ps_kafka_lane *lane, const struct ps_kafka_position *positions,
                           uint32_t count);
/* Returns how many positions from `from` on are of the same group, and of the same member if `of_member`. */
uint32_t ps_kafka_lane_positions_run(const struct ps_kafka_position *positions, uint32_t count, uint32_t from,
                                     bool of_member);

/* ---- login.c ---- */

/* Begins to log in. Returns false with `reason`. */
bool ps_kafka_lane_login_begin(struct ps_kafka_lane_broker *broker, char *reason);
/* Handle the broker's answers. Return false with `reason`. */
bool ps_kafka_lane_login_handshake(struct ps_kafka_lane_broker *broker, struct ps_wire_in *in, char *reason);
bool ps_kafka_lane_login_message(struct ps_kafka_lane_broker *broker, struct ps_wire_in *in, char *reason);
/* LOGGING_IN, before the first request: goes on if the ticket has come. Returns false with `reason` on failure. */
bool ps_kafka_lane_login_await(struct ps_kafka_lane_broker *broker, char *reason);
/* Returns whether the session ends soon: nothing new is sent, and the broker logs in again when all is answered. */
bool ps_kafka_lane_login_is_due(const struct ps_kafka_lane_broker *broker);

/* ---- responses.c ---- */

/* Handles the answer to the broker's oldest request. Returns false with `reason`: the connection is closed. */
bool ps_kafka_lane_response(struct ps_kafka_lane_broker *broker, struct ps_kafka_lane_request *request,
                            const char *bytes, uint32_t length, char *reason);

struct ps_kafka_lane_broker *ps_kafka_lane_find_node(const struct ps_kafka_lane *lane, int32_t node);

/* ---- broker.c ---- */

struct ps_kafka_lane_broker *ps_kafka_lane_broker_add(struct ps_kafka_lane *lane, int32_t node,
                                                      const char *host, uint32_t host_length, unsigned port);
/* Returns a broker that is connected. If there is none, begins to connect to the one that has rested longest, and returns NULL. */
struct ps_kafka_lane_broker *ps_kafka_lane_any_broker(struct ps_kafka_lane *lane);
void ps_kafka_lane_broker_free(struct ps_kafka_lane_broker *broker);
/* Sends the request. */
void ps_kafka_lane_broker_send(struct ps_kafka_lane_broker *broker, struct ps_kafka_lane_request *request);
/* Connects, writes, reads and checks time-outs, as far as is possible now. */
void ps_kafka_lane_broker_work(struct ps_kafka_lane_broker *broker, bool ready);
/* Reads what has come, and handles the answers that are complete. (receive.c) */
void ps_kafka_lane_broker_receive(struct ps_kafka_lane_broker *broker);
/* Closes the connection; its sets in flight are sent again. */
void ps_kafka_lane_broker_lose(struct ps_kafka_lane_broker *broker, const char *reason);
/* Closes the connection without a failure: its answers are not wanted. Sets in flight are the caller's. */
void ps_kafka_lane_broker_drop(struct ps_kafka_lane_broker *broker);
/* Begins to connect. */
void ps_kafka_lane_broker_connect(struct ps_kafka_lane_broker *broker);
void ps_kafka_lane_broker_resolved(struct ps_kafka_lane_broker *broker, const struct ps_question *answer);
/* Returns the time at which the broker needs `work`. */
uint64_t ps_kafka_lane_broker_due_ns(const struct ps_kafka_lane_broker *broker);
/* Returns whether the broker has the protocol of the open transaction. The lane dies if not. */
bool ps_kafka_lane_broker_fits(const struct ps_kafka_lane_broker *broker);
