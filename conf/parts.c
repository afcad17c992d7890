#include "conf/parts.h"

#include "conf/validate/component.h"
#include "conf/validate/types.h"

#include <string.h>

const struct ps_conf_part *ps_conf_part_at(const struct ps_conf_agent *agent, size_t number)
{
    if (number < agent->source_count)
        return &agent->sources[number].part;
    number -= agent->source_count;
    if (number < agent->channel_count)
        return &agent->channels[number].part;
    number -= agent->channel_count;
    return number < agent->sink_count ? &agent->sinks[number].part : NULL;
}

struct ps_conf_channel *ps_conf_channel_named(const struct ps_conf_agent *agent, const char *name)
{
    for (size_t i = 0; i < agent->channel_count; i++)
        if (strcmp(agent->channels[i].part.name, name) == 0)
            return &agent->channels[i];
    return NULL;
}

/* ---- dead letters ---- */

bool ps_dead_letters_go_to_channel(const char *deadletter)
{
    return deadletter != NULL && strchr(deadletter, '/') == NULL;
}

const char *ps_conf_letters_of(const struct ps_conf_agent *agent, const char *channel)
{
    for (size_t i = 0; i < agent->source_count; i++) {
        const char *target = agent->sources[i].common.deadletter;
        if (target != NULL && strcmp(target, channel) == 0)
            return agent->sources[i].part.label;
    }
    for (size_t i = 0; i < agent->sink_count; i++) {
        const char *target = agent->sinks[i].common.deadletter;
        if (target != NULL && strcmp(target, channel) == 0)
            return agent->sinks[i].part.label;
    }
    return NULL;
}

/* ---- places ---- */

struct ps_place ps_conf_part_place(struct ps_conf *conf, const struct ps_conf_part *part, const char *key)
{
    const struct ps_component_maker maker = {.conf = conf, .stages = conf->stages, .arena = conf->arena};
    const char *prefix = ps_arena_format(conf->arena, "%s.%ss.%s.", conf->agent.name,
                                         ps_kind_word(part->ops->kind), part->name);
    return ps_component_place(&maker, part, prefix, key);
}

struct ps_place ps_conf_place(struct ps_conf *conf, const char *component, const char *key)
{
    const struct ps_conf_part *part;
    for (size_t i = 0; (part = ps_conf_part_at(&conf->agent, i)) != NULL; i++)
        if (strcmp(part->label, component) == 0)
            return ps_conf_part_place(conf, part, key);
    for (const struct ps_conf_aside *aside = conf->aside; aside != NULL; aside = aside->next)
        if (strcmp(aside->part.label, component) == 0)
            return ps_conf_part_place(conf, &aside->part, key);
    return (struct ps_place){.file = NULL};
}
