/* See dropped.h. */
#include "conf/validate/dropped.h"

#include "conf/parts.h"
#include "conf/text.h"
#include "conf/validate/types.h"

#include <string.h>

/* Returns whether the agent has a component of this name. */
static bool is_kept(const struct ps_conf_agent *agent, enum ps_section section, const char *name)
{
    const struct ps_conf_part *part;
    for (size_t i = 0; (part = ps_conf_part_at(agent, i)) != NULL; i++)
        if (strcmp(ps_kind_word(part->ops->kind), ps_section_noun(section)) == 0 &&
            strcmp(part->name, name) == 0)
            return true;
    return false;
}

static bool is_below(const char *key, const char *section)
{
    size_t length = strlen(section);
    return strncmp(key, section, length) == 0 && (key[length] == '\0' || key[length] == '.');
}

/* Returns the first problem for which a component with this name in the section was dropped, or NULL. A component
 * without keys is named only by the problem of the list. */
static struct ps_problem *reason_of(const struct ps_validation *validation, enum ps_section section,
                                    const char *name)
{
    const char *list =
        ps_arena_format(validation->arena, "%s.%s", validation->text->name, ps_section_word(section));
    const char *own = ps_arena_format(validation->arena, "%s.%s", list, name);
    const char *listed =
        ps_arena_format(validation->arena, "%s \"%s\" is listed,", ps_section_noun(section), name);
    for (size_t i = 0; i < validation->problems->count; i++) {
        struct ps_problem *problem = &validation->problems->items[i];
        if (problem->severity > PS_SEVERITY_DROPPED || problem->key == NULL)
            continue;
        if (is_below(problem->key, own) ||
            (strcmp(problem->key, list) == 0 && ps_text_begins(problem->what, listed)))
            return problem;
    }
    return NULL;
}

/* Returns the problem for which a group was dropped together with this sink, or NULL. */
static struct ps_problem *reason_of_group(struct ps_validation *validation, const char *sink)
{
    const struct ps_section_entries *groups = &validation->text->sections[PS_SECTION_SINKGROUPS];
    struct ps_problem *problem = NULL;
    for (size_t i = 0; problem == NULL && i < groups->count; i++) {
        struct ps_pairs pairs = ps_entry_pairs(&groups->entries[i]);
        const char *value = ps_pairs_value(&pairs, "sinks", "");
        struct ps_texts names = ps_text_split_blanks(validation->arena, value);
        if (groups->entries[i].listed && ps_texts_have(&names, sink))
            problem = reason_of(validation, PS_SECTION_SINKGROUPS, groups->entries[i].name);
    }
    return problem;
}

static void note(struct ps_validation *validation, enum ps_section section, const char *name)
{
    struct ps_conf *conf = validation->conf;
    const struct ps_problem *problem = reason_of(validation, section, name);
    if (section == PS_SECTION_CHANNELS && (problem == NULL || problem->mistake == PS_MISTAKE_NONE))
        return; /* no component uses this channel */
    if (section == PS_SECTION_SINKS && problem == NULL)
        problem = reason_of_group(validation, name);
    conf->dropped =
        ps_arena_format(validation->arena, "%s%s %s is left out: %s\n",
                        conf->dropped != NULL ? conf->dropped : "", ps_section_noun(section), name,
                        problem != NULL ? ps_problem_text(validation->arena, problem)
                                        : "the log of the start has the reason, `penstock check` too");
}

/* Returns whether the file connects a listed component of this section with the channel, and the agent runs no such
 * component. */
static bool lost_all(const struct ps_validation *validation, enum ps_section section, const char *channel)
{
    const struct ps_section_entries *entries = &validation->text->sections[section];
    bool any = false;
    for (size_t i = 0; i < entries->count; i++) {
        const struct ps_entry *entry = &entries->entries[i];
        struct ps_pairs pairs = ps_entry_pairs(entry);
        const char *value = ps_pairs_get(&pairs, section == PS_SECTION_SOURCES ? "channels" : "channel");
        if (!entry->listed || entry->in_java || value == NULL)
            continue;
        struct ps_texts names = ps_text_split_blanks(validation->arena, value);
        if (!ps_texts_have(&names, channel))
            continue;
        any = true;
        if (is_kept(&validation->conf->agent, section, entry->name))
            return false;
    }
    return any;
}

