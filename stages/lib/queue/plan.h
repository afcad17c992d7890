/* The keys of a channel that keeps its events with a durable queue, and the functions that use them:
 *
 *   options     embed `struct ps_queue_plan log;` in the plan and write PS_QUEUE_OPTION_ROWS(struct my_plan, log)
 *               among the rows
 *   check       ps_queue_plan_check
 *   build       ps_queue_plan_settings, then ps_queue_create
 *   outline     ps_queue_plan_outline
 *   files       ps_queue_plan_files
 *   claims      ps_queue_plan_claims
 *   probe       ps_queue_plan_probe
 *
 * Thread: control. */
#pragma once

#include "stages/lib/queue/queue.h"

struct ps_queue_plan {
    const char *checkpoint_directory;
    struct ps_texts data_directories;
    int64_t transaction_capacity, max_file_bytes, least_free_bytes, sync_interval_s;
    bool sync_each;
    bool dual, compress, checkpoint_on_close, fast_replay, replay_v1;
    const char *backup_directory;
    int64_t checkpoint_interval_ms;
    const char *active_key, *cipher_provider;
    struct ps_key_source keys;
    struct ps_log_store_settings store; /* set by ps_queue_plan_settings */
};

#define PS_QUEUE_OPTION_ROWS(plan_type, member)                                                              \
    {.key = "checkpointDir",                                                                                 \
     .type = PS_OPTION_TEXT,                                                                                 \
     .offset = offsetof(plan_type, member.checkpoint_directory),                                             \
     .flags = PS_OPTION_PLACE | PS_OPTION_JOINED,                                                            \
     .help =                                                                                                 \
         "directory of the state and the lock, made if needed; unset: ~/.flume/file-channel/checkpoint"},    \
        {.key = "dataDirs",                                                                                  \
         .type = PS_OPTION_COMMAS,                                                                           \
         .offset = offsetof(plan_type, member.data_directories),                                             \
         .flags = PS_OPTION_PLACE | PS_OPTION_JOINED,                                                        \
         .help = "directories of the log's segments, filled in turn, made if needed; unset: "                \
                 "~/.flume/file-channel/data"},                                                              \
        {.key = "transactionCapacity",                                                                       \
         .flags = PS_OPTION_LENIENT,                                                                         \
         .type = PS_OPTION_INT,                                                                              \
         .offset = offsetof(plan_type, member.transaction_capacity),                                         \
         .fallback = "10000",                                                                                \
         .min = 1,                                                                                           \
         .max = INT64_MAX,                                                                                   \
         .unit = "events",                                                                                   \
         .help = "must not exceed capacity, as in Flume; does not size batches here (they are at most "      \
                 "capacity/4)"},                                                                             \
        {.key = "maxFileSize",                                                                               \
         .flags = PS_OPTION_LENIENT,                                                                         \
         .type = PS_OPTION_INT,                                                                              \
         .offset = offsetof(plan_type, member.max_file_bytes),                                               \
         .fallback = "1623195647",                                                                           \
         .min = 1,                                                                                           \
         .max = INT64_MAX,                                                                                   \
         .unit = "bytes",                                                                                    \
         .help = "size of one file of the log, at most 128 MiB and at least 1 MiB; the first is 1 MiB "      \
                 "long, each "                                                                               \
                 "next one 8 times as long up to this"},                                                     \
        {.key = "minimumRequiredSpace",                                                                      \
         .flags = PS_OPTION_LENIENT,                                                                         \
         .type = PS_OPTION_INT,                                                                              \
         .offset = offsetof(plan_type, member.least_free_bytes),                                             \
         .fallback = "524288000",                                                                            \
         .min = 0,                                                                                           \
         .max = INT64_MAX,                                                                                   \
         .unit = "bytes",                                                                                    \
         .help = "free space that the file system of each data directory must have, at least 1 MiB; with "   \
                 "less, events are refused"},                                                                \
        {.key = "fsyncPerTransaction",                                                                       \
         .type = PS_OPTION_BOOL,                                                                             \
         .offset = offsetof(plan_type, member.sync_each),                                                    \
         .fallback = "true",                                                                                 \
         .help = "acknowledge events only when they are synced; false: already when they are written: they " \
                 "then survive a crash of the process, and a power cut may lose them"},                      \
        {.key = "fsyncInterval",                                                                             \
         .flags = PS_OPTION_LENIENT,                                                                         \
         .type = PS_OPTION_INT,                                                                              \
         .offset = offsetof(plan_type, member.sync_interval_s),                                              \
         .fallback = "5",                                                                                    \
         .min = 1,                                                                                           \
         .max = 86400,                                                                                       \
         .unit = "s",                                                                                        \
         .help = "time between syncs when fsyncPerTransaction is false"},                                    \
        {.key = "checkpointInterval",                                                                        \
         .type = PS_OPTION_INT,                                                                              \
         .offset = offsetof(plan_type, member.checkpoint_interval_ms),                                       \
         .fallback = "30000",                                                                                \
         .unit = "ms",                                                                                       \
         .flags = PS_OPTION_NO_EFFECT,                                                                       \
         .help = "the state is written when a file becomes free, and after every 16 MiB that are written: "  \
                 "recovery reads about that much at most"},                                                  \
        {.key = "useDualCheckpoints",                                                                        \
         .type = PS_OPTION_BOOL,                                                                             \
         .offset = offsetof(plan_type, member.dual),                                                         \
         .fallback = "false",                                                                                \
         .flags = PS_OPTION_NO_EFFECT,                                                                       \
         .help = "the state has two slots, written in turn: one is always whole"},                           \
        {.key = "backupCheckpointDir",                                                                       \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.backup_directory),                                             \
         .flags = PS_OPTION_NO_EFFECT,                                                                       \
         .help = "the state has two slots, written in turn: one is always whole"},                           \
        {.key = "compressBackupCheckpoint",                                                                  \
         .type = PS_OPTION_BOOL,                                                                             \
         .offset = offsetof(plan_type, member.compress),                                                     \
         .fallback = "false",                                                                                \
         .flags = PS_OPTION_NO_EFFECT,                                                                       \
         .help = "there is no backup of the state"},                                                         \
        {.key = "checkpointOnClose",                                                                         \
         .type = PS_OPTION_BOOL,                                                                             \
         .offset = offsetof(plan_type, member.checkpoint_on_close),                                          \
         .fallback = "true",                                                                                 \
         .flags = PS_OPTION_NO_EFFECT,                                                                       \
         .help = "the state is always written at the end"},                                                  \
        {.key = "use-fast-replay",                                                                           \
         .type = PS_OPTION_BOOL,                                                                             \
         .offset = offsetof(plan_type, member.fast_replay),                                                  \
         .fallback = "false",                                                                                \
         .flags = PS_OPTION_NO_EFFECT,                                                                       \
         .help = "recovery reads the state and the last 16 MiB, not the backlog"},                           \
        {.key = "use-log-replay-v1",                                                                         \
         .type = PS_OPTION_BOOL,                                                                             \
         .offset = offsetof(plan_type, member.replay_v1),                                                    \
         .fallback = "false",                                                                                \
         .flags = PS_OPTION_NO_EFFECT,                                                                       \
         .help = "recovery reads the state and the last 16 MiB, not the backlog"},                           \
        {.key = "encryption.activeKey",                                                                      \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.active_key),                                                   \
         .help = "name of the key that encrypts new events; NONE: new events are in plain text, and older "  \
                 "ones may be encrypted; unset: the log is in plain text"},                                  \
        {.key = "encryption.cipherProvider",                                                                 \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.cipher_provider),                                              \
         .help = "AESGCM, or Flume's AESCTRNOPADDING, for which AES-GCM is also used: it encrypts in the "   \
                 "same way, and a change is noticed; unset: AESGCM"},                                        \
        {.key = "encryption.keyProvider",                                                                    \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.keys.provider),                                                \
         .help = "where keys are: KEYFILE, a file for each key; Flume's JCEKSFILE, a key store; or a Java "  \
                 "class, the builder of a key provider, which is asked for the keys when the agent starts"}, \
        {.key = "encryption.keyProvider.keyStoreFile",                                                       \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.keys.store_file),                                              \
         .help = "JCEKSFILE: file with the key store"},                                                      \
        {.key = "encryption.keyProvider.keyStorePasswordFile",                                               \
         .type = PS_OPTION_TEXT,                                                                             \
         .offset = offsetof(plan_type, member.keys.store_password_file),                                     \
         .help = "JCEKSFILE: file with the password of the key store; for its user alone (mode 0400)"},      \
        {.key = "encryption.keyProvider.keys",                                                               \
         .type = PS_OPTION_LIST,                                                                             \
         .offset = offsetof(plan_type, member.keys.names),                                                   \
         .help = "names of all keys, separated by blanks: the active key, and the keys of older events "     \
                 "that are not delivered yet"},                                                              \
        {.key = "encryption.keyProvider.",                                                                   \
         .type = PS_OPTION_MAP,                                                                              \
         .offset = offsetof(plan_type, member.keys.settings),                                                \
         .help = "a Java class: further keys of its own"},                                                   \
    {                                                                                                        \
        .key = "encryption.keyProvider.keys.", .type = PS_OPTION_MAP,                                        \
        .offset = offsetof(plan_type, member.keys.properties),                                               \
        .help =                                                                                              \
            "NAME.keyFile: the file with the key NAME: 32, 48 or 64 hexadecimal digits, Base64, or 16, "     \
            "24 or 32 bytes; for its user alone (mode 0400). JCEKSFILE: NAME.passwordFile, the file with "   \
            "the password of the key, unless it is that of the store"                                        \
    }

