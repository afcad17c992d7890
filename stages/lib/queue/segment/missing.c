/* Finds segments that are missing. The state has the newest segment with promised frames. The heads of the
 * existing segments show which frames the missing ones had, and each head has the length of its file. A power
 * cut may remove a segment that the state does not name yet, and a segment that was created but never used:
 * such segments do not count as missing. */
#include <stdlib.h>
#include <string.h>

#include "core/array.h"
#include "core/quantity.h"
#include "stages/lib/queue/segment/log_internal.h"

void ps_segment_missing_add(struct ps_segment_log *log, const struct ps_segment_missing *missing)
{
    PS_ARRAY_GROW(log->missing.items, log->missing.count, log->missing.room, "segments that are missing");
    log->missing.items[log->missing.count++] = *missing;
}

const struct ps_segment_missing *ps_segment_missing_find(const struct ps_segment_log *log, uint64_t segment,
                                                         enum ps_segment_fault fault)
{
    for (size_t i = 0; i < log->missing.count; i++) {
        if (log->missing.items[i].segment == segment && log->missing.items[i].fault == fault)
            return &log->missing.items[i];
    }
    return NULL;
}

const char *ps_segment_fault_text(enum ps_segment_fault fault)
{
    switch (fault) {
    case PS_SEGMENT_GONE:
        return "the file is missing, although the channel had acknowledged frames in it";
    case PS_SEGMENT_BLANK:
        return "its head is zero, although the channel had acknowledged frames in the file: the channel does "
               "not "
               "read the file";
    case PS_SEGMENT_SHORT:
        return "the file is shorter than when it was created";
    case PS_SEGMENT_DOUBLE:
        return "another file also has the number of this segment: the channel reads that file instead of "
               "this one";
    case PS_SEGMENT_ALL:
        return "all segments of the log are missing, although the state says that they have undelivered "
               "events";
    case PS_SEGMENT_DAMAGED:
        break;
    }
    return "its head is damaged: the channel does not read the file";
}

/* ---- which frames ---- */

/* Finds the number of the last frame of events in a segment. Sets *ended if an END frame shows that another segment
 * follows. */
static enum ps_status last_number(const struct ps_segment_log *log, const struct ps_segment *segment,
                                  uint64_t *last, bool *ended, struct ps_err *err)
{
    uint64_t offset = ps_segment_head_bytes(&segment->head);
    struct ps_frame frame;
    enum ps_segment_read read = PS_SEGMENT_READ_WHOLE;
    *last = segment->head.first - 1;
    *ended = false;
    while (!*ended && (read = ps_segment_walk(log, segment, &offset, &frame, err)) == PS_SEGMENT_READ_WHOLE) {
        *ended = frame.kind == PS_FRAME_END;
        *last = frame.kind == PS_FRAME_EVENTS && frame.number > *last ? frame.number : *last;
        offset += ps_frame_span(frame.length);
    }
    return read == PS_SEGMENT_READ_FAILED ? PS_FAIL : PS_OK;
}

/* Returns the index of the first segment with this or a higher number; log->count if there is none. */
static size_t from_number(const struct ps_segment_log *log, uint64_t number)
{
    size_t i = 0;
    while (i < log->count && log->segments[i].head.segment < number)
        i++;
    return i;
}

/* Finds the frames of the missing segments from the last existing one before `number` up to `number`. */
static enum ps_status frames_of(const struct ps_segment_log *log, const struct ps_segment_state *state,
                                uint64_t number, struct ps_segment_missing *missing, struct ps_err *err)
{
    bool ended;
    size_t next = from_number(log, number + 1), before = from_number(log, number);
    uint64_t last = state != NULL ? state->low - 1 : 0;
    if (before > 0 && last_number(log, &log->segments[before - 1], &last, &ended, err) != PS_OK)
        return PS_FAIL;
    missing->first = last + 1;
    missing->last = next < log->count                           ? log->segments[next].head.first - 1
                    : state != NULL && state->segment >= number ? state->next - 1
                                                                : 0;
    return PS_OK;
}

