/* Reads a sequence of gzip members or zstd frames, piece by piece. Thread: the owner's. */
#pragma once

#include "stages/lib/compression.h"

/* PS_COMPRESSION_NONE: the file begins with neither format. */
#define PS_COMPRESSION_MAGIC_BYTES 4U
enum ps_compression ps_compression_of(const void *beginning, size_t length);

/* {0}: nothing is allocated. */
struct ps_decompressor {
    enum ps_compression kind;
    void *library; /* z_stream or ZSTD_DCtx */
    /* zstd: one call gets at most this many bytes (a block), so that no block before damage is lost */
    size_t piece;
    bool between; /* no member or frame is begun: the input may end here */
    bool padding; /* gzip: only zeros may follow, as gzip(1) takes them */
};

enum ps_decompressed {
    PS_DECOMPRESSED,
    PS_DECOMPRESSED_DAMAGED, /* the bytes made before the damage are valid */
    PS_DECOMPRESSED_MEMORY,  /* call again, from the beginning of the input */
};

/* Begins an input. Returns false when there is no memory. */
bool ps_decompressor_begin(struct ps_decompressor *decompressor, enum ps_compression kind);
void ps_decompressor_fini(struct ps_decompressor *decompressor);

/* Takes from the input, and makes at most `room` bytes. If it takes and makes nothing, it needs more input.
 * Memory is bounded: 40 KB for gzip, 128 MiB for a zstd frame that asks for as much (zstd --long=27 and --ultra
 * -22 do). */
enum ps_decompressed ps_decompressor_run(struct ps_decompressor *decompressor, const uint8_t *data,
                                         size_t length, size_t *taken, void *to, size_t room, size_t *made);
