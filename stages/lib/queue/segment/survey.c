#include "stages/lib/queue/segment/survey.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "stages/lib/queue/segment/log_internal.h"

#define CHUNK_BYTES 65536U

/* ---- single files ---- */

bool ps_segment_survey_state(const char *state_directory, struct ps_survey_state *state)
{
    char path[PS_SEGMENT_PATH_BYTES];
    const struct ps_segment_files *files = &ps_segment_disk_read_only;
    struct ps_segment_state slot = {
        .ranges = ps_must_alloc(PS_STATE_RANGES_MAX, sizeof *slot.ranges, "what was delivered of a log")};
    char *bytes = ps_must_alloc(1, PS_STATE_SLOT_BYTES, "a log's state");
    *state = (struct ps_survey_state){.slots = {PS_SURVEY_EMPTY, PS_SURVEY_EMPTY}};
    snprintf(path, sizeof path, "%s/state", state_directory);
    int fd = files->open(files->argument, path, false);
    state->error = fd < 0 ? errno : 0;
    for (unsigned i = 0; fd >= 0 && i < 2; i++) {
        ssize_t got = files->read(files->argument, fd, bytes, PS_STATE_SLOT_BYTES, i * PS_STATE_SLOT_BYTES);
        state->error = got < 0 ? errno : state->error;
        if (got == (ssize_t)PS_STATE_SLOT_BYTES && ps_segment_state_read(bytes, &slot)) {
            state->slots[i] = PS_SURVEY_READABLE;
            if (slot.generation > state->generation) {
                state->generation = slot.generation;
                state->log = slot.log;
                state->low = slot.low;
                state->segment = slot.offset > 0 ? slot.segment : 0;
            }
        } else if (got < 0 || !ps_segment_is_zero(bytes, (size_t)got)) {
            state->slots[i] = PS_SURVEY_DAMAGED;
        }
    }
    if (fd >= 0)
        files->close(files->argument, fd);
    free(bytes);
    free(slot.ranges);
    return fd >= 0;
}

enum ps_survey_head ps_segment_survey_head(const char *directory, uint64_t number,
                                           struct ps_segment_head *head, uint64_t *bytes)
{
    char path[PS_SEGMENT_PATH_BYTES], from[PS_SEGMENT_SEALED_HEAD_BYTES] = {0};
    const struct ps_segment_files *files = &ps_segment_disk_read_only;
    ps_segment_path(path, directory, number);
    int fd = files->open(files->argument, path, false);
    int64_t size = fd < 0 ? -1 : files->size(files->argument, fd);
    ssize_t got = size < 0 ? -1 : files->read(files->argument, fd, from, sizeof from, 0);
    int error = errno;
    if (fd >= 0)
        files->close(files->argument, fd);
    errno = error;
    if (fd < 0 && error == EISDIR)
        return PS_SURVEY_HEAD_STRAY;
    *bytes = size < 0 ? 0 : (uint64_t)size;
    if (got < 0)
        return PS_SURVEY_HEAD_FAILED;
    if (ps_segment_head_read(from, head) && head->segment == number)
        return PS_SURVEY_HEAD_RIGHT;
    return ps_segment_is_zero(from, sizeof from) ? PS_SURVEY_HEAD_ZERO : PS_SURVEY_HEAD_DAMAGED;
}

struct numbers {
    uint64_t *items;
    size_t count;
};

static void number_add(void *argument, const char *name)
{
    struct numbers *numbers = argument;
    uint64_t number = ps_segment_number(name);
    if (number == 0)
        return;
    numbers->items =
        ps_must_realloc(numbers->items, (numbers->count + 1) * sizeof *numbers->items, "segments");
    numbers->items[numbers->count++] = number;
}

static int by_number(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
    return a < b ? -1 : a > b;
}

