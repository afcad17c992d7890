/* Reads rows of delimited text, like Flume's HiveDelimitedTextSerializer and Hive's
 * org.apache.hive.hcatalog.streaming.DelimitedInputWriter. A body is one row; its fields are texts of the columns (field.h). */
#pragma once

#include "stages/lib/hive/rows.h"

#define PS_HIVE_DELIMITER_BYTES 64U

/* The delimiter. Hive uses it as a regular expression (String.split); here it is the one text that the expression matches. */
struct ps_hive_delimiter {
    char text[PS_HIVE_DELIMITER_BYTES]; /* at least one byte */
    uint32_t length;
    /* the text has characters that are operators in Java's expressions, and are literal here */
    bool has_operators;
};

/* Reads serializer.delimiter: "\t" in quotation marks is a tab, \| and [|] are a bar. Returns PS_FAIL if the
 * delimiter is empty, too long, or an expression that matches several texts ("\s+", "[,;]"). Thread: any. */
enum ps_status ps_hive_delimiter_read(const char *text, struct ps_hive_delimiter *delimiter,
                                      struct ps_err *err);

struct ps_hive_delimited_settings {
    struct ps_hive_delimiter delimiter;
    struct ps_slice collection,
        map_key; /* collection.delim and mapkey.delim of the table's serde; length 0: the defaults */
    const char *
        /* serializer.fieldnames: the name of the column of each field, separated by commas; an empty name
         * skips the field */
        field_names;
};

/* Opens a reader. Columns whose fields a body does not have are null; fields beyond the names are skipped. A column without a name is null,
 * or empty if it is text, as in Hive. Returns NULL with the reason if a name is not a column, or a column's type has no text. The type must
 * outlive the reader. */
struct ps_hive_rows *ps_hive_delimited_open(const struct ps_hive_delimited_settings *settings,
                                            const struct ps_orc_type *row_type, struct ps_err *err);
