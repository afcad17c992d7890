/* See command.h. Accepts the same forms as commons-cli in `flume-ng agent`: -n a1, -n=a1, -na1, --name a1,
 * --name=a1, -name a1, and long names shortened to any unambiguous prefix. */
#include "conf/command/command.h"

#include "conf/conf.h"

#include "conf/file.h"
#include "conf/text.h"
#include "core/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum option_id {
    OPTION_NAME,
    OPTION_FILE,
    OPTION_URI,
    OPTION_AUTH,
    OPTION_PROVIDER,
    OPTION_USER,
    OPTION_PASSWORD,
    OPTION_INTERVAL,
    OPTION_BACKUP,
    OPTION_NO_RELOAD,
    OPTION_ZK,
    OPTION_ZK_BASE,
    OPTION_HELP,
    OPTION_CONF,
    OPTION_CLASSPATH,
    OPTION_DRY_RUN,
    OPTION_PLUGINS,
    OPTION_JSON,
    OPTION_STRICT,
    OPTION_PROBE,
    OPTION_VERBOSE,
    OPTION_VERIFY_HOST,
};

struct option_row {
    enum option_id id;
    const char *shorts, *longs; /* without dashes */
    bool argument;
    const char *commands; /* commands that use it, separated by blanks; NULL: accepted because Flume has it */
};

#define EVERY " agent node check graph "

/* The options of org.apache.flume.node.Application and bin/flume-ng. A long name may have one dash or two, as
 * in commons-cli. */
static const struct option_row rows[] = {
    {OPTION_NAME, "n", "name", true, EVERY},
    {OPTION_FILE, "f", "conf-file", true, EVERY},
    {OPTION_URI, "u", "conf-uri", true, EVERY},
    {OPTION_AUTH, "a", "auth-provider", true, NULL},
    {OPTION_PROVIDER, "prov", "conf-provider", true, NULL},
    {OPTION_USER, "user", "conf-user", true, EVERY},
    {OPTION_PASSWORD, "pwd", "conf-password", true, EVERY},
    {OPTION_INTERVAL, "i", "poll-interval", true, " agent node "},
    {OPTION_BACKUP, "b", "backup-directory", true, " agent node "},
    {OPTION_NO_RELOAD, NULL, "no-reload-conf", false, " agent node "},
    {OPTION_ZK, "z", "zkConnString", true, NULL},
    {OPTION_ZK_BASE, "p", "zkBasePath", true, NULL},
    {OPTION_HELP, "h", "help", false, EVERY},
    {OPTION_CONF, "c", "conf", true, EVERY},
    {OPTION_CLASSPATH, "C", "classpath", true, NULL},
    {OPTION_DRY_RUN, "d", "dryrun", false, " agent node "},
    {OPTION_DRY_RUN, NULL, "dry-run", false, NULL},
    {OPTION_PLUGINS, NULL, "plugins-path", true, NULL},
    {OPTION_VERIFY_HOST, NULL, "verify-host", true, NULL},
    {OPTION_JSON, NULL, "json", false, " check "},
    {OPTION_STRICT, NULL, "strict", false, " check "},
    {OPTION_PROBE, NULL, "probe", false, " check "},
    {OPTION_VERBOSE, "v", "verbose", false, " agent node check "},
};

/* ---- growing lists in the arena ---- */

static void system_add(struct ps_command *command, const char *definition)
{
    struct ps_pair *items = ps_arena_alloc(command->arena, (command->system.count + 1) * sizeof *items);
    if (command->system.count > 0)
        memcpy(items, command->system.items, command->system.count * sizeof *items);
    size_t length = strcspn(definition, "=");
    items[command->system.count] = (struct ps_pair){
        .key = ps_arena_copy(command->arena, definition, length),
        .value = definition[length] == '=' ? definition + length + 1 : "",
    };
    command->system = (struct ps_pairs){command->system.count + 1, items};
}

/* Handles options of the JVM: -Dk=v, -Xmx, and those without meaning here. Returns false for any other
 * word. */
static bool jvm_option(struct ps_command *command, const char *word)
{
    if (ps_text_begins(word, "-D") && word[2] != '\0') {
        system_add(command, word + 2);
        return true;
    }
    if (ps_text_begins(word, "-Xmx")) {
        command->heap_bytes = ps_command_heap_bytes(word + 4);
        if (command->heap_bytes == 0)
            command->bad_heap = word;
        return true;
    }
    if (!ps_text_begins(word, "-X") && !ps_text_begins(word, "-agentlib") &&
        !ps_text_begins(word, "-agentpath") && !ps_text_begins(word, "-javaagent") &&
        !ps_text_begins(word, "-verbose:") && strcmp(word, "-server") != 0 && strcmp(word, "-ea") != 0)
        return false;
    ps_texts_add(command->arena, &command->ignored, word);
    return true;
}

/* ---- one option ---- */

