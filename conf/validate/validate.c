/* See validate.h: order of steps, lists, channels. */
#include "conf/validate/validate_internal.h"

#include "conf/doubts/names.h"
#include "conf/validate/types.h"
#include "conf/validate/engine.h"
#include "conf/validate/flow.h"
#include "conf/validate/dropped.h"
#include "stages/lib/java/class_path.h"
#include "core/text/ends.h"
#include "core/text/nearest.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *ps_validation_prefix(struct ps_validation *validation, enum ps_section section, const char *name)
{
    return ps_arena_format(validation->arena, "%s.%s.%s.", validation->text->name, ps_section_word(section),
                           name);
}

struct ps_place ps_validation_place(struct ps_validation *validation, const struct ps_entry *entry,
                                    const char *prefix, const char *key)
{
    const struct ps_pairs pairs = ps_entry_pairs(entry);
    const struct ps_pair *pair = ps_pairs_find(&pairs, key);
    const struct ps_pair *at = pair != NULL ? pair : &pairs.items[0];
    return (struct ps_place){at->file, at->line, ps_arena_format(validation->arena, "%s%s", prefix, key)};
}

/* ---- lists ---- */

static struct ps_place list_place(struct ps_validation *validation, enum ps_section section)
{
    const struct ps_pair *list = validation->text->sections[section].list;
    return (struct ps_place){
        list != NULL ? list->file : validation->text->file, list != NULL ? list->line : 0,
        ps_arena_format(validation->arena, "%s.%s", validation->text->name, ps_section_word(section))};
}

/* Reports a name in the list that has no keys. */
static void report_listed_only(struct ps_validation *validation, enum ps_section section, const char *name)
{
    const struct ps_section_entries *entries = &validation->text->sections[section];
    const char *cure = ps_arena_format(
        validation->arena, "remove %3$s from %1$s.%2$s, or add its keys: %1$s.%2$s.%3$s.%4$s = ..",
        validation->text->name, ps_section_word(section), name,
        section == PS_SECTION_SINKGROUPS ? "sinks" : "type");
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (size_t i = 0; i < entries->count; i++)
        if (!entries->entries[i].listed)
            ps_nearest_offer(&nearest, entries->entries[i].name);
    const char *doubt = ps_doubt_component_name(validation->arena, validation->text, section, name);
    if (strchr(name, ',') != NULL)
        cure = "lists are separated by blanks, not commas";
    else if (name[0] == '#')
        cure = PS_COMMENT_CURE;
    else if (doubt != NULL)
        cure = doubt;
    else if (nearest.word != NULL)
        cure = ps_arena_format(validation->arena, "did you mean %s?", nearest.word);
    ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, list_place(validation, section), cure,
                   "%s \"%s\" is listed, but has no keys", ps_section_noun(section), name);
}

/* Returns the line that lists all components that have keys: "add the line a1.channels = c1 c2". */
static const char *cure_with_list(struct ps_validation *validation, enum ps_section section)
{
    const struct ps_section_entries *entries = &validation->text->sections[section];
    const char *line = ps_arena_format(validation->arena, "add the line %s.%s =", validation->text->name,
                                       ps_section_word(section));
    for (size_t i = 0; i < entries->count; i++)
        line = ps_arena_format(validation->arena, "%s %s", line, entries->entries[i].name);
    return entries->count > 0 ? line : ps_arena_format(validation->arena, "%s ...", line);
}

static void report_unlisted(struct ps_validation *validation, enum ps_section section,
                            const struct ps_entry *entry)
{
    const char *name = ps_arena_format(validation->arena, "%s.%s.%s", validation->text->name,
                                       ps_section_word(section), entry->name);
    if (ps_doubt_is_dotted(validation->arena, validation->text, section, entry))
        return; /* reported with the name that is listed */
    bool list = validation->text->sections[section].list != NULL;
    const char *doubt = list ? NULL : ps_doubt_list(validation->arena, validation->text, section);
    ps_problem_add(validation->problems, PS_SEVERITY_WARNING,
                   (struct ps_place){entry->items[0].file, entry->items[0].line, name},
                   doubt != NULL ? doubt
                   : list        ? ps_arena_format(validation->arena, "add %s to %s.%s", entry->name,
                                                   validation->text->name, ps_section_word(section))
                                 : cure_with_list(validation, section),
                   "%s %s is configured, but not listed: Flume ignores it", ps_section_noun(section),
                   entry->name);
    /* A component that is not in its list was removed on purpose; when the list itself is missing, its name was
     * probably misspelt. */
    ps_problem_mistake(validation->problems, list ? PS_MISTAKE_NONE : PS_MISTAKE_CAUSE);
}

