/* See agent.h. Implements the key grammar of org.apache.flume.conf.FlumeConfiguration (addRawProperty,
 * addProperty, parseConfigKey). */
#include "conf/agent.h"

#include "conf/text.h"
#include "core/text/nearest.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const section_words[] = {"sources", "channels", "sinks", "sinkgroups", "configfilters"};
static const char *const section_nouns[] = {"source", "channel", "sink", "sink group", "config filter"};

struct ps_texts ps_section_names(const struct ps_agent_text *agent, enum ps_section section,
                                 struct ps_arena *arena)
{
    const struct ps_pair *list = agent->sections[section].list;
    if (list == NULL)
        return (struct ps_texts){0};
    struct ps_texts names = section == PS_SECTION_SINKGROUPS ? ps_text_split_spaces(arena, list->value)
                                                             : ps_text_split_blanks(arena, list->value);
    return ps_texts_unique(arena, names);
}

const char *ps_section_word(enum ps_section section)
{
    return section_words[section];
}

const char *ps_section_noun(enum ps_section section)
{
    return section_nouns[section];
}

static void *grow(void *items, size_t *room, size_t size)
{
    *room = *room == 0 ? 8 : *room * 2;
    items = ps_must_realloc(items, *room * size, "the configuration");
    return items;
}

struct ps_entry *ps_section_find(const struct ps_section_entries *section, const char *name)
{
    for (size_t i = 0; i < section->count; i++)
        if (strcmp(section->entries[i].name, name) == 0)
            return &section->entries[i];
    return NULL;
}

struct ps_agent_text *ps_grouping_find(const struct ps_grouping *grouping, const char *name)
{
    for (size_t i = 0; i < grouping->count; i++)
        if (strcmp(grouping->agents[i].name, name) == 0)
            return &grouping->agents[i];
    return NULL;
}

/* ---- one key ---- */

static void entry_put(struct ps_entry *entry, struct ps_pair pair)
{
    if (entry->count == entry->room)
        entry->items = grow(entry->items, &entry->room, sizeof *entry->items);
    entry->items[entry->count++] = pair;
}

/* Adds a component's key; `rest` is the part after "sources.": name, dot, key. The name has at least one
 * character, which may be a dot: Flume searches the dot from the second character on. Returns false if this is not a
 * component's key. */
static bool entry_add(struct ps_grouping *grouping, struct ps_section_entries *section, const char *rest,
                      struct ps_pair pair)
{
    if (*rest == '\0')
        return false;
    const char *dot = strchr(rest + 1, '.');
    if (dot == NULL || dot[1] == '\0')
        return false;
    const char *name =
        ps_text_trim(grouping->arena, ps_arena_copy(grouping->arena, rest, (size_t)(dot - rest)));
    struct ps_entry *entry = ps_section_find(section, name);
    if (entry == NULL) {
        if (section->count == PS_ENTRY_MAX)
            return false;
        if (section->count == section->room)
            section->entries = grow(section->entries, &section->room, sizeof *section->entries);
        entry = &section->entries[section->count++];
        *entry = (struct ps_entry){.name = name};
    }
    pair.key = dot + 1;
    entry_put(entry, pair);
    return true;
}

static void report_unknown(struct ps_grouping *grouping, const struct ps_agent_text *agent, const char *key,
                           struct ps_place place)
{
    struct ps_arena *arena = grouping->arena;
    size_t length = strcspn(key, ".");
    const char *head = ps_arena_copy(arena, key, length);
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, head);
    for (int i = 0; i < PS_SECTION_COUNT; i++)
        ps_nearest_offer(&nearest, section_words[i]);
    const char *cure = NULL;
    if (nearest.word != NULL && nearest.distance > 0)
        cure = ps_arena_format(arena, "did you mean %s.%s%s?", agent->name, nearest.word, key + length);
    else if (nearest.word != NULL && strcmp(nearest.word, head) != 0)
        cure = ps_arena_format(arena, "keys are case-sensitive: write %s.%s%s", agent->name, nearest.word,
                               key + length);
    else if (nearest.word != NULL)
        cure = ps_arena_format(arena, "write %s.%s.NAME.KEY = VALUE", agent->name, head);
    else if (strcmp(agent->name, "flume") == 0 && strcmp(key, "conf") == 0)
        cure = "remove the line: this looks like the head of a Kubernetes ConfigMap";
    else
        cure = "remove the line: after the agent's name comes sources, channels, sinks, sinkgroups, "
               "configfilters or penstock";
    ps_problem_add(grouping->problems, PS_SEVERITY_WARNING, place, cure,
                   "is not a key of an agent and is ignored");
}

/* Returns NULL if the agent is not the wanted one and there are too many. */
static struct ps_agent_text *agent_of(struct ps_grouping *grouping, const char *name, const char *wanted,
                                      const struct ps_property *property)
{
    struct ps_agent_text *agent = ps_grouping_find(grouping, name);
    if (agent != NULL || (grouping->count >= PS_AGENT_MAX && strcmp(name, wanted) != 0))
        return agent;
    if (grouping->count == grouping->room)
        grouping->agents = grow(grouping->agents, &grouping->room, sizeof *grouping->agents);
    agent = &grouping->agents[grouping->count++];
    *agent = (struct ps_agent_text){.name = name, .file = property->file, .line = property->line};
    return agent;
}

