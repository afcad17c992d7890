/* Creates matchers and scratches. Called by the control thread, or by a helper while events flow. */
#include "regex/matcher/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex/compile/cache/cache.h"
#include "regex/budget.h"

static const struct ps_matcher_options no_options;

/* Compiling failed: finds the pattern that caused it, or guesses the most likely one if Hyperscan does not
 * name it. */
static void failed_pattern_find(const struct ps_matcher *matcher, const struct ps_matcher_plan *plan,
                                uint32_t expression, struct ps_matcher_report *report, struct ps_err *err)
{
    uint64_t most = PS_REGEX_STATES_HIGH / 2; /* an expression with fewer states is not the likely cause */
    bool guessed = expression >= plan->count;
    for (uint32_t i = 0; guessed && i < plan->count; i++) {
        if (plan->expressions[i].states > most) {
            most = plan->expressions[i].states;
            expression = i;
        }
    }
    for (uint32_t i = 0; i < matcher->count && expression < plan->count; i++) {
        if (plan->expression_of[i] != expression)
            continue;
        report->failed_pattern = i;
        ps_err_append(err, "%s \"%.200s\"%s", guessed ? "the costliest expression is" : "the expression is",
                      ps_regex_text(matcher->patterns[i]), guessed ? ": it is the likely cause" : "");
        return;
    }
}

/* Loads the answer from the cache, or compiles. */
static enum ps_status answer_get(const struct ps_matcher *matcher, const struct ps_matcher_plan *plan,
                                 const struct ps_matcher_options *options, struct ps_compile_answer *answer,
                                 struct ps_matcher_report *report, struct ps_err *err)
{
    struct ps_bytes key = {0};
    struct ps_compile_how how = {
        .program = options->program,
        .limits = {options->compile_memory_bytes, options->compile_time_ms, options->idle},
        .cancelled = options->cancelled,
        .argument = options->argument,
    };
    enum ps_status status = PS_OK;
    ps_compile_key_write(&key, plan->expressions, plan->count);
    if (options->cache_directory != NULL)
        report->cached = ps_cache_load(options->cache_directory, &key, plan->count, answer,
                                       report->cache_note, sizeof report->cache_note);
    if (!report->cached) {
        status = ps_compile_run(plan->expressions, plan->count, &key, &how, answer, err);
        report->passing = answer->passing;
        if (status != PS_OK)
            failed_pattern_find(matcher, plan, answer->failed, report, err);
        else if (options->cache_directory != NULL) {
            char note[sizeof report->cache_note];
            if (!ps_cache_store(options->cache_directory, &key, plan->count, answer, note, sizeof note))
                memcpy(report->cache_note, note, sizeof note);
        }
    }
    ps_bytes_fini(&key);
    return status;
}

/* Opens the database. Compiles it again if Hyperscan refuses the cached one. */
static enum ps_status open_database(struct ps_matcher *matcher, const struct ps_matcher_plan *plan,
                                    const struct ps_matcher_options *options,
                                    struct ps_compile_answer *answer, struct ps_matcher_report *report,
                                    struct ps_err *err)
{
    if (answer_get(matcher, plan, options, answer, report, err) != PS_OK)
        return PS_FAIL;
    if (answer->built.bytes == NULL)
        return PS_OK;
    matcher->hyperscan = ps_hyperscan_open(answer->built.bytes, answer->built.length, &report->passing, err);
    if (matcher->hyperscan != NULL || !report->cached || report->passing)
        return matcher->hyperscan != NULL ? PS_OK : PS_FAIL;
    snprintf(report->cache_note, sizeof report->cache_note, "the cached database is refused: %.150s",
             err == NULL ? "damaged" : err->text);
    ps_compile_answer_fini(answer);
    struct ps_matcher_options without = *options;
    without.cache_directory = NULL;
    report->cached = false;
    if (answer_get(matcher, plan, &without, answer, report, err) != PS_OK)
        return PS_FAIL;
    if (answer->built.bytes != NULL)
        matcher->hyperscan =
            ps_hyperscan_open(answer->built.bytes, answer->built.length, &report->passing, err);
    return answer->built.bytes == NULL || matcher->hyperscan != NULL ? PS_OK : PS_FAIL;
}

static uint32_t hit_room(const struct ps_matcher *matcher)
{
    return matcher->expression_count > PS_MATCHER_HITS_MAX ? matcher->expression_count : PS_MATCHER_HITS_MAX;
}

/* Returns the size of one worker's scratch. */
static uint64_t size_of_scratch(const struct ps_matcher *matcher)
{
    uint64_t bytes = sizeof(struct ps_matcher_scratch) + PS_MATCHER_STAGING_BYTES +
                     hit_room(matcher) * sizeof(uint64_t) + matcher->expression_count * sizeof(uint32_t) +
                     matcher->count * sizeof(uint32_t);
    return bytes + (matcher->hyperscan == NULL ? 0 : ps_hyperscan_scratch_bytes(matcher->hyperscan));
}

