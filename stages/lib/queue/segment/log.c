/* Appends frames, syncs them, and takes delivered ones. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/quantity.h"
#include "stages/lib/queue/segment/log_internal.h"

#define NEWS_MAX 4096U /* ranges in one frame of news */

static struct ps_segment *last_segment(struct ps_segment_log *log)
{
    return &log->segments[log->count - 1];
}

/* ---- segments ---- */

static uint64_t draw(struct ps_segment_log *log)
{
    log->random ^= log->random << 13;
    log->random ^= log->random >> 7;
    log->random ^= log->random << 17;
    return log->random;
}

void ps_segment_end_direct(struct ps_segment_log *log)
{
    if (log->tail.direct_fd >= 0)
        log->files->close(log->files->argument, log->tail.direct_fd);
    log->tail.direct_fd = -1;
}

static void next_chunk(struct ps_segment_log *log, bool full)
{
    log->tail.buffer = ps_chunks_next(log->chunks, full, &log->tail.chunk);
    log->tail.buffered = log->tail.kept = 0;
}

/* Starts writing the new segment. Its writes bypass the page cache if possible: consumers that keep up read from memory,
 * and copying each frame to the page cache would cost more than the rest of the channel. */
static void begin_segment(struct ps_segment_log *log, const char *path, const char *head)
{
    next_chunk(log, false);
    size_t length = ps_segment_head_bytes(&last_segment(log)->head);
    memcpy(log->tail.buffer, head, length);
    log->tail.buffered = log->tail.kept = length;
    ps_segment_end_direct(log);
    if (log->files->open_direct != NULL)
        log->tail.direct_fd = log->files->open_direct(log->files->argument, path);
}

static uint64_t whole_blocks(uint64_t bytes)
{
    return (bytes + PS_SEGMENT_DIRECT_BYTES - 1) / PS_SEGMENT_DIRECT_BYTES * PS_SEGMENT_DIRECT_BYTES;
}

/* Returns the length of the tag after each payload of a new segment. */
static uint32_t tag_bytes(const struct ps_segment_log *log)
{
    return log->options.active_key != NULL ? PS_SEAL_TAG_BYTES : 0;
}

/* Returns the length of the frame that ends a segment. */
static uint64_t end_span(const struct ps_segment_log *log)
{
    return ps_frame_span(tag_bytes(log));
}

/* Creates a file for the segment, with the next number that no file has: even a file that was never read may have it. */
static int open_fresh(struct ps_segment_log *log, struct ps_segment *fresh, char path[PS_SEGMENT_PATH_BYTES])
{
    int fd;
    do {
        if (log->last_name == PS_SEGMENT_NUMBER_MAX) {
            ps_segment_path(path, log->options.directories.items[0], log->last_name);
            errno = EOVERFLOW;
            return -1;
        }
        fresh->head.segment = ++log->last_name;
        fresh->directory =
            log->options.directories.items[fresh->head.segment % log->options.directories.count];
        ps_segment_path(path, fresh->directory, fresh->head.segment);
        errno = EEXIST;
        fd = ps_segment_missing_find(log, fresh->head.segment, PS_SEGMENT_DAMAGED) == NULL
                 ? log->files->open(log->files->argument, path, true)
                 : -1;
    } while (fd < 0 && errno == EEXIST);
    if (fd < 0)
        log->last_name--;
    return fd;
}

/* Closes and removes a new file that is not used. Keeps errno. */
static void drop_fresh(const struct ps_segment_log *log, const struct ps_segment *fresh, const char *path)
{
    int error = errno;
    log->files->close(log->files->argument, fresh->fd);
    log->files->remove(log->files->argument, path);
    ps_seal_destroy(fresh->seal);
    errno = error;
}

/* Creates the next segment with room for a frame of `span` bytes. When it returns, the file's name is durable; its head
 * becomes durable with its first frames. `ample`: the frame does not count towards the size of a segment. Sets *no_room if the disk is
 * too full for the file's size. */
