/* The walk through a line of UTF-8: random bytes, limits and policies, compared with a model that knows Unicode's table of well-formed
 * sequences (3-7) and how many bytes Java's decoder calls malformed. */
#include "stages/lib/text/line_walk.h"
#include "tests/support/support.h"

#include <stdio.h>

#define ROUNDS 20000U
#define BYTES_MAX 24U

static uint64_t state;

static uint64_t draw(uint64_t below)
{
    return ps_test_random(&state) % below;
}

/* ---- the model ---- */

static const struct {
    uint8_t first, last, low, high; /* leads, and the second bytes that may follow them */
    uint32_t length;
} forms[] = {
    {0x00, 0x7F, 0, 0, 1},       {0xC2, 0xDF, 0x80, 0xBF, 2}, {0xE0, 0xE0, 0xA0, 0xBF, 3},
    {0xE1, 0xEF, 0x80, 0xBF, 3}, {0xF0, 0xF0, 0x90, 0xBF, 4}, {0xF1, 0xF3, 0x80, 0xBF, 4},
    {0xF4, 0xF4, 0x80, 0x8F, 4},
};

enum found { GOOD, MALFORMED, OPEN };

/* Finds out what the first bytes are, and how many. */
static enum found look(const uint8_t *at, uint32_t rest, bool ended, uint32_t *count)
{
    *count = 1;
    for (size_t i = 0; i < PS_COUNT_OF(forms); i++) {
        if (at[0] < forms[i].first || at[0] > forms[i].last)
            continue;
        for (; *count < forms[i].length && *count < rest; (*count)++) {
            uint8_t low = *count == 1 ? forms[i].low : 0x80, high = *count == 1 ? forms[i].high : 0xBF;
            if (at[*count] < low || at[*count] > high)
                return MALFORMED;
        }
        if (*count < forms[i].length)
            return ended ? MALFORMED : OPEN;
        return at[0] == 0xED && at[1] >= 0xA0 ? MALFORMED : GOOD; /* a surrogate is malformed as a whole */
    }
    return MALFORMED;
}

/* Walks as the header says, a character at a time. */
static void model(struct ps_line_walk *walk)
{
    for (;;) {
        uint32_t count, chars = 1;
        if (walk->chars >= walk->chars_max)
            walk->cut = true;
        if (walk->cut || walk->used == walk->length)
            return;
        const char *at = walk->bytes + walk->used;
        enum found found = look((const uint8_t *)at, walk->length - walk->used, walk->ended, &count);
        if (found == OPEN)
            walk->incomplete = true;
        if (found == MALFORMED && walk->policy == PS_DECODE_FAIL)
            walk->bad = true;
        if (walk->incomplete || walk->bad)
            return;
        const char *text = at;
        uint32_t made = count;
        if (found == MALFORMED) {
            text = "\xEF\xBF\xBD";
            made = walk->policy == PS_DECODE_REPLACE ? 3 : 0;
            chars = made / 3;
            walk->repaired = true;
        } else if (count == 4) {
            chars = 2;
        }
        if (found == GOOD && walk->chars > 0 && walk->chars + chars > walk->chars_max) {
            walk->cut = true;
            return;
        }
        memcpy(walk->out + walk->made, text, made);
        walk->made += made;
        walk->chars += chars;
        walk->used += count;
    }
}

static void expect_same(const struct ps_line_walk *is, const struct ps_line_walk *wanted)
{
    bool same = is->used == wanted->used && is->made == wanted->made && is->chars == wanted->chars &&
                is->cut == wanted->cut && is->repaired == wanted->repaired && is->bad == wanted->bad &&
                is->incomplete == wanted->incomplete &&
                (is->out == NULL || memcmp(is->out, wanted->out, is->made) == 0);
    if (same)
        return;
    char hex[2 * BYTES_MAX + 1] = "";
    for (uint32_t i = 0; i < is->length; i++)
        snprintf(hex + 2 * (size_t)i, 3, "%02x", (uint8_t)is->bytes[i]);
    fail_msg(
        "%s at most %u chars, ended %d, policy %d: used %u, made %u, chars %u, cut %d, repaired %d, bad %d, "
        "incomplete %d; and not %u, %u, %u, %d, %d, %d, %d",
        hex, is->chars_max, is->ended, (int)is->policy, is->used, is->made, is->chars, is->cut, is->repaired,
        is->bad, is->incomplete, wanted->used, wanted->made, wanted->chars, wanted->cut, wanted->repaired,
        wanted->bad, wanted->incomplete);
}

