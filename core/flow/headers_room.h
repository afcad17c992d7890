/* Memory for an event's headers that the source fills in itself. It is for an event whose headers have the same names as the
 * headers of an earlier event of the batch, but other values. Thread: the source's worker. */
#pragma once

#include "core/flow/batch.h"

/* Returns memory of the batch for `count` headers and, after them, `bytes` bytes for their values; NULL if
 * there is none. The memory is neither initialized nor linked to an event. The batch must have an event with
 * headers of these names already: its `own_mask` is left as it is. */
struct ps_header *ps_batch_headers_room(struct ps_batch *batch, uint32_t count, uint32_t bytes);
