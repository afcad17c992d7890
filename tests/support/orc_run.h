/* A reader of run length encodings of ORC, written from the specification, for tests and fuzz targets: it knows nothing of the
 * writer. A damaged run ends the process. */
#pragma once

#include "core/base.h"

struct orc_bytes {
    const uint8_t *at, *end;
};

static inline uint8_t orc_byte(struct orc_bytes *bytes)
{
    PS_ASSERT(bytes->at < bytes->end);
    return *bytes->at++;
}

static inline uint64_t orc_big_endian(struct orc_bytes *bytes, unsigned count)
{
    uint64_t value = 0;
    while (count-- > 0)
        value = value << 8 | orc_byte(bytes);
    return value;
}

static inline uint64_t orc_varint(struct orc_bytes *bytes)
{
    uint64_t value = 0;
    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = orc_byte(bytes);
        PS_ASSERT(shift < 64);
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return value;
    }
}

static inline int64_t orc_unzigzag(uint64_t value)
{
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static inline unsigned orc_width(unsigned code)
{
    static const unsigned wide[] = {26, 28, 30, 32, 40, 48, 56, 64};
    return code < 24 ? code + 1 : wide[code - 24];
}

/* Unpacks `count` values, then moves to the next byte. */
static inline void orc_unpack(struct orc_bytes *bytes, uint64_t *values, size_t count, unsigned width)
{
    unsigned left = 0;
    uint8_t byte = 0;
    for (size_t i = 0; i < count; i++) {
        values[i] = 0;
        for (unsigned bit = 0; bit < width; bit++) {
            if (left == 0) {
                byte = orc_byte(bytes);
                left = 8;
            }
            values[i] = values[i] << 1 | (byte >> --left & 1);
        }
    }
}

static inline void orc_read_patched(struct orc_bytes *bytes, int64_t *values, size_t count, unsigned width)
{
    uint64_t lower[512], list[31];
    unsigned third = orc_byte(bytes), fourth = orc_byte(bytes);
    unsigned base_bytes = (third >> 5) + 1, patch_width = orc_width(third & 31);
    unsigned gap_width = (fourth >> 5) + 1, patches = fourth & 31, entry = gap_width + patch_width;
    PS_ASSERT(entry <= 64);
    while (entry > 24 && entry != 26 && entry != 28 && entry != 30 && entry != 32 &&
           (entry < 40 || entry % 8 != 0))
        entry++;
    uint64_t raw = orc_big_endian(bytes, base_bytes), sign = UINT64_C(1) << (8 * base_bytes - 1);
    int64_t base = (raw & sign) != 0 ? -(int64_t)(raw & ~sign) : (int64_t)raw;
    PS_ASSERT(base > -(INT64_C(1) << 56) && base < INT64_C(1) << 56); /* Java's reader takes no larger one */
    orc_unpack(bytes, lower, count, width);
    orc_unpack(bytes, list, patches, entry);
    size_t at = 0;
    for (unsigned i = 0; i < patches; i++) {
        uint64_t patch = list[i] & ((UINT64_C(1) << patch_width) - 1);
        at += list[i] >> patch_width;
        PS_ASSERT(at < count || patch == 0);
        if (patch != 0)
            lower[at] |= patch << width;
    }
    for (size_t i = 0; i < count; i++)
        values[i] = (int64_t)((uint64_t)base + lower[i]);
}

static inline void orc_read_delta(struct orc_bytes *bytes, bool is_signed, int64_t *values, size_t count,
                                  unsigned code)
{
    uint64_t steps[512], first = orc_varint(bytes);
    int64_t step = orc_unzigzag(orc_varint(bytes));
    values[0] = is_signed ? orc_unzigzag(first) : (int64_t)first;
    if (code != 0) /* 0: each step is the first one */
        orc_unpack(bytes, steps, count - 2, orc_width(code));
    for (size_t i = 1; i < count; i++) {
        uint64_t by = (uint64_t)step;
        if (i > 1 && code != 0)
            by = step < 0 ? -steps[i - 2] : steps[i - 2];
        values[i] = (int64_t)((uint64_t)values[i - 1] + by);
    }
}

/* Reads one run of at most 512 values. Returns how many, and its kind: 0 short repeat, 1 direct, 2 patched base, 3 delta. */
static inline size_t orc_read_run(struct orc_bytes *bytes, bool is_signed, int64_t *values, unsigned *kind)
{
    unsigned first = orc_byte(bytes);
    *kind = first >> 6;
    if (*kind == 0) {
        size_t repeat = (first & 7) + 3;
        uint64_t value = orc_big_endian(bytes, (first >> 3 & 7) + 1);
        for (size_t i = 0; i < repeat; i++)
            values[i] = is_signed ? orc_unzigzag(value) : (int64_t)value;
        return repeat;
    }
    size_t count = ((size_t)(first & 1) << 8 | orc_byte(bytes)) + 1;
    unsigned code = first >> 1 & 31;
    if (*kind == 3) {
        orc_read_delta(bytes, is_signed, values, count, code);
    } else if (*kind == 2) {
        orc_read_patched(bytes, values, count, orc_width(code));
    } else {
        uint64_t raw[512];
        orc_unpack(bytes, raw, count, orc_width(code));
        for (size_t i = 0; i < count; i++)
            values[i] = is_signed ? orc_unzigzag(raw[i]) : (int64_t)raw[i];
    }
    return count;
}

/* Reads one group of at most 130 bytes. */
static inline size_t orc_read_bytes(struct orc_bytes *bytes, uint8_t *values)
{
    uint8_t head = orc_byte(bytes);
    size_t count = head < 128 ? head + 3U : 256U - head;
    uint8_t value = head < 128 ? orc_byte(bytes) : 0;
    for (size_t i = 0; i < count; i++)
        values[i] = head < 128 ? value : orc_byte(bytes);
    return count;
}
