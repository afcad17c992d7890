/* The stamp: its text is compared with that of the simplest possible writer, and it is looked for in events that a
 * pipeline changed, cut or wrapped. */
#include "bench/support/stamp.h"
#include "core/crc32c.h"
#include "tests/support/support.h"

#include <stdio.h>

/* Writes `count` digits, most significant first. */
static void digits_plain(char *to, uint64_t number, int count)
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    for (int i = count - 1; i >= 0; i--, number >>= 6)
        to[i] = alphabet[number & 63];
}

/* Writes the format of stamp.h, digit by digit. */
static void write_plain(const struct ps_stamp *stamp, char *to)
{
    memcpy(to, "~1", 2);
    digits_plain(to + 2, stamp->run, 4);
    digits_plain(to + 6, stamp->source, 3);
    digits_plain(to + 9, stamp->sequence, 7);
    digits_plain(to + 16, stamp->due_us, 9);
    digits_plain(to + 25, (uint64_t)stamp->covered * 2 + stamp->last, 3);
    digits_plain(to + 28, ps_crc32c(0, to, 28) & 0xffffff, 4);
    digits_plain(to + 32, ps_crc32c(ps_crc32c(0, to, 32), to + PS_STAMP_BYTES, stamp->covered), 6);
}

static struct ps_stamp stamp_random(uint64_t *random, uint32_t covered_max)
{
    struct ps_stamp stamp = {
        .run = (uint32_t)ps_test_random(random) & PS_STAMP_RUN_MAX,
        .source = (uint32_t)ps_test_random(random) & PS_STAMP_SOURCE_MAX,
        .sequence = ps_test_random(random) & PS_STAMP_SEQUENCE_MAX,
        .due_us = ps_test_random(random) >> 10,
        .covered = (uint32_t)(ps_test_random(random) % (covered_max + 1U)),
        .last = ps_test_random(random) & 1,
    };
    return stamp;
}

static void assert_same(const struct ps_stamp *a, const struct ps_stamp *b)
{
    assert_int_equal(a->run, b->run);
    assert_int_equal(a->source, b->source);
    assert_int_equal(a->sequence, b->sequence);
    assert_int_equal(a->due_us, b->due_us);
    assert_int_equal(a->covered, b->covered);
    assert_int_equal(a->last, b->last);
}

/* Searches a copy exactly as long as the record, so that ASan detects reads after its end. */
static enum ps_stamp_state find(const char *data, size_t length, struct ps_stamp *stamp, size_t *at)
{
    char *copy = malloc(length > 0 ? length : 1);
    assert_non_null(copy);
    memcpy(copy, data, length);
    enum ps_stamp_state state = ps_stamp_find(copy, length, stamp, at);
    free(copy);
    return state;
}

static void test_written(void **state)
{
    char got[PS_STAMP_BYTES + 400], wanted[sizeof got];
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 20000; round++) {
        struct ps_stamp stamp = stamp_random(&random, 400);
        if (round == 0)
            stamp = (struct ps_stamp){0};
        if (round == 1)
            stamp = (struct ps_stamp){
                PS_STAMP_RUN_MAX, PS_STAMP_SOURCE_MAX, PS_STAMP_SEQUENCE_MAX, UINT64_MAX >> 10, 400, true};
        for (size_t i = 0; i < sizeof got; i++)
            got[i] = (char)ps_test_random(&random);
        memcpy(wanted, got, sizeof got);
        write_plain(&stamp, wanted);
        ps_stamp_write(&stamp, got);
        assert_memory_equal(got, wanted, sizeof got);
    }
}

static void test_largest_cover(void **state)
{
    struct ps_stamp stamp = {
        .run = 1, .source = 2, .sequence = 3, .due_us = 4, .covered = PS_STAMP_COVERED_MAX};
    struct ps_stamp found;
    char *text = malloc(PS_STAMP_BYTES + PS_STAMP_COVERED_MAX);
    assert_non_null(text);
    memset(text, 'x', PS_STAMP_BYTES + PS_STAMP_COVERED_MAX);
    ps_stamp_write(&stamp, text);
    assert_int_equal(ps_stamp_find(text, PS_STAMP_BYTES + PS_STAMP_COVERED_MAX, &found, NULL), PS_STAMP_GOOD);
    assert_same(&found, &stamp);
    text[PS_STAMP_BYTES + PS_STAMP_COVERED_MAX - 1]++;
    assert_int_equal(ps_stamp_find(text, PS_STAMP_BYTES + PS_STAMP_COVERED_MAX, &found, NULL),
                     PS_STAMP_CHANGED);
    free(text);
}

