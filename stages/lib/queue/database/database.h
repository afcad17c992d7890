/* A connection to a database that has Flume's tables: SQLite (sqlite.c) or PostgreSQL (postgres.c). The SQL statements are
 * in stages/lib/queue/database/statements.h.
 *
 * Every function may wait as long as the limits of its driver allow. Every error is a text for people, without passwords.
 *
 * Thread: the owner's only. */
#pragma once

#include "core/option.h"
#include "core/status.h"

/* Suffix of the file whose space is released when events have to be removed on a full file system. */
#define PS_SQLITE_RESERVE "-reserve"

enum ps_database_kind { PS_DATABASE_SQLITE, PS_DATABASE_POSTGRES, PS_DATABASE_KINDS };

struct ps_database_settings {
    enum ps_database_kind kind;
    const char *label;       /* for messages: the file, or user@host:port/database */
    const char *path;        /* SQLite: the file */
    bool create;             /* SQLite: create the file if it does not exist */
    struct ps_pairs options; /* PostgreSQL: libpq's keywords and their values */
    const char *isolation;   /* PostgreSQL: "READ COMMITTED" */
};

enum ps_database_type { PS_DATABASE_NULL, PS_DATABASE_NUMBER, PS_DATABASE_TEXT, PS_DATABASE_BYTES };

/* A parameter, or a column of a row. A boolean is the number 0 or 1. */
struct ps_database_value {
    enum ps_database_type type;
    size_t length;
    union {
        int64_t number;
        const void *data; /* TEXT, BYTES; not NULL */
    };
};

/* Called for each row of a query. The values are valid until the function returns. Returns whether the next row
 * is wanted. */
typedef bool ps_database_row(void *argument, const struct ps_database_value *values);

/* Parameters are written $1, $2, .. and appear in this order. */
struct ps_database_statement {
    unsigned
        number; /* Index among the statements of this connection, below PS_DATABASE_STATEMENTS_MAX: each statement is prepared
                 * once. */
    const char *text[PS_DATABASE_KINDS];
    /* types of the parameters, one letter each: 'n'umber, 't'ext, 'b'ytes, 'f'lag (a boolean) */
    const char *parameters;
};

#define PS_DATABASE_STATEMENTS_MAX 32U
#define PS_DATABASE_VALUES_MAX 8U

struct ps_database_ops {
    void *(*connect)(const struct ps_database_settings *settings, struct ps_err *err);
    void (*close)(void *database);
    /* Runs statements that have no parameters and no rows, separated by semicolons. */
    enum ps_status (*execute)(void *database, const char *text, struct ps_err *err);
    /* Runs or sends a statement without rows. If it fails, a later call may report the failure, the next `execute` at the latest. */
    enum ps_status (*run)(void *database, const struct ps_database_statement *statement,
                          const struct ps_database_value *values, struct ps_err *err);
    enum ps_status (*query)(void *database, const struct ps_database_statement *statement,
                            const struct ps_database_value *values, ps_database_row *row, void *argument,
                            struct ps_err *err);
    /* Locks a channel in the database until `close`; a second connection gets an error. NULL: the statement PS_SELECT_LOCK takes the lock. */
    enum ps_status (*lock)(void *database, const char *channel, struct ps_err *err);
    /* Finds out whether a new connection would find the same database, that is, whether the file still has its name.
     * Returns PS_FAIL if this cannot be determined now. NULL: a new connection always finds the same database. */
    enum ps_status (*is_same)(const void *database, bool *same, struct ps_err *err);
    /* Called after a COMMIT. Returns PS_FAIL if a new connection would not find the committed rows, because files were removed
     * or replaced. NULL: that cannot happen. */
    enum ps_status (*is_there)(void *database, struct ps_err *err);
    /* Releases the space that is reserved for removing delivered events. Called outside a transaction. Returns whether there
     * may be more space now. NULL: no space is reserved. */
    bool (*make_room)(void *database);
    /* Reserves space for removing delivered events, if it is not reserved yet and the file system has plenty.
     * NULL: no space is reserved. */
    void (*keep_room)(void *database);
};

extern const struct ps_database_ops ps_database_sqlite, ps_database_postgres;

/* Reads the first bytes of a database file, at most `room`. SQLite reads them, because a connection of this process may be
 * open: any other `close` of the file would release that connection's locks. Returns the number of bytes; -1: errno has the
 * reason. Thread: any. */
ssize_t ps_sqlite_read_first(const char *path, void *to, size_t room);
