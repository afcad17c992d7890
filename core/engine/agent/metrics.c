/* The agent's data for the metrics server and the dump. For the server it adds the instances up under the agent's
 * lock, so that no reload removes the plan meanwhile; for the dump it does so without the lock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/arena.h"
#include "core/flow/engine_channel.h"
#include "core/engine/agent/internal.h"

#define OUTDATED_BYTES 1024

/* The sum of one component's instances. */
struct sum {
    struct ps_metrics_component component;
    char error[256], outdated[OUTDATED_BYTES];
    struct ps_histogram latency, send_latency, batch_events;
};

static void sum_counters(struct sum *sum, const struct ps_counters *counters)
{
    for (unsigned i = 0; i < PS_COUNTER_COUNT; i++)
        sum->component.counters[i] += ps_counter_read(counters, (enum ps_counter)i);
}

/* Adds the numbers of one instance; of the times of rest and of waiting it keeps the longest. */
static void sum_look(struct sum *sum, const struct ps_runner *runner, unsigned worker, uint64_t mono_ns)
{
    struct ps_metrics_component *component = &sum->component;
    const struct ps_runner_look *look = &runner->look;
    uint64_t rests_until_ns = __atomic_load_n(&look->rests_until_ns, __ATOMIC_RELAXED);
    uint64_t waits_since_ns = __atomic_load_n(&look->waits_since_ns, __ATOMIC_RELAXED);
    uint32_t waits_for = __atomic_load_n(&look->waits_for, __ATOMIC_RELAXED);
    uint64_t wait_ns = waits_since_ns != 0 && mono_ns > waits_since_ns ? mono_ns - waits_since_ns : 0;
    component->workers |= UINT64_C(1) << worker;
    component->held += __atomic_load_n(&look->held, __ATOMIC_RELAXED);
    component->open_events += __atomic_load_n(&look->open_events, __ATOMIC_RELAXED);
    if (rests_until_ns > mono_ns && rests_until_ns - mono_ns > component->rest_ns)
        component->rest_ns = rests_until_ns - mono_ns;
    if (waits_for != PS_METRICS_WAITS_NOT && wait_ns >= component->wait_ns) {
        component->waits_for = (enum ps_metrics_wait)waits_for;
        component->wait_ns = wait_ns;
    }
}

static void sum_error(struct sum *sum, struct ps_runner *runner)
{
    pthread_mutex_lock(&runner->lock);
    memcpy(sum->error, runner->error, sizeof sum->error);
    pthread_mutex_unlock(&runner->lock);
    sum->component.error = sum->error[0] != '\0' ? sum->error : NULL;
}

/* Shows an open stage as opening while it still waits for what its `open` began. */
static void sum_opening(struct sum *sum, const struct ps_stage_spec *spec)
{
    if (spec->ops->opening == NULL || !spec->ops->opening(spec->plan, sum->error, sizeof sum->error))
        return;
    sum->component.state = PS_METRICS_OPENING;
    sum->component.lack = PS_LACK_NONE;
    sum->component.since_ms = 0; /* the text has the time */
    sum->component.error = sum->error;
}

/* Adds what an open instance lacks. The worst lack of all instances counts; the component has nothing to read only if
 * no instance has anything to read. */
static void sum_lack(struct sum *sum, struct ps_runner *runner)
{
    struct ps_metrics_component *component = &sum->component;
    enum ps_lack lack = (enum ps_lack)__atomic_load_n(&runner->lack, __ATOMIC_RELAXED);
    if (lack == PS_LACK_NONE && component->lack == PS_LACK_INPUT) {
        component->lack = PS_LACK_NONE;
        component->error = NULL;
        component->since_ms = 0;
    }
    if (lack <= component->lack || (lack == PS_LACK_INPUT && component->instances > 1))
        return;
    uint64_t began_ns = __atomic_load_n(&runner->lacking_ns, __ATOMIC_RELAXED);
    uint64_t now_ns = ps_clock_now().mono_ns;
    component->lack = lack;
    component->lack_ns = now_ns > began_ns ? now_ns - began_ns : 0;
    component->since_ms = __atomic_load_n(&runner->since_ms, __ATOMIC_RELAXED);
    sum_error(sum, runner);
}

