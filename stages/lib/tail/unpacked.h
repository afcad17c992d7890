/* Reads a compressed file as if it were not compressed, by position in its text. Reads go forward. A little before the last read
 * can be read again from memory; a position further back, or far ahead as after a restart, costs decompressing everything before
 * it.
 *
 * Each source has one, because it reads one file at a time. Memory: 64 KiB, twice `kept_bytes`, and the buffers of the
 * decompressor. Thread: the owner's. */
#pragma once

#include "stages/lib/decompressor.h"
#include "stages/lib/tail/reader.h"

struct ps_unpacked {
    struct ps_tail_reader *reader;
    struct ps_tail_file *file;
    enum ps_compression kind;
    struct ps_decompressor decompressor;
    bool begun;
    uint8_t *packed; /* the piece of the file that is being decompressed; NULL: no buffers yet */
    size_t packed_at, packed_length;
    uint64_t packed_end; /* where the piece ends in the file */
    char *text;          /* the last bytes that were decompressed */
    size_t text_length;
    uint64_t text_end; /* where the bytes of `text` end in the file's whole text */
    size_t kept_bytes; /* at least this much of the text can be read again */
    bool ended;        /* the whole text was decompressed */
    /* Reason why no more can be decompressed; damaged_at: where in the file; NULL: no damage. */
    const char *damage;
    uint64_t damaged_at;
};

#define PS_UNPACKED_BLOCK_BYTES                                                                              \
    (256U * 1024U) /* a deserializer reads at most the bytes of one block of a batch again */

/* Begins another file; `reader` and `file` must live until the next begin or fini. `kept_bytes`: this much of the text can be read
 * again without decompressing from the beginning; the same for all files. */
void ps_unpacked_begin(struct ps_unpacked *unpacked, enum ps_compression kind, struct ps_tail_reader *reader,
                       struct ps_tail_file *file, size_t kept_bytes);
void ps_unpacked_fini(struct ps_unpacked *unpacked);

/* Reads as `read` of struct ps_input does. Returns PS_INPUT_NOT_NOW also without a fetch under way, when this call
 * has worked enough or there is no memory: call it again in a moment. */
int64_t ps_unpacked_read(struct ps_unpacked *unpacked, uint64_t offset, void *to, uint32_t room);
