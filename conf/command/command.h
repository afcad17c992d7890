/* The command line of `agent` and `check`: every option of `flume-ng agent`
 * (org.apache.flume.node.Application and bin/flume-ng). Thread: the main thread, before other threads exist.
 * Texts point into argv or the arena. */
#pragma once

#include "conf/command/shell.h"
#include "core/arena.h"
#include "core/option.h"
#include "core/status.h"

struct ps_command {
    struct ps_arena *arena;
    const char *agent;           /* -n */
    struct ps_texts files, uris; /* -f, -u, in order; -u wins when both are given */
    const char *conf_dir;        /* -c; NULL = not given */
    struct ps_pairs system;      /* the -D options (-Dk=v); those of FLUME_JAVA_OPTS come first */
    const char *user, *password; /* -user, -pwd: for http(s) URIs */
    const char *plugins_path;    /* --plugins-path; NULL = not given */
    /* the folders with plug-ins: those of plugins_path, else the default ones that exist */
    struct ps_texts plugins;
    int64_t poll_interval_s;      /* -i; 0 = 30, or 300 when a URI is http(s) */
    const char *backup_directory; /* -b */
    bool no_reload;               /* --no-reload-conf */
    bool dry_run;                 /* -d */
    bool help;                    /* -h; then the other options were not read */
    bool json;                    /* --json (ours) */
    bool ask_classes;             /* call config filters that are Java classes, which starts a JVM */
    bool probe;                   /* --probe (ours): check also tries what is outside the configuration */
    bool verbose;                 /* -v (ours): workers and rings as well */
    const char *format;           /* --format (ours): the language of graph's output; NULL: the default */
    const char *flume;       /* --for (ours): the version of Flume that check compares with; NULL: none */
    bool strict;             /* --strict (ours): check also fails for dropped components and warnings */
    int64_t heap_bytes;      /* -Xmx; 0 = none */
    const char *bad_heap;    /* an -Xmx that is not a size, or NULL */
    struct ps_texts ignored; /* options that have a meaning only for a JVM, as written */
    const char *classpath;   /* -C; NULL = not given */
    struct ps_texts jvm;     /* the command line's options for `java`, for components that are Java classes */
    struct ps_shell environment; /* what flume-env.sh assigns */
    struct ps_tools_said
        /* the answers of `hadoop` and `hbase` (conf/java/tools.h); NULL: these commands are called each time */
        *tools;
};

/* Parses the command line; argv[0] is the subcommand's name. Returns PS_FAIL with a message that gives
 * advice. The caller calls ps_command_fini in any case. */
enum ps_status ps_command_parse(struct ps_command *command, int argc, char **argv, struct ps_err *err);
void ps_command_fini(struct ps_command *command);

/* The steps of parsing, separate because flume.opts (conf/command/opts.c) uses them: the first sets one option by
 * name unless the command line gave it, the second reads the options file. */
enum ps_status ps_command_set(struct ps_command *command, const char *name, const char *value,
                              struct ps_err *err);
enum ps_status ps_command_read_opts(struct ps_command *command, struct ps_err *err);

/* One option, as the help shows it and shell completion offers it. */
struct ps_command_option {
    const char *shorts, *longs; /* without dashes; NULL: none */
    const char *value;          /* "FILE"; NULL: the option takes no value */
    const char *help;           /* one text without newlines */
};
/* Writes option number `index` of those that `command` ("agent", "check", "graph") uses to `*option`; returns false
 * after the last. Options that are accepted only because Flume has them are left out. */
bool ps_command_option(const char *command, size_t index, struct ps_command_option *option);

/* In plugins.c: returns the folders with plug-ins, in the arena. These are the folders of `path`, separated by
 * colons; if `path` is NULL, plugins.d of `home`, which is FLUME_HOME; if that is NULL too, plugins.d and
 * lib/penstock/plugins.d of the prefix in which this program is installed. */
struct ps_texts ps_command_plugins(struct ps_arena *arena, const char *path, const char *home);

/* Returns a variable's value as flume-ng has it: from flume-env.sh of the configuration directory, else from the
 * environment. NULL: it is not set, or empty. */
const char *ps_command_variable(const struct ps_command *command, const char *name);

/* Returns the number of seconds between checks of the files; the default if -i was not given. */
int64_t ps_command_poll_interval_s(const struct ps_command *command);

/* heap.c: parses a value of -Xmx ("512m", "4g", "1048576"). Returns bytes, or 0 for a bad value. */
int64_t ps_command_heap_bytes(const char *text);
