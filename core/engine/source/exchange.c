/* The end of a chain that a reload exchanges while its source stays open. The batch that the source had read goes through
 * the old chain; control waits for that, and meanwhile serves no other reload and no stop. This file limits the wait,
 * because an old interceptor may fail for this batch again and again, and the reload may bring the one that does not fail.
 * Thread: the source's worker. */
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

/* Returns when the batch leaves the old chain, unless it has passed it before. */
static uint64_t end_of_wait_ns(const struct ps_source_runner *runner)
{
    uint64_t end_ns = runner->exchange_ns + EXCHANGE_NS;
    if (!runner->chain.rests)
        return end_ns;
    bool is_later = runner->chain.failed_ns > runner->exchange_ns;
    uint64_t since_ns = is_later ? runner->chain.failed_ns : runner->exchange_ns;
    return since_ns + PS_STOP_FAILING_NS < end_ns ? since_ns + PS_STOP_FAILING_NS : end_ns;
}

bool ps_source_runner_leave_old_chain(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (runner->exchange_ns == 0)
        runner->exchange_ns = now->mono_ns;
    if (now->mono_ns < end_of_wait_ns(runner))
        return false;
    uint32_t count = count_events(runner);
    if (count > 0)
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

void ps_source_runner_reopen_chain(struct ps_source_runner *runner, const struct ps_now *now)
{
    if (PS_LIKELY(runner->links->open) || runner->old_links != NULL || runner->chain.lease == NULL ||
        runner->chain.routed || now->mono_ns < runner->reopen_ns)
        return;
    runner->reopen_ns = now->mono_ns + PS_OPEN_RETRY_NS;
    (void)ps_chain_open(runner, now);
}
