/* `test` blocks: an event and the result expected for it. */
#include <stdlib.h>
#include <string.h>

#include "regex/rules/internal.h"

static bool take_string(struct rules_parser *parser, const char *what, struct ps_slice *text)
{
    struct rules_token *token = &parser->token;
    if (token->kind == TOKEN_WORD && ps_rules_number(token->text, token->length, &(double){0})) {
        *text = (struct ps_slice){ps_rules_word(parser), token->length};
    } else if (token->kind == TOKEN_STRING) {
        *text = (struct ps_slice){token->text, token->length};
    } else {
        ps_rules_expected(parser, what, NULL);
        return false;
    }
    ps_rules_advance(parser);
    return true;
}

static bool given_twice(struct rules_parser *parser, bool already, struct ps_rules_place place,
                        const char *what)
{
    if (already)
        ps_rules_problem_add(parser->loader->problems, PS_RULES_ERROR, place, NULL,
                             "%s is given twice in one test", what);
    return already;
}

/* Reads `header.x = "v"`. In an expectation it is written with ==; both signs are accepted in both places. */
static bool take_header_value(struct rules_parser *parser, struct ps_rules_header_value *value)
{
    value->name = ps_rules_take_header(parser);
    if (value->name == NULL)
        return false;
    if (parser->token.kind != TOKEN_ASSIGN && parser->token.kind != TOKEN_EQUAL) {
        ps_rules_expected(parser, "`=` and the header's value", NULL);
        return false;
    }
    ps_rules_advance(parser);
    return take_string(parser, "a string, the header's value", &value->value);
}

/* Takes "a, b" or "none". */
static bool take_names(struct rules_parser *parser, const char *what, const char ***names, size_t *count,
                       bool rules)
{
    if (ps_rules_take_word(parser, "none"))
        return true;
    for (;;) {
        struct ps_rules_place place = parser->token.place;
        const char *name = ps_rules_take_name(parser, what, true);
        if (name == NULL)
            return false;
        *RULES_PUSH(parser->arena, *names, *count) = name;
        if (rules)
            *RULES_PUSH(parser->arena, parser->loader->expected, parser->loader->expected_count) =
                (struct ps_rules_expected){name, place};
        if (parser->token.kind != TOKEN_COMMA)
            return true;
        ps_rules_advance(parser);
    }
}

static void expect_missing(struct rules_parser *parser)
{
    static const char *const words[] = {"drop", "rules", "route", "header", "no", "body", NULL};
    ps_rules_expected(parser,
                      "`drop`, `rules`, `route`, `header.NAME ==`, `no header.NAME` or `body` after `expect`",
                      ps_rules_nearest(parser, words));
}

static void take_expect(struct rules_parser *parser, struct ps_rules_test *test)
{
    struct ps_rules_place place = parser->token.place;
    if (ps_rules_take_word(parser, "drop")) {
        test->expect_drop = true;
    } else if (ps_rules_take_word(parser, "rules") || ps_rules_take_word(parser, "rule")) {
        if (!given_twice(parser, test->expect_rules_set, place, "`expect rules`"))
            test->expect_rules_set = true;
        take_names(parser, "the name of a rule, or `none`", &test->expect_rules, &test->expect_rule_count,
                   true);
    } else if (ps_rules_take_word(parser, "route")) {
        if (!given_twice(parser, test->expect_route_set, place, "`expect route`"))
            test->expect_route_set = true;
        take_names(parser, "the name of a channel, or `none`", &test->expect_routes,
                   &test->expect_route_count, false);
    } else if (ps_rules_take_word(parser, "body")) {
        if (!given_twice(parser, test->expect_body_set, place, "`expect body`"))
            test->expect_body_set = true;
        if (parser->token.kind == TOKEN_EQUAL || parser->token.kind == TOKEN_ASSIGN)
            ps_rules_advance(parser);
        take_string(parser, "a string, the body", &test->expect_body);
    } else if (ps_rules_take_word(parser, "no")) {
        const char *name = ps_rules_take_header(parser);
        if (name != NULL)
            *RULES_PUSH(parser->arena, test->expect_no_headers, test->expect_no_header_count) = name;
    } else if (ps_rules_at_header(parser)) {
        struct ps_rules_header_value value;
        if (take_header_value(parser, &value))
            *RULES_PUSH(parser->arena, test->expect_headers, test->expect_header_count) = value;
    } else {
        expect_missing(parser);
    }
}

static void take_statement(struct rules_parser *parser, struct ps_rules_test *test, bool *body)
{
    struct ps_rules_place place = parser->token.place;
    if (ps_rules_take_word(parser, "body")) {
        given_twice(parser, *body, place, "`body`");
        *body = true;
        if (parser->token.kind == TOKEN_ASSIGN)
            ps_rules_advance(parser);
        take_string(parser, "a string, the body", &test->body);
    } else if (ps_rules_at_header(parser)) {
        struct ps_rules_header_value value;
        if (take_header_value(parser, &value))
            *RULES_PUSH(parser->arena, test->headers, test->header_count) = value;
    } else if (ps_rules_take_word(parser, "expect")) {
        take_expect(parser, test);
    } else {
        ps_rules_expected(parser, "`body`, `header.NAME =`, `expect` or `}`", NULL);
    }
}

static void test_check(struct rules_parser *parser, const struct ps_rules_test *test)
{
    struct ps_rules_problems *problems = parser->loader->problems;
    if (!test->expect_drop && !test->expect_rules_set && !test->expect_route_set && !test->expect_body_set &&
        test->expect_header_count == 0 && test->expect_no_header_count == 0)
        ps_rules_problem_add(problems, PS_RULES_ERROR, test->place,
                             "write `expect rules ...` or another expectation",
                             "the test \"%s\" expects nothing", test->name);
    if (test->expect_drop && test->expect_route_set && test->expect_route_count > 0)
        ps_rules_problem_add(problems, PS_RULES_ERROR, test->place, NULL,
                             "the test \"%s\" expects the event to be dropped and to be routed", test->name);
}

void ps_rules_take_test(struct rules_parser *parser)
{
    struct rules_loader *loader = parser->loader;
    struct ps_rules *rules = &loader->owned->rules;
    struct ps_rules_test test = {.place = parser->token.place, .body = {"", 0}};
    test.name = ps_rules_take_name(parser, "the test's name", false);
    if (test.name == NULL || !ps_rules_take(parser, TOKEN_OPEN, "`{`"))
        return;
    uint32_t first = ps_rules_names_find(&loader->test_names, test.name, strlen(test.name));
    if (first != RULES_NAME_NONE)
        ps_rules_problem_add(loader->problems, PS_RULES_ERROR, test.place, NULL,
                             "there is a test \"%s\" already, at %s", test.name,
                             ps_rules_place_text(parser->arena, rules->tests[first].place));
    else
        ps_rules_names_add(&loader->test_names, loader->arena, test.name, strlen(test.name),
                           (uint32_t)rules->test_count);
    bool body = false;
    size_t errors = loader->problems->errors;
    while (ps_rules_block_has_more(parser, "test", test.name, test.place)) {
        struct ps_rules_place from = parser->token.place;
        take_statement(parser, &test, &body);
        if (parser->panic)
            ps_rules_recover(parser, false, from);
    }
    if (loader->problems->errors == errors)
        test_check(parser, &test);
    *RULES_PUSH(loader->arena, rules->tests, rules->test_count) = test;
}
