#include "core/engine/agent.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/engine/agent_parts.h"

#define RECALL_MS 10000U
#define OPEN_WAIT_MS 10000U
#define LEASES_SPARE 17U /* a reload may bring more channels per source than the first plan had: up to 8 */

static void log_line(void *argument, const char *text)
{
    (void)argument;
    ps_log(PS_LOG_INFO, "agent", "%s", text);
}

static struct ps_engine *engine_for(const struct ps_plan *plan, struct ps_err *err)
{
    const struct ps_agent_options *options = &plan->spec->options;
    struct ps_engine_settings settings = {
        .worker_count = plan->worker_count,
        .memory_budget_bytes = plan->block_budget_bytes,
        .batches_max = ps_topology_batches(plan),
        .leases_max = plan->leases_max > LEASES_SPARE ? plan->leases_max : LEASES_SPARE,
        .cpus = options->cpus,
        .idle = (enum ps_idle)options->idle,
    };
    return ps_engine_create(&settings, err);
}

struct ps_agent *ps_agent_start(struct ps_agent_spec *spec, const struct ps_machine *machine,
                                struct ps_err *err)
{
    struct ps_plan *plan = ps_plan_create(spec, machine, 0, err);
    if (plan == NULL)
        return NULL;
    struct ps_agent *agent = ps_must_alloc(1, sizeof *agent, "the agent");
    if (ps_plan_build(plan, err) != PS_OK)
        goto failed;
    agent->engine = engine_for(plan, err);
    if (agent->engine == NULL || ps_engine_start(agent->engine, err) != PS_OK)
        goto failed;
    pthread_mutex_init(&agent->lock, NULL);
    agent->plan = plan;
    agent->start_ms = ps_clock_now().wall_ms;
    ps_plan_describe(plan, log_line, NULL);
    uint64_t number = ps_engine_order(agent->engine, PS_PHASE_RUN, plan, NULL);
    if (!ps_engine_wait(agent->engine, number, OPEN_WAIT_MS))
        ps_log(PS_LOG_WARN, "agent", "components take long to open");
    return agent;
failed:
    ps_engine_destroy(agent->engine);
    ps_plan_destroy(plan);
    free(agent);
    return NULL;
}

/* ---- runners ---- */

void ps_agent_each_source(struct ps_agent *agent, size_t source,
                          void (*look)(void *argument, struct ps_source_runner *runner), void *argument)
{
    for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++) {
        size_t count;
        struct ps_source_runner **runners = ps_worker_sources(ps_engine_worker(agent->engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            if (runners[k]->plan == &agent->plan->sources[source])
                look(argument, runners[k]);
        }
    }
}

struct ps_sink_runner *ps_agent_sink(struct ps_agent *agent, size_t sink)
{
    for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++) {
        size_t count;
        struct ps_sink_runner **runners = ps_worker_sinks(ps_engine_worker(agent->engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            if (runners[k]->base.spec == &agent->plan->sinks[sink].spec->stage)
                return runners[k];
        }
    }
    return NULL;
}

static void account_source(void *argument, struct ps_source_runner *runner)
{
    struct ps_agent_account *account = argument;
    if (ps_runner_is_open(&runner->base)) /* taken over by the next plan: counted when it ends */
        return;
    const struct ps_counters *counters = runner->base.counters;
    account->received += ps_counter_read(counters, PS_COUNTER_EventReceivedCount);
    account->accepted += ps_counter_read(counters, PS_COUNTER_EventAcceptedCount);
    account->dropped += ps_counter_read(counters, PS_COUNTER_dropped);
}

