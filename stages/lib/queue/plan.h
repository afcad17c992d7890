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
    PS_OPTION_ROW(                                                                                           \
        "checkpointDir", TEXT, offsetof(plan_type, member.checkpoint_directory),                             \
        "directory of the state and the lock, made if needed; unset: ~/.flume/file-channel/checkpoint",      \
        .flags = PS_OPTION_PLACE | PS_OPTION_JOINED),                                                        \
        PS_OPTION_ROW("dataDirs", COMMAS, offsetof(plan_type, member.data_directories),                      \
                      "directories of the log's segments, filled in turn, made if needed; unset: "           \
                      "~/.flume/file-channel/data",                                                          \
                      .flags = PS_OPTION_PLACE | PS_OPTION_JOINED),                                          \
        PS_OPTION_ROW("transactionCapacity", INT, offsetof(plan_type, member.transaction_capacity),          \
                      "must not exceed capacity, as in Flume; does not size batches here (they are at most " \
                      "capacity/4)",                                                                         \
                      .fallback = "10000", .min = 1, .max = INT64_MAX, .unit = "events",                     \
                      .flags = PS_OPTION_LENIENT),                                                           \
        PS_OPTION_ROW("maxFileSize", INT, offsetof(plan_type, member.max_file_bytes),                        \
                      "size of one file of the log, at most 128 MiB and at least 1 MiB; the first is 1 MiB " \
                      "long, each "                                                                          \
                      "next one 8 times as long up to this",                                                 \
                      .fallback = "1623195647", .min = 1, .max = INT64_MAX, .unit = "bytes",                 \
                      .flags = PS_OPTION_LENIENT),                                                           \
        PS_OPTION_ROW(                                                                                       \
            "minimumRequiredSpace", INT, offsetof(plan_type, member.least_free_bytes),                       \
            "free space that the file system of each data directory must have, at least 1 MiB; with "        \
            "less, events are refused",                                                                      \
            .fallback = "524288000", .min = 0, .max = INT64_MAX, .unit = "bytes",                            \
            .flags = PS_OPTION_LENIENT),                                                                     \
        PS_OPTION_ROW(                                                                                       \
            "fsyncPerTransaction", BOOL, offsetof(plan_type, member.sync_each),                              \
            "acknowledge events only when they are synced; false: already when they are written: they "      \
            "then survive a crash of the process, and a power cut may lose them",                            \
            .fallback = "true"),                                                                             \
        PS_OPTION_ROW("fsyncInterval", INT, offsetof(plan_type, member.sync_interval_s),                     \
                      "time between syncs when fsyncPerTransaction is false", .fallback = "5", .min = 1,     \
                      .max = 86400, .unit = "s", .flags = PS_OPTION_LENIENT),                                \
        PS_OPTION_ROW(                                                                                       \
            "checkpointInterval", INT, offsetof(plan_type, member.checkpoint_interval_ms),                   \
            "the state is written when a file becomes free, and after every 16 MiB that are written: "       \
            "recovery reads about that much at most",                                                        \
            .fallback = "30000", .unit = "ms", .flags = PS_OPTION_NO_EFFECT),                                \
        PS_OPTION_ROW("useDualCheckpoints", BOOL, offsetof(plan_type, member.dual),                          \
                      "the state has two slots, written in turn: one is always whole", .fallback = "false",  \
                      .flags = PS_OPTION_NO_EFFECT),                                                         \
        PS_OPTION_ROW("backupCheckpointDir", TEXT, offsetof(plan_type, member.backup_directory),             \
                      "the state has two slots, written in turn: one is always whole",                       \
                      .flags = PS_OPTION_NO_EFFECT),                                                         \
        PS_OPTION_ROW("compressBackupCheckpoint", BOOL, offsetof(plan_type, member.compress),                \
                      "there is no backup of the state", .fallback = "false", .flags = PS_OPTION_NO_EFFECT), \
        PS_OPTION_ROW("checkpointOnClose", BOOL, offsetof(plan_type, member.checkpoint_on_close),            \
                      "the state is always written at the end", .fallback = "true",                          \
                      .flags = PS_OPTION_NO_EFFECT),                                                         \
        PS_OPTION_ROW("use-fast-replay", BOOL, offsetof(plan_type, member.fast_replay),                      \
                      "recovery reads the state and the last 16 MiB, not the backlog", .fallback = "false",  \
                      .flags = PS_OPTION_NO_EFFECT),                                                         \
        PS_OPTION_ROW("use-log-replay-v1", BOOL, offsetof(plan_type, member.replay_v1),                      \
                      "recovery reads the state and the last 16 MiB, not the backlog", .fallback = "false",  \
                      .flags = PS_OPTION_NO_EFFECT),                                                         \
        PS_OPTION_ROW(                                                                                       \
            "encryption.activeKey", TEXT, offsetof(plan_type, member.active_key),                            \
            "name of the key that encrypts new events; NONE: new events are in plain text, and older "       \
            "ones may be encrypted; unset: the log is in plain text"),                                       \
        PS_OPTION_ROW(                                                                                       \
            "encryption.cipherProvider", TEXT, offsetof(plan_type, member.cipher_provider),                  \
            "AESGCM, or Flume's AESCTRNOPADDING, for which AES-GCM is also used: it encrypts in the "        \
            "same way, and a change is noticed; unset: AESGCM"),                                             \
        PS_OPTION_ROW(                                                                                       \
            "encryption.keyProvider", TEXT, offsetof(plan_type, member.keys.provider),                       \
            "where keys are: KEYFILE, a file for each key; Flume's JCEKSFILE, a key store; or a Java "       \
            "class, the builder of a key provider, which is asked for the keys when the agent starts"),      \
        PS_OPTION_ROW("encryption.keyProvider.keyStoreFile", TEXT,                                           \
                      offsetof(plan_type, member.keys.store_file), "JCEKSFILE: file with the key store"),    \
        PS_OPTION_ROW("encryption.keyProvider.keyStorePasswordFile", TEXT,                                   \
                      offsetof(plan_type, member.keys.store_password_file),                                  \
                      "JCEKSFILE: file with the password of the key store; for its user alone (mode 0400)"), \
        PS_OPTION_ROW(                                                                                       \
            "encryption.keyProvider.keys", LIST, offsetof(plan_type, member.keys.names),                     \
            "names of all keys, separated by blanks: the active key, and the keys of older events "          \
            "that are not delivered yet"),                                                                   \
        PS_OPTION_ROW("encryption.keyProvider.", MAP, offsetof(plan_type, member.keys.settings),             \
                      "a Java class: further keys of its own"),                                              \
        PS_OPTION_ROW(                                                                                       \
            "encryption.keyProvider.keys.", MAP, offsetof(plan_type, member.keys.properties),                \
            "NAME.keyFile: the file with the key NAME: 32, 48 or 64 hexadecimal digits, Base64, or 16, "     \
            "24 or 32 bytes; for its user alone (mode 0400). JCEKSFILE: NAME.passwordFile, the file with "   \
            "the password of the key, unless it is that of the store")

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
