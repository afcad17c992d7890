/* Parses rules and writes the tree back as text, with every parenthesis. */
#include "tests/support/support.h"

#include <stdio.h>

#include "regex/rules/rules.h"

struct fixture {
    struct ps_rules_problems problems;
    struct ps_rules *rules;
};

static struct fixture *parse_length(const char *text, size_t length)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    fixture->problems.arena = ps_arena_create();
    fixture->rules = ps_rules_parse("t", text, length, &fixture->problems);
    for (size_t i = 0; i < ps_rules_problems_kept(&fixture->problems); i++)
        print_message("%s\n", ps_rules_problem_text(fixture->problems.arena, &fixture->problems.items[i]));
    return fixture;
}

static struct fixture *parse(const char *text)
{
    return parse_length(text, strlen(text));
}

static void fixture_free(struct fixture *fixture)
{
    ps_rules_destroy(fixture->rules);
    ps_arena_destroy(fixture->problems.arena);
    free(fixture);
}

/* ---- the tree as text ---- */

static void bytes_write(FILE *to, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)text[i] < ' ' || (unsigned char)text[i] >= 0x7f)
            fprintf(to, "<%02x>", (unsigned char)text[i]);
        else
            fputc(text[i], to);
}

static void subject_write(FILE *to, struct ps_rules_subject subject)
{
    fprintf(to, "%s", subject.header != NULL ? subject.header : "BODY");
}

static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">=", "in", "contains", "begins", "ends"};

static void condition_write(FILE *to, const struct ps_rules *rules, const struct ps_condition *condition)
{
    switch (condition->kind) {
    case PS_CONDITION_TRUE:
        fputs("true", to);
        break;
    case PS_CONDITION_AND:
    case PS_CONDITION_OR:
        fputc('(', to);
        condition_write(to, rules, condition->left);
        fputs(condition->kind == PS_CONDITION_AND ? " and " : " or ", to);
        condition_write(to, rules, condition->right);
        fputc(')', to);
        break;
    case PS_CONDITION_NOT:
        fputs("not ", to);
        condition_write(to, rules, condition->left);
        break;
    case PS_CONDITION_MATCH:
        subject_write(to, rules->patterns[condition->pattern].subject);
        fprintf(to, "~%u<%s|%u>", condition->pattern,
                ps_regex_text(rules->patterns[condition->pattern].regex),
                ps_regex_flags_of(rules->patterns[condition->pattern].regex));
        break;
    case PS_CONDITION_EXISTS:
        fprintf(to, "exists %s", condition->subject.header);
        break;
    case PS_CONDITION_SIZE:
        fprintf(to, "size %s %.0f", operators[condition->op], condition->values[0].number);
        break;
    case PS_CONDITION_COMPARE:
        subject_write(to, condition->subject);
        fprintf(to, " %s", operators[condition->op]);
        for (size_t i = 0; i < condition->value_count; i++) {
            fputs(condition->values[i].is_number ? " #" : " ", to);
            bytes_write(to, condition->values[i].text.data, condition->values[i].text.length);
        }
        break;
    }
}

static void template_write(FILE *to, const struct ps_rules_template *text)
{
    for (size_t i = 0; i < text->count; i++) {
        static const char *const kinds[] = {"", "group:", "header:", "body"};
        fprintf(to, "[%s", kinds[text->pieces[i].kind]);
        bytes_write(to, text->pieces[i].text, text->pieces[i].length);
        fputc(']', to);
    }
}

static void channels_write(FILE *to, const struct ps_rules_channel *channels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        fprintf(to, " %s", channels[i].name);
}

static void action_write(FILE *to, const struct ps_action *action)
{
    static const char *const words[] = {"route", "set",  "copy",   "remove", "extract", "replace",
                                        "tag",   "drop", "sample", "limit",  "stop",    "continue"};
    fprintf(to, "; %s", words[action->kind]);
    if (action->optional)
        fputs(" optional", to);
    if (action->from != NULL)
        fprintf(to, " from %s", action->from);
    if (action->header != NULL)
        fprintf(to, " %s ", action->header);
    if (action->kind == PS_ACTION_EXTRACT || action->per_key) {
        fputc(' ', to);
        subject_write(to, action->subject);
    }
    if (action->regex != NULL)
        fprintf(to, " <%s|%u>", ps_regex_text(action->regex), ps_regex_flags_of(action->regex));
    assert_true((action->kind == PS_ACTION_REPLACE) == (action->replacement != NULL));
    template_write(to, &action->text);
    if (action->unless_exists)
        fputs(" unless", to);
    if (action->one_in > 0)
        fprintf(to, " 1/%llu", (unsigned long long)action->one_in);
    if (action->kind == PS_ACTION_LIMIT)
        fprintf(to, " %.4f/s burst %g", action->per_second, action->burst);
    channels_write(to, action->channels, action->channel_count);
}

