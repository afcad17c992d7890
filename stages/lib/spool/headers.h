/* Headers of events that come from files. Thread: the source's worker. */
#pragma once

#include "core/stage.h"
#include "stages/lib/spool/spool.h"

/* Returns the path as Java's getAbsolutePath does. `working_directory` is put before a relative path; NULL if
 * the path is absolute. `kept` has the path made for this file, or NULL; the caller frees it. */
const char *ps_spool_absolute_path(const char *working_directory, const struct ps_spool_file *file,
                                   char **kept);

/* Sets a header of all events of the batch, or finds that the batch has the same value already. Returns false
 * without memory, or when the batch is `full`. */
bool ps_spool_header_ready(struct ps_batch *batch, const struct ps_name *name, const char *value);
