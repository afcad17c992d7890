/* Validates sources with their selector and interceptors, and sinks. Thread: the control thread. */
#include "conf/validate/validate_internal.h"

#include "conf/validate/types.h"
#include "conf/validate/engine.h"
#include "conf/validate/flow.h"
#include "core/text/nearest.h"

#include <string.h>

static struct ps_bind common_bind(struct ps_validation *validation, const struct ps_conf_part *part,
                                  const char *prefix)
{
    return (struct ps_bind){.arena = validation->arena,
                            .problems = validation->problems,
                            .prefix = prefix,
                            .allow_unsupported = validation->maker.allow_unsupported,
                            .file = part->file,
                            .line = part->line,
                            .quiet_unknown = true};
}

/* Returns the name of a channel, for a cure: of one without a sink, if there is any. "c1": there is no channel. */
static const char *any_channel(const struct ps_validation *validation)
{
    const struct ps_conf_agent *agent = &validation->conf->agent;
    for (size_t i = 0; i < agent->channel_count; i++) {
        bool has_sink = false;
        for (size_t k = 0; k < agent->sink_count; k++)
            has_sink |= strcmp(agent->sinks[k].channel, agent->channels[i].part.name) == 0;
        if (!has_sink)
            return agent->channels[i].part.name;
    }
    return agent->channel_count > 0 ? agent->channels[0].part.name : "c1";
}

/* Reports a channel name that is not among the valid ones. */
static void report_channel(struct ps_validation *validation, struct ps_place place, const char *name,
                           enum ps_severity severity)
{
    const struct ps_section_entries *channels = &validation->text->sections[PS_SECTION_CHANNELS];
    const struct ps_entry *entry = ps_section_find(channels, name);
    const struct ps_texts listed = ps_section_names(validation->text, PS_SECTION_CHANNELS, validation->arena);
    const char *cure = NULL, *what = "is not declared";
    enum ps_mistake mistake = PS_MISTAKE_CAUSE;
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (size_t i = 0; i < validation->conf->agent.channel_count; i++)
        ps_nearest_offer(&nearest, validation->conf->agent.channels[i].part.name);
    if (strchr(name, ',') != NULL)
        cure = "lists are separated by blanks, not commas";
    else if (name[0] == '#')
        cure = PS_COMMENT_CURE;
    else if (entry != NULL && entry->listed) {
        what = "was dropped";
        mistake = PS_MISTAKE_CONSEQUENCE;
    } else if (entry == NULL && ps_texts_have(&listed, name)) {
        what = "has no keys";
        mistake = PS_MISTAKE_CONSEQUENCE;
    } else if (nearest.word != NULL)
        cure = ps_arena_format(validation->arena, "did you mean %s?", nearest.word);
    else if (entry != NULL)
        cure = ps_arena_format(validation->arena, "add %s to %s.channels", name, validation->text->name);
    else
        cure = ps_arena_format(validation->arena,
                               "add %2$s to %1$s.channels, and the line %1$s.channels.%2$s.type = memory",
                               validation->text->name, name);
    ps_problem_add(validation->problems, severity, place, cure, "channel \"%s\" %s", name, what);
    ps_problem_mistake(validation->problems, mistake);
}

/* Reports a source or sink without the key `right`; `rule` says why the key is not `wrong`, which it may have. */
static void report_no_channel(struct ps_validation *validation, const struct ps_conf_part *part,
                              const char *prefix, struct ps_place place, const char *right, const char *wrong,
                              const char *rule)
{
    struct ps_arena *arena = validation->arena;
    const char *cure =
        ps_pairs_get(&part->pairs, wrong) != NULL
            ? ps_arena_format(arena, "%s: write %s%s instead of %s%s", rule, prefix, right, prefix, wrong)
            : ps_arena_format(arena, "add the line %s%s = %s", prefix, right, any_channel(validation));
    ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place, cure, "%s has no %s", part->label,
                   right);
}

