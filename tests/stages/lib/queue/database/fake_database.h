/* A database of which each call can fail, in every way that the table of its calls allows; SQLite carries the other calls
 * out. It behaves like SQLite, or like PostgreSQL, where a failed statement spoils its transaction until the end. */
#pragma once

#include "stages/lib/queue/database/database.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/support.h"

enum fake_failure {
    FAKE_ERROR,       /* the call does nothing */
    FAKE_ROLLED_BACK, /* the same, and its transaction is rolled back: SQLite without memory, or on a full
                       * disk */
    FAKE_BUSY,        /* this call and the next ones do nothing */
    FAKE_LOST,        /* the connection is lost before the call is carried out */
    FAKE_UNANSWERED,  /* the connection is lost after the call was carried out */
    FAKE_LATE,        /* a statement fails; the next call that waits for an answer reports it */
    FAKE_CUT,         /* a query fails after its first row */
    FAKE_FAILURES,
};

#define FAKE_BUSY_CALLS 4U

static const char *const fake_failure_names[FAKE_FAILURES] = {"error",      "rolled back", "busy", "lost",
                                                              "unanswered", "late",        "cut"};

static struct {
    enum fake_failure failure;
    uint64_t nth, again; /* the nth call fails, and `again` calls later another one; 0: none */
} fake_plan;

static uint64_t fake_calls, fake_failures;
static unsigned fake_open;         /* connections that were not closed */
static const char *fake_complaint; /* an error of the store */

struct fake_connection {
    void *real;
    bool spoils; /* like PostgreSQL */
    bool lost, late, spoilt;
};

static inline void fake_begin(void)
{
    fake_calls = fake_failures = 0;
    fake_complaint = NULL;
    assert_int_equal(fake_open, 0);
}

/* Counts a call. Returns whether it fails. */
static inline bool fake_fails(void)
{
    uint64_t many = fake_plan.failure == FAKE_BUSY ? FAKE_BUSY_CALLS : 1;
    uint64_t second = fake_plan.nth + fake_plan.again, call = ++fake_calls;
    if (fake_plan.nth == 0)
        return false;
    bool fails = (call >= fake_plan.nth && call < fake_plan.nth + many) ||
                 (fake_plan.again > 0 && call >= second && call < second + many);
    fake_failures += fails;
    return fails;
}

static inline enum ps_status fake_say(struct ps_err *err, const char *text)
{
    return ps_err_set(err, "the database: %s", text);
}

static inline void fake_roll_back(struct fake_connection *connection)
{
    struct ps_err ignored = {.length = 0};
    (void)ps_database_sqlite.execute(connection->real, "ROLLBACK", &ignored);
}

/* Puts the connection into its state after the failure of the plan. If the call takes effect in spite of the failure, the caller
 * has carried it out before. */
static inline enum ps_status fake_fail(struct fake_connection *connection, struct ps_err *err)
{
    bool loses = fake_plan.failure == FAKE_LOST || fake_plan.failure == FAKE_UNANSWERED;
    if (loses || fake_plan.failure == FAKE_ROLLED_BACK)
        fake_roll_back(connection);
    connection->lost = loses;
    connection->spoilt = connection->spoils && !loses;
    return fake_say(err, fake_failure_names[fake_plan.failure]);
}

/* Fails if an earlier call lost the connection, or an error of it is still to be reported. */
static inline enum ps_status fake_answers(struct fake_connection *connection, struct ps_err *err)
{
    if (connection->lost)
        return fake_say(err, "the connection is lost");
    if (connection->late) {
        connection->late = false;
        connection->spoilt = connection->spoils;
        return fake_say(err, "an earlier statement failed");
    }
    return PS_OK;
}

static inline bool fake_is(const char *text, const char *word)
{
    return strncmp(text, word, strlen(word)) == 0;
}

static inline enum ps_status fake_execute(void *database, const char *text, struct ps_err *err)
{
    struct fake_connection *connection = database;
    bool fails = fake_fails(), ends = fake_is(text, "ROLLBACK") || fake_is(text, "COMMIT");
    if (fake_answers(connection, err) != PS_OK)
        return PS_FAIL;
    if (connection->spoilt && !ends)
        return fake_say(err, "the transaction is aborted");
    if (connection->spoilt) { /* PostgreSQL answers a COMMIT with the word ROLLBACK, and without an error */
        fake_roll_back(connection);
        connection->spoilt = false;
        return PS_OK;
    }
    if (fails && fake_plan.failure != FAKE_UNANSWERED) {
        if (ends && connection->spoils)
            fake_roll_back(connection);
        enum ps_status status = fake_fail(connection, err);
        connection->spoilt &= !ends;
        return status;
    }
    const char *words = connection->spoils && fake_is(text, "BEGIN") ? "BEGIN IMMEDIATE" : text;
    enum ps_status status = ps_database_sqlite.execute(connection->real, words, err);
    return fails ? fake_fail(connection, err) : status;
}

