/* What the files of stages/hive_sink/ share. Thread: the sink's worker. */
#pragma once

#include "core/engine/burial.h"
#include "stages/hadoop/loop.h"
#include "stages/hdfs_sink/events.h"
#include "stages/hdfs_sink/slots.h"
#include "stages/hive/metastore.h"
#include "stages/hive_sink/sink.h"
#include "stages/hive_sink/table.h"
#include "stages/orc/acid.h"
#include "stages/byte_buffer.h"
#include "stages/least.h"
#include "core/repeated.h"

#include <sys/queue.h>

#define PS_HIVE_TXNS_MAX 3U        /* of one partition at the same time: one takes events, the others end */
#define PS_HIVE_CHAINS 1024U       /* of the hash table of partitions */
#define PS_HIVE_VALUES_BYTES 2048U /* of a partition's values, each with a 0 behind it */

enum {
    PS_HIVE_PARTITIONS_OPEN = PS_COUNTER_extra + PS_HDFS_COUNTERS,
    PS_HIVE_TXNS_OPEN,
    PS_HIVE_TXNS_COMMITTED,
    PS_HIVE_TXNS_ABORTED,
};

/* ---- transactions (txn.c, commit.c) ---- */

struct ps_hive_file { /* of one bucket */
    struct ps_output output;
    struct ps_hive_txn *txn;
    struct ps_file_stream *stream; /* NULL: not begun yet, or it is being closed */
    struct ps_orc_acid *acid;      /* NULL: it has its last byte */
    struct ps_byte_buffer early;   /* its bytes until it may be begun */
};

enum ps_hive_txn_state {
    PS_HIVE_TXN_FILLS,
    PS_HIVE_TXN_ENDS,    /* its files are closed, its lock is awaited */
    PS_HIVE_TXN_COMMITS, /* asked, or to be asked again */
    PS_HIVE_TXN_DEAD,    /* failed: answers are awaited, and passed over */
};

struct ps_hive_txn {
    struct ps_hive_sink *sink;
    struct ps_hive_partition *partition; /* not of a dead one */
    TAILQ_ENTRY(ps_hive_txn) list;       /* the partition's, or the sink's dead ones */
    enum ps_hive_txn_state state;
    int64_t id, write_id, lock;
    bool is_locked; /* its files may be begun */
    bool follows;   /* the one before it: committed after that, without a look of its own (commit.c) */
    uint64_t lock_asked, commit_asked; /* which of the sink's `asks` it was; 0: not yet */
    uint64_t look;                     /* the number of the look at the table that the commit waits for */
    unsigned pending;                  /* answers of the file system and of the metastore */
    uint64_t first_ns, last_ns;        /* when events came */
    uint64_t asked_ns;                 /* the lock, for check_lock; the first commit */
    uint32_t tries;
    struct ps_hadoop_timer timer;  /* the lock, or the commit, is asked again */
    struct ps_hdfs_events written; /* in it */
    char *directory;
    uint32_t *used; /* buckets with a file */
    uint32_t used_count;
    struct ps_hive_file *files[]; /* by bucket; NULL: no row yet */
};

TAILQ_HEAD(ps_hive_txns, ps_hive_txn);

/* ---- partitions (partition.c) ---- */

enum ps_hive_partition_state {
    PS_HIVE_PARTITION_ASKED, /* a call is under way that finds it, makes it, or opens its transactions */
    PS_HIVE_PARTITION_READY, /* it has transactions that were not begun */
    PS_HIVE_PARTITION_EMPTY, /* none left: they are to be opened */
    PS_HIVE_PARTITION_RESTS, /* until rest_ns */
};

struct ps_hive_partition {
    struct ps_hive_sink *sink;
    struct ps_hive_partition *same_hash;
    TAILQ_ENTRY(ps_hive_partition) recent, attended;
    bool is_attended;
    enum ps_hive_partition_state state;
    bool is_found;     /* `directory` is known */
    bool is_closing;   /* it is let go of when its transactions have ended */
    bool is_opening;   /* the call that opens transactions is under way */
    uint32_t failures; /* in a row */
    struct ps_repeated trouble;
    uint64_t rest_ns, used_ns;
    struct ps_hdfs_events waiting;
    struct ps_hive_txns txns;
    uint32_t txn_count;
    bool heartbeats;            /* a heartbeat is under way */
    int64_t *ids;               /* transaction, write id, ..: of its batch */
    uint32_t id_next, id_count; /* pairs */
    int64_t *opened;            /* transactions without write ids yet */
    uint32_t opened_count;
    char *directory;   /* its path in the file system */
    uint64_t found_ns; /* when the metastore was asked for that */
    char *place;       /* of a plain table: directory and prefix of its files; NULL: not made yet */
    char *name;        /* "day=2026-11-21"; NULL: the table has no partitions */
    char *values[PS_HIVE_PARTITION_KEYS_MAX];
    uint32_t hash, key_length;
    char key[]; /* its values, each with a 0 behind it */
};

