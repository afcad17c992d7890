/* What tailer_match.c and tailer_compare.c share: the files that a new one may be a copy of, and what a comparison says. */
#pragma once

#include "stages/tail/tailer_parts.h"

#define PS_TAIL_CANDIDATES_MAX 16U

enum ps_tail_candidate_kind {
    PS_TAIL_IS_FOLLOWED,
    PS_TAIL_WAS_EARLIER,   /* before it was cut */
    PS_TAIL_IS_REMEMBERED, /* by the position file */
};

struct ps_tail_candidate {
    enum ps_tail_candidate_kind kind;
    uint32_t number, generation; /* of the log */
    struct ps_tail_position *position;
    struct ps_tail_identity identity;
    int64_t offset; /* where it is read on */
    struct ps_tail_marks marks;
    int fd;     /* the log's; -1: not open */
    char *path; /* NULL: it has none */
    bool first; /* it is cut, or gone: a copy of it is likely */
    bool gone;
    bool unsure; /* the answer: it was another file when it was compared, or shorter */
    bool shared; /* the answer: the new file differs, and has what was read of this one, too */
    int64_t distance;
    /* while it is compared with a text, piece by piece */
    int other;        /* -1: not open, or not what was read of it */
    bool differs;     /* from the other */
    int64_t size;     /* of the other, as far as it was read */
    uint32_t mark_at; /* the marks before this one were looked for; the last of them is there: */
    bool marked;
};

struct ps_tail_match {
    struct ps_tail_candidate items[PS_TAIL_CANDIDATES_MAX];
    uint32_t count, visits;
    int fd; /* of the new file */
    /* the answer */
    int own_error, other_error; /* errno of a read that failed; 0: none */
    int found;                  /* -1: none */
    bool alive;                 /* it is still what it was */
    bool pending;               /* it is gone, and the new file may still grow to what it was */
    bool unread;                /* alive, but it was cut, and what it has now was not read yet */
    int64_t size;               /* of the new file */
    int64_t offset;             /* the new file has what it has up to here */
    struct ps_tail_mark mark;
    bool text_begun; /* the candidates are open */
};

/* Closes the file that it is compared with. Either thread. */
void ps_tail_candidate_close(struct ps_tail_candidate *candidate);
