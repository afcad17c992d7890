/* Reads the rows of committed transactions as Hive does: the ORC files in the directories of the transactions, with the columns that the table has.
 * What a reader of Hive could not use is a broken promise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/support/orc_reader.h"
#include "tests/world/disk.h"
#include "tests/world/ledger.h"
#include "tests/world/peers/hive/metastore.h"

#define FIRST_COLUMN 7U /* behind the wrapper's five columns, and the row */
#define ROW_INDEX 6U    /* the kind of a stream */
#define CHILDREN_MAX 16U
#define SECONDS_OF_A_DAY 86400

/* A column, and its values in this row group. */
struct column {
    enum { PLAIN, STRUCT, ARRAY, MAP } kind;
    bool is_date;
    enum orc_form form;
    uint32_t id;
    struct column *children[CHILDREN_MAX];
    unsigned child_count;
    struct orc_cell *cells;
    size_t at;
};

static const struct {
    const char *name;
    enum orc_form form;
} forms[] = {
    {"boolean", ORC_BIT},    {"tinyint", ORC_BYTE},    {"smallint", ORC_INTEGER}, {"int", ORC_INTEGER},
    {"bigint", ORC_INTEGER}, {"float", ORC_FLOAT},     {"double", ORC_DOUBLE},    {"string", ORC_TEXT},
    {"varchar", ORC_TEXT},   {"char", ORC_TEXT},       {"binary", ORC_BINARY},    {"date", ORC_INTEGER},
    {"timestamp", ORC_TIME}, {"decimal", ORC_DECIMAL},
};

/* ---- types ---- */

static struct column *column_of(const char **type, uint32_t *next);

/* The children of struct<a:int,..>, array<..> and map<..,..>. */
static void add_children(struct column *column, const char **type, uint32_t *next)
{
    while (**type != '>') {
        (*type)++; /* < or , */
        if (column->kind == STRUCT)
            *type += strcspn(*type, ":") + 1;
        column->children[column->child_count++] = column_of(type, next);
    }
    (*type)++;
}

static struct column *column_of(const char **type, uint32_t *next)
{
    struct column *column = calloc(1, sizeof *column);
    size_t length = strcspn(*type, "<(,>:");
    column->id = (*next)++;
    column->kind = strncmp(*type, "struct<", 7) == 0  ? STRUCT
                   : strncmp(*type, "array<", 6) == 0 ? ARRAY
                   : strncmp(*type, "map<", 4) == 0   ? MAP
                                                      : PLAIN;
    column->form = column->kind == STRUCT ? ORC_STRUCT : ORC_LIST;
    column->is_date = strncmp(*type, "date", length) == 0;
    for (size_t i = 0; column->kind == PLAIN && i < sizeof forms / sizeof *forms; i++)
        if (strlen(forms[i].name) == length && strncmp(*type, forms[i].name, length) == 0)
            column->form = forms[i].form;
    *type += length;
    if (column->kind != PLAIN)
        add_children(column, type, next);
    else if (**type == '(')
        *type += strcspn(*type, ")") + 1;
    return column;
}

/* The row: a struct whose children are the table's columns, "id:int,name:string". */
static struct column *row_of(const char *columns)
{
    struct column *row = calloc(1, sizeof *row);
    uint32_t next = FIRST_COLUMN;
    row->kind = STRUCT;
    while (*columns != 0) {
        columns += strcspn(columns, ":") + 1;
        row->children[row->child_count++] = column_of(&columns, &next);
        columns += *columns == ',';
    }
    return row;
}

static void free_cells(struct column *column)
{
    free(column->cells);
    column->cells = NULL;
    column->at = 0;
    for (unsigned i = 0; i < column->child_count; i++)
        free_cells(column->children[i]);
}

static void free_column(struct column *column)
{
    for (unsigned i = 0; i < column->child_count; i++)
        free_column(column->children[i]);
    free(column);
}

/* ---- values ---- */

