/* For tests of hash tables: names that a client would choose so that they collide, and counts of what a search visits. Thread: the
 * test's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define PS_TEST_COLLIDING_NAMES 4096U
#define PS_TEST_COLLIDING_ROOM 128U

/* Writes the name with this number, below PS_TEST_COLLIDING_NAMES: letters behind `begin`. All names with the same `begin` have the same
 * length and the same ps_name_hash, also with the same text behind each of them. Returns the length. */
size_t ps_test_colliding_name(char name[PS_TEST_COLLIDING_ROOM], const char *begin, unsigned number);

/* Returns how many places that a search for a name visits if it begins at the place of the name's hash and ends at this one. */
static inline uint32_t ps_test_visited(uint64_t hash, uint32_t at, uint32_t mask)
{
    return ((at - (uint32_t)hash) & mask) + 1;
}

/* Returns how many of a table's chains have an item. */
#define PS_TEST_CHAINS_IN_USE(chains, count)                                                                 \
    __extension__({                                                                                          \
        unsigned in_use_ = 0;                                                                                \
        for (size_t at_ = 0; at_ < (count); at_++)                                                           \
            in_use_ += (chains)[at_] != 0;                                                                   \
        in_use_;                                                                                             \
    })

/* Returns the address of memory that cannot be read: as the first item of a list it shows that nobody walks the list. */
void *ps_test_nowhere(void);