/* Writes everything after "rule NAME": priority when not 0, condition, prefix, actions. */
static char *rule_text(const struct ps_rules *rules, const struct ps_rule *rule)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    if (rule->priority != 0)
        fprintf(to, "%lld ", (long long)rule->priority);
    condition_write(to, rules, rule->when);
    if (rule->prefix[0] != '\0')
        fprintf(to, " as %s", rule->prefix);
    for (size_t i = 0; i < rule->action_count; i++)
        action_write(to, &rule->actions[i]);
    fclose(to);
    return text;
}

/* Parses one rule with the block `inside`. */
static void expect_rule(const char *inside, const char *expected)
{
    char text[4096];
    snprintf(text, sizeof text, "rule r {\n%s\n}\n", inside);
    struct fixture *fixture = parse(text);
    assert_non_null(fixture->rules);
    assert_int_equal(fixture->rules->rule_count, 1);
    char *found = rule_text(fixture->rules, &fixture->rules->rules[0]);
    assert_string_equal(found, expected);
    free(found);
    fixture_free(fixture);
}

static void test_conditions(void **state)
{
    expect_rule("when true drop", "true; drop");
    expect_rule("when body ~ /a/ or body ~ /b/ and not body ~ /c/ drop",
                "(BODY~0<a|0> or (BODY~1<b|0> and not BODY~2<c|0>)); drop");
    expect_rule("when (body ~ /a/ or body ~ /b/) and body ~ /c/ drop",
                "((BODY~0<a|0> or BODY~1<b|0>) and BODY~2<c|0>); drop");
    expect_rule("when not not true drop", "not not true; drop");
    expect_rule("when not (true and true) drop", "not (true and true); drop");
    expect_rule("when body !~ /a/ drop", "not BODY~0<a|0>; drop");
    expect_rule("when header.x !~ /a/ drop", "(exists x and not x~0<a|0>); drop");
    expect_rule("when header.\"x y\" ~ /a/ drop", "x y~0<a|0>; drop");
    expect_rule("when header.x-y.z_1 == \"v\" drop", "x-y.z_1 == v; drop");
    expect_rule("when header.x in (\"a\", 5,\"06\") drop", "x in a #5 #06; drop");
    expect_rule("when header.x < -1.5 and header.x<=2 and header.x>3 drop",
                "(x < #-1.5 and (x <= #2 and x > #3)); drop");
    expect_rule("when header.x>=\"4\" or header.x!=\"5 \" or true or true drop",
                "((x >= #4 or x != 5 ) or (true or true)); drop");
    expect_rule("when body contains \"a\\\"\\\\\\n\\r\\t\\x00\\xff\\u00e9\" drop",
                "BODY contains a\"\\<0a><0d><09><00><ff><c3><a9>; drop");
    expect_rule("when header.x begins \"\" and header.x ends \"\\ud83d\\ude00\" drop",
                "(x begins  and x ends <f0><9f><98><80>); drop");
    expect_rule("when exists header.a and size >= 100 and size != 5 drop",
                "(exists a and (size >= 100 and size != 5)); drop");
    expect_rule("drop when true # the order of when and actions is free\n", "true; drop");
    expect_rule("when body ~ /(?<a>x)/ as prefix \"p.\" set header.x = \"${a}\"",
                "BODY~0<(?<a>x)|0> as p.; set x [group:a]");
}

static void test_expressions(void **state)
{
    expect_rule("when body ~ /a\\/b/ drop", "BODY~0<a/b|0>; drop");
    expect_rule("when body ~ m|a/b\\|c| drop", "BODY~0<a/b\\|c|0>; drop");
    expect_rule("when body ~ m!a\\!b! drop", "BODY~0<a!b|0>; drop");
    expect_rule("when body ~ m,a{1\\,2}, drop", "BODY~0<a{1,2}|0>; drop");
    expect_rule("when body ~ m%a\\d\\%% drop", "BODY~0<a\\d%|0>; drop");
    expect_rule("when body ~ m@a\\\\@ drop", "BODY~0<a\\\\|0>; drop");
    expect_rule("when body ~ /#no comment/ drop", "BODY~0<#no comment|0>; drop");
    expect_rule("when body ~\n  # a comment\n /a/ drop", "BODY~0<a|0>; drop");
    expect_rule("when body ~ /a/i drop", "BODY~0<a|1>; drop");
    expect_rule("when body ~ /a/imsxuUd drop", "BODY~0<a|127>; drop");
}

