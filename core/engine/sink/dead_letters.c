/* The part of a sink's runner for leases whose attempts are used up (penstock.retry.max): makes dead letters of the
 * events, and settles the lease when the letters are written. */
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
    struct ps_lease *lease = runner->offered;
    if (port->retry_max == 0 || !ps_port_has_deadletter(port) || runner->failures < port->retry_max)
        return false;
    ps_deadletter_pending_begin(&runner->dead_letters, lease, 0, lease->count);
    ps_log(PS_LOG_ERROR, runner->base.spec->component,
           "%s %s to the dead letters after %u %s (penstock.retry.max)",
           ps_quantity_print_count(lease->count - lease->settled).text,
           ps_quantity_word(lease->count - lease->settled, "event goes", "events go"), runner->failures,
           ps_quantity_word(runner->failures, "attempt", "attempts"));
    return true;
}

bool ps_sink_runner_write_dead_letters(struct ps_sink_runner *runner)
{
    char text[64];
    snprintf(text, sizeof text, "the sink failed %u %s in a row", runner->failures,
             ps_quantity_word(runner->failures, "time", "times"));
    const struct ps_dead_letter_reason reason = {"attempts-exhausted", text, runner->failures};
    if (!ps_deadletter_pending_work(&runner->dead_letters, &runner->base.port, &reason))
        return false;
    runner->failures = 0;
    return true;
}
