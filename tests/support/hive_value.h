/* Values of a table's columns as text, in the way that Java prints those of Hive: [1, 2], {<key>=1}, <text>, 2026-11-21 10:11:12.5.
 * Numbers with a fraction have 17 digits. */
#pragma once

#include "stages/lib/orc/type.h"
#include "stages/lib/orc/value.h"

#include <stdio.h>

void hive_value_print(FILE *out, const struct ps_orc_type *type, const struct ps_orc_value *value);

/* The same as a text, which the caller frees. */
char *hive_value_text(const struct ps_orc_type *type, const struct ps_orc_value *value);

/* Parses a type. */
struct ps_orc_type *hive_type_of(const char *text);
