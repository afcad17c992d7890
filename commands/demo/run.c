#include "commands/demo/run.h"
#include "bench/support/measure.h"
#include "core/quantity.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_AGAIN_S 5.0
#define READY_S 20.0  /* how long verify may take to open its topics */
#define SETTLE_S 10.0 /* longest time without arrivals after the last event was due */
#define END_MS 5000U
#define WARM_RATE_MAX 100000UL
#define WARM_S 1U
#define DRAIN_S 10.0
#define QUIET_S 0.3

/* One event in ten has severity 3 and is routed to "errors"; the others have severity 6 and are routed to
 * "rest". */
static const char event[] = "<{choice:11=1,14=9}>{time:rfc3164,zone=local} quickstart demo: {stamp} GET "
                            "/index.html 200, took {int:1..99,width=2} ms, from the cache";

/* ---- load ---- */

enum ps_status demo_load_start(struct ps_process *load, const struct demo *demo,
                               const struct demo_agent *agent, const struct demo_load *wish,
                               struct ps_err *err)
{
    char target[64], rate[32], connections[32], duration[32], settle[32];
    const char *arguments[PS_PROCESS_ARGUMENTS_MAX] = {
        "load",          "--json",    "--target",   target,
        "--connections", connections, "--template", event,
        "--rate",        rate,        "--pace",     "sleep" /* leaves the CPUs to the agent */,
        "--settle",      settle};
    unsigned count = 14;
    snprintf(target, sizeof target, "tcp://127.0.0.1:%u", agent->port);
    snprintf(rate, sizeof rate, "%lu", wish->rate);
    snprintf(connections, sizeof connections, "%lu", demo->connections);
    snprintf(duration, sizeof duration, "%lus", wish->seconds);
    snprintf(settle, sizeof settle, "%lus", demo->seconds * 10 + 60);
    if (wish->seconds > 0) {
        arguments[count++] = "--duration";
        arguments[count++] = duration;
    }
    if (wish->manifest != NULL) {
        arguments[count++] = "--manifest";
        arguments[count++] = wish->manifest;
    }
    if (wish->quiet)
        arguments[count++] = "--quiet";
    return ps_process_start(load, NULL, arguments, wish->log, wish->quiet, err);
}

/* Waits until the agent has delivered all it accepted, or makes no progress. */
static void drain(const struct demo *demo, const struct demo_agent *agent)
{
    struct demo_agent_look look;
    double delivered = -1, moved_s = ps_now_s(), end_s = moved_s + DRAIN_S;
    while (ps_now_s() < end_s && *demo->interrupts == 0 && demo_agent_look(agent, &look)) {
        if (look.delivered > delivered)
            moved_s = ps_now_s();
        delivered = look.delivered;
        if (look.waiting <= 0 && ps_now_s() - moved_s > QUIET_S)
            return;
        ps_sleep_s(0.05);
    }
}

enum ps_status demo_warm_up(const struct demo *demo, const struct demo_agent *agent, struct ps_err *err)
{
    char log[DEMO_PATH_BYTES];
    struct ps_process load = {.out = -1};
    demo_path(demo, "warm.log", log);
    struct demo_load wish = {.rate = demo->rate < WARM_RATE_MAX ? demo->rate : WARM_RATE_MAX,
                             .seconds = WARM_S,
                             .log = log,
                             .quiet = true};
    enum ps_status status = demo_load_start(&load, demo, agent, &wish, err);
    double end_s = ps_now_s() + WARM_S + DRAIN_S + READY_S;
    while (status == PS_OK && ps_process_runs(&load) && ps_now_s() < end_s && *demo->interrupts == 0)
        ps_sleep_s(0.02);
    bool slow = status == PS_OK && ps_process_runs(&load);
    ps_process_end(&load, END_MS);
    if (status == PS_OK && *demo->interrupts > 0)
        status = ps_err_set(err, "interrupted");
    else if (status == PS_OK && slow)
        status = ps_err_set(err, "the agent does not take any events");
    else if (status == PS_OK && ps_process_exit_code(&load) != 0 && ps_process_exit_code(&load) != 3) {
        status = ps_err_set(err, "the agent cannot be loaded");
        ps_process_explain(&load, "load", err);
    }
    if (status == PS_OK)
        drain(demo, agent);
    unlink(log);
    return status;
}

