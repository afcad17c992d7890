/* `penstock channel`: inspects, exports, repairs and imports a channel on disk, without an agent. This file
 * has its options and directories; each subcommand is in commands/channel/<name>.c. */
#include "conf/conf.h"
#include "conf/text.h"
#include "commands/channel/channel.h"
#include "commands/commands.h"
#include "commands/line/line.h"

#include <stdio.h>
#include <string.h>

static ps_row_take take_data_directories, take_key, take_flume_password;

#define PS_ROW_TARGET struct ps_channel_command

static const struct ps_command_row rows[] = {
    {NULL, 0, "inspect", PS_ROW_NOTE, .help = "segments, frames and events, undelivered events, and damage",
     .group = "commands"},
    {NULL, 0, "verify", PS_ROW_NOTE,
     .help = "reads everything and checks every checksum; names each damaged record"},
    {NULL, 0, "export", PS_ROW_NOTE,
     .help = "the events that were not delivered, one a line; changes nothing"},
    {NULL, 0, "repair", PS_ROW_NOTE,
     .help = "moves files that cannot be opened into a directory damaged-TIME beside them; deletes nothing"},
    {NULL, 0, "import", PS_ROW_NOTE,
     .help = "copies the events of a Flume file channel into DIR; Flume's files stay as they are"},
    {"checkpoint-dir", 0, "DIRECTORY", PS_ROW_TEXT(checkpoint_directory),
     .help = "the channel's checkpointDir",
     .group = "which channel: DIR has the directories checkpoint and data, as in ~/.flume/file-channel; or"},
    {"data-dirs", 0, "DIRECTORY", PS_ROW_TAKE(take_data_directories), .help = "its dataDirs: DIR,DIR.."},
    {"config", 0, "FILE", PS_ROW_TEXT(file),
     .help = "takes both, and the keys, from this agent file, with --agent and --channel"},
    {"agent", 0, "NAME", PS_ROW_TEXT(agent),
     .help = "the agent in the file of --config (may be left out when the file has one)"},
    {"channel", 0, "NAME", PS_ROW_TEXT(channel), .help = "the channel of that agent"},
    {"key", 0, "NAME=FILE", PS_ROW_TAKE(take_key),
     .help = "a key of an encrypted channel, without --config; several may be named. import encrypts with "
             "the first one"},
    {"quick", 0, NULL, PS_ROW_FLAG(quick), .help = "inspect: does not read the events, only their places",
     .only = "inspect", .group = "options"},
    {"all", 0, NULL, PS_ROW_FLAG(all), .help = "export: also delivered events that are still on the disk",
     .only = "export"},
    {"dry-run", 0, NULL, PS_ROW_FLAG(dry_run),
     .help =
         "repair, import: prints what the command would do, and changes nothing; import then needs no --into",
     .only = "repair import"},
    {"give-up-unreadable", 0, NULL, PS_ROW_FLAG(give_up),
     .help = "repair: gives up bytes that the disk cannot read (input/output errors): such files are "
             "replaced by a copy with zeros in their place. Try to read the files elsewhere first",
     .only = "repair"},
    {"into", 0, "DIRECTORY", PS_ROW_TEXT(into),
     .help = "import: the channel that the events go to; it is made if it does not exist", .only = "import"},
    {"again", 0, NULL, PS_ROW_FLAG(again),
     .help = "import: also if FLUME_DIR was imported before, or its last import did not end",
     .only = "import"},
    {"flume-key-store", 0, "FILE", PS_ROW_TEXT(flume_source.store_file),
     .help = "import: Flume's JCEKS key store (keyStoreFile), if Flume's channel is encrypted",
     .only = "import"},
    {"flume-key-store-password", 0, "FILE", PS_ROW_TEXT(flume_source.store_password_file),
     .help = "import: file with the password of that key store (keyStorePasswordFile)", .only = "import"},
    {"flume-key-password", 0, "NAME=FILE", PS_ROW_TAKE(take_flume_password),
     .help = "import: file with the password of a key that has its own (passwordFile); several may be named. "
             "Without a "
             "key store the keys of --config or --key are tried",
     .only = "import"},
    {"json", 'j', NULL, PS_ROW_FLAG(json),
     .help = "inspect, verify: one object; export: one object a line, with headers",
     .only = "inspect verify export"},
    {.help = NULL},
};

