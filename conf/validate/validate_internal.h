/* Shared by the parts of validation: conf/validate/validate.c (order of steps, channels), validate/source.c (sources,
 * sinks), validate/group.c. Thread: the control thread. */
#pragma once

#include "conf/agent.h"
#include "conf/parts.h"
#include "conf/validate/component.h"
#include "conf/text.h"
#include "conf/validate/validate.h"

#define PS_COMMENT_CURE "put the comment on a line of its own: a # after a value is part of it"

struct ps_validation {
    struct ps_component_maker maker;
    struct ps_conf *conf;
    const struct ps_agent_text *text;
    struct ps_arena *arena;
    struct ps_problems *problems;
    /* the components that run in Java as a whole (conf/validate/flow.h); NULL: none */
    const struct ps_pairs *flow;
};

/* Returns the components of a section that are listed and have keys, in the order of the list. Reports
 * problems of the list: commas, names without keys, keys that are not listed. The array lives in the
 * arena. */
struct ps_listed {
    size_t count;
    const struct ps_entry **entries;
};
struct ps_listed ps_validation_listed(struct ps_validation *validation, enum ps_section section);
/* Returns the components of a section without a list: they are left out, and checked all the same, because the list was
 * forgotten. Called after ps_validation_listed. */
struct ps_listed ps_validation_unlisted(struct ps_validation *validation, enum ps_section section);

/* Returns "a1.sources.r1.". */
const char *ps_validation_prefix(struct ps_validation *validation, enum ps_section section, const char *name);

/* Fills in name, label, pairs, place and stage of a component. If it has no type, or one that nobody has, it is
 * refused (part->refused), and its other keys are checked all the same. */
void ps_validation_part(struct ps_validation *validation, enum ps_kind kind, const struct ps_entry *entry,
                        const char *prefix, struct ps_conf_part *part);

/* Returns "add the line a1.sinks.k1.type = avro", with the type that the other keys tell, else the command that lists the types. */
const char *ps_validation_type_cure(struct ps_validation *validation, enum ps_kind kind, const char *prefix,
                                    const struct ps_pairs *pairs);

/* Returns the place of a key of an entry; if the entry does not have this key, the place of its first key. */
struct ps_place ps_validation_place(struct ps_validation *validation, const struct ps_entry *entry,
                                    const char *prefix, const char *key);

/* Returns whether the batch size fits. Flume's rule: a batch size above the channel's transactionCapacity drops the
 * source or sink. */
bool ps_validation_batch_fits(struct ps_validation *validation, const struct ps_conf_part *part,
                              const char *prefix, const struct ps_conf_channel *channel);

/* Adds a key with the transactionCapacity of each of its channels to a source or sink that is a Java class. The host
 * compares them with the batch size, which only the class knows. All these channels must exist. Called before the
 * part is bound. */
void ps_validation_tell_capacities(struct ps_validation *validation, struct ps_conf_part *part,
                                   const char *const *channels, size_t count);

/* Reports a value of penstock.deadletter that is neither a path nor a channel. Returns whether it is valid. */
bool ps_validation_letters(struct ps_validation *validation, const struct ps_conf_part *part,
                           const char *prefix, const char *deadletter);

void ps_validate_sources(struct ps_validation *validation);
void ps_validate_sinks(struct ps_validation *validation);
void ps_validate_groups(struct ps_validation *validation);
/* Called after all components. Counts the components whose dead letters go into a channel, and refuses loops. */
void ps_validate_letters(struct ps_validation *validation);
