/* Each call of the table of a database fails once, in every way that the table allows, and once more after a success, while
 * the store is opened, written, fed, emptied and opened again; the test acts as the durable queue: after a failure it renews
 * the store, or closes and opens it. An event that was promised comes, one whose delivery was recorded does not come again,
 * one that was never promised comes at most once, and at the end all accounts, tables and connections are empty. */
#include <fcntl.h>
#include <glob.h>
#include <unistd.h>

#include "core/log/log.h"
#include "tests/stages/lib/queue/database/fake_database.h"
#include "tests/stages/lib/queue/database/store_support.h"

#define EVENTS 200U
#define FRAMES 16U
#define FRAME_EVENTS 4U
#define TRIES_MAX 20U
#define SHARE 3U /* one run tries a third of the calls for each failure, chosen by the seed */

enum state {
    PUT,      /* not promised yet */
    PROMISED, /* has to come */
    TAKEN,    /* was promised, and came */
    UNKNOWN,  /* may come after this opening, and may come again */
    RECORDED, /* its delivery is recorded: must not come again */
};

static struct ps_err err;
static enum { RENEWED, OPENED, RENEWED_AND_OPENED, REPAIRS } repair; /* after a failure */
static const char *const repairs[REPAIRS] = {"renewed", "opened again", "renewed and opened again"};
static enum state states[EVENTS];
static unsigned put_count, fed; /* events */
static unsigned first[FRAMES];  /* number of the first event of each frame of this opening */
static unsigned frames, appended, promised;
static uint64_t expected; /* events in the store's account */
static bool exact;        /* whether `expected` is known */
static enum ps_database_kind kind;

#define FAIL(...)                                                                                            \
    do {                                                                                                     \
        print_message("%s, call %llu and %llu more fails: %s; %s\n",                                         \
                      kind == PS_DATABASE_SQLITE ? "SQLite" : "PostgreSQL",                                  \
                      (unsigned long long)fake_plan.nth, (unsigned long long)fake_plan.again,                \
                      fake_failure_names[fake_plan.failure], repairs[repair]);                               \
        fail_msg(__VA_ARGS__);                                                                               \
    } while (0)

static unsigned count_of(enum state state)
{
    unsigned count = 0;
    for (unsigned number = 0; number < put_count; number++)
        count += states[number] == state;
    return count;
}

static void change(enum state from, enum state to)
{
    for (unsigned number = 0; number < put_count; number++)
        states[number] = states[number] == from ? to : states[number];
}

static void expect_fill(void)
{
    struct ps_segment_fill fill;
    ps_database_store.fill(store, &fill);
    if (fill.frames_lost != 0)
        FAIL("%llu frames are said to be lost", (unsigned long long)fill.frames_lost);
    if (exact && fill.events != expected)
        FAIL("the account has %llu events, and %llu are there", (unsigned long long)fill.events,
             (unsigned long long)expected);
}

/* ---- opening ---- */

static void open_again(void)
{
    struct ps_segment_fill fill;
    for (unsigned tries = 0;; tries++) {
        err = (struct ps_err){.length = 0};
        store = ps_database_store.open(&settings, "channel c1", &err);
        if (store != NULL)
            break;
        if (tries == TRIES_MAX || err.length == 0)
            FAIL("it is not opened: %s", err.text);
    }
    frames = appended = promised = fed = 0;
    ps_database_store.fill(store, &fill);
    unsigned least = count_of(PROMISED), most = least + count_of(UNKNOWN);
    if (fill.events < least || fill.events > most)
        FAIL("%llu events are found, and %u to %u are there", (unsigned long long)fill.events, least, most);
    exact = true;
    expected = fill.events;
}

static void put(unsigned count);

/* The source sends events that were not promised again; here they get new numbers. */
static void close_and_open(void)
{
    unsigned again = frames - promised;
    change(PUT, UNKNOWN);
    change(TAKEN, UNKNOWN);
    ps_database_store.close(store);
    open_again();
    while (again-- > 0)
        put(FRAME_EVENTS);
}

/* ---- writing ---- */

static void note_promised(unsigned more)
{
    for (unsigned frame = promised; frame < more; frame++) {
        for (unsigned i = 0; i < FRAME_EVENTS; i++)
            states[first[frame] + i] = PROMISED;
        expected += FRAME_EVENTS;
    }
    promised = more;
}

