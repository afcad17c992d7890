/* Lines of text and JSON tables. tests/real/hive_test.sh tests that Hive reads the same values. */
#include "stages/lib/hive/text/format.h"

#include "stages/lib/hive/json.h"
#include "stages/lib/random.h"
#include "tests/support/support.h"

#include <stdlib.h>

#define LAZY "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe"
#define OPENX "org.openx.data.jsonserde.JsonSerDe"
#define JSON "org.apache.hadoop.hive.serde2.JsonSerDe"
#define TEXT_INPUT "org.apache.hadoop.mapred.TextInputFormat"

struct kind { /* of a table */
    const char *columns, *serde, *input;
    const char *serde_parameters[12], *parameters[4]; /* name, value, .. */
    int bucket_count;
};

static struct ps_orc_type *type;
static struct ps_hive_rows *rows;
static struct ps_hive_text_format format;
static struct ps_err err;

static struct ps_slice slice(const char *text)
{
    return (struct ps_slice){text, (uint32_t)strlen(text)};
}

static struct ps_hive_pairs pairs_of(const char *const *texts, struct ps_hive_pair *all, size_t room)
{
    struct ps_hive_pairs pairs = {.all = all};
    for (; 2 * pairs.count < room && texts[2 * pairs.count] != NULL; pairs.count++)
        all[pairs.count] =
            (struct ps_hive_pair){slice(texts[2 * pairs.count]), slice(texts[2 * pairs.count + 1])};
    return pairs;
}

static enum ps_status open_table(const struct kind *kind)
{
    struct ps_hive_pair serde[6], table_pairs[2];
    char columns[512];
    snprintf(columns, sizeof columns, "struct<%s>", kind->columns);
    err.length = 0;
    type = ps_orc_type_parse(columns, &err);
    assert_non_null(type);
    const struct ps_hive_table table = {
        .serde = slice(kind->serde),
        .input_format = slice(kind->input != NULL ? kind->input : TEXT_INPUT),
        .bucket_count = kind->bucket_count,
        .serde_parameters = pairs_of(kind->serde_parameters, serde, PS_COUNT_OF(kind->serde_parameters)),
        .parameters = pairs_of(kind->parameters, table_pairs, PS_COUNT_OF(kind->parameters))};
    return ps_hive_text_format_read(&table, type, &format, &err);
}

static void close_table(void)
{
    ps_hive_rows_close(rows);
    rows = NULL;
    ps_orc_type_destroy(type);
}

/* Returns the line of the row that a JSON body gives; "" if it is refused. The caller frees it. */
static char *line_of(const char *body)
{
    struct ps_orc_value row;
    struct ps_byte_buffer line = {0};
    if (rows == NULL)
        rows = ps_hive_json_open(type, &err);
    assert_non_null(rows);
    assert_true(ps_hive_rows_read(rows, body, (uint32_t)strlen(body), &row, &err));
    if (ps_hive_text_append(&format, type, &row, &line, &err) != PS_HIVE_LINE_WRITTEN)
        line.length = 0;
    assert_true(ps_byte_buffer_append(&line, "", 1));
    return line.data;
}

static void assert_line(const char *body, const char *expected)
{
    char *line = line_of(body);
    assert_string_equal(line, expected);
    free(line);
}

static void assert_no_line(const char *body, const char *reason)
{
    char *line = line_of(body);
    assert_string_equal(line, "");
    if (strstr(ps_err_join(&err), reason) == NULL)
        fail_msg("%s: not %s", err.text, reason);
    err.length = 0;
    free(line);
}