static enum ps_status segment_try(struct ps_segment_log *log, uint64_t span, bool ample, bool *no_room,
                                  struct ps_err *err)
{
    char path[PS_SEGMENT_PATH_BYTES], head[PS_SEGMENT_SEALED_HEAD_BYTES];
    struct ps_segment fresh = {.head = {.log = log->id, .first = log->next, .salt = (uint32_t)draw(log)}};
    fresh.head.sealing.on = log->options.active_key != NULL;
    uint64_t least = ps_segment_head_bytes(&fresh.head) + span + end_span(log);
    fresh.end = fresh.promised_end = ps_segment_head_bytes(&fresh.head);
    fresh.size = least > log->segment_bytes ? least : log->segment_bytes;
    if (ample)
        fresh.size = least + log->segment_bytes;
    fresh.head.size = log->files->open_direct != NULL ? whole_blocks(fresh.size) : fresh.size;
    fresh.fd = open_fresh(log, &fresh, path);
    if (fresh.fd < 0)
        return ps_err_set(err, "%s cannot be made: %s", path, strerror(errno));
    if (fresh.head.sealing.on && ps_segment_seal_head(log, &fresh, err) != PS_OK) {
        fresh.seal = NULL; /* ps_segment_seal_head destroyed it */
        drop_fresh(log, &fresh, path);
        return PS_FAIL;
    }
    ps_segment_head_write(head, &fresh.head);
    if (log->files->allocate(log->files->argument, fresh.fd, fresh.head.size) != 0 ||
        log->files->write(log->files->argument, fresh.fd, head, ps_segment_head_bytes(&fresh.head), 0) < 0 ||
        log->files->sync_directory(log->files->argument, fresh.directory) != 0) {
        drop_fresh(log, &fresh, path);
        int error = errno;
        *no_room = error == ENOSPC || error == EDQUOT;
        if (!*no_room)
            return ps_err_set(err, "%s cannot be written: %s", path, strerror(error));
        return ps_err_set(err,
                          "%s cannot be written: %s: the channel allocates the whole segment of %s in "
                          "advance: free that much space",
                          path, strerror(error), ps_quantity_print_bytes(fresh.head.size).text);
    }
    ps_segment_add(log, &fresh);
    begin_segment(log, path, head);
    log->writing = true;
    return PS_OK;
}

/* Creates the next segment. If the disk is too full for its size, tries smaller sizes down to the size of the first segment. */
static enum ps_status segment_create(struct ps_segment_log *log, uint64_t span, bool ample,
                                     struct ps_err *err)
{
    uint64_t least = log->options.first_segment_bytes > 0 ? log->options.first_segment_bytes : UINT64_MAX;
    for (;;) {
        bool no_room = false;
        *err = (struct ps_err){.length = 0};
        if (segment_try(log, span, ample, &no_room, err) == PS_OK)
            return PS_OK;
        if (no_room && ample) {
            ample = false;
            continue;
        }
        log->full = no_room;
        if (!no_room || log->segment_bytes <= least || log->segment_bytes <= span)
            return PS_FAIL;
        uint64_t less = log->segment_bytes / PS_SEGMENT_GROWTH;
        log->segment_bytes = less > least ? less : least;
    }
}

/* Sets the error of a failed call on the last segment, from errno. */
static enum ps_status failed(struct ps_segment_log *log, const char *what, struct ps_err *err)
{
    const char *reason = strerror(errno);
    char path[PS_SEGMENT_PATH_BYTES];
    ps_segment_path(path, last_segment(log)->directory, last_segment(log)->head.segment);
    return ps_err_set(err, "%s cannot be %s: %s", path, what, reason);
}

/* Writes whole blocks. Returns false with errno. */
static bool flush_direct(struct ps_segment_log *log, const struct ps_segment *segment)
{
    size_t from = log->tail.kept / PS_SEGMENT_DIRECT_BYTES * PS_SEGMENT_DIRECT_BYTES;
    size_t to = (size_t)whole_blocks(log->tail.buffered);
    memset(log->tail.buffer + log->tail.buffered, 0, to - log->tail.buffered);
    return log->files->write(log->files->argument, log->tail.direct_fd, log->tail.buffer + from, to - from,
                             segment->end - log->tail.buffered + from) >= 0;
}

