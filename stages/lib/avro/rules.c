/* See rules.h. The order of the functions is that of Java's Schema.parse; each type becomes a shape, against which defaults are checked. */
#include "stages/lib/avro/rules.h"

#include "regex/regex.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Bounds of the check of defaults, where a record's default takes in the defaults of its fields, and theirs. */
#define DEFAULT_DEPTH_MAX 1000U
#define DEFAULT_STEPS_MAX 1000000U

struct shape {
    enum ps_avro_type kind;
    char *name;           /* full name; NULL: the kind has none */
    const json_t *fields; /* of a record whose fields are all known */
    const struct shape **parts;
    size_t count;
};

static const struct shape primitives[PS_AVRO_PRIMITIVES] = {
    {.kind = PS_AVRO_NULL},  {.kind = PS_AVRO_BOOLEAN}, {.kind = PS_AVRO_INT},   {.kind = PS_AVRO_LONG},
    {.kind = PS_AVRO_FLOAT}, {.kind = PS_AVRO_DOUBLE},  {.kind = PS_AVRO_BYTES}, {.kind = PS_AVRO_STRING},
};

/* A namespace: a part of the full name of a shape, or of the JSON. */
struct space {
    const char *text;
    size_t length;
};

struct rules {
    struct shape **shapes;
    size_t count, room;
    json_t *named;            /* from the full name to the number of the shape */
    struct ps_regex *letters; /* names that are not ASCII; NULL: none was met */
    struct ps_regex_scratch *scratch;
    struct ps_err *err;
    uint32_t steps;
};

static bool wrong(struct rules *rules, const char *what, const char *name)
{
    (void)ps_err_set(rules->err, "the schema is wrong: %s%s%.200s", what, name != NULL ? " " : "",
                     name != NULL ? name : "");
    return false;
}

/* Returns NULL for what is no text, and for a text with a NUL, which no name has. */
static const char *text_of(const json_t *json)
{
    const char *text = json_string_value(json);
    return text != NULL && strlen(text) == json_string_length(json) ? text : NULL;
}

static struct shape *shape_add(struct rules *rules, enum ps_avro_type kind, size_t parts)
{
    struct shape *shape = ps_must_alloc(1, sizeof *shape, "an Avro schema");
    if (rules->count == rules->room) {
        rules->room = rules->room == 0 ? 16 : 2 * rules->room;
        rules->shapes =
            ps_must_realloc(rules->shapes, rules->room * sizeof(struct shape *), "an Avro schema");
    }
    rules->shapes[rules->count++] = shape;
    shape->kind = kind;
    shape->parts = parts > 0 ? ps_must_alloc(parts, sizeof(struct shape *), "an Avro schema") : NULL;
    shape->count = parts;
    return shape;
}

/* ---- names ---- */

/* Java asks for Character.isLetter and isLetterOrDigit of each char of UTF-16, so that no character beyond U+FFFF is a letter. */
static bool is_name_beyond_ascii(struct rules *rules, const char *name)
{
    for (const char *at = name; *at != '\0'; at++)
        if ((uint8_t)*at >= 0xf0)
            return false;
    if (rules->letters == NULL) {
        rules->letters = ps_regex_create("[\\p{L}_][\\p{L}\\p{Nd}_]*", 0, PS_REGEX_WHOLE, rules->err);
        rules->scratch = ps_regex_scratch_create();
    }
    return rules->letters != NULL &&
           ps_regex_find(rules->letters, rules->scratch, name, strlen(name), 0, NULL, 0);
}

/* Java's validateName. `what` is named in the reason. */
static bool check_name(struct rules *rules, const char *name, const char *what)
{
    bool is_ascii = true, good = name != NULL && name[0] != '\0' && (name[0] < '0' || name[0] > '9');
    for (const char *at = name; good && *at != '\0'; at++) {
        is_ascii = is_ascii && (uint8_t)*at < 0x80;
        good = (uint8_t)*at >= 0x80 || isalnum((uint8_t)*at) || *at == '_';
    }
    if (good && (is_ascii || is_name_beyond_ascii(rules, name)))
        return true;
    return wrong(rules, what, name != NULL ? name : "(none)");
}

/* Returns the full name, malloc'ed: a name with a dot has its namespace in itself. */
static char *full_name(const char *name, struct space space)
{
    const char *dot = strrchr(name, '.');
    if (dot != NULL)
        return ps_must_copy_text(name + (dot == name), "an Avro schema");
    size_t room = space.length + strlen(name) + 2;
    char *full = ps_must_alloc(1, room, "an Avro schema");
    (void)snprintf(full, room, "%.*s%s%s", (int)space.length, space.text, space.length > 0 ? "." : "", name);
    return full;
}

