/* Option rows: the one description of a configuration key.
 *
 * From the rows come parsing, checking, `penstock check` messages with "did you mean", `penstock components`,
 * docs/OPTIONS.md and the man page. A stage declares a static array ending with PS_OPTION_END; binding
 * (conf/bind.c) writes typed values at `offset` of the stage's plan struct. There is no second list of keys
 * anywhere. */
#pragma once

#include "core/base.h"

/* The C type at `offset` is given in brackets. Getters follow Flume's Context: numbers are trimmed, booleans
 * are case-insensitive "true" else false (a word that is neither true nor false is reported as a warning). */
enum ps_option_type {
    PS_OPTION_TEXT, /* [const char *] NULL when absent without default */
    PS_OPTION_INT, /* [int64_t] decimal; min/max are enforced; "bad number" fails the component as in Flume */
    PS_OPTION_DOUBLE, /* [double] */
    PS_OPTION_BOOL,   /* [bool] */
    PS_OPTION_ENUM,   /* [int] index into `words`, matched without regard to case */
    PS_OPTION_LIST,   /* [struct ps_texts] separated by blanks (`\s+`) */
    PS_OPTION_COMMAS, /* [struct ps_texts] separated by commas, blanks around them dropped */
    PS_OPTION_MAP,  /* [struct ps_pairs] every key that begins with `key`, which ends in '.'; prefix stripped
                     */
    PS_OPTION_SIZE, /* [int64_t] bytes: plain number, or with k, m, g (powers of 1024); penstock.* keys only
                     */
};

struct ps_texts {
    size_t count;
    const char *const *items;
};

struct ps_pair {
    const char *key;
    const char *value;
    const char *file; /* where it stands; NULL when it comes from elsewhere */
    int line;
};

struct ps_pairs {
    size_t count;
    const struct ps_pair *items;
};

/* Value of `key` in a map, or NULL. */
const char *ps_pairs_get(const struct ps_pairs *pairs, const char *key);

enum ps_option_flags {
    PS_OPTION_REQUIRED = 1 << 0,    /* absent: the component is dropped, as Flume does */
    PS_OPTION_SECRET = 1 << 1,      /* never printed */
    PS_OPTION_NO_EFFECT = 1 << 2,   /* accepted for Flume's sake, changes nothing; `help` says why */
    PS_OPTION_DEPRECATED = 1 << 3,  /* accepted, with a warning naming what replaces it (in `help`) */
    PS_OPTION_EXTENSION = 1 << 4,   /* ours: Flume does not know the key and ignores it */
    PS_OPTION_UNSUPPORTED = 1 << 5, /* Flume knows it, we do not yet: `check` says so by name */
    PS_OPTION_LENIENT =
        1 << 6, /* a value that is none counts as absent, with a warning: some of Flume's components do so */
};

/* What a reload must redo when this key changes. */
enum ps_reload { PS_RELOAD_STAGE, PS_RELOAD_AGENT };

struct ps_option {
    const char *key;
    enum ps_option_type type;
    size_t offset;
    const char *fallback;       /* the default, as one would write it; NULL = none */
    int64_t min, max;           /* both 0: unbounded; INT and SIZE only */
    const char *unit;           /* "ms", "s", "bytes", "events", ... or NULL */
    const char *const *aliases; /* other spellings (deprecated or documented wrongly), NULL-terminated, or
                                   NULL; the row's own key wins */
    const char *const *words;   /* ENUM: NULL-terminated */
    unsigned flags;
    enum ps_reload reload;
    const char *help; /* one sentence or two, no full stop needed */
};

#define PS_OPTION_END                                                                                        \
    {                                                                                                        \
        .key = NULL                                                                                          \
    }
#define PS_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
