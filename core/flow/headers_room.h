/* Memory for the headers of an event that a source fills in itself: for one whose events have the headers of the event before, with
 * the same names and other values. Thread: the source's worker. */
#pragma once

#include "core/flow/batch.h"

/* Returns memory of the batch for `count` headers, and behind them `bytes` bytes for their values, or NULL. Nothing of it is written,
 * or linked to an event. The batch must have an event with headers of these names already: its `own_mask` is left as it is. */
struct ps_header *ps_batch_headers_room(struct ps_batch *batch, uint32_t count, uint32_t bytes);
