/* The waits of a source for a full channel or for memory: the time spent waiting, and the DEBUG lines about waits
 * and batches. While DEBUG is off the cost is one look at the log's level. Thread: its worker. */
#include <inttypes.h>

#include "core/engine/worker.h"
#include "core/quantity.h"

#define SAY_NS (10 * PS_NS_PER_S) /* between two lines about batches */

/* The time spent waiting grows while the source waits, and any thread may read it. It is one word, so that a reader
 * never sees half a change. Bit 0 is set while the source waits. The other 63 bits, modulo 2^63, are the nanoseconds
 * of all ended waits, less the monotonic time at which the current wait began, if there is one. */
static void blocked_change(struct ps_source_runner *runner, bool wait, const struct ps_now *now)
{
    uint64_t ns = runner->blocked >> 1;
    ns = wait ? ns - now->mono_ns : ns + now->mono_ns;
    __atomic_store_n(&runner->blocked, ns << 1 | wait, __ATOMIC_RELAXED);
}

uint64_t ps_source_runner_blocked_ns(const struct ps_source_runner *runner, uint64_t mono_ns)
{
    uint64_t blocked = __atomic_load_n(&runner->blocked, __ATOMIC_RELAXED);
    if (mono_ns == 0)
        mono_ns = ps_clock_now()
                      /* read after the load, so that the current wait has not begun later than this time */
                      .mono_ns;
    return (blocked & 1) != 0 ? ((blocked >> 1) + mono_ns) & (UINT64_MAX >> 1) : blocked >> 1;
}

/* Returns a channel that takes no lease of the source. */
static const struct ps_stage_spec *full_channel(const struct ps_source_runner *runner)
{
    struct ps_lease *lease = runner->inherited;
    for (size_t i = 0; lease == NULL && i < 2 * runner->plan->spec->channel_count; i++)
        lease = runner->pending[i];
    return lease != NULL ? &runner->channels[ps_lease_home(lease)->channel].spec->stage : NULL;
}

bool ps_source_runner_why_full(const struct ps_source_runner *runner, char *text, size_t room)
{
    char trouble[512];
    const struct ps_stage_spec *channel = full_channel(runner);
    if (channel == NULL)
        return false;
    const struct ps_channel_ops *ops = channel->ops->channel;
    if (ops->trouble != NULL && ops->trouble(channel->plan, trouble, sizeof trouble))
        snprintf(text, room, "channel %s takes no events: %s", channel->name, trouble);
    else
        snprintf(text, room, "channel %s is full", channel->name);
    return true;
}

/* Logs a wait. A source that waits often logs some of its waits only, by the log's limit. */
static void say_wait(const struct ps_source_runner *runner, bool wait, const struct ps_now *now)
{
    char reason[600];
    if (!wait)
        ps_log(PS_LOG_DEBUG, runner->base.spec->component, "continues after a wait of %s",
               ps_quantity_print_ns(now->mono_ns - runner->waiting_since_ns).text);
    else if (ps_source_runner_why_full(runner, reason, sizeof reason))
        ps_log(PS_LOG_DEBUG, runner->base.spec->component, "waits: %s", reason);
    else
        ps_log(PS_LOG_DEBUG, runner->base.spec->component, "waits: no block of the memory budget is free");
}

void ps_source_runner_wait(struct ps_source_runner *runner, bool wait, const struct ps_now *now)
{
    const struct ps_source_ops *ops = runner->base.spec->ops->source;
    if (runner->waiting == wait)
        return;
    if (PS_UNLIKELY(ps_log_get_level() <= PS_LOG_DEBUG))
        say_wait(runner, wait, now);
    if (wait)
        runner->waiting_since_ns = now->mono_ns;
    else
        ps_count(runner->base.counters, PS_COUNTER_blocked_ns, now->mono_ns - runner->waiting_since_ns);
    runner->waiting = wait;
    blocked_change(runner, wait, now);
    if (ops->paused != NULL)
        ops->paused(runner->base.spec->plan, runner->base.state, wait, now);
}

void ps_source_runner_count_close(struct ps_source_runner *runner, const struct ps_batch *batch,
                                  const struct ps_now *now)
{
    if (PS_LIKELY(ps_log_get_level() > PS_LOG_DEBUG))
        return;
    struct ps_source_closes *closes = &runner->closes;
    closes->events += batch->count;
    if (batch->full || batch->count == batch->capacity)
        closes->full++;
    else if (batch->flush)
        closes->asked++;
    else if (runner->draining)
        closes->draining++;
    else
        closes->hungry++;
    if (now->mono_ns - closes->said_ns < SAY_NS)
        return;
    ps_log(PS_LOG_DEBUG, runner->base.spec->component,
           "batches closed: %s because they were full, %s because a sink had nothing left, %s because a "
           "client waits for an answer, %s at the end; %s %s",
           ps_quantity_print_count(closes->full).text, ps_quantity_print_count(closes->hungry).text,
           ps_quantity_print_count(closes->asked).text, ps_quantity_print_count(closes->draining).text,
           ps_quantity_print_count(closes->events).text, ps_quantity_word(closes->events, "event", "events"));
    *closes = (struct ps_source_closes){.said_ns = now->mono_ns};
}
