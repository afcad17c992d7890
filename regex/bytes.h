/* Little-endian numbers and blocks written into memory that grows, and read back with bounds: what a compile
 * request, its answer and a cache file are made of. Thread: any; ps_bytes_write may block, the rest is pure.
 * Ends the process when there is no memory. */
#pragma once

#include "core/base.h"

struct ps_bytes {
    unsigned char *data; /* malloc'ed; the owner frees it */
    size_t length, room;
};

void ps_bytes_put(struct ps_bytes *bytes, const void *data, size_t length);
void ps_bytes_put_u32(struct ps_bytes *bytes, uint32_t number);
void ps_bytes_put_u64(struct ps_bytes *bytes, uint64_t number);
/* A length (64 bits) and that many bytes. */
void ps_bytes_put_block(struct ps_bytes *bytes, const void *data, size_t length);
/* All of it, to a file or pipe. False: errno says why. */
bool ps_bytes_write(int fd, const struct ps_bytes *bytes);
void ps_bytes_fini(struct ps_bytes *bytes);

/* Once something was missing `failed` stays set, and numbers are 0 and blocks empty. */
struct ps_bytes_reader {
    const unsigned char *at, *end;
    bool failed;
};

uint32_t ps_bytes_take_u32(struct ps_bytes_reader *reader);
uint64_t ps_bytes_take_u64(struct ps_bytes_reader *reader);
/* Points into what is read. */
const unsigned char *ps_bytes_take_block(struct ps_bytes_reader *reader, size_t *length);

/* A hash of 64 bits: names cache files and finds damage in them. No defence against intent. */
uint64_t ps_bytes_hash(const void *data, size_t length);
