/* The identities of events that came to a test, each with a number that the test gives its event. */
#pragma once

#include "core/name.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <string.h>

#define PS_TEST_IDENTITIES_ROOM (1U << 18)

struct ps_test_identities { /* a hash table; zero: empty */
    struct {
        char text[48];
        size_t number;
    } items[PS_TEST_IDENTITIES_ROOM];
    size_t count;
};

/* Returns the number of the event that came first with this identity: `number` if none did. */
static inline size_t ps_test_identities_first(struct ps_test_identities *identities, const char *text,
                                              size_t number)
{
    size_t at = ps_name_hash(text, strlen(text)) % PS_TEST_IDENTITIES_ROOM;
    for (; identities->items[at].text[0] != '\0'; at = (at + 1) % PS_TEST_IDENTITIES_ROOM)
        if (strcmp(identities->items[at].text, text) == 0)
            return identities->items[at].number;
    assert_true(strlen(text) < sizeof identities->items[at].text &&
                ++identities->count < PS_TEST_IDENTITIES_ROOM / 2);
    snprintf(identities->items[at].text, sizeof identities->items[at].text, "%s", text);
    identities->items[at].number = number;
    return number;
}
