#include "conf/validate/check.h"

#include "conf/bind.h"
#include "conf/parts.h"
#include "conf/text.h"
#include "conf/validate/component.h"
#include "conf/validate/engine.h"
#include "core/flow/engine_channel.h"
#include "core/flow/engine_source.h"

#include <string.h>

#define KEY "penstock.guarantee"

struct flow {
    struct ps_conf *conf;
    const struct ps_conf_sink *sink;
};

static void refuse(const struct flow *flow, const char *cure, const char *what)
{
    struct ps_conf *conf = flow->conf;
    const struct ps_conf_part *part = &flow->sink->part;
    ps_problem_add(&conf->problems, PS_SEVERITY_ERROR, ps_conf_part_place(conf, part, KEY), cure,
                   "%s cannot deliver exactly once: %s", part->label, what);
}

/* ---- the channel ---- */

static const struct ps_conf_sink *other_sink(const struct flow *flow)
{
    const struct ps_conf_agent *agent = &flow->conf->agent;
    for (size_t i = 0; i < agent->sink_count; i++)
        if (&agent->sinks[i] != flow->sink && strcmp(agent->sinks[i].channel, flow->sink->channel) == 0)
            return &agent->sinks[i];
    return NULL;
}

static size_t count_sources(const struct flow *flow)
{
    const struct ps_conf_agent *agent = &flow->conf->agent;
    size_t count = 0;
    for (size_t i = 0; i < agent->source_count; i++)
        count += ps_texts_have(&agent->sources[i].channels, flow->sink->channel);
    return count;
}

static bool starts_from_records(const struct ps_conf_part *source)
{
    return source->ops->source->engine != NULL && source->ops->source->engine->starts_from_records;
}

static bool is_memory(const struct ps_conf_channel *channel)
{
    return strcmp(channel->part.ops->name, "memory") == 0;
}

/* Returns whether the sink itself keeps the positions of the channel; then the sources do not matter. */
static bool is_kept(const struct flow *flow, const struct ps_conf_channel *channel)
{
    return ps_engine_channel(channel->part.ops->channel)->identifies &&
           flow->sink->part.ops->sink->keep_positions != NULL;
}

static bool check_channel(const struct flow *flow)
{
    struct ps_arena *arena = flow->conf->arena;
    const char *channel = flow->sink->channel;
    const struct ps_conf_channel *found = ps_conf_channel_named(&flow->conf->agent, flow->sink->channel);
    const struct ps_conf_sink *other = other_sink(flow);
    const char *writer = ps_conf_letters_of(&flow->conf->agent, channel);
    if (found == NULL)
        return false; /* the channel was dropped, and the sink with it */
    if (flow->sink->group != NULL)
        refuse(flow, "take the sink out of the group",
               ps_arena_format(
                   arena,
                   "it is in the sink group %s, in which other sinks get the events that it cannot deliver",
                   flow->sink->group));
    else if (other != NULL)
        refuse(flow, ps_arena_format(arena, "give %s a channel of its own", other->part.label),
               ps_arena_format(arena, "%s also takes from channel %s", other->part.label, channel));
    else if (!is_memory(found) && !is_kept(flow, found))
        refuse(flow,
               "use a channel of type file (then every event is delivered exactly once from the channel on), "
               "or one of type memory with a source of type kafka, taildir or spooldir, which reads events "
               "again after a restart",
               ps_arena_format(arena,
                               "channel %s of type %s stores neither the position of the source nor an "
                               "identity with each event",
                               channel, found->part.ops->name));
    else if (is_memory(found) && writer != NULL)
        refuse(flow, "send the dead letters to a directory, or to another channel",
               ps_arena_format(arena, "%s writes its dead letters into channel %s", writer, channel));
    else
        return true;
    return false;
}

/* ---- the sources ---- */

static void let_sink_keep(const struct flow *flow, struct ps_conf_part *sink)
{
    sink->ops->sink->keep_positions(sink->plan);
    ps_component_add_pair(flow->conf->plan_arena, sink, PS_KEEPER_KEY, "topic");
}

static const void *selector_value(const struct ps_conf_part *selector, const char *key,
                                  enum ps_option_type type)
{
    const struct ps_option *option = ps_option_find(selector->ops->options, key);
    return option != NULL && option->type == type ? (const char *)selector->plan + option->offset : NULL;
}

/* Returns whether the source has an optional channel. Such a channel may miss events whose positions are committed,
 * and its leases differ from those of the required channels. replicating has a list of channels, `optional`;
 * multiplexing has a map, `optional.VALUE`. */
