/* What the parts of validation share: conf/validate.c (the order of things, channels, sinks),
 * validate_source.c, validate_group.c. Thread: the control thread. */
#pragma once

#include "conf/agent.h"
#include "conf/part.h"
#include "conf/text.h"
#include "conf/validate.h"

struct ps_validation {
    struct ps_part_maker maker;
    struct ps_conf *conf;
    const struct ps_agent_text *text;
    struct ps_arena *arena;
    struct ps_problems *problems;
};

/* The components of a section that are listed and have keys, in the order of the list. Says what is wrong
 * with the list: commas, names without keys, keys without being listed. The array lives in the arena. */
struct ps_listed {
    size_t count;
    const struct ps_entry **entries;
};
struct ps_listed ps_validation_listed(struct ps_validation *validation, enum ps_section section);

/* "a1.sources.r1." */
const char *ps_validation_prefix(struct ps_validation *validation, enum ps_section section, const char *name);

/* Name, label, pairs, place and stage of a component; false when it was dropped. `type` NULL: no type is
 * written. */
bool ps_validation_part(struct ps_validation *validation, enum ps_kind kind, const struct ps_entry *entry,
                        const char *prefix, struct ps_conf_part *part);

struct ps_conf_channel *ps_validation_channel(struct ps_validation *validation, const char *name);

/* Where a key of an entry stands; the entry's first key when it has none such. */
struct ps_place ps_validation_place(struct ps_validation *validation, const struct ps_entry *entry,
                                    const char *prefix, const char *key);

/* Flume's rule: a batch size above the channel's transactionCapacity drops the source or sink. */
bool ps_validation_batch_fits(struct ps_validation *validation, const struct ps_conf_part *part,
                              const char *prefix, const struct ps_conf_channel *channel);

void ps_validate_sources(struct ps_validation *validation);
void ps_validate_sinks(struct ps_validation *validation);
void ps_validate_groups(struct ps_validation *validation);
