/* A Java host for the simulator (tests/support/sim.h). The agent's side is the product's: its thread "java-host", its pipes, its shared
 * memory and its stages. The process is in this program (process.h), and the clock is the simulator's.
 *
 * Functions of the system and of the product are replaced in the program that is linked with these options (tests/tests.cmake): the clock, starting,
 * looking after and killing a process, `poll` of the thread, the worker's eventfd. The thread is a stack of its own in the simulator's one thread, which
 * runs from one `poll` to the next. So a seed repeats its run. */
#pragma once

#include "tests/support/java/process.h"
#include "tests/support/sim.h"

/* Begins a world, whose host is held until java_world_end. Its agent is drawn and not started. */
void java_world_begin(struct sim *sim, const struct java_chances *chances);
/* From here on the processes behave well. A process that has lied or hangs is still ended by the agent. */
void java_world_calm(void);
/* The agent is stopped: ends the host. Fails the test if descriptors or shared memory are left. */
void java_world_end(void);

/* Processes so far. */
extern uint64_t java_world_starts;
