/* A compressed file, read as if it were not: by positions of its text. Reading goes forward. A little behind can be read
 * again; a place further back, or far ahead as after a restart, costs decompressing everything before it.
 *
 * One of each source, because it reads one file at a time: 64 KiB, twice what can be read again, and what the decompressor needs.
 * Thread: the owner's. */
#pragma once

#include "stages/decompressor.h"
#include "stages/tail/reader.h"

struct ps_unpacked {
    struct ps_tail_reader *reader;
    struct ps_tail_file *file;
    enum ps_compression kind;
    struct ps_decompressor decompressor;
    bool begun;
    uint8_t *packed; /* the piece of the file that is being decompressed; NULL: no buffers yet */
    size_t packed_at, packed_length;
    uint64_t packed_end; /* its place in the file */
    char *text;          /* the last bytes that were made */
    size_t text_length;
    uint64_t text_end;  /* their place in the text */
    size_t kept_bytes;  /* of the text can be read again, at least */
    bool ended;         /* all is made */
    bool early;         /* the damage is that the file ends in the middle of a member or frame */
    int error;          /* errno: the damage is that the file cannot be read; 0: it is another one */
    const char *damage; /* no more can be made: the reason, and where in the file */
    uint64_t damaged_at;
};

#define PS_UNPACKED_BLOCK_BYTES                                                                              \
    (256U * 1024U) /* a deserializer reads again at most what is in one block of a batch */

/* Another file; both must live until the next one, or fini. `kept_bytes`: of the text can be read again without a rewind; the same for
 * all files. */
void ps_unpacked_begin(struct ps_unpacked *unpacked, enum ps_compression kind, struct ps_tail_reader *reader,
                       struct ps_tail_file *file, size_t kept_bytes);
void ps_unpacked_fini(struct ps_unpacked *unpacked);

/* As `read` of struct ps_input. PS_INPUT_NOT_NOW without a fetch of the file: it has worked enough for one call, or there is no
 * memory; call again in a moment. */
int64_t ps_unpacked_read(struct ps_unpacked *unpacked, uint64_t offset, void *to, uint32_t room);
