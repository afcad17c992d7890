/* The JSON of source http at the boundaries: comments, escapes and strings that end with the text, or a byte before or
 * after its end. Each text is scanned in memory of its own size: a sanitizer reports reads past it. */
#include "stages/lib/http/json/scan.h"

#include "tests/support/hash_tables.h"
#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct ps_json_scan scan;

/* Scans a copy. In memory, the bytes of `behind` follow it. */
static void run(const char *text, size_t length, const char *behind)
{
    size_t more = strlen(behind);
    char *copy = malloc(length + more + (length + more == 0));
    assert_non_null(copy);
    memcpy(copy, text, length);
    memcpy(copy + length, behind, more);
    (void)ps_json_scan(&scan, copy, (uint32_t)length, 0);
    free(copy);
}

static void test_comments(void **unused)
{
    static const char unterminated[] = "unterminated comment", early[] = "the text ends too early";
    static const struct {
        const char *text;
        unsigned status, events;
        const char *reason;
        const char *behind;
    } cases[] = {
        {"[{}/**/]", 200, 1, NULL, ""},
        {"[/***/{}/* * / **/]", 200, 1, NULL, ""},
        {"/**/[{}]", 200, 1, NULL, ""},
        {"[//x\n{}#y\r]", 200, 1, NULL, ""},
        {"[{}/*/]", 400, 1, unterminated, ""},
        {"[{}/*", 400, 1, unterminated, ""},
        {"[{}/**", 400, 1, unterminated, ""},
        {"[{}/**", 400, 1, unterminated, "/]"}, /* the comment would end after the end of the text */
        {"[{}/* *", 400, 1, unterminated, "/]"},
        {"[{}/**/", 400, 1, early, "]"},
        {"[{}//", 400, 1, early, "\n]"},
        {"[{}#", 400, 1, early, "\n]"},
        {"[{}/", 400, 1, "unterminated array", "*/]"},
        {"/**/", 500, 0, "the body is empty", "[]"},
        {"/*", 400, 0, unterminated, ""},
        {"[{}]/**/", 400, 1, "something follows the array", ""},
        {"[{}] \t\r\n", 200, 1, NULL, "x"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        run(cases[i].text, strlen(cases[i].text), cases[i].behind);
        if (scan.status != cases[i].status || scan.event_count != cases[i].events ||
            (cases[i].reason == NULL ? scan.reason != NULL : strcmp(scan.reason, cases[i].reason) != 0))
            fail_msg("%s: %u, %u events: %s", cases[i].text, scan.status, scan.event_count,
                     scan.reason != NULL ? scan.reason : "");
    }
}

/* Quotes and escapes at every place of the 16 bytes that are searched in one step; every text that is cut is refused. */
static void test_texts_of_every_length(void **unused)
{
    static const char *const escapes[] = {"", "\\n", "\\\"", "\\\\", "\\u00e9"};
    char text[256];
    for (unsigned before = 0; before <= 34; before++) {
        for (size_t i = 0; i < PS_COUNT_OF(escapes); i++) {
            for (unsigned behind = 0; behind <= 17; behind++) {
                int length = snprintf(text, sizeof text, "[{\"body\":\"%.*s%s%.*s\"}]", (int)before,
                                      "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", escapes[i], (int)behind,
                                      "bbbbbbbbbbbbbbbbbbbbbbbb");
                run(text, (size_t)length, "\"");
                assert_int_equal(scan.status, 200);
                assert_int_equal(scan.event_count, 1);
                assert_int_equal(scan.events[0].body.at, 10);
                assert_int_equal(scan.events[0].body.length, before + strlen(escapes[i]) + behind);
                assert_int_equal(scan.events[0].body.kind, i == 0 ? PS_JSON_PLAIN : PS_JSON_ESCAPED);
                for (int cut = 10; cut < length && behind == 1; cut++) {
                    run(text, (size_t)cut, "\"}]");
                    assert_int_equal(scan.status, 400);
                }
            }
        }
    }
}

static void test_escapes(void **unused)
{
    static const struct {
        const char *escape;
        unsigned status;
    } cases[] = {
        {"\\uabcd", 200}, {"\\uABCD", 200}, {"\\u0919", 200}, {"\\ufFf", 500},  {"\\ug000", 500},
        {"\\u000g", 500}, {"\\u00/0", 500}, {"\\u00:0", 500}, {"\\u00@0", 500}, {"\\u00`0", 500},
        {"\\u00G0", 500}, {"\\t", 200},     {"\\b", 200},     {"\\'", 200},     {"\\/", 200},
        {"\\x", 400},     {"\\U0041", 400}, {"\\0", 400},     {"\\", 400},
    };
    char text[64];
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        int length = snprintf(text, sizeof text, "[{\"body\":\"%s\"}]", cases[i].escape);
        run(text, (size_t)length, "");
        if (scan.status != cases[i].status)
            fail_msg("%s: %u", cases[i].escape, scan.status);
    }
    run("[{\"body\":\"\\\0\"}]", 15, "");
    assert_int_equal(scan.status, 400);
}

