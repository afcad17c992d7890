/* The structures of the native client: the brokers, topics and requests of one producer, or of one reader. The
 * producer's client is an engine behind stages/lib/kafka/produce/seam.h that speaks Kafka's protocol itself;
 * the reader is stages/lib/kafka/fetch/.
 *
 *   producer.c              the engine's table of functions: adds records to batches, reports, purges
 *   topics.c                topics and partitions, and the choice of the next batch to send
 *   batch_writer.c            encoding and compression of records
 *   broker.c                connections: writing and reading, time-outs, backoff
 *   requests.c              encoding of requests
 *   receive.c, responses.c  answers, and the reaction to each
 *   cluster.c               the answers about brokers, leaders and coordinators
 *   login.c                 SASL
 *   transaction*.c          the steps of a transaction, and the handling of their answers
 *   coordinator*.c          the brokers that keep transactions and groups, and the requests to them
 *   statistics.c            the figures of the sink's metrics
 *
 * Owner and thread: the worker of the sink or source; a sink's worker from the first call of `poll` or `topic`
 * on. The client runs on no thread of its own. Helper threads (core/helper) make the calls that would block: to
 * name servers (stages/lib/net/resolver.h), and with SASL to a KDC (stages/lib/sasl/gssapi.h) or a token
 * endpoint (bearer.h). The client allocates requests, batches and buffers while it warms up, and reuses them. */
#pragma once

#include "core/watch/histogram.h"
#include "stages/lib/kafka/cluster/partition.h"
#include "stages/lib/kafka/cluster/account.h"
#include "stages/lib/kafka/wire/wire.h"
#include "stages/lib/net/client.h"
#include "stages/lib/net/resolver.h"
#include "stages/lib/random.h"
#include "stages/lib/sasl/bearer.h"
#include "stages/lib/sasl/gssapi.h"
#include "stages/lib/sasl/sasl.h"
#include "stages/lib/tls/client.h"

/* ---- brokers ---- */

enum ps_kafka_native_phase {
    PS_KAFKA_NATIVE_DOWN,
    PS_KAFKA_NATIVE_RESOLVING,
    PS_KAFKA_NATIVE_CONNECTING, /* connecting, or in the TLS handshake */
    PS_KAFKA_NATIVE_ASKING,     /* waits for the versions that the broker supports */
    PS_KAFKA_NATIVE_LOGGING_IN, /* SASL: at first, and again before the session ends (KIP-368) */
    PS_KAFKA_NATIVE_UP,
};

/* The fetch session with a broker (fetch/session.c). */
struct ps_kafka_fetch_session {
    int32_t id;          /* 0: none */
    int32_t epoch;       /* of the next request; 0: it names all partitions, and asks for another session */
    int32_t asked_epoch; /* of the last request */
    uint32_t count;      /* its partitions */
    uint64_t number;     /* is different for each session of the client */
};

