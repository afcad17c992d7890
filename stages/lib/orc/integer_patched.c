/* Patched base: values as their distance from the smallest, in as many bits as most of them need; the few larger ones get their
 * upper bits from a list. */
#include "stages/lib/orc/integer_run.h"

#define BASE_MAX (INT64_C(1) << 56) /* Java's readers accept no larger base */
#define GAP_MAX 255U
#define PATCHES_MAX 31U
#define HEADER_BYTES 4U

struct patches {
    uint64_t entries[PATCHES_MAX];
    unsigned count;
    unsigned gap_max;
};

/* Returns the width that holds 95 % of the distances. */
static unsigned usual_width(const int64_t *values, size_t count, int64_t base, unsigned *widest)
{
    unsigned histogram[65] = {0};
    for (size_t i = 0; i < count; i++)
        histogram[ps_orc_bits_of((uint64_t)(values[i] - base))]++;
    size_t larger = 0;
    unsigned width = 64;
    while (width > 0 && larger + histogram[width] <= count / 20) {
        larger += histogram[width];
        width--;
    }
    *widest = 64;
    while (*widest > 0 && histogram[*widest] == 0)
        (*widest)--;
    return width;
}

/* Makes the list of patches. Returns false when it would be too long. */
static bool collect(const struct ps_orc_patched *patched, const int64_t *values, size_t count,
                    struct patches *patches)
{
    size_t last = 0;
    *patches = (struct patches){.count = 0};
    for (size_t i = 0; i < count; i++) {
        uint64_t upper = (uint64_t)(values[i] - patched->base) >> patched->width;
        if (upper == 0)
            continue;
        size_t gap = i - last;
        last = i;
        for (; gap > GAP_MAX; gap -= GAP_MAX) {
            if (patches->count == PATCHES_MAX)
                return false;
            patches->entries[patches->count++] = (uint64_t)GAP_MAX << patched->patch_width;
            patches->gap_max = GAP_MAX;
        }
        if (patches->count == PATCHES_MAX)
            return false;
        patches->entries[patches->count++] = (uint64_t)gap << patched->patch_width | upper;
        patches->gap_max = (unsigned)gap > patches->gap_max ? (unsigned)gap : patches->gap_max;
    }
    return true;
}

struct ps_orc_patched ps_orc_patched_measure(const int64_t *values, size_t count)
{
    struct ps_orc_patched patched = {.length = SIZE_MAX};
    int64_t smallest = INT64_MAX, largest = INT64_MIN, range;
    struct patches patches;
    for (size_t i = 0; i < count; i++) {
        smallest = values[i] < smallest ? values[i] : smallest;
        largest = values[i] > largest ? values[i] : largest;
    }
    if (count < 20 || __builtin_sub_overflow(largest, smallest, &range) || smallest <= -BASE_MAX ||
        smallest >= BASE_MAX)
        return patched;
    unsigned widest, width = usual_width(values, count, smallest, &widest);
    if (widest - width > 56) /* patch and gap must fit in 64 bits */
        width = widest - 56;
    patched.base = smallest;
    patched.width = ps_orc_width_align(width);
    if (patched.width >= widest)
        return patched;
    patched.patch_width = ps_orc_width_round(widest - patched.width);
    if (!collect(&patched, values, count, &patches))
        return patched;
    patched.gap_width = patches.gap_max == 0 ? 1 : ps_orc_bits_of(patches.gap_max);
    patched.patch_count = patches.count;
    uint64_t magnitude = (uint64_t)(smallest < 0 ? -smallest : smallest);
    patched.base_bytes = (ps_orc_bits_of(magnitude) + 1 + 7) / 8;
    unsigned entry = ps_orc_width_round(patched.patch_width + patched.gap_width);
    patched.length = HEADER_BYTES + patched.base_bytes + (count * patched.width + 7) / 8 +
                     (patches.count * (size_t)entry + 7) / 8;
    return patched;
}

static void write_base(struct ps_orc_stream *stream, const struct ps_orc_patched *patched)
{
    uint64_t base = (uint64_t)(patched->base < 0 ? -patched->base : patched->base);
    if (patched->base < 0)
        base |= UINT64_C(1) << (8 * patched->base_bytes - 1);
    for (unsigned i = patched->base_bytes; i-- > 0;)
        ps_orc_stream_byte(stream, (uint8_t)(base >> 8 * i));
}

void ps_orc_patched_write(struct ps_orc_stream *stream, const struct ps_orc_patched *patched,
                          const int64_t *values, size_t count)
{
    struct patches patches;
    uint64_t lower[PS_ORC_RUN_MAX];
    collect(patched, values, count, &patches);
    ps_orc_stream_byte(stream,
                       (uint8_t)(2U << 6 | ps_orc_width_code(patched->width) << 1 | (count - 1) >> 8));
    ps_orc_stream_byte(stream, (uint8_t)(count - 1));
    ps_orc_stream_byte(stream,
                       (uint8_t)((patched->base_bytes - 1) << 5 | ps_orc_width_code(patched->patch_width)));
    ps_orc_stream_byte(stream, (uint8_t)((patched->gap_width - 1) << 5 | patched->patch_count));
    write_base(stream, patched);
    for (size_t i = 0; i < count; i++)
        lower[i] = (uint64_t)(values[i] - patched->base) & ((UINT64_C(1) << patched->width) - 1);
    ps_orc_pack_bits(stream, lower, count, patched->width);
    ps_orc_pack_bits(stream, patches.entries, patches.count,
                     ps_orc_width_round(patched->patch_width + patched->gap_width));
}
