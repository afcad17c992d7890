/* Shared by the files of stages/lib/spool. */
#pragma once

#include "regex/regex.h"
#include "stages/lib/spool/sink_records.h"
#include "stages/lib/spool/meta.h"
#include "stages/lib/spool/numbers.h"
#include "stages/lib/spool/spool.h"

/* A file of the last list. */
struct ps_spool_candidate {
    char *path;
    uint32_t name_at; /* offset of the last part of `path` */
    uint64_t device, inode;
    int64_t modified_ms;
};

/* A file that is not read again in this run, while it exists: penstock.onFileError = skip. */
struct ps_spool_left {
    uint64_t device, inode;
    uint64_t born_ns; /* 0: the file system does not know it */
    char *path;       /* as it was opened; NULL: not needed, because born_ns is known */
    bool seen;        /* in the listing that is being made, or the last one */
};

#define PS_SPOOL_ENDED_MAX 64U

/* A file that was renamed or marked: grown.c. */
struct ps_spool_ended {
    char *path; /* NULL: none */
    uint64_t device, inode;
    uint64_t read, size,
        said;          /* bytes that were read; its size at the last look; .. and in the log, 0: not */
    uint64_t until_ns; /* it is looked at until then; 0: it was not yet */
};

struct ps_spool {
    /* Const after ps_spool_create. */
    char *component, *directory, *tracker, *suffix, *meta_path;
    enum ps_spool_order order;
    enum ps_spool_decompress decompress;
    bool recursive, deletes, marks, identities;
    bool durable_ends; /* a file's record or number is kept until its new name outlasts a power cut */
    uint64_t events_settings;
    int notify_fd;
    struct ps_regex *include, *ignore;
    /* Used only by the thread. */
    struct ps_regex_scratch *scratch;
    struct ps_spool_candidate *list;
    size_t count, room, next;
    int error;  /* errno with which the last listing could not read the directory itself; 0: it could */
    bool lacks; /* the list lacks files that could not be looked at, or noted */
    struct ps_spool_left *aside;
    size_t aside_count, aside_room;
    struct ps_spool_meta meta; /* the content of the meta file, now or at the start */
    bool meta_known;           /* the meta file was read */
    bool watch_failed;         /* the failure was logged */
    bool look_failed;          /* the failure was logged */
    struct ps_spool_numbers numbers;
    bool numbers_failed; /* the failure was logged */
    /* files that were retired since the last of a group was; their paths are kept until a fetch opens other files */
    const struct ps_spool_file *retired[PS_SPOOL_FILES_MAX];
    size_t retired_count;
    /* the file that could not be retired for a reason that passes; those behind it wait, too; NULL: none */
    const struct ps_spool_file *waits;
    bool sync_failed;                /* the failure was logged */
    bool listed;                     /* the directory was listed once */
    struct ps_spool_records records; /* records of the sink for files that are not opened yet */
    struct ps_spool_ended ended[PS_SPOOL_ENDED_MAX]; /* a ring */
    size_t ended_next;
    /* Jobs, owned by the thread while it runs them, else by the worker. */
    struct ps_spool_fetch fetch;
    struct ps_spool_mark mark;
    struct ps_spool_grown grown;
    struct ps_spool_file files[PS_SPOOL_FILES_MAX];
};

/* Lists the directory; sorts the files by `order`. Returns false when a directory could not be read; the files
 * found are valid. */
bool ps_spool_list(struct ps_spool *spool);
void ps_spool_list_free(struct ps_spool *spool);

/* Returns the file's path relative to spoolDir. */
const char *ps_spool_below(const struct ps_spool *spool, const char *path);

/* Makes the path of the file's marker in the tracker directory. Returns false when it is too long. */
bool ps_spool_marker(const struct ps_spool *spool, const char *path, char *out, size_t room);

/* Deletes the meta file, because its file is retired. If that fails, the meta file is deleted later, and its
 * position counts for no other file of that name. */
void ps_spool_meta_delete(struct ps_spool *spool);

/* Writes the position of a file that is left alone. Returns whether a position exists and was written.
 * (stages/lib/spool/aside.c) */
bool ps_spool_aside_write(const struct ps_spool *spool, const struct ps_spool_file *file);
void ps_spool_aside_forget(const struct ps_spool *spool, const struct ps_spool_file *file);
/* Sets the position at which a previous process left the file alone, if the file is unchanged since; else 0.
 * Returns false if the position cannot be read now: then the file is not read yet, because its events would be
 * repeated. */
bool ps_spool_aside_start(const struct ps_spool *spool, const struct ps_spool_file *file, uint64_t *position,
                          struct ps_err *err);
/* Forgets files that are gone. Called once, before the first file is opened. */
void ps_spool_aside_tidy(const struct ps_spool *spool);

/* Notes that the file is finished; it is at `path` now. (stages/lib/spool/grown.c) */
void ps_spool_grown_add(struct ps_spool *spool, const struct ps_spool_file *file, const char *path);
void ps_spool_grown_free(struct ps_spool *spool);

void ps_spool_retire_run(struct ps_tail_job *job);
