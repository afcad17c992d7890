/* Actions: what a rule does to the events it matches. Each action has one function, listed in a table. */
#include <stdlib.h>
#include <string.h>

#include "regex/rules/internal.h"

#define SAMPLE_MAX UINT64_C(1000000000000)
#define RATE_MAX 1e12

typedef bool (*take_function)(struct rules_parser *parser, struct ps_action *action);

static bool take_route(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_ROUTE;
    action->optional = ps_rules_take_word(parser, "optional");
    return ps_rules_take_channels(parser, &action->channels, &action->channel_count);
}

/* `tag` and `set` accept a word or a string. */
static bool take_text(struct rules_parser *parser, const char *what)
{
    if (parser->token.kind == TOKEN_STRING || parser->token.kind == TOKEN_WORD)
        return true;
    ps_rules_expected(parser, what, NULL);
    return false;
}

static bool take_template(struct rules_parser *parser, struct ps_rules_template *template)
{
    struct rules_token *token = &parser->token;
    if (token->kind == TOKEN_WORD && !ps_rules_number(token->text, token->length, &(double){0})) {
        ps_rules_syntax_error(
            parser, token->place,
            ps_arena_format(parser->arena, "write \"%.*s\"", (int)token->length, token->text),
            "the value of a header must be in quotes");
        return false;
    }
    if (!take_text(parser, "a string, the header's value") || !ps_rules_template(parser, token, template))
        return false;
    ps_rules_advance(parser);
    return true;
}

static bool take_set(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_SET;
    action->header = ps_rules_take_header(parser);
    if (action->header == NULL)
        return false;
    if (parser->token.kind == TOKEN_EQUAL) {
        ps_rules_syntax_error(parser, parser->token.place, "write =", "`set` assigns with =, == compares");
        return false;
    }
    if (!ps_rules_take(parser, TOKEN_ASSIGN, "`=` and the header's value") ||
        !take_template(parser, &action->text))
        return false;
    if (!ps_rules_take_word(parser, "unless"))
        return true;
    action->unless_exists = true;
    if (ps_rules_take_word(parser, "exists"))
        return true;
    ps_rules_expected(parser, "`exists` after `unless`", NULL);
    return false;
}

static bool take_copy(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_COPY;
    action->from = ps_rules_take_header(parser);
    if (action->from == NULL)
        return false;
    if (!ps_rules_take_word(parser, "to")) {
        ps_rules_expected(parser, "`to` and another header", "copy header.a to header.b");
        return false;
    }
    action->header = ps_rules_take_header(parser);
    return action->header != NULL;
}

static bool take_remove(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_REMOVE;
    action->header = ps_rules_take_header(parser);
    return action->header != NULL;
}

static bool take_extract(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_EXTRACT;
    if (!ps_rules_take_subject(parser, &action->subject))
        return false;
    if (parser->token.kind != TOKEN_TILDE) {
        ps_rules_expected(parser, "~ and an expression with named groups",
                          "extract body ~ /user=(?<user>\\w+)/");
        return false;
    }
    ps_rules_advance_regex(parser);
    if (parser->token.kind != TOKEN_REGEX) {
        parser->panic = true;
        return false;
    }
    action->regex = ps_rules_regex(parser, &parser->token);
    if (action->regex != NULL) {
        bool named = false;
        for (unsigned i = 1; i <= ps_regex_group_count(action->regex); i++)
            named = named || ps_regex_group_name(action->regex, i) != NULL;
        if (!named)
            ps_rules_problem_add(parser->loader->problems, PS_RULES_WARNING, parser->token.place,
                                 "name the parts to keep: (?<name>...)",
                                 "this expression has no named group: `extract` sets nothing");
        ps_rules_group_source_add(parser, action->regex);
    }
    ps_rules_advance(parser);
    return true;
}

