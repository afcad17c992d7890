/* Copies of files that are followed: when a copy waits, and which state it takes from its original. See copy.c. Thread: the worker of
 * the source. */
#pragma once

#include "stages/lib/tail/identity.h"
#include "stages/lib/tail/marks.h"
#include "stages/lib/tail/serial.h"

struct ps_tailer;
struct ps_tail_log;

/* how long a copy without new bytes waits for its original to be truncated */
#define PS_TAIL_GRACE_NS (10 * PS_NS_PER_S)
#define PS_TAIL_COPY_MAX_NS (60 * PS_NS_PER_S) /* the same for a copy with new bytes */
/* wait of a copy that is shorter than its deleted original, because the copy may grow */
#define PS_TAIL_SETTLE_NS (2 * PS_NS_PER_S)
#define PS_TAIL_COPY_LOOK_NS (250 * PS_NS_PER_MS) /* interval between two comparisons of a growing copy */

/* A file from one beginning to the next. The spans of its lines have this number and pass. */
struct ps_tail_life {
    uint32_t number, pass; /* pass 0: none */
    int64_t end;           /* only lines before this offset also belong to the present file */
};
/* A copy of a copy keeps this many lives. Undelivered lines of older lives come again after a crash. */
#define PS_TAIL_LIVES_BEFORE 4

/* A file as a copy of another one. It has an original only while it waits (PS_TAIL_LOG_COPY). */
struct ps_tail_copy {
    struct ps_tail_log *original; /* NULL: the original is gone */
    struct ps_tail_log *next;     /* in the original's list of copies */
    struct ps_tail_mark mark;     /* both files have the same bytes up to here */
    bool grew;                    /* the copy has bytes that were not compared */
    bool pends;                   /* the copy is compared again in any case */
    int64_t size;                 /* size of the copy when it was compared */
    uint64_t since_ns;            /* time when the first wait began; 0: the copy has not waited */
    uint64_t until_ns;            /* the end of the wait for the original to be truncated */
    uint64_t matched_ns;          /* time of the last comparison */
};

/* The state that a copy takes over. */
struct ps_tail_origin {
    const struct ps_tail_identity *identity;
    const struct ps_tail_marks *marks;
    struct ps_tail_serial *serial; /* goes to the copy */
    struct ps_tail_life lives[PS_TAIL_LIVES_BEFORE];
    int64_t read_offset, delivered_offset;
};
struct ps_tail_origin ps_tail_origin_of(struct ps_tail_log *log);
struct ps_tail_origin ps_tail_origin_earlier(struct ps_tail_log *log);
/* Continues the log from the mark with the state of its original, and queues it. Lines of the original that are not
 * delivered are read again after a crash. */
void ps_tail_copy_goes_on(struct ps_tailer *tailer, struct ps_tail_log *log,
                          const struct ps_tail_origin *origin, const struct ps_tail_mark *mark);
/* Adds the original's lives to the copy: their lines up to `end` are the copy's. The original may go on in the same life, but its
 * lines after `end` are not the copy's. */
void ps_tail_copy_lives_take(struct ps_tailer *tailer, struct ps_tail_log *log,
                             const struct ps_tail_life *lives, int64_t end);
/* Notes that the log is a copy of the original up to the mark. It waits until the original is truncated, is deleted, or lives on. */
void ps_tail_copy_wait(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_tail_log *original,
                       const struct ps_tail_mark *mark);
/* Lets a copy that is shorter than its deleted original wait, because it may grow. Returns false when it has not grown
 * since the last comparison, or has waited long enough. */
bool ps_tail_copy_pends(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t size);
/* Called when the source ends: compares the copies once more that wait because they may grow (ps_tail_match_take). Handles some of the
 * first `left` copies, and returns how many of them are left. */
uint32_t ps_tail_copies_at_end(struct ps_tailer *tailer, uint32_t left);
/* Called when the log is no longer to wait for its original: removes it from the original's list of copies. */
void ps_tail_copy_end(struct ps_tail_log *log);
/* Called when this file was truncated or is gone: its copies are read on from where reading of this file ended. */
void ps_tail_copy_takes_over(struct ps_tailer *tailer, struct ps_tail_log *log);
/* Returns whether a file waits that may be a copy of this one. */
bool ps_tail_copy_is_there(const struct ps_tail_log *original);
/* Notes that a waiting file changed: it is compared again soon. */
void ps_tail_copy_changed(struct ps_tail_log *log);
/* Releases copies that have waited long enough; they are read as files of their own. Returns when the next one is due. */
uint64_t ps_tail_copies_tick(struct ps_tailer *tailer);
