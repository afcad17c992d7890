/* A metastore of Hive on a thread of the test: one table, its partitions, and transactions. */
#pragma once

#include "tests/support/echo.h"
#include "tests/support/stage.h"

struct ps_test_metastore_table {
    const char *location;       /* folder of its files, on the local disk */
    const char *columns;        /* "id:int,name:string" */
    const char *keys;           /* of partitions: "day:string"; "": none */
    const char *bucket_columns; /* "id" */
    int bucket_count;
    int created_s;                /* since 1970 */
    const char *parameters;       /* more of them: "orc.compress=NONE" */
    const char *serde;            /* of a table of text; NULL: it is ORC */
    const char *serde_parameters; /* "field.delim=;" */
};

void ps_test_metastore_start(void);
void ps_test_metastore_stop(void);
const char *ps_test_metastore_url(void);

/* Sets the table default.t, and nothing else: earlier state is forgotten. The texts must live as long as the server
 * answers. */
void ps_test_metastore_set_table(const struct ps_test_metastore_table *table);

/* Alters the table, or replaces it by another one of its name. NULL: drops it with its partitions. */
void ps_test_metastore_alter_table(const struct ps_test_metastore_table *table);
/* Drops all partitions. New ones are in `folder`; NULL: in the table's. The text must live as long as the server
 * answers. */
void ps_test_metastore_drop_partitions(const char *folder);

/* DOWN: connections are closed. SLOW: each answer comes 20 ms later. */
void ps_test_metastore_set(enum ps_test_far_end state);
/* The next calls of this name (NULL: of any) are answered by an exception, as for an aborted transaction. */
void ps_test_metastore_refuse(const char *call, unsigned count);
/* The same with the exception of this field of the answer (hive_metastore.thrift); 0: with a lock that is not granted. */
void ps_test_metastore_refuse_by(const char *call, unsigned count, int16_t exception);
/* The next calls of this name take effect, and the connection is closed in place of an answer. */
void ps_test_metastore_cut(const char *call, unsigned count);
/* All transactions that are open are aborted, as Hive does after its time-out. */
void ps_test_metastore_abort_open(void);
/* Locks of this and of later transactions are answered as waiting `looks` times in total before they are granted. */
void ps_test_metastore_hold_locks(int64_t from, unsigned looks);

/* Calls of this name, and all later calls, are not read until it is set to NULL. */
void ps_test_metastore_hold(const char *call);
/* Returns whether such a call has come. */
bool ps_test_metastore_is_holding(void);

/* Calls that have come since set_table. */
unsigned ps_test_metastore_calls(const char *call);
/* Refusals and cuts that no call has met yet. */
unsigned ps_test_metastore_left(void);
enum ps_test_metastore_txn { PS_TEST_TXN_OPEN, PS_TEST_TXN_COMMITTED, PS_TEST_TXN_ABORTED };
unsigned ps_test_metastore_txns(enum ps_test_metastore_txn state);
/* The first and the last transaction of the latest heartbeat; read when it has come, and before the next one. */
extern int64_t ps_test_metastore_beaten[2];

/* From now on rows of earlier commits are not read. */
void ps_test_metastore_mark(void);
/* Writes the transactions committed since the mark, in the order of the commits. Returns their number. */
size_t ps_test_metastore_commits(size_t *numbers, size_t room);
/* Reads the rows of committed transactions in a folder (the table's, or a partition's), which has one string column
 * "line" and no compression: one a line, in the order of the commits and buckets. Returns their number. */
size_t ps_test_metastore_rows(const char *folder, char *text, size_t room);
