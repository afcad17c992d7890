/* Basic blocks of the product, which the preset `world` compiles with -fsanitize-coverage=trace-pc: behind a drawn number of them the turn
 * is passed. In other builds nobody calls this. */
#include "tests/world/block.h"

#include "tests/world/turn.h"

static uint64_t blocks_left; /* until the next pass; it wraps where there is none */

/* Short distances are as likely as long ones: a window between two steps is some blocks wide. */
static uint64_t draw_distance(void)
{
    return 1 + (world_below(world->blocks_most) >> world_below(8));
}

void blocks_begin(void)
{
    blocks_left = world->blocks_most == 0 ? 0 : 1; /* draws before the first block: other builds draw none */
}

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    if (--blocks_left != 0)
        return;
    if (!turn_is_ours() || world->blocks_most == 0) {
        blocks_left = 1;
        return;
    }
    blocks_left = draw_distance();
    turn_block();
}
