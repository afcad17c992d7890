#include "stages/lib/hive/delimited.h"

#include "core/text/list.h"
#include "core/text/nearest.h"
#include "stages/lib/hive/nested.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NO_COLUMN UINT32_MAX

struct delimited {
    struct ps_hive_rows rows; /* must be first */
    const struct ps_orc_type *type;
    struct ps_hive_delimiter delimiter;
    struct ps_hive_nested nested;
    uint32_t *columns; /* by field; NO_COLUMN: the field is skipped */
    uint32_t field_count;
    struct ps_orc_value *values; /* by column */
    struct ps_orc_value *missing;
};

/* ---- the delimiter ---- */

static bool add(struct ps_hive_delimiter *delimiter, char byte)
{
    if (delimiter->length == PS_HIVE_DELIMITER_BYTES)
        return false;
    delimiter->text[delimiter->length++] = byte;
    return true;
}

/* Returns the character that a backslash and this letter match; '\0' if they match several characters. */
static char unescape(char letter)
{
    static const char letters[] = "tnrfae", controls[] = "\t\n\r\f\a\033";
    const char *found = strchr(letters, letter);
    if (found != NULL && letter != '\0')
        return controls[found - letters];
    bool is_word = (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
                   (letter >= '0' && letter <= '9');
    return is_word ? '\0' : letter;
}

enum ps_status ps_hive_delimiter_read(const char *text, struct ps_hive_delimiter *delimiter,
                                      struct ps_err *err)
{
    size_t length = strlen(text);
    *delimiter = (struct ps_hive_delimiter){.length = 0};
    if (length >= 2 && text[0] == '"' && text[length - 1] == '"') {
        text++;
        length -= 2;
    }
    for (size_t i = 0; i < length; i++) {
        char byte = text[i];
        if (byte == '\\' && i + 1 < length)
            byte = unescape(text[++i]);
        else if (byte == '[' && i + 2 < length && text[i + 2] == ']' && text[i + 1] != '^') {
            byte = text[i + 1];
            i += 2;
        } else if (byte == '[' && memchr(text + i, ']', length - i) != NULL)
            byte = '\0';
        else if (strchr("\\.$|()[{^?*+", byte) != NULL)
            delimiter->has_operators = true;
        if (byte == '\0')
            return ps_err_set(err, "\"%s\" matches several texts: a delimiter must be one text", text);
        if (!add(delimiter, byte))
            return ps_err_set(err, "it is longer than %u bytes", PS_HIVE_DELIMITER_BYTES);
    }
    return delimiter->length > 0 ? PS_OK : ps_err_set(err, "it is empty");
}

/* ---- rows ---- */

/* Returns the end of the field at `at`. */
static const char *end_of(const struct ps_hive_delimiter *delimiter, const char *at, const char *end)
{
    size_t left = (size_t)(end - at);
    const char *found = delimiter->length == 1 ? memchr(at, delimiter->text[0], left)
                                               : memmem(at, left, delimiter->text, delimiter->length);
    return found != NULL ? found : end;
}

static bool read_row(struct ps_hive_rows *rows, const char *body, uint32_t length, struct ps_orc_value *row,
                     struct ps_err *err)
{
    struct delimited *delimited = (struct delimited *)(void *)rows;
    const char *at = body, *end = body + length;
    ps_hive_nested_begin(&delimited->nested);
    memcpy(delimited->values, delimited->missing, delimited->type->child_count * sizeof(*delimited->values));
    for (uint32_t i = 0; i < delimited->field_count && at != NULL; i++) {
        const char *stop = end_of(&delimited->delimiter, at, end);
        uint32_t column = delimited->columns[i];
        if (column != NO_COLUMN)
            delimited->values[column] = ps_hive_nested_read(
                &delimited->nested, delimited->type->children[column], at, (uint32_t)(stop - at));
        at = stop < end ? stop + delimited->delimiter.length : NULL;
    }
    rows->lacks_memory = delimited->nested.memory.failed;
    if (rows->lacks_memory)
        return ps_err_set(err, "no memory for a row") == PS_OK;
    *row = (struct ps_orc_value){.items = delimited->values, .item_count = delimited->type->child_count};
    return true;
}

static void close_rows(struct ps_hive_rows *rows)
{
    struct delimited *delimited = (struct delimited *)(void *)rows;
    ps_hive_nested_close(&delimited->nested);
    free(delimited->columns);
    free(delimited->values);
    free(delimited->missing);
    free(delimited);
}

/* ---- open ---- */

static enum ps_status find_column(const struct ps_orc_type *type, const char *name, uint32_t *column,
                                  struct ps_err *err)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (uint32_t i = 0; i < type->child_count; i++) {
        ps_nearest_offer(&nearest, type->names[i]);
        if (strcasecmp(type->names[i], name) == 0) {
            *column = i;
            return PS_OK;
        }
    }
    return nearest.word != NULL
               ? ps_err_set(err,
                            "serializer.fieldnames: the table has no column \"%s\"; did you mean \"%s\"?",
                            name, nearest.word)
               : ps_err_set(err, "serializer.fieldnames: the table has no column \"%s\"", name);
}

