/* Buckets, against what Hive 4.0.1's ObjectInspectorUtils answered (getBucketHashCodeOld, getBucketHashCode). */
#include "stages/lib/hive/bucket.h"
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>

static const struct {
    const char *type, *value;
    int32_t java, murmur;
} answers[] = {
    {"int", "0", 0, 1362653161},
    {"int", "1", 1, 1321152925},
    {"int", "-1", -1, 1626716813},
    {"int", "7", 7, -970880120},
    {"int", "123456", 123456, 925346026},
    {"int", "-2147483648", INT32_MIN, 1194881028},
    {"int", "2147483647", 2147483647, 1133859967},
    {"bigint", "0", 0, 1754797035},
    {"bigint", "1", 1, -913662660},
    {"bigint", "-1", 0, -237789309},
    {"bigint", "7", 7, 44066459},
    {"bigint", "1099511627776", 256, 1774876744},
    {"bigint", "-9223372036854775808", INT32_MIN, 1728983947},
    {"bigint", "9223372036854775807", INT32_MIN, -536577852},
    {"smallint", "0", 0, 134891328},
    {"smallint", "1", 1, 1484957954},
    {"smallint", "-1", -1, -1220617012},
    {"smallint", "-32768", -32768, 1342976838},
    {"smallint", "32767", 32767, -684075052},
    {"tinyint", "0", 0, 0},
    {"tinyint", "1", 1, 1},
    {"tinyint", "-1", -1, -1},
    {"tinyint", "-128", -128, -128},
    {"tinyint", "127", 127, 127},
    {"boolean", "true", 1, 1},
    {"boolean", "false", 0, 0},
    {"string", "", 0, -965378730},
    {"varchar(20)", "", 1, -965378730},
    {"char(20)", "", 1, -965378730},
    {"string", "a", 97, 1086686554},
    {"varchar(20)", "a", 128, 1086686554},
    {"char(20)", "a", 128, 1086686554},
    {"string", "ab", 3105, 398604456},
    {"varchar(20)", "ab", 4066, 398604456},
    {"char(20)", "ab", 4066, 398604456},
    {"string", "abc", 96354, -885266671},
    {"varchar(20)", "abc", 126145, -885266671},
    {"char(20)", "abc", 126145, -885266671},
    {"string", "abcd", 2987074, -873246740},
    {"varchar(20)", "abcd", 3910595, -873246740},
    {"char(20)", "abcd", 3910595, -873246740},
    {"string", "abcde", 92599395, -457003122},
    {"varchar(20)", "abcde", 121228546, -457003122},
    {"char(20)", "abcde", 121228546, -457003122},
    {"string",
     ""
     "\xc3"
     "\xa4"
     "\xc3"
     "\xb6"
     "\xc3"
     "\xbc",
     -1833232467, -130900551},
    {"varchar(20)",
     ""
     "\xc3"
     "\xa4"
     "\xc3"
     "\xb6"
     "\xc3"
     "\xbc",
     -945728786, -130900551},
    {"char(20)",
     ""
     "\xc3"
     "\xa4"
     "\xc3"
     "\xb6"
     "\xc3"
     "\xbc",
     -945728786, -130900551},
    {"string",
     "ab"
     "\xe2"
     "\x82"
     "\xac",
     92468235, 1117661026},
    {"varchar(20)",
     "ab"
     "\xe2"
     "\x82"
     "\xac",
     121097386, 1117661026},
    {"char(20)",
     "ab"
     "\xe2"
     "\x82"
     "\xac",
     121097386, 1117661026},
    {"string",
     "a"
     "\xf0"
     "\x9f"
     "\x90"
     "\x98",
     89008088, -669060675},
    {"varchar(20)",
     "a"
     "\xf0"
     "\x9f"
     "\x90"
     "\x98",
     117637239, -669060675},
    {"char(20)",
     "a"
     "\xf0"
     "\x9f"
     "\x90"
     "\x98",
     117637239, -669060675},
    {"string",
     ""
     "\xc3"
     "\xbf"
     "\xc3"
     "\xbf"
     "\xc3"
     "\xbf",
     -1808288748, -968844402},
    {"varchar(20)",
     ""
     "\xc3"
     "\xbf"
     "\xc3"
     "\xbf"
     "\xc3"
     "\xbf",
     -920785067, -968844402},
    {"char(20)",
     ""
     "\xc3"
     "\xbf"
     "\xc3"
     "\xbf"
     "\xc3"
     "\xbf",
     -920785067, -968844402},
    {"double", "0.0", 0, 1754797035},
    {"double", "1.5", 1073217536, 76905473},
    {"double", "-1.5", -1074266112, 1793517584},
    {"double", "1.0E300", -164130400, -494196982},
    {"float", "0.0", 0, 1362653161},
    {"float", "1.5", 1069547520, -1009260869},
    {"float", "-1.5", -1077936128, 112205414},
    {"float", "1.0E30", 1900671690, -1218334695},
    {"date", "2022-01-08", 19000, 2068023113},
    {"date", "1969-12-31", -1, 1626716813},
};

