#include "core/engine/sink/setback.h"

#include <string.h>

#include "core/engine/sink/group.h"
#include "core/engine/worker.h"
#include "core/flow/engine_channel.h"
#include "core/quantity.h"

bool ps_sink_setback_shares(const struct ps_sink_runner *runner)
{
    const struct ps_channel_ops *channel = runner->channel->spec->stage.ops->channel;
    return runner->channel->consumer_count > 1 && ps_engine_channel(channel)->shares_given_back;
}

bool ps_sink_setback_keeps(const struct ps_sink_runner *runner)
{
    const struct ps_port *port = &runner->base.port;
    return port->retry_max > 0 && ps_port_has_deadletter(port) && ps_sink_setback_shares(runner);
}

static bool gives_to_others(const struct ps_sink_runner *runner)
{
    return ps_sink_setback_shares(runner) && !ps_sink_setback_keeps(runner);
}

static void restart(struct ps_sink_runner *runner)
{
    __atomic_store_n(&runner->gives_back, true, __ATOMIC_RELAXED);
    runner->base.keeps_lack = true;
    ps_runner_restart(&runner->base);
}

/* The sink has logged the first failure of an outage; those that follow are logged here, because the stage that is
 * opened again does not know how often it has tried. */
static void log_setback(struct ps_sink_runner *runner, const struct ps_now *now)
{
    const char *reason = runner->base.error; /* only this thread writes it */
    char tries[PS_LOG_BACKOFF_BYTES], key[sizeof runner->base.error];
    bool says =
        ps_log_backoff_says(&runner->setback_log, ps_log_backoff_key(key, sizeof key, reason), now->mono_ns);
    enum ps_log_level level = !says ? PS_LOG_DEBUG : runner->setbacks == 1 ? PS_LOG_INFO : PS_LOG_WARN;
    ps_log(level, runner->base.spec->component,
           "%s; gives back to %s what it holds (%s %s), for its other sinks, and tries one batch in %s%s",
           reason, runner->channel->spec->stage.component,
           ps_quantity_print_count(runner->inflight + (runner->offered != NULL)).text,
           ps_quantity_word(runner->inflight + (runner->offered != NULL), "batch", "batches"),
           ps_quantity_print_ns(ps_port_rest_ns(&runner->base.port, runner->setbacks)).text,
           ps_log_backoff_text(&runner->setback_log, now->mono_ns, tries));
}

void ps_sink_setback(struct ps_sink_runner *runner, const struct ps_now *now)
{
    bool holds = runner->inflight > 0 || runner->offered != NULL;
    if (!holds || runner->in_part || !ps_runner_is_open(&runner->base) || !gives_to_others(runner))
        return;
    runner->setbacks++;
    log_setback(runner, now);
    runner->base.port.is_logged = true; /* the sink's next failures are logged here */
    restart(runner);
}

void ps_sink_setback_rolled_back(struct ps_sink_runner *runner)
{
    if (!gives_to_others(runner))
        return;
    runner->setbacks++;
    if (runner->inflight > 0 && ps_runner_is_open(&runner->base))
        restart(runner);
}

void ps_sink_setback_rests(struct ps_sink_runner *runner, const struct ps_now *now)
{
    runner->backoff_until_ns = now->mono_ns + ps_port_rest_ns(&runner->base.port, runner->setbacks);
}

bool ps_sink_setback_open(struct ps_sink_runner *runner, const struct ps_now *now)
{
    struct ps_runner *base = &runner->base;
    char reason[sizeof base->error];
    int64_t start_ms = base->start_ms;
    memcpy(reason, base->error, sizeof reason); /* only this thread writes it */
    bool open = ps_runner_open(base, now);
    if (open) {
        ps_runner_set_error(base, reason);
        __atomic_store_n(&base->start_ms, start_ms, __ATOMIC_RELAXED);
    } else {
        base->keeps_lack = false; /* that it is not open is its state now */
    }
    __atomic_store_n(&runner->gives_back, false, __ATOMIC_RELAXED);
    return open;
}

void ps_sink_setback_over(struct ps_sink_runner *runner)
{
    if (!ps_runner_is_open(&runner->base))
        return;
    runner->setbacks = 0;
    if (runner->base.keeps_lack) {
        runner->base.keeps_lack = false;
        ps_runner_lacks(&runner->base.port, PS_LACK_NONE, NULL, PS_LOG_INFO);
    }
    if (runner->setback_log.tries == 0) /* it has rolled back only, which is not logged */
        return;
    runner->setback_log = (struct ps_log_backoff){0};
    runner->base.port.is_logged = false;
    ps_log(PS_LOG_INFO, runner->base.spec->component, "delivers again");
}
