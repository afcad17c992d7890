/* Rows of delimited text: the delimiter, and which field is which column. Texts of values: field_test.c, nested_test.c. */
#include "stages/lib/hive/delimited.h"
#include "tests/support/support.h"

static struct ps_orc_type *type;
static struct ps_hive_rows *rows;
static struct ps_orc_value row;

static void open_rows(const char *columns, const char *delimiter, const char *names)
{
    struct ps_err err = {.length = 0};
    struct ps_hive_delimited_settings settings = {.field_names = names};
    type = ps_orc_type_parse(columns, &err);
    assert_non_null(type);
    assert_int_equal(ps_hive_delimiter_read(delimiter, &settings.delimiter, &err), PS_OK);
    rows = ps_hive_delimited_open(&settings, type, &err);
    if (rows == NULL)
        fail_msg("%s", err.text);
}

static void close_rows(void)
{
    ps_hive_rows_close(rows);
    ps_orc_type_destroy(type);
}

static void read_row(const char *body)
{
    struct ps_err err = {.length = 0};
    assert_true(ps_hive_rows_read(rows, body, (uint32_t)strlen(body), &row, &err));
    assert_int_equal(row.item_count, type->child_count);
}

static void assert_text(unsigned column, const char *expected)
{
    const struct ps_orc_value *value = &row.items[column];
    if (expected == NULL) {
        assert_true(value->null);
        return;
    }
    assert_false(value->null);
    assert_int_equal(value->length, strlen(expected));
    assert_memory_equal(value->bytes, expected, value->length);
}

static void assert_delimiter(const char *text, const char *expected, bool has_operators)
{
    struct ps_hive_delimiter delimiter;
    struct ps_err err = {.length = 0};
    enum ps_status status = ps_hive_delimiter_read(text, &delimiter, &err);
    assert_int_equal(status, expected != NULL ? PS_OK : PS_FAIL);
    if (expected == NULL)
        return;
    assert_int_equal(delimiter.length, strlen(expected));
    assert_memory_equal(delimiter.text, expected, delimiter.length);
    assert_int_equal(delimiter.has_operators, has_operators);
}

/* The meaning of the expression in java.util.regex. */
static void test_delimiters(void **unused)
{
    assert_delimiter(",", ",", false);
    assert_delimiter("\"\t\"", "\t", false);
    assert_delimiter("\"\\t\"", "\t", false);
    assert_delimiter("\\|", "|", false);
    assert_delimiter("[|]", "|", false);
    assert_delimiter("\\\\", "\\", false);
    assert_delimiter("|", "|", true);
    assert_delimiter("||", "||", true);
    assert_delimiter("::", "::", false);
    assert_delimiter("\"", "\"", false);
    assert_delimiter("", NULL, false);
    assert_delimiter("\"\"", NULL, false);
    assert_delimiter("\\s+", NULL, false);
    assert_delimiter("[,;]", NULL, false);
    assert_delimiter("[^,]", NULL, false);
    assert_delimiter("\\d", NULL, false);
    assert_delimiter("1234567890123456789012345678901234567890123456789012345678901234567890", NULL, false);
}

static void test_fields_are_columns_by_name(void **unused)
{
    open_rows("struct<id:int,name:string,rest:string,left:int>", ",", " name ,, ID");
    read_row("Anna,passed over,17,more");
    assert_int_equal(row.items[0].integer, 17);
    assert_text(1, "Anna");
    assert_text(2, ""); /* no field for the column: Hive reads an empty text */
    assert_true(row.items[3].null);
    read_row("Berta");
    assert_true(row.items[0].null);
    assert_text(1, "Berta");
    read_row("");
    assert_text(1, "");
    read_row(",,x");
    assert_true(row.items[0].null);
    close_rows();
}

static void test_long_delimiters(void **unused)
{
    open_rows("struct<a:string,b:string>", "::", "a,b");
    read_row("x:y::z");
    assert_text(0, "x:y");
    assert_text(1, "z");
    read_row("x::");
    assert_text(1, "");
    close_rows();
}

static void assert_no_rows(const char *columns, const char *names, const char *reason)
{
    struct ps_err err = {.length = 0};
    struct ps_hive_delimited_settings settings = {.field_names = names};
    type = ps_orc_type_parse(columns, &err);
    assert_int_equal(ps_hive_delimiter_read(",", &settings.delimiter, &err), PS_OK);
    assert_null(ps_hive_delimited_open(&settings, type, &err));
    assert_non_null(strstr(err.text, reason));
    ps_orc_type_destroy(type);
}

static void test_names_that_are_no_columns(void **unused)
{
    assert_no_rows("struct<id:int,name:string>", "id,nmae", "did you mean \"name\"?");
    assert_no_rows("struct<id:int>", "something", "no column \"something\"");
}

/* A delimiter has at most PS_HIVE_DELIMITER_BYTES. */
static void test_the_longest_delimiter(void **unused)
{
    char text[PS_HIVE_DELIMITER_BYTES + 8];
    for (uint32_t length = 1; length < PS_HIVE_DELIMITER_BYTES + 3; length++) {
        memset(text, ',', length);
        text[length] = '\0';
        assert_delimiter(text, length <= PS_HIVE_DELIMITER_BYTES ? text : NULL, false);
        snprintf(text, sizeof text, "\"%0*d\"", (int)length, 0);
        if (length <= PS_HIVE_DELIMITER_BYTES) {
            char plain[PS_HIVE_DELIMITER_BYTES + 1];
            snprintf(plain, sizeof plain, "%0*d", (int)length, 0);
            assert_delimiter(text, plain, false);
        } else {
            assert_delimiter(text, NULL, false);
        }
    }
}

/* Random rows, whose bodies have only some fields, and more or fewer than there are names, compared with a search of the fields. */
static void test_drawn_rows(void **unused)
{
    static const char *const orders[] = {"a,b,c", "c,a,b", "b", ",b,,a", "c,,", "a,,b", "b,a"};
    uint64_t random = ps_test_seed() | 1;
    for (size_t o = 0; o < PS_COUNT_OF(orders); o++) {
        open_rows("struct<a:string,b:string,c:string>", ";", orders[o]);
        for (unsigned round = 0; round < 100; round++) {
            char body[64] = "";
            const char *names = orders[o], *wanted[3];
            char texts[8][8];
            unsigned fields = 1 + (unsigned)(ps_test_random(&random) % 6);
            for (unsigned i = 0; i < 3;
                 i++) /* a column without a field is empty; one whose field is missing is null */
                wanted[i] = strchr(names, 'a' + (int)i) == NULL ? "" : NULL;
            for (unsigned i = 0; i < fields; i++) {
                snprintf(texts[i], sizeof texts[i], "%.*s", (int)(ps_test_random(&random) % 3), "xy");
                strcat(strcat(body, i > 0 ? ";" : ""), texts[i]);
                if (names != NULL && *names >= 'a')
                    wanted[*names - 'a'] = texts[i];
                names = names != NULL && strchr(names, ',') != NULL ? strchr(names, ',') + 1 : NULL;
            }
            read_row(body);
            for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(row.items[i].null, wanted[i] == NULL);
                if (wanted[i] != NULL)
                    assert_text(i, wanted[i]);
            }
        }
        close_rows();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_delimiters),
                                       cmocka_unit_test(test_fields_are_columns_by_name),
                                       cmocka_unit_test(test_the_longest_delimiter),
                                       cmocka_unit_test(test_drawn_rows),
                                       cmocka_unit_test(test_long_delimiters),
                                       cmocka_unit_test(test_names_that_are_no_columns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
