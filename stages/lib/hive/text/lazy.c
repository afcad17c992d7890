/* Writes lines of delimited text for LazySimpleSerDe. */
#include "stages/lib/hive/text/internal.h"

/* A line that is being written. */
struct lazy {
    const struct ps_hive_text_format *format;
    struct ps_byte_buffer *line;
    struct ps_err *err;
    const char *column;
    bool lacks_memory;
};

static bool no_memory(struct lazy *lazy)
{
    lazy->lacks_memory = true;
    ps_err_set(lazy->err, "no memory for a row");
    return false;
}

static bool put(struct lazy *lazy, const char *bytes, size_t length)
{
    return ps_byte_buffer_append(lazy->line, bytes, length) || no_memory(lazy);
}

static bool is_separator(const struct ps_hive_text_format *format, char byte, unsigned level)
{
    for (unsigned i = 0; i < level; i++)
        if (byte == format->separators[i])
            return true;
    return false;
}

static bool cannot_stand(struct lazy *lazy, char byte)
{
    bool is_end = byte == '\n' || byte == '\r';
    return ps_hive_text_wrong(lazy->err, lazy->column, "byte 0x%02x in it %s, and the table has no %s",
                              (unsigned char)byte, is_end ? "ends a line" : "separates values",
                              is_end ? "serialization.escape.crlf with an escape character"
                                     : "escape character (escape.delim)");
}

/* Writes a text with an escape before each separator, like LazyUtils.writeEscaped. */
static bool put_escaped(struct lazy *lazy, const char *bytes, size_t length, unsigned level)
{
    const struct ps_hive_text_format *format = lazy->format;
    struct ps_byte_buffer *line = lazy->line;
    if (!ps_byte_buffer_reserve(line, 2 * length))
        return no_memory(lazy);
    for (size_t i = 0; i < length; i++) {
        char byte = bytes[i];
        bool is_end = byte == '\n' || byte == '\r';
        if (is_end && !format->escapes_ends)
            return cannot_stand(lazy, byte);
        if (!format->escapes && is_separator(format, byte, level))
            return cannot_stand(lazy, byte);
        if (format->escapes &&
            (is_end || byte == format->escape || is_separator(format, byte, PS_HIVE_SEPARATORS)))
            line->data[line->length++] = format->escape;
        line->data[line->length++] = byte == '\n' ? 'n' : byte == '\r' ? 'r' : byte;
    }
    return true;
}

/* Writes a plain value. A value other than a text is read without escapes, so it is refused if it contains a separator ("-" in a day). */
static bool put_plain(struct lazy *lazy, const struct ps_orc_type *type, const struct ps_orc_value *value,
                      unsigned level)
{
    size_t begin = lazy->line->length;
    if (ps_hive_plain_is_text(type)) {
        struct ps_orc_value cut = *value;
        uint32_t characters = type->maximum_length;
        if (type->kind != PS_ORC_STRING)
            cut.length = ps_orc_text_bytes(value->bytes, value->length, &characters);
        return put_escaped(lazy, cut.bytes, cut.length, level);
    }
    if (!ps_hive_plain_append(type, value, lazy->line))
        return no_memory(lazy);
    for (size_t i = begin; i < lazy->line->length; i++)
        if (is_separator(lazy->format, lazy->line->data[i], level))
            return ps_hive_text_wrong(lazy->err, lazy->column,
                                      "byte 0x%02x in it separates values of the table",
                                      (unsigned char)lazy->line->data[i]);
    return true;
}

/* Writes a value. `level`: number of separators that the surrounding values use. */
static bool put_value(struct lazy *lazy, const struct ps_orc_type *type, const struct ps_orc_value *value,
                      unsigned level)
{
    bool is_map = type->kind == PS_ORC_MAP;
    if (value->null)
        return put(lazy, lazy->format->null_text, lazy->format->null_length);
    if (type->kind != PS_ORC_ARRAY && type->kind != PS_ORC_STRUCT && !is_map)
        return put_plain(lazy, type, value, level);
    for (uint32_t i = 0; i < value->item_count; i++) {
        bool is_key = is_map && i % 2 == 0;
        const struct ps_orc_type *item = type->children[type->kind == PS_ORC_STRUCT ? i : is_map ? i % 2 : 0];
        if (i > 0 && !put(lazy, &lazy->format->separators[is_map && !is_key ? level + 1 : level], 1))
            return false;
        if (!put_value(lazy, item, &value->items[i], level + (is_map ? 2 : 1)))
            return false;
    }
    return true;
}

static bool put_row(struct lazy *lazy, const struct ps_orc_type *type, const struct ps_orc_value *row)
{
    for (uint32_t i = 0; i < type->child_count; i++) {
        lazy->column = type->names[i];
        if (i > 0 && !put(lazy, lazy->format->separators, 1))
            return false;
        if (!put_value(lazy, type->children[i], &row->items[i], 1))
            return false;
    }
    return put(lazy, "\n", 1);
}

enum ps_hive_line ps_hive_lazy_append(const struct ps_hive_text_format *format,
                                      const struct ps_orc_type *row_type, const struct ps_orc_value *row,
                                      struct ps_byte_buffer *line, struct ps_err *err)
{
    struct lazy lazy = {.format = format, .line = line, .err = err};
    if (put_row(&lazy, row_type, row))
        return PS_HIVE_LINE_WRITTEN;
    return lazy.lacks_memory ? PS_HIVE_LINE_NO_MEMORY : PS_HIVE_LINE_REFUSED;
}
