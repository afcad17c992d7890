/* Compiled databases on disk, so that a restart or a reload need not compile again.
 *
 * The cache is a directory of its own (created with mode 0700 if missing) with one file for each set, named
 * "<hash of the key>.hsdb", of mode 0600, written to a temporary file and renamed into place. A file holds everything
 * that its database depends on: our format's version, Hyperscan's version and the CPU features it detected, and the
 * whole key (all expressions, flags, ids). All of it is compared. A file is refused, and replaced after compiling,
 * when:
 *
 *   - anything differs;
 *   - it is damaged or cut off;
 *   - it is not a regular file;
 *   - its owner, or its directory's, is neither our user nor root;
 *   - other users may write to it or to its directory.
 *
 * The permissions matter because a database is effectively a program.
 *
 * When there are more than 64 files, or more than 1 GiB, the least recently used ones are deleted (by mtime,
 * which each use renews). Thread: any but a worker; several processes may share a directory (the last rename
 * wins). */
#pragma once

#include "regex/compile/compiler.h"

#define PS_CACHE_FILES_MAX 64U
#define PS_CACHE_BYTES_MAX (UINT64_C(1) << 30)

/* Loads the answer stored for the key. Returns false when the set must be compiled; `note` then has the
 * reason why an existing file was refused, or "" if there is none. */
bool ps_cache_load(const char *directory, const struct ps_bytes *key, uint32_t count,
                   struct ps_compile_answer *answer, char *note, size_t room);

/* Stores the answer. Returns false on failure, with the reason in `note`. */
bool ps_cache_store(const char *directory, const struct ps_bytes *key, uint32_t count,
                    const struct ps_compile_answer *answer, char *note, size_t room);

/* Deletes the least recently used files until at most `files_max` files and `bytes_max` bytes are left, and
 * temporary files older than an hour. Keeps `keep` and files whose names are not the cache's. */
void ps_cache_prune(int folder, const char *keep, unsigned files_max, uint64_t bytes_max);

/* Writes the contents of a cache file into memory. `platform` is ps_hyperscan_platform's text. */
void ps_cache_write(struct ps_bytes *bytes, const struct ps_bytes *key, const char *platform, uint32_t count,
                    const struct ps_compile_answer *answer);
/* Returns NULL on success, else the reason why the contents are refused. */
const char *ps_cache_read(const unsigned char *bytes, size_t length, const struct ps_bytes *key,
                          const char *platform, uint32_t count, struct ps_compile_answer *answer);
