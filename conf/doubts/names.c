/* See names.h. */
#include "conf/doubts/names.h"

#include "conf/text.h"

#include <string.h>

/* ---- names with a dot ---- */

/* Returns the text with _ for each dot. */
static const char *without_dots(struct ps_arena *arena, const char *name)
{
    char *copy = ps_arena_copy(arena, name, strlen(name));
    for (char *dot = copy; (dot = strchr(dot, '.')) != NULL;)
        *dot = '_';
    return copy;
}

static bool is_section(const char *word, size_t length)
{
    for (int i = 0; i < PS_SECTION_COUNT; i++) {
        const char *section = ps_section_word((enum ps_section)i);
        if (strlen(section) == length && strncmp(section, word, length) == 0)
            return true;
    }
    return length == strlen("penstock") && strncmp(word, "penstock", length) == 0;
}

/* Returns "my.agent" for "my.agent.channels", the list of an agent whose name has a dot; else NULL. */
static const char *dotted_agent(struct ps_arena *arena, const char *key)
{
    const char *last = strrchr(key, '.'), *part = strchr(key, '.');
    if (last == NULL || last == part || !is_section(last + 1, strlen(last + 1)))
        return NULL;
    for (; part != NULL && part < last; part = strchr(part + 1, '.'))
        if (is_section(part + 1, strcspn(part + 1, ".")))
            return NULL;
    return ps_arena_copy(arena, key, (size_t)(last - key));
}

const char *ps_doubt_agent_name(struct ps_arena *arena, const struct ps_properties *properties,
                                const char *wanted)
{
    for (size_t i = 0; i < properties->count; i++) {
        const char *name = dotted_agent(arena, ps_text_trim(arena, properties->items[i].key));
        if (name == NULL || (*wanted != '\0' && strcmp(name, wanted) != 0))
            continue;
        const char *better = without_dots(arena, name);
        return ps_arena_format(
            arena,
            "the name of an agent has no dot (in %s.channels the name is %.*s): write %s in "
            "each line, and -n %s",
            name, (int)strcspn(name, "."), name, better, better);
    }
    return NULL;
}

/* Returns the first key of the component that Flume takes a dotted name's keys for ("web.log": the key log.type of web);
 * NULL: there is none. */
static const struct ps_pair *first_of_dotted(const struct ps_agent_text *agent, enum ps_section section,
                                             const char *name)
{
    const char *dot = *name != '\0' ? strchr(name + 1, '.') : NULL;
    const struct ps_section_entries *entries = &agent->sections[section];
    for (size_t i = 0; dot != NULL && i < entries->count; i++) {
        const struct ps_entry *entry = &entries->entries[i];
        if (strlen(entry->name) != (size_t)(dot - name) ||
            strncmp(entry->name, name, (size_t)(dot - name)) != 0)
            continue;
        for (size_t k = 0; k < entry->count; k++)
            if (ps_text_begins(entry->items[k].key, dot + 1) && entry->items[k].key[strlen(dot + 1)] == '.')
                return &entry->items[k];
    }
    return NULL;
}

static const char *advise_dotted(struct ps_arena *arena, const struct ps_agent_text *agent,
                                 enum ps_section section, const char *name)
{
    const struct ps_pair *first = first_of_dotted(agent, section, name);
    const char *word = ps_section_word(section);
    if (first == NULL)
        return NULL;
    return ps_arena_format(
        arena,
        "a name has no dot: %s.%s.%s (line %d) is read as a key of %.*s; write %s instead of %s "
        "in each line",
        agent->name, word, ps_arena_format(arena, "%.*s.%s", (int)strcspn(name, "."), name, first->key),
        first->line, (int)strcspn(name, "."), name, without_dots(arena, name), name);
}

bool ps_doubt_is_dotted(struct ps_arena *arena, const struct ps_agent_text *agent, enum ps_section section,
                        const struct ps_entry *entry)
{
    struct ps_texts names = ps_section_names(agent, section, arena);
    for (size_t i = 0; i < names.count; i++) {
        size_t length = strlen(entry->name);
        const char *rest = names.items[i] + length;
        if (strncmp(names.items[i], entry->name, length) != 0 || *rest++ != '.')
            continue;
        size_t own = 0;
        for (size_t k = 0; k < entry->count; k++)
            own += !ps_text_begins(entry->items[k].key, rest);
        if (own == 0)
            return true;
    }
    return false;
}

/* ---- keys under the name of another agent ---- */

const char *ps_doubt_component_name(struct ps_arena *arena, const struct ps_agent_text *agent,
                                    enum ps_section section, const char *name)
{
    const char *dotted = advise_dotted(arena, agent, section, name), *word = ps_section_word(section);
    const struct ps_grouping *grouping = agent->grouping;
    for (size_t i = 0; dotted == NULL && grouping != NULL && i < grouping->count; i++) {
        const struct ps_agent_text *other = &grouping->agents[i];
        const struct ps_entry *entry = ps_section_find(&other->sections[section], name);
        struct ps_texts listed = ps_section_names(other, section, arena);
        if (other != agent && entry != NULL && !ps_texts_have(&listed, name))
            return ps_arena_format(arena,
                                   "line %d has a key of it under the name of another agent: write %s.%s.%s "
                                   "instead of %s.%s.%s",
                                   entry->items[0].line, agent->name, word, name, other->name, word, name);
    }
    return dotted;
}

const char *ps_doubt_list(struct ps_arena *arena, const struct ps_agent_text *agent, enum ps_section section)
{
    const struct ps_grouping *grouping = agent->grouping;
    const char *word = ps_section_word(section);
    for (size_t i = 0; grouping != NULL && i < grouping->count; i++) {
        const struct ps_agent_text *other = &grouping->agents[i];
        const struct ps_pair *list = other->sections[section].list;
        struct ps_texts names = ps_section_names(other, section, arena);
        size_t ours = 0;
        for (size_t k = 0; k < names.count; k++)
            ours += ps_section_find(&agent->sections[section], names.items[k]) != NULL &&
                    ps_section_find(&other->sections[section], names.items[k]) == NULL;
        if (other != agent && list != NULL && ours > 0)
            return ps_arena_format(
                arena,
                "line %d has the list under the name of another agent: write %s.%s instead of "
                "%s.%s",
                list->line, agent->name, word, other->name, word);
    }
    return NULL;
}
