/* `penstock deadletter`: lists and shows the letters in a directory of dead letters (docs/DEADLETTERS.md),
 * and replays them into a pipeline. */
#include "commands/deadletter/deadletter.h"
#include "commands/commands.h"
#include "core/nearest.h"
#include "core/quantity.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: penstock deadletter list DIRECTORY [OPTION]...\n"
    "       penstock deadletter show DIRECTORY [OPTION]...\n"
    "       penstock deadletter replay DIRECTORY [--to tcp://HOST:PORT] [OPTION]...\n"
    "Events and inputs that an agent gave up (penstock.deadletter): how many and why, what is in them, and "
    "back\n"
    "into a pipeline with them.\n"
    "\n"
    "  list     counts by component and reason, with the first and last time\n"
    "  show     the letters, oldest first\n"
    "  replay   sends the bodies of letters that were not replayed yet, and notes that in FILE.replayed\n"
    "\n"
    "Which letters:\n"
    "  -r, --reason REASON        with this reason: record-too-large\n"
    "  -c, --component NAME       of this component: k1, or \"sink k1\"\n"
    "  -n, --name AGENT           of this agent\n"
    "      --since TIME           from this time on, UTC: 2026-11-21, 2026-11-21T09:30\n"
    "      --until TIME           before this time\n"
    "      --state STATE          open (not replayed), replayed, or aside: it came again after --max "
    "replays\n"
    "  -l, --limit N              the first N of them\n"
    "Replay:\n"
    "      --to tcp://HOST:PORT   to a netcat source, one line each; a letter is replayed when the source "
    "has answered\n"
    "                             OK. Without it: to standard output, one line each\n"
    "      --again                also letters that were replayed, or set aside\n"
    "      --max N                a body that was replayed N times and came again is set aside (default 3)\n"
    "  -j, --json                 list: one object; show, replay to standard output: one object a line, with "
    "headers\n"
    "  -h, --help                 this text\n"
    "\n"
    "A body that has a newline in it, or is not UTF-8, cannot be replayed as a line: it is left, and --json "
    "has it.\n"
    "\n"
    "Exit status: 0 done, 1 something could not be read or replayed, 2 wrong usage.\n"
    "\n"
    "Examples:\n"
    "  penstock deadletter list /var/lib/penstock/dead\n"
    "  penstock deadletter show /var/lib/penstock/dead --reason record-too-large --json | jq -r "
    ".headers.host\n"
    "  penstock deadletter replay /var/lib/penstock/dead --component k1 --to tcp://collector:44444\n";

enum { SINCE = 1000, UNTIL, STATE, TO, AGAIN, MAX };

static const struct option options[] = {
    {"reason", required_argument, NULL, 'r'},
    {"component", required_argument, NULL, 'c'},
    {"name", required_argument, NULL, 'n'},
    {"since", required_argument, NULL, SINCE},
    {"until", required_argument, NULL, UNTIL},
    {"state", required_argument, NULL, STATE},
    {"limit", required_argument, NULL, 'l'},
    {"to", required_argument, NULL, TO},
    {"again", no_argument, NULL, AGAIN},
    {"max", required_argument, NULL, MAX},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};
const struct ps_command_options ps_options_deadletter = {options, "r:c:n:l:jh", false};

static const struct subcommand {
    const char *name;
    int (*run)(const struct ps_deadletter_command *command);
} subcommands[] = {{"list", ps_main_deadletter_list},
                   {"show", ps_main_deadletter_show},
                   {"replay", ps_main_deadletter_replay}};

static bool wrong(const char *what, const char *word)
{
    fprintf(stderr, "penstock deadletter: %s%s\n`penstock deadletter --help` tells more.\n", what, word);
    return false;
}

static bool number_take(const char *what, const char *text, uint64_t *number)
{
    struct ps_err err = {.length = 0};
    return ps_quantity_count(what, text, 1, UINT64_MAX / 2, number, &err) == PS_OK || wrong(err.text, "");
}

static bool state_take(const char *text, const char **state)
{
    if (strcmp(text, "open") != 0 && strcmp(text, "replayed") != 0 && strcmp(text, "aside") != 0)
        return wrong("--state is open, replayed or aside, not ", text);
    *state = text;
    return true;
}

static bool take(struct ps_deadletter_command *command, int option)
{
    switch (option) {
    case 'r':
        command->reason = optarg;
        return true;
    case 'c':
        command->component = optarg;
        return true;
    case 'n':
        command->agent = optarg;
        return true;
    case SINCE:
        command->since = optarg;
        return true;
    case UNTIL:
        command->until = optarg;
        return true;
    case STATE:
        return state_take(optarg, &command->state);
    case 'l':
        return number_take("--limit", optarg, &command->limit);
    case TO:
        command->to = optarg;
        return true;
    case AGAIN:
        command->again = true;
        return true;
    case MAX:
        return number_take("--max", optarg, &command->replays_max);
    case 'j':
        command->json = true;
        return true;
    case 'h':
        command->help = true;
        return true;
    default:
        return wrong("that option does not exist", "");
    }
}

static bool parse(struct ps_deadletter_command *command, int argc, char **argv)
{
    int option;
    optind = 0;
    while ((option = getopt_long(argc, argv, ps_options_deadletter.letters, options, NULL)) != -1)
        if (!take(command, option))
            return false;
    if (command->help)
        return true;
    if (optind == argc)
        return wrong("name a command: list, show or replay", "");
    command->name = argv[optind++];
    if (optind + 1 != argc)
        return wrong(optind == argc ? "name the directory" : "one directory at a time", "");
    command->directory = argv[optind];
    if (command->to != NULL && strcmp(command->name, "replay") != 0)
        return wrong("--to is for replay", "");
    if (command->to != NULL && command->json)
        return wrong("--json is for standard output", "");
    return true;
}

int ps_main_deadletter(int argc, char **argv)
{
    struct ps_deadletter_command command = {.replays_max = PS_DEADLETTER_REPLAYS_MAX};
    if (!parse(&command, argc, argv))
        return 2;
    if (command.help)
        return fputs(usage, stdout), 0;
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, command.name);
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++) {
        if (strcmp(command.name, subcommands[i].name) == 0)
            return subcommands[i].run(&command);
        ps_nearest_offer(&nearest, subcommands[i].name);
    }
    fprintf(stderr, "penstock deadletter: there is no command `%s`%s%s%s\n", command.name,
            nearest.word != NULL ? "; did you mean `" : "", nearest.word != NULL ? nearest.word : "",
            nearest.word != NULL ? "`?" : "");
    return 2;
}