static void sum_runner(struct sum *sum, struct ps_runner *runner)
{
    enum ps_runner_state status = ps_runner_state(runner);
    sum_counters(sum, runner->counters);
    sum_look(sum, runner, ps_worker_id(runner->worker), ps_clock_now().mono_ns);
    sum->component.instances++;
    sum->component.start_ms = __atomic_load_n(&runner->start_ms, __ATOMIC_RELAXED);
    sum->component.stop_ms = __atomic_load_n(&runner->stop_ms, __ATOMIC_RELAXED);
    bool halted = __atomic_load_n(&runner->halted, __ATOMIC_RELAXED);
    if (status == PS_RUNNER_OPEN && !halted) {
        if (sum->component.state == PS_METRICS_OPEN)
            sum_lack(sum, runner);
        sum_opening(sum, runner->spec);
        return;
    }
    sum->component.lack = PS_LACK_NONE;
    if (status != PS_RUNNER_CLOSED)
        sum->component.since_ms = __atomic_load_n(&runner->since_ms, __ATOMIC_RELAXED);
    bool closed =
        status == PS_RUNNER_CLOSED && sum->component.stop_ms > 0; /* 0: the stage opens for the first time */
    sum->component.state = status == PS_RUNNER_OPEN ? PS_METRICS_HALTED
                           : closed                 ? PS_METRICS_CLOSED
                                                    : PS_METRICS_OPENING;
    sum_error(sum, runner);
}

static void sum_source(void *argument, struct ps_source_runner *runner)
{
    struct sum *sum = argument;
    uint64_t blocked_ns = sum->component.counters[PS_COUNTER_blocked_ns];
    const struct ps_stage_spec *spec = runner->base.spec;
    sum_runner(sum, &runner->base);
    if (spec->ops->outdated != NULL && spec->ops->outdated(spec->plan, sum->outdated, sizeof sum->outdated))
        sum->component.outdated = sum->outdated;
    sum->component.counters[PS_COUNTER_blocked_ns] = blocked_ns + ps_source_runner_blocked_ns(runner, 0);
    ps_histogram_add(&sum->batch_events, runner->batch_events);
    sum->component.batch_events = &sum->batch_events;
}

static struct sum *sum_begin(struct sum *sum, const struct ps_stage_spec *spec, int64_t start_ms)
{
    memset(sum, 0, sizeof *sum);
    sum->component.kind = spec->ops->kind;
    sum->component.name = spec->name;
    sum->component.type = spec->ops->name;
    sum->component.start_ms = start_ms;
    sum->component.extra = spec->ops->counters;
    sum->component.extra_help = spec->ops->counter_helps;
    sum->component.json_counters = spec->ops->json_counters;
    sum->component.state = PS_METRICS_OPEN;
    return sum;
}

/* ---- numbers with a label: of the stages of a chain ---- */

struct series_list {
    struct ps_arena *arena;
    struct ps_series *items;
    size_t count;
};

static void series_add(void *argument, const struct ps_series *series)
{
    struct series_list *list = argument;
    list->items = ps_arena_grow(list->arena, list->items, list->count, sizeof *list->items);
    struct ps_series *item = &list->items[list->count++];
    *item = *series;
    /* Copied, because the stage may free its text after `add`, for example when a rule is removed. */
    item->label_value = ps_arena_text(list->arena, series->label_value);
}

