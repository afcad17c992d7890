/* penstock rules explain: runs one event, or every line of standard input, through the rules and prints which
 * match and why, part by part, what they did, and the result. Conditions are evaluated on the event before
 * any change, as the rules see it. Thread: main. */
#include "conf/report.h"
#include "commands/rules/rules.h"
#include "core/text/nearest.h"
#include "core/text/printable.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#define PARTS_INDENT 4U
#define GROUPS_SHOWN 32U

struct explain {
    struct ps_rules_command *command;
    struct ps_rules_harness harness;
    struct ps_regex_scratch *regex;
    struct ps_arena *arena; /* for one event */
    struct ps_rules_header_value *headers;
    size_t header_count;
    const struct ps_batch *came; /* the event before the rules */
    bool *holds;                 /* by rule */
    uint32_t *acted;             /* numbers of rules, in order */
    size_t acted_count;
    const char *on, *dim, *off; /* terminal colours */
};

static void on_rule(void *argument, uint16_t, const struct ps_rule *rule)
{
    struct explain *explain = argument;
    if (explain->acted_count < explain->harness.rules->rule_count)
        explain->acted[explain->acted_count++] = (uint32_t)(rule - explain->harness.rules->rules);
}

static bool condition_holds(const struct explain *explain, const struct ps_condition *condition)
{
    return ps_rules_condition_holds(explain->harness.set, explain->harness.scratch, condition, explain->came,
                                    &explain->came->events[0]);
}

/* Finds the text in which an expression is searched. Returns false if the event has no such header. */
static bool subject_of(const struct explain *explain, struct ps_rules_subject subject, struct ps_slice *text)
{
    const struct ps_event *event = &explain->came->events[0];
    if (subject.header != NULL)
        return ps_event_header(explain->came, event, ps_name_intern(subject.header), text);
    *text = (struct ps_slice){event->body, event->body_length};
    return true;
}

/* ---- a condition, as text ---- */

static void print_slice(const char *before, struct ps_slice text)
{
    printf("%s\"", before);
    ps_printable_write(stdout, text.data, text.length > 200 ? 200 : text.length);
    printf("\"%s", text.length > 200 ? "..." : "");
}

/* Prints below a match: the matched text, its named groups, and the engine. */
static void print_match(const struct explain *explain, const struct ps_condition *condition, unsigned indent)
{
    const struct ps_rules_pattern *pattern = &explain->harness.rules->patterns[condition->pattern];
    struct ps_slice groups[GROUPS_SHOWN], text;
    struct ps_matcher_cost cost;
    unsigned count = ps_regex_group_count(pattern->regex) + 1;
    count = count < GROUPS_SHOWN ? count : GROUPS_SHOWN;
    if (!subject_of(explain, pattern->subject, &text) ||
        !ps_regex_find(pattern->regex, explain->regex, text.data, text.length, 0, groups, count))
        return;
    ps_matcher_cost_of(pattern->regex, &cost);
    printf("%*s%s", (int)indent, "", explain->dim);
    print_slice("matched ", groups[0]);
    for (unsigned i = 1; i < count; i++) {
        const char *name = ps_regex_group_name(pattern->regex, i);
        if (name == NULL || groups[i].data == NULL)
            continue;
        printf(", %s = ", name);
        print_slice("", groups[i]);
    }
    printf(" (%s)%s\n", cost.engine_words, explain->off);
}

static void print_condition(const struct explain *explain, const struct ps_condition *condition,
                            unsigned indent);

/* Prints conditions joined by the same operator as one list. */
static void print_chain(const struct explain *explain, const struct ps_condition *condition,
                        enum ps_condition_kind kind, unsigned indent)
{
    if (condition->kind != kind) {
        print_condition(explain, condition, indent);
        return;
    }
    print_chain(explain, condition->left, kind, indent);
    print_chain(explain, condition->right, kind, indent);
}

static void print_condition(const struct explain *explain, const struct ps_condition *condition,
                            unsigned indent)
{
    bool holds = condition_holds(explain, condition);
    struct ps_slice text;
    printf("%*s%s%s%s  ", (int)indent, "", holds ? explain->on : explain->dim, holds ? "yes" : "no ",
           explain->off);
    if (condition->kind == PS_CONDITION_AND || condition->kind == PS_CONDITION_OR) {
        puts(condition->kind == PS_CONDITION_AND ? "all of" : "any of");
        print_chain(explain, condition, condition->kind, indent + PARTS_INDENT);
        return;
    }
    const char *words = ps_rules_leaf_text(explain->arena, explain->harness.rules, condition);
    ps_printable_write(stdout, words, strlen(words));
    if (condition->kind == PS_CONDITION_COMPARE && condition->subject.header != NULL) {
        if (subject_of(explain, condition->subject, &text))
            print_slice("   it is ", text);
        else
            fputs("   there is no such header", stdout);
    }
    putchar('\n');
    if (condition->kind == PS_CONDITION_NOT)
        print_condition(explain, condition->left, indent + PARTS_INDENT);
    else if (condition->kind == PS_CONDITION_MATCH && holds)
        print_match(explain, condition, indent + PARTS_INDENT + 1);
}

