/* Any replacement text, any subject: ps_regex_replacement_create and ps_regex_replace_all stay within their
 * buffers, and too small a buffer changes only the return value. Input: a byte that picks an expression, the
 * replacement, NUL, the subject. */
#include <stdlib.h>
#include <string.h>

#include "regex/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ROOM 65536U

static const char *const expressions[] = {"a",    "(a)(b)?", "x*",    "(?<name>[a-z]+)(?<n2>\\d)?",
                                          "\\G.", "$",       "(?=b)", "(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)",
                                          "\\b",  "(?s).",   "[^a]+", "\xC3\xA9|\xEF\xBF\xBD"};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct ps_regex *compiled[PS_COUNT_OF(expressions)];
    static struct ps_regex_scratch *scratch;
    static char out[ROOM], again[ROOM];
    struct ps_err err = {.length = 0};
    if (size < 1 || size > 1024)
        return 0;
    size_t which = data[0] % PS_COUNT_OF(expressions);
    if (scratch == NULL)
        scratch = ps_regex_scratch_create();
    if (compiled[which] == NULL)
        compiled[which] = ps_regex_create(expressions[which], 0, PS_REGEX_FIND, &err);
    PS_ASSERT(compiled[which] != NULL);
    char *text = malloc(size);
    PS_ASSERT(text != NULL);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    size_t replacement_length = strlen(text);
    size_t start = replacement_length < size - 1 ? replacement_length + 1 : replacement_length;
    size_t length = size - 1 - start;
    struct ps_regex_replacement *replacement = ps_regex_replacement_create(compiled[which], text, &err);
    if (replacement != NULL) {
        uint32_t count, count_again;
        size_t used = ps_regex_replace_all(compiled[which], scratch, replacement, text + start, length, out,
                                           ROOM, &count);
        if (used != SIZE_MAX) {
            PS_ASSERT(ps_regex_replace_all(compiled[which], scratch, replacement, text + start, length, again,
                                           used, &count_again) == used);
            PS_ASSERT(count == count_again && memcmp(out, again, used) == 0);
            PS_ASSERT(used == 0 || ps_regex_replace_all(compiled[which], scratch, replacement, text + start,
                                                        length, again, used - 1, NULL) == SIZE_MAX);
        }
    } else {
        PS_ASSERT(err.length > 0);
    }
    ps_regex_replacement_destroy(replacement);
    free(text);
    return 0;
}