static const struct shape *named_shape(const struct rules *rules, const char *name, struct space space)
{
    char *full = full_name(name, space);
    const json_t *number = json_object_get(rules->named, full);
    free(full);
    return number != NULL ? rules->shapes[json_integer_value(number)] : NULL;
}

static const struct shape *primitive(const char *name)
{
    enum ps_avro_type type = ps_avro_type_find(name);
    return type < PS_AVRO_PRIMITIVES ? &primitives[type] : NULL;
}

/* A name in place of a type. One that is not in the namespace is looked for outside any. */
static const struct shape *check_use(struct rules *rules, const char *name, struct space space)
{
    const struct shape *shape = name != NULL ? primitive(name) : NULL;
    if (shape == NULL && name != NULL)
        shape = named_shape(rules, name, space);
    if (shape == NULL && name != NULL)
        shape = named_shape(rules, name, (struct space){"", 0});
    if (shape == NULL)
        (void)wrong(rules, "there is no type", name);
    return shape;
}

/* Aliases of a type are names, too; those of a field only have to be texts. */
static bool check_aliases(struct rules *rules, const json_t *json, bool of_type)
{
    const json_t *aliases = json_object_get(json, "aliases");
    if (aliases != NULL && !json_is_array(aliases))
        return wrong(rules, "aliases that are no array", NULL);
    for (size_t i = 0; i < json_array_size(aliases); i++) {
        const json_t *alias = json_array_get(aliases, i);
        const char *text = text_of(alias), *dot = text != NULL ? strrchr(text, '.') : NULL;
        if (!json_is_string(alias))
            return wrong(rules, "an alias that is no text", NULL);
        if (of_type && !check_name(rules, dot != NULL ? dot + 1 : text, "not a name:"))
            return false;
    }
    return true;
}

/* ---- defaults ---- */

/* Skips digits, and returns whether there are any. */
static bool skip_digits(const char **at, bool hex)
{
    const char *first = *at;
    while (hex ? isxdigit((uint8_t) * *at) : isdigit((uint8_t) * *at))
        (*at)++;
    return *at > first;
}

static bool skip_exponent(const char **at, char letter)
{
    if (tolower((uint8_t) * *at) != letter)
        return false;
    (*at)++;
    *at += **at == '+' || **at == '-';
    return skip_digits(at, false);
}

/* Java's Double.valueOf takes more than JSON: blanks around, NaN, Infinity, hexadecimal numbers, a letter f or d behind. */
static bool is_double_text(const char *at)
{
    while (*at != '\0' && (uint8_t)*at <= ' ')
        at++;
    at += *at == '+' || *at == '-';
    if (strncmp(at, "NaN", 3) == 0 || strncmp(at, "Infinity", 8) == 0) {
        at += *at == 'N' ? 3 : 8;
    } else {
        bool hex = at[0] == '0' && tolower((uint8_t)at[1]) == 'x';
        at += hex ? 2 : 0;
        bool digits = skip_digits(&at, hex);
        if (*at == '.') {
            at++;
            digits = skip_digits(&at, hex) || digits;
        }
        bool has_exponent = tolower((uint8_t)*at) == (hex ? 'p' : 'e');
        if (!digits || (has_exponent ? !skip_exponent(&at, hex ? 'p' : 'e') : hex))
            return false;
        at += *at != '\0' && strchr("fFdD", *at) != NULL;
    }
    while (*at != '\0' && (uint8_t)*at <= ' ')
        at++;
    return *at == '\0';
}

static bool fits(struct rules *rules, const struct shape *shape, const json_t *value, unsigned depth);

static bool fits_items(struct rules *rules, const struct shape *item, const json_t *value, unsigned depth)
{
    size_t i;
    const json_t *one;
    json_array_foreach(value, i, one) if (!fits(rules, item, one, depth + 1)) return false;
    return true;
}

static bool fits_values(struct rules *rules, const struct shape *item, const json_t *value, unsigned depth)
{
    const char *key;
    json_t *one;
    json_object_foreach((json_t *)(uintptr_t)value, key,
                        one) if (!fits(rules, item, one, depth + 1)) return false;
    return true;
}

