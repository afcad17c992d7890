/* Compares two plans for a reload: whether they describe the same agent, and which of its components stay as they
 * are. */
#include <stdlib.h>
#include <string.h>

#include "core/flow/engine_channel.h"
#include "core/engine/plan.h"

bool ps_stage_is_same(const struct ps_stage_spec *a, const struct ps_stage_spec *b)
{
    return strcmp(a->name, b->name) == 0 && a->ops == b->ops && a->fingerprint != NULL &&
           b->fingerprint != NULL && strcmp(a->fingerprint, b->fingerprint) == 0;
}

static const char *channel_name(const struct ps_plan *plan, const struct ps_source_spec *source,
                                size_t number)
{
    return plan->spec->channels[source->channels[number]].stage.name;
}

bool ps_chain_is_same(const struct ps_source_spec *a, const struct ps_source_spec *b)
{
    bool same = a->interceptor_count == b->interceptor_count && ps_stage_is_same(&a->selector, &b->selector);
    for (size_t i = 0; same && i < a->interceptor_count; i++)
        same = ps_stage_is_same(&a->interceptors[i], &b->interceptors[i]);
    return same;
}

/* Compares the sources without their chains. */
static bool same_source(const struct ps_plan *a_plan, const struct ps_source_spec *a,
                        const struct ps_plan *b_plan, const struct ps_source_spec *b)
{
    if (!ps_stage_is_same(&a->stage, &b->stage) || a->channel_count != b->channel_count)
        return false;
    for (size_t i = 0; i < a->channel_count; i++) {
        if (strcmp(channel_name(a_plan, a, i), channel_name(b_plan, b, i)) != 0)
            return false;
    }
    return true;
}

static bool same_group(const struct ps_sink_spec *a, const struct ps_sink_spec *b)
{
    if (a->group == NULL || b->group == NULL)
        return a->group == b->group;
    return a->member == b->member && strcmp(a->group->name, b->group->name) == 0 &&
           a->group->fingerprint != NULL && b->group->fingerprint != NULL &&
           strcmp(a->group->fingerprint, b->group->fingerprint) == 0;
}

/* Compares the agent's own keys that take effect on a reload. */
static bool same_options(const struct ps_agent_options *a, const struct ps_agent_options *b)
{
    return a->batch_events == b->batch_events && a->drain_timeout_ms == b->drain_timeout_ms &&
           a->reload_timeout_ms == b->reload_timeout_ms && a->ready_stall_ms == b->ready_stall_ms;
}

/* Returns the worker's CPU; "" when it is not pinned. */
static const char *cpu_of(const struct ps_agent_options *options, unsigned worker)
{
    return worker < options->cpus.count ? options->cpus.items[worker] : "";
}

bool ps_plan_needs_restart(const struct ps_plan *a, const struct ps_plan *b)
{
    const struct ps_agent_options *x = &a->spec->options, *y = &b->spec->options;
    bool cpus = true, fewer = y->workers != x->workers && y->workers > 0 && y->workers < a->worker_count;
    for (unsigned i = 0; cpus && i < a->worker_count; i++)
        cpus = strcmp(cpu_of(x, i), cpu_of(y, i)) == 0;
    return !cpus || fewer || x->idle != y->idle || x->memory_budget != y->memory_budget;
}

bool ps_plan_is_same(const struct ps_plan *a_plan, const struct ps_plan *b_plan)
{
    const struct ps_agent_spec *a = a_plan->spec, *b = b_plan->spec;
    if (!same_options(&a->options, &b->options) || a_plan->worker_count != b_plan->worker_count ||
        a->source_count != b->source_count || a->channel_count != b->channel_count ||
        a->sink_count != b->sink_count)
        return false;
    for (size_t i = 0; i < a->channel_count; i++) {
        if (!ps_stage_is_same(&a->channels[i].stage, &b->channels[i].stage))
            return false;
    }
    for (size_t i = 0; i < a->sink_count; i++) {
        if (!ps_stage_is_same(&a->sinks[i].stage, &b->sinks[i].stage) ||
            a->sinks[i].channel != b->sinks[i].channel || a->sinks[i].letters != b->sinks[i].letters ||
            !same_group(&a->sinks[i], &b->sinks[i]))
            return false;
    }
    for (size_t i = 0; i < a->source_count; i++) {
        if (!same_source(a_plan, &a->sources[i], b_plan, &b->sources[i]) ||
            !ps_chain_is_same(&a->sources[i], &b->sources[i]))
            return false;
    }
    return true;
}

