#include "stages/lib/queue/segment/give_up.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "stages/lib/queue/segment/format.h"

#define PIECE_BYTES ((size_t)1 << 20)
#define BLOCK_BYTES                                                                                          \
    ((size_t)4096) /* the unit in which a failing disk is read: one or several of its sectors */

bool ps_segment_is_disk_error(int error)
{
    return error == EIO || error == EBADMSG || error == EUCLEAN || error == ENODATA;
}

struct copy {
    const struct ps_segment_files *files;
    int from, to; /* to -1: nothing is written */
    char *piece;
    void (*gap)(void *argument, uint64_t offset, uint64_t length);
    void *argument;
    uint64_t gap_from, gap_to; /* the latest gap; unreadable bytes that follow extend it */
    bool read_failed;          /* not for the disk's sake: the copy is not made */
};

static void end_gap(struct copy *copy)
{
    if (copy->gap_to > copy->gap_from)
        copy->gap(copy->argument, copy->gap_from, copy->gap_to - copy->gap_from);
    copy->gap_from = copy->gap_to = 0;
}

static void add_gap(struct copy *copy, uint64_t offset, size_t length)
{
    if (copy->gap_to != offset)
        end_gap(copy);
    copy->gap_from = copy->gap_to > copy->gap_from ? copy->gap_from : offset;
    copy->gap_to = offset + length;
}

/* Writes a piece unless it is zero, because new space is zero already. */
static enum ps_status put(const struct copy *copy, uint64_t offset, size_t length)
{
    if (copy->to < 0 || ps_segment_is_zero(copy->piece, length))
        return PS_OK;
    return copy->files->write(copy->files->argument, copy->to, copy->piece, length, offset) < 0 ? PS_FAIL
                                                                                                : PS_OK;
}

/* Copies a piece. If it cannot be read as a whole, copies it block by block. */
static enum ps_status copy_piece(struct copy *copy, uint64_t offset, size_t length)
{
    ssize_t got = copy->files->read(copy->files->argument, copy->from, copy->piece, length, offset);
    if (got >= 0)
        return put(copy, offset, (size_t)got);
    copy->read_failed = !ps_segment_is_disk_error(errno);
    if (copy->read_failed)
        return PS_FAIL;
    if (length <= BLOCK_BYTES) {
        add_gap(copy, offset, length);
        return PS_OK;
    }
    for (size_t at = 0; at < length; at += BLOCK_BYTES) {
        size_t left = length - at;
        if (copy_piece(copy, offset + at, left < BLOCK_BYTES ? left : BLOCK_BYTES) != PS_OK)
            return PS_FAIL;
    }
    return PS_OK;
}

static enum ps_status copy_all(struct copy *copy, uint64_t size)
{
    for (uint64_t at = 0; at < size; at += PIECE_BYTES) {
        uint64_t left = size - at;
        if (copy_piece(copy, at, left < PIECE_BYTES ? (size_t)left : PIECE_BYTES) != PS_OK)
            return PS_FAIL;
    }
    end_gap(copy);
    return copy->to < 0 || copy->files->sync(copy->files->argument, copy->to) == 0 ? PS_OK : PS_FAIL;
}

enum ps_status ps_segment_give_up(const struct ps_segment_files *files, const char *from, const char *to,
                                  void (*gap)(void *argument, uint64_t offset, uint64_t length),
                                  void *argument, struct ps_err *err)
{
    struct copy copy = {.files = files, .to = -1, .gap = gap, .argument = argument};
    enum ps_status status = PS_FAIL;
    copy.from = files->open(files->argument, from, false);
    int64_t size = copy.from >= 0 ? files->size(files->argument, copy.from) : -1;
    if (size < 0)
        ps_err_set(err, "%s cannot be opened: %s", from, strerror(errno));
    if (size >= 0 && to != NULL) {
        copy.to = files->open(files->argument, to, true);
        if (copy.to < 0 || (size > 0 && files->allocate(files->argument, copy.to, (uint64_t)size) != 0))
            size = ps_err_set(err, "%s cannot be made: %s", to, strerror(errno));
    }
    if (size >= 0) {
        copy.piece = ps_must_alloc(1, PIECE_BYTES, "a copy of a file");
        status = copy_all(&copy, (uint64_t)size);
        if (status != PS_OK)
            ps_err_set(err, "%s cannot be %s: %s", copy.read_failed ? from : to,
                       copy.read_failed ? "read" : "written", strerror(errno));
    }
    free(copy.piece);
    if (copy.from >= 0)
        files->close(files->argument, copy.from);
    if (copy.to >= 0)
        files->close(files->argument, copy.to);
    return status;
}
