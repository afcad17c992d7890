/* The penstock program: calls the subcommand, core/commands/<name>.c. */
#include <stdio.h>
#include <string.h>

#include "core/nearest.h"
#include "core/base.h"
#include "core/commands/commands.h"

struct subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

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
    {"version", ps_main_version, "print the version, the libraries, the build and the CPU"},
};

static void usage(FILE *to)
{
    fprintf(
        to,
        "penstock runs Apache Flume agent files and feeds Kafka.\n\nusage: penstock COMMAND [OPTION]...\n\n");
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++)
        fprintf(to, "  %-12s %s\n", subcommands[i].name, subcommands[i].summary);
    fprintf(to, "\n`penstock help COMMAND` or `penstock COMMAND --help` tells more.\n\nexamples:\n"
                "  penstock check -n a1 -f flume.properties\n"
                "  penstock agent -n a1 -c /etc/flume/conf -f flume.properties -Dflume.monitoring.type=http\n"
                "  penstock components kafka\n"
                "  penstock load --rate 100k --duration 10s --target tcp://127.0.0.1:5140\n"
                "  penstock plan -n a1 -f flume.properties --goal 'p99<20ms' --report plan.html\n");
}

static bool is_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0;
}

static const struct subcommand *find(const char *name)
{
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++)
        if (strcmp(name, subcommands[i].name) == 0)
            return &subcommands[i];
    return NULL;
}

/* Prints the error after the usage: the last line is the one that is read. */
static int refuse(const char *name)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++)
        ps_nearest_offer(&nearest, subcommands[i].name);
    usage(stderr);
    if (nearest.word != NULL)
        fprintf(stderr, "\npenstock: there is no command `%s`; did you mean `%s`?\n", name, nearest.word);
    else
        fprintf(stderr, "\npenstock: there is no command `%s`\n", name);
    return 2;
}

/* `penstock help COMMAND` is `penstock COMMAND --help`. */
static int help(const char *name)
{
    static char option[] = "--help";
    if (is_help(name)) {
        usage(stdout);
        return 0;
    }
    const struct subcommand *subcommand = find(name);
    if (subcommand == NULL)
        return refuse(name);
    char *argv[] = {(char *)(uintptr_t)name, option, NULL};
    return subcommand->run(2, argv);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (is_help(name) && argc == 2) {
        usage(stdout);
        return 0;
    }
    if (is_help(name))
        return help(argv[2]);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct subcommand *subcommand = find(name);
    return subcommand != NULL ? subcommand->run(argc - 1, argv + 1) : refuse(name);
}
