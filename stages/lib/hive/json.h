/* Reads rows from JSON objects, like Flume's HiveJsonSerializer and Hive's org.apache.hive.hcatalog.data.JsonSerDe of Hive 3.1, the
 * last version that Flume's sink can use. A body is one object; bytes after it are ignored.
 *
 *   grammar     RFC 8259 without extensions; valid UTF-8, with or without a byte order mark. Skipped values may
 *               have at most 512 levels.
 *   members     are columns, or fields of structs, by name and case-insensitive; "_col0" is the first one. Unknown
 *               members are skipped, missing ones are null, and of several with one name the last one counts
 *   integers    only numbers; a fraction is cut off; a number out of range refuses the row
 *   float, double  only numbers
 *   boolean     true, or "true" in any case; everything else is false
 *   string, varchar, char, binary  texts (binary: their UTF-8); numbers, true and false as they are written
 *   date        "2026-11-21";  timestamp  "2026-11-21 10:11:12.5". An impossible day or time refuses the row
 *   decimal     numbers and texts; an invalid or too large one is null
 *   array, map, struct  arrays and objects; the keys of a map are read as texts of their type
 *
 * Hive differs in these cases, which refuse the row here: it makes 128 to 255 negative in a tinyint, it moves 30th February and 24
 * o'clock to the next day, and it accepts an object in a column that is not a struct or map. */
#pragma once

#include "stages/lib/hive/rows.h"

/* Opens a reader. Returns NULL with the reason if the keys of a map are not plain values. The type must outlive the reader. */
struct ps_hive_rows *ps_hive_json_open(const struct ps_orc_type *row_type, struct ps_err *err);
