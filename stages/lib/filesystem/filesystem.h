/* The file system interface of the sinks hdfs and hive. Implementations: HDFS's own protocol
 * (stages/lib/hadoop/), WebHDFS, and the local disk. Modelled on org.apache.hadoop.fs.FileSystem and
 * FSDataOutputStream, without their waiting: every call begins an operation and returns at once;
 * ps_filesystem_turn alone calls the callback with its outcome later. A callback may begin operations and
 * abandon streams.
 *
 * Each operation's callback is called exactly once, at the latest when the call time-out has passed (Flume's
 * hdfs.callTimeout); after ps_filesystem_close no callback is called. Operations on one stream take effect in
 * the order of their calls, other operations in any order.
 *
 * Thread: the worker of the sink that opened it. One file system for each open sink instance. */
#pragma once

#include "core/base.h"
#include "core/clock.h"
#include "core/status.h"

#define PS_FILE_REASON_BYTES 384U

/* The reasons why an operation failed, grouped by a sink's possible reactions. */
enum ps_file_error {
    PS_FILE_OK,
    PS_FILE_MISSING,     /* no such file or directory */
    PS_FILE_EXISTS,      /* it exists already */
    PS_FILE_DENIED,      /* permission, authentication */
    PS_FILE_NO_SPACE,    /* disk full, or a quota of names or bytes is exceeded */
    PS_FILE_LEASE,       /* another client writes the file, or took the lease from this client */
    PS_FILE_UNAVAILABLE, /* the far end is unreachable, in safe mode or without datanodes: a later try may
                          * succeed */
    PS_FILE_TIMEOUT, /* no answer within the call time-out: the operation may have taken effect, or may still
                      * do so */
    PS_FILE_NAME,    /* no file can have this path: a part of it is too long or invalid */
    PS_FILE_PARENT,  /* for `create`: a directory of the path is a file */
    PS_FILE_UNSUPPORTED, /* this file system cannot do the operation */
    PS_FILE_NO_MEMORY,   /* this process found no memory: the far end has refused nothing */
    PS_FILE_FAILED,      /* anything else */
};

/* Returns whether the failure says nothing about the file, its name or its bytes, so that it may pass by itself. It costs no attempt of an
 * event (penstock.retry.max). */
static inline bool ps_file_error_may_pass(enum ps_file_error error)
{
    return error == PS_FILE_UNAVAILABLE || error == PS_FILE_TIMEOUT || error == PS_FILE_NO_MEMORY;
}

struct ps_file_status {
    const char *name;      /* last part of the path; valid during the callback */
    uint64_t length_bytes; /* of an open file: the length as far as the file system knows it */
    uint64_t modified_ms;  /* since 1970 */
    unsigned replication;  /* 0: the file system has no such value */
    bool directory;
};

/* The capacity of the file system, and the share of it that a new file takes. */
struct ps_file_space {
    uint64_t capacity_bytes, remaining_bytes; /* counts each copy of a block */
    /* block size of a new file; 0: unknown before the first file is created */
    uint64_t block_bytes;
    unsigned replication; /* replication of a new file; 0: as block_bytes */
};

/* The outcome of an operation; valid during the callback. */
struct ps_file_answer {
    enum ps_file_error error;
    const char *reason; /* of an error: one line for the log, with the server and its message; otherwise "" */
    const struct ps_file_status
        *entries; /* stat: one; list: the directory's entries, after an error those that could be read */
    size_t entry_count;
    const struct ps_file_space *space; /* measure */
    const char *content;               /* read */
    size_t content_length;
};

typedef void ps_file_done(void *argument, const struct ps_file_answer *answer);

struct ps_filesystem;
struct ps_file_stream;

enum ps_file_flush {
    PS_FILE_HFLUSH, /* readers see the bytes, and every datanode of the pipeline has them in memory, as with
                     * Flume's sink */
    PS_FILE_HSYNC,  /* as PS_FILE_HFLUSH, and the datanodes have the bytes on disk */
};

