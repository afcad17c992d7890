/* The subcommands. argv[0] is the name of the subcommand. Each returns the exit code. */
#pragma once

#include <stdbool.h>

struct option;
struct ps_command_line;

/* The options of a command, from the tables that its parser uses; shell completion is made from them. */
struct ps_command_options {
    const struct option *longs; /* for getopt_long; ends with a NULL name. NULL: none of its own */
    const char *letters;        /* for getopt: "n:f" */
    bool flume;                 /* it also takes the options of `flume-ng agent` (conf/command/command.h) */
};

struct ps_subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const struct ps_command_options *options; /* NULL: none, or those of its own subcommands (rules) */
    const char *summary;
    const struct ps_command_line *line;
};
/* Ends with a NULL name. */
extern const struct ps_subcommand ps_subcommands[];

extern const struct ps_command_options ps_options_graph, ps_options_components, ps_options_tail,
    ps_options_top, ps_options_demo, ps_options_load, ps_options_plan, ps_options_deadletter,
    ps_options_channel, ps_options_completion, ps_options_avro_client, ps_options_new;

extern const struct ps_command_line ps_line_verify, ps_line_mock_broker;

/* Called by main before a command runs. */
void ps_commands_prepare(void);

int ps_main_agent(int argc, char **argv);
int ps_main_avro_client(int argc, char **argv);
int ps_main_check(int argc, char **argv);
int ps_main_new(int argc, char **argv);
int ps_main_graph(int argc, char **argv);
int ps_main_components(int argc, char **argv);
int ps_main_top(int argc, char **argv);
int ps_main_tail(int argc, char **argv);
int ps_main_demo(int argc, char **argv);
int ps_main_mock_broker(int argc, char **argv);
int ps_main_verify(int argc, char **argv);
int ps_main_load(int argc, char **argv);
int ps_main_plan(int argc, char **argv);
int ps_main_rules(int argc, char **argv);
int ps_main_channel(int argc, char **argv);
int ps_main_deadletter(int argc, char **argv);
int ps_main_completion(int argc, char **argv);
int ps_main_version(int argc, char **argv);
/* Runs `penstock rules compile`, a helper process that the engine starts. It takes no arguments. */
int ps_main_rules_compile(void);
