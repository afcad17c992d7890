/* Types and functions that only the files of stages/lib/hadoop/bucket_writer/ share. Thread: the sink's worker. */
#pragma once

#include "core/flow/held_group.h"
#include "core/sink/deadletter_pending.h"
#include "core/sink/finish_held.h"
#include "stages/lib/hadoop/bucket_writer/sink.h"
#include "stages/lib/hadoop/loop.h"
#include "stages/lib/least.h"
#include "core/log/backoff.h"

#include <sys/queue.h>

#define PS_BUCKET_LOOKS_MAX 10000U /* directories that were listed, are being listed, or wait for it */
/* files that are being closed, completed or renamed; at this number no file is opened */
#define PS_BUCKET_ENDING_MAX 512U
#define PS_BUCKET_NAME_CHAINS 1024U /* a power of two */
#define PS_BUCKET_FLUSHES_MAX 2U    /* in flight for one file, besides the one before it is closed */
#define PS_BUCKET_FLUSHED_FILES 8U  /* with more touched files, flushes are delayed and combined */
/* With more touched files than PS_BUCKET_FLUSHED_FILES, a file's second flush starts only after this many bytes of
 * bodies since its first flush. */
#define PS_BUCKET_FLUSH_BYTES 65536U

enum {
    PS_BUCKET_FILES_OPEN = PS_COUNTER_extra,
    PS_BUCKET_FILES_CLOSING,
    PS_BUCKET_FILES_RECOVERED,
    PS_BUCKET_RENAMES_RETRIED,
    PS_BUCKET_ORPHANS,
};

/* ---- in-flight window (window.c) ---- */

/* The in-flight window of a file: events that are written and not acknowledged. After a kill of the agent, the file has
 * them, and they are delivered again. */
struct ps_bucket_window {
    uint32_t events;   /* limit of events in flight */
    uint64_t least_ns; /* shortest time from a flush to its answer; 0: no answer yet */
};

/* A flush of one file that is in flight. */
struct ps_bucket_flush {
    uint32_t events;
    uint64_t sent_ns, acknowledged; /* `acknowledged`: events of the file when the flush was sent */
};

void ps_bucket_window_init(struct ps_bucket_window *window);
/* Adjusts the window to a flush that was answered after took_ns. In this time `events` events of the file were
 * acknowledged. */
void ps_bucket_window_answered(struct ps_bucket_window *window, uint64_t took_ns, uint64_t events);

/* ---- trouble.c ---- */

#define PS_BUCKET_TROUBLES_MAX 16U
#define PS_BUCKET_TROUBLE_BYTES 256U

/* A cause of failed tries. Reasons that differ only in numbers and paths have the same cause. */
struct ps_bucket_trouble {
    struct ps_log_backoff repeated;
    const char *verb; /* "create"; a string constant */
    /* Number of buckets, and of files without a bucket, whose last try failed for this cause; 0: the entry is
     * unused. */
    uint32_t holders;
};

/* Notes that a try to `verb` a file failed. `*held` of the bucket or file is set to the trouble. Returns whether
 * the failure is to be logged now, and sets the text at the end of the line: "; tries so far: 17, for 2 min". `verb` must be a
 * string constant. */
bool ps_bucket_trouble_met(struct ps_bucket_writer *sink, struct ps_bucket_trouble **held, const char *verb,
                           const char *reason, char behind[PS_BUCKET_TROUBLE_BYTES]);
/* Notes that the holder has succeeded. If it was the last holder, and lines were not logged, logs the success. */
void ps_bucket_trouble_over(const struct ps_bucket_writer *sink, struct ps_bucket_trouble **held);
/* Notes that the holder is freed or tries something else. */
void ps_bucket_trouble_left(struct ps_bucket_trouble **held);

/* ---- files (file.c, finish.c) ---- */

enum ps_bucket_file_state {
    PS_BUCKET_FILE_OPEN,    /* its bucket writes to the file */
    PS_BUCKET_FILE_CLOSING, /* flushed and closed; the answers are awaited */
    PS_BUCKET_FILE_ASKED,   /* an operation on the file's name is in flight */
    PS_BUCKET_FILE_RESTS,   /* waits until due_ns */
};

/* The next operation on the name of a file that is no longer open. */
enum ps_bucket_next { PS_BUCKET_RECOVER, PS_BUCKET_RENAME, PS_BUCKET_REMOVE };

