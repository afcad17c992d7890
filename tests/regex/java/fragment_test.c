/* The fragment of an expression: compared with fragments that were found by hand; it occurs in every text that the
 * expression matches, for random expressions and such texts. */
#include "regex/regex.h"

#include "tests/support/support.h"

#include <stdio.h>

static void test_by_hand(void **unused)
{
    static const struct {
        const char *pattern, *fragment;
    } cases[] = {
        {"method=(\\w+) path=(\\S+) status=(5\\d+) bytes=(\\d+)", " status\\=5"},
        {"^(\\S+ \\S+) (\\w+) \\[(.*?)\\]", NULL}, /* no text that is long enough */
        {"(?<who>user)name=(?:[a-z]+)-x*end", "username\\="},
        {"xi+d=\\d{3}(?=x)abcd\\d*", "id\\=[0-9]{3}abcd"},
        {"x.+ab{2,}cdef.*", "b{2}cdef"},
        {"a+bcd", NULL}, /* it becomes abcd */
        {"x.*abc?defg.*z", "defg"},
        {"x.*abc*+defg.*z", "defg"},
        {"a(b(c)d)e.*z", "abcde"},
        {"x(abcd)+x.*y", "xabcd"},
        {"x(abc.)+x.*y", NULL},
        {"x(ab|cd){2}y.*z", "x(?:(?:ab|cd)){2}y"},
        {"xa+(a\\.|b)wxyz", "a(?:a\\.|b)wxyz"},
        {"xa+(a.|b)wxyz", "wxyz"},
        {"zx+y status=(?:200|404) .*z", "xy status\\=(?:200|404) "},
        {"zx+ab(?:|cdefghi)y", NULL}, /* one branch is empty */
        {"x\\bstatus=\\d+\\b.", "xstatus\\="},
        {"caf\xC3\xA9+ au lait", " au lait"},
        {"y[^a]status[ab]+x", "status"},
        {"a\\.b\\.c\\.d.*e", "a\\.b\\.c\\.d"},
        {"a.{3,}bcde", "bcde"},
        {"a.{3,100}bcde", "bcde"},
        {"a.{3,10}bcde", NULL}, /* Hyperscan can count to ten */
        {"status", NULL},       /* cheap as it is */
        {".*status=(200|404).*", NULL},
        {"user=(\\w+)", NULL},
        {"a?b.status=\\d", NULL},
        {"abcd|efgh.*i", NULL},  /* no text is in every branch */
        {"ab.*cd", NULL},        /* too short */
        {"(?i)abcdef.*x", NULL}, /* case-insensitive */
        {"a(?i:b)+cdefgh.*x", "cdefgh"},
        {"xx+\\Qab.def\\E.*x", "xab\\.def"},
        {"(abcdef).*\\1x", "abcdefx"},
        {"zx+\\x41bcdef", "xAbcdef"},
        {"x\\p{L}+abcdef", "abcdef"},
        {"x[a&&[b]]+abcdef", NULL},
        {"zx+ab{2}cd", "xab{2}cd"},
        {"zx+ab{32}cd", "xab{32}cd"},
        {"zx+ab{33}cdefgh",
         "b{32}cdefgh"}, /* longer repeats are cut, and what is before them is not adjacent */
        {"zx+ab{1000}cdefgh", "b{32}cdefgh"},
        {"zx+ab{32,}cdefgh", "b{32}cdefgh"},
    };
    for (size_t i = 0; i < PS_COUNT_OF(cases); i++) {
        struct ps_regex *regex = ps_regex_create(cases[i].pattern, 0, PS_REGEX_FIND, NULL);
        assert_non_null(regex);
        const char *fragment = ps_regex_java(regex)->fragment;
        if ((fragment == NULL) != (cases[i].fragment == NULL) ||
            (fragment != NULL && strcmp(fragment, cases[i].fragment) != 0))
            fail_msg("%s: %s, not %s", cases[i].pattern, fragment != NULL ? fragment : "none",
                     cases[i].fragment != NULL ? cases[i].fragment : "none");
        ps_regex_destroy(regex);
    }
}

struct maker {
    uint64_t *random;
    char pattern[512], text[2048];
    size_t pattern_length, text_length;
    bool full; /* about one draw in a million does not fit, and is not used */
};

static uint64_t pick(struct maker *maker, uint64_t below)
{
    return ps_test_random(maker->random) % below;
}

/* Appends to a buffer of this size, all or nothing. */
static void put(struct maker *maker, char *buffer, size_t size, size_t *length, const char *text)
{
    size_t more = strlen(text);
    if (*length + more >= size) {
        maker->full = true;
        return;
    }
    memcpy(buffer + *length, text, more + 1);
    *length += more;
}

