/* Writes each row as a line with a JSON object. */
#include "stages/lib/hive/text/internal.h"

#include "core/text/utf8.h"
#include "stages/lib/text/json/text.h"

#include <math.h>

struct json {
    const struct ps_hive_text_format *format;
    struct ps_byte_buffer *line;
    struct ps_err *err;
    const char *column;
    bool lacks_memory;
};

static bool no_memory(struct json *json)
{
    json->lacks_memory = true;
    ps_err_set(json->err, "no memory for a row");
    return false;
}

static bool put(struct json *json, const char *bytes, size_t length)
{
    return ps_byte_buffer_append(json->line, bytes, length) || no_memory(json);
}

static bool put_string(struct json *json, const char *bytes, size_t length)
{
    struct ps_byte_buffer *line = json->line;
    if (ps_utf8_valid_length(bytes, length) != length)
        return ps_hive_text_wrong(json->err, json->column, "it is not UTF-8, as JSON must be");
    if (!ps_byte_buffer_reserve(line, PS_JSON_TEXT_GROWTH * length + 2))
        return no_memory(json);
    line->data[line->length++] = '"';
    line->length += ps_json_text(bytes, length, line->data + line->length);
    line->data[line->length++] = '"';
    return true;
}

static bool put_plain(struct json *json, const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    bool is_real = type->kind == PS_ORC_FLOAT || type->kind == PS_ORC_DOUBLE;
    uint32_t length = value->length, characters = type->maximum_length;
    if (ps_hive_plain_is_text(type)) {
        if (type->kind != PS_ORC_STRING)
            length = ps_orc_text_bytes(value->bytes, length, &characters);
        return put_string(json, value->bytes, length);
    }
    if (is_real && !isfinite(value->real))
        return ps_hive_text_wrong(json->err, json->column, "JSON has no such number");
    bool is_bare = ps_hive_plain_is_bare(type);
    return (is_bare || put(json, "\"", 1)) &&
           (ps_hive_plain_append(type, value, json->line) || no_memory(json)) &&
           (is_bare || put(json, "\"", 1));
}

static bool put_value(struct json *json, const struct ps_orc_type *type, const struct ps_orc_value *value);

/* Writes the key of a map, which is always a string. */
static bool put_key(struct json *json, const struct ps_orc_type *type, const struct ps_orc_value *key)
{
    if (!ps_hive_plain_is_bare(type))
        return put_plain(json, type, key) && put(json, ":", 1);
    return put(json, "\"", 1) && put_plain(json, type, key) && put(json, "\":", 2);
}

static bool put_map(struct json *json, const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    for (uint32_t i = 1; json->format->is_openx && i < value->item_count; i += 2)
        if (value->items[i].null)
            return ps_hive_text_wrong(json->err, json->column,
                                      "a null in a map, which the serde of OpenX does not read");
    for (uint32_t i = 0; i + 1 < value->item_count; i += 2)
        if (!put(json, i == 0 ? "{" : ",", 1) || !put_key(json, type->children[0], &value->items[i]) ||
            !put_value(json, type->children[1], &value->items[i + 1]))
            return false;
    return put(json, value->item_count == 0 ? "{}" : "}", value->item_count == 0 ? 2 : 1);
}

static bool put_array(struct json *json, const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    if (!put(json, "[", 1))
        return false;
    for (uint32_t i = 0; i < value->item_count; i++)
        if ((i > 0 && !put(json, ",", 1)) || !put_value(json, type->children[0], &value->items[i]))
            return false;
    return put(json, "]", 1);
}

/* Writes a struct, or a row, without its null fields. */
static bool put_struct(struct json *json, const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    bool is_row = json->column == NULL, is_first = true;
    if (!put(json, "{", 1))
        return false;
    for (uint32_t i = 0; i < type->child_count; i++) {
        if (value->items[i].null)
            continue;
        const char *name = ps_hive_openx_name(json->format, type->names[i]);
        json->column = is_row ? type->names[i] : json->column;
        if ((!is_first && !put(json, ",", 1)) || !put_string(json, name, strlen(name)) ||
            !put(json, ":", 1) || !put_value(json, type->children[i], &value->items[i]))
            return false;
        is_first = false;
    }
    return put(json, "}", 1);
}

static bool put_value(struct json *json, const struct ps_orc_type *type, const struct ps_orc_value *value)
{
    if (value->null)
        return put(json, "null", 4);
    switch (type->kind) {
    case PS_ORC_ARRAY:
        return put_array(json, type, value);
    case PS_ORC_MAP:
        return put_map(json, type, value);
    case PS_ORC_STRUCT:
        return put_struct(json, type, value);
    default:
        return put_plain(json, type, value);
    }
}

enum ps_hive_line ps_hive_json_append(const struct ps_hive_text_format *format,
                                      const struct ps_orc_type *row_type, const struct ps_orc_value *row,
                                      struct ps_byte_buffer *line, struct ps_err *err)
{
    struct json json = {.format = format, .line = line, .err = err};
    if (put_struct(&json, row_type, row) && put(&json, "\n", 1))
        return PS_HIVE_LINE_WRITTEN;
    return json.lacks_memory ? PS_HIVE_LINE_NO_MEMORY : PS_HIVE_LINE_REFUSED;
}
