/* Writes logs of Flume's file channel, version 3, as Flume does, and with mistakes. Thread: the test's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* The key of encrypted logs: 16 bytes, 0x00, 0x11 .. 0xff; the first counter block is its bytes backwards. */
#define PS_FLUME_WRITER_KEY_NAME "key-0"
extern const uint8_t ps_flume_writer_key[16];

struct ps_flume_writer {
    uint32_t log;   /* N of log-N */
    int encrypted;  /* by ps_flume_writer_encrypt */
    uint64_t order; /* of the last record */
    uint8_t *bytes;
    size_t length, room;
};

/* Each appends a record and returns its offset. Header values are texts; `value` NULL: no header. */
uint32_t ps_flume_write_put(struct ps_flume_writer *writer, uint64_t transaction, const void *body,
                            size_t length, const char *name, const char *value);
uint32_t ps_flume_write_take(struct ps_flume_writer *writer, uint64_t transaction, uint32_t log,
                             uint32_t offset);
/* Ends a transaction. `kind`: 1 commits puts, 2 commits takes, 0 rolls back. */
uint32_t ps_flume_write_end(struct ps_flume_writer *writer, uint64_t transaction, uint32_t kind);

/* Makes the file log-N.meta; `encrypted`: with a key alias. Returns its length; `to` has 128 bytes. */
size_t ps_flume_write_meta(uint8_t *to, uint32_t version, uint32_t log, int encrypted);

/* Encrypts all records, as Flume does; no more can be appended. */
void ps_flume_writer_encrypt(struct ps_flume_writer *writer);

/* Writes log-N, with `fill` bytes 0x80 after the records, and log-N.meta into a directory. */
void ps_flume_writer_save(const struct ps_flume_writer *writer, const char *directory, size_t fill);
void ps_flume_writer_fini(struct ps_flume_writer *writer);