static void test_actions(void **state)
{
    expect_rule("when true route a", "true; route a");
    expect_rule("when true route a, \"b c\"\n, d route optional e", "true; route a b c d; route optional e");
    expect_rule("when true set header.t = \"x-$${a}$$-${header.h i}-${body}-${rule}\"",
                "true; set t [x-$][{a}$][-][header:h i][-][body][-][r]");
    expect_rule("when true set header.t = \"\"", "true; set t ");
    expect_rule("when true set header.t = 5 unless exists", "true; set t [5] unless");
    expect_rule("when true copy header.a to header.b; remove header.a;", "true; copy from a b ; remove a ");
    expect_rule("when true extract header.h ~ /(?<u>\\w+)/i set header.k = \"${u}\"",
                "true; extract h <(?<u>\\w+)|1>; set k [group:u]");
    expect_rule("when true extract body ~ m|(?<u>a)| replace /(\\d)x/ with \"$1\\\\$\"",
                "true; extract BODY <(?<u>a)|0>; replace <(\\d)x|0>");
    expect_rule("when true tag slow tag \"very slow\"", "true; tag[slow]; tag[very slow]");
    expect_rule("when true sample 1/100 stop", "true; sample 1/100; stop");
    expect_rule("when true sample 1 / 1 continue", "true; sample 1/1; continue");
    expect_rule("when true limit 100/s", "true; limit 100.0000/s burst 100");
    expect_rule("when true limit 6/m per header.x", "true; limit x 0.1000/s burst 1");
    expect_rule("when true limit 36000/h burst 2.5 per body else route a, b",
                "true; limit BODY 10.0000/s burst 2.5 a b");
}

static void test_file(void **state)
{
    struct fixture *fixture =
        parse("\xef\xbb\xbf# a mark and line ends of Windows\r\nmode all\r\n"
              "default c1, \"c 2\"\r\n"
              "rule a { when body ~ /x/ drop }\r\n"
              "rule \"b b\" priority 5 { when body ~ /y/i tag t }\r\n"
              "rule off disabled priority 9 { when body ~ /off/ or body ~ /x/ drop }\r\n"
              "rule c priority -5 { when body ~ /z/ drop }\r\n"
              "rule d { when body ~ /y/ and header.y ~ /y/i and body ~ /y/i drop }\r\n");
    struct ps_rules *rules = fixture->rules;
    assert_non_null(rules);
    assert_int_equal(fixture->problems.count, 0);
    assert_int_equal(rules->mode, PS_RULES_ALL);
    assert_int_equal(rules->default_count, 2);
    assert_string_equal(rules->defaults[1].name, "c 2");
    static const char *const order[] = {"b b", "a", "d", "c"};
    assert_int_equal(rules->rule_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(rules->rules[i].name, order[i]);
    assert_int_equal(rules->rules[0].place.line, 5);
    assert_int_equal(rules->rules[0].place.column, 6);
    assert_int_equal(rules->disabled_count, 1);
    assert_int_equal(rules->disabled[0].priority, 9);
    /* /x/, /y/i, /z/, /y/, header /y/i; then /off/, which only a disabled rule uses. */
    assert_int_equal(rules->pattern_count, 5);
    assert_int_equal(rules->pattern_count_all, 6);
    assert_string_equal(ps_regex_text(rules->patterns[5].regex), "off");
    assert_int_equal(rules->disabled[0].when->left->pattern, 5);
    assert_int_equal(rules->disabled[0].when->right->pattern, rules->rules[1].when->pattern);
    char *text = rule_text(rules, &rules->rules[2]);
    assert_string_equal(text, "(BODY~3<y|0> and (y~4<y|1> and BODY~1<y|1>)); drop");
    free(text);
    assert_ptr_equal(rules->patterns[4].regex, rules->patterns[1].regex);
    assert_int_equal(rules->file_count, 1);
    assert_string_equal(rules->files[0], "t");
    fixture_free(fixture);
}

static void test_tests(void **state)
{
    struct fixture *fixture =
        parse("rule a { when true drop }\nrule b { when true drop }\n"
              "test \"one\" {\n body \"x\\x00y\"\n header.h = \"1\"\n header.n=2\n"
              " expect rules b, a\n expect route c, \"d e\"\n expect header.t == \"v\"\n"
              " expect no header.u\n expect body \"z\" }\n"
              "test two { expect drop expect rules none expect route none }\n");
    assert_non_null(fixture->rules);
    assert_int_equal(fixture->rules->test_count, 2);
    const struct ps_rules_test *one = &fixture->rules->tests[0], *two = &fixture->rules->tests[1];
    assert_string_equal(one->name, "one");
    assert_int_equal(one->place.line, 3);
    assert_int_equal(one->body.length, 3);
    assert_memory_equal(one->body.data, "x\0y", 3);
    assert_int_equal(one->header_count, 2);
    assert_string_equal(one->headers[1].name, "n");
    assert_int_equal(one->headers[1].value.length, 1);
    assert_true(one->expect_rules_set && one->expect_route_set && one->expect_body_set);
    assert_false(one->expect_drop);
    assert_int_equal(one->expect_rule_count, 2);
    assert_string_equal(one->expect_rules[0], "b");
    assert_int_equal(one->expect_route_count, 2);
    assert_string_equal(one->expect_routes[1], "d e");
    assert_int_equal(one->expect_header_count, 1);
    assert_string_equal(one->expect_headers[0].name, "t");
    assert_int_equal(one->expect_no_header_count, 1);
    assert_int_equal(one->expect_body.length, 1);
    assert_true(two->expect_drop && two->expect_rules_set && two->expect_route_set);
    assert_int_equal(two->expect_rule_count, 0);
    assert_int_equal(two->expect_route_count, 0);
    assert_int_equal(two->body.length, 0);
    fixture_free(fixture);
}

static void test_numbers(void **state)
{
    static const struct {
        const char *text;
        bool is;
        double number;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"007", true, 7},
        {"1.50", true, 1.5},
        {"-12.25", true, -12.25},
        {"123456789012345", true, 123456789012345},
        {"0.1", true, 0.1},
        {"1234567890123456", false, 0},
        {"00000000000000000001", true, 1},
        {"", false, 0},
        {"-", false, 0},
        {".5", false, 0},
        {"5.", false, 0},
        {"1e3", false, 0},
        {"+1", false, 0},
        {" 1", false, 0},
        {"1 ", false, 0},
        {"0x1", false, 0},
        {"1.2.3", false, 0},
        {"1,5", false, 0},
        {"--1", false, 0},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        double number = 99;
        assert_int_equal(ps_rules_number(cases[i].text, strlen(cases[i].text), &number), cases[i].is);
        assert_true(number == (cases[i].is ? cases[i].number : 99));
    }
}

