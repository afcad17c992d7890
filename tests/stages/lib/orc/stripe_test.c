/* Bounds of floats, and Bloom filters with NaN: rows, statistics and row groups are read by reader_test.c and nested_test.c. */
#include "stages/lib/orc/writer.h"
#include "tests/support/orc_file.h"
#include "tests/support/support.h"

#include <math.h>

enum { BLOOM_FILTER = 8 }; /* a kind of stream, as in the specification */

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
        cmocka_unit_test(test_floats_are_counted_as_they_are_written),
        cmocka_unit_test(test_a_filter_knows_one_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