/* Arrays around the number of events that a scan keeps: it keeps the first ones, and reports where the rest begins. */
static void test_rests(void **unused)
{
    for (unsigned count = 3; count <= 5; count++) {
        char text[64] = "[";
        for (unsigned i = 0; i < count; i++)
            strcat(text, i > 0 ? ",{a:1}" : "{a:1}");
        strcat(text, "]");
        scan.events_max = 4;
        run(text, strlen(text), "");
        assert_int_equal(scan.total, count);
        assert_int_equal(scan.event_count, count < 4 ? count : 4);
        assert_int_equal(scan.rest_at, count > 4 ? 1 + 4 * 5 + 3 : 0);
        if (count <= 4)
            continue;
        assert_true(ps_json_scan(&scan, text, (uint32_t)strlen(text), scan.rest_at));
        assert_int_equal(scan.event_count, 1);
        assert_int_equal(scan.rest_at, 0);
    }
    scan.events_max = PS_JSON_EVENTS_MAX;
}

static void expect_headers(const uint32_t *counts, uint32_t count)
{
    assert_int_equal(scan.status, 200);
    assert_int_equal(scan.event_count, count);
    for (uint32_t i = 0; i < count; i++)
        assert_int_equal(scan.events[i].header_count, counts[i]);
}

/* Events around the number of headers that a scan keeps: each comes with all its headers, in the first scan or in that of the rest. */
static void test_rests_with_many_headers(void **unused)
{
    enum { EVENTS = 19, MOST = 4096 };
    static char text[EVENTS * MOST * 12];
    uint32_t counts[EVENTS];
    for (uint32_t more = 0; more <= 2; more++) {
        size_t length = 0;
        uint32_t all = 0, first = 0;
        for (unsigned i = 0; i < EVENTS; i++) {
            const unsigned full = PS_JSON_HEADERS_KEPT_MAX / MOST - 1;
            counts[i] = i < full ? MOST : i == full ? MOST - 1 : i == full + 1 ? more : 3;
            first += all < PS_JSON_HEADERS_KEPT_MAX;
            all += counts[i];
            length += (size_t)sprintf(text + length, "%c{\"headers\":{", i > 0 ? ',' : '[');
            for (uint32_t k = 0; k < counts[i]; k++)
                length += (size_t)sprintf(text + length, "%s\"%x\":\"\"", k > 0 ? "," : "", k);
            length += (size_t)sprintf(text + length, "}}");
        }
        text[length++] = ']';
        run(text, length, "");
        assert_int_equal(scan.total, EVENTS);
        expect_headers(counts, first);
        assert_true(ps_json_scan(&scan, text, (uint32_t)length, scan.rest_at));
        expect_headers(counts + first, EVENTS - first);
        assert_int_equal(scan.rest_at, 0);
    }
}

