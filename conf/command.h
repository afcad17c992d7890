/* The command line of `agent` and `check`: every option of `flume-ng agent` (FLUME.md 2.5) with its meaning.
 * Thread: the main thread, before others exist. Texts point into argv or the arena. */
#pragma once

#include "core/arena.h"
#include "core/option.h"
#include "core/status.h"

struct ps_command {
    struct ps_arena *arena;
    const char *agent;            /* -n */
    struct ps_texts files, uris;  /* -f, -u, in order; URIs win over files when both are given */
    const char *conf_dir;         /* -c; NULL = not given */
    struct ps_pairs system;       /* -Dk=v, FLUME_JAVA_OPTS first */
    const char *user, *password;  /* -user, -pwd: for http(s) URIs */
    int64_t poll_interval_s;      /* -i; 0 = 30, or 300 when a URI is http(s) */
    const char *backup_directory; /* -b */
    bool no_reload;               /* --no-reload-conf */
    bool dry_run;                 /* -d */
    bool help;                    /* -h: nothing else was looked at */
    bool json;                    /* --json (ours) */
    bool strict;                  /* --strict (ours): check fails for what Flume drops and for warnings too */
    int64_t heap_bytes;           /* -Xmx; 0 = none */
    struct ps_texts
        ignored; /* options that mean nothing without a JVM, as written: for one line in the log */
};

/* argv[0] is the subcommand's name. PS_FAIL with a message that says what would be right; ps_command_fini in
 * any case. */
enum ps_status ps_command_parse(struct ps_command *command, int argc, char **argv, struct ps_err *err);
void ps_command_fini(struct ps_command *command);

/* Inner steps, apart so that flume.opts (conf/opts.c) can take part: one option by its name unless the
 * command line gave it; the options file; what must not be missing. */
enum ps_status ps_command_set(struct ps_command *command, const char *name, const char *value,
                              struct ps_err *err);
enum ps_status ps_command_read_opts(struct ps_command *command, struct ps_err *err);
enum ps_status ps_command_complete(struct ps_command *command, struct ps_err *err);

/* Seconds between looks at the files, after defaults. */
int64_t ps_command_poll_interval_s(const struct ps_command *command);

/* "512m", "4g", "1048576": bytes of a -Xmx; 0 when it is not one. */
int64_t ps_command_heap_bytes(const char *text);