static void visit_link(const struct ps_link *link, const char *name, const struct ps_metrics_visitor *visitor)
{
    const struct ps_stage_ops *ops = link->spec->ops;
    char outdated[OUTDATED_BYTES], opening[OUTDATED_BYTES];
    if (ops->series == NULL && ops->outdated == NULL && ops->opening == NULL)
        return;
    bool is_opening = ops->opening != NULL && ops->opening(link->spec->plan, opening, sizeof opening);
    bool is_outdated = ops->outdated != NULL && ops->outdated(link->spec->plan, outdated, sizeof outdated);
    struct series_list list = {.arena = ps_arena_create()};
    if (ops->series != NULL)
        ops->series(link->spec->plan, series_add, &list);
    struct ps_metrics_component component = {.kind = ops->kind,
                                             .name = name,
                                             .type = ops->name,
                                             .instances = 1,
                                             .state = is_opening ? PS_METRICS_OPENING : PS_METRICS_OPEN,
                                             .error = is_opening ? opening : NULL,
                                             .outdated = is_outdated ? outdated : NULL,
                                             .series = list.items,
                                             .series_count = list.count};
    visitor->component(visitor->argument, &component);
    ps_arena_destroy(list.arena);
}

struct links_visit {
    const struct ps_metrics_visitor *visitor;
    bool done; /* the plan is shared: the data of one instance covers all */
};

static void visit_links(void *argument, struct ps_source_runner *runner)
{
    struct links_visit *visit = argument;
    if (visit->done)
        return;
    visit->done = true;
    const struct ps_links *links = runner->links;
    for (size_t i = 0; i < links->interceptor_count; i++) {
        char name[256];
        snprintf(name, sizeof name, "%s/%s", runner->base.spec->name, links->interceptors[i].spec->name);
        visit_link(&links->interceptors[i], name, visit->visitor);
    }
    visit_link(&links->selector, runner->base.spec->name, visit->visitor);
}

static void visit_channel(const struct ps_agent *agent, const struct ps_channel_plan *channel,
                          const struct ps_metrics_visitor *visitor)
{
    struct sum sum;
    sum_begin(&sum, &channel->spec->stage, agent->start_ms);
    for (unsigned i = 0; i < channel->producer_count + channel->consumer_count; i++)
        sum_counters(&sum, &channel->counters[i]);
    sum.component.instances = 1;
    char trouble[OUTDATED_BYTES];
    const struct ps_channel_ops *ops = channel->spec->stage.ops->channel;
    ops->fill(channel->spec->stage.plan, &sum.component.fill);
    if (ops->trouble != NULL && ops->trouble(channel->spec->stage.plan, trouble, sizeof trouble))
        sum.component.outdated = trouble;
    struct series_list list = {.arena = ps_arena_create()};
    const struct ps_stage_spec *stage = &channel->spec->stage;
    if (stage->ops->series != NULL)
        stage->ops->series(stage->plan, series_add, &list);
    sum.component.series = list.items;
    sum.component.series_count = list.count;
    visitor->component(visitor->argument, &sum.component);
    ps_arena_destroy(list.arena);
}

static void visit_channel_of(const struct ps_agent_spec *spec, const struct ps_stage_spec *stage,
                             unsigned channel, const struct ps_metrics_visitor *visitor)
{
    const struct ps_metrics_link link = {stage->ops->kind, stage->name, spec->channels[channel].stage.name};
    if (visitor->link != NULL)
        visitor->link(visitor->argument, &link);
}

static void visit_rings(const struct ps_channel_plan *channel, const struct ps_metrics_visitor *visitor)
{
    const struct ps_stage_spec *stage = &channel->spec->stage;
    const struct ps_engine_channel_ops *ops = ps_engine_channel(stage->ops->channel);
    if (visitor->ring == NULL || ops->ring == NULL)
        return;
    for (unsigned i = 0; i < channel->producer_count; i++) {
        struct ps_fill fill;
        ops->ring(stage->plan, i, &fill);
        struct ps_metrics_ring ring = {
            .channel = stage->name,
            .producer = i,
            .consumer = channel->consumer_count > 0 ? channel->consumer_workers[0] : 0,
            .size = fill.size,
            .capacity = fill.capacity,
        };
        visitor->ring(visitor->argument, &ring);
    }
}