const struct ps_command_line ps_line_channel = {
    .name = "channel",
    .usage = "Usage: penstock channel inspect DIR [OPTION]...\n"
             "       penstock channel verify DIR [OPTION]...\n"
             "       penstock channel export DIR [OPTION]...\n"
             "       penstock channel repair DIR [OPTION]...\n"
             "       penstock channel import FLUME_DIR... --into DIR [OPTION]...\n"
             "A channel of type file, while no agent has it open: inspects and verifies it, exports its "
             "events,\nrepairs it, and imports a file channel of Flume into it.\n",
    .rows = rows,
    .ends = "Exit status: 0 done, and nothing is damaged; 1 something is damaged, or could not be done; 2 "
            "wrong usage, or\nthe channel cannot be opened, because an agent has it open, for example.\n"
            "\n"
            "Examples:\n"
            "  penstock channel inspect /var/lib/penstock/c1\n"
            "  penstock channel verify --config flume.properties --agent a1 --channel c1\n"
            "  penstock channel export /var/lib/penstock/c1 --json | jq -r .headers.host | sort | uniq -c\n"
            "  penstock channel repair /var/lib/penstock/c1 --dry-run\n"
            "  penstock channel import ~/.flume/file-channel --into /var/lib/penstock/c1\n"
            "  penstock channel import /disk1/flume /disk2/flume /var/flume/checkpoint --into "
            "/var/lib/penstock/c1\n",
    .operand = "inspect|verify|export|repair|import",
};

static const struct subcommand {
    const char *name;
    int (*run)(struct ps_channel_command *command);
} subcommands[] = {{"inspect", ps_main_channel_inspect},
                   {"verify", ps_main_channel_verify},
                   {"export", ps_main_channel_export},
                   {"repair", ps_main_channel_repair},
                   {"import", ps_main_channel_import}};

static bool wrong(const char *what, const char *word)
{
    fprintf(stderr, "penstock channel: %s%s\n`penstock channel --help` tells more.\n", what, word);
    return false;
}

static enum ps_status take_data_directories(void *target, const struct ps_command_row *row, const char *text,
                                            struct ps_err *err)
{
    struct ps_channel_command *command = target;
    command->data_directories = ps_text_split_commas(command->arena, text);
    return command->data_directories.count > 0 ? PS_OK
                                               : ps_err_set(err, "--%s names no directory", row->name);
}

static enum ps_status take_key(void *target, const struct ps_command_row *row, const char *text,
                               struct ps_err *err)
{
    return ps_channel_key_add(target, text) ? PS_OK
                                            : ps_err_set(err, "--%s is NAME=FILE, not %s", row->name, text);
}

static enum ps_status take_flume_password(void *target, const struct ps_command_row *row, const char *text,
                                          struct ps_err *err)
{
    return ps_channel_flume_password_add(target, text)
               ? PS_OK
               : ps_err_set(err, "--%s is NAME=FILE, not %s", row->name, text);
}

/* Returns whether the options that need other options have them. */
static bool options_fit(const struct ps_channel_command *command)
{
    const struct ps_key_source *flume = &command->flume_source;
    bool has_store = flume->store_file != NULL, has_password = flume->store_password_file != NULL;
    if (has_store != has_password || (flume->properties.count > 0 && !has_store))
        return wrong("--flume-key-store FILE and --flume-key-store-password FILE go together", "");
    if (command->file != NULL && command->agent == NULL)
        return wrong(command->agent_missing.text, "");
    if ((command->file != NULL) != (command->channel != NULL) ||
        (command->file == NULL && command->agent != NULL))
        return wrong("--config FILE and --channel NAME go together; --agent NAME needs both", "");
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

/* Returns -1 to continue, else the exit code. */
static int parse(struct ps_channel_command *command, int argc, char **argv)
{
    int operands, code = ps_command_line_parse(&ps_line_channel, command, argc, argv, &operands);
    if (code >= 0)
        return code;
    if (operands == 0)
        return wrong("name a command: inspect, verify, export, repair or import", "") ? 0 : 2;
    command->name = argv[1];
    for (int i = 2; i <= operands; i++)
        ps_texts_add(command->arena, &command->operands, argv[i]);
    const struct ps_texts files = {1, &command->file};
    if (command->file != NULL && command->agent == NULL)
        command->agent = ps_conf_only_agent(command->arena, &files, "--agent NAME", &command->agent_missing);
    return -1;
}

static int run(struct ps_channel_command *command)
{
    static const char *const names[] = {"inspect", "verify", "export", "repair", "import", NULL};
    for (size_t i = 0; i < PS_COUNT_OF(subcommands); i++)
        if (strcmp(command->name, subcommands[i].name) == 0)
            return options_fit(command) && channel_is_named(command) ? subcommands[i].run(command) : 2;
    return ps_command_line_unknown("channel", "command", command->name, names);
}

int ps_main_channel(int argc, char **argv)
{
    struct ps_channel_command command = {.arena = ps_arena_create()};
    int code = parse(&command, argc, argv);
    if (code < 0)
        code = run(&command);
    ps_key_ring_destroy(command.keys);
    ps_key_ring_destroy(command.flume_keys);
    ps_arena_destroy(command.arena);
    return code;
}