/* Adds what the plan's components counted. */
static void account_add(struct ps_agent *agent, struct ps_agent_account *account)
{
    for (size_t i = 0; i < agent->plan->spec->source_count; i++)
        ps_agent_each_source(agent, i, account_source, account);
    for (size_t i = 0; i < agent->plan->spec->sink_count; i++) {
        struct ps_sink_runner *sink = ps_agent_sink(agent, i);
        if (sink == NULL)
            continue;
        account->delivered += ps_counter_read(sink->base.counters, PS_COUNTER_EventDrainSuccessCount);
        account->refused += ps_counter_read(sink->base.counters, PS_COUNTER_refused);
        account->duplicated += ps_counter_read(sink->base.counters, PS_COUNTER_duplicated);
    }
}

/* ---- leaving a plan ---- */

/* Drains, recalls and closes all stages except the sources that `next` takes over. Returns whether it drained
 * in time. */
static bool agent_quiesce(struct ps_agent *agent, struct ps_plan *next, uint64_t timeout_ms,
                          bool (*hurry)(void *argument), void *argument)
{
    uint64_t number = ps_engine_order(agent->engine, PS_PHASE_DRAIN, agent->plan, next);
    uint64_t began_ns = ps_clock_now().mono_ns, said_ns = began_ns;
    bool drained;
    while (!(drained = ps_engine_reached(agent->engine, number))) {
        uint64_t now_ns = ps_clock_now().mono_ns;
        if (now_ns - began_ns >= timeout_ms * PS_NS_PER_MS || (hurry != NULL && hurry(argument)))
            break;
        if (now_ns - said_ns >= 2 * PS_NS_PER_S) {
            said_ns = now_ns;
            ps_log(PS_LOG_INFO, "agent", "draining: %llu batches not delivered yet; %llu ms left",
                   (unsigned long long)ps_engine_batches_out(agent->engine),
                   (unsigned long long)(timeout_ms - (now_ns - began_ns) / PS_NS_PER_MS));
        }
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    number = ps_engine_order(agent->engine, PS_PHASE_RECALL, agent->plan, next);
    while (!ps_engine_wait(agent->engine, number, RECALL_MS))
        ps_log(PS_LOG_WARN, "agent", "a sink has not given back what it was sending; still waiting");
    number = ps_engine_order(agent->engine, PS_PHASE_CLOSE, agent->plan, next);
    while (!ps_engine_wait(agent->engine, number, RECALL_MS))
        ps_log(PS_LOG_WARN, "agent", "a component takes long to close; still waiting");
    return drained;
}

/* ---- reload ---- */

/* Whether an open source was built with this plan. */
static bool plan_is_used(void *argument, const struct ps_plan *plan)
{
    struct ps_agent *agent = argument;
    for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++) {
        size_t count;
        struct ps_source_runner **runners = ps_worker_sources(ps_engine_worker(agent->engine, i), &count);
        for (size_t k = 0; k < count; k++) {
            for (size_t source = 0; source < plan->spec->source_count; source++) {
                if (runners[k]->base.spec == &plan->spec->sources[source].stage)
                    return true;
            }
        }
    }
    return false;
}

static void reread_stage(const struct ps_link *link)
{
    if (link->spec->ops->reread != NULL)
        link->spec->ops->reread(link->spec->plan);
}

/* The plan is shared: the first instance speaks for all. */
static void reread_source(void *argument, struct ps_source_runner *runner)
{
    (void)argument;
    if (runner->base.instance != 0)
        return;
    for (size_t i = 0; i < runner->plan->spec->interceptor_count; i++)
        reread_stage(&runner->interceptors[i]);
    reread_stage(&runner->selector);
}

/* The stages that stay read their own files again. */
static void agent_reread(struct ps_agent *agent)
{
    for (size_t i = 0; i < agent->plan->spec->source_count; i++)
        ps_agent_each_source(agent, i, reread_source, NULL);
}

