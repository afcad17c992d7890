/* The parts of a stripe other than the rows: row groups and their statistics, bloom filters, and the texts
 * themselves. */
#include "stages/lib/orc/stream.h"
#include "stages/lib/orc/writer.h"
#include "tests/support/orc_file.h"
#include "tests/support/orc_run.h"
#include "tests/support/support.h"

#include <math.h>

enum {
    DATA = 1,
    SECONDARY = 5,
    ROW_INDEX = 6,
    BLOOM_FILTER = 8
}; /* kinds of streams, as in the specification */

static struct ps_orc_type *type;
static struct ps_orc_settings settings;
static struct orc_file file;
static struct ps_orc_writer *writer;

/* Opens a writer of rows of one column. */
static void open_column(const char *column)
{
    char text[100];
    struct ps_err err;
    snprintf(text, sizeof text, "struct<c:%s>", column);
    type = ps_orc_type_parse(text, &err);
    assert_non_null(type);
    settings = ps_orc_settings_usual(type);
    settings.compression = PS_ORC_NONE;
    settings.dictionary_ratio = 0;
    settings.row_index_stride = 100;
    settings.bloom_filter_columns = "c";
    file = (struct orc_file){.output.write = orc_file_write};
    writer = ps_orc_writer_open(&settings, &file.output, &err);
    assert_non_null(writer);
}

static void add(struct ps_orc_value value)
{
    assert_true(ps_orc_writer_add(writer, &(struct ps_orc_value){.items = &value, .item_count = 1}));
}

static void end(void)
{
    assert_true(ps_orc_writer_end(writer));
}

static void close_column(void)
{
    ps_orc_writer_close(writer);
    ps_orc_type_destroy(type);
    free(file.data);
}

/* Returns the first stripe's stream of this kind of the only column. */
static const uint8_t *stream_of(unsigned kind, size_t *length)
{
    PsOrc__Footer *footer = orc_file_footer(&file);
    const PsOrc__StripeInformation *stripe = footer->stripes[0];
    uint64_t at = stripe->offset, footer_at = at + stripe->index_length + stripe->data_length;
    PsOrc__StripeFooter *parts =
        ps_orc__stripe_footer__unpack(NULL, (size_t)stripe->footer_length, file.data + footer_at);
    assert_non_null(parts);
    size_t s = 0;
    for (; s < parts->n_streams && (parts->streams[s]->kind != kind || parts->streams[s]->column != 1); s++)
        at += parts->streams[s]->length;
    assert_true(s < parts->n_streams);
    *length = parts->streams[s]->length;
    ps_orc__stripe_footer__free_unpacked(parts, NULL);
    ps_orc__footer__free_unpacked(footer, NULL);
    return file.data + at;
}

/* Returns the statistics of this column in the whole file. */
static PsOrc__ColumnStatistics *statistics_of(size_t column)
{
    PsOrc__Footer *footer = orc_file_footer(&file);
    PsOrc__ColumnStatistics *statistics = ps_orc__column_statistics__unpack(
        NULL, footer->statistics[column].len, footer->statistics[column].data);
    assert_non_null(statistics);
    ps_orc__footer__free_unpacked(footer, NULL);
    return statistics;
}

static void test_each_row_group_has_its_own_statistics(void **state)
{
    size_t length;
    open_column("bigint");
    for (int64_t i = 0; i < 250; i++)
        add((struct ps_orc_value){.integer = i});
    end();
    const uint8_t *bytes = stream_of(ROW_INDEX, &length);
    PsOrc__RowIndex *index = ps_orc__row_index__unpack(NULL, length, bytes);
    assert_non_null(index);
    assert_int_equal(index->n_entry, 3);
    for (unsigned i = 0; i < 3; i++) {
        PsOrc__ColumnStatistics *group = ps_orc__column_statistics__unpack(
            NULL, index->entry[i]->statistics.len, index->entry[i]->statistics.data);
        assert_non_null(group);
        assert_int_equal(group->number_of_values, i < 2 ? 100 : 50);
        assert_int_equal(group->int_statistics->minimum, 100 * i);
        assert_int_equal(group->int_statistics->maximum, i < 2 ? 100 * i + 99 : 249);
        ps_orc__column_statistics__free_unpacked(group, NULL);
    }
    ps_orc__row_index__free_unpacked(index, NULL);
    close_column();
}

static void test_stripes_are_counted_once(void **state)
{
    open_column("int");
    for (int64_t i = 1; i <= 3; i++) {
        add((struct ps_orc_value){.integer = i});
        end(); /* a stripe of one row */
    }
    PsOrc__ColumnStatistics *statistics = statistics_of(1);
    assert_int_equal(statistics->number_of_values, 3);
    assert_int_equal(statistics->int_statistics->sum, 6);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
    statistics = statistics_of(0);
    assert_int_equal(statistics->number_of_values, 3);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
    close_column();
}

