/* `penstock channel`: inspects, exports, repairs and imports a channel on disk, without an agent. This file
 * has its options and directories; each subcommand is in commands/channel/<name>.c. */
#include "conf/conf.h"
#include "conf/text.h"
#include "commands/channel/channel.h"
#include "commands/commands.h"
#include "core/nearest.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "Usage: penstock channel inspect DIR [OPTION]...\n"
    "       penstock channel verify DIR [OPTION]...\n"
    "       penstock channel export DIR [OPTION]...\n"
    "       penstock channel repair DIR [OPTION]...\n"
    "       penstock channel import FLUME_DIR... --into DIR [OPTION]...\n"
    "A channel of type file, while no agent has it open: what is in it, whether all of it can be read, its "
    "events,\n"
    "and a channel of Flume's moved into it.\n"
    "\n"
    "  inspect   segments, frames and events, what was not delivered, what is damaged\n"
    "  verify    reads everything and checks every checksum; names each damaged record\n"
    "  export    the events that were not delivered, one a line; changes nothing\n"
    "  repair    moves files that cannot be opened into a directory damaged-TIME beside them; deletes "
    "nothing\n"
    "  import    copies the events of a Flume file channel into DIR; Flume's files stay as they are\n"
    "\n"
    "Which channel: DIR has the directories checkpoint and data, as in ~/.flume/file-channel. Or:\n"
    "      --checkpoint-dir DIR   the channel's checkpointDir\n"
    "      --data-dirs DIR,DIR..  its dataDirs\n"
    "      --config FILE          both, and the keys, from this agent file: the channel ..\n"
    "      --agent NAME           .. of this agent (may be left out when the file has one) ..\n"
    "      --channel NAME         .. with this name\n"
    "\n"
    "      --key NAME=FILE        a key of an encrypted channel, without --config; several may be named. "
    "import "
    "encrypts with\n"
    "                             the first one\n"
    "\n"
    "      --quick                inspect: does not read the events, only where they are\n"
    "      --all                  export: events that were delivered and are still on the disk, too\n"
    "      --dry-run              repair, import: says what it would do; import needs no --into then\n"
    "      --give-up-unreadable   repair: gives up what the disk does not give (input/output errors): such "
    "files "
    "are\n"
    "                             replaced by a copy with zeros in place of it. Try to read them elsewhere "
    "first\n"
    "      --into DIR             import: the channel; it is made if it is not there\n"
    "      --again                import: although it was imported before, or an import of it did not end\n"
    "      --flume-key-store FILE import: Flume's JCEKS key store (keyStoreFile), if Flume's channel is "
    "encrypted ..\n"
    "      --flume-key-store-password FILE\n"
    "                             .. with its password (keyStorePasswordFile) ..\n"
    "      --flume-key-password NAME=FILE\n"
    "                             .. and that of a key, if it has its own (passwordFile); several may be "
    "named.\n"
    "                             Without a key store the keys of --config or --key are tried\n"
    "  -j, --json                 inspect, verify: one object; export: one object a line, with headers\n"
    "  -h, --help                 this text\n"
    "\n"
    "Exit status: 0 done, and nothing is damaged; 1 something is damaged, or could not be done; 2 wrong "
    "usage, or\n"
    "the channel cannot be opened, because an agent has it open, for example.\n"
    "\n"
    "Examples:\n"
    "  penstock channel inspect /var/lib/penstock/c1\n"
    "  penstock channel verify --config flume.properties --agent a1 --channel c1\n"
    "  penstock channel export /var/lib/penstock/c1 --json | jq -r .headers.host | sort | uniq -c\n"
    "  penstock channel repair /var/lib/penstock/c1 --dry-run\n"
    "  penstock channel import ~/.flume/file-channel --into /var/lib/penstock/c1\n"
    "  penstock channel import /disk1/flume /disk2/flume /var/flume/checkpoint --into /var/lib/penstock/c1\n";

enum {
    CHECKPOINT_DIR = 1000,
    DATA_DIRS,
    CONFIG,
    AGENT,
    CHANNEL,
    ALL,
    QUICK,
    DRY_RUN,
    GIVE_UP,
    INTO,
    AGAIN,
    KEY,
    FLUME_KEY_STORE,
    FLUME_KEY_STORE_PASSWORD,
    FLUME_KEY_PASSWORD
};

