/* Rows of delimited text: Flume's HiveDelimitedTextSerializer and Hive's
 * org.apache.hive.hcatalog.streaming.DelimitedInputWriter. A body is one row; its fields are texts of the columns (field.h). */
#pragma once

#include "stages/hive/rows.h"

#define PS_HIVE_DELIMITER_BYTES 64U

/* Hive takes the delimiter for a regular expression (String.split). Here it is the text that this expression stands for. */
struct ps_hive_delimiter {
    char text[PS_HIVE_DELIMITER_BYTES]; /* at least one byte */
    uint32_t length;
    bool
        has_operators; /* it has characters that are operators in Java's expressions, which are taken for themselves here */
};

/* Reads serializer.delimiter: "\t" in quotation marks is a tab, \| and [|] are a bar. PS_FAIL: it is empty, too long, or an
 * expression that stands for several texts ("\s+", "[,;]"). Thread: any. */
enum ps_status ps_hive_delimiter_read(const char *text, struct ps_hive_delimiter *delimiter,
                                      struct ps_err *err);

struct ps_hive_delimited_settings {
    struct ps_hive_delimiter delimiter;
    struct ps_slice collection,
        map_key; /* of the table's serde: collection.delim, mapkey.delim; length 0: the usual ones */
    const char *
        field_names; /* serializer.fieldnames: columns by field, separated by commas; "": the field is passed over */
};

/* The columns of fields that a body does not have are null; fields beyond the names are passed over. A column that no name stands
 * for is null, and empty if it is text, as in Hive. NULL and the reason: a name that is no column, or a column whose type has no text. The type
 * lives longer. */
struct ps_hive_rows *ps_hive_delimited_open(const struct ps_hive_delimited_settings *settings,
                                            const struct ps_orc_type *row_type, struct ps_err *err);