static void miss(struct ps_segment_log *log, const struct ps_segment_missing *missing)
{
    const struct ps_segment file = {.directory = missing->directory, .head.segment = missing->segment};
    uint64_t lost = ps_segment_take_missing(log, missing->first, missing->last);
    bool is_newest = missing->segment >= log->state.segment;
    if (lost == 0 && !is_newest)
        return; /* delivered, or given up at an earlier start */
    log->frames_lost += lost > 0 ? lost : 1;
    ps_segment_missing_add(log, missing);
    if (lost > 0)
        ps_segment_report(log, &file, "%s; %llu %s, %llu to %llu, %s events%s",
                          ps_segment_fault_text(missing->fault), (unsigned long long)lost,
                          ps_quantity_word(lost, "frame", "frames"), (unsigned long long)missing->first,
                          (unsigned long long)missing->last,
                          ps_quantity_word(lost, "is lost with its", "are lost with their"),
                          is_newest ? ", and those that were acknowledged later" : "");
    else
        ps_segment_report(log, &file, "%s; the number of events lost with the file is unknown",
                          ps_segment_fault_text(missing->fault));
}

/* ---- files that were left aside ---- */

/* Removes a file whose head is zero if a crash interrupted its creation: no frame in it was promised. */
static enum ps_status look_at_blank(struct ps_segment_log *log, const struct ps_segment_state *state,
                                    struct ps_segment_missing *blank, struct ps_err *err)
{
    char path[PS_SEGMENT_PATH_BYTES];
    bool used = state != NULL && blank->segment == state->segment && state->offset > 0;
    if (frames_of(log, state, blank->segment, blank, err) != PS_OK)
        return PS_FAIL;
    if (state != NULL && blank->segment < state->segment)
        used = blank->first <= blank->last;
    if (used) {
        miss(log, blank);
        return PS_OK;
    }
    ps_segment_path(path, blank->directory, blank->segment);
    log->files->remove(log->files->argument, path);
    return PS_OK;
}

static enum ps_status look_at_aside(struct ps_segment_log *log, const struct ps_segment_state *state,
                                    struct ps_err *err)
{
    enum ps_status status = PS_OK;
    size_t count = log->missing.count, kept = 0;
    struct ps_segment_missing *aside = log->missing.items;
    log->missing.items = NULL;
    log->missing.count = log->missing.room = 0;
    for (size_t i = 0; i < count && status == PS_OK; i++) {
        if (aside[i].fault == PS_SEGMENT_BLANK)
            status = look_at_blank(log, state, &aside[i], err);
        else
            aside[kept++] = aside[i];
    }
    for (size_t i = 0; i < kept; i++)
        ps_segment_missing_add(log, &aside[i]);
    free(aside);
    return status;
}

/* ---- files that do not exist ---- */

static bool is_aside(const struct ps_segment_log *log, uint64_t number)
{
    return ps_segment_missing_find(log, number, PS_SEGMENT_BLANK) != NULL ||
           ps_segment_missing_find(log, number, PS_SEGMENT_DAMAGED) != NULL;
}

/* Returns a data directory that does not exist, or NULL. */
static const char *absent_directory(const struct ps_segment_log *log)
{
    const struct ps_segment_options *options = &log->options;
    for (size_t i = 0; options->absent != NULL && i < options->directories.count; i++) {
        if (options->absent[i])
            return options->directories.items[i];
    }
    return NULL;
}

/* Refuses to give up a segment that may be in a directory whose file system is not mounted: its frames would count as
 * delivered, and the file would be removed when the directory is back. Changes nothing. */
static enum ps_status leave_away(const struct ps_segment_log *log, uint64_t number, struct ps_err *err)
{
    return ps_err_set(
        err,
        "%s does not exist, and segment %llu, which has acknowledged events, is missing: mount the "
        "file system of that directory. If its disk is lost, or the directory is new, create "
        "it: then the channel goes on without what is missing",
        absent_directory(log), (unsigned long long)number);
}

static enum ps_status look_for(struct ps_segment_log *log, const struct ps_segment_state *state,
                               uint64_t number, struct ps_err *err)
{
    struct ps_segment_missing gone = {
        .fault = PS_SEGMENT_GONE,
        .directory = log->options.directories.items[number % log->options.directories.count],
        .segment = number};
    if (is_aside(log, number))
        return PS_OK;
    if (frames_of(log, state, number, &gone, err) != PS_OK)
        return PS_FAIL;
    bool is_newest = number == state->segment;
    if (gone.first > gone.last && !is_newest)
        return PS_OK;
    bool is_needed = is_newest || !ps_taken_has_all(&log->taken, gone.first, gone.last);
    if (is_needed && absent_directory(log) != NULL)
        return leave_away(log, number, err);
    miss(log, &gone);
    return PS_OK;
}

/* Looks for gaps in the numbers of segments. A number may also be missing because its segment could not be created,
 * so the numbers of the frames decide. */
