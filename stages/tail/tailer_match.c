/* Whether a new file is a copy of one that is known. The worker finds the files that begin in the same way (heads.h), a few at most; the
 * thread compares them with the new one: its bytes with those of a file that is still there, its marks (marks.h) with those of one that
 * was cut or is gone. */
#include "stages/tail/tailer_parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PURPOSE "comparing files"
#define CANDIDATES_MAX 16U
#define VISITS_MAX 1024U /* of files that begin alike: the cost of a new file has a limit */
/* So much is compared byte by byte; of a longer file, pieces. */
#define WHOLE_BYTES (64 * 1024 * 1024)
#define PIECE_BYTES (64 * 1024)
#define PIECES 16

enum kind {
    IS_FOLLOWED,
    WAS_EARLIER,   /* before it was cut */
    IS_REMEMBERED, /* by the position file */
};

struct candidate {
    enum kind kind;
    uint32_t number, generation; /* of the log */
    struct ps_tail_position *position;
    struct ps_tail_identity identity;
    int64_t offset; /* where it is read on */
    struct ps_tail_marks marks;
    int fd;     /* the log's; -1: not open */
    char *path; /* NULL: it has none */
    bool first; /* it is cut, or gone: a copy of it is likely */
    bool gone;
    bool unsure; /* the answer: it was another file when it was compared, or shorter */
    bool shared; /* the answer: the new file differs, and has what was read of this one, too */
    int64_t distance;
    /* while it is compared with a text, piece by piece */
    int other;        /* -1: not open, or not what was read of it */
    bool differs;     /* from the other */
    int64_t size;     /* of the other, as far as it was read */
    uint32_t mark_at; /* the marks before this one were looked for; the last of them is there: */
    bool marked;
};

struct ps_tail_match {
    struct candidate items[CANDIDATES_MAX];
    uint32_t count, visits;
    int fd; /* of the new file */
    /* the answer */
    int own_error, other_error; /* errno of a read that failed; 0: none */
    int found;                  /* -1: none */
    bool alive;                 /* it is still what it was */
    bool pending;               /* it is gone, and the new file may still grow to what it was */
    bool unread;                /* alive, but it was cut, and what it has now was not read yet */
    int64_t size;               /* of the new file */
    int64_t offset;             /* the new file has what it has up to here */
    struct ps_tail_mark mark;
    bool text_begun; /* the candidates are open */
};

/* ---- finding ---- */
static void other_close(struct candidate *candidate)
{
    if (candidate->other >= 0)
        close(candidate->other);
    candidate->other = -1;
}

static void candidate_fini(struct candidate *candidate)
{
    ps_tail_marks_free(&candidate->marks);
    free(candidate->path);
}

void ps_tail_match_free(struct ps_tail_match *match)
{
    if (match == NULL)
        return;
    for (uint32_t i = 0; i < match->count; i++) {
        if (match->text_begun)
            other_close(&match->items[i]);
        candidate_fini(&match->items[i]);
    }
    free(match);
}

struct finding {
    struct ps_tailer *tailer;
    struct ps_tail_log *log;
    struct ps_tail_match *match;
    int64_t size;
};

/* Returns the place for one more, or NULL if those that are there are closer. */
static struct candidate *place_for(struct ps_tail_match *match, bool first, int64_t distance)
{
    if (match->count < CANDIDATES_MAX)
        return &match->items[match->count++];
    struct candidate *worst = &match->items[0];
    for (uint32_t i = 1; i < match->count; i++) {
        struct candidate *other = &match->items[i];
        if (other->first != worst->first ? !other->first : other->distance > worst->distance)
            worst = other;
    }
    if (worst->first != first ? worst->first : worst->distance <= distance)
        return NULL;
    candidate_fini(worst);
    return worst;
}

static void offer(struct finding *finding, struct candidate *candidate, const struct ps_tail_marks *marks,
                  int64_t size, const struct ps_tail_log *there)
{
    candidate->distance = size > finding->size ? size - finding->size : finding->size - size;
    struct candidate *place = place_for(finding->match, candidate->first, candidate->distance);
    if (place == NULL)
        return;
    ps_tail_marks_copy(&candidate->marks, marks, candidate->offset);
    if (there != NULL && there->text != PS_COMPRESSION_NONE) /* its bytes are not those of its text */
        there = NULL;
    candidate->fd = there != NULL ? there->file.fd : -1;
    if (there != NULL && there->named && candidate->fd < 0)
        candidate->path = ps_tail_log_place_of(finding->tailer, there);
    *place = *candidate;
}

