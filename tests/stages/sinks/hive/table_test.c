/* The sink hive reads a table's description: each property at its limits, each field that tells one table from another, and names of partitions. */
#include "stages/sinks/hive/table.h"

#include "stages/lib/orc/acid.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAIRS_MAX 80U

static struct ps_hive_pair columns[PAIRS_MAX], keys[PAIRS_MAX], bucket_columns[PAIRS_MAX], parameters[8];
static struct ps_hive_table table;
static struct ps_hive_target target;
static struct ps_err err;

static struct ps_slice slice(const char *text)
{
    return (struct ps_slice){text, (uint32_t)strlen(text)};
}

static void add(struct ps_hive_pairs *pairs, const char *name, const char *value)
{
    pairs->all[pairs->count++] = (struct ps_hive_pair){slice(name), slice(value)};
}

/* Describes a transactional table with the columns a and b and one more parameter; name NULL: without it. */
static void describe(const char *name, const char *value)
{
    table = (struct ps_hive_table){.location = slice("hdfs://nn/t"),
                                   .input_format = slice("org.apache.hadoop.hive.ql.io.orc.OrcInputFormat"),
                                   .output_format = slice("org.apache.hadoop.hive.ql.io.orc.OrcOutputFormat"),
                                   .table_type = slice("MANAGED_TABLE"),
                                   .id = 7,
                                   .created_s = 1700000000,
                                   .columns.all = columns,
                                   .partition_keys.all = keys,
                                   .bucket_columns.all = bucket_columns,
                                   .parameters.all = parameters};
    add(&table.columns, "a", "int");
    add(&table.columns, "b", "string");
    add(&table.parameters, "transactional", "true");
    if (name != NULL)
        add(&table.parameters, name, value);
}

static bool is_read(bool is_plain)
{
    ps_hive_target_free(&target);
    err.length = 0;
    return ps_hive_target_read(&table, is_plain, &target, &err) == PS_OK;
}

static int tear_down(void **state)
{
    ps_hive_target_free(&target);
    return 0;
}

/* A number has only digits, at most 15; anything else counts as not set. */
static void test_numbers(void **unused)
{
    static const struct {
        const char *text;
        uint64_t stripe_bytes;
    } cases[] = {{"0", 0},
                 {"9", 9},
                 {"1090", 1090},
                 {"99999999", 99999999},
                 {"100000000000000", 100000000000000},
                 {"999999999999999", 999999999999999},
                 {"1000000000000000", 67108864},
                 {"", 67108864},
                 {"-1", 67108864},
                 {"1x", 67108864},
                 {"x1", 67108864},
                 {" 1", 67108864},
                 {"1:", 67108864},
                 {"1/", 67108864},
                 {"1.5", 67108864}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        describe("orc.stripe.size", cases[i].text);
        assert_true(is_read(false));
        assert_int_equal(target.orc.stripe_bytes, cases[i].stripe_bytes);
        describe("orc.compress.size", cases[i].text);
        assert_true(is_read(false));
        uint64_t chunk = cases[i].stripe_bytes == 67108864 ? 262144 : cases[i].stripe_bytes;
        assert_int_equal(target.orc.chunk_bytes, (uint32_t)chunk);
        describe("orc.row.index.stride", cases[i].text);
        assert_true(is_read(false));
        assert_int_equal(target.orc.row_index_stride,
                         (uint32_t)(cases[i].stripe_bytes == 67108864 ? 10000 : cases[i].stripe_bytes));
    }
}

/* A rate must be between 0 and 1, in at most 31 characters; otherwise the default is used. */
static void test_rates(void **unused)
{
    static const struct {
        const char *text;
        double rate;
    } cases[] = {{"0.5", 0.5},
                 {"0.999", 0.999},
                 {"1e-9", 1e-9},
                 {"0", 0.01},
                 {"1", 0.01},
                 {"1.0", 0.01},
                 {"-0.5", 0.01},
                 {"2", 0.01},
                 {"x", 0.01},
                 {"", 0.01},
                 {"0.2500000000000000000000000000", 0.25},
                 {"0.25000000000000000000000000000", 0.25},
                 {"0.250000000000000000000000000000", 0.01}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        describe("orc.bloom.filter.fpp", cases[i].text);
        assert_true(is_read(false));
        if (target.orc.bloom_filter_false_positives != cases[i].rate)
            fail_msg("\"%s\": %g", cases[i].text, target.orc.bloom_filter_false_positives);
    }
}

