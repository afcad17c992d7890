/* See command.h. Accepts the same forms as commons-cli in `flume-ng agent`: -n a1, -n=a1, -na1, --name a1,
 * --name=a1, -name a1, and long names shortened to any unambiguous prefix. */
#include "conf/command/command.h"

#include "conf/command/env.h"
#include "conf/conf.h"

#include "conf/file.h"
#include "conf/text.h"
#include "conf/java/tools.h"
#include "core/text/nearest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum option_kind {
    OPTION_FLAG,      /* bool */
    OPTION_TEXT,      /* const char * */
    OPTION_WORD,      /* const char *: one of the words of the value, "dot|mermaid" */
    OPTION_TEXTS,     /* struct ps_texts: the value is added */
    OPTION_SECONDS,   /* int64_t */
    OPTION_IGNORED,   /* has no meaning here; it is logged */
    OPTION_CLASS,     /* a Java class: refused */
    OPTION_ZOOKEEPER, /* refused */
};

struct option_row {
    struct ps_command_option option;
    enum option_kind kind;
    size_t offset;
    const char *commands; /* commands that use it, separated by blanks; NULL: accepted because Flume has it */
};

#define EVERY " agent node check graph "
#define AGENT " agent node "
#define AT(member) offsetof(struct ps_command, member)

/* The options of org.apache.flume.node.Application and bin/flume-ng. A long name may have one dash or two, as
 * in commons-cli. */
static const struct option_row rows[] = {
    {{"n", "name", "AGENT", "the agent; may be left out when the file has one"},
     OPTION_TEXT,
     AT(agent),
     EVERY},
    {{"f", "conf-file", "FILE", "its configuration; several are merged in order"},
     OPTION_TEXTS,
     AT(files),
     EVERY},
    {{"u", "conf-uri", "URI",
      "URI of its configuration: file:, classpath:, http: or https:; several are merged in order"},
     OPTION_TEXTS,
     AT(uris),
     EVERY},
    {{"user", "conf-user", "NAME", "user for http and https URIs"}, OPTION_TEXT, AT(user), EVERY},
    {{"pwd", "conf-password", "PASSWORD", "password of that user"}, OPTION_TEXT, AT(password), EVERY},
    {{"c", "conf", "DIRECTORY",
      "configuration directory: log4j files and flume-env.sh are read, never executed"},
     OPTION_TEXT,
     AT(conf_dir),
     EVERY},
    {{NULL, "plugins-path", "PATH",
      "folders with plug-ins, separated by colons (default: plugins.d of $FLUME_HOME, or of the "
      "installation)"},
     OPTION_TEXT,
     AT(plugins_path),
     EVERY},
    {{"C", "classpath", "PATH",
      "jars, and folders with classes, separated by colons: for components that are Java classes"},
     OPTION_TEXT,
     AT(classpath),
     EVERY},
    {{"i", "poll-interval", "S",
      "seconds between checks of the files for changes (default 30; 300 for http)"},
     OPTION_SECONDS,
     AT(poll_interval_s),
     AGENT},
    {{"b", "backup-directory", "DIRECTORY",
      "directory for a backup of the last good configuration; the agent starts from the backup when it "
      "cannot read its files"},
     OPTION_TEXT,
     AT(backup_directory),
     AGENT},
    {{NULL, "no-reload-conf", NULL, "do not check the files for changes"}, OPTION_FLAG, AT(no_reload), AGENT},
    {{"d", "dryrun", NULL, "check only, as `penstock check`"}, OPTION_FLAG, AT(dry_run), AGENT},
    {{NULL, "dry-run", NULL, NULL}, OPTION_FLAG, AT(dry_run), NULL},
    {{NULL, "probe", NULL,
      "also try things outside of the file: whether ports are free (or which process has them), brokers "
      "answer and accept the credentials, topics exist, directories can be written, and space is free; "
      "leaves nothing behind. Run it as the user of the service"},
     OPTION_FLAG,
     AT(probe),
     " check "},
    {{"v", "verbose", NULL, "also the workers and rings of each component"},
     OPTION_FLAG,
     AT(verbose),
     " agent node check "},
    {{NULL, "json", NULL, "one JSON object instead of text"}, OPTION_FLAG, AT(json), " check "},
    {{NULL, "strict", NULL, "exit with 1 for dropped components and warnings too"},
     OPTION_FLAG,
     AT(strict),
     " check "},
    {{NULL, "for", "2.0", "also name the components that Flume 2.0 no longer has"},
     OPTION_WORD,
     AT(flume),
     " check "},
    {{NULL, "format", "dot|mermaid",
      "dot: for Graphviz (default); mermaid: for Markdown, as drawn by GitHub and GitLab"},
     OPTION_WORD,
     AT(format),
     " graph "},
    {{"h", "help", NULL, "this text"}, OPTION_FLAG, AT(help), EVERY},
    {{"a", "auth-provider", "CLASS", NULL}, OPTION_CLASS, 0, NULL},
    {{"prov", "conf-provider", "CLASS", NULL}, OPTION_CLASS, 0, NULL},
    {{"z", "zkConnString", "HOSTS", NULL}, OPTION_ZOOKEEPER, 0, NULL},
    {{"p", "zkBasePath", "PATH", NULL}, OPTION_ZOOKEEPER, 0, NULL},
    {{NULL, "verify-host", "BOOLEAN", NULL}, OPTION_IGNORED, 0, NULL},
};

