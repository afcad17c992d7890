/* Compresses a file into one gzip member or zstd frame, which is complete after every commit: a commit writes the end of the stream, and
 * the next commit overwrites this end and continues the stream (decision 44). It is used between a serializer and a file output.
 * With PS_COMPRESSION_NONE it passes bytes on unchanged.
 *
 * Thread: the sink's worker. */
#pragma once

#include "stages/lib/compression.h"
#include "stages/lib/file_output.h"

#define PS_STREAM_END_BYTES_MAX 32U

struct ps_stream_end {
    uint8_t bytes[PS_STREAM_END_BYTES_MAX];
    size_t length;
};

struct ps_compressed_output {
    struct ps_output output; /* passed to the serializer; must be the first member */
    struct ps_file_output *file;
    enum ps_compression kind;
    void *library; /* z_stream or ZSTD_CCtx */
    uint8_t *packed;
    bool changed;              /* bytes came since the last commit */
    bool committed;            /* the stream has bytes in the file */
    bool whole;                /* the last commit wrote the end of a stream, and nothing was undone since */
    struct ps_stream_end none; /* a stream without bytes */
    struct ps_stream_end end;  /* end of the stream as it was committed */
    struct ps_stream_end debt; /* end of a stream that was given up: written before the next stream */
};

/* `file` must live as long. Returns false when there is no memory. */
bool ps_compressed_output_init(struct ps_compressed_output *output, enum ps_compression kind,
                               struct ps_file_output *file);
void ps_compressed_output_fini(struct ps_compressed_output *output);

/* Returns the output to which a serializer writes. */
static inline struct ps_output *ps_compressed_output_target(struct ps_compressed_output *output)
{
    return output->kind == PS_COMPRESSION_NONE ? &output->file->output : &output->output;
}

/* Begins a new file, and its file output. Returns false when the file cannot be written: its `error` says why. The same for
 * commit and end. */
bool ps_compressed_output_begin(struct ps_compressed_output *output, int fd);
/* Commits: all bytes written so far can be read from the file. */
bool ps_compressed_output_commit(struct ps_compressed_output *output);
/* Returns to the last commit. */
void ps_compressed_output_undo(struct ps_compressed_output *output);
/* Ends the file; everything must be committed. Writes the end of the stream again if an undo removed it. */
bool ps_compressed_output_end(struct ps_compressed_output *output);

/* `size`: the present size of the file. If somebody else changed it, a new stream begins at the end of the
 * file. */
void ps_compressed_output_found(struct ps_compressed_output *output, uint64_t size);
