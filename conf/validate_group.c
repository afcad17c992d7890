/* Sink groups: their members must exist and be in no other group, and penstock must have the processor. Also
 * counts the sinks of each channel. Thread: the control thread. */
#include "conf/validation.h"

#include "conf/types.h"
#include "core/nearest.h"

#include <string.h>
#include <strings.h>

static struct ps_conf_sink *sink_find(struct ps_validation *validation, const char *name)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    for (size_t i = 0; i < agent->sink_count; i++)
        if (strcmp(agent->sinks[i].part.name, name) == 0)
            return &agent->sinks[i];
    return NULL;
}

/* Flume removes a sink whose group failed from the agent: it runs neither in the group nor alone. */
static void drop_members(struct ps_validation *validation, const struct ps_texts *members)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    size_t kept = 0;
    for (size_t i = 0; i < agent->sink_count; i++)
        if (!ps_texts_have(members, agent->sinks[i].part.name))
            agent->sinks[kept++] = agent->sinks[i];
    agent->sink_count = kept;
}

/* Returns the members that are valid and in no other group. */
static struct ps_texts group_members(struct ps_validation *validation, const struct ps_texts *written,
                                     struct ps_place place, const char *group)
{
    struct ps_texts names = ps_texts_unique(validation->arena, *written);
    const char **items = ps_arena_alloc(validation->arena, (names.count + 1) * sizeof *items);
    struct ps_texts valid = {0, items};
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.items[i];
        struct ps_conf_sink *sink = sink_find(validation, name);
        const struct ps_entry *entry = ps_section_find(&validation->text->sections[PS_SECTION_SINKS], name);
        if (sink == NULL && entry != NULL && entry->listed)
            continue; /* dropped; already reported */
        if (sink == NULL)
            ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place,
                           strchr(name, ',') != NULL ? "lists are separated by blanks, not commas" : NULL,
                           "sink \"%s\" of the group %s", name,
                           entry == NULL ? "does not exist" : "is not listed");
        else if (sink->group != NULL)
            ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place, "a sink can be in one group",
                           "sink %s is in group %s already: not added", name, sink->group);
        else {
            sink->group = group;
            items[valid.count++] = name;
        }
    }
    return valid;
}

/* Returns false if the group, and with it its members, cannot run. */
static bool group_processor(struct ps_validation *validation, const struct ps_conf_group *group,
                            struct ps_place place)
{
    if (group->processor == NULL) {
        ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place,
                       "write processor.type = failover or load_balance; a single sink needs no group",
                       "the group has no processor.type: Flume drops the group and its sinks");
        return false;
    }
    const char *flume = ps_type_flume_name(PS_KIND_PROCESSOR, group->processor);
    bool allowed = validation->maker.allow_unsupported;
    if (flume != NULL && strcmp(flume, "default") == 0) {
        if (group->sinks.count == 1)
            return true;
        ps_problem_add(
            validation->problems, PS_SEVERITY_DROPPED, place,
            "use failover or load_balance, or no group at all",
            "the default sink processor takes exactly one sink: Flume drops the group and its sinks");
    } else if (flume != NULL) {
        ps_problem_add(validation->problems, allowed ? PS_SEVERITY_DROPPED : PS_SEVERITY_ERROR, place,
                       allowed ? NULL
                               : "remove the group: its sinks then run side by side; or set "
                                 "penstock.allow.unsupported = true to run without them",
                       "Flume's sink processor `%s` is not supported by penstock yet", flume);
    } else {
        const char *nearest = NULL;
        struct ps_nearest near;
        ps_nearest_init(&near, group->processor);
        ps_nearest_offer(&near, "default");
        ps_nearest_offer(&near, "failover");
        ps_nearest_offer(&near, "load_balance");
        if (near.word != NULL)
            nearest = ps_arena_format(validation->arena, "did you mean %s?", near.word);
        ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place, nearest,
                       "Flume has no sink processor `%s`: it drops the group and its sinks",
                       group->processor);
    }
    return false;
}

static void group_make(struct ps_validation *validation, const struct ps_entry *entry)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    const char *prefix = ps_validation_prefix(validation, PS_SECTION_SINKGROUPS, entry->name);
    struct ps_pairs pairs = ps_entry_pairs(entry);
    struct ps_common_group common = {0};
    struct ps_bind bind = {.arena = validation->arena,
                           .problems = validation->problems,
                           .prefix = prefix,
                           .file = entry->items[0].file,
                           .line = entry->items[0].line};
    ps_bind_options(&bind, ps_common_group_options, NULL, &pairs, &common);
    struct ps_place place = ps_validation_place(validation, entry, prefix, "sinks");
    struct ps_conf_group *group = &agent->groups[agent->group_count];
    *group = (struct ps_conf_group){
        .name = entry->name, .pairs = common.processor, .file = place.file, .line = place.line};
    group->sinks = group_members(validation, &common.sinks, place, entry->name);
    if (group->sinks.count == 0) {
        ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place,
                       common.sinks.count == 0
                           ? ps_arena_format(validation->arena, "add the line %ssinks = ...", prefix)
                           : NULL,
                       common.sinks.count == 0 ? "the group has no sinks" : "the group has no sink left");
        return;
    }
    const struct ps_pair *type = ps_pairs_find(&common.processor, "type");
    group->processor = type != NULL ? type->value : NULL;
    place = ps_validation_place(validation, entry, prefix, "processor.type");
    if (group_processor(validation, group, place))
        agent->group_count++;
    else
        drop_members(validation, &group->sinks);
}

void ps_validate_groups(struct ps_validation *validation)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    struct ps_listed listed = ps_validation_listed(validation, PS_SECTION_SINKGROUPS);
    agent->groups = ps_arena_alloc(validation->arena, (listed.count + 1) * sizeof *agent->groups);
    for (size_t i = 0; i < listed.count; i++)
        group_make(validation, listed.entries[i]);
    for (size_t i = 0; i < agent->sink_count; i++)
        ps_validation_channel(validation, agent->sinks[i].channel)->sink_count++;
}
