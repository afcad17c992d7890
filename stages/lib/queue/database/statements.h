/* The SQL statements. They create Flume's tables (org.apache.flume.channel.jdbc.impl.DerbySchemaHandler), insert events,
 * read them in order, and remove them. Both databases use the same text where possible. */
#pragma once

#include "stages/lib/queue/database/database.h"

/* Flume's ConfigurationConstants. The rest of a longer value is in a table of its own. */
#define PS_TABLES_PAYLOAD_BYTES 16384U
#define PS_TABLES_HEADER_CHARS 251U /* Java chars (UTF-16 units), as in the limits below */
#define PS_TABLES_CHANNEL_CHARS 64U

enum ps_tables_statement {
    PS_INSERT_EVENT,
    PS_INSERT_PAYLOAD_SPILL, /* of the last inserted event */
    PS_INSERT_HEADER,        /* of the last inserted event */
    PS_INSERT_NAME_SPILL,    /* of the last inserted header */
    PS_INSERT_VALUE_SPILL,
    PS_SELECT_LAST, /* selects the identity of the last inserted event */
    PS_SELECT_EVENTS,
    PS_SELECT_PAYLOAD_SPILL,
    PS_SELECT_HEADERS,
    /* this and the next four statements delete the rows of a channel's events between two identities */
    PS_DELETE_NAME_SPILLS,
    PS_DELETE_VALUE_SPILLS,
    PS_DELETE_PAYLOAD_SPILLS,
    PS_DELETE_HEADERS,
    PS_DELETE_EVENTS,
    PS_SELECT_FILL,
    PS_SELECT_SPILL_FILL,
    PS_SELECT_ONE, /* selects whether an event exists */
    PS_SELECT_TABLES,
    PS_SELECT_LOCK,     /* PostgreSQL: takes the lock of a channel */
    PS_SELECT_SEQUENCE, /* selects the highest identity that was ever used, or PS_SEQUENCE_OF_STANDBY */
    PS_TABLES_STATEMENTS,
};

/* The server is a standby: it may not have replayed yet all that it received, so its sequence proves nothing. */
#define PS_SEQUENCE_OF_STANDBY (-1)

extern const struct ps_database_statement ps_tables_statements[PS_TABLES_STATEMENTS];

struct ps_tables_schema {
    bool create, index, foreign_keys; /* create.schema, create.index, create.foreignkey */
};

/* Creates the tables if they do not exist and may be created, and checks that they have Flume's columns. */
enum ps_status ps_tables_prepare(const struct ps_database_ops *ops, void *database,
                                 const struct ps_database_settings *settings,
                                 const struct ps_tables_schema *schema, struct ps_err *err);
