/* Opens a log: finds its files, reads the state, and walks over the tail. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stages/lib/queue/segment/log_internal.h"
#include "core/text/ends.h"
#include "stages/lib/random.h"

/* The state of listing one directory. */
struct listing {
    struct ps_segment_log *log;
    const char *directory;
    struct ps_err *err;
    enum ps_status status;
};

/* Reports a file that looks like a segment but is not one. */
static void skip(const struct ps_segment_log *log, const char *directory, const char *name, const char *why)
{
    char text[PS_SEGMENT_PATH_BYTES + 256];
    void (*say)(void *argument, const char *text) =
        log->options.stray != NULL ? log->options.stray : log->options.report;
    snprintf(text, sizeof text, "%s/%.255s: %s: it is skipped", directory, name, why);
    if (say != NULL)
        say(log->options.argument, text);
}

static bool is_named_alike(const char *name)
{
    return ps_text_ends(name, PS_SEGMENT_SUFFIX);
}

/* Opens a segment and announces the read of its head without waiting for it: with thousands of segments that are not in the page
 * cache, the disk can read many heads at a time. */
static void found(void *argument, const char *name)
{
    struct listing *listing = argument;
    struct ps_segment_log *log = listing->log;
    char path[PS_SEGMENT_PATH_BYTES];
    struct ps_segment segment = {.head.segment = ps_segment_number(name), .directory = listing->directory};
    if (listing->status != PS_OK)
        return;
    uint64_t number = segment.head.segment;
    if (number == 0) {
        if (is_named_alike(name))
            skip(log, listing->directory, name, "a segment's name has another form (CHANNEL-FORMAT.md)");
        return;
    }
    ps_segment_path(path, listing->directory, number);
    segment.fd = log->files->open(log->files->argument, path, false);
    if (segment.fd < 0 && errno == EISDIR) {
        skip(log, listing->directory, name, "it is not a regular file");
        return;
    }
    int64_t size = segment.fd >= 0 ? log->files->size(log->files->argument, segment.fd) : -1;
    if (size < 0) {
        listing->status = ps_err_set(listing->err, "%s cannot be read: %s", path, strerror(errno));
        if (segment.fd >= 0)
            log->files->close(log->files->argument, segment.fd);
        return;
    }
    if (log->files->expect != NULL)
        log->files->expect(log->files->argument, segment.fd, 0, PS_SEGMENT_SEALED_HEAD_BYTES);
    segment.size = (uint64_t)size;
    segment.turn = log->count;
    ps_segment_add(log, &segment);
}

/* Reads the head of a segment. A head that is zero was perhaps never written because of a crash: ps_segment_miss decides that.
 * A file with a damaged head stays and is reported. In both cases closes the file and sets *aside. */
static enum ps_status read_head(struct ps_segment_log *log, struct ps_segment *segment, bool *aside,
                                struct ps_err *err)
{
    char bytes[PS_SEGMENT_SEALED_HEAD_BYTES] = {0};
    struct ps_segment_head head = {0};
    uint64_t number = segment->head.segment;
    if (log->files->read(log->files->argument, segment->fd, bytes, sizeof bytes, 0) < 0)
        return ps_segment_unreadable(segment->directory, number, 0, err);
    if (ps_segment_head_read(bytes, &head) && head.segment == number) {
        segment->head = head;
        segment->end = ps_segment_head_bytes(&head);
        log->last_name = number > log->last_name ? number : log->last_name;
        ps_segment_unlock_frames(log, segment);
        return PS_OK;
    }
    struct ps_segment_missing left = {.fault = ps_segment_is_zero(bytes, sizeof bytes) ? PS_SEGMENT_BLANK
                                                                                       : PS_SEGMENT_DAMAGED,
                                      .directory = segment->directory,
                                      .segment = number};
    ps_segment_missing_add(log, &left);
    if (left.fault == PS_SEGMENT_DAMAGED)
        ps_segment_report(log, segment, "%s", ps_segment_fault_text(left.fault));
    log->files->close(log->files->argument, segment->fd);
    *aside = true;
    return PS_OK;
}

