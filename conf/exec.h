/* Runs a command of the configuration and reads the first line it prints. Thread: the control thread; blocks.
 */
#pragma once

#include "core/arena.h"
#include "core/option.h"
#include "core/status.h"

#define PS_EXEC_TIMEOUT_MS 10000
#define PS_EXEC_LINE_BYTES_MAX 65536

/* command words, then `argument`. No shell. The first line of its output without the line end, once it ended
 * with 0; NULL with a message when it could not be run, failed, printed nothing or too much, or took longer
 * than `timeout_ms` (it is killed then). */
const char *ps_exec_first_line(struct ps_arena *arena, const struct ps_texts *command, const char *argument,
                               int timeout_ms, struct ps_err *err);