static void test_plain_values(void **unused)
{
    assert_int_equal(
        open_table(&(struct kind){
            .columns = "a:int,b:boolean,c:double,d:float,e:string,f:varchar(2),g:decimal(6,2),h:date,"
                       "i:timestamp,j:bigint",
            .serde = LAZY,
            .serde_parameters = {"field.delim", ","}}),
        PS_OK);
    assert_line(
        "{\"a\":-7,\"b\":true,\"c\":0.1,\"d\":0.1,\"e\":\"x y\",\"f\":\"äöü\",\"g\":1.5,\"h\":\"1969-12-31\","
        "\"i\":\"1969-12-31 23:59:59.250\",\"j\":-9223372036854775808}",
        "-7,true,0.1,0.1,x y,äö,1.5,1969-12-31,1969-12-31 23:59:59.25,-9223372036854775808\n");
    assert_line("{}", "\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N,\\N\n");
    assert_no_line("{\"e\":\"a,b\"}",
                   "column e: byte 0x2c in it separates values, and the table has no escape");
    assert_no_line("{\"e\":\"a\\nb\"}", "column e: byte 0x0a in it ends a line");
    assert_line("{\"e\":\"a\\u0002\"}", "\\N,\\N,\\N,\\N,a\2,\\N,\\N,\\N,\\N,\\N\n"); /* without the separator
                                                                                       * in the value */
    close_table();
}

static void test_nested_values(void **unused)
{
    assert_int_equal(open_table(&(struct kind){
                         .columns = "a:array<string>,m:map<string,array<int>>,s:struct<x:int,y:string>",
                         .serde = LAZY,
                         .serde_parameters = {"serialization.format", "1", "collection.delim", ";",
                                              "mapkey.delim", "61"}}),
                     PS_OK);
    assert_line("{\"a\":[\"p\",null],\"m\":{\"k\":[1,2],\"l\":[]},\"s\":{\"y\":\"z\"}}",
                "p;\\N\1k=1\0042;l=\1\\N;z\n");
    assert_line("{\"a\":[],\"m\":{}}", "\1\1\\N\n");
    assert_no_line("{\"a\":[\"p;q\"]}", "column a: byte 0x3b");
    assert_line("{\"a\":[\"p=q\"]}", "p=q\1\\N\1\\N\n"); /* there is no key */
    close_table();
}

static void test_escapes(void **unused)
{
    assert_int_equal(open_table(&(struct kind){.columns = "a:string,d:date",
                                               .serde = LAZY,
                                               .serde_parameters = {"field.delim", "-", "escape.delim", "\\",
                                                                    "serialization.null.format", "nil"}}),
                     PS_OK);
    assert_line("{\"a\":\"x-y\\\\z\\u0002\"}", "x\\-y\\\\z\\\2-nil\n");
    assert_no_line("{\"a\":\"x\\r\"}", "serialization.escape.crlf");
    assert_no_line("{\"d\":\"2026-11-22\"}", "column d: byte 0x2d in it separates values of the table");
    close_table();
    assert_int_equal(
        open_table(&(struct kind){.columns = "a:string",
                                  .serde = LAZY,
                                  .serde_parameters = {"escape.delim", "92", "serialization.escape.crlf",
                                                       "TRUE", "serialization.null.format", ""}}),
        PS_OK);
    assert_line("{\"a\":\"x\\r\\ny\"}", "x\\r\\ny\n");
    assert_line("{}", "\n");
    close_table();
}

/* The text of a null may be as long as there is room for. */
static void test_the_longest_null(void **unused)
{
    char text[PS_HIVE_NULL_BYTES + 2], line[PS_HIVE_NULL_BYTES + 4];
    for (unsigned length = PS_HIVE_NULL_BYTES - 1; length <= PS_HIVE_NULL_BYTES + 1; length++) {
        memset(text, 'n', length);
        text[length] = '\0';
        bool fits = length <= PS_HIVE_NULL_BYTES;
        assert_int_equal(open_table(&(struct kind){.columns = "a:string",
                                                   .serde = LAZY,
                                                   .serde_parameters = {"serialization.null.format", text}}),
                         fits ? PS_OK : PS_FAIL);
        snprintf(line, sizeof line, "%s\n", text);
        if (fits)
            assert_line("{}", line);
        else
            assert_non_null(strstr(err.text, "longer than 64 bytes"));
        close_table();
    }
}