struct ps_listed ps_validation_listed(struct ps_validation *validation, enum ps_section section)
{
    const struct ps_section_entries *entries = &validation->text->sections[section];
    struct ps_texts names = ps_section_names(validation->text, section, validation->arena);
    struct ps_listed listed = {
        .entries = ps_arena_alloc(validation->arena, (names.count + 1) * sizeof *listed.entries)};
    for (size_t i = 0; i < names.count; i++) {
        struct ps_entry *entry = ps_section_find(entries, names.items[i]);
        if (entry == NULL)
            continue;
        entry->listed = true;
        if (!entry->in_java)
            listed.entries[listed.count++] = entry;
    }
    for (size_t i = 0; i < names.count; i++)
        if (ps_section_find(entries, names.items[i]) == NULL)
            report_listed_only(validation, section, names.items[i]);
    for (size_t i = 0; i < entries->count; i++)
        if (!entries->entries[i].listed)
            report_unlisted(validation, section, &entries->entries[i]);
    return listed;
}

struct ps_listed ps_validation_unlisted(struct ps_validation *validation, enum ps_section section)
{
    const struct ps_section_entries *entries = &validation->text->sections[section];
    bool lacks_list = validation->text->sections[section].list == NULL;
    struct ps_listed unlisted = {
        .entries = ps_arena_alloc(validation->arena, (entries->count + 1) * sizeof *unlisted.entries)};
    for (size_t i = 0; lacks_list && i < entries->count; i++)
        if (!entries->entries[i].listed && !entries->entries[i].in_java)
            unlisted.entries[unlisted.count++] = &entries->entries[i];
    return unlisted;
}

/* ---- common to all components ---- */

const char *ps_validation_type_cure(struct ps_validation *validation, enum ps_kind kind, const char *prefix,
                                    const struct ps_pairs *pairs)
{
    const char *type = ps_type_of_keys(validation->conf->stages, kind, pairs);
    return type != NULL
               ? ps_arena_format(validation->arena, "add the line %stype = %s", prefix, type)
               : ps_arena_format(validation->arena,
                                 "add the line %stype = TYPE; `penstock components %s` lists the types",
                                 prefix, ps_kind_word(kind));
}

void ps_validation_part(struct ps_validation *validation, enum ps_kind kind, const struct ps_entry *entry,
                        const char *prefix, struct ps_conf_part *part)
{
    *part = (struct ps_conf_part){
        .name = entry->name,
        .label = ps_arena_format(validation->arena, "%s %s", ps_kind_word(kind), entry->name),
        .file = entry->items[0].file,
        .line = entry->items[0].line,
    };
    struct ps_pair *items = ps_arena_alloc(validation->arena, entry->count * sizeof *items);
    memcpy(items, entry->items, entry->count * sizeof *items);
    part->pairs = (struct ps_pairs){entry->count, items};
    struct ps_place place = ps_validation_place(validation, entry, prefix, "type");
    part->type = ps_pairs_get(&part->pairs, "type");
    if (part->type == NULL) {
        ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place,
                       ps_validation_type_cure(validation, kind, prefix, &part->pairs), "%s has no type",
                       part->label);
        part->type = "";
        ps_component_refuse(&validation->maker, kind, part);
        return;
    }
    part->line = place.line;
    part->file = place.file;
    ps_component_note_gone(&validation->maker, kind, part->type, place);
    part->ops = ps_component_engine(&validation->maker, kind, part, prefix, place);
    if (part->ops == NULL)
        ps_component_refuse(&validation->maker, kind, part);
}

static const char *const capacity_keys[] = {"transactionCapacity", NULL};
static const char *const room_keys[] = {"capacity", NULL};

