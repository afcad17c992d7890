/* Java's regular expressions (java.util.regex.Pattern, as Java 8 to 17 read them) in the words of our two
 * engines.
 *
 * For PCRE2: an expression with the same meaning, groups and all, over well-formed UTF-8.
 *
 * For Hyperscan: an expression over *bytes* (never its UTF-8 mode) that finds a match in every subject in
 * which Java finds one, whatever the bytes are (also malformed UTF-8, which Java reads as U+FFFD, and NUL).
 * It may find more; `exactness` says when it cannot. How it is made so:
 * - what a class or a dot may match outside ASCII becomes one to four bytes 0x80..0xFE ("[\x80-\xFE]{1,4}";
 * in a star or plus simply those bytes). 0xFF is never part of a match: no text has it, and the matcher puts
 * it between events. Where `repair` says that malformed bytes may be part of a match, a subject that has 0xFF
 * all the same must be given with other malformed bytes in its place;
 * - letters without regard to case are spelt out ([eE]): Java's (?i) means ASCII letters only;
 * - look-around, \b where no neighbour is surely an ASCII word character, \B, atomic and possessive groups
 * are left out or loosened (a look-ahead that ends the expression, and a look-behind that begins it, are kept
 * as text); a back-reference becomes what its group may match;
 * - what may match nothing at either end of the whole expression, or of a branch of it, is cut off (".*x.*"
 * is "x", "x[a-z]+" is "x[a-z]"): where a match ends does not matter, only whether there is one;
 * - ^ and $ of Java become ^ and $ with Hyperscan's MULTILINE, since the matcher puts newlines between
 * events.
 *
 * Thread: any; pure. Everything is malloc'ed and belongs to the result. */
#pragma once

#include "core/status.h"

/* Java's flags, settable from outside as (?i) and so on are inside. */
enum ps_regex_flags {
    PS_REGEX_CASE_INSENSITIVE = 1 << 0,        /* i */
    PS_REGEX_MULTILINE = 1 << 1,               /* m */
    PS_REGEX_DOTALL = 1 << 2,                  /* s */
    PS_REGEX_COMMENTS = 1 << 3,                /* x */
    PS_REGEX_UNICODE_CASE = 1 << 4,            /* u */
    PS_REGEX_UNICODE_CHARACTER_CLASS = 1 << 5, /* U */
    PS_REGEX_UNIX_LINES = 1 << 6,              /* d */
};

/* What a match that Hyperscan reports is worth. "Plain" subjects have only bytes 0x00..0x7F without \n and
 * \r. */
enum ps_regex_exactness {
    PS_REGEX_EXACT,   /* Java finds one, too */
    PS_REGEX_PLAIN,   /* Java finds one, too, when the subject is plain; else PCRE2 is asked */
    PS_REGEX_CONFIRM, /* PCRE2 is asked */
    PS_REGEX_ALWAYS,  /* Java finds a match in every subject: no engine is asked (".*") */
    PS_REGEX_NONE,    /* Hyperscan cannot help: PCRE2 is asked about every subject */
};

#define PS_REGEX_PATTERN_BYTES_MAX 65536U

struct ps_java_regex {
    char *pcre2;          /* pattern for PCRE2 with PCRE2_UTF; every flag is spelt out in it */
    char *pcre2_after;    /* the same for the search behind an empty match, where \G is not; NULL: the same */
    char *hyperscan;      /* pattern for Hyperscan, flags as below; NULL for PS_REGEX_ALWAYS and _NONE */
    bool prefilter;       /* HS_FLAG_PREFILTER may be given: every report is confirmed */
    bool repair;          /* U+FFFD may be part of a match: see above, 0xFF */
    bool crosses_newline; /* a match may hold \n: newlines alone do not keep events of a batch apart */
    bool anchored;        /* has ^ or $ (MULTILINE is set for all) */
    enum ps_regex_exactness exactness;
    char why[160];        /* for people: why not exact ("look-ahead at 12"), or "" */
    unsigned group_count; /* without group 0 */
    char **group_names;   /* [0 .. group_count]; NULL for those without a name */
    uint32_t length_min;  /* fewest bytes of a match; 0: may be empty */
};

/* PS_FAIL: Java would throw PatternSyntaxException, or it is one of the few things we do not do: `err` gives
 * the offset (in Java's chars), the reason and, where there is one, the cure. */
enum ps_status ps_java_regex_translate(const char *pattern, unsigned flags, struct ps_java_regex *regex,
                                       struct ps_err *err);
void ps_java_regex_fini(struct ps_java_regex *regex);
