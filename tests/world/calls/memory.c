/* Allocations of the product's code, which a fault lets fail. Those of libraries, of libc's inside and of the world itself do not fail, nor those
 * that end the process when there is no memory (core/base.h). */
#undef malloc
#undef calloc
#undef realloc
#undef strdup
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "tests/world/fault.h"
#include "tests/world/turn.h"

extern void *__libc_malloc(size_t bytes), *__libc_calloc(size_t count, size_t bytes),
    *__libc_realloc(void *memory, size_t bytes);
extern const char __executable_start[], etext[];

#define FUNCTION_BYTES 256U /* a function of core/base.c has fewer */

static bool is_inside(uintptr_t caller, uintptr_t function)
{
    return caller >= function && caller < function + FUNCTION_BYTES;
}

static bool fails(const void *caller_)
{
    uintptr_t caller = (uintptr_t)caller_;
    if (!turn_is_ours() || world->faults == NULL || !world->faults->memory_fails ||
        caller < (uintptr_t)__executable_start || caller >= (uintptr_t)etext)
        return false;
    if (is_inside(caller, (uintptr_t)ps_must_alloc) || is_inside(caller, (uintptr_t)ps_must_realloc) ||
        is_inside(caller, (uintptr_t)ps_must_copy_text) || is_inside(caller, (uintptr_t)ps_must_open_text))
        return false;
    int error = fault_strikes(FAULT_MEMORY, NULL);
    if (error == 0)
        return false;
    world_note((uint64_t)error);
    errno = error;
    return true;
}

void *malloc(size_t bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : __libc_realloc(memory, bytes);
}

char *world_strdup(const char *text);
char *world_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(__libc_malloc(bytes), text, bytes);
}

char *strdup(const char *text)
{
    return fails(__builtin_return_address(0)) ? NULL : world_strdup(text);
}
