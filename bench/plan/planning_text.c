#include "bench/plan/planning_text.h"
#include "bench/plan/goal.h"
#include "bench/plan/result.h"
#include "core/quantity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LIMITS_SHOWN 4U

static struct ps_quantity_text count_of(double count)
{
    return ps_quantity_print_count(count > 0 ? (uint64_t)(count + 0.5) : 0);
}

static enum ps_live_style style_of(enum ps_trial_verdict verdict)
{
    return verdict == PS_TRIAL_HELD        ? PS_LIVE_GOOD
           : verdict == PS_TRIAL_GENERATOR ? PS_LIVE_WARN
                                           : PS_LIVE_BAD;
}

/* "[806,000 .. 822,000]", "[806,000 .. ?]" */
static const char *interval_text(const struct ps_search_figure *figure, char *text, size_t room)
{
    snprintf(text, room, "[%s .. %s]", figure->lower > 0 ? count_of(figure->lower).text : "?",
             figure->upper > 0 ? count_of(figure->upper).text : "?");
    return text;
}

/* Writes why the trial was not held. */
static void reason_text(const struct ps_trial *trial, enum ps_trial_verdict verdict, char *text, size_t room)
{
    text[0] = '\0';
    if (verdict == PS_TRIAL_LOST)
        snprintf(text, room, "  lost %s (%.3g %%)", count_of(trial->lost).text, trial->loss * 100);
    else if (verdict == PS_TRIAL_LATE && trial->flow.verdict == PS_FLOW_STARVED)
        snprintf(text, room, "  connection %u falls behind by %.3g %%", trial->flow.connection,
                 trial->growth * 100);
    else if (verdict == PS_TRIAL_LATE && trial->behind)
        snprintf(text, room, "  falls behind by %.3g %%", trial->growth * 100);
    else if (verdict == PS_TRIAL_GENERATOR)
        snprintf(text, room, "  the generator itself was %s late",
                 ps_quantity_print_s(trial->schedule_error_p99_ns / 1e9).text);
    if (verdict == PS_TRIAL_FAILED || trial->note[0] != '\0')
        snprintf(text + strlen(text), room - strlen(text), "  %s", trial->note);
}

void ps_planning_print_trial(struct ps_live *live, const struct ps_planning *planning)
{
    unsigned number = planning->trial_count - 1;
    const struct ps_trial *trial = &planning->trials[number];
    unsigned goal = ps_search_trial(planning->search, number)->ask.goal;
    enum ps_trial_verdict verdict = ps_search_verdict(planning->search, number, goal);
    struct ps_search_figure figure;
    char interval[96], reason[400];
    const json_t *latency = json_object_get(trial->latency, "p99");
    ps_search_figure(planning->search, goal, &figure);
    reason_text(trial, verdict, reason, sizeof reason);
    struct ps_quantity_text p99 = {"-"};
    if (json_is_number(latency))
        p99 = ps_quantity_print_s(json_number_value(latency) / 1e9);
    ps_live_note(live, "%3u  %-10s %16s %7s  %s%-9s%s  p99 %-9s %s%s%s%s", number + 1,
                 planning->config->search.goals[goal].name, ps_quantity_print_event_rate(trial->rate).text,
                 ps_quantity_print_s(trial->seconds).text, ps_live_style(live, style_of(verdict)),
                 ps_trial_verdict_text(verdict), ps_live_style(live, PS_LIVE_PLAIN), p99.text,
                 interval_text(&figure, interval, sizeof interval), ps_live_style(live, PS_LIVE_DIM), reason,
                 ps_live_style(live, PS_LIVE_PLAIN));
}

/* ---- the result ---- */

