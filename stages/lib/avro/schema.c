/* See schema.h. */
#include "stages/lib/avro/schema.h"

#include "core/array.h"
#include "stages/lib/avro/binary.h"
#include "stages/lib/avro/rules.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define JSON_BYTES_MAX (4U * 1024U * 1024U)
#define DEPTH_MAX 200U
#define TYPES_MAX 65536U
#define NAME_BYTES 1024U
#define STEPS_FREE 100000U
#define EMPTY_FINGERPRINT UINT64_C(0xc15d213aa4d7a795)

static const char *const type_names[PS_AVRO_TYPE_NAMES] = {"null",   "boolean", "int",    "long",   "float",
                                                           "double", "bytes",   "string", "record", "enum",
                                                           "fixed",  "array",   "map"};

struct parser {
    struct ps_avro_schema *schema;
    FILE *out;                   /* the canonical form */
    struct ps_avro_rules *rules; /* NULL: only what reading data asks for */
    struct ps_err *err;
};

/* ---- parsing ---- */

static bool node_add(struct parser *parser, enum ps_avro_type type, uint32_t *number)
{
    struct ps_avro_schema *schema = parser->schema;
    if (schema->node_count == TYPES_MAX)
        return ps_err_set(parser->err, "the schema has too many types") == PS_OK;
    PS_ARRAY_GROW(schema->nodes, schema->node_count, schema->node_room, "an Avro schema");
    *number = schema->node_count++;
    schema->nodes[*number] = (struct ps_avro_node){.type = type};
    return true;
}

/* Makes room for the numbers of a node's parts, which are contiguous. */
static bool parts_take(struct parser *parser, uint32_t node, size_t count)
{
    struct ps_avro_schema *schema = parser->schema;
    if (count > TYPES_MAX - schema->part_count)
        return ps_err_set(parser->err, "the schema has too many fields") == PS_OK;
    while (schema->part_count + count > schema->part_room) {
        schema->part_room = schema->part_room == 0 ? 64 : 2 * schema->part_room;
        schema->parts =
            ps_must_realloc(schema->parts, schema->part_room * sizeof *schema->parts, "an Avro schema");
    }
    schema->nodes[node].first = schema->part_count;
    schema->nodes[node].count = (uint32_t)count;
    schema->part_count += (uint32_t)count;
    return true;
}

static bool wrong(struct parser *parser, const char *what, const char *name)
{
    return ps_avro_schema_is_wrong(parser->err, what, name);
}

/* Returns the text of a JSON string; NULL for other JSON. The rules take no text with a NUL. */
static const char *text_of(const struct parser *parser, const json_t *json)
{
    return parser->rules != NULL ? ps_avro_text(json) : json_string_value(json);
}

static int find_named(const struct ps_avro_schema *schema, const char *name)
{
    for (uint32_t i = 0; i < schema->node_count; i++) {
        if (schema->nodes[i].name != NULL && strcmp(schema->nodes[i].name, name) == 0)
            return (int)i;
    }
    return -1;
}

/* Returns the type of this name in a schema; PS_AVRO_TYPE_NAMES: the name of a type that the schema defines. */
static enum ps_avro_type find_type(const char *name)
{
    enum ps_avro_type type = PS_AVRO_NULL;
    while (type < PS_AVRO_TYPE_NAMES && strcmp(type_names[type], name) != 0)
        type++;
    return strcmp(name, "error") == 0 ? PS_AVRO_RECORD : type;
}

/* Returns the full name: `name` itself if it has a dot or no namespace is given. The dot of a name like ".a" stands for no namespace. */
static bool full_name(struct parser *parser, const char *name, const char *space, char out[NAME_BYTES])
{
    bool alone = strchr(name, '.') != NULL || space == NULL || space[0] == '\0';
    name += name[0] == '.' && strchr(name + 1, '.') == NULL;
    int length =
        alone ? snprintf(out, NAME_BYTES, "%s", name) : snprintf(out, NAME_BYTES, "%s.%s", space, name);
    return (length > 0 && length < (int)NAME_BYTES && strpbrk(out, "\"\\") == NULL) ||
           wrong(parser, "a name is too long or not valid", NULL);
}

