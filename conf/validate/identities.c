#include "conf/validate/check.h"

#include "conf/parts.h"
#include "conf/text.h"
#include "conf/validate/engine.h"
#include "core/flow/engine_channel.h"
#include "core/flow/engine_source.h"

#include <string.h>

#define KEY "penstock.identity"
#define NOTE "penstock.identities"

static bool reads_identities(const struct ps_conf_sink *sink)
{
    const struct ps_option *option = ps_option_find(sink->part.ops->options, KEY);
    return option != NULL && option->type == PS_OPTION_BOOL &&
           *(const bool *)((const char *)sink->part.plan + option->offset);
}

/* Returns whether the channel hands on the events of its sources as they are. A channel that stores events gives them identities. */
static bool hands_on(const struct ps_conf *conf, const char *channel)
{
    const struct ps_conf_channel *found = ps_conf_channel_named(&conf->agent, channel);
    return found != NULL && !ps_channel_is_durable(found->part.ops->channel);
}

static void ask(const struct ps_conf *conf, struct ps_conf_source *source)
{
    const struct ps_engine_source_ops *engine = source->part.ops->source->engine;
    if (engine == NULL || engine->gives_identities == NULL || ps_pairs_get(&source->part.pairs, NOTE) != NULL)
        return;
    engine->gives_identities(source->part.plan);
    ps_component_add_pair(conf->plan_arena, &source->part, NOTE, "sink");
}

void ps_ask_for_identities(struct ps_conf *conf)
{
    struct ps_conf_agent *agent = &conf->agent;
    for (size_t i = 0; i < agent->sink_count; i++) {
        const struct ps_conf_sink *sink = &agent->sinks[i];
        if (!reads_identities(sink) || !hands_on(conf, sink->channel))
            continue;
        for (size_t k = 0; k < agent->source_count; k++)
            if (ps_texts_have(&agent->sources[k].channels, sink->channel))
                ask(conf, &agent->sources[k]);
    }
}
