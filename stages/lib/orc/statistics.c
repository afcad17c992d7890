#include "stages/lib/orc/statistics.h"

#include "core/text/utf8.h"

#include <math.h>
#include <string.h>

#define BOUND_BYTES_MAX 1024U

void ps_orc_statistics_open(struct ps_orc_statistics *statistics, struct ps_orc_memory *memory)
{
    *statistics = (struct ps_orc_statistics){.lower.text.memory = memory, .upper.text.memory = memory};
}

void ps_orc_statistics_close(struct ps_orc_statistics *statistics)
{
    ps_orc_buffer_free(&statistics->lower.text);
    ps_orc_buffer_free(&statistics->upper.text);
}

void ps_orc_statistics_clear(struct ps_orc_statistics *statistics)
{
    struct ps_orc_buffer lower = statistics->lower.text, upper = statistics->upper.text;
    ps_orc_buffer_clear(&lower);
    ps_orc_buffer_clear(&upper);
    *statistics = (struct ps_orc_statistics){.lower.text = lower, .upper.text = upper};
}

void ps_orc_statistics_real(struct ps_orc_statistics *statistics, double value)
{
    statistics->count++;
    statistics->total += value; /* a NaN makes the total NaN, so readers do not use the range */
    if (isnan(value))
        return;
    if (!statistics->has_range || value < statistics->least)
        statistics->least = value;
    if (!statistics->has_range || value > statistics->most)
        statistics->most = value;
    statistics->has_range = true;
}

static void add_whole(struct ps_orc_statistics *statistics, __int128 value)
{
    statistics->sum_lost |= __builtin_add_overflow(statistics->whole, value, &statistics->whole);
}

void ps_orc_statistics_decimal(struct ps_orc_statistics *statistics, __int128 value)
{
    statistics->count++;
    if (!statistics->has_range || value < statistics->lowest)
        statistics->lowest = value;
    if (!statistics->has_range || value > statistics->highest)
        statistics->highest = value;
    statistics->has_range = true;
    add_whole(statistics, value);
}

static int compare(const char *bytes, size_t length, const struct ps_orc_bound *bound)
{
    size_t both = length < bound->text.length ? length : bound->text.length;
    int order = both == 0 ? 0 : memcmp(bytes, bound->text.data, both);
    return order != 0 ? order : (length > bound->text.length) - (length < bound->text.length);
}

/* Returns the length of the longest prefix of at most BOUND_BYTES_MAX bytes that ends with a whole
 * character. */
static size_t cut_length(const char *bytes, size_t length)
{
    if (length <= BOUND_BYTES_MAX)
        return length;
    length = BOUND_BYTES_MAX;
    while (length > 0 && ((unsigned char)bytes[length] & 0xc0) == 0x80)
        length--;
    return length;
}

/* Malformed text is cut at its first malformed byte, because readers would decode it to a larger value. */
static void set(struct ps_orc_bound *bound, const char *bytes, size_t length)
{
    size_t kept = ps_utf8_valid_length(bytes, cut_length(bytes, length));
    bound->is_set = true;
    bound->is_cut = kept < length;
    ps_orc_buffer_clear(&bound->text);
    ps_orc_buffer_append(&bound->text, bytes, kept);
}

/* Makes a cut text larger than all texts that begin with it: increments its last ASCII character that can grow, and
 * drops the rest. Without such a character the result is BOUND_BYTES_MAX bytes of the largest character. */
static void round_up(struct ps_orc_bound *bound)
{
    size_t at = bound->text.length;
    while (at > 0 && bound->text.data[at - 1] >= 0x7f)
        at--;
    if (at == 0) {
        static const char largest[] = "\xf4\x8f\xbf\xbf"; /* no character of UTF-8 is larger than U+10FFFF */
        ps_orc_buffer_clear(&bound->text);
        for (size_t i = 0; i < BOUND_BYTES_MAX / 4; i++)
            ps_orc_buffer_append(&bound->text, largest, 4);
        return;
    }
    bound->text.data[at - 1]++;
    bound->text.memory->used_bytes -= bound->text.length - at;
    bound->text.length = at;
}

static void range_string(struct ps_orc_statistics *statistics, const char *bytes, size_t length)
{
    if (!statistics->lower.is_set || compare(bytes, length, &statistics->lower) < 0)
        set(&statistics->lower, bytes, length);
    if (!statistics->upper.is_set || compare(bytes, length, &statistics->upper) > 0) {
        set(&statistics->upper, bytes, length);
        if (statistics->upper.is_cut && !statistics->upper.text.memory->failed)
            round_up(&statistics->upper);
    }
}

void ps_orc_statistics_string(struct ps_orc_statistics *statistics, const char *bytes, size_t length)
{
    ps_orc_statistics_length(statistics, length);
    range_string(statistics, bytes, length);
}

static void merge_bounds(struct ps_orc_statistics *statistics, const struct ps_orc_statistics *other)
{
    if (!other->lower.is_set)
        return;
    const char *lower = (const char *)other->lower.text.data, *upper = (const char *)other->upper.text.data;
    if (!statistics->lower.is_set || compare(lower, other->lower.text.length, &statistics->lower) < 0) {
        set(&statistics->lower, lower, other->lower.text.length);
        statistics->lower.is_cut = other->lower.is_cut;
    }
    if (!statistics->upper.is_set || compare(upper, other->upper.text.length, &statistics->upper) > 0) {
        set(&statistics->upper, upper, other->upper.text.length);
        statistics->upper.is_cut = other->upper.is_cut;
    }
}

static void merge_range(struct ps_orc_statistics *statistics, const struct ps_orc_statistics *other)
{
    if (!other->has_range)
        return;
    bool first = !statistics->has_range;
    if (first || other->minimum < statistics->minimum)
        statistics->minimum = other->minimum;
    if (first || other->maximum > statistics->maximum)
        statistics->maximum = other->maximum;
    if (first || other->least < statistics->least)
        statistics->least = other->least;
    if (first || other->most > statistics->most)
        statistics->most = other->most;
    if (first || other->lowest < statistics->lowest)
        statistics->lowest = other->lowest;
    if (first || other->highest > statistics->highest)
        statistics->highest = other->highest;
    statistics->has_range = true;
}

void ps_orc_statistics_merge(struct ps_orc_statistics *statistics, const struct ps_orc_statistics *other,
                             const struct ps_orc_type *type)
{
    statistics->count += other->count;
    statistics->has_null |= other->has_null;
    statistics->total += other->total;
    statistics->sum_lost |=
        other->sum_lost | __builtin_add_overflow(statistics->sum, other->sum, &statistics->sum);
    merge_range(statistics, other);
    if (type->kind == PS_ORC_DECIMAL)
        add_whole(statistics, other->whole);
    merge_bounds(statistics, other);
}
