/* Checks the destination of dead letters (penstock.deadletter): a directory, or a channel of the agent. A sink that
 * takes dead letters from a channel must not send its own to a channel, so no event can circulate for ever inside an
 * agent. */
#include "conf/validate/validate_internal.h"

#include <string.h>

#define CURE "name a directory: /var/lib/penstock/dead, or ./dead"

static void report(struct ps_validation *validation, const struct ps_conf_part *part, const char *prefix,
                   const char *cure, const char *what)
{
    ps_problem_add(validation->problems, PS_SEVERITY_ERROR,
                   ps_component_place(&validation->maker, part, prefix, "penstock.deadletter"), cure, "%s",
                   what);
}

bool ps_validation_letters(struct ps_validation *validation, const struct ps_conf_part *part,
                           const char *prefix, const char *deadletter)
{
    if (!ps_dead_letters_go_to_channel(deadletter) ||
        ps_conf_channel_named(&validation->conf->agent, deadletter) != NULL)
        return true;
    report(
        validation, part, prefix,
        ps_arena_format(validation->arena, "%s; or a channel of %s", CURE, validation->text->name),
        ps_arena_format(validation->arena, "\"%s\" is neither a channel nor a directory's path", deadletter));
    return false;
}

/* ---- loops ---- */

static const struct ps_conf_group *group_of(const struct ps_conf_agent *agent,
                                            const struct ps_conf_sink *sink)
{
    for (size_t i = 0; i < agent->group_count; i++) {
        if (agent->groups[i].runs && ps_texts_have(&agent->groups[i].sinks, sink->part.name))
            return &agent->groups[i];
    }
    return NULL;
}

static bool has_letters_channel(const struct ps_conf_sink *sink)
{
    return ps_dead_letters_go_to_channel(sink->common.deadletter);
}

/* Returns a sink that takes from the channel and is `sink` itself or a member of its group. NULL: none. */
static const struct ps_conf_sink *own_drain(const struct ps_conf_agent *agent,
                                            const struct ps_conf_sink *sink, const char *channel)
{
    const struct ps_conf_group *group = group_of(agent, sink);
    if (strcmp(sink->channel, channel) == 0)
        return sink;
    for (size_t i = 0; group != NULL && i < agent->sink_count; i++) {
        const struct ps_conf_sink *other = &agent->sinks[i];
        if (group_of(agent, other) == group && strcmp(other->channel, channel) == 0)
            return other;
    }
    return NULL;
}

/* Returns why the letters of this sink must not go to the channel that it names; NULL: they may. */
static const char *objection(struct ps_validation *validation, const struct ps_conf_sink *sink)
{
    const struct ps_conf_agent *agent = &validation->conf->agent;
    const char *target = sink->common.deadletter;
    const struct ps_conf_sink *own = own_drain(agent, sink, target);
    if (own == sink)
        return ps_arena_format(validation->arena,
                               "the dead letters of %s would come back to it: it takes from %s",
                               sink->part.label, target);
    if (own != NULL)
        return ps_arena_format(validation->arena,
                               "the dead letters of %s would come back to its group: %s takes from %s",
                               sink->part.label, own->part.label, target);
    const char *writer = ps_conf_letters_of(agent, sink->channel);
    if (writer == NULL)
        return NULL;
    return ps_arena_format(validation->arena,
                           "%s takes the dead letters of %s from channel %s: its dead letters would be dead "
                           "letters of dead letters, and could circulate for ever",
                           sink->part.label, writer, sink->channel);
}

void ps_validate_letters(struct ps_validation *validation)
{
    const struct ps_conf_agent *agent = &validation->conf->agent;
    for (size_t i = 0; i < agent->source_count; i++) {
        const char *target = agent->sources[i].common.deadletter;
        if (ps_dead_letters_go_to_channel(target))
            ps_conf_channel_named(agent, target)->source_count++;
    }
    for (size_t i = 0; i < agent->sink_count; i++) {
        const struct ps_conf_sink *sink = &agent->sinks[i];
        if (!has_letters_channel(sink))
            continue;
        ps_conf_channel_named(agent, sink->common.deadletter)->source_count++;
        const char *what = objection(validation, sink);
        if (what != NULL)
            report(validation, &sink->part,
                   ps_validation_prefix(validation, PS_SECTION_SINKS, sink->part.name), CURE, what);
    }
}
