/* The directories of a channel on disk, shared by the subcommands of `penstock channel`. Used by
 * commands/channel only. Thread: main. */
#pragma once

#include "core/arena.h"
#include "stages/lib/encryption/key/source.h"
#include "stages/lib/queue/segment/lock.h"
#include "stages/lib/queue/segment/survey.h"

#include <stdio.h>

struct ps_channel_command {
    const char *name; /* "inspect" */
    struct ps_arena *arena;
    struct ps_texts operands;           /* DIR, or FLUME_DIR.. of import */
    const char *checkpoint_directory;   /* from --checkpoint-dir; later the one that was found */
    struct ps_texts data_directories;   /* from --data-dirs; later those that were found */
    const char *file, *agent, *channel; /* --config, --agent, --channel */
    struct ps_err agent_missing;        /* why the file does not name the agent */
    const char *into;                   /* import */
    struct ps_key_source key_source;    /* from --key, or from the agent file */
    /* import: the name of the first --key, or of the agent file's active key; NULL: none */
    const char *active_key;
    bool plain;               /* import: writes plain text, although other events are encrypted */
    struct ps_key_ring *keys; /* NULL: none, or not read yet */
    struct ps_key_source
        flume_source;               /* import: --flume-key-store and its passwords, without names of keys */
    struct ps_key_ring *flume_keys; /* import: the key store after it is read */
    bool json, all, quick, dry_run, give_up, again;
};

/* Each returns the exit status: 0: done; 1: damaged or not done; 2: wrong usage, or the channel cannot be opened. */
int ps_main_channel_inspect(struct ps_channel_command *command);
int ps_main_channel_verify(struct ps_channel_command *command);
int ps_main_channel_export(struct ps_channel_command *command);
int ps_main_channel_import(struct ps_channel_command *command);
int ps_main_channel_repair(struct ps_channel_command *command);

/* Sets the directories that the command line does not name: `directory`/checkpoint and `directory`/data, or
 * the directories of the channel in the agent file. Fails if they do not exist or hold a channel of Flume. */
enum ps_status ps_channel_directories(struct ps_channel_command *command, const char *directory,
                                      struct ps_err *err);
/* Sets the directories as ps_channel_directories does, but does not look at the disk. */
enum ps_status ps_channel_name_directories(struct ps_channel_command *command, const char *directory,
                                           struct ps_err *err);

/* ---- keys ---- */

/* Returns the value of a key of the agent file; NULL: there is none. */
const char *ps_channel_value(const struct ps_pairs *pairs, const char *key);
/* Adds the argument of --key, NAME=FILE. Returns false if the argument has another form. */
bool ps_channel_key_add(struct ps_channel_command *command, const char *argument);
/* Reads the channel's keys from the agent file. `path`: the class path, for a key provider that is a Java class. */
void ps_channel_keys_from(struct ps_channel_command *command, const struct ps_pairs *pairs,
                          const struct ps_class_path *path);
/* Reads the keys, if any are named, into command->keys. */
enum ps_status ps_channel_keys_load(struct ps_channel_command *command, struct ps_err *err);

/* Adds the argument of --flume-key-password, NAME=FILE. Returns false if the argument has another form. */
bool ps_channel_flume_password_add(struct ps_channel_command *command, const char *argument);
/* `find` of struct ps_flume_keys; the argument is the command. Blocks on the disk. */
const struct ps_key *ps_channel_flume_key(void *argument, const char *name, struct ps_err *err);

/* Events that cannot be read because their key is missing. */
struct ps_channel_held {
    uint64_t segments, events;
    char key[PS_KEY_NAME_BYTES_MAX + 1]; /* name of the missing key of the segment counted last */
};
/* Counts the segment if it has undelivered events that cannot be read. Returns whether it has. */
bool ps_channel_held_seen(struct ps_channel_held *held, const struct ps_survey_segment *segment);
/* Prints one line if any events were counted. */
void ps_channel_held_print(const struct ps_channel_command *command, const struct ps_channel_held *held,
                           FILE *to);

/* A channel that is opened for reading: nothing in it changes, and a lock keeps agents from opening it. */
struct ps_channel_look {
    struct ps_segment_log *log; /* NULL: its files cannot be opened as one log; `wrong` says why */
    struct ps_err wrong;
    struct ps_survey_state state;
    struct ps_segment_locks locks;
    struct ps_channel_command *command;
    const char **strays; /* skipped files, one line each; the lines are in the arena, the array is not */
    size_t stray_count;
};

/* Opens the channel. Returns false after printing why not: it does not exist, or an agent has it open. */
bool ps_channel_look_open(struct ps_channel_command *command, struct ps_channel_look *look);
void ps_channel_look_close(struct ps_channel_look *look);

/* Returns "checkpoint/state" or "data/000000000001.segment", below the directory as the user named it. The
 * text is in the arena. */
const char *ps_channel_segment_path(struct ps_arena *arena, const char *directory, uint64_t segment);

/* Returns why the payload of a frame cannot be decoded as events; NULL if it can, or was not read. */
const char *ps_channel_payload_wrong(const struct ps_survey_frame *frame);

/* Prints "penstock channel NAME: .." to standard error. */
void ps_channel_say(const struct ps_channel_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for what a log's reader reports: `command` is the struct ps_channel_command. */
void ps_channel_report(void *command, const char *text);
