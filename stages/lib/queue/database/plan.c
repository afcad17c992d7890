#include "stages/lib/queue/database/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/text/utf8.h"
#include "stages/lib/queue/database/postgres_options.h"
#include "stages/lib/queue/database/url.h"

/* Returns the path of the lock file: the channel's name with '/' and '%' replaced by codes. */
static const char *lock_path(struct ps_arena *arena, const char *path, const char *channel)
{
    char *name = ps_arena_alloc(arena, 3 * strlen(channel) + 1), *to = name;
    for (const char *from = channel; *from != '\0'; from++) {
        if (*from == '/' || *from == '%')
            to += sprintf(to, "%%%02X", (unsigned char)*from);
        else
            *to++ = *from;
    }
    return ps_arena_format(arena, "%s.%s.lock", path, name);
}

static const char *property_of(const struct ps_database_plan *plan, const struct ps_context *context,
                               const char *name)
{
    const char *value = ps_pairs_get(&plan->system_properties, name);
    if (value == NULL && context->system_property != NULL)
        value = context->system_property(context->argument, name);
    return value;
}

/* Flume's default is a Derby database in the home directory. */
static const char *url_of(const struct ps_database_plan *plan, const struct ps_context *context)
{
    const char *home = property_of(plan, context, "user.home");
    if (plan->url != NULL && plan->url[strspn(plan->url, " \t")] != '\0')
        return plan->url + strspn(plan->url, " \t");
    if (home == NULL)
        home = getenv("HOME");
    return ps_arena_format(context->arena, "jdbc:derby:%s/.flume/jdbc-channel/db;create=true",
                           home != NULL ? home : "");
}

static bool has_url(const struct ps_database_plan *plan)
{
    return plan->url != NULL && plan->url[strspn(plan->url, " \t")] != '\0';
}

/* Returns the directory that Derby would create. */
static const char *derby_directory(const struct ps_database_plan *plan, const struct ps_context *context,
                                   const struct ps_jdbc_url *url)
{
    const char *system_home = property_of(plan, context, "derby.system.home");
    if (*url->name == '/' || system_home == NULL)
        return url->name;
    return ps_arena_format(context->arena, "%s/%s", system_home, url->name);
}

struct resolved {
    struct ps_jdbc_url url;
    const char *derby; /* the directory that Derby would create; NULL: the URL does not name Derby */
};

/* Finds the database that the keys name. */
static enum ps_status resolve(const struct ps_database_plan *plan, const struct ps_context *context,
                              struct resolved *to, struct ps_database_settings *settings, struct ps_err *err)
{
    static const char *const isolations[] = {"READ UNCOMMITTED", "READ COMMITTED", "REPEATABLE READ",
                                             "SERIALIZABLE"};
    struct ps_jdbc_url *url = &to->url;
    *settings = (struct ps_database_settings){.isolation = isolations[plan->isolation]};
    if (ps_jdbc_url_read(context->arena, url_of(plan, context), url, err) != PS_OK)
        return PS_FAIL;
    settings->kind = url->kind;
    settings->create = url->create;
    if (url->kind == PS_DATABASE_POSTGRES)
        return ps_postgres_options(plan, context, url, settings, err);
    to->derby = url->derby ? derby_directory(plan, context, url) : NULL;
    settings->path = to->derby != NULL ? ps_arena_format(context->arena, "%s.sqlite", to->derby) : url->name;
    settings->label = settings->path;
    return PS_OK;
}

/* ---- check ---- */

/* Warns if driver.class or db.type do not fit the database of driver.url. */
static enum ps_status check_names(const struct ps_database_plan *plan, const struct ps_context *context,
                                  const struct ps_jdbc_url *url)
{
    static const char *const classes[][4] = {
        {"org.apache.derby.jdbc.EmbeddedDriver", "org.apache.derby.iapi.jdbc.AutoloadedDriver", NULL},
        {"org.sqlite.JDBC", NULL},
        {"org.postgresql.Driver", NULL}};
    static const char *const types[] = {"DERBY", "SQLITE", "POSTGRESQL"};
    unsigned which = url->derby ? 0 : url->kind == PS_DATABASE_SQLITE ? 1 : 2;
    bool known = false;
    if (!has_url(plan)) /* Flume uses its defaults for all of these keys */
        return PS_OK;
    for (size_t i = 0; plan->driver != NULL && classes[which][i] != NULL; i++)
        known |= strcmp(plan->driver, classes[which][i]) == 0;
    if (plan->driver != NULL && !known)
        ps_report(
            context, PS_LOG_WARN, "driver.class",
            "driver.class %s has no effect: driver.url decides, and penstock uses its own client library",
            plan->driver);
    if (plan->type == NULL || strcasecmp(plan->type, types[which]) == 0 ||
        strcasecmp(plan->type, "OTHER") == 0)
        return PS_OK;
    ps_report(context, PS_LOG_ERROR, "db.type",
              "db.type %s does not fit driver.url, which names %s: correct one of them", plan->type,
              types[which]);
    return PS_FAIL;
}

