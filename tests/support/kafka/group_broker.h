/* Two Kafka brokers for a test of a consumer, in the test's thread: a topic `t` whose partitions each have a log, and the
 * coordinator of a group with the test's member and others that exist only in its answers. Logs have gaps of
 * offsets, batches of transactions that were committed or aborted, and their control batches. Written from
 * Kafka's protocol guide, KIP-62, KIP-98, KIP-320, KIP-394 and KIP-447. They misbehave by a seed: connections
 * break before or after a request is carried out, or inside an answer; a request gets an error; a batch
 * arrives damaged. Each request can also be given an error by its number.
 *
 * They fail the test if a commit is above a visible record that was not delivered (`delivered`), or a request is not what Kafka defines. */
#pragma once

#include "tests/support/kafka/connections.h"

#define PS_TEST_GROUP_NODES 2U
#define PS_TEST_GROUP_PARTITIONS 3U
#define PS_TEST_GROUP_KEYS 24 /* of the requests, by their number in the protocol */
#define PS_TEST_GROUP_BATCHES 256U
#define PS_TEST_GROUP_RECORDS 4096U
#define PS_TEST_GROUP_MEMBER "member-1"

enum {
    PS_TEST_KEY_FETCH = 1,
    PS_TEST_KEY_LIST_OFFSETS = 2,
    PS_TEST_KEY_METADATA = 3,
    PS_TEST_KEY_COMMIT = 8,
    PS_TEST_KEY_OFFSETS = 9,
    PS_TEST_KEY_COORDINATOR = 10,
    PS_TEST_KEY_JOIN = 11,
    PS_TEST_KEY_HEARTBEAT = 12,
    PS_TEST_KEY_LEAVE = 13,
    PS_TEST_KEY_SYNC = 14,
    PS_TEST_KEY_VERSIONS = 18,
    PS_TEST_KEY_EPOCHS = 23,
};

/* The value of a record. */
struct ps_test_group_value {
    int64_t partition,
        offset; /* partition: with PS_TEST_GROUP_LIFE for each time that the topic was created again before */
};
#define PS_TEST_GROUP_LIFE 256

struct ps_test_group_log {
    struct {
        int64_t base, last;
        char *bytes;
        uint32_t length;
    } batches[PS_TEST_GROUP_BATCHES];
    unsigned batch_count;
    bool visible[PS_TEST_GROUP_RECORDS]; /* by offset: a consumer of committed records gets it */
    int64_t start, end;                  /* the first offset, and the next one to be written */
    struct {
        int64_t producer, first, last;
    } aborted[PS_TEST_GROUP_BATCHES]; /* in the order of their ends, as a broker's index has them */
    unsigned aborted_count;
    bool compressed; /* what is appended from now on */
    bool cut;        /* it was truncated, and the member has not asked for its offsets since */
    bool was_cut;    /* it was truncated, or is that of a topic that was created again */
    unsigned leader; /* a node */
    int32_t epoch;
    int64_t committed;       /* -1: nothing is */
    int32_t committed_epoch; /* of the leader that wrote the record before; -1: not sent by the member */
    int64_t delivered;       /* set by the test: the offset after the last delivered record */
    int64_t licence;         /* -1, or the offset at which the member begins in this generation */
    /* -1, or the previous `licence`: the answer with the new one may have been lost, or have come for an earlier assignment. */
    int64_t earlier;
    int64_t began; /* -1, or `licence` until the member read a record from there */
    int64_t
        differs; /* -1, or the offset to which a leader sent a member back that had read past this offset */
    /* -1, or a lower such offset from an earlier answer: the member may be there, and have read only hidden records since. */
    int64_t differed;
};

/* Notes that the member begins at this offset; -1: no offset is known. */
static inline void ps_test_group_log_begin(struct ps_test_group_log *log, int64_t offset)
{
    log->licence = offset;
    log->earlier = log->began = log->differs = log->differed = -1;
}

/* One partition of a request for records, or of a session. */
struct ps_test_group_wanted {
    int64_t topic;            /* its id; 0: it is named */
    int32_t partition, epoch; /* of the leader, as the member knows it; -1: not sent */
    int64_t offset;
    int64_t end; /* of a session: the log end offset in the last answer */
};

/* The fetch session (KIP-227) that a node keeps for the member. */
struct ps_test_group_session {
    int32_t id, epoch; /* id 0: none; the epoch of the next request */
    int32_t told;      /* the id in the answer to the last request */
    unsigned handled;  /* the number of the last request */
    bool incremental;  /* the last request was incremental */
    int16_t error;     /* of the last request */
    bool by_ids;       /* topics have ids, and no names */
    struct ps_test_group_wanted parts[PS_TEST_GROUP_PARTITIONS];
    unsigned count;
};

struct ps_test_group_node {
    struct ps_test_group_broker *group;
    unsigned number;
};