static void test_json(void **unused)
{
    assert_int_equal(open_table(&(struct kind){
                         .columns = "a:int,b:string,m:map<int,double>,s:struct<x:int,y:string>,l:array<date>",
                         .serde = JSON}),
                     PS_OK);
    assert_line("{\"a\":1,\"b\":\"q\\\"\\n\",\"m\":{\"7\":0.5,\"8\":null},\"s\":{\"y\":\"\"},\"l\":[null,"
                "\"2026-11-22\"]}",
                "{\"a\":1,\"b\":\"q\\\"\\n\",\"m\":{\"7\":0.5,\"8\":null},\"s\":{\"y\":\"\"},\"l\":[null,"
                "\"2026-11-22\"]}\n");
    assert_line("{}", "{}\n");
    assert_line("{\"l\":[],\"m\":{},\"s\":{}}", "{\"m\":{},\"s\":{},\"l\":[]}\n");
    static const char *const no_text[] = {"\xff", "at the end\xff", "in the\xff middle", "cut \xe2\x82"};
    for (size_t i = 0; i < PS_COUNT_OF(no_text); i++) {
        const struct ps_orc_value bad[] = {{.null = true},
                                           {.bytes = no_text[i], .length = (uint32_t)strlen(no_text[i])},
                                           {.null = true},
                                           {.null = true},
                                           {.null = true}};
        const struct ps_orc_value row = {.items = bad, .item_count = 5};
        struct ps_byte_buffer line = {0};
        assert_int_equal(ps_hive_text_append(&format, type, &row, &line, &err), PS_HIVE_LINE_REFUSED);
        assert_non_null(strstr(ps_err_join(&err), "column b: it is not UTF-8"));
        free(line.data);
    }
    close_table();
}

/* A number or a boolean stands in a line of JSON as it is, any other value as a string. As a key of a map each is a string. */
static void test_each_type_as_json(void **unused)
{
    static const struct {
        const char *type, *value;
    } all[] = {
        {"boolean", "true"},
        {"tinyint", "-7"},
        {"smallint", "300"},
        {"int", "70000"},
        {"bigint", "-9223372036854775808"},
        {"float", "0.5"},
        {"double", "0.25"},
        {"decimal(6,2)", "-12.5"},
        {"string", "\"a\""},
        {"varchar(3)", "\"abc\""},
        {"char(3)", "\"abc\""},
        {"date", "\"2026-11-22\""},
        {"timestamp", "\"2026-11-22 01:02:03.5\""},
    };
    for (size_t i = 0; i < PS_COUNT_OF(all); i++) {
        char columns[128], line[256];
        const char *quote = all[i].value[0] == '"' ? "" : "\"";
        snprintf(columns, sizeof columns, "v:%1$s,m:map<%1$s,%1$s>", all[i].type);
        snprintf(line, sizeof line, "{\"v\":%1$s,\"m\":{%2$s%1$s%2$s:%1$s}}\n", all[i].value, quote);
        assert_int_equal(open_table(&(struct kind){.columns = columns, .serde = JSON}), PS_OK);
        assert_line(line, line);
        close_table();
    }
    assert_int_equal(open_table(&(struct kind){.columns = "v:binary", .serde = JSON}), PS_OK);
    assert_line("{\"v\":\"abc\"}", "{\"v\":\"YWJj\"}\n");
    close_table();
}

static void assert_refused(struct kind kind, const char *reason)
{
    if (kind.columns == NULL)
        kind.columns = "a:int";
    assert_int_equal(open_table(&kind), PS_FAIL);
    if (strstr(ps_err_join(&err), reason) == NULL)
        fail_msg("%s: not %s", err.text, reason);
    close_table();
}