/* Returns the valid channels of a source, in the order of the file. */
static struct ps_texts source_channels(struct ps_validation *validation,
                                       const struct ps_common_source *common, const struct ps_conf_part *part,
                                       const char *prefix)
{
    struct ps_texts written = ps_texts_unique(validation->arena, common->channels);
    const char **items = ps_arena_alloc(validation->arena, (written.count + 1) * sizeof *items);
    struct ps_texts valid = {0, items};
    struct ps_place place = ps_component_place(&validation->maker, part, prefix, "channels");
    for (size_t i = 0; i < written.count; i++)
        if (ps_conf_channel_named(&validation->conf->agent, written.items[i]) != NULL)
            items[valid.count++] = written.items[i];
    for (size_t i = 0; i < written.count; i++)
        if (ps_conf_channel_named(&validation->conf->agent, written.items[i]) == NULL)
            report_channel(validation, place, written.items[i],
                           valid.count == 0 ? PS_SEVERITY_DROPPED : PS_SEVERITY_WARNING);
    if (written.count == 0)
        report_no_channel(validation, part, prefix, place, "channels", "channel",
                          "`channels` has the plural in a source");
    return valid;
}

/* Warns of keys of a multiplexing selector when the selector has no type: it is then replicating, and the keys have
 * no effect. */
static void warn_of_selector_without_type(struct ps_validation *validation, const struct ps_pairs *pairs,
                                          const char *below)
{
    for (size_t i = 0; i < pairs->count; i++) {
        const struct ps_pair *pair = &pairs->items[i];
        if (strcmp(pair->key, "header") != 0 && strcmp(pair->key, "default") != 0 &&
            !ps_text_begins(pair->key, "mapping."))
            continue;
        ps_problem_add(
            validation->problems, PS_SEVERITY_WARNING,
            (struct ps_place){pair->file, pair->line, ps_arena_format(validation->arena, "%stype", below)},
            ps_arena_format(validation->arena, "add the line %stype = multiplexing", below),
            "is missing: every event goes to every channel, and %s%s has no effect", below, pair->key);
        return;
    }
}

static bool source_selector(struct ps_validation *validation, struct ps_conf_source *source,
                            const struct ps_common_source *common, const char *prefix,
                            const struct ps_context *context)
{
    struct ps_conf_part *selector = &source->selector;
    const struct ps_pair *type = ps_pairs_find(&common->selector, "type");
    const char *below = ps_arena_format(validation->arena, "%sselector.", prefix);
    *selector = (struct ps_conf_part){
        .name = source->part.name,
        .label = ps_arena_format(validation->arena, "selector of %s", source->part.label),
        .type = type != NULL ? type->value : "replicating",
        .pairs = common->selector,
        .file = type != NULL ? type->file : source->part.file,
        .line = type != NULL ? type->line : source->part.line,
    };
    struct ps_place place = {selector->file, selector->line,
                             ps_arena_format(validation->arena, "%stype", below)};
    if (type == NULL)
        warn_of_selector_without_type(validation, &common->selector, below);
    selector->ops = ps_component_type(&validation->maker, PS_KIND_SELECTOR, selector->type, place);
    if (selector->ops == NULL)
        ps_component_refuse(&validation->maker, PS_KIND_SELECTOR, selector);
    bool good = !selector->refused;
    good &= ps_component_bind(&validation->maker, selector, below, ps_common_type) == PS_OK;
    good &= ps_component_check(&validation->maker, selector, below, context) == PS_OK;
    return good;
}

