/* Reads a log: walks over its frames, and feeds the undelivered ones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/quantity.h"
#include "stages/lib/queue/segment/log_internal.h"

#define SEARCH_BYTES 1048576U

/* Returns the offset of the first word at or after `at` that is not zero. Bytes that were never written are zero, and no
 * frame's head begins with a zero word. */
static size_t skip_zeros(const char *chunk, size_t at, size_t end)
{
    static const char zeros[256];
    while (at + sizeof zeros <= end && memcmp(chunk + at, zeros, sizeof zeros) == 0)
        at += sizeof zeros;
    while (at + PS_FRAME_ALIGN <= end && memcmp(chunk + at, zeros, PS_FRAME_ALIGN) == 0)
        at += PS_FRAME_ALIGN;
    return at;
}

/* Returns `from`, or a later offset if all bytes before that are zero. Most of a segment's allocated space was never
 * written, and need not be read. */
static uint64_t skip_unwritten(const struct ps_segment_log *log, const struct ps_segment *segment,
                               uint64_t from)
{
    if (log->files->data == NULL)
        return from;
    int64_t data = log->files->data(log->files->argument, segment->fd, from);
    return data > (int64_t)from ? (uint64_t)data / PS_FRAME_ALIGN * PS_FRAME_ALIGN : from;
}

enum ps_status ps_segment_unreadable(const char *directory, uint64_t number, uint64_t offset,
                                     struct ps_err *err)
{
    int error = errno;
    char path[PS_SEGMENT_PATH_BYTES];
    ps_segment_path(path, directory, number);
    return ps_err_set(err, "%s cannot be read: %s, at byte %llu; " PS_SEGMENT_GIVE_UP, path, strerror(error),
                      (unsigned long long)offset);
}

/* Sets *where to the offset of the next frame's head at or after `from`, or to segment->size if there is none. */
static enum ps_status search(const struct ps_segment_log *log, const struct ps_segment *segment,
                             uint64_t from, struct ps_frame *frame, uint64_t *where, struct ps_err *err)
{
    enum ps_status status = PS_OK;
    uint64_t found = segment->size, left = from < segment->size ? segment->size - from : 0;
    size_t room = (left < SEARCH_BYTES ? (size_t)left : SEARCH_BYTES) + PS_FRAME_HEAD_BYTES;
    char *chunk = ps_must_realloc(NULL, room, "a search for frames");
    for (uint64_t base = skip_unwritten(log, segment, from);
         status == PS_OK && found == segment->size && base + PS_FRAME_HEAD_BYTES <= segment->size;
         base = skip_unwritten(log, segment, base + SEARCH_BYTES)) {
        ssize_t got = log->files->read(log->files->argument, segment->fd, chunk, room - PS_FRAME_ALIGN, base);
        for (size_t at = 0; got >= 0 && at + PS_FRAME_HEAD_BYTES <= (size_t)got; at += PS_FRAME_ALIGN) {
            at = skip_zeros(chunk, at, (size_t)got);
            if (at + PS_FRAME_HEAD_BYTES > (size_t)got)
                break;
            if (!ps_frame_read(chunk + at, segment->head.salt, frame))
                continue;
            found = base + at;
            break;
        }
        if (got < 0)
            status = ps_segment_unreadable(segment->directory, segment->head.segment, base, err);
    }
    free(chunk);
    *where = found;
    return status;
}

enum ps_segment_read ps_segment_walk(const struct ps_segment_log *log, const struct ps_segment *segment,
                                     uint64_t *offset, struct ps_frame *frame, struct ps_err *err)
{
    char head[PS_FRAME_HEAD_BYTES];
    uint64_t at = *offset;
    while (at + PS_FRAME_HEAD_BYTES <= segment->size) {
        ssize_t got = log->files->read(log->files->argument, segment->fd, head, sizeof head, at);
        if (got < 0) {
            ps_segment_unreadable(segment->directory, segment->head.segment, at, err);
            return PS_SEGMENT_READ_FAILED;
        }
        if ((got != (ssize_t)sizeof head || !ps_frame_read(head, segment->head.salt, frame)) &&
            search(log, segment, at + PS_FRAME_ALIGN, frame, &at, err) != PS_OK)
            return PS_SEGMENT_READ_FAILED;
        if (at + PS_FRAME_HEAD_BYTES > segment->size)
            break;
        if (at + ps_frame_span(frame->length) <= segment->size &&
            frame->length >= ps_segment_tag_bytes(&segment->head)) {
            *offset = at;
            return PS_SEGMENT_READ_WHOLE;
        }
        at += PS_FRAME_ALIGN;
    }
    return PS_SEGMENT_READ_NOTHING;
}

/* Reads `length` bytes as they are on the disk, from byte `at` of the payload on. */
static enum ps_segment_read load_bytes(const struct ps_segment_files *files,
                                       const struct ps_segment_place *place, bool in_memory, uint32_t at,
                                       uint32_t length, void *to)
{
    uint64_t begin = place->chunk_offset + at;
    if (in_memory)
        return place->chunks != NULL && ps_chunks_copy(place->chunks, place->chunk + begin / PS_CHUNK_BYTES,
                                                       begin % PS_CHUNK_BYTES, length, to)
                   ? PS_SEGMENT_READ_WHOLE
                   : PS_SEGMENT_READ_NOTHING;
    ssize_t got = files->read(files->argument, place->fd, to, length, place->offset + at);
    return got < 0                  ? PS_SEGMENT_READ_FAILED
           : got == (ssize_t)length ? PS_SEGMENT_READ_WHOLE
                                    : PS_SEGMENT_READ_NOTHING;
}

