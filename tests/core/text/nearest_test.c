/* Suggestions for a misspelt word: the known word that needs the fewest changes, insertions, removals and swaps of
 * neighbours, if they are few enough for its length. Compared with a plain search. */
#include "core/text/nearest.h"

#include "tests/support/support.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

/* The same distance by its definition. */
static unsigned distance(const char *a, const char *b)
{
    if (*a == '\0' || *b == '\0')
        return (unsigned)(strlen(a) + strlen(b));
    bool same = tolower((unsigned char)*a) == tolower((unsigned char)*b);
    if (same)
        return distance(a + 1, b + 1);
    unsigned least = distance(a + 1, b + 1), other = distance(a + 1, b);
    least = other < least ? other : least;
    other = distance(a, b + 1);
    least = other < least ? other : least;
    if (a[1] != '\0' && b[1] != '\0' && tolower((unsigned char)a[0]) == tolower((unsigned char)b[1]) &&
        tolower((unsigned char)a[1]) == tolower((unsigned char)b[0])) {
        other = distance(a + 2, b + 2);
        least = other < least ? other : least;
    }
    return least + 1;
}

static void word_draw(char *to, size_t length)
{
    for (size_t i = 0; i < length; i++)
        to[i] = "abAB"[draw(4)];
    to[length] = '\0';
}

static void test_drawn(void **unused)
{
    for (unsigned round = 0; round < 3000; round++) {
        char written[16], words[4][16];
        struct ps_nearest nearest;
        word_draw(written, draw(8));
        size_t length = strlen(written);
        unsigned best = length < 3 ? 0 : length < 6 ? 1 : length < 12 ? 2 : 3;
        const char *wanted = NULL;
        ps_nearest_init(&nearest, written);
        best++;
        for (size_t i = 0; i < PS_COUNT_OF(words); i++) {
            word_draw(words[i], draw(8));
            unsigned far = distance(written, words[i]);
            if (far < best) {
                best = far;
                wanted = words[i];
            }
            ps_nearest_offer(&nearest, words[i]);
        }
        if (nearest.word != wanted)
            fail_msg("%s: %s, not %s", written, nearest.word != NULL ? nearest.word : "nothing",
                     wanted != NULL ? wanted : "nothing");
    }
}

/* How many mistakes a word of each length may have: that many and one more. */
static void test_lengths(void **unused)
{
    static const struct {
        size_t length;
        unsigned slips;
    } rows[] = {{1, 0}, {2, 0}, {3, 1}, {5, 1}, {6, 2}, {11, 2}, {12, 3}, {30, 3}, {64, 3}, {65, 0}, {80, 0}};
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        for (unsigned slips = 0; slips <= 4 && slips < rows[i].length; slips++) {
            char written[100], word[100];
            struct ps_nearest nearest;
            memset(written, 'a', rows[i].length);
            written[rows[i].length] = '\0';
            strcpy(word, written);
            memset(word, 'b', slips);
            ps_nearest_init(&nearest, written);
            ps_nearest_offer(&nearest, word);
            assert_int_equal(nearest.word != NULL, slips <= rows[i].slips);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn), cmocka_unit_test(test_lengths)};
    state = ps_test_seed() | 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
