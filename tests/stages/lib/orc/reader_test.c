/* Files of random rows are read by a reader that shares no code with the writer (tests/support/orc_reader.h): each row
 * group from the positions of its index, its statistics, those of the stripes and of the file, and each bit of its
 * Bloom filters. The sizes are drawn around each boundary: rows and the stride of the index, bytes and the chunk of the
 * compression, stripes, nanoseconds and the seconds before 1970. */
#include "core/text/utf8.h"
#include "stages/lib/orc/writer.h"
#include "tests/support/orc_file.h"
#include "tests/support/orc_reader.h"
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>

#define ROWS_MAX 3000U
#define FILES 60U
#define CUT_BYTES 1024U /* longer bounds of texts are cut */

enum column {
    BOOLEAN,
    TINYINT,
    INT,
    BIGINT,
    FLOAT,
    DOUBLE,
    FEW,
    MANY,
    BINARY,
    TIMESTAMP,
    DECIMAL,
    DATE,
    COLUMNS
};

static const struct {
    const char *name;
    enum orc_form form;
    uint32_t statistics; /* the field of its kind's statistics */
} columns[COLUMNS] = {
    [BOOLEAN] = {"a:boolean", ORC_BIT, 5},
    [TINYINT] = {"b:tinyint", ORC_BYTE, 2},
    [INT] = {"c:int", ORC_INTEGER, 2},
    [BIGINT] = {"d:bigint", ORC_INTEGER, 2},
    [FLOAT] = {"e:float", ORC_FLOAT, 3},
    [DOUBLE] = {"f:double", ORC_DOUBLE, 3},
    [FEW] = {"g:string", ORC_TEXT, 4},
    [MANY] = {"h:string", ORC_TEXT, 4},
    [BINARY] = {"i:binary", ORC_BINARY, 8},
    [TIMESTAMP] = {"j:timestamp", ORC_TIME, 9},
    [DECIMAL] = {"k:decimal(30,4)", ORC_DECIMAL, 6},
    [DATE] = {"l:date", ORC_INTEGER, 7},
};
#define SCALE 10000

static struct ps_orc_value rows[ROWS_MAX][COLUMNS];
static struct orc_cell cells[ROWS_MAX];
static char letters[8192];
static uint64_t random_state;
static const char *filter_columns; /* first letters of the columns with a filter in this file */

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&random_state) % below;
}

/* ---- rows ---- */

static int64_t draw_integer(uint64_t way, uint32_t row, int64_t least, int64_t most)
{
    switch (way) {
    case 0: /* the ends of the range */
        return draw(2) == 0 ? least : most;
    case 1:
        return (int64_t)(row / 100) % most;
    case 2:
        return (int64_t)draw(5) - 2;
    default:
        return draw(20) == 0 ? most - (int64_t)draw(3) : (int64_t)draw(100);
    }
}

static struct ps_orc_value draw_time(uint64_t way)
{
    static const int64_t seconds[] = {-62135596800, -1000000001, -86400,      -3, -2, 0, 1,
                                      1420070399,   1420070400,  253402300799};
    static const uint32_t nanoseconds[] = {0,         1,         10,        99,        100,
                                           1000,      999999,    1000000,   1000001,   10000000,
                                           100000000, 500000000, 999000000, 999999000, 999999999};
    struct ps_orc_value value = {.seconds = seconds[draw(PS_COUNT_OF(seconds))],
                                 .nanoseconds = nanoseconds[draw(PS_COUNT_OF(nanoseconds))]};
    if (way == 1)
        value = (struct ps_orc_value){.seconds = -2 - (int64_t)draw(3),
                                      .nanoseconds = (uint32_t)draw(1000000000)};
    return value;
}

static struct ps_orc_value draw_text(bool is_few, uint64_t way)
{
    size_t length = draw(30);
    if (!is_few && way == 0 && draw(10) == 0)
        length = CUT_BYTES - 2 + draw(5);
    return (struct ps_orc_value){.bytes = &letters[is_few ? draw(4) * 50 : draw(sizeof letters - 1100)],
                                 .length = is_few ? 20 : (uint32_t)length};
}