static bool has_optional_channel(const struct ps_conf_source *source)
{
    const struct ps_texts *list = selector_value(&source->selector, "optional", PS_OPTION_LIST);
    const struct ps_pairs *map = selector_value(&source->selector, "optional.x", PS_OPTION_MAP);
    return (list != NULL && list->count > 0) || (map != NULL && map->count > 0);
}

/* Returns a deserializer of the source that may give events again when it continues a file; else NULL. */
static const struct ps_stage_ops *inexact_deserializer(const struct flow *flow,
                                                       const struct ps_conf_part *source)
{
    const char *type = ps_pairs_get(&source->pairs, "deserializer");
    const struct ps_stage_ops *ops =
        type != NULL ? ps_stage_find(flow->conf->stages, PS_KIND_DESERIALIZER, type) : NULL;
    return ops != NULL && !ops->deserializer->continues ? ops : NULL;
}

static void check_source(const struct flow *flow, struct ps_conf_part *sink, struct ps_conf_source *source)
{
    struct ps_arena *arena = flow->conf->arena;
    struct ps_conf_part *part = &source->part;
    struct ps_err err = {0};
    const struct ps_stage_ops *inexact = inexact_deserializer(flow, part);
    if (part->ops->source->yields_positions == NULL)
        refuse(flow, "give it a channel and a sink of its own",
               ps_arena_format(arena, "%s of type %s has no positions that a transaction can commit",
                               part->label, part->ops->name));
    else if (source->channels.count != 1)
        refuse(flow, ps_arena_format(arena, "give %s one channel", part->label),
               ps_arena_format(arena, "%s has %zu channels, so several sinks would deliver its events",
                               part->label, source->channels.count));
    else if (has_optional_channel(source))
        refuse(flow, "remove selector.optional",
               ps_arena_format(arena, "channel %s is optional for %s, and may miss events",
                               flow->sink->channel, part->label));
    else if (starts_from_records(part) && flow->sink->part.ops->sink->keep_positions == NULL)
        refuse(flow, "use a sink kafka",
               ps_arena_format(arena, "it cannot keep positions of %s", part->label));
    else if (starts_from_records(part) && count_sources(flow) > 1)
        refuse(
            flow, ps_arena_format(arena, "give %s a channel and a sink of its own", part->label),
            ps_arena_format(arena,
                            "%s shares channel %s with other sources, and a transaction has the positions of "
                            "one source of files",
                            part->label, flow->sink->channel));
    else if (starts_from_records(part) && inexact != NULL)
        refuse(flow, "use the deserializer LINE, AVRO or BLOB",
               ps_arena_format(
                   arena, "%s has deserializer = %s, which may give events again when it goes on in a file",
                   part->label, inexact->name));
    else if (!part->ops->source->yields_positions(part->plan, &err))
        refuse(flow, "remove that key", ps_arena_format(arena, "%s has %s", part->label, err.text));
    else {
        ps_component_add_pair(flow->conf->plan_arena, part, PS_KEEPER_KEY, "sink");
        if (starts_from_records(part))
            let_sink_keep(flow, sink);
    }
}

static void check_flow(const struct flow *flow, struct ps_conf_part *sink)
{
    struct ps_conf_agent *agent = &flow->conf->agent;
    if (!check_channel(flow))
        return;
    if (is_kept(flow, ps_conf_channel_named(&flow->conf->agent, flow->sink->channel))) {
        let_sink_keep(flow, sink);
        return;
    }
    for (size_t i = 0; i < agent->source_count; i++)
        if (ps_texts_have(&agent->sources[i].channels, flow->sink->channel))
            check_source(flow, sink, &agent->sources[i]);
}

/* Refuses exactly once for a sink that is Flume's own class, because the class ignores the key and would deliver at
 * least once. */
static void check_java(const struct flow *flow)
{
    const char *guarantee = ps_pairs_get(&flow->sink->part.pairs, KEY);
    if (guarantee != NULL && strcasecmp(guarantee, "exactly-once") == 0)
        refuse(flow, "remove penstock.engine = java", "it is Flume's own class, which has no transactions");
}

void ps_check_guarantees(struct ps_conf *conf)
{
    struct ps_conf_agent *agent = &conf->agent;
    for (size_t i = 0; i < agent->sink_count; i++) {
        struct ps_conf_part *part = &agent->sinks[i].part;
        const struct flow flow = {conf, &agent->sinks[i]};
        if (strcmp(part->ops->name, "java") == 0)
            check_java(&flow);
        if (part->ops->sink != NULL && part->ops->sink->transactional != NULL &&
            part->ops->sink->transactional(part->plan))
            check_flow(&flow, part);
    }
}
