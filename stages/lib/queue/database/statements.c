#include "stages/lib/queue/database/statements.h"

#define EVENTS_BETWEEN "SELECT FLE_ID FROM FL_EVENT WHERE FLE_CHANNEL = $1 AND FLE_ID BETWEEN $2 AND $3"
#define HEADERS_BETWEEN(spills)                                                                              \
    "SELECT FLH_ID FROM FL_HEADER WHERE " spills " AND FLH_EVENT IN (" EVENTS_BETWEEN ")"

/* A writer has the database to itself until it commits, so the last event is the writer's own. */
#define SQLITE_EVENT "(SELECT MAX(FLE_ID) FROM FL_EVENT)"
#define SQLITE_HEADER "(SELECT MAX(FLH_ID) FROM FL_HEADER)"
#define POSTGRES_EVENT "currval(pg_get_serial_sequence('fl_event', 'fle_id'))"
#define POSTGRES_HEADER "currval(pg_get_serial_sequence('fl_header', 'flh_id'))"

#define BOTH(number, parameters, sqlite, postgres) [number] = {number, {sqlite, postgres}, parameters}
#define SAME(number, parameters, text) BOTH(number, parameters, text, text)
#define OF_EVENT(number, parameters, before, after)                                                          \
    BOTH(number, parameters, before SQLITE_EVENT after, before POSTGRES_EVENT after)
#define OF_HEADER(number, parameters, before, after)                                                         \
    BOTH(number, parameters, before SQLITE_HEADER after, before POSTGRES_HEADER after)

