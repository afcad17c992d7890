/* Shared by the files of the matcher. */
#pragma once

#include "regex/hyperscan.h"
#include "regex/matcher/matcher.h"

/* The meaning of a report of Hyperscan about a pattern. */
enum ps_matcher_worth {
    PS_WORTH_TAKEN, /* the pattern matches */
    PS_WORTH_PLAIN, /* the pattern matches if the subject is plain, else PCRE2 decides */
    PS_WORTH_ASKED, /* PCRE2 decides */
};

/* The bytes between subjects in one scan. */
enum ps_matcher_border {
    PS_BORDER_NEWLINE, /* "\n": no expression can match a newline; allows scanning in place */
    PS_BORDER_FF,      /* "\xFF": nothing matches this byte; no expression has ^ or $ */
    PS_BORDER_BOTH,    /* "\n\xFF\n": for sets with both kinds of expressions */
};

struct ps_matcher {
    const struct ps_regex *const *patterns;
    uint32_t count;
    struct ps_hyperscan *hyperscan; /* NULL: no pattern needs it */
    /* The database has one expression for each distinct translated pattern. The patterns of expression i are
     * members[member_start[i]] to members[member_start[i + 1] - 1], ascending. */
    uint32_t expression_count;
    uint32_t *member_start, *members;
    uint8_t *worth; /* of each pattern: enum ps_matcher_worth */
    /* Patterns, ascending: those that always match, those that PCRE2 alone decides, and those that match an
     * empty subject (not including `always`). */
    uint32_t *always, *pcre2, *empty;
    uint32_t always_count, pcre2_count, empty_count;
    enum ps_matcher_border border;
    /* U+FFFD may be part of a match: a 0xFF must become 0xFE, which Java also reads as U+FFFD. */
    bool replaces_ff;
};

/* ---- regex/matcher/plan.c: the patterns that go to Hyperscan, and their form there ---- */

/* Returns Hyperscan's expression for a pattern that has one. The text belongs to the pattern. */
struct ps_hyperscan_expression ps_matcher_expression_of(const struct ps_java_regex *java);

/* The expressions for Hyperscan, and the patterns they stand for. */
struct ps_matcher_plan {
    struct ps_hyperscan_expression *expressions;
    uint32_t count;
    uint32_t *expression_of; /* for each pattern its expression, or UINT32_MAX */
};
void ps_matcher_plan_init(struct ps_matcher_plan *plan, const struct ps_regex *const *patterns,
                          uint32_t count);
void ps_matcher_plan_fini(struct ps_matcher_plan *plan);
/* Fills in members, worths and the border from Hyperscan's outcomes. */
void ps_matcher_settle(struct ps_matcher *matcher, const struct ps_matcher_plan *plan,
                       const uint8_t *outcomes);

/* ---- regex/matcher/text.c: testing and copying subjects ---- */

/* Returns whether the text is all ASCII without \n and \r. */
bool ps_matcher_is_plain(const char *text, size_t length);
/* Copies like memcpy, but 0xFF becomes 0xFE. `to` and `from` must not overlap. */
void ps_matcher_copy(char *to, const char *from, size_t length);
bool ps_matcher_has_ff(const char *text, size_t length);

/* ---- regex/matcher/chunk.c: the subjects of one scan, and where each ends ---- */

#define PS_MATCHER_STAGING_BYTES (16U << 10)
#define PS_MATCHER_ALONE_BYTES 768U /* a longer subject costs more to copy than to scan alone */
#define PS_MATCHER_HITS_MAX 16384U

struct ps_matcher_chunk {
    const char *data;
    uint32_t length;
    uint32_t first, count; /* subjects */
    uint32_t gap;          /* bytes of the border */
};

struct ps_matcher_scratch {
    const struct ps_matcher *matcher;
    struct ps_hyperscan_scratch *hyperscan;
    struct ps_regex_scratch *regex;
    struct ps_matcher_counts counts;
    struct ps_matcher_chunk chunk;
    uint32_t cursor; /* subject of the chunk that the last hit was in */
    uint64_t *bits;  /* the output of scan_bits; NULL in scan_each */
    /* the hits of a chunk, as subject << 32 | expression */
    uint64_t *hits;
    uint32_t hit_count, hit_room;
    uint32_t stamp; /* of the chunk's first subject */
    uint32_t *seen; /* for each expression: the stamp of the last subject it hit */
    bool unordered;
    uint32_t *matched; /* patterns of one subject; large enough for all */
    char *staging, *large;
    size_t large_room;
    /* Ends of the chunk's subjects: [i + 1] is one past the last byte of subject i. The first and the last
     * entry are sentinels. */
    uint32_t limits[PS_MATCHER_SUBJECTS_MAX + 2];
};

/* Makes the next chunk from the subjects [at, count), or from the first ones of them. Subjects that follow each other
 * in memory stay in place, a long subject is a chunk alone, and all other subjects are copied together. */
void ps_matcher_chunk_next(struct ps_matcher_scratch *scratch, const struct ps_slice *subjects, uint32_t at,
                           uint32_t count);
/* Makes a chunk of one subject; its data is NULL if there was no memory for a copy. */
void ps_matcher_chunk_alone(struct ps_matcher_scratch *scratch, const struct ps_slice *subject, uint32_t at);