struct ps_bucket_file {
    struct ps_bucket_writer *sink;
    struct ps_bucket *bucket;        /* NULL: the file is not open, and all its events are acknowledged */
    struct ps_file_stream *stream;   /* NULL: closed or abandoned */
    struct ps_hadoop_writer *writer; /* NULL: closed */
    struct ps_output output;
    char *room_begin; /* beginning of the buffer that the stream gave to `output`; NULL: none */
    enum ps_bucket_file_state state;
    enum ps_bucket_next next;
    bool created; /* the file system has confirmed the creation */
    bool touched; /* the file is in the sink's list `touches` */
    bool orphan;  /* left by an agent that was killed */
    bool has_run; /* a run of events is being written */
    /* a write failed: no more events are written, and the answer to the last flush is awaited */
    bool broken;
    struct ps_held_group written;                              /* not acknowledged, in order */
    struct ps_bucket_flush flushes[PS_BUCKET_FLUSHES_MAX + 1]; /* in flight, oldest first */
    uint32_t flush_count;
    struct ps_bucket_window window;
    uint64_t event_count, body_bytes; /* as BucketWriter counts them, for rolling */
    struct {
        uint64_t events, bytes; /* values of event_count and body_bytes at the last flush */
        uint64_t touched_ns;    /* when the first event after the last flush was written */
    } flushed;
    uint64_t acknowledged;     /* number of acknowledged events */
    uint64_t roll_ns, idle_ns; /* due times; PS_NEVER: none */
    struct {
        struct ps_hadoop_timer timer; /* state RESTS: when to try again */
        /* next operation RECOVER: until soon_until_ns the file is tried each second; at give_up_ns a try ends */
        uint64_t soon_until_ns, give_up_ns;
        uint32_t tries;
        struct ps_bucket_trouble *trouble; /* last failure to close, complete or rename; NULL: none */
    } retry;
    uint64_t counter; /* the number in the final name */
    TAILQ_ENTRY(ps_bucket_file) all, rolls, idles, touches, finishing;
    uint32_t directory_length, prefix_length;
    char *path, *target;                /* name in use, final name */
    struct ps_bucket_file *same_name;   /* in the sink's hash chain */
    struct ps_bucket_file **name_place; /* the pointer to the file in its hash chain; NULL: none */
    char bucket_name[];                 /* a copy, because the file can outlive its bucket */
};

TAILQ_HEAD(ps_bucket_files, ps_bucket_file);

/* ---- buckets (buckets.c) ---- */

struct ps_bucket {
    struct ps_bucket *same_hash;
    TAILQ_ENTRY(ps_bucket) recent, ready;
    struct ps_bucket_file *file; /* the file that is written to; NULL: none */
    struct ps_held_group waiting;
    uint32_t earlier;                  /* number of unacknowledged events of the bucket's earlier files */
    bool is_ready;                     /* the bucket is in the sink's list `ready` */
    uint32_t failures;                 /* number of failures in a row */
    struct ps_bucket_trouble *trouble; /* cause of the last failure; NULL: none */
    uint32_t attempts;                 /* number of failures in a row that the file system answered */
    uint32_t taken_names;              /* number of names in a row that other files have */
    uint32_t denials;                  /* number of creations in a row that were denied */
    uint64_t others;                   /* the sink's acknowledged_flushes at the first of them */
    uint32_t under_replicated;         /* number of rolls for missing replicas in a row */
    uint64_t rest_ns;                  /* end of the backoff: no event is written before this time */
    uint64_t counter;                  /* number of the last file; 0: the clock gives the next number */
    uint32_t hash, length, directory_length;
    char name[]; /* not terminated */
};

TAILQ_HEAD(ps_buckets, ps_bucket);
TAILQ_HEAD(ps_bucket_looks, ps_bucket_look);

/* The scan for orphans at the start, in the directories that exist then. */
struct ps_bucket_scan {
    enum { PS_BUCKET_SCAN_NONE, PS_BUCKET_SCAN_BEGUN, PS_BUCKET_SCAN_DONE } state;
    bool is_busy;                   /* a directory is being listed */
    uint32_t count;                 /* number of directories that were listed */
    uint64_t due_ns;                /* time of the next step */
    struct ps_bucket_looks waiting; /* known directories that are not listed yet */
};

