/* Maps the value of a `type` key to a stage: one of penstock's, one that only Flume has, or none. Thread: any (const
 * tables). */
#pragma once

#include "core/stage.h"

/* Returns Flume's name of this type, such as "taildir", if it is one of Flume's (1.4 to 2.0), else NULL.
 * `kind` may also be PS_KIND_COUNT for a sink processor. */
const char *ps_type_flume_name(enum ps_kind kind, const char *type);

/* Returns the Java class number `index` of Flume's type, in the order of its versions; NULL: the type has no further
 * class, or is not Flume's. */
const char *ps_type_class(enum ps_kind kind, const char *type, size_t index);

/* Returns whether Flume 2.0 no longer has the type of Flume 1.x. */
bool ps_type_is_gone(enum ps_kind kind, const char *type);

/* The reason why penstock will not have a type of Flume's, and what replaces the type. */
struct ps_type_advice {
    const char *why, *instead;
};

/* Returns the advice for a type, even for a class of the same name in another package, such as
 * com.cloudera.flume.source.TwitterSource. NULL: there is none. */
const struct ps_type_advice *ps_type_advice(enum ps_kind kind, const char *type);

/* Returns the plug-in of `penstock plugin fetch` that has the class of this type or class, or NULL. */
const char *ps_type_plugin(const char *type);

/* Returns the word nearest to `type` among penstock's names and Flume's; NULL if none is near. A class of a foreign
 * package is near only to Flume's class of the same name. */
const char *ps_type_nearest(const struct ps_stage_ops *const *stages, enum ps_kind kind, const char *type);

/* Returns the name of the type whose keys these are: the only one of this kind that knows them all. A channel without keys is one in memory. NULL: they do not tell. */
const char *ps_type_of_keys(const struct ps_stage_ops *const *stages, enum ps_kind kind,
                            const struct ps_pairs *pairs);

const char *ps_kind_word(enum ps_kind kind); /* like ps_stage_kind_word, but also for a sink processor */

/* The name of the stages, one of each kind, that run a class in Java: the class is the value of `type`. */
#define PS_TYPE_JAVA "java"

#define PS_KIND_PROCESSOR PS_KIND_COUNT
