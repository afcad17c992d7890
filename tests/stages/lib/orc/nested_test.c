/* Files of random rows with lists, maps, structs, char and varchar in them, read by the reader of
 * tests/support/orc_reader.h. Each column of the file, also a nested one, is compared with the list of values that a simple
 * pass over the rows gives: values of each row group, counts, lengths, dictionaries, and the types in the footer. */
#include "stages/lib/orc/writer.h"
#include "tests/support/orc_file.h"
#include "tests/support/orc_reader.h"
#include "tests/support/support.h"

#include <stdio.h>

#define FILES 40U
#define ROWS_MAX 700U
#define ITEMS_MAX 6U
#define CELLS_MAX 8192U
#define TEXT_BYTES 24U

static const char *const row_text =
    "struct<a:array<int>,m:map<string,bigint>,s:struct<x:tinyint,y:array<varchar(1)>>,c:char(5),v:varchar(3),"
    "b:array<boolean>,t:array<timestamp>,d:decimal(12,3),f:map<char(2),array<double>>>";

/* Columns as the specification numbers them: a column before its children. */
static const struct {
    enum orc_form form;
    uint32_t kind; /* as in orc_proto.proto */
    const char *names, *subtypes;
    uint32_t maximum_length, precision, scale;
} columns[] = {
    {ORC_STRUCT, 12, "a m s c v b t d f ", "1 3 6 10 11 12 14 16 17 ", 0, 0, 0},
    {ORC_LIST, 10, "", "2 ", 0, 0, 0}, /* a */
    {ORC_INTEGER, 3, "", "", 0, 0, 0},
    {ORC_LIST, 11, "", "4 5 ", 0, 0, 0}, /* m */
    {ORC_TEXT, 7, "", "", 0, 0, 0},
    {ORC_INTEGER, 4, "", "", 0, 0, 0},
    {ORC_STRUCT, 12, "x y ", "7 8 ", 0, 0, 0}, /* s */
    {ORC_BYTE, 1, "", "", 0, 0, 0},
    {ORC_LIST, 10, "", "9 ", 0, 0, 0},
    {ORC_TEXT, 16, "", "", 1, 0, 0},
    {ORC_TEXT, 17, "", "", 5, 0, 0},    /* c */
    {ORC_TEXT, 16, "", "", 3, 0, 0},    /* v */
    {ORC_LIST, 10, "", "13 ", 0, 0, 0}, /* b */
    {ORC_BIT, 0, "", "", 0, 0, 0},
    {ORC_LIST, 10, "", "15 ", 0, 0, 0}, /* t */
    {ORC_TIME, 9, "", "", 0, 0, 0},
    {ORC_DECIMAL, 14, "", "", 0, 12, 3},   /* d */
    {ORC_LIST, 11, "", "18 19 ", 0, 0, 0}, /* f */
    {ORC_TEXT, 17, "", "", 2, 0, 0},
    {ORC_LIST, 10, "", "20 ", 0, 0, 0},
    {ORC_DOUBLE, 6, "", "", 0, 0, 0},
};
#define COLUMNS PS_COUNT_OF(columns)

/* The values of a column in all rows, and the index at which each row begins. */
static struct list {
    struct orc_cell cells[CELLS_MAX];
    char texts[CELLS_MAX][TEXT_BYTES];
    size_t count, begins[ROWS_MAX + 1];
} lists[COLUMNS];

static struct orc_cell read_cells[CELLS_MAX];
static struct ps_orc_value arena[4096]; /* values of one row */
static size_t arena_used;
static uint64_t random_state, variety; /* `variety`: number of different texts in this file */

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&random_state) % below;
}

/* ---- rows ---- */

static struct ps_orc_value *take(size_t count)
{
    assert_true(arena_used + count <= PS_COUNT_OF(arena));
    arena_used += count;
    return arena + arena_used - count;
}

