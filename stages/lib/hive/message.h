/* Encodes calls of Hive's metastore in Thrift's binary encoding, and decodes their answers (hive_metastore.thrift of Hive 1 to
 * 4). No state. Thread: any. */
#pragma once

#include "stages/lib/thrift/protocol.h"

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
    PS_HIVE_ABORT_TXN, /* says whether the transaction was committed, unlike abort_txns */
    PS_HIVE_CALLS
};

/* Names of the calls on the wire. */
extern const char *const ps_hive_call_names[PS_HIVE_CALLS];

/* The arguments of calls; each call uses some of them. */
struct ps_hive_request {
    const char *database, *table;
    const char *user, *host, *agent; /* open_txns, lock; `agent` names the holder of the lock */
    const char *partition;           /* "day=1/hour=2": lock, add_dynamic_partitions; NULL: the whole table */
    const char *const *values;       /* append_partition, get_partition: the partition's values */
    size_t value_count;
    int32_t txn_count; /* open_txns: number of transactions */
    int64_t txn, lock, write_id;
    int64_t elapsed_ms;       /* check_lock: time since the lock was requested */
    int64_t txn_min, txn_max; /* heartbeat_txn_range */
    const int64_t *txns;      /* abort_txns, allocate_table_write_ids */
    size_t txns_count;
    bool has_write_ids; /* add_dynamic_partitions: Hive 3 and later */
};

/* Returns an upper limit of the call's length in bytes. */
size_t ps_hive_request_room(const struct ps_hive_request *request);
/* Writes the message. Returns its length in bytes. */
size_t ps_hive_request_write(enum ps_hive_call call, const struct ps_hive_request *request, uint32_t number,
                             uint8_t *to);

enum ps_hive_error {
    PS_HIVE_OK,
    PS_HIVE_MISSING,       /* the table, database or partition does not exist */
    PS_HIVE_EXISTS,        /* another client has created the partition, which counts as success */
    PS_HIVE_TXN_GONE,      /* the transaction or lock was aborted or is not known */
    PS_HIVE_TXN_COMMITTED, /* abort_txn: it cannot be aborted any more */
    PS_HIVE_REFUSED,       /* the metastore's reason is in `reason` */
    PS_HIVE_NO_CALL,       /* this version does not have the call */
    /* there is no connection, or it was lost before the answer: the call may have taken effect */
    PS_HIVE_UNREACHABLE,
    PS_HIVE_TIMEOUT, /* no answer in time: the call may have taken effect, or still take effect */
    PS_HIVE_GARBAGE, /* the answer is not that of a metastore */
};

enum ps_hive_lock_state {
    PS_HIVE_LOCK_ACQUIRED = 1,
    PS_HIVE_LOCK_WAITING = 2,
    PS_HIVE_LOCK_ABORT = 3,
    PS_HIVE_LOCK_NOT_ACQUIRED = 4,
};

/* A lock of a table or partition; texts point into the message. */
struct ps_hive_lock_holder {
    bool is_there;
    bool is_acquired;
    int64_t txn;         /* 0: without a transaction */
    int64_t acquired_ms; /* since 1970; 0: not given */
    struct ps_slice user, host, agent;
};

struct ps_hive_pair { /* a column and its type, or a parameter and its value */
    struct ps_slice name, value;
};

struct ps_hive_pairs {
    struct ps_hive_pair *all;
    size_t count;
};

/* A table, or a partition, of which only the location is set. */
struct ps_hive_table {
    struct ps_slice location, input_format, output_format, serde, table_type;
    int32_t bucket_count;         /* below 1: not bucketed */
    int32_t created_s;            /* since 1970 */
    int64_t id;                   /* 0: not given (before Hive 4.0) */
    struct ps_hive_pairs columns; /* without partition keys */
    struct ps_hive_pairs partition_keys;
    struct ps_hive_pairs bucket_columns; /* only names */
    struct ps_hive_pairs parameters, serde_parameters;
};

/* A decoded answer. Its slices point into the message. */
struct ps_hive_answer {
    enum ps_hive_error error;
    char reason[PS_HIVE_REASON_BYTES]; /* one line for an error; else "" */
    int64_t *
        numbers; /* open_txns: ids; allocate_table_write_ids: transaction, write id, ..; heartbeat: lost transactions */
    size_t number_count;
    int64_t lock;
    enum ps_hive_lock_state lock_state;
    struct ps_hive_lock_holder
        exclusive; /* show_locks: the exclusive lock that is held, or else one that waits */
    struct ps_hive_lock_holder shared; /* show_locks: the held shared lock of the oldest transaction */
    struct ps_hive_table table;        /* get_table; get_partition and append_partition: only the location */
};

/* Reads a complete message as the answer to call number `number`. The caller always frees the answer with
 * ps_hive_answer_free. */
void ps_hive_answer_read(enum ps_hive_call call, uint32_t number, const uint8_t *bytes, size_t length,
                         struct ps_hive_answer *answer);
void ps_hive_answer_free(struct ps_hive_answer *answer);

/* Returns the value of a parameter; length 0: not set. */
struct ps_slice ps_hive_pairs_find(const struct ps_hive_pairs *pairs, const char *name);
