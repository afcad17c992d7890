/* Integer run length encoding, version 2 (ORC v1 specification, "Integer Run Length Encoding, version 2"): short repeat, direct,
 * patched base, delta. Values wait until there are 512 of them; then each part of them gets the encoding that is shortest.
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

/* The next width that the format knows: 1 to 24, 26, 28, 30, 32, 40, 48, 56, 64 bits. Patches have these. */
unsigned ps_orc_width_round(unsigned bits);
/* The next one that is not deprecated: 1, 2, 4, 8, 16, 24, .. 64. Values and deltas have these: readers unpack them faster. */
unsigned ps_orc_width_align(unsigned bits);
/* Its number in 5 bits. */
unsigned ps_orc_width_code(unsigned bits);

/* Values of `width` bits, one behind the other, most significant bit first; the last byte is filled with zeroes. */
void ps_orc_pack_bits(struct ps_orc_stream *stream, const uint64_t *values, size_t count, unsigned width);

/* The patched base encoding of at most 512 values (integer_patched.c). */
struct ps_orc_patched {
    int64_t base;
    unsigned base_bytes, width;
    unsigned patch_width, gap_width;
    unsigned patch_count;
    size_t length; /* bytes of the whole run; SIZE_MAX: it cannot be used */
};

struct ps_orc_patched ps_orc_patched_measure(const int64_t *values, size_t count);
void ps_orc_patched_write(struct ps_orc_stream *stream, const struct ps_orc_patched *patched,
                          const int64_t *values, size_t count);

static inline unsigned ps_orc_bits_of(uint64_t value)
{
    return value == 0 ? 0 : 64U - (unsigned)__builtin_clzll(value);
}
