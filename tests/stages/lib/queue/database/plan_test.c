/* The reports of `check` and its probes about the keys of a channel in a database: a row for each state of the file, and
 * near misses of the keys. */
#include "stages/lib/queue/database/plan.h"
#include "tests/support/folder.h"
#include "tests/support/stage.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct ps_test_stage stage;
static char said[4096];

static void on_tried(const struct ps_probe *probe, enum ps_probed result, const char *key, const char *what,
                     const char *cause, const char *cure)
{
    static const char *const words[] = {"ok", "FAILED", "skipped", "refused"};
    size_t length = strlen(said);
    if (result != PS_PROBED_OK) /* successes that are always reported are left out */
        snprintf(said + length, sizeof said - length, "%s %s: %s\n", words[result], key != NULL ? key : "-",
                 cause != NULL ? cause : "");
}

static void on_report(const struct ps_context *context, enum ps_log_level severity, const char *key,
                      const char *message)
{
    size_t length = strlen(said);
    snprintf(said + length, sizeof said - length, "%s %s: %s\n", severity == PS_LOG_ERROR ? "ERROR" : "WARN",
             key != NULL ? key : "-", message);
}

static const char *probe_says(const struct ps_database_plan *plan, bool local)
{
    const struct ps_probe probe = {
        .component = "channel c1", .timeout_ms = 1000, .local = local, .tried = on_tried};
    said[0] = '\0';
    ps_database_plan_probe(plan, &stage.context, &probe);
    return said;
}

static enum ps_status check(const struct ps_database_plan *plan)
{
    said[0] = '\0';
    stage.context.report = on_report;
    return ps_database_plan_check(plan, &stage.context);
}

/* ---- probes ---- */

static void test_files(void **state)
{
    static const char magic[16] = "SQLite format 3";
    static const struct {
        const char *bytes; /* NULL: there is no file */
        size_t length;
        bool create, schema;
        const char *says;
    } rows[] = {
        {NULL, 0, true, true, ""},
        {NULL, 0, false, true, "FAILED driver.url: No such file or directory\n"},
        {NULL, 0, true, false, "FAILED create.schema: there are no tables of Flume's JDBC channel\n"},
        {"", 0, false, true, ""},
        {"x", 1, false, true, ""}, /* SQLite takes it for an empty one */
        {"xy", 2, false, true, "FAILED driver.url: it is not an SQLite database\n"},
        {magic, 15, false, true, "FAILED driver.url: it is not an SQLite database\n"},
        {magic, 16, false, true, ""},
        {magic, 16, false, false, ""}, /* its tables are looked for later */
        {"SQLite format 4", 16, false, true, "FAILED driver.url: it is not an SQLite database\n"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        char name[32], file[40], url[256];
        snprintf(name, sizeof name, "db%zu", i);
        snprintf(file, sizeof file, "%s.sqlite", name);
        if (rows[i].bytes != NULL)
            ps_test_folder_append(file, rows[i].bytes, rows[i].length);
        /* Derby's URL says whether the file is made, and names it without its ending. */
        snprintf(url, sizeof url, "jdbc:derby:%s%s", ps_test_folder_path(name),
                 rows[i].create ? ";create=true" : "");
        const struct ps_database_plan plan = {.url = url, .schema = {.create = rows[i].schema}};
        if (strcmp(probe_says(&plan, true), rows[i].says) != 0)
            fail_msg("row %zu: %s", i, said);
    }
}

static void test_a_directory(void **state)
{
    char url[256];
    assert_int_equal(mkdir(ps_test_folder_path("folder"), 0700), 0);
    snprintf(url, sizeof url, "jdbc:sqlite:%s", ps_test_folder_path("folder"));
    const struct ps_database_plan plan = {.url = url, .schema = {.create = true}};
    assert_string_equal(probe_says(&plan, true), "FAILED driver.url: Is a directory\n");
}

/* Returns whether this process has a lock of SQLite's on the file. Another process looks, because its `close` leaves the
 * locks of this one. */
static bool is_locked(const char *path)
{
    enum { PENDING_BYTE = 0x40000000, SHARED_BYTES = 510 }; /* https://sqlite.org/src/file/src/os.h */
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct flock lock = {
            .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = PENDING_BYTE + 2, .l_len = SHARED_BYTES};
        int fd = open(path, O_RDWR | O_CLOEXEC);
        _exit(fd < 0 || fcntl(fd, F_GETLK, &lock) != 0 ? 2 : lock.l_type == F_UNLCK);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 2);
    return WEXITSTATUS(status) == 0;
}

