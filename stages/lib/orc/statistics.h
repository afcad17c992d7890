/* Statistics of a column, in a row group, a stripe or a file (ORC v1 specification, "Column Statistics"):
 * readers skip groups and stripes that cannot have the wanted rows.
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/orc/buffer.h"
#include "stages/lib/orc/type.h"

/* The smallest or largest string: the string itself up to 1024 bytes of UTF-8, else a shorter bound: not larger
 * than the smallest string, or not smaller than the largest. */
struct ps_orc_bound {
    struct ps_orc_buffer text;
    bool is_set, is_cut;
};

struct ps_orc_statistics {
    uint64_t count; /* of values that are not null */
    bool has_null;
    bool has_range; /* minimum and maximum are set */
    bool sum_lost;  /* the sum became too large */
    int64_t minimum, maximum,
        sum; /* integers; dates: days; timestamps: milliseconds; booleans: the sum counts true;
                                        strings and binaries: the sum is their length */
    double least, most, total;       /* float, double */
    __int128 lowest, highest, whole; /* decimal */
    struct ps_orc_bound lower, upper;
};

void ps_orc_statistics_open(struct ps_orc_statistics *statistics, struct ps_orc_memory *memory);
void ps_orc_statistics_close(struct ps_orc_statistics *statistics);
void ps_orc_statistics_clear(struct ps_orc_statistics *statistics);

static inline void ps_orc_statistics_integer(struct ps_orc_statistics *statistics, int64_t value)
{
    statistics->count++;
    if (!statistics->has_range || value < statistics->minimum)
        statistics->minimum = value;
    if (!statistics->has_range || value > statistics->maximum)
        statistics->maximum = value;
    statistics->has_range = true;
    statistics->sum_lost |= __builtin_add_overflow(statistics->sum, value, &statistics->sum);
}

void ps_orc_statistics_real(struct ps_orc_statistics *statistics, double value);
void ps_orc_statistics_decimal(struct ps_orc_statistics *statistics, __int128 value);
void ps_orc_statistics_string(struct ps_orc_statistics *statistics, const char *bytes, size_t length);
/* Adds a binary, or (with 0) a value of a type that only has a count. */
static inline void ps_orc_statistics_length(struct ps_orc_statistics *statistics, size_t length)
{
    statistics->count++;
    statistics->sum_lost |= __builtin_add_overflow(statistics->sum, (int64_t)length, &statistics->sum);
}

/* Adds the second statistics to the first. */
void ps_orc_statistics_merge(struct ps_orc_statistics *statistics, const struct ps_orc_statistics *other,
                             const struct ps_orc_type *type);

/* Appends the statistics as a ColumnStatistics. */
void ps_orc_statistics_pack(const struct ps_orc_statistics *statistics, const struct ps_orc_type *type,
                            struct ps_orc_buffer *buffer);
