/* Sink groups: the members must exist and be in no other group, and penstock must have the processor. Also counts the
 * sinks of each channel. Thread: the control thread. */
#include "conf/validate/validate_internal.h"

#include "conf/validate/group_order.h"
#include "conf/validate/java.h"
#include "conf/validate/types.h"
#include "core/text/nearest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* One group that is being validated. */
struct grouping {
    struct ps_validation *validation;
    const struct ps_entry *entry;
    const char *prefix; /* "a1.sinkgroups.g1." */
    struct ps_conf_group *group;
    struct ps_processor_options options;
};

static struct ps_conf_sink *sink_find(struct ps_validation *validation, const char *name)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    for (size_t i = 0; i < agent->sink_count; i++)
        if (strcmp(agent->sinks[i].part.name, name) == 0)
            return &agent->sinks[i];
    return NULL;
}

/* Drops the members of a group that failed. Flume removes such sinks from the agent: they run neither in the group
 * nor alone. */
static void drop_members(struct ps_validation *validation, const struct ps_texts *members)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    size_t kept = 0;
    for (size_t i = 0; i < agent->sink_count; i++)
        if (!ps_texts_have(members, agent->sinks[i].part.name))
            agent->sinks[kept++] = agent->sinks[i];
    agent->sink_count = kept;
}

/* Returns the members that are valid and in no other group, in Flume's order. */
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
        struct ps_texts listed = ps_section_names(validation->text, PS_SECTION_SINKS, validation->arena);
        if (sink == NULL && ps_texts_have(&listed, name))
            continue; /* the sink was dropped, which is already reported */
        if (sink == NULL)
            ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place,
                           strchr(name, ',') != NULL ? "lists are separated by blanks, not commas" : NULL,
                           "sink \"%s\" of the group %s", name,
                           entry == NULL ? "does not exist" : "is not listed");
        else if (sink->group != NULL)
            ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place,
                           ps_arena_format(validation->arena, "remove %s from %s: a sink can be in one group",
                                           name, place.key),
                           "sink %s is in group %s already: not added", name, sink->group);
        else {
            sink->group = group;
            items[valid.count++] = name;
        }
    }
    ps_group_order(items, valid.count, written->count);
    return valid;
}

static struct ps_place place_of_key(const struct grouping *grouping, const char *key)
{
    return ps_validation_place(grouping->validation, grouping->entry, grouping->prefix, key);
}

/* ---- processors and selectors that do not exist ---- */

/* Reports a class that no place has: Flume drops the group and its sinks. */
static bool report_class(const struct grouping *grouping, const char *key, const char *word,
                         const char *target, const char *name)
{
    (void)ps_java_inner(&grouping->validation->maker, word, target, name, place_of_key(grouping, key));
    return false;
}

static bool report_unknown_processor(const struct grouping *grouping)
{
    struct ps_validation *validation = grouping->validation;
    const char *type = grouping->group->processor, *cure = "use failover or load_balance";
    if (strchr(type, '.') != NULL)
        return report_class(grouping, "processor.type", "sink processor", PS_JAVA_SINK_PROCESSOR, type);
    struct ps_nearest near;
    ps_nearest_init(&near, type);
    ps_nearest_offer(&near, "default");
    ps_nearest_offer(&near, "failover");
    ps_nearest_offer(&near, "load_balance");
    if (near.word != NULL)
        cure = ps_arena_format(validation->arena, "did you mean %s?", near.word);
    ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place_of_key(grouping, "processor.type"), cure,
                   "Flume has no sink processor `%s`: it drops the group and its sinks", type);
    return false;
}

/* ---- the processors ---- */

/* Parses like Integer.parseInt: without blanks. */
static bool priority_of(const struct grouping *grouping, const char *sink, int32_t *priority)
{
    const char *text = ps_pairs_get(&grouping->options.priorities, sink);
    if (text == NULL || *text == '\0' || strspn(text, "+-0123456789") != strlen(text))
        return false;
    char *end;
    long long value = strtoll(text, &end, 10);
    *priority = (int32_t)value;
    return *end == '\0' && value >= INT32_MIN && value <= INT32_MAX;
}

static const char *sink_of_priority(const struct ps_texts *sinks, const int32_t *priorities, int32_t priority)
{
    for (size_t i = 0; i < sinks->count; i++) {
        if (priorities[i] == priority)
            return sinks->items[i];
    }
    return NULL;
}

