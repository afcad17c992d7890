#include "bench/verify/far/file.h"
#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_BYTES (128U * 1024U)
#define READ_PACKED_BYTES                                                                                    \
    (8U * 1024U) /* small, because compressed data can become a thousand times as long */

struct ps_far_file *ps_far_file_create(const struct ps_far_listed *listed, uint64_t stream)
{
    struct ps_far_file *file = ps_must_alloc(1, sizeof *file, "a file");
    file->path = ps_must_copy_text(listed->path, "a file");
    file->identity = listed->identity;
    file->changed_ns = listed->changed_ns;
    file->size = listed->size;
    file->fd = -1;
    file->stream = stream;
    ps_far_content_init(&file->content);
    return file;
}

void ps_far_file_destroy(struct ps_far_file *file)
{
    ps_far_file_close(file);
    ps_far_content_fini(&file->content);
    free(file->path);
    free(file);
}

bool ps_far_file_open(struct ps_far_file *file, struct ps_far_notes *notes)
{
    struct ps_far_listed now;
    if (file->fd >= 0)
        return true;
    file->fd = open(file->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (file->fd < 0) {
        if (errno != ENOENT) { /* ENOENT: the file was renamed or removed, which the next listing shows */
            ps_far_note(notes, true, "%s cannot be read: %s", file->path, strerror(errno));
            file->refused = true;
        }
        return false;
    }
    if (ps_far_identify(NULL, file->fd, &now) && ps_far_identity_compare(&now.identity, &file->identity) == 0)
        return true;
    ps_far_file_close(file);
    return false;
}

void ps_far_file_close(struct ps_far_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    file->fd = -1;
}

/* Stores the first and the last of the bytes that were read. */
static void remember(struct ps_far_file *file, const char *data, size_t length)
{
    if (file->headed < PS_FAR_HEAD_BYTES) {
        size_t more = PS_FAR_HEAD_BYTES - file->headed;
        more = length < more ? length : more;
        memcpy(file->head + file->headed, data, more);
        file->headed += (unsigned)more;
    }
    if (length >= PS_FAR_TAIL_BYTES) {
        memcpy(file->tail, data + length - PS_FAR_TAIL_BYTES, PS_FAR_TAIL_BYTES);
        file->tailed = PS_FAR_TAIL_BYTES;
        return;
    }
    size_t old = PS_FAR_TAIL_BYTES - length < file->tailed ? PS_FAR_TAIL_BYTES - length : file->tailed;
    memmove(file->tail, file->tail + file->tailed - old, old);
    memcpy(file->tail + old, data, length);
    file->tailed = (unsigned)(old + length);
}

static _Thread_local char fetched[READ_BYTES];

size_t ps_far_file_fetch(struct ps_far_file *file, struct ps_far_notes *notes)
{
    size_t want = file->content.kind == PS_FAR_CONTENT_PACKED ? READ_PACKED_BYTES : READ_BYTES;
    if (file->position >= file->limit)
        return 0;
    if (want > file->limit - file->position)
        want = file->limit - file->position;
    ssize_t got = pread(file->fd, fetched, want, (off_t)file->position);
    if (got > 0)
        return (size_t)got;
    if (got < 0)
        ps_far_note(notes, true, "%s cannot be read: %s", file->path, strerror(errno));
    file->limit = file->position;
    return 0;
}

void ps_far_file_take(struct ps_far_file *file, size_t length, struct ps_far_hand *hand,
                      struct ps_far_notes *notes)
{
    remember(file, fetched, length);
    file->position += length;
    hand->stream = file->stream;
    hand->arrival_ns = ps_clock_now().mono_ns;
    if (!file->content.dead)
        ps_far_content_feed(&file->content, file->path, fetched, length, hand, notes);
}

/* Returns true when the bytes at `offset` equal `wanted`. */
static bool stands_at(int fd, uint64_t offset, const char *wanted, unsigned length)
{
    char there[PS_FAR_HEAD_BYTES];
    return pread(fd, there, length, (off_t)offset) == (ssize_t)length && memcmp(there, wanted, length) == 0;
}

bool ps_far_file_same(const struct ps_far_file *file)
{
    return file->tailed == 0 || stands_at(file->fd, file->position - file->tailed, file->tail, file->tailed);
}

static void begin_anew(struct ps_far_file *file)
{
    file->position = file->limit = 0;
    file->headed = file->tailed = 0;
    file->settled = false;
    file->copy_of = NULL;
    file->held_bytes = 0;
    file->doubted_ns = 0;
}

void ps_far_file_restart(struct ps_far_file *file, struct ps_far_hand *hand, struct ps_far_notes *notes)
{
    hand->stream = file->stream;
    hand->arrival_ns = ps_clock_now().mono_ns;
    ps_far_content_end(&file->content, file->path, hand, notes);
    begin_anew(file);
}

bool ps_far_file_begins_like(const struct ps_far_file *copy, const struct ps_far_file *file)
{
    char there[PS_FAR_HEAD_BYTES], here[PS_FAR_HEAD_BYTES];
    const char *head = file->head;
    ssize_t length = file->headed;
    if (length == 0) { /* no byte of the file was read yet */
        length = pread(file->fd, here, sizeof here, 0);
        head = here;
    }
    ssize_t copied = length > 0 ? pread(copy->fd, there, (size_t)length, 0) : 0;
    return copied > 0 && memcmp(there, head, (size_t)copied) == 0;
}

bool ps_far_file_continues(const struct ps_far_file *copy, const struct ps_far_file *file)
{
    return file->tailed > 0 && stands_at(copy->fd, 0, file->head, file->headed) &&
           stands_at(copy->fd, file->position - file->tailed, file->tail, file->tailed);
}

void ps_far_file_swap(struct ps_far_file *file, struct ps_far_file *copy)
{
    struct ps_far_file old = *file;
    file->content = copy->content;
    file->stream = copy->stream;
    begin_anew(file);
    copy->content = old.content;
    copy->stream = old.stream;
    copy->position = old.position;
    copy->limit = old.position;
    memcpy(copy->head, old.head, old.headed);
    memcpy(copy->tail, old.tail, old.tailed);
    copy->headed = old.headed;
    copy->tailed = old.tailed;
    copy->copy_of = NULL;
    copy->settled = true;
}
