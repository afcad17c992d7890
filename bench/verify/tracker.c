/* Stores runs, sources and streams. One open-addressed table holds the highest number of each stream. */
#include "bench/verify/tracker.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_SOURCES 512U
#define STREAMS_MIN 1024U
#define RELIEF_HOLD 65536U

struct stream {
    uint64_t key;  /* the source's number plus one, and the stream's; 0: empty */
    uint64_t next; /* the highest sequence seen, plus one */
};

struct ps_tracker {
    struct ps_memory memory;
    struct ps_run *runs[PS_TRACKER_RUNS_MAX];
    unsigned run_count;
    uint32_t source_count;
    struct stream *streams;
    uint64_t stream_room, stream_count; /* room: a power of two */
    uint64_t order_blind;
    /* number of calls for which free_memory() does nothing, because its last call freed little */
    uint32_t relief_hold;
};

static void *take(struct ps_tracker *tracker, size_t bytes)
{
    if (!ps_memory_take(&tracker->memory, bytes))
        return NULL;
    void *data = calloc(1, bytes);
    if (data == NULL)
        ps_memory_give(&tracker->memory, bytes);
    return data;
}

struct ps_tracker *ps_tracker_create(uint64_t memory_limit_bytes)
{
    struct ps_tracker *tracker = ps_must_alloc(1, sizeof *tracker, "the account");
    tracker->memory.limit_bytes = memory_limit_bytes;
    tracker->streams = take(tracker, STREAMS_MIN * sizeof *tracker->streams);
    tracker->stream_room = tracker->streams != NULL ? STREAMS_MIN : 0;
    return tracker;
}

static void run_destroy(struct ps_tracker *tracker, struct ps_run *run)
{
    struct ps_source *source;
    for (uint32_t at = 0; (source = ps_tracker_each_source(run, &at)) != NULL;) {
        ps_sequences_fini(&source->seen);
        free(source);
        ps_memory_give(&tracker->memory, sizeof *source);
    }
    for (size_t i = 0; i < PS_COUNT_OF(run->pages); i++)
        free(run->pages[i]);
    free(run);
}

void ps_tracker_destroy(struct ps_tracker *tracker)
{
    for (unsigned i = 0; i < tracker->run_count; i++)
        run_destroy(tracker, tracker->runs[i]);
    free(tracker->streams);
    free(tracker);
}

struct ps_run *ps_tracker_find(const struct ps_tracker *tracker, uint32_t run)
{
    for (unsigned i = 0; i < tracker->run_count; i++)
        if (tracker->runs[i]->run == run)
            return tracker->runs[i];
    return NULL;
}

struct ps_run *ps_tracker_run(struct ps_tracker *tracker, uint32_t number)
{
    struct ps_run *run = ps_tracker_find(tracker, number);
    if (PS_LIKELY(run != NULL) || tracker->run_count == PS_TRACKER_RUNS_MAX)
        return run;
    run = take(tracker, sizeof *run);
    if (run == NULL)
        return NULL;
    run->run = number;
    tracker->runs[tracker->run_count++] = run;
    return run;
}

/* ---- memory shortage ---- */

static uint64_t sets_compact(struct ps_tracker *tracker)
{
    uint64_t before = tracker->memory.used_bytes;
    struct ps_source *source;
    for (unsigned i = 0; i < tracker->run_count; i++)
        for (uint32_t at = 0; (source = ps_tracker_each_source(tracker->runs[i], &at)) != NULL;)
            ps_sequences_compact(&source->seen);
    return before - tracker->memory.used_bytes;
}

static struct ps_source *largest(struct ps_tracker *tracker)
{
    struct ps_source *source, *best = NULL;
    for (unsigned i = 0; i < tracker->run_count; i++)
        for (uint32_t at = 0; (source = ps_tracker_each_source(tracker->runs[i], &at)) != NULL;)
            if (best == NULL || source->seen.bytes > best->seen.bytes)
                best = source;
    return best;
}

/* Frees an eighth of the limit if possible; returns false when nothing could be freed. Examines all sets, so it must
 * run rarely. */
static bool free_memory(struct ps_tracker *tracker)
{
    if (tracker->relief_hold > 0) {
        tracker->relief_hold--;
        return false;
    }
    uint64_t aim = tracker->memory.limit_bytes / 8, freed = sets_compact(tracker), now;
    struct ps_source *source;
    while (freed < aim && (source = largest(tracker)) != NULL &&
           (now = ps_sequences_forget(&source->seen)) > 0)
        freed += now;
    if (freed < aim)
        tracker->relief_hold = RELIEF_HOLD;
    return freed > 0;
}

/* ---- arrivals ---- */

struct ps_source *ps_tracker_source(struct ps_tracker *tracker, struct ps_run *run, uint32_t number)
{
    struct ps_source ***page = &run->pages[number / PAGE_SOURCES % PS_COUNT_OF(run->pages)], *source;
    if (PS_LIKELY(*page != NULL && (*page)[number % PAGE_SOURCES] != NULL))
        return (*page)[number % PAGE_SOURCES];
    if (*page == NULL)
        *page = take(tracker, PAGE_SOURCES * sizeof **page);
    if (*page == NULL && free_memory(tracker))
        *page = take(tracker, PAGE_SOURCES * sizeof **page);
    if (*page == NULL)
        return NULL;
    source = take(tracker, sizeof *source);
    if (source == NULL && free_memory(tracker))
        source = take(tracker, sizeof *source);
    if (source == NULL)
        return NULL;
    source->run = run->run;
    source->source = number;
    source->number = tracker->source_count++;
    ps_sequences_init(&source->seen, &tracker->memory);
    (*page)[number % PAGE_SOURCES] = source;
    run->source_count++;
    return source;
}

