/* `penstock plugin`: begins a plug-in in C, tests one, and brings those in Java that Flume's guide has. This file has the options; each subcommand is in
 * commands/plugin/<name>.c. */
#include "commands/plugin/plugin.h"
#include "commands/commands.h"
#include "commands/line/line.h"
#include "conf/text.h"
#include "core/arena.h"

#include <stdio.h>
#include <string.h>

static ps_row_take take_key, take_fresh;

#define PS_ROW_TARGET struct ps_plugin_command

static const struct ps_command_row rows[] = {
    {NULL, 0, "new", PS_ROW_NOTE,
     .help = "writes a folder NAME: a stage that builds and passes its tests, CMakeLists.txt, an agent file",
     .group = "commands"},
    {NULL, 0, "test", PS_ROW_NOTE,
     .help =
         "runs the conformance suite of its kind against each stage of a shared object: source, interceptor, "
         "selector, channel, sink, serializer, deserializer"},
    {NULL, 0, "fetch", PS_ROW_NOTE,
     .help = "brings the jars of a component that exists only in Java, and those of Flume, through Maven "
             "(`mvn`) into "
             "plugins.d/NAME, and compares them with the checksums of penstock's list. NAME is one of "
             "--list, a type "
             "or a class"},
    {"kind", 0, "interceptor|source|selector|channel|sink|serializer|deserializer", PS_ROW_WORD(kind),
     .help = "new: the kind of the stage (default: interceptor)", .only = "new", .group = "options"},
    {"directory", 0, "DIRECTORY", PS_ROW_TEXT(directory), .help = "new: the folder to write (default: NAME)",
     .only = "new"},
    {"stage", 0, "NAME", PS_ROW_TEXT(stage), .help = "test: only this one of its stages", .only = "test"},
    {"check", 0, "NAME", PS_ROW_TEXT(check),
     .help = "test: only this one of the suite's checks, to repeat one that failed", .only = "test"},
    {"key", 0, "NAME=VALUE", PS_ROW_TAKE(take_key), .help = "test: a key of the stage; several may be named",
     .only = "test"},
    {"fresh", 0, "NAME", PS_ROW_TAKE(take_fresh),
     .help = "test: a key of the stage that names a file or folder; each check gets a new one. Several may "
             "be named",
     .only = "test"},
    {"send", 0, "FILE", PS_ROW_TEXT(sends),
     .help = "test of a source: events are written as lines to this file or pipe, or to that of a key of "
             "--fresh; without this option the source makes them itself",
     .only = "test"},
    {"read", 0, "FILE", PS_ROW_TEXT(reads),
     .help = "test of a deserializer: a file of 3 to 600 events, less than 1 MiB; without this option it "
             "reads 200 lines",
     .only = "test"},
    {"limit", 0, "SECONDS", PS_ROW_COUNT32(limit_s),
     .help = "test: a check that has not ended after this time ends the command, which names the function of "
             "the stage "
             "that has not returned (default: 60; 0: never). While the machine is busy the time is longer",
     .max = 86400, .only = "test"},
    {"routes", 0, "same|any", PS_ROW_WORD(routes),
     .help = "test of a selector: any if it may send the same events to other channels the next time "
             "(default: same)",
     .only = "test"},
    {"arrived", 0, "FILE", PS_ROW_TEXT(arrives),
     .help = "test of a sink: the file with the delivered events, one a line", .only = "test"},
    {"receive", 0, "SOCKET", PS_ROW_TEXT(receives),
     .help = "test of a sink: the Unix socket that gets the delivered events, one in each datagram",
     .only = "test"},
    {"list", 0, NULL, PS_ROW_FLAG(list), .help = "fetch: print what there is, and do nothing",
     .only = "fetch"},
    {"force", 0, NULL, PS_ROW_FLAG(force),
     .help = "fetch: put it in the place of a folder that is there, once all of it has come",
     .only = "fetch"},
    {"plugins-path", 0, "PATH", PS_ROW_TEXT(plugins_path),
     .help = "fetch: the folder that gets it; of several, separated by colons, the first (default: plugins.d "
             "of $FLUME_HOME, or of the installation)",
     .only = "fetch"},
    {.help = NULL},
};

