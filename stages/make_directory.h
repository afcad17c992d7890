/* Makes a directory, and those above it. Thread: any. */
#pragma once

#include "core/status.h"

#include <sys/types.h>

/* With mode 0750, less the umask. A directory that exists is left as it is. */
enum ps_status ps_make_directory(const char *path, struct ps_err *err);

/* The same with another mode, for callers that need the reason: returns 0 or errno. */
int ps_make_directories(const char *path, mode_t mode);