/* Returns whether at least one part of the condition that is not a negation holds. */
static bool nearly_holds(const struct explain *explain, const struct ps_condition *condition)
{
    if (condition->kind == PS_CONDITION_AND || condition->kind == PS_CONDITION_OR)
        return nearly_holds(explain, condition->left) || nearly_holds(explain, condition->right);
    return condition->kind != PS_CONDITION_NOT && condition_holds(explain, condition);
}

static void print_rule(const struct explain *explain, uint32_t number, const char *what, bool actions)
{
    const struct ps_rule *rule = &explain->harness.rules->rules[number];
    printf("%srule %s%s (%s) %s\n", explain->on, rule->name, explain->off,
           ps_rules_place_text(explain->arena, rule->place), what);
    print_condition(explain, rule->when, PARTS_INDENT);
    for (size_t i = 0; actions && i < rule->action_count; i++) {
        const char *text = rule->actions[i].source;
        printf("%*s-> ", (int)PARTS_INDENT, "");
        ps_printable_write(stdout, text, strlen(text));
        putchar('\n');
    }
}

/* ---- the result ---- */

static void print_route(const struct explain *explain, const struct ps_batch *batch)
{
    bool required;
    const char *separator = "";
    if (ps_rules_harness_dropped(&explain->harness, batch, 0)) {
        fputs(explain->harness.routes && explain->acted_count == 0
                  ? "dropped: no rule routes it, and there is no `default`"
                  : "dropped",
              stdout);
    } else if (!explain->harness.routes) {
        fputs("kept", stdout);
    } else {
        fputs("routed to ", stdout);
        for (size_t i = 0; i < explain->harness.channels.count; i++) {
            if (!ps_rules_harness_goes_to(&explain->harness, i, 0, &required))
                continue;
            printf("%s%s%s", separator, explain->harness.channels.items[i], required ? "" : " (optional)");
            separator = ", ";
        }
        if (explain->acted_count == 0)
            fputs(", by default", stdout);
    }
    putchar('\n');
}

static void print_outcome(const struct explain *explain, const struct ps_batch *batch)
{
    const struct ps_event *before = &explain->came->events[0], *after = &batch->events[0];
    struct ps_header_cursor cursor = ps_headers_begin(batch, after);
    const struct ps_header *header;
    print_route(explain, batch);
    if (after->body_length != before->body_length ||
        memcmp(after->body, before->body, before->body_length) != 0) {
        fputs("  body = ", stdout);
        ps_printable_write(stdout, after->body, after->body_length);
        putchar('\n');
    }
    while ((header = ps_headers_next(&cursor)) != NULL) {
        fputs("  header.", stdout);
        ps_printable_write(stdout, header->name->text, header->name->length);
        fputs(" = ", stdout);
        ps_printable_write(stdout, header->value, header->value_length);
        putchar('\n');
    }
}

static bool has_acted(const struct explain *explain, uint32_t number)
{
    for (size_t i = 0; i < explain->acted_count; i++)
        if (explain->acted[i] == number)
            return true;
    return false;
}

/* For --why: prints the named rule alone, part by part, and its result. */
static void print_why(const struct explain *explain)
{
    const struct ps_rules *rules = explain->harness.rules;
    uint32_t number = 0;
    while (strcmp(rules->rules[number].name, explain->command->why) != 0) /* why_is_known */
        number++;
    if (has_acted(explain, number)) {
        print_rule(explain, number, "acts", true);
    } else if (!explain->holds[number]) {
        print_rule(explain, number, "does not match", false);
    } else if (explain->acted_count > 0) {
        const struct ps_rule *last = &rules->rules[explain->acted[explain->acted_count - 1]];
        const char *what = ps_arena_format(
            explain->arena, "matches, but rule %s (%s) ended the evaluation before: %s", last->name,
            ps_rules_place_text(explain->arena, last->place),
            rules->mode == PS_RULES_FIRST
                ? "mode is first; `continue` in that rule, or a higher priority of this one, lets it act"
                : "it has `stop` or drops the event");
        print_rule(explain, number, what, false);
    } else {
        print_rule(explain, number, "matches, and does nothing", true);
    }
}