static bool same_place(const struct ps_source_plan *a, const struct ps_source_plan *b)
{
    return a->instance_count == b->instance_count &&
           memcmp(a->workers, b->workers, a->instance_count * sizeof *a->workers) == 0;
}

/* ---- where a channel keeps its events ---- */

enum overlap { NOTHING, SOMETHING, EVERYTHING };

/* Returns the next part of a path, without slashes and without parts ".", and its length; 0 at the end. */
static const char *path_part(const char *path, size_t *length)
{
    for (;; path++) {
        path += strspn(path, "/");
        *length = strcspn(path, "/");
        if (*length != 1 || *path != '.')
            return path;
    }
}

/* Compares directories as they are written: d1, d1/ and ./d1 are one. Does not look at links. */
static bool same_directory(const char *a, const char *b)
{
    size_t length_a, length_b;
    if ((*a == '/') != (*b == '/'))
        return false;
    do {
        a = path_part(a, &length_a);
        b = path_part(b, &length_b);
        if (length_a != length_b || memcmp(a, b, length_a) != 0)
            return false;
        a += length_a;
        b += length_b;
    } while (length_a > 0);
    return true;
}

/* Returns whether all, some or none of the places that the option has in one plan are also in the next plan. Both plans
 * are built, so defaults are filled in. */
static enum overlap overlap_of_texts(const struct ps_texts *a, const struct ps_texts *b, bool directories)
{
    size_t found = 0;
    if (a->count == 0) /* no name: the stage's default place, which differs from every named place */
        return b->count == 0 ? EVERYTHING : NOTHING;
    for (size_t i = 0; i < a->count; i++) {
        bool is_there = false;
        for (size_t k = 0; k < b->count && !is_there; k++)
            is_there = directories ? same_directory(a->items[i], b->items[k])
                                   : strcmp(a->items[i], b->items[k]) == 0;
        found += is_there;
    }
    return found == a->count ? EVERYTHING : found > 0 ? SOMETHING : NOTHING;
}

static enum overlap overlap_of_maps(const struct ps_pairs *a, const struct ps_pairs *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        const char *value = ps_pairs_get(b, a->items[i].key);
        same = value != NULL && strcmp(value, a->items[i].value) == 0;
    }
    return same ? EVERYTHING : NOTHING;
}

static enum overlap overlap_of(const struct ps_option *row, const struct ps_stage_spec *a,
                               const struct ps_stage_spec *b)
{
    const void *in_a = (const char *)a->plan + row->offset, *in_b = (const char *)b->plan + row->offset;
    if (row->type == PS_OPTION_MAP)
        return overlap_of_maps(in_a, in_b);
    bool directories = row->flags & PS_OPTION_JOINED;
    if (row->type == PS_OPTION_COMMAS)
        return overlap_of_texts(in_a, in_b, directories);
    const char *const *text_a = in_a, *const *text_b = in_b;
    PS_ASSERT(row->type == PS_OPTION_TEXT);
    return overlap_of_texts(&(struct ps_texts){*text_a != NULL, text_a},
                            &(struct ps_texts){*text_b != NULL, text_b}, directories);
}

/* Returns whether the next stage finds all events that this one keeps. The next stage may have more directories. */
static bool same_store(const struct ps_stage_spec *stage, const struct ps_stage_spec *after)
{
    const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
    const struct ps_option *row = stage->ops->options;
    if (ops->has_place != NULL && ops->has_place(stage->plan) && !ops->has_place(after->plan))
        return false;
    for (; row != NULL && row->key != NULL; row++) {
        if (row->flags & PS_OPTION_PLACE && overlap_of(row, stage, after) != EVERYTHING)
            return false;
    }
    return true;
}

static const struct ps_stage_spec *channel_named(const struct ps_plan *plan,
                                                 const struct ps_stage_spec *stage)
{
    for (size_t i = 0; plan != NULL && i < plan->spec->channel_count; i++) {
        const struct ps_stage_spec *named = &plan->channels[i].spec->stage;
        if (strcmp(named->name, stage->name) == 0)
            return named->ops == stage->ops ? named : NULL;
    }
    return NULL;
}

