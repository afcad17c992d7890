/* Which paths are the world's: those on its disk, and a few devices. Everything else is read from the real system, and only read. */
#pragma once

#include "tests/world/descriptor.h"

/* Returns whether a path of the agent's is on the world's disk; `directory` is the descriptor of a ..at call. Relative paths are,
 * unless the descriptor is of a real directory. */
bool path_is_ours(int directory, const char *path);
/* Finds a path of a call. As disk_find. */
struct disk_inode *path_find(int directory, const char *path, bool follow, struct disk_inode **parent,
                             char last[DISK_NAME_MAX + 1], int *error);
/* Makes a descriptor of an inode. Returns it, or a negative errno. */
int path_open_inode(struct disk_inode *inode, const char *path, int flags);
/* Writes the absolute path of an inode that is a directory. Returns its length. */
size_t path_of_directory(const struct disk_inode *directory, char *to, size_t room);
/* The agent's working directory. */
struct disk_inode *path_working_directory(void);
/* The agent's umask. */
extern mode_t path_mask;
