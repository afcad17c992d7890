#include "stages/lib/hive/map_items.h"

#include "stages/lib/orc/hash.h"

#include <string.h>

/* Returns the bytes by which a key is compared: equal keys have the same bytes. */
static struct ps_slice bytes_of(const struct ps_orc_type *type, const struct ps_orc_value *key)
{
    switch (type->kind) {
    case PS_ORC_STRING:
    case PS_ORC_VARCHAR:
    case PS_ORC_CHAR:
    case PS_ORC_BINARY:
        return (struct ps_slice){key->bytes, key->length};
    case PS_ORC_FLOAT:
    case PS_ORC_DOUBLE:
        return (struct ps_slice){(const char *)&key->real, sizeof(key->real)};
    case PS_ORC_DECIMAL:
        return (struct ps_slice){(const char *)&key->decimal, sizeof(key->decimal)};
    case PS_ORC_TIMESTAMP:
        return (struct ps_slice){
            (const char *)&key->seconds,
            (uint32_t)((const char *)(&key->nanoseconds + 1) - (const char *)&key->seconds)};
    default:
        return (struct ps_slice){(const char *)&key->integer, sizeof(key->integer)};
    }
}

/* Returns the slot of the key among `slots`, which have numbers of pairs from 1 on; 0: a free slot. */
static uint32_t *slot_of(uint32_t *slots, size_t slot_count, const struct ps_orc_value *items,
                         const struct ps_orc_type *type, const struct ps_orc_value *key, uint64_t seed)
{
    struct ps_slice bytes = bytes_of(type, key);
    size_t at = ps_orc_murmur(bytes.data, bytes.length, seed) & (slot_count - 1);
    for (; slots[at] != 0; at = (at + 1) & (slot_count - 1)) {
        struct ps_slice other = bytes_of(type, &items[2 * (slots[at] - 1)]);
        if (other.length == bytes.length &&
            (bytes.length == 0 || memcmp(other.data, bytes.data, bytes.length) == 0))
            break;
    }
    return &slots[at];
}

struct ps_orc_value ps_hive_map_items_end(struct ps_hive_row_memory *memory, size_t begin,
                                          const struct ps_orc_type *key_type, enum ps_hive_map_rule rule,
                                          uint64_t seed)
{
    struct ps_orc_value map = ps_hive_row_items_end(memory, begin);
    struct ps_orc_value *items = (struct ps_orc_value *)(uintptr_t)map.items;
    uint32_t kept = 0, pairs = map.null ? 0 : map.item_count / 2;
    if (pairs < 2)
        return map;
    size_t slot_count = 4;
    while (slot_count < 2 * (size_t)pairs)
        slot_count *= 2;
    uint32_t *slots = ps_hive_row_memory_take(memory, slot_count * sizeof(*slots));
    if (slots == NULL)
        return (struct ps_orc_value){.null = true};
    memset(slots, 0, slot_count * sizeof(*slots));
    for (uint32_t i = 0; i < pairs; i++) {
        uint32_t *slot = slot_of(slots, slot_count, items, key_type, &items[2 * i], seed);
        if (*slot == 0) {
            items[2 * kept] = items[2 * i];
            items[2 * kept + 1] = items[2 * i + 1];
            *slot = ++kept;
        } else if (rule == PS_HIVE_LAST_KEY) {
            items[2 * (*slot - 1) + 1] = items[2 * i + 1];
        }
    }
    map.item_count = 2 * kept;
    return map;
}
