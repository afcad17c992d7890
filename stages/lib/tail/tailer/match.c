/* Finds out whether a new file is a copy of a known one. The worker chooses a limited number of files that begin in the same way
 * (fingerprint_index.h). The thread compares them with the new file (compare.c): the bytes of a file that still exists, the marks (marks.h)
 * of one that was truncated or is gone. */
#include "stages/lib/tail/tailer/match.h"

#include <stdlib.h>
#include <string.h>

#define PURPOSE "comparing files"
#define VISITS_MAX 1024U /* files that begin alike and are considered: limits the cost of a new file */

/* ---- finding ---- */
static void candidate_fini(struct ps_tail_candidate *candidate)
{
    ps_tail_marks_free(&candidate->marks);
    free(candidate->path);
}

void ps_tail_match_free(struct ps_tail_match *match)
{
    if (match == NULL)
        return;
    for (uint32_t i = 0; i < match->count; i++) {
        candidate_fini(&match->items[i]);
    }
    free(match->hints);
    free(match);
}

struct finding {
    struct ps_tailer *tailer;
    struct ps_tail_log *log;
    struct ps_tail_match *match;
    const struct ps_tail_match *before; /* the comparison whose hints are the candidates now; or NULL */
    const struct ps_tail_fingerprint_entry *entry; /* the file that is visited */
    int64_t size;
    bool crowded; /* there was no place for a file */
};

/* Returns whether there was no previous comparison, or that comparison found the visited file's last mark in
 * the new file (`there`). */
static bool is_hinted(const struct finding *finding)
{
    const struct ps_tail_match *before = finding->before;
    for (uint32_t i = 0; before != NULL && i < before->hint_count; i++) {
        if (before->hints[i].entry == finding->entry)
            return before->hints[i].there;
    }
    return before == NULL;
}

/* Keeps the mark before the position of the file that is visited. */
static void hint_keep(struct finding *finding, const struct ps_tail_candidate *candidate,
                      const struct ps_tail_marks *marks)
{
    struct ps_tail_match *match = finding->match;
    const struct ps_tail_mark mark = ps_tail_marks_at(marks, candidate->offset);
    if (finding->before != NULL || mark.length == 0)
        return;
    if (match->hints == NULL)
        match->hints = ps_must_alloc(VISITS_MAX, sizeof *match->hints, PURPOSE);
    match->hints[match->hint_count++] = (struct ps_tail_hint){.entry = finding->entry, .mark = mark};
}

/* Returns the place for one more candidate, or NULL if all present candidates are closer. */
static struct ps_tail_candidate *place_for(struct ps_tail_match *match, bool first, int64_t distance)
{
    if (match->count < PS_TAIL_CANDIDATES_MAX)
        return &match->items[match->count++];
    struct ps_tail_candidate *worst = &match->items[0];
    for (uint32_t i = 1; i < match->count; i++) {
        struct ps_tail_candidate *other = &match->items[i];
        if (other->first != worst->first ? !other->first : other->distance > worst->distance)
            worst = other;
    }
    if (worst->first != first ? worst->first : worst->distance <= distance)
        return NULL;
    candidate_fini(worst);
    return worst;
}

static void offer(struct finding *finding, struct ps_tail_candidate *candidate,
                  const struct ps_tail_marks *marks, int64_t size, const struct ps_tail_log *there)
{
    if (!is_hinted(finding))
        return;
    hint_keep(finding, candidate, marks);
    candidate->distance = size > finding->size ? size - finding->size : finding->size - size;
    finding->crowded |= finding->match->count == PS_TAIL_CANDIDATES_MAX;
    struct ps_tail_candidate *place = place_for(finding->match, candidate->first, candidate->distance);
    if (place == NULL)
        return;
    ps_tail_marks_copy(&candidate->marks, marks, candidate->offset);
    candidate->fd = there != NULL ? there->file.fd : -1;
    if (there != NULL && there->named && candidate->fd < 0)
        candidate->path = ps_tail_log_place_of(finding->tailer, there);
    *place = *candidate;
}

/* Returns whether the file has been gone for long, and is delivered: a file that begins in the same way does so by chance. */
static bool is_long_gone(const struct ps_tailer *tailer, const struct ps_tail_log *other)
{
    return !other->named && other->state == PS_TAIL_LOG_CLOSED &&
           other->read_offset == other->delivered_offset &&
           tailer->now_ns - other->gone_ns >= PS_TAIL_EARLIER_NS;
}

static void offer_log(struct finding *finding, const struct ps_tail_log *other)
{
    if (other == finding->log || !other->resolved || other->compressed || other->stranger ||
        other->state == PS_TAIL_LOG_COPY || is_long_gone(finding->tailer, other))
        return;
    struct ps_tail_candidate candidate = {.kind = PS_TAIL_IS_FOLLOWED,
                                          .number = other->number,
                                          .pass = other->pass,
                                          .identity = other->identity,
                                          .offset = other->read_offset,
                                          .first = !other->named || other->cut_waits,
                                          .gone = !other->named};
    int64_t size = other->size > other->read_offset ? other->size : other->read_offset;
    offer(finding, &candidate, &other->marks, size, other);
}

