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
           : verdict == PS_TRIAL_UNTOLD    ? PS_LIVE_DIM
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
    else if (verdict == PS_TRIAL_LATE && trial->flow.verdict == PS_FLOW_SLOW)
        snprintf(text, room, "  one event in a hundred came later than a quarter of the trial");
    else if (verdict == PS_TRIAL_LATE && trial->behind)
        snprintf(text, room, "  falls behind by %.3g %%", trial->growth * 100);
    else if (verdict == PS_TRIAL_GENERATOR && trial->lost > 0)
        snprintf(text, room, "  lost %s, but the generator sent %s late and in a bunch",
                 count_of(trial->lost).text, count_of(trial->bunched).text);
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
    const json_t *latency = json_object_get(trial->json.latency, "p99");
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

/* ---- the result, from its document ---- */

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "?";
}

/* Returns a number of the document; 0: the document does not have it. */
static double number_of(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static bool has_number(const json_t *object, const char *key)
{
    return json_is_number(json_object_get(object, key));
}

/* Writes what trials showed of a figure that was not told: "at least 4,000 events/s (held), at most 20,000 events/s
 * (failed); about 7,200 events/s came through". */
static void shown_text(const struct ps_result_goal *figure, char *text, size_t room)
{
    char least[128] = "", most[96] = "", guess[96] = "";
    const struct ps_quantity_text lower = ps_quantity_print_event_rate(figure->lower),
                                  failed = ps_quantity_print_event_rate(figure->failed),
                                  rate = ps_quantity_print_event_rate(figure->rate);
    if (figure->held > 0)
        snprintf(least, sizeof least, "at least %s (held)", ps_quantity_print_event_rate(figure->held).text);
    else if (figure->lower > 0 && figure->held_s > 0)
        snprintf(least, sizeof least, "%s was held, but for %s only", lower.text,
                 ps_quantity_print_s(round(figure->held_s * 10) / 10).text);
    else if (figure->lower > 0)
        snprintf(least, sizeof least, "%s was held, but in short trials only", lower.text);
    if (figure->failed > 0)
        snprintf(most, sizeof most, "%sat most %s (failed)", least[0] != '\0' ? ", " : "", failed.text);
    bool is_guess =
        figure->rate > 0 && strcmp(rate.text, lower.text) != 0 && strcmp(rate.text, failed.text) != 0;
    if (is_guess)
        snprintf(guess, sizeof guess, "%sthe best guess is %s",
                 least[0] != '\0' || most[0] != '\0' ? "; " : "", rate.text);
    if (least[0] == '\0' && most[0] == '\0' && !is_guess)
        snprintf(least, sizeof least, "no trial showed a rate");
    snprintf(text, room, "%s%s%s", least, most, guess);
}

static void print_goal(struct ps_live *live, const struct ps_result_goal *figure, const json_t *object,
                       bool interrupted)
{
    char off[48] = "";
    bool good = figure->status == PS_SEARCH_FOUND;
    bool at_least = !good && ps_result_is_confirmed(figure);
    double confidence = number_of(object, "confidence");
    if (figure->lower > 0 && figure->upper > 0)
        snprintf(off, sizeof off, " \302\261 %.1f %%, %.0f %% sure", (figure->upper / figure->lower - 1) * 50,
                 confidence * 100);
    ps_live_print(live, "\n%s%s%s (%s): ", ps_live_style(live, PS_LIVE_BOLD), figure->goal.name,
                  ps_live_style(live, PS_LIVE_PLAIN), text_of(object, "text"));
    char shown[512];
    shown_text(figure, shown, sizeof shown);
    if (figure->rate > 0 && (good || at_least))
        ps_live_print(live, "%s%s%s%s\n", ps_live_style(live, good ? PS_LIVE_GOOD : PS_LIVE_WARN),
                      at_least ? "at least " : "", ps_quantity_print_event_rate(figure->rate).text,
                      at_least ? "" : off);
    else if (figure->status == PS_SEARCH_OUT_OF_TIME || figure->lower > 0)
        ps_live_print(live, "%snot told (%s): %s\n", ps_live_style(live, PS_LIVE_WARN),
                      interrupted && figure->status == PS_SEARCH_OUT_OF_TIME
                          ? "interrupted"
                          : ps_search_status_text(figure->status),
                      shown);
    else
        ps_live_print(live, "%snot found: %s\n", ps_live_style(live, PS_LIVE_BAD),
                      ps_search_status_text(figure->status));
    ps_live_print(live, "%s%s    %s%s\n", ps_live_style(live, PS_LIVE_PLAIN),
                  ps_live_style(live, PS_LIVE_DIM), text_of(object, "note"),
                  ps_live_style(live, PS_LIVE_PLAIN));
}

static void print_limits(struct ps_live *live, const json_t *limits)
{
    if (json_array_size(limits) > 0)
        ps_live_print(live, "\nwhat limits it\n");
    for (size_t i = 0; i < json_array_size(limits) && i < LIMITS_SHOWN; i++)
        ps_live_print(live, "  %zu. %s\n", i + 1, text_of(json_array_get(limits, i), "text"));
}

static void print_scaling(struct ps_live *live, const json_t *scaling)
{
    const json_t *points = json_object_get(scaling, "points"), *point;
    size_t index;
    if (json_array_size(points) == 0)
        return;
    ps_live_print(live, "\nworkers (");
    if (has_number(scaling, "sigma"))
        ps_live_print(live, "sigma %.3f, kappa %.4f, error %.1f %%; ", number_of(scaling, "sigma"),
                      number_of(scaling, "kappa"), number_of(scaling, "error") * 100);
    ps_live_print(live, "%s)\n", text_of(scaling, "note"));
    json_array_foreach((json_t *)(uintptr_t)points, index, point)
        ps_live_print(live, "  %3.0f  %s%21s\n", number_of(point, "workers"),
                      json_is_null(json_object_get(point, "upper")) ? "at least " : "",
                      ps_quantity_print_event_rate(number_of(point, "rate")).text);
    if (number_of(scaling, "peak_workers") > 0)
        ps_live_print(live, "  more than %.0f would make it slower\n", number_of(scaling, "peak_workers"));
}

static void print_list(struct ps_live *live, const json_t *list)
{
    size_t index;
    const json_t *text;
    json_array_foreach((json_t *)(uintptr_t)list, index, text) if (json_is_string(text))
        ps_live_print(live, "  - %s\n", json_string_value(text));
}

static void print_cost(struct ps_live *live, const json_t *cost, const char *at_most)
{
    const char *currency = json_string_value(json_object_get(cost, "currency"));
    char hour[48], month[48], million[48];
    if (!json_is_object(cost))
        return;
    if (currency == NULL)
        currency = "";
    ps_live_print(live, "  %s%s an hour, %s a month, %s for a million events\n", at_most,
                  ps_cost_print(number_of(cost, "per_hour"), currency, hour, sizeof hour),
                  ps_cost_print(number_of(cost, "per_month"), currency, month, sizeof month),
                  ps_cost_print(number_of(cost, "per_million_events"), currency, million, sizeof million));
}

static void print_projection(struct ps_live *live, const json_t *projection)
{
    bool is_at_most = json_is_true(json_object_get(projection, "machines_at_most"));
    const char *at_most = is_at_most ? "at most " : "";
    char error[64] = "the measured figure is \"at least\"";
    if (!is_at_most && has_number(projection, "error"))
        snprintf(error, sizeof error, "error of the measured figure: %.1f %%",
                 number_of(projection, "error") * 100);
    ps_live_print(live, "\n%sprojection%s for %s (%s)\n", ps_live_style(live, PS_LIVE_BOLD),
                  ps_live_style(live, PS_LIVE_PLAIN),
                  ps_quantity_print_event_rate(number_of(projection, "asked_rate")).text, error);
    ps_live_print(live, "  %s%.0f machines (%.0f of them may be down), %s%s each\n", at_most,
                  number_of(projection, "machines"), number_of(projection, "spare"),
                  is_at_most ? "at least " : "",
                  ps_quantity_print_event_rate(number_of(projection, "machine_rate")).text);
    ps_live_print(live, "  %.0f partitions", number_of(projection, "partitions"));
    if (number_of(projection, "disk_bytes_per_broker") > 0)
        ps_live_print(live, ", %s of disk on each of %.0f brokers",
                      ps_quantity_print_bytes((uint64_t)number_of(projection, "disk_bytes_per_broker")).text,
                      number_of(projection, "brokers"));
    ps_live_print(live, "\n");
    print_cost(live, json_object_get(projection, "cost"), at_most);
    print_list(live, json_object_get(projection, "assumptions"));
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

void ps_planning_print(struct ps_live *live, const json_t *document)
{
    const json_t *projection = json_object_get(document, "projection"),
                 *assumptions = json_object_get(document, "assumptions");
    const char *no_projection = json_string_value(json_object_get(document, "projection_note"));
    struct ps_result_goal figure;
    ps_live_clear(live);
    for (size_t i = 0; ps_result_goal(document, i, &figure); i++)
        print_goal(live, &figure, json_array_get(json_object_get(document, "goals"), i),
                   json_is_true(json_object_get(document, "interrupted")));
    print_limits(live, json_object_get(document, "limits"));
    print_scaling(live, json_object_get(document, "scaling"));
    if (json_is_object(projection))
        print_projection(live, projection);
    else if (no_projection != NULL)
        ps_live_print(live, "\nno projection: %s\n", no_projection);
    if (!json_is_object(projection) && json_array_size(assumptions) > 0) { /* else the projection has them */
        ps_live_print(live, "\nassumptions\n");
        print_list(live, assumptions);
    }
    size_t trials = json_array_size(json_object_get(document, "trials"));
    ps_live_print(live, "\n%zu trial%s in %s%s\n", trials, trials == 1 ? "" : "s",
                  ps_quantity_print_s(round(number_of(document, "seconds"))).text,
                  json_is_true(json_object_get(document, "interrupted")) ? ", interrupted" : "");
}