struct ps_kafka_native_broker {
    struct ps_kafka_native *client;
    int32_t node;    /* the broker's id in the cluster; -1: the broker is only in bootstrap.servers */
    bool configured; /* in bootstrap.servers: kept after it has left the cluster, for when no node answers */
    char host[PS_HOST_NAME_BYTES];
    unsigned port;
    bool gone; /* the last metadata does not have the broker */
    struct {
        struct ps_address refused; /* the address tried last, if it failed; length 0: none */
        uint32_t count;            /* number of addresses of the host name */
        uint32_t tried;            /* number of addresses that failed in a row */
    } addresses;
    enum ps_kafka_native_phase phase;
    struct ps_client_plan plan;
    struct ps_client connection;
    struct ps_tls_client *tls; /* the native client's TLS settings, for this host; NULL: plain text */
    int watched_fd;
    uint32_t watched_events;
    bool write_blocked;
    /* the latest version, from `least` to `most`, that the broker and this client support, and whether the broker supports
     * the modern one; -1: it does not */
    struct {
        int16_t plain, modern;
    } versions[PS_KAFKA_NATIVE_KINDS];
    bool has_transactions; /* the broker supports transactions with the member of the group (KIP-447) */
    /* the broker supports the second protocol of transactions (KIP-890), and the cluster uses it */
    bool has_second;
    struct {
        struct ps_sasl *sasl;              /* NULL unless the client logs in to the broker */
        struct ps_gss_initiator *kerberos; /* tickets for this broker; NULL: not asked for yet */
        /* LOGGING_IN: no request is sent before the ticket, or token, has come */
        bool awaits_ticket;
        bool is_last;      /* after the next answer the login is complete */
        uint64_t again_ns; /* when to log in again; PS_NEVER: never */
    } login;
    /* Only a reader's. */
    struct {
        char *answer; /* memory for the answer that is being read; NULL: it goes to `in` */
        uint32_t length, got;
        bool starved;  /* there is no memory for the answer: nothing is read */
        bool asked;    /* a Fetch is under way */
        uint32_t turn; /* the stream with which the next Fetch begins */
        struct ps_kafka_fetch_session session;
    } fetch;
    /* requests in the order sent; the first one is answered first */
    struct ps_kafka_native_request *first, **end;
    /* the first request that is not written in full; NULL: all are written */
    struct ps_kafka_native_request *writing;
    int refusal;   /* why the broker is of no use, although it can be reached; 0: the connection breaks */
    bool answered; /* on this connection, to more than the questions for its versions and for a login */
    uint32_t produce_in_flight;
    struct ps_kafka_native_partition *ready, **ready_end; /* partitions that have a batch to send */
    char *in;                                             /* bytes of responses */
    uint32_t in_length, in_room;
    uint64_t rest_ns, throttle_ns;
    /* until then the broker reads nothing of this connection, because of a quota; 0: it reads */
    uint64_t muted_ns;
    uint64_t begun_ns; /* when the present attempt to connect began */
    /* when another broker was last asked whether this silent broker is in the cluster */
    uint64_t doubted_ns;
    uint64_t used_ns;                     /* time of the last answer, or of the last request */
    uint32_t failures;                    /* failed connections in a row */
    char told[PS_TRANSPORT_REASON_BYTES]; /* the last failure that was reported */
    uint64_t told_ns;                     /* time of that report */
    struct ps_kafka_native_broker *next;
};

/* ---- the native client ---- */

enum ps_kafka_native_id_state {
    PS_KAFKA_NATIVE_ID_NONE,
    PS_KAFKA_NATIVE_ID_ASKED,
    PS_KAFKA_NATIVE_ID_KNOWN, /* the id is known, or not needed */
};

/* The steps of a commit. */
enum ps_kafka_native_step {
    PS_KAFKA_NATIVE_FILLING,      /* no commit is under way */
    PS_KAFKA_NATIVE_STEP_GROUP,   /* the group joins the transaction */
    PS_KAFKA_NATIVE_STEP_OFFSETS, /* the group's coordinator gets the positions of one member */
    PS_KAFKA_NATIVE_STEP_END,     /* the transaction's coordinator ends the transaction */
    /* the client requests the committed positions from the group's coordinator, because it does not know how
     * the commit ended */
    PS_KAFKA_NATIVE_STEP_RESOLVE,
};

/* An error that passes as a rule, in answer to each try of a request. */
struct ps_kafka_native_wait {
    uint64_t since_ns, told_ns; /* 0: the last answer had no error; it was not named */
};

struct ps_kafka_native_transaction {
    char id[PS_KAFKA_NATIVE_TRANSACTIONAL_ID_BYTES]; /* "": no transactions */
    struct ps_kafka_native_coordinator own, group;
    uint64_t number; /* number of the open transaction, from 1 */
    /* The second protocol (KIP-890): partitions and groups join with the first request that writes to them, and
     * the end of each transaction gives a new epoch. Decided when the producer gets its id. */
    bool second;
    bool any_joined; /* the coordinator may have a partition or group in the transaction */
    bool aborts;     /* the producer ends with its transaction: it requests an id once more */
    bool joins_wanted;
    bool joins_asked, step_asked;
    uint64_t rest_ns;                  /* no request before this time */
    struct ps_kafka_native_wait waits; /* coordinators ask to send a request again */
    enum ps_kafka_native_step step;
    bool end_lost; /* the transaction may have ended: the answer is missing, or leaves it open */
    bool behind;   /* RESOLVE: at least one position was not committed */
    bool proven;   /* RESOLVE: at least one position was committed */
    uint32_t compared;
    /* since when the group's coordinator has lacked topics of positions; 0: it has all */
    uint64_t missing_ns;
    uint64_t asked_ns;           /* when other brokers were asked for these topics; 0: not yet */
    uint32_t questions, answers; /* how many of them were asked, and have answered */
    uint64_t apart_told_ns;      /* when it was named last that source and sink have two clusters; 0: never */
    bool lacks;                  /* not all positions could be left out: the brokers are asked again */
    struct ps_kafka_position *positions;
    char group_text[PS_KAFKA_NATIVE_GROUP_BYTES]; /* the key of `group` */
    /* `from` .. `end`: the positions that are being committed, of one member or of one group */
    uint32_t count, from, end;
};