static inline struct stream *stream_slot(const struct ps_tracker *tracker, uint64_t key)
{
    uint64_t mask = tracker->stream_room - 1, at = key * UINT64_C(0x9e3779b97f4a7c15) >> 20 & mask;
    while (tracker->streams[at].key != 0 && tracker->streams[at].key != key)
        at = (at + 1) & mask;
    return &tracker->streams[at];
}

static bool streams_grow(struct ps_tracker *tracker)
{
    struct stream *old = tracker->streams;
    uint64_t old_room = tracker->stream_room, room = old_room == 0 ? STREAMS_MIN : old_room * 2;
    struct stream *streams = take(tracker, room * sizeof *streams);
    if (streams == NULL)
        return false;
    tracker->streams = streams;
    tracker->stream_room = room;
    for (uint64_t i = 0; i < old_room; i++)
        if (old[i].key != 0)
            *stream_slot(tracker, old[i].key) = old[i];
    free(old);
    ps_memory_give(&tracker->memory, old_room * sizeof *old);
    return true;
}

/* Returns true when a higher number was already seen in this stream. */
static bool order_check(struct ps_tracker *tracker, const struct ps_source *source, uint64_t sequence,
                        uint64_t stream)
{
    uint64_t key = (uint64_t)(source->number + 1) << PS_TRACKER_STREAM_BITS |
                   (stream & ((UINT64_C(1) << PS_TRACKER_STREAM_BITS) - 1));
    struct stream *slot = tracker->stream_room > 0 ? stream_slot(tracker, key) : NULL;
    if (PS_UNLIKELY(slot == NULL || slot->key == 0)) {
        if (tracker->stream_count * 2 >= tracker->stream_room && !streams_grow(tracker) &&
            !(free_memory(tracker) && streams_grow(tracker)) &&
            tracker->stream_count + tracker->stream_room / 8 >= tracker->stream_room) {
            tracker->order_blind++;
            return false;
        }
        slot = stream_slot(tracker, key);
        *slot = (struct stream){key, sequence};
        tracker->stream_count++;
    }
    if (PS_UNLIKELY(sequence < slot->next))
        return true;
    slot->next = sequence + 1;
    return false;
}

enum ps_tracked ps_tracker_add(struct ps_tracker *tracker, struct ps_run *run, struct ps_source *source,
                               const struct ps_stamp *stamp, uint64_t stream)
{
    if (PS_UNLIKELY(stamp->last)) {
        source->last_contradicts |= source->last_end != 0 && source->last_end != stamp->sequence + 1;
        source->last_end = stamp->sequence + 1;
    }
    enum ps_sequence result = ps_sequences_add(&source->seen, stamp->sequence);
    while (PS_UNLIKELY(result == PS_SEQUENCE_NO_MEMORY) && free_memory(tracker))
        result = ps_sequences_add(&source->seen, stamp->sequence);
    switch (result) {
    case PS_SEQUENCE_NEW:
        source->tally.received++;
        run->tally.received++;
        if (PS_UNLIKELY(order_check(tracker, source, stamp->sequence, stream))) {
            source->tally.reordered++;
            run->tally.reordered++;
        }
        return PS_TRACKED_NEW;
    case PS_SEQUENCE_AGAIN:
        source->tally.duplicated++;
        run->tally.duplicated++;
        return PS_TRACKED_AGAIN;
    case PS_SEQUENCE_UNKNOWN:
    case PS_SEQUENCE_NO_MEMORY:
        break;
    }
    source->tally.unknown++;
    run->tally.unknown++;
    return PS_TRACKED_UNKNOWN;
}

struct ps_run *ps_tracker_each_run(const struct ps_tracker *tracker, unsigned *at)
{
    return *at < tracker->run_count ? tracker->runs[(*at)++] : NULL;
}

struct ps_source *ps_tracker_each_source(const struct ps_run *run, uint32_t *at)
{
    while (*at <= PS_STAMP_SOURCE_MAX) {
        struct ps_source *const *page = run->pages[*at / PAGE_SOURCES];
        if (page == NULL) {
            *at = (*at / PAGE_SOURCES + 1) * PAGE_SOURCES;
            continue;
        }
        struct ps_source *source = page[(*at)++ % PAGE_SOURCES];
        if (source != NULL)
            return source;
    }
    return NULL;
}

void ps_tracker_facts(const struct ps_tracker *tracker, struct ps_tracker_facts *facts)
{
    struct ps_source *source;
    *facts = (struct ps_tracker_facts){
        .memory_bytes = tracker->memory.used_bytes,
        .memory_bytes_max = tracker->memory.used_bytes_max,
        .order_blind = tracker->order_blind,
    };
    for (unsigned i = 0; i < tracker->run_count; i++)
        for (uint32_t at = 0; (source = ps_tracker_each_source(tracker->runs[i], &at)) != NULL;)
            facts->forgotten += source->seen.forgotten;
}
