/* The sender's transactions: events and the positions of their sources are committed together, or not at all.
 *
 *   filling     Leases are taken and sent. Reports of delivery do not settle events.
 *   closing     No lease is taken. The records that the sender holds are sent, and their reports are
 *               awaited.
 *   committing  The engine commits events and positions.
 *   resolving   The answer to a commit did not come. A new producer finds out how the commit ended.
 *
 * A commit settles the leases of the transaction, which then return to their channels. After any failure a new
 * producer with the same transactional id aborts the open transaction, and its leases are sent again.
 *
 * A transaction has all leases that the sender holds, or only the first of them (`end`): after one that was too slow
 * for its timeout, and after one that failed because of an event. The other leases are the next transaction's.
 * Thread: the sink's worker. */
#pragma once

#include "stages/lib/kafka/place.h"
#include "stages/lib/kafka/positions/positions.h"

struct ps_kafka_sender;

#define PS_KAFKA_TRANSACTIONAL_ID_BYTES 256U

/* Shared by all workers; const. */
struct ps_kafka_transaction_plan {
    /* NULL: no transactions. Each instance appends its own number, or the log's number */
    const char *id;
    /* If there is a place, the id is this text and the place's number instead: the next life of the agent has it, too.
     * NULL: no place is used. */
    const char *place_id;
    struct ps_kafka_place_plan place;
    uint64_t interval_ns; /* from the first lease to the commit, at most */
    uint64_t timeout_ns;  /* the cluster aborts a transaction of this age; 0: not known */
    /* the sink's share of memory: a transaction whose leases keep this much is committed early */
    uint64_t bytes_max;
    /* The positions of a channel on disk, or of a source of files, are records of this topic; NULL: positions are
     * offsets of the sources' groups. */
    const char *positions_topic;
    const struct ps_kafka_positions_ops *positions; /* how the topic is read */
};

enum ps_kafka_transaction_phase {
    PS_KAFKA_TRANSACTION_FILLING,
    PS_KAFKA_TRANSACTION_CLOSING,
    PS_KAFKA_TRANSACTION_COMMITTING,
    PS_KAFKA_TRANSACTION_RESOLVING,
};

/* A member (a hash of its id) that has lost the partitions of this generation and of those before it. */
struct ps_kafka_lost {
    uint64_t member;
    int32_t generation;
};
#define PS_KAFKA_LOST_MAX 64U

struct ps_kafka_transaction {
    char id[PS_KAFKA_TRANSACTIONAL_ID_BYTES];
    enum ps_kafka_transaction_phase phase;
    bool asked; /* resolving: a request for the outcome of the commit is in flight */
    /* a new producer is needed now, to abort the transaction, although nothing failed */
    bool renews;
    bool hurry; /* the agent stops, or the sink is recalled: commit without delay */
    bool open;  /* records were submitted since the last commit: the cluster may have an open transaction */
    /* until when a recall waits for the open transaction to be aborted; 0: it does not wait yet */
    uint64_t abort_until_ns;
    /* when the commit under way began; time of the last warning about this commit */
    uint64_t ending_ns, warned_ns;
    uint64_t begun_ns, taken_ns; /* when the first lease came, and the last */
    uint64_t memory_bytes;       /* of the leases */
    /* the transaction is committed early when memory_bytes reaches this number, or bytes_max if bytes_max is
     * less */
    uint64_t full_bytes;
    bool was_full;       /* the transaction that closes had reached full_bytes */
    uint32_t slow_count; /* number of full transactions in a row whose commits took much of the time */
    uint32_t fast_count; /* number of full transactions in a row whose commits took little of the time */
    uint32_t released;   /* number of the oldest leases that are committed and must be returned */
    /* The first held lease that the transaction does not have; NULL: it has all of them. Nothing of this lease, and of
     * those after it, is sent before the commit. */
    struct ps_lease *end;
    /* The lease whose event made a producer fail, until its own transaction begins. The leases before it are committed
     * without it, so that each attempt does not write them again. NULL: none */
    const struct ps_lease *suspect;
    /* Limit of the leases of a transaction, since one was too slow for its timeout; 0: none */
    uint32_t leases_max;
    struct ps_kafka_lost lost[PS_KAFKA_LOST_MAX]; /* the assignments lost last */
    uint32_t lost_count;
    /* The positions to commit: one for each partition, sorted by member and topic. Their texts are in the batches. */
    struct ps_kafka_position *positions;
    uint32_t count, room;
    uint32_t *index; /* places in `positions` + 1, by hash */
    uint32_t index_size;
    struct ps_kafka_keeping keeping; /* if plan->positions_topic is set */
    struct ps_kafka_place place;     /* if plan->place_id is set */
};

enum ps_status ps_kafka_transaction_open(struct ps_kafka_sender *sender, struct ps_err *err);
void ps_kafka_transaction_close(struct ps_kafka_sender *sender);

/* Returns the oldest held lease that is not committed; NULL: there is none. */
struct ps_lease *ps_kafka_transaction_first(const struct ps_kafka_sender *sender);
/* Returns whether the lease may be taken. */
bool ps_kafka_transaction_takes(struct ps_kafka_sender *sender, const struct ps_lease *lease);
void ps_kafka_transaction_took(struct ps_kafka_sender *sender, struct ps_lease *lease);
/* Called when records were reported as delivered. */
void ps_kafka_transaction_delivered(struct ps_kafka_sender *sender, const struct ps_kafka_report *report);
/* Called when the open transaction is given up, after a failure. `code`: of kafka/errors.h; 0: nothing failed. */
void ps_kafka_transaction_failed(struct ps_kafka_sender *sender, int code);
/* Closes and commits when it is time. Returns the time of the next call at the latest. */
uint64_t ps_kafka_transaction_tick(struct ps_kafka_sender *sender);
/* ps_kafka_listener.ended; `argument` is the sender. */
void ps_kafka_transaction_ended(void *argument, const struct ps_kafka_end *end);
/* Called when there is a new producer. Returns whether the leases may be sent again: only after the last commit is
 * resolved. */
bool ps_kafka_transaction_restarts(struct ps_kafka_sender *sender);
/* Called at each cycle of a recall. Returns whether the recall must wait: for a commit that may end soon, or that may
 * have been carried out. */
bool ps_kafka_transaction_holds_recall(struct ps_kafka_sender *sender, bool patient, uint64_t since_ns);
/* Called at each cycle of a recall, when all records are reported and the leases are about to be given back. Aborts the
 * open transaction by the present producer, if the sender has one. Returns whether the recall need not wait any longer:
 * nothing is open any more, or the time for it is over. */
bool ps_kafka_transaction_is_aborted(struct ps_kafka_sender *sender);