const struct ps_database_statement ps_tables_statements[PS_TABLES_STATEMENTS] = {
    SAME(PS_INSERT_EVENT, "btf",
         "INSERT INTO FL_EVENT (FLE_PAYLOAD, FLE_CHANNEL, FLE_SPILL) VALUES ($1, $2, $3)"),
    OF_EVENT(PS_INSERT_PAYLOAD_SPILL, "b", "INSERT INTO FL_PLSPILL (FLP_SPILL, FLP_EVENT) VALUES ($1, ", ")"),
    OF_EVENT(PS_INSERT_HEADER, "ttff",
             "INSERT INTO FL_HEADER (FLH_NAME, FLH_VALUE, FLH_NMSPILL, FLH_VLSPILL, FLH_EVENT) VALUES "
             "($1, $2, $3, $4, ",
             ")"),
    OF_HEADER(PS_INSERT_NAME_SPILL, "t", "INSERT INTO FL_NMSPILL (FLN_SPILL, FLN_HEADER) VALUES ($1, ", ")"),
    OF_HEADER(PS_INSERT_VALUE_SPILL, "t", "INSERT INTO FL_VLSPILL (FLV_SPILL, FLV_HEADER) VALUES ($1, ", ")"),
    OF_EVENT(PS_SELECT_LAST, "", "SELECT ", ""),
    SAME(PS_SELECT_EVENTS, "tnn",
         "SELECT FLE_ID, FLE_PAYLOAD, FLE_SPILL FROM FL_EVENT WHERE FLE_CHANNEL = $1 AND FLE_ID > $2 "
         "ORDER BY FLE_ID LIMIT $3"),
    SAME(PS_SELECT_PAYLOAD_SPILL, "n", "SELECT FLP_SPILL FROM FL_PLSPILL WHERE FLP_EVENT = $1"),
    SAME(PS_SELECT_HEADERS, "tnn",
         "SELECT FLH_EVENT, FLH_NAME, FLH_VALUE, FLN_SPILL, FLV_SPILL FROM FL_HEADER "
         "LEFT JOIN FL_NMSPILL ON FLH_NMSPILL AND FLN_HEADER = FLH_ID "
         "LEFT JOIN FL_VLSPILL ON FLH_VLSPILL AND FLV_HEADER = FLH_ID "
         "WHERE FLH_EVENT IN (" EVENTS_BETWEEN ") ORDER BY FLH_EVENT, FLH_ID"),
    SAME(PS_DELETE_NAME_SPILLS, "tnn",
         "DELETE FROM FL_NMSPILL WHERE FLN_HEADER IN (" HEADERS_BETWEEN("FLH_NMSPILL") ")"),
    SAME(PS_DELETE_VALUE_SPILLS, "tnn",
         "DELETE FROM FL_VLSPILL WHERE FLV_HEADER IN (" HEADERS_BETWEEN("FLH_VLSPILL") ")"),
    SAME(PS_DELETE_PAYLOAD_SPILLS, "tnn",
         "DELETE FROM FL_PLSPILL WHERE FLP_EVENT IN (" EVENTS_BETWEEN " AND FLE_SPILL)"),
    SAME(PS_DELETE_HEADERS, "tnn", "DELETE FROM FL_HEADER WHERE FLH_EVENT IN (" EVENTS_BETWEEN ")"),
    SAME(PS_DELETE_EVENTS, "tnn", "DELETE FROM FL_EVENT WHERE FLE_CHANNEL = $1 AND FLE_ID BETWEEN $2 AND $3"),
    SAME(PS_SELECT_FILL, "t",
         "SELECT COUNT(*), COALESCE(SUM(LENGTH(FLE_PAYLOAD)), 0), COALESCE(MAX(FLE_ID), 0) FROM FL_EVENT "
         "WHERE FLE_CHANNEL = $1"),
    SAME(PS_SELECT_SPILL_FILL, "t",
         "SELECT COALESCE(SUM(LENGTH(FLP_SPILL)), 0) FROM FL_PLSPILL WHERE FLP_EVENT IN "
         "(SELECT FLE_ID FROM FL_EVENT WHERE FLE_CHANNEL = $1 AND FLE_SPILL)"),
    SAME(PS_SELECT_ONE, "nt", "SELECT COUNT(*) FROM FL_EVENT WHERE FLE_ID = $1 AND FLE_CHANNEL = $2"),
    BOTH(PS_SELECT_TABLES, "",
         "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = 'FL_EVENT'",
         "SELECT COUNT(*) FROM pg_tables WHERE schemaname = 'flume' AND tablename = 'fl_event'"),
    BOTH(PS_SELECT_LOCK, "t", "SELECT $1 IS NOT NULL",
         "SELECT pg_try_advisory_lock(hashtext('flume.fl_event'), hashtext($1))::int"),
    BOTH(PS_SELECT_SEQUENCE, "", "SELECT COALESCE(MAX(seq), 0) FROM sqlite_sequence WHERE name = 'FL_EVENT'",
         "SELECT CASE WHEN pg_is_in_recovery() THEN -1 ELSE "
         "COALESCE(pg_sequence_last_value(pg_get_serial_sequence('fl_event', 'fle_id')::regclass), 0) END"),
};

/* ---- the tables ---- */

/* Derby's schema in the syntax of each database. An identity is never used twice. */
#define TABLES(identity, bytes, blob, long_text, event_key, header_key)                                      \
    "CREATE TABLE FL_EVENT (FLE_ID " identity ", FLE_PAYLOAD " bytes                                         \
    ", FLE_CHANNEL VARCHAR(64), FLE_SPILL BOOLEAN);"                                                         \
    "CREATE TABLE FL_PLSPILL (FLP_EVENT BIGINT" event_key ", FLP_SPILL " blob ");"                           \
    "CREATE TABLE FL_HEADER (FLH_ID " identity ", FLH_EVENT BIGINT" event_key                                \
    ", FLH_NAME VARCHAR(251), FLH_VALUE VARCHAR(251), FLH_NMSPILL BOOLEAN, FLH_VLSPILL BOOLEAN);"            \
    "CREATE TABLE FL_NMSPILL (FLN_HEADER BIGINT" header_key ", FLN_SPILL " long_text ");"                    \
    "CREATE TABLE FL_VLSPILL (FLV_HEADER BIGINT" header_key ", FLV_SPILL " long_text ")"
#define EVENT_KEY " REFERENCES FL_EVENT (FLE_ID)"
#define HEADER_KEY " REFERENCES FL_HEADER (FLH_ID)"
#define SQLITE_TABLES(event_key, header_key)                                                                 \
    TABLES("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB", "BLOB", "VARCHAR(32517)", event_key, header_key)