struct ps_bucket_table {
    struct ps_bucket **chains;
    uint32_t chain_count; /* a power of two */
    uint32_t count;
};

struct ps_bucket *ps_bucket_table_find(const struct ps_bucket_table *table, const struct ps_bucket_name *name,
                                       uint32_t hash);
/* Adds a bucket. Returns NULL if there is no memory. */
struct ps_bucket *ps_bucket_table_add(struct ps_bucket_table *table, const struct ps_bucket_name *name,
                                      uint32_t hash);
void ps_bucket_table_free(struct ps_bucket_table *table);

/* Marks the bucket as having events to write: it is pumped at the end of the cycle, or when its backoff is over. */
void ps_bucket_make_ready(struct ps_bucket_writer *sink, struct ps_bucket *bucket);
void ps_bucket_unready(struct ps_bucket_writer *sink, struct ps_bucket *bucket);
/* Writes the events that can be written now. Rolls before an event, as BucketWriter.append does. */
void ps_bucket_pump(struct ps_bucket_writer *sink, struct ps_bucket *bucket);
/* Closes the bucket's file because of its age, of idleness, or to stay within the limit of open files. The number of the
 * next file comes from the clock. Frees the bucket if it has nothing left. */
void ps_bucket_retire(struct ps_bucket_writer *sink, struct ps_bucket *bucket);
/* Frees the bucket if it has neither a file nor an event. */
void ps_bucket_release(struct ps_bucket_writer *sink, struct ps_bucket *bucket);

/* ---- the sink (sink.c) ---- */

/* The lease that is being taken, event by event (sink.c). */
struct ps_bucket_taking {
    uint64_t flawed_bits[PS_BATCH_EVENTS_MAX / 64]; /* by position */
    struct ps_bucket *found[PS_BATCH_EVENTS_MAX];   /* by position; NULL: settled */
    struct ps_log_backoff flawed_batch;             /* for the line about a batch that cannot be written */
};

/* Events that no file can take (dead_letters.c). */
struct ps_bucket_refusals {
    struct ps_held_group flawed;     /* events that become dead letters, in order */
    struct ps_held_group exhausted;  /* events that become dead letters after penstock.retry.max attempts */
    struct ps_held_group *giving_up; /* the list whose first event is becoming a dead letter */
    char exhaustion[512];            /* reason of the last attempt's failure */
    char format_error[512];          /* last error of a file's format */
    struct ps_deadletter_pending dead_letters;
};

/* Files that are written to (file.c). */
struct ps_bucket_opened {
    uint32_t count;
    struct ps_bucket_files rolls;   /* oldest first */
    struct ps_bucket_files idles;   /* longest idle first */
    struct ps_bucket_files touches; /* files with events since their last flush, oldest such event first */
    uint32_t touch_count;
    uint32_t flush_count; /* number of flushes in flight, of all files */
};

/* Files that are no longer written to (finish.c). */
struct ps_bucket_ending {
    struct ps_bucket_files files;
    uint32_t count;
    uint32_t busy_count;             /* number of files in the states CLOSING and ASKED */
    struct ps_hadoop_timer *resting; /* of the file in state RESTS that is due first; NULL: there is none */
};

/* The search for files of agents that were killed (orphans.c). */
struct ps_bucket_orphans {
    struct ps_bucket_looks looks;
    struct ps_bucket_look *look_chains[PS_BUCKET_NAME_CHAINS]; /* hash chains of the directories in `looks` */
    struct ps_bucket_scan scan;
    uint32_t look_count; /* number of directories in `looks` and in scan.waiting */
    uint64_t
        rest_ns; /* no directory is listed for a bucket before this time: the last listing had no answer */
    int64_t started_ms; /* wall-clock time of the first call; 0: not called yet */
};

/* The directory that all paths have in common (blame.c). */
struct ps_bucket_base {
    bool asked;
    bool known, is_directory; /* by the last answer; valid until due_ns */
    uint64_t due_ns;
};

/* The wanted number of replicas of a block, and how often some were missing (file.c, buckets.c). */
struct ps_bucket_replicas {
    int64_t min; /* -1: not known yet */
    uint32_t
        missed_rolls; /* rolls for missing replicas in a row, of all buckets; used without hdfs.minBlockReplicas */
    bool asked;
};