/* Adds one interceptor. A bad one drops its source, as in Flume: events must not bypass a missing filter. */
static bool source_interceptor(struct ps_validation *validation, struct ps_conf_source *source,
                               const char *name, const struct ps_common_source *common, const char *prefix,
                               const struct ps_context *context)
{
    struct ps_arena *arena = validation->arena;
    struct ps_conf_part *interceptor = &source->interceptors[source->interceptor_count];
    const char *below = ps_arena_format(arena, "%sinterceptors.%s.", prefix, name);
    *interceptor = (struct ps_conf_part){
        .name = name,
        .label = ps_arena_format(arena, "interceptor %s of %s", name, source->part.label),
        .pairs = ps_pairs_below(arena, &common->interceptor_keys, ps_arena_format(arena, "%s.", name)),
    };
    const struct ps_pair *type = ps_pairs_find(&interceptor->pairs, "type");
    if (type == NULL) {
        struct ps_place place = ps_component_place(&validation->maker, &source->part, prefix, "interceptors");
        const char *cure =
            ps_validation_type_cure(validation, PS_KIND_INTERCEPTOR, below, &interceptor->pairs);
        if (strchr(name, ',') != NULL)
            cure = "lists are separated by blanks, not commas";
        else if (name[0] == '#')
            cure = PS_COMMENT_CURE;
        ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place, cure,
                       "interceptor \"%s\" has no type: Flume drops the source", name);
        return false;
    }
    interceptor->type = type->value;
    interceptor->file = type->file;
    interceptor->line = type->line;
    struct ps_place place = {type->file, type->line, ps_arena_format(arena, "%stype", below)};
    ps_component_note_gone(&validation->maker, PS_KIND_INTERCEPTOR, type->value, place);
    interceptor->ops =
        ps_component_engine(&validation->maker, PS_KIND_INTERCEPTOR, interceptor, below, place);
    if (interceptor->ops == NULL)
        ps_component_refuse(&validation->maker, PS_KIND_INTERCEPTOR, interceptor);
    bool good = !interceptor->refused;
    good &= ps_component_bind(&validation->maker, interceptor, below, ps_common_interceptor) == PS_OK;
    good &= ps_component_check(&validation->maker, interceptor, below, context) == PS_OK;
    source->interceptor_count += good;
    return good;
}

/* Reports interceptors that have keys but are not in the list. */
static void report_unlisted_interceptors(struct ps_validation *validation,
                                         const struct ps_common_source *common, const char *prefix)
{
    for (size_t i = 0; i < common->interceptor_keys.count; i++) {
        const struct ps_pair *pair = &common->interceptor_keys.items[i];
        const char *name = ps_arena_copy(validation->arena, pair->key, strcspn(pair->key, "."));
        if (ps_texts_have(&common->interceptors, name) || strcmp(pair->key + strlen(name), ".type") != 0)
            continue;
        ps_problem_add(
            validation->problems, PS_SEVERITY_WARNING,
            (struct ps_place){pair->file, pair->line,
                              ps_arena_format(validation->arena, "%sinterceptors.%s", prefix, name)},
            ps_arena_format(validation->arena, "add %s to %sinterceptors", name, prefix),
            "interceptor %s is configured, but not listed: Flume ignores it", name);
    }
}

static bool source_interceptors(struct ps_validation *validation, struct ps_conf_source *source,
                                const struct ps_common_source *common, const char *prefix,
                                const struct ps_context *context)
{
    bool good = true;
    source->interceptors =
        ps_arena_alloc(validation->arena, (common->interceptors.count + 1) * sizeof *source->interceptors);
    for (size_t i = 0; i < common->interceptors.count; i++)
        good &=
            source_interceptor(validation, source, common->interceptors.items[i], common, prefix, context);
    report_unlisted_interceptors(validation, common, prefix);
    return good;
}

/* Checks that a stage that claims an exclusive resource has only one worker. */
static bool source_workers(struct ps_validation *validation, const struct ps_conf_source *source,
                           const char *prefix)
{
    const struct ps_conf_part *part = &source->part;
    if (!part->ops->exclusive || source->common.workers <= 1)
        return true;
    ps_problem_add(validation->problems, PS_SEVERITY_ERROR,
                   ps_component_place(&validation->maker, part, prefix, "penstock.workers"), "write 1",
                   "%s cannot run on several workers", part->label);
    return false;
}

