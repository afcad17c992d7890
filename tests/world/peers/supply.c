#include "tests/world/peers/supply.h"

#define MS UINT64_C(1000000)

void supply_begin(struct supply supply)
{
    world->supply = world->supply != NULL ? world->supply : world_allocate(sizeof *world->supply);
    *world->supply = supply;
}

uint32_t supply_take(uint32_t most)
{
    struct supply *supply = world->supply;
    if (supply->left == 0)
        return 0;
    uint32_t count = 1 + (uint32_t)world_below(most);
    count = count < supply->left ? count : supply->left;
    supply->left -= count;
    return count;
}

bool supply_is_over(void)
{
    return world->supply->ends && world->supply->left == 0;
}

uint64_t supply_next_ns(void)
{
    const struct supply *supply = world->supply;
    if (supply->left == 0)
        return world->now_ns + 300 * MS;
    return world->now_ns + world_below(world_chance(supply->rest_share) ? supply->pause_ns : 2 * MS);
}
