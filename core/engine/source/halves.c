/* Halves a batch of which an interceptor makes more than one batch may have (ps_port.is_too_large), if its source can
 * neither refuse the batch nor read it again. The first half of the events goes through the chain alone, then the
 * second half, each as a batch of its own, and so on, down to one event. The halves stay in order, and the answers
 * that the batch owes come with the last one. Thread: the source's worker. */
#include "core/engine/runner.h"
#include "core/engine/worker.h"

void ps_source_runner_too_large(struct ps_source_runner *runner, struct ps_port *port)
{
    static const char *const text =
        "it makes too much of a batch: the source reads the events again, fewer at a time";
    struct ps_err reason = {.length = 0};
    port->is_too_large = false;
    if (ps_source_runner_refuses(runner))
        return; /* ps_source_runner_put refuses the batch */
    if (!ps_source_runner_is_replayable(runner)) {
        runner->chain.halves = runner->chain.lease->count > 1;
        return;
    }
    ps_err_set(&reason, "%s", text);
    ps_port_failed(port, &reason);
}

bool ps_source_runner_halve(struct ps_source_runner *runner)
{
    struct ps_batch *half = ps_lease_halve(runner->chain.lease);
    if (half == NULL)
        return false;
    runner->chain.halves = false;
    ps_chain_fewer_rows(runner);
    struct ps_lease *lease = ps_batch_chain(half);
    ps_batch_home(half)->chain_stage = runner->chain.stage;
    lease->next = runner->chain.rest;
    runner->chain.rest = lease;
    return true;
}

void ps_source_runner_begin_half(struct ps_source_runner *runner)
{
    struct ps_lease *lease = runner->chain.rest;
    runner->chain.rest = lease->next;
    lease->next = NULL;
    ps_window_enter(runner->window, lease->batch);
    ps_source_runner_begin_chain(runner, lease, ps_batch_home(lease->batch)->chain_stage);
}

uint32_t ps_source_runner_drop_halves(struct ps_source_runner *runner)
{
    uint32_t count = 0;
    while (runner->chain.rest != NULL) {
        struct ps_lease *lease = runner->chain.rest;
        runner->chain.rest = lease->next;
        count += lease->count;
        ps_batch_give(lease->batch);
    }
    return count;
}
