/* A log of which this process is the only writer: its directories are locked, and it is open. A data directory that does
 * not exist is made only when the log was opened without it, because its file system may not be mounted.
 *
 * Thread: the log's. */
#pragma once

#include "stages/lib/queue/segment/lock.h"
#include "stages/lib/queue/segment/log.h"

struct ps_segment_writer {
    struct ps_segment_log *log;
    struct ps_segment_locks locks;
    bool *
        absent; /* which data directories did not exist before the log was opened; the log's options point to it */
};

/* Makes and locks the directories of `options`, and opens the log; `options->absent` is not used. Fails if another process has the
 * log, or if promised frames may be in a data directory that does not exist: then that directory is not made. On failure
 * the writer is empty, and *err has the reason. */
enum ps_status ps_segment_writer_open(struct ps_segment_writer *writer,
                                      const struct ps_segment_options *options, struct ps_err *err);
/* Closes the log and releases the locks. An empty writer (all zero, or closed) is allowed. */
void ps_segment_writer_close(struct ps_segment_writer *writer);
