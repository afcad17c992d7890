/* The arena of a test: see the header. */
#include "tests/support/arena.h"

static struct ps_arena *arena;

int ps_test_arena_setup(void **state)
{
    arena = ps_arena_create();
    return arena == NULL;
}

int ps_test_arena_teardown(void **state)
{
    ps_arena_destroy(arena);
    arena = NULL;
    return 0;
}

struct ps_arena *ps_test_arena(void)
{
    return arena;
}
