/* What the subcommands of `penstock channel` share: the directories of a channel on disk. Used by commands/channel
 * only. Thread: main. */
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
    const char *checkpoint_directory;   /* --checkpoint-dir, then found */
    struct ps_texts data_directories;   /* --data-dirs, then found */
    const char *file, *agent, *channel; /* --config, --agent, --channel */
    const char *into;                   /* import */
    struct ps_key_source key_source;    /* --key, or of the agent file */
    const char *active_key;             /* import: the first --key, or that of the agent file; NULL: none */
    bool plain;                         /* import: in plain text, although other events are encrypted */
    struct ps_key_ring *keys;           /* NULL: none, or not read yet */
    struct ps_key_source flume_source;  /* import: --flume-key-store and its passwords; names no key */
    struct ps_key_ring *flume_keys;     /* import: what was read of it */
    bool json, all, quick, dry_run, give_up, again, help;
};

/* Each returns the exit status: 0 done, 1 damaged or not done, 2 wrong usage, or the channel cannot be opened. */
int ps_main_channel_inspect(struct ps_channel_command *command);
int ps_main_channel_verify(struct ps_channel_command *command);
int ps_main_channel_export(struct ps_channel_command *command);
int ps_main_channel_import(struct ps_channel_command *command);
int ps_main_channel_repair(struct ps_channel_command *command);

/* Sets the directories of the channel in `directory` that the command line does not name: `directory`/checkpoint and
 * `directory`/data; or those of the channel in the agent file. Fails if they are not there, or have a channel of Flume. */
enum ps_status ps_channel_directories(struct ps_channel_command *command, const char *directory,
                                      struct ps_err *err);
/* The same without a look at the disk. */
enum ps_status ps_channel_name_directories(struct ps_channel_command *command, const char *directory,
                                           struct ps_err *err);

/* ---- keys ---- */

/* Returns the value of a key of the agent file; NULL: there is none. */
const char *ps_channel_value(const struct ps_pairs *pairs, const char *key);
/* --key NAME=FILE. Returns false if it has another form. */
bool ps_channel_key_add(struct ps_channel_command *command, const char *argument);
/* What the agent file says of the channel's keys. */
void ps_channel_keys_from(struct ps_channel_command *command, const struct ps_pairs *pairs);
/* Reads the keys, if any are named, into command->keys. */
enum ps_status ps_channel_keys_load(struct ps_channel_command *command, struct ps_err *err);

/* --flume-key-password NAME=FILE. Returns false if it has another form. */
bool ps_channel_flume_password_add(struct ps_channel_command *command, const char *argument);
/* `find` of struct ps_flume_keys; the argument is the command. Blocks on the disk. */
const struct ps_key *ps_channel_flume_key(void *argument, const char *name, struct ps_err *err);

/* What cannot be read for want of a key. */
struct ps_channel_held {
    uint64_t segments, events;
    char key[PS_KEY_NAME_BYTES_MAX + 1]; /* of the latest segment */
};
/* Counts a segment if it has events that were not delivered and cannot be read; returns whether it has. */
bool ps_channel_held_seen(struct ps_channel_held *held, const struct ps_survey_segment *segment);
/* Prints a line, if there is anything. */
void ps_channel_held_print(const struct ps_channel_command *command, const struct ps_channel_held *held,
                           FILE *to);

/* A channel that is looked at: nothing in it is changed, and no agent opens it meanwhile. */
struct ps_channel_look {
    struct ps_segment_log *log; /* NULL: its files cannot be opened as one log; `wrong` says why */
    struct ps_err wrong;
    struct ps_survey_state state;
    struct ps_segment_locks locks;
    struct ps_channel_command *command;
    const char **strays; /* what is skipped, one line each; in the arena, but for the array */
    size_t stray_count;
};

/* Returns false after printing why: no such channel, or an agent has it open. */
bool ps_channel_look_open(struct ps_channel_command *command, struct ps_channel_look *look);
void ps_channel_look_close(struct ps_channel_look *look);

/* "checkpoint/state" or "data/000000000001.segment", with the directory as named; in the arena. */
const char *ps_channel_segment_path(struct ps_arena *arena, const char *directory, uint64_t segment);

/* Why the payload of a frame is no frame of events; NULL: it is one, or was not read. */
const char *ps_channel_payload_wrong(const struct ps_survey_frame *frame);

/* Prints "penstock channel NAME: .." to standard error. */
void ps_channel_say(const struct ps_channel_command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
