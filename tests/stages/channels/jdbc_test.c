/* The channel jdbc with SQLite: its keys, the contents of the tables, and a database that fails. Its work on events is also
 * tested by tests/stages/conformance_channel_test.c. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "stages/lib/queue/database/statements.h"
#include "tests/stages/channels/jdbc_support.h"

static void await_trouble(struct ps_test_stage *stage, const char *words)
{
    char text[512] = "";
    for (unsigned i = 0; strstr(text, words) == NULL; i++) {
        if (i == 20000)
            fail_msg("%s", text);
        rest();
        (void)stage->ops->channel->trouble(stage->plan, text, sizeof text);
    }
}

/* Returns the first column of the first row. */
static int64_t ask(const char *file, const char *text)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(file, &database), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(database, text, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

static void tell(sqlite3 *database, const char *text)
{
    assert_int_equal(sqlite3_exec(database, text, NULL, NULL, NULL), SQLITE_OK);
}

/* ---- keys ---- */

static void test_databases_that_are_refused(void **state)
{
    static const char *const urls[][2] = {
        {"jdbc:mysql://h/db", "of type mysql, and penstock has no client for it"},
        {"jdbc:oracle:thin:@h:1521:x", "of type oracle"},
        {"jdbc:derby:memory:x;create=true", "use a channel of type memory"},
        {"jdbc:derby://h:1527/x", "network server"},
        {"jdbc:derby:/x/db;dataEncryption=true;bootPassword=s3cret", "does not write in plain text"},
        {"jdbc:postgresql:", "write jdbc:postgresql://host:port/database"},
        {"postgresql://h/db", "is not a JDBC URL"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(urls); i++) {
        struct ps_test_stage stage;
        assert_int_equal(bind_channel(&stage, PS_KEYS("driver.url", urls[i][0])), PS_FAIL);
        if (!ps_test_stage_reported(&stage, PS_LOG_ERROR, urls[i][1]))
            fail_msg("%s", urls[i][0]);
        assert_false(ps_test_stage_reported(&stage, PS_LOG_ERROR, "s3cret"));
        ps_test_stage_fini(&stage);
    }
}

static void test_keys_that_contradict(void **state)
{
    struct ps_test_stage stage;
    assert_int_equal(bind_channel(&stage, PS_KEYS("driver.url", url, "db.type", "MYSQL")), PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "does not fit driver.url"));
    ps_test_stage_fini(&stage);
    assert_int_equal(
        bind_channel(&stage, PS_KEYS("driver.url", url, "driver.class", "com.mysql.jdbc.Driver")), PS_OK);
    assert_true(
        ps_test_stage_reported(&stage, PS_LOG_WARN, "driver.class com.mysql.jdbc.Driver has no effect"));
    ps_test_stage_fini(&stage);
    assert_int_equal(bind_channel(&stage, PS_KEYS("transaction.isolation", "SOME")), PS_FAIL);
    ps_test_stage_fini(&stage);
    assert_int_equal(bind_channel(&stage, PS_KEYS("org.apache.flume.channel.jdbc.db.type", "ORACLE",
                                                  "org.apache.flume.channel.jdbc.driver.url", url)),
                     PS_FAIL);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "db.type ORACLE"));
    ps_test_stage_fini(&stage);
}

/* Each parameter that only Java's driver knows is named in the message, at any place of the URL. Known parameters
 * are not. */