static enum ps_status read_heads(struct ps_segment_log *log, struct ps_err *err)
{
    enum ps_status status = PS_OK;
    size_t kept = 0;
    for (size_t i = 0; i < log->count; i++) {
        bool aside = false;
        if (status == PS_OK) /* after a failure the other files stay in the list, to be closed */
            status = read_head(log, &log->segments[i], &aside, err);
        if (!aside)
            log->segments[kept++] = log->segments[i];
    }
    log->count = kept;
    return status;
}

static int by_number(const void *left, const void *right)
{
    const struct ps_segment *a = left, *b = right;
    if (a->head.segment != b->head.segment)
        return a->head.segment < b->head.segment ? -1 : 1;
    /* If two numbers are equal, the file that was found first comes first. */
    return a->turn < b->turn ? -1 : a->turn > b->turn;
}

/* Keeps one file for each number. Another file with that number (a copy in a second directory, or from a time when
 * other directories were configured) is left as it is. */
static void leave_doubles(struct ps_segment_log *log)
{
    size_t kept = 0;
    for (size_t i = 0; i < log->count; i++) {
        struct ps_segment *segment = &log->segments[i];
        if (kept > 0 && log->segments[kept - 1].head.segment == segment->head.segment) {
            ps_segment_report(log, segment,
                              "%s also has a segment with this number: the channel does not read this file",
                              log->segments[kept - 1].directory);
            ps_segment_missing_add(log, &(struct ps_segment_missing){.fault = PS_SEGMENT_DOUBLE,
                                                                     .directory = segment->directory,
                                                                     .segment = segment->head.segment,
                                                                     .first = 1});
            log->files->close(log->files->argument, segment->fd);
            ps_seal_destroy(segment->seal);
        } else {
            log->segments[kept++] = *segment;
        }
    }
    log->count = kept;
}

static enum ps_status find_segments(struct ps_segment_log *log, struct ps_err *err)
{
    for (size_t i = 0; i < log->options.directories.count; i++) {
        struct listing listing = {log, log->options.directories.items[i], err, PS_OK};
        if (log->options.absent != NULL && log->options.absent[i])
            continue;
        if (log->files->list(log->files->argument, listing.directory, found, &listing) != 0)
            return ps_err_set(err, "%s cannot be read: %s", listing.directory, strerror(errno));
        if (listing.status != PS_OK)
            return PS_FAIL;
    }
    if (read_heads(log, err) != PS_OK)
        return PS_FAIL;
    if (log->count > 0)
        qsort(log->segments, log->count, sizeof *log->segments, by_number);
    for (size_t i = 0; i < log->count; i++) {
        if (log->segments[i].head.log != log->segments[0].head.log)
            return ps_err_set(err, "%s has segments of two logs; move those of one elsewhere",
                              log->options.directories.items[0]);
    }
    leave_doubles(log);
    return PS_OK;
}

/* ---- the tail ---- */

struct tail {
    uint64_t promised; /* frames up to this number were promised, according to the frames of the tail */
    char *payload;
    size_t room;
    uint32_t length; /* length of the latest payload, bytes */
};

static enum ps_segment_read read_payload(struct ps_segment_log *log, struct tail *tail,
                                         const struct ps_segment *segment, uint64_t offset,
                                         const struct ps_frame *frame, struct ps_err *err)
{
    struct ps_segment_place place = ps_segment_place_of(segment, offset, frame);
    tail->length = place.length;
    if (frame->length > tail->room) {
        tail->room = frame->length;
        tail->payload = ps_must_realloc(tail->payload, tail->room, "a frame of a log");
    }
    return ps_segment_load(log->files, &place, &log->sealer, tail->payload, err);
}

/* Returns false at the first frame after a gap that was not promised: the log ends before it. */
static bool tail_events(struct ps_segment_log *log, struct tail *tail, const struct ps_segment *segment,
                        const struct ps_frame *frame)
{
    if (frame->number < log->next)
        return true;
    if (frame->number > log->next) {
        uint64_t promised = log->options.keeps_behind_holes ? frame->number - 1 : tail->promised;
        uint64_t last = promised < frame->number - 1 ? promised : frame->number - 1;
        if (last >= log->next) {
            ps_segment_numbers_lost(log, segment, log->next, last);
            log->next = last + 1;
        }
        if (frame->number > log->next)
            return false;
    }
    log->next++;
    log->events += frame->count;
    log->bytes += frame->bytes;
    return true;
}

