/* See rules.h. */
#include "stages/lib/avro/rules.h"

#include "regex/regex.h"

#include <ctype.h>
#include <string.h>

/* Bounds of the check of defaults, where a record's default takes in the defaults of its fields, and theirs. */
#define DEFAULT_DEPTH_MAX 1000U
#define DEFAULT_STEPS_MAX 1000000U

static bool wrong(struct ps_avro_rules *rules, const char *what, const char *name)
{
    return ps_avro_schema_is_wrong(rules->err, what, name);
}

/* ---- names ---- */

/* Java asks for Character.isLetter and isLetterOrDigit of each char of UTF-16, so that no character beyond U+FFFF is a letter. */
static bool is_name_beyond_ascii(struct ps_avro_rules *rules, const char *name)
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

/* Java's validateName. `what` is named in the reason; `name` NULL: the JSON is not a text, or has a NUL. */
static bool check_name(struct ps_avro_rules *rules, const char *name, const char *what)
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

bool ps_avro_rules_once(struct ps_avro_rules *rules, json_t *names, const char *name, const char *what)
{
    if (json_object_get(names, name) != NULL)
        return wrong(rules, what, name);
    (void)json_object_set_new(names, name, json_true());
    return true;
}

/* Aliases of a type are names, too; those of a field only have to be texts. */
static bool check_aliases(struct ps_avro_rules *rules, const json_t *json, bool of_type)
{
    const json_t *aliases = json_object_get(json, "aliases");
    if (aliases != NULL && !json_is_array(aliases))
        return wrong(rules, "aliases that are no array", NULL);
    for (size_t i = 0; i < json_array_size(aliases); i++) {
        const json_t *alias = json_array_get(aliases, i);
        const char *text = ps_avro_text(alias), *dot = text != NULL ? strrchr(text, '.') : NULL;
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

static bool fits(struct ps_avro_rules *rules, uint32_t type, const json_t *value, unsigned depth);

static bool fits_items(struct ps_avro_rules *rules, uint32_t item, const json_t *value, unsigned depth)
{
    size_t i;
    const json_t *one;
    json_array_foreach(value, i, one) if (!fits(rules, item, one, depth + 1)) return false;
    return true;
}

static bool fits_values(struct ps_avro_rules *rules, uint32_t item, const json_t *value, unsigned depth)
{
    const char *key;
    json_t *one;
    json_object_foreach((json_t *)(uintptr_t)value, key,
                        one) if (!fits(rules, item, one, depth + 1)) return false;
    return true;
}

/* The default of a field counts as a number if it is the text of one. */
static bool fits_field(struct ps_avro_rules *rules, uint32_t type, const json_t *field, unsigned depth)
{
    enum ps_avro_type kind = rules->schema->nodes[type].type;
    const json_t *value = json_object_get(field, "default");
    if ((kind == PS_AVRO_FLOAT || kind == PS_AVRO_DOUBLE) && ps_avro_text(value) != NULL)
        return is_double_text(ps_avro_text(value));
    return value != NULL && fits(rules, type, value, depth + 1);
}

static bool fits_record(struct ps_avro_rules *rules, const struct ps_avro_node *record, const json_t *value,
                        unsigned depth)
{
    const uint32_t *types = rules->schema->parts + record->first;
    if (record->fields == NULL ||
        !json_is_object(value)) /* a record within itself: Java does not know its fields yet */
        return false;
    for (size_t i = 0; i < record->count; i++) {
        const json_t *field = json_array_get(record->fields, i);
        const json_t *own = json_object_get(value, json_string_value(json_object_get(field, "name")));
        if (!(own != NULL ? fits(rules, types[i], own, depth + 1)
                          : fits_field(rules, types[i], field, depth)))
            return false;
    }
    return true;
}

/* Java's isValidDefault. */
static bool fits(struct ps_avro_rules *rules, uint32_t type, const json_t *value, unsigned depth)
{
    const struct ps_avro_node *node = &rules->schema->nodes[type];
    json_int_t number = json_integer_value(value);
    if (depth >= DEFAULT_DEPTH_MAX || ++rules->steps > DEFAULT_STEPS_MAX)
        return false;
    switch (node->type) {
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
        return json_is_array(value) && fits_items(rules, rules->schema->parts[node->first], value, depth);
    case PS_AVRO_MAP:
        return json_is_object(value) && fits_values(rules, rules->schema->parts[node->first], value, depth);
    case PS_AVRO_UNION: /* by the first type */
        return node->count > 0 && fits(rules, rules->schema->parts[node->first], value, depth + 1);
    case PS_AVRO_RECORD:
        return fits_record(rules, node, value, depth);
    case PS_AVRO_BYTES:
    case PS_AVRO_STRING:
    case PS_AVRO_ENUM:
    case PS_AVRO_FIXED:
        break;
    }
    return json_is_string(value);
}

/* ---- for the parser ---- */

bool ps_avro_rules_type(struct ps_avro_rules *rules, const json_t *json)
{
    const char *name = ps_avro_text(json_object_get(json, "name"));
    const char *dot = name != NULL ? strrchr(name, '.') : NULL;
    return check_name(rules, dot != NULL ? dot + 1 : name, "not a name of a type:") &&
           check_aliases(rules, json, true);
}

bool ps_avro_rules_field(struct ps_avro_rules *rules, const json_t *field, uint32_t type, json_t *names)
{
    const char *name = ps_avro_text(json_object_get(field, "name"));
    if (!check_name(rules, name, "not a name of a field:") || !check_aliases(rules, field, false) ||
        !ps_avro_rules_once(rules, names, name, "two fields"))
        return false;
    return json_object_get(field, "default") == NULL || fits_field(rules, type, field, 0) ||
           wrong(rules, "a default that is not of its type, of the field", name);
}

bool ps_avro_rules_symbols(struct ps_avro_rules *rules, const json_t *json)
{
    const json_t *symbols = json_object_get(json, "symbols");
    const char *chosen = json_string_value(json_object_get(json, "default"));
    json_t *names = json_object();
    bool good = true;
    for (size_t i = 0; good && i < json_array_size(symbols); i++) {
        const char *symbol = ps_avro_text(json_array_get(symbols, i));
        good = check_name(rules, symbol, "not a name of a symbol:") &&
               ps_avro_rules_once(rules, names, symbol, "two symbols");
    }
    if (good && chosen != NULL && json_object_get(names, chosen) == NULL)
        good = wrong(rules, "a default that is no symbol:", chosen);
    json_decref(names);
    return good;
}

void ps_avro_rules_fini(struct ps_avro_rules *rules)
{
    ps_regex_destroy(rules->letters);
    ps_regex_scratch_destroy(rules->scratch);
}
