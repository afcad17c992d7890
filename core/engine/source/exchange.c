/* The end of a chain that a reload exchanges while its source stays open. The batch that the source had read goes through
 * the old chain; control waits for that, and meanwhile serves no other reload and no stop. So the wait has an end: an
 * interceptor may fail for this batch without end, and the reload may be what mends it. Thread: the source's worker. */
#include "core/engine/runner.h"
#include "core/engine/worker.h"
#include "core/quantity.h"

/* The time that the batch has in the old chain while no interceptor fails: one may be slow, or never answer. */
#define EXCHANGE_NS (30 * PS_NS_PER_S)

static uint32_t count_events(const struct ps_source_runner *runner)
{
    uint32_t count = runner->chain.routed ? 0 : runner->chain.lease->count;
    for (const struct ps_lease *lease = runner->chain.rest; lease != NULL; lease = lease->next)
        count += lease->count;
    return count;
}

bool ps_source_runner_leave_old_chain(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (runner->exchange_ns == 0)
        runner->exchange_ns = now->mono_ns;
    if (now->mono_ns < runner->exchange_ns + (runner->chain.rests ? PS_STOP_FAILING_NS : EXCHANGE_NS))
        return false;
    uint32_t count = count_events(runner);
    ps_log(PS_LOG_WARN, runner->base.spec->component,
           "%s %s through the new interceptors, although not all of the old ones have finished %s",
           ps_quantity_print_count(count).text, ps_quantity_word(count, "event goes", "events go"),
           ps_quantity_word(count, "it", "them"));
    if (!runner->chain.routed) {
        ps_source_runner_forget_chain(runner);
        ps_source_runner_begin_chain(runner, runner->chain.lease, 0);
    }
    for (const struct ps_lease *lease = runner->chain.rest; lease != NULL; lease = lease->next)
        ps_batch_home(lease->batch)->chain_stage = 0;
    return true;
}