static void tail_taken(struct ps_segment_log *log, const struct tail *tail)
{
    for (uint32_t at = 0; at + PS_TAKEN_RANGE_BYTES <= tail->length; at += PS_TAKEN_RANGE_BYTES) {
        struct ps_taken_range range;
        ps_taken_range_read(tail->payload + at, &range);
        if (range.first <= range.last && range.last < log->next)
            ps_segment_taken(log, &range);
    }
}

/* Reports bytes after the last frame that are not a frame. */
static enum ps_status look_behind(const struct ps_segment_log *log, const struct ps_segment *segment,
                                  uint64_t damaged, struct ps_err *err)
{
    char behind[PS_FRAME_HEAD_BYTES] = {0};
    if (ps_segment_missing_find(log, segment->head.segment, PS_SEGMENT_SHORT) != NULL)
        return PS_OK; /* already reported */
    if (damaged == 0 &&
        log->files->read(log->files->argument, segment->fd, behind, sizeof behind, segment->end) < 0)
        return ps_segment_unreadable(segment->directory, segment->head.segment, segment->end, err);
    if (damaged == 0 && !ps_segment_is_zero(behind, sizeof behind))
        damaged = segment->end;
    if (damaged > 0)
        ps_segment_report(log, segment,
                          "the last frame, at byte %llu, is not whole: it was being written when the power "
                          "was lost, and was not acknowledged; or it was damaged later",
                          (unsigned long long)damaged);
    return PS_OK;
}

/* Reports frames that are not used, although they can be read. */
static void report_end(const struct ps_segment_log *log, const struct ps_segment *segment, uint64_t offset,
                       const struct ps_frame *frame)
{
    ps_segment_report(
        log, segment,
        "frame %llu, at byte %llu, and those after it are not used: frame %llu is not whole; it was "
        "being written when the power was lost, and none of them was acknowledged; or it was damaged "
        "later",
        (unsigned long long)frame->number, (unsigned long long)offset, (unsigned long long)log->next);
}

/* Reports damaged bytes before a frame if no frame of events was there: then they were numbers of delivered frames. Called before
 * the frame is counted. */
static void report_taken(const struct ps_segment_log *log, const struct ps_segment *segment, uint64_t offset,
                         const struct ps_frame *frame)
{
    if (offset == segment->end || frame->number + (frame->kind != PS_FRAME_EVENTS) != log->next)
        return;
    ps_segment_report(log, segment,
                      "bytes %llu to %llu are damaged: they had numbers of delivered frames, which may be "
                      "delivered again",
                      (unsigned long long)segment->end, (unsigned long long)offset - 1);
}

/* Reads the frames of one segment from `offset` on. Sets *goes_on to false where the log ends. */
static enum ps_status tail_segment(struct ps_segment_log *log, struct tail *tail, struct ps_segment *segment,
                                   uint64_t offset, uint64_t limit, bool *goes_on, struct ps_err *err)
{
    struct ps_frame frame;
    uint64_t damaged = 0;
    enum ps_segment_read read;
    segment->end = offset;
    for (; (read = ps_segment_walk(log, segment, &offset, &frame, err)) == PS_SEGMENT_READ_WHOLE;
         offset += ps_frame_span(frame.length)) {
        if (frame.kind == PS_FRAME_EVENTS && frame.number >= limit)
            return PS_OK;
        read = read_payload(log, tail, segment, offset, &frame, err);
        if (read == PS_SEGMENT_READ_FAILED)
            return PS_FAIL;
        if (read == PS_SEGMENT_READ_NOTHING) {
            damaged = offset;
            continue; /* the next frame shows whether this one was promised */
        }
        report_taken(log, segment, offset, &frame);
        *goes_on = frame.kind != PS_FRAME_EVENTS || tail_events(log, tail, segment, &frame);
        if (!*goes_on) {
            report_end(log, segment, offset, &frame);
            return PS_OK;
        }
        if (frame.kind == PS_FRAME_TAKEN)
            tail_taken(log, tail);
        damaged = 0;
        segment->end = offset + ps_frame_span(frame.length);
        if (frame.kind == PS_FRAME_END)
            return PS_OK;
    }
    return read == PS_SEGMENT_READ_FAILED ? PS_FAIL : look_behind(log, segment, damaged, err);
}