static void test_parameters_without_an_effect(void **state)
{
    static const char *const unknown[] = {"loginTimeout", "socketTimeout", "tcpKeepAlive"};
    static const char *const known[] = {"sslmode", "ApplicationName", "targetServerType", "user"};
    struct ps_test_stage stage;
    char text[100];
    FILE *file = fopen(ps_test_folder_path("driver.properties"), "w");
    assert_non_null(file);
    fputs("loginTimeout=1\nuser=flume\nsocketTimeout=2\ntcpKeepAlive=true\nApplicationName=a\n", file);
    fclose(file);
    for (unsigned in_file = 0; in_file < 2; in_file++) {
        const char *where = in_file ? "connection.properties.file" : "driver.url";
        char long_url[300] = "jdbc:postgresql://127.0.0.1:1/db";
        if (!in_file)
            strcat(long_url, "?loginTimeout=1&sslmode=disable&user=flume&socketTimeout=2&ApplicationName=a&"
                             "targetServerType=any&tcpKeepAlive=true");
        enum ps_status status =
            in_file ? bind_channel(&stage, PS_KEYS("driver.url", long_url, "connection.properties.file",
                                                   ps_test_folder_path("driver.properties")))
                    : bind_channel(&stage, PS_KEYS("driver.url", long_url));
        assert_int_equal(status, PS_OK);
        for (unsigned i = 0; i < PS_COUNT_OF(unknown); i++) {
            snprintf(text, sizeof text, "%s: the PostgreSQL driver's parameter %s has no effect", where,
                     unknown[i]);
            assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, text));
        }
        for (unsigned i = 0; i < PS_COUNT_OF(known); i++) {
            snprintf(text, sizeof text, "parameter %s has no effect", known[i]);
            assert_false(ps_test_stage_reported(&stage, PS_LOG_WARN, text));
        }
        ps_test_stage_fini(&stage);
    }
}

/* A blank URL counts as missing: Flume uses its defaults for all of the keys. A directory that is not a database of
 * Derby causes no warning. */
static void test_keys_without_an_effect(void **state)
{
    struct ps_test_stage stage;
    char derby[640];
    assert_int_equal(bind_channel(&stage, PS_KEYS("sysprop.user.home", ps_test_folder(), "driver.url", " \t ",
                                                  "db.type", "MYSQL", "driver.class", "x")),
                     PS_OK);
    assert_false(ps_test_stage_reported(&stage, PS_LOG_WARN, ""));
    ps_test_stage_fini(&stage);
    snprintf(derby, sizeof derby, "jdbc:derby:%s/none;create=true", ps_test_folder());
    assert_int_equal(bind_channel(&stage, PS_KEYS("driver.url", derby)), PS_OK);
    assert_false(ps_test_stage_reported(&stage, PS_LOG_WARN, "Derby"));
    ps_test_stage_fini(&stage);
}

/* Names with as many chars as FLE_CHANNEL has room for; one char more is refused. */
static void test_long_names_of_channels(void **state)
{
    for (unsigned chars = PS_TABLES_CHANNEL_CHARS - 1; chars <= PS_TABLES_CHANNEL_CHARS + 1; chars++) {
        struct ps_test_stage stage;
        char name[2 * PS_TABLES_CHANNEL_CHARS + 3] = "";
        for (unsigned i = 0; i < chars; i++)
            strcat(name, "\303\251");
        enum ps_status status = bind_named(&stage, name, PS_KEYS("driver.url", url));
        assert_int_equal(status, chars <= PS_TABLES_CHANNEL_CHARS ? PS_OK : PS_FAIL);
        if (status != PS_OK)
            assert_true(ps_test_stage_reported(&stage, PS_LOG_ERROR, "name is longer"));
        ps_test_stage_fini(&stage);
    }
}

/* Flume's default database is below user.home. If Derby has a database there, a message names it and it is not changed. */
static void test_the_default_database(void **state)
{
    struct ps_test_stage stage;
    const char *const *keys = PS_KEYS("sysprop.user.home", ps_test_folder());
    char path[640];
    snprintf(path, sizeof path, "%s/.flume", ps_test_folder());
    assert_int_equal(mkdir(path, 0700), 0);
    strcat(path, "/jdbc-channel");
    assert_int_equal(mkdir(path, 0700), 0);
    strcat(path, "/db");
    assert_int_equal(mkdir(path, 0700), 0);
    strcat(path, "/service.properties");
    close(open(path, O_WRONLY | O_CREAT, 0600));
    assert_int_equal(bind_channel(&stage, keys), PS_OK);
    assert_true(ps_test_stage_reported(&stage, PS_LOG_WARN, ".flume/jdbc-channel/db is a Derby database"));
    ps_test_stage_fini(&stage);
    start_named(&stage, "c1", keys);
    put(&stage, PS_LEASE(&stage, PS_BODY("x")));
    ps_test_channel_await_home(&stage, 1);
    stop(&stage);
    snprintf(path, sizeof path, "%s/.flume/jdbc-channel/db.sqlite", ps_test_folder());
    assert_int_equal(ask(path, "SELECT COUNT(*) FROM FL_EVENT"), 1);
    snprintf(path, sizeof path, "%s/.flume/jdbc-channel/db", ps_test_folder());
    assert_int_equal(access(path, F_OK), 0);
}

