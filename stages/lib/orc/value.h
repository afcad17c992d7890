/* A value of a column, as the writer takes it. */
#pragma once

#include "core/base.h"

struct ps_orc_value {
    bool null;
    union {
        int64_t integer; /* boolean, tinyint, smallint, int, bigint; date: days since 1970-01-01 */
        double real;     /* float, double */
        struct {         /* string, varchar, char, binary */
            const char *bytes;
            uint32_t length;
        };
        struct {             /* timestamp: wall clock time as if it were UTC */
            int64_t seconds; /* since 1970, rounded down */
            uint32_t nanoseconds;
        };
        __int128 decimal; /* without the point: 1.50 of scale 2 is 150 */
        struct {          /* array: its items; map: key, value, key, value; struct: all its fields */
            const struct ps_orc_value *items;
            uint32_t item_count;
        };
    };
};