enum ps_file_recovery {
    PS_FILE_OWN, /* this file system wrote the file, and lost or abandoned the stream */
    /* another process wrote the file: recover it only if that process ended or lost its lease */
    PS_FILE_ABANDONED,
};

/* The implementations of a file system. Each function is documented below, at the call that users make. */
struct ps_filesystem_ops {
    struct ps_file_stream *(*create)(struct ps_filesystem *, const char *path, ps_file_done *,
                                     void *argument);
    bool (*write)(struct ps_file_stream *, const void *bytes, size_t length);
    char *(*reserve)(struct ps_file_stream *, size_t *room); /* NULL: there is never any room */
    void (*commit)(struct ps_file_stream *, size_t length);
    void (*flush)(struct ps_file_stream *, enum ps_file_flush, ps_file_done *, void *argument);
    void (*close_stream)(struct ps_file_stream *, ps_file_done *, void *argument);
    void (*abandon)(struct ps_file_stream *);
    unsigned (*replicas)(const struct ps_file_stream *);
    void (*rename)(struct ps_filesystem *, const char *from, const char *to, ps_file_done *, void *argument);
    void (*remove)(struct ps_filesystem *, const char *path, ps_file_done *, void *argument);
    void (*stat)(struct ps_filesystem *, const char *path, ps_file_done *, void *argument);
    void (*list)(struct ps_filesystem *, const char *path, ps_file_done *, void *argument);
    void (*read)(struct ps_filesystem *, const char *path, size_t length_max, ps_file_done *, void *argument);
    void (*recover)(struct ps_filesystem *, const char *path, enum ps_file_recovery, ps_file_done *,
                    void *argument);
    void (*cut_line)(struct ps_filesystem *, const char *path, ps_file_done *,
                     void *argument); /* NULL: not supported */
    void (*measure)(struct ps_filesystem *, ps_file_done *,
                    void *argument); /* measures the free room, one call at a time; NULL: not supported */
    uint64_t (*turn)(struct ps_filesystem *, const struct ps_now *now);
    void (*close)(struct ps_filesystem *);
};

/* First member of every implementation's own structure. */
struct ps_filesystem {
    const struct ps_filesystem_ops *ops;
    uint64_t
        /* bytes written to all streams and not yet acknowledged by the far end: memory that is in use */
        held_bytes;
    unsigned under_way; /* operations whose callback is still to be called */
    bool has_leases;    /* PS_FILE_LEASE shows that another process has a file open, also while it writes
                     * nothing */
};

/* First member of every implementation's own structure. */
struct ps_file_stream {
    struct ps_filesystem *filesystem;
    uint64_t written_bytes, acknowledged_bytes;
};

/* Paths are absolute, without scheme and authority: "/logs/a.tmp"; they are copied. */

/* Begins to create a file and its missing parent directories; PS_FILE_EXISTS if there is a file of the name. The stream can
 * be written at once, before the callback. After an error the only call that is allowed is ps_file_abandon. Never NULL. */
static inline struct ps_file_stream *ps_file_create(struct ps_filesystem *filesystem, const char *path,
                                                    ps_file_done *done, void *argument)
{
    return filesystem->ops->create(filesystem, path, done, argument);
}

/* Copies the bytes; they are sent when a packet is full, or by a flush. Unacknowledged bytes are counted in
 * `held_bytes`; a sink stops taking leases when `held_bytes` reaches the sink's share of the memory budget.
 * Returns false when there is no memory or the stream has failed; the outcome of the next flush has the reason. */
static inline bool ps_file_write(struct ps_file_stream *stream, const void *bytes, size_t length)
{
    return stream->filesystem->ops->write(stream, bytes, length);
}

/* Returns room for the next bytes of the stream, which saves a copy of small pieces: *room bytes, 0 when none
 * is free now. The room is valid until the next call for this stream. ps_file_commit then takes fewer than
 * *room bytes of it, as if they had been written. */
static inline char *ps_file_reserve(struct ps_file_stream *stream, size_t *room)
{
    *room = 0;
    return stream->filesystem->ops->reserve != NULL ? stream->filesystem->ops->reserve(stream, room) : NULL;
}

