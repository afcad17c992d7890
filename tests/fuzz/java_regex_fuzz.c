/* Any expression, any subject: the translation stays within its buffers; PCRE2 accepts the translated
 * expression or gives a reason; Hyperscan reports at least the matches of PCRE2, and no others where the
 * translation says it is exact. Input: a byte of flags, the expression, NUL, the subject. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex/java/internal.h"
#include "tests/regex/java/check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns whether compiling may take seconds. Such expressions are skipped: they test nothing new. */
static bool is_large(const struct ps_java_regex *java)
{
    unsigned digits = 0, braces = 0;
    for (const char *p = java->pcre2; *p != '\0'; p++) {
        digits = *p >= '0' && *p <= '9' ? digits + 1 : 0;
        braces += *p == '{' && p[1] >= '0' && p[1] <= '9';
        if (digits > 2)
            return true;
    }
    return braces > 3;
}

static void check_promise(struct ps_regex *regex, const char *subject, size_t length)
{
    struct check check;
    char why[256];
    if (check_open(&check, regex, why, sizeof why)) {
        const char *broken = check_subject(&check, subject, length);
        if (broken != NULL) {
            fprintf(stderr, "%s: \"%s\" is \"%s\" (%d), for PCRE2 \"%s\"\n", broken, ps_regex_text(regex),
                    ps_regex_java(regex)->hyperscan, ps_regex_java(regex)->exactness,
                    ps_regex_java(regex)->pcre2);
            abort();
        }
    }
    check_close(&check);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ps_err err = {.length = 0};
    if (size < 2 || size > 512)
        return 0;
    char *text = malloc(size);
    PS_ASSERT(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    size_t pattern = strlen(text), subject = pattern < size - 1 ? pattern + 1 : pattern;
    struct ps_java_regex java;
    if (ps_java_regex_translate(text, data[0], &java, &err) == PS_OK) {
        bool large = is_large(&java);
        struct ps_regex *regex = large ? NULL : ps_regex_create(text, data[0], PS_REGEX_FIND, &err);
        if (regex != NULL)
            check_promise(regex, text + subject, size - 1 - subject);
        else
            PS_ASSERT(large || strstr(err.text, "PCRE2 cannot compile") != NULL);
        ps_regex_destroy(regex);
    } else {
        PS_ASSERT(err.length > 0);
    }
    ps_java_regex_fini(&java);
    free(text);
    return 0;
}
