/* Converts the checked agent to the engine's form (core/engine/plan.h), and answers the stages' requests
 * while they are built. */
#include "conf/bind.h"
#include "conf/conf.h"
#include "conf/parts.h"
#include "conf/properties/properties.h"
#include "conf/state_directory.h"
#include "conf/text.h"
#include "conf/validate/types.h"
#include "stages/lib/java/class_path.h"
#include "core/durable.h"
#include "core/plugin/loader.h"
#include "core/plugin/module.h"
#include "core/stage_call.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Lives in the spec's arena and outlives the conf. */
struct build_context {
    const struct ps_stage_ops *const *stages;
    struct ps_pairs system;
};

static const char *build_context_property(const void *argument, const char *name)
{
    const struct build_context *build_context = argument;
    return ps_pairs_get_last(&build_context->system, name);
}

/* Binds and builds a sub-stage. Its keys were already checked with its parent's keys, so a failure now is a fault of
 * the machine. */
static const struct ps_stage_ops *build_context_sub_stage(struct ps_context *context, enum ps_kind kind,
                                                          const char *type, const struct ps_pairs *pairs,
                                                          void **plan, struct ps_err *err)
{
    const struct build_context *build_context = context->argument;
    const struct ps_stage_ops *ops = ps_stage_find(build_context->stages, kind, type);
    if (ops == NULL) {
        ps_err_set(err, "there is no %s `%s`", ps_kind_word(kind), type);
        return NULL;
    }
    struct ps_problems problems;
    ps_problems_init(&problems, context->arena);
    struct ps_bind bind = {.arena = context->arena,
                           .problems = &problems,
                           .prefix = "",
                           .quiet_unknown = true,
                           .allow_unsupported = true};
    *plan = ps_arena_alloc(context->arena, ops->plan_size);
    enum ps_status status = ps_bind_options(&bind, ops->options, NULL, pairs, *plan);
    if (status != PS_OK && problems.count > 0)
        ps_err_set(err, "%s", ps_problem_text(context->arena, &problems.items[0]));
    ps_problems_fini(&problems);
    if (status == PS_OK)
        status = ps_stage_build(ops, *plan, context, err);
    return status == PS_OK ? ops : NULL;
}

/* ---- fingerprints ---- */

static int pair_compare(const void *left, const void *right)
{
    return strcmp(((const struct ps_pair *)left)->key, ((const struct ps_pair *)right)->key);
}

/* Returns whether the key belongs to interceptors that a source runs itself, in Java: their list, or a key of one of
 * them. */
static bool is_of_own_interceptor(const struct ps_conf_part *part, const char *key)
{
    const char *count = ps_pairs_get(&part->pairs, PS_JAVA_CHAIN_KEY);
    const char *names = ps_pairs_get(&part->pairs, "interceptors");
    if (count == NULL || names == NULL)
        return false;
    const char *name = strncmp(key, "interceptors.", 13) == 0 ? key + 13 : NULL;
    bool found = strcmp(key, "interceptors") == 0;
    for (unsigned long left = strtoul(count, NULL, 10); !found && name != NULL && left > 0; left--) {
        names += strspn(names, " \t");
        size_t length = strcspn(names, " \t");
        found = strncmp(name, names, length) == 0 && name[length] == '.';
        names += length;
    }
    return found;
}

/* Returns whether a source's key belongs to its selector or to a stage of its chain, which have fingerprints of their
 * own. */
static bool belongs_elsewhere(const struct ps_conf_part *part, const char *key)
{
    return part->ops->kind == PS_KIND_SOURCE &&
           (strncmp(key, "selector.", 9) == 0 ||
            (strncmp(key, "interceptors", 12) == 0 && !is_of_own_interceptor(part, key)));
}

/* Returns whether `type` is a class that the stage runs. (Other stages have several names for the same thing.) */
static bool runs_in_java(const struct ps_conf_part *part)
{
    return strcmp(part->ops->name, PS_TYPE_JAVA) == 0;
}