/* ---- the tables ---- */

static void test_what_is_long_spills(void **state)
{
    struct ps_test_stage stage;
    const char *file = ps_test_folder_path("db");
    char *name = text_of(252, "n"), *fits = text_of(251, "\xC3\xA4"),
         *spills = text_of(126, "\xF0\x9F\x98\x80");
    char *body = text_of(300000, "b"), *value = text_of(40000, "v");
    const struct ps_test_event events[] = {
        PS_EVENT("short", "a", fits, "b", spills, name, "", "c", value),
        {.body = body, .length = 16384},
        {.body = body, .length = 16385},
        {.body = body, .length = 300000},
        PS_BODY(""),
    };
    start(&stage);
    put(&stage, ps_test_lease(&stage, events, PS_COUNT_OF(events)));
    ps_test_channel_await_home(&stage, 1);
    assert_int_equal(ask(file, "SELECT COUNT(*) FROM FL_PLSPILL"), 2);
    assert_int_equal(ask(file, "SELECT MAX(LENGTH(FLE_PAYLOAD)) FROM FL_EVENT"), 16384);
    assert_int_equal(ask(file, "SELECT COUNT(*) FROM FL_EVENT WHERE FLE_SPILL AND FLE_CHANNEL = 'c1'"), 2);
    assert_int_equal(ask(file, "SELECT LENGTH(FLH_NAME) FROM FL_HEADER WHERE FLH_NMSPILL"), 251);
    assert_int_equal(ask(file, "SELECT COUNT(*) FROM FL_HEADER WHERE FLH_VLSPILL"), 2);
    /* A character of two Java chars is not cut in half. */
    assert_int_equal(ask(file, "SELECT LENGTH(FLH_VALUE) FROM FL_HEADER WHERE FLH_NAME = 'b'"), 125);
    assert_int_equal(ask(file, "SELECT SUM(LENGTH(FLV_SPILL)) FROM FL_VLSPILL"), 1 + 40000 - 251);
    stop(&stage);
    start(&stage);
    for (uint32_t at = 0; at < PS_COUNT_OF(events);) {
        struct ps_lease *lease = take(&stage);
        for (uint32_t i = 0; i < lease->count; i++)
            check_event(&stage, lease, i, &events[at++]);
        deliver(&stage, lease);
    }
    stop(&stage);
    assert_int_equal(ask(file, "SELECT (SELECT COUNT(*) FROM FL_EVENT) + (SELECT COUNT(*) FROM FL_PLSPILL) + "
                               "(SELECT COUNT(*) FROM FL_HEADER) + (SELECT COUNT(*) FROM FL_NMSPILL) + "
                               "(SELECT COUNT(*) FROM FL_VLSPILL)"),
                     0);
    free(name);
    free(fits);
    free(spills);
    free(body);
    free(value);
}

static void test_tables_without_indexes_and_keys(void **state)
{
    struct ps_test_stage stage;
    const char *file = ps_test_folder_path("db");
    start_named(&stage, "c1",
                PS_KEYS("driver.url", url, "create.index", "false", "create.foreignkey", "false"));
    put(&stage, PS_LEASE(&stage, PS_EVENT("x", "n", "v")));
    ps_test_channel_await_home(&stage, 1);
    assert_int_equal(ask(file, "SELECT COUNT(*) FROM sqlite_master WHERE type = 'index'"), 0);
    assert_int_equal(ask(file, "SELECT COUNT(*) FROM sqlite_master WHERE sql LIKE '%REFERENCES%'"), 0);
    deliver(&stage, take(&stage));
    stop(&stage);
    assert_int_equal(ask(file, "SELECT COUNT(*) FROM FL_HEADER"), 0);
}