static void check_derby(const struct ps_context *context, const struct resolved *found,
                        const struct ps_database_settings *settings)
{
    if (found->derby != NULL && ps_derby_is_directory(found->derby))
        ps_report(context, PS_LOG_WARN, "driver.url",
                  "%s is a Derby database of Flume's. penstock neither reads nor changes it: let Flume "
                  "deliver the events that are in it, and move it away. This channel keeps its events in %s",
                  found->derby, settings->path);
}

static void check_file_keys(const struct ps_database_plan *plan, const struct ps_context *context,
                            const struct ps_jdbc_url *url)
{
    if (plan->properties_file != NULL)
        ps_report(context, PS_LOG_WARN, "connection.properties.file",
                  "connection.properties.file has no effect: the database is an SQLite file");
    if (ps_pairs_get(&url->parameters, "bootPassword") != NULL)
        ps_report(context, PS_LOG_WARN, "driver.url",
                  "bootPassword has no effect: the database is not encrypted");
}

static void check_parameters(const struct ps_context *context, const struct ps_pairs *pairs, const char *key)
{
    for (size_t i = 0; i < pairs->count; i++) {
        if (!ps_postgres_option_known(pairs->items[i].key))
            ps_report(context, PS_LOG_WARN, key, "%s: the PostgreSQL driver's parameter %s has no effect",
                      key, pairs->items[i].key);
    }
}

static void check_server_keys(const struct ps_database_plan *plan, const struct ps_context *context,
                              const struct ps_jdbc_url *url)
{
    struct ps_pairs pairs = {.count = 0};
    struct ps_err ignored; /* resolve() has read the file already */
    check_parameters(context, &url->parameters, "driver.url");
    if (plan->properties_file != NULL &&
        context->read_properties(context->arena, plan->properties_file, &pairs, &ignored) == PS_OK)
        check_parameters(context, &pairs, "connection.properties.file");
}

enum ps_status ps_database_plan_check(const struct ps_database_plan *plan, const struct ps_context *context)
{
    struct ps_database_settings settings;
    struct resolved found = {.derby = NULL};
    struct ps_err err = {0};
    if (resolve(plan, context, &found, &settings, &err) != PS_OK) {
        ps_report(context, PS_LOG_ERROR, "driver.url", "%s", ps_err_join(&err));
        return PS_FAIL;
    }
    if (ps_utf8_char_count(context->name, strlen(context->name)) > PS_TABLES_CHANNEL_CHARS) {
        ps_report(context, PS_LOG_ERROR, NULL,
                  "the channel's name is longer than %u characters, and FLE_CHANNEL has no room for it: use "
                  "a shorter one",
                  PS_TABLES_CHANNEL_CHARS);
        return PS_FAIL;
    }
    if (check_names(plan, context, &found.url) != PS_OK)
        return PS_FAIL;
    if (ps_pairs_get(&found.url.parameters, "password") != NULL)
        ps_report(context, PS_LOG_WARN, "driver.url",
                  "driver.url has a password, which everybody can read who reads the file's keys in a log: "
                  "set db.password");
    if (settings.kind == PS_DATABASE_SQLITE)
        check_file_keys(plan, context, &found.url);
    else
        check_server_keys(plan, context, &found.url);
    check_derby(context, &found, &settings);
    return PS_OK;
}

/* ---- build, outline, probe ---- */

enum ps_status ps_database_plan_build(struct ps_database_plan *plan, struct ps_context *context,
                                      struct ps_err *err)
{
    struct resolved found = {.derby = NULL};
    struct ps_database_settings *settings = &plan->store.database;
    if (resolve(plan, context, &found, settings, err) != PS_OK)
        return PS_FAIL;
    plan->store.channel = context->name;
    plan->store.schema = plan->schema;
    if (settings->kind == PS_DATABASE_SQLITE)
        plan->store.lock = lock_path(context->arena, settings->path, context->name);
    return PS_OK;
}

