/* The penstock program: calls the subcommand, core/commands/<name>.c. */
#include <stdio.h>
#include <string.h>

#include "core/nearest.h"
#include "core/base.h"
#include "core/commands/commands.h"
#include "version.h"

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static int main_version(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    printf("penstock %s\n", PS_VERSION);
    return 0;
}

static const struct subcommand subcommands[] = {
    {"agent", ps_main_agent, "run an agent from a Flume configuration file"},
    {"node", ps_main_agent, "the old name of agent"},
    {"check", ps_main_check, "check a configuration file and print the plan, or every problem at once"},
    {"components", ps_main_components, "every source, channel, sink ... with its keys, defaults and meaning"},
    {"tail", ps_main_tail, "show live events of a channel or sink of a running agent"},
    {"demo", ps_main_demo, "the main job, from generator to verified Kafka topics, on an embedded broker"},
    {"load", ps_main_load, "an open-loop load generator for syslog, Flume, HTTP, Kafka and files"},
    {"verify", ps_main_verify, "find what a pipeline lost, doubled, reordered or changed of a load"},
    {"plan", ps_main_plan, "how much a pipeline holds, what limits it, and how many machines it takes"},
    {"rules", ps_main_rules, "check, test, explain and measure the rules of a rules file"},
    {"mock-broker", ps_main_mock_broker,
     "librdkafka's mock Kafka cluster as a process of its own, for tests"},
    {"version", main_version, "print the version"},
};

static void usage(FILE *to)
{
    fprintf(
        to,
        "penstock runs Apache Flume agent files and feeds Kafka.\n\nusage: penstock COMMAND [OPTION]...\n\n");
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++)
        fprintf(to, "  %-12s %s\n", subcommands[i].name, subcommands[i].summary);
    fprintf(to, "\n`penstock COMMAND --help` tells more.\n\nexamples:\n"
                "  penstock check -n a1 -f flume.properties\n"
                "  penstock agent -n a1 -c /etc/flume/conf -f flume.properties -Dflume.monitoring.type=http\n"
                "  penstock components kafka\n"
                "  penstock load --rate 100k --duration 10s --target tcp://127.0.0.1:5140\n"
                "  penstock plan -n a1 -f flume.properties --goal 'p99<20ms' --report plan.html\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        usage(stdout);
        return 0;
    }
    if (strcmp(name, "--version") == 0)
        name = "version";
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++) {
        if (strcmp(name, subcommands[i].name) == 0)
            return subcommands[i].run(argc - 1, argv + 1);
    }
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++)
        ps_nearest_offer(&nearest, subcommands[i].name);
    if (nearest.word != NULL)
        fprintf(stderr, "penstock: there is no command `%s`; did you mean `%s`?\n\n", name, nearest.word);
    else
        fprintf(stderr, "penstock: there is no command `%s`\n\n", name);
    usage(stderr);
    return 2;
}
