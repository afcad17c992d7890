/* The regex passes of one source's chain. The expressions of all regex interceptors between two edits of the
 * body form one matcher, which scans the batch once for all of them.
 *
 * A stage registers its expression at `build`. A stage that edits bodies then calls ps_regex_chain_edits; later
 * expressions are in the next pass. The matchers are made when all stages of the chain are built. In `work`,
 * the first stage of a pass scans all rows of its lease, and later stages read the stored bits. A row that was
 * dropped in between still has bits, which no stage reads. */
#pragma once

#include "core/stage.h"
#include "regex/matcher/matcher.h"

/* One expression of one stage, stored in its plan. */
struct ps_regex_use {
    struct ps_regex_chain *chain;
    unsigned pass, pattern;
};

/* Returns the expression's fragment (struct ps_java_regex), which Hyperscan looks for in its place and which the caller
 * destroys; NULL: none is worth it. `regex` must be PS_REGEX_FIND. Thread: control. */
struct ps_regex *ps_regex_fragment_of(const struct ps_regex *regex);

/* Registers an expression. `regex` must live as long as the plan. A pass holds at most 64 expressions; the next
 * expression begins a new pass. Thread: control, at build. */
void ps_regex_chain_add(struct ps_context *context, const struct ps_regex *regex, struct ps_regex_use *use);
/* Registers the expression of a stage that runs it again on the reported events (for groups or replacements).
 * The bits may include events that do not match: when only a fragment is scanned for
 * (regex/java/fragment.c), the chain does not check the whole expression. */
void ps_regex_chain_add_candidates(struct ps_context *context, const struct ps_regex *regex,
                                   struct ps_regex_use *use);
/* Tells the chain that this stage edits bodies: the next expression begins a new pass. */
void ps_regex_chain_edits(struct ps_context *context);

/* At open. PS_FAIL: no memory. */
enum ps_status ps_regex_chain_open(const struct ps_regex_use *use, struct ps_port *port, struct ps_err *err);

/* Returns a bit mask of the matching events of the lease's batch: row r is bit r % 64 of word r / 64. Valid for
 * the rows that the lease had when the pass was scanned. Valid until the next call for another batch. Thread:
 * the worker. */
const uint64_t *ps_regex_chain_bits(const struct ps_regex_use *use, struct ps_port *port,
                                    const struct ps_lease *lease);
/* Returns the worker's scratch for captures and replacements. */
struct ps_regex_scratch *ps_regex_chain_scratch(struct ps_port *port);

/* Reports scan errors, matches given up and confirmations, for ps_stage_ops.series. Only the stage that
 * registered first in a pass reports the pass. Thread: any. */
void ps_regex_chain_series(const struct ps_regex_use *use,
                           void (*add)(void *argument, const struct ps_series *series), void *argument);