/* Reports errors in the keys. `capacity` is the log's, set by the key `capacity_key`. Returns PS_FAIL if the component is dropped. */
enum ps_status ps_queue_plan_check(const struct ps_queue_plan *plan, const struct ps_context *context,
                                   const char *capacity_key, int64_t capacity);
/* Sets the default directories in the plan, and all settings that follow from the plan's keys and the context.
 * The caller sets capacity, keep_alive_ms and quota_bytes. Returns PS_FAIL if a directory has the files of a
 * Flume file channel. */
enum ps_status ps_queue_plan_settings(struct ps_queue_plan *plan, struct ps_context *context,
                                      struct ps_queue_settings *settings, struct ps_err *err);
/* For ps_stage_ops.series: the free space of the data directories, as the channel's thread saw it last. Thread: any. */
void ps_queue_plan_series(const struct ps_queue_plan *plan,
                          void (*add)(void *argument, const struct ps_series *series), void *argument);
/* Writes the data directories, separated by commas. */
void ps_queue_plan_outline(const struct ps_queue_plan *plan, FILE *out);
/* Adds the key files (ps_stage_ops.files). */
void ps_queue_plan_files(const struct ps_queue_plan *plan, void (*add)(void *argument, const char *path),
                         void *argument);
/* Adds the channel's directories (ps_stage_ops.claims): if another channel uses one of them, the log can never be opened. */
void ps_queue_plan_claims(const struct ps_queue_plan *plan, const struct ps_context *context,
                          void (*add)(void *argument, const struct ps_claim *claim), void *argument);