/* Here the spilled rest of a name or value is unlimited. With Flume's limit of 32,517, a longer one could never be stored. */
#define POSTGRES_TABLES(event_key, header_key)                                                               \
    "CREATE SCHEMA IF NOT EXISTS flume;" TABLES("BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA",  \
                                                "BYTEA", "TEXT", event_key, header_key)

static const char *const tables[PS_DATABASE_KINDS][2] = {
    [PS_DATABASE_SQLITE] = {SQLITE_TABLES("", ""), SQLITE_TABLES(EVENT_KEY, HEADER_KEY)},
    [PS_DATABASE_POSTGRES] = {POSTGRES_TABLES("", ""), POSTGRES_TABLES(EVENT_KEY, HEADER_KEY)},
};

static const char indexes[] = "CREATE INDEX IDX_FLE_CHANNEL ON FL_EVENT (FLE_CHANNEL);"
                              "CREATE INDEX IDX_FLH_EVENT ON FL_HEADER (FLH_EVENT);"
                              "CREATE INDEX IDX_FLP_EVENT ON FL_PLSPILL (FLP_EVENT);"
                              "CREATE INDEX IDX_FLN_HEADER ON FL_NMSPILL (FLN_HEADER);"
                              "CREATE INDEX IDX_FLV_HEADER ON FL_VLSPILL (FLV_HEADER)";

/* Fails if a table or a column is missing. */
static const char look[] = "SELECT FLE_ID, FLE_PAYLOAD, FLE_CHANNEL, FLE_SPILL FROM FL_EVENT LIMIT 0;"
                           "SELECT FLP_EVENT, FLP_SPILL FROM FL_PLSPILL LIMIT 0;"
                           "SELECT FLH_ID, FLH_EVENT, FLH_NAME, FLH_VALUE, FLH_NMSPILL, FLH_VLSPILL FROM "
                           "FL_HEADER LIMIT 0;"
                           "SELECT FLN_HEADER, FLN_SPILL FROM FL_NMSPILL LIMIT 0;"
                           "SELECT FLV_HEADER, FLV_SPILL FROM FL_VLSPILL LIMIT 0";

static bool note_number(void *argument, const struct ps_database_value *values)
{
    *(int64_t *)argument = values[0].number;
    return true;
}

static enum ps_status make_tables(const struct ps_database_ops *ops, void *database,
                                  const struct ps_database_settings *settings,
                                  const struct ps_tables_schema *schema, struct ps_err *err)
{
    int64_t count = 0;
    if (ops->query(database, &ps_tables_statements[PS_SELECT_TABLES], NULL, note_number, &count, err) !=
        PS_OK)
        return PS_FAIL;
    if (count > 0)
        return PS_OK;
    if (!schema->create)
        return ps_err_set(
            err,
            "the database %s has no tables of Flume's JDBC channel, and create.schema is false: "
            "make them, or set create.schema = true",
            settings->label);
    if (ops->execute(database, tables[settings->kind][schema->foreign_keys], err) != PS_OK)
        return PS_FAIL;
    return schema->index ? ops->execute(database, indexes, err) : PS_OK;
}

enum ps_status ps_tables_prepare(const struct ps_database_ops *ops, void *database,
                                 const struct ps_database_settings *settings,
                                 const struct ps_tables_schema *schema, struct ps_err *err)
{
    /* Locks out other channels, which may create the tables at the same time. */
    static const char *const begin[PS_DATABASE_KINDS] = {
        [PS_DATABASE_SQLITE] = "BEGIN IMMEDIATE",
        [PS_DATABASE_POSTGRES] = "BEGIN; SELECT pg_advisory_xact_lock(hashtext('flume'))"};
    struct ps_err ignored;
    if (ops->execute(database, begin[settings->kind], err) != PS_OK)
        return PS_FAIL;
    if (make_tables(ops, database, settings, schema, err) == PS_OK &&
        ops->execute(database, "COMMIT", err) == PS_OK)
        return ops->execute(database, look, err);
    (void)ops->execute(database, "ROLLBACK", &ignored);
    return PS_FAIL;
}
