/* A connection to a database behind a table: SQLite (sqlite.c) or PostgreSQL (postgres.c). What is said to it is in
 * stages/database/statements.h.
 *
 * Every function may take as long as the database does, within the limits that its driver has, and every failure is a text
 * for people, without passwords.
 *
 * Thread: one, its owner's. */
#pragma once

#include "core/option.h"
#include "core/status.h"

#define PS_SQLITE_RESERVE "-reserve" /* ends the name of the file whose room is given up to remove events */

enum ps_database_kind { PS_DATABASE_SQLITE, PS_DATABASE_POSTGRES, PS_DATABASE_KINDS };

struct ps_database_settings {
    enum ps_database_kind kind;
    const char *label;       /* for messages: the file, or user@host:port/database */
    const char *path;        /* SQLite: the file */
    bool create;             /* SQLite: make the file if it is not there */
    struct ps_pairs options; /* PostgreSQL: libpq's keywords and their values */
    const char *isolation;   /* PostgreSQL: "READ COMMITTED" */
};

enum ps_database_type { PS_DATABASE_NULL, PS_DATABASE_NUMBER, PS_DATABASE_TEXT, PS_DATABASE_BYTES };

/* A parameter, or a column of a row. A truth is the number 0 or 1. */
struct ps_database_value {
    enum ps_database_type type;
    size_t length;
    union {
        int64_t number;
        const void *data; /* TEXT, BYTES; not NULL */
    };
};

/* One row of a query; the values live until it returns. Returns whether the next one is wanted. */
typedef bool ps_database_row(void *argument, const struct ps_database_value *values);

/* Parameters are written $1, $2, .. and appear in this order. */
struct ps_database_statement {
    unsigned
        number; /* among the statements of this connection, below PS_DATABASE_STATEMENTS_MAX: it is prepared once */
    const char *text[PS_DATABASE_KINDS];
    const char *parameters; /* their types, a letter each: 'n'umber, 't'ext, 'b'ytes, 'f'lag (a truth) */
};

#define PS_DATABASE_STATEMENTS_MAX 32U
#define PS_DATABASE_VALUES_MAX 8U

struct ps_database_ops {
    void *(*connect)(const struct ps_database_settings *settings, struct ps_err *err);
    void (*close)(void *database);
    /* Carries out statements without parameters and rows, separated by semicolons. */
    enum ps_status (*execute)(void *database, const char *text, struct ps_err *err);
    /* Carries out a statement without rows, or begins to: a failure may be reported by a later call instead, `execute`
     * at the latest. */
    enum ps_status (*run)(void *database, const struct ps_database_statement *statement,
                          const struct ps_database_value *values, struct ps_err *err);
    enum ps_status (*query)(void *database, const struct ps_database_statement *statement,
                            const struct ps_database_value *values, ps_database_row *row, void *argument,
                            struct ps_err *err);
    /* Takes the lock of a channel in the database itself, until `close`: a second connection that asks for it fails. NULL:
     * there is a statement for it (PS_SELECT_LOCK). */
    enum ps_status (*lock)(void *database, const char *channel, struct ps_err *err);
    /* Finds out whether a new connection would find the same database: its file still has its name. PS_FAIL: that is not known at the
     * moment. NULL: it would. */
    enum ps_status (*is_same)(const void *database, bool *same, struct ps_err *err);
    /* After a COMMIT: PS_FAIL if what was committed is where a new connection would not find it, because files were removed or
     * replaced. NULL: that cannot be. */
    enum ps_status (*is_there)(void *database, struct ps_err *err);
    /* Gives up the room that was kept for removing what was delivered, outside a transaction. Returns whether there may be more
     * room now. NULL: none is kept. */
    bool (*make_room)(void *database);
    /* Keeps that room, if it is not kept and there is plenty. NULL: as above. */
    void (*keep_room)(void *database);
};

extern const struct ps_database_ops ps_database_sqlite, ps_database_postgres;