/* Draws up to seven characters of one to four bytes. */
static struct ps_orc_value draw_text(void)
{
    static const char *const texts[] = {"",
                                        "a",
                                        "ab",
                                        "abc",
                                        "abcde",
                                        "abcdef",
                                        "\xc3\xa9x\xc3\xa9",
                                        "\xe2\x82\xac\xe2\x82\xac",
                                        "\xf0\x9f\x90\x98z\xc3\xa9\xc3\xa9\xc3\xa9y",
                                        "a ",
                                        "b",
                                        "ba",
                                        "cab",
                                        "xyz",
                                        "zyxwv",
                                        "q"};
    const char *text = texts[draw(variety < PS_COUNT_OF(texts) ? variety : PS_COUNT_OF(texts))];
    return (struct ps_orc_value){.bytes = text, .length = (uint32_t)strlen(text)};
}

static struct ps_orc_value draw_value(const struct ps_orc_type *type)
{
    if (type->id > 0 && draw(6) == 0)
        return (struct ps_orc_value){.null = true};
    switch (type->kind) {
    case PS_ORC_STRUCT: {
        struct ps_orc_value *items = take(type->child_count);
        for (uint32_t i = 0; i < type->child_count; i++)
            items[i] = draw_value(type->children[i]);
        uint32_t missing = type->id > 0 && draw(4) == 0 ? (uint32_t)draw(type->child_count + 1) : 0;
        return (struct ps_orc_value){.items = items, .item_count = type->child_count - missing};
    }
    case PS_ORC_ARRAY:
    case PS_ORC_MAP: {
        uint32_t count = (uint32_t)draw(ITEMS_MAX) * type->child_count;
        struct ps_orc_value *items = take(count);
        for (uint32_t i = 0; i < count; i++)
            items[i] = draw_value(type->children[i % type->child_count]);
        return (struct ps_orc_value){.items = items, .item_count = count};
    }
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
        return draw_text();
    case PS_ORC_DOUBLE:
        return (struct ps_orc_value){.real = (double)draw(1000) / 8};
    case PS_ORC_TIMESTAMP:
        return (struct ps_orc_value){.seconds = (int64_t)draw(4000000000) - 2000000000,
                                     .nanoseconds = (uint32_t)draw(1000) * 1000000};
    case PS_ORC_DECIMAL:
        return (struct ps_orc_value){.decimal = (__int128)draw(129) - 64};
    default:
        return (struct ps_orc_value){.integer = (int64_t)draw(type->kind == PS_ORC_BOOLEAN ? 2 : 100)};
    }
}

/* ---- what the file must have ---- */

/* Copies the first `most` characters; for a char, pads them with blanks. */
static size_t fit_text(const struct ps_orc_type *type, const struct ps_orc_value *value, char *text)
{
    uint32_t most = type->kind == PS_ORC_STRING ? UINT32_MAX : columns[type->id].maximum_length,
             characters = 0;
    size_t length = 0;
    for (uint32_t at = 0; at < value->length; characters++) {
        unsigned char first = (unsigned char)value->bytes[at];
        uint32_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
        if (characters == most)
            break;
        memcpy(text + length, value->bytes + at, size);
        length += size;
        at += size;
    }
    for (; type->kind == PS_ORC_CHAR && characters < most; characters++)
        text[length++] = ' ';
    return length;
}

static void note_value(const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    static const struct ps_orc_value null = {.null = true};
    struct list *list = &lists[type->id];
    assert_true(list->count < CELLS_MAX);
    struct orc_cell *cell = &list->cells[list->count++];
    *cell = (struct orc_cell){.null = value->null,
                              .integer = value->integer,
                              .real = value->real,
                              .decimal = value->decimal,
                              .nanoseconds = value->nanoseconds};
    if (value->null)
        return;
    if (columns[type->id].form == ORC_TEXT) {
        char *text = list->texts[list->count - 1];
        cell->text = (const uint8_t *)text;
        cell->length = fit_text(type, value, text);
    } else if (columns[type->id].form == ORC_TIME) {
        cell->integer = value->seconds;
    } else if (columns[type->id].form == ORC_LIST) {
        cell->integer = value->item_count / type->child_count;
        for (uint32_t i = 0; i < value->item_count; i++)
            note_value(type->children[i % type->child_count], &value->items[i]);
    } else {
        for (uint32_t i = 0; i < type->child_count; i++)
            note_value(type->children[i], i < value->item_count ? &value->items[i] : &null);
    }
}

