/* Output of a serializer into a file: gathered, written with few large calls, taken back when it fails.
 *
 * Short pieces are copied into a buffer; a long one that is said to last (an event's body) is written from
 * where it stands. Thread: the sink's worker. Never syncs. */
#pragma once

#include "core/stage.h"

#include <sys/uio.h>

#define PS_FILE_OUTPUT_PIECES 256

struct ps_file_output {
    struct ps_output output; /* what the serializer is given; first */
    int fd;
    int error;             /* of the last write that failed */
    bool failed;           /* since the last commit */
    uint64_t good, offset; /* committed bytes; written ones */
    char *buffer;
    size_t used;
    struct iovec pieces[PS_FILE_OUTPUT_PIECES];
    int piece_count;
    size_t piece_bytes;
    const char *lasting; /* bytes that stay until the next commit */
    size_t lasting_length;
};

/* False: no memory. */
bool ps_file_output_init(struct ps_file_output *output);
void ps_file_output_fini(struct ps_file_output *output);

/* A new, empty file, positioned at 0. */
void ps_file_output_begin(struct ps_file_output *output, int fd);

/* These bytes do not go away before commit or undo. */
static inline void ps_file_output_lasting(struct ps_file_output *output, const char *data, size_t length)
{
    output->lasting = data;
    output->lasting_length = length;
}

/* Writes everything gathered; from here on it stays. False: `error` says why; nothing of it stays after undo.
 */
bool ps_file_output_commit(struct ps_file_output *output);

/* Back to the last commit: forgets what was gathered, cuts off what was written. */
void ps_file_output_undo(struct ps_file_output *output);

/* An output that swallows everything. */
struct ps_output ps_file_output_nowhere(void);
