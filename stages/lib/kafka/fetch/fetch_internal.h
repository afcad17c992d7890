/* The structures of the native fetch client.
 *
 *   engine.c                  the functions of reading.h, the client's turn, and the functions that the connections
 *                             call (ps_kafka_native_reader)
 *   topics.c                  the topics to which the member is subscribed
 *   partitions.c              partitions and their fetched records: calls no other file
 *   membership.c              the member's state, for all other files
 *   member.c                  the member of the group: joins, is assigned, gives up, leaves
 *   member_requests.c         the encoding of the member's requests
 *   former.c                  members that earlier lives of the agent were
 *   leader.c                  the assignment of partitions by the group's leader
 *   coverage.c                whether an assignment that the group has kept is still right for a static member
 *   assignment.c, sticky.c    assignors and the encoding of assignments (pure functions)
 *   questions.c               where reading begins, and whether a leader has the records that were read (KIP-320)
 *   commit.c                  commits of offsets
 *   fetch.c                   requests for records, and their answers
 *   fetch_request.c           the encoding of these requests
 *   session.c                 fetch sessions: the partitions that brokers remember (KIP-227)
 *   replicas.c                the replicas that are read instead of leaders (KIP-392)
 *   read.c                    reads the records of the answers, in order
 *   record_batch.c, unpack.c  decoding and decompression of record batches
 *
 * Owner and thread: the source's worker. The client allocates memory in rebalances and while it warms up. */
#pragma once

#include "stages/lib/kafka/read_topics.h"
#include "stages/lib/kafka/fetch/reports.h"
#include "stages/lib/kafka/errors.h"
#include "stages/lib/kafka/fetch/reading.h"
#include "stages/lib/kafka/group/former.h"
#include "stages/lib/kafka/wire/partitions.h"
#include "stages/lib/kafka/wire/record_batch.h"
#include "stages/lib/kafka/wire/unpack.h"
#include "stages/lib/kafka/cluster/native_internal.h"

#include "regex/regex.h"

/* ---- partitions ---- */

/* What a partition waits for. ps_kafka_part_move makes each step.
 *
 *                     assigned
 *                        v
 *                    COMMITTED ---- an offset without epoch -------------------> READY
 *                     |     |                                                    ^ ^ |
 *   an offset with    |     | no offset                                          | | |
 *   an epoch          |     v                                                    | | |
 *                     |   RESET -------- the log's beginning or end -------------' | |
 *                     |     ^ ^                                                    | |
 *                     |     | `--------- the offset is not in the log ---------------+
 *                     |     | the leader does not know where its log differs       | |
 *                     v     |                                                      | |
 *                    CHECKED ----------- the leader has what was read -------------+ |
 *                     |   ^------------- another leader -----------------------------'
 *                     | the leader's log differs from an offset on                 |
 *                     v                                                            |
 *                    TRUNCATED --------- what was read is delivered ---------------+
 *                                                                                  |
 *   any state -- the topic has another id --> ANEW -- the log's beginning ---------'
 *   COMMITTED -- no offset, and the topic has had another id --> ANEW
 *   any state -- given up --> NONE */
enum ps_kafka_part_state {
    PS_KAFKA_PART_NONE,
    PS_KAFKA_PART_COMMITTED, /* the group's coordinator is asked for the committed offset */
    PS_KAFKA_PART_RESET,     /* the leader is asked for the offset by auto.offset.reset */
    PS_KAFKA_PART_ANEW,      /* the topic was created again: the leader is asked where its log begins */
    PS_KAFKA_PART_READY,     /* records are fetched */
    /* the leader is asked whether it has the records that were read, because it is a new leader, or because
     * reading begins at the group's offset */
    PS_KAFKA_PART_CHECKED,
    PS_KAFKA_PART_TRUNCATED, /* goes on at `next` when the records that were read are delivered */
};

#define PS_KAFKA_LEADER_REST_NS (500 * PS_NS_PER_MS)
#define PS_KAFKA_TELL_AFTER_NS                                                                               \
    (10 * PS_NS_PER_S) /* the reason why a partition is not read is logged after this time */
#define PS_KAFKA_PART_REST_NS (100 * PS_NS_PER_MS) /* backoff after a request that failed */
#define PS_KAFKA_REFUSED_REST_NS                                                                             \
    PS_NS_PER_S /* after errors that an operator must correct, and damaged bytes */