static void expect_cell(size_t column, const struct orc_cell *wanted, const struct orc_cell *cell)
{
    if (cell->null != wanted->null)
        fail_msg("column %zu: a value is %snull", column, cell->null ? "" : "not ");
    if (wanted->null)
        return;
    switch (columns[column].form) {
    case ORC_STRUCT:
        break;
    case ORC_DOUBLE:
        assert_true(cell->real == wanted->real);
        break;
    case ORC_TEXT:
        assert_int_equal(cell->length, wanted->length);
        assert_memory_equal(cell->text, wanted->text, wanted->length);
        break;
    case ORC_DECIMAL:
        assert_true(cell->decimal == wanted->decimal && cell->integer == columns[column].scale);
        break;
    case ORC_TIME:
        assert_int_equal(cell->nanoseconds, wanted->nanoseconds);
        assert_int_equal(cell->integer, wanted->integer);
        break;
    default:
        assert_int_equal(cell->integer, wanted->integer);
    }
}

/* Apart from the counts there is one message, that of the column's kind; none for lists and structs. */
static void expect_one_kind(struct orc_message statistics, enum orc_form form)
{
    static const uint32_t kinds[] = {
        [ORC_BIT] = 5,  [ORC_BYTE] = 2,    [ORC_INTEGER] = 2, [ORC_DOUBLE] = 3, [ORC_TEXT] = 4,
        [ORC_TIME] = 9, [ORC_DECIMAL] = 6, [ORC_LIST] = 0,    [ORC_STRUCT] = 0};
    struct orc_field field;
    unsigned count = 0;
    while (orc_field_next(&statistics, &field)) {
        if (field.number == 1 || field.number == 10)
            continue;
        assert_int_equal(field.number, kinds[form]);
        count++;
    }
    assert_int_equal(count, kinds[form] > 0);
}

/* Checks counts of values and nulls and, of texts, bytes. */
static void expect_statistics(struct orc_message statistics, size_t column, size_t from, size_t to)
{
    struct orc_field field, part;
    size_t count = 0, bytes = 0;
    for (size_t i = from; i < to; i++) {
        count += !lists[column].cells[i].null;
        bytes += lists[column].cells[i].length;
    }
    assert_true(orc_field_find(statistics, 1, &field));
    assert_int_equal(field.value, count);
    assert_true(orc_field_find(statistics, 10, &field));
    assert_int_equal(field.value, count < to - from);
    expect_one_kind(statistics, columns[column].form);
    if (columns[column].form != ORC_TEXT)
        return;
    assert_true(orc_field_find(statistics, 4, &field) && orc_field_find(field.bytes, 3, &part));
    assert_int_equal(part.value >> 1, bytes);
}

