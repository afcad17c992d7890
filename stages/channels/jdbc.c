/* Channel jdbc (org.apache.flume.channel.jdbc.JdbcChannel): keeps events in the tables of a database, and promises
 * them when their transaction is committed. SQLite replaces the Derby that Flume embeds; PostgreSQL is a server.
 * stages/lib/queue does the work, with stages/lib/queue/database as its store. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "stages/lib/queue/database/plan.h"
#include "stages/lib/queue/queue.h"

/* Flume refuses at once. Here a source that can refuse its clients waits, so that a short reconnect refuses none of them. */
#define KEEP_ALIVE_MS UINT64_C(5000)
/* Flume before 1.3 used the long names. */
#define LONG(key) PS_WORDS("org.apache.flume.channel.jdbc." key)

struct jdbc_plan {
    struct ps_database_plan database;
    int64_t capacity, connections;
    struct ps_queue *queue;
};

static const struct ps_option options[] = {
    {.key = "driver.url",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct jdbc_plan, database.url),
     .flags = PS_OPTION_PLACE,
     .aliases = LONG("driver.url"),
     .help = "jdbc:postgresql://host:port/database, or jdbc:derby:DIRECTORY;create=true, which is kept in "
             "the SQLite "
             "file DIRECTORY.sqlite; unset: jdbc:derby:~/.flume/jdbc-channel/db;create=true"},
    {.key = "driver.class",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct jdbc_plan, database.driver),
     .aliases = LONG("driver.class"),
     .help = "class of the JDBC driver: driver.url decides, and this must not contradict it"},
    {.key = "db.type",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct jdbc_plan, database.type),
     .aliases = LONG("db.type"),
     .help = "DERBY or POSTGRESQL: driver.url decides, and this must not contradict it"},
    {.key = "db.username",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct jdbc_plan, database.user),
     .aliases = LONG("db.username"),
     .help = "user of the database; an SQLite file has none"},
    {.key = "db.password",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct jdbc_plan, database.password),
     .aliases = LONG("db.password"),
     .flags = PS_OPTION_SECRET,
     .help = "password of that user"},
    {.key = "connection.properties.file",
     .type = PS_OPTION_TEXT,
     .offset = offsetof(struct jdbc_plan, database.properties_file),
     .aliases = LONG("connection.properties.file"),
     .flags = PS_OPTION_FILE,
     .help = "Java properties of the connection: user, password, and those of the PostgreSQL driver"},
    {.key = "create.schema",
     .type = PS_OPTION_BOOL,
     .offset = offsetof(struct jdbc_plan, database.schema.create),
     .aliases = LONG("create.schema"),
     .fallback = "true",
     .help = "make the tables if they are not there"},
    {.key = "create.index",
     .type = PS_OPTION_BOOL,
     .offset = offsetof(struct jdbc_plan, database.schema.index),
     .aliases = LONG("create.index"),
     .fallback = "true",
     .help = "make indexes with the tables; without them each delivery reads whole tables"},
    {.key = "create.foreignkey",
     .type = PS_OPTION_BOOL,
     .offset = offsetof(struct jdbc_plan, database.schema.foreign_keys),
     .aliases = LONG("create.foreignkey"),
     .fallback = "true",
     .help = "make foreign keys with the tables"},
    {.key = "transaction.isolation",
     .type = PS_OPTION_ENUM,
     .offset = offsetof(struct jdbc_plan, database.isolation),
     .aliases = LONG("transaction.isolation"),
     .words = PS_WORDS("READ_UNCOMMITTED", "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE"),
     .fallback = "READ_COMMITTED",
     .help = "isolation of transactions in PostgreSQL; those of SQLite are always serializable"},
    {.key = "maximum.connections",
     .type = PS_OPTION_INT,
     .offset = offsetof(struct jdbc_plan, connections),
     .aliases = LONG("maximum.connections"),
     .fallback = "10",
     .flags = PS_OPTION_NO_EFFECT,
     .help = "the channel has one connection, and one transaction serves all sources and sinks"},
    {.key = "maximum.capacity",
     .type = PS_OPTION_INT,
     .offset = offsetof(struct jdbc_plan, capacity),
     .aliases = LONG("maximum.capacity"),
     .flags = PS_OPTION_LENIENT,
     .fallback = "0",
     .min = INT64_MIN,
     .max = INT64_MAX,
     .unit = "events",
     .help = "maximum number of events of this channel; 0: unlimited"},
    {.key = "sysprop.",
     .type = PS_OPTION_MAP,
     .offset = offsetof(struct jdbc_plan, database.system_properties),
     .flags = PS_OPTION_PLACE,
     .aliases = LONG("sysprop."),
     .help =
         "Java's system properties: user.home and derby.system.home say where the database is; others have "
         "no effect"},
    PS_OPTION_END,
};

static enum ps_status jdbc_check(const void *plan, const struct ps_context *context)
{
    return ps_database_plan_check(&((const struct jdbc_plan *)plan)->database, context);
}

static uint64_t capacity_of(const struct jdbc_plan *plan)
{
    return plan->capacity > 0 ? (uint64_t)plan->capacity : 0;
}

