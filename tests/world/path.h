/* Which paths are the world's: those on its disk, and a few devices. Everything else is read from the real system, and only read. */
#pragma once

#include "tests/world/descriptor.h"

#define PATH_WORKING_DIRECTORY "/w" /* of the agent */

/* Returns whether a path of the agent's is on the world's disk; `directory` is the descriptor of a ..at call. Relative paths are,
 * unless the descriptor is of a real directory. */
bool path_is_ours(int directory, const char *path);
/* Finds a path of a call. As disk_find. */
struct disk_inode *path_find(int directory, const char *path, bool follow, struct disk_inode **parent,
                             char last[DISK_NAME_MAX + 1], int *error);
/* The agent's umask. */
extern mode_t path_mask;
