#include "conf/validate/check.h"

#include "conf/parts.h"
#include "conf/text.h"
#include "conf/validate/engine.h"
#include "core/flow/engine_channel.h"
#include "core/flow/engine_source.h"

#include <string.h>
#include <strings.h>

#define PRINTS "penstock.identity" /* a truth value: the sink shows identities */
#define IDS "penstock.ids"         /* a text: the sink's ids are identities, unless it says otherwise */
#define NOTE "penstock.identities"

static const struct ps_option *option_of(const struct ps_conf_sink *sink, const char *key,
                                         enum ps_option_type type)
{
    const struct ps_option *option = ps_option_find(sink->part.ops->options, key);
    return option != NULL && option->type == type && strcmp(option->key, key) == 0 ? option : NULL;
}

/* Returns whether identities are ids for this sink. */
static bool makes_ids(const struct ps_conf_sink *sink)
{
    const struct ps_option *option = option_of(sink, IDS, PS_OPTION_TEXT);
    const char *value =
        option == NULL ? NULL : *(const char *const *)((const char *)sink->part.plan + option->offset);
    return option != NULL && (value == NULL || strcasecmp(value, "identity") == 0);
}

static bool reads_identities(const struct ps_conf_sink *sink)
{
    const struct ps_option *option = option_of(sink, PRINTS, PS_OPTION_BOOL);
    return makes_ids(sink) ||
           (option != NULL && *(const bool *)((const char *)sink->part.plan + option->offset));
}

/* Returns whether the channel hands on the events of its sources as they are. A channel that stores events gives them identities. */
static bool hands_on(const struct ps_conf_channel *channel)
{
    return channel != NULL && !ps_channel_is_durable(channel->part.ops->channel);
}

/* ---- what a flow gives ---- */

/* Returns why a source's events have no ids; NULL: they have. */
static const char *lack_of_source(const struct ps_conf_source *source)
{
    const struct ps_engine_source_ops *engine = source->part.ops->source->engine;
    return engine != NULL && engine->gives_identities != NULL ? NULL : "it cannot read an event again";
}

static const char *lack_of_channel(const struct ps_conf_channel *channel)
{
    const struct ps_engine_channel_ops *engine = ps_engine_channel(channel->part.ops->channel);
    bool gives = engine != NULL && (engine->identifies || engine->gives_identities != NULL);
    return gives ? NULL : "it gives its events no identities";
}

static void report(struct ps_conf *conf, const struct ps_conf_sink *sink, const struct ps_conf_part *origin,
                   const char *lack)
{
    bool is_asked = ps_pairs_get(&sink->part.pairs, IDS) != NULL;
    ps_problem_add(&conf->problems, is_asked ? PS_SEVERITY_WARNING : PS_SEVERITY_NOTE,
                   ps_conf_part_place(conf, &sink->part, IDS),
                   "put a channel of type file between them, set header:NAME if a header is different in "
                   "each event, or none",
                   "documents of %s get no ids, so that an event may be stored twice after a failure: %s",
                   origin->label, lack);
}

static void report_lacks(struct ps_conf *conf, const struct ps_conf_sink *sink,
                         const struct ps_conf_channel *channel)
{
    const struct ps_conf_agent *agent = &conf->agent;
    if (!hands_on(channel)) {
        const char *lack = lack_of_channel(channel);
        if (lack != NULL)
            report(conf, sink, &channel->part, lack);
        return;
    }
    for (size_t i = 0; i < agent->source_count; i++) {
        const struct ps_conf_source *source = &agent->sources[i];
        const char *lack = ps_texts_have(&source->channels, sink->channel) ? lack_of_source(source) : NULL;
        if (lack != NULL)
            report(conf, sink, &source->part, lack);
    }
}

/* ---- the sources ---- */

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
        const struct ps_conf_channel *channel = ps_conf_channel_named(agent, sink->channel);
        if (channel == NULL || !reads_identities(sink))
            continue;
        const struct ps_engine_channel_ops *engine = ps_engine_channel(channel->part.ops->channel);
        if (makes_ids(sink))
            report_lacks(conf, sink, channel);
        if (engine != NULL && engine->gives_identities != NULL)
            engine->gives_identities(channel->part.plan);
        for (size_t k = 0; hands_on(channel) && k < agent->source_count; k++)
            if (ps_texts_have(&agent->sources[k].channels, sink->channel))
                ask(conf, &agent->sources[k]);
    }
}