/* bucketing_version: Murmur from 2 on; tables without it are of Hive 2 or older. */
static void test_ways_of_bucketing(void **unused)
{
    static const char *const texts[] = {NULL, "", "x", "0", "1", "2", "3"};
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++) {
        describe(texts[i] != NULL ? "bucketing_version" : NULL, texts[i]);
        assert_true(is_read(false));
        assert_int_equal(target.bucketing, i >= 5 ? PS_HIVE_BUCKETING_MURMUR : PS_HIVE_BUCKETING_JAVA);
    }
}

static void test_numbers_of_buckets(void **unused)
{
    static const int32_t counts[] = {-1, 0, 1, 2, 4095, 4096, 4097, INT32_MAX};
    for (size_t i = 0; i < PS_COUNT_OF(counts); i++) {
        describe(NULL, NULL);
        table.bucket_count = counts[i];
        add(&table.bucket_columns, "B", "");
        assert_int_equal(is_read(false), counts[i] <= (int32_t)PS_ORC_BUCKETS_MAX);
        if (counts[i] > (int32_t)PS_ORC_BUCKETS_MAX) {
            assert_non_null(strstr(err.text, "more than 4096 buckets"));
            continue;
        }
        assert_int_equal(target.bucket_count, counts[i] < 1 ? 1 : counts[i]);
        assert_int_equal(target.bucket_field_count,
                         counts[i] >= 1); /* without buckets, its columns do not count */
        assert_true(counts[i] < 1 || target.bucket_fields[0] == 1);
    }
}

static void test_columns_of_buckets(void **unused)
{
    static char names[PAIRS_MAX][16];
    for (uint32_t count = PS_HIVE_BUCKET_COLUMNS_MAX - 1; count <= PS_HIVE_BUCKET_COLUMNS_MAX + 1; count++) {
        describe(NULL, NULL);
        table.bucket_count = 3;
        for (uint32_t i = 0; i < count; i++) {
            snprintf(names[i], sizeof names[i], "c%u", i);
            add(&table.columns, names[i], "int");
            add(&table.bucket_columns, names[i], "");
        }
        assert_int_equal(is_read(false), count <= PS_HIVE_BUCKET_COLUMNS_MAX);
        for (uint32_t i = 0; count <= PS_HIVE_BUCKET_COLUMNS_MAX && i < count; i++)
            assert_int_equal(target.bucket_fields[i], i + 2);
    }
    describe(NULL, NULL);
    table.bucket_count = 3;
    add(&table.bucket_columns, "c", "");
    assert_false(is_read(false));
    assert_string_equal(err.text, "its bucket column c is not a column");
    add(&table.columns, "c", "array<int>");
    assert_false(is_read(false));
    assert_string_equal(err.text, "its bucket column c has a type that is not known here");
}

/* Makes change number `number`; each of them makes the table another one. Returns false if there is no such change. */
static bool change(unsigned number)
{
    switch (number) {
    case 0:
        table.id++;
        return true;
    case 1:
        table.created_s++;
        return true;
    case 2:
        table.bucket_count = 4;
        return true;
    case 3:
        table.location = slice("hdfs://nn/u");
        return true;
    case 4:
        table.output_format = slice("another.OrcOutputFormat");
        return true;
    case 5:
        add(&table.columns, "c", "int");
        return true;
    case 6:
        table.columns.all[0].value = slice("bigint");
        return true;
    case 7:
        table.columns.all[1].name = slice("bb");
        return true;
    case 8:
        add(&table.partition_keys, "day", "string");
        return true;
    case 9:
        table.partition_keys.all[0].value = slice("date");
        return true;
    case 10:
        table.partition_keys.all[0].name = slice("hours");
        return true;
    case 11:
        add(&table.bucket_columns, "b", "");
        return true;
    case 12:
        table.bucket_columns.all[0].name = slice("b");
        return true;
    case 13:
        table.columns.count--;
        return true;
    default:
        return false;
    }
}

static void describe_with_keys(void)
{
    describe(NULL, NULL);
    table.bucket_count = 3;
    add(&table.partition_keys, "hour", "string");
    add(&table.bucket_columns, "a", "");
}