static void print_goal(struct ps_live *live, const struct ps_planning *planning, unsigned index)
{
    const struct ps_goal *goal = &planning->config->search.goals[index];
    struct ps_search_figure figure;
    char text[96], note[640], off[48] = "";
    ps_search_figure(planning->search, index, &figure);
    ps_result_note(planning, index, note, sizeof note);
    bool good = figure.status == PS_SEARCH_FOUND;
    bool at_least = ps_search_is_at_least(&figure);
    if (figure.lower > 0 && figure.upper > 0)
        snprintf(off, sizeof off, " \302\261 %.1f %%, %.0f %% sure", (figure.upper / figure.lower - 1) * 50,
                 figure.confidence * 100);
    ps_live_print(live, "\n%s%s%s (%s): ", ps_live_style(live, PS_LIVE_BOLD), goal->name,
                  ps_live_style(live, PS_LIVE_PLAIN), ps_goal_text(goal, text, sizeof text));
    if (figure.rate > 0)
        ps_live_print(live, "%s%s%s%s%s%s\n", ps_live_style(live, good ? PS_LIVE_GOOD : PS_LIVE_WARN),
                      at_least ? "at least " : "", ps_quantity_print_event_rate(figure.rate).text,
                      at_least ? "" : off, good || at_least ? "" : ", not confirmed: ",
                      good || at_least ? "" : ps_search_status_text(figure.status));
    else
        ps_live_print(live, "%snot found: %s\n", ps_live_style(live, PS_LIVE_BAD),
                      ps_search_status_text(figure.status));
    ps_live_print(live, "%s%s    %s%s\n", ps_live_style(live, PS_LIVE_PLAIN),
                  ps_live_style(live, PS_LIVE_DIM), note, ps_live_style(live, PS_LIVE_PLAIN));
}

static void print_limits(struct ps_live *live, const struct ps_limits *limits)
{
    if (limits->count == 0)
        return;
    ps_live_print(live, "\nwhat limits it\n");
    for (unsigned i = 0; i < limits->count && i < LIMITS_SHOWN; i++)
        ps_live_print(live, "  %u. %s\n", i + 1, limits->items[i].text);
}

static void print_scaling(struct ps_live *live, const struct ps_planning *planning)
{
    const struct ps_scaling *scaling = &planning->scaling;
    if (planning->point_count == 0)
        return;
    ps_live_print(live, "\nworkers (Universal Scalability Law: ");
    if (planning->scaled && scaling->free_count < planning->point_count)
        ps_live_print(live, "sigma %.3f, kappa %.4f, error %.1f %%)\n", scaling->sigma, scaling->kappa,
                      scaling->error * 100);
    else if (planning->scaled)
        ps_live_print(live, "sigma %.3f, kappa %.4f, error unknown: as many unknowns as points)\n",
                      scaling->sigma, scaling->kappa);
    else
        ps_live_print(live, "no fit, because a figure is \"at least\")\n");
    for (unsigned i = 0; i < planning->point_count; i++)
        ps_live_print(live, "  %3u  %s%21s\n", planning->points[i].workers,
                      ps_search_is_at_least(&planning->points[i].figure) ? "at least " : "",
                      ps_quantity_print_event_rate(planning->points[i].figure.rate).text);
    if (planning->scaled && scaling->peak_workers > 0)
        ps_live_print(live, "  more than %.0f would make it slower\n", scaling->peak_workers);
}

static void print_assumption(void *argument, const char *text)
{
    ps_live_print(argument, "  - %s\n", text);
}

static void print_cost(struct ps_live *live, const struct ps_planning *planning, const char *at_most)
{
    const struct ps_projection *projection = &planning->projection;
    const char *currency = planning->config->wish.cost.currency;
    char hour[48], month[48], million[48];
    if (projection->cost_per_hour > 0)
        ps_live_print(live, "  %s%s an hour, %s a month, %s for a million events\n", at_most,
                      ps_cost_print(projection->cost_per_hour, currency, hour, sizeof hour),
                      ps_cost_print(projection->cost_per_month, currency, month, sizeof month),
                      ps_cost_print(projection->cost_per_million, currency, million, sizeof million));
}

