/* Finds the events that a Flume file channel still has, by replaying its records in the order in which they were written,
 * as Flume does when it starts. Does not access files. Thread: the owner's. */
#pragma once

#include "stages/lib/flume_log/checkpoint.h"
#include "stages/lib/flume_log/numbers.h"
#include "stages/lib/flume_log/record.h"

struct ps_flume_transaction;

struct ps_flume_replay {
    uint64_t *queue; /* pointers in the order of their commits; 0: taken */
    size_t count, room;
    /* The places of the queue before `head` are free, for events that a transaction gives back. */
    size_t head;
    struct ps_number_map places; /* pointer -> index in the queue */
    /* Pointers of events whose take was replayed before their put, or before the rollback that gives them back. */
    struct ps_number_map taken_early;
    struct ps_flume_transaction *transactions;
    size_t transaction_count, transaction_room;
    struct ps_number_map open; /* transaction -> its index */
    uint64_t after;            /* the checkpoint has the records up to this order */
    uint64_t damages;          /* number of records that could not be read */
    /* Results: */
    uint64_t puts, takes, commits, rollbacks;
    uint64_t uncommitted; /* events of uncommitted transactions: not in the queue */
    uint64_t uncertain;   /* events whose commit may be among the unreadable records: in the queue */
};

/* Begins a replay of a zeroed structure. `checkpoint` NULL: the whole logs are replayed. */
void ps_flume_replay_begin(struct ps_flume_replay *replay, const struct ps_flume_checkpoint *checkpoint);
/* Replays a record. Call it in the order of the records' numbers. `pointer`: the place of the record. */
void ps_flume_replay_record(struct ps_flume_replay *replay, const struct ps_flume_record *record,
                            uint64_t pointer);
/* Notes that a record could not be read: it may have been the end of any open transaction. */
void ps_flume_replay_damage(struct ps_flume_replay *replay);
/* Ends the replay: the queue is complete. */
void ps_flume_replay_end(struct ps_flume_replay *replay);
/* Returns the next pointer at or after index *at, and moves *at past it; 0 if there is none. */
uint64_t ps_flume_replay_next(const struct ps_flume_replay *replay, size_t *at);
void ps_flume_replay_fini(struct ps_flume_replay *replay);
