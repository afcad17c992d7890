/* What the files of stages/hdfs_sink/ share. Thread: the sink's worker. */
#pragma once

#include "core/engine/burial.h"
#include "stages/hdfs_sink/events.h"
#include "stages/hdfs_sink/sink.h"
#include "stages/hdfs_sink/slots.h"
#include "stages/least.h"
#include "core/repeated.h"

#include <sys/queue.h>

#define PS_HDFS_LOOKS_MAX 10000U /* directories that were looked at, or wait for it */
#define PS_HDFS_ENDING_MAX                                                                                   \
    512U /* files that are being closed, completed or renamed: no more are opened then */
#define PS_HDFS_NAME_CHAINS 1024U  /* a power of two */
#define PS_HDFS_FLUSHES_MAX 2U     /* of one file, besides the one before it is closed */
#define PS_HDFS_FLUSHED_FILES 8U   /* with more of them, flushes are put together .. */
#define PS_HDFS_FLUSH_BYTES 65536U /* .. and a file's second one begins with so many bytes of bodies only */

enum {
    PS_HDFS_FILES_OPEN = PS_COUNTER_extra,
    PS_HDFS_FILES_CLOSING,
    PS_HDFS_FILES_RECOVERED,
    PS_HDFS_RENAMES_RETRIED,
    PS_HDFS_ORPHANS,
};

/* ---- how much is under way (window.c) ---- */

/* Events of a file that are written and not acknowledged: after a kill of the agent they are in the file, and come again. */
struct ps_hdfs_window {
    uint32_t events;   /* at most */
    uint64_t least_ns; /* of a flush until its answer; 0: none was answered yet */
};

/* A flush behind the events of one file that is under way. */
struct ps_hdfs_flush {
    uint32_t events;
    uint64_t sent_ns, acknowledged; /* events of the file, when it was sent */
};

void ps_hdfs_window_init(struct ps_hdfs_window *window);
/* A flush was answered after took_ns, in which so many events of the file were acknowledged. */
void ps_hdfs_window_answered(struct ps_hdfs_window *window, uint64_t took_ns, uint64_t events);

/* ---- troubles (troubles.c) ---- */

#define PS_HDFS_TROUBLES_MAX 16U
#define PS_HDFS_TROUBLE_BYTES 256U

/* A cause for which tries fail: of one reason, whatever its numbers and paths. */
struct ps_hdfs_trouble {
    struct ps_repeated repeated;
    const char *verb; /* "create"; a constant */
    uint32_t holders; /* buckets, and files without one, whose last try it ended; 0: it is over */
};

/* A try to `verb` a file has failed once more. `held`: of the bucket or the file, which holds the trouble from now on. Returns
 * whether it is to be said now, and sets what to put behind the line: "; tries so far: 17, for 2 min". `verb` lives for ever. */
bool ps_hdfs_trouble_met(struct ps_hdfs_sink *sink, struct ps_hdfs_trouble **held, const char *verb,
                         const char *reason, char behind[PS_HDFS_TROUBLE_BYTES]);
/* The holder has succeeded: says so, if it was the last one and lines were left out. */
void ps_hdfs_trouble_over(const struct ps_hdfs_sink *sink, struct ps_hdfs_trouble **held);
/* The holder is no more, or tries something else. */
void ps_hdfs_trouble_left(struct ps_hdfs_trouble **held);

/* ---- files (file.c, finish.c) ---- */

enum ps_hdfs_file_state {
    PS_HDFS_FILE_OPEN,    /* of its bucket, which writes to it */
    PS_HDFS_FILE_CLOSING, /* flushed and closed; the answers are awaited */
    PS_HDFS_FILE_ASKED,   /* an operation on its name is under way */
    PS_HDFS_FILE_RESTS,   /* until due_ns */
};

/* What is to be done with the name of a file that is not open any more. */
enum ps_hdfs_next { PS_HDFS_RECOVER, PS_HDFS_RENAME, PS_HDFS_REMOVE };

