#include "core/flow/engine_channel.h"
#include "core/engine/agent/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/engine/agent/internal.h"
#include "core/quantity.h"

#define OPEN_WAIT_MS 10000U
#define OPEN_LOOK_MS 100U
/* Of a reload, when the agent is told to stop meanwhile: for a source whose far end does not answer, as in a stop. */
#define LAST_DRAIN_MS 10000U

/* Logs without the log's limit of equal lines: a large agent has more than ten components. */
static void log_line(void *, const char *text)
{
    ps_log_text(PS_LOG_INFO, "agent", text, strlen(text));
}

static void debug_line(void *, const char *text)
{
    ps_log_text(PS_LOG_DEBUG, "agent", text, strlen(text));
}

static struct ps_engine *engine_for(const struct ps_plan *plan, struct ps_err *err)
{
    const struct ps_agent_options *options = &plan->spec->options;
    struct ps_engine_settings settings = {
        .worker_count = plan->worker_count,
        .memory_budget_bytes = plan->block_budget_bytes,
        .cpus = options->cpus,
        .idle = (enum ps_idle)options->idle,
    };
    return ps_engine_create(&settings, err);
}

/* Returns whether the components are open, or nobody waits for them any more. */
static bool wait_for_open(const struct ps_engine *engine, uint64_t number,
                          bool (*told_to_stop)(void *argument), void *argument)
{
    for (unsigned waited_ms = 0; waited_ms < OPEN_WAIT_MS; waited_ms += OPEN_LOOK_MS) {
        if (ps_engine_wait(engine, number, OPEN_LOOK_MS) || (told_to_stop != NULL && told_to_stop(argument)))
            return true;
    }
    return false;
}

struct ps_agent *ps_agent_run(struct ps_plan *plan, bool (*told_to_stop)(void *argument), void *argument,
                              struct ps_err *err)
{
    struct ps_agent *agent = ps_must_alloc(1, sizeof *agent, "the agent");
    agent->engine = engine_for(plan, err);
    if (agent->engine == NULL || ps_engine_start(agent->engine, err) != PS_OK)
        goto failed;
    pthread_mutex_init(&agent->lock, NULL);
    agent->plan = plan;
    ps_agent_note_dropped(agent, plan->spec);
    struct ps_now now = ps_clock_now();
    agent->start_ms = now.wall_ms;
    agent->start_mono_ns = now.mono_ns;
    ps_plan_describe(plan, PS_PLAN_BUDGET | PS_PLAN_COMPONENTS | PS_PLAN_FLOWS | PS_PLAN_EXPRESSIONS,
                     log_line, NULL);
    ps_plan_describe(plan, PS_PLAN_ENGINE, plan->spec->verbose ? log_line : debug_line, NULL);
    if (plan->memory_warning != NULL)
        ps_log(PS_LOG_WARN, "agent", "%s", plan->memory_warning);
    ps_plan_start(plan);
    uint64_t number = ps_engine_order(agent->engine, PS_PHASE_RUN, plan, NULL);
    if (!wait_for_open(agent->engine, number, told_to_stop, argument))
        ps_log(PS_LOG_WARN, "agent", "components take long to open");
    return agent;
failed:
    ps_engine_destroy(agent->engine);
    ps_plan_destroy(plan);
    free(agent);
    return NULL;
}

struct ps_agent *ps_agent_start(struct ps_agent_spec *spec, const struct ps_machine *machine,
                                struct ps_err *err)
{
    struct ps_plan *plan = ps_plan_create(spec, machine, NULL, err);
    if (plan == NULL)
        return NULL;
    if (ps_plan_build(plan, err) == PS_OK)
        return ps_agent_run(plan, NULL, NULL, err);
    ps_plan_destroy(plan);
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
            if (runners[k]->plan == &agent->plan->sinks[sink])
                return runners[k];
        }
    }
    return NULL;
}

static void account_source(void *argument, struct ps_source_runner *runner)
{
    struct ps_agent_account *account = argument;
    if (ps_runner_state(&runner->base) !=
        PS_RUNNER_CLOSED) /* the next plan has taken it over: counted when it is closed */
        return;
    const struct ps_counters *counters = runner->base.counters;
    account->received += ps_counter_read(counters, PS_COUNTER_EventReceivedCount);
    account->accepted += ps_counter_read(counters, PS_COUNTER_EventAcceptedCount);
    account->dropped += ps_counter_read(counters, PS_COUNTER_dropped);
    account->discarded += ps_counter_read(counters, PS_COUNTER_discarded);
    account->kernel_dropped += ps_counter_read(counters, PS_COUNTER_kernel_dropped);
    account->deadletter += ps_counter_read(counters, PS_COUNTER_deadletter);
    account->duplicated += ps_counter_read(counters, PS_COUNTER_duplicated);
}

