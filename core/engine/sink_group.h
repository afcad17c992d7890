/* A sink group on its worker: one consumer of its channel, whose leases go to the member that the processor names
 * (core/engine/processor.h). All members are on one worker, so nothing here is shared. Each member asks in its own turn
 * whether it may take the next lease; what fails returns to the head of the channel, for the member that is named
 * next. Thread: that worker. */
#pragma once

#include "core/engine/processor.h"
#include "core/engine/runner.h"

struct ps_sink_group;

/* Makes the runner a member of its group; `others`: the runners of this worker that were made before. */
void ps_sink_group_join(struct ps_sink_runner *runner, struct ps_sink_runner *const *others, size_t count);
/* Frees the group with its last member. */
void ps_sink_group_leave(struct ps_sink_runner *runner);

/* Whether this member may take the next lease now. */
bool ps_sink_group_admits(struct ps_sink_runner *runner, const struct ps_now *now);
/* The member has taken a lease, has settled it at once, or waits with it until it has room. Once for each lease. */
void ps_sink_group_taken(struct ps_sink_runner *runner);
/* Events of the member were delivered. A member that failed does not recover by what its recall settles. */
void ps_sink_group_delivered(struct ps_sink_runner *runner, const struct ps_now *now);
/* The member failed: it rolled back, said that it failed, or could not be opened. Once for each failure. */
void ps_sink_group_failed(struct ps_sink_runner *runner, const struct ps_now *now);
/* The member that failed is closed, and has given back what it held: sets when it is opened again, which is when its penalty
 * ends. */
void ps_sink_group_closed(struct ps_sink_runner *runner, const struct ps_now *now);

/* A number that changes whenever the decision may: then the other members must have a turn. */
uint64_t ps_sink_group_changes(const struct ps_sink_runner *runner);
/* When the group must decide again at the latest. */
uint64_t ps_sink_group_wake_ns(const struct ps_sink_runner *runner, const struct ps_now *now);
/* When any member delivered something last. */
uint64_t ps_sink_group_progress_ns(const struct ps_sink_runner *runner);
/* Publishes what metrics show of this member. */
void ps_sink_group_note(struct ps_sink_runner *runner, const struct ps_now *now);
/* Whether another member could take what this one gives back. */
bool ps_sink_group_has_others(const struct ps_sink_runner *runner);