static enum ps_status apply(struct ps_command *command, const struct option_row *row, const char *value,
                            struct ps_err *err)
{
    char *end;
    switch (row->id) {
    case OPTION_NAME:
        command->agent = value;
        return PS_OK;
    case OPTION_FILE:
        ps_texts_add(command->arena, &command->files, value);
        return PS_OK;
    case OPTION_URI:
        ps_texts_add(command->arena, &command->uris, value);
        return PS_OK;
    case OPTION_USER:
        command->user = value;
        return PS_OK;
    case OPTION_PASSWORD:
        command->password = value;
        return PS_OK;
    case OPTION_INTERVAL:
        command->poll_interval_s = strtol(value, &end, 10);
        if (*value == '\0' || *end != '\0' || command->poll_interval_s < 0 ||
            command->poll_interval_s > 86400 * 365)
            return ps_err_set(err, "-i/--poll-interval takes a number of seconds, not \"%s\"", value);
        return PS_OK;
    case OPTION_BACKUP:
        command->backup_directory = value;
        return PS_OK;
    case OPTION_NO_RELOAD:
        command->no_reload = true;
        return PS_OK;
    case OPTION_HELP:
        command->help = true;
        return PS_OK;
    case OPTION_CONF:
        command->conf_dir = value;
        return PS_OK;
    case OPTION_DRY_RUN:
        command->dry_run = true;
        return PS_OK;
    case OPTION_JSON:
        command->json = true;
        return PS_OK;
    case OPTION_STRICT:
        command->strict = true;
        return PS_OK;
    case OPTION_PROBE:
        command->probe = true;
        return PS_OK;
    case OPTION_VERBOSE:
        command->verbose = true;
        return PS_OK;
    case OPTION_CLASSPATH:
    case OPTION_PLUGINS:
    case OPTION_VERIFY_HOST:
        ps_texts_add(command->arena, &command->ignored,
                     ps_arena_format(command->arena, "--%s %s", row->longs, value));
        return PS_OK;
    case OPTION_AUTH:
    case OPTION_PROVIDER:
        return ps_err_set(err,
                          "--%s names a Java class (%s), which cannot run here; use -user and -pwd for a URI "
                          "that asks for them",
                          row->longs, value);
    case OPTION_ZK:
    case OPTION_ZK_BASE:
        return ps_err_set(err, "--%s: configuration from ZooKeeper is not supported; use -f FILE or -u URI",
                          row->longs);
    }
    return PS_FAIL;
}

/* Returns the one long name with this prefix, as commons-cli does; NULL if there is none or more than one. */
static const struct option_row *row_begun(const char *name, size_t length)
{
    const struct option_row *found = NULL;
    for (size_t i = 0; i < PS_COUNT_OF(rows) && length > 1; i++) {
        if (strncmp(rows[i].longs, name, length) != 0)
            continue;
        if (found != NULL && found->id != rows[i].id)
            return NULL;
        found = &rows[i];
    }
    return found;
}

/* Returns the row that a word names. `*inner` is the value within the word ("--name=a1", "-na1"), or NULL. */
static const struct option_row *row_find(const char *word, const char **inner)
{
    bool two = word[1] == '-';
    const char *name = word + 1 + two;
    size_t length = strcspn(name, "=");
    *inner = name[length] == '=' ? name + length + 1 : NULL;
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (strlen(rows[i].longs) == length && strncmp(rows[i].longs, name, length) == 0)
            return &rows[i];
        if (!two && rows[i].shorts != NULL && strlen(rows[i].shorts) == length &&
            strncmp(rows[i].shorts, name, length) == 0)
            return &rows[i];
    }
    const struct option_row *begun = row_begun(name, length);
    if (begun != NULL)
        return begun;
    for (size_t i = 0; i < PS_COUNT_OF(rows) && !two; i++) {
        if (rows[i].shorts == NULL || rows[i].shorts[1] != '\0' || !rows[i].argument ||
            name[0] != rows[i].shorts[0])
            continue;
        *inner = name + 1;
        return &rows[i];
    }
    return NULL;
}

static enum ps_status refuse_unknown(const char *word, struct ps_err *err)
{
    struct ps_nearest nearest;
    char room[1024];
    ps_nearest_init(&nearest, word + strspn(word, "-"));
    word = ps_file_uri_masked(word, room, sizeof room);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++)
        ps_nearest_offer(&nearest, rows[i].longs);
    if (nearest.word != NULL)
        return ps_err_set(err, "unknown option %s; did you mean --%s?", word, nearest.word);
    return ps_err_set(err, "unknown option %s; see --help", word);
}

