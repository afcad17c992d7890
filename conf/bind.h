/* Converts keys to typed values in a plan struct, following option rows, and reports keys without a row.
 *
 * The conversions follow Flume's Context: numbers are trimmed and must parse (a bad one fails the component);
 * booleans are true for "true" in any case, else false. A key without a row causes a warning with the nearest
 * row's name. Thread: the control thread. */
#pragma once

#include "conf/problem.h"
#include "core/option.h"

struct ps_bind {
    struct ps_arena *arena;
    struct ps_problems *problems;
    const char *prefix;     /* prefix of keys in messages: "a1.sources.r1." */
    bool allow_unsupported; /* penstock.allow.unsupported: unsupported keys are ignored with a warning */
    const char *file;       /* place of the component, for messages about missing keys */
    int line;
    /* a bad value is an error, instead of only dropping the component: for keys that Flume does not have */
    bool refuse;
    bool quiet_unknown; /* unknown keys are not reported: a sub-stage also gets its parent's keys */
    /* set to true when a field of the plan has no usable value because a required key or a file is missing; may be
     * NULL */
    bool *incomplete;
    bool *
        unsound; /* set if a value that is required and missing has another one in its place; NULL: nobody asks */
};

/* Writes every row's value, or its default, to `plan`. `common` lists further sets of rows, ending with NULL: their
 * keys count as known, because other code binds them. It may be NULL. Returns PS_FAIL when the component must be
 * dropped for a bad value or a missing key, which was reported. A field with a bad value gets the row's default;
 * without a default it gets the least value if the key is required, and otherwise the value for an absent key. */
enum ps_status ps_bind_options(const struct ps_bind *bind, const struct ps_option *options,
                               const struct ps_option *const *common, const struct ps_pairs *pairs,
                               void *plan);

/* Returns the row for a key, found by the row's name, an alias, or the prefix of a map. NULL: there is none. */
const struct ps_option *ps_option_find(const struct ps_option *options, const char *key);

/* Returns the row with exactly that name or alias, ignoring maps. */
const struct ps_option *ps_option_named(const struct ps_option *options, const char *key);

/* Returns the pairs whose key begins with `prefix`, without the prefix. */
struct ps_pairs ps_pairs_below(struct ps_arena *arena, const struct ps_pairs *pairs, const char *prefix);

const struct ps_pair *ps_pairs_find(const struct ps_pairs *pairs, const char *key);

/* Parses like Java's Long.parseLong on a trimmed text. */
bool ps_parse_int(const char *text, int64_t *value);
/* Parses a number of bytes, with an optional k, m, g, KiB, MiB or GiB (powers of 1024). */
bool ps_parse_size(const char *text, int64_t *value);
