/* The keeper's store that is a database: the tables of Flume's JDBC channel. One transaction has all frames that were
 * appended since the last one, and removes what was delivered since then. */
#pragma once

#include "stages/database/statements.h"
#include "stages/keeper/store.h"

struct ps_database_store_settings {
    struct ps_database_settings database;
    const struct ps_database_ops *ops; /* NULL: those of this kind of database */
    const char *channel;               /* FLE_CHANNEL */
    struct ps_tables_schema schema;
    const char *lock; /* SQLite: a file for this channel's lock */
};

extern const struct ps_store_ops ps_database_store; /* its settings are ps_database_store_settings */