struct group {
    const struct orc_document *document;
    const struct orc_stripe *stripe;
    size_t number;
};

static void read_column(const struct group *group, struct column *column, size_t count)
{
    size_t items = 0;
    const struct orc_message *index = &group->stripe->streams[column->id][ROW_INDEX];
    column->cells = calloc(count + 1, sizeof *column->cells);
    if (index->at == index->end) { /* the table did not have it when the file was written */
        for (size_t i = 0; i < count; i++)
            column->cells[i].null = true;
        return;
    }
    orc_group_read(group->document, group->stripe, column->id, column->form, group->number, count,
                   column->cells);
    for (size_t i = 0; i < count; i++)
        if (!column->cells[i].null)
            items += column->kind == STRUCT ? 1 : (size_t)column->cells[i].integer;
    for (unsigned i = 0; i < column->child_count; i++)
        read_column(group, column->children[i], items);
}

static void print_decimal(FILE *out, __int128 value, int64_t scale)
{
    char digits[64];
    size_t at = sizeof digits;
    bool is_negative = value < 0;
    unsigned __int128 left = is_negative ? -(unsigned __int128)value : (unsigned __int128)value;
    digits[--at] = 0;
    for (int64_t i = 0; i <= scale || left > 0; i++, left /= 10) {
        if (i == scale && scale > 0)
            digits[--at] = '.';
        digits[--at] = (char)('0' + (int)(left % 10));
    }
    fprintf(out, "%s%s", is_negative ? "-" : "", digits + at);
}

static void print_time(FILE *out, int64_t seconds, const char *format)
{
    char text[64];
    struct tm parts;
    time_t time = (time_t)seconds;
    gmtime_r(&time, &parts);
    strftime(text, sizeof text, format, &parts);
    fputs(text, out);
}

static void print_plain(FILE *out, const struct column *column, const struct orc_cell *cell)
{
    switch (column->form) {
    case ORC_TEXT:
    case ORC_BINARY:
        fwrite(cell->text, 1, cell->length, out);
        break;
    case ORC_FLOAT:
    case ORC_DOUBLE:
        fprintf(out, "%.*g", column->form == ORC_FLOAT ? 7 : 15, cell->real);
        break;
    case ORC_BIT:
        fputs(cell->integer != 0 ? "true" : "false", out);
        break;
    case ORC_DECIMAL:
        print_decimal(out, cell->decimal, cell->integer);
        break;
    case ORC_TIME:
        print_time(out, cell->integer, "%Y-%m-%d %H:%M:%S");
        fprintf(out, ".%09u", cell->nanoseconds);
        break;
    default:
        if (column->is_date)
            print_time(out, cell->integer * SECONDS_OF_A_DAY, "%Y-%m-%d");
        else
            fprintf(out, "%lld", (long long)cell->integer);
    }
}

/* Prints the next value: NULL, [1,2], {a:1,b:2} of a map, (1,2) of a struct. */
static void print_next(FILE *out, struct column *column)
{
    const struct orc_cell *cell = &column->cells[column->at++];
    const char *marks = column->kind == ARRAY ? "[]" : column->kind == MAP ? "{}" : "()";
    if (cell->null || column->kind == PLAIN) {
        if (cell->null)
            fputs("NULL", out);
        else
            print_plain(out, column, cell);
        return;
    }
    int64_t count = column->kind == STRUCT ? 1 : cell->integer;
    fputc(marks[0], out);
    for (int64_t i = 0; i < count; i++)
        for (unsigned child = 0; child < column->child_count; child++) {
            if (i > 0 || child > 0)
                fputc(column->kind == MAP && child == 1 ? ':' : ',', out);
            print_next(out, column->children[child]);
        }
    fputc(marks[1], out);
}

/* ---- files ---- */

struct reading {
    FILE *out;
    struct column *row;
    unsigned txn;
    const char *partition; /* "": none */
};