struct fake_rows {
    ps_database_row *row;
    void *argument;
    bool cut;
};

static inline bool fake_row(void *argument, const struct ps_database_value *values)
{
    struct fake_rows *rows = argument;
    bool wanted = rows->row(rows->argument, values);
    return wanted && !rows->cut;
}

static inline enum ps_status fake_query(void *database, const struct ps_database_statement *statement,
                                        const struct ps_database_value *values, ps_database_row *row,
                                        void *argument, struct ps_err *err)
{
    struct fake_connection *connection = database;
    bool fails = fake_fails();
    bool carries_out = fake_plan.failure == FAKE_UNANSWERED || fake_plan.failure == FAKE_CUT;
    if (fake_answers(connection, err) != PS_OK)
        return PS_FAIL;
    if (connection->spoilt)
        return fake_say(err, "the transaction is aborted");
    if (fails && !carries_out)
        return fake_fail(connection, err);
    struct fake_rows rows = {row, argument, fails && fake_plan.failure == FAKE_CUT};
    enum ps_status status =
        ps_database_sqlite.query(connection->real, statement, values, fake_row, &rows, err);
    return fails ? fake_fail(connection, err) : status;
}

static inline enum ps_status fake_run(void *database, const struct ps_database_statement *statement,
                                      const struct ps_database_value *values, struct ps_err *err)
{
    struct fake_connection *connection = database;
    bool fails = fake_fails();
    if (connection->late) /* the statements after it are not carried out either */
        return PS_OK;
    if (connection->lost)
        return fake_say(err, "the connection is lost");
    if (connection->spoilt)
        return fake_say(err, "the transaction is aborted");
    if (fails && fake_plan.failure == FAKE_LATE && connection->spoils) {
        connection->late = true;
        return PS_OK;
    }
    if (fails && fake_plan.failure != FAKE_UNANSWERED)
        return fake_fail(connection, err);
    enum ps_status status = ps_database_sqlite.run(connection->real, statement, values, err);
    return fails ? fake_fail(connection, err) : status;
}

static inline enum ps_status fake_lock(void *database, const char *channel, struct ps_err *err)
{
    struct fake_connection *connection = database;
    if (fake_fails() || connection->lost)
        return fake_say(err, "it cannot be locked");
    return ps_database_sqlite.lock(connection->real, channel, err);
}

static inline enum ps_status fake_is_same(const void *database, bool *same, struct ps_err *err)
{
    const struct fake_connection *connection = database;
    if (fake_fails())
        return fake_say(err, "its file cannot be looked at");
    return ps_database_sqlite.is_same(connection->real, same, err);
}

static inline enum ps_status fake_is_there(void *database, struct ps_err *err)
{
    struct fake_connection *connection = database;
    if (fake_fails() || connection->lost)
        return fake_say(err, "its file was moved");
    return ps_database_sqlite.is_there(connection->real, err);
}

/* A removed reserve makes room. */
static inline bool fake_make_room(void *database)
{
    return !fake_fails();
}

static inline void fake_keep_room(void *database)
{
    const struct fake_connection *connection = database;
    if (connection->lost)
        fake_complaint = "it keeps room on a lost connection";
}

static inline void fake_close(void *database)
{
    struct fake_connection *connection = database;
    ps_database_sqlite.close(connection->real);
    free(connection);
    fake_open--;
}

static inline void *fake_connect(const struct ps_database_settings *settings, struct ps_err *err)
{
    if (fake_fails()) {
        (void)fake_say(err, "no connection");
        return NULL;
    }
    void *real = ps_database_sqlite.connect(settings, err);
    if (real == NULL)
        return NULL;
    struct fake_connection *connection = calloc(1, sizeof *connection);
    connection->real = real;
    connection->spoils = settings->kind == PS_DATABASE_POSTGRES;
    assert_int_equal(ps_database_sqlite.execute(real, "PRAGMA synchronous = OFF", err), PS_OK);
    if (fake_open++ > 0)
        fake_complaint = "it has two connections";
    return connection;
}

static const struct ps_database_ops fake_sqlite = {
    .connect = fake_connect,
    .close = fake_close,
    .execute = fake_execute,
    .run = fake_run,
    .query = fake_query,
    .lock = fake_lock,
    .is_same = fake_is_same,
    .is_there = fake_is_there,
    .make_room = fake_make_room,
    .keep_room = fake_keep_room,
};

static const struct ps_database_ops fake_postgres = {
    .connect = fake_connect,
    .close = fake_close,
    .execute = fake_execute,
    .run = fake_run,
    .query = fake_query,
};
