/* The random number of a source of files, by which the sink that keeps its positions identifies it. It is in the file
 * <position file>.id, beside the positions, which are locked. It is drawn when the sink begins to keep positions, so that the
 * source never finds positions of an earlier time. Thread: the worker's, in `open`. */
#pragma once

#include "core/status.h"

#define PS_TAIL_OWNER_BYTES 17U /* 16 digits, terminated */

/* Returns whether Flume has advanced the positions of a taildir since the number was made: its position file does not end in a
 * newline (stages/lib/tail/positions.h: ours), and is younger. The sink's records are then outdated. If the clock was set back between the
 * two, the answer may be wrong: the source goes on from the older positions, so lines come again, and none is lost. */
bool ps_tail_source_id_is_overtaken(const char *position_path);
/* Reads the number. Draws and writes a new number if there is none, or if the old one is `overtaken`. */
enum ps_status ps_tail_source_id_need(const char *position_path, bool overtaken,
                                      char owner[PS_TAIL_OWNER_BYTES], struct ps_err *err);
/* Removes the number, because from now on only the position file has the positions. */
enum ps_status ps_tail_source_id_forget(const char *position_path, struct ps_err *err);
