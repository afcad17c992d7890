/* penstock rules test: runs the `test` blocks of rule files, each event alone, and prints the differences and
 * the rules that acted in no test. Thread: main. */
#include "conf/report.h"
#include "commands/rules/rules.h"
#include "core/array.h"
#include "core/text/printable.h"

#include <stdlib.h>
#include <string.h>

#include <jansson.h>

struct acted {
    const struct ps_rule **rules;
    size_t count, room;
};

struct testing {
    struct ps_rules_command *command;
    struct ps_rules_harness harness;
    const char *file;
    bool *covered; /* for each rule: whether it acted in a test */
    struct acted acted;
    bool meters; /* the rules have samples or limits, which are reset before each test */
    bool colour;
    json_t *cases;
    size_t failed;
};

/* The result of one test: one line for each difference. */
struct verdict {
    const struct ps_rules_test *test;
    struct ps_batch *batch;
    const struct ps_event *event;
    FILE *lines;
    size_t differences;
};

static void on_rule(void *argument, uint16_t, const struct ps_rule *rule)
{
    struct testing *testing = argument;
    struct acted *acted = &testing->acted;
    PS_ARRAY_GROW(acted->rules, acted->count, acted->room, "rules that acted");
    acted->rules[acted->count++] = rule;
    testing->covered[rule - testing->harness.rules->rules] = true;
}

static void differs(struct verdict *verdict, const char *what, const char *expected, size_t expected_length,
                    const char *came, size_t came_length)
{
    verdict->differences++;
    fprintf(verdict->lines, "    %s\n      expected  ", what);
    ps_printable_write(verdict->lines, expected, expected_length);
    fputs("\n      came      ", verdict->lines);
    ps_printable_write(verdict->lines, came, came_length);
    fputc('\n', verdict->lines);
}

static void differs_text(struct verdict *verdict, const char *what, const char *expected, const char *came)
{
    differs(verdict, what, expected, strlen(expected), came, strlen(came));
}

static const char *names_join(struct ps_arena *arena, const char *const *names, size_t count)
{
    const char *text = count == 0 ? "none" : "";
    for (size_t i = 0; i < count; i++)
        text = ps_arena_format(arena, "%s%s%s", text, i > 0 ? ", " : "", names[i]);
    return text;
}

/* ---- each kind of expectation ---- */

static void rules_compare(struct testing *testing, struct verdict *verdict)
{
    const struct ps_rules_test *test = verdict->test;
    struct ps_arena *arena = testing->harness.arena;
    const char **names = ps_arena_alloc(arena, (testing->acted.count + 1) * sizeof *names);
    bool same = testing->acted.count == test->expect_rule_count;
    for (size_t i = 0; i < testing->acted.count; i++) {
        names[i] = testing->acted.rules[i]->name;
        same = same && strcmp(names[i], test->expect_rules[i]) == 0;
    }
    if (!same)
        differs_text(verdict, "rules that act, in this order",
                     names_join(arena, test->expect_rules, test->expect_rule_count),
                     names_join(arena, names, testing->acted.count));
}

static bool is_among(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return true;
    return false;
}

static void route_compare(struct testing *testing, struct verdict *verdict)
{
    const struct ps_rules_test *test = verdict->test;
    struct ps_arena *arena = testing->harness.arena;
    const char **names = ps_arena_alloc(arena, (testing->harness.channels.count + 1) * sizeof *names);
    size_t count = 0;
    bool required;
    for (size_t i = 0; testing->harness.routes && i < testing->harness.channels.count; i++)
        if (ps_rules_harness_goes_to(&testing->harness, i, 0, &required))
            names[count++] = testing->harness.channels.items[i];
    bool same = count == test->expect_route_count;
    for (size_t i = 0; i < count && same; i++)
        same = is_among(names[i], test->expect_routes, test->expect_route_count);
    if (!same)
        differs_text(verdict, "route", names_join(arena, test->expect_routes, test->expect_route_count),
                     names_join(arena, names, count));
}

