/* Checks before and after a fetch: jars' SHA-256, and versions of Flume that do not go together. Used by
 * commands/plugin/fetch only. Thread: main. */
#pragma once

#include "commands/plugin/fetch/lists.h"
#include "core/status.h"

/* Compares each jar of the list, in this folder, with the list, and writes them as the file SHA256SUMS there (for
 * `sha256sum -c`). Fails when a jar is missing or has another checksum. `*bytes` is their size. */
enum ps_status ps_fetch_check_jars(struct ps_arena *arena, const struct ps_fetch_list *list,
                                   const char *folder, uint64_t *bytes, struct ps_err *err);

/* Fails when jars of a Flume before 1.10, and of a later one, would be on one class path: `home` is FLUME_HOME or NULL,
 * `plugins` the folder of plug-ins. Classes made for the one do not run with the other. */
enum ps_status ps_fetch_check_flume(struct ps_arena *arena, const struct ps_fetch_list *list,
                                    const char *home, const char *plugins, struct ps_err *err);
