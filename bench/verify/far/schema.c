#include "bench/verify/far/schema.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define NODES_MAX 4096U
#define DEPTH_MAX 64U

enum kind {
    KIND_NULL,
    KIND_BOOLEAN,
    KIND_LONG, /* also int */
    KIND_FLOAT,
    KIND_DOUBLE,
    KIND_BYTES, /* also string */
    KIND_FIXED,
    KIND_ENUM,
    KIND_ARRAY,
    KIND_MAP,
    KIND_UNION,
    KIND_RECORD,
};

static const struct {
    const char *name;
    enum kind kind;
} primitives[] = {
    {"null", KIND_NULL},   {"boolean", KIND_BOOLEAN}, {"int", KIND_LONG},    {"long", KIND_LONG},
    {"float", KIND_FLOAT}, {"double", KIND_DOUBLE},   {"bytes", KIND_BYTES}, {"string", KIND_BYTES},
};

struct node {
    enum kind kind;
    const char *name;   /* of a named type, without its namespace; points into the JSON document */
    uint64_t bytes;     /* KIND_FIXED */
    uint16_t *children; /* items, values, branches, fields */
    uint16_t child_count;
};

struct ps_far_schema {
    json_t *document;
    struct node *nodes;
    unsigned node_count;
    int body; /* field of the outermost record, -1: none */
};

/* ---- from JSON ---- */

static int compile(struct ps_far_schema *schema, const json_t *type, unsigned depth, struct ps_err *err);

static int node_add(struct ps_far_schema *schema, enum kind kind, struct ps_err *err)
{
    if (schema->node_count == NODES_MAX) {
        ps_err_set(err, "the schema has more than %u types", NODES_MAX);
        return -1;
    }
    schema->nodes[schema->node_count] = (struct node){.kind = kind};
    return (int)schema->node_count++;
}

static const char *short_name(const char *name)
{
    const char *dot = strrchr(name, '.');
    return dot != NULL ? dot + 1 : name;
}

/* Finds a primitive type or a type declared earlier. Namespaces are ignored: of two types with the same last
 * name, the later one is used. */
static int compile_name(struct ps_far_schema *schema, const char *name, struct ps_err *err)
{
    for (size_t i = 0; i < PS_COUNT_OF(primitives); i++)
        if (strcmp(name, primitives[i].name) == 0)
            return node_add(schema, primitives[i].kind, err);
    for (unsigned i = schema->node_count; i-- > 0;)
        if (schema->nodes[i].name != NULL && strcmp(schema->nodes[i].name, short_name(name)) == 0)
            return (int)i;
    ps_err_set(err, "the schema has no type `%.64s`", name);
    return -1;
}

static int children_make(struct ps_far_schema *schema, int index, size_t count, struct ps_err *err)
{
    struct node *node = &schema->nodes[index];
    if (count > NODES_MAX) {
        ps_err_set(err, "a type has more than %u parts", NODES_MAX);
        return -1;
    }
    node->children = ps_must_alloc(count + 1, sizeof *node->children, "an Avro schema");
    return index;
}

static int child_add(struct ps_far_schema *schema, int index, const json_t *type, unsigned depth,
                     struct ps_err *err)
{
    int child = compile(schema, type, depth + 1, err);
    if (child < 0)
        return -1;
    struct node *node = &schema->nodes[index];
    node->children[node->child_count++] = (uint16_t)child;
    return index;
}

