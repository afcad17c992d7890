/* Shared by the files of the cache. */
#pragma once

#include "regex/compile/cache/cache.h"

#define PS_CACHE_SUFFIX ".hsdb"
#define PS_CACHE_ASIDE ".tmp"

/* Deletes the least recently used files until at most `files_max` files and `bytes_max` bytes are left, and
 * temporary files older than an hour. Keeps `keep` and files whose names are not the cache's. */
void ps_cache_prune(int folder, const char *keep, unsigned files_max, uint64_t bytes_max);
