/* Makes a directory, and those above it. Thread: any. */
#pragma once

#include "core/status.h"

#include <sys/types.h>

/* With mode 0750, less the umask. A directory that exists is left as it is; the name of one that was made survives a
 * power cut (fsync of the directory above it). */
enum ps_status ps_make_directory(const char *path, struct ps_err *err);

/* With another mode, and without a sync, for callers that need the reason: returns 0 or errno. */
int ps_make_directories(const char *path, mode_t mode);
