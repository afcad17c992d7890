/* Runs a command that the configuration names or that bin/flume-ng runs, and reads its output. Thread: the control
 * thread; blocks. */
#pragma once

#include "core/arena.h"
#include "core/option.h"
#include "core/status.h"

#define PS_EXEC_TIMEOUT_MS 10000
#define PS_EXEC_LINE_BYTES_MAX 65536

/* Runs the words as a command, without a shell, with this environment (ends with NULL; NULL: the caller's). Returns the
 * whole output of the command, in the arena, after it has exited with status 0. Returns NULL with a message when the
 * command could not run, failed, printed more than `bytes_max` bytes, or took longer than `timeout_ms` (it is then
 * killed). */
const char *ps_exec_output(struct ps_arena *arena, const struct ps_texts *words,
                           const char *const *environment, size_t bytes_max, int timeout_ms,
                           struct ps_err *err);

/* Runs the words of `command` with `argument` appended, without a shell. Returns the first line of the output, without
 * the line end, after the command has exited with status 0. Returns NULL with a message when the command could not run,
 * failed, printed nothing or too much, or took longer than `timeout_ms` (it is then killed). */
const char *ps_exec_first_line(struct ps_arena *arena, const struct ps_texts *command, const char *argument,
                               int timeout_ms, struct ps_err *err);