TAILQ_HEAD(ps_hive_partitions, ps_hive_partition);

/* ---- the sink (sink.c) ---- */

enum ps_hive_table_state { PS_HIVE_TABLE_UNKNOWN, PS_HIVE_TABLE_ASKED, PS_HIVE_TABLE_KNOWN };

struct ps_hive_sink {
    const struct ps_hive_settings *settings;
    struct ps_port *port;
    struct ps_now now;
    struct ps_hadoop_loop *loop;
    struct ps_metastore *metastore;
    enum ps_hive_table_state table_state;
    uint64_t table_rest_ns, table_asked_ns;
    uint32_t table_failures;
    struct ps_repeated table_trouble, flawed_batch; /* one that cannot be written */
    struct ps_hive_target table;
    struct ps_filesystem *filesystem; /* of the table's location; NULL: not known yet, or `files` has it */
    struct ps_hive_files *files;      /* of a plain table; NULL: not known yet, or it is transactional */
    char *url;                        /* of the file system */
    uint64_t orc_bytes;               /* of memory in ORC writers, at the last tick */
    struct ps_hive_rows *rows;
    struct ps_hdfs_slots held;
    bool refused; /* a lease waits: the last call of work returned PS_LATER */
    bool goes_on; /* something has come that it may have waited for (plain tables) */
    bool ends;    /* transactions end at once: a drain, or no memory for more events */
    struct ps_hdfs_pool pool;
    struct ps_hdfs_events flawed; /* become dead letters, the first one now */
    struct ps_burial burial;
    char refusal[512];                                    /* of the first of them */
    struct ps_hive_partition *found[PS_BATCH_EVENTS_MAX]; /* by position of the lease that is taken */
    uint64_t flawed_bits[PS_BATCH_EVENTS_MAX / 64];
    struct ps_escape_cache *caches; /* by partition key */
    struct ps_hive_partition *chains[PS_HIVE_CHAINS];
    struct ps_hive_partitions recent; /* that of the latest event first */
    /* Of a plain table, which may have many: those that rest, or go, and only these are looked at in each cycle. */
    struct ps_hive_partitions attended;
    uint32_t partition_count;
    struct ps_hive_txns dead;
    uint64_t asks; /* locks and commits that were asked for, which the metastore gets in this order */
    uint64_t looks_begun, looks_done; /* looks at the table, whether it is the same */
    bool looks;                       /* one is under way */
    bool look_is_wanted;              /* at look_ns */
    bool is_changed;                  /* the table is another one: nothing more is committed */
    uint32_t look_failures;           /* in a row */
    uint64_t look_ns, look_began_ns;  /* the next one; when the last one was asked */
    struct ps_byte_buffer aborts;     /* transactions for the next call */
    size_t aborting_count;            /* in the call that is under way */
    uint64_t heartbeat_ns, recall_ns;
};

static inline struct ps_lease *ps_hive_lease(const struct ps_hive_sink *sink, uint32_t event)
{
    return sink->held.leases[sink->pool.events[event].slot];
}

/* With database, table, user, host and agent. */
struct ps_hive_request ps_hive_request_of(const struct ps_hive_sink *sink);
/* Takes the metastore's answer over: type, format, file system, reader of rows. PS_FAIL: why it cannot write to this table. */
enum ps_status ps_hive_take_table(struct ps_hive_sink *sink, const struct ps_hive_table *table,
                                  struct ps_err *err);
/* aborts.c: asks for the aborts; only a recall waits for the answer. What is not heard of is aborted by Hive's time-out. */
void ps_hive_abort(struct ps_hive_sink *sink, const int64_t *txns, size_t count);
/* Transactions whose abort was not answered. */
size_t ps_hive_aborts_left(const struct ps_hive_sink *sink);

/* look.c: asks whether the table is the same; if not, the sink says that it has failed. */
void ps_hive_look(struct ps_hive_sink *sink);
/* A plain table: whether events may be written by what was seen last; if not, a look is under way, and `goes_on` says when it has ended. While
 * the metastore does not answer they may. */
bool ps_hive_look_is_fresh(struct ps_hive_sink *sink);
/* Begins a look that is due: after one that had no answer, and each minute at a plain table. Returns the mono_ns of the next one. */
uint64_t ps_hive_look_due(struct ps_hive_sink *sink);
/* The transaction has its lock: asks for the look that its commit waits for. */
void ps_hive_txn_look(struct ps_hive_txn *txn);
/* Whether it has its lock, and the table was seen behind that. */
bool ps_hive_txn_is_seen(const struct ps_hive_txn *txn);
/* A call failed that would be Flume's ConnectException: counts it. */
void ps_hive_count_failure(struct ps_hive_sink *sink, const struct ps_hive_answer *answer);

/* NULL: no memory. */
struct ps_hive_partition *ps_hive_partition_get(struct ps_hive_sink *sink, const char *key,
                                                uint32_t key_length);
