/* A metastore of Hive: tables, partitions, transactions, locks. Written from hive_metastore.thrift of Hive 4. It knows what a client must not do
 * (write rows of a transaction before it has its lock, commit without one) and says so in world->broken. Transactions without a heartbeat for
 * 300 s are aborted. The files of tables are the agent's business; hive_rows reads them. */
#pragma once

#include "tests/world/peers/connections.h"
#include "tests/world/peers/hive/wire.h"

#define HIVE_PORT 9083 /* of the name `metastore` */
#define HIVE_TABLES_MAX 4
#define HIVE_PARTITIONS_MAX 64
#define HIVE_TXNS_MAX 24000
#define HIVE_RULES_MAX 16
#define HIVE_ROOM_BYTES ((size_t)512 << 10)

struct hive_table {
    char name[32];
    char columns[1024], keys[256]; /* "id:int,name:string" */
    char buckets[128];             /* columns, with commas */
    int bucket_count;
    int created_s;
    char parameters[512]; /* "orc.compress=NONE,.." */
    char location[128];
    char serde[128], serde_parameters[512]; /* of a table of text; "": it is ORC */
    char input[128], output[128];           /* formats */
    bool is_dropped;
    unsigned far_end;              /* of a drawn agent */
    bool statement, has_exclusive; /* a statement waits for the exclusive lock, or has it */
};

struct hive_partition {
    unsigned table;
    char name[2600], location[2700]; /* "day=mon/hour=1" */
};

enum hive_txn_state { HIVE_OPEN, HIVE_COMMITTED, HIVE_ABORTED };

struct hive_txn {
    enum hive_txn_state state;
    bool has_lock, is_waiting, has_write_id, has_partition;
    unsigned table;
    char directory[2800]; /* of the partition, or the table, on the world's disk */
    char name[2600];      /* of the partition */
    uint64_t heard_ns;
};

/* What happens to the next calls of a name. */
enum hive_fate {
    HIVE_REFUSE,      /* an exception: a field of the answer */
    HIVE_NOT_GRANTED, /* a lock */
    HIVE_BREAK,       /* carried out, and answered with an internal error */
    HIVE_CUT,         /* carried out; the connection ends without an answer */
    HIVE_LOSE,        /* not carried out, nor answered; the connection ends */
    HIVE_HANG,        /* not carried out, nor answered */
    HIVE_GARBAGE,     /* not carried out; the answer is no message of Thrift */
};

struct hive_rule {
    char call[40];
    enum hive_fate fate;
    int exception;
    uint64_t left;
};

struct hive_metastore {
    struct world_peer *peer;
    struct net_listener *listener;
    struct connections connections;
    int version;   /* of Hive; 2 has no write ids, 1 no get_table_req */
    bool is_drawn; /* the ledger gets the rows of each commit; servers may misbehave */
    unsigned table_count, partition_count, rule_count, txn_count, commit_count;
    struct hive_table tables[HIVE_TABLES_MAX];
    struct hive_partition partitions[HIVE_PARTITIONS_MAX];
    struct hive_rule rules[HIVE_RULES_MAX];
    struct hive_txn txns[HIVE_TXNS_MAX + 1]; /* by number, from 1; a write id is the transaction's */
    unsigned commits[HIVE_TXNS_MAX];         /* in their order */
    struct hive_call call;
};

/* Makes the metastore; it runs. */
struct hive_metastore *hive_add(void);
void hive_stop(struct hive_metastore *hive);
void hive_start(struct hive_metastore *hive);
/* Makes a transactional table of lines, below /w/hive. */
void hive_table_usual(struct hive_table *table, const char *name);
/* Returns the table of a name, or NULL. */
struct hive_table *hive_table_of(struct hive_metastore *hive, const char *name, size_t length);
/* Forgets partitions of a table: those whose names begin so. */
void hive_drop_partitions(struct hive_metastore *hive, const struct hive_table *table, const char *name);
void hive_abort_open(struct hive_metastore *hive);
/* Drops a partition, and makes it anew in another place. */
void hive_move_partition(struct hive_metastore *hive, const struct hive_table *table, const char *name,
                         const char *location);

/* ---- calls.c ---- */

/* Carries a call out and writes the fields of its answer. Returns false if this version does not have the call. */
bool hive_answer(struct hive_metastore *hive, struct hive_out *out);
void hive_put_exception(struct hive_out *out, int id, const char *text);
void hive_put_not_granted(struct hive_out *out, int64_t txn);
/* A transaction is over. */
void hive_abort(struct hive_txn *txn);
/* The directory of "file:/a" or "hdfs://host/a" on the world's disk. */
void hive_disk_path(const char *location, char *to, size_t room);

/* ---- table.c ---- */

void hive_put_table(struct hive_out *out, const struct hive_table *table);
/* A StorageDescriptor. */
void hive_put_storage(struct hive_out *out, const struct hive_table *table, const char *location);
/* Writes "day=mon/hour=1" of values, with the escapes of Hive's FileUtils. */
void hive_partition_name(const struct hive_table *table, const struct hive_text *values, size_t count,
                         char *to, size_t room);

/* ---- rows.c ---- */

/* Tells the ledger of the rows of a transaction. */
void hive_arrived(const struct hive_metastore *hive, unsigned txn);
/* Adds the rows of a table's committed transactions, in the order of the commits, to a text of malloc: "day=mon one\ttwo\n". */
void hive_rows(const struct hive_metastore *hive, const struct hive_table *table, char **text,
               size_t *length);
