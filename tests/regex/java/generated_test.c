#include "tests/support/support.h"

#include "regex/java/internal.h"
#include "tests/regex/java/check.h"

/* Random expressions over random subjects: Hyperscan reports at least what PCRE2 finds, and no more where the
 * translation guarantees that. */

#define EXPRESSIONS 400
#define SUBJECTS 12

static uint64_t seed;

static size_t below(size_t limit)
{
    return (size_t)(ps_test_random(&seed) % limit);
}

#define PICK(list) list[below(PS_COUNT_OF(list))]

static const char *const atoms[] = {"a",           "b",          "c",
                                    "x",           "Y",          "0",
                                    "9",           " ",          "_",
                                    "-",           "=",          "\\d",
                                    "\\w",         "\\s",        "\\D",
                                    "\\W",         "\\S",        ".",
                                    ".",           ".",          "\\h",
                                    "\\v",         "\\R",        "\\b",
                                    "\\B",         "^",          "$",
                                    "\\A",         "\\z",        "\\Z",
                                    "\\G",         "\xC3\xA9",   "\xE4\xB8\xAD",
                                    "\\t",         "\\n",        "\\p{L}",
                                    "\\p{Lu}",     "\\1",        "\\2",
                                    "(?i)",        "(?s)",       "(?m)",
                                    "(?d)",        "\\x{1F600}", "[a-c]",
                                    "[^a]",        "[^\\s]",     "[\\W_]",
                                    "\\X",         "\\P{Nd}",    "[^,;]",
                                    "[x\\n]",      "\\H",        "(?u)",
                                    "[a-z&&[^b]]", "\\uFFFD"};
static const char *const repeats[] = {"*",  "+",  "?",      "{2}", "{1,2}", "{0,3}", "{2,}",
                                      "*?", "+?", "{1,3}?", "*+",  "++",    "?+"};
static const char *const groups[] = {"(", "(", "(?:", "(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"};
static const char *const texts[] = {"a",
                                    "b",
                                    "c",
                                    "x",
                                    "X",
                                    "ab",
                                    "0",
                                    "9",
                                    " ",
                                    "_",
                                    "\n",
                                    "\r",
                                    "\xC3\xA9",
                                    "\xC2\x85",
                                    "\xE2\x80\xA8",
                                    "\xE4\xB8\xAD",
                                    "\xF0\x9F\x98\x80",
                                    "\xFF",
                                    "\x80",
                                    "\xE2",
                                    "\xC3",
                                    "\t",
                                    "-",
                                    "=",
                                    "\xE2\x84\xAA"};

static void expression(struct ps_java_text *text, unsigned depth);

static void append(struct ps_java_text *text, const char *more)
{
    ps_java_text_put(text, "%s", more);
}

static void sequence(struct ps_java_text *text, unsigned depth)
{
    for (size_t n = 1 + below(4); n > 0; n--) {
        if (depth > 0 && below(4) == 0) {
            append(text, PICK(groups));
            expression(text, depth - 1);
            append(text, ")");
        } else {
            append(text, PICK(atoms));
        }
        if (below(3) == 0)
            append(text, PICK(repeats));
    }
}

static void expression(struct ps_java_text *text, unsigned depth)
{
    sequence(text, depth);
    for (; below(4) == 0; sequence(text, depth))
        append(text, "|");
}

static void ask(struct check *check, uint64_t started)
{
    for (size_t i = 0; i < SUBJECTS; i++) {
        char subject[128];
        size_t length = 0;
        for (size_t n = below(12); n > 0; n--) {
            const char *piece = PICK(texts);
            memcpy(subject + length, piece, strlen(piece));
            length += strlen(piece);
        }
        if (below(10) == 0)
            subject[length++] = '\0';
        const char *broken = check_subject(check, subject, length);
        if (broken == NULL)
            continue;
        for (size_t at = 0; at < length; at++)
            print_error("%02x ", (uint8_t)subject[at]);
        fail_msg("seed %llu: %s: \"%s\" as %s", (unsigned long long)started, broken,
                 ps_regex_text(check->regex), ps_regex_java(check->regex)->hyperscan);
    }
}

static void test_promise(void **unused)
{
    uint64_t started = seed = ps_test_seed();
    unsigned of_each[5] = {0};
    for (size_t i = 0; i < EXPRESSIONS; i++) {
        struct ps_java_text text = {.data = NULL};
        struct ps_err err = {.length = 0};
        expression(&text, 3);
        struct ps_regex *regex = ps_regex_create(text.data, 0, PS_REGEX_FIND, &err);
        free(text.data);
        if (regex == NULL)
            continue; /* Java also refuses it: see tests/regex/java/table_test.c */
        struct check check;
        char why[256];
        of_each[ps_regex_java(regex)->exactness]++;
        if (check_open(&check, regex, why, sizeof why))
            ask(&check, started);
        else if (strstr(why, "can never match") == NULL)
            fail_msg("seed %llu: Hyperscan refuses %s: %s", (unsigned long long)started,
                     ps_regex_java(regex)->hyperscan, why);
        check_close(&check);
        ps_regex_destroy(regex);
    }
    print_message("exact %u, plain %u, confirm %u, always %u, none %u\n", of_each[0], of_each[1], of_each[2],
                  of_each[3], of_each[4]);
    assert_true(of_each[PS_REGEX_EXACT] > 0 && of_each[PS_REGEX_PLAIN] > 0 && of_each[PS_REGEX_CONFIRM] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_promise)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