static void offer_earlier(struct finding *finding, const struct ps_tail_log *other)
{
    const struct ps_tail_earlier *earlier = &other->earlier;
    if (other == finding->log || earlier->until_ns == 0 || earlier->until_ns <= finding->tailer->now_ns ||
        earlier->read_offset == 0)
        return;
    struct ps_tail_candidate candidate = {.kind = PS_TAIL_WAS_EARLIER,
                                          .number = other->number,
                                          .pass = other->pass,
                                          .identity = earlier->identity,
                                          .offset = earlier->read_offset,
                                          .first = true};
    offer(finding, &candidate, &earlier->marks, earlier->read_offset, NULL);
}

static uint64_t place_looked_ns(const struct finding *finding)
{
    const struct ps_tail_place *place = &finding->tailer->places[finding->log->directory];
    return place->looked ? place->looked_ns : finding->tailer->now_ns;
}

static void offer_position(struct finding *finding, struct ps_tail_position *position)
{
    if (position->path[0] == '\0' || position->offset == 0 || position->inode == finding->log->identity.inode)
        return;
    const struct ps_tail_log *there = ps_tail_log_by_inode(&finding->tailer->table, 0, position->inode);
    if ((there != NULL && there->resolved) ||
        (there == NULL && finding->tailer->now_ns - place_looked_ns(finding) >= PS_TAIL_EARLIER_NS))
        return;
    struct ps_tail_candidate candidate = {.kind = PS_TAIL_IS_REMEMBERED,
                                          .position = position,
                                          .number = there != NULL ? there->number : UINT32_MAX,
                                          .pass = there != NULL ? there->pass : 0,
                                          .identity = position->identity,
                                          .offset = position->offset,
                                          .first = there == NULL,
                                          .gone = there == NULL};
    offer(finding, &candidate, &position->marks, position->offset, there);
}

static bool visit(void *finding_, struct ps_tail_fingerprint_entry *entry)
{
    struct finding *finding = finding_;
    finding->entry = entry;
    if (entry->owner == NULL) { /* an entry of the positions that were read at the start */
        size_t index = (size_t)(entry - finding->tailer->remembered.fingerprints);
        offer_position(finding, &finding->tailer->remembered.positions.items[index]);
    } else {
        struct ps_tail_log *other = entry->owner;
        if (entry == &other->earlier_head)
            offer_earlier(finding, other);
        else
            offer_log(finding, other);
    }
    return ++finding->match->visits < VISITS_MAX;
}

static int by_likelihood(const void *a_, const void *b_)
{
    const struct ps_tail_candidate *a = a_, *b = b_;
    if (a->first != b->first)
        return a->first ? -1 : 1;
    return a->distance < b->distance ? -1 : a->distance > b->distance;
}

struct ps_tail_match *ps_tail_match_make(struct ps_tailer *tailer, struct ps_tail_log *log, const char *head,
                                         size_t length, int64_t size, struct ps_tail_match *before)
{
    struct ps_tail_match *match = ps_must_alloc(1, sizeof *match, PURPOSE);
    struct finding finding = {.tailer = tailer,
                              .log = log,
                              .match = match,
                              .before = before != NULL && before->hinted ? before : NULL,
                              .size = size};
    match->found = -1;
    ps_tail_fingerprint_index_find(&tailer->fingerprints, head, length, visit, &finding);
    ps_tail_match_free(before);
    if (!finding.crowded) {
        free(match->hints);
        match->hints = NULL;
        match->hint_count = 0;
    }
    if (match->count == 0) {
        free(match);
        return NULL;
    }
    qsort(match->items, match->count, sizeof *match->items, by_likelihood);
    return match;
}

/* ---- the answer ---- */

static enum ps_tail_matched take_position(struct ps_tailer *tailer, struct ps_tail_log *log,
                                          const struct ps_tail_match *match, struct ps_tail_candidate *found)
{
    struct ps_tail_position *position = found->position;
    if (position->path[0] == '\0')
        return PS_TAIL_MATCH_AGAIN; /* the position's file was opened meanwhile */
    const struct ps_tail_origin origin = {.identity = &found->identity,
                                          .marks = &found->marks,
                                          .serial = &position->serial,
                                          .read_offset = found->offset,
                                          .delivered_offset = found->offset};
    ps_tail_position_taken(tailer, position);
    ps_tail_copy_goes_on(tailer, log, &origin, &match->mark);
    return PS_TAIL_MATCH_GOES_ON;
}

/* Returns whether a file that differed in the comparison was read further or began anew since the worker chose it: the new file may have
 * the lines that were read since. */
