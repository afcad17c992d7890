/* Parses like java.util.Properties.load(InputStream) (JDK 17), exactly, from bytes in memory.
 *
 * Bytes are ISO-8859-1: 0x80-0xFF become two bytes of UTF-8, \uXXXX becomes the character of that code. A lone
 * surrogate becomes '?', as when Java writes it out. A malformed \u is an error, like Java's
 * IllegalArgumentException; the lines behind it are read all the same, so that all problems are reported. A NUL cannot
 * be part of a C string: it becomes U+FFFD, with a warning.
 *
 * Thread: the control thread. */
#pragma once

#include "conf/problem.h"
#include "core/option.h"

#define PS_PROPERTIES_BYTES_MAX (16u << 20)
#define PS_PROPERTIES_COUNT_MAX (1u << 18)

struct ps_property {
    const char *key, *value; /* UTF-8, not trimmed; in the arena */
    const char *file;
    int line;           /* where the logical line begins, from 1 */
    bool used;          /* a ${...} refers to it */
    bool joins_comment; /* a comment between continued lines is part of the value, which was reported */
};

struct ps_properties {
    struct ps_arena *arena;
    const char *agent; /* limits warnings to keys of this agent and keys of no agent; NULL = all keys */
    struct ps_property *items; /* malloc'ed; in the order in which keys first appeared */
    size_t count, room;
    uint32_t *slots; /* hash index: item number + 1 */
    size_t slot_count;
    size_t bad_lines; /* lines with an error; the others are read, and can be checked */
    bool unfinished;  /* references of some values were not replaced (ps_substitute) */
};

void ps_properties_init(struct ps_properties *properties, struct ps_arena *arena);
void ps_properties_fini(struct ps_properties *properties);

/* Adds the properties in `bytes`. A key that already exists gets the new value (several -f are merged this
 * way). Within one file a second line with a different value causes a warning that names both lines. Fails,
 * after adding a problem, for a malformed \u, more than PS_PROPERTIES_BYTES_MAX bytes or
 * PS_PROPERTIES_COUNT_MAX keys. `file` is the name in messages and must outlive `properties`. */
enum ps_status ps_properties_load(struct ps_properties *properties, const char *file, const char *bytes,
                                  size_t length, struct ps_problems *problems);

/* Reads bytes in memory into pairs that live in the arena. `name` names the bytes in the error, which has line and
 * reason. */
enum ps_status ps_properties_parse(struct ps_arena *arena, const char *name, const char *bytes, size_t length,
                                   struct ps_pairs *pairs, struct ps_err *err);
/* The same for a file. */
enum ps_status ps_properties_read(struct ps_arena *arena, const char *path, struct ps_pairs *pairs,
                                  struct ps_err *err);

/* Returns the property, or NULL when the key does not exist. Keys are compared as read, including blanks. */
const struct ps_property *ps_properties_find(const struct ps_properties *properties, const char *key);
void ps_properties_put(struct ps_properties *properties, struct ps_property property);