/* Writes the name and the version of the file that the path names. */
static void print_file(void *out, const char *path)
{
    struct stat file;
    if (stat(path, &file) != 0)
        fprintf(out, "%s is absent\n", path);
    else
        fprintf(out, "%s: %ju %ju %jd %jd.%09ld\n", path, (uintmax_t)file.st_dev, (uintmax_t)file.st_ino,
                (intmax_t)file.st_size, (intmax_t)file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
}

/* If a value of the component names a serializer or deserializer of a plug-in, writes the number of the plug-in's
 * load (struct ps_module). A plug-in's file with other bytes gets another number, so the component counts as
 * changed. The component's own stage is compared elsewhere. */
static void print_plugins(FILE *out, const struct ps_conf *conf, const struct ps_conf_part *part)
{
    static const enum ps_kind kinds[] = {PS_KIND_SERIALIZER, PS_KIND_DESERIALIZER};
    for (size_t i = 0; i < part->pairs.count; i++) {
        for (size_t k = 0; k < PS_COUNT_OF(kinds); k++) {
            const struct ps_stage_ops *sub =
                ps_stage_find(conf->stages, kinds[k], part->pairs.items[i].value);
            const struct ps_module *module = sub != NULL ? ps_plugins_module_of(conf->plugins, sub) : NULL;
            if (module != NULL)
                fprintf(out, "%s: load %ju\n", module->path, (uintmax_t)module->load);
        }
    }
}

/* Returns the component's keys in order, each with the length of its value, because a value may have line breaks; then
 * the component's files and the plug-ins that it uses. */
static const char *fingerprint(const struct ps_conf *conf, const struct ps_conf_part *part)
{
    struct ps_pair *pairs = ps_must_alloc(part->pairs.count + 1, sizeof *pairs, "properties of a component");
    size_t count = 0;
    for (size_t i = 0; i < part->pairs.count; i++) {
        const struct ps_pair *pair = &part->pairs.items[i];
        if ((strcmp(pair->key, "type") == 0 && !runs_in_java(part)) || belongs_elsewhere(part, pair->key))
            continue;
        pairs[count++] = *pair;
    }
    qsort(pairs, count, sizeof *pairs, pair_compare);
    char *text = NULL;
    size_t length = 0;
    FILE *out = ps_must_open_text(&text, &length, "properties of a component");
    fprintf(out, "%s\n", part->ops->name);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%s=%zu:%s\n", pairs[i].key, strlen(pairs[i].value), pairs[i].value);
    if (part->ops->files != NULL)
        part->ops->files(part->plan, print_file, out);
    print_plugins(out, conf, part);
    fclose(out);
    free(pairs);
    const char *copy = ps_arena_copy(conf->plan_arena, text, length);
    free(text);
    return copy;
}

static struct ps_stage_spec stage_spec(const struct ps_conf *conf, const struct ps_conf_part *part)
{
    return (struct ps_stage_spec){.name = part->name,
                                  .component = part->label,
                                  .ops = part->ops,
                                  .plan = part->plan,
                                  .fingerprint = fingerprint(conf, part)};
}

/* ---- the spec ---- */

static unsigned channel_number(const struct ps_conf_agent *agent, const char *name)
{
    const struct ps_conf_channel *channel = ps_conf_channel_named(agent, name);
    PS_ASSERT(channel != NULL);
    return (unsigned)(channel - agent->channels);
}

/* Returns one more than the number of the channel for dead letters; 0: there is none. */
static unsigned letters_number(const struct ps_conf_agent *agent, const char *deadletter)
{
    return ps_dead_letters_go_to_channel(deadletter) ? 1 + channel_number(agent, deadletter) : 0;
}

static struct ps_source_spec source_spec(const struct ps_conf *conf, const struct ps_conf_source *source)
{
    struct ps_arena *arena = conf->plan_arena;
    const struct ps_conf_agent *agent = &conf->agent;
    struct ps_source_spec spec = {
        .stage = stage_spec(conf, &source->part),
        .interceptors = ps_arena_alloc(arena, (source->interceptor_count + 1) * sizeof *spec.interceptors),
        .interceptor_count = source->interceptor_count,
        .selector = stage_spec(conf, &source->selector),
        .channels = ps_arena_alloc(arena, (source->channels.count + 1) * sizeof *spec.channels),
        .channel_count = source->channels.count,
        .letters = letters_number(agent, source->common.deadletter),
        .common = ps_arena_alloc(arena, sizeof *spec.common),
    };
    *spec.common = source->common;
    for (size_t i = 0; i < source->interceptor_count; i++)
        spec.interceptors[i] = stage_spec(conf, &source->interceptors[i]);
    for (size_t i = 0; i < source->channels.count; i++)
        spec.channels[i] = channel_number(agent, source->channels.items[i]);
    return spec;
}

/* Includes the names of the sinks, because the sinks' numbers follow from their names. */
static const char *group_fingerprint(struct ps_arena *arena, const struct ps_conf_group *group)
{
    const char *text = group->processor;
    for (size_t i = 0; i < group->sinks.count; i++)
        text = ps_arena_format(arena, "%s %s", text, group->sinks.items[i]);
    for (size_t i = 0; i < group->pairs.count; i++)
        text =
            ps_arena_format(arena, "%s\n%s=%s", text, group->pairs.items[i].key, group->pairs.items[i].value);
    return text;
}

/* Adds the group, and makes its sinks members of it. */
static void group_spec(struct ps_agent_spec *spec, const struct ps_conf_agent *agent,
                       const struct ps_conf_group *group)
{
    struct ps_group_spec *made = &spec->groups[spec->group_count++];
    *made = (struct ps_group_spec){.name = group->name,
                                   .component = ps_arena_format(spec->arena, "sink group %s", group->name),
                                   .settings = group->settings,
                                   .fingerprint = group_fingerprint(spec->arena, group)};
    for (size_t i = 0; i < agent->sink_count; i++) {
        for (unsigned k = 0; k < group->sinks.count; k++) {
            if (strcmp(agent->sinks[i].part.name, group->sinks.items[k]) != 0)
                continue;
            spec->sinks[i].group = made;
            spec->sinks[i].member = k;
        }
    }
}

static struct build_context *build_context_make(const struct ps_conf *conf)
{
    struct ps_arena *arena = conf->plan_arena;
    struct build_context *build_context = ps_arena_alloc(arena, sizeof *build_context);
    struct ps_pair *system = ps_arena_alloc(arena, (conf->system.count + 2) * sizeof *system);
    for (size_t i = 0; i < conf->system.count; i++)
        system[i] = (struct ps_pair){.key = ps_arena_text(arena, conf->system.items[i].key),
                                     .value = ps_arena_text(arena, conf->system.items[i].value)};
    size_t count = conf->system.count;
    const char *state = ps_conf_state_directory(conf);
    system[count++] =
        (struct ps_pair){.key = PS_STATE_DIRECTORY_PROPERTY, .value = state != NULL ? state : ""};
    *build_context = (struct build_context){conf->stages, {count, system}};
    return build_context;
}

/* Returns whether the probe of a component only looks at the paths that it has: it judges also a plan that `check` refused. */
static bool looks_at_paths(const struct ps_conf_part *part)
{
    static const char *const names[] = {"spooldir", "taildir", "exec", "file", "file_roll"};
    for (size_t i = 0; i < PS_COUNT_OF(names); i++)
        if (strcmp(part->ops->name, names[i]) == 0)
            return true;
    return false;
}

/* Probes a component and the directory of its dead letters. */
static void probe_part(const struct ps_context *template, const struct ps_conf_part *part,
                       const char *deadletter, struct ps_probe *probe)
{
    struct ps_context context = *template;
    context.component = part->label;
    context.name = part->name;
    probe->component = part->label;
    if (part->ops->probe != NULL && (!part->unsound || looks_at_paths(part)))
        part->ops->probe(part->plan, &context, probe);
    if (deadletter != NULL && !ps_dead_letters_go_to_channel(deadletter))
        ps_probe_directory_to_make_last(probe, "penstock.deadletter", deadletter);
}

void ps_conf_probe(struct ps_conf *conf, bool starts, struct ps_probe *probe)
{
    if (starts && conf->aside == NULL)
        return;
    const struct ps_conf_agent *agent = &conf->agent;
    const struct ps_context context = {.agent = agent->name,
                                       .arena = conf->plan_arena,
                                       .system_property = build_context_property,
                                       .read_properties = ps_properties_read,
                                       .sub_stage = build_context_sub_stage,
                                       .argument = build_context_make(conf),
                                       .instances = 1,
                                       .batch_events_max = PS_BATCH_EVENTS_MAX,
                                       .class_path = conf->class_path};
    for (const struct ps_conf_aside *aside = conf->aside; aside != NULL; aside = aside->next)
        probe_part(&context, &aside->part, aside->deadletter, probe);
    for (size_t i = 0; !starts && i < agent->source_count; i++)
        probe_part(&context, &agent->sources[i].part, agent->sources[i].common.deadletter, probe);
    for (size_t i = 0; !starts && i < agent->channel_count; i++)
        probe_part(&context, &agent->channels[i].part, NULL, probe);
    for (size_t i = 0; !starts && i < agent->sink_count; i++)
        probe_part(&context, &agent->sinks[i].part, agent->sinks[i].common.deadletter, probe);
}

struct ps_agent_spec *ps_conf_take_spec(struct ps_conf *conf)
{
    PS_ASSERT(conf->plan_arena != NULL && conf->problems.errors == 0);
    struct ps_arena *arena = conf->plan_arena;
    const struct ps_conf_agent *agent = &conf->agent;
    struct ps_agent_spec *spec = ps_arena_alloc(arena, sizeof *spec);
    *spec = (struct ps_agent_spec){
        .name = agent->name,
        .arena = arena,
        .options = agent->options,
        .sources = ps_arena_alloc(arena, (agent->source_count + 1) * sizeof *spec->sources),
        .channels = ps_arena_alloc(arena, (agent->channel_count + 1) * sizeof *spec->channels),
        .sinks = ps_arena_alloc(arena, (agent->sink_count + 1) * sizeof *spec->sinks),
        .groups = ps_arena_alloc(arena, (agent->group_count + 1) * sizeof *spec->groups),
        .source_count = agent->source_count,
        .channel_count = agent->channel_count,
        .sink_count = agent->sink_count,
        .system_property = build_context_property,
        .read_properties = ps_properties_read,
        .sub_stage = build_context_sub_stage,
        .argument = build_context_make(conf),
        .class_path = conf->class_path,
        .dropped = conf->dropped,
        .cut = conf->cut != NULL || conf->lacks != NULL,
    };
    for (size_t i = 0; i < agent->channel_count; i++)
        spec->channels[i].stage = stage_spec(conf, &agent->channels[i].part);
    for (size_t i = 0; i < agent->source_count; i++)
        spec->sources[i] = source_spec(conf, &agent->sources[i]);
    for (size_t i = 0; i < agent->sink_count; i++)
        spec->sinks[i] =
            (struct ps_sink_spec){.stage = stage_spec(conf, &agent->sinks[i].part),
                                  .channel = channel_number(agent, agent->sinks[i].channel),
                                  .letters = letters_number(agent, agent->sinks[i].common.deadletter),
                                  .common = agent->sinks[i].common};
    for (size_t i = 0; i < agent->group_count; i++) {
        if (agent->groups[i].runs)
            group_spec(spec, agent, &agent->groups[i]);
    }
    conf->plan_arena = NULL;
    return spec;
}
