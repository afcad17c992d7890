#include "bench/suite/agent.h"
#include "bench/suite/paired.h"

#include <string.h>

#include "conf/conf.h"
#include "stages/table.h"

#define PATIENCE_S 120.0
#define LOOK_S 0.002
#define STOP_MS 10000U

struct ps_agent *ps_bench_agent_start(const char *text)
{
    char *arguments[] = {"agent", "-n", "a", "-f", "-"};
    struct ps_command command;
    struct ps_conf *conf = NULL;
    struct ps_machine machine;
    struct ps_err err = {0};
    PS_ASSERT(ps_command_parse(&command, 5, arguments, &err) == PS_OK);
    if (ps_conf_load_text(&command, ps_stages, "bench", text, strlen(text), &conf) != PS_OK)
        ps_bench_fatal("the agent does not start: its configuration has errors");
    ps_machine_read(&machine, "");
    struct ps_agent_spec *spec = ps_conf_take_spec(conf);
    struct ps_agent *agent = ps_agent_start(spec, &machine, &err);
    if (agent == NULL)
        ps_bench_fatal("the agent does not start: %s", err.text);
    ps_conf_destroy(conf);
    ps_command_fini(&command);
    return agent;
}

struct sum {
    enum ps_kind kind;
    enum ps_counter counter;
    uint64_t value;
};

static void add_component(void *argument, const struct ps_metrics_component *component)
{
    struct sum *sum = argument;
    if (component->kind == sum->kind)
        sum->value += component->counters[sum->counter];
}

static void ignore_process(void *, const struct ps_metrics_process *)
{
}

static void ignore_worker(void *, const struct ps_metrics_worker *)
{
}

uint64_t ps_bench_agent_sum(struct ps_agent *agent, enum ps_kind kind, enum ps_counter counter)
{
    struct sum sum = {.kind = kind, .counter = counter};
    struct ps_metrics_source source = ps_agent_metrics(agent);
    const struct ps_metrics_visitor visitor = {
        .argument = &sum, .process = ignore_process, .component = add_component, .worker = ignore_worker};
    source.visit(source.argument, &visitor);
    return sum.value;
}

/* Waits until the agent has delivered more than `count` events, at most PATIENCE_S. Returns how many it has. */
static uint64_t await_more_than(struct ps_agent *agent, uint64_t count)
{
    double until_s = ps_now_s() + PATIENCE_S;
    uint64_t delivered;
    while ((delivered = ps_bench_agent_delivered(agent)) <= count) {
        if (ps_now_s() > until_s)
            ps_bench_fatal("the agent delivers nothing");
        ps_sleep_s(LOOK_S);
    }
    return delivered;
}

static struct ps_agent_cost cost_of(double events, struct ps_usage before, struct ps_usage after)
{
    return (struct ps_agent_cost){.events = events,
                                  .per_second = events / (after.wall_s - before.wall_s),
                                  .per_cpu_second = events / (after.cpu_s - before.cpu_s)};
}

struct ps_agent_cost ps_bench_agent_until(struct ps_agent *agent, uint64_t events)
{
    struct ps_agent_account account;
    uint64_t first = await_more_than(agent, 0), last = first;
    struct ps_usage before = ps_usage_self();
    while (last < events)
        last = await_more_than(agent, last);
    struct ps_usage after = ps_usage_self();
    ps_agent_stop(agent, STOP_MS, NULL, NULL, &account);
    if (account.undelivered != 0 || account.accepted < events)
        ps_bench_fatal("the agent's account does not add up");
    return cost_of((double)(last - first), before, after);
}

struct ps_agent_cost ps_bench_agent_for(struct ps_agent *agent, double settle_s, double seconds)
{
    ps_sleep_s(settle_s);
    struct ps_usage before = ps_usage_self();
    uint64_t first = ps_bench_agent_delivered(agent);
    ps_sleep_s(seconds);
    struct ps_usage after = ps_usage_self();
    return cost_of((double)(ps_bench_agent_delivered(agent) - first), before, after);
}

void ps_bench_agent_stop(struct ps_agent *agent)
{
    struct ps_agent_account account;
    ps_agent_stop(agent, STOP_MS, NULL, NULL, &account);
    PS_ASSERT(account.undelivered == 0 && account.accepted == account.delivered + account.kept);
}
