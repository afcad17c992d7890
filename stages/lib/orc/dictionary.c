#include "stages/lib/orc/dictionary.h"

#include "stages/lib/orc/hash.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 1024U

void ps_orc_dictionary_open(struct ps_orc_dictionary *dictionary, struct ps_orc_memory *memory, uint64_t seed)
{
    *dictionary = (struct ps_orc_dictionary){
        .bytes.memory = memory, .entries.memory = memory, .slots.memory = memory, .seed = seed};
}

void ps_orc_dictionary_close(struct ps_orc_dictionary *dictionary)
{
    ps_orc_buffer_free(&dictionary->bytes);
    ps_orc_buffer_free(&dictionary->entries);
    ps_orc_buffer_free(&dictionary->slots);
}

void ps_orc_dictionary_clear(struct ps_orc_dictionary *dictionary)
{
    ps_orc_buffer_clear(&dictionary->bytes);
    ps_orc_buffer_clear(&dictionary->entries);
    ps_orc_buffer_free(&dictionary->slots);
}

static uint32_t *slots_of(const struct ps_orc_dictionary *dictionary)
{
    return (uint32_t *)(void *)dictionary->slots.data;
}

static size_t slot_count(const struct ps_orc_dictionary *dictionary)
{
    return dictionary->slots.length / sizeof(uint32_t);
}

/* Makes a table with twice as many slots. Returns false when there is no memory. */
static bool grow(struct ps_orc_dictionary *dictionary)
{
    size_t count = slot_count(dictionary) == 0 ? FIRST_SLOTS : 2 * slot_count(dictionary);
    ps_orc_buffer_clear(&dictionary->slots);
    uint8_t *slots = ps_orc_buffer_reserve(&dictionary->slots, count * sizeof(uint32_t));
    if (slots == NULL)
        return false;
    memset(slots, 0, count * sizeof(uint32_t));
    ps_orc_buffer_grown(&dictionary->slots, count * sizeof(uint32_t));
    for (size_t i = 0; i < ps_orc_dictionary_count(dictionary); i++) {
        size_t at = ps_orc_dictionary_entry(dictionary, i)->hash & (count - 1);
        while (slots_of(dictionary)[at] != 0)
            at = (at + 1) & (count - 1);
        slots_of(dictionary)[at] = (uint32_t)i + 1;
    }
    return true;
}

uint32_t ps_orc_dictionary_add(struct ps_orc_dictionary *dictionary, const char *bytes, uint32_t length)
{
    size_t count = ps_orc_dictionary_count(dictionary);
    if (count >= slot_count(dictionary) / 2 && !grow(dictionary))
        return 0;
    struct ps_orc_dictionary_entry added = {.offset = dictionary->bytes.length,
                                            .length = length,
                                            .hash = ps_orc_murmur(bytes, length, dictionary->seed)};
    size_t at = added.hash & (slot_count(dictionary) - 1);
    for (; slots_of(dictionary)[at] != 0; at = (at + 1) & (slot_count(dictionary) - 1)) {
        uint32_t number = slots_of(dictionary)[at] - 1;
        const struct ps_orc_dictionary_entry *entry = ps_orc_dictionary_entry(dictionary, number);
        if (entry->hash == added.hash && entry->length == length &&
            (length == 0 || memcmp(ps_orc_dictionary_text(dictionary, entry), bytes, length) == 0))
            return number;
    }
    slots_of(dictionary)[at] = (uint32_t)count + 1;
    ps_orc_buffer_append(&dictionary->bytes, bytes, length);
    ps_orc_buffer_append(&dictionary->entries, &added, sizeof(added));
    return (uint32_t)count;
}

static int compare(const void *left, const void *right, void *argument)
{
    const struct ps_orc_dictionary *dictionary = argument;
    const struct ps_orc_dictionary_entry *one = ps_orc_dictionary_entry(dictionary, *(const uint32_t *)left);
    const struct ps_orc_dictionary_entry *other =
        ps_orc_dictionary_entry(dictionary, *(const uint32_t *)right);
    uint32_t both = one->length < other->length ? one->length : other->length;
    int order = both == 0 ? 0
                          : memcmp(ps_orc_dictionary_text(dictionary, one),
                                   ps_orc_dictionary_text(dictionary, other), both);
    return order != 0 ? order : (one->length > other->length) - (one->length < other->length);
}

void ps_orc_dictionary_sort(struct ps_orc_dictionary *dictionary, uint32_t *order)
{
    size_t count = ps_orc_dictionary_count(dictionary);
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    qsort_r(order, count, sizeof(*order), compare, dictionary);
    for (size_t i = 0; i < count; i++)
        ps_orc_dictionary_entry(dictionary, order[i])->place = (uint32_t)i;
}
