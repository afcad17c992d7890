/* See random.h. */
#include "stages/lib/random.h"

#include "core/clock.h"

#include <string.h>
#include <sys/random.h>

void ps_random_init(struct ps_random *random)
{
    if (getrandom(random->words, sizeof random->words, 0) == (ssize_t)sizeof random->words)
        return;
    struct ps_now now = ps_clock_now(); /* a kernel without getrandom: a different seed each time is enough */
    random->words[0] = now.mono_ns;
    random->words[1] = (uint64_t)now.wall_ms;
    random->words[2] = (uint64_t)(uintptr_t)random;
    random->words[3] = 0x9E3779B97F4A7C15U;
    for (int i = 0; i < 16; i++)
        (void)ps_random_next(random);
}