static struct ps_orc_value draw_value(enum column column, uint64_t way, uint32_t row)
{
    switch (column) {
    case BOOLEAN:
        return (struct ps_orc_value){.integer = way == 1 ? row / 300 % 2 : (int64_t)draw(2)};
    case TINYINT:
        return (struct ps_orc_value){.integer = draw_integer(way, row, INT8_MIN, INT8_MAX)};
    case INT:
        return (struct ps_orc_value){.integer = draw_integer(way, row, INT32_MIN, INT32_MAX)};
    case BIGINT:
        return (struct ps_orc_value){.integer = draw_integer(way, row, INT64_MIN, INT64_MAX)};
    case DATE:
        return (struct ps_orc_value){.integer = draw_integer(way, row, -719162, 2932896)};
    case FLOAT:
        return (struct ps_orc_value){
            .real = way == 2 && draw(300) == 0 ? (double)NAN : (double)((float)draw(1000) / 8 - 50)};
    case DOUBLE:
        return (struct ps_orc_value){
            .real = way == 2 && draw(300) == 0 ? (double)NAN : (double)draw(1U << 30) / 1024 - 1000};
    case FEW:
    case MANY:
    case BINARY:
        return draw_text(column == FEW, way);
    case TIMESTAMP:
        return draw_time(way);
    case DECIMAL: {
        __int128 value = (__int128)draw_integer(way, row, -INT64_MAX, INT64_MAX) * (way == 0 ? 1000000 : 1);
        return (struct ps_orc_value){.decimal = value};
    }
    case COLUMNS:
        break;
    }
    return (struct ps_orc_value){.null = true};
}

static void draw_column(enum column column, uint32_t count)
{
    uint64_t way = draw(4), nulls = draw(4);
    for (uint32_t i = 0; i < count; i++) {
        bool is_null = nulls == 0 || (nulls == 1 && draw(5) == 0) || (nulls == 2 && i / 257 % 2 == 1);
        rows[i][column] = is_null ? (struct ps_orc_value){.null = true} : draw_value(column, way, i);
    }
}

static void write_file(struct orc_file *file, struct ps_orc_settings *settings, uint32_t count)
{
    struct ps_err err;
    *file = (struct orc_file){.output.write = orc_file_write};
    struct ps_orc_writer *writer = ps_orc_writer_open(settings, &file->output, &err);
    assert_non_null(writer);
    for (uint32_t i = 0; i < count; i++)
        assert_true(
            ps_orc_writer_add(writer, &(struct ps_orc_value){.items = rows[i], .item_count = COLUMNS}));
    assert_true(ps_orc_writer_end(writer));
    ps_orc_writer_close(writer);
}

/* ---- values ---- */

static void expect_same(enum column column, const struct ps_orc_value *value, const struct orc_cell *cell)
{
    if (cell->null != value->null)
        fail_msg("column %s: a value is %snull", columns[column].name, cell->null ? "" : "not ");
    if (value->null)
        return;
    switch (columns[column].form) {
    case ORC_FLOAT:
    case ORC_DOUBLE:
        assert_true(cell->real == value->real || (isnan(cell->real) && isnan(value->real)));
        break;
    case ORC_TEXT:
    case ORC_BINARY:
        assert_int_equal(cell->length, value->length);
        assert_memory_equal(cell->text, value->bytes, value->length);
        break;
    case ORC_TIME:
        assert_int_equal(cell->integer, value->seconds);
        assert_int_equal(cell->nanoseconds, value->nanoseconds);
        break;
    case ORC_DECIMAL:
        assert_true(cell->decimal * (cell->integer == 4 ? 1 : 0) == value->decimal);
        break;
    default:
        assert_int_equal(cell->integer, value->integer);
    }
}

/* ---- statistics ---- */

static bool find(struct orc_message message, uint32_t number, struct orc_field *field)
{
    *field = (struct orc_field){.number = 0};
    return orc_field_find(message, number, field);
}