/* A reload tests the file of a channel that runs: the connection keeps its locks. Without them another program may take
 * itself for the last one that uses the file, and remove the log with the newest events. */
static void test_an_open_database(void **state)
{
    char path[256], url[300];
    snprintf(path, sizeof path, "%s", ps_test_folder_path("db.sqlite"));
    snprintf(url, sizeof url, "jdbc:sqlite:%s", path);
    const struct ps_database_settings settings = {
        .kind = PS_DATABASE_SQLITE, .label = path, .path = path, .create = true};
    const struct ps_database_plan plan = {.url = url, .schema = {.create = true}};
    void *database = ps_database_sqlite.connect(&settings, &stage.err);
    assert_non_null(database);
    assert_int_equal(ps_database_sqlite.execute(database, "CREATE TABLE t (a)", &stage.err), PS_OK);
    assert_true(is_locked(path));
    assert_string_equal(probe_says(&plan, true), "");
    assert_true(is_locked(path));
    ps_database_sqlite.close(database);
    assert_false(is_locked(path));
}

/* A URL that names nothing is an error of `check`; the probe is silent. A server is not asked in a reload. */
static void test_urls(void **state)
{
    assert_string_equal(probe_says(&(struct ps_database_plan){.url = "jdbc:oracle:x"}, true), "");
    assert_string_equal(
        probe_says(&(struct ps_database_plan){.url = "jdbc:postgresql://h/db", .user = "u"}, true),
        "skipped -: not asked\n");
    const char *refused =
        probe_says(&(struct ps_database_plan){.url = "jdbc:postgresql://127.0.0.1:1/db", .user = "u"}, false);
    assert_int_equal(strncmp(refused, "FAILED driver.url: ", 19), 0);
}

/* ---- check ---- */

