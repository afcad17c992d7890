/* Names a source of files whose positions a sink keeps in its transactions (ps_engine_source_ops.starts_from_records), asks the
 * sink for these positions, and takes the answer. taildir and spooldir share it; each has records of its own.
 * Thread: the worker of the source. */
#pragma once

#include "core/status.h"
#include "stages/lib/tail/source_id.h"

struct ps_batch;
struct ps_port;
struct ps_stream_name;

/* The span that asks for the positions: its stream and pass. */
#define PS_TAIL_KEEPING_QUESTION UINT32_MAX
#define PS_TAIL_KEEPING_PASS 1U

struct ps_tail_sink_source {
    char owner[PS_TAIL_OWNER_BYTES]; /* the source's number */
    char owner_key[32];              /* as the sink names the source */
    int32_t life;                    /* a random number of this opening, not negative */
};

/* Reads or draws the number beside the positions (stages/lib/tail/source_id.h), which `lock` locks; -1: it is not locked, which
 * is an error with `cure`. `overtaken`: another program has advanced the positions, so the sink's records are older. */
enum ps_status ps_tail_sink_source_init(struct ps_tail_sink_source *keeping, const char *position_path,
                                        int lock, bool overtaken, const char *cure, struct ps_err *err);
/* Returns the name of the span for the record of the file with this key. The name points to `keeping` and to
 * `key`. */
struct ps_stream_name ps_tail_sink_source_name(const struct ps_tail_sink_source *keeping, const char *key);
/* Adds the question to a batch without anything else in it. Returns false if there is no room for it. */
bool ps_tail_sink_source_ask(const struct ps_tail_sink_source *keeping, struct ps_batch *batch);
/* Called when the batch with the question is delivered. Returns the records, a JSON array that the caller frees; or reports to
 * the engine that there are none, and returns NULL. */
char *ps_tail_sink_source_answer(const struct ps_tail_sink_source *keeping, struct ps_port *port);