/* Adds the counts of the plan's components. */
static void account_add(struct ps_agent *agent, struct ps_agent_account *account)
{
    for (size_t i = 0; i < agent->plan->spec->source_count; i++)
        ps_agent_each_source(agent, i, account_source, account);
    for (size_t i = 0; i < agent->plan->spec->channel_count; i++) {
        const struct ps_channel_plan *channel = &agent->plan->channels[i];
        for (unsigned k = 0; k < channel->producer_count + channel->consumer_count; k++)
            account->discarded += ps_counter_read(&channel->counters[k], PS_COUNTER_discarded);
    }
    for (size_t i = 0; i < agent->plan->spec->sink_count; i++) {
        struct ps_sink_runner *sink = ps_agent_sink(agent, i);
        /* open in the next plan, as a source above */
        if (sink == NULL || ps_runner_state(&sink->base) != PS_RUNNER_CLOSED)
            continue;
        account->delivered += ps_counter_read(sink->base.counters, PS_COUNTER_EventDrainSuccessCount);
        account->refused += ps_counter_read(sink->base.counters, PS_COUNTER_refused);
        account->duplicated += ps_counter_read(sink->base.counters, PS_COUNTER_duplicated);
        account->deadletter += ps_counter_read(sink->base.counters, PS_COUNTER_deadletter);
    }
}

/* ---- waiting for workers ---- */

unsigned ps_agent_told_to_stop(const struct ps_agent_patience *patience)
{
    return patience->stops != NULL ? patience->stops(patience->argument) : 0;
}

void ps_agent_rest(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* A part of a wait of control, which serves the watchdog and signals meanwhile. Complains again and again. */
static void rest_in_wait(uint64_t *said_ns, uint64_t complain_ms, const struct ps_agent_patience *patience,
                         const char *complaint)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    (void)ps_agent_told_to_stop(patience);
    if (now_ns - *said_ns >= complain_ms * PS_NS_PER_MS) {
        *said_ns = now_ns;
        ps_log(PS_LOG_WARN, "agent", "%s", complaint);
    }
    ps_agent_rest();
}

void ps_agent_await(struct ps_agent *agent, uint64_t number, uint64_t complain_ms,
                    const struct ps_agent_patience *patience, const char *complaint)
{
    uint64_t said_ns = ps_clock_now().mono_ns;
    while (!ps_engine_reached(agent->engine, number))
        rest_in_wait(&said_ns, complain_ms, patience, complaint);
}

/* ---- leaving a plan ---- */

/* Drains all stages except those that `next` takes over. Returns whether all drained in time. Gives the orders twice:
 * an idle sink of a durable channel takes more events while a source on another worker waits for room there. Every
 * source has stopped when the first orders are carried out, so a sink that is idle after the second ones stays idle. */
static bool agent_drain(struct ps_agent *agent, struct ps_plan *next, uint64_t timeout_ms,
                        const struct ps_agent_patience *patience)
{
    uint64_t began_ns = ps_clock_now().mono_ns, said_ns = began_ns;
    bool stops = false;
    uint64_t number = ps_engine_order(agent->engine, PS_PHASE_DRAIN, agent->plan, next);
    for (unsigned turn = 0;;) {
        if (ps_engine_reached(agent->engine, number)) {
            if (++turn == 2)
                return true;
            number = stops ? ps_engine_order_last_drain(agent->engine, agent->plan, next)
                           : ps_engine_order(agent->engine, PS_PHASE_DRAIN, agent->plan, next);
            continue;
        }
        uint64_t now_ns = ps_clock_now().mono_ns;
        unsigned told = ps_agent_told_to_stop(patience);
        if (now_ns - began_ns >= timeout_ms * PS_NS_PER_MS || told > 1)
            return false;
        if (told > 0 && next != NULL && !stops) {
            stops = true;
            turn = 0;
            number = ps_engine_order_last_drain(agent->engine, agent->plan, next);
            uint64_t limit_ms = (now_ns - began_ns) / PS_NS_PER_MS + LAST_DRAIN_MS;
            timeout_ms = timeout_ms < limit_ms ? timeout_ms : limit_ms;
        }
        if (now_ns - said_ns >= 2 * PS_NS_PER_S) {
            uint64_t batches = ps_engine_batches_out(agent->engine);
            said_ns = now_ns;
            ps_log(PS_LOG_INFO, "agent", "draining: %s %s not delivered yet; %s left",
                   ps_quantity_print_count(batches).text, ps_quantity_word(batches, "batch", "batches"),
                   ps_quantity_print_ns(timeout_ms * PS_NS_PER_MS - (now_ns - began_ns)).text);
        }
        ps_agent_rest();
    }
}

