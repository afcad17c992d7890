/* Sets of code points: Java's character classes with unions, intersections and complements. Sets of ranges are
 * computed. Only PCRE2 knows the members of Unicode properties, so operations on sets with properties are kept as
 * expressions. Called while translating; pure. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "regex/java/internal.h"

static int compare(const void *a, const void *b)
{
    const struct ps_java_range *x = a, *y = b;
    return x->first < y->first ? -1 : x->first > y->first;
}

static struct ps_java_set *flat(struct ps_arena *arena, struct ps_java_range *ranges, size_t count)
{
    qsort(ranges, count, sizeof *ranges, compare);
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && ranges[i].first <= ranges[kept - 1].last + 1) {
            if (ranges[i].last > ranges[kept - 1].last)
                ranges[kept - 1].last = ranges[i].last;
        } else {
            ranges[kept++] = ranges[i];
        }
    }
    struct ps_java_set *set = ps_arena_alloc(arena, sizeof *set);
    *set =
        (struct ps_java_set){.kind = PS_JAVA_FLAT, .ranges = ranges, .range_count = kept, .properties = ""};
    uint32_t covered = 0x80; /* first code point beyond ASCII that no range covers so far */
    for (size_t i = 0; i < kept; i++) {
        for (uint32_t c = ranges[i].first; c <= ranges[i].last && c < 0x80; c++)
            set->ascii[c / 64] |= UINT64_C(1) << (c % 64);
        if (covered == 0xD800) /* text has no surrogates */
            covered = 0xE000;
        if (ranges[i].first <= covered && ranges[i].last >= covered)
            covered = ranges[i].last + 1;
        set->high_some |= ranges[i].last >= 0x80;
        set->replacement |=
            ranges[i].first <= PS_CODE_POINT_REPLACEMENT && ranges[i].last >= PS_CODE_POINT_REPLACEMENT;
    }
    set->high_all = covered > PS_CODE_POINT_MAX;
    return set;
}

/* Returns NULL if PCRE2 does not know a property. */
static pcre2_code *compile(const char *properties)
{
    char pattern[512];
    int error;
    PCRE2_SIZE at;
    int length = snprintf(pattern, sizeof pattern, "[%s]", properties);
    if (length >= (int)sizeof pattern)
        return NULL;
    return pcre2_compile((PCRE2_SPTR)pattern, (size_t)length, PCRE2_UTF, &error, &at, NULL);
}

bool ps_java_set_is_property(const char *property)
{
    pcre2_code *code = compile(property);
    bool is_known = code != NULL;
    pcre2_code_free(code);
    return is_known;
}

/* Finds with PCRE2 which ASCII characters have the properties. */
static void ask(struct ps_java_set *set)
{
    char text[4];
    pcre2_code *code = compile(set->properties);
    PS_ASSERT(code != NULL);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    if (data == NULL)
        ps_out_of_memory(0, "a match of PCRE2");
    for (uint32_t c = 0; c < 0x80; c++) {
        text[0] = (char)c;
        if (pcre2_match(code, (PCRE2_SPTR)text, 1, 0, 0, data, NULL) > 0)
            set->ascii[c / 64] |= UINT64_C(1) << (c % 64);
    }
    memcpy(text, "\xEF\xBF\xBD", 4);
    set->replacement |= pcre2_match(code, (PCRE2_SPTR)text, 3, 0, 0, data, NULL) > 0;
    set->high_some = true;
    pcre2_match_data_free(data);
    pcre2_code_free(code);
}

const struct ps_java_set *ps_java_set_make(struct ps_arena *arena, const struct ps_java_range *ranges,
                                           size_t range_count, const char *properties)
{
    struct ps_java_range *own = ps_arena_alloc(arena, (range_count + 1) * sizeof *own);
    if (range_count > 0)
        memcpy(own, ranges, range_count * sizeof *own);
    struct ps_java_set *set = flat(arena, own, range_count);
    set->properties = properties;
    if (properties[0] != '\0')
        ask(set);
    return set;
}

const struct ps_java_set *ps_java_set_one(struct ps_arena *arena, uint32_t code_point)
{
    struct ps_java_range range = {code_point, code_point};
    return ps_java_set_make(arena, &range, 1, "");
}

static bool is_computable(const struct ps_java_set *set)
{
    return set->kind == PS_JAVA_FLAT && set->properties[0] == '\0';
}

