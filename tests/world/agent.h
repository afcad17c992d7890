/* A drawn agent: its file, its peers, and what it promises. */
#pragma once

#include "tests/world/shared.h"

struct drawn_agent {
    char text[4096];
    const char *source, *channel, *sink;
    bool survives_kills; /* what was acknowledged arrives although the process was killed */
};

/* Draws an agent, writes its file to /w/agent.properties, and makes its peers. */
void agent_draw(struct drawn_agent *agent);
