/* What outcome.c and outcome_json.c share. */
#pragma once

#include "bench/verify/outcome.h"

/* One source that was looked at: `source`, or NULL when nothing of it came and a manifest's `entry` knows it.
 */
struct ps_outcome_source {
    uint32_t run;
    const struct ps_source *source;
    const struct ps_manifest_source *entry;
    bool wrong; /* something is missing, or came twice, late, changed */
};

typedef void ps_outcome_source_taker(void *argument, const struct ps_outcome *outcome,
                                     const struct ps_outcome_source *one);
/* All sources looked at, by their numbers or those with something wrong first; those of which nothing came
 * are behind the others. */
void ps_outcome_sources(const struct ps_outcome *outcome, bool wrong_first, ps_outcome_source_taker *taker,
                        void *argument);

json_t *ps_outcome_json_progress(const struct ps_outcome_second *second);
json_t *ps_outcome_json_summary(const struct ps_outcome *outcome, const struct ps_histogram *latency_ns);