/* A plain table: asks where it is, or makes it, unless that is known, and not too long ago. Returns whether it is known. */
bool ps_hive_partition_find(struct ps_hive_partition *partition);
/* Goes on with what can be done now: asks for what it needs, begins transactions, writes events. */
void ps_hive_partition_pump(struct ps_hive_partition *partition);
/* Ends transactions whose time has come. Returns the mono_ns of the next one. */
uint64_t ps_hive_partition_tick(struct ps_hive_partition *partition);
/* The same for those of a plain table, which have no transactions. */
uint64_t ps_hive_partitions_tick_plain(struct ps_hive_sink *sink);
/* With the partition's name and values. */
struct ps_hive_request ps_hive_partition_request_of(const struct ps_hive_partition *partition);
/* Something failed: logs it, gives its transactions that were not begun back, and rests. */
void ps_hive_partition_fail(struct ps_hive_partition *partition, const char *what, const char *reason);
/* Aborts what was not begun. */
void ps_hive_partition_drop_ids(struct ps_hive_partition *partition);
/* Frees one that has neither events nor transactions and waits for no answer. Returns whether it did. */
bool ps_hive_partition_release(struct ps_hive_partition *partition);
void ps_hive_partition_free(struct ps_hive_partition *partition);
void ps_hive_partition_heartbeat(struct ps_hive_partition *partition);

/* Begins the next transaction of the partition, which is ready. NULL: it has failed, which is dealt with. */
struct ps_hive_txn *ps_hive_txn_begin(struct ps_hive_partition *partition);
/* Writes the first event that waits. Returns false after it has failed the transaction. */
bool ps_hive_txn_write_next(struct ps_hive_txn *txn);
/* Completes its files, and commits it then. */
void ps_hive_txn_end(struct ps_hive_txn *txn);
/* Its events wait again, and the partition rests. `abort`: Hive is told. */
void ps_hive_txn_fail(struct ps_hive_txn *txn, bool abort, const char *what, const char *reason);
/* Its events are forgotten, because the leases go back. */
void ps_hive_txn_forget(struct ps_hive_txn *txn, bool abort);
void ps_hive_txn_free(struct ps_hive_txn *txn);
/* It has its lock: begins its files, with what they have already. Returns false: the transaction has failed, which is dealt with. */
bool ps_hive_txn_locked(struct ps_hive_txn *txn);
/* Returns whether it writes to a partition of this location; the partition may have been found elsewhere since the transaction began. */
bool ps_hive_txn_is_in(const struct ps_hive_txn *txn, struct ps_slice location);
/* Bytes of memory in its ORC writers, and of files that were not begun. */
uint64_t ps_hive_txn_held(const struct ps_hive_txn *txn);

/* commit.c: asks for its lock; commits it when it has that, and its files are complete. */
void ps_hive_txn_lock(struct ps_hive_txn *txn);
void ps_hive_txn_commit_if_complete(struct ps_hive_txn *txn);
/* The one before it has failed: it looks for itself. NULL is allowed. */
void ps_hive_txn_stop_following(struct ps_hive_txn *txn);
/* An answer has come: frees a dead one that waits for no other. Returns whether it is dead. */
bool ps_hive_txn_answered(struct ps_hive_txn *txn);

/* Out of its partition, and its files with it: dead. For the close of the sink. */
void ps_hive_txn_leave(struct ps_hive_txn *txn);

/* files.c: the files of a plain table. Takes the sink's file system over. NULL and the reason: no memory. */
struct ps_hive_files *ps_hive_files_open(struct ps_hive_sink *sink, struct ps_err *err);
void ps_hive_files_close(struct ps_hive_files *files);
/* As the functions of struct ps_sink_ops of the same names; `files` is known. */
enum ps_result ps_hive_files_work(struct ps_hive_files *files, struct ps_lease **lease);
uint64_t ps_hive_files_tick(struct ps_hive_files *files);
bool ps_hive_files_drain(struct ps_hive_files *files);
bool ps_hive_files_recall(struct ps_hive_files *files, struct ps_lease **back);

/* events.c */
/* The values of the event's partition, each with a 0 behind it. A 0 in a value ends it. Returns NULL, or what is wrong with the event, and
 * the cure. */
const char *ps_hive_key_of(struct ps_hive_sink *sink, const struct ps_lease *lease, uint32_t position,
                           char key[PS_HIVE_VALUES_BYTES], uint32_t *length);
bool ps_hive_sink_has_room(const struct ps_hive_sink *sink);
enum ps_result ps_hive_sink_take(struct ps_hive_sink *sink, struct ps_lease **lease,
                                 const struct ps_now *now);
/* Goes on with the dead letters. Returns whether some are still to be written. */
bool ps_hive_bury(struct ps_hive_sink *sink);
/* The first event that waits is no row: it becomes a dead letter, or is dropped as Flume does. */
void ps_hive_refuse_next(struct ps_hive_sink *sink, struct ps_hdfs_events *waiting, const char *reason);
