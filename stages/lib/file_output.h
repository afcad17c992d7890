/* Writes a serializer's output to a file: gathers it, writes it with few large calls, and undoes it after a
 * failure.
 *
 * Short pieces are copied into a buffer. A long piece that the caller declared as lasting (an event's body)
 * is written without a copy. Thread: the sink's worker. Never calls fsync. */
#pragma once

#include "core/stage.h"

#include <sys/uio.h>

#define PS_FILE_OUTPUT_PIECES 256

struct ps_file_output {
    struct ps_output output; /* passed to the serializer; must be the first member */
    int fd;
    int error;           /* errno of the last write that failed */
    bool failed;         /* a write failed since the last commit */
    uint64_t longest_ns; /* duration of the longest write, since the caller set it to 0 */
    uint64_t written;    /* bytes written since the last commit */
    uint64_t length;     /* length of the file, if nobody else changes the file */
    uint64_t
        /* number of the file's last bytes, which are cut off before the next write: undo could not cut them
         * off, or the caller wants it */
        torn;
    char *buffer;
    size_t used;
    struct iovec pieces[PS_FILE_OUTPUT_PIECES];
    int piece_count;
    size_t piece_bytes;
    const char *lasting; /* bytes that stay valid until the next commit or undo */
    size_t lasting_length;
};

/* Returns false when there is no memory. */
bool ps_file_output_init(struct ps_file_output *output);
void ps_file_output_fini(struct ps_file_output *output);

/* Starts writing to a new file, opened with O_APPEND: if somebody truncates it, writing continues at its new
 * end. The caller owns `fd`. */
void ps_file_output_begin(struct ps_file_output *output, int fd);

/* Declares that these bytes stay valid until commit or undo. */
static inline void ps_file_output_lasting(struct ps_file_output *output, const char *data, size_t length)
{
    output->lasting = data;
    output->lasting_length = length;
}

/* Writes everything gathered and makes it permanent. Returns false on an error: `error` has the errno, and
 * undo removes what was written. */
bool ps_file_output_commit(struct ps_file_output *output);

/* Returns to the last commit: discards what was gathered, truncates what was written. */
void ps_file_output_undo(struct ps_file_output *output);

/* Returns an output that discards everything. */
struct ps_output ps_file_output_discard(void);
