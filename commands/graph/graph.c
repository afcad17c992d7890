/* `penstock graph`: draws the agent of a configuration file as DOT or Mermaid. Reads the file as `penstock check`
 * does; starts nothing. Exit status: 0: drawn; 1: the agent would not start; 2: wrong usage, or the output failed. */
#include "commands/graph/graph.h"
#include "commands/commands.h"
#include "commands/dry_run.h"

#include "conf/report.h"
#include "stages/table.h"

#include <string.h>

/* All options are those of conf/command/command.c. */
static const struct ps_command_row rows[] = {{.help = NULL}};

const struct ps_command_line ps_line_graph = {
    .name = "graph",
    .usage = "Usage: penstock graph [-n NAME] -f FILE [--format dot|mermaid] [OPTION]...\n"
             "Draws agent NAME of a configuration file: sources with their interceptors and selector, the "
             "routes\nof the selector, channels with their capacity, sinks, and Kafka topics. Problems go "
             "to standard error.\n",
    .rows = rows,
    .ends =
        "All other options of `penstock agent` are accepted, -Dkey=value among them.\n"
        "\n"
        "Dashed arrows lead to optional channels. Commands and secrets are not shown.\n"
        "\n"
        "Exit status: 0 drawn, 1 the agent would not start, 2 wrong usage or the output cannot be written.\n"
        "\n"
        "Examples:\n"
        "  penstock graph -n a1 -f flume.properties | dot -Tsvg -o a1.svg\n"
        "  penstock graph -n a1 -f flume.properties --format mermaid >> README.md\n",
    .flume = true,
};

static int draw(const struct ps_command *command)
{
    struct ps_conf *conf;
    int code = 1;
    enum ps_status status = ps_conf_load(command, ps_stages, &conf);
    ps_report_problems(stderr, conf, ps_report_colour(stderr));
    if (status == PS_OK) {
        struct ps_arena *arena = ps_arena_create();
        struct graph graph;
        ps_graph_make(&graph, conf, arena);
        if (command->format != NULL && strcmp(command->format, "mermaid") == 0)
            ps_graph_write_mermaid(stdout, &graph);
        else
            ps_graph_write_dot(stdout, &graph);
        ps_arena_destroy(arena);
        code = 0;
    } else {
        fprintf(stderr, "penstock graph: agent %s would not start; nothing is drawn\n", conf->wanted);
    }
    ps_conf_destroy(conf);
    return code;
}

int ps_main_graph(int argc, char **argv)
{
    return ps_dry_run_main(argc, argv, &ps_line_graph, draw);
}
