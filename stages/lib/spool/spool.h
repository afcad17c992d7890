/* The file system work of the source spooldir (Flume's ReliableSpoolingFileEventReader): chooses the next
 * file, keeps its position, and retires it. All of it may block on a disk, so the source's thread
 * (stages/lib/tail/thread.h) runs each of these jobs.
 *
 *   fetch    Opens the next files, in order; lists the directory when it has no more.
 *   mark     Writes how far the oldest file was delivered (meta.h).
 *   retire   All of a file is delivered: checks that it did not change, and renames, deletes or marks it.
 *   grown    Looks at the files that were renamed or marked last: what is written there now is lost.
 *
 * A file's struct belongs to the thread while one of these jobs has it; otherwise its owner (the worker)
 * reads it. */
#pragma once

#include "core/status.h"
#include "stages/lib/compression.h"
#include "stages/lib/spool/meta.h"
#include "stages/lib/tail/gone.h"
#include "stages/lib/tail/reader.h"

/* Files that are opened and not retired yet; at most PS_SPOOL_FETCH_MAX of them are not read. A transaction has no more files
 * than these, so there are many if a sink keeps the positions. Without such a sink there are few, because all of them may come
 * again after a kill. */
#define PS_SPOOL_FILES_MAX 512U
#define PS_SPOOL_FILES_UNKEPT_MAX 64U
#define PS_SPOOL_FETCH_MAX 16U /* files of one fetch */
#define PS_SPOOL_REASON_BYTES 1024U

enum ps_spool_order { PS_SPOOL_OLDEST, PS_SPOOL_YOUNGEST, PS_SPOOL_RANDOM };

/* The words of penstock.decompress. `auto` is NEVER if the deserializer reads files as they are. */
enum ps_spool_decompress {
    PS_SPOOL_DECOMPRESS_AUTO,   /* by its name (.gz, .zst) and its first bytes */
    PS_SPOOL_DECOMPRESS_ALWAYS, /* by its first bytes */
    PS_SPOOL_DECOMPRESS_NEVER,
};

/* Texts live as long as the plan; ps_spool_create copies what it needs. */
struct ps_spool_settings {
    const char *component; /* for the log */
    const char *directory; /* spoolDir */
    const char *tracker;   /* trackerDir; relative: below the directory */
    const char *suffix, *include, *ignore;
    enum ps_spool_order order;
    enum ps_spool_decompress decompress;
    bool recursive;
    bool deletes;             /* deletePolicy = immediate */
    bool marks;               /* trackingPolicy = tracker_dir */
    bool identities;          /* events get identities (numbers.h) */
    bool kept;                /* a sink keeps a record of each file (sink_records.h) */
    uint64_t events_settings; /* fingerprint of the settings that decide what an event is */
};

struct ps_spool;

enum ps_spool_end {
    PS_SPOOL_RETIRED,
    /* the file changed, its name was used before, or it cannot be renamed: `reason` says which */
    PS_SPOOL_VIOLATED,
};

struct ps_spool_file {
    struct ps_tail_job job; /* retire */
    struct ps_spool *spool;
    /* Set by fetch. */
    char *path;       /* as Flume writes it: spoolDir and the path below it */
    const char *name; /* the last part of `path` */
    int fd;           /* the owner takes the descriptor, and writes -1 */
    enum ps_tail_way way;
    uint64_t device, inode, size, start; /* start: where an earlier run's delivery ended */
    uint64_t inside;                     /* events after `start` that an earlier run delivered */
    uint64_t number; /* random number of the file (numbers.h); 0: its events have no identities */
    uint64_t events; /* number of events before `start`; known if `counted` */
    bool counted;
    uint64_t born_ns;                /* 0: the file system does not know it */
    bool begun;                      /* an earlier run delivered a part of it */
    bool finished;                   /* an earlier run delivered all of it: it is only retired */
    enum ps_compression compression; /* positions are those of its text */
    int64_t modified_ms;
    struct ps_spool_state state; /* when it was opened */
    bool in_flight;              /* the thread's: the file is opened and not retired */
    bool taken;                  /* the owner's, from the answer of fetch to that of retire */
    uint64_t stop;               /* set by the owner before retire: where its delivered events end */
    /* Set by the owner before retire: this is the last of the files that are retired together. */
    bool last;
    /* Set by retire of the last one, if files have records or numbers: a power cut does not bring back the files that
     * were retired together. false: their directories could not be synced. */
    bool synced;
    /* Set by retire; the owner sets VIOLATED first when the file could not be read: then it is only left alone. */
    enum ps_spool_end end;
    /* Set by retire: the system could not do it now (no space, no descriptor; `reason` has it), or not for an earlier file. The owner
     * asks again later, for all files since the first of these, in their order. */
    bool again;
    char reason[PS_SPOOL_REASON_BYTES];
};