static int64_t signed_of(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

/* Integers, days, and milliseconds: numbers of the fields of minimum, maximum and sum (0: no sum). */
static void expect_integers(struct orc_message part, enum column column, uint32_t from, uint32_t to,
                            uint32_t first, uint32_t sum)
{
    struct orc_field least, most, total;
    int64_t minimum = INT64_MAX, maximum = INT64_MIN;
    __int128 all = 0, sizes = 0;
    bool has_any = false;
    for (uint32_t i = from; i < to; i++) {
        const struct ps_orc_value *value = &rows[i][column];
        if (value->null)
            continue;
        int64_t number =
            column == TIMESTAMP ? value->seconds * 1000 + value->nanoseconds / 1000000 : value->integer;
        minimum = number < minimum ? number : minimum;
        maximum = number > maximum ? number : maximum;
        all += number;
        sizes += number < 0 ? -(__int128)number : number;
        has_any = true;
    }
    assert_int_equal(find(part, first, &least), has_any);
    assert_int_equal(find(part, first + 1, &most), has_any);
    if (has_any) {
        assert_int_equal(signed_of(least.value), minimum);
        assert_int_equal(signed_of(most.value), maximum);
    }
    if (sum == 0)
        return;
    bool has_sum = find(part, sum, &total);
    assert_true(has_sum || sizes > INT64_MAX);
    assert_true(!has_sum || signed_of(total.value) == all);
}

static double real_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void expect_reals(struct orc_message part, enum column column, uint32_t from, uint32_t to)
{
    struct orc_field least, most, total;
    double minimum = INFINITY, maximum = -INFINITY, all = 0;
    for (uint32_t i = from; i < to; i++) {
        if (rows[i][column].null)
            continue;
        minimum = fmin(minimum, rows[i][column].real);
        maximum = fmax(maximum, rows[i][column].real);
        all += rows[i][column].real;
    }
    bool has_any = minimum <= maximum;
    assert_int_equal(find(part, 1, &least), has_any);
    assert_int_equal(find(part, 2, &most), has_any);
    assert_true(!has_any || (real_of(least.value) == minimum && real_of(most.value) == maximum));
    assert_true(find(part, 3, &total));
    if (isnan(all)) /* readers ignore the range then */
        assert_true(isnan(real_of(total.value)));
    else
        assert_true(fabs(real_of(total.value) - all) <= 1e-9 * (1 + fabs(all)));
}

static int compare(const void *one, size_t one_length, const void *other, size_t other_length)
{
    int order = memcmp(one, other, one_length < other_length ? one_length : other_length);
    return order != 0 ? order : (one_length > other_length) - (one_length < other_length);
}

/* A bound that is too long is cut: the lower one is a prefix of the text, and the upper one is greater than the text, but not longer. */
static void expect_texts(struct orc_message part, enum column column, uint32_t from, uint32_t to)
{
    const struct ps_orc_value *minimum = NULL, *maximum = NULL;
    struct orc_field least, most, total;
    uint64_t all = 0;
    for (uint32_t i = from; i < to; i++) {
        const struct ps_orc_value *value = &rows[i][column];
        if (value->null)
            continue;
        all += value->length;
        if (minimum == NULL || compare(value->bytes, value->length, minimum->bytes, minimum->length) < 0)
            minimum = value;
        if (maximum == NULL || compare(value->bytes, value->length, maximum->bytes, maximum->length) > 0)
            maximum = value;
    }
    assert_true(find(part, 3, &total) && signed_of(total.value) == (int64_t)all);
    if (minimum == NULL) {
        assert_false(find(part, 1, &least) || find(part, 2, &most) || find(part, 4, &least) ||
                     find(part, 5, &most));
        return;
    }
    bool is_cut = minimum->length > CUT_BYTES;
    assert_true(find(part, is_cut ? 4 : 1, &least) && !find(part, is_cut ? 1 : 4, &total));
    size_t length = (size_t)(least.bytes.end - least.bytes.at);
    assert_int_equal(length, is_cut ? CUT_BYTES : minimum->length);
    assert_memory_equal(least.bytes.at, minimum->bytes, length);
    is_cut = maximum->length > CUT_BYTES;
    assert_true(find(part, is_cut ? 5 : 2, &most));
    length = (size_t)(most.bytes.end - most.bytes.at);
    int order = compare(most.bytes.at, length, maximum->bytes, maximum->length);
    assert_true(is_cut ? order > 0 && length <= CUT_BYTES : order == 0);
    assert_int_equal(ps_utf8_valid_length((const char *)most.bytes.at, length), length);
}

/* "-12.5" without its point, as if it had four decimal places. */
static __int128 decimal_of(struct orc_message text)
{
    bool is_negative = *text.at == '-';
    __int128 value = 0;
    int behind = -1;
    for (const uint8_t *at = text.at + is_negative; at < text.end; at++) {
        if (*at == '.')
            behind = 0;
        else {
            value = value * 10 + (*at - '0');
            behind += behind >= 0;
        }
    }
    for (behind = behind < 0 ? 0 : behind; behind < 4; behind++)
        value *= 10;
    return is_negative ? -value : value;
}

static void expect_decimals(struct orc_message part, uint32_t from, uint32_t to)
{
    struct orc_field least, most, total;
    __int128 minimum = 0, maximum = 0, all = 0;
    bool has_any = false;
    for (uint32_t i = from; i < to; i++) {
        __int128 value = rows[i][DECIMAL].decimal;
        if (rows[i][DECIMAL].null)
            continue;
        minimum = !has_any || value < minimum ? value : minimum;
        maximum = !has_any || value > maximum ? value : maximum;
        all += value;
        has_any = true;
    }
    assert_int_equal(find(part, 1, &least), has_any);
    assert_int_equal(find(part, 2, &most), has_any);
    assert_true(!has_any || (decimal_of(least.bytes) == minimum && decimal_of(most.bytes) == maximum));
    assert_true(find(part, 3, &total) && decimal_of(total.bytes) == all);
}

static void expect_counts(struct orc_message part, uint32_t count, uint32_t true_count)
{
    struct orc_field field;
    assert_true(find(part, 1, &field));
    struct orc_message packed = field.bytes;
    uint64_t value = 0;
    for (unsigned shift = 0; packed.at < packed.end; shift += 7)
        value |= (uint64_t)(*packed.at++ & 0x7f) << shift;
    assert_int_equal(value, true_count);
}

static void expect_statistics(struct orc_message message, enum column column, uint32_t from, uint32_t to)
{
    struct orc_field field;
    uint32_t count = 0, true_count = 0;
    uint64_t length = 0;
    for (uint32_t i = from; i < to; i++) {
        const struct ps_orc_value *value = &rows[i][column];
        count += !value->null;
        true_count += column == BOOLEAN && !value->null && value->integer != 0;
        length += column == BINARY && !value->null ? value->length : 0;
    }
    assert_true(find(message, 1, &field) && field.value == count);
    assert_true(find(message, 10, &field) && field.value == (count < to - from));
    assert_true(find(message, columns[column].statistics, &field));
    struct orc_message part = field.bytes;
    switch (columns[column].statistics) {
    case 2:
        expect_integers(part, column, from, to, 1, 3);
        break;
    case 3:
        expect_reals(part, column, from, to);
        break;
    case 4:
        expect_texts(part, column, from, to);
        break;
    case 5:
        expect_counts(part, count, true_count);
        break;
    case 6:
        expect_decimals(part, from, to);
        break;
    case 7:
        expect_integers(part, column, from, to, 1, 0);
        break;
    case 8:
        assert_true(find(part, 1, &field) && signed_of(field.value) == (int64_t)length);
        break;
    case 9:
        expect_integers(part, column, from, to, 3, 0);
        break;
    default:
        fail();
    }
}

/* ---- Bloom filters ---- */

static void add_to_bloom(enum column column, const struct ps_orc_value *value, uint8_t *bits,
                         uint64_t bit_count, uint32_t hashes)
{
    if (value->null)
        return;
    if (columns[column].form == ORC_TEXT || columns[column].form == ORC_BINARY) {
        orc_bloom_add_text(bits, bit_count, hashes, (const uint8_t *)value->bytes, value->length);
        return;
    }
    int64_t number = value->integer;
    if (column == TIMESTAMP)
        number = value->seconds * 1000 + value->nanoseconds / 1000000;
    else if (columns[column].form == ORC_DOUBLE || columns[column].form == ORC_FLOAT)
        memcpy(&number, &value->real, sizeof number);
    if (columns[column].form == ORC_DOUBLE || columns[column].form == ORC_FLOAT)
        number = isnan(value->real) ? INT64_C(0x7ff8000000000000) : number; /* Java has one NaN */
    orc_bloom_add_integer(bits, bit_count, hashes, number);
}

/* The filter has exactly the length that the specification gives for this number of values, and the bits of the group's values. */
static void expect_bloom(struct orc_message filter, enum column column, uint32_t from, uint32_t to,
                         uint64_t stride, double false_positives)
{
    struct orc_field hashes, bits;
    assert_true(find(filter, 1, &hashes) && find(filter, 3, &bits));
    size_t length = (size_t)(bits.bytes.end - bits.bytes.at);
    uint64_t wanted = (uint64_t)(-(double)stride * log(false_positives) / (log(2) * log(2)));
    wanted += 64 - wanted % 64;
    assert_int_equal(length * 8, wanted);
    double rounded = floor((double)wanted / (double)stride * log(2) + 0.5);
    assert_int_equal(hashes.value, rounded < 1 ? 1 : (uint64_t)rounded);
    uint8_t *expected = calloc(1, length);
    assert_non_null(expected);
    for (uint32_t i = from; i < to; i++)
        add_to_bloom(column, &rows[i][column], expected, wanted, (uint32_t)hashes.value);
    assert_memory_equal(bits.bytes.at, expected, length);
    free(expected);
}

/* ---- files ---- */

static void expect_group(const struct orc_document *document, const struct orc_stripe *stripe,
                         enum column column, size_t group, uint32_t from, uint32_t to, double false_positives)
{
    uint32_t id = (uint32_t)column + 1;
    size_t mark = orc_unpacked_mark();
    orc_group_read(document, stripe, id, columns[column].form, group, to - from, cells);
    for (uint32_t i = from; i < to; i++)
        expect_same(column, &rows[i][column], &cells[i - from]);
    expect_statistics(orc_group_statistics(document, stripe, id, group), column, from, to);
    struct orc_message filters = stripe->streams[id][ORC_BLOOM_KIND];
    /* A filter of two values would say nothing. */
    bool is_asked = column != BOOLEAN && strchr(filter_columns, columns[column].name[0]) != NULL;
    assert_int_equal(filters.at != filters.end, is_asked);
    assert_int_equal(stripe->bloom_encodings[id], is_asked);
    if (is_asked)
        expect_bloom(orc_field_at(orc_unpacked(document, filters), 1, group), column, from, to,
                     document->stride, false_positives);
    orc_unpacked_free(mark);
}

static void expect_file(const struct orc_file *file, uint32_t count, double false_positives)
{
    static struct orc_document document;
    uint32_t first = 0;
    orc_document_open(&document, file->data, file->length);
    assert_int_equal(document.rows, count);
    for (size_t s = 0; s < document.stripe_count; s++) {
        const struct orc_stripe *stripe = &document.stripes[s];
        uint32_t end = first + (uint32_t)stripe->rows, stride = (uint32_t)document.stride;
        for (enum column column = BOOLEAN; column < COLUMNS; column++) {
            for (uint32_t from = first; from < end; from += stride)
                expect_group(&document, stripe, column, (from - first) / stride, from,
                             from + stride < end ? from + stride : end, false_positives);
            struct orc_message of_stripe = orc_field_at(document.metadata, 1, s);
            expect_statistics(orc_field_at(of_stripe, 1, (size_t)column + 1), column, first, end);
        }
        first = end;
    }
    assert_int_equal(first, count);
    for (enum column column = BOOLEAN; column < COLUMNS; column++)
        expect_statistics(orc_field_at(document.footer, 7, (size_t)column + 1), column, 0, count);
    orc_document_close(&document);
}

static struct ps_orc_type *make_type(void)
{
    char text[512];
    struct ps_err err;
    int used = snprintf(text, sizeof text, "struct<");
    for (enum column column = BOOLEAN; column < COLUMNS; column++)
        used += snprintf(text + used, sizeof text - (size_t)used, "%s%s", column > 0 ? "," : "",
                         columns[column].name);
    snprintf(text + used, sizeof text - (size_t)used, ">");
    struct ps_orc_type *type = ps_orc_type_parse(text, &err);
    assert_non_null(type);
    return type;
}

static void test_drawn_files(void **unused)
{
    static const uint32_t strides[] = {1, 7, 129, 130, 511, 512, 513, 1000};
    static const uint64_t stripes[] = {20000, 100000, 67108864};
    static const double rates[] = {0.01, 0.3, 0.9, 0.999};
    struct ps_orc_type *type = make_type();
    random_state = ps_test_seed();
    for (size_t i = 0; i < sizeof letters; i++)
        letters[i] = (char)('a' + draw(26));
    for (unsigned i = 0; i < FILES; i++) {
        struct orc_file file;
        struct ps_orc_settings settings = ps_orc_settings_usual(type);
        settings.compression = i % 2 == 0 ? PS_ORC_NONE : PS_ORC_ZLIB;
        settings.chunk_bytes = 1024 + (uint32_t)draw(3);
        settings.row_index_stride = strides[draw(PS_COUNT_OF(strides))];
        settings.stripe_bytes = stripes[draw(PS_COUNT_OF(stripes))];
        settings.dictionary_ratio = 0.5;
        settings.bloom_filter_columns = filter_columns = "a,c, d,c,e,  f,g,h,i,j,l";
        settings.bloom_filter_false_positives = rates[draw(PS_COUNT_OF(rates))];
        uint32_t most = settings.row_index_stride < 100 ? 300 : 2000;
        uint32_t count =
            (uint32_t)(settings.row_index_stride * (1 + draw(most / settings.row_index_stride)) + draw(3)) -
            1;
        for (enum column column = BOOLEAN; column < COLUMNS; column++)
            draw_column(column, count);
        write_file(&file, &settings, count);
        expect_file(&file, count, settings.bloom_filter_false_positives);
        free(file.data);
    }
    ps_orc_type_destroy(type);
}

/* Texts whose bounds are cut, one in each row group. The cut texts end with U+007F, zero to five times, or have only
 * one `a` before that: no greater character has one byte. */
static void test_bounds_that_are_cut(void **unused)
{
    static char texts[8][CUT_BYTES + 3];
    struct ps_orc_type *type = make_type();
    struct ps_orc_settings settings = ps_orc_settings_usual(type);
    struct orc_file file;
    settings.row_index_stride = 1;
    settings.bloom_filter_columns = filter_columns = "h,i";
    for (uint32_t i = 0; i < PS_COUNT_OF(texts); i++) {
        uint32_t before = i < 6 ? CUT_BYTES - i : 1 - i % 2;
        memset(texts[i], 'a', sizeof texts[i]);
        memset(texts[i] + before, 0x7f, CUT_BYTES - before);
        for (enum column column = BOOLEAN; column < COLUMNS; column++)
            rows[i][column] = (struct ps_orc_value){.null = true};
        rows[i][MANY] = (struct ps_orc_value){.bytes = texts[i], .length = sizeof texts[i]};
    }
    write_file(&file, &settings, PS_COUNT_OF(texts));
    expect_file(&file, PS_COUNT_OF(texts), settings.bloom_filter_false_positives);
    free(file.data);
    ps_orc_type_destroy(type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn_files),
                                       cmocka_unit_test(test_bounds_that_are_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
