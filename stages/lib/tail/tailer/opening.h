/* Types and functions that open.c and same.c share: a file that is being opened, and whether it is still the file that was read. Thread:
 * the worker of the source; the source's thread where a function says so. */
#pragma once

#include "stages/lib/tail/tailer/internal.h"

struct ps_tail_opening {
    struct ps_tail_job job;
    uint32_t number, pass; /* number and pass of the log when the job was made */
    char *path;
    int fd;                           /* given: to be checked; -1: the job opens the file */
    bool was_open;                    /* the job was given the log's own descriptor */
    int64_t offset;                   /* where reading would go on */
    struct ps_tail_identity expected; /* identity of what was read so far; head_length 0: not known */
    int error; /* errno; 0: the file is open. This and the fields below are results, unless they say "given". */
    struct ps_tail_identity identity;
    int64_t size;
    bool begins;                /* the file has the expected beginning */
    struct ps_tail_marks marks; /* given: what is known of the bytes before `offset` */
    bool is_known, doubts;      /* given: the file was opened before; it is compared with all marks */
    bool marks_fit;             /* the file has all of these marks; those of its beginning do not count */
    struct ps_tail_mark fits;   /* if not: the last mark that it has; length 0: none */
    uint32_t fits_not;          /* number of marks behind it */
    struct ps_tail_last_bytes fits_last; /* before `fits` */
    int64_t text_offset; /* where the NULs before `offset` begin; `offset` if a NUL is not before it */
    struct ps_tail_last_bytes text_last; /* before `text_offset` */
    enum ps_tail_way way;
    char head[PS_TAIL_HEAD_BYTES];
    size_t head_length;
    const char *compression;        /* format of a compressed file; NULL: it is not compressed */
    struct ps_tail_last_bytes last; /* before `offset` */
    struct ps_tail_match *match;    /* files that it may be a copy of */
    unsigned matches;               /* number of comparisons */
};

/* The answers to the question whether an opened file is read. */
enum ps_tail_verdict {
    PS_TAIL_READS,
    PS_TAIL_READS_NOT,
    PS_TAIL_READS_UNKNOWN, /* it may be a copy */
};

/* Reads the bytes before `offset`. Returns false with errno if they cannot be read. Call it on the source's thread. */
bool ps_tail_last_read(struct ps_tail_last_bytes *last, int fd, int64_t offset);
/* Looks for the marks in the file. Returns false with errno if it cannot be read. Call it on the source's thread. */
bool ps_tail_marks_find(struct ps_tail_opening *opening);
/* Gives the log the identity of the file that was opened. The fingerprint covers what was read of it, and whole lines. */
void ps_tail_identity_take(struct ps_tail_log *log, const struct ps_tail_opening *opening);
/* Returns whether the file is the one of the position: it has the same bytes before it. */
bool ps_tail_is_remembered(const struct ps_tail_opening *opening, const struct ps_tail_position *position);
/* Makes the log wait until its directory was looked at, because its copy may be there. */
void ps_tail_wait_for_look(struct ps_tailer *tailer, struct ps_tail_log *log, uint64_t look_ns);
/* Decides about a file that was read before. It starts over if it is shorter, or has other bytes before the position. */
enum ps_tail_verdict ps_tail_compare(struct ps_tailer *tailer, struct ps_tail_log *log,
                                     const struct ps_tail_opening *opening);
