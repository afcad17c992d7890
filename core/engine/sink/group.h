/* A sink group on its worker: one consumer of its channel, whose leases go to the member that the processor names
 * (core/engine/processor.h). All members are on one worker, so nothing here is shared. Each member asks in its own
 * turn whether it may take the next lease; a failed lease returns to the head of the channel, for the member that is
 * named next. Thread: that worker. */
#pragma once

#include "core/engine/processor.h"
#include "core/engine/runner.h"

struct ps_sink_group;

/* Makes the runner a member of its group; `others`: the runners of this worker that were made before. */
void ps_sink_group_join(struct ps_sink_runner *runner, struct ps_sink_runner *const *others, size_t count);
/* Frees the group with its last member. */
void ps_sink_group_leave(struct ps_sink_runner *runner);

/* Returns whether this member may take the next lease now. */
bool ps_sink_group_admits(struct ps_sink_runner *runner, const struct ps_now *now);
/* Called once for each lease that the member has taken, has settled immediately, or keeps until it has room. */
void ps_sink_group_taken(struct ps_sink_runner *runner);
/* Called when events of the member were delivered. Events that its recall settles do not make a failed member
 * recover. */
void ps_sink_group_delivered(struct ps_sink_runner *runner, const struct ps_now *now);
/* Called once for each failure of the member: it rolled back, reported a failure, or could not be opened. */
void ps_sink_group_failed(struct ps_sink_runner *runner, const struct ps_now *now);
/* Called when a member that failed is closed and has given back its leases. Sets the time when it is opened again: the
 * end of its penalty. */
void ps_sink_group_closed(struct ps_sink_runner *runner, const struct ps_now *now);

/* Returns a number that changes whenever the group may choose another member: then the other members must have a
 * turn. */
uint64_t ps_sink_group_changes(const struct ps_sink_runner *runner);
/* Returns the time (mono_ns) at which the group must choose again at the latest. */
uint64_t ps_sink_group_wake_ns(const struct ps_sink_runner *runner, const struct ps_now *now);
/* Returns the time (mono_ns) at which a member last delivered something. */
uint64_t ps_sink_group_progress_ns(const struct ps_sink_runner *runner);
/* Publishes this member's data for metrics. */
void ps_sink_group_note(struct ps_sink_runner *runner, const struct ps_now *now);
/* Returns whether another member could take the leases that this one gives back. */
bool ps_sink_group_has_others(const struct ps_sink_runner *runner);
