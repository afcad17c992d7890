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

enum ps_pipe_charset {
    PS_PIPE_CHARSET_UTF8,   /* malformed bytes become U+FFFD */
    PS_PIPE_CHARSET_ASCII,  /* bytes from 0x80 become '?' */
    PS_PIPE_CHARSET_SINGLE, /* each byte is a character: bytes as they are */
    PS_PIPE_CHARSET_OTHER,  /* `convert` decodes and encodes again */
};

struct ps_pipe_lines {
    int fd; /* non-blocking; -1: none */
    enum ps_pipe_charset charset;
    /* Of PS_PIPE_CHARSET_OTHER, set by the owner after `init`: gives a line its other text, in the batch's memory. Returns
     * false when there is no memory. */
    bool (*convert)(void *owner, struct ps_batch *batch, char **text, uint32_t *length);
    void *owner;
    uint32_t line_max; /* longer lines are cut into several events, and counted as malformed */
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