/* Flume keeps all channels of an agent in one database. */
static void test_two_channels_in_one_database(void **state)
{
    struct ps_test_stage one, two;
    start_named(&one, "one", PS_KEYS("driver.url", url));
    start_named(&two, "two", PS_KEYS("driver.url", url));
    for (unsigned i = 0; i < 20; i++) {
        put(&one, PS_LEASE(&one, PS_EVENT("of one", "n", "1")));
        put(&two, PS_LEASE(&two, PS_EVENT("of two", "n", "2")));
    }
    ps_test_channel_await_home(&one, 20);
    ps_test_channel_await_home(&two, 20);
    for (unsigned count = 0; count < 20;) {
        struct ps_lease *lease = take(&two);
        for (uint32_t i = 0; i < lease->count; i++, count++)
            check_event(&two, lease, i, &PS_EVENT("of two", "n", "2"));
        deliver(&two, lease);
    }
    stop(&two);
    stop(&one);
    assert_int_equal(
        ask(ps_test_folder_path("db"), "SELECT COUNT(*) FROM FL_EVENT WHERE FLE_CHANNEL = 'one'"), 20);
    assert_int_equal(ask(ps_test_folder_path("db"), "SELECT COUNT(*) FROM FL_HEADER"), 20);
}

/* ---- a database that fails ---- */

static void test_no_tables_and_none_may_be_made(void **state)
{
    struct ps_test_stage stage;
    sqlite3 *database;
    assert_int_equal(sqlite3_open(ps_test_folder_path("db"), &database), SQLITE_OK);
    tell(database, "CREATE TABLE OTHER (ID INTEGER)");
    start_named(&stage, "c1", PS_KEYS("driver.url", url, "create.schema", "false"));
    await_trouble(&stage, "create.schema is false");
    /* An administrator makes the tables, but forgets one. */
    tell(database,
         "CREATE TABLE FL_EVENT (FLE_ID INTEGER PRIMARY KEY AUTOINCREMENT, FLE_PAYLOAD BLOB, FLE_CHANNEL "
         "TEXT, FLE_SPILL BOOLEAN); CREATE TABLE FL_PLSPILL (FLP_EVENT BIGINT, FLP_SPILL BLOB); CREATE "
         "TABLE FL_HEADER (FLH_ID INTEGER PRIMARY KEY AUTOINCREMENT, FLH_EVENT BIGINT, FLH_NAME TEXT, "
         "FLH_VALUE TEXT, FLH_NMSPILL BOOLEAN, FLH_VLSPILL BOOLEAN); CREATE TABLE FL_NMSPILL (FLN_HEADER "
         "BIGINT, FLN_SPILL TEXT)");
    await_trouble(&stage, "no such table: FL_VLSPILL");
    tell(database, "CREATE TABLE FL_VLSPILL (FLV_HEADER BIGINT, FLV_SPILL TEXT)");
    put(&stage, PS_LEASE(&stage, PS_EVENT("x", "n", "v")));
    ps_test_channel_await_home(&stage, 1);
    stop(&stage);
    sqlite3_close(database);
}

static void test_a_locked_database_is_waited_for(void **state)
{
    struct ps_test_stage stage;
    sqlite3 *database;
    start(&stage);
    put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    ps_test_channel_await_home(&stage, 1);
    assert_int_equal(sqlite3_open(ps_test_folder_path("db"), &database), SQLITE_OK);
    tell(database, "BEGIN IMMEDIATE");
    put(&stage, PS_LEASE(&stage, PS_BODY("b")));
    for (unsigned i = 0; i < 50; i++) {
        (void)stage.ops->channel->tick(stage.plan, 0, &stage.port, &stage.now);
        rest();
    }
    assert_int_equal(stage.home_count, 1);
    tell(database, "ROLLBACK");
    ps_test_channel_await_home(&stage, 2);
    sqlite3_close(database);
    stop(&stage);
}

