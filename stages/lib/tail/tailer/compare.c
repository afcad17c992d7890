/* Compares a new file with the files that it may be a copy of (match.c). Runs on the source's thread. */
#include "stages/lib/tail/tailer/match.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PURPOSE "comparing files"
/* Files up to this size are compared byte by byte; of longer files, PIECES pieces are compared. */
#define WHOLE_BYTES (64 * 1024 * 1024)
#define PIECE_BYTES (64 * 1024)
#define PIECES 16

/* Stores errno as the error of the new file or of the other file. */
static void read_failed(struct ps_tail_match *match, int fd)
{
    if (fd == match->fd)
        match->own_error = errno;
    else
        match->other_error = errno;
}

/* Returns false, and stores errno, if the file cannot be examined: nothing is known of it then. */
static bool status_read(struct ps_tail_match *match, int fd, struct stat *status)
{
    if (fstat(fd, status) == 0)
        return true;
    read_failed(match, fd);
    return false;
}

static bool is_same(struct ps_tail_match *match, int fd, enum ps_tail_seen seen)
{
    if (seen == PS_TAIL_SEEN_UNREADABLE)
        read_failed(match, fd);
    return seen == PS_TAIL_SEEN_SAME;
}

static bool read_whole(struct ps_tail_match *match, int fd, char *to, size_t want, int64_t offset)
{
    ssize_t length = ps_tail_read_fully(fd, to, want, offset);
    if (length < 0)
        read_failed(match, fd);
    return length == (ssize_t)want;
}

struct pieces {
    char a[PIECE_BYTES], b[PIECE_BYTES];
};

static bool same_piece(struct ps_tail_match *match, struct pieces *pieces, int other, int64_t offset,
                       int64_t end)
{
    size_t want = end - offset < PIECE_BYTES ? (size_t)(end - offset) : PIECE_BYTES;
    return read_whole(match, other, pieces->a, want, offset) &&
           read_whole(match, match->fd, pieces->b, want, offset) && memcmp(pieces->a, pieces->b, want) == 0;
}

/* Returns whether both files have the same bytes up to `end`. Compares the last bytes first, because they differ most often. */
static bool same_bytes(struct ps_tail_match *match, int other, int64_t end)
{
    struct pieces *pieces = ps_must_alloc(1, sizeof *pieces, PURPOSE);
    int64_t last = end > PS_TAIL_MARK_BYTES ? end - PS_TAIL_MARK_BYTES : 0;
    int64_t step = end <= WHOLE_BYTES ? PIECE_BYTES : end / PIECES;
    bool same = same_piece(match, pieces, other, last, end);
    for (int64_t at = 0; same && at < end; at += step)
        same = same_piece(match, pieces, other, at, end);
    free(pieces);
    return same;
}

/* Returns whether the candidate still has the bytes that were read of it. Its beginning may be changed in place. */
static bool is_intact(struct ps_tail_match *match, const struct ps_tail_candidate *candidate, int fd,
                      int64_t size)
{
    struct ps_tail_mark mark = ps_tail_marks_at(&candidate->marks, candidate->offset);
    return size >= candidate->offset &&
           (mark.length > 0 ? is_same(match, fd, ps_tail_mark_is_in(fd, &mark))
                            : is_same(match, fd, ps_tail_identity_begins(fd, &candidate->identity)));
}

static void mark_read(struct ps_tail_match *match, int64_t offset)
{
    char last[PS_TAIL_MARK_BYTES];
    size_t want = offset < (int64_t)sizeof last ? (size_t)offset : sizeof last;
    match->mark = (struct ps_tail_mark){.offset = offset};
    if (read_whole(match, match->fd, last, want, offset - (int64_t)want))
        match->mark = ps_tail_mark_of(offset, last, want);
}

/* Compares with a file that still exists: the new file is its copy if it has the same bytes and is not longer. If
 * the candidate no longer has a name, the new file may have grown since. Returns false when the candidate has
 * changed. */
static bool compare_alive(struct ps_tail_match *match, struct ps_tail_candidate *candidate, int other,
                          int64_t size, bool *found)
{
    struct stat status;
    if (!status_read(match, other, &status) || !is_intact(match, candidate, other, status.st_size))
        return false;
    int64_t end = size < status.st_size ? size : status.st_size;
    *found = end > 0 && (size <= status.st_size || candidate->first) && same_bytes(match, other, end);
    match->alive = *found;
    match->offset = end;
    if (*found)
        mark_read(match, end);
    else if (!status_read(match, other, &status) || !is_intact(match, candidate, other, status.st_size))
        return false; /* the other file was truncated during the comparison */
    const struct ps_tail_mark mark = ps_tail_marks_at(&candidate->marks, candidate->offset);
    candidate->unsure = !*found && candidate->offset == 0 && status.st_size < size;
    candidate->shared = !*found && candidate->offset > 0 && size >= candidate->offset &&
                        is_same(match, match->fd, ps_tail_mark_is_in(match->fd, &mark));
    return true;
}

