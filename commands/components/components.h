/* Shared by the output formats of `penstock components` and by shell completion. Thread: main. */
#pragma once

#include "core/stage.h"

/* A chapter of the printed list: one kind of stage. */
struct ps_components_chapter {
    enum ps_kind kind;
    const char *title; /* "Sources" */
    const struct ps_option *const
        *common; /* the sets of rows that all stages of the kind have, ended by NULL; or NULL */
};
#define PS_COMPONENTS_CHAPTERS 7U
/* In the order in which `penstock components` prints them. */
extern const struct ps_components_chapter ps_components_chapters[PS_COMPONENTS_CHAPTERS];

/* Returns whether `word` is the name, alias, class name or kind of this stage. NULL matches every stage. */
bool ps_components_match(const struct ps_stage_ops *ops, const char *word);

/* Prints the stages that match `word` as one JSON object (docs/components.schema.json); with NULL, all stages and also
 * the keys of the agent and of sink groups. Returns the number of stages. */
size_t ps_components_json(const char *word);