static bool parse(struct parser *parser, const json_t *json, const char *space, unsigned depth,
                  uint32_t *number);

/* Finds the type of a name. One that is not in the namespace is looked for outside any, as in Java; by the rules not if the name is the
 * "type" of an object. */
static bool parse_name(struct parser *parser, const char *name, const char *space, bool in_object,
                       uint32_t *number)
{
    char full[NAME_BYTES];
    if (name == NULL)
        return wrong(parser, "there is no type", NULL);
    enum ps_avro_type type = find_type(name);
    if (type < PS_AVRO_PRIMITIVES) {
        fprintf(parser->out, "\"%s\"", name);
        return node_add(parser, type, number);
    }
    if (!full_name(parser, name, space, full))
        return false;
    int found = find_named(parser->schema, full);
    if (found < 0 && !(in_object && parser->rules != NULL) && full_name(parser, name, "", full))
        found = find_named(parser->schema, full);
    if (found < 0)
        return wrong(parser, "there is no type", full);
    fprintf(parser->out, "\"%s\"", full);
    *number = (uint32_t)found;
    return true;
}

static bool check_branch(struct parser *parser, uint32_t part, json_t *names)
{
    const struct ps_avro_node *node = &parser->schema->nodes[part];
    if (node->type == PS_AVRO_UNION)
        return wrong(parser, "a union in a union", NULL);
    return ps_avro_rules_once(parser->rules, names, node->name != NULL ? node->name : type_names[node->type],
                              "a union with two of");
}

static bool parse_union(struct parser *parser, const json_t *json, const char *space, unsigned depth,
                        uint32_t *number)
{
    size_t count = json_array_size(json);
    if (!node_add(parser, PS_AVRO_UNION, number) || !parts_take(parser, *number, count))
        return false;
    uint32_t first = parser->schema->nodes[*number].first;
    json_t *names = json_object();
    bool good = true;
    fputc('[', parser->out);
    for (size_t i = 0; good && i < count; i++) {
        uint32_t part = 0;
        if (i > 0)
            fputc(',', parser->out);
        good = parse(parser, json_array_get(json, i), space, depth, &part) &&
               (parser->rules == NULL || check_branch(parser, part, names));
        parser->schema->parts[first + i] = part;
    }
    fputc(']', parser->out);
    json_decref(names);
    return good;
}

static bool parse_items(struct parser *parser, const json_t *json, enum ps_avro_type type, const char *space,
                        unsigned depth, uint32_t *number)
{
    const char *key = type == PS_AVRO_ARRAY ? "items" : "values";
    uint32_t part;
    if (!node_add(parser, type, number) || !parts_take(parser, *number, 1))
        return false;
    fprintf(parser->out, "{\"type\":\"%s\",\"%s\":", type_names[type], key);
    if (json_object_get(json, key) == NULL)
        return wrong(parser, "no", key);
    if (!parse(parser, json_object_get(json, key), space, depth, &part))
        return false;
    parser->schema->parts[parser->schema->nodes[*number].first] = part;
    fputc('}', parser->out);
    return true;
}

/* Marks the outermost type, or the type of its field `body`, and the branches if it is a union. */
static void mark_body(struct ps_avro_schema *schema, uint32_t number)
{
    struct ps_avro_node *node = &schema->nodes[number];
    node->is_body = true;
    for (uint32_t i = 0; node->type == PS_AVRO_UNION && i < node->count; i++)
        schema->nodes[schema->parts[node->first + i]].is_body = true;
}

/* Java's Schema.Field.Order; a field need not have one. */
static bool is_order(const json_t *order)
{
    const char *text = json_string_value(order);
    return order == NULL ||
           (text != NULL && (strcasecmp(text, "ascending") == 0 || strcasecmp(text, "descending") == 0 ||
                             strcasecmp(text, "ignore") == 0));
}

