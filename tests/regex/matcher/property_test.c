/* Random sets of expressions over random subjects in random layouts: the matcher gives the same results as
 * asking one expression after the other (regex/regex.h), whichever way it scans. */
#include "tests/regex/matcher/support.h"

#include "regex/matcher/internal.h"

#define SUBJECTS_MAX 300U
#define MEMORY_BYTES (3U << 20)
/* The results do not depend on the build: a sanitizer has fewer sets to look for wrong accesses in. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ROUNDS 40U
#else
#define ROUNDS 120U
#endif

static uint64_t below(uint64_t *random, uint64_t limit)
{
    return ps_test_random(random) % limit;
}

/* ---- expressions ---- */

static const char *const real_ones[] = {
    "status=(200|404)",
    "^<\\d+>",
    "\"(GET|POST) [^\"]*\" 5\\d\\d ",
    "\\bERROR\\b",
    "(?i)exception",
    "(?i)\\bfail(ed|ure)?\\b",
    "^\\S+ \\S+ \\S+ \\[[^\\]]+\\] ",
    "\\[(\\w+)\\] .*timeout",
    "^\\s*$",
    "^$",
    "user=(\\w+)\\b(?!.*test)",
    "(\\d{1,3}\\.){3}\\d{1,3}",
    "DEBUG.*", /* not ".*DEBUG": PCRE2 needs time quadratic in a long subject */
    "(?m)^at ",
    "(?s)begin.*end",
    "\\p{Lu}\\p{Ll}+",
    "(a)(b)?\\1",
    "foo$",
    "\\Aab",
    "ab\\Z",
    "ab\\z",
    "[^a]b[^a]",
    "\\n",
    "a\\R?b",
    "\xC3\xA9t\xC3\xA9",
    "\\uFFFD",
    "[^\\x00-\\x7F]",
    "\\x00",
    "(?<=a)b",
    "(?<!a)b",
    "a{2,5}?b",
    "(?:a|b)*+c",
    "a",
    "",
    ".",
    ".*",
    "(?s).*",
    "\\W",
    "\\s",
    "\\S",
    "(?u)(?i)\xC3\xA9",
    "[[a-z]&&[^b]]=",
    "x?",
    "a|^b|c$",
};

struct writer {
    char text[400];
    size_t length;
    uint64_t *random;
};

static void append(struct writer *to, const char *what)
{
    size_t length = strlen(what);
    if (to->length + length < sizeof to->text) {
        memcpy(to->text + to->length, what, length + 1);
        to->length += length;
    }
}

static void append_one_of(struct writer *to, const char *const *words, size_t count)
{
    append(to, words[below(to->random, count)]);
}

static void append_expression(struct writer *to, unsigned depth)
{
    static const char *const atoms[] = {"a",     "b",        "c",      "ab",        "=",        " ",   "0",
                                        "7",     "\\.",      "[ab]",   "[^a]",      "[a-c0-9]", "\\d", "\\w",
                                        "\\s",   "\\S",      "\\D",    "\\W",       ".",        "\\n", "\\t",
                                        "\\x41", "\xC3\xA9", "[^\\n]", "\\x{FFFD}", "[\\s\\d]", "\\r"};
    static const char *const edges[] = {"^", "$", "\\b", "\\A", "\\z", "\\Z", "\\B"};
    static const char *const repeats[] = {"*", "+", "?", "{2}", "{1,3}", "{0,2}", "*?", "+?", "{2,}"};
    unsigned pieces = 1 + (unsigned)below(to->random, 4);
    if (below(to->random, 12) == 0)
        append_one_of(to, (const char *const[]){"(?i)", "(?s)", "(?m)", "(?d)"}, 4);
    for (unsigned i = 0; i < pieces; i++) {
        uint64_t kind = below(to->random, 12);
        if (kind == 0) {
            append_one_of(to, edges, PS_COUNT_OF(edges));
            continue;
        }
        if (kind <= 2 && depth > 0) {
            append_one_of(to, (const char *const[]){"(", "(?:"}, 2);
            append_expression(to, depth - 1);
            append(to, ")");
        } else {
            append_one_of(to, atoms, PS_COUNT_OF(atoms));
        }
        if (below(to->random, 3) == 0)
            append_one_of(to, repeats, PS_COUNT_OF(repeats));
    }
    if (depth > 0 && below(to->random, 5) == 0) {
        append(to, "|");
        append_expression(to, depth - 1);
    }
}

/* Generated expressions can be slow in PCRE2, so they do not get long subjects. */
static void add_some(struct set *set, uint64_t *random, uint32_t count, bool made_up)
{
    while (set->count < count) {
        struct writer writer = {.random = random};
        if (!made_up || below(random, 4) == 0)
            append_one_of(&writer, real_ones, PS_COUNT_OF(real_ones));
        else
            append_expression(&writer, 2);
        struct ps_regex *regex = ps_regex_create(writer.text, 0, PS_REGEX_FIND, NULL);
        if (regex != NULL) /* e.g. a bracket was cut off */
            set->regexes[set->count++] = regex;
    }
}

