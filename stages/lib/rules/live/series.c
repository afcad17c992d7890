/* The metrics of a live rule set. Thread: any; takes the set's lock, which workers never take. */
#include "stages/lib/rules/live/internal.h"

void ps_rules_live_look(struct ps_rules_live *live, struct ps_rules_live_state *state)
{
    pthread_mutex_lock(&live->lock);
    *state = live->state;
    pthread_mutex_unlock(&live->lock);
}

void ps_rules_version_count(const struct ps_rules_version *version, struct ps_matcher_counts *counts)
{
    for (unsigned i = 0; version != NULL && i < version->scratch_count; i++)
        ps_rules_scratch_count(version->scratches[i], counts);
}

struct giving {
    void (*add)(void *argument, const struct ps_series *series);
    void *argument;
    const char *label, *label_value;
};

static void give(const struct giving *giving, const char *name, const char *help, bool gauge, double value)
{
    const struct ps_series series = {.name = name,
                                     .help = help,
                                     .label = giving->label,
                                     .label_value = giving->label_value,
                                     .gauge = gauge,
                                     .value = value};
    giving->add(giving->argument, &series);
}

static void give_rule(void *giving_, const char *rule, const struct ps_rules_count *count)
{
    struct giving *giving = giving_;
    giving->label = "rule";
    giving->label_value = rule;
    give(giving, "rule_hits", "Events a rule acted on.", false, (double)count->hits);
    give(giving, "rule_bytes", "Bytes of bodies of the events a rule acted on.", false, (double)count->bytes);
    give(giving, "rule_dropped", "Events a rule dropped.", false, (double)count->dropped);
    if (count->failed > 0)
        give(giving, "rule_failed_actions", "Actions not run because the batch had no room for their result.",
             false, (double)count->failed);
    if (count->keys_replaced > 0)
        give(giving, "rule_limit_keys_replaced",
             "Keys of limits that were forgotten to make room for others.", false,
             (double)count->keys_replaced);
    give(giving, "rule_last_hit_timestamp_seconds", "When a rule last acted on an event; 0: never.", true,
         (double)count->last_hit_ms / 1000.0);
}

static void give_set(const struct giving *giving, const struct ps_rules_live_state *state,
                     const struct ps_matcher_counts *counts)
{
    give(giving, "rules", "Rules in use.", true, state->rules);
    give(giving, "rules_expressions", "Different expressions in the rules in use.", true, state->patterns);
    give(giving, "rules_generation", "Rule sets published so far, including the first.", true,
         (double)state->generation);
    give(giving, "rules_reloads", "Changed rules files that were loaded.", false, (double)state->reloads);
    give(giving, "rules_reload_failures", "Changed rules files that were refused; the old rules stayed.",
         false, (double)state->reloads_failed);
    give(giving, "rules_reloads_overtaken",
         "Loads that were ended because the rules file changed again; the newest text is loaded.", false,
         (double)state->overtaken);
    give(giving, "rules_last_reload_successful", "1 unless the current rules file was refused.", true,
         state->error[0] == '\0');
    give(giving, "rules_loaded_timestamp_seconds", "When the rules in use were loaded.", true,
         (double)state->loaded_ms / 1000.0);
    give(giving, "rules_compile_seconds",
         "The time that it took to compile the rules in use, or to read them from the cache.", true,
         (double)state->compile_ns / PS_NS_PER_S);
    give(giving, "rules_database_bytes", "Size of the compiled expressions.", true,
         (double)state->database_bytes);
    give(giving, "rules_scratch_bytes", "Size of one worker's scratch.", true, (double)state->scratch_bytes);
    give(giving, "rules_confirms", "Reports of Hyperscan that PCRE2 checked.", false,
         (double)counts->confirms);
    give(giving, "rules_confirmed", "Reports of Hyperscan that PCRE2 confirmed.", false,
         (double)counts->confirmed);
    give(giving, "rules_scan_errors", "Scans that failed; PCRE2 matched their events instead.", false,
         (double)counts->scan_errors);
    give(giving, "rules_given_up",
         "Matches given up because they, or their batch, took too long; counted as none.", false,
         (double)counts->given_up);
}

void ps_rules_live_series(struct ps_rules_live *live,
                          void (*add)(void *argument, const struct ps_series *series), void *argument)
{
    struct giving giving = {add, argument, "file", live->options.file};
    pthread_mutex_lock(&live->lock);
    struct ps_rules_live_state state = live->state;
    struct ps_matcher_counts counts = live->past;
    ps_rules_version_count(live->version, &counts);
    ps_rules_version_count(live->retiring, &counts);
    pthread_mutex_unlock(&live->lock);
    give_set(&giving, &state, &counts);
    ps_rules_counters_each(live->counters, give_rule, &giving);
}