/* The default of a field counts as a number if it is the text of one. */
static bool fits_field(struct rules *rules, const struct shape *shape, const json_t *field, unsigned depth)
{
    const json_t *value = json_object_get(field, "default");
    if ((shape->kind == PS_AVRO_FLOAT || shape->kind == PS_AVRO_DOUBLE) && text_of(value) != NULL)
        return is_double_text(text_of(value));
    return value != NULL && fits(rules, shape, value, depth + 1);
}

static bool fits_record(struct rules *rules, const struct shape *shape, const json_t *value, unsigned depth)
{
    if (shape->fields == NULL ||
        !json_is_object(value)) /* a record within itself: Java does not know its fields yet */
        return false;
    for (size_t i = 0; i < shape->count; i++) {
        const json_t *field = json_array_get(shape->fields, i);
        const json_t *own = json_object_get(value, json_string_value(json_object_get(field, "name")));
        if (!(own != NULL ? fits(rules, shape->parts[i], own, depth + 1)
                          : fits_field(rules, shape->parts[i], field, depth)))
            return false;
    }
    return true;
}

/* Java's isValidDefault. */
static bool fits(struct rules *rules, const struct shape *shape, const json_t *value, unsigned depth)
{
    json_int_t number = json_integer_value(value);
    if (depth >= DEFAULT_DEPTH_MAX || ++rules->steps > DEFAULT_STEPS_MAX)
        return false;
    switch (shape->kind) {
    case PS_AVRO_NULL:
        return json_is_null(value);
    case PS_AVRO_BOOLEAN:
        return json_is_boolean(value);
    case PS_AVRO_INT:
        return json_is_integer(value) && number >= INT32_MIN && number <= INT32_MAX;
    case PS_AVRO_LONG:
        return json_is_integer(value);
    case PS_AVRO_FLOAT:
    case PS_AVRO_DOUBLE:
        return json_is_number(value);
    case PS_AVRO_ARRAY:
        return json_is_array(value) && fits_items(rules, shape->parts[0], value, depth);
    case PS_AVRO_MAP:
        return json_is_object(value) && fits_values(rules, shape->parts[0], value, depth);
    case PS_AVRO_UNION: /* by the first type */
        return shape->count > 0 && fits(rules, shape->parts[0], value, depth + 1);
    case PS_AVRO_RECORD:
        return fits_record(rules, shape, value, depth);
    case PS_AVRO_BYTES:
    case PS_AVRO_STRING:
    case PS_AVRO_ENUM:
    case PS_AVRO_FIXED:
        break;
    }
    return json_is_string(value);
}

/* ---- types ---- */

static const struct shape *check_type(struct rules *rules, const json_t *json, struct space space);

static bool check_field(struct rules *rules, const json_t *field, struct space space, json_t *names,
                        const struct shape **type)
{
    const char *name = text_of(json_object_get(field, "name"));
    *type = check_type(rules, json_object_get(field, "type"), space);
    if (*type == NULL || !check_name(rules, name, "not a name of a field:") ||
        !check_aliases(rules, field, false))
        return false;
    if (json_object_get(names, name) != NULL)
        return wrong(rules, "two fields", name);
    (void)json_object_set_new(names, name, json_true());
    return json_object_get(field, "default") == NULL || fits_field(rules, *type, field, 0) ||
           wrong(rules, "a default that is not of its type, of the field", name);
}

static bool check_record(struct rules *rules, const json_t *json, struct space space, struct shape *shape)
{
    const json_t *fields = json_object_get(json, "fields");
    json_t *names = json_object();
    bool good = true;
    for (size_t i = 0; good && i < shape->count; i++)
        good = check_field(rules, json_array_get(fields, i), space, names, &shape->parts[i]);
    json_decref(names);
    shape->fields = fields;
    return good;
}

static bool check_enum(struct rules *rules, const json_t *json)
{
    const json_t *symbols = json_object_get(json, "symbols");
    const char *chosen = json_string_value(json_object_get(json, "default"));
    json_t *names = json_object();
    bool good = true;
    for (size_t i = 0; good && i < json_array_size(symbols); i++) {
        const char *symbol = text_of(json_array_get(symbols, i));
        good = check_name(rules, symbol, "not a name of a symbol:") &&
               (json_object_get(names, symbol) == NULL || wrong(rules, "two symbols", symbol));
        if (good)
            (void)json_object_set_new(names, symbol, json_true());
    }
    if (good && chosen != NULL && json_object_get(names, chosen) == NULL)
        good = wrong(rules, "a default that is no symbol:", chosen);
    json_decref(names);
    return good;
}