/* The values of an array's column are its lists; the values of the column below it are the items. */
static void test_lists_and_items_are_counted(void **state)
{
    const struct ps_orc_value items[] = {{.integer = 1}, {.integer = 2}, {.integer = 3}};
    open_column("array<int>");
    add((struct ps_orc_value){.items = items, .item_count = 3});
    add((struct ps_orc_value){.null = true});
    add((struct ps_orc_value){.items = items, .item_count = 1});
    add((struct ps_orc_value){.items = items, .item_count = 0});
    end();
    static const struct {
        size_t column;
        unsigned values;
        bool has_null;
    } wanted[] = {{0, 4, false}, {1, 3, true}, {2, 4, false}};
    for (size_t i = 0; i < PS_COUNT_OF(wanted); i++) {
        PsOrc__ColumnStatistics *statistics = statistics_of(wanted[i].column);
        assert_int_equal(statistics->number_of_values, wanted[i].values);
        assert_int_equal(statistics->has_null, wanted[i].has_null);
        ps_orc__column_statistics__free_unpacked(statistics, NULL);
    }
    close_column();
}

static void expect_text(const char *column, const char *text, const char *wanted)
{
    size_t length;
    open_column(column);
    add((struct ps_orc_value){.bytes = text, .length = (uint32_t)strlen(text)});
    end();
    const uint8_t *bytes = stream_of(DATA, &length);
    assert_int_equal(length, strlen(wanted));
    assert_memory_equal(bytes, wanted, length);
    close_column();
}

/* Lengths of char and varchar are in characters; a char is filled with blanks. */
static void test_texts_have_their_length_in_characters(void **state)
{
    expect_text("char(4)", "ab", "ab  ");
    expect_text("char(4)", "\xc3\xa9\xe2\x82\xac", "\xc3\xa9\xe2\x82\xac  ");
    expect_text("char(2)", "\xc3\xa9\xe2\x82\xacx", "\xc3\xa9\xe2\x82\xac");
    expect_text("varchar(2)", "\xf0\x9f\x90\x98\xc3\xa9x", "\xf0\x9f\x90\x98\xc3\xa9");
    expect_text("varchar(4)", "ab", "ab");
    expect_text("string", "ab", "ab");
}

/* A float's bounds are computed from the written values, not from the given ones. */
static void test_floats_are_counted_as_they_are_written(void **state)
{
    open_column("float");
    add((struct ps_orc_value){.real = 0.1});
    add((struct ps_orc_value){.real = 0.3});
    end();
    PsOrc__ColumnStatistics *statistics = statistics_of(1);
    assert_true(statistics->double_statistics->minimum == (double)0.1F);
    assert_true(statistics->double_statistics->maximum == (double)0.3F);
    ps_orc__column_statistics__free_unpacked(statistics, NULL);
    close_column();
}

/* Nanoseconds are in a separate stream, which is complete, too. */
static void test_the_second_stream_has_every_row(void **state)
{
    size_t length, rows = 0;
    unsigned kind;
    int64_t values[512];
    open_column("timestamp");
    for (uint32_t i = 0; i < 700; i++)
        add((struct ps_orc_value){.seconds = 1700000000 + i, .nanoseconds = i * i * 1001});
    end();
    struct orc_bytes bytes;
    bytes.at = stream_of(SECONDARY, &length);
    for (bytes.end = bytes.at + length; bytes.at < bytes.end;)
        rows += orc_read_run(&bytes, false, values, &kind);
    assert_int_equal(rows, 700);
    close_column();
}

/* Writes a row with this number. Gets the bits of its bloom filter; returns their number of bytes. */
static size_t filter_of(double number, uint8_t *bits, size_t room)
{
    size_t length;
    open_column("double");
    add((struct ps_orc_value){.real = number});
    end();
    const uint8_t *bytes = stream_of(BLOOM_FILTER, &length);
    assert_true(length <= room);
    memcpy(bits, bytes, length);
    close_column();
    return length;
}

/* Java has one NaN (Double.doubleToLongBits), so the filter finds it whatever its bits. */
static void test_a_filter_knows_one_nan(void **state)
{
    static uint8_t usual[4096], other[4096];
    size_t length = filter_of(NAN, usual, sizeof usual);
    assert_int_equal(filter_of(-NAN, other, sizeof other), length);
    assert_memory_equal(usual, other, length);
    assert_int_equal(filter_of(1.5, other, sizeof other), length);
    assert_memory_not_equal(usual, other, length);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row_group_has_its_own_statistics),
        cmocka_unit_test(test_stripes_are_counted_once),
        cmocka_unit_test(test_lists_and_items_are_counted),
        cmocka_unit_test(test_texts_have_their_length_in_characters),
        cmocka_unit_test(test_floats_are_counted_as_they_are_written),
        cmocka_unit_test(test_the_second_stream_has_every_row),
        cmocka_unit_test(test_a_filter_knows_one_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