/* The functions of a reader (stages/lib/kafka/fetch/). A reader makes its own requests and handles their
 * answers; it uses the client's connections, metadata and coordinators. The client calls them during a turn. */
struct ps_kafka_native_reader {
    /* Sends the requests that are due, before connections are served. */
    void (*turn)(struct ps_kafka_native *client);
    /* Returns memory for an answer to Fetch of this many bytes, and sets request->answer. NULL: there is no memory
     * now. */
    char *(*room)(struct ps_kafka_native *client, struct ps_kafka_native_request *request, uint32_t length);
    /* Handles an answer. Returns false if it cannot be read. */
    bool (*answer)(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request,
                   struct ps_wire_in *in);
    /* Called when the connection was lost before the answer. */
    void (*lost)(struct ps_kafka_native *client, struct ps_kafka_native_request *request);
    /* Called for each topic of the cluster in metadata with `all_topics`. */
    void (*topic)(struct ps_kafka_native *client, const char *name, uint32_t length);
};

#define PS_KAFKA_NATIVE_CLIENT_ID_BYTES 256U

struct ps_kafka_native {
    const struct ps_kafka_native_reader *reader; /* NULL: the client is a producer's */
    void *reader_argument;
    bool all_topics;                   /* asks for metadata of all topics */
    struct ps_kafka_settings settings; /* without texts */
    char client_id[PS_KAFKA_NATIVE_CLIENT_ID_BYTES];
    struct ps_kafka_native_transaction transaction;
    char cluster[PS_KAFKA_NATIVE_CLUSTER_BYTES]; /* the cluster's id; "": not known */
    uint64_t cluster_number;                     /* hash of this id; 0: not known */
    int epoll_fd;                                /* has all sockets; the worker watches it */
    struct ps_resolver *resolver;
    int wake_fd;               /* the worker's eventfd; -1: none */
    struct ps_tls_client *tls; /* NULL: plain text */
    struct ps_kafka_native_account account;
    struct ps_kafka_native_broker *brokers;
    struct ps_kafka_native_topic *buckets[2 * PS_KAFKA_NATIVE_TOPICS_MAX];
    uint32_t topic_count;
    struct ps_kafka_native_producer_id id;
    enum ps_kafka_native_id_state id_state;
    uint64_t id_rest_ns;
    struct ps_kafka_native_wait id_waits;
    int id_told; /* the error for which no id was given, and when it was named last; 0: never */
    uint64_t id_told_ns;
    bool id_refused;           /* the cluster gives no id, until an operator corrects a mistake */
    uint64_t throttle_told_ns; /* when a delay by a quota was named last; 0: never */
    struct {
        bool asked, wanted;
        bool lacks;           /* the last answer was not complete */
        uint64_t sent_ns;     /* time of the last request */
        uint64_t answered_ns; /* time of the last answer */
        uint64_t rest_ns;     /* earliest time of the next request */
        /* when to ask again although nobody needs what the last answer lacked, and how long after that answer; PS_NEVER and
         * 0: it lacked nothing */
        uint64_t look_ns, look_rest_ns;
    } metadata;
    uint32_t correlation; /* of the next request, modulo 2^31 */
    struct {
        uint64_t requests, bytes;        /* bytes written since the producer was made */
        struct ps_histogram round_trips; /* of the answers since the last report */
        uint64_t due_ns;
    } statistics;
    struct {
        uint64_t bytes, records; /* bytes before compression */
        uint64_t memory_bytes;   /* of the batches that have or had these records: buffers and tokens */
        uint64_t resting_ns; /* the earliest end of a partition's backoff or linger; PS_NEVER: none waits */
        uint64_t expiry_ns;  /* the time to check for records that wait too long; PS_NEVER: no limit */
        uint64_t resumed_ns; /* the end of the process's last pause: earlier waits do not count */
    } queued;
    bool hurries;         /* batches do not wait for linger.ms */
    bool unplaced_topics; /* some topic has records without a partition */
    bool impatient;       /* a topic stayed unknown for the whole time, and none has appeared since */
    struct ps_kafka_compressor *compressor; /* NULL: no compression */
    struct ps_byte_buffer spare;            /* of the compressor */
    struct {
        struct ps_kafka_native_batch *batches[PS_KAFKA_NATIVE_BATCH_SIZES]; /* by the sizes of buffers */
        uint64_t batch_bytes;                                               /* of their memory */
        struct ps_kafka_native_request *requests;
    } free;                                             /* to be used again */
    struct ps_kafka_native_batch *purged, **purged_end; /* to be reported */
    bool fatal, answered;
    uint64_t refused_told_ns; /* when an error that does not pass was named last; 0: never */
    bool all_down_told;       /* since the last answer, no broker could be used */
    struct {
        bool told;
        int code;
        char text[256];
    } fatal_error;
    struct ps_now now;
    struct ps_random random;
    const struct ps_kafka_listener *listener; /* during `poll` */
    uint32_t reported;                        /* records reported in this `poll` */
};

