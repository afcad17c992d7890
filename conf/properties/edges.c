/* See edges.h. */
#include "conf/properties/edges.h"

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

/* Decodes a character of two or three bytes; returns 0 for others. `length`: what is left. */
static unsigned decode(const unsigned char *at, size_t length)
{
    if (length >= 2 && at[0] >= 0xc2 && at[0] < 0xe0 && (at[1] & 0xc0) == 0x80)
        return (at[0] & 0x1fu) << 6 | (at[1] & 0x3fu);
    if (length >= 3 && at[0] >= 0xe0 && at[0] < 0xf0 && (at[1] & 0xc0) == 0x80 && (at[2] & 0xc0) == 0x80)
        return (at[0] & 0x0fu) << 12 | (at[1] & 0x3fu) << 6 | (at[2] & 0x3fu);
    return 0;
}

static size_t size_of(unsigned code)
{
    return code < 0x800 ? 2 : 3;
}

/* Narrows [*from, *to) to the part between such characters and blanks. Returns the first such character, or 0. */
static unsigned strip(const char *value, size_t *from, size_t *to)
{
    const unsigned char *bytes = (const unsigned char *)value;
    unsigned first = 0, code;
    *from = 0;
    *to = strlen(value);
    for (; *from < *to; *from += code != 0 ? size_of(code) : 1) {
        code = decode(bytes + *from, *to - *from);
        if (bytes[*from] > ' ' && ps_edge_noun(code) == NULL)
            break;
        first = first != 0 ? first : code;
    }
    while (*to > *from) {
        size_t size = bytes[*to - 1] < 0x80 ? 1 : *to - *from >= 2 && bytes[*to - 2] >= 0xc0 ? 2 : 3;
        if (size > *to - *from)
            break;
        code = size > 1 ? decode(bytes + *to - size, size) : 0;
        if (size > 1 ? ps_edge_noun(code) == NULL : bytes[*to - 1] > ' ')
            break;
        first = first != 0 ? first : code;
        *to -= size;
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
    unsigned code = strip(value, &from, &to);
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
