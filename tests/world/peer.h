/* Peers: what is outside of the agent and acts by itself. Writers of files, clients, servers, faults that begin and end. Each is a function
 * that the world calls when its time has come or something that it waits for has happened; it runs within the calls of the agent's
 * threads, and its state is the world's. */
#pragma once

#include "tests/world/shared.h"

struct world_peer {
    struct world_peer *next;
    /* Does what is to be done now, and sets due_ns. It must not wait. */
    void (*step)(struct world_peer *peer);
    uint64_t due_ns; /* WORLD_NEVER: when it is called */
    bool called;     /* something happened that it waits for */
    void *state;
};

/* Adds a peer, whose first step is at `due_ns`. Thread: the runner's, before a life. */
struct world_peer *peer_add(void (*step)(struct world_peer *), void *state, uint64_t due_ns);
/* Lets all peers act whose time has come. */
void peers_run(void);
/* Returns when the next one is due; 0 if one was called. */
uint64_t peers_due_ns(void);

/* Returns whether all peers have sent all of their events. */
bool peers_are_done(void);
/* Peers that are not done; each peer counts itself. */
void peers_one_more(void);
void peers_one_less(void);

/* Returns the earlier of two times at which a peer is due. */
static inline uint64_t earlier(uint64_t one_ns, uint64_t other_ns)
{
    return one_ns < other_ns ? one_ns : other_ns;
}
