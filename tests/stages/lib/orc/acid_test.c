/* Files of transactional tables: names, keys and metadata. */
#include "stages/lib/orc/acid.h"
#include "tests/support/orc_file.h"
#include "tests/support/support.h"

static void test_names(void **state)
{
    char name[PS_ORC_ACID_NAME_BYTES];
    ps_orc_acid_delta_name(4, name);
    assert_string_equal(name, "delta_0000004_0000004");
    ps_orc_acid_delta_name(INT64_MAX, name);
    assert_string_equal(name, "delta_9223372036854775807_9223372036854775807");
    ps_orc_acid_bucket_name(17, name);
    assert_string_equal(name, "bucket_00017");
}

static void expect_metadata(const PsOrc__Footer *footer, const char *name, const char *value)
{
    for (size_t i = 0; i < footer->n_metadata; i++)
        if (strcmp(footer->metadata[i]->name, name) == 0) {
            assert_int_equal(footer->metadata[i]->value.len, strlen(value));
            if (value[0] != '\0')
                assert_memory_equal(footer->metadata[i]->value.data, value, strlen(value));
            return;
        }
    fail_msg("no %s", name);
}

static void expect_file(const struct orc_file *file, uint64_t rows, const char *keys, const char *stats)
{
    assert_int_equal(orc_file_check(file), rows);
    PsOrc__Footer *footer = orc_file_footer(file);
    expect_metadata(footer, "hive.acid.key.index", keys);
    expect_metadata(footer, "hive.acid.stats", stats);
    expect_metadata(footer, "hive.acid.version", "2");
    assert_string_equal(footer->types[0]->field_names[5], "row");
    assert_string_equal(footer->types[6]->field_names[0], "id");
    ps_orc__footer__free_unpacked(footer, NULL);
}

static void test_a_file_that_ends_three_times(void **state)
{
    struct ps_err err;
    struct orc_file file = {.output.write = orc_file_write};
    struct ps_orc_type *type = ps_orc_type_parse("struct<id:int,tags:array<string>>", &err);
    struct ps_orc_settings settings = ps_orc_settings_usual(type);
    settings.compression = PS_ORC_NONE;
    settings.bloom_filter_columns = "id , unknown";
    struct ps_orc_acid *acid = ps_orc_acid_open(&settings, 1, 7, &file.output, &err);
    assert_non_null(acid);
    const struct ps_orc_value id = {.integer = 9}, row = {.items = &id, .item_count = 1};
    assert_true(ps_orc_acid_end(acid));
    expect_file(&file, 0, "", "0,0,0");
    for (int i = 0; i < 3; i++)
        assert_true(ps_orc_acid_insert(acid, &row));
    assert_true(ps_orc_acid_end(acid));
    expect_file(&file, 3, "7,536936448,2;", "3,0,0");
    for (int i = 0; i < 2; i++)
        assert_true(ps_orc_acid_insert(acid, &row));
    assert_true(ps_orc_acid_end(acid));
    expect_file(&file, 5, "7,536936448,2;7,536936448,4;", "5,0,0");
    ps_orc_acid_close(acid);
    ps_orc_type_destroy(type);
    free(file.data);
}

/* The types of the table are renumbered below the wrapper, in the same order; names of its bloom filters have blanks around them. */
static void test_the_types_of_a_table(void **state)
{
    static const struct {
        uint32_t kind, subtypes, first;
        const char *name;
    } wanted[] = {{12, 3, 7, "id"}, {3, 0, 0, ""}, {11, 2, 9, ""}, {7, 0, 0, ""},
                  {12, 2, 11, "x"}, {1, 0, 0, ""}, {17, 0, 0, ""}, {14, 0, 0, ""}};
    struct ps_err err;
    struct orc_file file = {.output.write = orc_file_write};
    struct ps_orc_type *type =
        ps_orc_type_parse("struct<id:int,tags:map<string,struct<x:tinyint,y:char(7)>>,d:decimal(9,2)>", &err);
    struct ps_orc_settings settings = ps_orc_settings_usual(type);
    settings.compression = PS_ORC_NONE;
    settings.bloom_filter_columns = "  id, nothing,  d,tags";
    struct ps_orc_acid *acid = ps_orc_acid_open(&settings, 4095, 1, &file.output, &err);
    assert_non_null(acid);
    const struct ps_orc_value id = {.integer = 9}, row = {.items = &id, .item_count = 1};
    assert_true(ps_orc_acid_insert(acid, &row));
    assert_true(ps_orc_acid_end(acid));
    ps_orc_acid_close(acid);
    expect_file(&file, 1, "1,805240832,0;", "1,0,0");
    PsOrc__Footer *footer = orc_file_footer(&file);
    assert_int_equal(footer->n_types, 6 + PS_COUNT_OF(wanted));
    for (size_t i = 0; i < PS_COUNT_OF(wanted); i++) {
        const PsOrc__Type *made = footer->types[6 + i];
        assert_int_equal(made->kind, wanted[i].kind);
        assert_int_equal(made->n_subtypes, wanted[i].subtypes);
        if (wanted[i].subtypes > 0)
            assert_int_equal(made->subtypes[0], wanted[i].first);
        assert_string_equal(made->n_field_names > 0 ? made->field_names[0] : "", wanted[i].name);
    }
    assert_int_equal(footer->types[12]->maximum_length, 7);
    assert_int_equal(footer->types[13]->precision, 9);
    const PsOrc__StripeInformation *stripe = footer->stripes[0];
    PsOrc__StripeFooter *parts = ps_orc__stripe_footer__unpack(
        NULL, (size_t)stripe->footer_length,
        file.data + stripe->offset + stripe->index_length + stripe->data_length);
    uint64_t filters = 0;
    for (size_t s = 0; s < parts->n_streams; s++)
        filters |= parts->streams[s]->kind == 8 ? UINT64_C(1) << parts->streams[s]->column : 0;
    assert_int_equal(filters, 1U << 7 | 1U << 13);
    ps_orc__stripe_footer__free_unpacked(parts, NULL);
    ps_orc__footer__free_unpacked(footer, NULL);
    ps_orc_type_destroy(type);
    free(file.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_a_file_that_ends_three_times),
        cmocka_unit_test(test_the_types_of_a_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