/* Adds a key; `key` is the part after the agent's name. Returns false when Flume would call the key an invalid
 * property. */
static bool agent_add(struct ps_grouping *grouping, struct ps_agent_text *agent, const char *key,
                      struct ps_pair pair)
{
    for (int i = 0; i < PS_SECTION_COUNT; i++) {
        struct ps_section_entries *section = &agent->sections[i];
        if (strcmp(key, section_words[i]) == 0) {
            struct ps_pair *list = ps_arena_alloc(grouping->arena, sizeof *list);
            *list = pair;
            section->list = list;
            return true;
        }
        size_t length = strlen(section_words[i]);
        if (strncmp(key, section_words[i], length) == 0 && key[length] == '.')
            return entry_add(grouping, section, key + length + 1, pair);
    }
    if (!ps_text_begins(key, "penstock.") || key[strlen("penstock.")] == '\0')
        return false;
    if (agent->penstock_count == agent->penstock_room)
        agent->penstock = grow(agent->penstock, &agent->penstock_room, sizeof *agent->penstock);
    pair.key = key + strlen("penstock.");
    agent->penstock[agent->penstock_count++] = pair;
    return true;
}

/* Reports a key without an agent's name. Such keys can still be used by ${...}. */
static void report_agentless(struct ps_grouping *grouping, const char *key, struct ps_place place)
{
    const char *cure =
        "remove the line, or begin it with the agent's name and a dot: only ${...} can use it as it is";
    if (ps_text_begins(key, "//"))
        cure = "write # instead of //, which does not begin a comment here";
    else if (ps_text_begins(key, ";"))
        cure = "write # instead of ;, which does not begin a comment here";
    else if (ps_text_begins(key, "-") || strcmp(key, "data") == 0 || strcmp(key, "metadata") == 0 ||
             strcmp(key, "kind") == 0 || strcmp(key, "apiVersion") == 0)
        cure = "remove the line: this looks like YAML, and a Flume file has only KEY = VALUE lines";
    ps_problem_add(grouping->problems, PS_SEVERITY_WARNING, place, cure,
                   "is not part of a configuration and is ignored");
}

static bool begins_with_agent(const char *key, const char *agent)
{
    size_t length = strlen(agent);
    return strncmp(key, agent, length) == 0 && key[length] == '.';
}

static void report_empty(struct ps_grouping *grouping, const char *key, const char *wanted,
                         struct ps_place place)
{
    if (strchr(key, '.') != NULL && !begins_with_agent(key, wanted))
        return;
    if (ps_text_begins(key, "//")) {
        report_agentless(grouping, key, place);
        return;
    }
    ps_problem_add(grouping->problems, PS_SEVERITY_WARNING, place, "write a value, or remove the line",
                   "has no value: Flume ignores the line");
}

static void property_add(struct ps_grouping *grouping, const struct ps_property *property, const char *wanted)
{
    struct ps_arena *arena = grouping->arena;
    const char *key = ps_text_trim(arena, property->key);
    const char *value = ps_text_trim(arena, property->value);
    struct ps_place place = {property->file, property->line, key};
    if (*value == '\0') {
        report_empty(grouping, key, wanted, place);
        return;
    }
    const char *dot = strchr(key, '.');
    if (dot == NULL || dot == key || dot[1] == '\0' || ps_text_begins(key, "//")) {
        if (!property->used)
            report_agentless(grouping, key, place);
        return;
    }
    struct ps_agent_text *agent =
        agent_of(grouping, ps_arena_copy(arena, key, (size_t)(dot - key)), wanted, property);
    if (agent == NULL)
        return;
    struct ps_pair pair = {.key = dot + 1, .value = value, .file = property->file, .line = property->line};
    agent->key_count++;
    bool kubernetes = strcmp(agent->name, "flume") == 0 && strcmp(dot + 1, "conf") == 0 && value[0] == '|';
    if (!agent_add(grouping, agent, dot + 1, pair) && (kubernetes || strcmp(agent->name, wanted) == 0))
        report_unknown(grouping, agent, dot + 1, place);
}

void ps_grouping_init(struct ps_grouping *grouping, const struct ps_properties *properties,
                      const char *wanted, struct ps_arena *arena, struct ps_problems *problems)
{
    *grouping = (struct ps_grouping){.arena = arena, .problems = problems};
    for (size_t i = 0; i < properties->count; i++)
        property_add(grouping, &properties->items[i], wanted);
}

void ps_grouping_fini(struct ps_grouping *grouping)
{
    for (size_t i = 0; i < grouping->count; i++) {
        struct ps_agent_text *agent = &grouping->agents[i];
        for (int section = 0; section < PS_SECTION_COUNT; section++) {
            for (size_t j = 0; j < agent->sections[section].count; j++)
                free(agent->sections[section].entries[j].items);
            free(agent->sections[section].entries);
        }
        free(agent->penstock);
    }
    free(grouping->agents);
    memset(grouping, 0, sizeof *grouping);
}
