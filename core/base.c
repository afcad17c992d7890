#include "core/base.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void ps_assert_failed(const char *file, int line, const char *expression)
{
    fprintf(stderr, "penstock: assertion failed at %s:%d: %s\n", file, line, expression);
    abort();
}

_Noreturn void ps_out_of_memory(size_t bytes, const char *purpose)
{
    if (bytes == 0)
        fprintf(stderr, "penstock: out of memory for %s\n", purpose);
    else
        fprintf(stderr, "penstock: out of memory: no %zu bytes for %s\n", bytes, purpose);
    abort();
}

void *ps_must_alloc(size_t count, size_t bytes, const char *purpose)
{
    void *memory = calloc(count, bytes);
    if (memory == NULL && count > 0 && bytes > 0)
        ps_out_of_memory(count > SIZE_MAX / bytes ? SIZE_MAX : count * bytes, purpose);
    return memory;
}

void *ps_must_alloc_aligned(size_t bytes, const char *purpose)
{
    bytes = (bytes + PS_CACHE_GAP - 1) & ~(size_t)(PS_CACHE_GAP - 1);
    void *memory = aligned_alloc(PS_CACHE_GAP, bytes);
    if (memory == NULL)
        ps_out_of_memory(bytes, purpose);
    return memset(memory, 0, bytes);
}

void *ps_must_realloc(void *memory, size_t bytes, const char *purpose)
{
    void *more = realloc(memory, bytes);
    if (more == NULL)
        ps_out_of_memory(bytes, purpose);
    return more;
}

char *ps_must_copy_text(const char *text, const char *purpose)
{
    char *copy = strdup(text);
    if (copy == NULL)
        ps_out_of_memory(strlen(text) + 1, purpose);
    return copy;
}

FILE *ps_must_open_text(char **text, size_t *length, const char *purpose)
{
    FILE *stream = open_memstream(text, length);
    if (stream == NULL)
        ps_out_of_memory(0, purpose);
    return stream;
}

bool ps_is_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}