/* A stamp is found after any text without '~', and before any bytes. */
static void test_found_anywhere(void **state)
{
    char text[800];
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 20000; round++) {
        struct ps_stamp stamp = stamp_random(&random, 300), found;
        size_t before = ps_test_random(&random) % 200, after = ps_test_random(&random) % 200, at = 9999;
        for (size_t i = 0; i < sizeof text; i++)
            text[i] = (char)ps_test_random(&random);
        for (size_t i = 0; i < before; i++)
            text[i] = text[i] == '~' ? '-' : text[i];
        ps_stamp_write(&stamp, text + before);
        size_t length = before + PS_STAMP_BYTES + stamp.covered + after;
        assert_int_equal(find(text, length, &found, &at), PS_STAMP_GOOD);
        assert_int_equal(at, before);
        assert_same(&found, &stamp);
    }
}

#define EVENT_BEFORE 20U
#define EVENT_COVERED 45U
#define EVENT_BYTES (EVENT_BEFORE + PS_STAMP_BYTES + EVENT_COVERED)

static struct ps_stamp event_make(char *text)
{
    struct ps_stamp stamp = {0x3fa9c2, 7, 123456, UINT64_C(1795165362859000), EVENT_COVERED, false};
    memset(text, '.', EVENT_BYTES);
    ps_stamp_write(&stamp, text + EVENT_BEFORE);
    return stamp;
}

/* Changes any byte to any value: an accepted stamp is correct. */
static void test_one_byte_flipped(void **state)
{
    char text[EVENT_BYTES];
    struct ps_stamp stamp = event_make(text), found;
    for (size_t i = 0; i < EVENT_BYTES; i++) {
        for (unsigned flip = 1; flip < 256; flip++) {
            text[i] = (char)(text[i] ^ (char)flip);
            enum ps_stamp_state wanted = PS_STAMP_CHANGED, got = find(text, EVENT_BYTES, &found, NULL);
            if (i < EVENT_BEFORE)
                wanted = PS_STAMP_GOOD;
            else if (i < EVENT_BEFORE + 2)
                wanted = PS_STAMP_NONE; /* no longer "~1" */
            else if (i < EVENT_BEFORE + 32)
                wanted = PS_STAMP_BROKEN;
            assert_int_equal(got, wanted);
            if (got == PS_STAMP_GOOD || got == PS_STAMP_CHANGED)
                assert_same(&found, &stamp);
            text[i] = (char)(text[i] ^ (char)flip);
        }
    }
}

static void test_cut(void **state)
{
    char text[EVENT_BYTES];
    struct ps_stamp stamp = event_make(text), found;
    for (size_t length = 0; length <= EVENT_BYTES; length++) {
        enum ps_stamp_state wanted = PS_STAMP_GOOD, got = find(text, length, &found, NULL);
        if (length < EVENT_BEFORE + 2)
            wanted = PS_STAMP_NONE;
        else if (length < EVENT_BEFORE + PS_STAMP_BYTES)
            wanted = PS_STAMP_BROKEN;
        else if (length < EVENT_BYTES)
            wanted = PS_STAMP_CUT;
        assert_int_equal(got, wanted);
        if (got == PS_STAMP_GOOD || got == PS_STAMP_CUT)
            assert_same(&found, &stamp);
    }
    for (size_t front = EVENT_BEFORE; front < EVENT_BYTES; front++) /* also cut in front */
        assert_int_equal(find(text + front, EVENT_BYTES - front, &found, NULL),
                         front == EVENT_BEFORE ? PS_STAMP_GOOD : PS_STAMP_NONE);
}

static void test_several_tildes(void **state)
{
    static const char *const before[] = {
        "~",
        "~~~",
        "~1",
        "~1~1",
        "see ~1GB of it in ~/logs and ~11 more or ~1,000 of these things: ",
        "~1 ",
        "~1AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "~1AAAAAAAAAAAAAAAA",
    };
    char event[EVENT_BYTES], text[400];
    struct ps_stamp stamp = event_make(event), found;
    size_t at = 0;
    for (size_t i = 0; i < PS_COUNT_OF(before); i++) {
        size_t length = strlen(before[i]);
        memcpy(text, before[i], length);
        memcpy(text + length, event + EVENT_BEFORE, EVENT_BYTES - EVENT_BEFORE);
        assert_int_equal(find(text, length + EVENT_BYTES - EVENT_BEFORE, &found, &at), PS_STAMP_GOOD);
        assert_int_equal(at, length);
        assert_same(&found, &stamp);
    }
    /* two joined events: the first one is found */
    struct ps_stamp second = stamp;
    second.sequence++;
    memcpy(text, event, EVENT_BYTES);
    memcpy(text + EVENT_BYTES, event, EVENT_BYTES);
    ps_stamp_write(&second, text + EVENT_BYTES + EVENT_BEFORE);
    assert_int_equal(find(text, 2 * EVENT_BYTES, &found, &at), PS_STAMP_GOOD);
    assert_int_equal(at, EVENT_BEFORE);
    assert_same(&found, &stamp);
    text[EVENT_BEFORE + 5]++; /* unless the first is broken */
    assert_int_equal(find(text, 2 * EVENT_BYTES, &found, &at), PS_STAMP_GOOD);
    assert_int_equal(at, EVENT_BYTES + EVENT_BEFORE);
    assert_same(&found, &second);
    assert_int_equal(find(text, EVENT_BYTES, &found, &at), PS_STAMP_BROKEN);
    assert_int_equal(at, EVENT_BEFORE);
}

