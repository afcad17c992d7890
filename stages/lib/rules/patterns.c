/* The expressions of a rule set: assigns each to a matcher, checks their cost, and makes the matchers: one
 * for the body and one for each header that expressions match. Thread: the one that makes the set. */
#include <string.h>

#include "core/array.h"
#include "stages/lib/rules/set_internal.h"

const struct ps_name *ps_rules_name(struct rules_build *build, const char *text, struct ps_rules_place place)
{
    const struct ps_name *name = ps_name_intern_try(text, strlen(text));
    if (name == NULL)
        ps_rules_problem_add(build->problems, PS_RULES_ERROR, place,
                             "use fewer names; a process keeps every name until it ends",
                             "no room for another header name");
    return name;
}

/* ---- headers ---- */

uint32_t ps_rules_header_number(struct rules_build *build, const char *text, struct ps_rules_place place)
{
    struct ps_rules_set *set = build->set;
    size_t length = strlen(text);
    uint32_t number = ps_rules_names_find(&build->headers, text, length);
    if (number != RULES_NAME_NONE)
        return number;
    const struct ps_name *name = ps_rules_name(build, text, place);
    if (name == NULL)
        return RULES_NONE;
    PS_ARRAY_GROW(set->headers, set->header_count, build->header_room, "headers of rules");
    set->headers[set->header_count] = (struct rules_header){.name = name};
    ps_rules_names_add(&build->headers, set->arena, text, length, set->header_count);
    return set->header_count++;
}

/* ---- which expression goes where ---- */

bool ps_rules_patterns_assign(struct rules_build *build)
{
    struct ps_rules_set *set = build->set;
    const struct ps_rules *rules = set->rules;
    set->pattern = ps_arena_alloc(set->arena, (rules->pattern_count + 1) * sizeof *set->pattern);
    for (uint32_t i = 0; i < rules->pattern_count; i++) {
        const struct ps_rules_pattern *pattern = &rules->patterns[i];
        set->pattern[i].always = ps_regex_java(pattern->regex)->exactness == PS_REGEX_ALWAYS;
        set->pattern[i].header = RULES_NONE;
        if (pattern->subject.header != NULL) {
            uint32_t header = ps_rules_header_number(build, pattern->subject.header, pattern->place);
            if (header == RULES_NONE)
                return false;
            set->pattern[i].header = header;
        }
        if (set->pattern[i].always)
            continue;
        if (set->pattern[i].header == RULES_NONE)
            set->pattern[i].number = set->body_pattern_count++;
        else
            set->pattern[i].number = set->headers[set->pattern[i].header].pattern_count++;
    }
    return true;
}

/* ---- cost ---- */

/* Checks the cost of an expression from its text; compiles nothing, because compiling is expensive. */
static bool pattern_is_bearable(struct ps_rules_problems *problems, const struct ps_rules_pattern *pattern)
{
    const struct ps_java_regex *java = ps_regex_java(pattern->regex);
    if (java->states <= PS_REGEX_STATES_HIGH) {
        if (java->exactness == PS_REGEX_NONE)
            ps_rules_problem_add(problems, PS_RULES_WARNING, pattern->place, NULL,
                                 "PCRE2 runs this expression on every text: %s", java->why);
        return true;
    }
    if (java->states <= PS_REGEX_STATES_RUINOUS) {
        ps_rules_problem_add(problems, PS_RULES_WARNING, pattern->place,
                             "lower its repeats; `penstock rules check` says what it costs",
                             "this expression is expensive: it comes to about %llu states",
                             (unsigned long long)java->states);
        return true;
    }
    struct ps_matcher_cost cost;
    ps_matcher_cost_of(pattern->regex, &cost); /* it does not compile a ruinous expression */
    ps_rules_problem_add(problems, PS_RULES_ERROR, pattern->place,
                         "lower its repeats, or write what must be in the text instead",
                         "this expression is ruinous: %s", cost.why);
    return false;
}

bool ps_rules_patterns_check(const struct ps_rules *rules, struct ps_rules_problems *problems)
{
    bool good = true;
    for (uint32_t i = 0; i < rules->pattern_count; i++)
        good &= pattern_is_bearable(problems, &rules->patterns[i]);
    return good;
}

/* ---- matchers ---- */

static void report_add(struct ps_rules_set_report *sum, const struct ps_matcher_report *one, bool body)
{
    if (body)
        sum->matcher = *one;
    else {
        sum->matcher.compile_ns += one->compile_ns;
        sum->matcher.database_bytes += one->database_bytes;
        sum->matcher.scratch_bytes += one->scratch_bytes;
        sum->matcher.cached &= one->cached;
        if (sum->matcher.cache_note[0] == '\0')
            memcpy(sum->matcher.cache_note, one->cache_note, sizeof sum->matcher.cache_note);
    }
}

static struct ps_rules_place place_of_rules(const struct ps_rules *rules)
{
    return (struct ps_rules_place){.file = rules->file_count > 0 ? rules->files[0] : "rules"};
}

/* Makes one matcher for `count` patterns over a header (RULES_NONE: the body). Returns NULL after adding a
 * problem. */
static struct ps_matcher *matcher_make(struct rules_build *build, uint32_t header, uint32_t count,
                                       uint32_t **numbers)
{
    struct ps_rules_set *set = build->set;
    const struct ps_rules *rules = set->rules;
    const struct ps_regex **list = ps_arena_alloc(set->arena, count * sizeof *list);
    *numbers = ps_arena_alloc(set->arena, count * sizeof **numbers);
    for (uint32_t i = 0; i < rules->pattern_count; i++) {
        if (set->pattern[i].always || set->pattern[i].header != header)
            continue;
        list[set->pattern[i].number] = rules->patterns[i].regex;
        (*numbers)[set->pattern[i].number] = i;
    }
    struct ps_matcher_report report = {.failed_pattern = UINT32_MAX};
    struct ps_err err = {.length = 0};
    struct ps_matcher *matcher = ps_matcher_create(list, count, &build->options->matcher, &report, &err);
    if (matcher == NULL) {
        bool one = report.failed_pattern < count;
        build->problems->passing |= report.passing;
        struct ps_rules_place place =
            one ? rules->patterns[(*numbers)[report.failed_pattern]].place : place_of_rules(rules);
        ps_rules_problem_add(build->problems, PS_RULES_ERROR, place, NULL, "%s", err.text);
        return NULL;
    }
    report_add(build->report, &report, header == RULES_NONE);
    return matcher;
}

bool ps_rules_patterns_compile(struct rules_build *build)
{
    struct ps_rules_set *set = build->set;
    build->report->matcher.cached = true; /* stays true if no matcher had to be compiled */
    if (set->body_pattern_count > 0) {
        set->body = matcher_make(build, RULES_NONE, set->body_pattern_count, &set->body_patterns);
        if (set->body == NULL)
            return false;
    }
    for (uint32_t i = 0; i < set->header_count; i++) {
        struct rules_header *header = &set->headers[i];
        header->words = (header->pattern_count + 63) / 64;
        if (header->pattern_count == 0)
            continue;
        header->matcher = matcher_make(build, i, header->pattern_count, &header->patterns);
        if (header->matcher == NULL)
            return false;
        build->report->header_matcher_count++;
    }
    if (set->body == NULL && build->report->header_matcher_count == 0)
        build->report->matcher.cached = false;
    return true;
}
