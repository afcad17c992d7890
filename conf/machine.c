/* The machine on which the agent runs: its CPUs and its memory, with the limit (-Xmx) of the configuration. Thread: control. */
#include "conf/conf.h"
#include "conf/validate/types.h"
#include "core/engine/plan.h"

#include <string.h>

static bool is_java(const struct ps_conf_part *part)
{
    return part->ops != NULL && strcmp(part->ops->name, PS_TYPE_JAVA) == 0;
}

static bool source_runs_java(const struct ps_conf_source *source)
{
    for (size_t i = 0; i < source->interceptor_count; i++)
        if (is_java(&source->interceptors[i]))
            return true;
    return is_java(&source->part) || is_java(&source->selector);
}

/* Returns whether the agent starts a JVM for one of its components. */
static bool runs_java(const struct ps_conf_agent *agent)
{
    for (size_t i = 0; i < agent->source_count; i++)
        if (source_runs_java(&agent->sources[i]))
            return true;
    for (size_t i = 0; i < agent->sink_count; i++)
        if (is_java(&agent->sinks[i].part))
            return true;
    return false;
}

struct ps_machine ps_conf_machine(const struct ps_conf *conf)
{
    struct ps_machine machine;
    ps_machine_read(&machine, "");
    *(runs_java(&conf->agent) ? &machine.java_heap_bytes : &machine.heap_hint_bytes) =
        (uint64_t)conf->heap_bytes;
    return machine;
}