static void test_another_table(void **unused)
{
    bool is_changed = true;
    for (unsigned i = 0; is_changed; i++) {
        describe_with_keys();
        assert_true(is_read(false));
        assert_true(ps_hive_target_is_same(&target, &table));
        is_changed = change(i);
        if (ps_hive_target_is_same(&target, &table) == is_changed)
            fail_msg("change %u", i);
    }
    describe_with_keys(); /* a change that does not matter */
    add(&table.parameters, "comment", "x");
    table.table_type = slice("EXTERNAL_TABLE");
    assert_true(ps_hive_target_is_same(&target, &table));
}

/* FileUtils.charToEscape of Hive 4.0.1: control characters except 0, 0x7f, and these. Other bytes stay as they are,
 * also those of UTF-8. */
static void test_each_byte_in_a_name(void **unused)
{
    describe(NULL, NULL);
    add(&table.partition_keys, "k", "string");
    assert_true(is_read(false));
    for (unsigned byte = 1; byte < 256; byte++) {
        char value[] = {'x', (char)byte, '\0'}, wanted[16], *values[] = {value};
        bool is_escaped = byte < 0x20 || byte == 0x7f || strchr("\"#%'*/:=?\\{[]^", (int)byte) != NULL;
        snprintf(wanted, sizeof wanted, is_escaped ? "k=x%%%02X" : "k=x%c", byte);
        char *name = ps_hive_target_partition_name(&target, values);
        assert_string_equal(name, wanted);
        free(name);
    }
}

/* "key=value" of 255 bytes is a directory, with three bytes for each escaped byte. */
static void test_the_longest_name(void **unused)
{
    char value[300];
    describe(NULL, NULL);
    add(&table.partition_keys, "k#y", "string"); /* "k%23y=" are 6 */
    assert_true(is_read(false));
    memset(value, 'v', sizeof value);
    for (unsigned escaped = 0; escaped < 80; escaped += 13) {
        memset(value, ':', escaped);
        for (uint32_t length = 100; length < sizeof value; length++)
            assert_int_equal(ps_hive_target_key_fits(&target, 0, value, length),
                             6 + length + 2 * escaped <= 255);
    }
}

/* Values of keys become the standard text of their type, if it has room. */
static void test_values_of_keys(void **unused)
{
    static const struct {
        const char *type, *text, *usual; /* NULL: no value */
    } cases[] = {{"date", "2026-2-9", "2026-02-09"},
                 {"date", "2026-02-30", NULL},
                 {"int", "7", "7"},
                 {"int", "-07", "-7"},
                 {"int", "x", NULL},
                 {"int", "2147483648", NULL},
                 {"string", "2026-2-9", "2026-2-9"},
                 {"string", "x:/", "x:/"},
                 {"boolean", "TRUE", "true"},
                 {"decimal(5,2)", "1.50", "1.5"},
                 {"decimal(5,2)", "1000", NULL},
                 {"binary", "anything", "anything"},
                 {"tinyint", "128", NULL},
                 {"tinyint", "-128", "-128"},
                 {"int", "__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__"},
                 {"int", "__HIVE_DEFAULT_PARTITION_", NULL}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        describe(NULL, NULL);
        add(&table.partition_keys, "other", "string");
        add(&table.partition_keys, "k", cases[i].type);
        assert_true(is_read(false));
        for (uint32_t less = 0; less < 2; less++) {
            char text[64];
            uint32_t length = (uint32_t)strlen(cases[i].text);
            memcpy(text, cases[i].text, length);
            bool is_longer = cases[i].usual != NULL && strlen(cases[i].usual) > length;
            uint32_t room = is_longer ? (uint32_t)strlen(cases[i].usual) - less : length;
            bool is_value = ps_hive_target_key_value(&target, 1, text, &length, room);
            if (is_value != (cases[i].usual != NULL && !(is_longer && less == 1)))
                fail_msg("%s of type %s, room %u", cases[i].text, cases[i].type, room);
            if (!is_value)
                continue;
            assert_int_equal(length, strlen(cases[i].usual));
            assert_memory_equal(text, cases[i].usual, length);
        }
    }
}

#define TEST(function) cmocka_unit_test_teardown(function, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_numbers),
        TEST(test_rates),
        TEST(test_ways_of_bucketing),
        TEST(test_numbers_of_buckets),
        TEST(test_columns_of_buckets),
        TEST(test_another_table),
        TEST(test_each_byte_in_a_name),
        TEST(test_the_longest_name),
        TEST(test_values_of_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
