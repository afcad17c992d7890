/* Writes little-endian numbers and blocks into growing memory, and reads them back with bounds checks. Used
 * for compile requests, answers and cache files. Thread: any; ps_bytes_write may block, the rest is pure. The
 * process ends when memory runs out. */
#pragma once

#include "core/base.h"

struct ps_bytes {
    unsigned char *data; /* malloc'ed; the owner frees it */
    size_t length, room;
};

void ps_bytes_put(struct ps_bytes *bytes, const void *data, size_t length);
void ps_bytes_put_u32(struct ps_bytes *bytes, uint32_t number);
void ps_bytes_put_u64(struct ps_bytes *bytes, uint64_t number);
/* Writes the length (64 bits), then that many bytes. */
void ps_bytes_put_block(struct ps_bytes *bytes, const void *data, size_t length);
/* Writes all bytes to a file or pipe. Returns false on failure, with errno set. */
bool ps_bytes_write(int fd, const struct ps_bytes *bytes);
void ps_bytes_fini(struct ps_bytes *bytes);

/* After the first read past the end, `failed` stays set, numbers read as 0 and blocks as empty. */
struct ps_bytes_reader {
    const unsigned char *at, *end;
    bool failed;
};

uint32_t ps_bytes_take_u32(struct ps_bytes_reader *reader);
uint64_t ps_bytes_take_u64(struct ps_bytes_reader *reader);
/* Returns a pointer into the bytes being read. */
const unsigned char *ps_bytes_take_block(struct ps_bytes_reader *reader, size_t *length);

/* Returns a 64-bit hash, for naming cache files and detecting damage. It does not resist deliberate
 * collisions. */
uint64_t ps_bytes_hash(const void *data, size_t length);