/* Reads a payload and its tag. Verifies the checksum only of bytes from a disk: bytes in memory have not left this process. */
static enum ps_segment_read load_whole(const struct ps_segment_files *files,
                                       const struct ps_segment_place *place, bool in_memory, void *to,
                                       uint8_t *tag)
{
    enum ps_segment_read read = load_bytes(files, place, in_memory, 0, place->length, to);
    if (read == PS_SEGMENT_READ_WHOLE && place->tag_bytes > 0)
        read = load_bytes(files, place, in_memory, place->length, place->tag_bytes, tag);
    if (read == PS_SEGMENT_READ_WHOLE && !in_memory &&
        ps_frame_checksum(ps_frame_checksum(place->salt, to, place->length), tag, place->tag_bytes) !=
            place->checksum)
        read = PS_SEGMENT_READ_NOTHING;
    return read;
}

enum ps_segment_read ps_segment_load(const struct ps_segment_files *files,
                                     const struct ps_segment_place *place, struct ps_sealer *sealer, void *to,
                                     struct ps_err *err)
{
    uint8_t tag[PS_SEAL_TAG_BYTES];
    enum ps_segment_read read = load_whole(files, place, true, to, tag);
    if (read != PS_SEGMENT_READ_WHOLE)
        read = load_whole(files, place, false, to, tag);
    if (read == PS_SEGMENT_READ_FAILED)
        ps_segment_unreadable(place->directory, place->segment, place->offset, err);
    if (read == PS_SEGMENT_READ_WHOLE && place->seal != NULL &&
        !ps_segment_open_frame(sealer, place, to, tag))
        read = PS_SEGMENT_READ_NOTHING;
    return read;
}

static size_t feeding(const struct ps_segment_log *log)
{
    size_t i = 0;
    while (i + 1 < log->count && log->segments[i].head.segment < log->feed.segment)
        i++;
    return i;
}

static void feed_segment(struct ps_segment_log *log, const struct ps_segment *segment)
{
    log->feed.segment = segment->head.segment;
    log->feed.offset = ps_segment_head_bytes(&segment->head);
}

/* Continues with the next segment at the end of segment `i`. Returns false if this is the last one. */
static bool feed_next_segment(struct ps_segment_log *log, size_t i)
{
    const struct ps_segment *segment = &log->segments[i];
    if (i + 1 == log->count) {
        ps_segment_numbers_lost(log, segment, log->feed.number, log->promised);
        log->feed.number = log->promised + 1;
        return false;
    }
    const struct ps_segment *next = &log->segments[i + 1];
    if (log->feed.number < next->head.first) {
        ps_segment_numbers_lost(log, segment, log->feed.number, next->head.first - 1);
        log->feed.number = next->head.first;
    }
    feed_segment(log, next);
    return true;
}

/* Skips a segment whose key is missing. Returns false if it is the last one. */
static bool feed_pass_over(struct ps_segment_log *log, size_t i)
{
    if (i + 1 == log->count)
        return false;
    const struct ps_segment *next = &log->segments[i + 1];
    if (log->feed.number < next->head.first)
        log->feed.number = next->head.first;
    feed_segment(log, next);
    return true;
}

/* Sets *place to the next frame if the log remembers its place. */
static bool feed_recent(struct ps_segment_log *log, struct ps_segment_place *place)
{
    const struct ps_segment_place *recent = &log->recent[log->feed.number % PS_SEGMENT_RECENT_FRAMES];
    if (recent->number != log->feed.number || log->feed.number > log->promised ||
        ps_taken_has(&log->taken, log->feed.number))
        return false;
    *place = *recent;
    log->feed.segment = place->segment;
    log->feed.offset = place->offset - PS_FRAME_HEAD_BYTES + ps_frame_span(place->length + place->tag_bytes);
    log->feed.number++;
    return true;
}

enum ps_segment_fed ps_segment_log_feed(struct ps_segment_log *log, struct ps_segment_place *place,
                                        struct ps_err *err)
{
    if (feed_recent(log, place))
        return PS_SEGMENT_FED;
    while (log->feed.number <= log->promised && log->count > 0) {
        size_t i = feeding(log);
        const struct ps_segment *segment = &log->segments[i];
        struct ps_frame frame;
        if (segment->head.segment != log->feed.segment)
            /* the segment of log->feed was removed, because everything in it was delivered */
            feed_segment(log, segment);
        if (ps_segment_is_held(segment)) {
            if (!feed_pass_over(log, i))
                return PS_SEGMENT_EMPTY;
            continue;
        }
        uint64_t offset = log->feed.offset;
        enum ps_segment_read read = ps_segment_walk(log, segment, &offset, &frame, err);
        if (read == PS_SEGMENT_READ_FAILED)
            return PS_SEGMENT_FEED_FAILED;
        bool found = read == PS_SEGMENT_READ_WHOLE;
        bool is_void = found && i + 1 < log->count && frame.number >= log->segments[i + 1].head.first;
        if (!found || frame.kind == PS_FRAME_END || (frame.kind == PS_FRAME_EVENTS && is_void)) {
            if (!feed_next_segment(log, i))
                return PS_SEGMENT_EMPTY;
            continue;
        }
        log->feed.offset = offset + ps_frame_span(frame.length);
        if (frame.kind != PS_FRAME_EVENTS || frame.number < log->feed.number)
            continue;
        if (frame.number > log->feed.number)
            ps_segment_numbers_lost(log, segment, log->feed.number, frame.number - 1);
        log->feed.number = frame.number + 1;
        if (ps_taken_has(&log->taken, frame.number))
            continue;
        *place = ps_segment_place_of(segment, offset, &frame);
        return PS_SEGMENT_FED;
    }
    return PS_SEGMENT_EMPTY;
}