static void test_always(void **state)
{
    static const struct {
        const char *when;
        bool always;
    } cases[] = {
        {"true", true},
        {"not true", false},
        {"true or size > 5", true},
        {"true and size > 5", false},
        {"size >= 0 and true", false},
        {"(true and true) or body ~ /x/", true},
        {"exists header.x", false},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        char text[256];
        snprintf(text, sizeof text, "rule r { when %s drop }", cases[i].when);
        struct fixture *fixture = parse(text);
        assert_non_null(fixture->rules);
        assert_int_equal(ps_condition_is_always(fixture->rules, fixture->rules->rules[0].when),
                         cases[i].always);
        fixture_free(fixture);
    }
}

/* Long chains must not make deep trees, so that recursion over them is safe. */
static size_t depth_of(const struct ps_condition *condition)
{
    if (condition == NULL)
        return 0;
    size_t left = depth_of(condition->left), right = depth_of(condition->right);
    return 1 + (left > right ? left : right);
}

static void test_long_chain(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    fputs("rule r { when body ~ /x0/", to);
    for (int i = 1; i < 4000; i++)
        fprintf(to, " %s header.h%d == \"%d\"", i % 100 == 0 ? "and" : "or", i, i);
    fputs(" drop }", to);
    fclose(to);
    struct fixture *fixture = parse_length(text, length);
    assert_non_null(fixture->rules);
    assert_in_range(depth_of(fixture->rules->rules[0].when), 10, 20);
    fixture_free(fixture);
    free(text);
}

static void test_many_rules(void **state)
{
    char *text = NULL;
    size_t length = 0;
    FILE *to = open_memstream(&text, &length);
    for (int i = 0; i < 20000; i++)
        fprintf(to, "rule r%d priority %d { when header.x == \"%d\" and body ~ /x%d/ drop }\n", i, i % 10, i,
                i % 3);
    for (int i = 0; i < 5000; i++)
        fprintf(to, "test t%d { expect rules r%d }\n", i, i * 4);
    fclose(to);
    struct fixture *fixture = parse_length(text, length);
    assert_non_null(fixture->rules);
    assert_int_equal(fixture->rules->rule_count, 20000);
    assert_int_equal(fixture->rules->pattern_count, 3);
    assert_int_equal(fixture->rules->test_count, 5000);
    assert_string_equal(fixture->rules->rules[0].name, "r9");
    assert_string_equal(fixture->rules->rules[1].name, "r19");
    assert_string_equal(fixture->rules->rules[19999].name, "r19990");
    fixture_free(fixture);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions), cmocka_unit_test(test_expressions),
        cmocka_unit_test(test_actions),    cmocka_unit_test(test_file),
        cmocka_unit_test(test_tests),      cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_always),     cmocka_unit_test(test_long_chain),
        cmocka_unit_test(test_many_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
