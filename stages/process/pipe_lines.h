/* Lines from a pipe into batches: what source exec does with the output of its command.
 *
 * The pipe is read into the batch's block and split there; the beginning of a line stays in the block, or,
 * when it is longer than half a block, in a buffer of its own from the worker's cache. Lines are as Java's
 * BufferedReader.readLine gives them, bodies as they are after decoding and encoding with the charset.
 * Thread: the worker's. Never blocks, never reads when the batch is full. */
#pragma once

#include "core/stage.h"
#include "stages/process/line_split.h"
#include "stages/slab.h"

enum ps_pipe_charset {
    PS_PIPE_CHARSET_UTF8,   /* malformed bytes become U+FFFD */
    PS_PIPE_CHARSET_ASCII,  /* others become '?' */
    PS_PIPE_CHARSET_SINGLE, /* ISO-8859-n: bytes as they are */
};

/* By Java's name or alias, any case. False: not one that is read here. */
bool ps_pipe_charset_parse(const char *name, enum ps_pipe_charset *charset);

struct ps_pipe_lines {
    int fd; /* non-blocking; -1: none */
    enum ps_pipe_charset charset;
    uint32_t line_max; /* longer lines are cut into several events, and counted as malformed */
    struct ps_counters *counters;
    struct ps_slab slab;
    struct ps_line_split split;
    uint32_t known;                 /* bytes left in the block that hold no line end */
    bool unsplit;                   /* bytes left in the block were not looked at */
    bool ended;                     /* end of the pipe: what is left is the last line */
    struct ps_buffer carry;         /* the beginning of a line too long for a block; */
    uint32_t carry_end, carry_next; /* when not 0: of that line, and where the next one begins */
};

/* `line_max` is lowered to a quarter of the memory budget: a line must fit beside others. */
void ps_pipe_lines_init(struct ps_pipe_lines *lines, const struct ps_port *port, enum ps_pipe_charset charset,
                        uint32_t line_max);
void ps_pipe_lines_fini(struct ps_pipe_lines *lines);

/* A new pipe; nothing of the last one may be left. The fd stays the caller's. */
void ps_pipe_lines_begin(struct ps_pipe_lines *lines, int fd);

/* Reads a bounded part. PS_DONE: something came, or the batch is full; PS_IDLE: nothing now. */
enum ps_result ps_pipe_lines_work(struct ps_pipe_lines *lines, struct ps_batch *batch);

/* The pipe has ended and its last line is in a batch. */
static inline bool ps_pipe_lines_over(const struct ps_pipe_lines *lines)
{
    return lines->ended && !lines->unsplit && lines->carry_next == 0;
}
