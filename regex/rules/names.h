/* A growing hash table from texts to numbers, for ten thousand names and more. Texts are copied into the
 * arena. Thread: any; each parse has its own. */
#pragma once

#include "core/arena.h"

#define RULES_NAME_NONE UINT32_MAX

struct rules_names {
    struct rules_name *slots;
    uint32_t room, count; /* room: a power of two, or 0 */
};

struct rules_name {
    const char *text; /* NULL: a free slot */
    uint32_t length, hash, number;
};

uint32_t ps_rules_names_find(const struct rules_names *names, const char *text, size_t length);
/* Adds a text that the table does not hold yet. */
void ps_rules_names_add(struct rules_names *names, struct ps_arena *arena, const char *text, size_t length,
                        uint32_t number);
