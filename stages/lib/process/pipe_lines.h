/* Reads lines from a pipe into batches: the source exec reads its command's output with it.
 *
 * Reads the pipe into the batch's block and splits it there. A partial line stays in the block; if it is
 * longer than half a block, it moves to a buffer of its own from the worker's cache. Lines are split as
 * Java's BufferedReader.readLine does; bodies are the bytes that decoding and encoding with the charset produces.
 * Thread: the worker. Never blocks. Does not read when the batch is full. */
#pragma once

#include "core/stage.h"
#include "stages/lib/process/line_split.h"
#include "stages/lib/slab.h"
#include "stages/lib/text/charset.h"

enum ps_pipe_charset {
    PS_PIPE_CHARSET_UTF8,   /* malformed bytes become U+FFFD */
    PS_PIPE_CHARSET_ASCII,  /* bytes from 0x80 become '?' */
    PS_PIPE_CHARSET_SINGLE, /* each byte is a character: bytes as they are */
    PS_PIPE_CHARSET_OTHER,  /* decoded and encoded again, up to PS_PIPE_CONVERTED_MAX bytes of a line */
};

#define PS_PIPE_CONVERTED_MAX (12U * 1024) /* the texts fit into one block */

/* Finds a character set by Java's name or alias, in any case; its line ends must be ASCII's. */
enum ps_status ps_pipe_charset_find(const char *name, struct ps_charset *charset, enum ps_pipe_charset *kind,
                                    struct ps_err *err);

struct ps_pipe_lines {
    int fd; /* non-blocking; -1: none */
    enum ps_pipe_charset charset;
    struct ps_transcoder transcoder; /* of PS_PIPE_CHARSET_OTHER */
    uint32_t line_max;               /* longer lines are cut into several events, and counted as malformed */
    struct ps_counters *counters;
    struct ps_slab slab;
    struct ps_line_split split;
    uint32_t known;         /* bytes left in the block that contain no line end */
    bool unsplit;           /* bytes left in the block that were not split yet */
    bool ended;             /* the pipe has ended: the rest is the last line */
    struct ps_buffer carry; /* the beginning of a line too long for a block */
    /* When not 0: where the line in `carry` ends, and where the next one begins */
    uint32_t carry_end, carry_next;
};

/* `line_max` is limited to a quarter of the memory budget, so that one line cannot use all of it. */
void ps_pipe_lines_init(struct ps_pipe_lines *lines, const struct ps_port *port, enum ps_pipe_charset charset,
                        uint32_t line_max);
/* For PS_PIPE_CHARSET_OTHER, after `init`: `charset` must outlive `lines`. */
enum ps_status ps_pipe_lines_convert(struct ps_pipe_lines *lines, const struct ps_charset *charset,
                                     struct ps_err *err);
void ps_pipe_lines_fini(struct ps_pipe_lines *lines);

/* Starts with a new pipe. All lines of the last one must have been added. The caller owns the fd. */
void ps_pipe_lines_begin(struct ps_pipe_lines *lines, int fd);

/* Reads a bounded amount. Returns PS_DONE when it read something or the batch is full, PS_IDLE when there is
 * nothing to read now. */
enum ps_result ps_pipe_lines_work(struct ps_pipe_lines *lines, struct ps_batch *batch);

/* Returns true when the pipe has ended and its last line is in a batch. */
static inline bool ps_pipe_lines_over(const struct ps_pipe_lines *lines)
{
    return lines->ended && !lines->unsplit && lines->carry_next == 0;
}