/* `ordered`: the number of the last orders that the worker was given; 0: unknown, because only the control thread may read it. */
static void visit_worker(struct ps_agent *agent, unsigned id, uint64_t ordered,
                         const struct ps_metrics_visitor *visitor)
{
    struct ps_worker *worker = ps_engine_worker(agent->engine, id);
    const struct ps_worker_stats *stats = ps_worker_stats(worker);
    uint64_t up_ns = ps_clock_now().mono_ns - agent->start_mono_ns;
    struct ps_metrics_worker seen = {
        .id = id,
        .cpu = ps_worker_cpu(worker),
        .cycles = __atomic_load_n(&stats->cycles, __ATOMIC_RELAXED),
        .busy_ns = __atomic_load_n(&stats->busy_ns, __ATOMIC_RELAXED),
        .cycle_max_ns = __atomic_load_n(&stats->cycle_max_ns, __ATOMIC_RELAXED),
        .slow_cycles = __atomic_load_n(&stats->slow_cycles, __ATOMIC_RELAXED),
        .parked_count = __atomic_load_n(&stats->parked_count, __ATOMIC_RELAXED),
        .wake_count = __atomic_load_n(&stats->wakes, __ATOMIC_RELAXED),
        .heartbeat_ns = __atomic_load_n(&stats->heartbeat_ns, __ATOMIC_RELAXED),
        .parked = __atomic_load_n(&stats->parked, __ATOMIC_RELAXED) != 0,
        .memory_waits = __atomic_load_n(&stats->memory_waits, __ATOMIC_RELAXED),
        .doing = __atomic_load_n(&stats->doing, __ATOMIC_RELAXED),
        .behind = ps_worker_done_number(worker) < ordered,
        .batches_out = ps_pool_out_count(ps_worker_pool(worker)),
        .blocks_cached =
            __atomic_load_n(&ps_pool_cache(ps_worker_pool(worker))->free_count, __ATOMIC_RELAXED),
    };
    seen.idle_ns = up_ns > seen.busy_ns ? up_ns - seen.busy_ns : 0;
    visitor->worker(visitor->argument, &seen);
}

void ps_agent_note_dropped(struct ps_agent *agent, const struct ps_agent_spec *spec)
{
    char *text = spec->dropped != NULL ? ps_must_copy_text(spec->dropped, "an agent") : NULL;
    pthread_mutex_lock(&agent->lock);
    free(agent->dropped);
    agent->dropped = text;
    agent->cut = spec->cut;
    pthread_mutex_unlock(&agent->lock);
}

static const char *phase_word(enum ps_phase phase)
{
    static const char *const words[] = {
        [PS_PHASE_RUN] = "run",       [PS_PHASE_PAUSE] = "pause", [PS_PHASE_DRAIN] = "drain",
        [PS_PHASE_RECALL] = "recall", [PS_PHASE_CLOSE] = "close",
    };
    return words[phase];
}

static void visit_process(struct ps_agent *agent, const char *orders,
                          const struct ps_metrics_visitor *visitor)
{
    const struct ps_agent_spec *spec = agent->plan->spec;
    struct ps_metrics_process process = {
        .agent = spec->name,
        .start_ms = agent->start_ms,
        .budget_bytes = agent->plan->memory_budget_bytes,
        .used_bytes = ps_depot_used_bytes(ps_engine_depot(agent->engine)),
        .reload_count = agent->reload_count,
        .reload_failed_count = agent->reload_failed_count,
        .reload_failure = agent->reload_failure[0] != '\0' ? agent->reload_failure : NULL,
        .dropped = agent->dropped,
        .cut = agent->cut,
        .stall_limit_ns = (uint64_t)spec->options.ready_stall_ms * PS_NS_PER_MS,
        .stopping = agent->stopping,
        .orders = orders,
        .exchanging = agent->exchanging,
    };
    visitor->process(visitor->argument, &process);
}

