/* Option rows -> typed values in a plan struct, and every key that no row knows.
 *
 * Getters follow Flume's Context: numbers are trimmed and must parse (a bad one fails the component),
 * booleans are "true" in any case else false. A key no row knows is a warning, with the nearest row's name.
 * Thread: the control thread. */
#pragma once

#include "conf/problem.h"
#include "core/option.h"

struct ps_bind {
    struct ps_arena *arena;
    struct ps_problems *problems;
    const char *prefix;     /* of keys in messages: "a1.sources.r1." */
    bool allow_unsupported; /* penstock.allow.unsupported: unsupported keys are left out with a warning */
    const char *file;       /* where the component stands, for what is missing */
    int line;
    bool refuse;        /* a bad value is an error, not a dropped component: keys that Flume does not have */
    bool quiet_unknown; /* unknown keys are somebody else's: a sub-stage that is given its parent's keys */
};

/* Writes every row's value, or its default, to `plan`. `common` are further sets of rows whose keys count as
 * known (they are bound by somebody else), ending with NULL; NULL = none. PS_FAIL when the component has to
 * be dropped: bad value or missing key; the problems say why. */
enum ps_status ps_bind_options(const struct ps_bind *bind, const struct ps_option *options,
                               const struct ps_option *const *common, const struct ps_pairs *pairs,
                               void *plan);

/* The row for a key: its own name, an alias, or the prefix of a map; NULL = none. */
const struct ps_option *ps_option_find(const struct ps_option *options, const char *key);

/* The row named exactly so, its aliases included, maps not. */
const struct ps_option *ps_option_named(const struct ps_option *options, const char *key);

/* `pairs` whose key begins with `prefix`, which is stripped. */
struct ps_pairs ps_pairs_below(struct ps_arena *arena, const struct ps_pairs *pairs, const char *prefix);

const struct ps_pair *ps_pairs_find(const struct ps_pairs *pairs, const char *key);

/* Java's Long.parseLong of a trimmed text. */
bool ps_parse_int(const char *text, int64_t *value);
/* Bytes: a number, or one with k, m, g. */
bool ps_parse_size(const char *text, int64_t *value);
