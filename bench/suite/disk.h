/* The disk under a bench: a directory on it, what the process syncs, and a bare loop of write and fdatasync as the
 * referee of channels on disk.
 *
 * In a program linked with this file every call of fdatasync is counted and timed, from any thread and any caller.
 *
 * Thread: the bench's main one. */
#pragma once

#include "core/base.h"

/* Returns a new directory below TMPDIR, else /var/tmp: the directory must be on the disk that is to be measured. The
 * program removes it when the program ends. */
const char *ps_disk_directory(void);
/* Removes the directory's content. */
void ps_disk_clear(const char *directory);

struct ps_disk_syncs {
    uint64_t count;
    double p50_ms, p99_ms, max_ms;
};

/* Restarts the count. */
void ps_disk_syncs_begin(void);
/* Returns the count of syncs since ps_disk_syncs_begin, and their times; of a long run only the latest million are
 * timed. */
struct ps_disk_syncs ps_disk_syncs_end(void);

/* Writes `bytes` and syncs, repeatedly, for this number of seconds, into files of 128 MiB whose space was
 * allocated before, as the file channel does; ps_disk_clear removes them. `pace_s` > 0: at most one write
 * begins in this number of seconds. Returns bytes per second. */
double ps_disk_bare(const char *directory, size_t bytes, double seconds, double pace_s);
