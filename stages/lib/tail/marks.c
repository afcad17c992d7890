#include "stages/lib/tail/marks.h"

#include <stdlib.h>
#include <string.h>

#define PURPOSE "marks in a file"
#define CLOSED_MAX 8U
#define ROOM_MAX 4096U /* including the marks of batches that are not delivered yet */

/* Hashes eight bytes at a time, because every read computes a hash. */
static uint64_t hash_of(const char *bytes, size_t length)
{
    uint64_t hash = UINT64_C(0x9E3779B97F4A7C15) ^ length;
    for (size_t at = 0; at < length; at += 8) {
        uint64_t word = 0;
        size_t part = length - at < 8 ? length - at : 8;
        if (part == 8)
            memcpy(&word, bytes + at, 8);
        else
            memcpy(&word, bytes + at, part);
        hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
        hash ^= hash >> 32;
    }
    return hash;
}

struct ps_tail_mark ps_tail_mark_of_all(int64_t offset, const char *bytes, size_t length)
{
    PS_ASSERT(length <= PS_TAIL_MARK_BYTES);
    return (struct ps_tail_mark){
        .offset = offset, .hash = hash_of(bytes, length), .length = (uint32_t)length};
}

struct ps_tail_mark ps_tail_mark_of(int64_t offset, const char *last, size_t length)
{
    if (length > PS_TAIL_MARK_BYTES) {
        last += length - PS_TAIL_MARK_BYTES;
        length = PS_TAIL_MARK_BYTES;
    }
    if (length < PS_TAIL_MARK_BYTES_MIN && (int64_t)length < offset)
        return (struct ps_tail_mark){.offset = offset};
    return ps_tail_mark_of_all(offset, last, length);
}

enum ps_tail_seen ps_tail_mark_is_in(int fd, const struct ps_tail_mark *mark)
{
    char bytes[PS_TAIL_MARK_BYTES];
    if (mark->length == 0)
        return PS_TAIL_SEEN_OTHER;
    ssize_t length = ps_tail_read_fully(fd, bytes, mark->length, mark->offset - (int64_t)mark->length);
    if (length < 0)
        return PS_TAIL_SEEN_UNREADABLE;
    return length == (ssize_t)mark->length && hash_of(bytes, mark->length) == mark->hash ? PS_TAIL_SEEN_SAME
                                                                                         : PS_TAIL_SEEN_OTHER;
}

bool ps_tail_mark_is_nuls(const struct ps_tail_mark *mark)
{
    static const char zeros[PS_TAIL_MARK_BYTES];
    return mark->length > 0 && mark->hash == hash_of(zeros, mark->length);
}

bool ps_tail_mark_is_before(const char *end, size_t length, const struct ps_tail_mark *mark)
{
    return mark->length > 0 && mark->length <= length &&
           hash_of(end - mark->length, mark->length) == mark->hash;
}

static void thin_out(struct ps_tail_marks *marks, int64_t delivered)
{
    uint32_t kept = 0;
    bool all = marks->count >= ROOM_MAX;
    for (uint32_t i = 0; i < marks->count; i++) {
        const struct ps_tail_mark *mark = &marks->items[i];
        bool needed = !all && mark->offset >= delivered && mark->ends_batch;
        bool late = i + PS_TAIL_MARKS_MAX / 4 >= marks->count;
        if (needed || late || i % 2 == 0 || mark->offset == delivered)
            marks->items[kept++] = *mark;
    }
    marks->count = kept;
}

void ps_tail_marks_add(struct ps_tail_marks *marks, const struct ps_tail_mark *mark, int64_t delivered)
{
    if (mark->length == 0)
        return;
    bool full = marks->count == marks->room;
    if (full && marks->room >= PS_TAIL_MARKS_MAX) {
        thin_out(marks, delivered);
        /* Removing marks did not help: most marks belong to batches that are not delivered yet. */
        full = marks->count > marks->room - marks->room / 8;
    }
    if (full) {
        marks->room = marks->room == 0 ? 4 : 2 * marks->room;
        marks->items = ps_must_realloc(marks->items, marks->room * sizeof *marks->items, PURPOSE);
    }
    marks->items[marks->count++] = *mark;
}

void ps_tail_marks_end_batch(struct ps_tail_marks *marks, int64_t offset)
{
    if (marks->count > 0 && marks->items[marks->count - 1].offset == offset)
        marks->items[marks->count - 1].ends_batch = true;
}

void ps_tail_marks_replace(struct ps_tail_marks *marks, const struct ps_tail_mark *mark, int64_t delivered)
{
    if (marks->count > 0 && marks->items[marks->count - 1].offset == mark->offset)
        marks->count--;
    if (marks->count == 0 || marks->items[marks->count - 1].offset < mark->offset)
        ps_tail_marks_add(marks, mark, delivered);
}

struct ps_tail_mark ps_tail_marks_at(const struct ps_tail_marks *marks, int64_t offset)
{
    for (uint32_t i = marks->count; i-- > 0 && marks->items[i].offset >= offset;) {
        if (marks->items[i].offset == offset)
            return marks->items[i];
    }
    return (struct ps_tail_mark){.offset = offset};
}

void ps_tail_marks_copy(struct ps_tail_marks *to, const struct ps_tail_marks *from, int64_t offset)
{
    *to = (struct ps_tail_marks){.count = 0};
    if (from->count == 0)
        return;
    to->items = ps_must_alloc(from->count, sizeof *to->items, PURPOSE);
    to->room = from->count;
    for (uint32_t i = 0; i < from->count && from->items[i].offset <= offset; i++)
        to->items[to->count++] = from->items[i];
}

void ps_tail_marks_trim(struct ps_tail_marks *marks)
{
    if (marks->room <= CLOSED_MAX)
        return;
    uint32_t kept = marks->count < CLOSED_MAX ? marks->count : CLOSED_MAX;
    memmove(marks->items, marks->items + (marks->count - kept), kept * sizeof *marks->items);
    marks->items = ps_must_realloc(marks->items, CLOSED_MAX * sizeof *marks->items, PURPOSE);
    marks->count = kept;
    marks->room = CLOSED_MAX;
}

void ps_tail_marks_free(struct ps_tail_marks *marks)
{
    free(marks->items);
    *marks = (struct ps_tail_marks){.count = 0};
}