static void test_tables_that_are_refused(void **unused)
{
    assert_refused((struct kind){.serde = LAZY, .input = "org.apache.hadoop.mapred.SequenceFileInputFormat"},
                   "its files are not text (org.apache.hadoop.mapred.SequenceFileInputFormat)");
    assert_refused((struct kind){.serde = "org.apache.hadoop.hive.serde2.OpenCSVSerde"},
                   "OpenCSVSerde is not supported");
    assert_refused((struct kind){.serde = LAZY, .bucket_count = 4}, "it has buckets");
    assert_refused((struct kind){.serde = LAZY, .parameters = {"skip.header.line.count", "1"}},
                   "its skip.header.line.count makes Hive skip lines");
    assert_refused((struct kind){.serde = LAZY, .parameters = {"skip.footer.line.count", "1"}},
                   "its skip.footer.line.count makes Hive skip lines");
    assert_refused((struct kind){.serde = JSON, .parameters = {"skip.footer.line.count", "2"}},
                   "its skip.footer.line.count makes Hive skip lines");
    assert_refused((struct kind){.serde = LAZY, .serde_parameters = {"serialization.encoding", "ISO-8859-1"}},
                   "ISO-8859-1: only UTF-8 can be written");
    assert_refused((struct kind){.serde = LAZY, .columns = "m:map<array<int>,int>"}, "column m");
    assert_refused((struct kind){.serde = JSON, .columns = "m:map<array<int>,int>"},
                   "keys are not plain values");
}

/* ---- any rows ---- */

#define ANY_COLUMNS                                                                                          \
    "i:int,d:double,f:float,s:string,b:boolean,dt:date,ts:timestamp,m:decimal(10,3),l:array<string>,"        \
    "p:map<string,int>,r:struct<x:string,y:bigint>"
#define ANY_COUNT 11

static void print_text(FILE *out, struct ps_random *random)
{
    static const char *const letters[] = {"a",   " ",   ",",       ";",       "#", "\\\\", "\\\"",
                                          "\\n", "\\r", "\\u0001", "\\u0003", "ä", "n",    "N"};
    fputc('"', out);
    for (uint64_t left = ps_random_next(random) % 6; left > 0; left--)
        fputs(letters[ps_random_next(random) % PS_COUNT_OF(letters)], out);
    fputc('"', out);
}

/* Returns a body with some of the columns. The caller frees it. */
static char *any_body(struct ps_random *random)
{
    char *text;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    uint64_t has = ps_random_next(random);
    long long number = (long long)ps_random_next(random);
    fprintf(out, "{\"x\":0");
    if (has & 1)
        fprintf(out, ",\"i\":%d,\"d\":%.17g,\"f\":%.9g", (int)number, (double)number * 1e-300,
                (double)(float)number);
    if (has & 2)
        fprintf(out, ",\"b\":%s,\"dt\":\"%04d-%02d-%02d\",\"ts\":\"%04d-01-02 03:04:05.%u\"",
                number & 1 ? "true" : "false", (int)(number & 0x1fff), (int)(has >> 8 & 7) + 1,
                (int)(has >> 16 & 15) + 1, (int)(has >> 24 & 0x1fff), (unsigned)(has >> 40 & 0xffffff));
    if (has & 4)
        fprintf(out, ",\"m\":%lld.%u", number % 1000000, (unsigned)(has >> 32 & 0xff));
    for (unsigned i = 0; i < 3; i++) {
        if (!(has & 8U << i))
            continue;
        fprintf(out, "%s", i == 0 ? ",\"s\":" : i == 1 ? ",\"l\":[null," : ",\"p\":{\"k\":null,");
        print_text(out, random);
        fprintf(out, "%s", i == 0 ? "" : i == 1 ? "]" : ":7}");
    }
    if (has & 64) {
        fprintf(out, ",\"r\":{\"y\":%lld,\"x\":", number);
        print_text(out, random);
        fputc('}', out);
    }
    fputc('}', out);
    fclose(out);
    return text;
}

