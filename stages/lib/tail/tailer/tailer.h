/* Follows the files of some directories, and turns their lines into events.
 *
 * A file is read from its position in the position file, or from its beginning. It is followed as long as it has a name that
 * matches. Under another name of its directory, or without a name, it is followed until it was read to its end and has been
 * idle. The identity of a file does not depend on its name (stages/lib/tail/identity.h). Its position moves when its lines are
 * delivered, and a truncated file starts over.
 *
 * Lines are slices of the block that the file was read into. A thread of the source does everything that may wait for a disk
 * (stages/lib/tail/thread.h). Thread of all functions: the worker of the source. */
#pragma once

#include "core/stage.h"

struct ps_tail_group {
    const char *name;      /* as configured */
    const char *directory; /* the directory of its files */
    const char *pattern;   /* Java regular expression for the whole name of a file, without its directory */
    const struct ps_name *const *header_names;
    const char *const *header_values;
    size_t header_count;
};

/* Lives as long as the plan. */
struct ps_tail_trouble;

struct ps_tail_settings {
    const struct ps_tail_group *groups; /* a file belongs to the first group that matches */
    size_t group_count;
    const char *position_path;
    /* Where the tailer reports that positions cannot be written (trouble.h). */
    struct ps_tail_trouble *trouble;
    const struct ps_name *file_header; /* header that gets the file's path; NULL: none */
    const struct ps_name *byte_offset; /* header that gets the offset of the line; NULL: none */
    bool skip_to_end; /* files that exist at the start and have no position are read from their end */
    bool identities;  /* lines get identities (serial.h), unless the sink keeps the positions */
    bool cache;       /* names are read again only when the directory's modification time has changed */
    uint64_t idle_ns; /* a file without new bytes is closed after this time */
    uint64_t save_ns; /* interval between two writes of the position file */
    uint64_t poll_ns; /* interval between two looks at directories whose changes are not reported */
    uint32_t batch_events_max;
    uint64_t turn_lines; /* lines of one file before the next file gets its turn */
    uint32_t line_max_bytes;
};

/* Names of this source's own counters, from PS_COUNTER_extra on. */
#define PS_TAIL_COUNTERS                                                                                     \
    "files_now", "open_files_now", "truncated", "lost_bytes", "filler_bytes", "compressed_files"
enum {
    PS_TAIL_COUNTER_files = PS_COUNTER_extra, /* files that are followed */
    PS_TAIL_COUNTER_open_files,
    PS_TAIL_COUNTER_truncated, /* files that began anew, because they were truncated or overwritten */
    /* Bytes of files that were deleted or truncated before they were read, as far as known. */
    PS_TAIL_COUNTER_lost_bytes,
    PS_TAIL_COUNTER_filler_bytes, /* NULs at the beginning of files that were cut, where nothing was written */
    PS_TAIL_COUNTER_compressed_files, /* files that are left out; each counts once, also over restarts */
};

/* The sink keeps the positions (sink_positions.c). Lives as long as the tailer. */
struct ps_tail_sink_source;
struct ps_tailer;

/* Creates a tailer, which reads no file yet. `keeping` NULL: the position file has the positions. Returns NULL if an expression
 * is wrong, or there is no memory or no thread. */
struct ps_tailer *ps_tailer_open(const struct ps_tail_settings *settings,
                                 const struct ps_tail_sink_source *keeping, struct ps_port *port,
                                 struct ps_err *err);
/* Writes the positions that are not written yet, and waits a few seconds at most for that. */
void ps_tailer_close(struct ps_tailer *tailer);

/* The functions of a source (core/stage.h). */

enum ps_result ps_tailer_work(struct ps_tailer *tailer, struct ps_batch *batch, const struct ps_now *now);
uint64_t ps_tailer_tick(struct ps_tailer *tailer, const struct ps_now *now);
void ps_tailer_delivered(struct ps_tailer *tailer, const struct ps_batch *batch);
/* Stops reading. Returns true when everything that was read is delivered and the positions are written. */
bool ps_tailer_drain(struct ps_tailer *tailer, const struct ps_now *now);
