/* The table of subcommands. */
#include "commands/commands.h"

#include <stddef.h>

const struct ps_subcommand ps_subcommands[] = {
    {"agent", ps_main_agent, &ps_line_agent, "run an agent from a Flume configuration file"},
    {"node", ps_main_agent, &ps_line_agent, "the old name of agent"},
    {"avro-client", ps_main_avro_client, &ps_line_avro_client,
     "send the lines of files or of standard input to an avro source"},
    {"new", ps_main_new, &ps_line_new, "print a commented agent file with the components you name"},
    {"check", ps_main_check, &ps_line_check,
     "check a configuration file and print the plan, or every problem at once"},
    {"graph", ps_main_graph, &ps_line_graph, "draw the agent of a configuration file, as DOT or Mermaid"},
    {"components", ps_main_components, &ps_line_components,
     "every source, channel, sink ... with its keys, defaults and meaning"},
    {"top", ps_main_top, &ps_line_top, "rates, fill levels, latencies and bottlenecks of a running agent"},
    {"tail", ps_main_tail, &ps_line_tail, "show live events of a source, interceptor, channel or sink"},
    {"demo", ps_main_demo, &ps_line_demo,
     "the main job, from generator to verified Kafka topics, on an embedded broker"},
    {"load", ps_main_load, &ps_line_load,
     "an open-loop load generator for syslog, Flume, HTTP, Kafka and files"},
    {"verify", ps_main_verify, &ps_line_verify,
     "find the events of a load that a pipeline lost, doubled, reordered or changed"},
    {"plan", ps_main_plan, &ps_line_plan,
     "find the highest rate of a pipeline, its bottleneck, and the number of machines for a rate"},
    {"plugin", ps_main_plugin, &ps_line_plugin, "begin a stage of your own in C, or test one"},
    {"rules", ps_main_rules, NULL, "check, test, explain and measure the rules of a rules file"},
    {"channel", ps_main_channel, &ps_line_channel,
     "inspect, check, repair and export a file channel; import a file channel of Flume"},
    {"deadletter", ps_main_deadletter, &ps_line_deadletter,
     "list, show and replay the events that an agent gave up"},
    {"mock-broker", ps_main_mock_broker, &ps_line_mock_broker,
     "librdkafka's mock Kafka cluster as a process of its own, for tests"},
    {"completion", ps_main_completion, &ps_line_completion,
     "print the completion script of bash, zsh or fish"},
    {"version", ps_main_version, NULL, "print the version, the libraries, the build and the CPU"},
    {.name = NULL},
};