static void test_keys(void **state)
{
    static const struct {
        struct ps_database_plan plan;
        bool taken;
        const char *says; /* the beginning of the message */
    } rows[] = {
        {{.url = "jdbc:sqlite:/x"}, true, ""},
        {{.url = "jdbc:oracle:x"}, false, "ERROR driver.url: "},
        {{.url = "jdbc:sqlite:/x", .type = "sqlite"}, true, ""},
        {{.url = "jdbc:sqlite:/x", .type = "OTHER"}, true, ""},
        {{.url = "jdbc:sqlite:/x", .type = "DERBY"},
         false,
         "ERROR db.type: db.type DERBY does not fit driver.url, which names SQLITE"},
        {{.url = "jdbc:derby:/x", .type = "DERBY"}, true, ""},
        {{.url = "jdbc:derby:/x", .type = "POSTGRESQL"},
         false,
         "ERROR db.type: db.type POSTGRESQL does not fit driver.url, which names DERBY"},
        {{.url = "jdbc:postgresql://h/db", .user = "u", .type = "POSTGRESQL"}, true, ""},
        {{.url = "jdbc:postgresql://h/db", .user = "u", .type = "SQLITE"},
         false,
         "ERROR db.type: db.type SQLITE does not fit driver.url, which names POSTGRESQL"},
        {{.url = " ", .type = "SQLITE"}, true, ""}, /* without a URL Flume's defaults apply */
        {{.type = "SQLITE"}, true, ""},
        {{.url = "jdbc:sqlite:/x", .driver = "org.sqlite.JDBC"}, true, ""},
        {{.url = "jdbc:sqlite:/x", .driver = "org.postgresql.Driver"},
         true,
         "WARN driver.class: driver.class org.postgresql.Driver has no effect"},
        {{.url = "jdbc:derby:/x", .driver = "org.apache.derby.jdbc.EmbeddedDriver"}, true, ""},
        {{.url = "jdbc:derby:/x", .driver = "org.apache.derby.iapi.jdbc.AutoloadedDriver"}, true, ""},
        {{.url = "jdbc:derby:/x", .driver = "org.sqlite.JDBC"}, true, "WARN driver.class: "},
        {{.url = "jdbc:postgresql://h/db", .user = "u", .driver = "org.postgresql.Driver"}, true, ""},
        {{.url = "jdbc:sqlite:/x", .properties_file = "/nowhere"},
         true,
         "WARN connection.properties.file: connection.properties.file has no effect"},
        {{.url = "jdbc:derby:/x;bootPassword=p"}, true, "WARN driver.url: bootPassword has no effect"},
        {{.url = "jdbc:postgresql://h/db?password=p", .user = "u"},
         true,
         "WARN driver.url: driver.url has a password"},
        {{.url = "jdbc:postgresql://h/db?reWriteBatchedInserts=true", .user = "u"},
         true,
         "WARN driver.url: driver.url: the PostgreSQL driver's parameter reWriteBatchedInserts has no "
         "effect"},
        {{.url = "jdbc:postgresql://h/db?sslmode=require", .user = "u"}, true, ""},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        bool taken = check(&rows[i].plan) == PS_OK;
        bool begins = rows[i].says[0] == '\0' ? said[0] == '\0'
                                              : strncmp(said, rows[i].says, strlen(rows[i].says)) == 0;
        if (taken != rows[i].taken || !begins)
            fail_msg("row %zu: %s, %s", i, taken ? "taken" : "refused", said);
    }
}

/* A name may have this many characters, not bytes; one more is refused. */
static void test_names(void **state)
{
    const struct ps_database_plan plan = {.url = "jdbc:sqlite:/x"};
    for (unsigned extra = 0; extra < 2; extra++) {
        char name[PS_TABLES_CHANNEL_CHARS * 2 + 4] = "";
        for (unsigned i = 0; i < PS_TABLES_CHANNEL_CHARS + extra; i++)
            strcat(name, "\xc3\xa4");
        stage.context.name = name;
        assert_int_equal(check(&plan), extra == 0 ? PS_OK : PS_FAIL);
        assert_int_equal(strstr(said, "the channel's name is longer than 64 characters") != NULL, extra);
    }
}

static void test_lock_names(void **state)
{
    static const struct {
        const char *name, *lock;
    } rows[] = {{"c1", "/x.c1.lock"}, {"a/b%c", "/x.a%2Fb%25c.lock"}, {"%", "/x.%25.lock"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_database_plan plan = {.url = "jdbc:sqlite:/x"};
        stage.context.name = rows[i].name;
        assert_int_equal(ps_database_plan_build(&plan, &stage.context, &stage.err), PS_OK);
        assert_string_equal(plan.store.lock, rows[i].lock);
        assert_string_equal(plan.store.channel, rows[i].name);
    }
    struct ps_database_plan plan = {.url = "jdbc:postgresql://h/db", .user = "u"};
    assert_int_equal(ps_database_plan_build(&plan, &stage.context, &stage.err), PS_OK);
    assert_null(plan.store.lock); /* the server keeps others away */
    plan.url = "jdbc:oracle:x";
    assert_int_equal(ps_database_plan_build(&plan, &stage.context, &stage.err), PS_FAIL);
}

static int set_up(void **state)
{
    ps_test_stage_init(&stage, &ps_channel_jdbc);
    stage.context.name = "c1";
    return ps_test_folder_setup(state);
}

static int tear_down(void **state)
{
    ps_test_stage_fini(&stage);
    return ps_test_folder_teardown(state);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_files), TEST(test_a_directory), TEST(test_an_open_database), TEST(test_urls),
        TEST(test_keys),  TEST(test_names),       TEST(test_lock_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