/* Finds the column of the next field. */
static enum ps_status add_field(struct delimited *delimited, struct ps_slice field, struct ps_err *err)
{
    char name[256];
    uint32_t column = NO_COLUMN;
    for (; field.length > 0 && (*field.data == ' ' || *field.data == '\t'); field.data++)
        field.length--;
    while (field.length > 0 && strchr(" \t", field.data[field.length - 1]) != NULL)
        field.length--;
    snprintf(name, sizeof(name), "%.*s", (int)field.length, field.data);
    if (field.length > 0 && find_column(delimited->type, name, &column, err) != PS_OK)
        return PS_FAIL;
    if (column != NO_COLUMN && ps_hive_nested_check(delimited->type->children[column], err) != PS_OK)
        return ps_err_append(err, "serializer.fieldnames: column %s", name);
    delimited->columns[delimited->field_count++] = column;
    return PS_OK;
}

static enum ps_status add_fields(struct delimited *delimited, const char *names, struct ps_err *err)
{
    uint32_t count = 1;
    for (const char *at = names; *at != '\0'; at++)
        count += *at == ',';
    delimited->columns = ps_must_alloc(count, sizeof(*delimited->columns), "the fields of delimited text");
    for (struct ps_slice field; ps_list_next_at_comma(&names, &field);) {
        if (add_field(delimited, field, err) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

static bool is_text(const struct ps_orc_type *type)
{
    return type->kind == PS_ORC_STRING || type->kind == PS_ORC_VARCHAR || type->kind == PS_ORC_CHAR;
}

/* Sets the values of columns without a field. The values are those of Hive, which joins all columns again, with an
 * empty text for each column without a field, and reads the result. */
static void fill_missing(struct delimited *delimited)
{
    const struct ps_orc_type *type = delimited->type;
    delimited->values = ps_must_alloc(type->child_count, sizeof(*delimited->values), "a row");
    delimited->missing = ps_must_alloc(type->child_count, sizeof(*delimited->missing), "a row");
    for (uint32_t i = 0; i < type->child_count; i++)
        delimited->missing[i] = is_text(type->children[i]) ? (struct ps_orc_value){.bytes = "", .length = 0}
                                                           : (struct ps_orc_value){.null = true};
    for (uint32_t i = 0; i < delimited->field_count; i++) {
        if (delimited->columns[i] != NO_COLUMN)
            delimited->missing[delimited->columns[i]] = (struct ps_orc_value){.null = true};
    }
}

struct ps_hive_rows *ps_hive_delimited_open(const struct ps_hive_delimited_settings *settings,
                                            const struct ps_orc_type *row_type, struct ps_err *err)
{
    static const struct ps_hive_rows_ops ops = {.read = read_row, .close = close_rows};
    struct delimited *delimited = ps_must_alloc(1, sizeof(*delimited), "a reader of rows");
    delimited->rows.ops = &ops;
    delimited->type = row_type;
    delimited->delimiter = settings->delimiter;
    ps_hive_nested_open(&delimited->nested, settings->collection, settings->map_key);
    if (add_fields(delimited, settings->field_names, err) != PS_OK) {
        close_rows(&delimited->rows);
        return NULL;
    }
    fill_missing(delimited);
    return &delimited->rows;
}