/* Drains, recalls and closes all stages except those that `next` takes over. Returns whether all drained in time. */
static bool agent_quiesce(struct ps_agent *agent, struct ps_plan *next, uint64_t timeout_ms,
                          const struct ps_agent_patience *patience)
{
    bool drained = agent_drain(agent, next, timeout_ms, patience);
    uint64_t number = ps_engine_order(agent->engine, PS_PHASE_RECALL, agent->plan, next);
    ps_agent_await(agent, number, PS_AGENT_ANSWER_MS, patience,
                   "a sink has not given back the events that it was sending; still waiting");
    number = ps_engine_order(agent->engine, PS_PHASE_CLOSE, agent->plan, next);
    ps_agent_await(agent, number, PS_AGENT_ANSWER_MS, patience,
                   "a component takes long to close; still waiting");
    return drained;
}

/* Waits until the threads of the channels that end have ended, without the lock: a disk or a database that does not answer
 * may keep them. */
static void halt_channels(struct ps_agent *agent, const struct ps_plan *next,
                          const struct ps_agent_patience *patience)
{
    uint64_t said_ns = ps_clock_now().mono_ns;
    while (!ps_engine_halt_channels(agent->plan, next))
        rest_in_wait(&said_ns, PS_AGENT_ANSWER_MS, patience,
                     "a channel takes long to write its last events; still waiting");
}

/* ---- reload ---- */

/* Logs at DEBUG the beginning of a phase of a reload, and the time that the phase before took. */
static void say_phase(uint64_t *began_ns, const char *phase)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    ps_log(PS_LOG_DEBUG, "agent", "reload: %s; the step before took %s", phase,
           ps_quantity_print_ns(now_ns - *began_ns).text);
    *began_ns = now_ns;
}

static void reread_spec(const struct ps_stage_spec *spec)
{
    if (spec->ops->reread != NULL)
        spec->ops->reread(spec->plan);
}

static void reread_stage(const struct ps_link *link)
{
    reread_spec(link->spec);
}

/* Returns the number of the plan's sources, channels and sinks that were taken over from the previous plan. */
static unsigned stayed_count(const struct ps_plan *plan)
{
    unsigned count = 0;
    for (size_t i = 0; i < plan->spec->source_count; i++)
        count += plan->sources[i].adopts != NULL;
    for (size_t i = 0; i < plan->spec->channel_count; i++)
        count += plan->channels[i].adopts != NULL;
    for (size_t i = 0; i < plan->spec->sink_count; i++)
        count += plan->sinks[i].adopts != NULL;
    return count;
}

/* The instances of a source share its plan, so one call for the first instance is enough. */
static void reread_source(void *, struct ps_source_runner *runner)
{
    if (runner->base.instance != 0)
        return;
    reread_spec(runner->base.spec);
    for (size_t i = 0; i < runner->links->interceptor_count; i++)
        reread_stage(&runner->links->interceptors[i]);
    reread_stage(&runner->links->selector);
}

/* Makes the stages that stay read their own files again. */
static void agent_reread(struct ps_agent *agent)
{
    for (size_t i = 0; i < agent->plan->spec->source_count; i++)
        ps_agent_each_source(agent, i, reread_source, NULL);
    for (size_t i = 0; i < agent->plan->spec->sink_count; i++)
        reread_spec(&agent->plan->spec->sinks[i].stage);
}

/* `failure` NULL: the reload succeeded. */
static void reload_note(struct ps_agent *agent, const char *failure)
{
    pthread_mutex_lock(&agent->lock);
    if (failure == NULL)
        agent->reload_count++;
    else
        agent->reload_failed_count++;
    snprintf(agent->reload_failure, sizeof agent->reload_failure, "%s", failure != NULL ? failure : "");
    for (char *end = agent->reload_failure; (end = strchr(end, '\n')) != NULL;)
        *end = ' '; /* one line of /readyz */
    pthread_mutex_unlock(&agent->lock);
}

void ps_agent_reload_failed(struct ps_agent *agent, const char *reason)
{
    reload_note(agent, reason);
}

