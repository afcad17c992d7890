/* Which events a Flume file channel still has: the queue of pointers that is left when its records are carried out in the
 * order in which they were written, as Flume does when it starts. Knows no files. Thread: the owner's. */
#pragma once

#include "stages/flume_log/checkpoint.h"
#include "stages/flume_log/numbers.h"
#include "stages/flume_log/record.h"

struct ps_flume_transaction;

struct ps_flume_replay {
    uint64_t *queue; /* pointers in the order of their commits; 0: taken */
    size_t count, room;
    size_t head;                      /* slots before it are free, for events that a transaction gives back */
    struct ps_number_map places;      /* pointer -> place in the queue */
    struct ps_number_map taken_early; /* taken before its put, or before what gave it back, was seen */
    struct ps_flume_transaction *transactions;
    size_t transaction_count, transaction_room;
    struct ps_number_map open; /* transaction -> its place */
    uint64_t after;            /* records up to this order are in the checkpoint */
    uint64_t damages;          /* records that could not be read */
    /* What was found. */
    uint64_t puts, takes, commits, rollbacks;
    uint64_t uncommitted; /* events that were put and not committed: not in the queue */
    uint64_t
        uncertain; /* the same, but the commit may be among the records that could not be read: in the queue */
};

/* `checkpoint` may be NULL: then the logs are everything that is known. A zeroed replay is ready. */
void ps_flume_replay_begin(struct ps_flume_replay *replay, const struct ps_flume_checkpoint *checkpoint);
/* Records are to come in the order of their numbers. `pointer` is the record's own. */
void ps_flume_replay_record(struct ps_flume_replay *replay, const struct ps_flume_record *record,
                            uint64_t pointer);
/* A record could not be read: it may have been the end of any open transaction. */
void ps_flume_replay_damage(struct ps_flume_replay *replay);
/* No more records: the queue is complete. */
void ps_flume_replay_end(struct ps_flume_replay *replay);
/* Returns the next pointer at *at or behind it and moves *at behind it; 0: there is none. */
uint64_t ps_flume_replay_next(const struct ps_flume_replay *replay, size_t *at);
void ps_flume_replay_fini(struct ps_flume_replay *replay);