/* Reads the value of a stage's INT row, by its key or an alias. Returns false if it has no such row. */
static bool part_int(const struct ps_conf_part *part, const char *const *keys, int64_t *value)
{
    for (; *keys != NULL; keys++) {
        const struct ps_option *option = ps_option_named(part->ops->options, *keys);
        if (option == NULL || option->type != PS_OPTION_INT || (option->flags & PS_OPTION_UNSUPPORTED))
            continue;
        memcpy(value, (const char *)part->plan + option->offset, sizeof *value);
        return true;
    }
    return false;
}

void ps_validation_tell_capacities(struct ps_validation *validation, struct ps_conf_part *part,
                                   const char *const *channels, size_t count)
{
    const char *told = "";
    if (strcmp(part->ops->name, PS_TYPE_JAVA) != 0)
        return;
    for (size_t i = 0; i < count; i++) {
        const struct ps_conf_channel *channel = ps_conf_channel_named(&validation->conf->agent, channels[i]);
        int64_t capacity;
        if (part_int(&channel->part, capacity_keys, &capacity))
            told = ps_arena_format(validation->arena, "%s%s%s %" PRId64, told, told[0] != '\0' ? " " : "",
                                   channels[i], capacity);
    }
    if (told[0] != '\0')
        ps_component_add_pair(validation->maker.arena, part, PS_JAVA_CAPACITIES_KEY, told);
}

/* Returns whether Flume ignores the key: its guide has kafka.flumeBatchSize, but its Kafka sink reads flumeBatchSize. */
static bool is_unread_by_flume(const char *key)
{
    return ps_text_ends(key, ".kafka.flumeBatchSize");
}

bool ps_validation_batch_fits(struct ps_validation *validation, const struct ps_conf_part *part,
                              const char *prefix, const struct ps_conf_channel *channel)
{
    static const char *const batch_keys[] = {"batchSize",      "batch-size",     "flumeBatchSize",
                                             "sink.batchSize", "hdfs.batchSize", NULL};
    int64_t batch, capacity;
    if (!part_int(part, batch_keys, &batch) || !part_int(&channel->part, capacity_keys, &capacity))
        return true;
    const char *key = batch_keys[0];
    for (size_t i = 0; batch_keys[i] != NULL; i++)
        if (ps_option_named(part->ops->options, batch_keys[i]) != NULL)
            key = ps_option_named(part->ops->options, batch_keys[i])->key;
    struct ps_place place = ps_component_place(&validation->maker, part, prefix, key);
    if (is_unread_by_flume(place.key))
        batch = strtoll(ps_option_named(part->ops->options, key)->fallback, NULL, 10);
    if (part->ops->batch_events != NULL)
        batch = part->ops->batch_events(part->plan);
    if (batch <= capacity)
        return true;
    int64_t room;
    const char *wider = part_int(&channel->part, room_keys, &room) && room < batch
                            ? ps_arena_format(validation->arena, " and %s.channels.%s.capacity = %" PRId64,
                                              validation->text->name, channel->part.name, batch)
                            : "";
    ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place,
                   ps_arena_format(validation->arena,
                                   "set %s.channels.%s.transactionCapacity = %" PRId64
                                   "%s or more, or a smaller %s",
                                   validation->text->name, channel->part.name, batch, wider, key),
                   "batch size %" PRId64 " is above the transactionCapacity %" PRId64
                   " of channel %s: Flume drops the %s",
                   batch, capacity, channel->part.name, ps_kind_word(part->ops->kind));
    return false;
}

/* ---- channels ---- */

/* Returns how many components of a section send their dead letters to the channel. */
static unsigned count_letters(const struct ps_validation *validation, enum ps_section section,
                              const char *channel)
{
    const struct ps_section_entries *entries = &validation->text->sections[section];
    unsigned users = 0;
    for (size_t i = 0; i < entries->count; i++) {
        struct ps_pairs pairs = ps_entry_pairs(&entries->entries[i]);
        const char *value = ps_pairs_get(&pairs, "penstock.deadletter");
        users += value != NULL && strcmp(value, channel) == 0;
    }
    return users;
}

/* Returns how many components put into the channel (sources) or take from it (sinks); the channel's check hook gets
 * this number. */
