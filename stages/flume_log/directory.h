/* The directories of a Flume file channel: which files are in them, and whether a Flume agent uses them.
 * Thread: the caller's; blocks on the file system. */
#pragma once

#include "core/status.h"

/* Returns whether the directory has files of a Flume file channel, of its data (log-1.meta) or of its checkpoint
 * (checkpoint.meta, inflightputs, inflighttakes, queueset). False, too, if it cannot be read. */
bool ps_flume_log_is_directory(const char *directory);

/* Returns N for the name "log-N", else 0. */
uint32_t ps_flume_log_number(const char *name);
