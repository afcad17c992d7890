/* Conditions: the part after `when`. `or` binds less than `and`, and `and` less than `not`. Long chains
 * become balanced trees, which keeps recursion shallow; their order is kept. */
#include <string.h>

#include "regex/rules/internal.h"

static struct ps_condition *condition_new(struct rules_parser *parser, enum ps_condition_kind kind,
                                          struct ps_rules_place place)
{
    struct ps_condition *condition = ps_arena_alloc(parser->arena, sizeof *condition);
    condition->kind = kind;
    condition->place = place;
    return condition;
}

static struct ps_condition *condition_pair(struct rules_parser *parser, enum ps_condition_kind kind,
                                           struct ps_condition *left, struct ps_condition *right)
{
    struct ps_condition *condition = condition_new(parser, kind, left->place);
    condition->left = left;
    condition->right = right;
    return condition;
}

static struct ps_condition *chain_join(struct rules_parser *parser, enum ps_condition_kind kind,
                                       struct ps_condition **parts, size_t count)
{
    if (count == 1)
        return parts[0];
    size_t half = count / 2;
    return condition_pair(parser, kind, chain_join(parser, kind, parts, half),
                          chain_join(parser, kind, parts + half, count - half));
}

/* ---- SUBJECT ~ REGEX and other comparisons ---- */

static struct ps_condition *take_match(struct rules_parser *parser, struct ps_rules_subject subject,
                                       struct ps_rules_place place)
{
    bool negated = parser->token.kind == TOKEN_NOT_TILDE;
    ps_rules_advance_regex(parser);
    if (parser->token.kind != TOKEN_REGEX) {
        parser->panic = true; /* already reported by the lexer */
        return NULL;
    }
    struct ps_condition *match = condition_new(parser, PS_CONDITION_MATCH, place);
    bool good = ps_rules_pattern_number(parser, subject, &parser->token, &match->pattern);
    ps_rules_advance(parser);
    if (!good)
        /* Stands in for the bad pattern; its error was already reported. */
        return condition_new(parser, PS_CONDITION_TRUE, place);
    if (!negated && parser->negations % 2 == 0)
        ps_rules_group_source_add(parser, parser->loader->owned->rules.patterns[match->pattern].regex);
    if (!negated)
        return match;
    struct ps_condition *not = condition_new(parser, PS_CONDITION_NOT, place);
    not ->left = match;
    if (subject.header == NULL)
        return not ;
    struct ps_condition *exists = condition_new(parser, PS_CONDITION_EXISTS, place);
    exists->subject = subject;
    return condition_pair(parser, PS_CONDITION_AND, exists, not );
}

static void value_warn(struct rules_parser *parser, const struct rules_token *token)
{
    const char *dollar = token->length > 1 ? memmem(token->text, token->length, "${", 2) : NULL;
    if (dollar != NULL)
        ps_rules_problem_add(parser->loader->problems, PS_RULES_WARNING, token->place, NULL,
                             "a comparison uses its text unchanged: ${...} is not replaced");
}

/* Takes a string, or a number without quotes. */
static bool take_value(struct rules_parser *parser, struct ps_rules_value *value)
{
    struct rules_token *token = &parser->token;
    if (token->kind == TOKEN_WORD && !ps_rules_number(token->text, token->length, &(double){0})) {
        ps_rules_syntax_error(
            parser, token->place,
            ps_arena_format(parser->arena, "write \"%.*s\"", (int)token->length, token->text),
            "a text to compare with must be in quotes");
        return false;
    }
    if (token->kind != TOKEN_WORD && token->kind != TOKEN_STRING) {
        ps_rules_expected(parser, "a string or a number to compare with", NULL);
        return false;
    }
    if (token->kind == TOKEN_STRING)
        value_warn(parser, token);
    value->text = (struct ps_slice){ps_arena_copy(parser->arena, token->text, token->length), token->length};
    value->is_number = ps_rules_number(token->text, token->length, &value->number);
    ps_rules_advance(parser);
    return true;
}

static bool take_list(struct rules_parser *parser, struct ps_condition *condition)
{
    if (!ps_rules_take(parser, TOKEN_LEFT, "( and the texts, as in (\"a\", \"b\")"))
        return false;
    for (;;) {
        struct ps_rules_value value;
        if (!take_value(parser, &value))
            return false;
        *RULES_PUSH(parser->arena, condition->values, condition->value_count) = value;
        if (parser->token.kind != TOKEN_COMMA)
            break;
        ps_rules_advance(parser);
    }
    return ps_rules_take(parser, TOKEN_RIGHT, "`,` or `)`");
}