enum ps_status ps_agent_reload_begin(struct ps_agent *agent, struct ps_agent_spec *spec,
                                     const struct ps_machine *machine, struct ps_plan **next,
                                     struct ps_err *err)
{
    *next = ps_plan_create(spec, machine, agent->plan, err);
    if (*next == NULL) {
        reload_note(agent, err->text);
        return PS_FAIL;
    }
    if (ps_plan_needs_restart(agent->plan, *next))
        ps_log(PS_LOG_WARN, "agent",
               "fewer penstock.workers, other penstock.cpus for running workers, penstock.idle and "
               "penstock.memory.budget take effect at the next start, not on a reload");
    if (ps_plan_is_same(agent->plan, *next)) {
        ps_log(PS_LOG_INFO, "agent", "reload: nothing changed in the configuration");
        ps_agent_note_dropped(agent, (*next)->spec);
        ps_plan_destroy(*next);
        *next = NULL;
        agent_reread(agent);
        pthread_mutex_lock(&agent->lock);
        agent->reload_failure[0] = '\0';
        pthread_mutex_unlock(&agent->lock);
        return PS_OK;
    }
    ps_plan_adopt(*next, agent->plan);
    (*next)->running = true;
    return PS_OK;
}

/* Adds workers. They run the old plan, which has no units for them, until `next` replaces it. */
static enum ps_status more_workers(struct ps_agent *agent, const struct ps_plan *next, struct ps_err *err)
{
    unsigned before = ps_engine_worker_count(agent->engine);
    if (next->worker_count <= before)
        return PS_OK;
    pthread_mutex_lock(&agent->lock);
    enum ps_status status = ps_engine_grow(agent->engine, next->worker_count, next->spec->options.cpus, err);
    pthread_mutex_unlock(&agent->lock);
    if (status == PS_OK)
        ps_log(PS_LOG_INFO, "agent", "workers: %u more, %u in all", next->worker_count - before,
               next->worker_count);
    return status;
}

/* Replaces the plan, which is closed, and opens `next`. The lock keeps metrics away from both until every worker has
 * the runners of `next`, which takes a cycle each. Opening may take long: meanwhile metrics show the open stages. */
static void exchange_plans(struct ps_agent *agent, struct ps_plan *next,
                           const struct ps_agent_patience *patience, struct ps_left *carried,
                           struct ps_left *lost)
{
    struct ps_plan *old = agent->plan;
    halt_channels(agent, next, patience);
    pthread_mutex_lock(&agent->lock);
    account_add(agent, &agent->past);
    ps_engine_carry_over(agent->engine, old, next, carried, lost);
    ps_plan_start(next);
    agent->past.undelivered += lost->events;
    agent->past.delivered += lost->settled;
    agent->past.duplicated += lost->doubled;
    agent->past.accepted -= lost->reread;
    agent->plan = next;
    agent->exchanging = true;
    uint64_t number = ps_engine_order(agent->engine, PS_PHASE_RUN, next, NULL);
    while (!ps_engine_taken(agent->engine, number)) {
        (void)ps_agent_told_to_stop(patience);
        ps_agent_rest();
    }
    agent->exchanging = false;
    pthread_mutex_unlock(&agent->lock);
    ps_agent_await(agent, number, OPEN_WAIT_MS, patience, "components take long to open");
    ps_plan_retire(old, next);
}

enum ps_status ps_agent_reload_end(struct ps_agent *agent, struct ps_plan *next,
                                   unsigned (*stops)(void *argument), void *argument, struct ps_err *err)
{
    const struct ps_agent_patience patience = {stops, argument};
    const struct ps_agent_options *options = &agent->plan->spec->options;
    struct ps_left carried, lost;
    bool keeps = ps_agent_keeps_every_channel(agent, next);
    /* Events that closing sources still put into a channel that is removed must be delivered in this time, or are
     * lost. */
    int64_t timeout_ms = keeps || options->drain_timeout_ms < options->reload_timeout_ms
                             ? options->reload_timeout_ms
                             : options->drain_timeout_ms;
    uint64_t began_ns = ps_clock_now().mono_ns;
    say_phase(&began_ns,
              keeps ? "every channel stays" : "sources pause until the channels that are removed are empty");
    if (more_workers(agent, next, err) != PS_OK ||
        ps_agent_empty_channels(agent, next, &patience, err) != PS_OK) {
        ps_plan_destroy(next);
        reload_note(agent, err->text);
        return PS_FAIL;
    }
    say_phase(&began_ns, "closing the components that change: each drains and gives back its events");
    agent_quiesce(agent, next, (uint64_t)timeout_ms, &patience);
    say_phase(&began_ns, "the new components open");
    ps_agent_note_dropped(agent, next->spec);
    exchange_plans(agent, next, &patience, &carried, &lost);
    say_phase(&began_ns, "the components that stay are reading their files again");
    agent_reread(agent);
    reload_note(agent, NULL);
    ps_log(PS_LOG_INFO, "agent",
           "reloaded; %s %s carried over in channels; %u of %u components stayed as they were",
           ps_quantity_print_count(carried.events).text, ps_quantity_word(carried.events, "event", "events"),
           stayed_count(next),
           (unsigned)(next->spec->source_count + next->spec->channel_count + next->spec->sink_count));
    if (lost.events > 0)
        ps_log(PS_LOG_WARN, "agent", "%s %s not delivered: given up",
               ps_quantity_print_count(lost.events).text,
               ps_quantity_word(lost.events, "event that a closing source put into a channel was",
                                "events that closing sources put into a channel were"));
    return PS_OK;
}