bool ps_plan_moves_channel(const struct ps_plan *next, const struct ps_channel_plan *channel)
{
    const struct ps_stage_spec *stage = &channel->spec->stage, *after = channel_named(next, stage);
    return after != NULL && !same_store(stage, after);
}

bool ps_plan_tears_channel(const struct ps_plan *next, const struct ps_channel_plan *channel,
                           const char **moves, const char **stays)
{
    const struct ps_stage_spec *stage = &channel->spec->stage, *after = channel_named(next, stage);
    const struct ps_option *row = stage->ops->options;
    *moves = *stays = NULL;
    for (; after != NULL && row != NULL && row->key != NULL; row++) {
        if (row->flags & PS_OPTION_JOINED)
            *(overlap_of(row, stage, after) == NOTHING ? moves : stays) = row->key;
    }
    return *moves != NULL && *stays != NULL;
}

struct ps_channel_plan *ps_plan_channel_after(struct ps_plan *next, const struct ps_channel_plan *channel)
{
    const struct ps_stage_spec *stage = &channel->spec->stage;
    for (size_t i = 0; next != NULL && i < next->spec->channel_count; i++) {
        const struct ps_stage_spec *after = &next->channels[i].spec->stage;
        if (next->channels[i].adopts ==
            channel) /* also a channel that carries no events over, such as a plug-in's */
            return &next->channels[i];
        if (strcmp(after->name, stage->name) == 0)
            return after->ops == stage->ops && ps_engine_channel(stage->ops->channel)->restore != NULL &&
                           same_store(stage, after)
                       ? &next->channels[i]
                       : NULL;
    }
    return NULL;
}

uint64_t ps_channel_plan_left(const struct ps_channel_plan *channel)
{
    const struct ps_stage_spec *stage = &channel->spec->stage;
    struct ps_fill fill;
    stage->ops->channel->fill(stage->plan, &fill);
    return fill.size;
}

static void mark_unchanged(struct ps_agent_spec *next, const struct ps_agent_spec *spec)
{
    for (size_t i = 0; i < next->source_count; i++) {
        for (size_t k = 0; k < spec->source_count; k++)
            next->sources[i].stage.unchanged |=
                ps_stage_is_same(&next->sources[i].stage, &spec->sources[k].stage);
    }
    for (size_t i = 0; i < next->channel_count; i++) {
        for (size_t k = 0; k < spec->channel_count; k++)
            next->channels[i].stage.unchanged |=
                ps_stage_is_same(&next->channels[i].stage, &spec->channels[k].stage);
    }
    for (size_t i = 0; i < next->sink_count; i++) {
        for (size_t k = 0; k < spec->sink_count; k++)
            next->sinks[i].stage.unchanged |= ps_stage_is_same(&next->sinks[i].stage, &spec->sinks[k].stage);
    }
}

/* ---- what stays ---- */

/* Returns the channel's index in the source's own list; channel_count: the source does not put into the channel. */
static size_t place_of(const struct ps_source_plan *source, size_t channel)
{
    size_t place = 0;
    while (place < source->spec->channel_count && source->spec->channels[place] != channel)
        place++;
    return place;
}

const struct ps_source_plan *ps_plan_source_named(const struct ps_plan *plan, const char *name)
{
    for (size_t i = 0; plan != NULL && i < plan->spec->source_count; i++) {
        if (strcmp(plan->spec->sources[i].stage.name, name) == 0)
            return &plan->sources[i];
    }
    return NULL;
}

struct ps_sink_plan *ps_plan_sink_named(const struct ps_plan *plan, const char *name)
{
    for (size_t i = 0; plan != NULL && i < plan->spec->sink_count; i++) {
        if (strcmp(plan->spec->sinks[i].stage.name, name) == 0)
            return &plan->sinks[i];
    }
    return NULL;
}

/* Returns whether the source has the same producers in both plans, on the same workers: then its next instance puts
 * the leases that the closed one could not put, in order. */
static bool same_producers(const struct ps_source_plan *a, size_t a_channel, const struct ps_source_plan *b,
                           size_t b_channel)
{
    size_t a_count = a->spec->channel_count, b_count = b->spec->channel_count;
    size_t a_place = place_of(a, a_channel), b_place = place_of(b, b_channel);
    if ((a_place == a_count) != (b_place == b_count))
        return false;
    if (a_place == a_count)
        return true;
    if (!same_place(a, b))
        return false;
    for (unsigned i = 0; i < a->instance_count; i++) {
        if (a->producers[i * a_count + a_place] != b->producers[i * b_count + b_place])
            return false;
    }
    return true;
}