struct ps_test_group_broker {
    struct ps_test_group_node places[PS_TEST_GROUP_NODES];
    struct ps_test_connections nodes[PS_TEST_GROUP_NODES];
    struct ps_test_group_log logs[PS_TEST_GROUP_PARTITIONS];
    char bootstrap[64];
    uint64_t now_ns; /* the test's clock */
    uint64_t random;
    bool old;    /* the versions of Kafka 0.11 */
    bool oldest; /* the versions of Kafka 0.10.0 */
    unsigned
        names_nodes;    /* bits: nodes with Fetch 12 at most, as those of a cluster that is being upgraded */
    bool names_topics;  /* Fetch 12, as Kafka 2.8, which does not have ids there */
    bool no_ids;        /* neither Metadata nor Fetch has ids, as with brokers that are being upgraded */
    bool old_metadata;  /* Metadata 7, which has no ids */
    bool commits_first; /* the member commits a lower offset before it fetches from there */
    bool old_epochs;    /* no broker answers OffsetForLeaderEpoch to consumers */
    int64_t topic_id;
    unsigned partitions;     /* of the topic: the first ones of `logs` */
    unsigned former_answers; /* next Metadata answers that describe the topic before it was recreated */
    unsigned former_lives;   /* how often the topic was recreated since then; 0 counts as 1 */
    struct ps_test_group_session sessions[PS_TEST_GROUP_NODES];
    int32_t session_id;                    /* the last one that was given */
    bool no_sessions;                      /* there is no room for them */
    bool strange;                          /* the next answer has one partition that was not asked for */
    bool leaves_last;                      /* answers to requests with all partitions lack the last one */
    unsigned fetches[PS_TEST_GROUP_NODES]; /* answers to Fetch of each node */
    unsigned sick;                         /* bits: Fetch answers for these partitions with `sick_error` */
    int16_t sick_error;
    bool has_racks;        /* a leader names the other node to a member with a rack (KIP-392), */
    int16_t replica_error; /* unless this is what the other node answers */
    unsigned coordinator;

    /* the group */
    int32_t generation;
    bool known, joined, synced; /* the member: has an id, is in this generation, has its partitions */
    bool rebalances;            /* the member must join again */
    bool
        keeps_generation; /* a known member that joins again gets the generation that it is in (a follower of a stable group) */
    bool leads;      /* the member becomes the leader when it joins next */
    unsigned others; /* number of the other members, if `leads` */
    unsigned share;  /* bits: the partitions that another leader will give the member */
    unsigned owned;  /* bits: the partitions that the member has, or gives up */
    /* Members "dead-.." that were killed: until they leave, a member that joins waits. `waits`: one does, or did */
    unsigned dead;
    bool waits;
    bool cooperative; /* the group's protocol */
    bool foreign;     /* another client writes subscriptions and assignments that cannot be read */
    unsigned claimed; /* bits: those that the member had when it joined */

    /* faults */
    unsigned faults;       /* the number of requests in 1,000 that meet one */
    bool changes;          /* partitions change hands: requests of former assignments arrive */
    bool damages;          /* batches arrive damaged, too */
    unsigned damage_share; /* the number of answers in 1,000 with a damaged batch; 0: as `faults` */
    bool holds;            /* no answer to Fetch, for now */
    unsigned frozen;       /* bits: nodes that neither read nor answer; connections stay */
    unsigned removed;      /* bits: nodes that metadata does not have */
    bool forgets;          /* leaders do not know the epochs before the present one */
    bool
        lists_less; /* ListOffsets of several topics: every second answer lacks the last topic; the latest one did */
    bool leaves_out; /* OffsetCommit commits nothing, and its answer has no partition */
    bool swapped;    /* the nodes have swapped their addresses; connections stay */
    int16_t fail_key, fail_error;
    unsigned fail_at, fail_last; /* the requests that get fail_error, by number, from 1; 0: none */
    bool fail_top;               /* the error is that of the whole answer */
    /* If not UINT32_MAX: those requests get no error, but only this number of bytes of the answer. */
    uint32_t cut_at;
    bool cut_inside;    /* the length field is that of these bytes; otherwise the connection ends there */
    uint32_t cut_bytes; /* length of the answer before it was cut */
    /* if not 0: the length that answers to Fetch announce; their rest does not come */
    uint32_t announced_bytes;
    unsigned asked[PS_TEST_GROUP_KEYS];
    unsigned first[PS_TEST_GROUP_PARTITIONS]; /* answers to Fetches of all partitions, by first partition */
    unsigned node;                            /* that got the request being answered */
    unsigned number;                          /* of the request being answered, among those of its kind */

    struct {
        unsigned records, hidden, breaks, errors, damaged, stale, truncated, by_others, out_of_range;
        unsigned full, incremental, named; /* Fetch requests; partitions named in incremental ones */
        unsigned not_found;                /* sessions that the node has forgotten */
        unsigned by_ids;                   /* answers to requests for records */
        unsigned by_replicas,
            by_leaders;     /* partitions of answers to Fetch, without an error, that may have records */
        unsigned stale_ids; /* answers for partitions of a topic that is no longer there */
    } counts;
};

