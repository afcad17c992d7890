/* The ORC writer: the parts of a file around the rows. tests/real/orc_test.sh shows that readers find the rows. */
#include "stages/lib/orc/writer_internal.h"
#include "tests/support/orc_file.h"
#include "tests/support/support.h"

static struct ps_orc_type *type;
static struct ps_orc_settings settings;
static struct orc_file file;

static int set_up(void **state)
{
    struct ps_err err;
    type = ps_orc_type_parse("struct<id:bigint,name:string,price:decimal(5,2)>", &err);
    settings = ps_orc_settings_usual(type);
    settings.compression = PS_ORC_NONE;
    file = (struct orc_file){.output.write = orc_file_write};
    return type == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
    ps_orc_type_destroy(type);
    free(file.data);
    return 0;
}

static struct ps_orc_writer *open_writer(void)
{
    struct ps_err err;
    struct ps_orc_writer *writer = ps_orc_writer_open(&settings, &file.output, &err);
    assert_non_null(writer);
    return writer;
}

static bool add(struct ps_orc_writer *writer, int64_t id, const char *name)
{
    struct ps_orc_value values[] = {{.integer = id}, {.null = name == NULL}, {.decimal = id % 1000}};
    values[1].bytes = name;
    values[1].length = name == NULL ? 0 : (uint32_t)strlen(name);
    return ps_orc_writer_add(writer, &(struct ps_orc_value){.items = values, .item_count = 3});
}

/* Returns a column's statistics in the footer. */
static PsOrc__ColumnStatistics *statistics_of(size_t column)
{
    PsOrc__Footer *footer = orc_file_footer(&file);
    PsOrc__ColumnStatistics *statistics = ps_orc__column_statistics__unpack(
        NULL, footer->statistics[column].len, footer->statistics[column].data);
    assert_non_null(statistics);
    ps_orc__footer__free_unpacked(footer, NULL);
    return statistics;
}

static void test_stripes_end_when_they_are_full(void **state)
{
    settings.stripe_bytes = 20000;
    settings.row_index_stride = 100;
    struct ps_orc_writer *writer = open_writer();
    for (int64_t i = 0; i < 10000; i++) {
        assert_true(add(writer, i * i * 1000003, i % 3 == 0 ? NULL : "a name"));
        assert_in_range(ps_orc_writer_held(writer), 1, 200000);
        assert_true(writer->memory.used_bytes <
                    settings.stripe_bytes); /* a stripe that is full was written */
    }
    assert_true(ps_orc_writer_end(writer));
    assert_int_equal(writer->length, file.length);
    assert_int_equal(ps_orc_writer_rows(writer), 10000);
    ps_orc_writer_close(writer);
    assert_int_equal(orc_file_check(&file), 10000);
    PsOrc__Footer *footer = orc_file_footer(&file);
    assert_in_range(footer->n_stripes, 3, 30);
    ps_orc__footer__free_unpacked(footer, NULL);
}

static void test_each_end_makes_a_whole_file(void **state)
{
    struct ps_orc_writer *writer = open_writer();
    assert_true(ps_orc_writer_end(writer));
    assert_int_equal(orc_file_check(&file), 0);
    for (uint64_t i = 1; i <= 5; i++) {
        assert_true(add(writer, (int64_t)i, "x"));
        assert_true(ps_orc_writer_end(writer));
        assert_int_equal(orc_file_check(&file), i);
    }
    size_t before = file.length;
    assert_true(ps_orc_writer_end(writer)); /* no stripe without rows */
    assert_in_range(file.length - before, 1, 1000);
    assert_int_equal(orc_file_check(&file), 5);
    ps_orc_writer_close(writer);
}

static void test_missing_fields_are_null(void **state)
{
    struct ps_orc_writer *writer = open_writer();
    const struct ps_orc_value id = {.integer = 4};
    assert_true(ps_orc_writer_add(writer, &(struct ps_orc_value){.items = &id, .item_count = 1}));
    assert_true(ps_orc_writer_end(writer));
    ps_orc_writer_close(writer);
    PsOrc__ColumnStatistics *statistics = statistics_of(2);
    assert_true(statistics->has_null);
    assert_int_equal(statistics->number_of_values, 0);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
}