/* An assigned partition; its index is the stream's. */
struct ps_kafka_fetch_part {
    enum ps_kafka_part_state state;
    struct ps_kafka_native_topic *topic;
    int32_t number;
    int32_t asked_by; /* correlation id of the request about the partition that is under way; -1: none */
    /* READY: the node that is read instead of the leader, until `replica_until_ns`; -1: none (replicas.c) */
    int32_t replica;
    uint64_t replica_until_ns;
    uint64_t session;   /* number of the fetch session that has the partition; 0: none (session.c) */
    int64_t told_next;  /* what the broker of that session was told: the offset, */
    int32_t told_epoch; /* and the leader's epoch */
    uint32_t queued;    /* number of the partition's slices that are not read in full */
    int64_t next;       /* READY, CHECKED: the offset to be fetched next */
    int64_t begin;      /* the offset from which reading began, or went on */
    int64_t end;        /* the offset after the last record, by the last answer; -1: not known */
    int32_t epoch;      /* epoch of the leader that wrote the record before `next`; -1: not known */
    /* The epoch of a leader that has the record before `next`; -1: none is known. In state CHECKED, the epoch of
     * the leader that was asked. */
    int32_t checked;
    uint32_t lives;       /* the topic's `lives`, the number of changes of its id, that was seen last */
    int64_t gone_from;    /* RESET: the log no longer has this offset, which is not logged yet; -1: it has */
    uint64_t rest_ns;     /* no request before this time */
    uint64_t unstable_ns; /* since when brokers return errors; 0: they do not */
    uint64_t leaderless_ns; /* since when the leader is not known; 0: it is known */
    bool assigned;          /* the last assignment has the partition */
};

/* Returns the partition in the metadata. NULL: the topic does not have the partition, or is not known. */
static inline struct ps_kafka_native_partition *ps_kafka_part_place(const struct ps_kafka_fetch_part *part)
{
    return part->number < part->topic->partition_count ? part->topic->partitions[part->number] : NULL;
}

/* Returns the partition's leader; NULL: it is not known. */
static inline struct ps_kafka_native_broker *ps_kafka_part_leader(const struct ps_kafka_fetch_part *part)
{
    const struct ps_kafka_native_partition *place = ps_kafka_part_place(part);
    return place != NULL ? place->leader : NULL;
}

/* ---- fetched records ---- */

/* Consecutive batches of one partition in an answer. */
struct ps_kafka_fetch_slice {
    uint32_t stream, pass;
    int64_t from;         /* records before this offset are not wanted */
    const char *at, *end; /* the batches of the slice; the end of the last one may be missing */
    /* aborted transactions, sorted by first offset, as on the wire: producer id, first offset */
    const char *aborted;
    uint32_t aborted_count;
    /* The broker read the log of the topic with this id; else it read the one that has the topic's name. */
    bool by_id;
    char topic_id[PS_KAFKA_NATIVE_TOPIC_ID_BYTES];
};

/* One answer. Batches with views into the answer's block are owners of the block too. */
struct ps_kafka_fetched {
    struct ps_kafka_fetched *next;
    struct ps_block *block;
    uint64_t number; /* number of the block */
    uint32_t length;
    struct ps_kafka_fetch_slice *slices;
    uint32_t slice_count, slice_room, slice_at; /* slice_at: index of the slice that is being read */
};

/* The batch that is being read. */
struct ps_kafka_fetch_reading {
    bool open;
    int32_t epoch;       /* of the leader that wrote it */
    int64_t last_offset; /* of the batch, also if compaction removed that record */
    struct ps_kafka_batch_cursor cursor;
    struct ps_kafka_batch_record record; /* read, and not taken yet */
    bool has_record;
    struct ps_block *unpacked; /* NULL: the records are in the answer's block */
    struct ps_block *views;    /* bodies may point into this block; NULL: bodies are copied */
    uint64_t views_number;
    int64_t *aborted; /* producers whose current transaction was aborted */
    uint32_t aborted_count, aborted_room;
    uint32_t aborted_at; /* index of the next transaction in the slice's list */
};

/* ---- the member ---- */