uint64_t *ps_segment_survey_files(const char *directory, size_t *count)
{
    struct numbers numbers = {.items = ps_must_alloc(1, sizeof *numbers.items, "segments")};
    if (ps_segment_disk.list(ps_segment_disk.argument, directory, number_add, &numbers) != 0) {
        free(numbers.items);
        return NULL;
    }
    qsort(numbers.items, numbers.count, sizeof *numbers.items, by_number);
    *count = numbers.count;
    return numbers.items;
}

/* ---- all frames ---- */

struct survey {
    struct ps_segment_log *log;
    const struct ps_survey_visitor *visitor;
    uint64_t state_segment, state_offset; /* every frame before this place was valid once */
    uint64_t next;                        /* number of the next expected frame of events */
    struct ps_taken taken;                /* without the frames that recovery gave up */
    char *payload;
    size_t room;
    uint32_t length; /* length of the latest payload, bytes */
};

/* Calls `damage` for the bytes at `offset`. Frames from survey->next up to `before` - 1 were in them; `before` is 0 when that is not known. */
static void damaged(struct survey *survey, const struct ps_segment *segment, uint64_t offset, uint64_t length,
                    uint64_t before, bool unfinished, const char *reason)
{
    struct ps_survey_damage damage = {.directory = segment->directory,
                                      .segment = segment->head.segment,
                                      .offset = offset,
                                      .length = length,
                                      .unsure = before == 0,
                                      .unfinished = unfinished,
                                      .reason = reason};
    uint64_t first = survey->next > survey->taken.low ? survey->next : survey->taken.low;
    for (uint64_t number = first; number < before; number++) {
        if (ps_taken_has(&survey->taken, number))
            continue;
        damage.first = damage.first == 0 ? number : damage.first;
        damage.last = number;
    }
    survey->visitor->damage(survey->visitor->argument, &damage);
}

static enum ps_segment_read payload_read(struct survey *survey, const struct ps_segment *segment,
                                         uint64_t offset, const struct ps_frame *frame)
{
    struct ps_segment_place place = ps_segment_place_of(segment, offset, frame);
    survey->length = place.length;
    if (frame->length > survey->room) {
        survey->room = frame->length;
        survey->payload = ps_must_realloc(survey->payload, survey->room, "a frame of a log");
    }
    return ps_segment_load(survey->log->files, &place, &survey->log->sealer, survey->payload, NULL);
}

/* Reports a frame of events that belongs to the log. */
static void events_frame(struct survey *survey, const struct ps_segment *segment, uint64_t offset,
                         const struct ps_frame *frame, struct ps_survey_segment *about)
{
    struct ps_survey_frame seen = {
        .directory = segment->directory,
        .segment = segment->head.segment,
        .offset = offset,
        .frame = *frame,
        .delivered = ps_taken_has(&survey->taken, frame->number),
        .held = ps_segment_is_held(segment),
        .payload_length = survey->length,
        .payload = survey->visitor->heads_only || ps_segment_is_held(segment) ? NULL : survey->payload};
    const char *wrong = survey->visitor->frame(survey->visitor->argument, &seen);
    survey->next = wrong != NULL ? frame->number : frame->number + 1;
    if (wrong != NULL)
        damaged(survey, segment, offset, ps_frame_span(frame->length), frame->number + 1, false, wrong);
    survey->next = frame->number + 1;
    about->frames++;
    about->events += frame->count;
    about->event_bytes += frame->bytes;
    about->last = frame->number;
    about->open_frames += seen.delivered ? 0 : 1;
    about->open_events += seen.delivered ? 0 : frame->count;
    about->held_events += seen.delivered || !seen.held ? 0 : frame->count;
}

/* Reports bytes that the disk cannot read: their frames are not counted as lost. */
static void unreadable(struct survey *survey, const struct ps_segment *segment, uint64_t offset,
                       uint64_t length)
{
    damaged(survey, segment, offset, length, 0, false,
            "the disk cannot read these bytes; the agent tries again until it can. If the error persists, "
            "`penstock "
            "channel repair --give-up-unreadable` gives the bytes up");
}

