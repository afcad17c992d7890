/* Positions of sources that a sink keeps in its transactions (ps_engine_source_ops.starts_from_records): the sink reads
 * the positions from its own store when the source asks for them, and leaves them here for the source. A source and a
 * sink may run on different workers, and each may be closed before the other one answers, so neither has a pointer to
 * the other. A lock protects the positions; it is taken only twice for each opening of a source. Thread: any. */
#pragma once

#include "core/base.h"

/* Leaves the positions of the source that is named by `owner`, a JSON array of the objects that the sink has kept.
 * Replaces positions that were not taken. */
void ps_sink_positions_leave(const char *owner, const char *text);
/* Removes and returns the text, which the caller frees; NULL: nothing was left for this owner. */
char *ps_sink_positions_take(const char *owner);