static int compare(const void *one_, const void *other_)
{
    const struct orc_cell *one = one_, *other = other_;
    size_t both = one->length < other->length ? one->length : other->length;
    int order = both == 0 ? 0 : memcmp(one->text, other->text, both);
    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

static size_t count_distinct(size_t column, size_t from, size_t to, size_t *count)
{
    size_t distinct = 0;
    *count = 0;
    for (size_t i = from; i < to; i++) {
        if (!lists[column].cells[i].null)
            read_cells[(*count)++] = lists[column].cells[i];
    }
    qsort(read_cells, *count, sizeof *read_cells, compare);
    for (size_t i = 0; i < *count; i++)
        distinct += i == 0 || compare(&read_cells[i - 1], &read_cells[i]) != 0;
    return distinct;
}

/* A dictionary has the texts of its stripe and no others. At the end of the file's first row group, and of each stripe,
 * a column drops its dictionary for good if the distinct texts are more than half of all. */
static void expect_dictionary(const struct orc_stripe *stripe, size_t column, size_t first_group_end,
                              size_t from, size_t to, bool *is_direct)
{
    size_t count, distinct = count_distinct(column, from, first_group_end, &count);
    *is_direct = *is_direct || (from == 0 && 2 * distinct > count);
    distinct = count_distinct(column, from, to, &count);
    *is_direct = *is_direct || 2 * distinct > count;
    assert_int_equal(stripe->encodings[column], *is_direct ? 2 : 3);
    assert_int_equal(stripe->dictionary_sizes[column], *is_direct ? 0 : distinct);
}

/* Integers are in runs of version 2, and so are lengths, scales and seconds; bytes, bits and reals have no runs of integers. */
static void expect_encoding(const struct orc_stripe *stripe, size_t column)
{
    enum orc_form form = columns[column].form;
    bool has_no_integers = form == ORC_BIT || form == ORC_BYTE || form == ORC_DOUBLE || form == ORC_STRUCT;
    assert_int_equal(stripe->encodings[column], has_no_integers ? 0 : 2);
    assert_int_equal(stripe->dictionary_sizes[column], 0);
}

static void expect_stripe(const struct orc_document *document, size_t number, size_t first, bool *is_direct)
{
    const struct orc_stripe *stripe = &document->stripes[number];
    size_t stride = document->stride, end = first + stripe->rows;
    for (size_t column = 0; column < COLUMNS; column++) {
        const struct list *list = &lists[column];
        for (size_t row = first, group = 0; row < end; row += stride, group++) {
            size_t mark = orc_unpacked_mark(), from = list->begins[row],
                   to = list->begins[row + stride < end ? row + stride : end];
            orc_group_read(document, stripe, (uint32_t)column, columns[column].form, group, to - from,
                           read_cells);
            for (size_t i = from; i < to; i++)
                expect_cell(column, &list->cells[i], &read_cells[i - from]);
            expect_statistics(orc_group_statistics(document, stripe, (uint32_t)column, group), column, from,
                              to);
            orc_unpacked_free(mark);
        }
        expect_statistics(orc_field_at(orc_field_at(document->metadata, 1, number), 1, column), column,
                          list->begins[first], list->begins[end]);
        if (columns[column].form != ORC_TEXT)
            expect_encoding(stripe, column);
        else
            expect_dictionary(stripe, column, list->begins[first + stride < end ? first + stride : end],
                              list->begins[first], list->begins[end], &is_direct[column]);
    }
}

/* Prints the names, or the packed numbers, of a type, each with a blank after it. */
static void print_parts(struct orc_message type, uint32_t number, char *text, size_t room)
{
    struct orc_field field;
    size_t used = 0;
    text[0] = '\0';
    while (orc_field_next(&type, &field)) {
        if (field.number != number)
            continue;
        if (number == 3)
            used += (size_t)snprintf(text + used, room - used, "%.*s ",
                                     (int)(field.bytes.end - field.bytes.at), (const char *)field.bytes.at);
        for (; number == 2 && field.bytes.at < field.bytes.end; field.bytes.at++)
            used += (size_t)snprintf(text + used, room - used, "%u ", *field.bytes.at);
    }
}

static uint64_t number_of(struct orc_message message, uint32_t number)
{
    struct orc_field field;
    return orc_field_find(message, number, &field) ? field.value : 0;
}

static void expect_types(const struct orc_document *document)
{
    for (size_t column = 0; column < COLUMNS; column++) {
        char text[100];
        struct orc_message type = orc_field_at(document->footer, 4, column);
        assert_int_equal(number_of(type, 1), columns[column].kind);
        print_parts(type, 2, text, sizeof text);
        assert_string_equal(text, columns[column].subtypes);
        print_parts(type, 3, text, sizeof text);
        assert_string_equal(text, columns[column].names);
        assert_int_equal(number_of(type, 4), columns[column].maximum_length);
        assert_int_equal(number_of(type, 5), columns[column].precision);
        assert_int_equal(number_of(type, 6), columns[column].scale);
    }
}

static void expect_file(const struct orc_file *file, const struct ps_orc_settings *settings, size_t count)
{
    static struct orc_document document;
    bool is_direct[COLUMNS] = {false};
    size_t first = 0;
    orc_document_open(&document, file->data, file->length);
    expect_types(&document);
    assert_int_equal(document.chunk_bytes, settings->chunk_bytes);
    assert_int_equal(document.stride, settings->row_index_stride);
    /* Readers trust bloom filters of UTF-8 and times of UTC from version 6 on (ORC-101, ORC-135), and truncated bounds
     * from 7 on (ORC-203). */
    assert_in_range(document.writer_version, 7, 9);
    assert_int_equal(number_of(document.footer, 9), 0);  /* writer 0: ORC's Java writer */
    assert_int_equal(number_of(document.footer, 11), 2); /* days and times are always Gregorian */
    for (size_t s = 0; s < document.stripe_count; first += document.stripes[s++].rows)
        expect_stripe(&document, s, first, is_direct);
    assert_int_equal(first, count);
    for (size_t column = 0; column < COLUMNS; column++)
        expect_statistics(orc_field_at(document.footer, 7, column), column, 0, lists[column].count);
    orc_document_close(&document);
}

/* ---- files ---- */

static void write_file(const struct ps_orc_settings *settings, size_t count, struct orc_file *file)
{
    struct ps_err err;
    *file = (struct orc_file){.output.write = orc_file_write};
    struct ps_orc_writer *writer = ps_orc_writer_open(settings, &file->output, &err);
    assert_non_null(writer);
    for (size_t column = 0; column < COLUMNS; column++)
        lists[column].count = 0;
    for (size_t row = 0; row < count; row++) {
        arena_used = 0;
        struct ps_orc_value value = draw_value(settings->type);
        assert_true(ps_orc_writer_add(writer, &value));
        note_value(settings->type, &value);
        for (size_t column = 0; column < COLUMNS; column++)
            lists[column].begins[row + 1] = lists[column].count;
    }
    assert_true(ps_orc_writer_end(writer));
    ps_orc_writer_close(writer);
}

static void test_drawn_files(void **unused)
{
    static const uint32_t strides[] = {1, 2, 3, 8, 100, 129, 512};
    static const uint64_t stripes[] = {4000, 40000, 67108864};
    static const uint64_t varieties[] = {1, 2, 5, 16};
    struct ps_err err;
    struct ps_orc_type *type = ps_orc_type_parse(row_text, &err);
    assert_non_null(type);
    random_state = ps_test_seed();
    for (unsigned i = 0; i < FILES; i++) {
        struct orc_file file;
        struct ps_orc_settings settings = ps_orc_settings_usual(type);
        settings.compression = i % 2 == 0 ? PS_ORC_NONE : PS_ORC_ZLIB;
        settings.chunk_bytes = 1024 + (uint32_t)draw(3);
        settings.row_index_stride = strides[draw(PS_COUNT_OF(strides))];
        settings.stripe_bytes = stripes[draw(PS_COUNT_OF(stripes))];
        settings.dictionary_ratio = 0.5;
        variety = varieties[draw(PS_COUNT_OF(varieties))];
        size_t count = 1 + draw(settings.row_index_stride < 10 ? 60 : ROWS_MAX);
        write_file(&settings, count, &file);
        expect_file(&file, &settings, count);
        free(file.data);
    }
    ps_orc_type_destroy(type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn_files)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
