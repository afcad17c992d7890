/* penstock demo: runs the main use case on one machine. Starts a broker (librdkafka's mock cluster), a real
 * `penstock agent`, `penstock verify` at the far end and `penstock load`, prints a line each second, and
 * accounts for every event at the end. */
#include "commands/demo/demo.h"
#include "bench/support/measure.h"
#include "commands/commands.h"
#include "commands/line/line.h"
#include "commands/interrupts.h"
#include "commands/demo/agent.h"
#include "commands/demo/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define START_S 20.0 /* how long the broker may take to come up */
#define END_MS 3000U
#define KEEP_RATE 10U /* events a second while held open */

const char *const demo_topics[DEMO_TOPICS] = {"quickstart.errors", "quickstart.rest"};

void demo_path(const struct demo *demo, const char *name, char path[DEMO_PATH_BYTES])
{
    snprintf(path, DEMO_PATH_BYTES, "%s/%s", demo->directory, name);
}

/* ---- the other processes and files ---- */

static enum ps_status directory_make(struct demo *demo, struct ps_err *err)
{
    const char *temporary = getenv("TMPDIR");
    snprintf(demo->directory, sizeof demo->directory, "%s/penstock-demo-XXXXXX",
             temporary != NULL && strlen(temporary) < 32 ? temporary : "/tmp");
    if (mkdtemp(demo->directory) != NULL)
        return PS_OK;
    ps_err_set(err, "cannot make %s: %s", demo->directory, strerror(errno));
    demo->directory[0] = '\0';
    return PS_FAIL;
}

static void directory_remove(const struct demo *demo)
{
    static const char *const names[] = {"agent.log",  "broker.log",    "load.log",
                                        "verify.log", "manifest.json", "keep.log"};
    char path[DEMO_PATH_BYTES];
    for (size_t i = 0; i < PS_COUNT_OF(names); i++) {
        demo_path(demo, names[i], path);
        unlink(path);
    }
    rmdir(demo->directory);
}

static enum ps_status broker_start(struct ps_process *broker, struct demo *demo, struct ps_err *err)
{
    char topics[DEMO_TOPICS][64], log[DEMO_PATH_BYTES];
    const char *arguments[] = {"mock-broker", "--topic", topics[0], "--topic", topics[1], NULL}, *line = NULL;
    for (unsigned i = 0; i < DEMO_TOPICS; i++)
        snprintf(topics[i], sizeof topics[i], "%s:%u", demo_topics[i], DEMO_PARTITIONS);
    demo_path(demo, "broker.log", log);
    if (ps_process_start(broker, NULL, arguments, log, false, err) != PS_OK)
        return PS_FAIL;
    for (double end_s = ps_now_s() + START_S; line == NULL && *demo->interrupts == 0 && ps_now_s() < end_s;
         ps_sleep_s(0.01)) {
        line = ps_process_line(broker);
        if (line == NULL && broker->out < 0)
            break;
    }
    if (line != NULL) {
        snprintf(demo->brokers, sizeof demo->brokers, "%s", line);
        return PS_OK;
    }
    ps_err_set(err, "the broker did not start");
    ps_process_explain(broker, "it", err);
    return PS_FAIL;
}

/* Prints where metrics and logs can be read while the agent runs. */
static void hints(const struct demo *demo, const struct demo_agent *agent)
{
    printf("broker      %s (librdkafka's mock cluster: memory only)\n", demo->brokers);
    printf("agent       process %d, syslog on 127.0.0.1:%u, file %s\n", (int)agent->process.pid, agent->port,
           agent->config);
    printf("log         %s\n", agent->process.log);
    printf("metrics     curl http://127.0.0.1:%u/metrics/prometheus\n", agent->metrics_port);
    printf("channel     penstock tail rest -n 5 -u http://127.0.0.1:%u\n", agent->metrics_port);
    for (unsigned i = 0; i < DEMO_TOPICS; i++)
        printf("topic       kcat -b %s -t %s -C -o -5 -e -q\n", demo->brokers, demo_topics[i]);
    printf("\n");
    fflush(stdout);
}

/* ---- the run ---- */