struct ps_hdfs_file {
    struct ps_hdfs_sink *sink;
    struct ps_hdfs_bucket
        *bucket; /* NULL: it has no event any more that is not acknowledged, and is not open */
    struct ps_file_stream *stream;   /* NULL: gone */
    struct ps_hadoop_writer *writer; /* NULL: gone */
    struct ps_output output;
    char *room_begin; /* of the room that the stream gave to `output`; NULL: none */
    enum ps_hdfs_file_state state;
    enum ps_hdfs_next next;
    bool created; /* it is known that it was */
    bool touched; /* in the sink's list of them */
    bool orphan;  /* of an agent that was killed */
    bool has_run; /* events are being written */
    bool broken;  /* a write failed: the answer to the flush behind it is awaited, nothing more is written */
    struct ps_hdfs_events written;                         /* not acknowledged, in order */
    struct ps_hdfs_flush flushes[PS_HDFS_FLUSHES_MAX + 1]; /* under way, oldest first */
    uint32_t flush_count;
    struct ps_hdfs_window window;
    uint64_t event_count, body_bytes;   /* of BucketWriter: for rolling */
    uint64_t flushed_events;            /* of event_count, how many a flush is behind */
    uint64_t flushed_bytes;             /* of body_bytes, the same */
    uint64_t acknowledged;              /* events */
    uint64_t roll_ns, idle_ns;          /* PS_NEVER: not */
    uint64_t due_ns;                    /* state RESTS: when to try again */
    uint64_t soon_until_ns, give_up_ns; /* RECOVER: asked each second until the one; when a try ends */
    uint32_t tries;
    struct ps_hdfs_trouble *trouble; /* of closing, completing, renaming; NULL: none */
    uint64_t counter;                /* in its final name */
    uint64_t touched_ns;             /* when the first event was written that no flush is behind yet */
    TAILQ_ENTRY(ps_hdfs_file) all, rolls, idles, touches, finishing;
    uint32_t directory_length, prefix_length;
    char *path, *target;              /* in use, final */
    struct ps_hdfs_file *same_name;   /* of the sink's chain of its path's hash */
    struct ps_hdfs_file **name_place; /* what points to it there; NULL: it is in none */
    char bucket_name[];               /* a copy: it outlives the bucket */
};

TAILQ_HEAD(ps_hdfs_files, ps_hdfs_file);

/* ---- buckets (buckets.c) ---- */

struct ps_hdfs_bucket {
    struct ps_hdfs_bucket *same_hash;
    TAILQ_ENTRY(ps_hdfs_bucket) recent, ready;
    struct ps_hdfs_file *file; /* that is written to; NULL: none */
    struct ps_hdfs_events waiting;
    uint32_t earlier;                /* events of its earlier files that are not acknowledged */
    bool is_ready;                   /* in the sink's list of them */
    uint32_t failures;               /* in a row */
    struct ps_hdfs_trouble *trouble; /* of the last one; NULL: none */
    uint32_t attempts;               /* those of them for which the file system gave an answer */
    uint32_t under_replicated;       /* rolls for that reason, in a row */
    uint64_t rest_ns;                /* nothing is written before */
    uint64_t counter;                /* of its last file; 0: of the clock */
    uint32_t hash, length, directory_length;
    char name[]; /* not terminated */
};

TAILQ_HEAD(ps_hdfs_buckets, ps_hdfs_bucket);
TAILQ_HEAD(ps_hdfs_looks, ps_hdfs_look);

/* The look at the directories that are there at the start. */
struct ps_hdfs_scan {
    enum { PS_HDFS_SCAN_NONE, PS_HDFS_SCAN_BEGUN, PS_HDFS_SCAN_DONE } state;
    bool is_busy;                 /* a directory is being listed */
    uint32_t count;               /* of those that were */
    uint64_t due_ns;              /* not before */
    struct ps_hdfs_looks waiting; /* the others that are known */
};

struct ps_hdfs_table {
    struct ps_hdfs_bucket **chains;
    uint32_t chain_count; /* a power of two */
    uint32_t count;
};

struct ps_hdfs_bucket *ps_hdfs_table_find(const struct ps_hdfs_table *table,
                                          const struct ps_hdfs_bucket_name *name, uint32_t hash);
/* NULL: no memory. */
struct ps_hdfs_bucket *ps_hdfs_table_add(struct ps_hdfs_table *table, const struct ps_hdfs_bucket_name *name,
                                         uint32_t hash);
/* Takes the bucket out and frees it. */
void ps_hdfs_table_remove(struct ps_hdfs_table *table, struct ps_hdfs_bucket *bucket);
void ps_hdfs_table_free(struct ps_hdfs_table *table);

/* The bucket has events to write: pumped at the end of the cycle, or when its rest is over. */
void ps_hdfs_bucket_make_ready(struct ps_hdfs_sink *sink, struct ps_hdfs_bucket *bucket);
void ps_hdfs_bucket_unready(struct ps_hdfs_sink *sink, struct ps_hdfs_bucket *bucket);
/* Writes what can be written now. Rolls as BucketWriter.append does: before an event. */
void ps_hdfs_bucket_pump(struct ps_hdfs_sink *sink, struct ps_hdfs_bucket *bucket);
/* Closes its file, for its age, its idleness or others: the next one takes its number from the clock. Frees the bucket if
 * nothing of it is left. */
