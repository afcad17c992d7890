/* Keeps and logs what an open source or sink lacks: the stage reports it at every cycle, and the log has it once for an outage. */
#include <stdio.h>

#include "core/engine/worker.h"
#include "core/quantity.h"

static bool is_sink(const struct ps_runner *runner)
{
    return runner->spec->ops->kind == PS_KIND_SINK;
}

static void publish(struct ps_runner *runner, enum ps_lack lack, int64_t since_ms)
{
    __atomic_store_n(&runner->since_ms, since_ms, __ATOMIC_RELAXED);
    __atomic_store_n(&runner->lack, lack, __ATOMIC_RELAXED);
}

static void lack_ends(struct ps_runner *runner, const struct ps_now *now)
{
    if (runner->lack == PS_LACK_NONE)
        return;
    ps_log(PS_LOG_INFO, runner->spec->component, "%s again, after %s",
           runner->lack == PS_LACK_INPUT ? "has something to read"
           : is_sink(runner)             ? "reaches its destination"
                                         : "reaches its input",
           ps_quantity_print_ns(now->mono_ns - runner->lacking_ns).text);
    ps_runner_set_error(runner, "");
    runner->lacking = (struct ps_log_backoff){.tries = 0};
    publish(runner, PS_LACK_NONE, 0);
}

void ps_runner_lacks(struct ps_port *port, enum ps_lack lack, const char *reason, int level)
{
    struct ps_runner *runner = port->runner;
    const struct ps_now *now = ps_worker_now(runner->worker);
    if (lack == PS_LACK_NONE) {
        lack_ends(runner, now);
        return;
    }
    /* a sink that was opened again does not know that it had reached it */
    if (lack == PS_LACK_NEVER && (runner->reached || (runner->keeps_lack && runner->lack == PS_LACK_LOST)))
        lack = PS_LACK_LOST;
    bool is_new = runner->lack != lack;
    if (runner->lack == PS_LACK_NONE)
        __atomic_store_n(&runner->lacking_ns, now->mono_ns, __ATOMIC_RELAXED);
    if (is_new)
        runner->lacking.tries = 0;
    bool is_first = runner->lacking.tries == 0;
    bool says = ps_log_backoff_says(&runner->lacking, reason, now->mono_ns);
    if (is_first || runner->lacking.tries == 1) /* or another reason */
        ps_runner_set_error(runner, reason);
    if (says)
        ps_log((enum ps_log_level)level, runner->spec->component, "%s: %s%s%s",
               ps_lack_text(lack, is_sink(runner)), reason, is_first ? "" : "; for ",
               is_first ? "" : ps_quantity_print_ns(now->mono_ns - runner->lacking_ns).text);
    bool was_down = runner->lack > PS_LACK_INPUT || runner->lack == PS_LACK_NONE;
    if (is_new)
        publish(runner, lack,
                runner->since_ms != 0 && was_down && lack > PS_LACK_INPUT ? runner->since_ms : now->wall_ms);
}
