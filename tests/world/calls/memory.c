/* Allocations of the product's code, which a fault lets fail. Those of libraries, of libc's inside and of the world itself do not fail, nor those
 * that end the process when there is no memory (core/base.h). */
#undef malloc
#undef calloc
#undef realloc
#undef strdup
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>

#include "core/base.h"
#include "tests/world/fault.h"
#include "tests/world/turn.h"

/* Those behind these: libc's, or AddressSanitizer's. */
#ifdef __SANITIZE_ADDRESS__
#define own_malloc __interceptor_malloc
#define own_calloc __interceptor_calloc
#define own_realloc __interceptor_realloc
#else
#define own_malloc __libc_malloc
#define own_calloc __libc_calloc
#define own_realloc __libc_realloc
#endif
extern void *own_malloc(size_t bytes), *own_calloc(size_t count, size_t bytes),
    *own_realloc(void *memory, size_t bytes);
extern const char __executable_start[], etext[];

struct function {
    uintptr_t begin, bytes;
};

/* Where a function of the program is. */
static struct function find(void *begin)
{
    Dl_info place;
    ElfW(Sym) *symbol = NULL;
    if (dladdr1(begin, &place, (void **)&symbol, RTLD_DL_SYMENT) == 0 || symbol == NULL)
        world_fatal("a function has no symbol");
    return (struct function){(uintptr_t)begin, symbol->st_size};
}

/* Returns whether an address is in a function of core/base.c that ends the process. */
static bool must_succeed(uintptr_t caller)
{
    static struct function functions[4];
    if (functions[0].begin == 0) {
        functions[0] = find((void *)ps_must_alloc);
        functions[1] = find((void *)ps_must_realloc);
        functions[2] = find((void *)ps_must_copy_text);
        functions[3] = find((void *)ps_must_open_text);
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        if (caller - functions[i].begin < functions[i].bytes)
            return true;
    return false;
}

static bool fails(const void *caller_)
{
    uintptr_t caller = (uintptr_t)caller_;
    if (!turn_is_ours() || world->faults == NULL || !world->faults->memory_fails ||
        caller < (uintptr_t)__executable_start || caller >= (uintptr_t)etext)
        return false;
    if (must_succeed(caller))
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
    return fails(__builtin_return_address(0)) ? NULL : own_malloc(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : own_calloc(count, bytes);
}

void *realloc(void *memory, size_t bytes)
{
    return fails(__builtin_return_address(0)) ? NULL : own_realloc(memory, bytes);
}

char *world_strdup(const char *text);
char *world_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(own_malloc(bytes), text, bytes);
}

char *strdup(const char *text)
{
    return fails(__builtin_return_address(0)) ? NULL : world_strdup(text);
}