static enum ps_status jdbc_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct jdbc_plan *plan = plan_;
    if (ps_database_plan_build(&plan->database, context, err) != PS_OK)
        return PS_FAIL;
    const struct ps_queue_settings settings = {
        .component = context->component,
        .store = &ps_database_store,
        .store_settings = &plan->database.store,
        .capacity = capacity_of(plan),
        .sync_each = true,
        .keep_alive_ms = KEEP_ALIVE_MS,
        .quota_bytes = context->channel_quota_bytes,
        .producers = context->producers,
        .consumers = context->consumers,
    };
    plan->queue = ps_queue_create(&settings);
    return PS_OK;
}

static void jdbc_teardown(void *plan)
{
    struct jdbc_plan *jdbc = plan;
    ps_queue_destroy(jdbc->queue);
    jdbc->queue = NULL;
}

static void jdbc_outline(const void *plan, const struct ps_context *context, FILE *out)
{
    ps_database_plan_outline(&((const struct jdbc_plan *)plan)->database, context, out);
    fputs("; events are promised when they are committed: they survive a crash and a power cut", out);
}

static void jdbc_probe(const void *plan, struct ps_context *context, const struct ps_probe *probe)
{
    ps_database_plan_probe(&((const struct jdbc_plan *)plan)->database, context, probe);
}

static struct ps_queue *queue_of(const void *plan)
{
    return ((const struct jdbc_plan *)plan)->queue;
}

static void jdbc_start(void *plan)
{
    ps_queue_start(queue_of(plan));
}

static enum ps_put jdbc_put(void *plan, unsigned producer, struct ps_lease **lease, const struct ps_now *)
{
    return ps_queue_put(queue_of(plan), producer, lease);
}

static uint64_t jdbc_tick(void *plan, unsigned producer, struct ps_port *port, const struct ps_now *)
{
    return ps_queue_tick(queue_of(plan), producer, port);
}

static uint64_t jdbc_consumer_tick(void *plan, unsigned consumer, struct ps_port *port,
                                   const struct ps_now *now)
{
    return ps_queue_consumer_tick(queue_of(plan), consumer, port, now);
}

static struct ps_lease *jdbc_take(void *plan, unsigned consumer, struct ps_port *port,
                                  const struct ps_now *now)
{
    return ps_queue_take(queue_of(plan), consumer, port, now);
}

static void jdbc_done(void *plan, unsigned consumer, struct ps_lease **lease, struct ps_port *port)
{
    ps_queue_done(queue_of(plan), consumer, lease, port);
}

static void jdbc_untake(void *plan, unsigned consumer, struct ps_lease **lease)
{
    ps_queue_untake(queue_of(plan), consumer, lease);
}

static void jdbc_leave(void *plan, unsigned consumer, struct ps_port *port)
{
    ps_queue_leave(queue_of(plan), consumer, port);
}

static bool jdbc_hungry(const void *plan, unsigned producer)
{
    return ps_queue_hungry(queue_of(plan), producer);
}

/* Also called before `build`: the engine's plan needs the capacity, which limits batches. */
static void jdbc_fill(const void *plan, struct ps_fill *fill)
{
    if (queue_of(plan) != NULL)
        ps_queue_fill(queue_of(plan), fill);
    else
        *fill = (struct ps_fill){.capacity = capacity_of(plan)};
}

static void jdbc_ring(const void *plan, unsigned producer, struct ps_fill *fill)
{
    ps_queue_ring(queue_of(plan), producer, fill);
}

static uint64_t jdbc_keep_alive_ms(const void *)
{
    return KEEP_ALIVE_MS;
}

static struct ps_lease *jdbc_strip(void *plan)
{
    return ps_queue_strip(queue_of(plan));
}

static void jdbc_restore(void *plan, struct ps_lease *list)
{
    ps_queue_restore(queue_of(plan), list);
}

static void jdbc_set_quota(void *plan, uint64_t channel_quota_bytes)
{
    ps_queue_set_quota(queue_of(plan), channel_quota_bytes);
}

static bool jdbc_trouble(const void *plan, char *text, size_t room)
{
    return ps_queue_trouble(queue_of(plan), text, room);
}

const struct ps_stage_ops ps_channel_jdbc = {
    PS_STAGE(PS_KIND_CHANNEL),
    .name = "jdbc",
    .aliases = PS_WORDS("org.apache.flume.channel.jdbc.JdbcChannel"),
    .summary = "events in the tables of a database, promised when they are committed; SQLite or PostgreSQL",
    .options = options,
    .plan_size = sizeof(struct jdbc_plan),
    .check = jdbc_check,
    .build = jdbc_build,
    .teardown = jdbc_teardown,
    .outline = jdbc_outline,
    .probe = jdbc_probe,
    .channel =
        &(const struct ps_channel_ops){
            .promises = PS_LEVEL_DURABLE,
            .start = jdbc_start,
            .put = jdbc_put,
            .tick = jdbc_tick,
            .consumer_tick = jdbc_consumer_tick,
            .take = jdbc_take,
            .done = jdbc_done,
            .untake = jdbc_untake,
            .leave = jdbc_leave,
            .hungry = jdbc_hungry,
            .fill = jdbc_fill,
            .ring = jdbc_ring,
            .keep_alive_ms = jdbc_keep_alive_ms,
            .strip = jdbc_strip,
            .restore = jdbc_restore,
            .set_quota = jdbc_set_quota,
            .trouble = jdbc_trouble,
        },
};