static void look_at_channel(struct ps_validation *validation, const char *name)
{
    bool sources = lost_all(validation, PS_SECTION_SOURCES, name);
    if (validation->conf->cut == NULL && (sources || lost_all(validation, PS_SECTION_SINKS, name)))
        validation->conf->cut = ps_arena_format(validation->arena, "channel %s would have none of its %s",
                                                name, sources ? "sources" : "sinks");
}

/* ---- channels without a reader ---- */

/* Returns whether this sink of the file was to take from the channel, or from a channel that the file does not have: a
 * sink whose channel is mistyped, or that has no keys, may be the reader that is missing. */
static bool may_read(const struct ps_validation *validation, const struct ps_entry *sink, const char *channel)
{
    if (sink == NULL)
        return true;
    struct ps_pairs pairs = ps_entry_pairs(sink);
    const char *value = ps_pairs_get(&pairs, "channel");
    const struct ps_entry *named =
        value != NULL ? ps_section_find(&validation->text->sections[PS_SECTION_CHANNELS], value) : NULL;
    return named == NULL || !named->listed || strcmp(value, channel) == 0;
}

/* Returns the problem for which the agent runs without a reader of the channel. NULL: there is no such reader, the file
 * allows to run without it (penstock.allow.unsupported), or an error refuses the file anyway. */
static struct ps_problem *lost_reader(struct ps_validation *validation, const char *sink, const char *channel)
{
    const struct ps_entry *entry = ps_section_find(&validation->text->sections[PS_SECTION_SINKS], sink);
    if ((entry != NULL && entry->in_java) || is_kept(&validation->conf->agent, PS_SECTION_SINKS, sink) ||
        !may_read(validation, entry, channel))
        return NULL;
    struct ps_problem *problem = reason_of(validation, PS_SECTION_SINKS, sink);
    if (problem == NULL)
        problem = reason_of_group(validation, sink);
    return problem != NULL && problem->severity == PS_SEVERITY_DROPPED && problem->mistake != PS_MISTAKE_NONE
               ? problem
               : NULL;
}

/* Returns whether sinks with this channel are configured in a file without any list of sinks, and marks their problems. */
static bool lost_list(struct ps_validation *validation, const char *channel)
{
    const struct ps_section_entries *sinks = &validation->text->sections[PS_SECTION_SINKS];
    bool any = false;
    for (size_t i = 0; sinks->list == NULL && i < sinks->count; i++) {
        if (may_read(validation, &sinks->entries[i], channel))
            any |= ps_problems_decide(validation->problems,
                                      ps_arena_format(validation->arena, "%s.sinks.%s",
                                                      validation->text->name, sinks->entries[i].name));
    }
    return any;
}

bool ps_validate_reader(struct ps_validation *validation, const struct ps_conf_channel *channel)
{
    const char *name = channel->part.name;
    struct ps_texts sinks = ps_section_names(validation->text, PS_SECTION_SINKS, validation->arena);
    bool any = lost_list(validation, name);
    for (size_t i = 0; i < sinks.count; i++) {
        struct ps_problem *problem = lost_reader(validation, sinks.items[i], name);
        if (problem != NULL)
            problem->decides = any = true;
    }
    if (!any)
        return true;
    ps_problem_add(
        validation->problems, PS_SEVERITY_ERROR,
        (struct ps_place){channel->part.file, channel->part.line,
                          ps_arena_format(validation->arena, "%s.channels.%s", validation->text->name, name)},
        NULL, "no sink is left that takes from channel %s: its sources would fill it", name);
    ps_problem_follows(validation->problems);
    return false;
}

void ps_validate_dropped(struct ps_validation *validation)
{
    static const enum ps_section sections[] = {PS_SECTION_SOURCES, PS_SECTION_CHANNELS, PS_SECTION_SINKS};
    for (size_t i = 0; i < PS_COUNT_OF(sections); i++) {
        struct ps_texts names = ps_section_names(validation->text, sections[i], validation->arena);
        for (size_t k = 0; k < names.count; k++) {
            const struct ps_entry *entry =
                ps_section_find(&validation->text->sections[sections[i]], names.items[k]);
            if (entry != NULL && entry->in_java)
                continue;
            if (!is_kept(&validation->conf->agent, sections[i], names.items[k]))
                note(validation, sections[i], names.items[k]);
            if (sections[i] == PS_SECTION_CHANNELS)
                look_at_channel(validation, names.items[k]);
        }
    }
}
