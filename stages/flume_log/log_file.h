/* One file of Flume's log, read from its begin to its end, or one record of it. Thread: the owner's; blocks on the disk. */
#pragma once

#include "core/status.h"
#include "stages/flume_log/cipher.h"
#include "stages/flume_log/record.h"

/* What cannot be read of a file. */
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
    uint8_t *window;   /* bytes of the file from window_at on */
    size_t room, held; /* of the window */
    uint64_t window_at;
    struct ps_flume_cipher *cipher; /* NULL: the log is not encrypted */
    char *key_name;                 /* of an encrypted log */
    uint8_t *plain;                 /* what was decrypted last */
    size_t plain_room;
    int error; /* the disk did not give something that was asked for: nothing is known of it. 0: it gave all */
    uint64_t error_at;
};

/* Where the keys of encrypted logs come from. */
struct ps_flume_keys {
    /* Returns the key with this name, valid until the next call, or NULL and why it is not there. NULL: there are no keys. */
    const struct ps_key *(*find)(void *argument, const char *name, struct ps_err *err);
    void *argument;
};

/* Opens DIRECTORY/log-NUMBER for reading. Fails if it cannot be opened, is of another version or encrypted with a key that is
 * not there: log-NUMBER.meta says how it is encrypted. If that file is not there or damaged, `damaged` gets the
 * reason, and the log is read as one that is not encrypted. */
struct ps_flume_log_file *ps_flume_log_file_open(const char *directory, uint32_t number,
                                                 const struct ps_flume_keys *keys, const char **damaged,
                                                 struct ps_err *err);
/* Whether the log has something, and no record that can be read: of an encrypted one the key may be another. Reads up to the
 * first record. */
bool ps_flume_log_file_is_noise(struct ps_flume_log_file *file);
void ps_flume_log_file_close(struct ps_flume_log_file *file);

enum ps_flume_reading {
    PS_FLUME_READ,
    PS_FLUME_DAMAGED, /* something was passed over; more may follow */
    PS_FLUME_DONE,    /* with file->error: the disk does not give the rest */
};

/* Reads the next record. READ: *record is it, valid until the next call, and *offset where it begins. DAMAGED: *damage says
 * what was passed over. Records that Flume's integrity tool took out are passed over without a word. */
enum ps_flume_reading ps_flume_log_file_next(struct ps_flume_log_file *file, struct ps_flume_record *record,
                                             uint32_t *offset, struct ps_flume_damage *damage);

/* Reads the record at `offset`. Returns NULL, or why it cannot; with file->error the disk does not give it. */
const char *ps_flume_log_file_load(struct ps_flume_log_file *file, uint32_t offset,
                                   struct ps_flume_record *record);