static void warn_of_priorities_of_others(const struct grouping *grouping)
{
    const struct ps_pairs *pairs = &grouping->options.priorities;
    for (size_t i = 0; i < pairs->count; i++) {
        if (ps_texts_have(&grouping->group->sinks, pairs->items[i].key))
            continue;
        const char *key =
            ps_arena_format(grouping->validation->arena, "processor.priority.%s", pairs->items[i].key);
        ps_problem_add(grouping->validation->problems, PS_SEVERITY_WARNING, place_of_key(grouping, key), NULL,
                       "no sink %s is in the group: ignored", pairs->items[i].key);
    }
}

/* Returns the cure with a priority that no sink has. */
static const char *cure_with_priority(const struct grouping *grouping, const struct ps_texts *used,
                                      const int32_t *priorities)
{
    int32_t highest = 0;
    for (size_t i = 0; i < used->count; i++)
        if (priorities[i] > highest && priorities[i] < INT32_MAX)
            highest = priorities[i];
    while (sink_of_priority(used, priorities, ++highest) != NULL)
        continue;
    return ps_arena_format(grouping->validation->arena, "write %" PRId32 ", or another priority of its own",
                           highest);
}

/* Returns "CURE, or remove g1 from a1.sinkgroups". */
static const char *cure_without_group(const struct grouping *grouping, const char *cure)
{
    return ps_arena_format(grouping->validation->arena, "%s, or remove %s from %s.sinkgroups", cure,
                           grouping->entry->name, grouping->validation->text->name);
}

/* Sinks without a priority get -1, -2, ..; of two sinks with the same priority Flume's processor never uses the
 * second. */
static bool make_failover(struct grouping *grouping)
{
    struct ps_validation *validation = grouping->validation;
    struct ps_conf_group *group = grouping->group;
    int32_t *priorities = ps_arena_alloc(validation->arena, (group->sinks.count + 1) * sizeof *priorities);
    const char **items = ps_arena_alloc(validation->arena, (group->sinks.count + 1) * sizeof *items);
    const char **unused = ps_arena_alloc(validation->arena, (group->sinks.count + 1) * sizeof *unused);
    struct ps_texts used = {0, items}, others = {0, unused};
    int32_t next = 0;
    warn_of_priorities_of_others(grouping);
    for (size_t i = 0; i < group->sinks.count; i++) {
        const char *name = group->sinks.items[i],
                   *written = ps_pairs_get(&grouping->options.priorities, name);
        const char *key = ps_arena_format(validation->arena, "processor.priority.%s", name);
        int32_t priority;
        if (!priority_of(grouping, name, &priority)) {
            priority = --next;
            if (written != NULL)
                ps_problem_add(validation->problems, PS_SEVERITY_WARNING, place_of_key(grouping, key),
                               "write a whole number, such as 10",
                               "`%s` is not a number: %" PRId32 " is used", written, priority);
        }
        const char *same = sink_of_priority(&used, priorities, priority);
        if (same != NULL) {
            ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place_of_key(grouping, key),
                           cure_with_priority(grouping, &used, priorities),
                           "sink %s has the same priority, %" PRId32 ", as sink %s: Flume never uses sink %s",
                           name, priority, same, name);
            unused[others.count++] = name;
            continue;
        }
        priorities[used.count] = priority;
        items[used.count++] = name;
    }
    drop_members(validation, &others);
    group->sinks = used;
    group->settings = (struct ps_processor_settings){.type = PS_PROCESSOR_FAILOVER,
                                                     .max_ms = grouping->options.max_penalty_ms,
                                                     .count = (unsigned)used.count,
                                                     .priorities = priorities};
    return true;
}

static bool make_load_balance(struct grouping *grouping)
{
    struct ps_validation *validation = grouping->validation;
    struct ps_conf_group *group = grouping->group;
    const struct ps_processor_options *options = &grouping->options;
    bool random = strcasecmp(options->selector, "random") == 0;
    if (group->sinks.count < 2) {
        ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place_of_key(grouping, "sinks"),
                       cure_without_group(grouping, "add a second sink"),
                       "load_balance takes two sinks or more: Flume drops the group and its sink");
        return false;
    }
    if (!random && strcasecmp(options->selector, "round_robin") != 0) {
        if (strchr(options->selector, '.') != NULL)
            return report_class(grouping, "processor.selector", "sink selector", PS_JAVA_SINK_SELECTOR,
                                options->selector);
        ps_problem_add(validation->problems, PS_SEVERITY_DROPPED,
                       place_of_key(grouping, "processor.selector"), "write round_robin or random",
                       "Flume has no sink selector `%s`: it drops the group and its sinks",
                       options->selector);
        return false;
    }
    group->settings = (struct ps_processor_settings){.type = PS_PROCESSOR_LOAD_BALANCE,
                                                     .random = random,
                                                     .backoff = options->backoff,
                                                     .max_ms = options->max_timeout_ms,
                                                     .count = (unsigned)group->sinks.count};
    return true;
}

