/* How the sink hdfs delivers leases into files: what Flume's HDFSEventSink and BucketWriter do, without waiting for one file or
 * one batch before the next.
 *
 *   bucket    The events of one directory and file prefix. It has at most one file that is written to.
 *   file      Written under its name in use, rolled, closed, and renamed to its final name in the background.
 *   flush     At the end of a cycle each file that was written to is flushed; one flush covers the events of many leases, and
 *             two may be under way. An event is settled when a flush behind it was acknowledged.
 *
 * After a failure of a file, what of its events was not acknowledged is written again, in order, to a new file of the same
 * bucket, after a rest of 1, 2, .. 5 s; the other buckets go on. The events of a bucket are in its files in the order in which
 * they came: a new file is written to only when all events of the one before are acknowledged.
 *
 * Thread: the sink's worker. Never blocks, except as its file system does. Allocates for new buckets and files, and until its
 * lists have the size of what is in flight. */
#pragma once

#include "core/stage.h"
#include "stages/filesystem/filesystem.h"
#include "stages/hadoop_file/writer.h"
#include "stages/hdfs_sink/place.h"

#define PS_HDFS_TRIES_ENDLESS UINT32_MAX

enum ps_hdfs_placed {
    PS_HDFS_PLACED,
    PS_HDFS_UNPLACEABLE, /* it can be in no file */
    PS_HDFS_PLACE_LATER, /* it is not known yet: the sink says PS_LATER, and its owner sees to the next `work` */
};

/* Where events go, of a sink that has its files written by this one (hive). */
struct ps_hdfs_placer {
    /* The bucket of the event at this position. The name is valid until the next call. UNPLACEABLE: `*flaw` is what is wrong with the
     * event, and the cure; a text that stays. */
    enum ps_hdfs_placed (*place)(struct ps_hdfs_placer *placer, const struct ps_lease *lease,
                                 uint32_t position, const struct ps_now *now,
                                 struct ps_hdfs_bucket_name *name, const char **flaw);
    /* Why the event at this position, which has a place, was refused by the format of the files. */
    void (*explain)(struct ps_hdfs_placer *placer, const struct ps_lease *lease, uint32_t position,
                    struct ps_err *reason);
};

/* Shared by all workers; const. */
struct ps_hdfs_settings {
    struct ps_hdfs_place place;    /* with a placer: its url, and what orphans.c needs */
    struct ps_hdfs_placer *placer; /* NULL: none */
    const char *in_use_prefix, *in_use_suffix, *file_suffix; /* "": none */
    uint64_t roll_interval_ns, roll_bytes, roll_events;      /* 0: never */
    uint64_t idle_ns;                                        /* 0: never */
    uint32_t open_files_max;
    int64_t replicas_min; /* < 0: what the file system says of the first file */
    uint32_t close_tries; /* to complete a file, and to rename it */
    uint64_t retry_ns;    /* between these tries */
    uint64_t call_timeout_ns;
    enum ps_file_flush flush;
    bool recovers_orphans;   /* completes and renames files whose writers are gone; else it reports them */
    uint64_t held_bytes_max; /* in the file system's streams */
    struct ps_hadoop_format format;
};

/* Its own counters (PS_COUNTER_extra + i). */
#define PS_HDFS_COUNTER_NAMES                                                                                \
    "files_open_now", "files_closing_now", "files_recovered", "renames_retried", "orphans"
#define PS_HDFS_COUNTER_HELPS                                                                                \
    "Files that are written to",                                                                             \
        "Files that nothing is written to any more, and that do not have their final names yet",             \
        "Files that the file system completed after a failure or a crash",                                   \
        "Tries to rename a file after one that failed",                                                      \
        "Files found that have had their names in use since before the start"

#define PS_HDFS_COUNTERS 5

struct ps_hdfs_sink;

/* NULL and the reason: no memory. The sink owns `filesystem` then; the port and the settings outlive it. */
struct ps_hdfs_sink *ps_hdfs_sink_open(const struct ps_hdfs_settings *settings,
                                       struct ps_filesystem *filesystem, struct ps_port *port,
                                       struct ps_err *err);
void ps_hdfs_sink_close(struct ps_hdfs_sink *sink);

/* As the functions of struct ps_sink_ops of the same names. `recall` also closes all files, as Flume's sink does when it
 * stops, and waits for that as long as the call time-out. */
enum ps_result ps_hdfs_sink_work(struct ps_hdfs_sink *sink, struct ps_lease **lease,
                                 const struct ps_now *now);
uint64_t ps_hdfs_sink_tick(struct ps_hdfs_sink *sink, const struct ps_now *now);
bool ps_hdfs_sink_recall(struct ps_hdfs_sink *sink, struct ps_lease **back, const struct ps_now *now);
bool ps_hdfs_sink_drain(struct ps_hdfs_sink *sink, const struct ps_now *now);

/* These, of a stage whose state begins with the pointer that ps_hdfs_sink_open returned. */
extern const struct ps_sink_ops ps_hdfs_sink_ops;