/* Returns the offset after the last byte from `from` on that is not zero or cannot be read; `from` if all bytes are zero. */
static uint64_t used_end(const struct ps_segment_log *log, const struct ps_segment *segment, uint64_t from)
{
    char *chunk = ps_must_alloc(1, CHUNK_BYTES, "a survey of a log");
    uint64_t end = from;
    for (uint64_t at = from; at < segment->size; at += CHUNK_BYTES) {
        ssize_t got = log->files->read(log->files->argument, segment->fd, chunk, CHUNK_BYTES, at);
        if (got < 0)
            end = segment->size;
        if (got <= 0)
            break;
        for (size_t i = (size_t)got; i > 0; i--) {
            if (chunk[i - 1] == 0)
                continue;
            end = at + i;
            break;
        }
    }
    free(chunk);
    return end;
}

/* Reports the frames of missing segments with numbers from `from` to `before` - 1. Files with damaged heads are reported by
 * survey_others, short ones by look_behind. */
static void survey_missing(struct survey *survey, uint64_t from, uint64_t before)
{
    const struct ps_segment_log *log = survey->log;
    for (size_t i = 0; i < log->missing.count; i++) {
        const struct ps_segment_missing *missing = &log->missing.items[i];
        const struct ps_segment file = {.directory = missing->directory, .head.segment = missing->segment};
        if (missing->segment < from || missing->segment >= before || missing->fault == PS_SEGMENT_SHORT ||
            missing->fault == PS_SEGMENT_DAMAGED)
            continue;
        bool known = missing->first <= missing->last;
        survey->next = known && missing->first > survey->next ? missing->first : survey->next;
        damaged(survey, &file, 0, 0, known ? missing->last + 1 : 0, false,
                ps_segment_fault_text(missing->fault));
        survey->next = known && missing->last >= survey->next ? missing->last + 1 : survey->next;
    }
}

static bool was_whole(const struct survey *survey, const struct ps_segment *segment, uint64_t offset)
{
    return segment->head.segment == survey->state_segment && offset < survey->state_offset;
}

/* Reports the bytes after the last frame at `at`, unless they are zero: a frame that was never complete, or one that was
 * damaged. Frames from survey->next to below `limit` were promised. */
static void look_behind(struct survey *survey, const struct ps_segment *segment, uint64_t at, uint64_t limit)
{
    uint64_t end = used_end(survey->log, segment, at);
    uint64_t before =
        limit < survey->log->next ? limit : survey->log->next; /* frames below this number were promised */
    bool cut = ps_segment_missing_find(survey->log, segment->head.segment, PS_SEGMENT_SHORT) != NULL;
    bool lost = before > survey->next && !ps_taken_has_all(&survey->taken, survey->next, before - 1);
    if (end == at && !lost && !cut)
        return;
    damaged(survey, segment, at, end - at, before, !cut && !lost && !was_whole(survey, segment, at),
            cut    ? ps_segment_fault_text(PS_SEGMENT_SHORT)
            : lost ? "frames that were acknowledged are missing"
                   : "these bytes are not a frame: it was being written when the process ended, or was "
                     "damaged later");
    survey->next = lost ? before : survey->next;
}

/* Reports a gap before this segment: a segment was removed, or its file is missing. */
static void look_before(struct survey *survey, const struct ps_segment *segment)
{
    uint64_t first = segment->head.first;
    if (!ps_taken_has_all(&survey->taken, survey->next, first - 1))
        damaged(survey, segment, 0, 0, first, false,
                "the segment before this one is not there, or its frames cannot be read");
    survey->next = first;
}

