#include "stages/lib/rules/live/pace.h"

void ps_rules_pace_change(struct ps_rules_pace *pace, uint64_t mono_ns)
{
    pace->latest_ns = mono_ns;
    if (!pace->dirty)
        pace->first_ns = mono_ns;
    pace->dirty = true;
}

uint64_t ps_rules_pace_due_ns(const struct ps_rules_pace *pace)
{
    if (pace->wanted)
        return 0;
    if (!pace->dirty)
        return PS_NEVER;
    uint64_t quiet_ns = pace->latest_ns + pace->settle_ns,
             limit_ns = pace->first_ns + PS_RULES_SETTLES_MAX * pace->settle_ns;
    return quiet_ns < limit_ns ? quiet_ns : limit_ns;
}

bool ps_rules_pace_begin(struct ps_rules_pace *pace, uint64_t mono_ns)
{
    bool wanted = pace->wanted;
    /* Files that were not left alone until now will change during this load as well: ending it then would only
     * delay the first result. */
    pace->restless = pace->dirty && mono_ns < pace->latest_ns + pace->settle_ns;
    pace->patient = pace->overtaken || (pace->restless && !wanted);
    pace->overtaken = pace->wanted = pace->dirty = false;
    return wanted;
}

bool ps_rules_pace_is_overtaken(const struct ps_rules_pace *pace)
{
    return !pace->patient && (pace->dirty || pace->wanted);
}

void ps_rules_pace_cancelled(struct ps_rules_pace *pace, uint64_t mono_ns)
{
    pace->overtaken = true;
    ps_rules_pace_change(pace, mono_ns);
}

void ps_rules_pace_done(struct ps_rules_pace *pace, bool current, uint64_t mono_ns)
{
    pace->unsettled = current ? 0 : pace->unsettled + 1;
    if (pace->unsettled > 0 && pace->unsettled <= PS_RULES_UNSETTLED_MAX)
        ps_rules_pace_change(pace, mono_ns);
}

bool ps_rules_pace_looks(const struct ps_rules_pace *pace)
{
    return pace->unsettled > PS_RULES_UNSETTLED_MAX;
}
