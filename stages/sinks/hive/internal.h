/* Types and functions that only the files of stages/sinks/hive/ share. Thread: the sink's worker. */
#pragma once

#include "core/flow/held_group.h"
#include "core/sink/deadletter_pending.h"
#include "core/sink/finish_held.h"
#include "stages/lib/hadoop/loop.h"
#include "stages/lib/hive/metastore.h"
#include "stages/sinks/hive/sink.h"
#include "stages/sinks/hive/table.h"
#include "stages/lib/orc/acid.h"
#include "stages/lib/byte_buffer.h"
#include "stages/lib/least.h"
#include "core/log/backoff.h"

#include <sys/queue.h>

#define PS_HIVE_TXNS_MAX 3U        /* transactions of one partition: one takes events, the others end */
#define PS_HIVE_CHAINS 1024U       /* in the hash table of partitions */
#define PS_HIVE_VALUES_BYTES 2048U /* of a partition's values, each followed by a 0 */

enum {
    PS_HIVE_PARTITIONS_OPEN = PS_COUNTER_extra + PS_BUCKET_COUNTERS,
    PS_HIVE_TXNS_OPEN,
    PS_HIVE_TXNS_COMMITTED,
    PS_HIVE_TXNS_ABORTED,
};

/* ---- transactions (txn.c, commit.c) ---- */

struct ps_hive_file { /* file of one bucket */
    struct ps_output output;
    struct ps_hive_txn *txn;
    struct ps_file_stream *stream; /* NULL: not begun yet, or being closed */
    struct ps_orc_acid *acid;      /* NULL: all its bytes are written */
    struct ps_byte_buffer early;   /* bytes that are kept until the file may be begun */
};

enum ps_hive_txn_state {
    PS_HIVE_TXN_FILLS,
    PS_HIVE_TXN_ENDS,    /* its files are being closed, and its lock is awaited */
    PS_HIVE_TXN_COMMITS, /* the commit was requested, or will be again */
    PS_HIVE_TXN_DEAD,    /* the transaction has failed: answers that still come are ignored */
};

struct ps_hive_txn {
    struct ps_hive_sink *sink;
    struct ps_hive_partition *partition; /* not set in state DEAD */
    TAILQ_ENTRY(ps_hive_txn) list;       /* in the partition's list, or in the sink's list `dead` */
    enum ps_hive_txn_state state;
    int64_t id, write_id, lock;
    bool is_locked; /* the transaction has its lock, so its files may be begun */
    /* The transaction is committed after the previous one, without its own check of the table (commit.c). */
    bool follows;
    /* Positions of the lock request and the commit request in the order of the sink's requests (`asks`); 0: not
     * requested. */
    uint64_t lock_asked, commit_asked;
    uint64_t look;              /* number of the look at the table that the commit waits for */
    unsigned pending;           /* outstanding answers of the file system and of the metastore */
    uint64_t first_ns, last_ns; /* when the first and the last event came */
    uint64_t asked_ns;          /* when the lock (for check_lock) or the first commit was requested */
    uint32_t tries;
    uint32_t
        commit_errors; /* commits that were answered with an error that does not say what became of them */
    struct ps_hadoop_timer timer; /* repeats the request for the lock or the commit */
    struct ps_held_group written; /* the transaction's events, which are settled at its commit */
    char *directory;
    uint32_t *used; /* numbers of the buckets that have a file */
    uint32_t used_count;
    struct ps_hive_file *files[]; /* by bucket; NULL: no row yet */
};

TAILQ_HEAD(ps_hive_txns, ps_hive_txn);

/* ---- partitions (partition.c) ---- */

enum ps_hive_partition_state {
    PS_HIVE_PARTITION_ASKED, /* a call that finds or creates the partition, or opens transactions, is in flight */
    PS_HIVE_PARTITION_READY, /* the partition has transactions that were not begun */
    PS_HIVE_PARTITION_EMPTY, /* the partition has no transactions left, and needs new ones */
    PS_HIVE_PARTITION_RESTS, /* waits until rest_ns */
};