/* Returns a walk that has other members set, as after an earlier use: they have no effect. */
static struct ps_line_walk used_walk(const char *bytes, uint32_t length, uint32_t chars_max, bool ended,
                                     enum ps_decode_policy policy, char *out)
{
    return (struct ps_line_walk){.bytes = bytes,
                                 .length = length,
                                 .chars_max = chars_max,
                                 .ended = ended,
                                 .policy = policy,
                                 .out = out,
                                 .used = 3,
                                 .made = 5,
                                 .chars = 7,
                                 .cut = true,
                                 .repaired = true,
                                 .bad = true,
                                 .incomplete = true};
}

/* Walks with each policy and both ends, with a text and without. */
static void walk_all(const char *bytes, uint32_t length, uint32_t chars_max)
{
    static const enum ps_decode_policy policies[] = {PS_DECODE_FAIL, PS_DECODE_REPLACE, PS_DECODE_IGNORE};
    char *exact = ps_test_exact_copy(bytes, length);
    for (unsigned i = 0; i < 2 * PS_COUNT_OF(policies); i++) {
        char wanted_text[3 * BYTES_MAX], text[3 * BYTES_MAX];
        struct ps_line_walk wanted = {.bytes = bytes,
                                      .length = length,
                                      .chars_max = chars_max,
                                      .ended = i % 2 == 1,
                                      .policy = policies[i / 2],
                                      .out = wanted_text};
        model(&wanted);
        struct ps_line_walk walk = used_walk(exact, length, chars_max, i % 2 == 1, policies[i / 2], NULL);
        ps_line_walk(&walk);
        expect_same(&walk, &wanted);
        walk = used_walk(exact, length, chars_max, i % 2 == 1, policies[i / 2], text);
        ps_line_walk(&walk);
        expect_same(&walk, &wanted);
    }
    free(exact);
}

static void test_drawn(void **unused)
{
    static const uint8_t edges[] = {0x00, 0x0A, 0x61, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0,
                                    0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
                                    0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xF8, 0xFF};
    static const char *const characters[] = {"a",      "\u00E4", "\u20AC",     "\uFFFD",
                                             "\uD7FF", "\uE000", "\U0001F600", "\U0010FFFF"};
    state = ps_test_seed() | 1;
    for (unsigned round = 0; round < ROUNDS; round++) {
        char bytes[BYTES_MAX];
        uint32_t length = 0, wanted = (uint32_t)draw(BYTES_MAX - 4);
        bool edgy = draw(2) == 0;
        while (length < wanted) {
            const char *character = characters[draw(PS_COUNT_OF(characters))];
            if (edgy || draw(5) == 0) {
                bytes[length++] = (char)edges[draw(PS_COUNT_OF(edges))];
                continue;
            }
            memcpy(bytes + length, character, strlen(character));
            length += (uint32_t)strlen(character);
        }
        if (draw(4) == 0 && length > 0) /* in the middle of a character */
            length--;
        walk_all(bytes, length, draw(4) == 0 ? UINT32_MAX : 1 + (uint32_t)draw(6));
    }
}

/* Each pair of a lead and a second byte, at each length. */
static void test_every_pair(void **unused)
{
    for (unsigned lead = 0x7F; lead < 0x100; lead++) {
        for (unsigned second = 0x7E; second < 0xC2; second++) {
            const char bytes[] = {(char)lead, (char)second, (char)0x80, (char)0xBF, 'a'};
            for (uint32_t length = 1; length <= sizeof bytes; length++)
                walk_all(bytes, length, 2);
        }
    }
}

/* U+FFFD at the beginning, in the middle, at the end, twice, and what only begins like it. */
static void test_replacements(void **unused)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"abc", "abc"},
        {"\uFFFD", ""},
        {"\uFFFDabc", "abc"},
        {"ab\uFFFDc", "abc"},
        {"abc\uFFFD", "abc"},
        {"\uFFFD\uFFFDa\uFFFD\uFFFDb\uFFFD\uFFFD", "ab"},
        {"\uFFFC\uFFFE\uFFBD\uFFFD", "\uFFFC\uFFFE\uFFBD"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        size_t length = strlen(rows[i][0]);
        char *text = ps_test_exact_copy(rows[i][0], length);
        assert_int_equal(ps_line_walk_drop_replacements(text, length), strlen(rows[i][1]));
        assert_memory_equal(text, rows[i][1], strlen(rows[i][1]));
        free(text);
    }
}

int main(void)
{
    static const struct CMUnitTest tests[] = {cmocka_unit_test(test_drawn), cmocka_unit_test(test_every_pair),
                                              cmocka_unit_test(test_replacements)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
