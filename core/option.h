/* Option rows: the one description of a configuration key. No other list of keys exists.
 *
 * Parsing, checking, the "did you mean" of `penstock check`, `penstock components`, docs/OPTIONS.md and the
 * man page are made from the rows. A stage declares a static array that ends with PS_OPTION_END; binding
 * (conf/bind.c) writes typed values at `offset` of the stage's plan struct. */
#pragma once

#include "core/base.h"

/* The C type at `offset`, and the meaning of the text:
 *
 *   TEXT     const char *      NULL when absent and without default
 *   INT      int64_t           decimal; min and max are enforced; a bad number fails the component, as Flume;
 *                              a key that Flume does not know (EXTENSION) also takes a unit: "5s", "10k"
 *   DOUBLE   double
 *   BOOL     bool              "true" in any case, else false; a word that is neither gives a warning
 *   ENUM     int               index into `words`; case does not matter
 *   LIST     struct ps_texts   separated by blanks (`\s+`)
 *   COMMAS   struct ps_texts   separated by commas; blanks around them are dropped
 *   MAP      struct ps_pairs   every key that begins with `key`, which ends in '.'; without that prefix
 *   SIZE     int64_t           bytes: a number, or with k, m, g, KiB, MiB, GiB (powers of 1024); penstock.* keys only
 *
 * Numbers are trimmed, as Flume's Context does. */
enum ps_option_type {
    PS_OPTION_TEXT,
    PS_OPTION_INT,
    PS_OPTION_DOUBLE,
    PS_OPTION_BOOL,
    PS_OPTION_ENUM,
    PS_OPTION_LIST,
    PS_OPTION_COMMAS,
    PS_OPTION_MAP,
    PS_OPTION_SIZE,
};

struct ps_texts {
    size_t count;
    const char *const *items;
};

struct ps_pair {
    const char *key;
    const char *value;
    const char *file; /* where it was read; NULL when not from a file */
    int line;
};

struct ps_pairs {
    size_t count;
    const struct ps_pair *items;
};

/* Returns the value of `key` in a map, or NULL. */
const char *ps_pairs_get(const struct ps_pairs *pairs, const char *key);
/* Returns the value of `key`, or `fallback`. */
const char *ps_pairs_value(const struct ps_pairs *pairs, const char *key, const char *fallback);

enum ps_option_flags {
    PS_OPTION_REQUIRED = 1 << 0,    /* without a value the component is dropped, as Flume does */
    PS_OPTION_SECRET = 1 << 1,      /* never printed */
    PS_OPTION_NO_EFFECT = 1 << 2,   /* accepted because Flume has it; changes nothing; `help` explains why */
    PS_OPTION_DEPRECATED = 1 << 3,  /* accepted, with a warning naming what replaces it (in `help`) */
    PS_OPTION_EXTENSION = 1 << 4,   /* ours: Flume does not know the key and ignores it */
    PS_OPTION_UNSUPPORTED = 1 << 5, /* Flume knows it, we do not yet: `check` names it */
    PS_OPTION_LENIENT = 1 << 6, /* a bad value counts as absent, with a warning, as in Flume's component */
    /* TEXT: a file to read. A relative path is looked up in the working directory, then in the directory of the file
     * that sets the key. A file that cannot be read is an error, and the component is dropped. */
    PS_OPTION_FILE = 1 << 7,
    /* For a key of a channel (TEXT, COMMAS, MAP): the place where the channel keeps its events. A reload that changes
     * it empties the channel first. */
    PS_OPTION_PLACE = 1 << 8,
    /* The places with this flag are directories of one store: a reload changes all of them, or none. */
    PS_OPTION_JOINED = 1 << 9,
    /* TEXT: the name of a header; LIST, COMMAS: such names; MAP: its keys are such names, or end with one. A name of
     * more than PS_HEADER_NAME_BYTES_MAX bytes drops the component. */
    PS_OPTION_HEADER = 1 << 10,
};

/* The part that a reload must redo when this key changes. */
enum ps_reload { PS_RELOAD_STAGE, PS_RELOAD_AGENT };

struct ps_option {
    const char *key;
    enum ps_option_type type;
    size_t offset;
    const char *fallback; /* the default, as text; NULL: none */
    int64_t min, max;     /* both 0: unbounded; INT and SIZE only */
    const char *unit;     /* "ms", "s", "bytes", "events", .. or NULL */
    /* Other spellings (deprecated or documented wrongly), NULL-terminated; or NULL. The row's own key
     * wins. */
    const char *const *aliases;
    const char *const *words; /* ENUM: NULL-terminated */
    unsigned flags;
    enum ps_reload reload;
    const char *help; /* one or two sentences; the last one may lack its full stop */
};

/* A row of a table of options: its key, its type (the part after PS_OPTION_), where in the plan its value goes, its
 * help, and what else differs from zero: PS_OPTION_ROW("batchSize", INT, FIELD(size), "events of a batch", .min = 1). */
#define PS_OPTION_ROW(name, kind, place, text, ...)                                                          \
    {                                                                                                        \
        .key = (name), .type = PS_OPTION_##kind, .offset = (place), .help = text, __VA_ARGS__                \
    }
#define PS_OPTION_END                                                                                        \
    {                                                                                                        \
        .key = NULL                                                                                          \
    }
#define PS_WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})
