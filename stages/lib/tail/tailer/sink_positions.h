/* Positions that the sink keeps in its transactions: asking for them at the start, and reporting changes. See sink_positions.c. Thread:
 * the worker of the source. */
#pragma once

#include "stages/lib/tail/gone.h"
#include "stages/lib/tail/slots.h"
#include "stages/lib/tail/tailer/tailer.h"

struct ps_batch;
struct ps_span;
struct ps_tail_log;

struct ps_tail_sink_positions {
    const struct ps_tail_sink_source *keeping; /* NULL: the sink keeps no positions */
    bool asked;                                /* the question to the sink is in a batch */
    struct ps_tail_slots announced; /* logs whose position the next batch has, also without lines */
    struct ps_tail_gone gone;       /* files that are gone, by inode; the next batch reports them */
};

/* Adds to the batch the question for the positions, or the positions that changed without lines. Sets *told if anything
 * was added. Returns whether lines may be read into the batch. */
bool ps_tail_sink_positions_tell(struct ps_tailer *tailer, struct ps_batch *batch, bool *told);
/* Handles a span of a delivered batch. Returns whether it was the span of a question or of a file that is
 * gone, not of lines of a log. */
bool ps_tail_sink_positions_answered(struct ps_tailer *tailer, const struct ps_span *span);
/* Adds a span of the file to the batch, with room for the detail. Returns false if there is no room. */
bool ps_tail_sink_positions_span(struct ps_tailer *tailer, struct ps_tail_log *log, struct ps_batch *batch);
/* Writes the detail of the file's span, as the file is now. */
void ps_tail_sink_positions_detail(struct ps_tail_log *log, struct ps_batch *batch);
/* Notes that the position of the log with this number changed without lines. */
void ps_tail_sink_positions_announce(struct ps_tail_sink_positions *sink, uint32_t number);
/* Notes that the file with this inode is gone. */
void ps_tail_sink_positions_gone(struct ps_tail_sink_positions *sink, uint64_t inode);