/* ---- lines from load and verify ---- */

static double number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : 0;
}

static uint64_t count(const json_t *object, const char *key)
{
    json_int_t value = json_integer_value(json_object_get(object, key));
    return value > 0 ? (uint64_t)value : 0;
}

static bool is_type(const json_t *object, const char *wanted)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type != NULL && strcmp(type, wanted) == 0;
}

static void load_line(struct demo_run *run, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    if (is_type(object, "progress") && run->begin_s <= 0)
        run->begin_s = ps_now_s() - number(object, "t");
    if (is_type(object, "progress") || is_type(object, "summary"))
        run->sent = count(object, "sent");
    if (is_type(object, "summary") && run->loaded == NULL)
        run->loaded = json_incref(object);
    json_decref(object);
}

/* An agent that does not answer is not asked again for a while: each attempt takes two seconds. */
static void poll_agent(struct demo_run *run)
{
    struct demo_agent_look look;
    if (ps_now_s() < run->look_again_s)
        return;
    if (demo_agent_look(run->agent, &look))
        run->last = look;
    else
        run->look_again_s = ps_now_s() + LOOK_AGAIN_S;
}

/* Handles a line of verify for one second. Reads the agent's input counters at this moment too, so that both figures
 * belong together. */
static void second_line(struct demo_run *run, const json_t *progress)
{
    double t = number(progress, "t"), cpu_s = demo_agent_cpu_s(run->agent);
    uint64_t received = count(progress, "received");
    bool moved = received > run->received;
    poll_agent(run);
    double in = run->last.accepted - run->before.accepted, cpu_share = (cpu_s - run->cpu_line_s) * 100;
    run->received = received;
    run->cpu_line_s = cpu_s;
    if (moved) {
        run->moved_s = ps_now_s();
        run->cpu_s = cpu_s;
    }
    if (t - run->line_s < 0.5 || (in <= 0 && received == 0))
        return; /* the line is about the incomplete last second, or the run has not begun */
    run->line_s = t;
    if (!moved && run->loaded != NULL && received >= run->sent)
        return; /* everything has arrived: verify waits another second for duplicates */
    printf("%4u s   in %11s   delivered %11s   %9s   agent CPU %3.0f %%   channels %.1f %% %.1f %%\n",
           ++run->lines, ps_quantity_print_count(in > 0 ? (uint64_t)in : 0).text,
           ps_quantity_print_count(received).text, ps_quantity_print_rate(number(progress, "rate")).text,
           cpu_share > 0 ? cpu_share : 0, run->last.fills[0], run->last.fills[1]);
    fflush(stdout);
}

static void verify_line(struct demo_run *run, const char *line)
{
    json_t *object = json_loads(line, 0, NULL);
    if (is_type(object, "ready"))
        run->ready_s = run->moved_s = ps_now_s();
    else if (is_type(object, "progress"))
        second_line(run, object);
    else if (is_type(object, "summary") && run->verified == NULL)
        run->verified = json_incref(object);
    json_decref(object);
}

/* Waits at most 100 ms for lines of load and verify. Handles the lines of load that have come, and one of verify. */
static void take_lines(struct demo_run *run)
{
    struct pollfd ready[2] = {{.fd = run->load.out, .events = POLLIN},
                              {.fd = run->verify.out, .events = POLLIN}};
    const char *line;
    poll(ready, 2, 100);
    while (run->load.log[0] != '\0' && (line = ps_process_line(&run->load)) != NULL)
        load_line(run, line);
    if (run->verify.log[0] != '\0' && (line = ps_process_line(&run->verify)) != NULL)
        verify_line(run, line); /* one line at a time, because handling a line may take long */
}

/* ---- the run ---- */