void ps_hdfs_bucket_retire(struct ps_hdfs_sink *sink, struct ps_hdfs_bucket *bucket);
/* Frees a bucket that has neither a file nor an event. */
void ps_hdfs_bucket_release(struct ps_hdfs_sink *sink, struct ps_hdfs_bucket *bucket);

/* ---- the sink (sink.c) ---- */

struct ps_hdfs_sink {
    const struct ps_hdfs_settings *settings;
    struct ps_filesystem *filesystem;
    struct ps_hadoop_writers *writers;
    struct ps_port *port;
    struct ps_now now;
    struct ps_hdfs_place_cache places;
    struct ps_hdfs_slots held;
    bool refused; /* a lease waits: the last call of work returned PS_LATER */
    struct ps_hdfs_pool pool;
    uint64_t waiting_bytes;          /* of the bodies of events that wait in buckets */
    struct ps_hdfs_events flawed;    /* become dead letters, the first one now */
    struct ps_hdfs_events exhausted; /* the same, after penstock.retry.max attempts */
    struct ps_hdfs_events *burying;  /* which of the two the burial is of */
    char exhaustion[512];            /* what the last attempt failed of */
    struct ps_burial burial;
    char refusal[512];                              /* the last one of a file's format */
    uint64_t flawed_bits[PS_BATCH_EVENTS_MAX / 64]; /* by position of the lease that is taken */
    struct ps_hdfs_table table;
    struct ps_hdfs_buckets
        recent; /* those with a file; that of the latest event first (LinkedHashMap by access) */
    struct ps_hdfs_buckets ready;
    uint32_t ready_count;
    struct ps_hdfs_bucket
        *found[PS_BATCH_EVENTS_MAX]; /* by position of the lease that is taken; NULL: settled */
    uint32_t open_count;
    uint32_t ending_count;                           /* files in the states CLOSING and ASKED */
    struct ps_hdfs_files files;                      /* all */
    struct ps_hdfs_file *names[PS_HDFS_NAME_CHAINS]; /* the same, by their paths' hashes */
    struct ps_hdfs_files rolls;                      /* open, oldest first */
    struct ps_hdfs_files idles;                      /* open, longest idle first */
    struct ps_hdfs_files touches; /* written to since the last flush, the longest ago first */
    uint32_t touch_count;
    uint32_t flush_count;           /* flushes under way, of all files */
    uint64_t took_ns;               /* when the last lease was taken */
    struct ps_hdfs_files finishing; /* not open any more */
    uint32_t finishing_count;
    uint64_t finish_due_ns; /* none of them that rests is due before */
    struct ps_hdfs_looks looks;
    struct ps_hdfs_look *look_chains[PS_HDFS_NAME_CHAINS]; /* the same, by their directories' hashes */
    struct ps_hdfs_scan scan;
    uint32_t look_count;      /* in both */
    int64_t started_ms;       /* when it was called first; 0: it was not */
    uint64_t retired_counter; /* the highest of a bucket that is gone: a name is not used twice */
    int64_t replicas_min;     /* -1: not known yet */
    uint32_t
        under_replicated; /* rolls for missing replicas in a row, of all buckets, without hdfs.minBlockReplicas */
    bool asked_replicas;
    struct ps_repeated flawed_batch; /* one that cannot be written */
    struct ps_hdfs_trouble troubles[PS_HDFS_TROUBLES_MAX];
    uint64_t recall_ns; /* when the recall gives up waiting for acknowledgements; 0: not recalled */
};

/* Finds the bucket of the event at this position, as ps_hdfs_placer does. */
enum ps_hdfs_placed ps_hdfs_find_place(struct ps_hdfs_sink *sink, const struct ps_lease *lease,
                                       uint32_t position, struct ps_hdfs_bucket_name *name,
                                       const char **flaw);

static inline struct ps_lease *ps_hdfs_lease(const struct ps_hdfs_sink *sink, uint32_t event)
{
    return sink->held.leases[sink->pool.events[event].slot];
}

/* Of the bodies of a list's events. */
uint64_t ps_hdfs_bytes_of(const struct ps_hdfs_sink *sink, const struct ps_hdfs_events *list);

