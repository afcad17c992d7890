/* Every text that an expression matches contains its fragment. Input: the expression, a NUL, a text. */
#include "regex/regex.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const struct ps_regex *regex, const char *text, size_t length)
{
    const char *words = ps_regex_java(regex)->fragment;
    if (words == NULL)
        return;
    struct ps_regex *fragment = ps_regex_create(words, 0, PS_REGEX_FIND, NULL);
    PS_ASSERT(fragment != NULL);
    struct ps_regex_scratch *scratch = ps_regex_scratch_create();
    PS_ASSERT(!ps_regex_find(regex, scratch, text, length, 0, NULL, 0) ||
              ps_regex_find(fragment, scratch, text, length, 0, NULL, 0));
    ps_regex_scratch_destroy(scratch);
    ps_regex_destroy(fragment);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = memchr(data, '\0', size);
    if (end == NULL || end - data > 300 || size > 2000)
        return 0;
    const char *pattern = (const char *)data;
    struct ps_regex *regex = ps_regex_create(pattern, 0, PS_REGEX_FIND, NULL);
    if (regex != NULL)
        compare(regex, (const char *)end + 1, size - (size_t)(end - data) - 1);
    ps_regex_destroy(regex);
    return 0;
}