void ps_test_group_open(struct ps_test_group_broker *group, uint64_t seed);
void ps_test_group_close(struct ps_test_group_broker *group);
/* Returns whether something came or went. */
bool ps_test_group_serve(struct ps_test_group_broker *group);
unsigned ps_test_group_draw(struct ps_test_group_broker *group, unsigned below);

/* ---- group_broker_log.c, group_broker_offsets.c ---- */

/* Appends a batch or a transaction to the partition, at random. */
void ps_test_group_append(struct ps_test_group_broker *group, unsigned partition);
/* Appends a plain batch of `count` records. */
void ps_test_group_append_plain(struct ps_test_group_broker *group, unsigned partition, unsigned count);
/* Appends two transactions that overlap and are aborted; the one that began first ends last. */
void ps_test_group_append_nested(struct ps_test_group_broker *group, unsigned partition);
/* Appends a transaction that was aborted. */
void ps_test_group_append_aborted(struct ps_test_group_broker *group, unsigned partition);
/* Returns the first offset at or after `from` that has a visible record; the log's end if there is none. */
int64_t ps_test_group_visible(const struct ps_test_group_log *log, int64_t from);
/* Returns whether there is a visible record at or after `from` and before `to`. */
bool ps_test_group_skips(const struct ps_test_group_log *log, int64_t from, int64_t to);
/* Returns the epoch of the leader that wrote the batch with this offset; -1: the log does not have it. */
int32_t ps_test_group_epoch(const struct ps_test_group_log *log, int64_t offset);
/* Deletes the oldest batches. */
void ps_test_group_trim(struct ps_test_group_broker *group, unsigned partition);
/* Removes the newest batches, as after the election of a leader that was behind. */
void ps_test_group_truncate(struct ps_test_group_broker *group, unsigned partition);
/* Deletes and recreates the topic, with leader epoch 0; the offsets of the group are deleted, too. No answer
 * shows the time between. */
void ps_test_group_make_anew(struct ps_test_group_broker *group);
/* Lets other members read on in the partitions that the member does not have. */
void ps_test_group_others_read(struct ps_test_group_broker *group);
/* Swaps the addresses of the nodes. Connections stay with the node to which they were made. */
void ps_test_group_swap(struct ps_test_group_broker *group);
void ps_test_group_move_leader(struct ps_test_group_broker *group, unsigned partition);

/* Requests to a log: each reads the rest of the request, and writes the answer to `at`. NULL: the answer comes later. */
char *ps_test_group_fetch(struct ps_test_group_broker *group, struct ps_test_connection *connection,
                          struct ps_test_request *request, char *at);
char *ps_test_group_list_offsets(struct ps_test_group_broker *group, struct ps_test_request *request,
                                 char *at);
char *ps_test_group_epochs(struct ps_test_group_broker *group, struct ps_test_request *request, char *at);
/* Returns the error that the request under way gets; 0: none. */
int16_t ps_test_group_error(struct ps_test_group_broker *group, int16_t key, bool top);

/* ---- group_broker_request.c ---- */

/* A request for records, decoded. */
struct ps_test_group_fetching {
    struct ps_test_group_wanted parts[PS_TEST_GROUP_PARTITIONS];
    uint32_t count;
    bool by_ids;
    int32_t session, epoch; /* epoch -1: the version has no sessions */
    int32_t wait_ms;
    bool committed_only;
    bool has_rack;
};

void ps_test_group_read_fetch(struct ps_test_request *request, struct ps_test_group_fetching *fetching);

/* ---- group_broker_session.c ---- */

/* Applies the request to its session, once; `fetching` then has the partitions that it asks for. Returns the
 * session. */
struct ps_test_group_session *ps_test_group_session_apply(struct ps_test_group_broker *group,
                                                          struct ps_test_group_fetching *fetching);
/* Returns whether the answer must have the partition, and notes what the answer says. */
bool ps_test_group_session_tells(struct ps_test_group_session *session, const struct ps_test_group_log *log,
                                 const struct ps_test_group_wanted *wanted, bool has_news);
/* Moves the partition to the end of the next answer. */
void ps_test_group_session_turn(struct ps_test_group_session *session,
                                const struct ps_test_group_wanted *wanted);
/* All nodes forget their sessions, as when they are started again. */
void ps_test_group_sessions_forget(struct ps_test_group_broker *group);

/* ---- group_broker_member.c: the requests of a member ---- */

/* Returns the offset from which on the member has to deliver what is visible before a higher offset is committed. */
int64_t ps_test_group_may_begin(const struct ps_test_group_log *log);
char *ps_test_group_join(struct ps_test_group_broker *group, struct ps_test_request *request, char *at);
char *ps_test_group_sync(struct ps_test_group_broker *group, struct ps_test_request *request, char *at);
char *ps_test_group_heartbeat(struct ps_test_group_broker *group, struct ps_test_request *request, char *at);
char *ps_test_group_leave(struct ps_test_group_broker *group, struct ps_test_request *request, char *at);
char *ps_test_group_commit(struct ps_test_group_broker *group, struct ps_test_request *request, char *at);
char *ps_test_group_offsets(struct ps_test_group_broker *group, struct ps_test_request *request, char *at);