struct ps_spool_fetch {
    struct ps_tail_job job;
    struct ps_spool *spool;
    /* The owner's wishes. */
    bool list; /* list again, even if files of the last list are left */
    struct ps_spool_file *files[PS_SPOOL_FETCH_MAX];
    unsigned wanted;
    /* records of the files, as a sink keeps them (sink_records.h); NULL: taken before, or none. The fetch frees them */
    char *records;
    /* The result of the fetch. */
    unsigned found; /* files[0 .. found - 1] are open */
    bool listed;    /* the directory was listed, and no file of the list is left */
    bool more;      /* files of the list are left */
    bool failed;    /* nothing was looked at; `reason` says why */
    bool looked;    /* the directory was listed, or could not be listed */
    int error;      /* looked: errno with which the directory could not be read; else 0 */
    char (*gone)[PS_TAIL_GONE_KEY_BYTES]; /* keys of records whose files are gone; the owner frees it */
    size_t gone_count;
    char reason[PS_SPOOL_REASON_BYTES];
};

struct ps_spool_mark {
    struct ps_tail_job job;
    struct ps_spool *spool;
    const struct ps_spool_file *file;
    uint64_t position;
    uint64_t events; /* number of events before `position`; known if `counted` */
    bool counted;
    bool failed;
    char reason[PS_SPOOL_REASON_BYTES];
};

/* A look at the files that were finished last, whose writers may go on. */
struct ps_spool_grown {
    struct ps_tail_job job;
    struct ps_spool *spool;
    uint64_t now_ns;
    uint64_t bytes; /* what came behind their ends since the last look */
    bool watches;   /* there are files to look at again */
};

/* Checks the directory as Flume does at its start: it must exist, and files can be made and deleted in it (not
 * checked with tracker_dir). Makes the tracker directory. May wait. Returns NULL and the reason. */
struct ps_spool *ps_spool_create(const struct ps_spool_settings *settings, struct ps_err *err);

/* Called when the owner no longer uses `spool`, which is freed with its last job. The owner stops the thread after
 * this. */
void ps_spool_leave(struct ps_spool *spool, struct ps_tail_thread *thread);

/* Returns an inotify descriptor of the directories that were listed; -1: the directories are listed at every interval. */
int ps_spool_notify_fd(const struct ps_spool *spool);

/* Returns whether a new name in the directory may be a file to read. */
bool ps_spool_wants(const struct ps_spool *spool, const char *name);

/* Prepare a job; then ps_tail_thread_ask. `answer` gets it back. */
typedef void (*ps_spool_answer)(void *owner, struct ps_tail_job *job);
void ps_spool_fetch_prepare(struct ps_spool_fetch *fetch, struct ps_spool *spool, ps_spool_answer answer);
void ps_spool_mark_prepare(struct ps_spool_mark *mark, struct ps_spool *spool, ps_spool_answer answer);
void ps_spool_retire_prepare(struct ps_spool_file *file, ps_spool_answer answer);

struct ps_spool_grown *ps_spool_grown_prepare(struct ps_spool *spool, uint64_t now_ns,
                                              ps_spool_answer answer);

/* Return the files and the jobs of a directory. They belong to the owner, except while the thread has them. */
struct ps_spool_file *ps_spool_files(struct ps_spool *spool);
struct ps_spool_fetch *ps_spool_fetch_of(struct ps_spool *spool);
struct ps_spool_mark *ps_spool_mark_of(struct ps_spool *spool);