static const struct shape *check_named(struct rules *rules, const json_t *json, enum ps_avro_type kind,
                                       struct space space)
{
    const char *name = text_of(json_object_get(json, "name"));
    const json_t *own = json_object_get(json, "namespace");
    struct shape *shape =
        shape_add(rules, kind, kind == PS_AVRO_RECORD ? json_array_size(json_object_get(json, "fields")) : 0);
    if (json_is_string(own))
        space = (struct space){json_string_value(own), strlen(json_string_value(own))};
    const char *dot = name != NULL ? strrchr(name, '.') : NULL;
    if (!check_name(rules, dot != NULL ? dot + 1 : name, "not a name of a type:"))
        return NULL;
    shape->name = full_name(name, space);
    if (primitive(shape->name) != NULL || json_object_get(rules->named, shape->name) != NULL) {
        (void)wrong(rules, "a type that exists already:", shape->name);
        return NULL;
    }
    (void)json_object_set_new(rules->named, shape->name, json_integer((json_int_t)rules->count - 1));
    dot = strrchr(shape->name, '.');
    space = (struct space){shape->name, dot != NULL ? (size_t)(dot - shape->name) : 0};
    bool good = kind == PS_AVRO_RECORD ? check_record(rules, json, space, shape)
                                       : kind != PS_AVRO_ENUM || check_enum(rules, json);
    return good && check_aliases(rules, json, true) ? shape : NULL;
}

static const char *union_name(const struct shape *shape)
{
    return shape->name != NULL ? shape->name : ps_avro_type_names[shape->kind];
}

static const struct shape *check_union(struct rules *rules, const json_t *json, struct space space)
{
    struct shape *shape = shape_add(rules, PS_AVRO_UNION, json_array_size(json));
    json_t *names = json_object();
    bool good = true;
    for (size_t i = 0; good && i < shape->count; i++) {
        shape->parts[i] = check_type(rules, json_array_get(json, i), space);
        good = shape->parts[i] != NULL &&
               (shape->parts[i]->kind != PS_AVRO_UNION || wrong(rules, "a union in a union", NULL)) &&
               (json_object_get(names, union_name(shape->parts[i])) == NULL ||
                wrong(rules, "a union with two of", union_name(shape->parts[i])));
        if (good)
            (void)json_object_set_new(names, union_name(shape->parts[i]), json_true());
    }
    json_decref(names);
    return good ? shape : NULL;
}

/* The type within an array or a map. */
static const struct shape *check_items(struct rules *rules, const json_t *json, enum ps_avro_type kind,
                                       struct space space)
{
    struct shape *shape = shape_add(rules, kind, 1);
    shape->parts[0] =
        check_type(rules, json_object_get(json, kind == PS_AVRO_ARRAY ? "items" : "values"), space);
    return shape->parts[0] != NULL ? shape : NULL;
}

/* Returns NULL when Java refuses the type. */
static const struct shape *check_type(struct rules *rules, const json_t *json, struct space space)
{
    if (json_is_string(json))
        return check_use(rules, text_of(json), space);
    if (json_is_array(json))
        return check_union(rules, json, space);
    const char *type = text_of(json_object_get(json, "type"));
    enum ps_avro_type kind = type != NULL ? ps_avro_type_find(type) : PS_AVRO_TYPE_NAMES;
    if (type == NULL)
        (void)wrong(rules, "a type must be a name", NULL);
    else if (kind < PS_AVRO_PRIMITIVES)
        return &primitives[kind];
    else if (kind <= PS_AVRO_FIXED)
        return check_named(rules, json, kind, space);
    else if (kind <= PS_AVRO_MAP)
        return check_items(rules, json, kind, space);
    else if (named_shape(rules, type, space) != NULL)
        return named_shape(rules, type, space);
    else
        (void)wrong(rules, "there is no type", type);
    return NULL;
}

bool ps_avro_rules_check(const json_t *root, struct ps_err *err)
{
    struct rules rules = {.named = json_object(), .err = err};
    bool good = check_type(&rules, root, (struct space){"", 0}) != NULL;
    for (size_t i = 0; i < rules.count; i++) {
        free(rules.shapes[i]->name);
        free(rules.shapes[i]->parts);
        free(rules.shapes[i]);
    }
    free(rules.shapes);
    json_decref(rules.named);
    ps_regex_destroy(rules.letters);
    ps_regex_scratch_destroy(rules.scratch);
    return good;
}
