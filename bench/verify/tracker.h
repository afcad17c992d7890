/* Tracks runs, their sources, the numbers seen of each source, and the order in each stream, within one
 * memory limit. When the limit is reached, the tracker first compacts and then forgets the oldest numbers; answers that
 * are no longer known are reported as unknown.
 *
 * An event is reordered when it arrives for the first time and its number is below the highest seen before
 * from its source in its stream (Kafka partition, file, connection). Two swapped neighbours are one reordered
 * event; an event that arrives in another stream is not reordered.
 *
 * Thread: one at a time. */
#pragma once

#include "bench/support/stamp.h"
#include "bench/verify/sequences.h"
#include "core/watch/histogram.h"

#define PS_TRACKER_RUNS_MAX 64U
#define PS_TRACKER_STREAM_BITS 28U /* stream numbers are taken modulo 2^28 */

struct ps_tracker_counts {
    uint64_t received; /* distinct events */
    uint64_t duplicated;
    uint64_t reordered;
    uint64_t changed; /* corrupted: the stamp is good, the covered bytes are not */
    uint64_t cut;     /* the stamp is good, the covered bytes end early */
    uint64_t unknown; /* arrived when it was no longer known whether they had arrived before */
};

struct ps_source {
    uint32_t run, source;
    uint32_t number;       /* index of this source among all tracked ones */
    uint64_t last_end;     /* the number after the event that is marked as last; 0: no mark was seen */
    bool last_contradicts; /* two different events of the source had the mark */
    struct ps_tracker_counts tally;
    struct ps_sequences seen;
};

struct ps_run {
    uint32_t run;
    uint32_t source_count;
    struct ps_tracker_counts tally; /* of all its sources */
    uint64_t early;      /* arrived before they were due: clocks differ; their latency counts as 0 */
    uint64_t due_before; /* due before verify began */
    struct ps_histogram latency_ns;
    struct ps_source **pages[512]; /* 512 sources each */
};

struct ps_tracker;

/* Owns: the caller destroys it. */
struct ps_tracker *ps_tracker_create(uint64_t memory_limit_bytes);
void ps_tracker_destroy(struct ps_tracker *tracker);

/* These find or create a run or a source; they return NULL when there are too many runs or there is no memory. */
struct ps_run *ps_tracker_run(struct ps_tracker *tracker, uint32_t run);
struct ps_source *ps_tracker_source(struct ps_tracker *tracker, struct ps_run *run, uint32_t source);
/* Returns NULL when no event of this run arrived. */
struct ps_run *ps_tracker_find(const struct ps_tracker *tracker, uint32_t run);
/* Returns whether any event of this source arrived. */
static inline bool ps_run_has(const struct ps_run *run, uint32_t source)
{
    struct ps_source *const *page = run->pages[source >> 9 & 511];
    return page != NULL && page[source & 511] != NULL;
}

/* Returns NULL when no event of this source arrived. */
static inline struct ps_source *ps_run_source(const struct ps_run *run, uint32_t source)
{
    struct ps_source *const *page = run->pages[source >> 9 & 511];
    return page != NULL ? page[source & 511] : NULL;
}

enum ps_tracked {
    PS_TRACKED_NEW,
    PS_TRACKED_AGAIN,
    PS_TRACKED_UNKNOWN, /* it is no longer known whether the event had arrived before */
};
/* Counts one arrival of an event in the tallies of its source and run. */
enum ps_tracked ps_tracker_add(struct ps_tracker *tracker, struct ps_run *run, struct ps_source *source,
                               const struct ps_stamp *stamp, uint64_t stream);

/* Iterates over all runs in the order in which they were first seen, or over a run's sources by number: `*at`
 * begins at 0, NULL ends. */
struct ps_run *ps_tracker_each_run(const struct ps_tracker *tracker, unsigned *at);
struct ps_source *ps_tracker_each_source(const struct ps_run *run, uint32_t *at);

struct ps_tracker_facts {
    uint64_t memory_bytes, memory_bytes_max;
    uint64_t forgotten;   /* numbers that are forgotten: whether they arrived is unknown */
    uint64_t order_blind; /* arrivals whose order could not be checked: no memory for their stream */
};
void ps_tracker_facts(const struct ps_tracker *tracker, struct ps_tracker_facts *facts);