static uint64_t tail_begin(const struct ps_segment *segment, const struct ps_segment_state *state)
{
    return segment->head.segment == state->segment && state->offset > 0
               ? state->offset
               : ps_segment_head_bytes(&segment->head);
}

/* Finds the highest promised number that any frame of the tail names. A frame after a damaged one shows whether the
 * damaged one was promised. */
static enum ps_status tail_promised(const struct ps_segment_log *log, const struct ps_segment_state *state,
                                    uint64_t *promised, struct ps_err *err)
{
    *promised = state->next - 1;
    for (size_t i = 0; i < log->count; i++) {
        const struct ps_segment *segment = &log->segments[i];
        if (segment->head.segment < state->segment)
            continue;
        if (segment->head.first - 1 > *promised)
            *promised = segment->head.first - 1;
        uint64_t offset = tail_begin(segment, state);
        enum ps_segment_read read;
        for (struct ps_frame frame;
             (read = ps_segment_walk(log, segment, &offset, &frame, err)) == PS_SEGMENT_READ_WHOLE;
             offset += ps_frame_span(frame.length))
            *promised = frame.promised > *promised ? frame.promised : *promised;
        if (read == PS_SEGMENT_READ_FAILED)
            return PS_FAIL;
    }
    return PS_OK;
}

static enum ps_status read_tail(struct ps_segment_log *log, const struct ps_segment_state *state,
                                struct ps_err *err)
{
    /* Never NULL, because a frame may have no payload. */
    struct tail tail = {.payload = ps_must_alloc(1, 1, "a frame of a log")};
    bool goes_on = true;
    size_t last = 0;
    enum ps_status status = tail_promised(log, state, &tail.promised, err);
    for (size_t i = 0; i < log->count && goes_on && status == PS_OK; i++) {
        struct ps_segment *segment = &log->segments[i];
        last = i;
        if (segment->head.segment < state->segment)
            continue;
        if (segment->head.segment > state->segment && log->next < segment->head.first) {
            ps_segment_numbers_lost(log, segment, log->next, segment->head.first - 1);
            log->next = segment->head.first;
        }
        uint64_t limit = i + 1 < log->count ? log->segments[i + 1].head.first : UINT64_MAX;
        status = tail_segment(log, &tail, segment, tail_begin(segment, state), limit, &goes_on, err);
    }
    free(tail.payload);
    if (status != PS_OK)
        return PS_FAIL;
    if (log->next <= tail.promised && log->count > 0) {
        ps_segment_numbers_lost(log, &log->segments[last], log->next, tail.promised);
        log->next = tail.promised + 1;
    }
    /* Frames that ps_segment_miss gave up may have higher numbers than all frames of the tail. */
    log->next = log->next < log->taken.low ? log->taken.low : log->next;
    return PS_OK;
}

/* Syncs the tail: its bytes may be only in the page cache, but count as promised from now on. */
static enum ps_status sync_tail(struct ps_segment_log *log, const struct ps_segment_state *state,
                                struct ps_err *err)
{
    for (size_t i = 0; i < log->count; i++) {
        const struct ps_segment *segment = &log->segments[i];
        if (segment->head.segment >= state->segment &&
            log->files->sync(log->files->argument, segment->fd) != 0)
            return ps_err_set(err, "segment %llu of %s cannot be synced: %s",
                              (unsigned long long)segment->head.segment, segment->directory, strerror(errno));
    }
    log->promised = log->next - 1;
    return PS_OK;
}

/* ---- opening ---- */