/* ---- growing lists in the arena ---- */

static void system_add(struct ps_command *command, const char *definition)
{
    size_t length = strcspn(definition, "=");
    ps_pairs_add(command->arena, &command->system,
                 (struct ps_pair){.key = ps_arena_copy(command->arena, definition, length),
                                  .value = definition[length] == '=' ? definition + length + 1 : ""});
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

/* Finds the value among the words of its row. If the value is none of these words, the message lists them and proposes
 * the nearest. */
static enum ps_status check_word(struct ps_command *command, const struct ps_command_option *option,
                                 const char *value, struct ps_err *err)
{
    struct ps_nearest nearest;
    const char *listed = "";
    char *words = ps_arena_copy(command->arena, option->value, strlen(option->value));
    ps_nearest_init(&nearest, value);
    for (const char *word; (word = strsep(&words, "|")) != NULL;) {
        if (strcmp(word, value) == 0)
            return PS_OK;
        ps_nearest_offer(&nearest, word);
        listed = ps_arena_format(command->arena, "%s%s%s", listed, *listed != '\0' ? " or " : "", word);
    }
    return ps_err_set(err, "--%s is %s, not %s%s%s%s", option->longs, listed, value,
                      nearest.word != NULL ? "; did you mean " : "", nearest.word != NULL ? nearest.word : "",
                      nearest.word != NULL ? "?" : "");
}

static enum ps_status apply(struct ps_command *command, const struct option_row *row, const char *value,
                            struct ps_err *err)
{
    void *at = (char *)command + row->offset;
    const char *name = row->option.longs;
    char *end;
    int64_t seconds;
    switch (row->kind) {
    case OPTION_FLAG:
        *(bool *)at = true;
        return PS_OK;
    case OPTION_TEXT:
        *(const char **)at = value;
        return PS_OK;
    case OPTION_WORD:
        *(const char **)at = value;
        return check_word(command, &row->option, value, err);
    case OPTION_TEXTS:
        ps_texts_add(command->arena, at, value);
        return PS_OK;
    case OPTION_SECONDS:
        seconds = strtol(value, &end, 10);
        if (*value == '\0' || *end != '\0' || seconds < 0 || seconds > 86400 * 365)
            return ps_err_set(err, "-%s/--%s takes a number of seconds, not \"%s\"", row->option.shorts, name,
                              value);
        *(int64_t *)at = seconds;
        return PS_OK;
    case OPTION_IGNORED:
        ps_texts_add(command->arena, &command->ignored,
                     ps_arena_format(command->arena, "--%s %s", name, value));
        return PS_OK;
    case OPTION_CLASS:
        return ps_err_set(err,
                          "--%s names a Java class (%s), which cannot run here; use -user and -pwd for a URI "
                          "that asks for them",
                          name, value);
    case OPTION_ZOOKEEPER:
        return ps_err_set(err, "--%s: configuration from ZooKeeper is not supported; use -f FILE or -u URI",
                          name);
    }
    return PS_FAIL;
}

/* Returns whether an option that takes a value was given. */
static bool is_given(const struct ps_command *command, const struct option_row *row)
{
    const void *at = (const char *)command + row->offset;
    return ((row->kind == OPTION_TEXT || row->kind == OPTION_WORD) && *(const char *const *)at != NULL) ||
           (row->kind == OPTION_TEXTS && ((const struct ps_texts *)at)->count > 0) ||
           (row->kind == OPTION_SECONDS && *(const int64_t *)at != 0);
}

/* Returns the row of the only long name with this prefix, as commons-cli does; NULL if there is none or more than
 * one. */
static const struct option_row *row_begun(const char *name, size_t length)
{
    const struct option_row *found = NULL;
    for (size_t i = 0; i < PS_COUNT_OF(rows) && length > 1; i++) {
        if (strncmp(rows[i].option.longs, name, length) != 0)
            continue;
        if (found != NULL && (found->kind != OPTION_FLAG || found->offset != rows[i].offset))
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
        if (strlen(rows[i].option.longs) == length && strncmp(rows[i].option.longs, name, length) == 0)
            return &rows[i];
        if (!two && rows[i].option.shorts != NULL && strlen(rows[i].option.shorts) == length &&
            strncmp(rows[i].option.shorts, name, length) == 0)
            return &rows[i];
    }
    const struct option_row *begun = row_begun(name, length);
    if (begun != NULL)
        return begun;
    for (size_t i = 0; i < PS_COUNT_OF(rows) && !two; i++) {
        if (rows[i].option.shorts == NULL || rows[i].option.shorts[1] != '\0' ||
            rows[i].option.value == NULL || name[0] != rows[i].option.shorts[0])
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
        ps_nearest_offer(&nearest, rows[i].option.longs);
    if (nearest.word != NULL)
        return ps_err_set(err, "unknown option %s; did you mean --%s?", word, nearest.word);
    return ps_err_set(err, "unknown option %s; see --help", word);
}

/* Parses the option at argv[at]. Returns the number of words that the option takes, or 0 on error. */
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
    if (jvm_option(command, word)) {
        ps_texts_add(command->arena, &command->jvm, word);
        return 1;
    }
    const struct option_row *row = row_find(word, &inner);
    if (row == NULL) {
        refuse_unknown(word, err);
        return 0;
    }
    if (row->option.value == NULL)
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

/* Reads the options file and the environment; fails if an option is missing. */
static enum ps_status complete(struct ps_command *command, struct ps_err *err);

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
    return complete(command, err);
}

enum ps_status ps_command_set(struct ps_command *command, const char *name, const char *value,
                              struct ps_err *err)
{
    for (size_t i = 0; i < PS_COUNT_OF(rows); i++) {
        if (strcmp(rows[i].option.longs, name) != 0 &&
            (rows[i].option.shorts == NULL || strcmp(rows[i].option.shorts, name) != 0))
            continue;
        if (is_given(command, &rows[i]))
            return PS_OK; /* the command line wins */
        bool yes = strcasecmp(value, "true") == 0 || strcasecmp(value, "yes") == 0 || strcmp(value, "1") == 0;
        if (rows[i].option.value == NULL && !yes)
            return PS_OK;
        return apply(command, &rows[i], ps_arena_text(command->arena, value), err);
    }
    return PS_OK;
}

/* Returns whether the value of -f is a URI, and no file has this name. */
static bool is_uri(const char *file)
{
    static const char *const schemes[] = {"http://", "https://", "file:/", "classpath:"};
    for (size_t i = 0; i < PS_COUNT_OF(schemes); i++)
        if (strncasecmp(file, schemes[i], strlen(schemes[i])) == 0)
            return access(file, F_OK) != 0;
    return false;
}

static enum ps_status refuse_uri(const char *uri, struct ps_err *err)
{
    char room[1024];
    uri = ps_file_uri_masked(uri, room, sizeof room);
    return ps_err_set(err, "-f takes the path of a file; for a URI write -u %s", uri);
}

static enum ps_status complete(struct ps_command *command, struct ps_err *err)
{
    if (ps_command_read_opts(command, err) != PS_OK)
        return PS_FAIL;
    if (command->bad_heap != NULL)
        return ps_err_set(err, "%s: not a heap size; write for example -Xmx512m or -Xmx4g",
                          command->bad_heap);
    for (size_t i = 0; i < command->files.count; i++)
        if (is_uri(command->files.items[i]))
            return refuse_uri(command->files.items[i], err);
    if (command->agent == NULL && command->files.count == 0 && command->uris.count == 0)
        return ps_err_set(err,
                          "what to read is missing: -n NAME -f FILE (or -u URI); --help shows all options");
    if (command->agent == NULL && command->uris.count > 0)
        return ps_err_set(err, "the agent's name is missing: -n NAME");
    if (command->agent == NULL)
        command->agent = ps_conf_only_agent(command->arena, &command->files, "-n NAME", err);
    if (command->agent == NULL)
        return PS_FAIL;
    if (command->files.count == 0 && command->uris.count == 0)
        return ps_err_set(err, "the configuration is missing: -f FILE or -u URI");
    if (command->conf_dir != NULL)
        ps_env_load(command);
    command->plugins =
        ps_command_plugins(command->arena, command->plugins_path, ps_command_variable(command, "FLUME_HOME"));
    command->tools = ps_arena_alloc(command->arena, sizeof *command->tools);
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
        *option = rows[i].option;
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