void ps_database_plan_outline(const struct ps_database_plan *plan, const struct ps_context *context,
                              FILE *out)
{
    static const char *const kinds[PS_DATABASE_KINDS] = {
        [PS_DATABASE_SQLITE] = "SQLite", [PS_DATABASE_POSTGRES] = "PostgreSQL"};
    struct ps_database_settings settings;
    struct resolved found = {.derby = NULL};
    struct ps_err err = {0};
    if (resolve(plan, context, &found, &settings, &err) == PS_OK)
        fprintf(out, "in %s %s", kinds[settings.kind], settings.label);
}

static const char *directory_of(struct ps_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? "." : slash == path ? "/" : ps_arena_copy(arena, path, (size_t)(slash - path));
}

/* Returns a reason why the file is not a database that this user can write, or NULL if none was found. */
static const char *wrong_with_file(const char *path)
{
    static const char magic[16] = "SQLite format 3";
    char begin[sizeof magic];
    struct stat file;
    if (stat(path, &file) != 0)
        return errno != ENOENT ? strerror(errno) : NULL;
    if (!S_ISREG(file.st_mode))
        return S_ISDIR(file.st_mode) ? strerror(EISDIR) : "it is not a regular file";
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0)
        return strerror(errno);
    ssize_t length = ps_sqlite_read_first(path, begin, sizeof begin);
    if (length < 0)
        return strerror(errno);
    /* SQLite treats a file of one byte as empty. */
    if (length > 1 && (length < (ssize_t)sizeof begin || memcmp(begin, magic, sizeof magic) != 0))
        return "it is not an SQLite database";
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0 ? "this user cannot write it" : NULL;
}

/* Space for the files beside the database, its tables and the first transaction. */
#define LEAST_FREE_BYTES (UINT64_C(256) << 10)

static void probe_file(const struct ps_probe *probe, const struct ps_context *context,
                       const struct ps_database_settings *settings, bool makes_tables)
{
    const char *path = settings->path, *wrong = wrong_with_file(path);
    bool missing = access(path, F_OK) != 0 && errno == ENOENT;
    if (missing && !settings->create)
        ps_probe_key_failed(probe, "driver.url", path, strerror(ENOENT),
                            "add ;create=true to driver.url, or create the database");
    else if (missing && !makes_tables)
        ps_probe_key_failed(probe, "create.schema", path, "there are no tables of Flume's JDBC channel",
                            "create the tables, or set create.schema = true");
    if (wrong != NULL)
        ps_probe_key_failed(probe, "driver.url", path, wrong,
                            "name the file of a SQLite database, or one that is not there yet; the user that "
                            "runs the agent needs the right to write it");
    ps_probe_directory_to_make(probe, "driver.url", directory_of(context->arena, path));
    /* A database that has filled its disk can still use the space that it has reserved, so its free space is not
     * checked. */
    if (access(ps_arena_format(context->arena, "%s" PS_SQLITE_RESERVE, path), F_OK) != 0)
        ps_probe_room(probe, "driver.url", directory_of(context->arena, path), LEAST_FREE_BYTES,
                      "free space there, or name a file in another file system");
}

static void probe_server(const struct ps_probe *probe, const struct ps_database_settings *settings)
{
    struct ps_err err = {0};
    if (probe->local) {
        ps_probe_skipped(probe, settings->label, "not asked");
        return;
    }
    void *database = ps_database_postgres.connect(settings, &err);
    if (database == NULL) {
        ps_probe_key_failed(probe, "driver.url", settings->label, ps_err_join(&err),
                            "correct driver.url, db.username or db.password, or start the server");
        return;
    }
    ps_database_postgres.close(database);
    ps_probe_ok(probe, "%s takes the connection", settings->label);
}

void ps_database_plan_probe(const struct ps_database_plan *plan, struct ps_context *context,
                            const struct ps_probe *probe)
{
    struct ps_database_settings settings;
    struct resolved found = {.derby = NULL};
    struct ps_err err = {0};
    if (resolve(plan, context, &found, &settings, &err) != PS_OK)
        return; /* `check` reports the error */
    if (settings.kind == PS_DATABASE_SQLITE)
        probe_file(probe, context, &settings, plan->schema.create);
    else
        probe_server(probe, &settings);
}