static enum ps_status recover(struct ps_segment_log *log, struct ps_err *err)
{
    struct ps_segment_state state = {
        .ranges = ps_must_alloc(PS_STATE_RANGES_MAX, sizeof *state.ranges, "what was delivered of a log")};
    enum ps_segment_read read = ps_segment_state_load(log, &state, err);
    bool has_state = read == PS_SEGMENT_READ_WHOLE;
    enum ps_status status = PS_OK;
    if (read == PS_SEGMENT_READ_FAILED) {
        free(state.ranges);
        return PS_FAIL;
    }
    if (has_state && log->count > 0 && state.log != log->segments[0].head.log)
        status = ps_err_set(err,
                            "%s/state belongs to another log than the segments of %s; name the directories "
                            "that it belongs to, or let `penstock channel repair` set it aside",
                            log->options.state_directory, log->options.directories.items[0]);
    if (!has_state) {
        state.segment = log->count > 0 ? log->segments[0].head.segment : 0;
        state.offset = log->count > 0 ? ps_segment_head_bytes(&log->segments[0].head) : 0;
        state.low = state.next = log->count > 0 ? log->segments[0].head.first : 1;
        if (log->count > 0)
            ps_segment_report(log, &log->segments[0],
                              "the state of the log cannot be read: the channel reads the whole log, and may "
                              "deliver again events that were delivered before");
    }
    log->id = has_state ? state.log : log->count > 0 ? log->segments[0].head.log : log->id;
    log->state.generation = state.generation;
    log->next = state.next;
    log->events = state.events;
    log->bytes = state.bytes;
    ps_taken_init(&log->taken, state.low);
    for (uint32_t i = 0; i < state.range_count; i++)
        ps_taken_add(&log->taken, &state.ranges[i]);
    log->state.segment = has_state && state.offset > 0 ? state.segment : 0;
    log->last_name = state.segment > log->last_name ? state.segment : log->last_name;
    if (status == PS_OK && (ps_segment_miss(log, has_state ? &state : NULL, err) != PS_OK ||
                            read_tail(log, &state, err) != PS_OK || sync_tail(log, &state, err) != PS_OK))
        status = PS_FAIL;
    /* Writes the state of a new log, or of one whose state was lost. Missing frames are then reported only once. */
    if (status == PS_OK && (!has_state || log->frames_lost > 0 || log->options.keeps_behind_holes))
        status = ps_segment_log_save(log, ps_segment_state_needed(log), err);
    free(state.ranges);
    log->feed.number = log->taken.low;
    if (log->count > 0) {
        const struct ps_segment *segment = &log->segments[ps_segment_with(log, log->taken.low)];
        log->feed.segment = segment->head.segment;
        log->feed.offset = ps_segment_head_bytes(&segment->head);
    }
    return status == PS_OK ? ps_segment_look_for_held(log, err) : status;
}

static void release(struct ps_segment_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        log->files->close(log->files->argument, log->segments[i].fd);
        ps_seal_destroy(log->segments[i].seal);
    }
    ps_sealer_fini(&log->sealer);
    free(log->sealed);
    ps_segment_end_direct(log);
    if (log->state.fd >= 0)
        log->files->close(log->files->argument, log->state.fd);
    ps_taken_fini(&log->taken);
    free(log->segments);
    free(log->missing.items);
    free(log->news.ranges);
    ps_chunks_destroy(log->chunks);
    free(log->recent);
    free(log->state.slot);
    free(log);
}

struct ps_segment_log *ps_segment_log_open(const struct ps_segment_options *options, struct ps_err *err)
{
    struct ps_random random;
    struct ps_segment_log *log = ps_must_alloc(1, sizeof *log, "a log on disk");
    ps_random_init(&random);
    log->options = *options;
    log->files = options->files;
    log->segment_bytes =
        options->first_segment_bytes > 0 && options->first_segment_bytes < options->segment_bytes
            ? options->first_segment_bytes
            : options->segment_bytes;
    log->state.fd = log->tail.direct_fd = -1;
    log->random =
        /* the random numbers of logs and files distinguish the events of two hosts */
        ps_random_next(&random) | 1;
    log->id = log->random;
    log->chunks = ps_chunks_create();
    log->recent = ps_must_alloc(PS_SEGMENT_RECENT_FRAMES, sizeof *log->recent, "places of frames");
    log->state.slot = ps_must_alloc(1, PS_STATE_SLOT_BYTES, "a log's state");
    if (find_segments(log, err) == PS_OK && ps_segment_state_open(log, err) == PS_OK &&
        recover(log, err) == PS_OK)
        return log;
    release(log);
    return NULL;
}

void ps_segment_log_close(struct ps_segment_log *log)
{
    struct ps_err err = {0};
    if (log == NULL)
        return;
    if (log->writing && ps_segment_log_sync(log, &err) == PS_OK)
        (void)ps_segment_log_save(log, ps_segment_state_needed(log), &err);
    release(log);
}