/* Returns whether the source is good; sets it aside if it is not, or if it is not `listed`. */
static bool source_make(struct ps_validation *validation, const struct ps_entry *entry,
                        struct ps_conf_source *source, bool listed)
{
    const char *prefix = ps_validation_prefix(validation, PS_SECTION_SOURCES, entry->name);
    struct ps_common_source common = {0};
    memset(source, 0, sizeof *source);
    ps_validation_part(validation, PS_KIND_SOURCE, entry, prefix, &source->part);
    struct ps_conf_part *part = &source->part;
    size_t in_java = ps_component_chain(&validation->maker, part);
    struct ps_bind bind = common_bind(validation, part, prefix);
    bool good = !part->refused;
    good &= ps_bind_options(&bind, ps_common_source_options, NULL, &part->pairs, &common) == PS_OK;
    good &= ps_bind_options(&bind, ps_source_common_rows, NULL, &part->pairs, &source->common) == PS_OK;
    good &= ps_validation_letters(validation, part, prefix, source->common.deadletter);
    source->channels = source_channels(validation, &common, part, prefix);
    good &= source->channels.count > 0;
    struct ps_context context = {
        .channels = source->channels,
        .instances = source->common.workers > 1 ? (unsigned)source->common.workers : 1,
        .batch_events_max = PS_BATCH_EVENTS_MAX,
    };
    good &= source_workers(validation, source, prefix);
    ps_validation_tell_capacities(validation, part, source->channels.items, source->channels.count);
    bool bound = ps_component_bind(&validation->maker, part, prefix, ps_common_source) == PS_OK;
    good &= bound;
    good &= ps_component_check(&validation->maker, part, prefix, &context) == PS_OK;
    good &= source_selector(validation, source, &common, prefix, &context);
    good &= source_interceptors(validation, source, &common, prefix, &context);
    if (good) { /* the source runs these itself */
        source->interceptors += in_java;
        source->interceptor_count -= in_java;
    }
    for (size_t i = 0; bound && i < source->channels.count; i++)
        good &= ps_validation_batch_fits(
            validation, part, prefix,
            ps_conf_channel_named(&validation->conf->agent, source->channels.items[i]));
    if (!good || !listed)
        ps_component_set_aside(&validation->maker, part, source->common.deadletter);
    return good;
}

/* Makes the source that stands for all parts that run in Java together. It has no channels, because its class hands
 * over no events to penstock. */
static void flow_make(struct ps_validation *validation, struct ps_conf_source *source)
{
    static const struct ps_texts none = {0};
    const struct ps_pair *first = &validation->flow->items[0];
    const char *prefix = ps_validation_prefix(validation, PS_SECTION_SOURCES, PS_FLOW_NAME);
    *source = (struct ps_conf_source){
        .part = {.name = PS_FLOW_NAME,
                 .label = "source " PS_FLOW_NAME,
                 .type = first->value,
                 .ops = ps_stage_find(validation->maker.stages, PS_KIND_SOURCE, PS_TYPE_JAVA),
                 .pairs = *validation->flow,
                 .file = first->file,
                 .line = first->line},
        .channels = none,
    };
    struct ps_common_source common = {0};
    struct ps_context context = {.instances = 1, .batch_events_max = PS_BATCH_EVENTS_MAX};
    struct ps_pairs no_pairs = {0};
    struct ps_bind bind = common_bind(validation, &source->part, prefix);
    (void)ps_bind_options(&bind, ps_source_common_rows, NULL, &no_pairs, &source->common);
    (void)ps_component_bind(&validation->maker, &source->part, prefix, ps_common_source);
    (void)ps_component_check(&validation->maker, &source->part, prefix, &context);
    (void)source_selector(validation, source, &common, prefix, &context);
}

void ps_validate_sources(struct ps_validation *validation)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    struct ps_listed listed = ps_validation_listed(validation, PS_SECTION_SOURCES);
    agent->sources = ps_arena_alloc(validation->arena, (listed.count + 2) * sizeof *agent->sources);
    for (size_t i = 0; i < listed.count; i++) {
        struct ps_conf_source *source = &agent->sources[agent->source_count];
        if (!source_make(validation, listed.entries[i], source, true))
            continue;
        agent->source_count++;
        for (size_t j = 0; j < source->channels.count; j++)
            ps_conf_channel_named(&validation->conf->agent, source->channels.items[j])->source_count++;
    }
    struct ps_listed unlisted = ps_validation_unlisted(validation, PS_SECTION_SOURCES);
    for (size_t i = 0; i < unlisted.count; i++) {
        struct ps_conf_source source;
        (void)source_make(validation, unlisted.entries[i], &source, false);
    }
    if (validation->flow != NULL) /* added last, so that the file's sources keep their numbers */
        flow_make(validation, &agent->sources[agent->source_count++]);
}

