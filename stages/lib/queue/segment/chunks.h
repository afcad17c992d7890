/* The latest bytes of a log, in memory. Frames are built in these chunks and written from them, and consumers
 * that keep up read frames from them. A chunk has PS_CHUNK_BYTES bytes of one segment file, and is reused when
 * PS_CHUNKS later chunks were begun.
 *
 * Thread: any for ps_chunks_copy; the log's for the other functions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_CHUNK_BYTES ((size_t)1 << 20)
#define PS_CHUNKS 16U

struct ps_chunks;

struct ps_chunks *ps_chunks_create(void);
void ps_chunks_destroy(struct ps_chunks *chunks);
/* Begins the next chunk, and returns its PS_CHUNK_BYTES bytes, aligned to PS_SEGMENT_DIRECT_BYTES. `full`: the latest chunk was filled, as
 * the chunks of a busy log are. The new chunk replaces the oldest one: waits for threads that copy from the oldest
 * one. Chunks are numbered 1, 2, .. */
char *ps_chunks_next(struct ps_chunks *chunks, bool full, uint64_t *number);
/* Copies bytes that the log's thread wrote to a chunk before it published the place of these bytes. Returns false if the
 * chunk was replaced. `offset` is in the chunk of that number; the bytes may continue in the next chunks. */
bool ps_chunks_copy(struct ps_chunks *chunks, uint64_t number, size_t offset, size_t length, void *to);