/* Makes the bucket's next file and its stream, which can be written to at once. Returns false when there is no memory. */
bool ps_hdfs_file_open(struct ps_hdfs_sink *sink, struct ps_hdfs_bucket *bucket);
void ps_hdfs_file_set_state(struct ps_hdfs_file *file, enum ps_hdfs_file_state state);
/* Returns whether the file system closes the file, or does to it what `next` says. */
bool ps_hdfs_file_is_ending(const struct ps_hdfs_file *file);
/* Whether so many files are on their way to their final names that a bucket without a file has to wait: the servers hold each
 * of them open. */
static inline bool ps_hdfs_files_are_many(const struct ps_hdfs_sink *sink)
{
    return sink->ending_count >= PS_HDFS_ENDING_MAX;
}
/* Writes the first events that wait, while there is room in the file and it is not to be rolled; at least one. Those that are
 * written wait no more. WRITTEN: it ended for no other reason. Else the answer is about the next one; FAILED: the file has failed, which is
 * dealt with. Only when ps_hdfs_file_has_room. */
enum ps_hadoop_answer ps_hdfs_file_write(struct ps_hdfs_file *file, struct ps_err *err);
/* Whether a flush can begin now, or an answer has to come first. */
bool ps_hdfs_file_may_flush(const struct ps_hdfs_file *file);
/* Whether an event may be written now, or waits in its bucket for an acknowledgement. Flushes what is enough for a flush. */
bool ps_hdfs_file_has_room(struct ps_hdfs_file *file);
/* Begins a flush of what was written, if it may. */
void ps_hdfs_file_flush(struct ps_hdfs_file *file);
/* Its bucket lets go of it: flushes it, closes it, and renames it in the background. */
void ps_hdfs_file_close(struct ps_hdfs_file *file);
/* What is not acknowledged waits again, before what waits already; the bucket rests. `reason` is for the log. */
void ps_hdfs_file_fail(struct ps_hdfs_file *file, const struct ps_file_answer *answer);
/* What is not acknowledged is forgotten, because the leases go back. */
void ps_hdfs_file_forget(struct ps_hdfs_file *file);
/* AbstractHDFSWriter.isUnderReplicated. */
bool ps_hdfs_file_is_under_replicated(const struct ps_hdfs_file *file);
void ps_hdfs_file_free(struct ps_hdfs_file *file);
/* Its name in use, or its final one, of its bucket and its counter. The caller's; NULL: no memory. */
char *ps_hdfs_file_name(const struct ps_hdfs_file *file, bool in_use);

/* finish.c: begins with a file whose stream is gone. */
void ps_hdfs_finish(struct ps_hdfs_file *file, enum ps_hdfs_next next);
/* Tries again what is due. Returns the mono_ns of the next time, or PS_NEVER. */
uint64_t ps_hdfs_finish_due(struct ps_hdfs_sink *sink);
/* What rests is tried at once. */
void ps_hdfs_finish_hurry(struct ps_hdfs_sink *sink);

/* orphans.c: asks once which files of a bucket's directory are in use since before the start. */
void ps_hdfs_sink_look(struct ps_hdfs_sink *sink, const struct ps_hdfs_bucket_name *bucket);
/* Goes on with the look at the directories that are there at the start. Returns the mono_ns of the next step. */
uint64_t ps_hdfs_scan_for_orphans(struct ps_hdfs_sink *sink);
/* Every file is found by its path, so that what is listed is known. `add`: once it has its path, which may be NULL. */
void ps_hdfs_name_add(struct ps_hdfs_file *file);
void ps_hdfs_name_remove(struct ps_hdfs_file *file);
bool ps_hdfs_name_is_known(const struct ps_hdfs_sink *sink, const char *path);
static inline void ps_hdfs_file_enlist(struct ps_hdfs_file *file)
{
    TAILQ_INSERT_TAIL(&file->sink->files, file, all);
    ps_hdfs_name_add(file);
}
static inline void ps_hdfs_file_delist(struct ps_hdfs_file *file)
{
    TAILQ_REMOVE(&file->sink->files, file, all);
    ps_hdfs_name_remove(file);
}
void ps_hdfs_forget_looks(struct ps_hdfs_sink *sink);

/* burials.c: the first event that waits can be in no file. The port has dead letters. */
void ps_hdfs_refuse_next(struct ps_hdfs_sink *sink, struct ps_hdfs_events *waiting, const char *reason);
/* The same of all that wait. */
void ps_hdfs_refuse_all(struct ps_hdfs_sink *sink, struct ps_hdfs_events *waiting, const char *reason);
/* Goes on with the dead letters. Returns whether some are still to be written. */
bool ps_hdfs_bury(struct ps_hdfs_sink *sink);
/* The leases go back. */
void ps_hdfs_stop_burials(struct ps_hdfs_sink *sink);