static void test_no_stamp(void **state)
{
    static const char *const texts[] = {
        "",
        "~",
        "~2AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "nothing at all",
        "took ~1 second to get from here to the other side of the disk",
        "~1GB, ~12%, ~1.5 (of 3) ~1/2",
    };
    struct ps_stamp found;
    for (size_t i = 0; i < PS_COUNT_OF(texts); i++)
        assert_int_equal(find(texts[i], strlen(texts[i]), &found, NULL), PS_STAMP_NONE);
}

struct wrapped {
    const char *plain, *escaped;
};

/* A stamp is right although its covered text was escaped in a JSON string. */
static void test_json_escapes(void **state)
{
    static const struct wrapped cases[] = {
        {"say \"hello\" \\ and / go", "say \\\"hello\\\" \\\\ and \\/ go"},
        {"\b\f\n\r\t", "\\b\\f\\n\\r\\t"},
        {"a\x01z", "a\\u0001z"},
        {"caf\xc3\xa9 \xe2\x82\xac", "caf\\u00e9 \\u20AC"},
        {"\xf0\x9f\x98\x80!", "\\ud83d\\ude00!"},
        {"not an escape \\q \\u12", "not an escape \\\\q \\\\u12"},
    };
    char text[400], shown[400];
    struct ps_stamp found;
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_stamp stamp = {1, 2, 3, 4, (uint32_t)strlen(cases[i].plain), false};
        memcpy(text + PS_STAMP_BYTES, cases[i].plain, stamp.covered);
        ps_stamp_write(&stamp, text);
        int length =
            snprintf(shown, sizeof shown, "{\"message\":\"%.38s%s\",\"host\":\"h\"}", text, cases[i].escaped);
        assert_int_equal(find(shown, (size_t)length, &found, NULL), PS_STAMP_GOOD);
        assert_same(&found, &stamp);
        char *last = strstr(shown, "\",\"host") - 1;
        *last = *last == 'o' ? 'p' : 'o';
        assert_int_equal(find(shown, (size_t)length, &found, NULL), PS_STAMP_CHANGED);
    }
}

/* Long covered text with many escapes: it is longer than the buffer in which it is unescaped. */
static void test_json_escapes_long(void **state)
{
    char text[PS_STAMP_BYTES + 3000], shown[PS_STAMP_BYTES + 3000 * 6];
    uint64_t random = ps_test_seed();
    for (unsigned round = 0; round < 300; round++) {
        struct ps_stamp stamp = stamp_random(&random, 3000), found;
        for (uint32_t i = 0; i < stamp.covered; i++)
            text[PS_STAMP_BYTES + i] = (char)(ps_test_random(&random) % 128);
        ps_stamp_write(&stamp, text);
        memcpy(shown, text, PS_STAMP_BYTES);
        size_t length = PS_STAMP_BYTES;
        for (uint32_t i = 0; i < stamp.covered; i++) {
            char c = text[PS_STAMP_BYTES + i];
            if (c == '"' || c == '\\') {
                shown[length++] = '\\';
                shown[length++] = c;
            } else if (c < 0x20 || ps_test_random(&random) % 4 == 0)
                length += (size_t)sprintf(shown + length, "\\u%04x", c);
            else
                shown[length++] = c;
        }
        assert_int_equal(find(shown, length, &found, NULL), PS_STAMP_GOOD);
        assert_same(&found, &stamp);
        if (length > PS_STAMP_BYTES)
            assert_int_not_equal(find(shown, length - 1, &found, NULL), PS_STAMP_GOOD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written),
        cmocka_unit_test(test_largest_cover),
        cmocka_unit_test(test_found_anywhere),
        cmocka_unit_test(test_one_byte_flipped),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_several_tildes),
        cmocka_unit_test(test_no_stamp),
        cmocka_unit_test(test_json_escapes),
        cmocka_unit_test(test_json_escapes_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
