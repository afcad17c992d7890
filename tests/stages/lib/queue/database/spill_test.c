/* Where a body, a header's name and its value continue in another table: at the sizes of Flume's tables, exactly there,
 * one step less and one step more, also where a character would be cut. The events come out as they were put. */
#include "tests/stages/lib/queue/database/store_support.h"

static struct ps_err err;

static bool note_row(void *argument, const struct ps_database_value *values)
{
    int64_t *numbers = argument;
    numbers[0] = values[0].number;
    numbers[1] = values[1].number;
    return true;
}

/* Asserts the number of rows of a table of spills, and of characters of the longest text of a column. */
static void expect_row(const char *spills, const char *column, int64_t count, int64_t chars)
{
    static char text[512];
    int64_t numbers[2] = {-1, -1};
    snprintf(text, sizeof text, "SELECT (SELECT COUNT(*) FROM %s), (SELECT MAX(LENGTH(%s)) FROM %s)", spills,
             column, strncmp(column, "FLE", 3) == 0 ? "FL_EVENT" : "FL_HEADER");
    const struct ps_database_statement statement = {.text = {text}, .parameters = ""};
    void *database = ps_database_sqlite.connect(&settings.database, &err);
    assert_non_null(database);
    assert_int_equal(ps_database_sqlite.query(database, &statement, NULL, note_row, numbers, &err), PS_OK);
    ps_database_sqlite.close(database);
    if (numbers[0] != count || numbers[1] != chars)
        fail_msg("%s has %lld rows, and %s has %lld characters", spills, (long long)numbers[0], column,
                 (long long)numbers[1]);
}

static void append_event(const char *body, size_t length, const char *name, const char *value)
{
    struct ps_events_encoder encoder = {0};
    uint64_t number;
    ps_events_begin(&encoder);
    ps_events_add(&encoder, body, (uint32_t)length, 1);
    ps_events_header(&encoder, name, strlen(name), value, (uint32_t)strlen(value));
    const char *payload = ps_events_end(&encoder);
    assert_int_equal(ps_database_store.append(store, payload, (uint32_t)encoder.length, encoder.count,
                                              encoder.body_bytes, &number, &err),
                     PS_OK);
    assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
    ps_events_encoder_fini(&encoder);
}

static void expect_event(const char *body, size_t length, const char *name, const char *value)
{
    struct ps_store_frame frame = {.blocks = &blocks};
    struct ps_events_cursor cursor;
    struct ps_events_item item;
    struct ps_events_field field;
    assert_int_equal(ps_database_store.feed(store, &frame, &err), PS_STORE_FED);
    assert_true(ps_events_cursor_init(&cursor, frame.rows.payload->base, frame.length));
    assert_true(ps_events_next(&cursor, &item));
    assert_int_equal(item.length, length);
    assert_memory_equal(item.body, body, length);
    assert_true(ps_events_next_field(&cursor, &field));
    assert_int_equal(field.name_length, strlen(name));
    assert_memory_equal(field.name, name, field.name_length);
    assert_int_equal(field.value_length, strlen(value));
    assert_memory_equal(field.value, value, field.value_length);
    ps_events_cursor_fini(&cursor);
    ps_database_store.release(&frame);
    ps_database_store.take(store, &frame);
    assert_int_equal(ps_database_store.sync(store, &err), PS_OK);
}

/* Begins a store. At the end of a test every event was read back, and no row of a spill is left. */
static void begin_store(void)
{
    begin_memory();
    if (!open_store(&err))
        fail_msg("%s", err.text);
}

static void end_store(void)
{
    static const char *const spills[] = {"FL_PLSPILL", "FL_NMSPILL", "FL_VLSPILL"};
    append_event("", 0, "", "");
    for (size_t i = 0; i < PS_COUNT_OF(spills); i++)
        expect_row(spills[i], "FLH_NAME", 0, 0);
    ps_database_store.close(store);
    end_memory();
}

static void test_bodies(void **state)
{
    static char body[2 * PS_TABLES_PAYLOAD_BYTES + 1];
    static const struct {
        uint32_t length, kept;
    } rows[] = {{PS_TABLES_PAYLOAD_BYTES - 1, PS_TABLES_PAYLOAD_BYTES - 1},
                {PS_TABLES_PAYLOAD_BYTES, PS_TABLES_PAYLOAD_BYTES},
                {PS_TABLES_PAYLOAD_BYTES + 1, PS_TABLES_PAYLOAD_BYTES},
                {2 * PS_TABLES_PAYLOAD_BYTES, PS_TABLES_PAYLOAD_BYTES},
                {2 * PS_TABLES_PAYLOAD_BYTES + 1, PS_TABLES_PAYLOAD_BYTES}};
    begin_store();
    for (size_t i = 0; i < sizeof body; i++)
        body[i] = (char)(i % 251);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        append_event(body, rows[i].length, "n", "v");
        expect_row("FL_PLSPILL", "FLE_PAYLOAD", rows[i].kept < rows[i].length, rows[i].kept);
        expect_event(body, rows[i].length, "n", "v");
    }
    end_store();
}

/* Writes `count` times the character, and `ascii` times an x. A character beyond U+FFFF is two chars in Java. */
static void make_text(char *to, const char *character, unsigned count, unsigned ascii)
{
    *to = '\0';
    for (unsigned i = 0; i < count + ascii; i++)
        to = stpcpy(to, i < count ? character : "x");
}

static void test_headers(void **state)
{
    enum { MOST = PS_TABLES_HEADER_CHARS };
    static const struct {
        const char *character;
        unsigned count, ascii;
        bool spills;
        unsigned kept; /* characters, by SQLite's count */
    } rows[] = {
        {"a", MOST - 1, 0, false, MOST - 1},
        {"a", MOST, 0, false, MOST},
        {"a", MOST + 1, 0, true, MOST},
        {"\u00e9", MOST - 1, 0, false, MOST - 1},
        {"\u00e9", MOST, 0, false, MOST},
        {"\u00e9", MOST + 1, 0, true, MOST},
        {"\u20ac", MOST, 0, false, MOST},
        {"\u20ac", MOST, 1, true, MOST},
        {"\U0001f600", MOST / 2, 0, false, MOST / 2},
        {"\U0001f600", MOST / 2, 1, false, MOST / 2 + 1}, /* exactly full */
        {"\U0001f600", MOST / 2, 2, true, MOST / 2 + 1},
        {"\U0001f600", MOST / 2 + 1, 0, true, MOST / 2}, /* the last one is not cut in two */
    };
    char text[4 * (MOST + 3)];
    begin_store();
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        make_text(text, rows[i].character, rows[i].count, rows[i].ascii);
        append_event("b", 1, "n", text);
        expect_row("FL_VLSPILL", "FLH_VALUE", rows[i].spills, rows[i].kept);
        expect_event("b", 1, "n", text);
        append_event("b", 1, text, "v");
        expect_row("FL_NMSPILL", "FLH_NAME", rows[i].spills, rows[i].kept);
        expect_event("b", 1, text, "v");
    }
    end_store();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bodies, ps_test_folder_setup, ps_test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_headers, ps_test_folder_setup, ps_test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
