/* Prints times with a pattern of org.apache.commons.lang.time.FastDateFormat 2.5, with English names: letters
 * y M d E a H k K h m s S D and quoted text. Refuses its other letters (G F w W z Z) and those that it does not have. */
#pragma once

#include "stages/lib/date/time_zone.h"

struct ps_java_print;

#define PS_JAVA_PRINT_BYTES 128U

/* Compiles the pattern, which must live as long as the arena; const after that. Returns NULL if a letter is not supported, or the
 * result may be longer than PS_JAVA_PRINT_BYTES; `err` says why. Thread: control. */
const struct ps_java_print *ps_java_print_create(struct ps_arena *arena, const char *pattern,
                                                 const struct ps_time_zone *zone, struct ps_err *err);

/* Prints the time, without a terminating 0. Returns the length. Thread: any. Allocates nothing. */
uint32_t ps_java_print(const struct ps_java_print *print, int64_t ms, char to[PS_JAVA_PRINT_BYTES]);
