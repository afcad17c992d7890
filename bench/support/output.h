/* Writes the files that load and plan leave: results, pages, manifests, tables. Each file is made in memory and
 * written as a whole.
 *
 * Thread: any; not for use on a data path. */
#pragma once

#include "core/status.h"

#include <stddef.h>

/* Checks that ps_output_write could write `path`, which `option` names in the message: a measurement takes minutes,
 * and its output must not be lost to a misspelt directory. Makes and removes an empty file beside it. */
enum ps_status ps_output_check(const char *option, const char *path, struct ps_err *err);

/* Makes a text for JSON; null for NULL and for an empty text. */
struct json_t *ps_output_json_text(const char *text);

/* Writes to a temporary file beside `path` and renames it, so that the file is complete or absent. A pipe or a
 * device is written to, never replaced. The error names the path and the reason. */
enum ps_status ps_output_write(const char *path, const char *data, size_t length, struct ps_err *err);