struct ps_hive_partition {
    struct ps_hive_sink *sink;
    struct ps_hive_partition *same_hash;
    TAILQ_ENTRY(ps_hive_partition) recent, attended;
    bool is_attended;
    enum ps_hive_partition_state state;
    bool is_found;     /* `directory` is known */
    bool is_closing;   /* the partition is freed when its transactions have ended */
    bool is_opening;   /* the call that opens transactions is in flight */
    uint32_t failures; /* number of failures in a row */
    struct ps_log_backoff trouble;
    uint64_t rest_ns, used_ns;
    struct ps_held_group waiting;
    struct ps_hive_txns txns;
    uint32_t txn_count;
    bool heartbeats;            /* a heartbeat is in flight */
    int64_t *ids;               /* transaction, write id, ..: of its batch */
    uint32_t id_next, id_count; /* counted in pairs */
    int64_t *opened;            /* transactions that have no write ids yet */
    uint32_t opened_count;
    char *directory;   /* path of the partition in the file system */
    uint64_t found_ns; /* when the metastore was asked for the directory */
    char *bucket_path; /* of a plain table: directory and prefix of its files; NULL: not made yet */
    char *name;        /* "day=2026-11-21"; NULL: the table has no partitions */
    char *values[PS_HIVE_PARTITION_KEYS_MAX];
    uint32_t hash, key_length;
    char key[]; /* the partition's values, each followed by a byte 0 */
};

TAILQ_HEAD(ps_hive_partitions, ps_hive_partition);

/* ---- the sink (sink.c) ---- */

enum ps_hive_table_state { PS_HIVE_TABLE_UNKNOWN, PS_HIVE_TABLE_ASKED, PS_HIVE_TABLE_KNOWN };

/* The request for the table, until the table is known. */
struct ps_hive_asking {
    enum ps_hive_table_state state;
    uint64_t rest_ns, asked_ns;
    uint32_t failures;
    struct ps_log_backoff trouble;
};

/* Events that cannot be written: events.c finds them, dead_letters.c makes them dead letters. */
struct ps_hive_flaws {
    struct ps_held_group events; /* events that become dead letters, in order */
    struct ps_deadletter_pending letters;
    char reason[512];                        /* why the first of the events cannot be written */
    uint64_t bits[PS_BATCH_EVENTS_MAX / 64]; /* by position in the lease that is being taken */
    struct ps_log_backoff batch;             /* a whole batch */
};

/* The looks: checks that the table is still the same (look.c). */
struct ps_hive_looks {
    uint64_t begun, done; /* numbers of the looks that were begun and finished */
    bool under_way;
    bool is_wanted; /* another look begins at next_ns */
    /* the table was replaced or changed: no transaction is committed any longer */
    bool is_changed;
    uint32_t failures;          /* in a row */
    uint64_t next_ns, began_ns; /* when the next look begins; when the last look began */
};

/* Transactions to be aborted: aborts.c. */
struct ps_hive_aborts {
    struct ps_byte_buffer waiting; /* numbers of transactions, for the next call */
    size_t under_way;              /* transactions in the call in flight */
};

struct ps_hive_sink {
    const struct ps_hive_settings *settings;
    struct ps_port *port;
    struct ps_now now;
    struct ps_hadoop_loop *loop;
    struct ps_metastore *metastore;
    struct ps_hive_asking asking;
    struct ps_hive_target table;
    struct ps_filesystem *filesystem; /* of the table's location; NULL: not known yet, or owned by `files` */
    /* Only for a plain table; NULL: not known yet, or the table is transactional. */
    struct ps_hive_files *files;
    char *url;          /* of the file system */
    uint64_t orc_bytes; /* memory of the ORC writers at the last tick */
    struct ps_hive_rows *rows;
    struct ps_held held;
    bool refused; /* a lease waits: the last call of `work` returned PS_LATER */
    bool goes_on; /* the lease that waits must be tried again (plain tables) */
    /* transactions end immediately, for a drain or because there is no memory for more events */
    bool ends;
    struct ps_held_pool pool;
    struct ps_hive_flaws flaws;
    struct ps_hive_partition *found[PS_BATCH_EVENTS_MAX]; /* by position in the lease that is being taken */
    struct ps_escape_cache *caches;                       /* by partition key */
    struct ps_hive_partition *chains[PS_HIVE_CHAINS];
    struct ps_hive_partitions recent; /* sorted by their last event, latest first */
    /* The partitions of a plain table that back off or are closing. Each cycle handles only these, because there may
     * be many partitions. */
    struct ps_hive_partitions attended;
    uint32_t partition_count;
    struct ps_hive_txns dead;
    uint64_t asks; /* number of requested locks and commits; the metastore gets them in this order */
    struct ps_hive_looks look;
    struct ps_hive_aborts aborts;
    uint64_t heartbeat_ns, recall_ns;
};