static struct ps_orc_value value_of(const struct ps_orc_type *type, const char *text)
{
    struct ps_orc_value value = {.null = false};
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
        value.integer = strcmp(text, "true") == 0;
        break;
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
        value.real = strtod(text, NULL);
        break;
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
        value.bytes = text;
        value.length = (uint32_t)strlen(text);
        break;
    case PS_ORC_DATE:
        value.integer = strcmp(text, "2022-01-08") == 0 ? 19000 : -1;
        break;
    default:
        value.integer = strtoll(text, NULL, 10);
        break;
    }
    return value;
}

static void test_hashes_are_those_of_hive(void **state)
{
    for (size_t i = 0; i < PS_COUNT_OF(answers); i++) {
        struct ps_err err;
        struct ps_orc_type *type = ps_orc_type_parse(answers[i].type, &err);
        assert_non_null(type);
        struct ps_orc_value value = value_of(type, answers[i].value);
        assert_int_equal(ps_hive_bucket_hash(PS_HIVE_BUCKETING_JAVA, type, &value), answers[i].java);
        assert_int_equal(ps_hive_bucket_hash(PS_HIVE_BUCKETING_MURMUR, type, &value), answers[i].murmur);
        value.null = true;
        assert_int_equal(ps_hive_bucket_hash(PS_HIVE_BUCKETING_MURMUR, type, &value), 0);
        ps_orc_type_destroy(type);
    }
}

/* All NaNs are equal, as in Java, whatever their bits. */
static void test_not_a_number(void **state)
{
    static const uint64_t bits[] = {UINT64_C(0x7ff8000000000000), UINT64_C(0xfff8000000000000),
                                    UINT64_C(0x7ff8000000000001), UINT64_C(0xffffffffffffffff)};
    for (size_t i = 0; i < PS_COUNT_OF(bits); i++) {
        struct ps_err err;
        struct ps_orc_value value = {.null = false}, usual = {.real = NAN};
        memcpy(&value.real, &bits[i], sizeof value.real);
        struct ps_orc_type *wide = ps_orc_type_parse("double", &err),
                           *narrow = ps_orc_type_parse("float", &err);
        assert_int_equal(ps_hive_bucket_hash(PS_HIVE_BUCKETING_JAVA, wide, &value), 0x7ff80000);
        assert_int_equal(ps_hive_bucket_hash(PS_HIVE_BUCKETING_JAVA, narrow, &value), 0x7fc00000);
        assert_int_equal(ps_hive_bucket_hash(PS_HIVE_BUCKETING_MURMUR, wide, &value),
                         ps_hive_bucket_hash(PS_HIVE_BUCKETING_MURMUR, wide, &usual));
        assert_int_equal(ps_hive_bucket_hash(PS_HIVE_BUCKETING_MURMUR, narrow, &value),
                         ps_hive_bucket_hash(PS_HIVE_BUCKETING_MURMUR, narrow, &usual));
        ps_orc_type_destroy(wide);
        ps_orc_type_destroy(narrow);
    }
}

