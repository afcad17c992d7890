#include "bench/verify/arrivals.h"

#include <stdlib.h>
#include <string.h>

void ps_arrivals_init(struct ps_arrivals *arrivals, uint64_t step_ns, uint64_t start_ns)
{
    PS_ASSERT(step_ns > 0);
    *arrivals = (struct ps_arrivals){.step_ns = step_ns, .start_ns = start_ns};
}

void ps_arrivals_fini(struct ps_arrivals *arrivals)
{
    free(arrivals->steps);
    arrivals->steps = NULL;
    arrivals->count = arrivals->room = 0;
}

void ps_arrivals_extend(struct ps_arrivals *arrivals, uint64_t step)
{
    if (step >= PS_ARRIVALS_STEPS)
        return;
    if (step >= arrivals->room) {
        uint32_t room = arrivals->room == 0 ? 1024 : arrivals->room;
        while (room <= step)
            room *= 2;
        arrivals->steps =
            ps_must_realloc(arrivals->steps, room * sizeof *arrivals->steps, "the arrivals of a run");
        arrivals->room = room;
    }
    memset(arrivals->steps[arrivals->count], 0, (step + 1 - arrivals->count) * sizeof *arrivals->steps);
    arrivals->count = (uint32_t)step + 1;
}

static bool is_empty(const struct ps_arrivals *arrivals, uint32_t step)
{
    for (uint32_t group = 0; group < arrivals->groups; group++)
        if (arrivals->steps[step][group] != 0)
            return false;
    return true;
}

json_t *ps_arrivals_json(const struct ps_arrivals *arrivals, uint64_t start_unix_ns)
{
    json_t *groups = json_array();
    uint32_t first = 0;
    while (first < arrivals->count && is_empty(arrivals, first))
        first++;
    for (uint32_t group = 0; group < arrivals->groups; group++) {
        json_t *counts = json_array();
        for (uint32_t step = first; step < arrivals->count; step++)
            json_array_append_new(counts, json_integer(arrivals->steps[step][group]));
        json_array_append_new(groups, counts);
    }
    return json_pack("{s:I,s:I,s:o}", "start_unix_ns",
                     (json_int_t)(start_unix_ns + first * arrivals->step_ns), "step_ns",
                     (json_int_t)arrivals->step_ns, "received", groups);
}
