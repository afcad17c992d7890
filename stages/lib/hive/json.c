#include "stages/lib/hive/json.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/stage.h"
#include "core/text/utf8.h"
#include "stages/lib/hive/field.h"
#include "stages/lib/hive/map_items.h"
#include "stages/lib/hive/row_memory.h"
#include "stages/lib/random.h"
#include "stages/lib/text/json/text.h"

#define PS_HIVE_JSON_DEPTH_MAX 512U /* levels of skipped values */

enum kind {
    PS_HIVE_JSON_NULL,
    PS_HIVE_JSON_TRUE,
    PS_HIVE_JSON_FALSE,
    PS_HIVE_JSON_INTEGER, /* a number without a decimal point and exponent */
    PS_HIVE_JSON_REAL,
    PS_HIVE_JSON_STRING,
};

/* Any value but an array or object. */
struct scalar {
    enum kind kind;
    struct ps_slice text; /* as written; a string has its escapes decoded */
};

struct json_text {
    const char *begin, *at, *end;
    struct ps_hive_row_memory *memory; /* for strings with escapes */
    struct ps_err *err;
    const char *column; /* for messages; NULL: none */
};

/* Sets the error, with the place in the text. Returns false. */
static bool wrong(struct json_text *text, const char *format, ...)
{
    char reason[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof(reason), format, arguments);
    va_end(arguments);
    ps_err_set(text->err, "JSON, byte %zu%s%s: %s", (size_t)(text->at - text->begin),
               text->column != NULL ? ", column " : "", text->column != NULL ? text->column : "", reason);
    return false;
}

/* Returns the next character that is not a blank; '\0' at the end. */
static char peek(struct json_text *text)
{
    while (text->at < text->end &&
           (*text->at == ' ' || *text->at == '\t' || *text->at == '\n' || *text->at == '\r'))
        text->at++;
    return text->at < text->end ? *text->at : '\0';
}

/* Takes the next character that is not a blank, if it is `wanted`; returns whether it was. */
static bool take(struct json_text *text, char wanted)
{
    if (peek(text) != wanted || text->at == text->end)
        return false;
    text->at++;
    return true;
}

static bool unexpected(struct json_text *text, const char *wanted)
{
    unsigned char byte = text->at < text->end ? (unsigned char)*text->at : 0;
    if (text->at == text->end)
        return wrong(text, "the text ends where %s is expected", wanted);
    if (byte > ' ' && byte < 0x7f)
        return wrong(text, "'%c' where %s is expected", byte, wanted);
    return wrong(text, "byte 0x%02x where %s is expected", byte, wanted);
}

/* Moves to the next member of an object, or item of an array, whose opening bracket was taken; counts them in *count.
 * Returns false at the end, after taking the bracket, and with *well false on an error. */
static bool next_item(struct json_text *text, char end, uint32_t *count, bool *well)
{
    *well = true;
    if (*count == 0 && take(text, end))
        return false;
    if (*count > 0) {
        if (take(text, end))
            return false;
        if (!take(text, ',')) {
            *well = unexpected(text, end == '}' ? "',' or '}'" : "',' or ']'");
            return false;
        }
    }
    ++*count;
    return true;
}

/* ---- strings ---- */

static bool check_escape(struct json_text *text, const char *at)
{
    text->at = at;
    if (at + 1 < text->end && at[1] != '\0' && strchr("\"\\/bfnrt", at[1]) != NULL)
        return true;
    if (at + 1 == text->end || at[1] != 'u')
        return wrong(text, "an unknown escape");
    for (unsigned i = 2; i < 6; i++)
        if (at + i >= text->end || at[i] == '\0' || strchr("0123456789abcdefABCDEF", at[i]) == NULL)
            return wrong(text, "\\u needs four hexadecimal digits");
    return true;
}

