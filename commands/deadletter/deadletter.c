/* `penstock deadletter`: lists and shows the letters in a directory of dead letters (docs/DEADLETTERS.md),
 * and replays them into a pipeline. */
#include "commands/deadletter/deadletter.h"
#include "commands/commands.h"
#include "commands/line/line.h"

#include <stdio.h>
#include <string.h>

static ps_row_take take_time;

#define PS_ROW_TARGET struct ps_deadletter_command

static const struct ps_command_row rows[] = {
    {NULL, 0, "list", PS_ROW_NOTE, .help = "counts by component and reason, with the first and last time",
     .group = "commands"},
    {NULL, 0, "show", PS_ROW_NOTE, .help = "the letters, oldest first"},
    {NULL, 0, "replay", PS_ROW_NOTE,
     .help = "sends the bodies of letters that were not replayed yet, and notes that in FILE.replayed"},
    {"reason", 'r', "REASON", PS_ROW_TEXT(reason), .help = "with this reason: record-too-large",
     .group = "which letters"},
    {"component", 'c', "NAME", PS_ROW_TEXT(component), .help = "of this component: k1, or \"sink k1\""},
    {"name", 'n', "NAME", PS_ROW_TEXT(agent), .help = "of this agent"},
    {"since", 0, "TIME", PS_ROW_TAKE(take_time), .offset = offsetof(struct ps_deadletter_command, since),
     .help = "from this time on, UTC: 2026-11-21, 2026-11-21T09:30"},
    {"until", 0, "TIME", PS_ROW_TAKE(take_time), .offset = offsetof(struct ps_deadletter_command, until),
     .help = "before this time"},
    {"state", 0, "open|replayed|aside", PS_ROW_WORD(state),
     .help = "open: not replayed yet; aside: set aside because it came again after --max replays"},
    {"limit", 'l', "N", PS_ROW_COUNT(limit), .help = "only the first N letters", .min = 1},
    {"to", 0, "tcp://HOST:PORT", PS_ROW_TEXT(to),
     .help = "replay: the netcat source that gets the letters, one line each; a letter counts as replayed "
             "when the source has answered OK. Without this option they go to standard output",
     .only = "replay", .group = "options"},
    {"again", 0, NULL, PS_ROW_FLAG(again), .help = "replay: also letters that were replayed, or set aside",
     .only = "replay"},
    {"max", 0, "N", PS_ROW_COUNT(replays_max),
     .help = "replay: a body that was replayed N times and came again is set aside (default 3)", .min = 1},
    {"json", 'j', NULL, PS_ROW_FLAG(json),
     .help = "list: one object; show, replay to standard output: one object a line, with headers"},
    {.help = NULL},
};

const struct ps_command_line ps_line_deadletter = {
    .name = "deadletter",
    .usage = "Usage: penstock deadletter list DIRECTORY [OPTION]...\n"
             "       penstock deadletter show DIRECTORY [OPTION]...\n"
             "       penstock deadletter replay DIRECTORY [--to tcp://HOST:PORT] [OPTION]...\n"
             "Events and inputs that an agent gave up (penstock.deadletter): counts them by reason, shows "
             "them,\nand replays them into a pipeline.\n",
    .rows = rows,
    .ends = "replay skips a body that has a newline in it, or is not UTF-8, because it is not a line; with "
            "--json it prints\n"
            "such a body too.\n"
            "\n"
            "Exit status: 0 done, 1 something could not be read or replayed, 2 wrong usage.\n"
            "\n"
            "Examples:\n"
            "  penstock deadletter list /var/lib/penstock/dead\n"
            "  penstock deadletter show /var/lib/penstock/dead --reason record-too-large --json | jq -r "
            ".headers.host\n"
            "  penstock deadletter replay /var/lib/penstock/dead --component k1 --to tcp://collector:44444\n",
    .operand = "list|show|replay",
};

static const struct subcommand {
    const char *name;
    int (*run)(const struct ps_deadletter_command *command);
} subcommands[] = {{"list", ps_main_deadletter_list},
                   {"show", ps_main_deadletter_show},
                   {"replay", ps_main_deadletter_replay}};

/* Takes a time as letters have it, or the beginning of one, from the year on: times are compared as texts. */
static enum ps_status take_time(void *target, const struct ps_command_row *row, const char *text,
                                struct ps_err *err)
{
    static const char form[] = "0000-00-00T00:00:00";
    size_t length = 0;
    while (form[length] != '\0' && text[length] != '\0' &&
           (form[length] == '0' ? text[length] >= '0' && text[length] <= '9' : text[length] == form[length]))
        length++;
    if (length < 4 || (form[length] != '\0' && text[length] != '\0'))
        return ps_err_set(err, "--%s: `%s` is not a time; write for example 2026-11-21 or 2026-11-21T09:30",
                          row->name, text);
    *(const char **)((char *)target + row->offset) = text;
    return PS_OK;
}

static bool wrong(const char *what, const char *word)
{
    fprintf(stderr, "penstock deadletter: %s%s\n`penstock deadletter --help` tells more.\n", what, word);
    return false;
}

static bool operands_take(struct ps_deadletter_command *command, int count, char **argv)
{
    if (count == 0)
        return wrong("name a command: list, show or replay", "");
    command->name = argv[1];
    if (count != 2)
        return wrong(count == 1 ? "name the directory" : "one directory at a time", "");
    command->directory = argv[2];
    if (command->to != NULL && command->json)
        return wrong("--json is for standard output", "");
    return true;
}

int ps_main_deadletter(int argc, char **argv)
{
    struct ps_deadletter_command command = {.replays_max = PS_DEADLETTER_REPLAYS_MAX};
    static const char *const names[] = {"list", "show", "replay", NULL};
    int operands, code = ps_command_line_parse(&ps_line_deadletter, &command, argc, argv, &operands);
    if (code >= 0)
        return code;
    if (!operands_take(&command, operands, argv))
        return 2;
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++)
        if (strcmp(command.name, subcommands[i].name) == 0)
            return subcommands[i].run(&command);
    return ps_command_line_unknown("deadletter", "command", command.name, names);
}