static bool flush_cached(struct ps_segment_log *log, const struct ps_segment *segment)
{
    size_t length = log->tail.buffered - log->tail.kept;
    return log->files->write(log->files->argument, segment->fd, log->tail.buffer + log->tail.kept, length,
                             segment->end - length) >= 0;
}

static enum ps_status flush(struct ps_segment_log *log, struct ps_err *err)
{
    if (log->tail.buffered == log->tail.kept)
        return PS_OK;
    const struct ps_segment *segment = last_segment(log);
    bool written = log->tail.direct_fd >= 0 && flush_direct(log, segment);
    if (log->tail.direct_fd >= 0 && !written && errno == EINVAL)
        ps_segment_end_direct(log); /* the disk has longer blocks */
    if (log->tail.direct_fd < 0)
        written = flush_cached(log, segment);
    if (!written)
        return failed(log, "written", err);
    log->tail.kept = log->tail.buffered;
    log->dirty = true;
    return PS_OK;
}

static enum ps_status put_bytes(struct ps_segment_log *log, const void *data, size_t length,
                                struct ps_err *err)
{
    struct ps_segment *segment = last_segment(log);
    const char *from = data;
    while (length > 0) {
        size_t room = PS_CHUNK_BYTES - log->tail.buffered, part = length < room ? length : room;
        if (part > 0) {
            if (from != log->tail.buffer + log->tail.buffered) /* otherwise the frame was built in place */
                memcpy(log->tail.buffer + log->tail.buffered, from, part);
            log->tail.buffered += part;
            segment->end += part;
            from += part;
            length -= part;
        }
        if (log->tail.buffered < PS_CHUNK_BYTES)
            continue;
        if (flush(log, err) != PS_OK)
            return PS_FAIL;
        next_chunk(log, true);
    }
    return PS_OK;
}

static enum ps_status put_frame(struct ps_segment_log *log, struct ps_frame *frame, const void *payload,
                                struct ps_err *err)
{
    static const char zeros[PS_FRAME_ALIGN];
    char head[PS_FRAME_HEAD_BYTES];
    struct ps_segment *segment = last_segment(log);
    uint32_t salt = segment->head.salt;
    frame->promised = log->promised;
    if (segment->seal != NULL && ps_segment_seal_frame(log, segment, frame, &payload, err) != PS_OK)
        return PS_FAIL;
    size_t pad = (size_t)(ps_frame_span(frame->length) - PS_FRAME_HEAD_BYTES - frame->length);
    frame->checksum = ps_frame_checksum(salt, payload, frame->length);
    ps_frame_write(head, frame, salt);
    if (put_bytes(log, head, sizeof head, err) != PS_OK ||
        put_bytes(log, payload, frame->length, err) != PS_OK || put_bytes(log, zeros, pad, err) != PS_OK)
        return PS_FAIL;
    log->state.since_bytes += ps_frame_span(frame->length);
    return PS_OK;
}

static void promise(struct ps_segment_log *log)
{
    log->promised = log->next - 1;
    if (log->writing)
        last_segment(log)->promised_end = last_segment(log)->end;
    log->unsynced_events = log->unsynced_bytes = 0;
}

/* Checks that a restart will find the file that was written. Called once for each sync, before the promise. */
static enum ps_status still_there(struct ps_segment_log *log, struct ps_err *err)
{
    char path[PS_SEGMENT_PATH_BYTES];
    const struct ps_segment *segment = last_segment(log);
    ps_segment_path(path, segment->directory, segment->head.segment);
    if (log->files->is_at == NULL || log->files->is_at(log->files->argument, segment->fd, path) == 0)
        return PS_OK;
    return ps_err_set(err, "%s was removed or replaced while it was written (%s)", path, strerror(errno));
}