/* Checks that a limit of attempts comes with a destination for events that are given up. */
static bool sink_retries(struct ps_validation *validation, struct ps_conf_sink *sink, const char *prefix)
{
    if (sink->common.retry_max == 0 || sink->common.deadletter != NULL)
        return true;
    ps_problem_add(
        validation->problems, PS_SEVERITY_ERROR,
        ps_component_place(&validation->maker, &sink->part, prefix, "penstock.retry.max"),
        ps_arena_format(validation->arena,
                        "add the line %spenstock.deadletter = ./dead, or with another directory or a channel",
                        prefix),
        "%s would lose events after %lld attempts: it has no penstock.deadletter", sink->part.label,
        (long long)sink->common.retry_max);
    return false;
}

/* As source_make. */
static bool sink_make(struct ps_validation *validation, const struct ps_entry *entry,
                      struct ps_conf_sink *sink, bool listed)
{
    const char *prefix = ps_validation_prefix(validation, PS_SECTION_SINKS, entry->name);
    struct ps_common_sink common = {0};
    memset(sink, 0, sizeof *sink);
    ps_validation_part(validation, PS_KIND_SINK, entry, prefix, &sink->part);
    struct ps_conf_part *part = &sink->part;
    struct ps_bind bind = common_bind(validation, part, prefix);
    bool good = !part->refused;
    good &= ps_bind_options(&bind, ps_common_sink_options, NULL, &part->pairs, &common) == PS_OK;
    good &= ps_bind_options(&bind, ps_sink_common_rows, NULL, &part->pairs, &sink->common) == PS_OK;
    good &= sink_retries(validation, sink, prefix);
    good &= ps_validation_letters(validation, part, prefix, sink->common.deadletter);
    sink->channel = common.channel;
    const struct ps_conf_channel *channel =
        sink->channel != NULL ? ps_conf_channel_named(&validation->conf->agent, sink->channel) : NULL;
    struct ps_place place = ps_component_place(&validation->maker, part, prefix, "channel");
    if (sink->channel == NULL)
        report_no_channel(validation, part, prefix, place, "channel", "channels",
                          "`channel` has the singular in a sink");
    else if (channel == NULL && strpbrk(sink->channel, " \t") != NULL && sink->channel[0] != '#' &&
             strchr(sink->channel, '#') == NULL)
        ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place,
                       ps_arena_format(validation->arena,
                                       "write %s, and make another sink for each other channel",
                                       ps_text_split_blanks(validation->arena, sink->channel).items[0]),
                       "a sink takes from one channel, not from \"%s\"", sink->channel);
    else if (channel == NULL)
        report_channel(validation, place, sink->channel, PS_SEVERITY_DROPPED);
    struct ps_context context = {
        .instances = 1,
        .batch_events_max = PS_BATCH_EVENTS_MAX,
    };
    good &= channel != NULL;
    if (channel != NULL)
        ps_validation_tell_capacities(validation, part, &sink->channel, 1);
    bool bound = ps_component_bind(&validation->maker, part, prefix, ps_common_sink) == PS_OK;
    good &= bound;
    good &= ps_component_check(&validation->maker, part, prefix, &context) == PS_OK;
    if (bound && channel != NULL)
        good &= ps_validation_batch_fits(validation, part, prefix, channel);
    if (!good || !listed)
        ps_component_set_aside(&validation->maker, part, sink->common.deadletter);
    return good;
}

void ps_validate_sinks(struct ps_validation *validation)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    struct ps_listed listed = ps_validation_listed(validation, PS_SECTION_SINKS);
    agent->sinks = ps_arena_alloc(validation->arena, (listed.count + 1) * sizeof *agent->sinks);
    for (size_t i = 0; i < listed.count; i++)
        if (sink_make(validation, listed.entries[i], &agent->sinks[agent->sink_count], true))
            agent->sink_count++;
    struct ps_listed unlisted = ps_validation_unlisted(validation, PS_SECTION_SINKS);
    for (size_t i = 0; i < unlisted.count; i++) {
        struct ps_conf_sink sink;
        (void)sink_make(validation, unlisted.entries[i], &sink, false);
    }
}
