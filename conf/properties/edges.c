/* See edges.h. */
#include "conf/properties/edges.h"

#include "core/text/utf8.h"

#include <string.h>

const char *ps_edge_noun(unsigned code)
{
    if ((code >= 0x2018 && code <= 0x201f) || code == 0xab || code == 0xbb || code == 0x2039 ||
        code == 0x203a || (code >= 0x300c && code <= 0x300f) || code == 0xff02 || code == 0xff07 ||
        code == 0x2032 || code == 0x2033)
        return "typographic quote";
    if (code == 0xa0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200a) || code == 0x202f ||
        code == 0x205f || code == 0x3000)
        return "blank";
    if ((code >= 0x200b && code <= 0x200f) || code == 0x2060 || code == 0xfeff || code == 0xad)
        return "invisible character";
    return NULL;
}

/* Returns whether the character is a blank, or one that looks like a mistake at the edge of a value. */
static bool is_edge(uint32_t code)
{
    return code <= ' ' || ps_edge_noun(code) != NULL;
}

/* Narrows [*from, *to) to the part between such characters. Returns the first one that is no blank of ASCII, or 0. */
static uint32_t strip(const char *value, size_t *from, size_t *to)
{
    uint32_t first = 0, code;
    *from = 0;
    *to = strlen(value);
    while (*from < *to) {
        size_t bytes = ps_utf8_get(value + *from, *to - *from, &code);
        if (bytes == 0 || !is_edge(code))
            break;
        first = first == 0 && code > ' ' ? code : first;
        *from += bytes;
    }
    while (*to > *from) {
        size_t at = *to - 1;
        while (at > *from && ((unsigned char)value[at] & 0xc0) == 0x80)
            at--;
        if (ps_utf8_get(value + at, *to - at, &code) != *to - at || !is_edge(code))
            break;
        first = first == 0 && code > ' ' ? code : first;
        *to = at;
    }
    return *from < *to ? first : 0;
}

bool ps_edges_are_odd(const char *value)
{
    size_t from, to;
    return strip(value, &from, &to) != 0;
}

static bool has_one_of(const char *key, const char *const *words)
{
    for (; *words != NULL; words++)
        if (strcasestr(key, *words) != NULL)
            return true;
    return false;
}

bool ps_edges_warn(const char *value, bool is_escaped, struct ps_place place, struct ps_problems *problems)
{
    static const char *const free_texts[] = {"regex",  "pattern", "replace", "delimiter", "separator",
                                             "format", "command", "value",   "body",      NULL};
    static const char *const secrets[] = {"password", "secret", "jaas",       "pwd",
                                          "token",    "key",    "credential", NULL};
    size_t from, to;
    uint32_t code = strip(value, &from, &to);
    if (code == 0 || place.key == NULL || (is_escaped && has_one_of(place.key, free_texts)))
        return false;
    if (from > 0 && (value[from] == '=' || value[from] == ':')) /* it stood before the sign */
        from += 1 + strspn(value + from + 1, " \t");
    const char *cure = "write the value without it";
    if (!has_one_of(place.key, secrets))
        cure = ps_arena_format(problems->arena, "write %.*s", (int)(to - from), value + from);
    ps_problem_add(problems, PS_SEVERITY_WARNING, place, cure,
                   "the %s U+%04X is part of the value, in which nothing removes it", ps_edge_noun(code),
                   code);
    ps_problem_quoted_path(problems, true); /* what else is wrong with the value follows from it */
    return true;
}