enum ps_kafka_member_phase {
    PS_KAFKA_MEMBER_OUT,      /* joins when it can */
    PS_KAFKA_MEMBER_JOINING,  /* JoinGroup is in flight */
    PS_KAFKA_MEMBER_LEADING,  /* is the leader, and waits for metadata */
    PS_KAFKA_MEMBER_SYNCING,  /* SyncGroup is in flight */
    PS_KAFKA_MEMBER_STABLE,   /* has its partitions */
    PS_KAFKA_MEMBER_REVOKING, /* gives its partitions up, and joins again */
    PS_KAFKA_MEMBER_LEAVING,
    PS_KAFKA_MEMBER_LEFT,
};

/* Whether the group's assignment must be compared with the member's topics. (coverage.c) */
enum ps_kafka_coverage { PS_KAFKA_COVERAGE_GOOD, PS_KAFKA_COVERAGE_DOUBTED, PS_KAFKA_COVERAGE_ASKED };

struct ps_kafka_fetch_member {
    enum ps_kafka_member_phase phase;
    struct ps_kafka_native_coordinator coordinator;
    char *id; /* member id; "": the coordinator has not given one yet */
    char instance[512];
    int32_t generation;
    /* The generation in which this member gave partitions up although some of their records were not committed;
     * -1: there is no such generation. A sink may still commit these records in that generation. */
    int32_t abandoned_generation;
    bool asked; /* JOINING, LEADING, SYNCING, LEAVING: the request is under way */
    bool heartbeat_asked;
    uint64_t heartbeat_ns; /* time of the last heartbeat */
    uint64_t answered_ns;  /* time of the last answer that shows that the group has this member */
    uint64_t rest_ns;      /* no request before this time */
    bool rejoin;           /* STABLE: give up and join again */
    /* Differs from that of the last join: the coordinator then rebalances the group although this member's topics
     * are the same. 0: the subscription has none. */
    int32_t mark;
    bool returned; /* the join is the first one with this instance id: the group may keep its assignment */
    bool misfits;  /* the assignment has a topic to which the member is not subscribed */
    uint32_t misfit_count; /* such assignments in a row */
    enum ps_kafka_coverage coverage;
    bool lost; /* REVOKING: the group has removed this member */
    /* STABLE, cooperative: the member is giving some partitions up, and joins again afterwards */
    bool gives_up;
    uint64_t revoke_until_ns;
    /* Only of the group's leader: */
    char *described; /* the answer to JoinGroup */
    struct ps_kafka_group_member *members;
    uint32_t member_count;
    enum ps_kafka_assignor assignor; /* the assignor that the group has chosen */
    uint64_t leading_ns;             /* since when the leader waits for metadata */
    /* time of the metadata that the leader had then: it needs newer metadata to assign partitions */
    uint64_t known_ns;
    /* topics of all members: if their partitions change, the group must rebalance */
    const struct ps_kafka_native_topic **followed;
    uint32_t followed_count;
    uint64_t followed_sum; /* hash of the numbers of partitions of these topics; 0: not known yet */
};

/* What it reads. (topics.c) */
struct ps_kafka_fetch_subscription {
    char **topics; /* sorted */
    uint32_t topic_count;
    const struct ps_regex *pattern; /* NULL: the topics are named */
    struct ps_regex_scratch *scratch;
    bool reads_internal; /* the pattern matches internal topics, too */
    char **found;        /* topics that match the pattern in the metadata that is being read */
    uint32_t found_count, found_room;
    uint64_t found_ns; /* metadata of this time was looked at */
};

/* What is to be committed, and is under way. (commit.c) */
struct ps_kafka_fetch_commits {
    bool dirty, asked, failed;
    unsigned refused; /* commits in a row that the broker refused during this revocation */
    int16_t reported; /* the error of the last answer, which was reported; 0: none */
    uint64_t sent_ns;
};

/* The Fetch requests. (fetch.c) */
struct ps_kafka_fetch_requests {
    uint32_t *chosen; /* streams whose records the request that is being made asks for */
    uint32_t chosen_room;
    uint32_t broker_turn; /* number of the broker that gets the first request */
    bool broker_waits;    /* a broker waits for room for its answer */
    uint32_t asked;       /* requests that are under way */
    uint64_t sessions;    /* sessions that were asked for: the number of the last one */
};

