/* The table of subcommands. */
#include "commands/commands.h"

#include <stddef.h>

static const struct ps_command_options flume = {.flume = true};

const struct ps_subcommand ps_subcommands[] = {
    {"agent", ps_main_agent, &flume, "run an agent from a Flume configuration file"},
    {"node", ps_main_agent, &flume, "the old name of agent"},
    {"avro-client", ps_main_avro_client, &ps_options_avro_client,
     "send the lines of files or of standard input to an avro source"},
    {"new", ps_main_new, &ps_options_new, "print a commented agent file with the components you name"},
    {"check", ps_main_check, &flume,
     "check a configuration file and print the plan, or every problem at once"},
    {"graph", ps_main_graph, &ps_options_graph, "draw the agent of a configuration file, as DOT or Mermaid"},
    {"components", ps_main_components, &ps_options_components,
     "every source, channel, sink ... with its keys, defaults and meaning"},
    {"top", ps_main_top, &ps_options_top, "rates, fill, latency and who holds up whom of a running agent"},
    {"tail", ps_main_tail, &ps_options_tail, "show live events of a source, interceptor, channel or sink"},
    {"demo", ps_main_demo, &ps_options_demo,
     "the main job, from generator to verified Kafka topics, on an embedded broker"},
    {"load", ps_main_load, &ps_options_load,
     "an open-loop load generator for syslog, Flume, HTTP, Kafka and files"},
    {"verify", ps_main_verify, NULL, "find what a pipeline lost, doubled, reordered or changed of a load",
     &ps_line_verify},
    {"plan", ps_main_plan, &ps_options_plan,
     "how much a pipeline holds, what limits it, and how many machines it takes"},
    {"rules", ps_main_rules, NULL, "check, test, explain and measure the rules of a rules file"},
    {"channel", ps_main_channel, &ps_options_channel,
     "look into a channel on disk, check, repair, export it; import one of Flume's"},
    {"deadletter", ps_main_deadletter, &ps_options_deadletter,
     "list, show and replay the events that an agent gave up"},
    {"mock-broker", ps_main_mock_broker, NULL,
     "librdkafka's mock Kafka cluster as a process of its own, for tests", &ps_line_mock_broker},
    {"completion", ps_main_completion, &ps_options_completion,
     "print the completion script of bash, zsh or fish"},
    {"version", ps_main_version, NULL, "print the version, the libraries, the build and the CPU"},
    {.name = NULL},
};