static inline struct ps_kafka_native *ps_kafka_native_of(struct ps_kafka_producer *producer)
{
    return (struct ps_kafka_native *)producer;
}

/* ---- topics.c ---- */

/* Returns the topic, and makes it if needed. NULL: the name is not legal, or there is no memory. */
struct ps_kafka_native_topic *ps_kafka_native_topic_get(struct ps_kafka_native *client, const char *name,
                                                        uint32_t length);
struct ps_kafka_native_topic *ps_kafka_native_topic_find(const struct ps_kafka_native *client,
                                                         const char *name, uint32_t length);
/* Returns the topic after this one, in the order of the buckets; after NULL: the first one. NULL: there is none. */
struct ps_kafka_native_topic *ps_kafka_native_topic_next(const struct ps_kafka_native *client,
                                                         const struct ps_kafka_native_topic *topic);
/* Called when the client is freed: leaves the pointers to the topics as they are. */
void ps_kafka_native_topics_free(struct ps_kafka_native *client);
/* Adds partitions if the topic has fewer than this number. Returns false if there is no memory for all of them. */
bool ps_kafka_native_topic_resize(struct ps_kafka_native_topic *topic, int32_t partition_count);
/* Frees the partitions from this number on. They have no batches. */
void ps_kafka_native_topic_shrink(struct ps_kafka_native_topic *topic, int32_t partition_count);
/* Returns the partition for a record: the one that the record names, or one chosen by key or in turn. */
int32_t ps_kafka_native_topic_place(const struct ps_kafka_native *client, struct ps_kafka_native_topic *topic,
                                    const struct ps_kafka_record *record);
/* Returns whether a record waits for the partition's leader. A reader asks itself for leaders that it needs. */
bool ps_kafka_native_partition_is_awaited(const struct ps_kafka_native *client,
                                          const struct ps_kafka_native_partition *partition);
/* Returns whether a record waits for the topic. A reader may need any of its topics. */
bool ps_kafka_native_topic_is_awaited(const struct ps_kafka_native *client,
                                      const struct ps_kafka_native_topic *topic);
/* Returns whether Metadata requests name the topic: a topic that was not written to for five minutes, and of which no
 * record waits, is left out until it is used again (KIP-526), so that a topic that was deleted does not come back. */
bool ps_kafka_native_topic_is_named(const struct ps_kafka_native *client,
                                    const struct ps_kafka_native_topic *topic);
/* Called before records are added to the topic. */
void ps_kafka_native_topic_note_use(struct ps_kafka_native *client, struct ps_kafka_native_topic *topic);
/* Returns whether the broker leads a partition. */
bool ps_kafka_native_leads(const struct ps_kafka_native *client, const struct ps_kafka_native_broker *broker);
void ps_kafka_native_partition_lead(struct ps_kafka_native_partition *partition,
                                    struct ps_kafka_native_broker *leader);