static void payload_damaged(struct survey *survey, const struct ps_segment *segment, uint64_t offset,
                            const struct ps_frame *frame, enum ps_segment_read read)
{
    bool is_events = frame->kind == PS_FRAME_EVENTS;
    uint64_t behind = frame->number + 1, span = ps_frame_span(frame->length);
    if (read == PS_SEGMENT_READ_FAILED)
        unreadable(survey, segment, offset, span);
    else
        damaged(survey, segment, offset, span, behind, false,
                segment->seal == NULL ? "the payload of the frame has a wrong checksum"
                                      : "the payload of the frame has a wrong checksum, or was altered");
    survey->next = is_events && behind > survey->next ? behind : survey->next;
}

/* Handles unreadable bytes from `at` to the end: skips the frames below `limit`, which may be in them. */
static void rest_unreadable(struct survey *survey, const struct ps_segment *segment, uint64_t at,
                            uint64_t limit)
{
    unreadable(survey, segment, at, segment->size - at);
    if (limit != UINT64_MAX && limit > survey->next)
        survey->next = limit;
}

static void survey_segment(struct survey *survey, const struct ps_segment *segment, uint64_t limit)
{
    struct ps_survey_segment about = {.directory = segment->directory,
                                      .number = segment->head.segment,
                                      .bytes = segment->size,
                                      .first = segment->head.first,
                                      .readable = true,
                                      .key = segment->head.sealing.on ? segment->head.sealing.key : NULL,
                                      .held = ps_segment_is_held(segment)};
    uint64_t at = ps_segment_head_bytes(&segment->head), offset = at;
    struct ps_frame frame;
    bool is_void = false;
    enum ps_segment_read read = PS_SEGMENT_READ_WHOLE;
    if (survey->next < segment->head.first)
        look_before(survey, segment);
    while (!about.ended &&
           (read = ps_segment_walk(survey->log, segment, &offset, &frame, NULL)) == PS_SEGMENT_READ_WHOLE) {
        bool is_events = frame.kind == PS_FRAME_EVENTS;
        uint64_t number = is_events ? frame.number : frame.number + 1;
        is_void = is_events && (frame.number >= limit || frame.number >= survey->log->next);
        if (is_void)
            break; /* the following frames were written again elsewhere, or never promised */
        if (offset > at) {
            damaged(survey, segment, at, offset - at, number, false, "no frame can be read here");
            survey->next = number > survey->next ? number : survey->next;
        }
        at = offset + ps_frame_span(frame.length);
        if (!survey->visitor->heads_only)
            read = payload_read(survey, segment, offset, &frame);
        if (read == PS_SEGMENT_READ_WHOLE && is_events && frame.number >= survey->next)
            events_frame(survey, segment, offset, &frame, &about);
        about.ended = read == PS_SEGMENT_READ_WHOLE && frame.kind == PS_FRAME_END;
        if (read != PS_SEGMENT_READ_WHOLE)
            payload_damaged(survey, segment, offset, &frame, read);
        offset = at;
    }
    if (read == PS_SEGMENT_READ_FAILED)
        rest_unreadable(survey, segment, at, limit);
    else if (!about.ended && !is_void)
        look_behind(survey, segment, at, limit);
    survey->visitor->segment(survey->visitor->argument, &about);
}

/* Reports files that are not segments of the log because their heads are damaged. */
static void survey_others(struct survey *survey)
{
    const struct ps_segment_log *log = survey->log;
    for (size_t i = 0; i < log->options.directories.count; i++) {
        const char *directory = log->options.directories.items[i];
        size_t count = 0;
        uint64_t *numbers = ps_segment_survey_files(directory, &count);
        for (size_t k = 0; numbers != NULL && k < count; k++) {
            struct ps_survey_segment about = {.directory = directory, .number = numbers[k]};
            struct ps_segment_head head;
            enum ps_survey_head found = ps_segment_survey_head(directory, numbers[k], &head, &about.bytes);
            about.unused = found == PS_SURVEY_HEAD_ZERO;
            if (found == PS_SURVEY_HEAD_RIGHT || found == PS_SURVEY_HEAD_STRAY)
                continue;
            if (!about.unused) {
                struct ps_survey_damage damage = {.directory = directory,
                                                  .segment = numbers[k],
                                                  .length = about.bytes,
                                                  .unsure = true,
                                                  .reason = "the head of the segment is damaged: none of its "
                                                            "frames can be read"};
                survey->visitor->damage(survey->visitor->argument, &damage);
            }
            survey->visitor->segment(survey->visitor->argument, &about);
        }
        free(numbers);
    }
}

