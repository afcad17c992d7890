/* See mistake.h. */
#include "conf/mistake.h"

#include "conf/parts.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Returns whether `conf` has this problem. Lines move, so they are not compared. */
static bool has_problem(const struct ps_conf *conf, const struct ps_problem *problem)
{
    for (size_t i = 0; i < conf->problems.count; i++) {
        const struct ps_problem *item = &conf->problems.items[i];
        if (item->mistake != PS_MISTAKE_NONE && same_text(item->key, problem->key) &&
            same_text(item->what, problem->what))
            return true;
    }
    return false;
}

/* Counts the producers of a channel: sources, and components whose dead letters go there. */
static size_t channel_sources(const struct ps_agent_spec *spec, unsigned channel)
{
    size_t count = 0;
    for (size_t i = 0; i < spec->source_count; i++) {
        for (size_t k = 0; k < spec->sources[i].channel_count; k++)
            count += spec->sources[i].channels[k] == channel;
        count += spec->sources[i].letters == channel + 1;
    }
    for (size_t i = 0; i < spec->sink_count; i++)
        count += spec->sinks[i].letters == channel + 1;
    return count;
}

static size_t channel_sinks(const struct ps_agent_spec *spec, unsigned channel)
{
    size_t count = 0;
    for (size_t i = 0; i < spec->sink_count; i++)
        count += spec->sinks[i].channel == channel;
    return count;
}

/* Returns the index of this channel in the running spec; if it is not there, the number of the spec's channels. */
static unsigned channel_before(const struct ps_agent_spec *old, const char *name)
{
    unsigned i = 0;
    while (i < old->channel_count && strcmp(old->channels[i].stage.name, name) != 0)
        i++;
    return i;
}

/* Returns whether this channel has lost its last source or sink, or is new and never had one. */
static bool channel_is_cut(const struct ps_agent_spec *old, const struct ps_conf_channel *channel)
{
    if (channel->source_count > 0 && channel->sink_count > 0)
        return false;
    unsigned before = channel_before(old, channel->part.name);
    return before == old->channel_count || (channel->source_count == 0 && channel_sources(old, before) > 0) ||
           (channel->sink_count == 0 && channel_sinks(old, before) > 0);
}

/* ---- components that went over to another channel ---- */

static bool sink_took(const struct ps_agent_spec *old, const char *name, unsigned channel)
{
    for (size_t i = 0; i < old->sink_count; i++) {
        if (strcmp(old->sinks[i].stage.name, name) == 0)
            return old->sinks[i].channel == channel;
    }
    return false;
}

static bool source_put(const struct ps_agent_spec *old, const char *name, unsigned channel)
{
    for (size_t i = 0; i < old->source_count; i++) {
        if (strcmp(old->sources[i].stage.name, name) != 0)
            continue;
        for (size_t k = 0; k < old->sources[i].channel_count; k++) {
            if (old->sources[i].channels[k] == channel)
                return true;
        }
    }
    return false;
}

/* Adds a mistake when the last sinks of this channel now take from other channels and its sources stay: their events
 * would never be delivered. Sinks that are no longer listed were removed on purpose. */
static void add_sinks_moved(struct ps_conf *fresh, const struct ps_agent_spec *old, const char *channel,
                            unsigned before)
{
    for (size_t i = 0; i < fresh->agent.sink_count; i++) {
        const struct ps_conf_sink *sink = &fresh->agent.sinks[i];
        if (!sink_took(old, sink->part.name, before))
            continue;
        ps_problem_add(
            &fresh->problems, PS_SEVERITY_WARNING, ps_conf_part_place(fresh, &sink->part, "channel"),
            ps_arena_format(fresh->arena,
                            "give %s another sink, or take it out of the channels of its sources", channel),
            "channel %s has sources, and loses its last sink: %s now takes from %s instead", channel,
            sink->part.label, sink->channel);
        ps_problem_mistake(&fresh->problems, PS_MISTAKE_CAUSE);
    }
}

/* Adds a mistake when the last sources of this channel have left it: the sinks that stay would wait for ever. */
static void add_sources_moved(struct ps_conf *fresh, const struct ps_agent_spec *old, const char *channel,
                              unsigned before)
{
    for (size_t i = 0; i < fresh->agent.source_count; i++) {
        const struct ps_conf_source *source = &fresh->agent.sources[i];
        if (!source_put(old, source->part.name, before))
            continue;
        ps_problem_add(
            &fresh->problems, PS_SEVERITY_WARNING, ps_conf_part_place(fresh, &source->part, "channels"),
            ps_arena_format(fresh->arena, "give %s another source, or take its sinks out of %s.sinks",
                            channel, fresh->agent.name),
            "channel %s has sinks, and loses its last source: %s no longer puts events into it", channel,
            source->part.label);
        ps_problem_mistake(&fresh->problems, PS_MISTAKE_CAUSE);
    }
}

static void add_moved(struct ps_conf *fresh, const struct ps_agent_spec *old)
{
    for (size_t i = 0; i < fresh->agent.channel_count; i++) {
        const struct ps_conf_channel *channel = &fresh->agent.channels[i];
        unsigned before = channel_before(old, channel->part.name);
        if (before < old->channel_count && channel->sink_count == 0 && channel->source_count > 0)
            add_sinks_moved(fresh, old, channel->part.name, before);
        if (before < old->channel_count && channel->source_count == 0 && channel->sink_count > 0)
            add_sources_moved(fresh, old, channel->part.name, before);
    }
    ps_problems_sort(&fresh->problems);
}

/* ---- the decision ---- */

/* Returns a problem's rank for the message: first causes that `running` does not have, then other causes, then
 * consequences. */
static int importance(const struct ps_conf *running, const struct ps_problem *problem)
{
    if (problem->mistake == PS_MISTAKE_CONSEQUENCE)
        return 1;
    return has_problem(running, problem) ? 2 : 3;
}

const struct ps_problem *ps_conf_mistake(const struct ps_conf *running, const struct ps_agent_spec *old,
                                         struct ps_conf *fresh, size_t *count)
{
    const struct ps_problem *first = NULL;
    bool cut = false;
    add_moved(fresh, old);
    for (size_t i = 0; i < fresh->agent.channel_count; i++)
        cut |= channel_is_cut(old, &fresh->agent.channels[i]);
    *count = 0;
    for (size_t i = 0; i < fresh->problems.count; i++) {
        const struct ps_problem *problem = &fresh->problems.items[i];
        if (problem->mistake == PS_MISTAKE_NONE || (!cut && has_problem(running, problem)))
            continue;
        if (first == NULL || importance(running, problem) > importance(running, first))
            first = problem;
        ++*count;
    }
    return first;
}

const struct ps_problem *ps_conf_refusal(const struct ps_conf *conf, size_t *count)
{
    const struct ps_problem *first = NULL, *consequence = NULL;
    *count = 0;
    for (size_t i = 0; i < conf->problems.count; i++) {
        const struct ps_problem *problem = &conf->problems.items[i];
        bool error = problem->severity == PS_SEVERITY_ERROR;
        if (error && problem->follows && consequence == NULL)
            consequence = problem;
        if (problem->follows || (!error && !problem->decides))
            continue;
        if (first == NULL)
            first = problem;
        ++*count;
    }
    if (first != NULL)
        return first;
    *count = 1;
    return consequence;
}