/* Puts the partition into its leader's list if the partition has something to send now. */
void ps_kafka_native_partition_offer(struct ps_kafka_native *client,
                                     struct ps_kafka_native_partition *partition);
/* Takes the partition out of its leader's list. */
void ps_kafka_native_partition_withdraw(struct ps_kafka_native_partition *partition);
/* Removes and returns the oldest batch that is to be sent. */
struct ps_kafka_native_batch *ps_kafka_native_partition_pop(struct ps_kafka_native_partition *partition);
/* Called when a batch in flight was not written: sends it again. */
void ps_kafka_native_partition_return(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch);
/* Called when a batch in flight was answered or given up. If no batch of the partition is in flight any more, sends the
 * batches again that were not written. */
void ps_kafka_native_partition_landed(struct ps_kafka_native *client,
                                      struct ps_kafka_native_partition *partition);

/* Ends the producer with this error: no request is sent any longer. */
void ps_kafka_native_die(struct ps_kafka_native *client, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Makes a native client for a producer or a reader. Returns NULL with the reason in `err`. */
struct ps_kafka_native *ps_kafka_native_make(const struct ps_kafka_producer_config *config,
                                             struct ps_err *err);
void ps_kafka_native_free(struct ps_kafka_native *client);
/* Asks for metadata soon. */
void ps_kafka_native_want_metadata(struct ps_kafka_native *client);

/* Called for an answer with an error that passes as a rule. Reports it when it has lasted. `what`: what waits. (pools.c) */
void ps_kafka_native_note_wait(struct ps_kafka_native *client, struct ps_kafka_native_wait *wait,
                               const char *what, int16_t error);
/* Writes to `reason` (PS_TRANSPORT_REASON_BYTES) why an answer is not accepted, and returns false: the connection
 * will be closed. */
bool ps_kafka_native_refuse(char *reason, const char *what);

/* ---- statistics.c ---- */

/* Counts the round trip of an answered request. */
void ps_kafka_native_count_answer(struct ps_kafka_native *client,
                                  const struct ps_kafka_native_request *request);
/* Hands a report to the listener if its time has come. */
void ps_kafka_native_tell_statistics(struct ps_kafka_native *client);
uint64_t ps_kafka_native_statistics_due_ns(const struct ps_kafka_native *client);

/* ---- silent.c ---- */

/* Returns since when (monotonic ns) the broker has owed the answer to its oldest request; PS_NEVER: it owes
 * none. */
uint64_t ps_kafka_native_broker_asked_ns(const struct ps_kafka_native_broker *broker);
/* Returns whether a request has had no answer for so long that the broker may be frozen, or cut off from the network. */
bool ps_kafka_native_broker_is_silent(const struct ps_kafka_native_broker *broker);
/* Returns whether the broker is silent and the cluster has removed it. If it is silent but not removed, asks another
 * broker for metadata. */
bool ps_kafka_native_broker_is_dead(struct ps_kafka_native_broker *broker);
/* Returns when ps_kafka_native_broker_is_dead() must be called next; PS_NEVER: it need not be called. */
uint64_t ps_kafka_native_broker_doubt_ns(const struct ps_kafka_native_broker *broker);

/* ---- requests.c ---- */

/* Returns the version of the broker's requests of this kind: the modern one if the broker supports it; -1: it supports
 * none. */
static inline int16_t ps_kafka_native_version(const struct ps_kafka_native_broker *broker,
                                              enum ps_kafka_native_kind kind)
{
    return broker->versions[kind].modern >= 0 ? broker->versions[kind].modern : broker->versions[kind].plain;
}

struct ps_kafka_native_request *ps_kafka_native_request_versions(struct ps_kafka_native *client,
                                                                 int16_t version);
struct ps_kafka_native_request *ps_kafka_native_request_metadata(struct ps_kafka_native *client,
                                                                 int16_t version);
struct ps_kafka_native_request *ps_kafka_native_request_id(struct ps_kafka_native *client, int16_t version);
/* Makes a produce request of batches of the broker's ready partitions. Returns NULL if there is no batch, or no
 * memory. */
struct ps_kafka_native_request *ps_kafka_native_request_produce(struct ps_kafka_native_broker *broker);

/* The first function makes a SaslHandshake request, which names the mechanism (KIP-43). The second one makes a
 * SaslAuthenticate request with one message of the mechanism (KIP-152). */
struct ps_kafka_native_request *ps_kafka_native_request_handshake(struct ps_kafka_native *client);
struct ps_kafka_native_request *ps_kafka_native_request_message(struct ps_kafka_native *client,
                                                                int16_t version, const void *message,
                                                                size_t length);

/* Begins a request with a body of at most `body_bytes`. Returns the address of the body, behind the header and its tags;
 * NULL: there is no memory. */
char *ps_kafka_native_request_begin(struct ps_kafka_native *client, enum ps_kafka_native_kind kind,
                                    int16_t version, size_t body_bytes,
                                    struct ps_kafka_native_request **request);
/* Ends the request after the last byte of its body; adds the tags of a flexible one. */
struct ps_kafka_native_request *ps_kafka_native_request_end(struct ps_kafka_native_request *request,
                                                            char *at);

/* Adds the request to those that the broker gets (broker.c writes them). */
void ps_kafka_native_broker_send(struct ps_kafka_native_broker *broker,
                                 struct ps_kafka_native_request *request);

/* ---- coordinator_requests.c: return NULL without memory ---- */

struct ps_kafka_native_request *
ps_kafka_native_request_coordinator(const struct ps_kafka_native_broker *broker,
                                    struct ps_kafka_native_coordinator *coordinator);
/* Makes a request for all partitions that want to join. Sets *any to whether there are such partitions. */
struct ps_kafka_native_request *ps_kafka_native_request_join(struct ps_kafka_native *client, bool *any);
struct ps_kafka_native_request *ps_kafka_native_request_group(struct ps_kafka_native *client);
struct ps_kafka_native_request *ps_kafka_native_request_offsets(struct ps_kafka_native *client);
struct ps_kafka_native_request *ps_kafka_native_request_end_transaction(struct ps_kafka_native *client);
struct ps_kafka_native_request *ps_kafka_native_request_committed(struct ps_kafka_native *client);

/* ---- coordinator.c ---- */

/* Returns the coordinator's broker if it is connected; else does what is possible now to find and connect it,
 * and returns NULL. */
struct ps_kafka_native_broker *
ps_kafka_native_coordinator_broker(struct ps_kafka_native *client,
                                   struct ps_kafka_native_coordinator *coordinator);
/* Returns when the function above should be called again although no socket is ready. */
uint64_t ps_kafka_native_coordinator_due_ns(const struct ps_kafka_native *client,
                                            const struct ps_kafka_native_coordinator *coordinator);
/* Called when another broker is the coordinator, or the coordinator is not known: the client asks the cluster
 * again after a backoff. */
static inline void ps_kafka_native_coordinator_forget(const struct ps_kafka_native *client,
                                                      struct ps_kafka_native_coordinator *coordinator)
{
    coordinator->node = -1;
    coordinator->rest_ns = client->now.mono_ns + client->settings.retry_rest_ns;
}

/* ---- transaction.c ---- */

static inline bool ps_kafka_native_is_transactional(const struct ps_kafka_native *client)
{
    return client->transaction.id[0] != '\0';
}

/* Returns the first step for each member of a group. */
static inline enum ps_kafka_native_step
ps_kafka_native_member_step(const struct ps_kafka_native_transaction *transaction)
{
    return transaction->second ? PS_KAFKA_NATIVE_STEP_OFFSETS : PS_KAFKA_NATIVE_STEP_GROUP;
}

void ps_kafka_native_transaction_init(struct ps_kafka_native *client, const char *id);
/* Sends the requests that transactions need now: the producer's id, partitions that join, the next step of a
 * commit. */
void ps_kafka_native_transaction_turn(struct ps_kafka_native *client);
uint64_t ps_kafka_native_transaction_due_ns(const struct ps_kafka_native *client);

/* ---- transaction_answers.c ---- */

/* Called when the producer has its id: sets the protocol of its transactions. */
void ps_kafka_native_transaction_decide(struct ps_kafka_native *client, bool second);
/* Ends a commit, or the request that finds out how a commit ended. */
void ps_kafka_native_transaction_finish(struct ps_kafka_native *client, enum ps_kafka_ending ending);
/* Called when the native client has died: reports how a commit under way ended. */
void ps_kafka_native_transaction_die(struct ps_kafka_native *client);
/* Called when the connection was lost before the answer to the request. */
void ps_kafka_native_transaction_lost(struct ps_kafka_native *client,
                                      const struct ps_kafka_native_request *request);
/* Handles an answer. Returns false if it cannot be read. */
bool ps_kafka_native_transaction_answer(struct ps_kafka_native *client,
                                        struct ps_kafka_native_request *request, struct ps_wire_in *in);
/* Returns whether the partition may be written to in the open transaction. If not, makes it join soon. */
static inline bool ps_kafka_native_has_joined(struct ps_kafka_native *client,
                                              const struct ps_kafka_native_partition *partition)
{
    if (!ps_kafka_native_is_transactional(client) || client->transaction.second ||
        partition->joined == client->transaction.number)
        return true;
    client->transaction.joins_wanted = true;
    return false;
}

/* ---- login.c ---- */

/* Begins to log in. Returns false with `reason`. */
bool ps_kafka_native_login_begin(struct ps_kafka_native_broker *broker, char *reason);
/* Handle the broker's answers. Return false with `reason` on failure. */
bool ps_kafka_native_login_handshake(struct ps_kafka_native_broker *broker, struct ps_wire_in *in,
                                     char *reason);
bool ps_kafka_native_login_message(struct ps_kafka_native_broker *broker, struct ps_wire_in *in,
                                   char *reason);
/* LOGGING_IN, before the first request: continues if the ticket has come. Returns false with `reason` on failure. */
bool ps_kafka_native_login_await(struct ps_kafka_native_broker *broker, char *reason);
/* Returns whether the session ends soon: then no new request is sent, and the client logs in again when all requests
 * are answered. */
bool ps_kafka_native_login_is_due(const struct ps_kafka_native_broker *broker);

/* ---- responses.c ---- */

/* Handles the answer to the broker's oldest request. Returns false with `reason` if the connection must be closed. */
bool ps_kafka_native_response(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request,
                              const char *bytes, uint32_t length, char *reason);

/* ---- cluster.c ---- */

/* Handle answers. Return false if they cannot be read. */
bool ps_kafka_native_metadata_answer(struct ps_kafka_native *client,
                                     const struct ps_kafka_native_request *request, struct ps_wire_in *in);
bool ps_kafka_native_coordinator_answer(struct ps_kafka_native *client,
                                        const struct ps_kafka_native_request *request, struct ps_wire_in *in);
struct ps_kafka_native_broker *ps_kafka_native_broker_add(struct ps_kafka_native *client, int32_t node,
                                                          const char *host, uint32_t host_length,
                                                          unsigned port);
struct ps_kafka_native_broker *ps_kafka_native_find_node(const struct ps_kafka_native *client, int32_t node);

/* ---- broker.c ---- */

/* Returns a broker that is connected. If there is none, returns NULL, and begins to connect to the broker whose
 * backoff ended first. Brokers that are only in bootstrap.servers serve while no node of the cluster does. */
struct ps_kafka_native_broker *ps_kafka_native_any_broker(struct ps_kafka_native *client);
/* Returns when a broker can take a request: 0: now; PS_NEVER: when the socket of a connection that is being made wakes the
 * worker. */
uint64_t ps_kafka_native_any_due_ns(const struct ps_kafka_native *client);
void ps_kafka_native_broker_free(struct ps_kafka_native_broker *broker);
/* Does as much as is possible now: connects, writes, reads, and checks time-outs. */
void ps_kafka_native_broker_work(struct ps_kafka_native_broker *broker, bool ready);
/* Reads the bytes that have come, and handles the answers that are complete (receive.c). */
void ps_kafka_native_broker_receive(struct ps_kafka_native_broker *broker);
/* Closes the connection; its batches in flight are sent again. */
void ps_kafka_native_broker_lose(struct ps_kafka_native_broker *broker, const char *reason);
/* Closes the connection without counting a failure, because its answers are not wanted. The caller handles the
 * batches in flight. */
void ps_kafka_native_broker_drop(struct ps_kafka_native_broker *broker);
/* Asks for the versions that the broker supports. Returns false if there is no memory. */
bool ps_kafka_native_broker_ask_versions(struct ps_kafka_native_broker *broker, int16_t version);
/* Begins to connect. */
void ps_kafka_native_broker_connect(struct ps_kafka_native_broker *broker);
void ps_kafka_native_broker_resolved(struct ps_kafka_native_broker *broker, const struct ps_question *answer);
/* Returns the time at which the broker needs `work`. */
uint64_t ps_kafka_native_broker_due_ns(const struct ps_kafka_native_broker *broker);
/* Returns whether the broker supports the protocol of the open transaction. If not, the native client dies. */
bool ps_kafka_native_broker_fits(const struct ps_kafka_native_broker *broker);

/* ---- pools.c ---- */

/* Returns the limit of the memory of all batches; half of it is for records, because buffers double. */
static inline uint64_t ps_kafka_native_memory_bytes_max(const struct ps_kafka_native *client)
{
    return 2 * client->settings.queue_bytes_max;
}

/* Returns whether the queue is full: no record is taken before some that wait are delivered. */
static inline bool ps_kafka_native_is_full(const struct ps_kafka_native *client)
{
    return client->queued.bytes >= client->settings.queue_bytes_max ||
           client->queued.memory_bytes >= ps_kafka_native_memory_bytes_max(client) ||
           client->queued.records >= client->settings.queue_records_max;
}

struct ps_kafka_native_batch *ps_kafka_native_take_batch(struct ps_kafka_native *client,
                                                         struct ps_kafka_native_partition *partition);
void ps_kafka_native_give_batch(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch);
/* Counts the growth of a batch whose memory was `before` bytes. */
void ps_kafka_native_batch_grew(struct ps_kafka_native *client, const struct ps_kafka_native_batch *batch,
                                uint64_t before);
struct ps_kafka_native_request *ps_kafka_native_take_request(struct ps_kafka_native *client,
                                                             enum ps_kafka_native_kind kind, int16_t version);
void ps_kafka_native_give_request(struct ps_kafka_native *client, struct ps_kafka_native_request *request);

/* Reports the records of a batch, and frees it. `error` 0: delivered. */
void ps_kafka_native_report(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch, int error);
/* Does the same for a batch of several records, of which the broker refuses this one: the others count as purged, and are sent
 * again. */
void ps_kafka_native_report_record(struct ps_kafka_native *client, struct ps_kafka_native_batch *batch,
                                   int error, uint32_t record);
void ps_kafka_native_notice(struct ps_kafka_native *client, enum ps_kafka_notice_kind kind, int code,
                            const char *text);
/* Returns whether a lasting trouble may be reported now: it was not for a minute, or never (*told_ns 0). Notes the time. */
bool ps_kafka_native_may_tell(const struct ps_kafka_native *client, uint64_t *told_ns);
/* Notes it if no broker can be used. Returns how many there are if that was not so since the last answer; else 0. */
unsigned ps_kafka_native_note_all_down(struct ps_kafka_native *client);
/* Reports that `count` brokers, all of them, cannot be reached, with the last one's reason. 0: reports nothing. */
void ps_kafka_native_tell_all_down(struct ps_kafka_native *client, unsigned count, const char *reason);

/* ---- turn.c: called by the two engines (produce/producer.c, stages/lib/kafka/fetch/engine.c) ---- */

/* Does as much as is possible now, and hands reports and notices to the listener. Returns the number of records
 * reported. */
uint32_t ps_kafka_native_turn(struct ps_kafka_native *client, const struct ps_kafka_listener *listener);

/* Returns the time at which a turn is needed although no socket is ready, or PS_NEVER. */
uint64_t ps_kafka_native_turn_due_ns(const struct ps_kafka_native *client);

/* Drops the waiting records; with `in_flight` also the records that were sent and not answered. The next turn reports them. */
void ps_kafka_native_purge(struct ps_kafka_native *client, bool in_flight);
