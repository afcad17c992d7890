/* Interceptor regex_filter (Flume's RegexFilteringInterceptor): keeps or drops the events in whose body
 * the expression is found. The chain scans (stages/lib/rules/regex/chain.h); this file turns its bits into an
 * index list. Thread: the source's worker. */
#include "stages/lib/rules/regex/chain.h"
#include "stages/lib/rules/regex/option.h"

struct regex_filter_plan {
    const char *pattern;
    bool exclude;
    struct ps_regex *regex;
    struct ps_regex_use use;
};

struct regex_filter_state {
    struct ps_port *port;
};

#define FIELD(name) offsetof(struct regex_filter_plan, name)

static const struct ps_option options[] = {
    PS_OPTION_ROW("regex", TEXT, FIELD(pattern), "Java regular expression, searched for in the body",
                  .fallback = ".*"),
    PS_OPTION_ROW("excludeEvents", BOOL, FIELD(exclude),
                  "drop the events that match instead of those that do not", .fallback = "false"),
    PS_OPTION_END,
};

static enum ps_status regex_filter_check(const void *plan_, const struct ps_context *context)
{
    const struct regex_filter_plan *plan = plan_;
    return ps_regex_option_check(context, "regex", plan->pattern, PS_REGEX_FIND, PS_REGEX_RUN_BITS);
}

static enum ps_status regex_filter_build(void *plan_, struct ps_context *context, struct ps_err *err)
{
    struct regex_filter_plan *plan = plan_;
    plan->regex = ps_regex_create(plan->pattern, 0, PS_REGEX_FIND, err);
    if (plan->regex == NULL)
        return PS_FAIL;
    ps_regex_chain_add(context, plan->regex, &plan->use);
    return PS_OK;
}

static void regex_filter_teardown(void *plan_)
{
    struct regex_filter_plan *plan = plan_;
    ps_regex_destroy(plan->regex);
    plan->regex = NULL;
}

static enum ps_status regex_filter_open(const void *plan_, void *state_, struct ps_port *port,
                                        struct ps_err *err)
{
    const struct regex_filter_plan *plan = plan_;
    struct regex_filter_state *state = state_;
    state->port = port;
    return ps_regex_chain_open(&plan->use, port, err);
}

static enum ps_result regex_filter_work(const void *plan_, void *state_, struct ps_lease *lease,
                                        const struct ps_now *)
{
    const struct regex_filter_plan *plan = plan_;
    struct regex_filter_state *state = state_;
    if (lease->count == 0)
        return PS_DONE;
    const uint64_t *bits = ps_regex_chain_bits(&plan->use, state->port, lease);
    uint64_t others[PS_MATCHER_WORDS];
    if (plan->exclude) {
        for (size_t i = 0; i < PS_MATCHER_WORDS; i++)
            others[i] = ~bits[i];
        bits = others;
    }
    return ps_lease_filter_bits(lease, bits) ? PS_DONE : PS_RETRY;
}

static void regex_filter_describe(const void *plan_, const struct ps_context *context,
                                  void (*line)(void *argument, const char *text), void *argument)
{
    const struct regex_filter_plan *plan = plan_;
    ps_regex_option_describe(context, "regex", plan->pattern, PS_REGEX_FIND, PS_REGEX_RUN_BITS, line,
                             argument);
}

static void regex_filter_series(const void *plan_,
                                void (*add)(void *argument, const struct ps_series *series), void *argument)
{
    const struct regex_filter_plan *plan = plan_;
    ps_regex_chain_series(&plan->use, add, argument);
}

static const struct ps_interceptor_ops interceptor = {.work = regex_filter_work};

const struct ps_stage_ops ps_interceptor_regex_filter = {
    PS_STAGE(PS_KIND_INTERCEPTOR),
    .name = "regex_filter",
    .aliases = PS_WORDS("org.apache.flume.interceptor.RegexFilteringInterceptor$Builder"),
    .summary = "keeps or drops events by a regular expression over the body",
    .options = options,
    .plan_size = sizeof(struct regex_filter_plan),
    .state_size = sizeof(struct regex_filter_state),
    .check = regex_filter_check,
    .build = regex_filter_build,
    .teardown = regex_filter_teardown,
    .open = regex_filter_open,
    .describe = regex_filter_describe,
    .series = regex_filter_series,
    .interceptor = &interceptor,
};
