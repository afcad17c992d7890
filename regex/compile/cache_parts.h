/* Between the files of the cache. */
#pragma once

#include "regex/compile/cache.h"

#define PS_CACHE_SUFFIX ".hsdb"
#define PS_CACHE_ASIDE ".tmp"

/* Deletes the files not used for longest until no more than that are left, and what was left half written an
 * hour ago; never `keep`, never anything that is not named as ours. */
void ps_cache_prune(int folder, const char *keep, unsigned files_max, uint64_t bytes_max);