static const struct {
    const char *word;
    enum rules_token_kind kind; /* TOKEN_END: the operator is a word */
    enum ps_condition_operator op;
} operators[] = {
    {"==", TOKEN_EQUAL, PS_OPERATOR_EQUAL},    {"!=", TOKEN_UNEQUAL, PS_OPERATOR_UNEQUAL},
    {"<", TOKEN_LESS, PS_OPERATOR_LESS},       {"<=", TOKEN_LESS_EQUAL, PS_OPERATOR_LESS_EQUAL},
    {">", TOKEN_MORE, PS_OPERATOR_MORE},       {">=", TOKEN_MORE_EQUAL, PS_OPERATOR_MORE_EQUAL},
    {"in", TOKEN_END, PS_OPERATOR_IN},         {"contains", TOKEN_END, PS_OPERATOR_CONTAINS},
    {"begins", TOKEN_END, PS_OPERATOR_BEGINS}, {"ends", TOKEN_END, PS_OPERATOR_ENDS},
};

static bool operator_at(const struct rules_parser *parser, enum ps_condition_operator *op)
{
    for (size_t i = 0; i < PS_COUNT_OF(operators); i++) {
        bool found = operators[i].kind == TOKEN_END ? ps_rules_at_word(parser, operators[i].word)
                                                    : parser->token.kind == operators[i].kind;
        if (found) {
            *op = operators[i].op;
            return true;
        }
    }
    return false;
}

/* Reports a missing operator. */
static void operator_missing(struct rules_parser *parser)
{
    const struct rules_token *token = &parser->token;
    if (token->kind == TOKEN_ASSIGN) {
        ps_rules_syntax_error(parser, token->place, "write ==", "a comparison has two equals signs");
        return;
    }
    if (ps_rules_at_word(parser, "not")) {
        ps_rules_syntax_error(parser, token->place, "write it in front: not header.x in (\"a\")",
                              "`not` comes before a whole condition");
        return;
    }
    static const char *const words[] = {"in", "contains", "begins", "ends", NULL};
    const char *cure = ps_rules_nearest(parser, words);
    if (ps_rules_at_word(parser, "matches") || ps_rules_at_word(parser, "like"))
        cure = "write ~ /expression/";
    else if (ps_rules_at_word(parser, "eq") || ps_rules_at_word(parser, "is") ||
             ps_rules_at_word(parser, "equals"))
        cure = "write ==";
    ps_rules_expected(parser, "~, !~, ==, !=, <, <=, >, >=, in, contains, begins or ends", cure);
}

static struct ps_condition *take_test(struct rules_parser *parser)
{
    struct ps_rules_place place = parser->token.place;
    struct ps_rules_subject subject;
    if (!ps_rules_take_subject(parser, &subject))
        return NULL;
    if (parser->token.kind == TOKEN_TILDE || parser->token.kind == TOKEN_NOT_TILDE)
        return take_match(parser, subject, place);
    struct ps_condition *compare = condition_new(parser, PS_CONDITION_COMPARE, place);
    compare->subject = subject;
    if (!operator_at(parser, &compare->op)) {
        operator_missing(parser);
        return NULL;
    }
    ps_rules_advance(parser);
    if (compare->op == PS_OPERATOR_IN)
        return take_list(parser, compare) ? compare : NULL;
    struct ps_rules_value value;
    if (!take_value(parser, &value))
        return NULL;
    *RULES_PUSH(parser->arena, compare->values, compare->value_count) = value;
    return compare;
}

static struct ps_condition *take_size(struct rules_parser *parser)
{
    struct ps_condition *size = condition_new(parser, PS_CONDITION_SIZE, parser->token.place);
    ps_rules_advance(parser);
    uint64_t bytes;
    if (!operator_at(parser, &size->op) || size->op >= PS_OPERATOR_IN) {
        ps_rules_expected(parser, "==, !=, <, <=, > or >= and a number of bytes", NULL);
        return NULL;
    }
    ps_rules_advance(parser);
    const struct rules_token *token = &parser->token;
    if (token->kind != TOKEN_WORD || !ps_rules_text_count(token->text, token->length, INT64_MAX, &bytes)) {
        ps_rules_expected(parser, "a number of bytes", "write digits only, as in: size > 65536");
        return NULL;
    }
    struct ps_rules_value *value = RULES_PUSH(parser->arena, size->values, size->value_count);
    value->text = (struct ps_slice){ps_rules_word(parser), token->length};
    value->is_number = true;
    value->number = (double)bytes;
    ps_rules_advance(parser);
    return size;
}

static struct ps_condition *take_exists(struct rules_parser *parser)
{
    struct ps_condition *exists = condition_new(parser, PS_CONDITION_EXISTS, parser->token.place);
    ps_rules_advance(parser);
    if (ps_rules_at_word(parser, "body")) {
        ps_rules_syntax_error(parser, parser->token.place, "write `size > 0` for a body that is not empty",
                              "every event has a body");
        return NULL;
    }
    exists->subject.header = ps_rules_take_header(parser);
    return exists->subject.header != NULL ? exists : NULL;
}

