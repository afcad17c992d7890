#include "stages/segment/chunks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "stages/segment/files.h"

struct ps_chunk {
    pthread_mutex_t lock; /* guards the number, and the bytes against the next use */
    uint64_t number;
    char *bytes;
};

struct ps_chunks {
    struct ps_chunk ring[PS_CHUNKS]; /* each at its number modulo PS_CHUNKS */
    uint64_t latest;
};

struct ps_chunks *ps_chunks_create(void)
{
    struct ps_chunks *chunks = ps_must_alloc(1, sizeof *chunks, "the latest bytes of a log");
    for (unsigned i = 0; i < PS_CHUNKS; i++)
        pthread_mutex_init(&chunks->ring[i].lock, NULL);
    return chunks;
}

void ps_chunks_destroy(struct ps_chunks *chunks)
{
    for (unsigned i = 0; chunks != NULL && i < PS_CHUNKS; i++) {
        pthread_mutex_destroy(&chunks->ring[i].lock);
        free(chunks->ring[i].bytes);
    }
    free(chunks);
}

char *ps_chunks_next(struct ps_chunks *chunks, uint64_t *number)
{
    struct ps_chunk *chunk = &chunks->ring[++chunks->latest % PS_CHUNKS];
    if (chunk->bytes == NULL) {
        chunk->bytes = aligned_alloc(PS_SEGMENT_DIRECT_BYTES, PS_CHUNK_BYTES);
        PS_ASSERT(chunk->bytes != NULL);
    }
    pthread_mutex_lock(&chunk->lock);
    chunk->number = *number = chunks->latest;
    pthread_mutex_unlock(&chunk->lock);
    return chunk->bytes;
}

bool ps_chunks_copy(struct ps_chunks *chunks, uint64_t number, size_t offset, size_t length, void *to)
{
    for (size_t done = 0; done < length; number++, offset = 0) {
        struct ps_chunk *chunk = &chunks->ring[number % PS_CHUNKS];
        size_t room = PS_CHUNK_BYTES - offset, part = room < length - done ? room : length - done;
        pthread_mutex_lock(&chunk->lock);
        bool there = chunk->number == number;
        if (there)
            memcpy((char *)to + done, chunk->bytes + offset, part);
        pthread_mutex_unlock(&chunk->lock);
        if (!there)
            return false;
        done += part;
    }
    return true;
}
