#include "stages/lib/tail/text.h"

#include "core/deserializer.h"
#include "rings/refcount.h"
#include "stages/lib/tail/unpacked.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Must cover the bytes that the source reads again: the line in which a fetch ended, also after a fetch that only
 * checked for more bytes. */
#define KEPT_BYTES (PS_TAIL_FETCH_BYTES + 320U * 1024U)
#define WORK_CALLS 8U /* calls of ps_unpacked_read, each of 1 MiB, before other jobs have their turn */

struct ps_tail_text {
    struct ps_refcount holders;
    struct ps_tail_reader reader; /* reads the file directly, without the thread */
    struct ps_tail_file file;
    struct ps_tail_stamp stamp;
    struct ps_unpacked unpacked;
    int64_t limit;
    char first[PS_TAIL_HEAD_BYTES];
    size_t first_length;
};

bool ps_tail_stamp_read(int fd, struct ps_tail_stamp *stamp)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    *stamp = (struct ps_tail_stamp){.size = status.st_size, .modified = status.st_mtim};
    return true;
}

bool ps_tail_stamp_is(const struct ps_tail_stamp *a, const struct ps_tail_stamp *b)
{
    return a->size == b->size && a->modified.tv_sec == b->modified.tv_sec &&
           a->modified.tv_nsec == b->modified.tv_nsec;
}

struct ps_tail_text *ps_tail_text_create(int fd, enum ps_compression kind, const struct ps_tail_stamp *stamp)
{
    struct ps_tail_text *text = ps_must_alloc(1, sizeof *text, "a compressed file");
    ps_refcount_init(&text->holders);
    ps_tail_reader_init(&text->reader, NULL);
    ps_tail_file_set(&text->file, fd, PS_TAIL_MEMORY);
    text->stamp = *stamp;
    text->limit = INT64_MAX;
    ps_unpacked_begin(&text->unpacked, kind, &text->reader, &text->file, KEPT_BYTES);
    return text;
}

void ps_tail_text_hold(struct ps_tail_text *text)
{
    ps_refcount_add(&text->holders);
}

void ps_tail_text_drop(struct ps_tail_text *text)
{
    if (text == NULL || !ps_refcount_drop(&text->holders))
        return;
    ps_unpacked_fini(&text->unpacked);
    free(text);
}

void ps_tail_text_limit(struct ps_tail_text *text, int64_t bytes)
{
    text->limit = bytes;
}

/* Keeps the beginning of the text. After the first call it is in the window, because one call decompresses less than the window holds. */
static void first_keep(struct ps_tail_text *text)
{
    const struct ps_unpacked *unpacked = &text->unpacked;
    if (text->first_length == sizeof text->first || unpacked->text_end != unpacked->text_length)
        return;
    text->first_length =
        unpacked->text_length < sizeof text->first ? unpacked->text_length : sizeof text->first;
    memcpy(text->first, unpacked->text, text->first_length);
}

/* Reads once. Returns -1 with errno. */
static ssize_t read_some(struct ps_tail_text *text, char *to, size_t room, int64_t offset)
{
    struct ps_unpacked *unpacked = &text->unpacked;
    int64_t left = text->limit - offset;
    if (left <= 0)
        return 0;
    if ((int64_t)room > left)
        room = (size_t)left;
    int64_t length = ps_unpacked_read(unpacked, (uint64_t)offset, to, (uint32_t)room);
    first_keep(text);
    if (length >= 0)
        return (ssize_t)length;
    if (length == PS_INPUT_NOT_NOW) {
        errno = unpacked->begun ? EAGAIN : ENOMEM;
        return -1;
    }
    if (unpacked->error == 0 && text->limit == INT64_MAX)
        return 0;
    errno = unpacked->error != 0 ? unpacked->error : EBADMSG;
    unpacked->begun = false; /* the next try begins at the beginning of the file */
    return -1;
}

static bool is_unchanged(const struct ps_tail_text *text)
{
    struct ps_tail_stamp stamp;
    if (!ps_tail_stamp_read(text->file.fd, &stamp))
        return false;
    errno = ESTALE;
    return ps_tail_stamp_is(&stamp, &text->stamp);
}

ssize_t ps_tail_text_read(struct ps_tail_text *text, char *to, size_t room, int64_t offset)
{
    size_t used = 0;
    ssize_t length = 1;
    for (unsigned calls = 0; used < room && length != 0 && (used > 0 || calls < WORK_CALLS); calls++) {
        length = read_some(text, to + used, room - used, offset + (int64_t)used);
        if (length < 0 && errno != EAGAIN)
            break;
        used += length > 0 ? (size_t)length : 0;
    }
    int error = errno;
    if (!is_unchanged(text))
        return -1;
    errno = error;
    return length < 0 && (errno != EAGAIN || used == 0) ? -1 : (ssize_t)used;
}

size_t ps_tail_text_first(const struct ps_tail_text *text, char *to)
{
    memcpy(to, text->first, text->first_length);
    return text->first_length;
}

enum ps_tail_text_end ps_tail_text_end(const struct ps_tail_text *text)
{
    const struct ps_unpacked *unpacked = &text->unpacked;
    if (unpacked->damage == NULL)
        return PS_TAIL_TEXT_WHOLE;
    return unpacked->early ? PS_TAIL_TEXT_EARLY : PS_TAIL_TEXT_DAMAGED;
}
