/* A walk through the directories of a plain table's partitions, once after the start: what an agent that was killed left in a partition to
 * which nothing comes any more is found, too. Directories whose names begin with "_" or ".", and partitions that are not below their
 * table, are left out; at most 10,000 partitions are looked at. Thread: the sink's worker. */
#pragma once

#include "stages/filesystem/filesystem.h"
#include "stages/hdfs_sink/sink.h"

struct ps_hive_walk;

/* `depth`: levels of directories below `directory`, one for each partition key. `prefix`: of the files' names. The sink and its file system
 * live as long as it goes on, and end before it is closed, or it is done. */
struct ps_hive_walk *ps_hive_walk_open(struct ps_hdfs_sink *sink, struct ps_filesystem *filesystem,
                                       const char *directory, uint32_t depth, const char *prefix);
void ps_hive_walk_close(struct ps_hive_walk *walk); /* NULL is allowed */

/* Begins a few more questions. Returns the mono_ns of the next time, or PS_NEVER. */
uint64_t ps_hive_walk_go_on(struct ps_hive_walk *walk, const struct ps_now *now);
bool ps_hive_walk_is_done(const struct ps_hive_walk *walk);