static unsigned count_users(const struct ps_validation *validation, enum ps_section section,
                            const char *channel)
{
    const struct ps_section_entries *entries = &validation->text->sections[section];
    unsigned users = 0;
    for (size_t i = 0; i < entries->count; i++) {
        struct ps_pairs pairs = ps_entry_pairs(&entries->entries[i]);
        const char *value = ps_pairs_get(&pairs, section == PS_SECTION_SOURCES ? "channels" : "channel");
        if (value == NULL)
            continue;
        struct ps_texts names = ps_text_split_blanks(validation->arena, value);
        users += ps_texts_have(&names, channel);
    }
    if (section == PS_SECTION_SOURCES)
        users += count_letters(validation, PS_SECTION_SOURCES, channel) +
                 count_letters(validation, PS_SECTION_SINKS, channel);
    return users;
}

static bool channel_make(struct ps_validation *validation, const struct ps_entry *entry,
                         struct ps_conf_channel *channel)
{
    const char *prefix = ps_validation_prefix(validation, PS_SECTION_CHANNELS, entry->name);
    ps_validation_part(validation, PS_KIND_CHANNEL, entry, prefix, &channel->part);
    struct ps_context context = {
        .instances = 1,
        .producers = count_users(validation, PS_SECTION_SOURCES, entry->name),
        .consumers = count_users(validation, PS_SECTION_SINKS, entry->name),
        .batch_events_max = PS_BATCH_EVENTS_MAX,
    };
    bool bound = ps_component_bind(&validation->maker, &channel->part, prefix, ps_common_channel) == PS_OK;
    bool good = ps_component_check(&validation->maker, &channel->part, prefix, &context) == PS_OK;
    return bound && good && !channel->part.refused;
}

static void validate_channels(struct ps_validation *validation)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    struct ps_listed listed = ps_validation_listed(validation, PS_SECTION_CHANNELS);
    struct ps_listed unlisted = ps_validation_unlisted(validation, PS_SECTION_CHANNELS);
    agent->channels = ps_arena_alloc(validation->arena, (listed.count + 1) * sizeof *agent->channels);
    for (size_t i = 0; i < listed.count; i++) {
        struct ps_conf_channel *channel = &agent->channels[agent->channel_count];
        if (channel_make(validation, listed.entries[i], channel))
            agent->channel_count++;
        else
            ps_component_set_aside(&validation->maker, &channel->part, NULL);
    }
    for (size_t i = 0; i < unlisted.count; i++) {
        struct ps_conf_channel channel = {.source_count = 0};
        (void)channel_make(validation, unlisted.entries[i], &channel);
        ps_component_set_aside(&validation->maker, &channel.part, NULL);
    }
}

/* ---- the agent ---- */

static void report_nothing(struct ps_validation *validation, bool channels)
{
    const struct ps_agent_text *text = validation->text;
    struct ps_place place = {text->file, 0, text->name};
    const char *list = ps_arena_format(validation->arena, "%s.channels", text->name);
    bool follows = false;
    if (text->sections[PS_SECTION_CHANNELS].list == NULL) {
        const char *doubt = ps_doubt_list(validation->arena, text, PS_SECTION_CHANNELS);
        ps_problem_add(validation->problems, PS_SEVERITY_ERROR, place,
                       doubt != NULL ? doubt : cure_with_list(validation, PS_SECTION_CHANNELS),
                       "the agent has no list of channels");
    } else if (!channels) {
        follows = ps_problems_decide(validation->problems, list);
        ps_problem_add(validation->problems, PS_SEVERITY_ERROR, place,
                       follows ? NULL : ps_arena_format(validation->arena, "name one in %s", list),
                       "the agent has no valid channel");
    } else {
        follows = ps_problems_decide(validation->problems, NULL);
        ps_problem_add(validation->problems, PS_SEVERITY_ERROR, place,
                       follows ? NULL
                               : ps_arena_format(validation->arena, "name some in %s.sources and %s.sinks",
                                                 text->name, text->name),
                       "the agent has neither a source nor a sink left");
    }
    if (follows)
        ps_problem_follows(validation->problems);
}

/* Removes channels without any connection, as Flume does. Keeps a channel that has only sources or only sinks,
 * with a warning. */
