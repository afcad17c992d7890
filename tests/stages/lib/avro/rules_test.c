/* Which schemas may be written into a container: those that Java's Schema.Parser takes. The words of the table are Java's;
 * tests/real/flume_avro_codecs_test.sh asks it again. */
#include "stages/lib/avro/schema.h"
#include "tests/support/source_tree.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_table(void **state)
{
    FILE *file = fopen(ps_test_source_path("tests/stages/data/avro_schemas.txt"), "r");
    char *line = NULL;
    size_t room = 0, rows = 0, wrong = 0;
    ssize_t length;
    assert_non_null(file);
    while ((length = getline(&line, &room, file)) > 0) {
        struct ps_err err = {0};
        line[--length] = '\0';
        char *schema = strchr(line, '\t');
        assert_non_null(schema);
        *schema++ = '\0';
        size_t used = (size_t)(line + length - schema);
        bool taken = ps_avro_schema_check(schema, &used, &err);
        if (taken != (strcmp(line, "taken") == 0)) {
            print_error("%s: Java: %s, here: %s\n", schema, line, taken ? "taken" : err.text);
            wrong++;
        }
        if (!taken)
            assert_true(err.length > 0);
        rows++;
    }
    free(line);
    fclose(file);
    assert_true(rows > 100);
    assert_int_equal(wrong, 0);
}

/* Java reads the first JSON value, and leaves comments out; only that is written. */
static void test_text_behind(void **state)
{
    static const struct {
        const char *text, *written;
    } rows[] = {{"// a\n\"int\"/*b*/ x", "    \n\"int\""},
                {"{\"type\":/**/\"int\"}//", "{\"type\":    \"int\"}"},
                {"\"int\"", "\"int\""},
                {" \"int\"\n", " \"int\""},
                {"\"int\" x", "\"int\""},
                {"{\"type\":\"int\"}}", "{\"type\":\"int\"}"},
                {"[]x", "[]"}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {0};
        size_t used = strlen(rows[i].text);
        char *text = ps_test_exact_copy(rows[i].text, used);
        if (!ps_avro_schema_check(text, &used, &err))
            fail_msg("%s: %s", rows[i].text, err.text);
        assert_int_equal(used, strlen(rows[i].written));
        ps_avro_schema_blank_comments(text, used);
        assert_memory_equal(text, rows[i].written, used);
        free(text);
    }
}

/* Records whose default is that of the record before, twice: the work doubles with each. It is bounded, and so is its depth. */
static void test_defaults_within_defaults(void **state)
{
    static const struct {
        unsigned records, fields;
        bool taken;
    } rows[] = {{2, 2, true}, {10, 2, true}, {60, 2, false}, {400, 1, true}, {3000, 1, false}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        struct ps_err err = {0};
        char *json = NULL;
        size_t length;
        FILE *out = open_memstream(&json, &length);
        assert_non_null(out);
        fputs("[{\"type\":\"record\",\"name\":\"r0\",\"fields\":[]}", out);
        for (unsigned k = 1; k <= rows[i].records; k++) {
            fprintf(out, ",{\"type\":\"record\",\"name\":\"r%u\",\"fields\":[", k);
            for (unsigned f = 0; f < rows[i].fields; f++)
                fprintf(out, "%s{\"name\":\"f%u\",\"type\":\"r%u\",\"default\":{}}", f > 0 ? "," : "", f,
                        k - 1);
            fputs("]}", out);
        }
        fputs("]", out);
        fclose(out);
        if (ps_avro_schema_check(json, &length, &err) != rows[i].taken)
            fail_msg("row %zu: %s", i, err.text);
        free(json);
    }
}

/* Reading data asks for less: what Java writes without validation, it reads. */
static void test_reading_asks_for_less(void **state)
{
    static const char *const read_by_java[] = {
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a-b\",\"type\":\"int\"}]}",
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"int\",\"default\":\"x\"}]"
        "}",
        "{\"type\":\"enum\",\"name\":\"1E\",\"symbols\":[\"a-b\"]}",
        "{\"type\":\"record\",\"name\":\"R\",\"fields\":[{\"name\":\"a\",\"type\":\"bytes\",\"default\":"
        "\"\\u0000\"}]}",
        "\"int\" and more",
        "/* c */ [ // d\n \"int\"]",
    };
    for (size_t i = 0; i < PS_COUNT_OF(read_by_java); i++) {
        struct ps_err err = {0};
        struct ps_avro_schema *schema = ps_avro_schema_create(read_by_java[i], strlen(read_by_java[i]), &err);
        if (schema == NULL)
            fail_msg("%s: %s", read_by_java[i], err.text);
        ps_avro_schema_destroy(schema);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),
        cmocka_unit_test(test_text_behind),
        cmocka_unit_test(test_defaults_within_defaults),
        cmocka_unit_test(test_reading_asks_for_less),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
