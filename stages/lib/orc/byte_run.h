/* Byte and boolean run length encoding (ORC v1 specification, "Byte Run Length Encoding", "Boolean Run Length Encoding").
 *
 * Thread: the owner's. */
#pragma once

#include "stages/lib/orc/stream.h"

#define PS_ORC_BYTE_LITERALS_MAX 128U

struct ps_orc_byte_run {
    struct ps_orc_stream *stream;
    unsigned count;  /* bytes that are not in the stream yet */
    unsigned repeat; /* number of equal bytes at the end */
    uint8_t bytes[PS_ORC_BYTE_LITERALS_MAX + 2];
};

void ps_orc_byte_add(struct ps_orc_byte_run *run, uint8_t byte);
/* Writes the pending bytes. */
void ps_orc_byte_end(struct ps_orc_byte_run *run);
void ps_orc_byte_position(const struct ps_orc_byte_run *run, struct ps_orc_positions *positions);

struct ps_orc_bits {
    struct ps_orc_byte_run bytes;
    uint8_t byte;
    unsigned count; /* number of bits in `byte` */
};

void ps_orc_bit_add(struct ps_orc_bits *bits, bool bit);
/* Fills the last byte with zeroes and writes the pending bytes. */
void ps_orc_bits_end(struct ps_orc_bits *bits);
void ps_orc_bits_position(const struct ps_orc_bits *bits, struct ps_orc_positions *positions);
