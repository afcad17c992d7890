/* The penstock program: calls the subcommand, commands/<name>.c. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/text/nearest.h"
#include "core/thread.h"
#include "commands/commands.h"
#include "commands/line/line.h"
#include "commands/rules/rules.h"
#include "core/plugin/watch.h"

static void usage(FILE *to)
{
    fprintf(
        to,
        "penstock runs Apache Flume agent files and feeds Kafka.\n\nusage: penstock COMMAND [OPTION]...\n\n");
    for (size_t i = 0; ps_subcommands[i].name != NULL; i++)
        fprintf(to, "  %-12s %s\n", ps_subcommands[i].name, ps_subcommands[i].summary);
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

static const struct ps_subcommand *find(const char *name)
{
    for (size_t i = 0; ps_subcommands[i].name != NULL; i++)
        if (strcmp(name, ps_subcommands[i].name) == 0)
            return &ps_subcommands[i];
    return NULL;
}

/* Prints the error below the usage text, because users read the last line. */
static int refuse(const char *name)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, name);
    for (size_t i = 0; ps_subcommands[i].name != NULL; i++)
        ps_nearest_offer(&nearest, ps_subcommands[i].name);
    usage(stderr);
    if (nearest.word != NULL)
        fprintf(stderr, "\npenstock: there is no command `%s`; did you mean `%s`?\n", name, nearest.word);
    else
        fprintf(stderr, "\npenstock: there is no command `%s`\n", name);
    return 2;
}

/* Turns `penstock help COMMAND` into `penstock COMMAND --help`. */
static int help(const char *name)
{
    static char option[] = "--help";
    if (is_help(name)) {
        usage(stdout);
        return 0;
    }
    const struct ps_subcommand *subcommand = find(name);
    if (subcommand == NULL)
        return refuse(name);
    char *argv[] = {(char *)(uintptr_t)name, option, NULL};
    return subcommand->run(2, argv);
}

/* Runs `penstock help --man COMMAND` or `.. --man rules COMMAND`: prints the options of a command for docs/man. */
static int man(const char *name, const char *nested)
{
    const struct ps_subcommand *subcommand = find(name);
    const struct ps_command_line *line = subcommand != NULL ? subcommand->line : NULL;
    for (size_t i = 0; nested != NULL && line == NULL && ps_rules_line(i) != NULL; i++)
        if (strcmp(ps_rules_line(i)->subcommand, nested) == 0)
            line = ps_rules_line(i);
    if (line == NULL)
        return refuse(name);
    ps_command_line_man(stdout, line);
    return 0;
}

/* Returns the exit code of a command that ended with `code`: an exit code of success becomes a failure when
 * output was lost. */
static int finish(const char *name, int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "penstock %s: the output cannot be written: %s\n", name,
            errno != 0 ? strerror(errno) : "an earlier write failed");
    return code == 0 ? 2 : code;
}

/* Opens the standard descriptors that are closed: otherwise the next file that is opened gets such a number, and what is
 * printed goes into that file. Reads and writes still fail, except that messages go nowhere. */
static void fill_standard_descriptors(void)
{
    static const int flags[] = {
        [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_WRONLY};
    for (int fd = 0; fd < (int)PS_COUNT_OF(flags); fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)open("/dev/null", flags[fd]);
}

int main(int argc, char **argv)
{
    fill_standard_descriptors();
    if (argc < 2) {
        usage(stderr);
        return 2;
    }
    const char *name = argv[1];
    if (is_help(name) && argc == 2) {
        usage(stdout);
        return 0;
    }
    if (is_help(name) && argc > 3 && strcmp(argv[2], "--man") == 0)
        return finish(argv[3], man(argv[3], argv[4]));
    if (is_help(name))
        return finish(argv[2], help(argv[2]));
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        name = "version";
    const struct ps_subcommand *subcommand = find(name);
    if (subcommand == NULL)
        return refuse(name);
    ps_commands_prepare();
    ps_plugin_watch_set(
        (struct ps_plugin_patience){.limit_s = PS_PLUGIN_LIMIT_S}); /* `agent` sets another one */
    int code = finish(name, subcommand->run(argc - 1, argv + 1));
    ps_thread_exit_process(code);
}