/* Compares with a file that was truncated or is gone: the last of its marks that fits into the new file has to be there. */
static bool compare_marks(struct ps_tail_match *match, const struct ps_tail_candidate *candidate,
                          int64_t size)
{
    const struct ps_tail_marks *marks = &candidate->marks;
    uint32_t i = marks->count;
    while (i > 0 && marks->items[i - 1].offset > size)
        i--;
    match->alive = false;
    if (i == 0 && size < candidate->offset && candidate->gone) {
        match->pending = true;
        return false;
    }
    if (i > 0 && is_same(match, match->fd, ps_tail_mark_is_in(match->fd, &marks->items[i - 1]))) {
        match->mark = marks->items[i - 1];
    } else if (marks->count == 0 && candidate->offset <= (int64_t)candidate->identity.head_length &&
               size >= candidate->offset) { /* the fingerprint covers everything that was read of it */
        match->mark = (struct ps_tail_mark){.offset = candidate->offset};
    } else {
        return false;
    }
    match->offset = match->mark.offset;
    match->pending |= match->offset < candidate->offset && candidate->gone;
    return match->offset > 0;
}

/* Compares with the unread new content of a file that was truncated: a copy of that content waits until it was read. */
static bool compare_unread(struct ps_tail_match *match, int other)
{
    struct stat status;
    match->unread = status_read(match, other, &status) && match->size > 0 && match->size <= status.st_size &&
                    same_bytes(match, other, match->size);
    match->alive = match->unread;
    match->offset = 0;
    if (match->unread)
        match->mark = (struct ps_tail_mark){.offset = 0}; /* the copy is read from its beginning */
    return match->unread;
}

/* Returns whether the candidate is known only by its marks, because it is gone or may not be read. */
static bool counts_as_gone(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENOTSUP || error == EACCES ||
           error == EPERM;
}

static int open_other(struct ps_tail_match *match, const struct ps_tail_candidate *candidate)
{
    struct stat status;
    int fd = ps_tail_open(candidate->path);
    if (fd < 0 && !counts_as_gone(errno))
        match->other_error = errno;
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) != 0)
        match->other_error = errno;
    else if ((uint64_t)status.st_ino == candidate->identity.inode)
        return fd;
    close(fd);
    return -1;
}

/* The result of the comparison with the candidate that has most of the new file. An early mark of another file
 * may be in a beginning that all candidates have, so the first candidate that fits is not always the original. */
struct best {
    int index; /* index of the candidate; -1: none fits */
    bool alive, unread;
    int64_t offset;
    struct ps_tail_mark mark;
};

/* Takes the result for this candidate if it is better. */
static void best_take(struct best *best, const struct ps_tail_match *match, uint32_t index)
{
    if (best->index < 0 || match->offset > best->offset)
        *best = (struct best){.index = (int)index,
                              .alive = match->alive,
                              .unread = match->unread,
                              .offset = match->offset,
                              .mark = match->mark};
}

static void best_give(const struct best *best, struct ps_tail_match *match)
{
    match->found = best->index;
    match->alive = best->alive;
    match->unread = best->unread;
    match->offset = best->offset;
    match->mark = best->mark;
}

/* Looks for the marks of all files that begin alike, if there are more files than candidates. A mark counts only
 * if its offset is beyond the result so far. */
static void hints_compare(struct ps_tail_match *match)
{
    for (uint32_t i = 0; i < match->hint_count && !match->alive; i++) {
        struct ps_tail_hint *hint = &match->hints[i];
        hint->there = hint->mark.offset <= match->size &&
                      is_same(match, match->fd, ps_tail_mark_is_in(match->fd, &hint->mark));
        match->hinted |= hint->there && (match->found < 0 || hint->mark.offset > match->offset);
    }
}

void ps_tail_match_run(struct ps_tail_match *match, int fd)
{
    struct stat status;
    match->fd = fd;
    match->found = -1;
    match->pending = match->unread = false;
    if (!status_read(match, fd, &status))
        return;
    struct best best = {.index = -1};
    match->size = status.st_size;
    for (uint32_t i = 0; i < match->count; i++) {
        struct ps_tail_candidate *candidate = &match->items[i];
        match->alive = match->unread = false;
        int other =
            candidate->fd >= 0 || candidate->path == NULL ? candidate->fd : open_other(match, candidate);
        bool found = false;
        if (other < 0 || !compare_alive(match, candidate, other, match->size, &found)) {
            if (status_read(match, fd, &status)) /* a copy may be complete just before its original is cut */
                match->size = status.st_size;
            found = compare_marks(match, candidate, match->size) ||
                    (other >= 0 && candidate->kind == PS_TAIL_IS_FOLLOWED && compare_unread(match, other));
            candidate->unsure = !found;
        }
        if (other >= 0 && candidate->fd < 0)
            close(other);
        if (found)
            best_take(&best, match, i);
    }
    best_give(&best, match);
    hints_compare(match);
}
