/* Groups keys by agent and component, as org.apache.flume.conf.FlumeConfiguration does. Only the keys
 * themselves are checked here; conf/validate/validate.c drops what Flume drops.
 *
 * Thread: the control thread. */
#pragma once

#include "conf/problem.h"
#include "conf/properties/properties.h"
#include "core/option.h"

enum ps_section {
    PS_SECTION_SOURCES,
    PS_SECTION_CHANNELS,
    PS_SECTION_SINKS,
    PS_SECTION_SINKGROUPS,
    PS_SECTION_CONFIGFILTERS,
    PS_SECTION_COUNT
};

/* A component as written in the files: its keys, and whether it is listed. */
struct ps_entry {
    const char *name;
    struct ps_pair *items; /* malloc'ed while grouping; freed by ps_grouping_fini */
    size_t count, room;
    bool listed;
    /* the component runs in Java together with others (conf/validate/flow.h): the rest of validation skips it */
    bool in_java;
};

struct ps_section_entries {
    const struct ps_pair *list; /* the line `a1.sources = ...`, or NULL */
    struct ps_entry *entries;
    size_t count, room;
};

#define PS_ENTRY_MAX 4096 /* maximum number of components of one kind */
/* Maximum number of agents whose keys are kept: the first ones in the files. The wanted agent is kept also if it comes
 * after them. */
#define PS_AGENT_MAX 256

/* One agent as written. */
struct ps_agent_text {
    const char *name;
    struct ps_section_entries sections[PS_SECTION_COUNT];
    struct ps_pair *penstock; /* <agent>.penstock.*, without the prefix */
    size_t penstock_count, penstock_room;
    size_t key_count;
    const char *file;
    int line;                           /* line of its first key */
    const struct ps_grouping *grouping; /* all agents of the files; NULL: only this one is known */
};

struct ps_grouping {
    struct ps_arena *arena;
    struct ps_problems *problems;
    struct ps_agent_text *agents;
    size_t count, room;
};

/* Groups every property. Reports keys that belong to no agent, empty values and unknown kinds as Flume does,
 * with advice. Problems of agents other than `wanted` are not reported. */
void ps_grouping_init(struct ps_grouping *grouping, const struct ps_properties *properties,
                      const char *wanted, struct ps_arena *arena, struct ps_problems *problems);
void ps_grouping_fini(struct ps_grouping *grouping);

struct ps_agent_text *ps_grouping_find(const struct ps_grouping *grouping, const char *name);
struct ps_entry *ps_section_find(const struct ps_section_entries *section, const char *name);
/* Returns the names in the list of a section, each once; none if there is no list. They live in the arena. */
struct ps_texts ps_section_names(const struct ps_agent_text *agent, enum ps_section section,
                                 struct ps_arena *arena);
const char *ps_section_word(enum ps_section section); /* "sources" */
const char *ps_section_noun(enum ps_section section); /* "source" */

static inline struct ps_pairs ps_entry_pairs(const struct ps_entry *entry)
{
    return (struct ps_pairs){entry->count, entry->items};
}
