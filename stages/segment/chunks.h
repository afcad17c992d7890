/* The latest bytes of a log in memory: frames are made here and written from here, and consumers that keep up read them
 * here. A chunk has so many bytes of one segment file; it stays until PS_CHUNKS later ones were begun.
 *
 * Thread: ps_chunks_copy any; the others the log's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PS_CHUNK_BYTES ((size_t)1 << 20)
#define PS_CHUNKS 16U

struct ps_chunks;

struct ps_chunks *ps_chunks_create(void);
void ps_chunks_destroy(struct ps_chunks *chunks);
/* Begins the next chunk; `full`: the latest one was filled, as those of a busy log are. Its bytes are PS_CHUNK_BYTES, aligned to PS_SEGMENT_DIRECT_BYTES. Waits for those who copy from
 * the oldest one, which it replaces. Chunks are numbered 1, 2, .. */
char *ps_chunks_next(struct ps_chunks *chunks, bool full, uint64_t *number);
/* Copies bytes that the log's thread had written there when it said where they are. Returns false if they are gone;
 * `offset` is in the chunk of that number, and the next chunks follow. */
bool ps_chunks_copy(struct ps_chunks *chunks, uint64_t number, size_t offset, size_t length, void *to);
