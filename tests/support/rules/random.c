#include "tests/support/rules/random.h"

#include <stdarg.h>
#include <stdio.h>

/* The generator's state while a file is written. */
static uint64_t *random_state;

static unsigned pick(unsigned count)
{
    return (unsigned)(ps_test_random(random_state) % count);
}

static void put(struct ps_test_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void put(struct ps_test_text *text, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    text->length +=
        (size_t)vsnprintf(text->bytes + text->length, sizeof text->bytes - text->length, format, arguments);
    va_end(arguments);
    assert_true(text->length < sizeof text->bytes);
}

#define PICK(words) (words)[pick(PS_COUNT_OF(words))]

static const char *const regexes[] = {"/a/",
                                      "/b+c/",
                                      "/^a/",
                                      "/c$/",
                                      "/(?<g1>a.)/",
                                      "/(?<g2>b)(?<g1>c)?/",
                                      "/.*/",
                                      "/[ab]{2}/",
                                      "/AB/i",
                                      "/(?=a)a?b/",
                                      "/\xC3\xA9/",
                                      "/5|6/",
                                      "/(?<g3>[abc]+)5/",
                                      "/x*/",
                                      "/^$/",
                                      "/(a)\\1/",
                                      "/.\\n./s",
                                      "/a.c/",
                                      "/(?<g2>\\w+) (?<g3>\\w+)/",
                                      "/(?<!b)c/",
                                      "/\\bab\\b/",
                                      "/[^a]b/",
                                      "/(?<g1>.)$/"};
/* Expressions without groups, none of which matches every body. */
static const char *const bodies[] = {"/a/",   "/b+c/", "/^a/",  "/c$/", "/[ab]{2}/",
                                     "/AB/i", "/5|6/", "/a.c/", "/aa/"};
static const char *const replaced[] = {"/a/", "/b+c/", "/(?<g1>a.)/", "/[ab]{2}/", "/c$/", "/^$/"};
static const char *const headers[] = {"h1", "h2", "h3", "g1", "tags", "\"x y\""};
static const char *const values[] = {"a", "b", "ab", "5", "5.0", "-1", "12", "", "abc"};
static const char *const operators[] = {"==", "!=", "<", "<=", ">", ">=", "contains", "begins", "ends", "=="};

static void put_condition(struct ps_test_text *text, unsigned depth)
{
    unsigned kind = depth == 0 ? 5 + pick(9) : pick(14);
    switch (kind) {
    case 0:
    case 1:
    case 2:
    case 3:
        put(text, "(");
        put_condition(text, depth - 1);
        for (unsigned i = 1 + pick(2); i > 0; i--) {
            put(text, kind < 2 ? " and " : " or ");
            put_condition(text, depth - 1);
        }
        put(text, ")");
        break;
    case 4:
        put(text, "not ");
        put_condition(text, depth - 1);
        break;
    case 5:
        put(text, "header.%s %s %s", PICK(headers), pick(4) ? "~" : "!~", PICK(regexes));
        break;
    case 6:
    case 7:
        put(text, "header.%s %s \"%s\"", PICK(headers), PICK(operators), PICK(values));
        break;
    case 8:
        put(text, "header.%s in (\"%s\", \"%s\")", PICK(headers), PICK(values), PICK(values));
        break;
    case 9:
        if (pick(2))
            put(text, "exists header.%s", PICK(headers));
        else
            put(text, "body %s \"%s\"", PICK(operators), PICK(values));
        break;
    case 10:
        if (pick(4))
            put(text, "size %s %u", pick(3) ? ">" : "==", pick(8));
        else
            put(text, "true");
        break;
    default:
        put(text, "body %s %s", pick(8) ? "~" : "!~", PICK(regexes));
    }
}

static const char *const templates[] = {"k",         "",
                                        "v ${body}", "${header.h1}",
                                        "${g1}",     "${g2}-${g3}",
                                        "${body}",   "${header.h2}${header.g1}$$",
                                        "${rule}"};

static void put_action(struct ps_test_text *text, bool routes)
{
    switch (pick(routes ? 14 : 12)) {
    case 0:
    case 1:
        put(text, "  set header.%s = \"%s\"%s\n", PICK(headers), PICK(templates),
            pick(3) ? "" : " unless exists");
        break;
    case 2:
        put(text, "  copy header.%s to header.%s\n", PICK(headers), PICK(headers));
        break;
    case 3:
        put(text, "  remove header.%s\n", PICK(headers));
        break;
    case 4:
        if (pick(2))
            put(text, "  extract body ~ %s\n", PICK(regexes));
        else
            put(text, "  extract header.%s ~ %s\n", PICK(headers), PICK(regexes));
        break;
    case 5:
        put(text, "  replace %s with \"%s\"\n", PICK(replaced), pick(2) ? "<$0>" : "");
        break;
    case 6:
    case 7:
        put(text, "  tag \"t%u\"\n", pick(3));
        break;
    case 8:
        put(text, "%s", pick(4) ? "" : "  drop\n");
        break;
    case 9:
        put(text, "  sample 1/%u\n", 1 + pick(3));
        break;
    case 10:
        put(text, "  limit %u/%s", 1 + pick(3), pick(2) ? "s" : "h");
        if (pick(2))
            put(text, " per %s", pick(2) ? "header.h1" : "body");
        put(text, " burst %u", 1 + pick(4));
        if (routes && pick(2))
            put(text, " else route c%u", 1 + pick(4));
        put(text, "\n");
        break;
    case 11:
        put(text, "%s", pick(4) ? "" : pick(2) ? "  stop\n" : "  continue\n");
        break;
    default:
        put(text, "  route %sc%u, c%u\n", pick(3) ? "" : "optional ", 1 + pick(4), 1 + pick(4));
    }
}

static void put_plain(struct ps_test_text *text, bool routes)
{
    for (unsigned i = 0, count = 1 + pick(PS_TEST_RANDOM_RULES_MAX); i < count; i++) {
        put(text, "rule r%u { when body ~ %s", i, PICK(bodies));
        if (pick(3) == 0)
            put(text, " or body ~ %s", PICK(bodies));
        if (routes && pick(8))
            put(text, " route %sc%u, c%u", pick(3) ? "" : "optional ", 1 + pick(4), 1 + pick(4));
        put(text, " }\n");
    }
}

void ps_test_rules_random(struct ps_test_text *text, bool routes, bool plain, uint64_t *random)
{
    random_state = random;
    text->length = 0;
    put(text, "mode %s\n", !plain && pick(2) ? "all" : "first");
    if (routes && pick(2))
        put(text, "default c%u\n", 1 + pick(4));
    if (plain) {
        put_plain(text, routes);
        return;
    }
    for (unsigned i = 0, count = 1 + pick(PS_TEST_RANDOM_RULES_MAX); i < count; i++) {
        put(text, "rule r%u priority %u {\n  when ", i, pick(3));
        put_condition(text, 1 + pick(3));
        put(text, "%s\n", pick(4) ? "" : " as prefix \"p.\"");
        for (unsigned k = pick(4); k > 0; k--)
            put_action(text, routes);
        put(text, "}\n");
    }
}