/* The answers to them. (fetch.c, read.c) */
struct ps_kafka_fetch_answers {
    struct ps_kafka_fetched *first, **end; /* oldest first */
    struct ps_kafka_fetched *spare;
    uint64_t held_bytes; /* bytes of their blocks */
    /* number of the last block; distinguishes a block from earlier ones at the same address */
    uint64_t block_number;
};

struct ps_kafka_fetch {
    struct ps_port *port;
    struct ps_kafka_native *client;
    struct ps_kafka_fetch_settings settings;
    struct ps_kafka_reports reports;
    const char *group;
    struct ps_texts wanted;
    struct ps_slice *mapped; /* headers of the current record */
    bool sink_commits;
    uint64_t commit_interval_ns, revoke_wait_ns;
    uint64_t held_bytes_max;
    struct ps_kafka_streams streams;
    struct ps_kafka_membership membership;
    char *membership_id; /* the member id in it: another one may come before the next assignment */
    struct ps_kafka_fetch_member member;
    struct ps_kafka_former former;
    struct ps_kafka_read_topics read_topics; /* if the sink commits */
    uint64_t mono_ns;
    bool paused, stopped; /* stopped: nothing more is read */
    bool leaves;
    struct {
        uint64_t count;
        bool known;
    } left_over; /* records that were not committed when it began to leave */
    bool again;  /* an answer has come: the next turn may have more to do */
    bool fatal;
    struct ps_err reason;
    /* time of the last answer to Metadata or to a heartbeat; the time from which a silence counts */
    uint64_t answered_ns, heard_ns;
    bool is_silent; /* the silence has lasted too long */

    struct ps_kafka_fetch_subscription subscription;
    struct ps_kafka_fetch_part *parts; /* by stream */
    uint32_t part_count, part_room;
    struct ps_kafka_fetch_commits commits;
    struct ps_kafka_fetch_requests requests;
    struct ps_kafka_fetch_answers answers;

    /* read.c */
    struct ps_kafka_fetch_reading reading;
    struct ps_kafka_unpacker *unpacker;
    bool kept; /* a record was not taken, or there was no memory for it */
    /* Since when there has been no memory to decompress the next batch; 0: there is memory. No Fetch is sent
     * meanwhile. */
    uint64_t starved_ns;
};

static inline struct ps_kafka_fetch *ps_kafka_fetch_of(const struct ps_kafka_native *client)
{
    return client->reader_argument;
}

/* Asks for metadata because the leader of a partition is not known, or metadata is behind; at most twice a second. */
static inline void ps_kafka_fetch_want_leader(const struct ps_kafka_fetch *fetch)
{
    if (!fetch->client->metadata.asked &&
        fetch->mono_ns >= fetch->client->metadata.answered_ns + PS_KAFKA_LEADER_REST_NS)
        ps_kafka_native_want_metadata(fetch->client);
}

/* Returns the broker if a request can be sent to it now, else NULL. Begins to connect if it is down. */
struct ps_kafka_native_broker *ps_kafka_fetch_reach(struct ps_kafka_native *client,
                                                    struct ps_kafka_native_broker *broker);