/* Forgets the news whose frames are durable. */
static void drop_news(struct ps_segment_log *log)
{
    log->news.count -= log->news.appended;
    if (log->news.count > 0 && log->news.appended > 0)
        memmove(log->news.ranges, log->news.ranges + log->news.appended,
                log->news.count * sizeof *log->news.ranges);
    log->news.closed -= log->news.appended;
    log->news.appended = 0;
}

static enum ps_status sync_last(struct ps_segment_log *log, struct ps_err *err)
{
    if (flush(log, err) != PS_OK)
        return PS_FAIL;
    if (log->dirty && log->files->sync(log->files->argument, last_segment(log)->fd) != 0)
        return failed(log, "synced", err);
    if (log->dirty && still_there(log, err) != PS_OK)
        return PS_FAIL;
    log->dirty = false;
    drop_news(log);
    promise(log);
    return PS_OK;
}

/* Makes room for a frame: if the segment is full, begins the next one. The ranges that a state has no room for are appended again in
 * each new segment, so if they are long, the segment is longer by that: otherwise each sync would need new segments. */
static enum ps_status make_room(struct ps_segment_log *log, enum ps_frame_kind kind, uint32_t length,
                                struct ps_err *err)
{
    uint64_t span = ps_frame_span(length + tag_bytes(log));
    if (!log->writing)
        return segment_create(log, span, false, err);
    const struct ps_segment *segment = last_segment(log);
    if (segment->end + span + end_span(log) <= segment->size)
        return PS_OK;
    struct ps_frame end = {.kind = PS_FRAME_END, .number = log->next - 1};
    if (put_frame(log, &end, "", err) != PS_OK || sync_last(log, err) != PS_OK)
        return PS_FAIL;
    bool may_grow = log->segment_bytes <= log->options.segment_bytes / PS_SEGMENT_GROWTH;
    log->segment_bytes = may_grow ? PS_SEGMENT_GROWTH * log->segment_bytes : log->options.segment_bytes;
    return segment_create(log, span, kind == PS_FRAME_TAKEN && span > log->segment_bytes / 2, err);
}

/* ---- putting ---- */

/* Ends the chunk before it is full. The next chunk begins with the written bytes of the last block. */
static bool end_chunk(struct ps_segment_log *log)
{
    struct ps_err err = {0};
    if (flush(log, &err) != PS_OK)
        return false; /* the append that follows fails too, and reports the error */
    size_t whole = log->tail.buffered / PS_SEGMENT_DIRECT_BYTES * PS_SEGMENT_DIRECT_BYTES,
           rest = log->tail.buffered - whole;
    const char *last_block = log->tail.buffer + whole;
    next_chunk(log, true);
    memcpy(log->tail.buffer, last_block, rest);
    log->tail.buffered = log->tail.kept = rest;
    return true;
}

char *ps_segment_log_lend(struct ps_segment_log *log, uint32_t room)
{
    uint64_t span = ps_frame_span(room);
    const struct ps_segment *segment = log->writing ? last_segment(log) : NULL;
    if (segment == NULL || segment->seal != NULL ||
        /* an encrypted frame is not built in place */ segment->end + span + end_span(log) > segment->size ||
        PS_SEGMENT_DIRECT_BYTES + span >= PS_CHUNK_BYTES)
        return NULL;
    if (log->tail.buffered + span >= PS_CHUNK_BYTES && !end_chunk(log))
        return NULL;
    return log->tail.buffer + log->tail.buffered + PS_FRAME_HEAD_BYTES;
}