struct ps_bucket_writer {
    const struct ps_bucket_writer_settings *settings;
    struct ps_filesystem *filesystem;
    struct ps_hadoop_writers *writers;
    struct ps_port *port;
    struct ps_now now;
    struct ps_bucket_path_cache bucket_paths;
    struct ps_held held;
    struct ps_held_pool pool;
    struct ps_bucket_taking taking;
    struct ps_bucket_refusals refusals;
    bool refused;           /* a lease waits: the last call of `work` returned PS_LATER */
    uint64_t waiting_bytes; /* total of the bodies of events that wait in buckets */
    uint64_t took_ns;       /* time when the last lease was taken */
    struct ps_bucket_table table;
    /* buckets with a file, sorted by their last event, latest first (LinkedHashMap by access) */
    struct ps_buckets recent;
    struct ps_buckets ready;
    uint32_t ready_count;
    uint64_t retired_counter; /* highest number of a bucket that was freed, so that no name is used twice */
    struct ps_bucket_files files;                        /* all files */
    struct ps_bucket_file *names[PS_BUCKET_NAME_CHAINS]; /* all files, in chains by their paths' hashes */
    struct ps_bucket_opened opened;
    struct ps_bucket_ending ending;
    struct ps_bucket_orphans orphans;
    struct ps_bucket_replicas replicas;
    struct ps_bucket_base base;
    uint64_t acknowledged_flushes;
    struct ps_bucket_trouble troubles[PS_BUCKET_TROUBLES_MAX];
    uint64_t recall_ns; /* when the recall stops waiting for acknowledgements; 0: no recall */
};

/* placement.c: finds the bucket of the event at this position, like ps_bucket_placer. */
enum ps_bucket_placed ps_bucket_find(struct ps_bucket_writer *sink, const struct ps_lease *lease,
                                     uint32_t position, struct ps_bucket_name *name, const char **flaw);

/* Returns the total length of the bodies of a list's events, in bytes. */
static inline uint64_t ps_bucket_bytes_of(const struct ps_bucket_writer *sink,
                                          const struct ps_held_group *list)
{
    uint64_t bytes = 0;
    uint32_t number = list->first;
    for (uint32_t left = list->count; left > 0; left--, number = sink->pool.events[number].next)
        bytes +=
            ps_lease_event(sink->pool.events[number].lease, sink->pool.events[number].position)->body_length;
    return bytes;
}

/* Creates the bucket's next file and its stream, which can be written to immediately. Returns false when there is no
 * memory. */
bool ps_bucket_file_open(struct ps_bucket_writer *sink, struct ps_bucket *bucket);
void ps_bucket_file_set_state(struct ps_bucket_file *file, enum ps_bucket_file_state state);
/* Returns whether the file system is closing, completing, renaming or removing the file. */
bool ps_bucket_file_is_ending(const struct ps_bucket_file *file);
/* Returns whether PS_BUCKET_ENDING_MAX files are being closed, completed or renamed. A bucket without a file then waits, because
 * the servers keep each of these files open. */
static inline bool ps_bucket_files_are_many(const struct ps_bucket_writer *sink)
{
    return sink->ending.busy_count >= PS_BUCKET_ENDING_MAX;
}
/* Writes the first waiting events of the bucket, at least one, until the file has no room or must be rolled.
 * Removes the written events from the waiting ones. Returns WRITTEN, or the answer for an event that could not be
 * written. FAILED: the file has failed, and the function has handled the failure. Call it only if
 * ps_bucket_file_has_room. */
enum ps_hadoop_answer ps_bucket_file_write(struct ps_bucket_file *file, struct ps_err *err);
/* Returns whether a flush can begin now; else an answer has to come first. */
bool ps_bucket_file_may_flush(const struct ps_bucket_file *file);
/* Returns whether an event may be written now; else it waits in its bucket for an acknowledgement. Flushes the file if
 * enough events were written. */