static void headers_compare(struct verdict *verdict)
{
    const struct ps_rules_test *test = verdict->test;
    char what[320];
    struct ps_slice value;
    for (size_t i = 0; i < test->expect_header_count; i++) {
        const struct ps_rules_header_value *expected = &test->expect_headers[i];
        const struct ps_name *name = ps_name_intern(expected->name);
        bool there = ps_event_header(verdict->batch, verdict->event, name, &value);
        snprintf(what, sizeof what, "header.%s", expected->name);
        if (!there)
            differs(verdict, what, expected->value.data, expected->value.length, "(no such header)", 16);
        else if (value.length != expected->value.length ||
                 memcmp(value.data, expected->value.data, value.length) != 0)
            differs(verdict, what, expected->value.data, expected->value.length, value.data, value.length);
    }
    for (size_t i = 0; i < test->expect_no_header_count; i++) {
        const struct ps_name *name = ps_name_intern(test->expect_no_headers[i]);
        snprintf(what, sizeof what, "header.%s", test->expect_no_headers[i]);
        if (ps_event_header(verdict->batch, verdict->event, name, &value))
            differs(verdict, what, "(no such header)", 16, value.data, value.length);
    }
}

static void outcome_compare(struct testing *testing, struct verdict *verdict)
{
    const struct ps_rules_test *test = verdict->test;
    const struct ps_event *event = verdict->event;
    bool dropped = ps_rules_harness_dropped(&testing->harness, verdict->batch, 0);
    if (test->expect_drop && !dropped)
        differs_text(verdict, "the result of the event", "dropped", "kept");
    if (test->expect_rules_set)
        rules_compare(testing, verdict);
    if (test->expect_route_set)
        route_compare(testing, verdict);
    headers_compare(verdict);
    if (test->expect_body_set && (event->body_length != test->expect_body.length ||
                                  memcmp(event->body, test->expect_body.data, event->body_length) != 0))
        differs(verdict, "body", test->expect_body.data, test->expect_body.length, event->body,
                event->body_length);
}

/* ---- a test, a file ---- */

static void verdict_show(struct testing *testing, const struct verdict *verdict, const char *lines)
{
    bool failed = verdict->differences > 0;
    const struct ps_rules_test *test = verdict->test;
    if (testing->command->json) {
        json_t *object = json_pack("{s:s, s:s, s:i, s:b}", "test", test->name, "file", test->place.file,
                                   "line", test->place.line, "passed", !failed);
        if (failed)
            json_object_set_new(object, "differences", ps_rules_json_text(lines, strlen(lines)));
        json_array_append_new(testing->cases, object);
        return;
    }
    if (!failed && !testing->command->verbose)
        return;
    const char *colour = !testing->colour ? "" : failed ? "\033[1;31m" : "\033[1;32m";
    printf("%s%s%s  %s  (%s)\n%s", colour, failed ? "FAIL" : "ok  ", testing->colour ? "\033[0m" : "",
           test->name, ps_rules_place_text(testing->harness.arena, test->place), lines);
}

static void test_run(struct testing *testing, const struct ps_rules_test *test)
{
    struct verdict verdict = {.test = test};
    char *lines = NULL;
    size_t length = 0;
    verdict.lines = ps_must_open_text(&lines, &length, "the result of a test");
    if (testing->meters)
        ps_rules_harness_forget(&testing->harness);
    testing->acted.count = 0;
    verdict.batch = ps_rules_harness_event(&testing->harness, test->body, test->headers, test->header_count);
    if (verdict.batch == NULL) {
        differs_text(&verdict, "the event", "one that an agent can hold", "too many or too long headers");
    } else if (!ps_rules_harness_run(&testing->harness, verdict.batch, on_rule, testing)) {
        differs_text(&verdict, "the event", "memory for the results of the rules", "none");
    } else {
        verdict.event = &verdict.batch->events[0];
        outcome_compare(testing, &verdict);
    }
    fclose(verdict.lines);
    verdict_show(testing, &verdict, lines);
    testing->failed += verdict.differences > 0;
    if (verdict.batch != NULL)
        ps_batch_give(verdict.batch);
    free(lines);
}