static bool moved_on(const struct ps_tailer *tailer, const struct ps_tail_match *match)
{
    for (uint32_t i = 0; i < match->count; i++) {
        const struct ps_tail_candidate *candidate = &match->items[i];
        const struct ps_tail_log *other = ps_tail_log_of(&tailer->table, candidate->number, candidate->pass);
        if (!candidate->unsure)
            continue;
        if (candidate->kind == PS_TAIL_IS_REMEMBERED
                ? candidate->position->path[0] == '\0'
                : other == NULL ||
                      (candidate->kind == PS_TAIL_IS_FOLLOWED && other->read_offset > candidate->offset))
            return true;
    }
    return false;
}

/* Gives up bytes that the worker read ahead of the lines it took. The file may have been truncated since and begin as before: then its
 * copy has the bytes that were read ahead, and their lines come from the copy. Returns whether the worker took some of them since it
 * chose the file: then the new file is compared again. */
static bool ahead_was_taken(struct ps_tailer *tailer, const struct ps_tail_match *match)
{
    bool taken = false;
    for (uint32_t i = 0; i < match->count; i++) {
        const struct ps_tail_candidate *candidate = &match->items[i];
        struct ps_tail_log *other = ps_tail_log_of(&tailer->table, candidate->number, candidate->pass);
        if (!candidate->shared || other == NULL)
            continue;
        ps_tail_log_forget_ahead(tailer, other);
        taken |= candidate->kind == PS_TAIL_IS_FOLLOWED && other->read_offset > candidate->offset;
    }
    return taken;
}

int ps_tail_match_error(const struct ps_tailer *tailer, const struct ps_tail_log *log,
                        const struct ps_tail_match *match)
{
    bool patient = !log->unreadable || tailer->now_ns - log->unreadable_ns < PS_TAIL_GRACE_NS;
    return match->own_error != 0 || !patient ? match->own_error : match->other_error;
}

/* Returns whether this process is the last one that knows where the original's former content was read to: the source ends, and
 * the position file has, or will have, the position in the original's new content. The next process finds files that are gone. A
 * mark before that place is not enough: files that begin alike have the same ones. */
static bool is_last_chance(const struct ps_tailer *tailer, const struct ps_tail_match *match)
{
    const struct ps_tail_candidate *found = match->found >= 0 ? &match->items[match->found] : NULL;
    return tailer->draining && found != NULL && match->mark.offset == found->offset && !found->gone &&
           found->kind != PS_TAIL_IS_REMEMBERED;
}

enum ps_tail_matched ps_tail_match_take(struct ps_tailer *tailer, struct ps_tail_log *log,
                                        struct ps_tail_match *match)
{
    if (match->hinted)
        return PS_TAIL_MATCH_AGAIN;
    if (match->pending && !match->alive && !is_last_chance(tailer, match) &&
        ps_tail_copy_pends(tailer, log, match->size))
        return PS_TAIL_MATCH_COPY;
    if (match->found < 0)
        return ahead_was_taken(tailer, match) || moved_on(tailer, match) ? PS_TAIL_MATCH_AGAIN
                                                                         : PS_TAIL_MATCH_NONE;
    struct ps_tail_candidate *found = &match->items[match->found];
    struct ps_tail_log *other = ps_tail_log_of(&tailer->table, found->number, found->pass);
    if (found->kind == PS_TAIL_IS_REMEMBERED && !match->alive)
        return take_position(tailer, log, match, found);
    if (other == NULL)
        return PS_TAIL_MATCH_AGAIN;
    if (found->kind == PS_TAIL_IS_FOLLOWED && !match->alive && other->read_offset > found->offset &&
        match->size > match->offset) {
        /* The new file may match a later mark. It also has the bytes that were read ahead from the followed file,
         * so these are dropped. */
        ps_tail_log_forget_ahead(tailer, other);
        return PS_TAIL_MATCH_AGAIN;
    }
    if (match->alive) {
        ps_tail_copy_wait(tailer, log, other, &match->mark);
        if (match->unread)
            ps_tail_copy_changed(log); /* the log is compared again when the original was read */
        return PS_TAIL_MATCH_COPY;
    }
    /* otherwise another file may be a copy of more of the original */
    bool whole = match->mark.offset == found->offset;
    if (found->kind == PS_TAIL_WAS_EARLIER) {
        const struct ps_tail_origin origin = ps_tail_origin_earlier(other);
        ps_tail_copy_goes_on(tailer, log, &origin, &match->mark);
        if (whole)
            other->earlier.until_ns = 0;
    } else {
        const struct ps_tail_origin origin = ps_tail_origin_of(other);
        ps_tail_copy_goes_on(tailer, log, &origin, &match->mark);
        /* the original was truncated: its lines come from the copy */
        ps_tail_log_forget_ahead(tailer, other);
        ps_tail_slots_put(&tailer->saves.changed, other->number);
        /* The next copy will be a copy of this copy, unless the original was read on meanwhile: it was cut, begins as before up to its
         * position, and nobody has noticed. */
        if (whole && other->read_offset == found->offset)
            other->identity.head_length = 0;
        ps_tail_log_index(tailer, other);
    }
    return PS_TAIL_MATCH_GOES_ON;
}