static void mend(void)
{
    if (repair == OPENED) {
        close_and_open();
        return;
    }
    for (unsigned tries = 0; ps_database_store.renew(store, &err) != PS_OK; tries++)
        if (tries == TRIES_MAX)
            FAIL("it is not renewed: %s", err.text);
    note_promised((unsigned)ps_database_store.promised(store));
    appended = promised;
    change(TAKEN, RECORDED);
    expect_fill();
    if (repair == RENEWED_AND_OPENED)
        close_and_open();
}

/* Appends the frames that are not appended yet, and makes them durable if `syncs`. */
static void write_all(bool syncs)
{
    for (unsigned tries = 0;; tries++) {
        err = (struct ps_err){.length = 0};
        bool works = true;
        while (works && appended < frames) {
            works = append(first[appended], FRAME_EVENTS) > 0;
            appended += works;
        }
        if (works && !syncs)
            return;
        if (works && ps_database_store.sync(store, &err) == PS_OK)
            break;
        if (tries == TRIES_MAX)
            FAIL("it is not written: %s", err.text);
        mend();
    }
    if (ps_database_store.promised(store) != frames)
        FAIL("%llu frames are promised of %u", (unsigned long long)ps_database_store.promised(store), frames);
    note_promised(frames);
    change(TAKEN, RECORDED);
    expect_fill();
}

static void put(unsigned count)
{
    assert_true(frames < FRAMES && put_count + count <= EVENTS);
    first[frames++] = put_count;
    for (unsigned i = 0; i < count; i++)
        states[put_count++] = PUT;
}

/* ---- reading ---- */

static void expect_event(const struct ps_events_item *item)
{
    char text[16] = "";
    unsigned number;
    memcpy(text, item->body, item->length < sizeof text ? item->length : sizeof text - 1);
    assert_int_equal(sscanf(text, "%u", &number), 1);
    assert_true(number < put_count);
    assert_int_equal(item->length, is_long(number) ? LONG_BYTES : strlen(text));
    assert_int_equal(item->header_count, 1);
    for (; fed < number; fed++)
        if (states[fed] == PROMISED)
            FAIL("event %u is passed over", fed);
    if (fed++ > number || (states[number] != PROMISED && states[number] != UNKNOWN))
        FAIL("event %u comes, and it is %s", number,
             states[number] == RECORDED ? "recorded" : "not promised");
    states[number] = TAKEN;
    expected--;
}

/* Feeds a frame and takes it. Returns whether there was one. */
static bool take(void)
{
    struct ps_store_frame frame = {.blocks = &blocks};
    enum ps_store_fed got;
    for (unsigned tries = 0; (got = ps_database_store.feed(store, &frame, &err)) == PS_STORE_FAILED;
         tries++) {
        if (tries == TRIES_MAX)
            FAIL("it is not read: %s", err.text);
        mend();
        write_all(false);
    }
    if (got == PS_STORE_EMPTY)
        return false;
    assert_int_equal(got, PS_STORE_FED);
    struct ps_events_cursor cursor;
    struct ps_events_item item;
    assert_true(ps_events_cursor_init(&cursor, frame.rows.payload->base, frame.length));
    while (ps_events_next(&cursor, &item))
        expect_event(&item);
    assert_int_equal(cursor.done, frame.count);
    ps_events_cursor_fini(&cursor);
    ps_database_store.release(&frame);
    ps_database_store.take(store, &frame);
    expect_fill();
    return true;
}

/* ---- the history ---- */

static void drain(void)
{
    while (take()) {
    }
    write_all(true);
    while (take()) { /* a store that was opened again feeds what was not recorded */
        write_all(true);
    }
    if (count_of(PROMISED) > 0)
        FAIL("%u promised events do not come", count_of(PROMISED));
    struct ps_segment_fill fill;
    ps_database_store.fill(store, &fill);
    if (fill.events != 0 || fill.bytes != 0)
        FAIL("%llu events and %llu bytes stay in the account", (unsigned long long)fill.events,
             (unsigned long long)fill.bytes);
}

static void put_and_take(void)
{
    open_again();
    put(FRAME_EVENTS);
    write_all(true);
    (void)take();
    put(FRAME_EVENTS);
    put(FRAME_EVENTS);
    write_all(true);
    put(FRAME_EVENTS);
    write_all(false);
    (void)take(); /* while a transaction is under way */
    write_all(true);
    (void)take();
    write_all(true); /* records deliveries only */
    put(FRAME_EVENTS);
    write_all(true);
    close_and_open();
    (void)take();
    put(FRAME_EVENTS);
    write_all(true);
    drain();
    close_and_open();
    drain();
    ps_database_store.close(store);
}

