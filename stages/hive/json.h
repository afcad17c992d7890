/* Rows as JSON objects: Flume's HiveJsonSerializer and Hive's org.apache.hive.hcatalog.data.JsonSerDe of Hive 3.1, the last one that
 * Flume's sink can use. A body is one object; what stands behind it is passed over.
 *
 *   grammar     RFC 8259 without additions; valid UTF-8, a byte order mark is allowed. At most 512 levels are passed over.
 *   members     are columns by name, without regard to case, and fields of structs likewise; "_col0" is the first one. Others are
 *               passed over, what is missing is null, of several with one name the last one counts
 *   integers    numbers alone; a fraction is cut off; what is out of range refuses the row
 *   float, double  numbers alone
 *   boolean     true or "true" in any case; all else is false
 *   string, varchar, char, binary  texts (binary: their UTF-8); numbers, true and false as they are written
 *   date        "2026-11-21";  timestamp  "2026-11-21 10:11:12.5". A day or time that there is not refuses the row
 *   decimal     numbers and texts; what is none, or is too large, is null
 *   array, map, struct  arrays and objects; the keys of a map are read as texts of their type
 *
 * Where Hive differs: 128 to 255 become negative numbers in a tinyint there, 30th February and 24 o'clock become the day after, and
 * an object in a column that is none is taken apart. All of this refuses the row here. */
#pragma once

#include "stages/hive/rows.h"

/* Returns NULL and the reason: a map whose keys are no plain values. The type lives longer. */
struct ps_hive_rows *ps_hive_json_open(const struct ps_orc_type *row_type, struct ps_err *err);