static void visit_source(struct ps_agent *agent, size_t i, const struct ps_metrics_visitor *visitor)
{
    struct sum sum;
    ps_agent_each_source(agent, i, sum_source, sum_begin(&sum, &agent->plan->spec->sources[i].stage, 0));
    visitor->component(visitor->argument, &sum.component);
    ps_agent_each_source(agent, i, visit_links, &(struct links_visit){visitor, false});
    const struct ps_source_spec *spec = &agent->plan->spec->sources[i];
    for (size_t k = 0; k < spec->channel_count; k++)
        visit_channel_of(agent->plan->spec, &spec->stage, spec->channels[k], visitor);
}

/* Adds the sink's role in its group. */
static void sum_member(struct sum *sum, const struct ps_sink_runner *runner, uint64_t mono_ns)
{
    uint64_t until_ns = __atomic_load_n(&runner->penalised_until_ns, __ATOMIC_RELAXED);
    sum->component.group = runner->spec->group->name;
    sum->component.member = (enum ps_metrics_member)__atomic_load_n(&runner->member_state, __ATOMIC_RELAXED);
    sum->component.penalty_ns = until_ns > mono_ns ? until_ns - mono_ns : 0;
}

/* A sink that is closed only to give back what it holds counts as open: its failures in a row tell how it is. */
static void sum_setback(struct sum *sum, struct ps_sink_runner *runner)
{
    if (!__atomic_load_n(&runner->gives_back, __ATOMIC_RELAXED) || sum->component.state == PS_METRICS_OPEN)
        return;
    sum->component.state = PS_METRICS_OPEN;
    sum->component.stop_ms = 0;
    sum->component.since_ms = 0;
    sum_lack(sum, &runner->base);
}

static void sum_trouble(struct sum *sum, struct ps_sink_runner *runner)
{
    sum->component.trouble_count = __atomic_load_n(&runner->trouble_count, __ATOMIC_RELAXED);
    sum->component.stuck_ms = __atomic_load_n(&runner->stuck.since_ms, __ATOMIC_RELAXED);
    if ((sum->component.trouble_count > 0 || sum->component.stuck_ms != 0) && sum->component.error == NULL)
        sum_error(sum, &runner->base);
}

static void visit_sink(struct ps_agent *agent, size_t i, const struct ps_metrics_visitor *visitor)
{
    struct sum sum;
    struct ps_sink_runner *runner = ps_agent_sink(agent, i);
    sum_begin(&sum, &agent->plan->spec->sinks[i].stage, 0);
    if (runner != NULL && runner->spec->group != NULL)
        sum_member(&sum, runner, ps_clock_now().mono_ns);
    if (runner != NULL) {
        sum_runner(&sum, &runner->base);
        sum_setback(&sum, runner);
        sum_trouble(&sum, runner);
        sum.component.stalled_ns = ps_sink_runner_stalled_ns(runner, ps_clock_now().mono_ns);
        ps_histogram_add(&sum.latency, &runner->latency);
        sum.component.latency_ns = &sum.latency;
        ps_histogram_add(&sum.send_latency, &runner->send_latency);
        if (sum.send_latency.count > 0)
            sum.component.send_latency_ns = &sum.send_latency;
    }
    visitor->component(visitor->argument, &sum.component);
    const struct ps_sink_spec *spec = &agent->plan->spec->sinks[i];
    visit_channel_of(agent->plan->spec, &spec->stage, spec->channel, visitor);
}

/* `runners`: whether it may visit sources and sinks. */
static void visit_parts(struct ps_agent *agent, bool runners, const struct ps_metrics_visitor *visitor)
{
    const struct ps_agent_spec *spec = agent->plan->spec;
    for (size_t i = 0; runners && i < spec->source_count; i++)
        visit_source(agent, i, visitor);
    for (size_t i = 0; i < spec->channel_count; i++)
        visit_channel(agent, &agent->plan->channels[i], visitor);
    for (size_t i = 0; i < spec->channel_count; i++)
        visit_rings(&agent->plan->channels[i], visitor);
    for (size_t i = 0; runners && i < spec->sink_count; i++)
        visit_sink(agent, i, visitor);
}

