#include "rings/base.h"

#include <stdio.h>
#include <stdlib.h>

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