/* Only the characters up to the type's length are hashed, as in a text of exactly that length. */
static void test_texts_that_are_too_long(void **state)
{
    static const char text[] = "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x90\x98"
                               "bc";
    static const uint32_t ends[] = {1, 3, 6, 10, 11, 12}; /* offsets of the ends of its characters */
    for (unsigned most = 1; most <= PS_COUNT_OF(ends); most++) {
        for (unsigned characters = 1; characters <= PS_COUNT_OF(ends); characters++) {
            unsigned counts = characters < most ? characters : most;
            for (unsigned is_char = 0; is_char < 2; is_char++) {
                char name[32];
                struct ps_err err;
                snprintf(name, sizeof name, "%s(%u)", is_char ? "char" : "varchar", most);
                struct ps_orc_type *type = ps_orc_type_parse(name, &err),
                                   *wide = ps_orc_type_parse(is_char ? "char(20)" : "varchar(20)", &err);
                const struct ps_orc_value value = {.bytes = text, .length = ends[characters - 1]},
                                          cut = {.bytes = text, .length = ends[counts - 1]};
                assert_int_equal(ps_hive_bucket_hash(PS_HIVE_BUCKETING_JAVA, type, &value),
                                 ps_hive_bucket_hash(PS_HIVE_BUCKETING_JAVA, wide, &cut));
                assert_int_equal(ps_hive_bucket_hash(PS_HIVE_BUCKETING_MURMUR, type, &value),
                                 ps_hive_bucket_hash(PS_HIVE_BUCKETING_MURMUR, wide, &cut));
                ps_orc_type_destroy(type);
                ps_orc_type_destroy(wide);
            }
        }
    }
}

static void test_buckets_of_several_columns(void **state)
{
    struct ps_err err;
    struct ps_orc_type *type = ps_orc_type_parse("struct<a:int,b:timestamp,c:char(6)>", &err);
    const struct ps_orc_value values[] = {{.integer = 7}, {.null = true}, {.bytes = "ab    ", .length = 6}};
    const struct ps_orc_value row = {.items = values, .item_count = 3},
                              half = {.items = values, .item_count = 1};
    static const uint32_t fields[] = {2, 0};
    assert_int_equal(ps_hive_bucket(PS_HIVE_BUCKETING_JAVA, type, &row, fields, 2, 1000),
                     (31 * 4066 + 7) % 1000);
    uint32_t murmur = 31U * 398604456U + (uint32_t)-970880120;
    assert_int_equal(ps_hive_bucket(PS_HIVE_BUCKETING_MURMUR, type, &row, fields, 2, 32),
                     (murmur & INT32_MAX) % 32);
    assert_int_equal(ps_hive_bucket(PS_HIVE_BUCKETING_JAVA, type, &half, fields, 2, 1000), 7);
    assert_false(ps_hive_bucket_knows(type->children[1]));
    ps_orc_type_destroy(type);
}

/* Numbers of buckets that are not powers of 2: the hash loses its sign before it is divided. */
static void test_each_number_of_buckets(void **state)
{
    static const uint32_t counts[] = {1, 2, 3, 5, 7, 10, 31, 32, 1000, 4095, 4096};
    static const uint32_t fields[] = {1, 0, 2};
    struct ps_err err;
    struct ps_orc_type *type = ps_orc_type_parse("struct<a:bigint,b:int,c:string>", &err);
    uint64_t random = ps_test_seed() | 1;
    for (unsigned round = 0; round < 2000; round++) {
        char text[9];
        snprintf(text, sizeof text, "%08x", (unsigned)ps_test_random(&random));
        const struct ps_orc_value values[] = {
            {.integer = (int64_t)ps_test_random(&random)},
            {.integer = (int32_t)ps_test_random(&random), .null = round % 5 == 0},
            {.bytes = text, .length = round % 9}};
        const struct ps_orc_value row = {.items = values, .item_count = 3};
        uint32_t count = counts[round % PS_COUNT_OF(counts)], field_count = round % 4;
        enum ps_hive_bucketing way = round % 2 == 0 ? PS_HIVE_BUCKETING_JAVA : PS_HIVE_BUCKETING_MURMUR;
        int64_t hash = 0;
        for (uint32_t i = 0; i < field_count; i++)
            hash = (int32_t)(uint32_t)(31 * hash + ps_hive_bucket_hash(way, type->children[fields[i]],
                                                                       &values[fields[i]]));
        assert_int_equal(ps_hive_bucket(way, type, &row, fields, field_count, count),
                         (hash < 0 ? hash + INT64_C(2147483648) : hash) % count);
    }
    ps_orc_type_destroy(type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hashes_are_those_of_hive), cmocka_unit_test(test_not_a_number),
        cmocka_unit_test(test_texts_that_are_too_long),  cmocka_unit_test(test_buckets_of_several_columns),
        cmocka_unit_test(test_each_number_of_buckets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
