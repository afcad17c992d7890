/* Rows as lines of the files of a table that is not transactional: TEXTFILE with org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe,
 * and JSON with org.apache.hive.hcatalog.data.JsonSerDe, org.apache.hadoop.hive.serde2.JsonSerDe or org.openx.data.jsonserde.JsonSerDe, so
 * that Hive reads the same values again.
 *
 *   text   the table's field.delim (or serialization.format), collection.delim, mapkey.delim, escape.delim, serialization.escape.crlf and
 *          serialization.null.format. With an escape character all separators in texts are escaped, as Hive's INSERT does. Without one
 *          a value in which a separator or the end of a line stands would be read as several: it is refused
 *   JSON   an object with the names of the columns; what is null is left out; nothing in a text has to be refused but what is no UTF-8
 *   OpenX  the same, with the names of its properties mapping.COLUMN; not for columns of types that it reads otherwise, or not at all
 *
 * As in Hive's own files an array of one empty text is read as an empty array, and in text a value that equals the null format as null.
 *
 * Thread: any; const once it is read, until ps_hive_text_format_free. */
#pragma once

#include "stages/byte_buffer.h"
#include "stages/hive/message.h"
#include "stages/hive/nested.h"
#include "stages/orc/value.h"

#define PS_HIVE_NULL_BYTES 64U

struct ps_hive_text_format {
    bool is_json, is_openx;
    char *mappings; /* OpenX: field, 0, name in the file, 0, .., 0; NULL: none */
    bool escapes,
        escapes_ends; /* there is an escape character; it also stands before the end of a line, as "\n" */
    char escape;
    char separators[PS_HIVE_SEPARATORS];
    uint32_t null_length;
    char null_text[PS_HIVE_NULL_BYTES];
};

/* Reads what the table says of its files. PS_FAIL and what keeps from writing them: another serde or file format, a header that Hive
 * passes over, buckets, an encoding, a column whose type has no text. `row_type`: of the table's columns. */
enum ps_status ps_hive_text_format_read(const struct ps_hive_table *table, const struct ps_orc_type *row_type,
                                        struct ps_hive_text_format *format, struct ps_err *err);
void ps_hive_text_format_free(struct ps_hive_text_format *format);

/* Appends the row's line and its end. Returns false: it cannot be a line of this table (the column and why), or there is no memory;
 * `line` has its first part then. */
bool ps_hive_text_append(const struct ps_hive_text_format *format, const struct ps_orc_type *row_type,
                         const struct ps_orc_value *row, struct ps_byte_buffer *line, struct ps_err *err);