struct ps_matcher *ps_matcher_create(const struct ps_regex *const *patterns, uint32_t count,
                                     const struct ps_matcher_options *options,
                                     struct ps_matcher_report *report, struct ps_err *err)
{
    struct ps_matcher_report unread;
    struct ps_matcher_plan plan;
    struct ps_compile_answer answer = {0};
    uint64_t start = ps_regex_mono_ns();
    if (report == NULL)
        report = &unread;
    *report = (struct ps_matcher_report){.failed_pattern = UINT32_MAX};
    if (count > PS_COMPILE_EXPRESSIONS_MAX) {
        ps_err_set(err, "%u expressions are too many for one set; at most %u", count,
                   PS_COMPILE_EXPRESSIONS_MAX);
        return NULL;
    }
    struct ps_matcher *matcher = ps_must_alloc(1, sizeof *matcher, "a matcher");
    matcher->patterns = patterns;
    matcher->count = count;
    ps_matcher_plan_init(&plan, patterns, count);
    enum ps_status status = PS_OK;
    if (plan.count > 0)
        status = open_database(matcher, &plan, options == NULL ? &no_options : options, &answer, report, err);
    if (status == PS_OK) {
        ps_matcher_settle(matcher, &plan, answer.built.outcomes);
        report->database_bytes =
            matcher->hyperscan == NULL ? 0 : ps_hyperscan_database_bytes(matcher->hyperscan);
        report->scratch_bytes = size_of_scratch(matcher);
    }
    ps_compile_answer_fini(&answer);
    ps_matcher_plan_fini(&plan);
    report->compile_ns = ps_regex_mono_ns() - start;
    if (status == PS_OK)
        return matcher;
    ps_matcher_destroy(matcher);
    return NULL;
}

void ps_matcher_destroy(struct ps_matcher *matcher)
{
    if (matcher == NULL)
        return;
    ps_hyperscan_close(matcher->hyperscan);
    free(matcher->member_start);
    free(matcher->members);
    free(matcher->worth);
    free(matcher->always);
    free(matcher->pcre2);
    free(matcher->empty);
    free(matcher);
}

const struct ps_hyperscan *ps_matcher_hyperscan(const struct ps_matcher *matcher)
{
    return matcher->hyperscan;
}

struct ps_matcher_scratch *ps_matcher_scratch_create(const struct ps_matcher *matcher, struct ps_err *err)
{
    struct ps_matcher_scratch *scratch = ps_must_alloc(1, sizeof *scratch, "a matcher's scratch");
    scratch->matcher = matcher;
    scratch->regex = ps_regex_scratch_create();
    scratch->stamp = 1;
    scratch->hit_room = hit_room(matcher);
    scratch->hits = calloc(scratch->hit_room, sizeof *scratch->hits);
    scratch->seen = calloc(matcher->expression_count + 1, sizeof *scratch->seen);
    scratch->matched = calloc(matcher->count + 1, sizeof *scratch->matched);
    /* There is more room than PS_MATCHER_STAGING_BYTES, because the border is always copied as four bytes, even if it
     * has only one. */
    scratch->staging = aligned_alloc(4096, PS_MATCHER_STAGING_BYTES + 4096);
    if (matcher->hyperscan != NULL)
        scratch->hyperscan = ps_hyperscan_scratch_create(matcher->hyperscan, err);
    else
        ps_err_set(err, "not enough memory for a matcher's scratch");
    if (scratch->hits != NULL && scratch->seen != NULL && scratch->matched != NULL &&
        scratch->staging != NULL && (matcher->hyperscan == NULL || scratch->hyperscan != NULL)) {
        ps_hyperscan_touch(scratch->hits, scratch->hit_room * sizeof *scratch->hits);
        ps_hyperscan_touch(scratch->seen, matcher->expression_count * sizeof *scratch->seen);
        ps_hyperscan_touch(scratch->matched, matcher->count * sizeof *scratch->matched);
        ps_hyperscan_touch(scratch->staging, PS_MATCHER_STAGING_BYTES);
        return scratch;
    }
    ps_matcher_scratch_destroy(scratch);
    return NULL;
}

void ps_matcher_scratch_destroy(struct ps_matcher_scratch *scratch)
{
    if (scratch == NULL)
        return;
    ps_hyperscan_scratch_destroy(scratch->hyperscan);
    ps_regex_scratch_destroy(scratch->regex);
    free(scratch->hits);
    free(scratch->seen);
    free(scratch->matched);
    free(scratch->staging);
    free(scratch->large);
    free(scratch);
}

void ps_matcher_scratch_limit(struct ps_matcher_scratch *scratch, struct ps_regex_budget *budget)
{
    ps_regex_scratch_limit(scratch->regex, budget);
}

static void count_up(uint64_t *sum, const uint64_t *count)
{
    *sum += __atomic_load_n(count, __ATOMIC_RELAXED);
}

void ps_matcher_scratch_count(const struct ps_matcher_scratch *scratch, struct ps_matcher_counts *sum)
{
    if (scratch == NULL)
        return;
    count_up(&sum->subjects, &scratch->counts.subjects);
    count_up(&sum->bytes, &scratch->counts.bytes);
    count_up(&sum->confirms, &scratch->counts.confirms);
    count_up(&sum->confirmed, &scratch->counts.confirmed);
    count_up(&sum->scan_errors, &scratch->counts.scan_errors);
    count_up(&sum->given_up, &scratch->counts.given_up);
}