static bool take_replace(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_REPLACE;
    if (parser->token.kind != TOKEN_REGEX) { /* ps_rules_take_action has read this token */
        parser->panic = true;
        return false;
    }
    action->regex = ps_rules_regex(parser, &parser->token);
    ps_rules_advance(parser);
    if (!ps_rules_take_word(parser, "with")) {
        ps_rules_expected(parser, "`with` and the new text", "replace /[0-9]{16}/ with \"****\"");
        return false;
    }
    if (parser->token.kind != TOKEN_STRING) {
        ps_rules_expected(parser, "a string, the new text", NULL);
        return false;
    }
    struct ps_err err = {.length = 0};
    if (strlen(parser->token.text) != parser->token.length) {
        ps_rules_syntax_error(parser, parser->token.place, NULL, "a replacement cannot hold a NUL byte");
        return false;
    }
    if (action->regex != NULL) {
        action->replacement = ps_regex_replacement_create(action->regex, parser->token.text, &err);
        if (action->replacement == NULL)
            ps_rules_problem_add(parser->loader->problems, PS_RULES_ERROR, parser->token.place, NULL,
                                 "bad replacement: %s", err.text);
        else
            RULES_PUSH(parser->arena, parser->loader->owned->disposables,
                       parser->loader->owned->disposable_count)
                ->replacement = action->replacement;
    }
    ps_rules_advance(parser);
    return true;
}

static bool take_tag(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_TAG;
    struct ps_rules_place place = parser->token.place;
    const char *tag = ps_rules_take_name(parser, "a word for the tag", true);
    if (tag == NULL)
        return false;
    if (strchr(tag, ',') != NULL)
        ps_rules_problem_add(parser->loader->problems, PS_RULES_ERROR, place, "write one `tag` for each",
                             "commas separate tags, so a tag cannot contain one");
    *RULES_PUSH(parser->arena, action->text.pieces, action->text.count) =
        (struct ps_rules_template_piece){PS_RULES_TEMPLATE_TEXT, tag, (uint32_t)strlen(tag)};
    return true;
}

static bool take_drop(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_DROP;
    action->deadletter = ps_rules_take_word(parser, "deadletter");
    return true;
}

static bool take_stop(struct rules_parser *, struct ps_action *action)
{
    action->kind = PS_ACTION_STOP;
    return true;
}

static bool take_continue(struct rules_parser *, struct ps_action *action)
{
    action->kind = PS_ACTION_CONTINUE;
    return true;
}

/* Reads a whole number at the current token. Returns 0 after reporting an error. */
static uint64_t take_count(struct rules_parser *parser, const char *what, uint64_t max)
{
    uint64_t number = 0;
    const struct rules_token *token = &parser->token;
    if (token->kind != TOKEN_WORD || !ps_rules_text_count(token->text, token->length, max, &number) ||
        number == 0) {
        ps_rules_expected(parser, what, NULL);
        return 0;
    }
    ps_rules_advance(parser);
    return number;
}

static bool take_sample(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_SAMPLE;
    struct ps_rules_place place = parser->token.place;
    uint64_t first = take_count(parser, "1/N, as in `sample 1/100`", SAMPLE_MAX);
    if (first == 0 || !ps_rules_take(parser, TOKEN_SLASH, "`/` and a number, as in `sample 1/100`"))
        return false;
    action->one_in = take_count(parser, "a number of at least 1, as in `sample 1/100`", SAMPLE_MAX);
    if (action->one_in == 0)
        return false;
    if (first != 1) {
        const char *cure = action->one_in % first == 0 && action->one_in > first
                               ? ps_arena_format(parser->arena, "write `sample 1/%llu`",
                                                 (unsigned long long)(action->one_in / first))
                               : "write the nearest 1/N";
        ps_rules_problem_add(parser->loader->problems, PS_RULES_ERROR, place, cure,
                             "the first number of a sample must be 1");
    }
    return true;
}

/* Takes "10", "0.5". */
static bool take_amount(struct rules_parser *parser, const char *what, double min, double *amount)
{
    const struct rules_token *token = &parser->token;
    if (token->kind != TOKEN_WORD || !ps_rules_number(token->text, token->length, amount) || *amount < min ||
        *amount <= 0 || *amount > RATE_MAX) {
        ps_rules_expected(parser, what, NULL);
        return false;
    }
    ps_rules_advance(parser);
    return true;
}

