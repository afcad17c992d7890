/* NULs that stand for what is not written yet: a file that is made long at once and filled from its front (preallocated, sparse, mapped
 * into memory). NULs at the end of a file are never text: the file is read again, also if nothing reports a change, since writes through
 * memory are not reported. NULs that begin a line and have text behind them may still be filled: they wait for PS_TAIL_FILLER_NS. Then
 * fewer than PS_TAIL_FILLER_BYTES are passed on as a part of the line, and more are given up. NULs at the beginning of a file that was cut
 * are skipped: its writer went on at its former place. Thread: the worker of the source. */
#pragma once

#include "core/clock.h"
#include "stages/lib/tail/marks.h"

#include <stddef.h>

#define PS_TAIL_FILLER_BYTES 512U /* a sector: the least that a file system or a program fills with NULs */
#define PS_TAIL_FILLER_NS PS_NS_PER_S

_Static_assert(PS_TAIL_FILLER_BYTES >= PS_TAIL_MARK_BYTES, "the bytes before the position are NULs then");

struct ps_tail_filler {
    bool waits;         /* the file ended in NULs when it was read last, or they begin a line */
    bool told;          /* the log has that NULs were given up */
    int64_t at;         /* the position of the file then */
    int64_t end;        /* all bytes from the text to here were NULs at looked_ns, and the file ended here */
    int64_t passed_end; /* lines that begin before this offset have waited */
    int64_t text_end;   /* at text_ns: the end of the file's text, as far as known */
    bool ends_in_text;  /* at text_ns: the file had no NULs at its end */
    uint64_t since_ns;  /* when the position became `at` */
    uint64_t text_ns;   /* when text was first seen behind NULs at the position; 0: there is none */
    uint64_t looked_ns;
    uint64_t due_ns; /* when the file is read again */
};

/* Returns how many NULs the bytes begin with. */
static inline size_t ps_tail_nuls_before(const char *bytes, size_t length)
{
    size_t count = 0;
    while (count < length && bytes[count] == '\0')
        count++;
    return count;
}

/* Returns the length of the bytes without the NULs at their end. */
static inline size_t ps_tail_without_nuls(const char *bytes, size_t length)
{
    while (length > 0 && bytes[length - 1] == '\0')
        length--;
    return length;
}

struct ps_tailer;
struct ps_tail_log;

/* Notes that the file ends in NULs at or behind its position: it is read again later. `end`: the end of the file; 0: not known. */
void ps_tail_filler_ends(struct ps_tailer *tailer, struct ps_tail_log *log, int64_t end);
/* Returns whether the file was seen a moment ago to have only NULs from its position to its end, so that nobody looks behind them again. */
bool ps_tail_filler_is_known(const struct ps_tailer *tailer, const struct ps_tail_log *log);

enum ps_tail_filler_step {
    PS_TAIL_FILLER_HOLDS,       /* they may still be filled: the turn ends */
    PS_TAIL_FILLER_PASSES,      /* they are a part of the line */
    PS_TAIL_FILLER_IS_GIVEN_UP, /* the position moved behind them */
};
/* Returns whether it is not known yet how far the text goes that is behind NULs at the position: the thread looks (line.c). */
bool ps_tail_filler_asks(const struct ps_tail_log *log);
/* Notes the end of the file's text, which was seen behind NULs at the position. `ends_in_text`: the file ends there. */
void ps_tail_filler_note(const struct ps_tailer *tailer, struct ps_tail_log *log, int64_t text_end,
                         bool ends_in_text);
/* Handles `nuls` NULs at the position that have text behind them. */
enum ps_tail_filler_step ps_tail_filler_begins(struct ps_tailer *tailer, struct ps_tail_log *log,
                                               int64_t nuls);
/* Returns whether a line that begins with a NUL at this offset is not taken together with the lines before it. */
bool ps_tail_filler_stops(const struct ps_tail_log *log, const char *line, size_t length, int64_t offset);
/* Returns whether a file that was read again because it ends in NULs is closed at once: it has rested for long. */
bool ps_tail_filler_closes(const struct ps_tailer *tailer, const struct ps_tail_log *log);
/* Queues the files whose NULs are to be looked at again. Returns when the next one is due. */
uint64_t ps_tail_fillers_tick(struct ps_tailer *tailer);