static void test_a_channel_has_one_user(void **state)
{
    struct ps_test_stage stage, second;
    start(&stage);
    put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    start(&second);
    await_trouble(&second, "is in use by process");
    ps_test_channel_await_home(&stage, 1);
    stop(&stage);
    struct ps_lease *lease = take(&second);
    check_event(&second, lease, 0, &PS_BODY("a"));
    deliver(&second, lease);
    stop(&second);
}

/* The lock's file is removed while it is held: the lock in the database still holds. */
static void test_a_removed_lock_lets_nobody_in(void **state)
{
    struct ps_test_stage stage, second;
    start(&stage);
    put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    ps_test_channel_await_home(&stage, 1);
    assert_int_equal(unlink(ps_test_folder_path("db.c1.lock")), 0);
    start(&second);
    await_trouble(&second, "another agent uses channel c1 there");
    stop(&stage);
    struct ps_lease *lease = take(&second);
    check_event(&second, lease, 0, &PS_BODY("a"));
    deliver(&second, lease);
    stop(&second);
}

/* The database is removed while it is open: events put afterwards go to a new database. The delivery of an event of
 * the removed database then removes no event of the new one, although both are the first of their database. */
static void test_a_removed_database(void **state)
{
    struct ps_test_stage stage;
    start(&stage);
    put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    ps_test_channel_await_home(&stage, 1);
    struct ps_lease *lease = take(&stage);
    check_event(&stage, lease, 0, &PS_BODY("a"));
    assert_int_equal(unlink(ps_test_folder_path("db")), 0);
    assert_int_equal(unlink(ps_test_folder_path("db-wal")), 0);
    assert_int_equal(unlink(ps_test_folder_path("db-shm")), 0);
    put(&stage, PS_LEASE(&stage, PS_BODY("b")));
    ps_test_channel_await_home(&stage, 2);
    assert_int_equal(ask(ps_test_folder_path("db"), "SELECT COUNT(*) FROM FL_EVENT"), 1);
    deliver(&stage, lease);
    stop(&stage); /* delivered events are removed by now */
    start(&stage);
    lease = take(&stage);
    check_event(&stage, lease, 0, &PS_BODY("b"));
    deliver(&stage, lease);
    stop(&stage);
}

/* Another database replaces it: its events are delivered, and events put later are added to it. */
static void test_a_replaced_database(void **state)
{
    struct ps_test_stage stage;
    char aside[600], file[600];
    snprintf(file, sizeof file, "%s", ps_test_folder_path("db"));
    snprintf(aside, sizeof aside, "%s", ps_test_folder_path("aside"));
    start(&stage);
    put(&stage, PS_LEASE(&stage, PS_BODY("old")));
    ps_test_channel_await_home(&stage, 1);
    stop(&stage);
    assert_int_equal(rename(file, aside), 0);
    start(&stage);
    put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    ps_test_channel_await_home(&stage, 1);
    struct ps_lease *lease = take(&stage);
    assert_int_equal(rename(aside, file), 0);
    assert_int_equal(unlink(ps_test_folder_path("db-wal")), 0);
    assert_int_equal(unlink(ps_test_folder_path("db-shm")), 0);
    put(&stage, PS_LEASE(&stage, PS_BODY("b")));
    ps_test_channel_await_home(&stage, 2);
    deliver(&stage, lease);
    stop(&stage);
    assert_int_equal(ask(file, "SELECT COUNT(*) FROM FL_EVENT WHERE FLE_PAYLOAD IN (x'6f6c64', x'62')"), 2);
}