/* Parses argv[at]. Returns how many words it used, or 0 on error. */
static int parse_word(struct ps_command *command, int argc, char **argv, int at, struct ps_err *err)
{
    const char *word = argv[at];
    const char *inner;
    if (word[0] != '-' || word[1] == '\0') {
        char room[1024];
        ps_err_set(err, "unexpected \"%s\"; name files with -f", ps_file_uri_masked(word, room, sizeof room));
        return 0;
    }
    if (strcmp(word, "-D") == 0 && at + 1 < argc) {
        ps_err_set(err, "-D %s: write it without the blank: -D%s", argv[at + 1], argv[at + 1]);
        return 0;
    }
    if (jvm_option(command, word))
        return 1;
    const struct option_row *row = row_find(word, &inner);
    if (row == NULL) {
        refuse_unknown(word, err);
        return 0;
    }
    if (!row->argument)
        return apply(command, row, NULL, err) == PS_OK ? 1 : 0;
    if (inner != NULL)
        return apply(command, row, inner, err) == PS_OK ? 1 : 0;
    if (at + 1 == argc) {
        ps_err_set(err, "%s needs a value", word);
        return 0;
    }
    return apply(command, row, argv[at + 1], err) == PS_OK ? 2 : 0;
}

/* Reads FLUME_JAVA_OPTS, which flume-ng passes to java before its own -D. */
static void read_environment(struct ps_command *command)
{
    const char *options = getenv("FLUME_JAVA_OPTS");
    if (options == NULL)
        return;
    struct ps_texts words = ps_text_split_blanks(command->arena, options);
    for (size_t i = 0; i < words.count; i++)
        if (!jvm_option(command, words.items[i]))
            ps_texts_add(command->arena, &command->ignored, words.items[i]);
}

enum ps_status ps_command_parse(struct ps_command *command, int argc, char **argv, struct ps_err *err)
{
    memset(command, 0, sizeof *command);
    command->arena = ps_arena_create();
    read_environment(command);
    for (int at = 1; at < argc;) {
        int taken = parse_word(command, argc, argv, at, err);
        if (taken == 0)
            return PS_FAIL;
        at += taken;
        if (command->help)
            return PS_OK;
    }
    return ps_command_complete(command, err);
}

enum ps_status ps_command_set(struct ps_command *command, const char *name, const char *value,
                              struct ps_err *err)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (strcmp(rows[i].longs, name) != 0 && (rows[i].shorts == NULL || strcmp(rows[i].shorts, name) != 0))
            continue;
        bool given = (rows[i].id == OPTION_NAME && command->agent != NULL) ||
                     (rows[i].id == OPTION_FILE && command->files.count > 0) ||
                     (rows[i].id == OPTION_URI && command->uris.count > 0) ||
                     (rows[i].id == OPTION_CONF && command->conf_dir != NULL) ||
                     (rows[i].id == OPTION_USER && command->user != NULL) ||
                     (rows[i].id == OPTION_PASSWORD && command->password != NULL) ||
                     (rows[i].id == OPTION_INTERVAL && command->poll_interval_s != 0) ||
                     (rows[i].id == OPTION_BACKUP && command->backup_directory != NULL);
        if (given)
            return PS_OK; /* the command line wins */
        bool yes = strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 || strcmp(value, "1") == 0;
        if (!rows[i].argument && !yes)
            return PS_OK;
        return apply(command, &rows[i], ps_arena_text(command->arena, value), err);
    }
    return PS_OK;
}

static enum ps_status name_is_missing(const struct ps_command *command, struct ps_err *err)
{
    const char *agents = ps_conf_agents(command);
    return ps_err_set(err, "the agent's name is missing: -n NAME%s%s",
                      agents != NULL ? "; the files contain: " : "", agents != NULL ? agents : "");
}

enum ps_status ps_command_complete(struct ps_command *command, struct ps_err *err)
{
    if (ps_command_read_opts(command, err) != PS_OK)
        return PS_FAIL;
    if (command->bad_heap != NULL)
        return ps_err_set(err, "%s: not a heap size; write for example -Xmx512m or -Xmx4g",
                          command->bad_heap);
    if (command->agent == NULL && command->uris.count == 0)
        command->agent = ps_conf_only_agent(command->arena, &command->files);
    if (command->agent == NULL)
        return name_is_missing(command, err);
    if (command->files.count == 0 && command->uris.count == 0)
        return ps_err_set(err, "the configuration is missing: -f FILE or -u URI");
    return PS_OK;
}

void ps_command_fini(struct ps_command *command)
{
    ps_arena_destroy(command->arena);
    memset(command, 0, sizeof *command);
}

bool ps_command_option(const char *command, size_t index, struct ps_command_option *option)
{
    char name[32];
    snprintf(name, sizeof name, " %s ", command);
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (rows[i].commands == NULL || strstr(rows[i].commands, name) == NULL || index-- > 0)
            continue;
        *option = (struct ps_command_option){rows[i].shorts, rows[i].longs, rows[i].argument};
        return true;
    }
    return false;
}

int64_t ps_command_poll_interval_s(const struct ps_command *command)
{
    if (command->poll_interval_s > 0)
        return command->poll_interval_s;
    for (size_t i = 0; i < command->uris.count; i++)
        if (strncasecmp(command->uris.items[i], "http", 4) == 0)
            return 300;
    return 30;
}
