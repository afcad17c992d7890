/* The durable queue's store for a database: the tables of Flume's JDBC channel. One transaction inserts all frames that were
 * appended since the last transaction, and removes the events that were delivered since then. */
#pragma once

#include "stages/lib/queue/database/statements.h"
#include "stages/lib/queue/store.h"

struct ps_database_store_settings {
    struct ps_database_settings database;
    const struct ps_database_ops *ops; /* NULL: the functions for this kind of database */
    const char *channel;               /* value of the column FLE_CHANNEL */
    struct ps_tables_schema schema;
    const char *lock; /* SQLite: path of this channel's lock file */
};

extern const struct ps_store_ops ps_database_store; /* its settings are a struct ps_database_store_settings */