static bool parse_field(struct parser *parser, const json_t *field, const char *space, unsigned depth,
                        json_t *names, uint32_t *part)
{
    const char *name = json_string_value(json_object_get(field, "name"));
    if (name == NULL || strpbrk(name, "\"\\") != NULL || json_object_get(field, "type") == NULL)
        return wrong(parser, "a field without name or type", NULL);
    if (!is_order(json_object_get(field, "order")))
        return wrong(parser, "an order that is not ascending, descending or ignore, of the field", name);
    fprintf(parser->out, "{\"name\":\"%s\",\"type\":", name);
    if (!parse(parser, json_object_get(field, "type"), space, depth, part))
        return false;
    fputc('}', parser->out);
    return parser->rules == NULL || ps_avro_rules_field(parser->rules, field, *part, names);
}

static bool parse_fields(struct parser *parser, const json_t *json, const char *space, unsigned depth,
                         uint32_t number)
{
    const json_t *fields = json_object_get(json, "fields");
    size_t count = json_array_size(fields);
    bool good = true;
    if (!json_is_array(fields))
        return wrong(parser, "a record without fields", NULL);
    if (!parts_take(parser, number, count))
        return false;
    uint32_t first = parser->schema->nodes[number].first;
    json_t *names = json_object();
    fputs(",\"fields\":[", parser->out);
    for (size_t i = 0; good && i < count; i++) {
        const json_t *field = json_array_get(fields, i);
        uint32_t part = 0;
        if (i > 0)
            fputc(',', parser->out);
        good = parse_field(parser, field, space, depth, names, &part);
        parser->schema->parts[first + i] = part;
        if (good && number == 0 && strcmp(json_string_value(json_object_get(field, "name")), "body") == 0)
            mark_body(parser->schema, part);
    }
    fputc(']', parser->out);
    json_decref(names);
    parser->schema->nodes[number].fields = fields;
    return good;
}

static bool parse_symbols(struct parser *parser, const json_t *json, uint32_t number)
{
    const json_t *symbols = json_object_get(json, "symbols");
    size_t count = json_array_size(symbols);
    if (!json_is_array(symbols) || count > TYPES_MAX)
        return wrong(parser, "an enum without symbols", NULL);
    parser->schema->nodes[number].count = (uint32_t)count;
    fputs(",\"symbols\":[", parser->out);
    for (size_t i = 0; i < count; i++) {
        const char *symbol = json_string_value(json_array_get(symbols, i));
        if (symbol == NULL || strpbrk(symbol, "\"\\") != NULL)
            return wrong(parser, "a symbol that is not a valid name", NULL);
        fprintf(parser->out, "%s\"%s\"", i > 0 ? "," : "", symbol);
    }
    fputc(']', parser->out);
    return parser->rules == NULL || ps_avro_rules_symbols(parser->rules, json);
}

static bool parse_named(struct parser *parser, const json_t *json, enum ps_avro_type type, const char *space,
                        unsigned depth, uint32_t *number)
{
    const char *name = json_string_value(json_object_get(json, "name"));
    const char *own = json_string_value(json_object_get(json, "namespace"));
    char full[NAME_BYTES], inner[NAME_BYTES];
    if (name == NULL)
        return wrong(parser, "a type without a name", NULL);
    if (!full_name(parser, name, own != NULL ? own : space, full))
        return false;
    if (find_named(parser->schema, full) >= 0)
        return wrong(parser, "there are two types", full);
    if (parser->rules != NULL && find_type(full) < PS_AVRO_PRIMITIVES)
        return wrong(parser, "a type that exists already:", full);
    if (parser->rules != NULL && !ps_avro_rules_type(parser->rules, json))
        return false;
    if (!node_add(parser, type, number))
        return false;
    parser->schema->nodes[*number].name = ps_must_copy_text(full, "an Avro schema");
    snprintf(inner, sizeof inner, "%s", full);
    char *dot = strrchr(inner, '.');
    inner[dot != NULL ? dot - inner : 0] = '\0';
    fprintf(parser->out, "{\"name\":\"%s\",\"type\":\"%s\"", full, type_names[type]);
    if (type == PS_AVRO_RECORD && !parse_fields(parser, json, inner, depth, *number))
        return false;
    if (type == PS_AVRO_ENUM && !parse_symbols(parser, json, *number))
        return false;
    if (type == PS_AVRO_FIXED) {
        json_int_t size = json_integer_value(json_object_get(json, "size"));
        if (!json_is_integer(json_object_get(json, "size")) || size < 0 || size > INT32_MAX)
            return wrong(parser, "a fixed without size", NULL);
        parser->schema->nodes[*number].count = (uint32_t)size;
        fprintf(parser->out, ",\"size\":%lld", (long long)size);
    }
    fputc('}', parser->out);
    return true;
}