/* Members of an event that are ignored may be nested as deep as the limit, and no deeper. */
static void test_depth(void **unused)
{
    for (unsigned depth = PS_JSON_DEPTH_MAX - 1; depth <= PS_JSON_DEPTH_MAX + 1; depth++) {
        char text[2 * PS_JSON_DEPTH_MAX + 64] = "[{x:";
        memset(text + 4, '[', depth);
        memset(text + 4 + depth, ']', depth);
        strcpy(text + 4 + 2 * (size_t)depth, "}]");
        run(text, strlen(text), "");
        assert_int_equal(scan.status, depth <= PS_JSON_DEPTH_MAX ? 200 : 400);
    }
}

static int set_up(void **state)
{
    return ps_json_scan_init(&scan) ? 0 : -1;
}

static int tear_down(void **state)
{
    ps_json_scan_fini(&scan);
    return 0;
}

/* Flume reads the whole text before it finds an event that is null. */
static void test_null_events(void **unused)
{
    static const struct {
        const char *text;
        unsigned status;
    } cases[] = {
        {"[null]", 500}, {"[,]", 500},      {"[{},]", 500},  {"[{},] x", 400},
        {"[,]]", 400},   {"[null,{]", 400}, {"[{}] x", 400},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        run(cases[i].text, strlen(cases[i].text), "");
        if (scan.status != cases[i].status)
            fail_msg("%s: %u", cases[i].text, scan.status);
    }
}

/* A name may come again after a null: Gson checks whether the map had a value. */
static void test_names_that_come_again(void **unused)
{
    static const struct {
        const char *text;
        unsigned status, headers;
    } cases[] = {
        {"[{headers:{x:null,x:1}}]", 200, 1},
        {"[{headers:{x:null,x:null,y:2,x:1}}]", 200, 2},
        {"[{headers:{x:null,x:1,x:2}}]", 400, 1},
        {"[{headers:{x:1,x:null}}]", 400, 1},
        {"[{headers:{x:null}},{headers:{x:1}}]", 200, 2},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        run(cases[i].text, strlen(cases[i].text), "");
        if (scan.status != cases[i].status || scan.header_count != cases[i].headers)
            fail_msg("%s: %u, %u headers", cases[i].text, scan.status, scan.header_count);
    }
}

/* Gson's keywords are read in letters of either case. With any other byte in the place of any letter, with a byte more and with
 * one less it is a text. */
static void test_keywords(void **unused)
{
    static const struct {
        const char *word;
        enum ps_json_kind kind;
    } words[] = {{"null", PS_JSON_NULL}, {"true", PS_JSON_TRUE}, {"false", PS_JSON_FALSE}};
    for (size_t i = 0; i < PS_COUNT_OF(words); i++) {
        size_t length = strlen(words[i].word);
        for (size_t at = 0; at < length + 2; at++) { /* behind the letters: one more, one less */
            for (unsigned byte = '!'; byte <= '~'; byte++) {
                char text[64], word[8];
                enum ps_json_kind kind = PS_JSON_PLAIN;
                memcpy(word, words[i].word, length + 1);
                if (strchr("/\\;#=,:{}[]'\"", (int)byte) != NULL)
                    continue;
                if (at > length)
                    word[length - 1] = '\0';
                else
                    word[at] = (char)byte;
                word[at == length ? length + 1 : length] = '\0';
                if (at < length && (byte | 0x20) == (unsigned char)words[i].word[at])
                    kind = words[i].kind;
                snprintf(text, sizeof text, "[{body:%s}]", word);
                run(text, strlen(text), "");
                if (scan.status != 200 || scan.event_count != 1 || scan.events[0].body.kind != kind)
                    fail_msg("%s: %u, kind %d", text, scan.status, (int)scan.events[0].body.kind);
            }
        }
    }
}

/* Scans an event with a body, a header and one member more. */
static void run_member(const char *name, const char *value)
{
    char text[256];
    int length =
        snprintf(text, sizeof text, "[{\"body\":\"x\",\"headers\":{\"h\":\"1\"},%s:%s}]", name, value);
    assert_true(length < (int)sizeof text);
    run(text, (size_t)length, "");
}

/* Only the members body and headers count, whatever their quotes and escapes. Every other name is ignored with any value: one that is
 * longer, shorter, or differs in a letter. */
