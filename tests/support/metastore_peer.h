/* A metastore of Hive on a thread of the test: the table t, its partitions, and transactions; a table u is like t, in the folder beside
 * it with "-u" behind its name. */
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

/* DOWN: connections are closed. SLOW: each answer comes 20 ms later. */
void ps_test_metastore_set(enum ps_test_far_end state);
/* Answers the next `count` calls of this name with an exception, as for an aborted transaction. */
void ps_test_metastore_refuse(const char *call, unsigned count);

/* Returns the number of refusals that no call has met yet. */
unsigned ps_test_metastore_left(void);

/* Sets the mark: from now on, rows of earlier commits are not read. */
void ps_test_metastore_mark(void);
/* Writes the transactions committed since the mark, in the order of the commits. Returns their number. */
size_t ps_test_metastore_commits(size_t *numbers, size_t room);
/* Reads the rows of committed transactions in a folder (the table's, or a partition's), which has one string column
 * "line" and no compression: one a line, in the order of the commits and buckets. Returns their number. */
size_t ps_test_metastore_rows(const char *folder, char *text, size_t room);