/* Runs a slow load until ^C. The load's events are not verified. */
static void hold(const struct demo *demo, struct demo_agent *agent)
{
    char log[DEMO_PATH_BYTES];
    struct ps_process load = {.out = -1};
    struct ps_err err = {0};
    demo_path(demo, "keep.log", log);
    struct demo_load wish = {.rate = KEEP_RATE, .log = log, .quiet = true};
    if (demo_load_start(&load, demo, agent, &wish, &err) != PS_OK) {
        fprintf(stderr, "penstock demo: %s\n", err.text);
        return;
    }
    printf("\nRunning on with a few events a second; ^C ends it.\n\n");
    hints(demo, agent);
    while (*demo->interrupts == 0 && demo_agent_runs(agent))
        ps_sleep_s(0.1);
    *demo->interrupts = 0;
    ps_process_end(&load, END_MS);
}

static int run_load(struct demo *demo, struct demo_agent *agent)
{
    struct ps_err err = {0};
    struct demo_run run;
    hints(demo, agent);
    printf("warming up: a second of events that are not counted\n");
    fflush(stdout);
    if (demo_warm_up(demo, agent, &err) != PS_OK) {
        fprintf(stderr, "penstock demo: %s; see %s\n", err.text, agent->process.log);
        return 2;
    }
    enum ps_status status = demo_run_measure(&run, demo, agent, &err);
    if (status != PS_OK)
        fprintf(stderr, "penstock demo: ended early: %s; see %s\n", err.text, agent->process.log);
    demo_run_summary(&run);
    fflush(stdout);
    int code = status == PS_OK ? demo_run_code(&run) : 2;
    demo_run_fini(&run);
    if (status == PS_OK && demo->keep && *demo->interrupts == 0)
        hold(demo, agent);
    return code;
}

static int demo_run(struct demo *demo)
{
    struct ps_process broker = {.out = -1};
    struct demo_agent agent = {.process.out = -1};
    struct ps_err err = {0};
    int code = 2;
    if (directory_make(demo, &err) == PS_OK && broker_start(&broker, demo, &err) == PS_OK &&
        demo_agent_start(&agent, demo, &err) == PS_OK)
        code = run_load(demo, &agent);
    else
        fprintf(stderr, "penstock demo: %s\n", err.text);
    if (!demo_agent_stop(&agent) && code == 0) {
        fprintf(stderr, "penstock demo: the agent did not stop properly; see %s\n", agent.process.log);
        code = 1;
    }
    ps_process_end(&broker, END_MS);
    if (code == 0)
        directory_remove(demo);
    return code;
}

/* ---- options ---- */

#define PS_ROW_TARGET struct demo

static const struct ps_command_row rows[] = {
    {"rate", 0, "EVENTS", PS_ROW_COUNT(rate), .help = "events a second (default 200000)", .min = 1,
     .max = 10000000},
    {"seconds", 0, "S", PS_ROW_COUNT(seconds),
     .help = "length of the measurement (default 15), after a second of warm-up that is not counted",
     .min = 1, .max = 3600},
    {"connections", 0, "N", PS_ROW_COUNT(connections), .help = "TCP connections (default 4, at most 64)",
     .min = 1, .max = DEMO_CONNECTIONS_MAX},
    {"config", 0, "FILE", PS_ROW_TEXT(config),
     .help = "the agent file (default conf/examples/quickstart.properties beside the program)"},
    {"keep", 0, NULL, PS_ROW_FLAG(keep), .help = "keep it running afterwards, to look around"},
    {.help = NULL},
};

const struct ps_command_line ps_line_demo = {
    .name = "demo",
    .usage = "Usage: penstock demo [--rate EVENTS] [--seconds S] [--connections N] [--config FILE] [--keep]\n"
             "Runs the main job on this machine: `penstock load` sends syslog over TCP to a real agent, "
             "which sorts it into\ntwo Kafka topics of an embedded broker; `penstock verify` reads them and "
             "accounts for every event.\n",
    .rows = rows,
    .ends = "^C ends the load; the events sent are still accounted for. A second one ends everything.\n"
            "\n"
            "Exit status: 0 nothing was lost, duplicated or reordered, 1 something was, 2 it could not be "
            "found out.\n",
};

int ps_main_demo(int argc, char **argv)
{
    struct demo demo = {.rate = 200000, .seconds = 15, .connections = 4};
    int operands, code = ps_command_line_parse(&ps_line_demo, &demo, argc, argv, &operands);
    if (code < 0 && operands > 0)
        code = ps_command_line_unexpected(&ps_line_demo, argv[1]);
    if (code >= 0)
        return code;
    if (demo.connections > demo.rate) {
        fprintf(stderr, "penstock demo: --connections %lu: more than --rate; give fewer\n", demo.connections);
        return 2;
    }
    demo.interrupts = ps_interrupts_catch();
    return demo_run(&demo);
}