/* Warns when members take from different channels; Flume lets each take from its own. */
static void warn_of_channels(const struct grouping *grouping)
{
    const struct ps_texts *sinks = &grouping->group->sinks;
    const char *first = NULL;
    for (size_t i = 0; i < sinks->count; i++) {
        const char *channel = sink_find(grouping->validation, sinks->items[i])->channel;
        if (first != NULL && strcmp(first, channel) != 0) {
            ps_problem_add(
                grouping->validation->problems, PS_SEVERITY_WARNING, place_of_key(grouping, "sinks"),
                "let all sinks of the group take from one channel",
                "the sinks take from different channels (%s, %s): as in Flume, the group chooses a sink and "
                "with it a channel; no sink gets the events with which another one failed",
                first, channel);
            return;
        }
        first = channel;
    }
}

/* Returns false if the group, and with it its members, cannot run. */
static bool group_processor(struct grouping *grouping)
{
    struct ps_validation *validation = grouping->validation;
    struct ps_conf_group *group = grouping->group;
    if (group->processor == NULL) {
        ps_problem_add(
            validation->problems, PS_SEVERITY_DROPPED, place_of_key(grouping, "processor.type"),
            ps_arena_format(
                validation->arena,
                "add the line %sprocessor.type = failover, or load_balance; a single sink needs no group",
                grouping->prefix),
            "the group has no processor.type: Flume drops the group and its sinks");
        return false;
    }
    const char *flume = ps_type_flume_name(PS_KIND_PROCESSOR, group->processor);
    if (flume == NULL)
        return report_unknown_processor(grouping);
    if (strcmp(flume, "default") != 0) {
        struct ps_bind bind = {.arena = validation->arena,
                               .problems = validation->problems,
                               .prefix = ps_arena_format(validation->arena, "%sprocessor.", grouping->prefix),
                               .file = group->file,
                               .line = group->line};
        if (ps_bind_options(&bind, ps_processor_rows, NULL, &group->pairs, &grouping->options) != PS_OK)
            return false;
        group->runs = strcmp(flume, "failover") == 0 ? make_failover(grouping) : make_load_balance(grouping);
        if (group->runs)
            warn_of_channels(grouping);
        return group->runs;
    }
    if (group->sinks.count == 1)
        return true;
    ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place_of_key(grouping, "processor.type"),
                   cure_without_group(grouping, "write failover or load_balance"),
                   "the default sink processor takes exactly one sink: Flume drops the group and its sinks");
    return false;
}

/* Returns whether any group of the file names the sink, also one that is made later. */
static bool is_grouped(const struct ps_validation *validation, const char *sink)
{
    const struct ps_section_entries *groups = &validation->text->sections[PS_SECTION_SINKGROUPS];
    for (size_t i = 0; i < groups->count; i++) {
        struct ps_pairs pairs = ps_entry_pairs(&groups->entries[i]);
        const struct ps_pair *list = groups->entries[i].listed ? ps_pairs_find(&pairs, "sinks") : NULL;
        struct ps_texts names = {0, NULL};
        if (list != NULL)
            names = ps_text_split_blanks(validation->arena, list->value);
        if (ps_texts_have(&names, sink))
            return true;
    }
    return false;
}

/* Returns the names of the sinks that are in no group, "k1 k2"; "...": there is none. */
static const char *free_sinks(const struct ps_validation *validation)
{
    const struct ps_conf_agent *agent = &validation->conf->agent;
    const char *names = "";
    for (size_t i = 0; i < agent->sink_count; i++)
        if (agent->sinks[i].group == NULL && !is_grouped(validation, agent->sinks[i].part.name))
            names = ps_arena_format(validation->arena, "%s%s%s", names, *names != '\0' ? " " : "",
                                    agent->sinks[i].part.name);
    return *names != '\0' ? names : "...";
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
                           ? ps_arena_format(validation->arena, "add the line %ssinks = %s", prefix,
                                             free_sinks(validation))
                           : NULL,
                       common.sinks.count == 0 ? "the group has no sinks" : "the group has no sink left");
        return;
    }
    const struct ps_pair *type = ps_pairs_find(&common.processor, "type");
    group->processor = type != NULL ? type->value : NULL;
    struct grouping grouping = {validation, entry, prefix, group, {0}};
    if (group_processor(&grouping))
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
        ps_conf_channel_named(agent, agent->sinks[i].channel)->sink_count++;
}