static bool parse(struct parser *parser, const json_t *json, const char *space, unsigned depth,
                  uint32_t *number)
{
    if (depth == DEPTH_MAX)
        return wrong(parser, "it is nested too deeply", NULL);
    if (json_is_string(json))
        return parse_name(parser, text_of(parser, json), space, false, number);
    if (json_is_array(json))
        return parse_union(parser, json, space, depth + 1, number);
    const json_t *type = json_object_get(json, "type");
    if (type == NULL)
        return wrong(parser, "no type", NULL);
    if (!json_is_string(type) && parser->rules != NULL)
        return wrong(parser, "a type must be a name", NULL);
    if (!json_is_string(type)) /* {"type": {..}} */
        return parse(parser, type, space, depth + 1, number);
    const char *word = json_string_value(type);
    if (text_of(parser, type) == NULL)
        return wrong(parser, "there is no type", word);
    enum ps_avro_type found = find_type(word);
    if (found == PS_AVRO_ARRAY || found == PS_AVRO_MAP)
        return parse_items(parser, json, found, space, depth + 1, number);
    if (found >= PS_AVRO_RECORD && found <= PS_AVRO_FIXED)
        return parse_named(parser, json, found, space, depth + 1, number);
    return parse_name(parser, word, space, true, number);
}

static uint64_t fingerprint_of(const char *text)
{
    uint64_t print = EMPTY_FINGERPRINT;
    for (; *text != '\0'; text++) {
        print ^= (uint8_t)*text;
        for (int bit = 0; bit < 8; bit++)
            print = print >> 1 ^ (EMPTY_FINGERPRINT & (0 - (print & 1)));
    }
    return print;
}

void ps_avro_schema_destroy(struct ps_avro_schema *schema)
{
    if (schema == NULL)
        return;
    for (uint32_t i = 0; i < schema->node_count; i++)
        free(schema->nodes[i].name);
    free(schema->nodes);
    free(schema->parts);
    free(schema);
}

static void *alloc_for_json(size_t bytes)
{
    return ps_must_realloc(NULL, bytes, "JSON");
}

/* Makes jansson end the process when it finds no memory, as the rest of this file does. By itself it reports a string without memory as
 * invalid syntax, drops bytes of a long token, and then reads past the token's end: a good schema would be taken for a bad one. Its
 * functions are those of the whole process, so they are set before there is another thread: before main. */
__attribute__((constructor)) static void set_json_memory(void)
{
    json_set_alloc_funcs(alloc_for_json, free);
}

/* A comment that does not end stays. */
void ps_avro_schema_blank_comments(char *text, size_t length)
{
    const char *end = text + length;
    bool in_string = false;
    for (char *at = text; at < end; at++) {
        const char *comment_end = NULL;
        if (in_string && *at == '\\') {
            at++;
        } else if (*at == '"') {
            in_string = !in_string;
        } else if (!in_string && *at == '/' && end - at > 1 && at[1] == '/') {
            for (comment_end = at; comment_end < end && *comment_end != '\n' && *comment_end != '\r';)
                comment_end++;
        } else if (!in_string && *at == '/' && end - at > 1 && at[1] == '*') {
            comment_end = memmem(at + 2, (size_t)(end - at) - 2, "*/", 2);
            if (comment_end == NULL)
                return;
            comment_end += 2;
        }
        if (comment_end != NULL) {
            memset(at, ' ', (size_t)(comment_end - at));
            at += comment_end - at - 1;
        }
    }
}