/* Only the write-ahead log of the database is removed: its commits are saved when the connection is closed. */
static void test_a_removed_write_ahead_log(void **state)
{
    struct ps_test_stage stage;
    start(&stage);
    put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    ps_test_channel_await_home(&stage, 1);
    assert_int_equal(unlink(ps_test_folder_path("db-wal")), 0);
    put(&stage, PS_LEASE(&stage, PS_BODY("b")));
    ps_test_channel_await_home(&stage, 2);
    assert_int_equal(access(ps_test_folder_path("db-wal"), F_OK), 0);
    stop(&stage);
    assert_int_equal(ask(ps_test_folder_path("db"), "SELECT COUNT(*) FROM FL_EVENT"), 2);
}

/* Files may not grow: SQLite sees a failed write. Events put meanwhile are neither promised nor lost. */
static void test_a_full_disk(void **state)
{
    struct ps_test_stage stage;
    struct rlimit before, small;
    signal(SIGXFSZ, SIG_IGN);
    start(&stage);
    put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    ps_test_channel_await_home(&stage, 1);
    struct ps_lease *first = take(&stage);
    getrlimit(RLIMIT_FSIZE, &before);
    small = (struct rlimit){.rlim_cur = 16384, .rlim_max = before.rlim_max};
    setrlimit(RLIMIT_FSIZE, &small);
    char *body = text_of(50000, "x");
    struct ps_lease *lease = PS_LEASE(&stage, PS_BODY(body));
    put(&stage, lease);
    await_trouble(&stage, "the channel acknowledges no events until its storage works again");
    (void)stage.ops->channel->tick(stage.plan, 0, &stage.port, &stage.now);
    assert_int_equal(stage.home_count, 1);
    setrlimit(RLIMIT_FSIZE, &before);
    ps_test_channel_await_home(&stage, 2);
    assert_false(lease->failed);
    struct ps_lease *second = take(&stage);
    check_event(&stage, first, 0, &PS_BODY("a"));
    check_event(&stage, second, 0, &PS_BODY(body));
    deliver(&stage, first);
    deliver(&stage, second);
    stop(&stage);
    free(body);
}

/* While the database fails, the channel gives up leases whose source can refuse its clients. */
static void test_refusable_leases_are_given_up(void **state)
{
    struct ps_test_stage stage;
    sqlite3 *database;
    start(&stage);
    put(&stage, PS_LEASE(&stage, PS_BODY("a")));
    ps_test_channel_await_home(&stage, 1);
    assert_int_equal(sqlite3_open(ps_test_folder_path("db"), &database), SQLITE_OK);
    tell(database, "BEGIN IMMEDIATE; ALTER TABLE FL_HEADER RENAME TO ELSEWHERE; COMMIT");
    struct ps_lease *lease = PS_LEASE(&stage, PS_EVENT("b", "n", "v"));
    lease->refusable = true;
    put(&stage, lease);
    await_trouble(&stage, "no such table");
    ps_test_channel_await_home(&stage, 2);
    assert_true(lease->failed);
    tell(database, "ALTER TABLE ELSEWHERE RENAME TO FL_HEADER");
    sqlite3_close(database);
    put(&stage, PS_LEASE(&stage, PS_BODY("c")));
    ps_test_channel_await_home(&stage, 3);
    stop(&stage);
    assert_int_equal(ask(ps_test_folder_path("db"), "SELECT COUNT(*) FROM FL_EVENT"), 2);
}

static void test_a_file_that_is_no_database(void **state)
{
    struct ps_test_stage stage;
    ps_test_folder_append(
        "db", "this is a text and no database, and nobody may overwrite it, whatever its name", 79);
    start(&stage);
    await_trouble(&stage, "file is not a database: it is left as it is");
    stop(&stage);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_databases_that_are_refused, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_keys_that_contradict, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_keys_without_an_effect, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_parameters_without_an_effect, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_long_names_of_channels, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_the_default_database, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_long_spills, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_tables_without_indexes_and_keys, set_up,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_two_channels_in_one_database, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_no_tables_and_none_may_be_made, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_locked_database_is_waited_for, set_up,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_channel_has_one_user, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_removed_lock_lets_nobody_in, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_removed_database, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_replaced_database, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_removed_write_ahead_log, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_full_disk, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_refusable_leases_are_given_up, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_file_that_is_no_database, set_up, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
