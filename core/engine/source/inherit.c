/* The leases that a source made and could not put before a reload closed it: the source that follows it puts the
 * leases for channels that stay, on the same worker and with the same producer numbers, before its own leases. This
 * keeps the order in each channel, and channels need no second function for such leases. Thread: the worker. */
#include <string.h>

#include "core/engine/worker.h"

static bool has_replayable(const struct ps_source_runner *runner, const struct ps_lease *lease)
{
    return ps_source_runner_is_replayable(runner) && lease->batch->span_count > 0;
}

static void append(struct ps_lease **list, struct ps_lease *lease)
{
    while (*list != NULL)
        list = &(*list)->next;
    lease->next = NULL;
    *list = lease;
}

/* The next source accepts the events when it reads them again, so that this one must not count them (ps_source_runner_close). */
static void take_back(const struct ps_lease *lease)
{
    struct ps_batch_home *batch = ps_batch_home(lease->batch);
    uint32_t events = lease->count - lease->settled;
    if (events > batch->taken_back)
        batch->taken_back = events;
}

/* Leaves the lease to the next source, or in *left. Releases a lease whose events the next source reads again, as
 * ps_engine_carry_over does for channels that are removed. */
static void leave_lease(struct ps_source_runner *runner, const struct ps_plan *next, struct ps_lease *lease,
                        struct ps_lease **left)
{
    if (!ps_plan_keeps_channel(next, &runner->channels[ps_lease_home(lease)->channel])) {
        append(left, lease);
    } else if (has_replayable(runner, lease)) {
        take_back(lease);
        lease->failed = true;
        ps_window_release(lease);
    } else {
        append(&runner->inherited, lease);
    }
}

void ps_source_runner_leave_leases(struct ps_source_runner *runner, const struct ps_plan *next,
                                   struct ps_lease **left)
{
    struct ps_lease *older = runner->inherited;
    runner->inherited = NULL;
    while (older != NULL) {
        struct ps_lease *lease = older;
        older = lease->next;
        leave_lease(runner, next, lease, left);
    }
    for (size_t i = 0; i < 2 * runner->plan->spec->channel_count; i++) {
        if (runner->pending[i] == NULL)
            continue;
        ps_batch_charge(runner->pending[i], &runner->marks[i / 2]);
        leave_lease(runner, next, runner->pending[i], left);
        runner->pending[i] = NULL;
    }
}

/* Returns the number, in the source's own list, of the channel that takes over `before`. */
static size_t place_after(const struct ps_source_runner *runner, const struct ps_channel_plan *before)
{
    size_t place = 0;
    while (place < runner->plan->spec->channel_count &&
           strcmp(runner->channels[runner->plan->spec->channels[place]].spec->stage.name,
                  before->spec->stage.name) != 0)
        place++;
    PS_ASSERT(place < runner->plan->spec->channel_count);
    return place;
}

void ps_source_runner_renumber(const struct ps_source_runner *runner, struct ps_lease *list,
                               const struct ps_channel_plan *channels)
{
    for (; list != NULL; list = list->next)
        ps_lease_home(list)->channel =
            (uint16_t)
                runner->plan->spec->channels[place_after(runner, &channels[ps_lease_home(list)->channel])];
}

void ps_source_runner_inherit(struct ps_source_runner *runner, struct ps_source_runner *closed)
{
    ps_source_runner_renumber(runner, closed->inherited, closed->channels);
    runner->inherited = closed->inherited;
    closed->inherited = NULL;
}

/* Returns whether an older lease for the same channel is still in the list. */
static bool is_behind(struct ps_lease *list, struct ps_lease *lease)
{
    while (list != lease && ps_lease_home(list)->channel != ps_lease_home(lease)->channel)
        list = list->next;
    return list != lease;
}

/* PS_PUT_LATER needs no ps_window_owe here: the lease's source was closed, so nobody waits for the channel's promise. */
static bool put(struct ps_source_runner *runner, struct ps_lease *lease, const struct ps_now *now)
{
    struct ps_channel_plan *channel = &runner->channels[ps_lease_home(lease)->channel];
    unsigned producer = runner->producers[place_after(runner, channel)];
    uint32_t count = lease->count;
    lease->next = NULL;
    if (channel->spec->stage.ops->channel->put(channel->spec->stage.plan, producer, &lease, now) ==
        PS_PUT_FULL)
        return false;
    ps_count(&channel->counters[producer], PS_COUNTER_EventPutSuccessCount, count);
    if (!ps_channel_is_durable(channel->spec->stage.ops->channel))
        ps_wake_consumer(runner->base.worker, channel);
    return true;
}

bool ps_source_runner_put_inherited(struct ps_source_runner *runner, const struct ps_now *now)
{
    bool moved = false;
    for (struct ps_lease **at = &runner->inherited; *at != NULL;) {
        struct ps_lease *lease = *at, *next = lease->next;
        if (!is_behind(runner->inherited, lease) && put(runner, lease, now)) {
            *at = next;
            moved = true;
        } else {
            lease->next = next;
            at = &lease->next;
        }
    }
    return moved;
}
