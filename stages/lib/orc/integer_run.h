/* Integer run length encoding, version 2 (ORC v1 specification, "Integer Run Length Encoding, version 2"):
 * short repeat, direct, patched base, delta. The encoder gathers 512 values; then each part of them gets the
 * shortest encoding.
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/orc/stream.h"

#define PS_ORC_RUN_MAX 512U

struct ps_orc_integer_run {
    struct ps_orc_stream *stream;
    bool is_signed; /* else no value is negative */
    unsigned count;
    int64_t values[PS_ORC_RUN_MAX];
};

void ps_orc_integer_end(struct ps_orc_integer_run *run);

static inline void ps_orc_integer_add(struct ps_orc_integer_run *run, int64_t value)
{
    run->values[run->count++] = value;
    if (run->count == PS_ORC_RUN_MAX)
        ps_orc_integer_end(run);
}

void ps_orc_integer_position(const struct ps_orc_integer_run *run, struct ps_orc_positions *positions);

/* Returns the next width of the format: 1 to 24, 26, 28, 30, 32, 40, 48, 56, 64 bits. Patches use these
 * widths. */
unsigned ps_orc_width_round(unsigned bits);
/* Returns the next width that readers unpack fast: 1, 2, 4, 8, 16, 24, .. 64. Values and deltas use these
 * widths. */
unsigned ps_orc_width_align(unsigned bits);
/* Returns the 5-bit code of a width. */
unsigned ps_orc_width_code(unsigned bits);

/* Packs values of `width` bits, one after the other, most significant bit first. The last byte is filled
 * with zeroes. */
void ps_orc_pack_bits(struct ps_orc_stream *stream, const uint64_t *values, size_t count, unsigned width);

/* The patched base encoding of at most 512 values (integer_patched.c). */
struct ps_orc_patched {
    int64_t base;
    unsigned base_bytes, width;
    unsigned patch_width, gap_width;
    unsigned patch_count;
    size_t length; /* bytes of the whole run; SIZE_MAX: not applicable */
};

struct ps_orc_patched ps_orc_patched_measure(const int64_t *values, size_t count);
void ps_orc_patched_write(struct ps_orc_stream *stream, const struct ps_orc_patched *patched,
                          const int64_t *values, size_t count);

static inline unsigned ps_orc_bits_of(uint64_t value)
{
    return value == 0 ? 0 : 64U - (unsigned)__builtin_clzll(value);
}