enum ps_status ps_segment_log_append(struct ps_segment_log *log, const void *payload, uint32_t length,
                                     uint32_t count, uint64_t bytes, struct ps_segment_place *place,
                                     struct ps_err *err)
{
    PS_ASSERT(length <= PS_FRAME_PAYLOAD_MAX);
    if (make_room(log, PS_FRAME_EVENTS, length, err) != PS_OK)
        return PS_FAIL;
    const struct ps_segment *segment = last_segment(log);
    size_t at = log->tail.buffered + PS_FRAME_HEAD_BYTES;
    struct ps_frame frame = {
        .kind = PS_FRAME_EVENTS, .length = length, .count = count, .bytes = bytes, .number = log->next};
    uint64_t offset = segment->end, chunk = log->tail.chunk;
    if (put_frame(log, &frame, payload, err) != PS_OK)
        return PS_FAIL;
    *place = ps_segment_place_of(segment, offset, &frame);
    place->chunks = log->chunks;
    place->chunk = chunk + at / PS_CHUNK_BYTES;
    place->chunk_offset = at % PS_CHUNK_BYTES;
    log->recent[place->number % PS_SEGMENT_RECENT_FRAMES] = *place;
    log->next++;
    log->events += count;
    log->bytes += bytes;
    log->unsynced_events += count;
    log->unsynced_bytes += bytes;
    return PS_OK;
}

/* Appends a frame with these ranges of delivered frames. Sets *offset to where it begins in the last segment. */
static enum ps_status append_taken(struct ps_segment_log *log, const struct ps_taken_range *ranges,
                                   uint32_t count, uint64_t *offset, struct ps_err *err)
{
    char *payload = ps_must_alloc(count, PS_TAKEN_RANGE_BYTES, "what was delivered of a log");
    for (uint32_t i = 0; i < count; i++)
        ps_taken_range_write(payload + i * (size_t)PS_TAKEN_RANGE_BYTES, &ranges[i]);
    struct ps_frame frame = {.kind = PS_FRAME_TAKEN, .length = count * PS_TAKEN_RANGE_BYTES};
    enum ps_status status = make_room(log, PS_FRAME_TAKEN, frame.length, err);
    frame.number = log->next - 1;
    *offset = status == PS_OK ? last_segment(log)->end : 0;
    if (status == PS_OK)
        status = put_frame(log, &frame, payload, err);
    free(payload);
    return status;
}

/* Appends frames with the numbers of the frames delivered since the last such frame. They stay in the news until they are synced: if
 * that fails, they are appended again. */
static enum ps_status append_news(struct ps_segment_log *log, struct ps_err *err)
{
    uint64_t offset;
    while (log->news.appended < log->news.count) {
        size_t left = log->news.count - log->news.appended;
        uint32_t count = left < NEWS_MAX ? (uint32_t)left : NEWS_MAX;
        if (append_taken(log, log->news.ranges + log->news.appended, count, &offset, err) != PS_OK)
            return PS_FAIL;
        log->news.appended += count; /* from 0 if append_taken ended a segment */
        if (log->news.closed < log->news.appended)
            log->news.closed = log->news.appended;
    }
    return PS_OK;
}

enum ps_status ps_segment_log_save(struct ps_segment_log *log, size_t needed, struct ps_err *err)
{
    uint64_t offset;
    if (!ps_segment_state_fits(log, needed))
        return PS_OK; /* the tail grows until it does */
    if (log->taken.count <= PS_STATE_RANGES_MAX)
        return ps_segment_state_save(log, NULL, 0, err);
    struct ps_taken_range *ranges = ps_segment_state_choose(log, needed);
    size_t others = log->taken.count - PS_STATE_RANGES_MAX;
    PS_ASSERT(others <= PS_FRAME_PAYLOAD_MAX / PS_TAKEN_RANGE_BYTES);
    enum ps_status status = append_taken(log, ranges + PS_STATE_RANGES_MAX, (uint32_t)others, &offset, err);
    if (status == PS_OK)
        status = sync_last(log, err);
    log->torn = status != PS_OK;
    log->state.lacks &= log->torn; /* otherwise the tail has them, even if the state cannot be written */
    if (status == PS_OK)
        status = ps_segment_state_save(log, ranges, offset, err);
    free(ranges);
    return status;
}

