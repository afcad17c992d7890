#include "stages/lib/tail/identity.h"

#include "core/clock.h"
#include "core/fnv.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t ps_tail_head(const char *bytes, size_t length)
{
    return ps_fnv64(PS_FNV64, bytes, length);
}

size_t ps_tail_head_end(const char *bytes, size_t length, int64_t offset)
{
    size_t read = offset < (int64_t)length ? (size_t)offset : length, text = length;
    const char *nul = memchr(bytes + read, '\0', length - read);
    const char *newline = memrchr(bytes, '\n', nul != NULL ? (size_t)(nul - bytes) : length);
    if (newline != NULL)
        text = (size_t)(newline - bytes) + 1;
    else if (nul != NULL && nul > bytes)
        text = (size_t)(nul - bytes);
    while (newline == NULL && text > 0 && bytes[text - 1] == '\0')
        text--;
    return text > read ? text : read;
}

bool ps_tail_bytes_begin(const struct ps_tail_identity *identity, const char *bytes, size_t length)
{
    return identity->head_length == 0 ||
           (identity->head_length <= length && ps_tail_head(bytes, identity->head_length) == identity->head);
}

void ps_tail_identity_extend(struct ps_tail_identity *identity, const char *bytes, size_t length,
                             int64_t offset)
{
    int64_t known = identity->head_length, end = offset + (int64_t)length;
    if (known >= (int64_t)PS_TAIL_HEAD_BYTES || offset > known || end <= known)
        return;
    end = end < (int64_t)PS_TAIL_HEAD_BYTES ? end : (int64_t)PS_TAIL_HEAD_BYTES;
    identity->head =
        ps_fnv64(known == 0 ? PS_FNV64 : identity->head, bytes + (known - offset), (size_t)(end - known));
    identity->head_length = (uint32_t)end;
}

ssize_t ps_tail_read_fully(int fd, char *to, size_t room, int64_t offset)
{
    size_t used = 0;
    while (used < room) {
        ssize_t length = pread(fd, to + used, room - used, (off_t)(offset + (int64_t)used));
        if (length < 0 && errno == EINTR)
            continue;
        if (length < 0)
            return -1;
        if (length == 0)
            break;
        used += (size_t)length;
    }
    return (ssize_t)used;
}

bool ps_tail_identity_read(int fd, struct ps_tail_identity *identity, int64_t *size_bytes)
{
    char bytes[PS_TAIL_HEAD_BYTES];
    struct stat status;
    if (fstat(fd, &status) != 0)
        return false;
    if (!S_ISREG(status.st_mode)) {
        errno = ENOTSUP;
        return false;
    }
    ssize_t length = ps_tail_read_fully(fd, bytes, sizeof bytes, 0);
    if (length < 0)
        return false;
    *identity = (struct ps_tail_identity){.device = status.st_dev,
                                          .inode = status.st_ino,
                                          .head = ps_tail_head(bytes, (size_t)length),
                                          .head_length = (uint32_t)length};
    if (size_bytes != NULL)
        *size_bytes = status.st_size > length ? status.st_size : length;
    return true;
}

static uint64_t born_ns(int fd, const char *path, int flags)
{
    struct statx status;
    if (statx(fd, path, flags, STATX_BTIME, &status) != 0 || (status.stx_mask & STATX_BTIME) == 0)
        return 0;
    return (uint64_t)status.stx_btime.tv_sec * PS_NS_PER_S + status.stx_btime.tv_nsec;
}

uint64_t ps_tail_born_ns(int fd)
{
    return born_ns(fd, "", AT_EMPTY_PATH);
}

uint64_t ps_tail_path_born_ns(const char *path)
{
    return born_ns(AT_FDCWD, path, 0);
}

/* Returns whether there is no data between these offsets. */
static bool is_hole(int fd, int64_t begin, int64_t end)
{
    off_t data = lseek(fd, (off_t)begin, SEEK_DATA);
    return data < 0 ? errno == ENXIO : data >= end;
}

int64_t ps_tail_nuls_begin(int fd, int64_t offset, int64_t most_bytes)
{
    enum { PIECE = 16 * 1024, PIECE_MAX = 1 << 30 };
    char piece[PIECE];
    for (int64_t most = PIECE; offset > 0 && most_bytes > 0;) {
        int64_t begin = offset > most ? offset - most : 0;
        if (is_hole(fd, begin, offset)) {
            offset = begin;
            most = most < PIECE_MAX ? 2 * most : most;
            continue;
        }
        if (most > PIECE) { /* the data are in the last part of it, perhaps */
            most = PIECE;
            continue;
        }
        ssize_t length = ps_tail_read_fully(fd, piece, (size_t)(offset - begin), begin);
        if (length < 0)
            return -1;
        most_bytes -= length;
        size_t text = (size_t)length;
        while (text > 0 && piece[text - 1] == '\0')
            text--;
        if (text > 0)
            return begin + (int64_t)text;
        offset = begin;
    }
    return 0;
}

enum ps_tail_seen ps_tail_identity_begins(int fd, const struct ps_tail_identity *identity)
{
    char bytes[PS_TAIL_HEAD_BYTES];
    ssize_t length = ps_tail_read_fully(fd, bytes, identity->head_length, 0);
    if (length < 0)
        return PS_TAIL_SEEN_UNREADABLE;
    bool same = ps_tail_bytes_begin(identity, bytes, (size_t)length);
    return same ? PS_TAIL_SEEN_SAME : PS_TAIL_SEEN_OTHER;
}
