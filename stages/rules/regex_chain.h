/* The regex passes of one source's chain: the expressions of all regex interceptors between two edits of the
 * body are one matcher, and the batch is scanned once for all of them.
 *
 * A stage registers its expression at `build`; a stage that edits bodies says so after it has registered its
 * own, and what comes later is in the next pass. The matchers are made when all stages of the chain are
 * built. In `work` the first stage of a pass scans (all rows of the lease it is given); later ones find the
 * bits there. A row that was dropped meanwhile still has bits: nobody asks for them. */
#pragma once

#include "core/stage.h"
#include "regex/matcher/matcher.h"

/* One expression of one stage: kept in its plan. */
struct ps_regex_use {
    struct ps_regex_chain *chain;
    unsigned pass, pattern;
};

/* `regex` must live as long as the plan. A pass holds at most 64 expressions; one more begins a new one.
 * Thread: control, at build. */
void ps_regex_chain_add(struct ps_context *context, const struct ps_regex *regex, struct ps_regex_use *use);
/* For a stage that runs the expression itself on the events its bits report (groups, replacements): these may
 * be more than those that match. (Where a part of the expression is what is scanned for,
 * stages/rules/regex_fragment.h, they are not looked at twice.) */
void ps_regex_chain_add_candidates(struct ps_context *context, const struct ps_regex *regex,
                                   struct ps_regex_use *use);
/* This stage edits bodies: the next expression begins a new pass. */
void ps_regex_chain_edits(struct ps_context *context);

/* At open. PS_FAIL: no memory. */
enum ps_status ps_regex_chain_open(const struct ps_regex_use *use, struct ps_port *port, struct ps_err *err);

/* The events of this lease's batch that the expression matches: bit row % 64 of word row / 64, for the rows
 * the lease had when the pass was scanned. Good until the next call for another batch. Thread: the worker. */
const uint64_t *ps_regex_chain_bits(const struct ps_regex_use *use, struct ps_port *port,
                                    const struct ps_lease *lease);
/* The worker's scratch for captures and replacements. */
struct ps_regex_scratch *ps_regex_chain_scratch(struct ps_port *port);

/* Scan errors, matches given up, confirmations: for ps_stage_ops.series of the stage that registered first in
 * its pass (others add nothing). Thread: any. */
void ps_regex_chain_series(const struct ps_regex_use *use,
                           void (*add)(void *argument, const struct ps_series *series), void *argument);
