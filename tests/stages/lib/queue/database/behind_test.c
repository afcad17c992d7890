/* The server comes back without its newest transactions: it was restored from a backup, or another server, which lacked them, took its
 * place. It gives the identities of the lost events again: an event that is promised then is fed, and a delivery of
 * an event that was read before does not remove it. */
#include <sqlite3.h>

#include "core/log/log.h"
#include "stages/lib/queue/database/statements.h"
#include "tests/stages/lib/queue/database/fake_database.h"
#include "tests/stages/lib/queue/database/store_support.h"

#define KEPT 100U  /* events that the server still has */
#define LOST 200U  /* events that it forgets */
#define ANEW 150U  /* events that are promised afterwards */
#define FRAMES 64U /* more than the channel has */

static struct ps_err err;
static struct ps_store_frame fed[FRAMES];
static unsigned fed_count;

static int set_up(void **state)
{
    assert_int_equal(ps_test_folder_setup(state), 0);
    begin_memory();
    assert_true(open_store(&err)); /* makes the tables */
    ps_database_store.close(store);
    settings.database.kind = PS_DATABASE_POSTGRES;
    settings.ops = &fake_postgres;
    settings.lock = NULL;
    fake_plan.nth = 0;
    fake_begin();
    fed_count = 0;
    return 0;
}

static int tear_down(void **state)
{
    end_memory();
    return ps_test_folder_teardown(state);
}

static void open_server(void)
{
    store = ps_database_store.open(&settings, "channel c1", &err);
    assert_non_null(store);
}

static void promise(unsigned first, unsigned count)
{
    assert_true(append(first, count) > 0);
    assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
}

/* Feeds all events, which must have the numbers `first` to `last`. Sinks keep them. */
static void feed_all(unsigned first, unsigned last)
{
    unsigned next = first;
    for (;;) {
        struct ps_store_frame frame = {.blocks = &blocks};
        if (ps_database_store.feed(store, &frame, &err) != PS_STORE_FED)
            break;
        next = look_at(&frame, next);
        ps_database_store.release(&frame);
        assert_true(fed_count < FRAMES);
        fed[fed_count++] = frame;
    }
    assert_int_equal(next, last + 1);
}

static void take_all(void)
{
    for (unsigned i = 0; i < fed_count; i++)
        ps_database_store.take(store, &fed[i]);
    fed_count = 0;
    assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
}