static void test_statistics(void **state)
{
    struct ps_orc_writer *writer = open_writer();
    assert_true(add(writer, 807, "b"));
    assert_true(add(writer, 5, "ab"));
    assert_true(add(writer, -125, NULL));
    assert_true(ps_orc_writer_end(writer));
    ps_orc_writer_close(writer);
    PsOrc__ColumnStatistics *statistics = statistics_of(1);
    assert_int_equal(statistics->number_of_values, 3);
    assert_int_equal(statistics->int_statistics->minimum, -125);
    assert_int_equal(statistics->int_statistics->maximum, 807);
    assert_true(statistics->int_statistics->has_sum);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
    statistics = statistics_of(2);
    assert_true(statistics->has_null);
    assert_memory_equal(statistics->string_statistics->minimum.data, "ab", 2);
    assert_int_equal(statistics->string_statistics->sum, 3);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
    statistics = statistics_of(3);
    assert_string_equal(statistics->decimal_statistics->minimum, "-1.25");
    assert_string_equal(statistics->decimal_statistics->maximum, "8.07");
    assert_string_equal(statistics->decimal_statistics->sum, "6.87");
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
}

static void test_a_sum_that_is_too_large_is_left_out(void **state)
{
    struct ps_orc_writer *writer = open_writer();
    assert_true(add(writer, INT64_MAX, "b"));
    assert_true(add(writer, 1, "b"));
    assert_true(add(writer, -1, "b"));
    assert_true(ps_orc_writer_end(writer));
    ps_orc_writer_close(writer);
    PsOrc__ColumnStatistics *statistics = statistics_of(1);
    assert_false(statistics->int_statistics->has_sum);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
}

/* The sum of decimals is present if it has at most 38 digits, and if no partial sum of a row group or stripe exceeded 128
 * bits. */
static void test_sums_of_large_decimals(void **state)
{
    static const struct {
        int values[4]; /* multiplied by 10^37 */
        bool has_sum;
    } cases[] = {
        {{9}, true},          {{5, 4}, true},         {{5, 5}, false},         {{5, 5, -1}, true},
        {{-5, -5}, false},    {{-9}, true},           {{9, 9, -9}, false},     {{9, 9, -9, -9}, false},
        {{-9, -9, 9}, false}, {{9, -9, 9, -9}, true}, {{-9, -9, 9, 9}, false}, {{8, 8, 1}, false}};
    for (unsigned i = 0; i < 3 * PS_COUNT_OF(cases); i++) {
        struct ps_err err;
        struct ps_orc_type *wide = ps_orc_type_parse("struct<d:decimal(38,0)>", &err);
        settings.type = wide;
        settings.row_index_stride = i % 3 == 0 ? 1 : 1000;
        settings.stripe_bytes = i % 3 == 1 ? 1 : 1 << 20;
        file.length = 0;
        struct ps_orc_writer *writer = ps_orc_writer_open(&settings, &file.output, &err);
        assert_non_null(writer);
        for (unsigned v = 0; v < 4; v++) {
            __int128 unscaled = cases[i / 3].values[v];
            for (unsigned digit = 0; digit < 37; digit++)
                unscaled *= 10;
            const struct ps_orc_value value = {.decimal = unscaled};
            assert_true(ps_orc_writer_add(writer, &(struct ps_orc_value){.items = &value, .item_count = 1}));
        }
        assert_true(ps_orc_writer_end(writer));
        ps_orc_writer_close(writer);
        PsOrc__ColumnStatistics *statistics = statistics_of(1);
        assert_int_equal(statistics->decimal_statistics->sum != NULL, cases[i / 3].has_sum);
        ps_orc__column_statistics__free_unpacked(statistics, NULL);
        ps_orc_type_destroy(wide);
    }
}

/* Returns the bounds in the file of a text that repeats `piece` this many times. */
static PsOrc__ColumnStatistics *bounds_of(const char *piece, size_t times)
{
    char text[8192] = "";
    for (size_t i = 0; i < times; i++)
        memcpy(text + i * strlen(piece), piece, strlen(piece) + 1);
    file.length = 0;
    struct ps_orc_writer *writer = open_writer();
    assert_true(add(writer, 1, text));
    assert_true(ps_orc_writer_end(writer));
    ps_orc_writer_close(writer);
    return statistics_of(2);
}

