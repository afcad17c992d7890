/* Files and directories whose names and content outlast a power cut. Thread: any; the calls block. A function of type int returns 0, or
 * the errno of the system call that failed. */
#pragma once

#include "core/status.h"

#include <sys/types.h>

/* The name under which stages ask ps_context.system_property for the agent's state directory: components may note there
 * what they need after a kill. The directory need not exist. The answer "": none is known, and a component that needs it says so; NULL: nothing is noted. */
#define PS_STATE_DIRECTORY_PROPERTY "penstock.state.dir"

/* Syncs a directory, and with it the names in it. On a file system without such a sync (EINVAL) the function returns 0. EROFS is an
 * error: a file system says that when it has become read-only because of an error, and new names in it may not be on the disk. */
int ps_directory_sync(const char *path);

/* Syncs the directory that has this name in it. */
int ps_directory_sync_above(const char *path);

/* Returns whether the directory exists, or is the target of a symbolic link of this name. */
bool ps_directory_exists(const char *path);

/* Makes one directory, and syncs its name. A directory that exists is left as it is. When the name could not be synced, the directory
 * is removed, so that the next try makes and syncs it again. If this user may not read the directory above (EACCES), the whole file system
 * is synced. */
int ps_directory_make(const char *path, mode_t mode);

/* The same, but also makes the missing directories above it. */
int ps_directories_make(const char *path, mode_t mode);

/* The same with mode 0750, less the umask. On failure *err has the reason. */
enum ps_status ps_directories_need(const char *path, struct ps_err *err);

/* Writes all bytes to the file. */
int ps_write_all(int fd, const void *bytes, size_t length);

/* Replaces a file by one with these bytes: writes them to the file `beside`, which is in the same directory, syncs
 * it, renames it and syncs the directory. A reader, even after a power cut, finds the whole old file or the
 * whole new one. Removes `beside` on failure. */
int ps_file_replace(const char *path, const char *beside, mode_t mode, const void *bytes, size_t length);
