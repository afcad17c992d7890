#include "stages/lib/tail/unpacked.h"

#include "core/deserializer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PACKED_BYTES (64U * 1024U)
#define WORK_BYTES (1024U * 1024U) /* bytes that one call reads or decompresses */

void ps_unpacked_begin(struct ps_unpacked *unpacked, enum ps_compression kind, struct ps_tail_reader *reader,
                       struct ps_tail_file *file, size_t kept_bytes)
{
    unpacked->reader = reader;
    unpacked->file = file;
    unpacked->kind = kind;
    unpacked->begun = false;
    unpacked->damage = NULL;
    unpacked->kept_bytes = kept_bytes;
}

void ps_unpacked_fini(struct ps_unpacked *unpacked)
{
    ps_decompressor_fini(&unpacked->decompressor);
    free(unpacked->packed);
    free(unpacked->text);
    *unpacked = (struct ps_unpacked){.packed = NULL};
}

/* Starts at the beginning of the file. Returns false when there is no memory. */
static bool rewind_file(struct ps_unpacked *unpacked)
{
    if (unpacked->packed == NULL)
        unpacked->packed = malloc(PACKED_BYTES);
    if (unpacked->text == NULL)
        unpacked->text = malloc(2 * unpacked->kept_bytes);
    if (unpacked->packed == NULL || unpacked->text == NULL ||
        !ps_decompressor_begin(&unpacked->decompressor, unpacked->kind))
        return false;
    unpacked->packed_at = unpacked->packed_length = unpacked->text_length = 0;
    unpacked->packed_end = unpacked->text_end = 0;
    unpacked->ended = false;
    unpacked->damage = NULL;
    unpacked->begun = true;
    return true;
}

/* Returns the offset in the file of the next byte that is decompressed. */
static uint64_t packed_place(const struct ps_unpacked *unpacked)
{
    return unpacked->packed_end - (unpacked->packed_length - unpacked->packed_at);
}

static void damaged(struct ps_unpacked *unpacked, const char *reason)
{
    unpacked->damage = reason;
    unpacked->damaged_at = packed_place(unpacked);
}

/* Reads the next piece of the file. Returns false when it is not available now. */
static bool piece_read(struct ps_unpacked *unpacked)
{
    ssize_t got = ps_tail_read(unpacked->reader, unpacked->file, (char *)unpacked->packed, PACKED_BYTES,
                               unpacked->packed_end);
    if (got < 0 && errno == EAGAIN)
        return false;
    unpacked->packed_at = 0;
    unpacked->packed_length = got > 0 ? (size_t)got : 0;
    unpacked->packed_end += unpacked->packed_length;
    if (got < 0)
        damaged(unpacked, strerror(errno));
    else if (got == 0 && unpacked->decompressor.between)
        unpacked->ended = true;
    else if (got == 0)
        damaged(unpacked, "the compressed data ends early");
    return true;
}

/* Makes room for new text. Keeps the last bytes, which may be read again; the rest has been read. */
static void slide(struct ps_unpacked *unpacked)
{
    size_t kept = unpacked->kept_bytes;
    if (unpacked->text_length < 2 * kept)
        return;
    memmove(unpacked->text, unpacked->text + kept, kept);
    unpacked->text_length = kept;
}

/* Decompresses more text, or finds its end. Returns false when no bytes are available now. Adds the work to *worked. */
static bool advance(struct ps_unpacked *unpacked, size_t *worked)
{
    size_t taken, made;
    slide(unpacked);
    enum ps_decompressed result = ps_decompressor_run(
        &unpacked->decompressor, unpacked->packed + unpacked->packed_at,
        unpacked->packed_length - unpacked->packed_at, &taken, unpacked->text + unpacked->text_length,
        2 * unpacked->kept_bytes - unpacked->text_length, &made);
    unpacked->packed_at += taken;
    unpacked->text_length += made;
    unpacked->text_end += made;
    *worked += taken + made;
    if (result == PS_DECOMPRESSED_MEMORY) {
        unpacked->begun = false;
        return false;
    }
    if (result == PS_DECOMPRESSED_DAMAGED)
        damaged(unpacked, "the compressed data is damaged");
    else if (taken == 0 && made == 0)
        return piece_read(unpacked);
    return true;
}

int64_t ps_unpacked_read(struct ps_unpacked *unpacked, uint64_t offset, void *to, uint32_t room)
{
    size_t worked = 0;
    bool behind = unpacked->begun && offset < unpacked->text_end - unpacked->text_length;
    if ((!unpacked->begun || behind) && !rewind_file(unpacked))
        return PS_INPUT_NOT_NOW;
    while (offset >= unpacked->text_end) {
        if (unpacked->damage != NULL)
            return PS_INPUT_UNREADABLE;
        if (unpacked->ended && offset == unpacked->text_end)
            return PS_INPUT_END;
        if (unpacked->ended) {
            damaged(
                unpacked,
                "the text of the file ends before the position that an earlier run of the agent has read");
            return PS_INPUT_UNREADABLE;
        }
        if (worked >= WORK_BYTES || !advance(unpacked, &worked))
            return PS_INPUT_NOT_NOW;
    }
    uint64_t left = unpacked->text_end - offset;
    uint32_t length = left < room ? (uint32_t)left : room;
    memcpy(to, unpacked->text + unpacked->text_length - left, length);
    return length;
}
