/* The log: one line per message: time, level, component, text. It goes to stderr (with journald priorities under
 * systemd) or to a file.
 *
 * Rate limit: the same format string from the same component is written at most 10 times in 10 seconds. The log counts
 * the lines held back. It writes the count, and the time for which it held lines back, with the next such line; if none
 * comes until the 10 seconds are over, it writes the last line held back with the count. A stage may therefore log an
 * error each time it tries again, but must not log for each event. Thread: any (a mutex guards the writer; workers take
 * it only when they log). */
#pragma once

#include "core/status.h"

enum ps_log_level { PS_LOG_TRACE, PS_LOG_DEBUG, PS_LOG_INFO, PS_LOG_WARN, PS_LOG_ERROR, PS_LOG_OFF };

/* `component` is "agent" or a name as configured, e.g. "source r1"; it must live only during the call. */
void ps_log(enum ps_log_level level, const char *component, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Writes the head of a line, `length` bytes of text as they are, newlines included, and a newline; the rate limit
 * does not apply. For the logger sink, whose output it is; the caller must remove control characters. Returns false
 * when the log's reader does not read and the line was not written; true also when the level is not logged. */
bool ps_log_text(enum ps_log_level level, const char *component, const char *text, size_t length);

/* The same for a line that a logger with a level of its own has chosen: the line is written even when `level`, which
 * is not OFF, is below the log's level. */
bool ps_log_text_chosen(enum ps_log_level level, const char *component, const char *text, size_t length);

/* Sets the level: messages below it are not written. It is INFO at first. */
void ps_log_set_level(enum ps_log_level level);
enum ps_log_level ps_log_get_level(void);

/* Parses a level by Java's or syslog's name, any case ("INFO", "warning"). Returns PS_FAIL for an unknown word. */
enum ps_status ps_log_level_parse(const char *word, enum ps_log_level *level);

/* Sets whether lines are JSON objects (time, level, component, message) or text from now on. */
void ps_log_set_json(bool json);

/* Appends to `path` from now on (created with mode 0644). NULL: writes to stderr again. */
enum ps_status ps_log_open(const char *path, struct ps_err *err);

/* Returns the number of lines of a level since the start, including those held back (metrics). */
uint64_t ps_log_count(enum ps_log_level level);

/* Returns the number of different messages (format and component) that were logged (metrics). */
uint64_t ps_log_distinct_count(void);

/* Writes the counts of lines held back that are not written yet. The agent calls it at the end of a run. */
void ps_log_flush(void);
/* The same for lines whose 10 seconds are over: called each second, so that they do not wait for the next line. */
void ps_log_turn(void);

/* Turns the rate limit off (tests that read every line). */
void ps_log_unlimited(void);
