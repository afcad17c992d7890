/* The changes of a reload: component by component, by name and fingerprint. Thread: the control thread. */
#pragma once

#include "core/engine/plan.h"

enum ps_change { PS_CHANGE_NONE, PS_CHANGE_CHANGED, PS_CHANGE_ADDED, PS_CHANGE_REMOVED };

struct ps_diff_row {
    enum ps_kind kind; /* source, channel or sink; a source includes its selector and interceptors */
    const char *name;
    enum ps_change change;
    /* CHANGED: the changed keys, for people: "port, interceptors.i1.regex"; "": none of its own keys changed */
    const char *keys;
};

struct ps_diff {
    size_t count;
    struct ps_diff_row *rows; /* in the arena: the new agent's components in order, then the removed ones */
    bool options_changed;     /* <agent>.penstock.* */
    const char *option_keys;  /* the changed ones, for people: "penstock.workers, penstock.idle" */
    bool any;
};

/* Compares `old` (NULL: everything is added) with `fresh`. Names point into the specs. */
void ps_diff_specs(struct ps_diff *diff, struct ps_arena *arena, const struct ps_agent_spec *old,
                   const struct ps_agent_spec *fresh);

/* Returns one line: "source r1 changed (port), sink k2 added, agent changed (penstock.workers)" or "nothing
 * changed". It never contains values. */
const char *ps_diff_text(struct ps_arena *arena, const struct ps_diff *diff);
