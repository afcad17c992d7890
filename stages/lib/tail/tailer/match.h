/* Types that match.c and compare.c share: the files that a new file may be a copy of, and the result of the comparison. */
#pragma once

#include "stages/lib/tail/tailer/internal.h"

#define PS_TAIL_CANDIDATES_MAX 16U

enum ps_tail_candidate_kind {
    PS_TAIL_IS_FOLLOWED,
    PS_TAIL_WAS_EARLIER,   /* a followed file as it was before it was truncated */
    PS_TAIL_IS_REMEMBERED, /* in the position file */
};

struct ps_tail_candidate {
    enum ps_tail_candidate_kind kind;
    uint32_t number, pass; /* number and pass of the log */
    struct ps_tail_position *position;
    struct ps_tail_identity identity;
    int64_t offset; /* where reading goes on */
    struct ps_tail_marks marks;
    int fd;     /* the log's descriptor; -1: not open */
    char *path; /* NULL: it has none */
    bool first; /* the file was truncated or is gone: a copy of it is likely */
    bool gone;
    bool unsure; /* result: the file differed when it was compared, or was shorter */
    bool shared; /* result: the new file differs, but also has the bytes that were read of this one */
    int64_t distance;
};

/* A file with the same beginning as the new file, even if it is not a candidate. `there` is a result: the new file
 * has the last mark of this file. */
struct ps_tail_hint {
    const struct ps_tail_fingerprint_entry
        *entry; /* only compared, because the file may no longer exist then */
    struct ps_tail_mark mark;
    bool there;
};

struct ps_tail_match {
    struct ps_tail_candidate items[PS_TAIL_CANDIDATES_MAX];
    uint32_t count, visits;
    /* All files that begin alike, if there are more files than candidates. NULL: all are candidates. */
    struct ps_tail_hint *hints;
    uint32_t hint_count;
    int fd; /* of the new file */
    /* Results: */
    int own_error, other_error; /* errno of a read that failed; 0: none */
    int found;                  /* index of the original; -1: none */
    bool alive;                 /* the original is still unchanged */
    bool pending;               /* the original is gone, and the new file may still grow to its size */
    /* The original is there but was truncated, and its present bytes were not read yet. */
    bool unread;
    int64_t size;   /* of the new file */
    int64_t offset; /* both files have the same bytes up to here */
    struct ps_tail_mark mark;
    bool
        hinted; /* result: no candidate is the original, and a hint is there: these are the next candidates */
};