static int compile_union(struct ps_far_schema *schema, const json_t *type, unsigned depth, struct ps_err *err)
{
    int index = node_add(schema, KIND_UNION, err);
    if (index < 0 || children_make(schema, index, json_array_size(type), err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(type); i++)
        if (child_add(schema, index, json_array_get(type, i), depth, err) < 0)
            return -1;
    return index;
}

static int compile_record(struct ps_far_schema *schema, int index, const json_t *type, unsigned depth,
                          struct ps_err *err)
{
    const json_t *fields = json_object_get(type, "fields");
    if (!json_is_array(fields)) {
        ps_err_set(err, "a record without fields");
        return -1;
    }
    if (children_make(schema, index, json_array_size(fields), err) < 0)
        return -1;
    for (size_t i = 0; i < json_array_size(fields); i++)
        if (child_add(schema, index, json_object_get(json_array_get(fields, i), "type"), depth, err) < 0)
            return -1;
    return index;
}

static int compile_object(struct ps_far_schema *schema, const json_t *type, unsigned depth,
                          struct ps_err *err)
{
    static const struct {
        const char *name, *part;
        enum kind kind;
    } complex[] = {{"record", NULL, KIND_RECORD},  {"error", NULL, KIND_RECORD},
                   {"enum", NULL, KIND_ENUM},      {"fixed", NULL, KIND_FIXED},
                   {"array", "items", KIND_ARRAY}, {"map", "values", KIND_MAP}};
    const json_t *inner = json_object_get(type, "type");
    const char *word = json_string_value(inner);
    for (size_t i = 0; word != NULL && i < PS_COUNT_OF(complex); i++) {
        if (strcmp(word, complex[i].name) != 0)
            continue;
        int index = node_add(schema, complex[i].kind, err);
        if (index < 0)
            return -1;
        const char *name = json_string_value(json_object_get(type, "name"));
        json_int_t size = json_integer_value(json_object_get(type, "size"));
        schema->nodes[index].name = name != NULL ? short_name(name) : NULL;
        schema->nodes[index].bytes = size > 0 ? (uint64_t)size : 0;
        if (complex[i].kind == KIND_RECORD)
            return compile_record(schema, index, type, depth, err);
        if (complex[i].part == NULL)
            return index;
        if (children_make(schema, index, 1, err) < 0)
            return -1;
        return child_add(schema, index, json_object_get(type, complex[i].part), depth, err);
    }
    return compile(schema, inner, depth + 1, err);
}

/* Returns the node of a type, -1 when the type is invalid. */
static int compile(struct ps_far_schema *schema, const json_t *type, unsigned depth, struct ps_err *err)
{
    if (depth > DEPTH_MAX) {
        ps_err_set(err, "the schema has types nested more than %u levels deep", DEPTH_MAX);
        return -1;
    }
    if (json_is_string(type))
        return compile_name(schema, json_string_value(type), err);
    if (json_is_array(type))
        return compile_union(schema, type, depth, err);
    if (json_is_object(type))
        return compile_object(schema, type, depth, err);
    ps_err_set(err, "a type is missing in the schema");
    return -1;
}

static bool is_text(const struct ps_far_schema *schema, const struct node *node)
{
    if (node->kind == KIND_BYTES)
        return true;
    for (unsigned i = 0; node->kind == KIND_UNION && i < node->child_count; i++)
        if (schema->nodes[node->children[i]].kind == KIND_BYTES)
            return true;
    return false;
}

static void body_find(struct ps_far_schema *schema)
{
    const json_t *fields = json_object_get(schema->document, "fields");
    const struct node *record = &schema->nodes[0];
    for (unsigned i = 0; record->kind == KIND_RECORD && i < record->child_count; i++) {
        const char *name = json_string_value(json_object_get(json_array_get(fields, i), "name"));
        if (name != NULL && strcmp(name, "body") == 0 && is_text(schema, &schema->nodes[record->children[i]]))
            schema->body = (int)i;
    }
}

struct ps_far_schema *ps_far_schema_create(const char *json, size_t length, struct ps_err *err)
{
    json_error_t error;
    struct ps_far_schema *schema = ps_must_alloc(1, sizeof *schema, "an Avro schema");
    schema->body = -1;
    schema->nodes = ps_must_alloc(NODES_MAX, sizeof *schema->nodes, "an Avro schema");
    schema->document = json_loadb(json, length, JSON_DECODE_ANY, &error);
    if (schema->document == NULL) {
        ps_err_set(err, "the schema is not valid JSON: %s", error.text);
    } else if (compile(schema, schema->document, 0, err) >= 0) {
        body_find(schema);
        return schema;
    }
    ps_far_schema_destroy(schema);
    return NULL;
}

void ps_far_schema_destroy(struct ps_far_schema *schema)
{
    if (schema == NULL)
        return;
    for (unsigned i = 0; i < schema->node_count; i++)
        free(schema->nodes[i].children);
    free(schema->nodes);
    json_decref(schema->document);
    free(schema);
}

/* ---- decoding ---- */

bool ps_far_avro_long(struct ps_far_data *data, int64_t *number)
{
    uint64_t value = 0;
    for (unsigned shift = 0; data->at < data->end && shift < 64; shift += 7) {
        uint64_t byte = (uint8_t)*data->at++;
        if (shift == 63 && byte > 1)
            return false;
        value |= (byte & 0x7F) << shift;
        if (byte < 0x80) {
            *number = (int64_t)(value >> 1 ^ (0 - (value & 1)));
            return true;
        }
    }
    return false;
}

static bool skip(struct ps_far_data *data, uint64_t bytes)
{
    if (bytes > (uint64_t)(data->end - data->at))
        return false;
    data->at += bytes;
    return true;
}

static bool skip_bytes(struct ps_far_data *data)
{
    int64_t length;
    return ps_far_avro_long(data, &length) && length >= 0 && skip(data, (uint64_t)length);
}

static bool walk(const struct ps_far_schema *schema, const struct node *node, struct ps_far_data *data,
                 unsigned depth);

/* Reads the blocks of an array or a map; a negative count is followed by the block's size. */
static bool walk_blocks(const struct ps_far_schema *schema, const struct node *node, struct ps_far_data *data,
                        unsigned depth)
{
    const struct node *item = &schema->nodes[node->children[0]];
    for (;;) {
        int64_t count, size;
        if (!ps_far_avro_long(data, &count) || count == INT64_MIN)
            return false;
        if (count == 0)
            return true;
        if (count < 0) {
            count = -count;
            if (!ps_far_avro_long(data, &size))
                return false;
        }
        for (; count > 0; count--) {
            if (node->kind == KIND_MAP && !skip_bytes(data))
                return false;
            if (!walk(schema, item, data, depth + 1))
                return false;
        }
    }
}

static bool walk(const struct ps_far_schema *schema, const struct node *node, struct ps_far_data *data,
                 unsigned depth)
{
    int64_t number;
    if (depth > DEPTH_MAX || data->steps_left == 0)
        return false;
    data->steps_left--;
    switch (node->kind) {
    case KIND_NULL:
        return true;
    case KIND_BOOLEAN:
        return skip(data, 1);
    case KIND_LONG:
    case KIND_ENUM:
        return ps_far_avro_long(data, &number);
    case KIND_FLOAT:
        return skip(data, 4);
    case KIND_DOUBLE:
        return skip(data, 8);
    case KIND_BYTES:
        return skip_bytes(data);
    case KIND_FIXED:
        return skip(data, node->bytes);
    case KIND_ARRAY:
    case KIND_MAP:
        return walk_blocks(schema, node, data, depth);
    case KIND_UNION:
        return ps_far_avro_long(data, &number) && number >= 0 && number < node->child_count &&
               walk(schema, &schema->nodes[node->children[number]], data, depth + 1);
    case KIND_RECORD:
        for (unsigned i = 0; i < node->child_count; i++)
            if (!walk(schema, &schema->nodes[node->children[i]], data, depth + 1))
                return false;
        return true;
    }
    return false;
}

/* Reads bytes, a string, or a union whose branch may be one of them. */
static bool take_text(const struct ps_far_schema *schema, const struct node *node, struct ps_far_data *data,
                      const char **record, size_t *length)
{
    int64_t number;
    if (node->kind == KIND_UNION) {
        if (!ps_far_avro_long(data, &number) || number < 0 || number >= node->child_count)
            return false;
        node = &schema->nodes[node->children[number]];
        if (node->kind != KIND_BYTES)
            return walk(schema, node, data, 1);
    }
    if (!ps_far_avro_long(data, &number) || number < 0)
        return false;
    *record = data->at;
    *length = (size_t)number;
    return skip(data, (uint64_t)number);
}

bool ps_far_schema_next(const struct ps_far_schema *schema, struct ps_far_data *data, const char **record,
                        size_t *length)
{
    const struct node *node = &schema->nodes[0];
    const char *start = data->at;
    *record = NULL;
    if (node->kind == KIND_BYTES)
        return take_text(schema, node, data, record, length);
    if (schema->body < 0) {
        if (!walk(schema, node, data, 0))
            return false;
    } else {
        for (unsigned i = 0; i < node->child_count; i++) {
            const struct node *field = &schema->nodes[node->children[i]];
            if ((int)i == schema->body ? !take_text(schema, field, data, record, length)
                                       : !walk(schema, field, data, 1))
                return false;
        }
    }
    if (*record == NULL) { /* the datum has no body: the record is the whole datum */
        *record = start;
        *length = (size_t)(data->at - start);
    }
    return true;
}
