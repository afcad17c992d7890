/* Calls of Hive's metastore, in Thrift's binary encoding, and their answers (hive_metastore.thrift of Hive 1 to 4). Nothing here
 * keeps state. Thread: any. */
#pragma once

#include "stages/thrift/protocol.h"

#define PS_HIVE_REASON_BYTES 384U

enum ps_hive_call {
    PS_HIVE_GET_TABLE,     /* get_table_req: Hive 2.3 and later */
    PS_HIVE_GET_TABLE_OLD, /* get_table: until Hive 3 */
    PS_HIVE_OPEN_TXNS,
    PS_HIVE_COMMIT_TXN,
    PS_HIVE_ABORT_TXNS,
    PS_HIVE_HEARTBEAT_TXN_RANGE,
    PS_HIVE_ALLOCATE_TABLE_WRITE_IDS, /* since Hive 3 */
    PS_HIVE_LOCK,
    PS_HIVE_CHECK_LOCK,
    PS_HIVE_UNLOCK,
    PS_HIVE_SHOW_LOCKS,
    PS_HIVE_ADD_DYNAMIC_PARTITIONS,
    PS_HIVE_APPEND_PARTITION,
    PS_HIVE_GET_PARTITION,
    PS_HIVE_CALLS
};

/* Names of the calls on the wire. */
extern const char *const ps_hive_call_names[PS_HIVE_CALLS];

/* What a call takes; each uses some of it. */
struct ps_hive_request {
    const char *database, *table;
    const char *user, *host, *agent; /* open_txns, lock; the agent's text says who holds it */
    const char *partition;           /* "day=1/hour=2": lock, add_dynamic_partitions; NULL: the whole table */
    const char *const *values;       /* append_partition, get_partition: the partition's */
    size_t value_count;
    int32_t txn_count; /* open_txns: how many */
    int64_t txn, lock, write_id;
    int64_t elapsed_ms;       /* check_lock: since lock */
    int64_t txn_min, txn_max; /* heartbeat_txn_range */
    const int64_t *txns;      /* abort_txns, allocate_table_write_ids */
    size_t txns_count;
    bool has_write_ids; /* add_dynamic_partitions: Hive 3 and later */
};

/* The most bytes that the call takes. */
size_t ps_hive_request_room(const struct ps_hive_request *request);
/* Writes the message. Returns its length. */
size_t ps_hive_request_write(enum ps_hive_call call, const struct ps_hive_request *request, uint32_t number,
                             uint8_t *to);

enum ps_hive_error {
    PS_HIVE_OK,
    PS_HIVE_MISSING,     /* no such table, database, partition */
    PS_HIVE_EXISTS,      /* somebody else made it: as good as done */
    PS_HIVE_TXN_GONE,    /* the transaction, or the lock, was aborted or is not known */
    PS_HIVE_REFUSED,     /* the metastore says why */
    PS_HIVE_NO_CALL,     /* this version has no such call */
    PS_HIVE_UNREACHABLE, /* no connection, or it was lost before the answer: it may have taken effect */
    PS_HIVE_TIMEOUT,     /* no answer in time: it may have taken effect, or take effect yet */
    PS_HIVE_GARBAGE,     /* that is no answer of a metastore */
};

enum ps_hive_lock_state {
    PS_HIVE_LOCK_ACQUIRED = 1,
    PS_HIVE_LOCK_WAITING = 2,
    PS_HIVE_LOCK_ABORT = 3,
    PS_HIVE_LOCK_NOT_ACQUIRED = 4,
};

/* A lock of a table, or of a partition of it; texts point into the message. */
struct ps_hive_lock_holder {
    bool is_there;
    bool is_acquired;
    int64_t txn;         /* 0: of no transaction */
    int64_t acquired_ms; /* since 1970; 0: not said */
    struct ps_slice user, host, agent;
};

struct ps_hive_pair { /* a column and its type, or a parameter and its value */
    struct ps_slice name, value;
};

struct ps_hive_pairs {
    struct ps_hive_pair *all;
    size_t count;
};

/* A table, or (location alone) a partition. */
struct ps_hive_table {
    struct ps_slice location, input_format, output_format, serde, table_type;
    int32_t bucket_count;         /* below 1: none */
    int32_t created_s;            /* since 1970 */
    int64_t id;                   /* 0: Hive does not say (before 4.0) */
    struct ps_hive_pairs columns; /* without those of partitions */
    struct ps_hive_pairs partition_keys;
    struct ps_hive_pairs bucket_columns; /* names alone */
    struct ps_hive_pairs parameters, serde_parameters;
};

/* Its slices point into the message. */
struct ps_hive_answer {
    enum ps_hive_error error;
    char reason[PS_HIVE_REASON_BYTES]; /* of an error: one line; else "" */
    int64_t *
        numbers; /* open_txns: ids; allocate_table_write_ids: transaction, write id, ..; heartbeat: what is lost */
    size_t number_count;
    int64_t lock;
    enum ps_hive_lock_state lock_state;
    struct ps_hive_lock_holder
        exclusive; /* show_locks: the exclusive one that is held, or else one that waits */
    struct ps_hive_lock_holder
        shared;                 /* show_locks: of those that are held the one of the oldest transaction */
    struct ps_hive_table table; /* get_table; get_partition and append_partition: its location */
};

/* Reads a whole message: the answer to this call with this number. Whatever it says, ps_hive_answer_free it. */
void ps_hive_answer_read(enum ps_hive_call call, uint32_t number, const uint8_t *bytes, size_t length,
                         struct ps_hive_answer *answer);
void ps_hive_answer_free(struct ps_hive_answer *answer);

/* The value of a parameter; length 0: not set. */
struct ps_slice ps_hive_pairs_find(const struct ps_hive_pairs *pairs, const char *name);
