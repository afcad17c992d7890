/* The distinct strings of a column in one stripe.
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/orc/buffer.h"

struct ps_orc_dictionary {
    struct ps_orc_buffer bytes;   /* the strings, one after the other */
    struct ps_orc_buffer entries; /* of struct ps_orc_dictionary_entry */
    struct ps_orc_buffer slots;   /* a hash table of uint32_t: 0, or 1 + number of the entry */
    uint64_t seed;                /* key of the hash, so that events cannot force collisions */
};

struct ps_orc_dictionary_entry {
    size_t offset;
    uint32_t length;
    uint32_t place; /* place in the sorted dictionary; set by ps_orc_dictionary_sort */
    uint64_t hash;
};

void ps_orc_dictionary_open(struct ps_orc_dictionary *dictionary, struct ps_orc_memory *memory,
                            uint64_t seed);
void ps_orc_dictionary_close(struct ps_orc_dictionary *dictionary);
void ps_orc_dictionary_clear(struct ps_orc_dictionary *dictionary);

/* Returns the string's number, by first appearance. */
uint32_t ps_orc_dictionary_add(struct ps_orc_dictionary *dictionary, const char *bytes, uint32_t length);

static inline size_t ps_orc_dictionary_count(const struct ps_orc_dictionary *dictionary)
{
    return dictionary->entries.length / sizeof(struct ps_orc_dictionary_entry);
}

static inline struct ps_orc_dictionary_entry *
ps_orc_dictionary_entry(const struct ps_orc_dictionary *dictionary, size_t number)
{
    return (struct ps_orc_dictionary_entry *)(void *)dictionary->entries.data + number;
}

static inline const char *ps_orc_dictionary_text(const struct ps_orc_dictionary *dictionary,
                                                 const struct ps_orc_dictionary_entry *entry)
{
    return entry->length == 0 ? "" : (const char *)dictionary->bytes.data + entry->offset;
}

/* Sets the place of each entry in the order of bytes, and writes the entries in that order to `order`, which
 * has room for all. */
void ps_orc_dictionary_sort(struct ps_orc_dictionary *dictionary, uint32_t *order);