/* Returns whether the dead letters go to this channel in both plans, with the same producer number, or in neither. */
static bool same_target(const struct ps_dead_letter_target *a, size_t a_channel,
                        const struct ps_dead_letter_target *b, size_t b_channel)
{
    bool in_a = a->is_channel && a->channel == a_channel, in_b = b->is_channel && b->channel == b_channel;
    return in_a == in_b && (!in_a || a->producer == b->producer);
}

/* The same for all instances of a source, on the same workers. */
static bool same_letters(const struct ps_source_plan *a, size_t a_channel, const struct ps_source_plan *b,
                         size_t b_channel)
{
    bool any = a->letters[0].is_channel && a->letters[0].channel == a_channel;
    if (any && (b == NULL || !same_place(a, b)))
        return false;
    for (unsigned i = 0; any && i < a->instance_count; i++) {
        if (!same_target(&a->letters[i], a_channel, &b->letters[i], b_channel))
            return false;
    }
    return true;
}

/* Returns whether producers and consumers keep their names, numbers and workers. */
static bool same_sides(const struct ps_plan *a, size_t a_channel, const struct ps_plan *b, size_t b_channel)
{
    if (a->channels[a_channel].producer_count != b->channels[b_channel].producer_count ||
        a->channels[a_channel].consumer_count != b->channels[b_channel].consumer_count)
        return false;
    for (size_t i = 0; i < a->spec->source_count; i++) {
        const struct ps_source_plan *source = &a->sources[i];
        const struct ps_source_plan *other = ps_plan_source_named(b, source->spec->stage.name);
        if (!same_letters(source, a_channel, other, b_channel))
            return false;
        if (place_of(source, a_channel) == source->spec->channel_count)
            continue;
        if (other == NULL || !same_producers(source, a_channel, other, b_channel))
            return false;
    }
    for (size_t i = 0; i < a->spec->sink_count; i++) {
        const struct ps_sink_plan *sink = &a->sinks[i];
        const struct ps_sink_plan *other = ps_plan_sink_named(b, sink->spec->stage.name);
        bool writes = sink->letters.is_channel && sink->letters.channel == a_channel;
        if (writes && (other == NULL || other->worker != sink->worker ||
                       !same_target(&sink->letters, a_channel, &other->letters, b_channel)))
            return false;
        if (sink->spec->channel != a_channel)
            continue;
        if (other == NULL || other->spec->channel != b_channel || other->consumer != sink->consumer ||
            other->worker != sink->worker)
            return false;
    }
    return true;
}

/* Compares the memory and batch limits that `build` got in its context. The shares of the blocks are not compared:
 * they can change without a new `build`. */
static bool same_shares(const struct ps_plan *a, const struct ps_plan *b, const struct ps_stage_spec *stage)
{
    const struct ps_channel_ops *channel = stage->ops->kind == PS_KIND_CHANNEL ? stage->ops->channel : NULL;
    return a->memory_budget_bytes == b->memory_budget_bytes &&
           a->spec->options.batch_events == b->spec->options.batch_events &&
           (!stage->ops->client_holds_events || a->client_queue_bytes == b->client_queue_bytes) &&
           (channel == NULL || ps_engine_channel(channel)->set_quota != NULL ||
            a->channel_quota_bytes == b->channel_quota_bytes);
}

const char *ps_plan_why_not_kept(const struct ps_plan *plan, const struct ps_plan *next,
                                 const struct ps_channel_plan *channel)
{
    const struct ps_stage_spec *stage = &channel->spec->stage, *after = channel_named(next, stage);
    if (after == NULL)
        return NULL;
    if (!ps_stage_is_same(stage, after))
        return "its own keys change";
    if (!same_shares(plan, next, stage))
        return plan->spec->channel_count != next->spec->channel_count
                   ? "the agent gets another number of channels, and with it the channel another share of "
                     "the memory"
                   : "its share of the memory changes";
    return "sources or sinks at it change";
}