void ps_queue_plan_probe(const struct ps_queue_plan *plan, struct ps_context *context,
                         const struct ps_probe *probe);
/* Looks for undelivered events in the log of the plan's directories, and writes their number to `text`; for
 * IN_USE and UNREADABLE, writes the reason why the number is not known. `directory`: the log's first data
 * directory. Changes nothing. */
enum ps_queue_rest {
    PS_QUEUE_REST_NONE,
    PS_QUEUE_REST_EVENTS,
    PS_QUEUE_REST_IN_USE,
    PS_QUEUE_REST_UNREADABLE
};
enum ps_queue_rest ps_queue_plan_find_rest(const struct ps_queue_plan *plan, struct ps_context *context,
                                           const char **directory, struct ps_err *text);
/* For a channel that does not use its log because `key` has this value: warns of undelivered events in the log,
 * and of a log that cannot be read. Changes nothing, and reports nothing if the log is in use. */
void ps_queue_plan_warn_of_rest(const struct ps_queue_plan *plan, struct ps_context *context, const char *key,
                                const char *value);
/* Like ps_queue_plan_warn_of_rest, for `check`: reports undelivered events in the log as failed, because they
 * wait until the configuration is changed. Not used for a reload, because ps_plan_moves_channel prevents a
 * reload from leaving events behind. */
void ps_queue_plan_probe_rest(const struct ps_queue_plan *plan, struct ps_context *context,
                              const struct ps_probe *probe, const char *key, const char *value);
