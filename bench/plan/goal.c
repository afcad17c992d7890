#include "bench/plan/goal.h"
#include "core/quantity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum ps_status parse_latency(struct ps_goal *goal, const char *what, const char *text,
                                    struct ps_err *err)
{
    char *end;
    goal->percentile = strtod(text + 1, &end);
    if (end == text + 1 || *end != '<' || !(goal->percentile > 0) || goal->percentile > 99.9999)
        return ps_err_set(err, "%s %s: write a latency goal as p99<20ms", what, text);
    if (end[1] != '\0' && end[1 + strspn(end + 1, "0123456789.")] == '\0')
        return ps_err_set(err, "%s %s: the limit has no unit; write %sms, or %ss for seconds", what, text,
                          text, text);
    if (ps_quantity_duration(what, end + 1, &goal->latency_limit_ns, err) != PS_OK)
        return ps_err_append(err, "%s %s", what, text);
    return goal->latency_limit_ns > 0 ? PS_OK
                                      : ps_err_set(err, "%s %s: the limit must be above 0", what, text);
}

enum ps_status ps_goal_parse(struct ps_goal *goal, const char *what, const char *text, struct ps_err *err)
{
    *goal = (struct ps_goal){0};
    if (strlen(text) >= sizeof goal->name)
        return ps_err_set(err, "%s: too long; write for example ndr, pdr=0.1%% or p99<20ms", what);
    snprintf(goal->name, sizeof goal->name, "%s", text);
    if (strcmp(text, "ndr") == 0)
        return PS_OK;
    if (strncmp(text, "pdr=", 4) == 0) {
        if (ps_quantity_share(what, text + 4, &goal->loss_max, err) != PS_OK)
            return PS_FAIL;
        return goal->loss_max < 1 ? PS_OK
                                  : ps_err_set(err, "%s %s: the share must be below 100 %%", what, text);
    }
    if (text[0] == 'p' && text[1] >= '0' && text[1] <= '9')
        return parse_latency(goal, what, text, err);
    return ps_err_set(err, "%s: `%s` is not a goal; write for example ndr, pdr=0.1%% or p99<20ms", what,
                      text);
}

bool ps_goal_equal(const struct ps_goal *one, const struct ps_goal *other)
{
    return one->loss_max == other->loss_max && one->percentile == other->percentile &&
           one->latency_limit_ns == other->latency_limit_ns;
}

const char *ps_goal_text(const struct ps_goal *goal, char *text, size_t room)
{
    if (goal->percentile > 0)
        snprintf(text, room, "p%g < %s, loss 0", goal->percentile,
                 ps_quantity_print_ns(goal->latency_limit_ns).text);
    else if (goal->loss_max > 0)
        snprintf(text, room, "loss <= %g %%", goal->loss_max * 100);
    else
        snprintf(text, room, "loss 0");
    return text;
}