static void validate_connections(struct ps_validation *validation)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    size_t kept = 0;
    for (size_t i = 0; i < agent->channel_count; i++) {
        struct ps_conf_channel *channel = &agent->channels[i];
        struct ps_place place = {
            channel->part.file, channel->part.line,
            ps_arena_format(validation->arena, "%s.channels.%s", agent->name, channel->part.name)};
        /* If a component that named this channel was dropped, that was already reported, and the warnings below matter
         * only to an agent that starts. */
        unsigned sources = count_users(validation, PS_SECTION_SOURCES, channel->part.name);
        unsigned sinks = count_users(validation, PS_SECTION_SINKS, channel->part.name);
        bool starts = validation->problems->errors == 0;
        if (channel->source_count == 0 && channel->sink_count == 0) {
            if (sources + sinks == 0) {
                ps_problem_add(validation->problems, PS_SEVERITY_DROPPED, place, NULL,
                               "no source and no sink is connected to channel %s", channel->part.name);
                ps_problem_mistake(validation->problems, PS_MISTAKE_NONE);
            }
            continue;
        }
        bool shared = channel->part.ops->shared; /* other programs put events into it, or take them from it */
        if (channel->sink_count == 0 && !(shared && sinks == 0)) {
            if (!ps_validate_reader(validation, channel) || (!starts && sinks > 0)) {
                agent->channels[kept++] = *channel;
                continue;
            }
            ps_problem_add(validation->problems, PS_SEVERITY_WARNING, place,
                           sinks > 0 ? NULL : "connect a sink to it",
                           "no sink takes from channel %s: when it is full its sources wait forever",
                           channel->part.name);
            if (sinks > 0)
                ps_problem_follows(validation->problems);
        } else if (channel->source_count == 0 && (starts || sources == 0) && !(shared && sources == 0)) {
            ps_problem_add(validation->problems, PS_SEVERITY_WARNING, place, NULL,
                           "no source puts into channel %s", channel->part.name);
            if (sources > 0)
                ps_problem_follows(validation->problems);
        }
        agent->channels[kept++] = *channel;
    }
    agent->channel_count = kept;
}

static void bind_engine(struct ps_validation *validation)
{
    struct ps_conf_agent *agent = &validation->conf->agent;
    const struct ps_agent_text *text = validation->text;
    struct ps_pair *items = ps_arena_alloc(validation->arena, (text->penstock_count + 1) * sizeof *items);
    if (text->penstock_count > 0)
        memcpy(items, text->penstock, text->penstock_count * sizeof *items);
    agent->penstock = (struct ps_pairs){text->penstock_count, items};
    struct ps_bind bind = {.arena = validation->arena,
                           .problems = validation->problems,
                           .prefix = ps_arena_format(validation->arena, "%s.penstock.", text->name),
                           .refuse = true};
    ps_bind_options(&bind, ps_agent_option_rows, NULL, &agent->penstock, &agent->options);
    validation->maker.allow_unsupported = agent->options.allow_unsupported;
}

/* Returns whether the file lists components of this section, even if all were dropped. */
static bool lists_any(const struct ps_agent_text *text, enum ps_section section)
{
    const struct ps_pair *list = text->sections[section].list;
    if (list == NULL)
        return text->sections[section].count > 0; /* the list is lost: a1.source = r1 */
    return list->value[strspn(list->value, " \t")] != '\0';
}

void ps_validate(struct ps_conf *conf, const struct ps_agent_text *text)
{
    struct ps_validation validation = {
        .maker = {.conf = conf, .stages = conf->stages, .arena = conf->plan_arena},
        .conf = conf,
        .text = text,
        .arena = conf->plan_arena,
        .problems = &conf->problems,
    };
    conf->agent.name = text->name;
    bind_engine(&validation);
    bool in_java = ps_validate_flow(&validation);
    validate_channels(&validation);
    ps_validate_sources(&validation);
    ps_validate_sinks(&validation);
    ps_validate_groups(&validation);
    ps_validate_letters(&validation);
    bool channels = conf->agent.channel_count > 0;
    validate_connections(&validation);
    ps_validate_dropped(&validation);
    if (in_java)
        return;
    if (conf->agent.channel_count == 0 || (conf->agent.source_count == 0 && conf->agent.sink_count == 0))
        report_nothing(&validation, channels);
    if (conf->agent.source_count == 0 && lists_any(text, PS_SECTION_SOURCES))
        conf->lacks = "sources";
    else if (conf->agent.sink_count == 0 && lists_any(text, PS_SECTION_SINKS))
        conf->lacks = "sinks";
}