/* request.c: returns a request with database, table, user, host and agent. */
struct ps_hive_request ps_hive_request_of(const struct ps_hive_sink *sink);
/* Takes over the metastore's answer: type, format, file system, reader of rows. Returns PS_FAIL with the reason if the sink
 * cannot write to this table. */
enum ps_status ps_hive_take_table(struct ps_hive_sink *sink, const struct ps_hive_table *table,
                                  struct ps_err *err);
/* aborts.c: requests aborts. Only a recall waits for the answer. If an abort is lost, Hive's time-out aborts the transaction. */
void ps_hive_abort(struct ps_hive_sink *sink, const int64_t *txns, size_t count);
/* Returns the number of transactions whose abort was not answered. */
size_t ps_hive_aborts_left(const struct ps_hive_sink *sink);

/* For a plain table: returns whether the last look is recent enough to write events. If not, a look is in flight, and
 * sets `goes_on` when it ends. Also returns true while the metastore does not answer. */
bool ps_hive_look_is_fresh(struct ps_hive_sink *sink);
/* Begins a look that is due: after a look that was not answered, and each minute for a plain table. Returns the
 * mono_ns of the next look. */
uint64_t ps_hive_look_due(struct ps_hive_sink *sink);
/* Requests the look that the commit waits for. Called when the transaction has its lock. */
void ps_hive_txn_look(struct ps_hive_txn *txn);
/* Returns whether the transaction has its lock, and a look at the table that began after it got the lock has
 * succeeded. */
bool ps_hive_txn_is_seen(const struct ps_hive_txn *txn);
/* Counts a failed call if it would be a ConnectException in Flume. */
void ps_hive_count_failure(struct ps_hive_sink *sink, const struct ps_hive_answer *answer);

/* Finds or adds a partition. Returns NULL if there is no memory. */
struct ps_hive_partition *ps_hive_partition_get(struct ps_hive_sink *sink, const char *key,
                                                uint32_t key_length);
/* For a plain table: returns whether the partition's directory is known. If it is not, or was found too long ago,
 * asks the metastore for the directory, or creates the partition. */
bool ps_hive_partition_find(struct ps_hive_partition *partition);
/* Does what is possible now: requests what the partition needs, begins transactions, writes events. */
void ps_hive_partition_pump(struct ps_hive_partition *partition);
/* Ends transactions that are due. Returns the mono_ns of the next one. */
uint64_t ps_hive_partition_tick(struct ps_hive_partition *partition);
/* Does the timed work for the partitions of a plain table, which have no transactions. */
uint64_t ps_hive_partitions_tick_plain(struct ps_hive_sink *sink);
/* Returns a request with the partition's name and values. */
struct ps_hive_request ps_hive_partition_request_of(const struct ps_hive_partition *partition);
/* Handles a failure: logs it, aborts transactions that were not begun, and backs off. */
void ps_hive_partition_fail(struct ps_hive_partition *partition, const char *what, const char *reason);
/* Aborts transactions that were not begun. */
void ps_hive_partition_drop_ids(struct ps_hive_partition *partition);
/* Frees the partition if it has neither events nor transactions and waits for no answer. Returns whether the
 * partition was freed. */
bool ps_hive_partition_release(struct ps_hive_partition *partition);
void ps_hive_partition_free(struct ps_hive_partition *partition);
void ps_hive_partition_heartbeat(struct ps_hive_partition *partition);

