#include "tests/support/hash_tables.h"

#include "core/name.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define PARTS 12U /* each has one of two texts, so that there are 2^12 names */
#define LETTERS 6U
#define PLACES (1U << 19)
#define DRAWS (PLACES / 2) /* two of about 80,000 texts have the same hash of 32 bits */

static char begun[PS_TEST_COLLIDING_ROOM];
static char parts[PARTS][2][LETTERS + 1];

static void write_letters(uint32_t number, char letters[LETTERS])
{
    number *= 0x9E3779B1U;
    for (unsigned i = 0; i < LETTERS; i++, number /= 26)
        letters[i] = (char)('a' + number % 26);
}

/* Finds two texts with which the text goes on to the same hash, and appends one of them. */
static void find_part(char *text, size_t length, char pair[2][LETTERS + 1])
{
    static uint32_t numbers[PLACES]; /* of texts, by hash; 0: none */
    memset(numbers, 0, sizeof numbers);
    for (uint32_t number = 1; number < DRAWS; number++) {
        write_letters(number, text + length);
        memcpy(pair[0], text + length, LETTERS);
        uint32_t hash = ps_name_hash(text, length + LETTERS), at = hash % PLACES;
        for (; numbers[at] > 0; at = (at + 1) % PLACES) {
            write_letters(numbers[at], text + length);
            memcpy(pair[1], text + length, LETTERS);
            if (ps_name_hash(text, length + LETTERS) == hash && memcmp(pair[0], pair[1], LETTERS) != 0)
                return;
        }
        numbers[at] = number;
    }
    fail_msg("no two texts of %u letters behind %zu bytes have the same hash", LETTERS, length);
}

static void find_parts(const char *begin)
{
    char text[PS_TEST_COLLIDING_ROOM];
    size_t length = strlen(begin);
    assert_true(length + PARTS * LETTERS < sizeof text);
    memcpy(text, begin, length);
    for (unsigned i = 0; i < PARTS; i++, length += LETTERS)
        find_part(text, length, parts[i]);
    snprintf(begun, sizeof begun, "%s", begin);
}

size_t ps_test_colliding_name(char name[PS_TEST_COLLIDING_ROOM], const char *begin, unsigned number)
{
    assert_true(number < PS_TEST_COLLIDING_NAMES);
    if (parts[0][0][0] == '\0' || strcmp(begin, begun) != 0)
        find_parts(begin);
    size_t length = (size_t)snprintf(name, PS_TEST_COLLIDING_ROOM, "%s", begin);
    for (unsigned i = 0; i < PARTS; i++, length += LETTERS)
        memcpy(name + length, parts[i][number >> i & 1], LETTERS + 1);
    return length;
}

void *ps_test_nowhere(void)
{
    static void *page;
    if (page == NULL)
        page = mmap(NULL, 1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    return page;
}
