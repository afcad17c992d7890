/* Set-up errors: a stack of lines, the innermost first. Not for failures while data flows. */
#pragma once

#include "core/base.h"

enum ps_status { PS_OK = 0, PS_FAIL = -1 };

#define PS_ERR_BYTES 2048

struct ps_err {
    char text[PS_ERR_BYTES]; /* lines, separated by newlines; truncated rather than overrun */
    size_t length;
};

/* Replaces the stack by one line (printf rules). Returns PS_FAIL, for `return ps_err_set(...)`. `err` may be
 * NULL: then only the status is returned. Thread: any. */
enum ps_status ps_err_set(struct ps_err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Joins the lines with "; " in place, for a log, where a message is one line. Returns err->text. */
const char *ps_err_join(struct ps_err *err);

/* Adds a line that names what the caller was doing. Returns PS_FAIL. */
enum ps_status ps_err_append(struct ps_err *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
