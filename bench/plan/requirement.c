#include "bench/plan/requirement.h"
#include "bench/plan/goal.h"
#include "bench/plan/result.h"
#include "core/quantity.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The required rate and the rate of a trial may differ in their last bits. */
#define RATE_ROUNDING 1e-9

const char *ps_requirement_verdict_text(enum ps_requirement_verdict verdict)
{
    static const char *const texts[] = {
        [PS_REQUIREMENT_MET] = "met",
        [PS_REQUIREMENT_MISSED] = "missed",
        [PS_REQUIREMENT_NOT_SHOWN] = "not-shown",
    };
    return texts[verdict];
}

enum ps_status ps_requirement_parse(struct ps_requirement *requirement, const char *text, struct ps_err *err)
{
    char goal[PS_GOAL_NAME_BYTES];
    const char *sign = NULL;
    for (const char *at = text; (at = strstr(at, ">=")) != NULL; at += 2)
        sign = at; /* the last one */
    if (sign == NULL || sign == text)
        return ps_err_set(err,
                          "--require: write a goal and the rate that it has to be met at, for example "
                          "'ndr>=50k' or 'p99<20ms>=50k', not `%s`",
                          text);
    if ((size_t)(sign - text) >= sizeof goal)
        return ps_err_set(err, "--require: `%s` is too long; write for example 'ndr>=50k'", text);
    snprintf(goal, sizeof goal, "%.*s", (int)(sign - text), text);
    *requirement = (struct ps_requirement){.text = text};
    if (ps_goal_parse(&requirement->goal, "--require", goal, err) != PS_OK)
        return PS_FAIL;
    return ps_quantity_rate("--require", sign + 2, &requirement->rate, err);
}

static struct ps_quantity_text count_of(double count)
{
    return ps_quantity_print_count((uint64_t)(fmax(count, 0) + 0.5));
}

/* "held at 51,200, not at 52,600 events/s; 95 % interval 50,400 to 53,100" */
static void figure_text(const struct ps_result_goal *figure, char *text, size_t room)
{
    char interval[112] = "";
    if (figure->low95 > 0 && figure->high95 > 0)
        snprintf(interval, sizeof interval, "; 95 %% interval %s to %s", count_of(figure->low95).text,
                 count_of(figure->high95).text);
    if (figure->lower > 0 && figure->upper > 0 && figure->status == PS_SEARCH_GENERATOR_LIMITED)
        snprintf(text, room, "held at %s events/s; the generator was too late to tell at %s",
                 count_of(figure->lower).text, count_of(figure->upper).text);
    else if (figure->lower > 0 && figure->upper > 0)
        snprintf(text, room, "held at %s, not at %s events/s%s", count_of(figure->lower).text,
                 count_of(figure->upper).text, interval);
    else if (figure->lower > 0)
        snprintf(text, room, "held at %s events/s%s", count_of(figure->lower).text, interval);
    else if (figure->upper > 0)
        snprintf(text, room, "not held at %s events/s%s", count_of(figure->upper).text, interval);
    else
        snprintf(text, room, "no rate was tried with a result");
    if (!ps_result_is_confirmed(figure))
        snprintf(text + strlen(text), room - strlen(text), "; %s", ps_search_status_text(figure->status));
}

enum ps_requirement_verdict ps_requirement_judge(const struct ps_requirement *requirement,
                                                 const json_t *document, char *reason, size_t room)
{
    struct ps_result_goal figure;
    if (!ps_result_goal_find(document, &requirement->goal, &figure)) {
        snprintf(reason, room, "the result has no goal %s", requirement->goal.name);
        return PS_REQUIREMENT_NOT_SHOWN;
    }
    figure_text(&figure, reason, room);
    bool confirmed = ps_result_is_confirmed(&figure);
    double held = confirmed ? figure.lower : figure.low95;
    if (held >= requirement->rate * (1 - RATE_ROUNDING))
        return PS_REQUIREMENT_MET;
    /* the generator was the limit at the upper end, not the subject */
    bool refused = figure.status != PS_SEARCH_GENERATOR_LIMITED &&
                   (confirmed || figure.status == PS_SEARCH_BELOW_RANGE) && figure.upper > 0 &&
                   figure.upper <= requirement->rate;
    return refused || (figure.high95 > 0 && figure.high95 < requirement->rate) ? PS_REQUIREMENT_MISSED
                                                                               : PS_REQUIREMENT_NOT_SHOWN;
}

unsigned ps_requirements_judge(const struct ps_requirement *requirements, unsigned count, json_t *document)
{
    json_t *array = json_array();
    unsigned unmet = 0;
    for (unsigned i = 0; i < count; i++) {
        char reason[320];
        enum ps_requirement_verdict verdict =
            ps_requirement_judge(&requirements[i], document, reason, sizeof reason);
        unmet += verdict != PS_REQUIREMENT_MET;
        json_array_append_new(array,
                              json_pack("{s:s,s:s,s:f,s:s,s:s}", "requirement", requirements[i].text, "goal",
                                        requirements[i].goal.name, "rate", requirements[i].rate, "verdict",
                                        ps_requirement_verdict_text(verdict), "text", reason));
    }
    json_object_set_new(document, "requirements", array);
    return unmet;
}