/* Reads which frames were delivered: from the state, and from the frames after it. */
static void taken_read(struct survey *survey)
{
    struct ps_segment_state state = {
        .ranges = ps_must_alloc(PS_STATE_RANGES_MAX, sizeof *state.ranges, "what was delivered of a log")};
    struct ps_segment_log *log = survey->log;
    if (ps_segment_state_load(log, &state, NULL) == PS_SEGMENT_READ_WHOLE) {
        survey->state_segment = state.segment;
        survey->state_offset = state.offset;
    } else {
        state.low = log->count > 0 ? log->segments[0].head.first : 1;
    }
    ps_taken_init(&survey->taken, state.low);
    for (uint32_t i = 0; i < state.range_count; i++)
        ps_taken_add(&survey->taken, &state.ranges[i]);
    free(state.ranges);
    for (size_t i = 0; i < log->count; i++) {
        const struct ps_segment *segment = &log->segments[i];
        struct ps_frame frame;
        struct ps_taken_range range;
        if (segment->head.segment < survey->state_segment)
            continue;
        /* an earlier frame of the state's segment may have a part of a range of the tail, which then would not be added */
        uint64_t offset = segment->head.segment == survey->state_segment && survey->state_offset > 0
                              ? survey->state_offset
                              : ps_segment_head_bytes(&segment->head);
        for (; ps_segment_walk(log, segment, &offset, &frame, NULL) == PS_SEGMENT_READ_WHOLE &&
               frame.kind != PS_FRAME_END;
             offset += ps_frame_span(frame.length)) {
            if (frame.kind != PS_FRAME_TAKEN ||
                payload_read(survey, segment, offset, &frame) != PS_SEGMENT_READ_WHOLE)
                continue;
            for (uint32_t at = 0; at + PS_TAKEN_RANGE_BYTES <= survey->length; at += PS_TAKEN_RANGE_BYTES) {
                ps_taken_range_read(survey->payload + at, &range);
                if (range.first <= range.last && range.last < log->next)
                    ps_taken_add(&survey->taken, &range);
            }
        }
    }
}

/* Returns the limit of frame numbers in segment `i`: frames with this number or a higher one are void. */
static uint64_t limit_of(const struct ps_segment_log *log, size_t i)
{
    uint64_t limit = i + 1 < log->count ? log->segments[i + 1].head.first : UINT64_MAX;
    for (size_t k = 0; k < log->missing.count; k++) {
        const struct ps_segment_missing *missing = &log->missing.items[k];
        bool known = missing->first > 0 && missing->first <= missing->last;
        if (missing->segment > log->segments[i].head.segment && known && missing->first < limit)
            limit = missing->first;
    }
    return limit;
}

void ps_segment_survey(struct ps_segment_log *log, const struct ps_survey_visitor *visitor)
{
    struct survey survey = {.log = log, .visitor = visitor, .next = 1};
    taken_read(&survey);
    survey_others(&survey);
    uint64_t from = 0;
    for (size_t i = 0; i < log->count; i++) {
        uint64_t number = log->segments[i].head.segment;
        survey_missing(&survey, from, number);
        survey_segment(&survey, &log->segments[i], limit_of(log, i));
        from = number;
    }
    survey_missing(&survey, from, UINT64_MAX);
    ps_taken_fini(&survey.taken);
    free(survey.payload);
}