static void put_pattern(struct maker *maker, const char *text)
{
    put(maker, maker->pattern, sizeof maker->pattern, &maker->pattern_length, text);
}

static void put_text(struct maker *maker, const char *text)
{
    put(maker, maker->text, sizeof maker->text, &maker->text_length, text);
}

static void make_sequence(struct maker *maker, unsigned depth);

/* Makes one atom, and a text that matches it (most of the time: assertions may disagree). */
static void make_atom(struct maker *maker, unsigned depth)
{
    static const struct {
        const char *pattern, *text;
    } atoms[] = {
        {"a", "a"},
        {"bc", "bc"},
        {"key=", "key="},
        {"\\d", "7"},
        {"\\w", "_"},
        {".", "q"},
        {"\\.", "."},
        {"[a-c]", "b"},
        {"[^x]", "y"},
        {"\\s", " "},
        {"\xC3\xA9", "\xC3\xA9"},
        {"\\b", ""},
        {"^", ""},
        {"$", ""},
        {"(?=a)", ""},
        {"(?<!z)", ""},
        {"-", "-"},
        {"[\\d_]", "3"},
        {"(?:x|yz)", "yz"},
        {" ", " "},
        {"\\t", "\t"},
        {"[a&&[^b]]", "a"},
        {"/", "/"},
    };
    static const char *const repeats[] = {"",    "",     "",      "",       "+",  "*", "?",
                                          "{2}", "{2,}", "{0,3}", "{1,2}?", "++", "*?"};
    size_t before = maker->text_length;
    const char *repeat = repeats[pick(maker, PS_COUNT_OF(repeats))];
    if (depth < 3 && pick(maker, 5) == 0) {
        static const char *const openings[] = {"(", "(?:", "(?>", "(?<n%u>"};
        char opening[32];
        snprintf(opening, sizeof opening, openings[pick(maker, 4)], (unsigned)maker->pattern_length);
        put_pattern(maker, opening);
        make_sequence(maker, depth + 1);
        put_pattern(maker, ")");
    } else {
        size_t i = (size_t)pick(maker, PS_COUNT_OF(atoms));
        put_pattern(maker, atoms[i].pattern);
        put_text(maker, atoms[i].text);
        if (atoms[i].text[0] == '\0')
            return;
        if (strlen(atoms[i].pattern) > 1 && strchr("[(\\", atoms[i].pattern[0]) == NULL)
            repeat = ""; /* it would repeat only its last character */
    }
    char once[256];
    size_t length = maker->text_length - before;
    if (length >= sizeof once)
        repeat = "";
    else
        memcpy(once, maker->text + before, length);
    put_pattern(maker, repeat);
    if (repeat[0] == '{' && repeat[1] == '2') {
        once[length] = '\0';
        put_text(maker, once);
    } else if ((repeat[0] == '*' || repeat[0] == '?') && pick(maker, 2) == 0) {
        maker->text_length = before;
    }
}

static void make_sequence(struct maker *maker, unsigned depth)
{
    for (uint64_t atoms = 1 + pick(maker, 6); atoms > 0; atoms--)
        make_atom(maker, depth);
    if (pick(maker, 12) == 0) {
        put_pattern(maker, "|other");
    }
}

static void test_found_wherever_it_is(void **unused)
{
    uint64_t seed = ps_test_seed() | 1;
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    unsigned fragments = 0, found = 0;
    for (unsigned round = 0; round < 20000; round++) {
        struct maker maker = {.random = &seed};
        put_text(&maker, pick(&maker, 2) == 0 ? "" : "before ");
        make_sequence(&maker, 0);
        put_text(&maker, pick(&maker, 2) == 0 ? "" : " after");
        if (maker.full)
            continue;
        struct ps_regex *regex = ps_regex_create(maker.pattern, 0, PS_REGEX_FIND, NULL);
        const char *text = regex == NULL ? NULL : ps_regex_java(regex)->fragment;
        if (text != NULL) {
            struct ps_regex *fragment = ps_regex_create(text, 0, PS_REGEX_FIND, NULL);
            fragments++;
            if (fragment == NULL)
                fail_msg("%s: the fragment %s does not compile", maker.pattern, text);
            if (ps_regex_find(regex, scratch, maker.text, maker.text_length, 0, NULL, 0)) {
                found++;
                if (!ps_regex_find(fragment, scratch, maker.text, maker.text_length, 0, NULL, 0))
                    fail_msg("%s is in \"%s\", %s is not", maker.pattern, maker.text, text);
            }
            ps_regex_destroy(fragment);
        }
        ps_regex_destroy(regex);
    }
    ps_regex_scratch_destroy(scratch);
    if (fragments < 100 || found < 100)
        fail_msg("%u fragments, %u found: this tests too little", fragments, found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_found_wherever_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
