/* Names that Flume reads in another way than they are meant: names with a dot, and keys under the name of another agent.
 * Thread: control. */
#pragma once

#include "conf/agent.h"

/* Returns the advice for a file whose agent's name has a dot ("my.agent.channels = c1": Flume takes `my` for the name),
 * or NULL. `wanted` is the name after -n, or empty: then any such name counts. */
const char *ps_doubt_agent_name(struct ps_arena *arena, const struct ps_properties *properties,
                                const char *wanted);

/* A component that is listed and has no keys. Returns the advice if its keys are there under another name, or NULL: its
 * name has a dot, so that they are those of another component, or they belong to another agent, which does not list it. */
const char *ps_doubt_component_name(struct ps_arena *arena, const struct ps_agent_text *agent,
                                    enum ps_section section, const char *name);

/* Returns whether the keys of a component that is not listed are those of a listed component whose name has a dot. */
bool ps_doubt_is_dotted(struct ps_arena *arena, const struct ps_agent_text *agent, enum ps_section section,
                        const struct ps_entry *entry);

/* An agent without a list of this section. Returns the advice if another agent has the list, with names whose keys this
 * agent has, or NULL. */
const char *ps_doubt_list(struct ps_arena *arena, const struct ps_agent_text *agent, enum ps_section section);
