/* One life of an agent: a process of its own, which ends by itself, or as the world wants. */
#pragma once

#include "tests/world/shared.h"

/* More arguments of the agent's command, ended by NULL. */
#define LIFE_OPTIONS_MAX 16
extern char *life_options[LIFE_OPTIONS_MAX + 1];

/* Runs `penstock agent` with the agent `a` and the file `path` of the world's disk, until it ends. Returns how; what is in
 * world->reason belongs to it. Thread: the runner's. */
enum world_end life_run(const char *path);