/* Finds and takes the end of a string whose opening quote was taken. */
static bool scan_string(struct json_text *text, struct ps_slice *content, bool *has_escapes)
{
    const char *from = text->at, *at = from;
    bool is_ascii = true;
    *has_escapes = false;
    for (; at < text->end && *at != '"'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte < ' ') {
            text->at = at;
            return wrong(text, "a control character in a string");
        }
        is_ascii = is_ascii && byte < 0x80;
        if (byte == '\\') {
            if (!check_escape(text, at))
                return false;
            *has_escapes = true;
            at += at[1] == 'u' ? 5 : 1;
        }
    }
    text->at = at;
    if (at == text->end)
        return wrong(text, "a string without an end");
    *content = (struct ps_slice){from, (uint32_t)(at - from)};
    if (!is_ascii && ps_utf8_valid_length(from, content->length) < content->length)
        return wrong(text, "a string that is not UTF-8");
    text->at++;
    return true;
}

/* Reads a string. Half of a surrogate pair becomes a question mark, as in Java. */
static bool read_string(struct json_text *text, struct ps_slice *content)
{
    bool has_escapes;
    if (!scan_string(text, content, &has_escapes))
        return false;
    if (!has_escapes)
        return true;
    char *plain = ps_hive_row_memory_take(text->memory, content->length);
    if (plain == NULL)
        return wrong(text, "no memory");
    content->length = ps_json_unescape(content->data, content->length, "?", plain);
    content->data = plain;
    return true;
}

/* Takes the name of a member, and the colon. */
static bool read_name(struct json_text *text, struct ps_slice *name)
{
    if (!take(text, '"'))
        return unexpected(text, "a name in quotes");
    return read_string(text, name) && (take(text, ':') || unexpected(text, "':'"));
}

/* ---- numbers and words ---- */

static bool is_digit(const struct json_text *text)
{
    return text->at < text->end && *text->at >= '0' && *text->at <= '9';
}

static bool take_digits(struct json_text *text)
{
    if (!is_digit(text))
        return unexpected(text, "a digit");
    while (is_digit(text))
        text->at++;
    return true;
}

static bool take_now(struct json_text *text, const char *letters)
{
    if (text->at == text->end || *text->at == '\0' || strchr(letters, *text->at) == NULL)
        return false;
    text->at++;
    return true;
}

static bool read_number(struct json_text *text, struct scalar *scalar)
{
    const char *from = text->at;
    scalar->kind = PS_HIVE_JSON_INTEGER;
    (void)take_now(text, "-");
    if (take_now(text, "0")) {
        if (is_digit(text))
            return wrong(text, "a number that begins with zero");
    } else if (!take_digits(text)) {
        return false;
    }
    if (take_now(text, ".")) {
        scalar->kind = PS_HIVE_JSON_REAL;
        if (!take_digits(text))
            return false;
    }
    if (take_now(text, "eE")) {
        scalar->kind = PS_HIVE_JSON_REAL;
        (void)take_now(text, "+-");
        if (!take_digits(text))
            return false;
    }
    scalar->text = (struct ps_slice){from, (uint32_t)(text->at - from)};
    return true;
}

static bool read_word(struct json_text *text, const char *word, struct scalar *scalar, enum kind kind)
{
    uint32_t length = (uint32_t)strlen(word);
    if (text->end - text->at < (ptrdiff_t)length || memcmp(text->at, word, length) != 0)
        return wrong(text, "an unknown word");
    *scalar = (struct scalar){.kind = kind, .text = {text->at, length}};
    text->at += length;
    return true;
}

static bool read_scalar(struct json_text *text, struct scalar *scalar)
{
    char first = peek(text);
    switch (first) {
    case '"':
        text->at++;
        scalar->kind = PS_HIVE_JSON_STRING;
        return read_string(text, &scalar->text);
    case 't':
        return read_word(text, "true", scalar, PS_HIVE_JSON_TRUE);
    case 'f':
        return read_word(text, "false", scalar, PS_HIVE_JSON_FALSE);
    case 'n':
        return read_word(text, "null", scalar, PS_HIVE_JSON_NULL);
    default:
        return first == '-' || is_digit(text) ? read_number(text, scalar) : unexpected(text, "a value");
    }
}

