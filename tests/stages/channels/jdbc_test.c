/* The channel jdbc with SQLite: its keys, tables of other makers, and locks. Its work on events is
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

/* ---- the tables ---- */

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_keys_that_contradict, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_keys_without_an_effect, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_parameters_without_an_effect, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_long_names_of_channels, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_tables_without_indexes_and_keys, set_up,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_no_tables_and_none_may_be_made, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_locked_database_is_waited_for, set_up,
                                        ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_channel_has_one_user, set_up, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_a_removed_lock_lets_nobody_in, set_up, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
