/* What is said to the database: Flume's tables (org.apache.flume.channel.jdbc.impl.DerbySchemaHandler), and the statements
 * that put events there, read them in order, and remove them. The texts are those of both databases where they can be. */
#pragma once

#include "stages/database/database.h"

/* ConfigurationConstants of Flume: what is longer goes on in a table of its own. */
#define PS_TABLES_PAYLOAD_BYTES 16384U
#define PS_TABLES_HEADER_CHARS 251U /* Java's, as all of these */
#define PS_TABLES_CHANNEL_CHARS 64U

enum ps_tables_statement {
    PS_INSERT_EVENT,
    PS_INSERT_PAYLOAD_SPILL, /* of the event inserted last */
    PS_INSERT_HEADER,        /* of the event inserted last */
    PS_INSERT_NAME_SPILL,    /* of the header inserted last */
    PS_INSERT_VALUE_SPILL,
    PS_SELECT_LAST, /* the identity of the event inserted last */
    PS_SELECT_EVENTS,
    PS_SELECT_PAYLOAD_SPILL,
    PS_SELECT_HEADERS,
    PS_DELETE_NAME_SPILLS, /* and so on: of a channel's events between two identities */
    PS_DELETE_VALUE_SPILLS,
    PS_DELETE_PAYLOAD_SPILLS,
    PS_DELETE_HEADERS,
    PS_DELETE_EVENTS,
    PS_SELECT_FILL,
    PS_SELECT_SPILL_FILL,
    PS_SELECT_ONE, /* whether an event is there */
    PS_SELECT_TABLES,
    PS_SELECT_LOCK,     /* PostgreSQL: a channel's lock */
    PS_SELECT_SEQUENCE, /* SQLite: the highest identity that was ever given */
    PS_TABLES_STATEMENTS,
};

extern const struct ps_database_statement ps_tables_statements[PS_TABLES_STATEMENTS];

struct ps_tables_schema {
    bool create, index, foreign_keys; /* create.schema, create.index, create.foreignkey */
};

/* Makes the tables if they are not there and may be made, and looks whether they have Flume's columns. */
enum ps_status ps_tables_prepare(const struct ps_database_ops *ops, void *database,
                                 const struct ps_database_settings *settings,
                                 const struct ps_tables_schema *schema, struct ps_err *err);
