#include "core/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_CHUNK_BYTES 16384

struct chunk {
    struct chunk *next;
    size_t used, size;
    max_align_t data[];
};

struct ending {
    struct ending *next;
    void (*end)(void *argument);
    void *argument;
};

struct ps_arena {
    struct chunk *chunks;   /* newest first */
    struct ending *endings; /* newest first; in the chunks */
};

struct ps_arena *ps_arena_create(void)
{
    return ps_must_alloc(1, sizeof(struct ps_arena), "a plan's strings");
}

void ps_arena_end(struct ps_arena *arena)
{
    while (arena->endings != NULL) {
        const struct ending *ending = arena->endings;
        arena->endings = ending->next;
        ending->end(ending->argument);
    }
}

void ps_arena_destroy(struct ps_arena *arena)
{
    if (arena == NULL)
        return;
    ps_arena_end(arena);
    while (arena->chunks != NULL) {
        struct chunk *next = arena->chunks->next;
        free(arena->chunks);
        arena->chunks = next;
    }
    free(arena);
}

void *ps_arena_alloc(struct ps_arena *arena, size_t bytes)
{
    bytes = (bytes + 15) & ~(size_t)15;
    struct chunk *chunk = arena->chunks;
    if (chunk == NULL || chunk->size - chunk->used < bytes) {
        size_t size = bytes > ARENA_CHUNK_BYTES ? bytes : ARENA_CHUNK_BYTES;
        chunk = ps_must_alloc(1, sizeof *chunk + size, "a plan's strings");
        chunk->size = size;
        chunk->next = arena->chunks;
        arena->chunks = chunk;
    }
    void *memory = (char *)chunk->data + chunk->used;
    chunk->used += bytes;
    return memory;
}

void *ps_arena_grow(struct ps_arena *arena, const void *items, size_t count, size_t item_bytes)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return (void *)(uintptr_t)items;
    void *longer = ps_arena_alloc(arena, (count > 0 ? 2 * count : 1) * item_bytes);
    if (count > 0)
        memcpy(longer, items, count * item_bytes);
    return longer;
}

void ps_arena_at_end(struct ps_arena *arena, void (*end)(void *argument), void *argument)
{
    struct ending *ending = ps_arena_alloc(arena, sizeof *ending);
    *ending = (struct ending){arena->endings, end, argument};
    arena->endings = ending;
}

char *ps_arena_copy(struct ps_arena *arena, const char *text, size_t length)
{
    char *copy = ps_arena_alloc(arena, length + 1);
    if (length > 0)
        memcpy(copy, text, length);
    return copy;
}

char *ps_arena_text(struct ps_arena *arena, const char *text)
{
    return ps_arena_copy(arena, text, strlen(text));
}

char *ps_arena_format(struct ps_arena *arena, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    PS_ASSERT(length >= 0);
    char *text = ps_arena_alloc(arena, (size_t)length + 1);
    vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return text;
}