static enum ps_status start_verify(struct demo_run *run, struct ps_err *err)
{
    char from[512], idle[32];
    const char *arguments[] = {"verify", "--json",     "--from",      from, "--idle",
                               idle,     "--manifest", run->manifest, NULL};
    snprintf(from, sizeof from, "kafka://%s/%s,%s?offset=latest", run->demo->brokers, demo_topics[0],
             demo_topics[1]);
    snprintf(idle, sizeof idle, "%.0fs", SETTLE_S);
    if (ps_process_start(&run->verify, NULL, arguments, run->verify_log, false, err) != PS_OK)
        return PS_FAIL;
    double end_s = ps_now_s() + READY_S;
    while (run->ready_s <= 0 && run->verify.out >= 0 && ps_now_s() < end_s && *run->demo->interrupts == 0)
        take_lines(run);
    if (run->ready_s > 0)
        return PS_OK;
    ps_err_set(err, *run->demo->interrupts > 0 ? "interrupted" : "the verifier did not start");
    ps_process_explain(&run->verify, "it", err);
    return PS_FAIL;
}

/* The first SIGTERM lets load send what is due; a second one ends it immediately. */
static void tell_load(struct demo_run *run, unsigned times)
{
    while (run->told < times && ps_process_runs(&run->load)) {
        kill(run->load.pid, SIGTERM);
        run->told++;
        ps_sleep_s(0.05); /* two pending SIGTERM would be delivered as one */
    }
}

/* Waits until verify has printed its summary. */
static enum ps_status watch(struct demo_run *run, struct ps_err *err)
{
    const struct demo *demo = run->demo;
    while (run->verify.out >= 0) {
        take_lines(run);
        double now_s = ps_now_s();
        bool over = run->begin_s > 0 && now_s > run->begin_s + (double)demo->seconds;
        if (*demo->interrupts > 1)
            return ps_err_set(err, "interrupted");
        if (*demo->interrupts > 0)
            tell_load(run, 1);
        if (run->verified == NULL && !demo_agent_runs(run->agent))
            return ps_err_set(err, "the agent ended");
        if (run->load.out < 0 && run->loaded == NULL) {
            ps_err_set(err, "the generator ended");
            ps_process_explain(&run->load, "it", err);
            return PS_FAIL;
        }
        if (over && run->loaded == NULL && now_s - run->moved_s > SETTLE_S)
            tell_load(run, 2); /* the agent no longer accepts events */
        if (run->loaded != NULL && now_s - run->moved_s > 3 * SETTLE_S && ps_process_runs(&run->verify))
            kill(run->verify.pid, SIGTERM);
    }
    if (run->verified != NULL)
        return PS_OK;
    ps_err_set(err, "the verifier ended");
    ps_process_explain(&run->verify, "it", err);
    return PS_FAIL;
}

/* Called when the run ends early: asks both processes for their summaries. */
static void conclude(struct demo_run *run)
{
    tell_load(run, 2);
    double end_s = ps_now_s() + END_MS / 1000.0;
    while (run->loaded == NULL && run->load.out >= 0 && ps_now_s() < end_s)
        take_lines(run);
    if (ps_process_runs(&run->verify))
        kill(run->verify.pid, SIGTERM);
    end_s = ps_now_s() + END_MS / 1000.0;
    while (run->verified == NULL && run->verify.out >= 0 && ps_now_s() < end_s)
        take_lines(run);
}

enum ps_status demo_run_measure(struct demo_run *run, const struct demo *demo, struct demo_agent *agent,
                                struct ps_err *err)
{
    *run = (struct demo_run){.demo = demo, .agent = agent, .load.out = -1, .verify.out = -1};
    demo_path(demo, "manifest.json", run->manifest);
    demo_path(demo, "load.log", run->load_log);
    demo_path(demo, "verify.log", run->verify_log);
    if (start_verify(run, err) != PS_OK)
        return PS_FAIL;
    if (!demo_agent_look(agent, &run->before))
        return ps_err_set(err, "the agent's metrics server does not answer");
    run->last = run->before;
    run->cpu_begin_s = run->cpu_line_s = run->cpu_s = demo_agent_cpu_s(agent);
    struct demo_load wish = {
        .rate = demo->rate, .seconds = demo->seconds, .manifest = run->manifest, .log = run->load_log};
    enum ps_status status = demo_load_start(&run->load, demo, agent, &wish, err);
    if (status == PS_OK)
        status = watch(run, err);
    if (status != PS_OK || run->loaded == NULL)
        conclude(run);
    ps_process_end(&run->load, END_MS);
    ps_process_end(&run->verify, END_MS);
    return status;
}

void demo_run_fini(struct demo_run *run)
{
    ps_process_end(&run->load, END_MS);
    ps_process_end(&run->verify, END_MS);
    json_decref(run->loaded);
    json_decref(run->verified);
}

