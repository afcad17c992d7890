#include "bench/plan/goal.h"
#include "bench/support/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ps_status parse_latency(struct ps_goal *goal, const char *text, struct ps_err *err)
{
    char *end;
    goal->percentile = strtod(text + 1, &end);
    if (end == text + 1 || *end != '<' || !(goal->percentile > 0) || goal->percentile > 99.9999)
        return ps_err_set(err, "--goal %s: write a latency goal as p99<20ms", text);
    if (end[1] != '\0' && end[1 + strspn(end + 1, "0123456789.")] == '\0')
        return ps_err_set(err, "--goal %s: the limit has no unit; write %sms, or %ss for seconds", text, text,
                          text);
    if (ps_quantity_duration("--goal", end + 1, &goal->latency_limit_ns, err) != PS_OK)
        return ps_err_append(err, "--goal %s", text);
    return goal->latency_limit_ns > 0 ? PS_OK : ps_err_set(err, "--goal %s: the limit must be above 0", text);
}

enum ps_status ps_goal_parse(struct ps_goal *goal, const char *text, struct ps_err *err)
{
    *goal = (struct ps_goal){0};
    if (strlen(text) >= sizeof goal->name)
        return ps_err_set(err, "--goal: too long; write for example ndr, pdr=0.1%% or p99<20ms");
    snprintf(goal->name, sizeof goal->name, "%s", text);
    if (strcmp(text, "ndr") == 0)
        return PS_OK;
    if (strncmp(text, "pdr=", 4) == 0) {
        if (ps_quantity_share("--goal pdr", text + 4, &goal->loss_max, err) != PS_OK)
            return PS_FAIL;
        return goal->loss_max < 1 ? PS_OK
                                  : ps_err_set(err, "--goal %s: the share must be below 100 %%", text);
    }
    if (text[0] == 'p' && text[1] >= '0' && text[1] <= '9')
        return parse_latency(goal, text, err);
    return ps_err_set(err, "--goal: `%s` is not a goal; write for example ndr, pdr=0.1%% or p99<20ms", text);
}

const char *ps_goal_text(const struct ps_goal *goal, char *text, size_t room)
{
    char limit[32];
    if (goal->percentile > 0)
        snprintf(text, room, "p%g < %s, loss 0", goal->percentile,
                 ps_quantity_print_ns(goal->latency_limit_ns, limit, sizeof limit));
    else if (goal->loss_max > 0)
        snprintf(text, room, "loss <= %g %%", goal->loss_max * 100);
    else
        snprintf(text, room, "loss 0");
    return text;
}
