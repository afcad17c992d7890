/* Compiled databases on disk, so that a restart or a reload need not compile again.
 *
 * A directory of our own (made with mode 0700 if missing), a file for each set, "<hash of the key>.hsdb", of
 * mode 0600, written beside and renamed into place. A file holds everything it depends on: our format's
 * version, Hyperscan's version and what it found of the CPU, and the whole key (all expressions, flags, ids);
 * all of it is compared. A file is refused, and replaced after compiling, when anything differs, when it is
 * damaged or cut off, when it is no regular file, belongs to somebody else than us or root, or others may
 * write to it or its directory: a database is a program, in effect.
 *
 * When there are more than 64 files, or more than 1 GiB, those not used for longest (by mtime, which a use
 * renews) are deleted. Thread: any but a worker; several processes may share a directory (the last rename
 * wins). */
#pragma once

#include "regex/compile/compiler.h"

#define PS_CACHE_FILES_MAX 64U
#define PS_CACHE_BYTES_MAX (UINT64_C(1) << 30)

/* Into `answer` what was kept for the key. False: it must be compiled; `note` says why a file that is there
 * was refused, and is "" when there is none. */
bool ps_cache_load(const char *directory, const struct ps_bytes *key, uint32_t count,
                   struct ps_compile_answer *answer, char *note, size_t room);

/* Keeps it. False: `note` says why not. */
bool ps_cache_store(const char *directory, const struct ps_bytes *key, uint32_t count,
                    const struct ps_compile_answer *answer, char *note, size_t room);

/* The contents of a file, apart from where they come from. `platform` is ps_hyperscan_platform's text. */
void ps_cache_write(struct ps_bytes *bytes, const struct ps_bytes *key, const char *platform, uint32_t count,
                    const struct ps_compile_answer *answer);
/* NULL: fine; else why it is refused. */
const char *ps_cache_read(const unsigned char *bytes, size_t length, const struct ps_bytes *key,
                          const char *platform, uint32_t count, struct ps_compile_answer *answer);
