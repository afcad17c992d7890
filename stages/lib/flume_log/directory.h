/* Recognises the directories and files of a Flume file channel.
 *
 * Waits for the file system. Thread: the caller's. */
#pragma once

#include "core/status.h"

/* Returns whether the directory has files of a Flume file channel's data (log-1.meta) or checkpoint (checkpoint.meta,
 * inflightputs, inflighttakes, queueset). Returns false if it cannot be read. */
bool ps_flume_log_is_directory(const char *directory);

/* Returns N for the name "log-N", else 0. */
uint32_t ps_flume_log_number(const char *name);
