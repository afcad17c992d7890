/* `penstock graph`: draws the agent of a configuration file as DOT or Mermaid. Reads the file as `penstock check`
 * does; starts nothing. Exit: 0 drawn, 1 the agent would not start, 2 wrong usage or the output failed. */
#include "commands/graph/graph.h"
#include "commands/commands.h"
#include "commands/line/line.h"

#include "conf/report.h"
#include "core/text/nearest.h"
#include "stages/table.h"

#include <stdlib.h>
#include <string.h>

/* The other options are the agent's. --format is taken out of argv before those are parsed. */
static const struct ps_command_row rows[] = {
    {"format", 0, "dot|mermaid", PS_ROW_IS_WORD,
     .help = "dot: for Graphviz (default); mermaid: for Markdown, as drawn by GitHub and GitLab"},
    {.help = NULL},
};

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

struct format {
    const char *name;
    void (*write)(FILE *to, const struct graph *graph);
};

static const struct format formats[] = {{"dot", ps_graph_write_dot}, {"mermaid", ps_graph_write_mermaid}};

static const struct format *format_find(const char *name)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (size_t i = 0; i < PS_COUNT_OF(formats); i++) {
        if (strcmp(name, formats[i].name) == 0)
            return &formats[i];
        ps_nearest_offer(&nearest, formats[i].name);
    }
    fprintf(stderr, "penstock graph: --format %s: it is dot or mermaid", name);
    if (nearest.word != NULL)
        fprintf(stderr, "; did you mean %s?", nearest.word);
    fputc('\n', stderr);
    return NULL;
}

/* Takes --format out of argv. If it is given twice the last one wins, as for other options. Returns NULL
 * after printing the error. */
static const struct format *format_take(int *argc, char **argv)
{
    const struct format *format = &formats[0];
    int kept = 1;
    for (int i = 1; i < *argc && format != NULL; i++) {
        if (strncmp(argv[i], "--format=", strlen("--format=")) == 0) {
            format = format_find(argv[i] + strlen("--format="));
        } else if (strcmp(argv[i], "--format") == 0 && i + 1 < *argc) {
            format = format_find(argv[++i]);
        } else if (strcmp(argv[i], "--format") == 0) {
            fputs("penstock graph: --format needs a value: dot or mermaid\n", stderr);
            format = NULL;
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return format;
}

static int draw(const struct ps_command *command, const struct format *format)
{
    struct ps_conf *conf;
    int code = 1;
    enum ps_status status = ps_conf_load(command, ps_stages, &conf);
    ps_report_problems(stderr, conf, ps_report_colour(stderr));
    if (status == PS_OK) {
        struct ps_arena *arena = ps_arena_create();
        struct graph graph;
        ps_graph_make(&graph, conf, arena);
        format->write(stdout, &graph);
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
    struct ps_command command;
    struct ps_err err = {.length = 0};
    int code = 2;
    const struct format *format = format_take(&argc, argv);
    if (format == NULL)
        return 2;
    if (ps_command_parse(&command, argc, argv, &err) != PS_OK) {
        fprintf(stderr, "penstock graph: %s\n", err.text);
    } else if (command.help) {
        ps_command_line_usage(stdout, &ps_line_graph);
        code = 0;
    } else {
        command.dry_run = true;
        code = draw(&command, format);
    }
    ps_command_fini(&command);
    return code;
}
