/* Fields of delimited text as values of a table's columns, as Hive reads them: org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe
 * with its usual settings. What is no value of the column's type is null, and so is "\N". Thread: any. */
#pragma once

#include "stages/orc/type.h"
#include "stages/orc/value.h"

/* Whether there are texts for this type: all but binary, array, map and struct. */
bool ps_hive_field_knows(const struct ps_orc_type *type);

/* Reads a field. Strings point into the text; varchar and char are not cut yet. */
struct ps_orc_value ps_hive_field_read(const struct ps_orc_type *type, const char *text, uint32_t length);
