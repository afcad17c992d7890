/* Reads one file of Flume's log from its beginning to its end, or single records of it. Waits for the disk. Thread: the owner's. */
#pragma once

#include "core/status.h"
#include "stages/lib/flume_log/cipher.h"
#include "stages/lib/flume_log/record.h"

/* A part of a file that is damaged. */
struct ps_flume_damage {
    const char *path;
    uint64_t offset, length; /* bytes; length 0: not known */
    const char *reason;
};

struct ps_flume_log_file {
    char *path;
    int fd;
    uint32_t number;
    uint64_t size;
    uint64_t next;     /* byte at which the reading goes on */
    uint8_t *window;   /* buffer with the bytes of the file from window_at on */
    size_t room, held; /* size of the buffer, and number of bytes in it */
    uint64_t window_at;
    struct ps_flume_cipher *cipher; /* NULL: the log is not encrypted */
    char *key_name;                 /* name of the log's key, if the log is encrypted */
    uint8_t *plain;                 /* the last decrypted bytes */
    size_t plain_room;
    int error; /* errno of a read that failed: nothing is known of those bytes; 0: none failed */
    uint64_t error_at;
};

/* The source of keys for encrypted logs. */
struct ps_flume_keys {
    /* Returns the key with this name, valid until the next call. Returns NULL, with the reason in `err`, if the key
     * is missing. `find` itself is NULL if there are no keys. */
    const struct ps_key *(*find)(void *argument, const char *name, struct ps_err *err);
    void *argument;
};

/* Opens DIRECTORY/log-NUMBER for reading. Fails if the log cannot be opened, has another version, or is encrypted
 * with a key that is missing. log-NUMBER.meta tells how the log is encrypted; if log-NUMBER.meta is missing or
 * damaged, sets *damaged to the reason and treats the log as not encrypted. */
struct ps_flume_log_file *ps_flume_log_file_open(const char *directory, uint32_t number,
                                                 const struct ps_flume_keys *keys, const char **damaged,
                                                 struct ps_err *err);
/* Returns whether the log has bytes but no readable record: if it is encrypted, the key may be wrong. Reads up to the first record. */
bool ps_flume_log_file_is_noise(struct ps_flume_log_file *file);
/* Returns whether a record of the log can be read: if it is encrypted, the key is right. */
bool ps_flume_log_file_has_record(struct ps_flume_log_file *file);
void ps_flume_log_file_close(struct ps_flume_log_file *file);

enum ps_flume_reading {
    PS_FLUME_READ,
    PS_FLUME_DAMAGED, /* something was skipped; more records may follow */
    PS_FLUME_DONE,    /* no more records; if file->error is set, the rest could not be read */
};

/* Reads the next record. READ: *record is valid until the next call, and *offset is its place. DAMAGED: *damage tells what
 * was skipped. Skips records that Flume's integrity tool removed, without reporting them. */
enum ps_flume_reading ps_flume_log_file_next(struct ps_flume_log_file *file, struct ps_flume_record *record,
                                             uint32_t *offset, struct ps_flume_damage *damage);

/* Reads the record at `offset`. Returns NULL, or the reason why it cannot be read; file->error is set if the disk cannot read it. */
const char *ps_flume_log_file_load(struct ps_flume_log_file *file, uint32_t offset,
                                   struct ps_flume_record *record);