enum ps_status ps_segment_log_sync(struct ps_segment_log *log, struct ps_err *err)
{
    struct ps_err trouble = {0};
    if (ps_segment_state_keep(log, err) != PS_OK || append_news(log, err) != PS_OK ||
        sync_last(log, err) != PS_OK)
        return PS_FAIL;
    /* The frames are promised. If the state cannot be written, only the tail grows. */
    bool trimmed = ps_segment_trim(log, &trouble) == PS_OK || log->count == 0;
    if (log->torn) {
        *err = trouble;
        return PS_FAIL;
    }
    if (!trimmed && !log->trim_failed)
        ps_segment_report(log, last_segment(log), "delivered segments stay on the disk for now: %s",
                          ps_err_join(&trouble));
    log->trim_failed = !trimmed;
    return PS_OK;
}

enum ps_status ps_segment_log_write(struct ps_segment_log *log, struct ps_err *err)
{
    if (append_news(log, err) != PS_OK || flush(log, err) != PS_OK ||
        (log->dirty && still_there(log, err) != PS_OK))
        return PS_FAIL;
    promise(log);
    return PS_OK;
}

/* Removes the last segment if no frame in it was promised: otherwise a disk on which every sync fails would fill up
 * with segments. */
static void drop_unused(struct ps_segment_log *log)
{
    char path[PS_SEGMENT_PATH_BYTES];
    const struct ps_segment *segment = last_segment(log);
    if (segment->promised_end > ps_segment_head_bytes(&segment->head))
        return;
    ps_segment_path(path, segment->directory, segment->head.segment);
    if (log->files->is_at == NULL || log->files->is_at(log->files->argument, segment->fd, path) == 0)
        log->files->remove(log->files->argument, path); /* if that fails, the file has no valid frame */
    ps_segment_end_direct(log);
    log->files->close(log->files->argument, segment->fd);
    ps_seal_destroy(segment->seal);
    log->count--;
}

/* Begins the next segment. If the disk is full, and the state has no room for all delivered ranges, then delivered segments go first, and the
 * other ranges are appended at once: only if the process dies before that, frames of these ranges come again. */
static enum ps_status begin_again(struct ps_segment_log *log, struct ps_err *err)
{
    if (segment_create(log, 0, false, err) != PS_OK &&
        (!log->full || !ps_segment_make_space(log) || segment_create(log, 0, false, err) != PS_OK))
        return PS_FAIL;
    return log->state.lacks ? ps_segment_log_save(log, ps_segment_state_needed(log), err) : PS_OK;
}

enum ps_status ps_segment_log_renew(struct ps_segment_log *log, struct ps_err *err)
{
    log->tail.buffered = log->tail.kept; /* drops bytes that were not written */
    log->dirty = log->torn = false;
    log->news.appended = 0;
    log->news.closed = log->news.count;
    log->next = log->promised + 1;
    log->events -= log->unsynced_events;
    log->bytes -= log->unsynced_bytes;
    log->unsynced_events = log->unsynced_bytes = 0;
    if (log->writing) {
        last_segment(log)->end = last_segment(log)->promised_end;
        drop_unused(log);
    }
    log->writing = false;
    size_t needed = ps_segment_state_needed(log);
    if (ps_segment_log_save(log, needed, err) != PS_OK)
        return PS_FAIL;
    if (ps_segment_state_fits(log, needed))
        log->news.count = log->news.closed = 0; /* the state has these deliveries */
    /* On a full disk, only removing delivered segments makes space, so this is done first. */
    ps_segment_remove_delivered(log, needed, true);
    if (begin_again(log, err) != PS_OK)
        return PS_FAIL;
    /* The caller may have nothing more to sync for a long time. */
    return log->news.count == 0 || (append_news(log, err) == PS_OK && sync_last(log, err) == PS_OK) ? PS_OK
                                                                                                    : PS_FAIL;
}

/* ---- taking ---- */

uint64_t ps_segment_log_promised(const struct ps_segment_log *log)
{
    return log->promised;
}

void ps_segment_log_fill(const struct ps_segment_log *log, struct ps_segment_fill *fill)
{
    *fill = (struct ps_segment_fill){.events = log->events - log->unsynced_events,
                                     .bytes = log->bytes - log->unsynced_bytes,
                                     .frames_lost = log->frames_lost,
                                     .segments = log->count,
                                     .held = log->held};
}