/* Operation, original transaction, bucket, row, current transaction: what HiveStreaming writes for an insert. */
static void check_wrapper(const struct group *group, size_t count, size_t first, int64_t txn, int64_t bucket)
{
    const int64_t wanted[] = {0, txn, INT64_C(0x20000000) | bucket << 16, 0, txn};
    struct orc_cell *cells = calloc(count + 1, sizeof *cells);
    for (uint32_t column = 1; column <= 5; column++) {
        orc_group_read(group->document, group->stripe, column, ORC_INTEGER, group->number, count, cells);
        for (size_t i = 0; i < count; i++)
            if (cells[i].null ||
                cells[i].integer != (column == 4 ? (int64_t)(first + i) : wanted[column - 1]))
                world->broken = "a row has not the numbers of its transaction, bucket and place";
    }
    free(cells);
}

static size_t read_group(const struct reading *reading, const struct group *group, size_t first, size_t count,
                         int64_t bucket)
{
    check_wrapper(group, count, first, reading->txn, bucket);
    for (unsigned i = 0; i < reading->row->child_count; i++)
        read_column(group, reading->row->children[i], count);
    for (size_t i = 0; i < count; i++) {
        fprintf(reading->out, "%s%s", reading->partition, reading->partition[0] != 0 ? " " : "");
        for (unsigned column = 0; column < reading->row->child_count; column++) {
            fputs(column > 0 ? "\t" : "", reading->out);
            print_next(reading->out, reading->row->children[column]);
        }
        fputc('\n', reading->out);
    }
    free_cells(reading->row);
    return count;
}

static void read_file(void *argument, const char *path, struct disk_inode *file)
{
    struct reading *reading = argument;
    static struct orc_document document;
    size_t length = file->now.size, first = 0;
    const char *name = strstr(path, "/bucket_");
    if (strstr(path, "/_orc_acid_version") != NULL)
        return; /* for readers: a digit */
    if (name == NULL || length < 8) {
        world->broken = "a file of a committed transaction is none of a bucket";
        return;
    }
    char *bytes = malloc(length);
    disk_read(file, 0, bytes, length);
    orc_document_open(&document, (const uint8_t *)bytes, length);
    for (size_t i = 0; i < document.stripe_count; i++) {
        struct group group = {&document, &document.stripes[i], 0};
        for (size_t left = document.stripes[i].rows; left > 0; group.number++) {
            size_t count = left < document.stride ? left : document.stride;
            first += read_group(reading, &group, first, count, strtol(name + 8, NULL, 10));
            left -= count;
        }
    }
    orc_document_close(&document);
    free(bytes);
}

static void read_txn(const struct hive_metastore *hive, unsigned number, struct reading *reading)
{
    const struct hive_txn *txn = &hive->txns[number];
    char path[3000];
    reading->txn = number;
    reading->partition = txn->name;
    snprintf(path, sizeof path, "%s/delta_%07u_%07u", txn->directory, number, number);
    if (disk_at(path) != NULL)
        disk_walk(path, read_file, reading);
}

void hive_arrived(const struct hive_metastore *hive, unsigned txn)
{
    const struct hive_table *table = &hive->tables[hive->txns[txn].table];
    char *text;
    size_t length;
    struct reading reading = {.out = open_memstream(&text, &length), .row = row_of(table->columns)};
    read_txn(hive, txn, &reading);
    fclose(reading.out);
    free_column(reading.row);
    ledger_at(table->far_end);
    for (const char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1)
        ledger_arrived(line, (size_t)(end - line));
    free(text);
}

void hive_rows(const struct hive_metastore *hive, const struct hive_table *table, char **text, size_t *length)
{
    struct reading reading = {.out = open_memstream(text, length), .row = row_of(table->columns)};
    for (unsigned i = 0; i < hive->commit_count; i++)
        if (&hive->tables[hive->txns[hive->commits[i]].table] == table)
            read_txn(hive, hive->commits[i], &reading);
    fclose(reading.out);
    free_column(reading.row);
}