static struct ps_java_set *expression(struct ps_arena *arena, int kind, const struct ps_java_set *left,
                                      const struct ps_java_set *right)
{
    struct ps_java_set *set = ps_arena_alloc(arena, sizeof *set);
    *set = (struct ps_java_set){.properties = "", .left = left, .right = right};
    set->kind = kind == '!' ? PS_JAVA_NOT : kind == '&' ? PS_JAVA_AND : PS_JAVA_OR;
    return set;
}

const struct ps_java_set *ps_java_set_not(struct ps_arena *arena, const struct ps_java_set *set)
{
    if (is_computable(set)) {
        struct ps_java_range *ranges = ps_arena_alloc(arena, (set->range_count + 1) * sizeof *ranges);
        size_t count = 0;
        uint32_t from = 0;
        for (size_t i = 0; i < set->range_count; i++) {
            if (set->ranges[i].first > from)
                ranges[count++] = (struct ps_java_range){from, set->ranges[i].first - 1};
            from = set->ranges[i].last + 1;
        }
        if (from <= PS_CODE_POINT_MAX)
            ranges[count++] = (struct ps_java_range){from, PS_CODE_POINT_MAX};
        return flat(arena, ranges, count);
    }
    if (set->kind == PS_JAVA_NOT)
        return set->left;
    struct ps_java_set *made = expression(arena, '!', set, NULL);
    made->ascii[0] = ~set->ascii[0];
    made->ascii[1] = ~set->ascii[1];
    made->high_some = !set->high_all;
    made->high_all = !set->high_some;
    made->replacement = !set->replacement;
    return made;
}

const struct ps_java_set *ps_java_set_or(struct ps_arena *arena, const struct ps_java_set *left,
                                         const struct ps_java_set *right)
{
    if (left->kind == PS_JAVA_FLAT && right->kind == PS_JAVA_FLAT &&
        strlen(left->properties) + strlen(right->properties) < 400) {
        size_t count = left->range_count + right->range_count;
        struct ps_java_range *ranges = ps_arena_alloc(arena, (count + 1) * sizeof *ranges);
        if (left->range_count > 0)
            memcpy(ranges, left->ranges, left->range_count * sizeof *ranges);
        if (right->range_count > 0)
            memcpy(ranges + left->range_count, right->ranges, right->range_count * sizeof *ranges);
        struct ps_java_set *set = flat(arena, ranges, count);
        set->properties = ps_arena_format(arena, "%s%s", left->properties, right->properties);
        set->ascii[0] = left->ascii[0] | right->ascii[0];
        set->ascii[1] = left->ascii[1] | right->ascii[1];
        set->high_some = left->high_some || right->high_some;
        set->replacement = left->replacement || right->replacement;
        return set;
    }
    struct ps_java_set *made = expression(arena, '|', left, right);
    made->ascii[0] = left->ascii[0] | right->ascii[0];
    made->ascii[1] = left->ascii[1] | right->ascii[1];
    made->high_some = left->high_some || right->high_some;
    made->high_all = left->high_all || right->high_all;
    made->replacement = left->replacement || right->replacement;
    return made;
}

const struct ps_java_set *ps_java_set_and(struct ps_arena *arena, const struct ps_java_set *left,
                                          const struct ps_java_set *right)
{
    if (is_computable(left) && is_computable(right)) {
        struct ps_java_range *ranges =
            ps_arena_alloc(arena, (left->range_count + right->range_count + 1) * sizeof *ranges);
        size_t count = 0;
        for (size_t i = 0, j = 0; i < left->range_count && j < right->range_count;) {
            const struct ps_java_range *a = &left->ranges[i], *b = &right->ranges[j];
            uint32_t first = a->first > b->first ? a->first : b->first;
            uint32_t last = a->last < b->last ? a->last : b->last;
            if (first <= last)
                ranges[count++] = (struct ps_java_range){first, last};
            if (a->last < b->last)
                i++;
            else
                j++;
        }
        return flat(arena, ranges, count);
    }
    struct ps_java_set *made = expression(arena, '&', left, right);
    made->ascii[0] = left->ascii[0] & right->ascii[0];
    made->ascii[1] = left->ascii[1] & right->ascii[1];
    made->high_some = left->high_some && right->high_some;
    made->high_all = left->high_all && right->high_all;
    made->replacement = left->replacement && right->replacement;
    return made;
}