const struct ps_command_line ps_line_plugin = {
    .name = "plugin",
    .usage = "Usage: penstock plugin new NAME [--kind KIND] [--directory DIRECTORY]\n"
             "       penstock plugin test FILE.so [OPTION]...\n"
             "       penstock plugin fetch NAME [--force] [--plugins-path PATH]\n"
             "       penstock plugin fetch --list\n"
             "Stages of your own in C (docs/PLUGINS.md is the tutorial), and components in Java.\n",
    .rows = rows,
    .ends = "Exit status: 0 done, 1 a test failed, or could not be done, 2 wrong usage, 130 interrupted "
            "(fetch; it "
            "leaves nothing).\n"
            "\n"
            "Examples:\n"
            "  penstock plugin new my_filter\n"
            "  penstock plugin new my_sink --kind sink\n"
            "  penstock plugin test build/my_filter.so --key header=sum\n"
            "  penstock plugin test build/my_filter.so --key header=sum --check order_and_sums\n"
            "  penstock plugin test build/my_sink.so --key path=/tmp/s --receive /tmp/s\n"
            "  penstock plugin test build/my_format.so --read some.log\n"
            "  penstock plugin fetch --list\n"
            "  penstock plugin fetch morphline_solr\n"
            "  penstock plugin fetch org.apache.flume.sink.kite.DatasetSink --plugins-path /srv/plugins.d\n",
    .operand = "new|test|fetch",
};

static enum ps_status take_key(void *target, const struct ps_command_row *row, const char *text,
                               struct ps_err *err)
{
    struct ps_plugin_command *command = target;
    if (strchr(text, '=') == NULL || text[0] == '=')
        return ps_err_set(err, "--%s is NAME=VALUE, not %s", row->name, text);
    ps_texts_add(command->arena, &command->keys, text);
    return PS_OK;
}

static enum ps_status take_fresh(void *target, const struct ps_command_row *, const char *text,
                                 struct ps_err *)
{
    struct ps_plugin_command *command = target;
    ps_texts_add(command->arena, &command->fresh, text);
    return PS_OK;
}

/* Returns -1 when the subcommand's operands are as they must be, else 2. */
static int check_operands(const struct ps_plugin_command *command, int operands, char **argv)
{
    static const char *const words[] = {"new", "test", "fetch", NULL};
    static const char *const wanted[] = {"the stage", "the shared object", "the plug-in, or --list"};
    size_t word = 0;
    if (operands == 0) {
        fputs("penstock plugin: name a command: new, test or fetch\n`penstock plugin --help` tells more.\n",
              stderr);
        return 2;
    }
    while (words[word] != NULL && strcmp(argv[1], words[word]) != 0)
        word++;
    if (words[word] == NULL)
        return ps_command_line_unknown("plugin", "command", argv[1], words);
    int most = command->list ? 1 : 2;
    if (operands < most) {
        fprintf(stderr, "penstock plugin %s: name %s\n", argv[1], wanted[word]);
        return 2;
    }
    return operands > most ? ps_command_line_unexpected(&ps_line_plugin, argv[most + 1]) : -1;
}

static int run(const struct ps_plugin_command *command, int operands, char **argv)
{
    int code = check_operands(command, operands, argv);
    if (code >= 0)
        return code;
    if (command->list)
        return ps_main_plugin_fetch_list(command);
    if (strcmp(argv[1], "fetch") == 0)
        return ps_main_plugin_fetch(command, argv[2]);
    return strcmp(argv[1], "new") == 0 ? ps_main_plugin_new(command, argv[2])
                                       : ps_main_plugin_test(command, argv[2]);
}

int ps_main_plugin(int argc, char **argv)
{
    struct ps_plugin_command command = {.arena = ps_arena_create(), .limit_s = 60};
    int operands, code = ps_command_line_parse(&ps_line_plugin, &command, argc, argv, &operands);
    if (code < 0)
        code = run(&command, operands, argv);
    ps_arena_destroy(command.arena);
    return code;
}
