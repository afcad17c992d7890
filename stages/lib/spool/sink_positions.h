/* A spooling directory whose positions the sink keeps in its transactions (ps_engine_source_ops.starts_from_records). No file is
 * opened before the sink has answered with the records. Each batch after that has a record of each file whose events it has;
 * the record in the last batch of a file has its end. The file is retired when the transaction with its end is committed, and
 * its record is deleted. Thread: the worker of the source. */
#pragma once

#include "stages/lib/spool/sink_records.h"
#include "stages/lib/tail/gone.h"
#include "stages/lib/tail/sink_source.h"

struct ps_batch;
struct ps_port;
struct ps_span;

struct ps_spool_sink_positions {
    struct ps_tail_sink_source keeping;
    bool keeps; /* the sink keeps positions */
    bool asked, known;
    int lock;                    /* lock of the file with the source's number; -1: none */
    char *records;               /* the sink's records, until the thread takes them */
    struct ps_tail_gone gone;    /* files that are gone; the next batch reports them */
    struct ps_tail_gone retired; /* files of a group that is not complete */
};

/* Reads or draws the number of the source, beside its meta file, under a lock. Without `keeps` removes it: then only the meta
 * file has the position. */
enum ps_status ps_spool_sink_positions_open(struct ps_spool_sink_positions *sink,
                                            const struct ps_spool *spool, bool keeps, struct ps_err *err);
void ps_spool_sink_positions_close(struct ps_spool_sink_positions *sink);

/* Asks for the records, or reports files that are gone, in the batch. Sets *told if it added anything. Returns whether files may
 * be read into the batch. */
bool ps_spool_sink_positions_tell(struct ps_spool_sink_positions *sink, struct ps_batch *batch, bool draining,
                                  bool *told);
/* Called when a span was delivered. Returns whether the span was the question to the sink. */
bool ps_spool_sink_positions_answered(struct ps_spool_sink_positions *sink, const struct ps_span *span,
                                      struct ps_port *port);
/* Returns whether files may be opened. */
bool ps_spool_sink_positions_is_known(const struct ps_spool_sink_positions *sink);
/* Exchange data with the thread: its first fetch gets the records, and fetches return the keys of files that are gone. */
void ps_spool_sink_positions_give(struct ps_spool_sink_positions *sink, struct ps_spool_fetch *fetch);
void ps_spool_sink_positions_take(struct ps_spool_sink_positions *sink, struct ps_spool_fetch *fetch);
/* Notes that the file is retired. Its record is removed after ps_spool_sink_positions_synced. */
void ps_spool_sink_positions_gone(struct ps_spool_sink_positions *sink, const struct ps_spool_file *file);
/* The group of retired files is complete. Without `synced` a power cut may bring the files back: their records are left, and the next
 * start removes them. */
void ps_spool_sink_positions_synced(struct ps_spool_sink_positions *sink, bool synced);

/* Adds a span of the file to the batch, with room for its record if the sink keeps one. Returns false if there is no room. */
bool ps_spool_sink_positions_span(const struct ps_spool_sink_positions *sink, struct ps_batch *batch,
                                  uint32_t stream, uint64_t position, const struct ps_spool_file *file);
/* Writes the record of the file's span. */
void ps_spool_sink_positions_record(const struct ps_spool_sink_positions *sink, struct ps_batch *batch,
                                    uint32_t stream, const struct ps_spool_file *file, uint64_t inside,
                                    enum ps_spool_sink_records_end end);
