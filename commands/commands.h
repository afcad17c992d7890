/* The subcommands. argv[0] is the name of the subcommand. Each returns the exit code. */
#pragma once

struct ps_command_line;

struct ps_subcommand {
    const char *name;
    int (*run)(int argc, char **argv);
    const struct ps_command_line
        *line; /* NULL: the command has no options (version), or only those of its subcommands (rules) */
    const char *summary;
};
/* Ends with a NULL name. */
extern const struct ps_subcommand ps_subcommands[];

extern const struct ps_command_line ps_line_agent, ps_line_check, ps_line_graph, ps_line_components,
    ps_line_tail, ps_line_top, ps_line_demo, ps_line_load, ps_line_verify, ps_line_plan, ps_line_mock_broker,
    ps_line_deadletter, ps_line_channel, ps_line_completion, ps_line_avro_client, ps_line_new, ps_line_plugin;

/* Called by main before a command runs. */
void ps_commands_prepare(void);

int ps_main_agent(int argc, char **argv);
int ps_main_avro_client(int argc, char **argv);
int ps_main_check(int argc, char **argv);
int ps_main_new(int argc, char **argv);
int ps_main_plugin(int argc, char **argv);
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