/* ---- the account ---- */

static uint64_t damaged(const json_t *verified)
{
    return count(verified, "corrupted") + count(verified, "cut") + count(verified, "broken");
}

/* Prints the lines that only some runs have. */
static void summary_rest(const struct demo_run *run)
{
    const json_t *verified = run->verified;
    const char *lossy = json_string_value(json_object_get(verified, "lossy_far_end"));
    const char *unsure = json_string_value(json_object_get(verified, "incomplete_because"));
    uint64_t due = count(run->loaded, "due"), sent = count(run->loaded, "sent");
    if (run->loaded != NULL && due > sent)
        printf("  not taken   %15s events that were due and could not be sent\n",
               ps_quantity_print_count(due - sent).text);
    if (damaged(verified) > 0)
        printf("  corrupted   %15s\n", ps_quantity_print_count(damaged(verified)).text);
    if (count(verified, "foreign") > 0)
        printf("  foreign     %15s records that are not events of this run\n",
               ps_quantity_print_count(count(verified, "foreign")).text);
    if (lossy != NULL)
        printf("\nNot verified: the embedded broker keeps only about 5 MiB of a partition: %s.\n"
               "Try a lower --rate.\n",
               lossy);
    else if (unsure != NULL)
        printf("\nNot verified: %s.\n", unsure);
}

/* Returns the seconds from the first event due to the last one delivered. */
static double run_seconds(const struct demo_run *run)
{
    const json_t *last = json_object_get(run->verified, "last_arrival");
    if (run->begin_s > 0 && json_is_number(last))
        return run->ready_s + json_number_value(last) - run->begin_s;
    return number(run->loaded, "seconds");
}

void demo_run_summary(const struct demo_run *run)
{
    const json_t *verified = run->verified, *latency = json_object_get(verified, "latency_ns");
    double seconds = run_seconds(run), cpu_s = run->cpu_s - run->cpu_begin_s;
    uint64_t delivered = verified != NULL ? count(verified, "received") : run->received;
    printf("\n  sent        %15s events over %s connections in %s\n", ps_quantity_print_count(run->sent).text,
           ps_quantity_print_count(run->demo->connections).text, ps_quantity_print_s(seconds).text);
    printf("  delivered   %15s\n", ps_quantity_print_count(delivered).text);
    if (json_is_integer(json_object_get(verified, "lost")))
        printf("  lost        %15s\n", ps_quantity_print_count(count(verified, "lost")).text);
    else
        printf("  lost        %15s (at least %s)\n", "unknown",
               ps_quantity_print_count(count(verified, "lost_at_least")).text);
    printf("  duplicated  %15s\n", ps_quantity_print_count(count(verified, "duplicated")).text);
    printf("  reordered   %15s\n", ps_quantity_print_count(count(verified, "reordered")).text);
    printf("  rate        %24s (%s)\n",
           ps_quantity_print_event_rate(seconds > 0 ? (double)delivered / seconds : 0).text,
           json_is_false(json_object_get(run->loaded, "held")) ? "less than the generator's --rate"
                                                               : "the generator's --rate");
    printf("  CPU         %15s events per CPU-second of the agent (%s used)\n",
           ps_quantity_print_count(cpu_s > 0 ? (uint64_t)((double)delivered / cpu_s) : 0).text,
           ps_quantity_print_s(cpu_s).text);
    printf("  latency     p50 %s, p99 %s, p99.9 %s, max %s, from the time an event was due to its reading at "
           "the far end\n",
           ps_quantity_print_s(number(latency, "p50") / 1e9).text,
           ps_quantity_print_s(number(latency, "p99") / 1e9).text,
           ps_quantity_print_s(number(latency, "p99.9") / 1e9).text,
           ps_quantity_print_s(number(latency, "max") / 1e9).text);
    summary_rest(run);
}

int demo_run_code(const struct demo_run *run)
{
    if (run->loaded == NULL || run->verified == NULL || count(run->verified, "foreign") > 0)
        return 2;
    uint64_t code = count(run->verified, "exit_code");
    if (code == 0 && count(run->loaded, "due") > count(run->loaded, "sent"))
        return 1;
    return (int)code;
}
