/* Between the files of the matcher. */
#pragma once

#include "regex/hyperscan.h"
#include "regex/matcher/matcher.h"

/* What a report of Hyperscan about a pattern is worth. */
enum ps_matcher_worth {
    PS_WORTH_TAKEN, /* it matches */
    PS_WORTH_PLAIN, /* it matches if the subject is plain, else PCRE2 is asked */
    PS_WORTH_ASKED, /* PCRE2 is asked */
};

/* What stands between subjects in one scan. */
enum ps_matcher_border {
    PS_BORDER_NEWLINE, /* "\n": no expression can match one. So they may also be scanned in place */
    PS_BORDER_FF,      /* "\xFF": nothing matches it; no expression has ^ or $ */
    PS_BORDER_BOTH,    /* "\n\xFF\n": for sets that have both kinds */
};

struct ps_matcher {
    const struct ps_regex *const *patterns;
    uint32_t count;
    struct ps_hyperscan *hyperscan; /* NULL: none of them needs it */
    /* Expressions of the database: the distinct ones of the translated patterns. Those of expression i are
     * members[member_start[i]] to members[member_start[i + 1] - 1], ascending. */
    uint32_t expression_count;
    uint32_t *member_start, *members;
    uint8_t *worth;                   /* of each pattern */
    uint32_t *always, *pcre2, *empty; /* patterns that always match; that PCRE2 alone decides; that match an
                                         empty subject, without the former. All ascending */
    uint32_t always_count, pcre2_count, empty_count;
    enum ps_matcher_border border;
    bool minds_ff; /* U+FFFD may be part of a match: a 0xFF must become 0xFE, which is one to Java, too */
};

/* Of one worker's scratch. */
uint64_t ps_matcher_scratch_bytes(const struct ps_matcher *matcher);

/* ---- regex/matcher/plan.c: what goes to Hyperscan and how ---- */

/* What Hyperscan gets of a pattern, if it gets one; the text is malloc'ed. Without its id. */
bool ps_matcher_expression_of(const struct ps_java_regex *java, struct ps_hyperscan_expression *expression);

/* The expressions for Hyperscan, and whom they stand for. */
struct ps_matcher_plan {
    struct ps_hyperscan_expression *expressions;
    uint32_t count;
    uint32_t *expression_of; /* of each pattern, or UINT32_MAX */
};
void ps_matcher_plan_init(struct ps_matcher_plan *plan, const struct ps_regex *const *patterns,
                          uint32_t count);
void ps_matcher_plan_fini(struct ps_matcher_plan *plan);
/* Once Hyperscan's outcomes are known: members, worths, borders. */
void ps_matcher_settle(struct ps_matcher *matcher, const struct ps_matcher_plan *plan,
                       const uint8_t *outcomes);
/* True when a match of the translated expression may begin with a newline, as far as one can tell
 * (regex/matcher/begin.c). */
bool ps_matcher_begins_with_newline(const char *text);

/* ---- regex/matcher/text.c: looking at subjects and copying them ---- */

/* All ASCII without \n and \r. */
bool ps_matcher_is_plain(const char *text, size_t length);
/* memcpy, but 0xFF becomes 0xFE. `to` and `from` do not overlap. */
void ps_matcher_copy(char *to, const char *from, size_t length);
bool ps_matcher_has_ff(const char *text, size_t length);

/* ---- regex/matcher/chunk.c: subjects of one scan, and where each ends in it ---- */

#define PS_MATCHER_STAGING_BYTES (16U << 10)
#define PS_MATCHER_ALONE_BYTES 768U /* a longer one costs more to copy than to scan by itself */
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
    uint64_t *bits;  /* scan_bits: where to */
    /* scan_each: hits of a chunk, subject << 32 | expression, and what saw them last */
    uint64_t *hits;
    uint32_t hit_count, hit_room;
    uint32_t stamp; /* of the chunk's first subject */
    uint32_t *seen; /* of each expression: the stamp of the last subject it hit */
    bool unordered;
    uint32_t *matched; /* patterns of one subject; room for all */
    char *staging, *large;
    size_t large_room;
    uint32_t limits[PS_MATCHER_SUBJECTS_MAX + 2]; /* of the chunk: [i + 1] is one past the last byte of
                                                     subject i; [0] and the one behind the last are marks */
};

/* Makes the next chunk of subjects [at, count), at most to the end: in place, copied, or alone. */
void ps_matcher_chunk_next(struct ps_matcher_scratch *scratch, const struct ps_slice *subjects, uint32_t at,
                           uint32_t count);
/* A chunk of one. */
void ps_matcher_chunk_alone(struct ps_matcher_scratch *scratch, const struct ps_slice *subject, uint32_t at);
/* The subject (within the chunk) a match that ends at `to` is in; UINT32_MAX: in none. */
uint32_t ps_matcher_chunk_find(struct ps_matcher_scratch *scratch, uint32_t to);