static void test_long_strings_have_bounds(void **state)
{
    PsOrc__ColumnStatistics *statistics = bounds_of("a", 1024);
    assert_true(statistics->string_statistics->has_maximum);
    assert_int_equal(statistics->string_statistics->maximum.len, 1024);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
    statistics = bounds_of("a\xe2\x82\xac", 1000); /* 1024 bytes and the cut within a character */
    PsOrc__StringStatistics *part = statistics->string_statistics;
    assert_false(part->has_minimum || part->has_maximum);
    assert_int_equal(part->lower_bound.len, 1024);
    assert_memory_equal(part->lower_bound.data + 1020, "a\xe2\x82\xac", 4);
    assert_int_equal(part->upper_bound.len, 1021);
    assert_int_equal(part->upper_bound.data[1020], 'b');
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
    statistics = bounds_of("\xf0\x9f\x90\x98", 300); /* no character of it can be increased */
    assert_memory_equal(statistics->string_statistics->upper_bound.data, "\xf4\x8f\xbf\xbf", 4);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
}

static void test_malformed_strings_have_bounds(void **state)
{
    PsOrc__ColumnStatistics *statistics = bounds_of("ab\xff\xff", 1);
    PsOrc__StringStatistics *part = statistics->string_statistics;
    assert_false(part->has_minimum || part->has_maximum);
    assert_int_equal(part->lower_bound.len, 2);
    assert_memory_equal(part->lower_bound.data, "ab", 2);
    assert_int_equal(part->upper_bound.len, 2);
    assert_memory_equal(part->upper_bound.data, "ac", 2);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
    statistics = bounds_of("\x80", 1);
    assert_true(statistics->string_statistics->has_lower_bound);
    assert_int_equal(statistics->string_statistics->lower_bound.len, 0);
    assert_memory_equal(statistics->string_statistics->upper_bound.data, "\xf4\x8f\xbf\xbf", 4);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
}

static void test_settings_are_checked(void **state)
{
    struct ps_err err;
    settings.chunk_bytes = 1U << 23;
    assert_null(ps_orc_writer_open(&settings, &file.output, &err));
    assert_non_null(strstr(err.text, "orc.compress.size"));
    static const struct {
        uint32_t chunk_bytes;
        double rate;
        bool is_well;
    } cases[] = {{1023, 0.5, false},     {1024, 0.5, true},   {8388607, 0.5, true}, {8388608, 0.5, false},
                 {0, 0.5, false},        {4096, 0, false},    {4096, 1, false},     {4096, 1e-9, true},
                 {4096, 0.999999, true}, {4096, -0.1, false}, {4096, 2, false}};
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        settings.chunk_bytes = cases[i].chunk_bytes;
        settings.bloom_filter_false_positives = cases[i].rate;
        struct ps_orc_writer *writer = ps_orc_writer_open(&settings, &file.output, &err);
        assert_int_equal(writer != NULL, cases[i].is_well);
        ps_orc_writer_close(writer);
    }
    settings.chunk_bytes = 4096;
    settings.bloom_filter_false_positives = 1;
    assert_null(ps_orc_writer_open(&settings, &file.output, &err));
    settings.bloom_filter_false_positives = 0.5;
    settings.type = type->children[0];
    assert_null(ps_orc_writer_open(&settings, &file.output, &err));
    enum ps_orc_compression compression;
    assert_false(ps_orc_compression_find("gzip", &compression));
    assert_true(ps_orc_compression_find("zlib", &compression));
}

static void test_an_output_that_fails(void **state)
{
    settings.stripe_bytes = 5000;
    file.fail_at = 12000;
    struct ps_orc_writer *writer = open_writer();
    bool well = true;
    for (int64_t i = 0; i < 10000; i++) {
        bool added = add(writer, i * 1000003 * i, "x");
        assert_true(well || !added); /* a failed writer stays failed */
        well = added;
    }
    assert_false(well);
    assert_false(ps_orc_writer_end(writer));
    ps_orc_writer_close(writer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_stripes_end_when_they_are_full, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_end_makes_a_whole_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_missing_fields_are_null, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_statistics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_sum_that_is_too_large_is_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sums_of_large_decimals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_strings_have_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_malformed_strings_have_bounds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_settings_are_checked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_output_that_fails, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