/* Skips a value of any kind. */
static bool skip(struct json_text *text, unsigned depth)
{
    struct scalar scalar;
    struct ps_slice name;
    bool escaped, well = true;
    uint32_t count = 0;
    char first = peek(text);
    if (first == '"') {
        text->at++;
        return scan_string(text, &name, &escaped);
    }
    if (first != '{' && first != '[')
        return read_scalar(text, &scalar);
    if (depth == PS_HIVE_JSON_DEPTH_MAX)
        return wrong(text, "more than %u levels", PS_HIVE_JSON_DEPTH_MAX);
    text->at++;
    while (next_item(text, first == '{' ? '}' : ']', &count, &well)) {
        if (first == '{' && !read_name(text, &name))
            return false;
        if (!skip(text, depth + 1))
            return false;
    }
    return well;
}

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
    struct json_text text;
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
    return wrong(&reader->text, "\"%.*s\" is no %s", (int)(text.length < 64 ? text.length : 64), text.data,
                 name_of(type));
}

/* Reads a number. It may be longer than field.h allows, because JSON has no limit. */
static bool read_real(struct reader *reader, struct ps_slice text, double *value)
{
    char *copy = ps_hive_row_memory_take(reader->text.memory, text.length + 1U);
    if (copy == NULL)
        return wrong(&reader->text, "no memory");
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

static bool read_plain(struct reader *reader, const struct ps_orc_type *type, const struct scalar *scalar,
                       struct ps_orc_value *value)
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
    const struct scalar scalar = {.kind = PS_HIVE_JSON_STRING, .text = text};
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
    while (next_item(&reader->text, ']', &count, &well)) {
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
    while (next_item(&reader->text, '}', &count, &well)) {
        struct ps_orc_value key, item;
        struct ps_slice name;
        if (!read_name(&reader->text, &name) || !read_key(reader, type->children[0], name, &key) ||
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
        return wrong(&reader->text, "there is no column %.*s", (int)(name.length < 64 ? name.length : 64),
                     name.data);
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
        return wrong(&reader->text, "no memory");
    for (uint32_t i = 0; i < type->child_count; i++)
        items[i] = (struct ps_orc_value){.null = true};
    while (next_item(&reader->text, '}', &count, &well)) {
        struct ps_slice name;
        if (!read_name(&reader->text, &name) || !find_field(reader, type, name, field + 1, &field))
            return false;
        if (field == type->child_count) {
            if (!skip(&reader->text, 0))
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
    struct scalar scalar;
    bool is_array = type->kind == PS_ORC_ARRAY;
    char first = peek(&reader->text);
    *value = (struct ps_orc_value){.null = true};
    if (is_array || type->kind == PS_ORC_MAP || type->kind == PS_ORC_STRUCT) {
        if (take(&reader->text, is_array ? '[' : '{'))
            return is_array                   ? read_array(reader, type, value)
                   : type->kind == PS_ORC_MAP ? read_map(reader, type, value)
                                              : read_struct(reader, type, value);
        if (first != 'n')
            return wrong(&reader->text, "%s needs an %s", name_of(type), is_array ? "array" : "object");
    }
    if (first == '[' || first == '{')
        return wrong(&reader->text, "an %s is no %s", first == '[' ? "array" : "object", name_of(type));
    if (!read_scalar(&reader->text, &scalar))
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
    if (!take(&reader.text, '{'))
        return wrong(&reader.text, "the body is not an object");
    bool is_read = read_struct(&reader, json->type, row);
    rows->lacks_memory = json->memory.failed;
    return is_read && (!json->memory.failed || wrong(&reader.text, "no memory"));
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