bool ps_plan_closes_replayable(const struct ps_plan *next, const struct ps_plan *plan, size_t channel)
{
    for (size_t i = 0; i < plan->spec->source_count; i++) {
        const struct ps_source_plan *source = &plan->sources[i];
        bool stays = source->spec->stage.ops->source->needs <= PS_LEVEL_ACCEPTED ||
                     place_of(source, channel) == source->spec->channel_count;
        for (size_t k = 0; k < next->spec->source_count; k++)
            stays |= next->sources[k].adopts == source;
        if (!stays)
            return true;
    }
    return false;
}

/* Returns whether the channel can keep its events while its sources close: no source reads any of them again, or the
 * channel gives those back (`withdraw`). A plug-in's channel in memory cannot give events back, so it must be empty. */
static bool keeps_no_doubles(const struct ps_plan *next, const struct ps_plan *plan, size_t channel)
{
    const struct ps_channel_ops *ops = plan->channels[channel].spec->stage.ops->channel;
    return ps_channel_is_durable(ops) || ps_engine_channel(ops)->withdraw != NULL ||
           !ps_plan_closes_replayable(next, plan, channel);
}

static void adopt_channel(struct ps_plan *next, size_t number, struct ps_plan *plan)
{
    struct ps_channel_plan *channel = &next->channels[number];
    for (size_t i = 0; i < plan->spec->channel_count; i++) {
        struct ps_channel_plan *old = &plan->channels[i];
        if (!ps_stage_is_same(&channel->spec->stage, &plan->spec->channels[i].stage) ||
            !same_sides(next, number, plan, i) || !same_shares(next, plan, &channel->spec->stage) ||
            !keeps_no_doubles(next, plan, i))
            continue;
        channel->adopts = old;
        channel->spec = old->spec;
        channel->counters = old->counters;
        channel->waiters = old->waiters;
        channel->held_back = old->held_back;
        channel->built.by = old->built.by;
        return;
    }
}

/* Returns the sink of the previous plan that could continue as this one; does not look at its group. */
static struct ps_sink_plan *same_sink(const struct ps_plan *next, const struct ps_sink_plan *sink,
                                      const struct ps_plan *plan)
{
    struct ps_sink_plan *old = ps_plan_sink_named(plan, sink->spec->stage.name);
    if (old == NULL || !ps_stage_is_same(&sink->spec->stage, &old->spec->stage) ||
        next->channels[sink->spec->channel].adopts != &plan->channels[old->spec->channel] ||
        sink->worker != old->worker || !same_group(sink->spec, old->spec) ||
        !same_shares(next, plan, &sink->spec->stage))
        return NULL;
    return old;
}

/* Returns whether each sink of the group keeps its role. */
static bool same_members(const struct ps_plan *next, const struct ps_group_spec *group,
                         const struct ps_plan *plan)
{
    for (size_t i = 0; i < next->spec->sink_count; i++) {
        const struct ps_sink_plan *old = &next->sinks[i];
        if (old->spec->group != group)
            continue;
        old = same_sink(next, old, plan);
        if (old == NULL || old->spec->group->settings.count != group->settings.count)
            return false;
    }
    return true;
}

static void adopt_sink(struct ps_plan *next, struct ps_sink_plan *sink, struct ps_plan *plan)
{
    struct ps_sink_plan *old = same_sink(next, sink, plan);
    if (old == NULL || (sink->spec->group != NULL && !same_members(next, sink->spec->group, plan)))
        return;
    sink->adopts = old;
    sink->stage = old->stage;
    sink->built.by = old->built.by;
}

static void adopt_source(struct ps_plan *next, struct ps_source_plan *source, struct ps_plan *plan)
{
    for (size_t i = 0; i < plan->spec->source_count; i++) {
        struct ps_source_plan *old = &plan->sources[i];
        if (!same_source(next, source->spec, plan, old->spec) || !same_place(source, old))
            continue;
        source->adopts = old;
        source->stages = old->stages;
        source->built.by = old->built.by;
        source->adopts_chain = ps_chain_is_same(source->spec, old->spec);
        if (!source->adopts_chain)
            return;
        source->chain_stages = old->chain_stages;
        source->chain_built.by = old->chain_built.by;
        return;
    }
}