static bool take_rate(struct rules_parser *parser, struct ps_action *action)
{
    static const struct {
        const char *word;
        double seconds;
    } units[] = {{"s", 1}, {"m", 60}, {"h", 3600}};
    double amount;
    if (!take_amount(parser, "a number above 0, as in `limit 100/s`", 0, &amount) ||
        !ps_rules_take(parser, TOKEN_SLASH, "`/` and s, m or h, as in `limit 100/s`"))
        return false;
    for (size_t i = 0; i < PS_COUNT_OF(units); i++) {
        if (!ps_rules_take_word(parser, units[i].word))
            continue;
        action->per_second = amount / units[i].seconds;
        action->burst = action->per_second > 1 ? action->per_second : 1;
        return true;
    }
    ps_rules_expected(parser, "s, m or h: a second, a minute or an hour", NULL);
    return false;
}

static bool take_limit(struct rules_parser *parser, struct ps_action *action)
{
    action->kind = PS_ACTION_LIMIT;
    bool burst = false, rest = false;
    if (!take_rate(parser, action))
        return false;
    for (;;) {
        struct ps_rules_place place = parser->token.place;
        bool again = false;
        if (ps_rules_take_word(parser, "per")) {
            again = action->per_key;
            action->per_key = true;
            if (!ps_rules_take_subject(parser, &action->subject))
                return false;
        } else if (ps_rules_take_word(parser, "burst")) {
            again = burst;
            burst = true;
            if (!take_amount(parser, "a number of at least 1", 1, &action->burst))
                return false;
        } else if (ps_rules_take_word(parser, "else")) {
            again = rest;
            rest = true;
            if (!ps_rules_take_word(parser, "route")) {
                ps_rules_expected(parser, "`route` and a channel after `else`", NULL);
                return false;
            }
            if (!ps_rules_take_channels(parser, &action->channels, &action->channel_count))
                return false;
        } else {
            return true;
        }
        if (again)
            ps_rules_problem_add(parser->loader->problems, PS_RULES_ERROR, place, NULL,
                                 "this is given twice for one limit");
    }
}

/* ---- the table of actions ---- */

static const struct {
    const char *word;
    take_function take;
} actions[] = {
    {"route", take_route},     {"set", take_set},         {"copy", take_copy}, {"remove", take_remove},
    {"extract", take_extract}, {"replace", take_replace}, {"tag", take_tag},   {"drop", take_drop},
    {"sample", take_sample},   {"limit", take_limit},     {"stop", take_stop}, {"continue", take_continue},
};

const char *const ps_rules_action_words[] = {"when",    "route",   "set",      "copy", "remove",
                                             "extract", "replace", "tag",      "drop", "sample",
                                             "limit",   "stop",    "continue", NULL};

static void action_missing(struct rules_parser *parser)
{
    static const struct {
        const char *word, *cure;
    } foreign_words[] = {{"add", "`set header.x = \"...\"` sets a header"},
                         {"delete", "`remove header.x` removes a header, `drop` drops the event"},
                         {"mask", "`replace /.../ with \"...\"` changes the body"},
                         {"accept", "write `stop`"},
                         {"reject", "write `drop`"},
                         {"discard", "write `drop`"},
                         {"if", "write `when`"},
                         {"match", "write `when body ~ /.../`"},
                         {"send", "write `route`"},
                         {"and", "`and` belongs to the condition, before the actions"}};
    const char *cure = ps_rules_nearest(parser, ps_rules_action_words);
    for (size_t i = 0; i < PS_COUNT_OF(foreign_words); i++)
        if (ps_rules_at_word(parser, foreign_words[i].word))
            cure = foreign_words[i].cure;
    ps_rules_expected(parser, "`when`, an action or `}`",
                      cure != NULL ? cure
                                   : "the actions are route, set, copy, remove, extract, replace, tag, drop, "
                                     "sample, limit, stop and continue");
}

void ps_rules_take_action(struct rules_parser *parser)
{
    for (size_t i = 0; i < PS_COUNT_OF(actions); i++) {
        if (!ps_rules_at_word(parser, actions[i].word))
            continue;
        struct ps_action action = {.place = parser->token.place};
        const char *source = parser->token.text;
        if (actions[i].take == take_replace)
            ps_rules_advance_regex(parser);
        else
            ps_rules_advance(parser);
        if (!actions[i].take(parser, &action))
            return;
        action.source = ps_arena_copy(parser->arena, source, (size_t)(parser->token_end - source));
        *RULES_PUSH(parser->arena, parser->rule->actions, parser->rule->action_count) = action;
        return;
    }
    action_missing(parser);
}
