/* Shared by the files of the local file system. Thread: the worker of the sink. */
#pragma once

#include "stages/lib/filesystem/filesystem.h"

#include <sys/types.h>

/* The buffer of a stream between two flushes, freed at each flush, so that idle files cost nothing. */
#define PS_LOCAL_BUFFER_BYTES (32U << 10)

struct ps_local_buffer {
    union {
        struct ps_local_buffer *next;
        char bytes[PS_LOCAL_BUFFER_BYTES];
    };
};

struct ps_local_caller {
    ps_file_done *done; /* NULL: the operation's stream was abandoned */
    void *argument;
};

struct ps_local_stream {
    struct ps_file_stream base;
    struct ps_local_stream *next, **place;
    struct ps_local_buffer *buffer; /* NULL: nothing was written since the last flush */
    size_t used;
    off_t found_bytes; /* length of the file that an append found */
    int fd;
    int error; /* errno of the first failed call; 0: none */
    uint64_t
        flushed_bytes; /* written bytes at the last flush that succeeded, also if its outcome is still to come */
    unsigned outcome_count;
    bool name_synced; /* the file's name is synced */
    char path[];
};

/* An operation that was carried out, and whose callback is still to be called. */
struct ps_local_outcome {
    struct ps_local_outcome *next;
    struct ps_local_stream *stream; /* NULL: an operation without a stream, or the stream was abandoned */
    struct ps_local_caller caller;
    struct ps_file_answer answer;
    uint64_t acknowledges; /* bytes of the stream */
    bool ends_stream;
    struct ps_file_status *entries; /* part of the answer; freed with the outcome, as `memory` is */
    void *memory;                   /* names or content */
    char reason[PS_FILE_REASON_BYTES];
};

struct ps_local {
    struct ps_filesystem base;
    struct ps_local_outcome *outcomes, **last_outcome; /* in order */
    struct ps_local_outcome *free_outcomes;
    struct ps_local_outcome *delivering; /* the outcome whose callback runs */
    struct ps_local_buffer *free_buffers;
    struct ps_local_stream *streams;
};

/* Queues the outcome of an operation; `error` is errno or 0, `what` a verb for the log. Never NULL. */
struct ps_local_outcome *ps_local_answer(struct ps_local *local, struct ps_local_stream *stream,
                                         const struct ps_local_caller *caller, int error, const char *what,
                                         const char *path);

/* local_names.c: the operations on names (filesystem.h). */
void ps_local_rename(struct ps_filesystem *filesystem, const char *from, const char *to, ps_file_done *done,
                     void *argument);
void ps_local_remove(struct ps_filesystem *filesystem, const char *path, bool recursive, ps_file_done *done,
                     void *argument);
void ps_local_stat(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument);
void ps_local_list(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument);
void ps_local_read(struct ps_filesystem *filesystem, const char *path, size_t length_max, ps_file_done *done,
                   void *argument);
void ps_local_recover(struct ps_filesystem *filesystem, const char *path, enum ps_file_recovery recovery,
                      ps_file_done *done, void *argument);
void ps_local_cut_line(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                       void *argument);
