/* Rows as JSON and as delimited text without memory: each allocation of a row fails once. The row is refused with that
 * reason, never taken with nulls, and the next one is read whole. */
#include "stages/lib/hive/delimited.h"
#include "stages/lib/hive/json.h"
#include "stages/lib/hive/text/format.h"
#include "tests/support/allocations.h"
#include "tests/support/hive_value.h"
#include "tests/support/support.h"

#include <stdlib.h>
#include <string.h>

#define ITEMS 600U /* more than the first chunk and the first list have room for */

static struct ps_hive_rows *rows;
static struct ps_orc_type *type;
static char *body, *wanted;
static size_t length;

static void json_body(FILE *out)
{
    fputs("{\"a\":[", out);
    for (unsigned i = 0; i < ITEMS; i++)
        fprintf(out, "%s\"\\u0041%u\"", i == 0 ? "" : ",", i);
    fputs("],\"m\":{\"1\":2,\"3\":4},\"s\":{\"x\":5,\"y\":[6,7]}}", out);
}

static void delimited_body(FILE *out)
{
    for (unsigned i = 0; i < ITEMS; i++)
        fprintf(out, "%sA%u", i == 0 ? "" : "\002", i);
    fputs("|1\0032\0023\0034|5\0026\0037", out);
}

static void make_body(bool is_json)
{
    FILE *out = open_memstream(&body, &length);
    assert_non_null(out);
    (is_json ? json_body : delimited_body)(out);
    fclose(out);
}

static void open_rows(bool is_json)
{
    struct ps_err err = {.length = 0};
    struct ps_hive_delimited_settings settings = {.field_names = "a,m,s"};
    assert_int_equal(ps_hive_delimiter_read("|", &settings.delimiter, &err), PS_OK);
    rows = is_json ? ps_hive_json_open(type, &err) : ps_hive_delimited_open(&settings, type, &err);
    if (rows == NULL)
        fail_msg("%s", err.text);
}

static void expect_row(void)
{
    struct ps_err err = {.length = 0};
    struct ps_orc_value row;
    if (!ps_hive_rows_read(rows, body, (uint32_t)length, &row, &err))
        fail_msg("%s", err.text);
    char *text = hive_value_text(type, &row);
    if (wanted == NULL)
        wanted = strdup(text);
    assert_string_equal(text, wanted);
    free(text);
}

/* Checks a fresh reader, or one that read a row before. */
static void check(bool is_json, bool is_used)
{
    for (uint64_t which = 1;; which++) {
        struct ps_err err = {.length = 0};
        struct ps_orc_value row;
        open_rows(is_json);
        if (is_used)
            expect_row();
        ps_test_allocation_fails = which;
        bool is_read = ps_hive_rows_read(rows, body, (uint32_t)length, &row, &err);
        bool has_failed = ps_test_allocation_fails == 0;
        ps_test_allocation_fails = 0;
        if (is_read == has_failed)
            fail_msg("allocation %llu: the row is %s", (unsigned long long)which,
                     is_read ? "taken" : err.text);
        assert_int_equal(rows->lacks_memory, has_failed);
        if (!is_read)
            assert_non_null(strstr(err.text, "no memory"));
        expect_row();
        ps_hive_rows_close(rows);
        if (is_read)
            return;
        assert_true(which < 100);
    }
}

/* A body that is no row is refused for what it is. */
static void test_a_body_that_is_no_row(void **unused)
{
    struct ps_err err = {.length = 0};
    struct ps_orc_value row;
    type = hive_type_of("struct<a:array<string>,m:map<int,int>,s:struct<x:int,y:array<int>>>");
    open_rows(true);
    rows->lacks_memory = true; /* of an earlier row */
    assert_false(ps_hive_rows_read(rows, "[]", 2, &row, &err));
    assert_false(rows->lacks_memory);
    rows->lacks_memory = true;
    assert_false(ps_hive_rows_read(rows, "{\"a\":1}", 7, &row, &err));
    assert_false(rows->lacks_memory);
    ps_hive_rows_close(rows);
    ps_orc_type_destroy(type);
}

static void append_line(bool is_json)
{
    const struct ps_hive_text_format format = {.is_json = is_json, .separators = "|\002\003\004\005\006\007"};
    struct ps_orc_value row;
    struct ps_err err = {.length = 0};
    for (uint64_t which = 1;; which++) {
        struct ps_byte_buffer line = {0};
        assert_true(ps_hive_rows_read(rows, body, (uint32_t)length, &row, &err));
        ps_test_allocation_fails = which;
        enum ps_hive_line made = ps_hive_text_append(&format, type, &row, &line, &err);
        bool has_failed = ps_test_allocation_fails == 0;
        ps_test_allocation_fails = 0;
        free(line.data);
        assert_int_equal(made, has_failed ? PS_HIVE_LINE_NO_MEMORY : PS_HIVE_LINE_WRITTEN);
        if (!has_failed)
            return;
        assert_true(which < 100);
    }
}

/* The line of a row, of which each allocation fails once. */
static void test_each_allocation_of_a_line(void **unused)
{
    type = hive_type_of("struct<a:array<string>,m:map<int,int>,s:struct<x:int,y:array<int>>>");
    make_body(true);
    open_rows(true);
    for (unsigned is_json = 0; PS_TEST_ALLOCATIONS && is_json < 2; is_json++)
        append_line(is_json);
    ps_hive_rows_close(rows);
    free(body);
    ps_orc_type_destroy(type);
}

static void test_each_allocation(void **unused)
{
    type = hive_type_of("struct<a:array<string>,m:map<int,int>,s:struct<x:int,y:array<int>>>");
    for (unsigned is_json = 0; PS_TEST_ALLOCATIONS && is_json < 2; is_json++) {
        make_body(is_json);
        open_rows(is_json);
        expect_row();
        assert_null(strstr(wanted, "null"));
        ps_hive_rows_close(rows);
        check(is_json, false);
        check(is_json, true);
        free(body);
        free(wanted);
        wanted = NULL;
    }
    ps_orc_type_destroy(type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation),
                                       cmocka_unit_test(test_a_body_that_is_no_row),
                                       cmocka_unit_test(test_each_allocation_of_a_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