static bool add_row(void *argument, const struct ps_database_value *values)
{
    *(int64_t *)argument += values[0].number;
    return true;
}

static void expect_empty_tables(void)
{
    static const struct ps_database_statement count = {
        .text =
            {"SELECT (SELECT COUNT(*) FROM FL_EVENT) + (SELECT COUNT(*) FROM FL_PLSPILL) + (SELECT COUNT(*) "
             "FROM FL_HEADER) + (SELECT COUNT(*) FROM FL_NMSPILL) + (SELECT COUNT(*) FROM FL_VLSPILL)"},
        .parameters = ""};
    int64_t rows = 0;
    void *database = ps_database_sqlite.connect(&settings.database, &err);
    assert_non_null(database);
    assert_int_equal(ps_database_sqlite.query(database, &count, NULL, add_row, &rows, &err), PS_OK);
    ps_database_sqlite.close(database);
    if (rows != 0)
        FAIL("%lld rows stay in the tables", (long long)rows);
}

static void copy_file(const char *from, const char *to)
{
    static char bytes[1 << 20];
    int in = open(ps_test_folder_path(from), O_RDONLY),
        out = open(ps_test_folder_path(to), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssize_t length = read(in, bytes, sizeof bytes);
    assert_true(length > 0 && length < (ssize_t)sizeof bytes);
    assert_int_equal(write(out, bytes, (size_t)length), length);
    close(in);
    close(out);
}

/* Runs the history on an empty database, without tables if it is SQLite's. Returns the number of calls. */
static uint64_t run(void)
{
    (void)unlink(ps_test_folder_path("events.sqlite-wal"));
    (void)unlink(ps_test_folder_path("events.sqlite-shm"));
    (void)unlink(ps_test_folder_path("events.sqlite"));
    glob_t marks;
    if (glob(ps_test_folder_path("events.sqlite-promised-*"), 0, NULL, &marks) == 0)
        (void)unlink(marks.gl_pathv[0]);
    globfree(&marks);
    if (kind == PS_DATABASE_POSTGRES)
        copy_file("empty", "events.sqlite");
    put_count = 0;
    begin_memory();
    fake_begin();
    uint64_t errors = ps_log_count(PS_LOG_ERROR);
    put_and_take();
    if (fake_complaint != NULL)
        FAIL("%s", fake_complaint);
    if (ps_log_count(PS_LOG_ERROR) != errors)
        FAIL("it speaks of lost events");
    assert_int_equal(fake_open, 0);
    end_memory();
    expect_empty_tables();
    return fake_calls;
}

static void each_call_fails(enum ps_database_kind of)
{
    static char path[512];
    kind = of;
    long_every = 10;
    assert_true(open_store(&err));
    ps_database_store.close(store);
    copy_file("events.sqlite", "empty");
    snprintf(path, sizeof path, "%s", ps_test_folder_path("events.sqlite"));
    settings.database.kind = kind;
    settings.ops = kind == PS_DATABASE_SQLITE ? &fake_sqlite : &fake_postgres;
    memset(&fake_plan, 0, sizeof fake_plan);
    uint64_t all = run();
    unsigned cases = 0;
    assert_true(all > 50);
    uint64_t random = ps_test_seed();
    unsigned drawn = (unsigned)(ps_test_random(&random) % SHARE);
    for (unsigned failure = 0; failure < FAKE_FAILURES; failure++) {
        for (fake_plan.nth = 1; fake_plan.nth <= all; fake_plan.nth++) {
            if ((fake_plan.nth + failure) % SHARE != drawn)
                continue;
            fake_plan.failure = failure;
            fake_plan.again = ps_test_random(&random) % 2 * (1 + ps_test_random(&random) % 30);
            repair = (unsigned)(ps_test_random(&random) % REPAIRS);
            (void)run();
            assert_true(fake_failures > 0);
            cases++;
        }
    }
    print_message("%u cases of %llu calls\n", cases, (unsigned long long)all);
}

static void test_sqlite(void **state)
{
    each_call_fails(PS_DATABASE_SQLITE);
}

static void test_postgres(void **state)
{
    each_call_fails(PS_DATABASE_POSTGRES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sqlite, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_postgres, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