static inline void ps_file_commit(struct ps_file_stream *stream, size_t length)
{
    stream->filesystem->ops->commit(stream, length);
}

/* Succeeds when everything written before is acknowledged. Several flushes may be under way. After an error
 * the stream is unusable: bytes written since the last successful flush may be in the file wholly, in part or
 * not at all. */
static inline void ps_file_flush(struct ps_file_stream *stream, enum ps_file_flush how, ps_file_done *done,
                                 void *argument)
{
    stream->filesystem->ops->flush(stream, how, done, argument);
}

/* Flushes, and completes the file. The stream no longer exists when the callback is called, whatever the
 * outcome. After PS_FILE_TIMEOUT or an error the file stays open on the server (ps_file_recover closes
 * it). */
static inline void ps_file_close(struct ps_file_stream *stream, ps_file_done *done, void *argument)
{
    stream->filesystem->ops->close_stream(stream, done, argument);
}

/* Frees a stream at once without completing the file; callbacks of its operations are not called. Not allowed
 * after ps_file_close. */
static inline void ps_file_abandon(struct ps_file_stream *stream)
{
    stream->filesystem->ops->abandon(stream);
}

/* Returns the number of datanodes in the current block's pipeline; 0 if unknown or not applicable. */
static inline unsigned ps_file_replicas(const struct ps_file_stream *stream)
{
    return stream->filesystem->ops->replicas(stream);
}

/* Renames atomically. PS_FILE_MISSING: `from` does not exist. PS_FILE_EXISTS: `to` exists, and is not
 * overwritten. */
static inline void ps_file_rename(struct ps_filesystem *filesystem, const char *from, const char *to,
                                  ps_file_done *done, void *argument)
{
    filesystem->ops->rename(filesystem, from, to, done, argument);
}

/* Removes a file, or an empty directory. */
static inline void ps_file_remove(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                                  void *argument)
{
    filesystem->ops->remove(filesystem, path, done, argument);
}

static inline void ps_file_stat(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                                void *argument)
{
    filesystem->ops->stat(filesystem, path, done, argument);
}

/* Lists all entries of a directory, in any order. */
static inline void ps_file_list(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                                void *argument)
{
    filesystem->ops->list(filesystem, path, done, argument);
}

/* Reads a whole small file (an Avro schema); PS_FILE_FAILED if it is longer than length_max bytes. */
static inline void ps_file_read(struct ps_filesystem *filesystem, const char *path, size_t length_max,
                                ps_file_done *done, void *argument)
{
    filesystem->ops->read(filesystem, path, length_max, done, argument);
}

/* Completes a file that a dead client left open, at the length that its datanodes agree on (HDFS: recoverLease
 * until the file is closed). PS_FILE_UNAVAILABLE: the file is still open, call again. PS_FILE_LEASE: another
 * client writes it, and nothing was changed. */
static inline void ps_file_recover(struct ps_filesystem *filesystem, const char *path,
                                   enum ps_file_recovery recovery, ps_file_done *done, void *argument)
{
    filesystem->ops->recover(filesystem, path, recovery, done, argument);
}

/* Removes what follows the last line feed of a complete file, or all bytes of a file without one: a writer that was killed may
 * leave a part of a line. Not allowed where the file system has no such operation (`cut_line` is NULL). */
static inline void ps_file_cut_line(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                                    void *argument)
{
    filesystem->ops->cut_line(filesystem, path, done, argument);
}

/* Sends and receives without blocking, and calls the callbacks of finished operations. The sink calls it in
 * every `tick`. Its sockets are in the port's epoll. Returns the mono_ns at which it must be called again at
 * the latest, or PS_NEVER. */
static inline uint64_t ps_filesystem_turn(struct ps_filesystem *filesystem, const struct ps_now *now)
{
    return filesystem->ops->turn(filesystem, now);
}

/* Abandons all streams and operations; frees the file system. */
static inline void ps_filesystem_close(struct ps_filesystem *filesystem)
{
    if (filesystem != NULL)
        filesystem->ops->close(filesystem);
}
