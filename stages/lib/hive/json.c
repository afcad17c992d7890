#include "stages/lib/hive/json.h"

#include "stages/lib/hive/field.h"
#include "stages/lib/hive/json_internal.h"
#include "stages/lib/hive/map_items.h"
#include "stages/lib/random.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define BYTE_ORDER_MARK "\xEF\xBB\xBF"
#define NUMBERED_COLUMN "_col"
#define COLUMNS_MAX 4096U /* of a type */

struct json {
    struct ps_hive_rows rows; /* must be first */
    const struct ps_orc_type *type;
    struct ps_hive_row_memory memory;
    uint64_t seed;
};

/* A body that is being read. */
struct reader {
    struct ps_hive_json_text text;
    uint64_t seed;
};

static const char *name_of(const struct ps_orc_type *type)
{
    static const char *const names[] = {[PS_ORC_BOOLEAN] = "boolean",   [PS_ORC_TINYINT] = "tinyint",
                                        [PS_ORC_SMALLINT] = "smallint", [PS_ORC_INT] = "int",
                                        [PS_ORC_BIGINT] = "bigint",     [PS_ORC_FLOAT] = "float",
                                        [PS_ORC_DOUBLE] = "double",     [PS_ORC_STRING] = "string",
                                        [PS_ORC_BINARY] = "binary",     [PS_ORC_TIMESTAMP] = "timestamp",
                                        [PS_ORC_ARRAY] = "array",       [PS_ORC_MAP] = "map",
                                        [PS_ORC_STRUCT] = "struct",     [PS_ORC_DECIMAL] = "decimal",
                                        [PS_ORC_DATE] = "date",         [PS_ORC_VARCHAR] = "varchar",
                                        [PS_ORC_CHAR] = "char"};
    return names[type->kind];
}

static bool is_integer(const struct ps_orc_type *type)
{
    return type->kind == PS_ORC_TINYINT || type->kind == PS_ORC_SMALLINT || type->kind == PS_ORC_INT ||
           type->kind == PS_ORC_BIGINT;
}

static bool is_real(const struct ps_orc_type *type)
{
    return type->kind == PS_ORC_FLOAT || type->kind == PS_ORC_DOUBLE;
}

/* ---- plain values ---- */

static bool refuse(struct reader *reader, const struct ps_orc_type *type, struct ps_slice text)
{
    return ps_hive_json_wrong(&reader->text, "\"%.*s\" is no %s", (int)(text.length < 64 ? text.length : 64),
                              text.data, name_of(type));
}

/* Reads a number. It may be longer than field.h allows, because JSON has no limit. */
static bool read_real(struct reader *reader, struct ps_slice text, double *value)
{
    char *copy = ps_hive_row_memory_take(reader->text.memory, text.length + 1U);
    if (copy == NULL)
        return ps_hive_json_wrong(&reader->text, "no memory");
    memcpy(copy, text.data, text.length);
    copy[text.length] = '\0';
    *value = strtod(copy, NULL);
    return true;
}

/* Reads a number with a fraction or an exponent, cut off as in a Java cast. */
static bool read_cut(struct reader *reader, const struct ps_orc_type *type, struct ps_slice text,
                     struct ps_orc_value *value)
{
    double real;
    unsigned bits = type->kind == PS_ORC_TINYINT    ? 7
                    : type->kind == PS_ORC_SMALLINT ? 15
                    : type->kind == PS_ORC_INT      ? 31
                                                    : 63;
    double most = (double)(UINT64_C(1) << bits);
    if (!read_real(reader, text, &real))
        return false;
    /* Java checks the range before it cuts off the fraction, and compares with 2^63, which is what the largest bigint
     * becomes as a double. */
    bool fits = bits == 63 ? real >= -most && real <= most : real >= -most && real <= most - 1;
    if (!fits)
        return refuse(reader, type, text);
    *value = (struct ps_orc_value){.integer = real >= 0x1p63 ? INT64_MAX : (int64_t)real};
    return true;
}