static void test_members_that_count(void **unused)
{
    static const char *const words[] = {"body", "headers"};
    static const char *const longer[] = {"%s_id", "\"_%s\"", "\"%s\\u0000\""};
    static const char *const values[] = {"[{}]", "7", "\"7\"", "{\"a\":\"7\"}", "null"};
    char name[64];
    for (size_t i = 0; i < PS_COUNT_OF(words); i++) {
        size_t length = strlen(words[i]);
        for (size_t at = 0; at <= 2 * length + 2; at++) {
            if (at < length) /* shorter */
                snprintf(name, sizeof name, "\"%.*s\"", (int)at, words[i]);
            else if (at < 2 * length) { /* a capital */
                snprintf(name, sizeof name, "'%s'", words[i]);
                name[1 + at - length] &= ~0x20;
            } else /* longer */
                snprintf(name, sizeof name, longer[at - 2 * length], words[i]);
            for (size_t k = 0; k < PS_COUNT_OF(values); k++) {
                run_member(name, values[k]);
                if (scan.status != 200 || scan.event_count != 1 || scan.events[0].body.length != 1 ||
                    scan.events[0].body.at != strlen("[{\"body\":\"") || scan.header_count != 1)
                    fail_msg("%s: %s: %u, %u headers, a body of %u bytes", name, values[k], scan.status,
                             scan.header_count, scan.events[0].body.length);
            }
        }
        for (unsigned form = 0; form < 4; form++) { /* the last of several counts */
            static const char *const formats[] = {"%s", "\"%s\"", "'%s'"};
            if (form < 3)
                snprintf(name, sizeof name, formats[form], words[i]);
            else
                snprintf(name, sizeof name, "\"\\u00%x%s\"", (unsigned)words[i][0], words[i] + 1);
            run_member(name, i == 0 ? "seven" : "{a:1,b:2,c:3}");
            if (scan.status != 200 || scan.events[0].body.length != (i == 0 ? 5 : 1) ||
                scan.header_count != (i == 0 ? 1 : 3))
                fail_msg("%s: %u, %u headers, a body of %u bytes", name, scan.status, scan.header_count,
                         scan.events[0].body.length);
        }
    }
}

/* One event whose names a client has chosen to have one hash: the places of the table of names that are visited grow with the number of
 * names, not with its square. */
static void test_names_of_one_hash(void **unused)
{
    static char text[PS_EVENT_HEADERS_MAX * (PS_TEST_COLLIDING_ROOM + 8)];
    for (uint32_t count = PS_EVENT_HEADERS_MAX / 4; count <= PS_EVENT_HEADERS_MAX; count *= 4) {
        char name[PS_TEST_COLLIDING_ROOM];
        uint32_t visited = 0, found = 0, length = (uint32_t)sprintf(text, "[{headers:{");
        for (uint32_t i = 0; i < count; i++) {
            (void)ps_test_colliding_name(name, "", i);
            length += (uint32_t)sprintf(text + length, "%s%s:v", i > 0 ? "," : "", name);
        }
        length += (uint32_t)sprintf(text + length, "}}]");
        assert_true(ps_json_scan(&scan, text, length, 0));
        assert_int_equal(scan.header_count, count);
        for (uint32_t at = 0; at < 2 * PS_EVENT_HEADERS_MAX; at++) {
            if (scan.places[at].stamp != scan.stamp)
                continue;
            const struct ps_json_text *known = &scan.headers[scan.places[at].header].name;
            visited += ps_test_visited(ps_name_keyed_hash(text + known->at, known->length), at,
                                       2 * PS_EVENT_HEADERS_MAX - 1);
            found++;
        }
        assert_int_equal(found, count);
        assert_in_range(visited, count, 3 * count);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comments),
        cmocka_unit_test(test_keywords),
        cmocka_unit_test(test_members_that_count),
        cmocka_unit_test(test_null_events),
        cmocka_unit_test(test_names_that_come_again),
        cmocka_unit_test(test_names_of_one_hash),
        cmocka_unit_test(test_texts_of_every_length),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_rests),
        cmocka_unit_test(test_rests_with_many_headers),
        cmocka_unit_test(test_depth),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
