/* Each allocation of a writer fails once. The writer then returns false, at its end at the latest; if it returns true,
 * the file is complete. */
#include "stages/lib/orc/acid.h"
#include "tests/support/allocations.h"
#include "tests/support/orc_file.h"

#define ROWS 40

static struct ps_orc_type *type;
static struct ps_orc_settings settings;

static int set_up(void **state)
{
    struct ps_err err;
    type = ps_orc_type_parse("struct<a:bigint,b:array<string>,c:char(9),d:decimal(20,2),e:map<int,double>,"
                             "f:boolean,g:tinyint,h:timestamp,i:binary>",
                             &err);
    settings = ps_orc_settings_usual(type);
    settings.compression = PS_ORC_NONE;
    settings.row_index_stride = 7;
    settings.stripe_bytes = 25000;
    settings.bloom_filter_columns = "a,c";
    return type != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    ps_orc_type_destroy(type);
    return 0;
}

static bool add_row(struct ps_orc_acid *acid, int64_t number)
{
    static char letters[200];
    memset(letters, 'a' + (int)(number % 26), sizeof letters);
    const struct ps_orc_value texts[] = {{.bytes = letters, .length = 150}, {.bytes = letters, .length = 3}},
                              pairs[] = {{.integer = number}, {.real = 0.5}},
                              row[] = {{.integer = number * 1000003},
                                       {.items = texts, .item_count = 2},
                                       {.bytes = letters, .length = (uint32_t)number % 9},
                                       {.decimal = number},
                                       {.items = pairs, .item_count = 2},
                                       {.integer = number % 2},
                                       {.integer = number},
                                       {.seconds = number},
                                       {.bytes = letters, .length = 20}};
    return ps_orc_acid_insert(acid, &(struct ps_orc_value){.items = row, .item_count = PS_COUNT_OF(row)});
}

/* Writes a file and returns the result of its end. A writer that has returned false once keeps returning false. */
static bool write_file(struct orc_file *file, uint64_t fails)
{
    struct ps_err err;
    bool well = true;
    *file = (struct orc_file){.output.write = orc_file_write, .room = 1 << 20, .data = malloc(1 << 20)};
    assert_non_null(file->data);
    struct ps_orc_acid *acid = ps_orc_acid_open(&settings, 0, 1, &file->output, &err);
    assert_non_null(acid);
    ps_test_allocation_fails = fails;
    for (int64_t i = 0; i < ROWS; i++) {
        bool added = add_row(acid, i);
        assert_true(well || !added);
        well = added;
    }
    bool ended = ps_orc_acid_end(acid);
    assert_true(well || !ended);
    bool has_failed = fails > 0 && ps_test_allocation_fails == 0;
    ps_test_allocation_fails = 0;
    assert_int_equal(ended, !has_failed);
    if (!ended)
        assert_false(add_row(acid, ROWS));
    ps_orc_acid_close(acid);
    return ended;
}

static void test_each_allocation_fails(void **state)
{
    struct orc_file file;
    bool ended = !PS_TEST_ALLOCATIONS;
    uint64_t number = 1;
    for (; !ended; number++) {
        ended = write_file(&file, number);
        if (ended)
            assert_int_equal(orc_file_check(&file), ROWS);
        free(file.data);
    }
    assert_true(!PS_TEST_ALLOCATIONS || number > 100);
}

/* A writer that cannot be opened frees everything, and its error names the reason. */
static void test_each_allocation_of_the_opening_fails(void **state)
{
    struct ps_orc_writer *writer = NULL;
    struct orc_file file = {.output.write = orc_file_write};
    for (int kind = PS_ORC_NONE; kind <= PS_ORC_ZSTD; kind++) {
        settings.compression = (enum ps_orc_compression)kind;
        for (uint64_t number = 1; PS_TEST_ALLOCATIONS && writer == NULL; number++) {
            struct ps_err err = {.length = 0};
            ps_test_allocation_fails = number;
            writer = ps_orc_writer_open(&settings, &file.output, &err);
            bool has_failed = ps_test_allocation_fails == 0;
            ps_test_allocation_fails = 0;
            assert_int_equal(writer == NULL, has_failed);
            if (writer == NULL)
                assert_string_equal(err.text, "no memory for an ORC file");
        }
        ps_orc_writer_close(writer);
        writer = NULL;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_allocation_fails, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_each_allocation_of_the_opening_fails, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