/* Notes whether the next plan's channel, which keeps the events of `channel`, has events that no source reads again. */
static void note_kept_events(struct ps_plan *next, const struct ps_plan *plan,
                             const struct ps_channel_plan *channel)
{
    if (ps_plan_rereads(plan, channel))
        return;
    for (size_t i = 0; i < next->spec->channel_count; i++) {
        struct ps_channel_plan *after = &next->channels[i];
        after->has_others |= strcmp(after->spec->stage.name, channel->spec->stage.name) == 0;
    }
}

static bool has_letters(const struct ps_dead_letter_target *target, size_t channel)
{
    return target->is_channel && target->channel == channel;
}

/* Returns whether the channel stays, with all its producers and consumers: then no component that closes waits for
 * room in it or for its last event. */
static bool stays_with_all(const struct ps_plan *next, unsigned channel)
{
    bool stays = next->channels[channel].adopts != NULL;
    for (size_t i = 0; stays && i < next->spec->sink_count; i++) {
        const struct ps_sink_plan *sink = &next->sinks[i];
        stays =
            (sink->spec->channel != channel && !has_letters(&sink->letters, channel)) || sink->adopts != NULL;
    }
    for (size_t i = 0; stays && i < next->spec->source_count; i++) {
        const struct ps_source_plan *source = &next->sources[i];
        bool puts = place_of(source, channel) < source->spec->channel_count ||
                    has_letters(&source->letters[0], channel);
        stays = !puts || source->adopts != NULL;
    }
    return stays;
}

/* The same for the channel and the channels of its sinks' dead letters. */
static bool flow_stays(const struct ps_plan *next, unsigned channel)
{
    bool stays = stays_with_all(next, channel);
    for (size_t i = 0; stays && i < next->spec->sink_count; i++) {
        const struct ps_sink_plan *sink = &next->sinks[i];
        stays = sink->spec->channel != channel || !sink->letters.is_channel ||
                stays_with_all(next, sink->letters.channel);
    }
    return stays;
}

/* Returns whether no component that closes waits for events of this source. */
static bool is_undisturbed(const struct ps_plan *next, const struct ps_source_plan *source)
{
    bool undisturbed = source->adopts != NULL;
    for (size_t i = 0; undisturbed && i < source->spec->channel_count; i++)
        undisturbed = flow_stays(next, source->spec->channels[i]);
    return undisturbed && (!source->letters[0].is_channel || flow_stays(next, source->letters[0].channel));
}

void ps_plan_adopt(struct ps_plan *next, struct ps_plan *plan)
{
    mark_unchanged(next->spec, plan->spec);
    for (size_t i = 0; i < plan->spec->channel_count; i++)
        note_kept_events(next, plan, &plan->channels[i]);
    for (size_t i = 0; i < next->spec->source_count; i++)
        adopt_source(next, &next->sources[i], plan);
    for (size_t i = 0; i < next->spec->channel_count; i++)
        adopt_channel(next, i, plan);
    for (size_t i = 0; i < next->spec->sink_count; i++)
        adopt_sink(next, &next->sinks[i], plan);
    for (size_t i = 0; i < next->spec->source_count; i++)
        next->sources[i].undisturbed = is_undisturbed(next, &next->sources[i]);
}

bool ps_plan_keeps_channel(const struct ps_plan *next, const struct ps_channel_plan *channel)
{
    for (size_t i = 0; next != NULL && i < next->spec->channel_count; i++) {
        if (next->channels[i].adopts == channel)
            return true;
    }
    return false;
}

bool ps_plan_rereads(const struct ps_plan *plan, const struct ps_channel_plan *channel)
{
    size_t number = (size_t)(channel - plan->channels);
    if (channel->has_others)
        return false;
    for (size_t i = 0; i < plan->spec->source_count; i++) {
        const struct ps_source_plan *source = &plan->sources[i];
        if (place_of(source, number) < source->spec->channel_count &&
            source->spec->stage.ops->source->needs <= PS_LEVEL_ACCEPTED)
            return false;
        for (unsigned k = 0; k < source->instance_count; k++) {
            if (has_letters(&source->letters[k], number))
                return false;
        }
    }
    for (size_t i = 0; i < plan->spec->sink_count; i++) {
        if (has_letters(&plan->sinks[i].letters, number))
            return false;
    }
    return true;
}

bool ps_plan_strands(const struct ps_plan *next, const struct ps_channel_plan *channel)
{
    return next == NULL && channel->consumer_count == 0;
}