static const struct option options[] = {
    {"checkpoint-dir", required_argument, NULL, CHECKPOINT_DIR},
    {"data-dirs", required_argument, NULL, DATA_DIRS},
    {"config", required_argument, NULL, CONFIG},
    {"agent", required_argument, NULL, AGENT},
    {"channel", required_argument, NULL, CHANNEL},
    {"all", no_argument, NULL, ALL},
    {"quick", no_argument, NULL, QUICK},
    {"dry-run", no_argument, NULL, DRY_RUN},
    {"give-up-unreadable", no_argument, NULL, GIVE_UP},
    {"into", required_argument, NULL, INTO},
    {"again", no_argument, NULL, AGAIN},
    {"key", required_argument, NULL, KEY},
    {"flume-key-store", required_argument, NULL, FLUME_KEY_STORE},
    {"flume-key-store-password", required_argument, NULL, FLUME_KEY_STORE_PASSWORD},
    {"flume-key-password", required_argument, NULL, FLUME_KEY_PASSWORD},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {NULL, 0, NULL, 0},
};
const struct ps_command_options ps_options_channel = {options, "jh", false};

static const struct subcommand {
    const char *name;
    int (*run)(struct ps_channel_command *command);
    bool json;
} subcommands[] = {{"inspect", ps_main_channel_inspect, true},
                   {"verify", ps_main_channel_verify, true},
                   {"export", ps_main_channel_export, true},
                   {"repair", ps_main_channel_repair, false},
                   {"import", ps_main_channel_import, false}};

static bool wrong(const char *what, const char *word)
{
    fprintf(stderr, "penstock channel: %s%s\n`penstock channel --help` tells more.\n", what, word);
    return false;
}

static bool take(struct ps_channel_command *command, int option)
{
    switch (option) {
    case CHECKPOINT_DIR:
        command->checkpoint_directory = optarg;
        return true;
    case DATA_DIRS:
        command->data_directories = ps_text_split_commas(command->arena, optarg);
        return command->data_directories.count > 0 || wrong("--data-dirs names no directory", "");
    case CONFIG:
        command->file = optarg;
        return true;
    case AGENT:
        command->agent = optarg;
        return true;
    case CHANNEL:
        command->channel = optarg;
        return true;
    case ALL:
        command->all = true;
        return true;
    case QUICK:
        command->quick = true;
        return true;
    case DRY_RUN:
        command->dry_run = true;
        return true;
    case GIVE_UP:
        command->give_up = true;
        return true;
    case INTO:
        command->into = optarg;
        return true;
    case AGAIN:
        command->again = true;
        return true;
    case KEY:
        return ps_channel_key_add(command, optarg) || wrong("--key is NAME=FILE, not ", optarg);
    case FLUME_KEY_STORE:
        command->flume_source.store_file = optarg;
        return true;
    case FLUME_KEY_STORE_PASSWORD:
        command->flume_source.store_password_file = optarg;
        return true;
    case FLUME_KEY_PASSWORD:
        return ps_channel_flume_password_add(command, optarg) ||
               wrong("--flume-key-password is NAME=FILE, not ", optarg);
    case 'j':
        command->json = true;
        return true;
    case 'h':
        command->help = true;
        return true;
    default:
        return wrong("that option does not exist, or its value is missing", "");
    }
}

