/* Channel jdbc (org.apache.flume.channel.jdbc.JdbcChannel): keeps events in the tables of a database, and promises
 * them when their transaction is committed. SQLite replaces the Derby that Flume embeds; PostgreSQL is a server.
 * stages/lib/queue does the work, with stages/lib/queue/database as its store. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stages/lib/queue/channel.h"
#include "stages/lib/queue/database/plan.h"

/* Flume refuses at once. Here a source that can refuse its clients waits, so that a short reconnect refuses none of them. */
#define KEEP_ALIVE_MS UINT64_C(5000)
/* Flume before 1.3 used the long names. */
#define LONG(key) PS_WORDS("org.apache.flume.channel.jdbc." key)

struct jdbc_plan {
    struct ps_queue_channel channel; /* the first member */
    struct ps_database_plan database;
    int64_t connections;
};

static const struct ps_option options[] = {
    PS_OPTION_ROW(
        "driver.url", TEXT, offsetof(struct jdbc_plan, database.url),
        "jdbc:postgresql://host:port/database, or jdbc:derby:DIRECTORY;create=true, which is kept in "
        "the SQLite file DIRECTORY.sqlite; unset: jdbc:derby:~/.flume/jdbc-channel/db;create=true",
        .aliases = LONG("driver.url"), .flags = PS_OPTION_PLACE),
    PS_OPTION_ROW(
        "driver.class", TEXT, offsetof(struct jdbc_plan, database.driver),
        "class of the JDBC driver; driver.url chooses the database, and this key must agree with it",
        .aliases = LONG("driver.class")),
    PS_OPTION_ROW("db.type", TEXT, offsetof(struct jdbc_plan, database.type),
                  "DERBY or POSTGRESQL; driver.url chooses the database, and this key must agree with it",
                  .aliases = LONG("db.type")),
    PS_OPTION_ROW("db.username", TEXT, offsetof(struct jdbc_plan, database.user),
                  "user of the database; an SQLite file has none", .aliases = LONG("db.username")),
    PS_OPTION_ROW("db.password", TEXT, offsetof(struct jdbc_plan, database.password), "password of that user",
                  .aliases = LONG("db.password"), .flags = PS_OPTION_SECRET),
    PS_OPTION_ROW(
        "connection.properties.file", TEXT, offsetof(struct jdbc_plan, database.properties_file),
        "file with the properties of the connection, in Java's syntax: user, password, and those of the "
        "PostgreSQL driver",
        .aliases = LONG("connection.properties.file"), .flags = PS_OPTION_FILE),
    PS_OPTION_ROW("create.schema", BOOL, offsetof(struct jdbc_plan, database.schema.create),
                  "make the tables if they are not there", .fallback = "true",
                  .aliases = LONG("create.schema")),
    PS_OPTION_ROW("create.index", BOOL, offsetof(struct jdbc_plan, database.schema.index),
                  "make indexes with the tables; without them each delivery reads whole tables",
                  .fallback = "true", .aliases = LONG("create.index")),
    PS_OPTION_ROW("create.foreignkey", BOOL, offsetof(struct jdbc_plan, database.schema.foreign_keys),
                  "make foreign keys with the tables", .fallback = "true",
                  .aliases = LONG("create.foreignkey")),
    PS_OPTION_ROW("transaction.isolation", ENUM, offsetof(struct jdbc_plan, database.isolation),
                  "isolation of transactions in PostgreSQL; those of SQLite are always serializable",
                  .fallback = "READ_COMMITTED",
                  .words = PS_WORDS("READ_UNCOMMITTED", "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"),
                  .aliases = LONG("transaction.isolation")),
    PS_OPTION_ROW("maximum.connections", INT, offsetof(struct jdbc_plan, connections),
                  "the channel has one connection, and one transaction serves all sources and sinks",
                  .fallback = "10", .aliases = LONG("maximum.connections"), .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("maximum.capacity", INT, offsetof(struct jdbc_plan, channel.capacity),
                  "maximum number of events of this channel; 0: unlimited", .fallback = "0", .min = INT64_MIN,
                  .max = INT64_MAX, .unit = "events", .aliases = LONG("maximum.capacity"),
                  .flags = PS_OPTION_LENIENT),
    PS_OPTION_ROW(
        "sysprop.", MAP, offsetof(struct jdbc_plan, database.system_properties),
        "Java's system properties: user.home and derby.system.home say where the database is; others "
        "have no effect",
        .aliases = LONG("sysprop."), .flags = PS_OPTION_PLACE),
    PS_OPTION_END,
};

static enum ps_status jdbc_check(const void *plan, const struct ps_context *context)
{
    return ps_database_plan_check(&((const struct jdbc_plan *)plan)->database, context);
}

static enum ps_status jdbc_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct jdbc_plan *plan = plan_;
    if (ps_database_plan_build(&plan->database, context, err) != PS_OK)
        return PS_FAIL;
    const struct ps_queue_settings settings = {
        .store = &ps_database_store, .store_settings = &plan->database.store, .sync_each = true};
    ps_queue_channel_build(&plan->channel, context, settings, KEEP_ALIVE_MS);
    return PS_OK;
}

static void jdbc_outline(const void *plan, const struct ps_context *context, FILE *out)
{
    ps_database_plan_outline(&((const struct jdbc_plan *)plan)->database, context, out);
    fputs("; events are acknowledged when they are committed: they survive a crash and a power cut", out);
}

static void jdbc_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    ps_database_plan_probe(&((const struct jdbc_plan *)plan)->database, context, probe);
}

const struct ps_stage_ops ps_channel_jdbc = {
    PS_STAGE(PS_KIND_CHANNEL),
    .name = "jdbc",
    .aliases = PS_WORDS("org.apache.flume.channel.jdbc.JdbcChannel"),
    .summary =
        "events in the tables of a database, acknowledged when they are committed; SQLite or PostgreSQL",
    .options = options,
    .plan_size = sizeof(struct jdbc_plan),
    .check = jdbc_check,
    .build = jdbc_build,
    .teardown = ps_queue_channel_teardown,
    .outline = jdbc_outline,
    .probe = jdbc_probe,
    .channel = &ps_queue_channel_ops,
};
