#include "bench/suite/agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/conf.h"
#include "stages/table.h"

static _Noreturn void fatal(const char *what)
{
    fprintf(stderr, "bench: the agent does not start: %s\n", what);
    exit(1);
}

struct ps_agent *ps_bench_agent_start(const char *text)
{
    char *arguments[] = {"agent", "-n", "a", "-f", "-"};
    struct ps_command command;
    struct ps_conf *conf = NULL;
    struct ps_machine machine;
    struct ps_err err = {0};
    PS_ASSERT(ps_command_parse(&command, 5, arguments, &err) == PS_OK);
    if (ps_conf_load_text(&command, ps_stages, "bench", text, strlen(text), &conf) != PS_OK)
        fatal("its configuration has errors");
    ps_machine_read(&machine, "");
    struct ps_agent_spec *spec = ps_conf_take_spec(conf);
    struct ps_agent *agent = ps_agent_start(spec, &machine, &err);
    if (agent == NULL)
        fatal(err.text);
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