static bool has_meters(const struct ps_rules *rules)
{
    for (size_t i = 0; i < rules->rule_count; i++)
        for (size_t j = 0; j < rules->rules[i].action_count; j++)
            if (rules->rules[i].actions[j].kind == PS_ACTION_SAMPLE ||
                rules->rules[i].actions[j].kind == PS_ACTION_LIMIT)
                return true;
    return false;
}

static void print_uncovered(const struct testing *testing, size_t uncovered)
{
    if (uncovered == 0)
        return;
    fputs("rules that acted in no test:", stdout);
    size_t shown = 0;
    for (size_t i = 0; i < testing->harness.rules->rule_count; i++) {
        if (testing->covered[i])
            continue;
        if (shown == 50 && !testing->command->verbose)
            break;
        printf("%s %s", shown++ > 0 ? "," : "", testing->harness.rules->rules[i].name);
    }
    if (shown < uncovered)
        printf(" ... and %zu more", uncovered - shown);
    putchar('\n');
}

/* Prints the last lines of a file. Returns whether all its tests passed. */
static bool file_end(struct testing *testing, json_t *files)
{
    const struct ps_rules *rules = testing->harness.rules;
    size_t covered = 0;
    for (size_t i = 0; i < rules->rule_count; i++)
        covered += testing->covered[i];
    double coverage = rules->rule_count == 0 ? 100 : 100.0 * (double)covered / (double)rules->rule_count;
    bool enough = coverage >= testing->command->coverage_min;
    if (testing->command->json) {
        json_t *uncovered = json_array();
        for (size_t i = 0; i < rules->rule_count; i++)
            if (!testing->covered[i])
                json_array_append_new(uncovered, json_string(rules->rules[i].name));
        json_array_append_new(
            files, json_pack("{s:s, s:I, s:I, s:I, s:I, s:f, s:b, s:o, s:o}", "file", testing->file, "tests",
                             (json_int_t)rules->test_count, "failed", (json_int_t)testing->failed, "rules",
                             (json_int_t)rules->rule_count, "rules_acted", (json_int_t)covered,
                             "coverage_percent", coverage, "coverage_enough", enough, "uncovered", uncovered,
                             "cases", json_incref(testing->cases)));
        return testing->failed == 0 && enough;
    }
    print_uncovered(testing, rules->rule_count - covered);
    printf("%s: %zu test%s, %zu failed; %zu of %zu rules acted (%.0f %%)\n", testing->file, rules->test_count,
           rules->test_count == 1 ? "" : "s", testing->failed, covered, rules->rule_count, coverage);
    if (!enough)
        printf("%s: coverage is below %g %%\n", testing->file, testing->command->coverage_min);
    return testing->failed == 0 && enough;
}

static bool file_test(struct ps_rules_command *command, const char *file, json_t *files)
{
    struct testing testing = {.command = command, .file = file, .colour = ps_report_colour(stdout)};
    bool good = ps_rules_harness_open(&testing.harness, command, file) == PS_OK;
    if (good) {
        const struct ps_rules *rules = testing.harness.rules;
        testing.covered = ps_arena_alloc(testing.harness.arena, rules->rule_count + 1);
        testing.meters = has_meters(rules);
        testing.cases = json_array();
        for (size_t i = 0; i < rules->test_count; i++)
            test_run(&testing, &rules->tests[i]);
        good = file_end(&testing, files);
        json_decref(testing.cases);
    } else if (command->json) {
        json_array_append_new(files, json_pack("{s:s, s:o}", "file", file, "problems",
                                               ps_rules_json_problems(testing.harness.problems)));
    }
    free(testing.acted.rules);
    ps_rules_harness_close(&testing.harness);
    return good;
}

int ps_main_rules_test(struct ps_rules_command *command)
{
    bool good = true;
    json_t *files = json_array();
    for (size_t i = 0; i < command->files.count; i++)
        good = file_test(command, command->files.items[i], files) && good;
    if (command->json) {
        json_t *root = json_pack("{s:b, s:O}", "passed", good, "files", files);
        char *text = json_dumps(root, JSON_INDENT(2) | JSON_PRESERVE_ORDER);
        puts(text);
        free(text);
        json_decref(root);
    }
    json_decref(files);
    return good ? 0 : 1;
}
