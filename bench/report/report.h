/* The page that `penstock plan --report` writes: one HTML file with its style and its pictures (SVG) inside.
 * It asks for nothing from a network, runs no script, and reads well on a dark screen, on a telephone and on
 * paper.
 *
 * Thread: any, at the end of a plan; set-up side only. */
#pragma once

#include "core/status.h"

#include <jansson.h>

/* Writes the page of a result document (docs/PLANNING.md describes it) to `path`, by way of a file beside it
 * and a rename, so that there is a whole page or none. What the document lacks, or has in another type, the
 * page says was not measured; every text in it is taken as text, never as markup. PS_FAIL: `path` cannot be
 * written. */
enum ps_status ps_report_write(const json_t *result, const char *path, struct ps_err *err);
