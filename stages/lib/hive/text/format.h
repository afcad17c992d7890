/* Writes rows as lines of the files of a table that is not transactional, so that Hive reads the same values. Supports TEXTFILE with
 * org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe, and JSON with org.apache.hive.hcatalog.data.JsonSerDe,
 * org.apache.hadoop.hive.serde2.JsonSerDe or org.openx.data.jsonserde.JsonSerDe.
 *
 *   text   the table's field.delim (or serialization.format), collection.delim, mapkey.delim, escape.delim,
 *          serialization.escape.crlf and serialization.null.format. With an escape character all separators in
 *          texts are escaped, as by Hive's INSERT. Without one, a value with a separator or line end would be
 *          read as several values: it is refused
 *   JSON   an object with the names of the columns; null values are left out; only invalid UTF-8 is refused
 *   OpenX  the same, with the names of its properties mapping.COLUMN; columns of types that it reads differently
 *          or not at all are refused
 *
 * As in Hive's own files, an array of one empty text is read as an empty array, and in text a value that equals the null format is read as
 * null.
 *
 * Thread: any; constant once it is read, until ps_hive_text_format_free. */
#pragma once

#include "stages/lib/byte_buffer.h"
#include "stages/lib/hive/message.h"
#include "stages/lib/hive/nested.h"
#include "stages/lib/orc/value.h"

#define PS_HIVE_NULL_BYTES 64U

struct ps_hive_text_format {
    bool is_json, is_openx;
    /* OpenX: pairs of column and name in the file, each ended by 0; another 0 ends the list; NULL: none. */
    char *mappings;
    bool escapes,
        /* `escapes`: there is an escape character; `escapes_ends`: line ends are escaped too, as "\n". */
        escapes_ends;
    char escape;
    char separators[PS_HIVE_SEPARATORS];
    uint32_t null_length;
    char null_text[PS_HIVE_NULL_BYTES];
};

/* Reads the format from the table. Returns PS_FAIL with the reason if its files cannot be written: another serde or file format, a
 * header that Hive skips, buckets, an encoding, or a column whose type has no text. `row_type`: of the table's columns. */
enum ps_status ps_hive_text_format_read(const struct ps_hive_table *table, const struct ps_orc_type *row_type,
                                        struct ps_hive_text_format *format, struct ps_err *err);
void ps_hive_text_format_free(struct ps_hive_text_format *format);

/* The result of ps_hive_text_append. After all but WRITTEN `line` ends with a part of the row. */
enum ps_hive_line {
    PS_HIVE_LINE_WRITTEN,
    PS_HIVE_LINE_REFUSED, /* the row cannot be a line of this table; `err` has the column and the reason */
    PS_HIVE_LINE_NO_MEMORY,
};

/* Appends the row as a line with its end. */
enum ps_hive_line ps_hive_text_append(const struct ps_hive_text_format *format,
                                      const struct ps_orc_type *row_type, const struct ps_orc_value *row,
                                      struct ps_byte_buffer *line, struct ps_err *err);