/* ---- stop ---- */

static void look_for_answers(void *argument, struct ps_source_runner *runner)
{
    bool *answered = argument;
    if (ps_source_runner_is_replayable(runner))
        return; /* its clients wait for no answer, and it reads undelivered events again */
    *answered &= runner->ending.answered;
}

/* Returns whether no client of a source still waits for an answer. */
static bool sources_are_done(struct ps_agent *agent)
{
    bool answered = true;
    for (size_t i = 0; i < agent->plan->spec->source_count; i++)
        ps_agent_each_source(agent, i, look_for_answers, &answered);
    return answered;
}

/* Returns the number of events in the channels, which were stripped. A channel that other programs share does not
 * count. */
static uint64_t events_kept(const struct ps_plan *plan)
{
    uint64_t kept = 0;
    for (size_t i = 0; i < plan->spec->channel_count; i++) {
        const struct ps_stage_spec *stage = &plan->channels[i].spec->stage;
        const struct ps_channel_ops *ops = stage->ops->channel;
        if (!stage->ops->shared && (ps_channel_is_durable(ops) || ps_engine_channel(ops)->save != NULL))
            kept += ps_channel_plan_left(&plan->channels[i]);
    }
    return kept;
}

void ps_agent_drain(struct ps_agent *agent, uint64_t timeout_ms, unsigned (*stops)(void *argument),
                    void *argument, struct ps_agent_account *account)
{
    const struct ps_agent_patience patience = {stops, argument};
    struct ps_left carried, lost;
    pthread_mutex_lock(&agent->lock);
    agent->stopping = true;
    pthread_mutex_unlock(&agent->lock);
    bool drained = agent_quiesce(agent, NULL, timeout_ms, &patience);
    ps_engine_save_channels(agent->plan);
    halt_channels(agent, NULL, &patience);
    pthread_mutex_lock(&agent->lock);
    account_add(agent, &agent->past);
    ps_engine_carry_over(agent->engine, agent->plan, NULL, &carried, &lost);
    *account = agent->past;
    account->undelivered += lost.events;
    account->delivered += lost.settled;
    account->duplicated += lost.doubled;
    account->reread = lost.reread;
    account->kept = events_kept(agent->plan);
    account->drained = (drained || lost.events == 0) && sources_are_done(agent);
    pthread_mutex_unlock(&agent->lock);
    uint64_t number = ps_engine_order(agent->engine, PS_PHASE_CLOSE, NULL,
                                      NULL); /* releases the leases that were given up */
    ps_agent_await(agent, number, PS_AGENT_ANSWER_MS, &patience, "a worker does not answer; still waiting");
}

void ps_agent_destroy(struct ps_agent *agent)
{
    ps_engine_destroy(agent->engine);
    ps_plan_destroy(agent->plan);
    pthread_mutex_destroy(&agent->lock);
    free(agent->dropped);
    free(agent);
}

void ps_agent_stop(struct ps_agent *agent, uint64_t timeout_ms, unsigned (*stops)(void *argument),
                   void *argument, struct ps_agent_account *account)
{
    ps_agent_drain(agent, timeout_ms, stops, argument, account);
    ps_agent_destroy(agent);
}

const struct ps_plan *ps_agent_plan(const struct ps_agent *agent)
{
    return agent->plan;
}

bool ps_agent_is_moving(const struct ps_agent *agent, uint64_t limit_ms, unsigned *worker, uint64_t *still_ns)
{
    uint64_t now_ns = ps_clock_now().mono_ns;
    for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++) {
        const struct ps_worker_stats *stats = ps_worker_stats(ps_engine_worker(agent->engine, i));
        /* A parked worker sets its heartbeat too, because it wakes at least once a second. */
        uint64_t beat_ns = __atomic_load_n(&stats->heartbeat_ns, __ATOMIC_RELAXED);
        if (beat_ns + limit_ms * PS_NS_PER_MS < now_ns) {
            *worker = i;
            *still_ns = now_ns - beat_ns;
            return false;
        }
    }
    return true;
}