static void print_projection(struct ps_live *live, const struct ps_planning *planning)
{
    const struct ps_projection *projection = &planning->projection;
    const struct ps_projection_wish *wish = &planning->config->wish;
    if (!planning->config->project)
        return;
    if (!planning->projected) {
        ps_live_print(live, "\nno projection: %s\n", planning->projection_note);
        return;
    }
    char error[64] = "the measured figure is \"at least\"";
    if (!projection->at_most)
        snprintf(error, sizeof error, "error of the measured figure: %.1f %%", projection->error * 100);
    const char *at_most = projection->at_most ? "at most " : "";
    ps_live_print(live, "\n%sprojection%s for %s (%s)\n", ps_live_style(live, PS_LIVE_BOLD),
                  ps_live_style(live, PS_LIVE_PLAIN), ps_quantity_print_event_rate(wish->rate).text, error);
    ps_live_print(live, "  %s%u machines (%u of them may be down), %s%s each\n", at_most,
                  projection->machines, wish->spare, projection->at_most ? "at least " : "",
                  ps_quantity_print_event_rate(projection->machine_rate).text);
    ps_live_print(live, "  %u partitions", projection->partitions);
    if (projection->disk_bytes_per_broker > 0)
        ps_live_print(live, ", %s of disk on each of %u brokers",
                      ps_quantity_print_bytes((uint64_t)projection->disk_bytes_per_broker).text,
                      projection->brokers);
    ps_live_print(live, "\n");
    print_cost(live, planning, at_most);
    for (unsigned i = 0; i < projection->assumption_count; i++)
        print_assumption(live, projection->assumptions[i]);
}

static void print_verdicts(struct ps_live *live, const char *heading, const json_t *list, const char *key)
{
    static const struct {
        const char *verdict;
        enum ps_live_style style;
    } styles[] = {{"met", PS_LIVE_GOOD},
                  {"missed", PS_LIVE_BAD},
                  {"not-shown", PS_LIVE_WARN},
                  {"better", PS_LIVE_GOOD},
                  {"worse", PS_LIVE_BAD}};
    size_t index;
    const json_t *item;
    if (json_array_size(list) > 0)
        ps_live_print(live, "\n%s\n", heading);
    json_array_foreach((json_t *)(uintptr_t)list, index, item)
    {
        const char *name = json_string_value(json_object_get(item, key)),
                   *verdict = json_string_value(json_object_get(item, "verdict")),
                   *text = json_string_value(json_object_get(item, "text"));
        enum ps_live_style style = PS_LIVE_PLAIN;
        if (name == NULL || verdict == NULL || text == NULL) /* of a foreign document */
            continue;
        for (size_t i = 0; i < PS_COUNT_OF(styles); i++)
            if (strcmp(verdict, styles[i].verdict) == 0)
                style = styles[i].style;
        ps_live_print(live, "  %-16s %s%-9s%s %s\n", name, ps_live_style(live, style), verdict,
                      ps_live_style(live, PS_LIVE_PLAIN), text);
    }
}

void ps_planning_print_verdicts(struct ps_live *live, const json_t *document)
{
    const json_t *comparison = json_object_get(document, "comparison"), *text;
    const char *with = json_string_value(json_object_get(comparison, "with")),
               *started = json_string_value(json_object_get(comparison, "started"));
    char heading[512];
    size_t index;
    print_verdicts(live, "requirements", json_object_get(document, "requirements"), "requirement");
    snprintf(heading, sizeof heading, "compared with %s%s%s", with != NULL ? with : "an older result",
             started != NULL ? " of " : "", started != NULL ? started : "");
    print_verdicts(live, heading, json_object_get(comparison, "figures"), "figure");
    json_array_foreach(json_object_get(comparison, "differences"), index, text) if (json_is_string(text))
        ps_live_print(live, "  not the same: %s\n", json_string_value(text));
}

void ps_planning_print(struct ps_live *live, const struct ps_planning *planning)
{
    ps_live_clear(live);
    for (unsigned i = 0; i < planning->config->search.goal_count; i++)
        print_goal(live, planning, i);
    print_limits(live, &planning->limits);
    print_scaling(live, planning);
    print_projection(live, planning);
    if (planning->subject.note_count > 0 || planning->config->paced_by_sleep)
        ps_live_print(live, "\nassumptions\n");
    ps_result_assumptions(planning, print_assumption, live);
    ps_live_print(live, "\n%u trials in %s%s\n", planning->trial_count,
                  ps_quantity_print_s(round(planning->seconds)).text,
                  planning->interrupted ? ", interrupted" : "");
}