/* Begins the next transaction of a ready partition. Returns NULL if the transaction has failed; the failure was
 * handled then. */
struct ps_hive_txn *ps_hive_txn_begin(struct ps_hive_partition *partition);
/* Writes the first waiting event. Returns false if that failed; the transaction has failed then. */
bool ps_hive_txn_write_next(struct ps_hive_txn *txn);
/* Completes the transaction's files; afterwards the transaction is committed. */
void ps_hive_txn_end(struct ps_hive_txn *txn);
/* Makes the transaction's events wait again, and the partition rest. `abort`: aborts the transaction in Hive. */
void ps_hive_txn_fail(struct ps_hive_txn *txn, bool abort, const char *what, const char *reason);
/* Forgets the transaction's events, because the leases go back. */
void ps_hive_txn_forget(struct ps_hive_txn *txn, bool abort);
void ps_hive_txn_free(struct ps_hive_txn *txn);
/* Begins the files when the transaction has its lock, with the bytes that were kept. Returns false if the
 * transaction has failed; the failure was handled then. */
bool ps_hive_txn_locked(struct ps_hive_txn *txn);
/* Returns whether the transaction writes to a partition at this location; the partition may have moved since the transaction began. */
bool ps_hive_txn_is_in(const struct ps_hive_txn *txn, struct ps_slice location);
/* Returns the memory of the transaction's ORC writers, and of its files that were not begun, in bytes. */
uint64_t ps_hive_txn_held(const struct ps_hive_txn *txn);

/* commit.c: request the transaction's lock, and commit the transaction when it has the lock and its files are
 * complete. */
void ps_hive_txn_lock(struct ps_hive_txn *txn);
void ps_hive_txn_commit_if_complete(struct ps_hive_txn *txn);
/* Makes the transaction request a look of its own, because the previous transaction has failed. NULL is allowed. */
void ps_hive_txn_stop_following(struct ps_hive_txn *txn);
/* Counts an answer; frees a dead transaction after its last answer. Returns whether the transaction is dead. */
bool ps_hive_txn_answered(struct ps_hive_txn *txn);

/* Makes the transaction dead: takes it out of its partition, frees the structures of its files and abandons their streams. Outside of
 * txn.c called only when the sink closes. */
void ps_hive_txn_leave(struct ps_hive_txn *txn);

/* files.c: the files of a plain table. Takes over the sink's file system. Returns NULL with the reason if there is no memory. */
struct ps_hive_files *ps_hive_files_open(struct ps_hive_sink *sink, struct ps_err *err);
void ps_hive_files_close(struct ps_hive_files *files);
/* Like the functions of struct ps_sink_ops of the same names; for a known `files`. */
enum ps_result ps_hive_files_work(struct ps_hive_files *files, struct ps_lease **lease);
uint64_t ps_hive_files_tick(struct ps_hive_files *files);
bool ps_hive_files_drain(struct ps_hive_files *files);
bool ps_hive_files_recall(struct ps_hive_files *files, struct ps_lease **back);

/* partition_key.c: writes the values of the event's partition, each followed by a byte 0. Returns NULL, or a text with what is wrong
 * with the event and the cure; a value that contains a byte 0 is refused. */
const char *ps_hive_key_of(struct ps_hive_sink *sink, const struct ps_lease *lease, uint32_t position,
                           char key[PS_HIVE_VALUES_BYTES], uint32_t *length);

/* events.c */
bool ps_hive_sink_has_room(const struct ps_hive_sink *sink);
enum ps_result ps_hive_sink_take(struct ps_hive_sink *sink, struct ps_lease **lease,
                                 const struct ps_now *now);

/* dead_letters.c */
/* Continues writing dead letters; flaws.events are those that are still to be written. */
void ps_hive_write_dead_letters(struct ps_hive_sink *sink);
/* Handles a first waiting event that is not a row: makes it a dead letter, or drops it as Flume does. */
void ps_hive_refuse_next(struct ps_hive_sink *sink, struct ps_held_group *waiting, const char *reason);
