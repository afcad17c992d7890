#include "stages/lib/queue/segment/chunks.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "core/base.h"

#define CHUNKS_BYTES (PS_CHUNKS * PS_CHUNK_BYTES)
/* Size of a huge page. A write that bypasses the page cache looks up each page of its buffer, which huge pages make cheaper.
 * Only a busy log asks for them: the first use of each zeroes 2 MiB, which would be most of the time of opening a log. */
#define HUGE_BYTES ((size_t)2 << 20)

struct ps_chunk {
    pthread_mutex_t lock; /* guards the number, and keeps the bytes from being reused */
    uint64_t number;
    char *bytes;
};

struct ps_chunks {
    struct ps_chunk ring[PS_CHUNKS]; /* each at its number modulo PS_CHUNKS */
    uint64_t latest;
    void *map; /* the memory of all chunks; the kernel provides it on first use */
    bool huge; /* huge pages were requested */
};

struct ps_chunks *ps_chunks_create(void)
{
    struct ps_chunks *chunks = ps_must_alloc(1, sizeof *chunks, "the latest bytes of a log");
    chunks->map = mmap(NULL, CHUNKS_BYTES + HUGE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    PS_ASSERT(chunks->map != MAP_FAILED);
    char *bytes = (char *)(((uintptr_t)chunks->map + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1));
    for (unsigned i = 0; i < PS_CHUNKS; i++) {
        pthread_mutex_init(&chunks->ring[i].lock, NULL);
        chunks->ring[i].bytes = bytes + i * PS_CHUNK_BYTES;
    }
    return chunks;
}

void ps_chunks_destroy(struct ps_chunks *chunks)
{
    if (chunks == NULL)
        return;
    for (unsigned i = 0; i < PS_CHUNKS; i++)
        pthread_mutex_destroy(&chunks->ring[i].lock);
    munmap(chunks->map, CHUNKS_BYTES + HUGE_BYTES);
    free(chunks);
}

char *ps_chunks_next(struct ps_chunks *chunks, bool full, uint64_t *number)
{
    if (full && !chunks->huge) {
        chunks->huge = true;
        (void)madvise(chunks->ring[0].bytes, CHUNKS_BYTES, MADV_HUGEPAGE);
    }
    struct ps_chunk *chunk = &chunks->ring[++chunks->latest % PS_CHUNKS];
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
