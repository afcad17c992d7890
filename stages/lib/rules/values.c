/* A hash table of the constants that a header is compared with: routing by ten thousand values takes one
 * lookup. A number equals all its spellings ("5", "5.0"), as in `==`. Thread: the one that makes the set
 * fills it; workers look values up. */
#include <stdlib.h>
#include <string.h>

#include "stages/lib/rules/set_internal.h"

static uint32_t number_hash(double number)
{
    uint64_t bits;
    number += 0.0; /* -0 is 0 */
    memcpy(&bits, &number, sizeof bits);
    return (uint32_t)((bits * UINT64_C(0x9E3779B97F4A7C15)) >> 32);
}

static uint32_t slot_find(const struct rules_values *values, struct ps_slice text, bool is_number,
                          double number, uint32_t hash)
{
    uint32_t slot = hash & values->mask;
    for (;; slot = (slot + 1) & values->mask) {
        const struct rules_value *value = &values->slots[slot];
        if (value->atom == RULES_NONE)
            return slot;
        if (value->hash != hash || value->is_number != is_number)
            continue;
        if (is_number ? value->number == number
                      : value->text.length == text.length &&
                            (text.length == 0 || memcmp(value->text.data, text.data, text.length) == 0))
            return slot;
    }
}

static void values_grow(struct rules_values *values)
{
    struct rules_values old = *values;
    uint32_t room = old.slots == NULL ? 8 : 2 * (old.mask + 1);
    values->slots = ps_must_alloc(room, sizeof *values->slots, "values of rules");
    values->mask = room - 1;
    for (uint32_t i = 0; i < room; i++)
        values->slots[i].atom = RULES_NONE;
    for (uint32_t i = 0; old.slots != NULL && i <= old.mask; i++) {
        const struct rules_value *value = &old.slots[i];
        if (value->atom != RULES_NONE)
            values->slots[slot_find(values, value->text, value->is_number, value->number, value->hash)] =
                *value;
    }
    free(old.slots);
}

static uint32_t value_hash(const struct ps_rules_value *value)
{
    return value->is_number ? number_hash(value->number) : ps_name_hash(value->text.data, value->text.length);
}

void ps_rules_values_add(struct rules_values *values, const struct ps_rules_value *value, uint32_t atom)
{
    if (values->slots == NULL || 2 * (values->count + 1) > values->mask + 1)
        values_grow(values);
    uint32_t hash = value_hash(value);
    uint32_t slot = slot_find(values, value->text, value->is_number, value->number, hash);
    values->slots[slot] = (struct rules_value){value->text, value->is_number, value->number, hash, atom};
    values->count++;
    values->has_numbers |= value->is_number;
}

uint32_t ps_rules_values_same(const struct rules_values *values, const struct ps_rules_value *value)
{
    if (values->count == 0)
        return RULES_NONE;
    return values->slots[slot_find(values, value->text, value->is_number, value->number, value_hash(value))]
        .atom;
}

uint32_t ps_rules_values_find(const struct rules_values *values, struct ps_slice text)
{
    double number;
    if (values->has_numbers && ps_rules_number(text.data, text.length, &number))
        return values->slots[slot_find(values, text, true, number, number_hash(number))].atom;
    return values->slots[slot_find(values, text, false, 0, ps_name_hash(text.data, text.length))].atom;
}

void ps_rules_values_fini(struct rules_values *values)
{
    free(values->slots);
}