bool ps_bucket_file_has_room(struct ps_bucket_file *file);
/* Begins a flush if one can begin now. */
void ps_bucket_file_flush(struct ps_bucket_file *file);
/* Detaches the file from its bucket: flushes, closes and renames it in the background. */
void ps_bucket_file_close(struct ps_bucket_file *file);
/* Forgets the unacknowledged events, because their leases go back. */
void ps_bucket_file_forget(struct ps_bucket_file *file);
/* Like AbstractHDFSWriter.isUnderReplicated. */
bool ps_bucket_file_is_under_replicated(const struct ps_bucket_file *file);
void ps_bucket_file_free(struct ps_bucket_file *file);
/* Returns the file's name in use or its final name, which the caller frees; NULL if there is no memory. */
char *ps_bucket_file_name(const struct ps_bucket_file *file, bool in_use);

/* finish.c: takes a file whose stream is closed or abandoned, and begins the next operation on its name. */
void ps_bucket_finish(struct ps_bucket_file *file, enum ps_bucket_next next);
/* Repeats the operations that are due. Returns the mono_ns of the next one, or PS_NEVER. */
uint64_t ps_bucket_finish_due(struct ps_bucket_writer *sink);
/* Makes all operations that back off due now. */
void ps_bucket_finish_hurry(struct ps_bucket_writer *sink);

/* orphans.c: looks once into a bucket's directory for files that were left under names in use before the start. */
void ps_bucket_writer_look(struct ps_bucket_writer *sink, const struct ps_bucket_name *bucket);
/* Continues the scan of the directories that exist at the start. Returns the mono_ns of the next step. */
uint64_t ps_bucket_scan_for_orphans(struct ps_bucket_writer *sink);
/* Index of files by path, to recognise the sink's own files in a listing. `add`: called when the path is set; it may be NULL. */
void ps_bucket_name_add(struct ps_bucket_file *file);
void ps_bucket_name_remove(struct ps_bucket_file *file);
bool ps_bucket_name_is_known(const struct ps_bucket_writer *sink, const char *path);
static inline void ps_bucket_file_enlist(struct ps_bucket_file *file)
{
    TAILQ_INSERT_TAIL(&file->sink->files, file, all);
    ps_bucket_name_add(file);
}
static inline void ps_bucket_file_delist(struct ps_bucket_file *file)
{
    TAILQ_REMOVE(&file->sink->files, file, all);
    ps_bucket_name_remove(file);
}
void ps_bucket_forget_looks(struct ps_bucket_writer *sink);

/* blame.c: judges a failure to create a file whose bucket an event's header chose. */
enum ps_bucket_blame {
    PS_BUCKET_BLAME_NOBODY, /* the failure is not the events', or there are no dead letters: try again */
    PS_BUCKET_BLAME_LATER,  /* it is not known yet: ask again soon */
    PS_BUCKET_BLAME_EVENTS, /* no file can take the bucket's events */
};
enum ps_bucket_blame ps_bucket_blame(struct ps_bucket_file *file, const struct ps_file_answer *answer);
/* Returns whether another file has the name. */
bool ps_bucket_has_taken_name(const struct ps_bucket_file *file, const struct ps_file_answer *answer);
/* Counts the attempt, unless it had no answer, found no memory or met a taken name. Returns whether the events become dead letters. */
bool ps_bucket_is_exhausted(const struct ps_bucket_file *file, const struct ps_file_answer *answer);

/* dead_letters.c: returns whether events can be refused for this reason now: letters with another reason must be written first. */
bool ps_bucket_may_refuse(const struct ps_bucket_writer *sink, const char *reason);
/* dead_letters.c: makes the first waiting event a dead letter, because no file can take it. The port must have dead letters. */
void ps_bucket_refuse_next(struct ps_bucket_writer *sink, struct ps_held_group *waiting, const char *reason);
/* Returns whether events of a file that fails can become dead letters: none can in a recall, because all leases go back. */
bool ps_bucket_has_dead_letters(const struct ps_bucket_writer *sink);
/* Makes all waiting events dead letters. */
void ps_bucket_refuse_all(struct ps_bucket_writer *sink, struct ps_held_group *waiting, const char *reason);
/* Gives up the first `events` waiting events, which are those of the file that failed last. */
void ps_bucket_exhaust(struct ps_bucket_writer *sink, struct ps_bucket *bucket, uint32_t events,
                       const char *reason);
/* Continues writing dead letters. Returns whether some are still to be written. */
bool ps_bucket_write_dead_letters(struct ps_bucket_writer *sink);
/* Stops writing dead letters, because the leases go back. */
void ps_bucket_stop_dead_letters(struct ps_bucket_writer *sink);
