#include "tests/world/peer.h"

struct world_peer *peer_add(void (*step)(struct world_peer *), void *state, uint64_t due_ns)
{
    struct world_peer *peer = world_allocate(sizeof *peer), **end = &world->peers;
    while (*end != NULL)
        end = &(*end)->next;
    *end = peer;
    *peer = (struct world_peer){.step = step, .due_ns = due_ns, .state = state};
    return peer;
}

bool peers_are_done(void)
{
    return world->peers_busy == 0;
}

void peers_one_more(void)
{
    world->peers_busy++;
}

void peers_one_less(void)
{
    world->peers_busy--;
}

void peers_run(void)
{
    for (struct world_peer *peer = world->peers; peer != NULL; peer = peer->next) {
        if (!peer->called && peer->due_ns > world->now_ns)
            continue;
        peer->called = false;
        if (peer->due_ns <= world->now_ns)
            peer->due_ns = WORLD_NEVER;
        peer->step(peer);
    }
}

uint64_t peers_due_ns(void)
{
    uint64_t due = WORLD_NEVER;
    for (const struct world_peer *peer = world->peers; peer != NULL; peer = peer->next) {
        if (peer->called)
            return 0;
        if (peer->due_ns < due)
            due = peer->due_ns;
    }
    return due;
}
