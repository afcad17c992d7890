/* What a sink's runner does when the attempts of a lease are used up (penstock.retry.max): its events become dead
 * letters, and when these are written the lease is settled. */
#include <inttypes.h>
#include <stdio.h>

#include "core/engine/runner.h"
#include "core/quantity.h"

void ps_sink_runner_set_retries(struct ps_sink_runner *runner, const struct ps_sink_common *common)
{
    struct ps_port *port = &runner->base.port;
    port->retry_max = (uint32_t)common->retry_max;
    port->retry_step_ns = (uint64_t)common->backoff_step_ms * PS_NS_PER_MS;
    port->retry_rest_max_ns = (uint64_t)common->backoff_max_ms * PS_NS_PER_MS;
}

bool ps_sink_runner_gives_up(struct ps_sink_runner *runner)
{
    const struct ps_port *port = &runner->base.port;
    struct ps_sink_burial *burial = &runner->burial;
    if (port->retry_max == 0 || !ps_port_has_deadletter(port) || runner->failures < port->retry_max)
        return false;
    *burial = (struct ps_sink_burial){.begun = true, .first = 1};
    ps_log(PS_LOG_ERROR, runner->base.spec->component,
           "%s events go to the dead letters after %u attempts (penstock.retry.max)",
           ps_quantity_print_count(runner->offered->count - runner->offered->settled).text, runner->failures);
    return true;
}

/* Settles the events whose letters are written. They were numbered one after the other. */
static void settle_written(struct ps_sink_runner *runner)
{
    struct ps_sink_burial *burial = &runner->burial;
    struct ps_lease *lease = runner->offered;
    uint64_t written = ps_port_deadletter_written(&runner->base.port);
    for (; burial->settled < burial->position; burial->settled++) {
        if (ps_lease_is_settled(lease, burial->settled))
            continue;
        if (burial->first > burial->last || burial->first > written)
            return;
        ps_lease_settle_dead(lease, burial->settled);
        burial->first++;
    }
}

/* Makes letters of the rest, as many as there is room for. */
static void write_rest(struct ps_sink_runner *runner)
{
    struct ps_sink_burial *burial = &runner->burial;
    struct ps_lease *lease = runner->offered;
    char text[64];
    snprintf(text, sizeof text, "the sink failed %u times in a row", runner->failures);
    const struct ps_letter_reason reason = {"attempts-exhausted", text, runner->failures};
    for (; burial->position < lease->count; burial->position++) {
        if (ps_lease_is_settled(lease, burial->position))
            continue;
        uint64_t number = ps_port_deadletter(&runner->base.port, lease->batch,
                                             ps_lease_event(lease, burial->position), &reason);
        if (number == 0)
            return;
        if (burial->first > burial->last)
            burial->first = number;
        PS_ASSERT(burial->first == number || burial->last + 1 == number); /* the sink makes none meanwhile */
        burial->last = number;
    }
}

bool ps_sink_runner_bury(struct ps_sink_runner *runner)
{
    struct ps_sink_burial *burial = &runner->burial;
    settle_written(runner);
    write_rest(runner);
    settle_written(runner);
    if (burial->settled < runner->offered->count)
        return false;
    *burial = (struct ps_sink_burial){.begun = false};
    runner->failures = 0;
    return true;
}

void ps_sink_runner_stop_burial(struct ps_sink_runner *runner)
{
    if (PS_UNLIKELY(runner->burial.begun) && runner->offered != NULL)
        settle_written(runner);
    runner->burial = (struct ps_sink_burial){.begun = false};
}
