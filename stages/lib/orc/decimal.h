/* Decimal numbers of at most 38 digits. */
#pragma once

#include "core/base.h"

#define PS_ORC_DECIMAL_TEXT_BYTES 48U

/* Writes the number, terminated and without trailing zeroes after the point, as Hive's HiveDecimal.toString
 * does. Returns the length. */
size_t ps_orc_decimal_text(__int128 unscaled, uint32_t scale, char text[PS_ORC_DECIMAL_TEXT_BYTES]);

/* Returns whether the number has at most this many digits. */
bool ps_orc_decimal_fits(__int128 unscaled, uint32_t precision);
