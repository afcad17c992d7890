/* java.util.Properties.load(InputStream), to the letter (JDK 17), from bytes in memory.
 *
 * Bytes are ISO-8859-1: 0x80-0xFF become two bytes of UTF-8 here, \uXXXX any character; a lone surrogate
 * becomes '?', as it does when Java writes it out. A malformed \u ends the load, as Java's
 * IllegalArgumentException does. A NUL cannot live in a C text: it becomes U+FFFD, with a warning.
 *
 * Thread: the control thread. */
#pragma once

#include "conf/problem.h"

#define PS_PROPERTIES_BYTES_MAX (16u << 20)
#define PS_PROPERTIES_COUNT_MAX (1u << 18)

struct ps_property {
    const char *key, *value; /* UTF-8, not trimmed; in the arena */
    const char *file;
    int line;  /* where the logical line begins, from 1 */
    bool used; /* some ${...} asked for it */
};

struct ps_properties {
    struct ps_arena *arena;
    const char *agent;         /* warn for keys of this agent, and of none, alone; NULL = for all */
    struct ps_property *items; /* malloc'ed; in the order in which keys were first met */
    size_t count, room;
    uint32_t *slots; /* hash index: item number + 1 */
    size_t slot_count;
};

void ps_properties_init(struct ps_properties *properties, struct ps_arena *arena);
void ps_properties_fini(struct ps_properties *properties);

/* Adds what `bytes` say to what is there; a key that is there already gets the new value (several -f are
 * merged so). Within one file a second line with a different value is a warning naming both lines. Fails (and
 * adds a problem) for a malformed \u, more than PS_PROPERTIES_BYTES_MAX bytes or PS_PROPERTIES_COUNT_MAX
 * keys. `file` names the text in messages and must outlive `properties`. */
enum ps_status ps_properties_load(struct ps_properties *properties, const char *file, const char *bytes,
                                  size_t length, struct ps_problems *problems);

/* NULL when absent. Keys are compared as read, blanks included. */
const struct ps_property *ps_properties_find(const struct ps_properties *properties, const char *key);
void ps_properties_put(struct ps_properties *properties, struct ps_property property);