/* ---- subjects ---- */

static const char *const words[] = {
    "a",
    "b",
    "c",
    "ab",
    "aab",
    "=",
    " ",
    "0",
    "7",
    "404",
    "status=404",
    "ERROR",
    "foo",
    "at ",
    ".",
    "\t",
    "x",
    "10.0.0.1",
    "user=bob",
    "timeout",
    "[main] ",
    "\"GET / HTTP/1.1\" 503 ",
    "fail",
    "FAILED",
    "A",
    "<13>",
    /* awkward ones from here */
    "\n",
    "\r\n",
    "\r",
    "\xFF",
    "\xFE",
    "\xC3",
    "\xC3\xA9",
    "\xE2\x80\xA8",
    "\xC2\x85",
    "\xEF\xBF\xBD",
    "\0",
    "\xF0\x9F\x98\x80",
    "\xED\xA0\x80",
};
#define AWKWARD 13U

struct memory {
    char *bytes;
    size_t length;
};

static void put(struct memory *memory, const char *bytes, size_t length)
{
    if (memory->length + length <= MEMORY_BYTES) {
        memcpy(memory->bytes + memory->length, bytes, length);
        memory->length += length;
    }
}

static void put_words(struct memory *memory, uint64_t *random, bool awkward, bool long_ones)
{
    uint64_t count = below(random, long_ones ? 10 : 5);
    for (uint64_t i = 0; i < count; i++) {
        size_t word = (size_t)below(random, PS_COUNT_OF(words) - (awkward ? 0 : AWKWARD));
        put(memory, words[word], words[word][0] == '\0' ? 1 : strlen(words[word]));
    }
}

/* Padding fills chunks, makes long runs, and makes subjects that are scanned alone. */
static void put_padding(struct memory *memory, uint64_t *random, bool long_ones)
{
    static char padding[70000];
    uint64_t kind = below(random, 400);
    memset(padding, 'p', sizeof padding);
    if (!long_ones) {
        if (kind < 40)
            put(memory, padding, (size_t)below(random, 20));
        return;
    }
    if (kind == 0 && below(random, 8) == 0) {
        for (unsigned i = 0; i < 16; i++)
            put(memory, padding, 1U << 16);
    } else if (kind == 0) {
        put(memory, padding, (size_t)below(random, sizeof padding));
    } else if (kind < 12) {
        put(memory, padding, (size_t)below(random, 6000));
    } else if (kind < 100) {
        put(memory, padding, (size_t)below(random, 300));
    }
}

/* Places subjects in memory in one of the ways that sources leave them. */
static uint32_t lay_out(struct memory *memory, uint64_t *random, struct ps_slice *subjects, bool long_ones)
{
    bool awkward = below(random, 3) != 0, lines = below(random, 2) == 0;
    uint32_t count = 1 + (uint32_t)below(random, SUBJECTS_MAX);
    if (below(random, 4) == 0)
        count = 1 + (uint32_t)below(random, 4);
    memory->length = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t start = memory->length;
        if (below(random, 20) != 0) {
            put_words(memory, random, awkward, long_ones);
            put_padding(memory, random, long_ones);
            put_words(memory, random, awkward, long_ones);
        }
        subjects[i] = (struct ps_slice){memory->bytes + start, (uint32_t)(memory->length - start)};
        if (lines ? below(random, 50) != 0 : below(random, 4) == 0)
            put(memory, "\n", 1);
        else
            put(memory, "a\n b\r\n", (size_t)below(random, 7));
        if (below(random, 100) == 0)
            subjects[i] = (struct ps_slice){NULL, 0};
    }
    if (below(random, 5) == 0) { /* in a different order than in memory */
        for (uint32_t i = 0; i < count; i++) {
            uint32_t other = (uint32_t)below(random, count);
            struct ps_slice one = subjects[i];
            subjects[i] = subjects[other];
            subjects[other] = one;
        }
    }
    return count;
}

static void test_agrees_with_one_by_one(void **state)
{
    uint64_t random = ps_test_seed() | 1;
    static struct ps_slice subjects[SUBJECTS_MAX];
    struct memory memory = {.bytes = malloc(MEMORY_BYTES)};
    assert_non_null(memory.bytes);
    unsigned borders[3] = {0}, worths[3] = {0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct set set = {0};
        bool long_ones = round % 4 == 0;
        add_some(&set, &random, 1 + (uint32_t)below(&random, round % 8 == 1 ? 100 : 6), !long_ones);
        set_make(&set, NULL);
        borders[set.matcher->border]++;
        for (uint32_t i = 0; i < set.count; i++)
            worths[set.matcher->worth[i]]++;
        for (unsigned i = 0; i < 3; i++)
            set_check(&set, subjects, lay_out(&memory, &random, subjects, long_ones));
        set_fini(&set);
    }
    free(memory.bytes);
    assert_true(borders[0] > 0 && borders[1] > 0 && borders[2] > 0); /* every kind occurred */
    assert_true(worths[0] > 0 && worths[1] > 0 && worths[2] > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_agrees_with_one_by_one)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