/* Reads the first JSON value of the text, as Java does, and sets `used` to where it ends. jansson knows no comments. */
static json_t *load(const char *json, size_t length, size_t *used, struct ps_err *err)
{
    json_error_t error;
    if (length > JSON_BYTES_MAX) {
        ps_err_set(err, "the schema is too long");
        return NULL;
    }
    char *copy = ps_must_alloc(1, length + 1, "an Avro schema");
    if (length > 0)
        memcpy(copy, json, length);
    ps_avro_schema_blank_comments(copy, length);
    json_t *root =
        json_loadb(copy, length, JSON_DECODE_ANY | JSON_DISABLE_EOF_CHECK | JSON_ALLOW_NUL, &error);
    free(copy);
    if (root == NULL)
        ps_err_set(err, "the schema is not valid JSON: %s", error.text);
    else
        *used = (size_t)error.position;
    return root;
}

/* Makes a schema, and sets `*length` to where its text ends. `by_rules`: the rules are checked. */
static struct ps_avro_schema *create(const char *json, size_t *length, bool by_rules, struct ps_err *err)
{
    json_t *root = load(json, *length, length, err);
    if (root == NULL)
        return NULL;
    struct ps_avro_schema *schema = ps_must_alloc(1, sizeof *schema, "an Avro schema");
    char *canonical;
    size_t canonical_length;
    struct ps_avro_rules rules = {.schema = schema, .err = err};
    struct parser parser = {.schema = schema, .rules = by_rules ? &rules : NULL, .err = err};
    parser.out = ps_must_open_text(&canonical, &canonical_length, "an Avro schema");
    uint32_t number;
    bool good = parse(&parser, root, "", 0, &number);
    fclose(parser.out);
    schema->fingerprint = fingerprint_of(canonical);
    free(canonical);
    ps_avro_rules_fini(&rules);
    json_decref(root);
    if (!good) {
        ps_avro_schema_destroy(schema);
        return NULL;
    }
    mark_body(schema, number);
    return schema;
}

struct ps_avro_schema *ps_avro_schema_create(const char *json, size_t length, struct ps_err *err)
{
    return create(json, &length, false, err);
}

bool ps_avro_schema_check(const char *json, size_t *length, struct ps_err *err)
{
    size_t used = *length;
    struct ps_avro_schema *schema = create(json, &used, true, err);
    bool good = schema != NULL;
    ps_avro_schema_destroy(schema);
    if (good)
        *length = used;
    return good;
}

uint64_t ps_avro_schema_fingerprint(const struct ps_avro_schema *schema)
{
    return schema->fingerprint;
}

/* ---- a datum ---- */

/* Depths at which `body` may be: the outermost type, its fields, and the branches of a field. Deeper, it is that of a record within. */
#define BODY_DEPTH_MAX 3U

/* Bounds of one datum. Values without bytes also cost steps. */
struct walk {
    unsigned depth;
    uint64_t steps;
    struct ps_slice *body;
};

static bool skip_bytes(const uint8_t **at, const uint8_t *end, int64_t count)
{
    if (count < 0 || count > end - *at)
        return false;
    *at += count;
    return true;
}

static bool skip_node(const struct ps_avro_schema *schema, uint32_t number, const uint8_t **at,
                      const uint8_t *end, struct walk *walk);

