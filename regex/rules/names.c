/* See rules/names.h. Open addressing, at most half full. */
#include "regex/rules/names.h"

#include "core/fnv.h"

#include <string.h>

/* Returns the slot that holds the text, or the free slot for it. */
static struct rules_name *slot_of(const struct rules_names *names, const char *text, size_t length,
                                  uint32_t hash)
{
    for (uint32_t at = hash & (names->room - 1);; at = (at + 1) & (names->room - 1)) {
        struct rules_name *slot = &names->slots[at];
        if (slot->text == NULL ||
            (slot->hash == hash && slot->length == length && memcmp(slot->text, text, length) == 0))
            return slot;
    }
}

uint32_t ps_rules_names_find(const struct rules_names *names, const char *text, size_t length)
{
    if (names->room == 0)
        return RULES_NAME_NONE;
    const struct rules_name *slot = slot_of(names, text, length, ps_fnv32(PS_FNV32, text, length));
    return slot->text != NULL ? slot->number : RULES_NAME_NONE;
}

void ps_rules_names_add(struct rules_names *names, struct ps_arena *arena, const char *text, size_t length,
                        uint32_t number)
{
    if (names->count * 2 >= names->room) {
        struct rules_names old = *names;
        names->room = old.room == 0 ? 64 : old.room * 2;
        names->slots = ps_arena_alloc(arena, names->room * sizeof *names->slots);
        for (uint32_t i = 0; i < old.room; i++)
            if (old.slots[i].text != NULL)
                *slot_of(names, old.slots[i].text, old.slots[i].length, old.slots[i].hash) = old.slots[i];
    }
    uint32_t hash = ps_fnv32(PS_FNV32, text, length);
    struct rules_name *slot = slot_of(names, text, length, hash);
    PS_ASSERT(slot->text == NULL);
    *slot = (struct rules_name){ps_arena_copy(arena, text, length), (uint32_t)length, hash, number};
    names->count++;
}