/* Ends the reader with this error; opening it again may help. */
void ps_kafka_fetch_die(struct ps_kafka_fetch *fetch, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- topics.c ---- */

enum ps_status ps_kafka_fetch_topics_open(struct ps_kafka_fetch *fetch,
                                          const struct ps_kafka_reading_config *config, struct ps_err *err);
void ps_kafka_fetch_topics_close(struct ps_kafka_fetch *fetch);
/* Called when metadata may have come: looks for new topics that match, and for added partitions. */
void ps_kafka_fetch_topics_turn(struct ps_kafka_fetch *fetch);
/* For ps_kafka_native_reader.topic: the cluster has this topic. */
void ps_kafka_fetch_topic_found(struct ps_kafka_native *client, const char *name, uint32_t length);
void ps_kafka_fetch_texts_free(char ***texts, uint32_t *count);
/* Returns whether the topic is one of the subscription. */
bool ps_kafka_fetch_has_topic(const struct ps_kafka_fetch *fetch, struct ps_slice topic);
/* Returns whether the member is subscribed to the topic, also if metadata does not have it yet. */
bool ps_kafka_fetch_is_subscribed(const struct ps_kafka_fetch *fetch, struct ps_slice topic);

/* ---- member.c ---- */

void ps_kafka_member_open(struct ps_kafka_fetch *fetch, const struct ps_kafka_reading_config *config);
void ps_kafka_member_close(struct ps_kafka_fetch *fetch);
/* Sends the requests of the member that are due. */
void ps_kafka_member_turn(struct ps_kafka_fetch *fetch);
uint64_t ps_kafka_member_due_ns(const struct ps_kafka_fetch *fetch);
bool ps_kafka_member_answer(struct ps_kafka_fetch *fetch, struct ps_kafka_native_request *request,
                            struct ps_wire_in *in);
void ps_kafka_member_lost(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request);
/* Called when the group has refused a commit, because this member no longer owns its partitions for it. */
void ps_kafka_member_disown(struct ps_kafka_fetch *fetch, int16_t error);
/* Makes the member join again soon. In the eager protocol it first gives all partitions up, after commits. */
void ps_kafka_member_rejoin(struct ps_kafka_fetch *fetch);
/* The same, and makes the group rebalance although this member's topics have not changed. */
void ps_kafka_member_rebalance(struct ps_kafka_fetch *fetch);
void ps_kafka_member_leave(struct ps_kafka_fetch *fetch);
/* Handles a group error that the answers to several kinds of requests can have. */
void ps_kafka_member_failed(struct ps_kafka_fetch *fetch, int16_t error, const char *what);
/* Reports that another client wrote something that cannot be read. As with Java's client, the member stays in the group without
 * partitions, and joins again after a pause. The connection is in order. */
void ps_kafka_member_misread(struct ps_kafka_fetch *fetch, const char *what);
void ps_kafka_member_set_id(struct ps_kafka_fetch_member *member, const char *id, uint32_t length);
/* Begins to give the member's partitions up; `lost`: other members have these partitions already. */
void ps_kafka_member_revoke(struct ps_kafka_fetch *fetch, bool lost);
/* Closes the connections to former coordinators, which may hold answers back; `all`: also the connection to the
 * present coordinator. */
void ps_kafka_member_drop_coordinators(struct ps_kafka_fetch *fetch, bool all);
/* Returns the coordinator if a request can be sent to it now, else NULL. */
struct ps_kafka_native_broker *ps_kafka_member_coordinator(struct ps_kafka_fetch *fetch);

/* ---- member_requests.c: return NULL without memory ---- */

struct ps_kafka_native_request *ps_kafka_member_request_join(struct ps_kafka_fetch *fetch, int16_t version);
/* `owners`: the partitions of the group's members if this member is the leader; else both are NULL. */
struct ps_kafka_group;
struct ps_kafka_native_request *ps_kafka_member_request_sync(struct ps_kafka_fetch *fetch, int16_t version,
                                                             const struct ps_kafka_group *group,
                                                             const uint32_t *owners);
struct ps_kafka_native_request *ps_kafka_member_request_heartbeat(struct ps_kafka_fetch *fetch,
                                                                  int16_t version);
/* LeaveGroup for this member, or for one that an earlier life of the agent was. */
struct ps_kafka_native_request *ps_kafka_member_request_leave(struct ps_kafka_fetch *fetch, int16_t version,
                                                              const char *id, size_t id_length);

/* ---- leader.c ---- */

/* Reads the members from the answer to JoinGroup. Returns false if the answer cannot be read. */
bool ps_kafka_leader_begin(struct ps_kafka_fetch *fetch, struct ps_wire_in *in, int16_t version);
/* Returns a SyncGroup request with the partitions of all members; NULL while metadata lacks topics of the
 * members. */
struct ps_kafka_native_request *ps_kafka_leader_request(struct ps_kafka_fetch *fetch, int16_t version);
/* Watches the topics of this member, which may be the leader without being told so. */
void ps_kafka_leader_watch_own(struct ps_kafka_fetch *fetch);
/* Watches no topic. */
void ps_kafka_leader_follow_none(struct ps_kafka_fetch_member *member);
/* Returns whether partitions were added to a topic that is watched. */
bool ps_kafka_leader_sees_change(struct ps_kafka_fetch *fetch);
void ps_kafka_leader_end(struct ps_kafka_fetch *fetch);

/* ---- coverage.c ---- */

/* Asks the coordinator how the partitions are assigned, if the assignment is in doubt. */
void ps_kafka_coverage_turn(struct ps_kafka_fetch *fetch, struct ps_kafka_native_broker *broker);
bool ps_kafka_coverage_answer(struct ps_kafka_fetch *fetch, struct ps_wire_in *in);
void ps_kafka_coverage_lost(struct ps_kafka_fetch *fetch);

/* ---- partitions.c ---- */

/* Takes a partition of the assignment. */
void ps_kafka_parts_take(struct ps_kafka_fetch *fetch, struct ps_slice topic, int32_t partition);
/* Drops all partitions. */
void ps_kafka_parts_drop(struct ps_kafka_fetch *fetch);
/* Drops the partitions that were being given up, so that other members may get them. */
void ps_kafka_parts_drop_revoked(struct ps_kafka_fetch *fetch);
/* Returns whether the leader of a partition that is to be read is not known. After some time logs which one. */
bool ps_kafka_parts_miss_leader(struct ps_kafka_fetch *fetch);
/* Returns whether some partition is assigned, or being given up. */
bool ps_kafka_parts_are_held(const struct ps_kafka_fetch *fetch);
struct ps_kafka_fetch_part *ps_kafka_parts_find(struct ps_kafka_fetch *fetch, struct ps_slice topic,
                                                int32_t partition, uint32_t *stream);
/* Returns the partition of an answer if this request asked for it; NULL: it did not, or the answer cannot be read. */
struct ps_kafka_fetch_part *ps_kafka_parts_answered(struct ps_kafka_fetch *fetch,
                                                    const struct ps_kafka_native_request *request,
                                                    const struct ps_wire_partitions *walk, int32_t partition,
                                                    uint32_t *stream);
/* Writes a topic with this partition alone: brokers take a topic several times. The caller adds what is asked. */
char *ps_kafka_part_put(char *at, const struct ps_kafka_fetch_part *part, bool flexible);
/* Called for an error that may pass. Returns whether there were only such errors for so long that they are reported. */
bool ps_kafka_part_is_unstable(const struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part);
/* Moves the partition to another state. The answer to a request that is under way will be ignored. */
void ps_kafka_part_move(struct ps_kafka_fetch_part *part, enum ps_kafka_part_state state);
/* Reports bytes at this offset that cannot be read, and lets the partition rest. */
void ps_kafka_part_refuse(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part, int64_t offset,
                          const char *why);
/* Drops the fetched records from this offset on. The next Fetch asks for them again. The answer under way will
 * be ignored, because its records follow the dropped ones. A partition that was to continue at another offset
 * first reads what its present log still has. */
void ps_kafka_parts_ask_again(struct ps_kafka_fetch_part *part, int64_t offset);
/* Reads the partition from this offset on. If the group's committed offset may be another one, `offset` is committed.
 * `epoch`: epoch of the leader that wrote the record before the offset; -1: not known. */
void ps_kafka_parts_go_to(struct ps_kafka_fetch *fetch, uint32_t stream, int64_t offset, int32_t epoch);
/* Called when the request with this correlation id is no longer under way: partitions that its answer lacks are
 * requested again after the pause. */
void ps_kafka_parts_forget(struct ps_kafka_fetch *fetch, int32_t correlation, uint64_t pause_ns);
/* Called when no valid offset of the partition is known: has one chosen by auto.offset.reset. */
void ps_kafka_offsets_reset(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part);

/* ---- questions.c ---- */

/* Moves partitions to other states as metadata says, and asks brokers about those that are not read yet. */
void ps_kafka_questions_turn(struct ps_kafka_fetch *fetch);
uint64_t ps_kafka_questions_due_ns(const struct ps_kafka_fetch *fetch);
bool ps_kafka_questions_answer(struct ps_kafka_fetch *fetch, const struct ps_kafka_native_request *request,
                               struct ps_wire_in *in);

/* ---- commit.c ---- */

void ps_kafka_commit_notice(struct ps_kafka_fetch *fetch);
/* Commits if there are offsets to commit, no commit is under way, and at least `interval_ns` has passed since
 * the last commit. */
void ps_kafka_commit_when(struct ps_kafka_fetch *fetch, uint64_t interval_ns);
/* Returns when the next commit can be sent. PS_NEVER: there is nothing to commit, or an answer must come first. */
uint64_t ps_kafka_commit_due_ns(const struct ps_kafka_fetch *fetch);
bool ps_kafka_commit_answer(struct ps_kafka_fetch *fetch, struct ps_wire_in *in);

/* ---- fetch_request.c ---- */

#define PS_KAFKA_FETCH_OF_WHOLE_BATCHES 3 /* the first batch comes whole, however large it is (KIP-74) */
#define PS_KAFKA_FETCH_OF_TRANSACTIONS 4
#define PS_KAFKA_FETCH_OF_SESSIONS 7
#define PS_KAFKA_FETCH_OF_RACKS 11 /* consumers may read from a replica of their rack (KIP-392) */
#define PS_KAFKA_FETCH_OF_IDS 13   /* version of Fetch with ids of topics, from Kafka 3.1 on */

/* Returns a Fetch request for the `count` partitions in fetch->requests.chosen, and marks them as `asked`. Returns NULL
 * without memory. */
struct ps_kafka_native_request *ps_kafka_fetch_request(struct ps_kafka_fetch *fetch,
                                                       struct ps_kafka_fetch_session *session,
                                                       int16_t version, uint32_t count, int32_t wait_ms);

/* ---- session.c ---- */

/* Called for a request for the `count` partitions in fetch->requests.chosen. Moves those that it must name to the front
 * of them, and returns their number. */
uint32_t ps_kafka_session_ask(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_session *session,
                              int16_t version, uint32_t count);
/* Called for an answer without an error, with its session id. */
void ps_kafka_session_answered(struct ps_kafka_fetch_session *session, int32_t id);

/* ---- fetch.c ---- */

void ps_kafka_fetch_turn(struct ps_kafka_fetch *fetch);
uint64_t ps_kafka_fetch_due_ns(const struct ps_kafka_fetch *fetch);
char *ps_kafka_fetch_room(struct ps_kafka_native *client, struct ps_kafka_native_request *request,
                          uint32_t length);
bool ps_kafka_fetch_answer(struct ps_kafka_native_broker *broker, struct ps_kafka_native_request *request,
                           struct ps_wire_in *in);
void ps_kafka_fetch_lost(struct ps_kafka_fetch *fetch, struct ps_kafka_native_request *request);
/* Drops the fetched records that are not read. */
void ps_kafka_fetched_drop(struct ps_kafka_fetch *fetch);
/* Drops those of one partition. */
void ps_kafka_fetched_drop_part(struct ps_kafka_fetch *fetch, uint32_t stream);
/* Returns memory for an answer of `length` bytes; NULL: there is no memory now. */
struct ps_kafka_fetched *ps_kafka_fetched_take(struct ps_kafka_fetch *fetch, uint32_t length);
void ps_kafka_fetched_give(struct ps_kafka_fetch *fetch, struct ps_kafka_fetched *fetched);
/* Drops the oldest answer. */
void ps_kafka_fetched_pop(struct ps_kafka_fetch *fetch);
/* Drops all answers but the oldest. The next Fetch asks for their records again. */
void ps_kafka_fetched_drop_later(struct ps_kafka_fetch *fetch);
void ps_kafka_fetched_free(struct ps_kafka_fetch *fetch);

/* ---- replicas.c ---- */

/* Called when an answer names this node as the one to read from; -1: it names none. */
void ps_kafka_replicas_follow(const struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part,
                              int32_t node);
/* Called after an error: goes back to the leader. Returns false if the leader was asked. */
bool ps_kafka_replicas_leave(struct ps_kafka_fetch *fetch, struct ps_kafka_fetch_part *part);
/* Leaves replicas that were read for long enough, or that cannot be reached. */
void ps_kafka_replicas_turn(struct ps_kafka_fetch *fetch);

/* ---- read.c ---- */

uint32_t ps_kafka_fetch_read(struct ps_kafka_fetch *fetch, struct ps_kafka_record_state *record);
/* Ends the batch being read. */
void ps_kafka_fetch_reading_close(struct ps_kafka_fetch *fetch);
/* Ends the slice being read. */
void ps_kafka_fetch_reading_end(struct ps_kafka_fetch *fetch);