enum ps_status ps_agent_reload(struct ps_agent *agent, struct ps_agent_spec *spec,
                               const struct ps_machine *machine, struct ps_err *err)
{
    struct ps_plan *next = ps_plan_create(spec, machine, ps_engine_worker_count(agent->engine), err);
    if (next == NULL)
        goto failed;
    if (ps_plan_needs_restart(agent->plan, next))
        ps_log(PS_LOG_WARN, "agent",
               "penstock.workers, .cpus, .idle and .memory.budget take effect at the next start, not on a "
               "reload");
    if (ps_plan_is_same(agent->plan, next)) {
        ps_log(PS_LOG_INFO, "agent", "reload: nothing changed in the configuration");
        ps_plan_destroy(next);
        agent_reread(agent);
        return PS_OK;
    }
    struct ps_left carried, lost;
    struct ps_plan *old = agent->plan;
    ps_plan_adopt(next, old);
    next->running = true;
    if (ps_engine_fits(agent->engine, next, err) != PS_OK || ps_plan_build(next, err) != PS_OK)
        goto failed;
    agent_quiesce(agent, next, (uint64_t)old->spec->options.reload_timeout_ms, NULL, NULL);
    pthread_mutex_lock(&agent->lock);
    account_add(agent, &agent->past);
    ps_engine_carry_over(agent->engine, old, next, &carried, &lost);
    agent->past.undelivered += lost.events;
    agent->past.delivered += lost.settled;
    agent->plan = next;
    uint64_t number = ps_engine_order(agent->engine, PS_PHASE_RUN, next, NULL);
    while (!ps_engine_wait(agent->engine, number, OPEN_WAIT_MS))
        ps_log(PS_LOG_WARN, "agent", "components take long to open");
    ps_plan_retire(old, next, plan_is_used, agent);
    agent->reload_count++;
    pthread_mutex_unlock(&agent->lock);
    agent_reread(agent);
    ps_log(PS_LOG_INFO, "agent", "reloaded; %llu events carried over in channels",
           (unsigned long long)carried.events);
    if (lost.events > 0)
        ps_log(PS_LOG_WARN, "agent",
               "%llu events were in channels that the new configuration does not have: given up",
               (unsigned long long)lost.events);
    return PS_OK;
failed:
    ps_plan_destroy(next);
    agent->reload_failed_count++;
    return PS_FAIL;
}

void ps_agent_reload_failed(struct ps_agent *agent)
{
    agent->reload_failed_count++;
}

void ps_agent_stop(struct ps_agent *agent, uint64_t timeout_ms, bool (*hurry)(void *argument), void *argument,
                   struct ps_agent_account *account)
{
    struct ps_left carried, lost;
    agent->stopping = true;
    bool drained = agent_quiesce(agent, NULL, timeout_ms, hurry, argument);
    pthread_mutex_lock(&agent->lock);
    account_add(agent, &agent->past);
    ps_engine_carry_over(agent->engine, agent->plan, NULL, &carried, &lost);
    *account = agent->past;
    account->undelivered += lost.events;
    account->delivered += lost.settled;
    account->drained = drained;
    pthread_mutex_unlock(&agent->lock);
    uint64_t number =
        ps_engine_order(agent->engine, PS_PHASE_CLOSE, NULL, NULL); /* what was given up goes home */
    while (!ps_engine_wait(agent->engine, number, RECALL_MS))
        ps_log(PS_LOG_WARN, "agent", "a worker does not answer; still waiting");
    ps_engine_destroy(agent->engine);
    ps_plan_destroy(agent->plan);
    pthread_mutex_destroy(&agent->lock);
    free(agent);
}

const struct ps_plan *ps_agent_plan(const struct ps_agent *agent)
{
    return agent->plan;
}

bool ps_agent_is_moving(const struct ps_agent *agent, uint64_t limit_ms)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++) {
        const struct ps_worker_stats *stats = ps_worker_stats(ps_engine_worker(agent->engine, i));
        /* A parked worker wakes at least once a second. */
        uint64_t beat_ns = __atomic_load_n(&stats->heartbeat_ns, __ATOMIC_RELAXED);
        if (beat_ns + limit_ms * PS_NS_PER_MS < now_ns)
            return false;
    }
    return true;
}