/* Another program changes the database while the store has no connection that works. */
static void change(const char *format, unsigned number)
{
    char text[256];
    sqlite3 *file;
    snprintf(text, sizeof text, format, number);
    assert_int_equal(sqlite3_open(settings.database.path, &file), SQLITE_OK);
    assert_int_equal(sqlite3_exec(file, text, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(file);
}

static int note_count(void *argument, int, char **values, char **)
{
    *(unsigned *)argument = (unsigned)strtoul(values[0], NULL, 10);
    return 0;
}

static unsigned count_events(void)
{
    unsigned count = 0;
    sqlite3 *file;
    assert_int_equal(sqlite3_open(settings.database.path, &file), SQLITE_OK);
    assert_int_equal(sqlite3_exec(file, "SELECT COUNT(*) FROM FL_EVENT", note_count, &count, NULL),
                     SQLITE_OK);
    sqlite3_close(file);
    return count;
}

static void fall_back(unsigned to)
{
    change("PRAGMA foreign_keys = OFF; DELETE FROM FL_EVENT WHERE FLE_ID > %u", to);
    change("DELETE FROM FL_HEADER WHERE FLH_EVENT > %u", to);
    change("UPDATE sqlite_sequence SET seq = %u WHERE name = 'FL_EVENT'", to);
}

/* The next call loses the connection. */
static void lose_connection(void)
{
    fake_plan.failure = FAKE_LOST;
    fake_plan.nth = fake_calls + 1;
    assert_int_equal(append(0, 1), 0);
    fake_plan.nth = 0;
}

static void test_forgotten(void **state)
{
    for (unsigned opened_again = 0; opened_again < 2; opened_again++) {
        open_server();
        change("DELETE FROM FL_HEADER WHERE FLH_ID > %u", 0);
        change("DELETE FROM FL_EVENT WHERE FLE_ID > %u", 0);
        promise(1, KEPT);
        ps_database_store.close(store);
        open_server();
        promise(KEPT + 1, LOST);
        if (opened_again > 0) { /* the identities that the server has at an opening count, too */
            ps_database_store.close(store);
            open_server();
        }
        feed_all(1, KEPT + LOST);
        lose_connection();
        fall_back(KEPT);
        uint64_t errors = ps_log_count(PS_LOG_ERROR);
        assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
        promise(KEPT + 1, ANEW);
        take_all(); /* events that sinks got from the previous server */
        assert_int_equal(count_events(), KEPT + ANEW);
        assert_int_equal(ps_log_count(PS_LOG_ERROR), errors + 1);
        feed_all(1, KEPT + ANEW);
        take_all();
        feed_all(1, 0);
        ps_database_store.close(store);
        open_server();
        feed_all(1, 0);
        change("UPDATE sqlite_sequence SET seq = %u WHERE name = 'FL_EVENT'", 0);
        ps_database_store.close(store);
    }
}

/* A lost connection alone does not count as a loss of events. */
static void test_only_the_connection(void **state)
{
    uint64_t errors = ps_log_count(PS_LOG_ERROR);
    open_server();
    promise(1, KEPT);
    feed_all(1, KEPT);
    for (unsigned round = 0; round < 3; round++) {
        lose_connection();
        assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
    }
    take_all();
    promise(KEPT + 1, ANEW);
    feed_all(KEPT + 1, KEPT + ANEW);
    take_all();
    lose_connection();
    assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
    feed_all(1, 0);
    ps_database_store.close(store);
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors);
}

static enum ps_status query_without_sequence(void *database, const struct ps_database_statement *statement,
                                             const struct ps_database_value *values, ps_database_row *row,
                                             void *argument, struct ps_err *error)
{
    return statement->number == PS_SELECT_SEQUENCE
               ? fake_say(error, "no such function")
               : fake_query(database, statement, values, row, argument, error);
}

/* A server that does not tell which identities it has given works as any other. */
static void test_no_sequence(void **state)
{
    static struct ps_database_ops ops;
    ops = fake_postgres;
    ops.query = query_without_sequence;
    settings.ops = &ops;
    test_only_the_connection(state);
}

static bool is_unreadable;

static enum ps_status query_unreadable(void *database, const struct ps_database_statement *statement,
                                       const struct ps_database_value *values, ps_database_row *row,
                                       void *argument, struct ps_err *error)
{
    return is_unreadable ? query_without_sequence(database, statement, values, row, argument, error)
                         : fake_query(database, statement, values, row, argument, error);
}

/* The connection is lost when the sequence is read first: it is read when the channel is connected again. */
static void test_sequence_is_read_later(void **state)
{
    static struct ps_database_ops ops;
    ops = fake_postgres;
    ops.query = query_unreadable;
    settings.ops = &ops;
    is_unreadable = true;
    open_server();
    is_unreadable = false;
    lose_connection();
    assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
    promise(1, KEPT + LOST);
    feed_all(1, KEPT + LOST);
    lose_connection();
    fall_back(KEPT);
    assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
    promise(KEPT + 1, ANEW);
    take_all();
    assert_int_equal(count_events(), KEPT + ANEW);
    feed_all(1, KEPT + ANEW);
    take_all();
    ps_database_store.close(store);
}

static bool is_standby;

static enum ps_status query_of_standby(void *database, const struct ps_database_statement *statement,
                                       const struct ps_database_value *values, ps_database_row *row,
                                       void *argument, struct ps_err *error)
{
    const struct ps_database_value given = {.type = PS_DATABASE_NUMBER, .number = PS_SEQUENCE_OF_STANDBY};
    if (!is_standby || statement->number != PS_SELECT_SEQUENCE)
        return fake_query(database, statement, values, row, argument, error);
    row(argument, &given);
    return PS_OK;
}

/* A standby takes the place of the server before it has replayed all that it received. The channel waits until it is promoted, and
 * then feeds what it has not fed: nothing counts as lost, or as removed by another program. */
static void test_standby(void **state)
{
    static struct ps_database_ops ops;
    uint64_t errors = ps_log_count(PS_LOG_ERROR);
    ops = fake_postgres;
    ops.query = query_of_standby;
    settings.ops = &ops;
    open_server();
    promise(1, KEPT);
    feed_all(1, KEPT);
    promise(KEPT + 1, LOST);
    lose_connection();
    is_standby = true;
    change("UPDATE FL_EVENT SET FLE_CHANNEL = 'later' WHERE FLE_ID > %u", KEPT);
    for (unsigned tries = 0; tries < 2; tries++) {
        err = (struct ps_err){.length = 0};
        assert_int_equal(ps_database_store.renew(store, &err), PS_FAIL);
        assert_non_null(strstr(err.text, "the server is a standby"));
        feed_all(1, 0);
    }
    is_standby = false;
    change("UPDATE FL_EVENT SET FLE_CHANNEL = 'c1' WHERE FLE_ID > %u", KEPT);
    assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
    feed_all(KEPT + 1, KEPT + LOST);
    take_all();
    assert_int_equal(count_events(), 0);
    ps_database_store.close(store);
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors);
}

