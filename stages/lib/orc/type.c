#include "stages/lib/orc/type.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define COLUMNS_MAX 4096U
#define DEPTH_MAX 32U
#define LENGTH_MAX 65535U
#define DECIMAL_PRECISION 10U /* of "decimal" without parameters */

struct parse {
    const char *text, *at;
    uint32_t columns;
    unsigned depth;
    struct ps_err *err;
};

static const struct {
    const char *name;
    enum ps_orc_kind kind;
} names[] = {
    {"boolean", PS_ORC_BOOLEAN}, {"tinyint", PS_ORC_TINYINT},     {"smallint", PS_ORC_SMALLINT},
    {"int", PS_ORC_INT},         {"integer", PS_ORC_INT},         {"bigint", PS_ORC_BIGINT},
    {"float", PS_ORC_FLOAT},     {"double", PS_ORC_DOUBLE},       {"string", PS_ORC_STRING},
    {"binary", PS_ORC_BINARY},   {"timestamp", PS_ORC_TIMESTAMP}, {"array", PS_ORC_ARRAY},
    {"map", PS_ORC_MAP},         {"struct", PS_ORC_STRUCT},       {"decimal", PS_ORC_DECIMAL},
    {"date", PS_ORC_DATE},       {"varchar", PS_ORC_VARCHAR},     {"char", PS_ORC_CHAR},
};

void ps_orc_type_destroy(struct ps_orc_type *type)
{
    if (type == NULL)
        return;
    for (uint32_t i = 0; i < type->child_count; i++) {
        ps_orc_type_destroy(type->children[i]);
        if (type->names != NULL)
            free(type->names[i]);
    }
    free(type->children);
    free(type->names);
    free(type);
}

static bool wrong(struct parse *parse, const char *what)
{
    ps_err_set(parse->err, "type %.256s: %s at \"%.32s\"", parse->text, what, parse->at);
    return false;
}

static void skip_blanks(struct parse *parse)
{
    while (*parse->at == ' ')
        parse->at++;
}

static bool take(struct parse *parse, char wanted)
{
    skip_blanks(parse);
    if (*parse->at != wanted)
        return false;
    parse->at++;
    return true;
}

static bool expect(struct parse *parse, char wanted)
{
    char what[] = "no 'x'";
    what[4] = wanted;
    return take(parse, wanted) || wrong(parse, what);
}

/* Returns the length of a name: letters, digits and underscores. Hive's quoted names may have other
 * characters. */
static size_t word(struct parse *parse, const char *ends)
{
    skip_blanks(parse);
    return strcspn(parse->at, ends);
}

static bool number(struct parse *parse, uint32_t least, uint32_t most, uint32_t *value)
{
    skip_blanks(parse);
    char *end;
    unsigned long long read = isdigit((unsigned char)*parse->at) ? strtoull(parse->at, &end, 10) : UINT64_MAX;
    if (read < least || read > most)
        return wrong(parse, "a number out of range");
    parse->at = end;
    *value = (uint32_t)read;
    return true;
}

static bool parameters(struct parse *parse, struct ps_orc_type *type)
{
    if (type->kind == PS_ORC_VARCHAR || type->kind == PS_ORC_CHAR)
        return expect(parse, '(') && number(parse, 1, LENGTH_MAX, &type->maximum_length) &&
               expect(parse, ')');
    if (type->kind != PS_ORC_DECIMAL)
        return true;
    type->precision = DECIMAL_PRECISION;
    if (!take(parse, '('))
        return true;
    return number(parse, 1, PS_ORC_DECIMAL_DIGITS_MAX, &type->precision) &&
           (!take(parse, ',') || number(parse, 0, type->precision, &type->scale)) && expect(parse, ')');
}

static bool parse_type(struct parse *parse, struct ps_orc_type **made);

static bool parse_child(struct parse *parse, struct ps_orc_type *type, const char *name, size_t length)
{
    size_t count = type->child_count + 1;
    type->children =
        ps_must_realloc(type->children, count * sizeof(*type->children), "the columns of a table");
    type->children[count - 1] = NULL;
    if (name != NULL) {
        type->names = ps_must_realloc(type->names, count * sizeof(*type->names), "the columns of a table");
        type->names[count - 1] = ps_must_alloc(length + 1, 1, "the columns of a table");
        memcpy(type->names[count - 1], name, length);
    }
    type->child_count++;
    return parse_type(parse, &type->children[count - 1]);
}

static bool parse_field(struct parse *parse, struct ps_orc_type *type)
{
    size_t length = word(parse, ":<>,()");
    const char *name = parse->at;
    if (length == 0 || name[length] != ':')
        return wrong(parse, "a field has no name");
    parse->at += length + 1;
    return parse_child(parse, type, name, length);
}

static bool parse_children(struct parse *parse, struct ps_orc_type *type)
{
    if (type->kind != PS_ORC_ARRAY && type->kind != PS_ORC_MAP && type->kind != PS_ORC_STRUCT)
        return true;
    if (!expect(parse, '<'))
        return false;
    if (type->kind == PS_ORC_STRUCT) {
        if (take(parse, '>'))
            return true;
        do
            if (!parse_field(parse, type))
                return false;
        while (take(parse, ','));
    } else if (!parse_child(parse, type, NULL, 0) ||
               (type->kind == PS_ORC_MAP && (!expect(parse, ',') || !parse_child(parse, type, NULL, 0)))) {
        return false;
    }
    return expect(parse, '>');
}

static bool parse_type(struct parse *parse, struct ps_orc_type **made)
{
    size_t length = word(parse, " ,<>():");
    if (parse->columns >= COLUMNS_MAX || parse->depth >= DEPTH_MAX)
        return wrong(parse, "too many columns or levels");
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        if (strlen(names[i].name) != length || strncasecmp(names[i].name, parse->at, length) != 0)
            continue;
        struct ps_orc_type *type = ps_must_alloc(1, sizeof(*type), "the columns of a table");
        *made = type;
        type->kind = names[i].kind;
        type->id = parse->columns++;
        parse->at += length;
        parse->depth++;
        bool done = parameters(parse, type) && parse_children(parse, type);
        parse->depth--;
        return done;
    }
    return wrong(parse, "a type that is not known");
}

struct ps_orc_type *ps_orc_type_parse(const char *text, struct ps_err *err)
{
    struct parse parse = {.text = text, .at = text, .err = err};
    struct ps_orc_type *type = NULL;
    bool done = parse_type(&parse, &type);
    if (done) {
        skip_blanks(&parse);
        done = *parse.at == '\0' || wrong(&parse, "more than a type");
    }
    if (done)
        return type;
    ps_orc_type_destroy(type);
    return NULL;
}

uint32_t ps_orc_type_columns(const struct ps_orc_type *type)
{
    uint32_t count = 1;
    for (uint32_t i = 0; i < type->child_count; i++)
        count += ps_orc_type_columns(type->children[i]);
    return count;
}

const struct ps_orc_type *ps_orc_type_find(const struct ps_orc_type *type, const char *name, size_t length)
{
    const char *dot = memchr(name, '.', length);
    size_t first = dot == NULL ? length : (size_t)(dot - name);
    for (uint32_t i = 0; type->names != NULL && i < type->child_count; i++) {
        if (strlen(type->names[i]) != first || strncasecmp(type->names[i], name, first) != 0)
            continue;
        return dot == NULL ? type->children[i]
                           : ps_orc_type_find(type->children[i], dot + 1, length - first - 1);
    }
    return NULL;
}