/* Options that only one subcommand accepts. */
static bool options_fit(const struct ps_channel_command *command, const struct subcommand *subcommand)
{
    bool import = strcmp(command->name, "import") == 0;
    if (command->json && !subcommand->json)
        return wrong("--json is for inspect, verify and export", "");
    if (command->all && strcmp(command->name, "export") != 0)
        return wrong("--all is for export", "");
    if (command->quick && strcmp(command->name, "inspect") != 0)
        return wrong("--quick is for inspect", "");
    if (command->dry_run && strcmp(command->name, "repair") != 0 && !import)
        return wrong("--dry-run is for repair and import", "");
    if (command->give_up && strcmp(command->name, "repair") != 0)
        return wrong("--give-up-unreadable is for repair", "");
    if ((command->into != NULL || command->again) && !import)
        return wrong("--into and --again are for import", "");
    const struct ps_key_source *flume = &command->flume_source;
    bool has_store = flume->store_file != NULL, has_password = flume->store_password_file != NULL;
    if ((has_store || has_password || flume->properties.count > 0) && !import)
        return wrong("--flume-key-store and its passwords are for import", "");
    if (has_store != has_password || (flume->properties.count > 0 && !has_store))
        return wrong("--flume-key-store FILE and --flume-key-store-password FILE go together", "");
    if ((command->file != NULL) != (command->agent != NULL) ||
        (command->file != NULL) != (command->channel != NULL))
        return wrong("--config FILE, --agent NAME and --channel NAME go together", "");
    if (command->file != NULL && command->key_source.names.count > 0)
        return wrong("--config names the keys; leave --key out", "");
    return true;
}

/* Returns whether the operands and options name a channel. */
static bool channel_is_named(const struct ps_channel_command *command)
{
    bool import = strcmp(command->name, "import") == 0;
    bool by_options = command->file != NULL ||
                      (command->checkpoint_directory != NULL && command->data_directories.count > 0);
    size_t count = command->operands.count;
    if (command->file != NULL &&
        (command->checkpoint_directory != NULL || command->data_directories.count > 0))
        return wrong("--config names the directories; leave --checkpoint-dir and --data-dirs out", "");
    if (import && count == 0)
        return wrong("name the directories of Flume's channel", "");
    if (import && command->into == NULL && !by_options && !command->dry_run)
        return wrong("--into is missing: the channel that the events go to", "");
    if (!import && count > 1)
        return wrong("one channel at a time, not also ", command->operands.items[1]);
    if (!import && count == 0 && !by_options)
        return wrong("name the channel's directory", "");
    if (command->file != NULL && ((import && command->into != NULL) || (!import && count > 0)))
        return wrong("--config names the channel; leave the directory out: ",
                     import ? command->into : command->operands.items[0]);
    return true;
}

static bool parse(struct ps_channel_command *command, int argc, char **argv)
{
    int option;
    optind = 0;
    while ((option = getopt_long(argc, argv, ps_options_channel.letters, options, NULL)) != -1)
        if (!take(command, option))
            return false;
    if (command->help)
        return true;
    if (optind == argc)
        return wrong("name a command: inspect, verify, export, repair or import", "");
    command->name = argv[optind++];
    const char **operands = ps_arena_alloc(command->arena, (size_t)(argc - optind + 1) * sizeof *operands);
    for (int i = optind; i < argc; i++)
        operands[i - optind] = argv[i];
    command->operands = (struct ps_texts){(size_t)(argc - optind), operands};
    const struct ps_texts files = {1, &command->file};
    if (command->file != NULL && command->agent == NULL)
        command->agent = ps_conf_only_agent(command->arena, &files);
    return true;
}

static int run(struct ps_channel_command *command)
{
    struct ps_nearest nearest;
    ps_nearest_init(&nearest, command->name);
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++) {
        if (strcmp(command->name, subcommands[i].name) == 0)
            return options_fit(command, &subcommands[i]) && channel_is_named(command)
                       ? subcommands[i].run(command)
                       : 2;
        ps_nearest_offer(&nearest, subcommands[i].name);
    }
    fprintf(stderr, "penstock channel: there is no command `%s`%s%s%s\n", command->name,
            nearest.word != NULL ? "; did you mean `" : "", nearest.word != NULL ? nearest.word : "",
            nearest.word != NULL ? "`?" : "");
    return 2;
}

int ps_main_channel(int argc, char **argv)
{
    struct ps_channel_command command = {.arena = ps_arena_create()};
    int code = 2;
    if (!parse(&command, argc, argv))
        code = 2;
    else if (command.help)
        code = fputs(usage, stdout) < 0;
    else
        code = run(&command);
    ps_key_ring_destroy(command.keys);
    ps_key_ring_destroy(command.flume_keys);
    ps_arena_destroy(command.arena);
    return code;
}
