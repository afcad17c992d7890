/* The subcommands of `penstock plugin`. Used by commands/plugin only. Thread: main. */
#pragma once

#include "core/option.h"

struct ps_plugin_command {
    struct ps_arena *arena;
    const char *kind;      /* new: "source"; NULL: interceptor */
    const char *directory; /* new: the folder to write; NULL: NAME */
    const char *stage;     /* test: the stage to test, if the plug-in has several; NULL: all */
    const char *check;     /* test: the check to make; NULL: all of the suite */
    uint32_t limit_s;      /* test: time limit of a check, in seconds; 0: no limit */
    struct ps_texts keys;  /* test: NAME=VALUE */
    struct ps_texts fresh; /* test: keys whose value is a new path in each check */
    const char *sends;     /* test of a source: file to which events are written */
    const char *arrives;   /* test of a sink: file in which events arrive */
    const char *receives;  /* test of a sink: Unix socket at which datagrams arrive */
    const char *reads;     /* test of a deserializer: the file to read; NULL: lines that the suite makes */
    /* test of a selector: "any" if equal events may go elsewhere the next time; NULL: "same" */
    const char *routes;
    const char *plugins_path; /* fetch: folders of plug-ins, of which the first gets it; NULL: the default */
    bool list;                /* fetch: say which there are */
    bool force;               /* fetch: replace a folder that is there */
};

/* Each returns the exit code. */
int ps_main_plugin_new(const struct ps_plugin_command *command, const char *name);
int ps_main_plugin_test(const struct ps_plugin_command *command, const char *file);
int ps_main_plugin_fetch(const struct ps_plugin_command *command, const char *name);
int ps_main_plugin_fetch_list(const struct ps_plugin_command *command);
