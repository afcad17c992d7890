/* See mistake.h. */
#include "conf/mistake.h"

#include <string.h>

static bool same_text(const char *a, const char *b)
{
    return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Lines move, so they are not compared. */
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

static size_t channel_sources(const struct ps_agent_spec *spec, unsigned channel)
{
    size_t count = 0;
    for (size_t i = 0; i < spec->source_count; i++) {
        for (size_t k = 0; k < spec->sources[i].channel_count; k++)
            count += spec->sources[i].channels[k] == channel;
    }
    return count;
}

static size_t channel_sinks(const struct ps_agent_spec *spec, unsigned channel)
{
    size_t count = 0;
    for (size_t i = 0; i < spec->sink_count; i++)
        count += spec->sinks[i].channel == channel;
    return count;
}

/* Whether this channel has lost its last source or sink, or is new and never had one. */
static bool channel_is_cut(const struct ps_agent_spec *old, const struct ps_conf_channel *channel)
{
    if (channel->source_count > 0 && channel->sink_count > 0)
        return false;
    for (unsigned i = 0; i < old->channel_count; i++) {
        if (strcmp(old->channels[i].stage.name, channel->part.name) == 0)
            return (channel->source_count == 0 && channel_sources(old, i) > 0) ||
                   (channel->sink_count == 0 && channel_sinks(old, i) > 0);
    }
    return true;
}

const struct ps_problem *ps_conf_mistake(const struct ps_conf *running, const struct ps_agent_spec *old,
                                         const struct ps_conf *fresh, size_t *count)
{
    const struct ps_problem *first = NULL;
    bool cut = false;
    for (size_t i = 0; i < fresh->agent.channel_count; i++)
        cut |= channel_is_cut(old, &fresh->agent.channels[i]);
    *count = 0;
    for (size_t i = 0; i < fresh->problems.count; i++) {
        const struct ps_problem *problem = &fresh->problems.items[i];
        if (problem->mistake == PS_MISTAKE_NONE || (!cut && has_problem(running, problem)))
            continue;
        if (first == NULL ||
            (first->mistake == PS_MISTAKE_CONSEQUENCE && problem->mistake == PS_MISTAKE_CAUSE))
            first = problem;
        ++*count;
    }
    return first;
}
