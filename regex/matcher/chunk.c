/* The unit of one scan call: a run of adjacent subjects in place, copies of subjects, or one subject alone. Called by
 * workers. Allocates only for a subject that must be copied and is longer than any before. If there is no memory for
 * it, PCRE2 decides about the subject, as after a scan that failed. */
#include "regex/matcher/internal.h"

#include <stdlib.h>
#include <string.h>

/* A shorter run is copied together with the subjects after it: a call costs more than the copy. */
#define RUN_SUBJECTS_MIN 8U
#define RUN_BYTES_MIN 2048U
/* Longer runs would evict the subjects from the nearer caches before their reports are processed. */
#define RUN_BYTES_MAX (64U << 10)

static const struct border {
    char text[4];
    uint32_t length;
} borders[] = {
    [PS_BORDER_NEWLINE] = {"\n", 1},
    [PS_BORDER_FF] = {"\xFF", 1},
    [PS_BORDER_BOTH] = {"\n\xFF\n", 3},
};

/* Begins a chunk. The caller has set the ends of its subjects. */
static void chunk_set(struct ps_matcher_scratch *scratch, const char *data, uint32_t length, uint32_t first,
                      uint32_t count, uint32_t gap)
{
    scratch->chunk = (struct ps_matcher_chunk){data, length, first, count, gap};
    scratch->cursor = 0;
    /* Sentinels before the first subject and after the last one avoid special cases. */
    scratch->limits[0] = 0U - gap;
    scratch->limits[count + 1] = UINT32_MAX;
}

/* Returns how many subjects from `at` on are adjacent in memory with a newline between them. */
static uint32_t run_length(const struct ps_slice *subjects, uint32_t at, uint32_t count, uint32_t *ends)
{
    const char *base = subjects[at].data;
    uint32_t end = subjects[at].length, next = at + 1;
    ends[0] = end;
    for (; next < count && end < RUN_BYTES_MAX; next++) {
        if (subjects[next].data != base + end + 1 || base[end] != '\n' ||
            subjects[next].length > RUN_BYTES_MAX)
            break;
        end += 1 + subjects[next].length;
        ends[next - at] = end;
    }
    return next - at;
}

static bool chunk_run(struct ps_matcher_scratch *scratch, const struct ps_slice *subjects, uint32_t at,
                      uint32_t count)
{
    if (scratch->matcher->border != PS_BORDER_NEWLINE || subjects[at].data == NULL)
        return false;
    uint32_t run = run_length(subjects, at, count, scratch->limits + 1);
    uint32_t length = scratch->limits[run];
    if (run < RUN_SUBJECTS_MIN && length < RUN_BYTES_MIN && run < count - at)
        return false;
    if (scratch->matcher->replaces_ff && ps_matcher_has_ff(subjects[at].data, length))
        return false;
    chunk_set(scratch, subjects[at].data, length, at, run, 1);
    return true;
}

/* Returns memory for a subject that is scanned alone and must be modified; NULL: there is none. */
static char *large_room(struct ps_matcher_scratch *scratch, size_t length)
{
    if (scratch->large_room < length) {
        free(scratch->large);
        scratch->large = malloc(length + length / 2);
        scratch->large_room = scratch->large != NULL ? length + length / 2 : 0;
    }
    return scratch->large;
}

void ps_matcher_chunk_alone(struct ps_matcher_scratch *scratch, const struct ps_slice *subject, uint32_t at)
{
    const char *data = subject->data;
    if (scratch->matcher->replaces_ff && ps_matcher_has_ff(data, subject->length)) {
        char *room = large_room(scratch, subject->length);
        if (room != NULL)
            ps_matcher_copy(room, data, subject->length);
        data = room;
    }
    scratch->limits[1] = subject->length;
    chunk_set(scratch, data, subject->length, at, 1, 0);
}

static void chunk_copy(struct ps_matcher_scratch *scratch, const struct ps_slice *subjects, uint32_t at,
                       uint32_t count)
{
    const struct border *border = &borders[scratch->matcher->border];
    uint32_t next = at, length = 0;
    for (; next < count; next++) {
        const struct ps_slice *subject = &subjects[next];
        if (subject->length > PS_MATCHER_ALONE_BYTES ||
            length + subject->length + border->length > PS_MATCHER_STAGING_BYTES)
            break;
        ps_matcher_copy(scratch->staging + length, subject->data, subject->length);
        length += subject->length;
        scratch->limits[next - at + 1] = length;
        /* there is room for four bytes */
        memcpy(scratch->staging + length, border->text, sizeof border->text);
        length += border->length;
    }
    chunk_set(scratch, scratch->staging, length, at, next - at, border->length);
}

void ps_matcher_chunk_next(struct ps_matcher_scratch *scratch, const struct ps_slice *subjects, uint32_t at,
                           uint32_t count)
{
    if (chunk_run(scratch, subjects, at, count))
        return;
    if (subjects[at].length > PS_MATCHER_ALONE_BYTES)
        ps_matcher_chunk_alone(scratch, &subjects[at], at);
    else
        chunk_copy(scratch, subjects, at, count);
}