static void print_event(const struct explain *explain, const struct ps_batch *batch)
{
    const struct ps_rules *rules = explain->harness.rules;
    size_t matching = 0;
    if (explain->command->why != NULL) {
        print_why(explain);
        print_outcome(explain, batch);
        return;
    }
    for (size_t i = 0; i < explain->acted_count; i++)
        print_rule(explain, explain->acted[i], "acts", true);
    for (uint32_t i = 0; i < rules->rule_count; i++) {
        matching += explain->holds[i];
        if (explain->holds[i] && !has_acted(explain, i))
            print_rule(explain, i, "also matches, but an earlier rule ended the evaluation", false);
        else if (explain->command->all && !explain->holds[i] && nearly_holds(explain, rules->rules[i].when))
            print_rule(explain, i, "does not match", false);
    }
    if (matching == 0)
        printf("no rule matches%s\n",
               explain->command->all
                   ? "; --why RULE shows one part by part"
                   : "; --all shows rules that nearly match, --why RULE shows one part by part");
    print_outcome(explain, batch);
}

/* ---- the same as JSON ---- */

static json_t *condition_json(const struct explain *explain, const struct ps_condition *condition)
{
    const char *words = ps_rules_leaf_text(explain->arena, explain->harness.rules, condition);
    json_t *object = json_pack("{s:b, s:o}", "holds", condition_holds(explain, condition), "condition",
                               ps_rules_json_text(words, strlen(words)));
    json_t *parts = json_array();
    if (condition->left != NULL)
        json_array_append_new(parts, condition_json(explain, condition->left));
    if (condition->right != NULL)
        json_array_append_new(parts, condition_json(explain, condition->right));
    if (json_array_size(parts) > 0)
        json_object_set(object, "parts", parts);
    json_decref(parts);
    if (condition->kind != PS_CONDITION_MATCH)
        return object;
    const struct ps_rules_pattern *pattern = &explain->harness.rules->patterns[condition->pattern];
    struct ps_slice match, text;
    struct ps_matcher_cost cost;
    ps_matcher_cost_of(pattern->regex, &cost);
    json_object_set_new(object, "engine", ps_rules_json_text(cost.engine_words, strlen(cost.engine_words)));
    if (subject_of(explain, pattern->subject, &text) &&
        ps_regex_find(pattern->regex, explain->regex, text.data, text.length, 0, &match, 1))
        json_object_set_new(object, "matched", ps_rules_json_text(match.data, match.length));
    return object;
}

static json_t *rules_json(const struct explain *explain)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < explain->harness.rules->rule_count; i++) {
        const struct ps_rule *rule = &explain->harness.rules->rules[i];
        const char *why = explain->command->why;
        if (why != NULL ? strcmp(why, rule->name) != 0
                        : !explain->holds[i] && !(explain->command->all && nearly_holds(explain, rule->when)))
            continue;
        json_array_append_new(list, json_pack("{s:s, s:s, s:i, s:b, s:b, s:o}", "rule", rule->name, "file",
                                              rule->place.file, "line", rule->place.line, "matches",
                                              explain->holds[i], "acts", has_acted(explain, i), "when",
                                              condition_json(explain, rule->when)));
    }
    return list;
}

static void print_json(const struct explain *explain, const struct ps_batch *batch)
{
    const struct ps_event *before = &explain->came->events[0], *after = &batch->events[0];
    bool required;
    json_t *routes = json_array(), *headers = json_object();
    for (size_t i = 0; explain->harness.routes && i < explain->harness.channels.count; i++)
        if (ps_rules_harness_goes_to(&explain->harness, i, 0, &required))
            json_array_append_new(routes, json_string(explain->harness.channels.items[i]));
    struct ps_header_cursor cursor = ps_headers_begin(batch, after);
    const struct ps_header *header;
    while ((header = ps_headers_next(&cursor)) != NULL) {
        const char *name = ps_arena_copy(explain->arena, header->name->text, header->name->length);
        (void)json_object_set_new(headers, name, ps_rules_json_text(header->value, header->value_length));
    }
    json_t *root = json_pack(
        "{s:o, s:b, s:o, s:o, s:o, s:o}", "body", ps_rules_json_text(before->body, before->body_length),
        "dropped", ps_rules_harness_dropped(&explain->harness, batch, 0), "route", routes, "headers", headers,
        "body_after", ps_rules_json_text(after->body, after->body_length), "rules", rules_json(explain));
    char *text = json_dumps(root, JSON_COMPACT | JSON_PRESERVE_ORDER);
    puts(text);
    free(text);
    json_decref(root);
}