/* The server falls back several times, also before anything new was promised. */
static void test_again(void **state)
{
    open_server();
    promise(1, KEPT + LOST);
    feed_all(1, KEPT + LOST);
    for (unsigned round = 0; round < 3; round++) {
        uint64_t errors = ps_log_count(PS_LOG_ERROR);
        lose_connection();
        fall_back(KEPT - round);
        assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
        assert_int_equal(ps_log_count(PS_LOG_ERROR), errors + 1);
        if (round == 1)
            continue;
        promise(KEPT - round + 1, ANEW);
        take_all();
        assert_int_equal(count_events(), KEPT - round + ANEW);
        feed_all(1, KEPT - round + ANEW);
    }
    take_all();
    assert_int_equal(count_events(), 0);
    ps_database_store.close(store);
}

static void commit_without_an_answer(void)
{
    fake_plan.failure = FAKE_UNANSWERED;
    fake_plan.nth = fake_calls + 2; /* the first call reads the last identity */
    assert_int_equal(ps_database_store.sync(store, &err), PS_FAIL);
    fake_plan.nth = 0;
}

/* A COMMIT gets no answer. If the next server lacks this transaction, and others, its events are not promised; if the next
 * server has all of them, they are. */
static void test_commit_without_an_answer(void **state)
{
    open_server();
    promise(1, KEPT);
    feed_all(1, KEPT);
    assert_true(append(KEPT + 1, 10) > 0);
    commit_without_an_answer();
    assert_int_equal(count_events(), KEPT + 10);
    fall_back(KEPT - 20);
    assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
    assert_int_equal(ps_database_store.promised(store), 1);
    promise(KEPT - 20 + 1, 30);
    take_all();
    assert_int_equal(count_events(), KEPT + 10);
    feed_all(1, KEPT + 10);
    assert_true(append(KEPT + 11, 10) > 0);
    commit_without_an_answer();
    uint64_t errors = ps_log_count(PS_LOG_ERROR);
    assert_int_equal(ps_database_store.renew(store, &err), PS_OK);
    assert_int_equal(ps_database_store.promised(store), 3);
    assert_int_equal(ps_log_count(PS_LOG_ERROR), errors);
    feed_all(KEPT + 11, KEPT + 20);
    take_all();
    assert_int_equal(count_events(), 0);
    ps_database_store.close(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_commit_without_an_answer, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forgotten, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_sequence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_the_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sequence_is_read_later, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_standby, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
