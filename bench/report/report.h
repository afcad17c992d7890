/* The page that `penstock plan --report` writes: one HTML file that holds the result document as text and as JSON, and a
 * script that draws it. It loads nothing from a network and is readable on a dark screen, on a telephone and on paper;
 * where no script runs, it shows the text.
 *
 * Thread: any, at the end of a plan; not for use on a data path. */
#pragma once

#include "core/status.h"

#include <jansson.h>

/* Writes the page of a result document (docs/PLANNING.md describes it) to a temporary file, which it renames
 * to `path`, so the page is complete or absent. Data that the document lacks, or has in another type, appears
 * as not measured; texts are never interpreted as markup. Returns PS_FAIL when `path` cannot be written. */
enum ps_status ps_report_write(const json_t *result, const char *path, struct ps_err *err);