/* ---- events ---- */

static bool explain_event(struct explain *explain, struct ps_slice body)
{
    const struct ps_rules *rules = explain->harness.rules;
    struct ps_batch *came =
        ps_rules_harness_event(&explain->harness, body, explain->headers, explain->header_count);
    struct ps_batch *batch =
        ps_rules_harness_event(&explain->harness, body, explain->headers, explain->header_count);
    bool good = came != NULL && batch != NULL;
    explain->arena = ps_arena_create();
    explain->came = came;
    explain->acted_count = 0;
    for (size_t i = 0; good && i < rules->rule_count; i++)
        explain->holds[i] = condition_holds(explain, rules->rules[i].when);
    good = good && ps_rules_harness_run(&explain->harness, batch, on_rule, explain);
    if (good && explain->command->json)
        print_json(explain, batch);
    else if (good)
        print_event(explain, batch);
    else
        fputs("penstock rules explain: the event is too large\n", stderr);
    if (batch != NULL)
        ps_batch_give(batch);
    if (came != NULL)
        ps_batch_give(came);
    ps_arena_destroy(explain->arena);
    return good;
}

static bool explain_lines(struct explain *explain)
{
    char *line = NULL;
    size_t room = 0, number = 0;
    ssize_t length;
    bool good = true;
    if (isatty(STDIN_FILENO))
        fputs("events, one a line; end with Ctrl-D:\n", stderr);
    while (good && (length = getline(&line, &room, stdin)) >= 0) {
        if (length > 0 && line[length - 1] == '\n')
            length--;
        if (!explain->command->json) {
            printf("%s%s", number++ > 0 ? "\n" : "", explain->dim);
            ps_printable_write(stdout, line, (size_t)length);
            printf("%s\n", explain->off);
        }
        good = length <= INT32_MAX && explain_event(explain, (struct ps_slice){line, (uint32_t)length});
        fflush(stdout);
    }
    free(line);
    return good;
}

/* Returns whether the rule of --why exists; prints an error if not. */
static bool why_is_known(const struct ps_rules *rules, const char *why)
{
    struct ps_nearest nearest;
    if (why == NULL)
        return true;
    ps_nearest_init(&nearest, why);
    for (size_t i = 0; i < rules->rule_count; i++) {
        if (strcmp(rules->rules[i].name, why) == 0)
            return true;
        ps_nearest_offer(&nearest, rules->rules[i].name);
    }
    for (size_t i = 0; i < rules->disabled_count; i++)
        if (strcmp(rules->disabled[i].name, why) == 0) {
            fprintf(stderr, "penstock rules explain: rule %s is disabled, at %s:%d\n", why,
                    rules->disabled[i].place.file, rules->disabled[i].place.line);
            return false;
        }
    fprintf(stderr, "penstock rules explain: there is no rule %s%s%s%s\n", why,
            nearest.word != NULL ? "; did you mean " : "", nearest.word != NULL ? nearest.word : "",
            nearest.word != NULL ? "?" : "");
    return false;
}

int ps_main_rules_explain(struct ps_rules_command *command)
{
    bool colour = !command->json && ps_report_colour(stdout);
    struct explain explain = {.command = command,
                              .on = colour ? "\033[1m" : "",
                              .dim = colour ? "\033[2m" : "",
                              .off = colour ? "\033[0m" : ""};
    const char *text = command->files.count > 1 ? command->files.items[1] : "-";
    if (strcmp(command->files.items[0], "-") == 0 && strcmp(text, "-") == 0) {
        fputs("penstock rules explain: standard input cannot be both the rules and the events\n", stderr);
        return 2;
    }
    bool good = ps_rules_harness_open(&explain.harness, command, command->files.items[0]) == PS_OK;
    good = good && why_is_known(explain.harness.rules, command->why);
    if (good) {
        const struct ps_rules *rules = explain.harness.rules;
        explain.regex = ps_regex_scratch_create();
        explain.holds = ps_arena_alloc(explain.harness.arena, rules->rule_count + 1);
        explain.acted = ps_arena_alloc(explain.harness.arena, (rules->rule_count + 1) * sizeof(uint32_t));
        explain.headers = ps_rules_harness_headers(&explain.harness, &command->headers);
        explain.header_count = command->headers.count;
        good = strcmp(text, "-") == 0
                   ? explain_lines(&explain)
                   : explain_event(&explain, (struct ps_slice){text, (uint32_t)strlen(text)});
        ps_regex_scratch_destroy(explain.regex);
    }
    ps_rules_harness_close(&explain.harness);
    return good ? 0 : 1;
}
