/* The names in \p{...} that java.util.regex knows (CharPredicates, Java 17), as ranges and PCRE2's
 * properties. Which characters have a property depends on PCRE2's version of Unicode. Called while
 * translating; pure. */
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "regex/java/internal.h"

#define RANGES_MAX 10

struct property {
    const char *name;
    const char *items; /* PCRE2's properties, for use between brackets */
    struct ps_java_range ranges[RANGES_MAX];
    unsigned range_count;
};

/* Names used alone or after "Is"; case-sensitive. Categories are in `categories`. */
static const struct property named[] = {
    {"LC", "\\p{Lu}\\p{Ll}\\p{Lt}", {{0, 0}}, 0},
    {"LD", "\\p{L}\\p{Nd}", {{0, 0}}, 0},
    {"L1", "", {{0, 0xFF}}, 1},
    {"all", "", {{0, PS_CODE_POINT_MAX}}, 1},
    {"ASCII", "", {{0, 0x7F}}, 1},
    {"Alnum", "", {{'0', '9'}, {'A', 'Z'}, {'a', 'z'}}, 3},
    {"Alpha", "", {{'A', 'Z'}, {'a', 'z'}}, 2},
    {"Blank", "", {{' ', ' '}, {'\t', '\t'}}, 2},
    {"Cntrl", "", {{0, 0x1F}, {0x7F, 0x7F}}, 2},
    {"Digit", "", {{'0', '9'}}, 1},
    {"Graph", "", {{0x21, 0x7E}}, 1},
    {"Lower", "", {{'a', 'z'}}, 1},
    {"Print", "", {{0x20, 0x7E}}, 1},
    {"Punct", "", {{0x21, 0x2F}, {0x3A, 0x40}, {0x5B, 0x60}, {0x7B, 0x7E}}, 4},
    {"Space", "", {{9, 13}, {' ', ' '}}, 2},
    {"Upper", "", {{'A', 'Z'}}, 1},
    {"XDigit", "", {{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, 3},
    {"javaLowerCase", "\\p{Lowercase}", {{0, 0}}, 0},
    {"javaUpperCase", "\\p{Uppercase}", {{0, 0}}, 0},
    {"javaAlphabetic", "\\p{Alphabetic}", {{0, 0}}, 0},
    {"javaIdeographic", "\\p{Ideographic}", {{0, 0}}, 0},
    {"javaTitleCase", "\\p{Lt}", {{0, 0}}, 0},
    {"javaDigit", "\\p{Nd}", {{0, 0}}, 0},
    {"javaDefined", "\\P{Cn}", {{0, 0}}, 0},
    {"javaLetter", "\\p{L}", {{0, 0}}, 0},
    {"javaLetterOrDigit", "\\p{L}\\p{Nd}", {{0, 0}}, 0},
    {"javaJavaIdentifierStart", "\\p{L}\\p{Nl}\\p{Sc}\\p{Pc}", {{0, 0}}, 0},
    {"javaJavaIdentifierPart",
     "\\p{L}\\p{Nl}\\p{Sc}\\p{Pc}\\p{Nd}\\p{Mc}\\p{Mn}\\p{Cf}",
     {{0, 8}, {0x0E, 0x1B}, {0x7F, 0x9F}},
     3},
    {"javaUnicodeIdentifierStart", "\\p{IDS}", {{0, 0}}, 0},
    {"javaUnicodeIdentifierPart", "\\p{IDC}\\p{Cf}", {{0, 8}, {0x0E, 0x1B}, {0x7F, 0x9F}}, 3},
    {"javaIdentifierIgnorable", "\\p{Cf}", {{0, 8}, {0x0E, 0x1B}, {0x7F, 0x9F}}, 3},
    {"javaSpaceChar", "\\p{Z}", {{0, 0}}, 0},
    {"javaWhitespace",
     "",
     {{9, 13},
      {0x1C, 0x20},
      {0x1680, 0x1680},
      {0x2000, 0x2006},
      {0x2008, 0x200A},
      {0x2028, 0x2029},
      {0x205F, 0x205F},
      {0x3000, 0x3000}},
     8},
    {"javaISOControl", "", {{0, 0x1F}, {0x7F, 0x9F}}, 2},
    {"javaMirrored", "\\p{Bidi_Mirrored}", {{0, 0}}, 0},
};

static const char categories[] = "Cn Lu Ll Lt Lm Lo Mn Me Mc Nd Nl No Zs Zl Zp Cc Cf Co Cs Pd Ps Pe Pc Po "
                                 "Sm Sc Sk So Pi Pf L M N Z C P S";

/* Names used after "Is", and POSIX names under (?U); case-insensitive. */
static const struct property unicode[] = {
    {"ALPHABETIC", "\\p{Alphabetic}", {{0, 0}}, 0},
    {"ASSIGNED", "\\P{Cn}", {{0, 0}}, 0},
    {"CONTROL", "\\p{Cc}", {{0, 0}}, 0},
    {"HEXDIGIT", "\\p{Nd}", {{'A', 'F'}, {'a', 'f'}, {0xFF21, 0xFF26}, {0xFF41, 0xFF46}}, 4},
    {"HEX_DIGIT", "\\p{Nd}", {{'A', 'F'}, {'a', 'f'}, {0xFF21, 0xFF26}, {0xFF41, 0xFF46}}, 4},
    {"IDEOGRAPHIC", "\\p{Ideographic}", {{0, 0}}, 0},
    {"JOINCONTROL", "", {{0x200C, 0x200D}}, 1},
    {"JOIN_CONTROL", "", {{0x200C, 0x200D}}, 1},
    {"LETTER", "\\p{L}", {{0, 0}}, 0},
    {"LOWERCASE", "\\p{Lowercase}", {{0, 0}}, 0},
    {"TITLECASE", "\\p{Lt}", {{0, 0}}, 0},
    {"PUNCTUATION", "\\p{P}", {{0, 0}}, 0},
    {"UPPERCASE", "\\p{Uppercase}", {{0, 0}}, 0},
    {"WHITESPACE", "\\p{Z}", {{9, 13}, {0x85, 0x85}}, 2},
    {"WHITE_SPACE", "\\p{Z}", {{9, 13}, {0x85, 0x85}}, 2},
    {"WORD", "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}", {{0x200C, 0x200D}}, 1},
};
static const struct property posix[] = {
    {"ALPHA", "\\p{Alphabetic}", {{0, 0}}, 0},
    {"LOWER", "\\p{Lowercase}", {{0, 0}}, 0},
    {"UPPER", "\\p{Uppercase}", {{0, 0}}, 0},
    {"SPACE", "\\p{Z}", {{9, 13}, {0x85, 0x85}}, 2},
    {"PUNCT", "\\p{P}", {{0, 0}}, 0},
    {"XDIGIT", "\\p{Nd}", {{'A', 'F'}, {'a', 'f'}, {0xFF21, 0xFF26}, {0xFF41, 0xFF46}}, 4},
    {"ALNUM", "\\p{Alphabetic}\\p{Nd}", {{0, 0}}, 0},
    {"CNTRL", "\\p{Cc}", {{0, 0}}, 0},
    {"DIGIT", "\\p{Nd}", {{0, 0}}, 0},
    {"BLANK", "\\p{Zs}", {{9, 9}}, 1},
};

static const struct ps_java_set *make(struct ps_arena *arena, const char *items)
{
    return ps_java_set_make(arena, NULL, 0, items);
}

/* When ignoring case, upper, lower and title case are the same set. */
static const struct ps_java_set *cased(struct ps_arena *arena, const struct property *property)
{
    if (strcasecmp(property->name, "Lower") == 0 || strcasecmp(property->name, "Upper") == 0) {
        static const struct ps_java_range letters[] = {{'A', 'Z'}, {'a', 'z'}};
        if (property->items[0] == '\0')
            return ps_java_set_make(arena, letters, 2, "");
        return make(arena, "\\p{Lowercase}\\p{Uppercase}\\p{Lt}");
    }
    if (strcmp(property->items, "\\p{Lowercase}") == 0 || strcmp(property->items, "\\p{Uppercase}") == 0 ||
        strcmp(property->items, "\\p{Lt}") == 0)
        return make(arena, "\\p{Lowercase}\\p{Uppercase}\\p{Lt}");
    return NULL;
}

static const struct ps_java_set *find(struct ps_arena *arena, const struct property *rows, size_t count,
                                      const char *name, bool any_case, unsigned flags)
{
    for (size_t i = 0; i < count; i++) {
        if ((any_case ? strcasecmp(name, rows[i].name) : strcmp(name, rows[i].name)) != 0)
            continue;
        const struct ps_java_set *set = NULL;
        if (flags & PS_REGEX_CASE_INSENSITIVE)
            set = cased(arena, &rows[i]);
        if (set == NULL)
            set = ps_java_set_make(arena, rows[i].ranges, rows[i].range_count, rows[i].items);
        return set;
    }
    return NULL;
}

static const struct ps_java_set *find_category(struct ps_arena *arena, const char *name, unsigned flags)
{
    size_t length = strlen(name);
    if (length == 0 || length > 2)
        return NULL;
    for (const char *p = categories; *p != '\0'; p += strcspn(p, " "), p += *p == ' ') {
        if (strcspn(p, " ") != length || strncmp(p, name, length) != 0)
            continue;
        if ((flags & PS_REGEX_CASE_INSENSITIVE) && length == 2 && name[0] == 'L' &&
            strchr("ult", name[1]) != NULL)
            return make(arena, "\\p{Lu}\\p{Ll}\\p{Lt}");
        return make(arena, ps_arena_format(arena, "\\p{%s}", name));
    }
    return NULL;
}

static const struct ps_java_set *find_posix(struct ps_arena *arena, const char *name, unsigned flags)
{
    if (strcasecmp(name, "GRAPH") == 0)
        return ps_java_set_not(arena, make(arena, "\\p{Z}\\p{Cc}\\p{Cs}\\p{Cn}"));
    if (strcasecmp(name, "PRINT") == 0) {
        const struct ps_java_set *dark = make(arena, "\\p{Zl}\\p{Zp}\\p{Cc}\\p{Cs}\\p{Cn}");
        return ps_java_set_not(arena, dark);
    }
    return find(arena, posix, PS_COUNT_OF(posix), name, true, flags);
}

static const struct ps_java_set *find_property(struct ps_arena *arena, const char *name, unsigned flags)
{
    const struct ps_java_set *set = find_category(arena, name, flags);
    return set != NULL ? set : find(arena, named, PS_COUNT_OF(named), name, false, flags);
}

/* A script by its name or by the four letters of ISO 15924, in any case. PCRE2 knows the same names; unlike Java it also
 * takes a name without its underscores. */
static const struct ps_java_set *find_script(struct ps_arena *arena, const char *name)
{
    size_t length = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_");
    const char *property = ps_arena_format(arena, "\\p{sc:%s}", name);
    return length == strlen(name) && ps_java_set_is_property(property) ? make(arena, property) : NULL;
}

static const struct ps_java_set *find_block(struct ps_arena *arena, const char *name)
{
    struct ps_java_range range;
    return ps_java_block(name, &range) ? ps_java_set_make(arena, &range, 1, "") : NULL;
}

static const struct ps_java_set *find_unicode(struct ps_arena *arena, const char *name, unsigned flags)
{
    if (strcasecmp(name, "NONCHARACTERCODEPOINT") == 0 || strcasecmp(name, "NONCHARACTER_CODE_POINT") == 0) {
        struct ps_java_range ranges[1 + 17] = {{0xFDD0, 0xFDEF}};
        for (uint32_t i = 0; i < 17; i++)
            ranges[1 + i] = (struct ps_java_range){i << 16 | 0xFFFE, i << 16 | 0xFFFF};
        return ps_java_set_make(arena, ranges, PS_COUNT_OF(ranges), "");
    }
    return find(arena, unicode, PS_COUNT_OF(unicode), name, true, flags);
}

const struct ps_java_set *ps_java_property(struct ps_arena *arena, const char *name, unsigned flags)
{
    const char *value = strchr(name, '=');
    const struct ps_java_set *set = NULL;
    if (value != NULL) {
        size_t length = (size_t)(value++ - name);
        if ((length == 2 && strncasecmp(name, "sc", 2) == 0) ||
            (length == 6 && strncasecmp(name, "script", 6) == 0))
            set = find_script(arena, value);
        else if ((length == 3 && strncasecmp(name, "blk", 3) == 0) ||
                 (length == 5 && strncasecmp(name, "block", 5) == 0))
            set = find_block(arena, value);
        else if ((length == 2 && strncasecmp(name, "gc", 2) == 0) ||
                 (length == 16 && strncasecmp(name, "general_category", 16) == 0))
            set = find_property(arena, value, flags);
        return set;
    }
    if (strncmp(name, "In", 2) == 0)
        return find_block(arena, name + 2);
    if (strncmp(name, "Is", 2) == 0) {
        if ((set = find_unicode(arena, name + 2, flags)) == NULL &&
            (set = find_posix(arena, name + 2, flags)) == NULL &&
            (set = find_property(arena, name + 2, flags)) == NULL)
            set = find_script(arena, name + 2);
        return set;
    }
    if (flags & PS_REGEX_UNICODE_CHARACTER_CLASS)
        set = find_posix(arena, name, flags);
    return set != NULL ? set : find_property(arena, name, flags);
}

const struct ps_java_set *ps_java_property_letter(struct ps_arena *arena, uint32_t letter, unsigned flags)
{
    static const struct ps_java_range word[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
    static const struct ps_java_range horizontal[] = {{0x09, 0x09},     {0x20, 0x20},     {0xA0, 0xA0},
                                                      {0x1680, 0x1680}, {0x180E, 0x180E}, {0x2000, 0x200A},
                                                      {0x202F, 0x202F}, {0x205F, 0x205F}, {0x3000, 0x3000}};
    static const struct ps_java_range vertical[] = {{0x0A, 0x0D}, {0x85, 0x85}, {0x2028, 0x2029}};
    bool wide = flags & PS_REGEX_UNICODE_CHARACTER_CLASS;
    switch (letter) {
    case 'd':
        return ps_java_property(arena, wide ? "Nd" : "Digit", 0);
    case 's':
        return ps_java_property(arena, wide ? "IsWHITE_SPACE" : "Space", 0);
    case 'h':
        return ps_java_set_make(arena, horizontal, PS_COUNT_OF(horizontal), "");
    case 'v':
        return ps_java_set_make(arena, vertical, PS_COUNT_OF(vertical), "");
    default:
        if (wide)
            return ps_java_property(arena, "IsWORD", 0);
        return ps_java_set_make(arena, word, PS_COUNT_OF(word), "");
    }
}
