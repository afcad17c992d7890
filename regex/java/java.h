/* Translates Java's regular expressions (java.util.regex.Pattern, as Java 8 to 17 parse them) for our two
 * engines.
 *
 * For PCRE2: an expression with the same meaning, including groups, over well-formed UTF-8.
 *
 * For Hyperscan: an expression over *bytes* (never its UTF-8 mode) that finds a match in every subject in
 * which Java finds one, whatever the bytes are (also malformed UTF-8, which Java reads as U+FFFD, and NUL). Hyperscan
 * may find more matches; `exactness` says when it cannot. The translation:
 *
 *   - Characters outside ASCII of a class or a dot become one to four bytes 0x80..0xFE
 *     ("[\x80-\xFE]{1,4}"; in a star or plus simply those bytes). 0xFF is never part of a match: no text has
 *     it, and the matcher puts it between events. Where `repair` says that malformed bytes may be part of a
 *     match, the caller must replace 0xFF in a subject by other malformed bytes.
 *   - Case-insensitive letters are written out ([eE]): Java's (?i) covers ASCII letters only.
 *   - Look-around, \b where no neighbour is certainly an ASCII word character, \B, atomic and possessive
 *     groups are left out or loosened. A look-ahead at the end of the expression, and a look-behind at its
 *     beginning, are kept as text. A back-reference becomes what its group may match.
 *   - A part that may match nothing at either end of the whole expression, or of a branch of it, is cut off (".*x.*"
 *     becomes "x", "x[a-z]+" becomes "x[a-z]"): only whether there is a match counts, not where it ends.
 *   - Java's ^ and $ become ^ and $ with Hyperscan's MULTILINE, because the matcher puts newlines between
 *     events.
 *
 * Thread: any; pure. Owns: the result owns everything, from malloc. */
#pragma once

#include "core/status.h"

/* Java's flags. The caller can set them; (?i) and so on set them within the expression. */
enum ps_regex_flags {
    PS_REGEX_CASE_INSENSITIVE = 1 << 0,        /* i */
    PS_REGEX_MULTILINE = 1 << 1,               /* m */
    PS_REGEX_DOTALL = 1 << 2,                  /* s */
    PS_REGEX_COMMENTS = 1 << 3,                /* x */
    PS_REGEX_UNICODE_CASE = 1 << 4,            /* u */
    PS_REGEX_UNICODE_CHARACTER_CLASS = 1 << 5, /* U */
    PS_REGEX_UNIX_LINES = 1 << 6,              /* d */
};
#define PS_REGEX_FLAG_LETTERS "imsxuUd" /* of each bit */

/* The meaning of a match that Hyperscan reports. A "plain" subject has only bytes 0x00..0x7F, without \n and
 * \r. */
enum ps_regex_exactness {
    PS_REGEX_EXACT,   /* Java also finds a match */
    PS_REGEX_PLAIN,   /* Java also finds a match when the subject is plain; else PCRE2 decides */
    PS_REGEX_CONFIRM, /* PCRE2 decides, so that HS_FLAG_PREFILTER may be given */
    PS_REGEX_ALWAYS,  /* Java finds a match in every subject: no engine runs (".*") */
    PS_REGEX_NONE,    /* Hyperscan cannot help: PCRE2 decides about every subject */
};

#define PS_REGEX_PATTERN_BYTES_MAX 65536U

/* Above this, `check` reports the cost: compiling takes about a tenth of a second. */
#define PS_REGEX_STATES_HIGH UINT64_C(2000)
/* Above this, compiling takes seconds and grows with the square, so the expression is loosened for
 * Hyperscan. */
#define PS_REGEX_STATES_LOOSENED UINT64_C(4000)
#define PS_REGEX_TOO_LARGE "it is too large for Hyperscan to match exactly"
/* Above this, a caller that may refuse the expression should refuse it. */
#define PS_REGEX_STATES_RUINOUS UINT64_C(100000)

struct ps_java_regex {
    char *pcre2; /* pattern for PCRE2 with PCRE2_UTF; contains all flags */
    /* the same for a search after an empty match, where \G does not match; NULL: same as pcre2 */
    char *pcre2_after;
    char *hyperscan; /* pattern for Hyperscan, with the flags below; NULL for PS_REGEX_ALWAYS and _NONE */
    /* The expression of a fragment, or NULL. A fragment is a short part that every match contains: a cheap check before
     * the expression itself is run (regex/java/fragment.c). In Java's syntax, without flags. */
    char *fragment;
    bool repair;          /* U+FFFD may be part of a match: see 0xFF above */
    bool crosses_newline; /* a match may contain \n: newlines alone do not separate events of a batch */
    bool begins_newline;  /* a match may begin with \n */
    bool anchored;        /* the expression has ^ or $ (MULTILINE is set for all) */
    enum ps_regex_exactness exactness;
    char why[160];        /* for users: why the translation is not exact ("look-ahead at 12"), or "" */
    unsigned group_count; /* without group 0 */
    char **group_names;   /* [0 .. group_count]; NULL for a group without a name */
    uint32_t length_min;  /* fewest bytes of a match; 0: may be empty */
    /* Hyperscan's states, before large repeats are loosened and after that. */
    uint64_t states, states_loosened;
    char largest_repeat[40]; /* the {} with the highest bound: "{1,9000} at 7"; "": there is none */
};

/* Translates `pattern`. Returns PS_FAIL if Java would throw PatternSyntaxException, or for one of the few
 * unsupported features; `err` then has the offset (in Java's chars), the reason and, if there is one,
 * advice. */
enum ps_status ps_java_regex_translate(const char *pattern, unsigned flags, struct ps_java_regex *regex,
                                       struct ps_err *err);
void ps_java_regex_fini(struct ps_java_regex *regex);
