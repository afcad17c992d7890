/* Follows the files of some directories, and turns their lines into events.
 *
 * A file is followed from where the position file has it, or from its beginning, as long as it has a name that matches, and
 * further under any other name in its directory, or without a name, until it was read to its end and rests. What it is does not
 * depend on its name (stages/tail/identity.h). Positions move with what was delivered, and a file that was cut begins
 * anew.
 *
 * Lines are slices of the block that the file was read into. Everything that may wait is done by a thread of its own
 * (stages/tail/thread.h). Thread of all functions: the worker of the source. */
#pragma once

#include "core/stage.h"

struct ps_tail_group {
    const char *name;      /* as configured */
    const char *directory; /* where its files are */
    const char *pattern;   /* Java's expression for the whole name of a file, without its directory */
    const struct ps_name *const *header_names;
    const char *const *header_values;
    size_t header_count;
};

/* Lives as long as the plan. */
struct ps_tail_trouble;

struct ps_tail_settings {
    const struct ps_tail_group *groups; /* a file is of the first one that matches */
    size_t group_count;
    const char *position_path;
    struct ps_tail_trouble *trouble;   /* why it cannot be written (trouble.h) */
    const struct ps_name *file_header; /* gets the file's path; NULL: none */
    const struct ps_name *byte_offset; /* gets where the line begins; NULL: none */
    bool skip_to_end; /* files that are there at the start and have no position: from their end */
    bool decompress;  /* the text of files of gzip and zstd is read */
    bool cache;       /* names are read again only when the directory's time has changed */
    uint64_t idle_ns; /* a file without news is closed after this long */
    uint64_t save_ns; /* between two writes of the position file */
    uint64_t poll_ns; /* between two looks at directories whose changes are not reported */
    uint32_t batch_events_max;
    uint64_t turn_lines; /* of one file before the next one gets its turn */
    uint32_t line_max_bytes;
};

/* Names of the stage's own counters, from PS_COUNTER_extra on. */
#define PS_TAIL_COUNTERS "files", "open_files", "truncated", "lost_bytes"
enum {
    PS_TAIL_COUNTER_files = PS_COUNTER_extra, /* that are followed */
    PS_TAIL_COUNTER_open_files,
    PS_TAIL_COUNTER_truncated,  /* files that began anew: cut, or written over */
    PS_TAIL_COUNTER_lost_bytes, /* of files that were gone, or cut, before they were read; as far as known */
};

struct ps_tailer;

/* Reads no file yet. PS_FAIL: an expression is wrong, or there is no memory or thread. */
struct ps_tailer *ps_tailer_open(const struct ps_tail_settings *settings, struct ps_port *port,
                                 struct ps_err *err);
/* Writes the positions if some are not written, and waits for that some seconds at most. */
void ps_tailer_close(struct ps_tailer *tailer);

/* The functions of a source (core/stage.h). */

enum ps_result ps_tailer_work(struct ps_tailer *tailer, struct ps_batch *batch, const struct ps_now *now);
uint64_t ps_tailer_tick(struct ps_tailer *tailer, const struct ps_now *now);
void ps_tailer_delivered(struct ps_tailer *tailer, const struct ps_batch *batch);
/* Reads nothing more. Returns true when everything that was read is delivered and the positions are written. */
bool ps_tailer_drain(struct ps_tailer *tailer, const struct ps_now *now);
