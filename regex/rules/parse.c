/* Parses the statements of a rules file. Has the helpers that all statements share, and the recovery after an
 * error: parsing continues at the next statement of the block, at its end, or at the next statement of the
 * file. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core/text/nearest.h"
#include "regex/rules/internal.h"

#define PRIORITY_MAX 1000000
#define ERRORS_MAX 10000U /* after this many errors, the rest of the file is not parsed */

/* Keywords that begin a statement of a file. */
static const char *const file_words[] = {"rule", "test", "include", "mode", "default", NULL};

/* ---- tokens ---- */

void ps_rules_advance(struct rules_parser *parser)
{
    parser->token_end = parser->lexer.at;
    ps_rules_lexer_next(&parser->lexer, &parser->token);
    if (parser->token.kind == TOKEN_BAD) /* already reported by the lexer */
        parser->panic = parser->lexer.quiet = true;
}

void ps_rules_advance_regex(struct rules_parser *parser)
{
    parser->token_end = parser->lexer.at;
    ps_rules_lexer_regex(&parser->lexer, &parser->token);
    if (parser->token.kind == TOKEN_BAD)
        parser->panic = parser->lexer.quiet = true;
}

void ps_rules_syntax_error(struct rules_parser *parser, struct ps_rules_place place, const char *cure,
                           const char *format, ...)
{
    if (parser->panic)
        return;
    char what[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    ps_rules_problem_add(parser->loader->problems, PS_RULES_ERROR, place, cure, "%s", what);
    parser->panic = parser->lexer.quiet = true;
}

void ps_rules_expected(struct rules_parser *parser, const char *what, const char *cure)
{
    ps_rules_syntax_error(parser, parser->token.place, cure, "expected %s, found %s", what,
                          ps_rules_token_words(parser->arena, &parser->token));
}

bool ps_rules_take(struct rules_parser *parser, enum rules_token_kind kind, const char *what)
{
    if (parser->token.kind != kind) {
        ps_rules_expected(parser, what, NULL);
        return false;
    }
    ps_rules_advance(parser);
    return true;
}

bool ps_rules_at_word(const struct rules_parser *parser, const char *word)
{
    return ps_rules_token_is(&parser->token, word);
}

bool ps_rules_take_word(struct rules_parser *parser, const char *word)
{
    if (!ps_rules_at_word(parser, word))
        return false;
    ps_rules_advance(parser);
    return true;
}

const char *ps_rules_word(struct rules_parser *parser)
{
    return ps_arena_copy(parser->arena, parser->token.text, parser->token.length);
}

const char *ps_rules_nearest(struct rules_parser *parser, const char *const *words)
{
    struct ps_nearest nearest;
    if (parser->token.kind != TOKEN_WORD)
        return NULL;
    ps_nearest_init(&nearest, ps_rules_word(parser));
    for (; *words != NULL; words++)
        ps_nearest_offer(&nearest, *words);
    return nearest.word == NULL ? NULL : ps_arena_format(parser->arena, "did you mean `%s`?", nearest.word);
}

/* ---- names, headers, channels ---- */

static bool is_one_of(const struct rules_token *token, const char *const *words)
{
    for (; *words != NULL; words++)
        if (ps_rules_token_is(token, *words))
            return true;
    return false;
}

/* Checks a name: not empty, not too long, no control characters. Returns NULL after reporting an error. */
static const char *name_check(struct rules_parser *parser, const struct rules_token *token, const char *text,
                              size_t length)
{
    const char *what = NULL;
    if (length == 0)
        what = "a name is empty";
    else if (length > RULES_NAME_BYTES_MAX)
        what = ps_arena_format(parser->arena, "a name is longer than %u bytes", RULES_NAME_BYTES_MAX);
    for (size_t i = 0; i < length && what == NULL; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f)
            what = "a name contains a control character";
    if (what == NULL)
        return ps_arena_copy(parser->loader->arena, text, length);
    ps_rules_syntax_error(parser, token->place, NULL, "%s", what);
    return NULL;
}

const char *ps_rules_take_name(struct rules_parser *parser, const char *what, bool reserved)
{
    struct rules_token *token = &parser->token;
    if (token->kind != TOKEN_WORD && token->kind != TOKEN_STRING) {
        ps_rules_expected(parser, what, NULL);
        return NULL;
    }
    if (reserved && token->kind == TOKEN_WORD &&
        (is_one_of(token, ps_rules_action_words) || is_one_of(token, file_words) ||
         ps_rules_token_is(token, "expect") || ps_rules_at_header(parser))) {
        ps_rules_expected(parser, what,
                          ps_arena_format(parser->arena,
                                          "a name that is also a keyword must be in quotes: \"%s\"",
                                          ps_rules_word(parser)));
        return NULL;
    }
    const char *name = name_check(parser, token, token->text, token->length);
    if (name != NULL)
        ps_rules_advance(parser);
    return name;
}

static const char header_word[] = "header.";

bool ps_rules_at_header(const struct rules_parser *parser)
{
    const struct rules_token *token = &parser->token;
    return token->kind == TOKEN_WORD && (ps_rules_token_is(token, "header") ||
                                         (token->length >= sizeof header_word - 1 &&
                                          memcmp(token->text, header_word, sizeof header_word - 1) == 0));
}

const char *ps_rules_take_header(struct rules_parser *parser)
{
    struct rules_token *token = &parser->token;
    if (!ps_rules_at_header(parser) || ps_rules_token_is(token, "header")) {
        ps_rules_expected(
            parser, "a header, written header.NAME or header.\"any name\"",
            token->kind == TOKEN_WORD && !ps_rules_at_header(parser) &&
                    !is_one_of(token, ps_rules_action_words)
                ? ps_arena_format(parser->arena, "did you mean header.%s?", ps_rules_word(parser))
                : NULL);
        return NULL;
    }
    size_t length = token->length - (sizeof header_word - 1);
    if (length == 0) {
        ps_rules_advance(parser);
        if (token->kind != TOKEN_STRING || !token->glued) {
            ps_rules_expected(parser, "a name right after `header.`", "header.name or header.\"any name\"");
            return NULL;
        }
    }
    const char *name = length > 0 ? name_check(parser, token, token->text + token->length - length, length)
                                  : name_check(parser, token, token->text, token->length);
    if (name != NULL)
        ps_rules_advance(parser);
    return name;
}

bool ps_rules_take_subject(struct rules_parser *parser, struct ps_rules_subject *subject)
{
    subject->header = NULL;
    if (ps_rules_take_word(parser, "body"))
        return true;
    if (!ps_rules_at_header(parser)) {
        ps_rules_expected(parser, "`body` or header.NAME", NULL);
        return false;
    }
    subject->header = ps_rules_take_header(parser);
    return subject->header != NULL;
}

/* Keeps a channel's name in the problems' arena, because the loader's texts are freed when the load fails. */
static void route_keep(struct ps_rules_problems *problems, const char *name, struct ps_rules_place place)
{
    const char *last =
        problems->route_count > 0 ? problems->routes[problems->route_count - 1].place.file : NULL;
    place.file =
        last != NULL && strcmp(last, place.file) == 0 ? last : ps_arena_text(problems->arena, place.file);
    *RULES_PUSH(problems->arena, problems->routes, problems->route_count) =
        (struct ps_rules_channel){ps_arena_text(problems->arena, name), place};
}

bool ps_rules_take_channels(struct rules_parser *parser, struct ps_rules_channel **channels, size_t *count)
{
    for (;;) {
        struct ps_rules_place place = parser->token.place;
        const char *name = ps_rules_take_name(parser, "the name of a channel", true);
        if (name == NULL)
            return false;
        struct ps_rules_problems *problems = parser->loader->problems;
        if (problems->keep_routes)
            route_keep(problems, name, place);
        bool twice = false;
        for (size_t i = 0; i < *count && !twice; i++)
            twice = strcmp((*channels)[i].name, name) == 0;
        if (twice)
            ps_rules_problem_add(problems, PS_RULES_WARNING, place, NULL, "channel `%s` is named twice here",
                                 name);
        else if (*count == 1024)
            ps_rules_syntax_error(parser, place, NULL, "more than 1024 channels in one list");
        else
            *RULES_PUSH(parser->loader->arena, *channels, *count) = (struct ps_rules_channel){name, place};
        if (parser->token.kind != TOKEN_COMMA)
            return true;
        ps_rules_advance(parser);
    }
}

/* ---- recovery after an error ---- */

/* Returns whether the token is a keyword of the file level at the start of a line. It ends every block: a brace is
 * missing. */
static bool at_file_word(const struct rules_parser *parser)
{
    return parser->token.first_on_line && is_one_of(&parser->token, file_words);
}

/* Words that may begin a line in the middle of a statement. */
static const char *const continuation_words[] = {
    "and",  "or", "not",  "true",   "exists", "size", "body",  "in",   "contains", "begins",
    "ends", "as", "with", "unless", "to",     "per",  "burst", "else", NULL};

static bool at_statement(const struct rules_parser *parser, bool in_rule)
{
    const struct rules_token *token = &parser->token;
    if (!token->first_on_line || token->kind != TOKEN_WORD)
        return false;
    return !in_rule || (!is_one_of(token, continuation_words) && !ps_rules_at_header(parser));
}

/* Skips one token without reporting. Reads expressions as such, so that a brace inside one is not counted. */
static void skip_token(struct rules_parser *parser)
{
    bool regex = parser->token.kind == TOKEN_TILDE || parser->token.kind == TOKEN_NOT_TILDE ||
                 ps_rules_at_word(parser, "replace");
    if (regex && ps_rules_lexer_at_regex(&parser->lexer))
        ps_rules_lexer_regex(&parser->lexer, &parser->token);
    else
        ps_rules_lexer_next(&parser->lexer, &parser->token);
}

void ps_rules_recover(struct rules_parser *parser, bool in_rule, struct ps_rules_place from)
{
    unsigned depth = 0;
    parser->lexer.quiet = true;
    while (parser->token.kind != TOKEN_END && !at_file_word(parser)) {
        bool moved = parser->token.place.line != from.line || parser->token.place.column != from.column;
        if (depth == 0 && (parser->token.kind == TOKEN_CLOSE || (moved && at_statement(parser, in_rule))))
            break;
        if (parser->token.kind == TOKEN_OPEN)
            depth++;
        else if (parser->token.kind == TOKEN_CLOSE)
            depth--;
        skip_token(parser);
    }
    parser->panic = parser->lexer.quiet = false;
}

/* Skips from the statement that began at `from` to the next statement: a keyword of the file level, or any line outside
 * of braces. */
static void file_recover(struct rules_parser *parser, struct ps_rules_place from)
{
    unsigned depth = 0;
    parser->lexer.quiet = true;
    while (parser->token.kind != TOKEN_END) {
        const struct rules_token *token = &parser->token;
        bool moved = token->place.line != from.line || token->place.column != from.column;
        if (moved &&
            (at_file_word(parser) || (depth == 0 && token->first_on_line && token->kind != TOKEN_BAD)))
            break;
        if (token->kind == TOKEN_OPEN)
            depth++;
        else if (token->kind == TOKEN_CLOSE && depth > 0)
            depth--;
        skip_token(parser);
    }
    parser->panic = parser->lexer.quiet = false;
}

bool ps_rules_block_has_more(struct rules_parser *parser, const char *kind, const char *name,
                             struct ps_rules_place place)
{
    while (parser->token.kind == TOKEN_SEMICOLON)
        ps_rules_advance(parser);
    if (parser->token.kind == TOKEN_CLOSE) {
        ps_rules_advance(parser);
        return false;
    }
    if (parser->token.kind != TOKEN_END && !at_file_word(parser))
        return true;
    struct ps_rules_place at = parser->token.place;
    if (parser->lexer.unclosed_line <
        place.line) /* else the } may be in the unclosed text that was reported */
        ps_rules_syntax_error(parser, at, "a } is missing",
                              parser->token.kind == TOKEN_END
                                  ? "the file ends inside %s \"%s\", begun at line %d"
                                  : "%s \"%s\", begun at line %d, is not closed before this",
                              kind, name, place.line);
    parser->panic = parser->lexer.quiet = false;
    return false;
}

/* ---- rules ---- */

static bool take_priority(struct rules_parser *parser, struct ps_rule *rule)
{
    double number;
    const struct rules_token *token = &parser->token;
    bool good = token->kind == TOKEN_WORD && ps_rules_number(token->text, token->length, &number) &&
                memchr(token->text, '.', token->length) == NULL;
    if (!good || number < -PRIORITY_MAX || number > PRIORITY_MAX) {
        ps_rules_expected(parser, "a whole number from -1000000 to 1000000 after `priority`",
                          "rules with a higher priority are tried first; the default is 0");
        return false;
    }
    rule->priority = (int64_t)number;
    ps_rules_advance(parser);
    return true;
}

static const char *head_cure(struct rules_parser *parser)
{
    static const char *const words[] = {"priority", "disabled", NULL};
    const char *cure = ps_rules_nearest(parser, words);
    return cure != NULL || parser->token.kind != TOKEN_WORD
               ? cure
               : "a name of several words must be in quotes: \"a name\"";
}

/* Skips the rest of a head that has an error, to its brace. If something stands before the brace that belongs behind it, it is
 * not known where the block begins: then the rule is skipped to the next keyword of the file level. */
static void head_recover(struct rules_parser *parser)
{
    bool known = true;
    while (parser->token.kind != TOKEN_END && !at_file_word(parser) &&
           !(known && parser->token.kind == TOKEN_OPEN)) {
        known = known && parser->token.kind != TOKEN_CLOSE && !ps_rules_at_word(parser, "when") &&
                !is_one_of(&parser->token, ps_rules_action_words);
        skip_token(parser);
    }
    parser->panic = parser->lexer.quiet = false;
}

/* Reads everything up to and including the brace. Returns false when no block follows. */
static bool take_rule_head(struct rules_parser *parser, struct ps_rule *rule)
{
    bool priority = false;
    rule->place = parser->token.place;
    rule->name = ps_rules_take_name(parser, "the name of the rule", false);
    while (rule->name != NULL && !parser->panic && parser->token.kind != TOKEN_OPEN) {
        struct ps_rules_place place = parser->token.place;
        if (ps_rules_take_word(parser, "priority")) {
            if (priority)
                ps_rules_problem_add(parser->loader->problems, PS_RULES_ERROR, place, NULL,
                                     "`priority` is given twice for one rule");
            priority = true;
            take_priority(parser, rule);
        } else if (!ps_rules_take_word(parser, "disabled")) {
            ps_rules_expected(parser, "`priority N`, `disabled` or `{`", head_cure(parser));
        } else {
            rule->disabled = true;
        }
    }
    if (rule->name == NULL)
        rule->name = "?";
    if (!parser->panic)
        return ps_rules_take(parser, TOKEN_OPEN, "`{`");
    head_recover(parser);
    bool block = parser->token.kind == TOKEN_OPEN;
    if (block)
        ps_rules_advance(parser);
    return block;
}

static void name_claim(struct rules_parser *parser, const struct ps_rule *rule)
{
    struct rules_loader *loader = parser->loader;
    size_t length = strlen(rule->name);
    if (loader->all_count == PS_RULES_MAX)
        return;
    uint32_t first = ps_rules_names_find(&loader->rule_names, rule->name, length);
    if (first == RULES_NAME_NONE)
        ps_rules_names_add(&loader->rule_names, loader->arena, rule->name, length,
                           (uint32_t)loader->all_count);
    else
        ps_rules_problem_add(loader->problems, PS_RULES_ERROR, rule->place,
                             "counters use the rule's name: choose another",
                             "there is a rule \"%s\" already, at %s", rule->name,
                             ps_rules_place_text(parser->arena, loader->all[first].place));
}

static void take_when(struct rules_parser *parser)
{
    struct ps_rule *rule = parser->rule;
    struct ps_rules_place place = parser->token.place;
    ps_rules_advance(parser);
    struct ps_condition *when = ps_rules_take_condition(parser);
    if (when == NULL)
        return;
    if (rule->when != NULL)
        ps_rules_problem_add(parser->loader->problems, PS_RULES_ERROR, place,
                             "join the conditions with `and`", "`when` twice in rule \"%s\"", rule->name);
    rule->when = when;
    if (!ps_rules_take_word(parser, "as"))
        return;
    if (!ps_rules_take_word(parser, "prefix")) {
        ps_rules_expected(parser, "`prefix \"x.\"` after `as`", NULL);
        return;
    }
    if (parser->token.kind != TOKEN_STRING) {
        ps_rules_expected(parser, "a string, the prefix", NULL);
        return;
    }
    const char *prefix = name_check(parser, &parser->token, parser->token.text, parser->token.length);
    if (prefix == NULL)
        return;
    rule->prefix = prefix;
    ps_rules_advance(parser);
}

static void take_rule(struct rules_parser *parser)
{
    struct rules_loader *loader = parser->loader;
    struct ps_rule rule = {.prefix = ""};
    size_t errors = loader->problems->errors;
    parser->group_source_count = parser->use_count = 0;
    parser->group_sources = NULL;
    parser->uses = NULL;
    parser->rule = &rule;
    if (take_rule_head(parser, &rule)) {
        if (loader->problems->errors == errors) /* else the name may be half of one */
            name_claim(parser, &rule);
        while (ps_rules_block_has_more(parser, "rule", rule.name, rule.place)) {
            struct ps_rules_place from = parser->token.place;
            if (ps_rules_at_word(parser, "when"))
                take_when(parser);
            else
                ps_rules_take_action(parser);
            if (parser->panic)
                ps_rules_recover(parser, true, from);
        }
        if (loader->problems->errors == errors)
            ps_rules_check_rule(parser);
        if (loader->all_count < PS_RULES_MAX) {
            *RULES_PUSH(loader->arena, loader->all, loader->all_count) = rule;
        } else if (!loader->rules_full) {
            loader->rules_full = true;
            ps_rules_problem_add(loader->problems, PS_RULES_ERROR, rule.place, NULL, "more than %u rules",
                                 PS_RULES_MAX);
        }
    }
    parser->rule = NULL;
}

/* ---- other statements ---- */

static void take_mode(struct rules_parser *parser, struct ps_rules_place place)
{
    struct rules_loader *loader = parser->loader;
    if (loader->mode_place.line > 0)
        ps_rules_problem_add(loader->problems, PS_RULES_ERROR, place, "set it once for all files",
                             "`mode` is set already, at %s",
                             ps_rules_place_text(parser->arena, loader->mode_place));
    loader->mode_place = place;
    if (ps_rules_take_word(parser, "first"))
        loader->owned->rules.mode = PS_RULES_FIRST;
    else if (ps_rules_take_word(parser, "all"))
        loader->owned->rules.mode = PS_RULES_ALL;
    else
        ps_rules_expected(parser, "`first` or `all` after `mode`",
                          "first: the first rule that matches acts; all: every one that matches");
}

static void take_default(struct rules_parser *parser, struct ps_rules_place place)
{
    struct rules_loader *loader = parser->loader;
    struct ps_rules *rules = &loader->owned->rules;
    if (loader->default_place.line > 0)
        ps_rules_problem_add(loader->problems, PS_RULES_ERROR, place, "name all channels in one place",
                             "`default` is set already, at %s",
                             ps_rules_place_text(parser->arena, loader->default_place));
    loader->default_place = place;
    ps_rules_take_channels(parser, &rules->defaults, &rules->default_count);
}

static void take_include(struct rules_parser *parser)
{
    struct rules_token token = parser->token;
    if (token.kind != TOKEN_STRING) {
        ps_rules_expected(parser, "the name of a file in quotes", "include \"common.rules\"");
        return;
    }
    const char *name = name_check(parser, &token, token.text, token.length);
    if (name == NULL)
        return;
    ps_rules_advance(parser);
    ps_rules_include(parser->loader, name, token.place, parser->depth + 1);
}

static void statement_missing(struct rules_parser *parser)
{
    const char *cure = ps_rules_nearest(parser, file_words);
    if (cure == NULL && is_one_of(&parser->token, ps_rules_action_words))
        cure = "it belongs in a rule: rule name { when ... }";
    else if (parser->token.kind == TOKEN_CLOSE)
        cure = "there is one } too many, here or before";
    ps_rules_expected(parser, "`rule`, `test`, `include`, `mode` or `default`", cure);
}

static void take_statement(struct rules_parser *parser)
{
    struct ps_rules_place place = parser->token.place;
    if (ps_rules_take_word(parser, "rule"))
        take_rule(parser);
    else if (ps_rules_take_word(parser, "test"))
        ps_rules_take_test(parser);
    else if (ps_rules_take_word(parser, "include"))
        take_include(parser);
    else if (ps_rules_take_word(parser, "mode"))
        take_mode(parser, place);
    else if (ps_rules_take_word(parser, "default"))
        take_default(parser, place);
    else
        statement_missing(parser);
}

void ps_rules_parse_text(struct rules_loader *loader, const char *file, const char *text, size_t length,
                         unsigned depth)
{
    struct rules_parser parser = {.loader = loader, .arena = loader->arena, .depth = depth};
    ps_rules_lexer_init(&parser.lexer, loader->arena, loader->problems, file, text, length);
    ps_rules_advance(&parser);
    if (parser.token.kind == TOKEN_END && (depth == 0 || length == 0))
        ps_rules_problem_add(loader->problems, PS_RULES_ERROR, (struct ps_rules_place){.file = file}, NULL,
                             length == 0 ? "the file is empty" : "there is nothing in this file");
    while (parser.token.kind != TOKEN_END && loader->problems->errors < ERRORS_MAX) {
        struct ps_rules_place from = parser.token.place;
        if (!parser.panic)
            take_statement(&parser);
        if (parser.panic)
            file_recover(&parser, from);
        while (parser.token.kind == TOKEN_SEMICOLON)
            ps_rules_advance(&parser);
    }
}
