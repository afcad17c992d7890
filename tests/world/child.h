/* Children of the agent (calls/child.c). */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

/* Sends a signal to a child, which ends by it. Returns false if there is no such child. */
bool child_kill(pid_t pid, int number);