static void agent_visit(void *argument, const struct ps_metrics_visitor *visitor)
{
    struct ps_agent *agent = argument;
    pthread_mutex_lock(&agent->lock);
    visit_process(agent, NULL, visitor);
    visit_parts(agent, true, visitor);
    for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++)
        visit_worker(agent, i, 0, visitor);
    pthread_mutex_unlock(&agent->lock);
}

/* Only the control thread changes the data that this reads, except the workers' counters. */
static void agent_look(void *argument, const struct ps_metrics_visitor *visitor)
{
    struct ps_agent *agent = argument;
    enum ps_phase phase;
    uint64_t ordered = ps_engine_ordered(agent->engine, &phase);
    visit_process(agent, phase_word(phase), visitor);
    for (unsigned i = 0; i < ps_engine_worker_count(agent->engine); i++)
        visit_worker(agent, i, ordered, visitor);
    visit_parts(agent, !agent->exchanging, visitor);
}

/* A search for the taps of one name. */
struct tap_search {
    const char *name;
    void (*look)(void *argument, struct ps_tap *tap);
    void *argument;
    unsigned count;
};

static void tap_found(struct tap_search *search, struct ps_tap *tap)
{
    search->look(search->argument, tap);
    search->count++;
}

/* Returns the text after `part` and a dot in `name`, or NULL. */
static const char *name_behind(const char *name, const char *part)
{
    size_t length = strlen(part);
    return strncmp(name, part, length) == 0 && name[length] == '.' ? name + length + 1 : NULL;
}

/* "r1": the events that the source makes; "r1.i1": the events that leave its interceptor i1; "r1.i1.before": the events
 * that enter i1. */
static void source_taps(void *argument, struct ps_source_runner *runner)
{
    struct tap_search *search = argument;
    const struct ps_links *links = runner->links;
    const char *source = runner->plan->spec->stage.name, *rest = name_behind(search->name, source);
    struct ps_tap *before = runner->base.tap;
    if (strcmp(search->name, source) == 0)
        tap_found(search, before);
    for (size_t i = 0; rest != NULL && i < links->interceptor_count; i++) {
        const struct ps_link *link = &links->interceptors[i];
        const char *last = name_behind(rest, link->spec->name);
        if (strcmp(rest, link->spec->name) == 0)
            tap_found(search, link->tap);
        else if (last != NULL && strcmp(last, "before") == 0)
            tap_found(search, before);
        before = link->tap;
    }
}

/* Finds the taps of the channel or sink of this name (a channel's tap sees the events that its sinks take), else
 * those of the source or interceptor of this name. */
static unsigned agent_taps(void *argument, const char *name, void (*look)(void *argument, struct ps_tap *tap),
                           void *look_argument)
{
    struct ps_agent *agent = argument;
    struct tap_search search = {.name = name, .look = look, .argument = look_argument};
    pthread_mutex_lock(&agent->lock);
    const struct ps_agent_spec *spec = agent->plan->spec;
    for (size_t i = 0; i < spec->sink_count; i++) {
        struct ps_sink_runner *runner = ps_agent_sink(agent, i);
        bool named = strcmp(spec->sinks[i].stage.name, name) == 0 ||
                     strcmp(spec->channels[spec->sinks[i].channel].stage.name, name) == 0;
        if (runner != NULL && named)
            tap_found(&search, runner->base.tap);
    }
    for (size_t i = 0; search.count == 0 && i < spec->source_count; i++)
        if (strcmp(spec->sources[i].stage.name, name) == 0 || name_behind(name, spec->sources[i].stage.name))
            ps_agent_each_source(agent, i, source_taps, &search);
    pthread_mutex_unlock(&agent->lock);
    return search.count;
}

struct ps_metrics_source ps_agent_metrics(struct ps_agent *agent)
{
    return (struct ps_metrics_source){.argument = agent, .visit = agent_visit, .taps = agent_taps};
}

struct ps_metrics_source ps_agent_look(struct ps_agent *agent)
{
    return (struct ps_metrics_source){.argument = agent, .visit = agent_look};
}