static bool read_plain(struct reader *reader, const struct ps_orc_type *type,
                       const struct ps_hive_json_scalar *scalar, struct ps_orc_value *value)
{
    struct ps_slice text = scalar->text;
    bool is_number = scalar->kind == PS_HIVE_JSON_INTEGER || scalar->kind == PS_HIVE_JSON_REAL;
    if ((is_integer(type) || is_real(type)) && !is_number)
        return refuse(reader, type, text);
    switch (type->kind) {
    case PS_ORC_BOOLEAN:
        *value = (struct ps_orc_value){.integer = text.length == 4 && strncasecmp(text.data, "true", 4) == 0};
        return true;
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
        *value = (struct ps_orc_value){.null = false};
        if (!read_real(reader, text, &value->real))
            return false;
        if (scalar->kind == PS_HIVE_JSON_INTEGER && value->real == 0)
            value->real = 0; /* -0 is an integer, and integers have only one zero */
        return true;
    case PS_ORC_BINARY:
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
        *value = (struct ps_orc_value){.bytes = text.data, .length = text.length};
        return true;
    default:
        break;
    }
    if (scalar->kind == PS_HIVE_JSON_REAL && is_integer(type))
        return read_cut(reader, type, text, value);
    *value = ps_hive_field_read(type, text.data, text.length);
    return !value->null || type->kind == PS_ORC_DECIMAL || refuse(reader, type, text);
}

/* Reads the key of a map like valueOf of Java's class for the type. */
static bool read_key(struct reader *reader, const struct ps_orc_type *type, struct ps_slice text,
                     struct ps_orc_value *key)
{
    const struct ps_hive_json_scalar scalar = {.kind = PS_HIVE_JSON_STRING, .text = text};
    if (!is_integer(type) && !is_real(type) && type->kind != PS_ORC_DECIMAL)
        return read_plain(reader, type, &scalar, key);
    *key = ps_hive_field_read(type, text.data, text.length);
    bool has_point = is_integer(type) && text.length > 0 && memchr(text.data, '.', text.length) != NULL;
    return (!key->null && !has_point) || refuse(reader, type, text);
}

/* ---- arrays, maps, structs ---- */

static bool read_value(struct reader *reader, const struct ps_orc_type *type, struct ps_orc_value *value);

static bool read_array(struct reader *reader, const struct ps_orc_type *type, struct ps_orc_value *value)
{
    struct ps_hive_row_memory *memory = reader->text.memory;
    size_t begin = ps_hive_row_items_begin(memory);
    uint32_t count = 0;
    bool well;
    while (ps_hive_json_next(&reader->text, ']', &count, &well)) {
        struct ps_orc_value item;
        if (!read_value(reader, type->children[0], &item))
            return false;
        ps_hive_row_items_add(memory, &item);
    }
    if (well)
        *value = ps_hive_row_items_end(memory, begin);
    return well;
}

static bool read_map(struct reader *reader, const struct ps_orc_type *type, struct ps_orc_value *value)
{
    struct ps_hive_row_memory *memory = reader->text.memory;
    size_t begin = ps_hive_row_items_begin(memory);
    uint32_t count = 0;
    bool well;
    while (ps_hive_json_next(&reader->text, '}', &count, &well)) {
        struct ps_orc_value key, item;
        struct ps_slice name;
        if (!ps_hive_json_name(&reader->text, &name) || !read_key(reader, type->children[0], name, &key) ||
            !read_value(reader, type->children[1], &item))
            return false;
        ps_hive_row_items_add(memory, &key);
        ps_hive_row_items_add(memory, &item);
    }
    if (well)
        *value = ps_hive_map_items_end(memory, begin, type->children[0], PS_HIVE_LAST_KEY, reader->seed);
    return well;
}

static bool is_name(const char *name, struct ps_slice wanted)
{
    return strlen(name) == wanted.length && strncasecmp(name, wanted.data, wanted.length) == 0;
}

/* Finds the field with this name. Tries the field after the previous one first, because members are mostly in the order of the
 * columns. Returns false when the row is refused; sets *field to child_count if there is no such field. */
static bool find_field(struct reader *reader, const struct ps_orc_type *type, struct ps_slice name,
                       uint32_t expected, uint32_t *field)
{
    const size_t prefix = sizeof(NUMBERED_COLUMN) - 1;
    *field = expected;
    if (expected < type->child_count && is_name(type->names[expected], name))
        return true;
    for (*field = 0; *field < type->child_count; ++*field)
        if (is_name(type->names[*field], name))
            return true;
    if (name.length <= prefix || memcmp(name.data, NUMBERED_COLUMN, prefix) != 0)
        return true;
    uint32_t number = 0;
    for (size_t i = prefix; i < name.length; i++) {
        if (name.data[i] < '0' || name.data[i] > '9')
            return true;
        number = number < COLUMNS_MAX ? number * 10 + (uint32_t)(name.data[i] - '0') : number;
    }
    if (number >= type->child_count || (name.data[prefix] == '0' && name.length > prefix + 1))
        return ps_hive_json_wrong(&reader->text, "there is no column %.*s",
                                  (int)(name.length < 64 ? name.length : 64), name.data);
    *field = number;
    return true;
}