/* Skips the blocks of an array or a map. A block with a negative count also has its length. */
static bool skip_blocks(const struct ps_avro_schema *schema, const struct ps_avro_node *node,
                        const uint8_t **at, const uint8_t *end, struct walk *walk)
{
    for (;;) {
        int64_t count, length;
        if (!ps_avro_get_long(at, end, &count))
            return false;
        if (count == 0)
            return true;
        if (count < 0) {
            if (!ps_avro_get_long(at, end, &length) || !skip_bytes(at, end, length))
                return false;
            continue;
        }
        for (const uint8_t *before = NULL; count > 0 && before != *at; count--) {
            before = *at; /* parts without bytes are not counted */
            if (node->type == PS_AVRO_MAP &&
                (!ps_avro_get_long(at, end, &length) || !skip_bytes(at, end, length)))
                return false;
            if (!skip_node(schema, schema->parts[node->first], at, end, walk))
                return false;
        }
    }
}

static bool skip_here(const struct ps_avro_schema *schema, uint32_t number, const uint8_t **at,
                      const uint8_t *end, struct walk *walk)
{
    const struct ps_avro_node *node = &schema->nodes[number];
    int64_t value;
    if (walk->steps-- == 0)
        return false;
    switch (node->type) {
    case PS_AVRO_NULL:
        return true;
    case PS_AVRO_BOOLEAN:
        return skip_bytes(at, end, 1);
    case PS_AVRO_INT:
    case PS_AVRO_LONG:
        return ps_avro_get_long(at, end, &value);
    case PS_AVRO_FLOAT:
        return skip_bytes(at, end, 4);
    case PS_AVRO_DOUBLE:
        return skip_bytes(at, end, 8);
    case PS_AVRO_BYTES:
    case PS_AVRO_STRING:
        if (!ps_avro_get_long(at, end, &value) || !skip_bytes(at, end, value))
            return false;
        if (node->is_body && walk->depth <= BODY_DEPTH_MAX)
            *walk->body = (struct ps_slice){(const char *)*at - value, (uint32_t)value};
        return true;
    case PS_AVRO_ENUM:
        return ps_avro_get_long(at, end, &value) && value >= 0 && value < node->count;
    case PS_AVRO_FIXED:
        return skip_bytes(at, end, node->count);
    case PS_AVRO_ARRAY:
    case PS_AVRO_MAP:
        return skip_blocks(schema, node, at, end, walk);
    case PS_AVRO_UNION:
        return ps_avro_get_long(at, end, &value) && value >= 0 && value < node->count &&
               skip_node(schema, schema->parts[node->first + (uint32_t)value], at, end, walk);
    case PS_AVRO_RECORD:
        for (uint32_t i = 0; i < node->count; i++) {
            if (!skip_node(schema, schema->parts[node->first + i], at, end, walk))
                return false;
        }
        return true;
    }
    return false;
}

static bool skip_node(const struct ps_avro_schema *schema, uint32_t number, const uint8_t **at,
                      const uint8_t *end, struct walk *walk)
{
    if (walk->depth == DEPTH_MAX)
        return false;
    walk->depth++;
    bool good = skip_here(schema, number, at, end, walk);
    walk->depth--;
    return good;
}

bool ps_avro_schema_body(const struct ps_avro_schema *schema, const uint8_t **at, const uint8_t *end,
                         struct ps_slice *body)
{
    const uint8_t *start = *at;
    struct walk walk = {.steps = STEPS_FREE + (uint64_t)(end - *at), .body = body};
    *body = (struct ps_slice){NULL, 0};
    bool good = skip_node(schema, 0, at, end, &walk);
    if (body->data == NULL)
        *body = (struct ps_slice){(const char *)start, (uint32_t)(*at - start)};
    return good;
}

bool ps_avro_schema_skip(const struct ps_avro_schema *schema, const uint8_t **at, const uint8_t *end)
{
    struct ps_slice body;
    return ps_avro_schema_body(schema, at, end, &body);
}

bool ps_avro_schema_skip_type(const struct ps_avro_schema *schema, uint32_t type, const uint8_t **at,
                              const uint8_t *end)
{
    struct ps_slice body;
    struct walk walk = {.steps = STEPS_FREE + (uint64_t)(end - *at), .body = &body};
    return skip_node(schema, type, at, end, &walk);
}
