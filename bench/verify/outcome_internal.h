/* Shared by outcome.c and outcome_json.c. */
#pragma once

#include "bench/verify/outcome.h"

/* A source. `source` is NULL if no event of it arrived, so that only the manifest's `entry` names it. */
struct ps_outcome_source {
    uint32_t run;
    const struct ps_source *source;
    const struct ps_manifest_source *entry;
    bool wrong; /* some of its events are missing, duplicated, late or changed */
};

/* Returns how many events of the source are lost, as far as its end is known. */
uint64_t ps_outcome_lost(const struct ps_outcome *outcome, const struct ps_source *source);

typedef void ps_outcome_source_taker(void *argument, const struct ps_outcome *outcome,
                                     const struct ps_outcome_source *one);
/* Calls `taker` for all sources, by their numbers, or those with problems first; sources from which no event arrived
 * come last. */
void ps_outcome_sources(const struct ps_outcome *outcome, bool wrong_first, ps_outcome_source_taker *taker,
                        void *argument);

json_t *ps_outcome_json_progress(const struct ps_outcome_second *second);
json_t *ps_outcome_json_summary(const struct ps_outcome *outcome, const struct ps_histogram *latency_ns);
