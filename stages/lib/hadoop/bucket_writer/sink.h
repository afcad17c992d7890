/* Delivers leases into files for the sink hdfs. Does what Flume's HDFSEventSink and BucketWriter do, without waiting for one
 * file or batch before the next.
 *
 *   bucket    the events of one directory and file prefix. At most one of its files is written to.
 *   file      written under its name in use, rolled, closed, and renamed to its final name in the background
 *   flush     at the end of a cycle, each file that was written to is flushed. One flush covers the events of
 *             many leases, and two may be in flight. An event is settled when a flush after it was
 *             acknowledged.
 *
 * If a file fails, its unacknowledged events are written again, in order, to a new file of the same bucket, after a backoff of 1,
 * 2, .. 5 s; other buckets are not affected. The files of a bucket have its events in the order in which they arrived: a new
 * file is written to only when all events of the former one are acknowledged.
 *
 * Thread: the sink's worker. Does not block unless its file system does. Allocates memory for new buckets and files, and until
 * its lists are large enough for the events in flight. */
#pragma once

#include "core/stage.h"
#include "stages/lib/filesystem/filesystem.h"
#include "stages/lib/hadoop/file/writer.h"
#include "stages/lib/hadoop/bucket_writer/bucket_path.h"

#define PS_BUCKET_LEASES_MAX 1024U /* number of leases that a sink holds at most */

#define PS_BUCKET_TRIES_ENDLESS UINT32_MAX

enum ps_bucket_placed {
    PS_BUCKET_PLACED,
    PS_BUCKET_UNPLACEABLE, /* no file can take the event */
    /* Not known yet: the sink returns PS_LATER, and its owner arranges the next `work`. */
    PS_BUCKET_PLACE_LATER,
};

/* Chooses the bucket of each event, for another sink that writes its files through this one (hive). */
struct ps_bucket_placer {
    /* Finds the bucket of the event at this position. The name is valid until the next call. UNPLACEABLE: `*flaw` is set to a static
     * text with what is wrong with the event, and the cure. */
    enum ps_bucket_placed (*find)(struct ps_bucket_placer *placer, const struct ps_lease *lease,
                                  uint32_t position, const struct ps_now *now, struct ps_bucket_name *name,
                                  const char **flaw);
    /* Explains why the format of the files refused the event at this position, which has a bucket. */
    void (*explain)(struct ps_bucket_placer *placer, const struct ps_lease *lease, uint32_t position,
                    struct ps_err *reason);
};

/* Shared by all workers and constant. */
struct ps_bucket_writer_settings {
    struct ps_bucket_path bucket_path; /* with a placer only its url, and the fields that orphans.c needs */
    struct ps_bucket_placer *placer;   /* NULL: none */
    const char *in_use_prefix, *in_use_suffix, *file_suffix; /* "": none */
    uint64_t roll_interval_ns, roll_bytes, roll_events;      /* limits of a file; 0: none */
    /* An idle file is closed after this time; 0: never. */
    uint64_t idle_ns;
    uint32_t open_files_max;
    int64_t replicas_min; /* < 0: the replication of the first file */
    uint32_t close_tries; /* tries to complete a file, and to rename it */
    uint64_t retry_ns;    /* interval of these tries */
    uint64_t call_timeout_ns;
    enum ps_file_flush flush;
    /* Completes and renames files whose writers are gone; false: only reports them. */
    bool recovers_orphans;
    /* Every event ends with a line feed, and nothing is compressed: an orphan is cut after its last line feed, if
     * the file system can cut files. */
    bool is_lines;
    uint64_t held_bytes_max; /* limit of bytes in the file system's streams */
    struct ps_hadoop_format format;
};

/* The sink's own counters (PS_COUNTER_extra + i). */
#define PS_BUCKET_COUNTER_NAMES                                                                              \
    "files_open_now", "files_closing_now", "files_recovered", "renames_retried", "orphans"
#define PS_BUCKET_COUNTER_HELPS                                                                              \
    "Files that are written to", "Files that are being completed, renamed or removed",                       \
        "Files that the file system completed after a failure or a crash",                                   \
        "Further tries to rename a file after the first one failed",                                         \
        "Files found that have had their in-use names since before the start"

#define PS_BUCKET_COUNTERS 5

struct ps_bucket_writer;

/* Returns NULL with the reason in `err` if there is no memory. Otherwise the sink owns `filesystem`. The port and the
 * settings must outlive the sink. */
struct ps_bucket_writer *ps_bucket_writer_open(const struct ps_bucket_writer_settings *settings,
                                               struct ps_filesystem *filesystem, struct ps_port *port,
                                               struct ps_err *err);
void ps_bucket_writer_close(struct ps_bucket_writer *sink);

/* Like the functions of struct ps_sink_ops of the same names. `recall` also closes all files, as Flume's sink does when
 * it stops, and waits for the end of the files up to the call time-out. */
enum ps_result ps_bucket_writer_work(struct ps_bucket_writer *sink, struct ps_lease **lease,
                                     const struct ps_now *now);
uint64_t ps_bucket_writer_tick(struct ps_bucket_writer *sink, const struct ps_now *now);
bool ps_bucket_writer_recall(struct ps_bucket_writer *sink, struct ps_lease **back, const struct ps_now *now);
bool ps_bucket_writer_drain(struct ps_bucket_writer *sink, const struct ps_now *now);

/* The functions above, for a stage whose state begins with the pointer that ps_bucket_writer_open returned. */
extern const struct ps_sink_ops ps_bucket_writer_ops;