/* A row written as JSON is read as the same row: writing it again gives the same text. */
static void test_any_row_as_json(void **unused)
{
    struct ps_random random = {.words = {ps_test_seed(), 1, 2, 3}};
    assert_int_equal(open_table(&(struct kind){.columns = ANY_COLUMNS, .serde = JSON}), PS_OK);
    for (unsigned i = 0; i < 5000; i++) {
        char *body = any_body(&random), *line = line_of(body), *again = line_of(line);
        assert_true(line[0] == '{' && strchr(line, '\n') == line + strlen(line) - 1);
        assert_string_equal(again, line);
        free(body);
        free(line);
        free(again);
    }
    close_table();
}

/* A line of text has one line end, and one separator less than columns, whatever the values are. */
static void test_any_row_as_text(void **unused)
{
    struct ps_random random = {.words = {ps_test_seed(), 1, 2, 3}};
    assert_int_equal(
        open_table(&(struct kind){.columns = ANY_COLUMNS,
                                  .serde = LAZY,
                                  .serde_parameters = {"field.delim", ",", "collection.delim", ";",
                                                       "mapkey.delim", "#", "escape.delim", "\\",
                                                       "serialization.escape.crlf", "true"}}),
        PS_OK);
    for (unsigned i = 0; i < 5000; i++) {
        unsigned separators = 0;
        char *body = any_body(&random), *line = line_of(body);
        size_t length = strlen(line);
        assert_true(length > 0);
        for (size_t at = 0; at < length; at++) {
            if (line[at] == '\\')
                at++;
            else
                separators += line[at] == ',';
            assert_true((line[at] == '\n') == (at == length - 1) && line[at] != '\r');
        }
        assert_int_equal(separators, ANY_COUNT - 1);
        free(body);
        free(line);
    }
    close_table();
}

/* OpenX's serde: its names, and what it cannot read. */
static void test_openx(void **unused)
{
    static const struct {
        const char *columns, *reason;
    } refused[] = {
        {"a:decimal(7,2)", "does not read such values"},
        {"a:array<timestamp>", "does not read such values"},
        {"a:struct<b:binary>", "does not read such values"},
        {"a:map<string,int>", "'case.insensitive' = 'false'"},
        {"a:int,b:int,ts:int", "ts both map to the field B of the files"},
    };
    assert_int_equal(
        open_table(&(struct kind){.columns = "ts:int,s:struct<ts:double,x:string>,a:array<boolean>",
                                  .serde = OPENX,
                                  .serde_parameters = {"mapping.ts", "TimeStamp", "mapping.x", "b"}}),
        PS_OK);
    assert_line("{\"ts\":1,\"s\":{\"ts\":0.5,\"x\":\"\"},\"a\":[true,null]}",
                "{\"TimeStamp\":1,\"s\":{\"TimeStamp\":0.5,\"b\":\"\"},\"a\":[true,null]}\n");
    ps_hive_text_format_free(&format);
    close_table();
    assert_int_equal(open_table(&(struct kind){.columns = "m:map<string,int>",
                                               .serde = OPENX,
                                               .serde_parameters = {"case.insensitive", "false"}}),
                     PS_OK);
    assert_line("{\"m\":{\"Key\":1}}", "{\"m\":{\"Key\":1}}\n");
    assert_no_line("{\"m\":{\"Key\":null}}", "column m: a null in a map");
    ps_hive_text_format_free(&format);
    close_table();
    for (unsigned i = 0; i < PS_COUNT_OF(refused); i++)
        assert_refused((struct kind){.columns = refused[i].columns,
                                     .serde = OPENX,
                                     .serde_parameters = {"mapping.ts", "B"}},
                       refused[i].reason);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_values),
        cmocka_unit_test(test_nested_values),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_the_longest_null),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_each_type_as_json),
        cmocka_unit_test(test_openx),
        cmocka_unit_test(test_tables_that_are_refused),
        cmocka_unit_test(test_any_row_as_json),
        cmocka_unit_test(test_any_row_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