static void offer_log(struct finding *finding, const struct ps_tail_log *other)
{
    if (other == finding->log || !other->resolved || other->compressed || other->stranger ||
        other->state == PS_TAIL_LOG_COPY || (other->text != PS_COMPRESSION_NONE && other->named))
        return;
    struct candidate candidate = {.kind = IS_FOLLOWED,
                                  .number = other->number,
                                  .generation = other->generation,
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
    if (other == finding->log || earlier->until_ns <= finding->tailer->now_ns || earlier->read_offset == 0)
        return;
    struct candidate candidate = {.kind = WAS_EARLIER,
                                  .number = other->number,
                                  .generation = other->generation,
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
    const struct ps_tail_log *there = ps_tail_log_by_inode(finding->tailer, 0, position->inode);
    if ((there != NULL && (there->resolved || position->text != 0)) ||
        (there == NULL && !ps_tail_texts_wait(finding->tailer) &&
         finding->tailer->now_ns - place_looked_ns(finding) >= PS_TAIL_EARLIER_NS))
        return;
    struct candidate candidate = {.kind = IS_REMEMBERED,
                                  .position = position,
                                  .number = there != NULL ? there->number : UINT32_MAX,
                                  .generation = there != NULL ? there->generation : 0,
                                  .identity = position->identity,
                                  .offset = position->offset,
                                  .first = there == NULL,
                                  .gone = there == NULL};
    offer(finding, &candidate, &position->marks, position->offset, there);
}

static bool visit(void *finding_, struct ps_tail_head_entry *entry)
{
    struct finding *finding = finding_;
    if (entry->owner == NULL) { /* of the list of remembered ones */
        size_t index = (size_t)(entry - finding->tailer->remembered_heads);
        offer_position(finding, &finding->tailer->remembered.items[index]);
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
    const struct candidate *a = a_, *b = b_;
    if (a->first != b->first)
        return a->first ? -1 : 1;
    return a->distance < b->distance ? -1 : a->distance > b->distance;
}

struct ps_tail_match *ps_tail_match_make(struct ps_tailer *tailer, struct ps_tail_log *log, const char *head,
                                         size_t length, int64_t size)
{
    struct ps_tail_match *match = ps_must_alloc(1, sizeof *match, PURPOSE);
    struct finding finding = {.tailer = tailer, .log = log, .match = match, .size = size};
    match->found = -1;
    ps_tail_heads_find(&tailer->heads, head, length, visit, &finding);
    if (match->count == 0) {
        free(match);
        return NULL;
    }
    qsort(match->items, match->count, sizeof *match->items, by_likelihood);
    return match;
}

/* ---- comparing, on the thread ---- */

/* With errno: the new file cannot be read, or the one that it is compared with. */
static void read_failed(struct ps_tail_match *match, int fd)
{
    if (fd == match->fd)
        match->own_error = errno;
    else
        match->other_error = errno;
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

/* Returns whether both files have the same bytes up to `end`; the last ones are compared first, because they differ most often. */
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

/* Returns whether it is still what was read of it. */
static bool is_intact(struct ps_tail_match *match, const struct candidate *candidate, int fd, int64_t size)
{
    struct ps_tail_mark mark = ps_tail_marks_at(&candidate->marks, candidate->offset);
    return size >= candidate->offset &&
           is_same(match, fd, ps_tail_identity_begins(fd, &candidate->identity)) &&
           (candidate->offset == 0 || mark.length == 0 || is_same(match, fd, ps_tail_mark_is_in(fd, &mark)));
}

static void mark_read(struct ps_tail_match *match, int64_t offset)
{
    char last[PS_TAIL_MARK_BYTES];
    size_t want = offset < (int64_t)sizeof last ? (size_t)offset : sizeof last;
    match->mark = (struct ps_tail_mark){.offset = offset};
    if (read_whole(match, match->fd, last, want, offset - (int64_t)want))
        match->mark = ps_tail_mark_of(offset, last, want);
}

/* A file that is there: the new one is its copy if it has nothing else, and not more. If its name is gone, the new one may have
 * grown since. Returns false when it is not what it was. */
static bool compare_alive(struct ps_tail_match *match, struct candidate *candidate, int other, int64_t size,
                          bool *found)
{
    struct stat status;
    if (fstat(other, &status) != 0) {
        read_failed(match, other);
        return false;
    }
    if (!is_intact(match, candidate, other, status.st_size))
        return false;
    int64_t end = size < status.st_size ? size : status.st_size;
    *found = end > 0 && (size <= status.st_size || candidate->first) && same_bytes(match, other, end);
    match->alive = *found;
    match->offset = end;
    if (*found)
        mark_read(match, end);
    else if (fstat(other, &status) != 0 || !is_intact(match, candidate, other, status.st_size))
        return false; /* it was cut while it was compared */
    const struct ps_tail_mark mark = ps_tail_marks_at(&candidate->marks, candidate->offset);
    candidate->unsure = !*found && candidate->offset == 0 && status.st_size < size;
    candidate->shared = !*found && candidate->offset > 0 && size >= candidate->offset &&
                        is_same(match, match->fd, ps_tail_mark_is_in(match->fd, &mark));
    return true;
}

/* One that was cut, or is gone: the last of its marks that can be in the new file has to be there. */
static bool compare_marks(struct ps_tail_match *match, const struct candidate *candidate, int64_t size)
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
               size >= candidate->offset) { /* the fingerprint of its beginning is that of all of it */
        match->mark = (struct ps_tail_mark){.offset = candidate->offset};
    } else {
        return false;
    }
    match->offset = match->mark.offset;
    match->pending |= match->offset < candidate->offset && candidate->gone;
    return match->offset > 0;
}

/* One that was cut and has something new already, of which nothing was read: a copy of that waits until it was. */
static bool compare_unread(struct ps_tail_match *match, int other)
{
    struct stat status;
    match->unread = fstat(other, &status) == 0 && match->size > 0 && match->size <= status.st_size &&
                    same_bytes(match, other, match->size);
    match->alive = match->unread;
    match->offset = 0;
    if (match->unread)
        match->mark = (struct ps_tail_mark){.offset = 0}; /* whatever becomes of it, it is read from there */
    return match->unread;
}

/* One that is gone, or that nobody may read, is known by its marks alone. */
static bool counts_as_gone(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP || error == ENOTSUP || error == EACCES ||
           error == EPERM;
}

static int open_other(struct ps_tail_match *match, const struct candidate *candidate)
{
    struct stat status;
    int fd = ps_tail_open(candidate->path);
    if (fd < 0 && !counts_as_gone(errno))
        match->other_error = errno;
    if (fd >= 0 && (fstat(fd, &status) != 0 || (uint64_t)status.st_ino != candidate->identity.inode)) {
        close(fd);
        return -1;
    }
    return fd;
}

void ps_tail_match_run(struct ps_tail_match *match, int fd)
{
    struct stat status;
    match->fd = fd;
    match->found = -1;
    match->pending = match->unread = false;
    if (fstat(fd, &status) != 0) {
        read_failed(match, fd);
        return;
    }
    match->size = status.st_size;
    match->alive = false;
    for (uint32_t i = 0; i < match->count && match->found < 0; i++) {
        struct candidate *candidate = &match->items[i];
        int other =
            candidate->fd >= 0 || candidate->path == NULL ? candidate->fd : open_other(match, candidate);
        bool found = false;
        if (other < 0 || !compare_alive(match, candidate, other, match->size, &found)) {
            if (fstat(fd, &status) ==
                0) /* a copy may have been complete a moment before its original was cut */
                match->size = status.st_size;
            found = compare_marks(match, candidate, match->size) ||
                    (other >= 0 && candidate->kind == IS_FOLLOWED && compare_unread(match, other));
            candidate->unsure = !found;
        }
        if (other >= 0 && candidate->fd < 0)
            close(other);
        match->found = found ? (int)i : -1;
    }
}

/* ---- a text, which is there once, from its beginning on; on the thread ---- */

static void text_begin(struct ps_tail_match *match)
{
    struct stat status;
    match->text_begun = true;
    match->found = match->fd = -1;
    match->alive = match->pending = false;
    for (uint32_t i = 0; i < match->count; i++) {
        struct candidate *candidate = &match->items[i];
        candidate->other = -1;
        if (candidate->fd >= 0) { /* its owner may close it before the text ends */
            candidate->other = fcntl(candidate->fd, F_DUPFD_CLOEXEC, 0);
            match->other_error = candidate->other < 0 ? errno : match->other_error;
        } else if (candidate->path != NULL) {
            candidate->other = open_other(match, candidate);
        }
        if (candidate->other < 0)
            continue;
        if (fstat(candidate->other, &status) != 0)
            read_failed(match, candidate->other);
        else if (is_intact(match, candidate, candidate->other, status.st_size))
            continue;
        other_close(candidate);
    }
}

/* Compares them with the same bytes of the other file, as far as that goes. */
static void other_compare(struct ps_tail_match *match, struct candidate *candidate, const char *bytes,
                          size_t length, int64_t offset)
{
    char there[PIECE_BYTES];
    for (size_t at = 0; at < length && !candidate->differs;) {
        size_t want = length - at < sizeof there ? length - at : sizeof there;
        ssize_t got = ps_tail_read_fully(candidate->other, there, want, offset + (int64_t)at);
        if (got < 0) {
            read_failed(match, candidate->other);
            other_close(candidate);
            return;
        }
        candidate->differs = memcmp(there, bytes + at, (size_t)got) != 0;
        at += (size_t)got;
        candidate->size = offset + (int64_t)at;
        if ((size_t)got < want)
            return;
    }
}

/* Looks for the marks that lie in these bytes. */
static void marks_compare(struct candidate *candidate, const char *bytes, size_t before, size_t length,
                          int64_t offset)
{
    const struct ps_tail_marks *marks = &candidate->marks;
    for (; candidate->mark_at < marks->count; candidate->mark_at++) {
        const struct ps_tail_mark *mark = &marks->items[candidate->mark_at];
        if (mark->offset > offset + (int64_t)length)
            return;
        candidate->marked = ps_tail_mark_is_before(bytes + (mark->offset - offset),
                                                   before + (size_t)(mark->offset - offset), mark);
    }
}

void ps_tail_match_text(struct ps_tail_match *match, const char *bytes, size_t before, size_t length,
                        int64_t offset)
{
    if (!match->text_begun)
        text_begin(match);
    for (uint32_t i = 0; i < match->count; i++) {
        struct candidate *candidate = &match->items[i];
        if (candidate->other >= 0 && !candidate->differs && candidate->size == offset)
            other_compare(match, candidate, bytes, length, offset);
        marks_compare(candidate, bytes, before, length, offset);
    }
}

/* The text is compressed from the other if it has nothing else, and not more. Returns false if the other is not what it was. */
static bool text_is_alive(struct ps_tail_match *match, struct candidate *candidate,
                          const struct ps_tail_mark *end, bool *found)
{
    struct stat status;
    if (candidate->other < 0)
        return false;
    if (fstat(candidate->other, &status) != 0) {
        read_failed(match, candidate->other);
        return false;
    }
    if (!is_intact(match, candidate, candidate->other, status.st_size))
        return false;
    bool whole = candidate->size == end->offset;
    match->alive = *found = !candidate->differs && candidate->size > 0 && (whole || candidate->first);
    if (*found && whole)
        match->mark = *end;
    else if (*found) { /* it has no name any more, and the text has more */
        match->fd = candidate->other;
        mark_read(match, candidate->size);
        match->fd = -1;
    }
    candidate->unsure = !*found && candidate->offset == 0 && candidate->size < end->offset;
    return true;
}

/* The last of its marks that lies in the text has to be there. */
static bool text_is_marked(struct ps_tail_match *match, const struct candidate *candidate, int64_t text_bytes)
{
    match->alive = false;
    if (candidate->mark_at > 0 && candidate->marked)
        match->mark = candidate->marks.items[candidate->mark_at - 1];
    else if (candidate->marks.count == 0 && candidate->offset <= (int64_t)candidate->identity.head_length &&
             text_bytes >= candidate->offset) /* the fingerprint of its beginning is that of all of it */
        match->mark = (struct ps_tail_mark){.offset = candidate->offset};
    else
        return false;
    return match->mark.offset > 0;
}

void ps_tail_match_text_end(struct ps_tail_match *match, int64_t text_bytes, const struct ps_tail_mark *end)
{
    if (!match->text_begun)
        text_begin(match);
    match->size = text_bytes;
    for (uint32_t i = 0; i < match->count && match->found < 0; i++) {
        struct candidate *candidate = &match->items[i];
        bool found = false;
        if (!text_is_alive(match, candidate, end, &found)) {
            found = text_is_marked(match, candidate, text_bytes);
            candidate->unsure = !found;
        }
        match->found = found ? (int)i : -1;
    }
    match->offset = match->mark.offset;
    for (uint32_t i = 0; i < match->count; i++)
        other_close(&match->items[i]);
}

/* ---- the answer ---- */

static enum ps_tail_matched take_position(struct ps_tailer *tailer, struct ps_tail_log *log,
                                          const struct ps_tail_match *match, struct candidate *found)
{
    struct ps_tail_position *position = found->position;
    if (position->path[0] == '\0')
        return PS_TAIL_MATCH_AGAIN; /* its file was opened meanwhile */
    const struct ps_tail_origin origin = {
        .identity = &found->identity, .marks = &found->marks, .delivered_offset = found->offset};
    ps_tail_position_taken(tailer, position);
    ps_tail_copy_goes_on(tailer, log, &origin, &match->mark);
    return PS_TAIL_MATCH_GOES_ON;
}

/* Returns whether a file that differed when it was compared was read on, or began anew, since the worker chose it: the new file may have the
 * lines that were read since. */
static bool moved_on(const struct ps_tailer *tailer, const struct ps_tail_match *match)
{
    for (uint32_t i = 0; i < match->count; i++) {
        const struct candidate *candidate = &match->items[i];
        const struct ps_tail_log *other =
            candidate->number < tailer->log_room ? tailer->logs[candidate->number] : NULL;
        if (!candidate->unsure)
            continue;
        if (candidate->kind == IS_REMEMBERED
                ? candidate->position->path[0] == '\0'
                : other == NULL || other->generation != candidate->generation ||
                      (candidate->kind == IS_FOLLOWED && other->read_offset > candidate->offset))
            return true;
    }
    return false;
}

/* The worker may have read more of a file than it has taken, and the file may have been cut since and begin as before. Its copy has the
 * bytes behind what was taken, and the file has others. The worker gives these bytes up: their lines come from the copy. Returns
 * whether it took some since it chose the file: the new file is compared again. */
static bool ahead_was_taken(struct ps_tailer *tailer, const struct ps_tail_match *match)
{
    bool taken = false;
    for (uint32_t i = 0; i < match->count; i++) {
        const struct candidate *candidate = &match->items[i];
        struct ps_tail_log *other =
            candidate->number < tailer->log_room ? tailer->logs[candidate->number] : NULL;
        if (!candidate->shared || other == NULL || other->generation != candidate->generation)
            continue;
        ps_tail_log_forget_ahead(tailer, other);
        taken |= candidate->kind == IS_FOLLOWED && other->read_offset > candidate->offset;
    }
    return taken;
}

int ps_tail_match_error(const struct ps_tailer *tailer, const struct ps_tail_log *log,
                        const struct ps_tail_match *match)
{
    bool patient = !log->unreadable || tailer->now_ns - log->unreadable_ns < PS_TAIL_GRACE_NS;
    return match->own_error != 0 || !patient ? match->own_error : match->other_error;
}

enum ps_tail_matched ps_tail_match_take(struct ps_tailer *tailer, struct ps_tail_log *log,
                                        struct ps_tail_match *match)
{
    if (match->pending && !match->alive && ps_tail_copy_pends(tailer, log, match->size))
        return PS_TAIL_MATCH_COPY;
    if (match->found < 0)
        return ahead_was_taken(tailer, match) || moved_on(tailer, match) ? PS_TAIL_MATCH_AGAIN
                                                                         : PS_TAIL_MATCH_NONE;
    struct candidate *found = &match->items[match->found];
    struct ps_tail_log *other = found->number < tailer->log_room ? tailer->logs[found->number] : NULL;
    if (found->kind == IS_REMEMBERED && !match->alive)
        return take_position(tailer, log, match, found);
    if (other == NULL || other->generation != found->generation)
        return PS_TAIL_MATCH_AGAIN;
    if (found->kind == IS_FOLLOWED && !match->alive && other->read_offset > found->offset &&
        match->size >
            match
                ->offset) { /* a later mark may be in it; the new file has the bytes that were read ahead, too */
        ps_tail_log_forget_ahead(tailer, other);
        return PS_TAIL_MATCH_AGAIN;
    }
    if (match->alive) {
        ps_tail_copy_wait(tailer, log, other, &match->mark);
        if (match->unread)
            ps_tail_copy_changed(log); /* it is compared again, then with what was read */
        return PS_TAIL_MATCH_COPY;
    }
    bool whole = match->mark.offset == found->offset; /* else another file may have more of it */
    if (found->kind == WAS_EARLIER) {
        const struct ps_tail_origin origin = ps_tail_origin_earlier(other);
        ps_tail_copy_goes_on(tailer, log, &origin, &match->mark);
        if (whole)
            other->earlier.until_ns = 0;
    } else {
        const struct ps_tail_origin origin = ps_tail_origin_of(other);
        ps_tail_copy_goes_on(tailer, log, &origin, &match->mark);
        ps_tail_log_forget_ahead(tailer, other); /* it was cut: its lines come from the copy */
        ps_tail_slots_put(&tailer->changed, other->number);
        if (whole)
            other->identity.head_length = 0; /* the next copy is one of the copy */
        ps_tail_log_index(tailer, other);
    }
    return PS_TAIL_MATCH_GOES_ON;
}