static enum ps_status look_for_gone(struct ps_segment_log *log, const struct ps_segment_state *state,
                                    struct ps_err *err)
{
    enum ps_status status = PS_OK;
    if (log->count > 0 && state->low < log->segments[0].head.first)
        status = look_for(log, state, log->segments[0].head.segment - 1, err);
    for (size_t i = 1; i < log->count && status == PS_OK; i++) {
        uint64_t number = log->segments[i].head.segment - 1;
        if (number > log->segments[i - 1].head.segment && log->segments[i].head.first > state->low)
            status = look_for(log, state, number, err);
    }
    size_t newest = from_number(log, state->segment);
    if (status == PS_OK && state->offset > 0 && newest == log->count)
        status = look_for(log, state, state->segment, err);
    return status;
}

/* Handles a log without any segment: the directory was replaced by an empty one, or its file system is not mounted. Gives the log
 * a new random number, so that the old segments are refused if they appear again, instead of being treated as delivered. */
static void all_gone(struct ps_segment_log *log, const struct ps_segment_state *state)
{
    struct ps_segment_missing all = {.fault = PS_SEGMENT_ALL,
                                     .directory = log->options.directories.items[0],
                                     .segment = state->segment,
                                     .first = state->low,
                                     .last = state->next - 1};
    char text[PS_SEGMENT_PATH_BYTES + 512];
    uint64_t events = log->events;
    uint64_t lost = ps_segment_take_missing(log, all.first, all.last);
    snprintf(
        text, sizeof text,
        "%s%s: all segments of the log are missing, although %s/state says that at least %llu %s in %llu %s: "
        "%s lost to the channel, which starts an empty log. If the directory was replaced, or its file "
        "system is not mounted, stop the agent, restore the directory, and run `penstock channel repair`",
        all.directory, log->options.directories.count > 1 ? " and the other data directories" : "",
        log->options.state_directory, (unsigned long long)events,
        ps_quantity_word(events, "event waits", "events wait"), (unsigned long long)lost,
        ps_quantity_word(lost, "frame", "frames"), ps_quantity_word(events, "it is", "they are"));
    log->frames_lost += lost;
    log->id = log->random | 1;
    ps_segment_missing_add(log, &all);
    if (log->options.report != NULL)
        log->options.report(log->options.argument, text);
}

/* ---- files that are shorter ---- */

/* Returns whether a power cut may have shortened this segment: it was never synced, or no frame in it counts. */
static bool may_be_short(const struct ps_segment_log *log, const struct ps_segment_state *state, size_t i)
{
    const struct ps_segment *segment = &log->segments[i];
    bool is_used = segment->head.segment != state->segment || state->offset > 0;
    if (segment->head.segment > state->segment || !is_used)
        return true;
    return i + 1 < log->count && (log->segments[i + 1].head.first == segment->head.first ||
                                  log->segments[i + 1].head.first <= state->low);
}

static enum ps_status look_for_short(struct ps_segment_log *log, const struct ps_segment_state *state,
                                     struct ps_err *err)
{
    for (size_t i = 0; i < log->count; i++) {
        const struct ps_segment *segment = &log->segments[i];
        uint64_t number = segment->head.segment;
        uint64_t least = number == state->segment && state->offset > segment->head.size ? state->offset
                                                                                        : segment->head.size;
        bool ended = false;
        uint64_t last = 0;
        if (segment->size >= least || may_be_short(log, state, i))
            continue;
        struct ps_segment_missing cut = {
            .fault = PS_SEGMENT_SHORT, .directory = segment->directory, .segment = number};
        if (last_number(log, segment, &last, &ended, err) != PS_OK)
            return PS_FAIL;
        cut.first = last + 1;
        cut.last = i + 1 < log->count         ? log->segments[i + 1].head.first - 1
                   : number == state->segment ? state->next - 1
                                              : 0;
        if (!ended)
            miss(log, &cut);
    }
    return PS_OK;
}

enum ps_status ps_segment_miss(struct ps_segment_log *log, const struct ps_segment_state *state,
                               struct ps_err *err)
{
    if (look_at_aside(log, state, err) != PS_OK)
        return PS_FAIL;
    if (state == NULL)
        return PS_OK;
    if (log->count == 0 && state->low < state->next) {
        if (absent_directory(log) != NULL)
            return leave_away(log, state->segment, err);
        all_gone(log, state);
        return PS_OK;
    }
    return look_for_gone(log, state, err) == PS_OK ? look_for_short(log, state, err) : PS_FAIL;
}