/* ---- the chain of or, and, not ---- */

static struct ps_condition *take_or(struct rules_parser *parser);

static void condition_missing(struct rules_parser *parser)
{
    static const char *const words[] = {"body", "exists", "size", "true", "not", NULL};
    const char *cure = ps_rules_nearest(parser, words);
    if (ps_rules_at_word(parser, "false"))
        cure = "write `not true`, or make the rule `disabled`";
    else if (cure == NULL && parser->token.kind == TOKEN_WORD)
        cure = ps_arena_format(parser->arena, "a header is written header.%s", ps_rules_word(parser));
    else if (parser->token.kind == TOKEN_SLASH)
        cure = "write body ~ before it";
    ps_rules_expected(parser, "a condition (body, header.NAME, exists, size, true, not or a bracket)", cure);
}

static struct ps_condition *take_primary(struct rules_parser *parser)
{
    struct ps_rules_place place = parser->token.place;
    if (parser->token.kind == TOKEN_LEFT) {
        ps_rules_advance(parser);
        struct ps_condition *inner = take_or(parser);
        if (inner == NULL)
            return NULL;
        if (parser->token.kind != TOKEN_RIGHT) {
            ps_rules_expected(parser, "`)`, `and` or `or`",
                              ps_arena_format(parser->arena,
                                              "the bracket at line %d, column %d is not closed", place.line,
                                              place.column));
            return NULL;
        }
        ps_rules_advance(parser);
        return inner;
    }
    if (ps_rules_take_word(parser, "true"))
        return condition_new(parser, PS_CONDITION_TRUE, place);
    if (ps_rules_at_word(parser, "exists"))
        return take_exists(parser);
    if (ps_rules_at_word(parser, "size"))
        return take_size(parser);
    if (ps_rules_at_word(parser, "body") || ps_rules_at_header(parser))
        return take_test(parser);
    condition_missing(parser);
    return NULL;
}

static struct ps_condition *take_not(struct rules_parser *parser)
{
    struct ps_rules_place place = parser->token.place;
    struct ps_condition *result = NULL;
    if (++parser->nesting > PS_RULES_NESTING_MAX) {
        ps_rules_syntax_error(parser, place, "split it into several rules",
                              "conditions are nested more than %u deep", PS_RULES_NESTING_MAX);
    } else if (ps_rules_take_word(parser, "not")) {
        parser->negations++;
        struct ps_condition *inner = take_not(parser);
        parser->negations--;
        if (inner != NULL) {
            result = condition_new(parser, PS_CONDITION_NOT, place);
            result->left = inner;
        }
    } else {
        result = take_primary(parser);
    }
    parser->nesting--;
    return result;
}

static struct ps_condition *take_chain(struct rules_parser *parser, const char *word,
                                       enum ps_condition_kind kind,
                                       struct ps_condition *(*take)(struct rules_parser *))
{
    struct ps_condition **parts = NULL;
    size_t count = 0;
    do {
        struct ps_condition *part = take(parser);
        if (part == NULL)
            return NULL;
        *RULES_PUSH(parser->arena, parts, count) = part;
    } while (ps_rules_take_word(parser, word));
    return chain_join(parser, kind, parts, count);
}

static struct ps_condition *take_and(struct rules_parser *parser)
{
    return take_chain(parser, "and", PS_CONDITION_AND, take_not);
}

static struct ps_condition *take_or(struct rules_parser *parser)
{
    return take_chain(parser, "or", PS_CONDITION_OR, take_and);
}

struct ps_condition *ps_rules_take_condition(struct rules_parser *parser)
{
    parser->nesting = 0;
    parser->negations = 0;
    return take_or(parser);
}

/* The recursion depth is bounded: nesting times the logarithm of the longest chain. */
bool ps_condition_is_always(const struct ps_rules *rules, const struct ps_condition *condition)
{
    switch (condition->kind) {
    case PS_CONDITION_TRUE:
        return true;
    case PS_CONDITION_AND:
        return ps_condition_is_always(rules, condition->left) &&
               ps_condition_is_always(rules, condition->right);
    case PS_CONDITION_OR:
        return ps_condition_is_always(rules, condition->left) ||
               ps_condition_is_always(rules, condition->right);
    case PS_CONDITION_MATCH:
        return rules->patterns[condition->pattern].subject.header == NULL &&
               ps_regex_java(rules->patterns[condition->pattern].regex)->exactness == PS_REGEX_ALWAYS;
    default:
        return false;
    }
}