/* Reads the members of an object whose opening bracket was taken. */
static bool read_struct(struct reader *reader, const struct ps_orc_type *type, struct ps_orc_value *value)
{
    struct ps_orc_value *items =
        ps_hive_row_memory_take(reader->text.memory, type->child_count * sizeof(*items));
    uint32_t count = 0, field = UINT32_MAX;
    bool well, is_row = reader->text.column == NULL;
    if (items == NULL)
        return ps_hive_json_wrong(&reader->text, "no memory");
    for (uint32_t i = 0; i < type->child_count; i++)
        items[i] = (struct ps_orc_value){.null = true};
    while (ps_hive_json_next(&reader->text, '}', &count, &well)) {
        struct ps_slice name;
        if (!ps_hive_json_name(&reader->text, &name) || !find_field(reader, type, name, field + 1, &field))
            return false;
        if (field == type->child_count) {
            if (!ps_hive_json_skip(&reader->text, 0))
                return false;
            continue;
        }
        if (is_row)
            reader->text.column = type->names[field];
        if (!read_value(reader, type->children[field], &items[field]))
            return false;
        if (is_row)
            reader->text.column = NULL;
    }
    *value = (struct ps_orc_value){.items = items, .item_count = type->child_count};
    return well;
}

static bool read_value(struct reader *reader, const struct ps_orc_type *type, struct ps_orc_value *value)
{
    struct ps_hive_json_scalar scalar;
    bool is_array = type->kind == PS_ORC_ARRAY;
    char first = ps_hive_json_peek(&reader->text);
    *value = (struct ps_orc_value){.null = true};
    if (is_array || type->kind == PS_ORC_MAP || type->kind == PS_ORC_STRUCT) {
        if (ps_hive_json_take(&reader->text, is_array ? '[' : '{'))
            return is_array                   ? read_array(reader, type, value)
                   : type->kind == PS_ORC_MAP ? read_map(reader, type, value)
                                              : read_struct(reader, type, value);
        if (first != 'n')
            return ps_hive_json_wrong(&reader->text, "%s needs an %s", name_of(type),
                                      is_array ? "array" : "object");
    }
    if (first == '[' || first == '{')
        return ps_hive_json_wrong(&reader->text, "an %s is no %s", first == '[' ? "array" : "object",
                                  name_of(type));
    if (!ps_hive_json_scalar_read(&reader->text, &scalar))
        return false;
    return scalar.kind == PS_HIVE_JSON_NULL || read_plain(reader, type, &scalar, value);
}

/* ---- rows ---- */

static bool read_row(struct ps_hive_rows *rows, const char *body, uint32_t length, struct ps_orc_value *row,
                     struct ps_err *err)
{
    struct json *json = (struct json *)(void *)rows;
    struct reader reader = {
        .text = {.begin = body, .at = body, .end = body + length, .memory = &json->memory, .err = err},
        .seed = json->seed};
    const size_t mark = sizeof(BYTE_ORDER_MARK) - 1;
    ps_hive_row_memory_clear(&json->memory);
    rows->lacks_memory = false;
    if (length >= mark && memcmp(body, BYTE_ORDER_MARK, mark) == 0)
        reader.text.at += mark;
    if (!ps_hive_json_take(&reader.text, '{'))
        return ps_hive_json_wrong(&reader.text, "the body is not an object");
    bool is_read = read_struct(&reader, json->type, row);
    rows->lacks_memory = json->memory.failed;
    return is_read && (!json->memory.failed || ps_hive_json_wrong(&reader.text, "no memory"));
}

static void close_rows(struct ps_hive_rows *rows)
{
    struct json *json = (struct json *)(void *)rows;
    ps_hive_row_memory_free(&json->memory);
    free(json);
}

static enum ps_status check_keys(const struct ps_orc_type *type, struct ps_err *err)
{
    if (type->kind == PS_ORC_MAP && type->children[0]->child_count > 0)
        return ps_err_set(err, "the table has a map whose keys are of type %s", name_of(type->children[0]));
    for (uint32_t i = 0; i < type->child_count; i++)
        if (check_keys(type->children[i], err) != PS_OK)
            return PS_FAIL;
    return PS_OK;
}

struct ps_hive_rows *ps_hive_json_open(const struct ps_orc_type *row_type, struct ps_err *err)
{
    static const struct ps_hive_rows_ops ops = {.read = read_row, .close = close_rows};
    struct ps_random random;
    if (check_keys(row_type, err) != PS_OK)
        return NULL;
    struct json *json = ps_must_alloc(1, sizeof(*json), "a reader of rows");
    ps_random_init(&random);
    json->rows.ops = &ops;
    json->type = row_type;
    json->seed = ps_random_next(&random);
    return &json->rows;
}
