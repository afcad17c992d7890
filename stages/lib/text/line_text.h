/* Makes events of the lines of a file as Flume's LineDeserializer does over a ResettableFileInputStream: finds
 * lines, handles malformed bytes, and converts bodies to another charset. The caller supplies the bytes in
 * pieces.
 *
 *   charset              how lines are found                     bodies
 *   the same, valid      \n by memchr                            slices of the caller's bytes
 *   malformed UTF-8      character by character                  repaired copies, or an error
 *   others               \n in units of the charset              decoded and encoded copies
 *
 * A line that has chars_max of Java's chars ends there. At the end of the file, the beginning of a UTF-8
 * sequence is dropped, as in Flume. Thread: the worker that has the batch. Allocates nothing once warm. */
#pragma once

#include "core/stage.h"
#include "stages/lib/slab.h"
#include "stages/lib/text/charset.h"

struct ps_line_text {
    const struct ps_charset *in, *out;
    enum ps_decode_policy policy;
    uint32_t chars_max;
    /* maximum number of bytes of the file that chars_max chars of any charset take */
    uint64_t line_bytes_max;
    bool plain;               /* ASCII is the same bytes in both charsets */
    bool ready;               /* charsets are open */
    bool waits;               /* ps_line_text_prepare waits for the first bytes of the file */
    bool order_known, little; /* byte order of a marked charset, by its mark */
    uint32_t part;            /* number of parts of the first line that are in a batch already */
    /* number of events of all files that end at chars_max although their line continues */
    uint64_t cuts;
    bool cut_or_end; /* the last event ends at chars_max, and the available bytes end with this event */
    struct ps_transcoder decoder, encoder;
    struct ps_slab *slab;
    struct ps_buffer decoded, encoded;
};

/* Returns whether lines can be found in text of this charset by searching for \n. */
bool ps_line_text_has_lines(const struct ps_charset *charset);

/* Begins a new file. `out` must live as long as `text`. A chars_max below 1 counts as 1. */
void ps_line_text_begin(struct ps_line_text *text, struct ps_slab *slab, const struct ps_input *input,
                        const struct ps_charset *out, int64_t chars_max, uint64_t bytes_max);
void ps_line_text_fini(struct ps_line_text *text);

/* Opens the charsets, and finds the byte order of UTF-16 and UTF-32. `waits` is set when the file is not in memory yet. */
enum ps_status ps_line_text_prepare(struct ps_line_text *text, struct ps_input *input, struct ps_err *err);

/* Bytes of the file, from input->position on. */
struct ps_line_bytes {
    char *bytes;
    uint32_t length;
    bool ends; /* the file ends after these bytes */
    bool copy; /* the bytes do not belong to the batch: bodies are copied */
    bool one;  /* take only the first line, or its parts */
    /* The results. */
    uint32_t taken; /* number of bytes whose lines are in the batch */
    bool kept;      /* bodies are slices of `bytes` */
};

enum ps_line_take {
    PS_LINE_TAKE_ALL,  /* all whole lines */
    PS_LINE_TAKE_FULL, /* no more room in the batch, or no memory */
    PS_LINE_TAKE_BAD,  /* the next line has bytes that are not of the charset; the error says which */
};

enum ps_line_take ps_line_text_take(struct ps_line_text *text, struct ps_batch *batch,
                                    struct ps_line_bytes *lines, struct ps_err *err);

/* Returns whether the first line ends within `length` bytes or has its maximum length. The first `known`
 * bytes are known to have no newline. */
bool ps_line_text_ends(const struct ps_line_text *text, const char *bytes, uint32_t known, uint32_t length);
