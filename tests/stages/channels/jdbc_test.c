/* The channel jdbc with SQLite: tables of other makers, and locks. Its keys: tests/scenarios/jdbc_keys.scn; its work on events:
 * tests/stages/conformance_channel_test.c. */
#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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
