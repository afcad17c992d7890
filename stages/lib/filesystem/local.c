#include "stages/lib/filesystem/local.h"

#include "core/durable.h"
#include "stages/lib/filesystem/local_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct ps_local *local_of(struct ps_filesystem *filesystem)
{
    return (struct ps_local *)(void *)filesystem;
}

/* ---- outcomes ---- */

static enum ps_file_error error_of(int error)
{
    switch (error) {
    case 0:
        return PS_FILE_OK;
    case ENOENT:
    case ENOTDIR:
        return PS_FILE_MISSING;
    case EEXIST:
    case ENOTEMPTY:
        return PS_FILE_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return PS_FILE_DENIED;
    case ENOSPC:
    case EDQUOT:
        return PS_FILE_NO_SPACE;
    case ENAMETOOLONG:
    case EILSEQ:
        return PS_FILE_NAME;
    case ENOMEM:
        return PS_FILE_NO_MEMORY;
    default:
        return PS_FILE_FAILED;
    }
}

struct ps_local_outcome *ps_local_answer(struct ps_local *local, struct ps_local_stream *stream,
                                         const struct ps_local_caller *caller, int error, const char *what,
                                         const char *path)
{
    struct ps_local_outcome *outcome = local->free_outcomes;
    if (outcome != NULL)
        local->free_outcomes = outcome->next;
    else /* every operation must be answered */
        outcome = ps_must_alloc(1, sizeof *outcome, "the answer of a file operation");
    *outcome = (struct ps_local_outcome){
        .stream = stream, .caller = *caller, .answer = {.error = error_of(error), .reason = outcome->reason}};
    if (error != 0)
        snprintf(outcome->reason, sizeof outcome->reason, "cannot %s %.256s: %s", what, path,
                 strerror(error));
    if (stream != NULL)
        stream->outcome_count++;
    *local->last_outcome = outcome;
    local->last_outcome = &outcome->next;
    local->base.under_way++;
    return outcome;
}

static void outcome_free(struct ps_local *local, struct ps_local_outcome *outcome)
{
    free(outcome->entries);
    free(outcome->memory);
    outcome->next = local->free_outcomes;
    local->free_outcomes = outcome;
    local->base.under_way--;
}

/* ---- streams ---- */

static struct ps_local_stream *stream_of(struct ps_file_stream *stream)
{
    return (struct ps_local_stream *)(void *)stream;
}

static void buffer_give(struct ps_local *local, struct ps_local_stream *stream)
{
    if (stream->buffer == NULL)
        return;
    stream->buffer->next = local->free_buffers;
    local->free_buffers = stream->buffer;
    stream->buffer = NULL;
    stream->used = 0;
}

static bool buffer_take(struct ps_local *local, struct ps_local_stream *stream)
{
    if (stream->buffer != NULL)
        return true;
    struct ps_local_buffer *buffer = local->free_buffers;
    if (buffer != NULL)
        local->free_buffers = buffer->next;
    else
        buffer = malloc(sizeof *buffer);
    stream->buffer = buffer;
    return buffer != NULL;
}

static void stream_fail(struct ps_local_stream *stream, int error)
{
    if (stream->error == 0)
        stream->error = error;
}

static void write_all(struct ps_local_stream *stream, const char *bytes, size_t length)
{
    int error = stream->error == 0 ? ps_write_all(stream->fd, bytes, length) : 0;
    if (error != 0)
        stream_fail(stream, error);
}

static void buffer_write(struct ps_local_stream *stream)
{
    if (stream->used > 0)
        write_all(stream, stream->buffer->bytes, stream->used);
    stream->base.filesystem->held_bytes -= stream->used;
    stream->used = 0;
}

static bool local_write(struct ps_file_stream *base, const void *bytes, size_t length)
{
    struct ps_local_stream *stream = stream_of(base);
    struct ps_local *local = local_of(base->filesystem);
    if (stream->error != 0 || stream->fd < 0)
        return false;
    if (!buffer_take(local, stream)) {
        stream_fail(stream, ENOMEM);
        return false;
    }
    if (stream->used + length > PS_LOCAL_BUFFER_BYTES)
        buffer_write(stream);
    if (length > PS_LOCAL_BUFFER_BYTES) {
        write_all(stream, bytes, length);
    } else {
        memcpy(stream->buffer->bytes + stream->used, bytes, length);
        stream->used += length;
        local->base.held_bytes += length;
    }
    base->written_bytes += length;
    return stream->error == 0;
}

static int open_file(const char *path, const struct ps_file_creation *creation)
{
    int flags = O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC;
    if (!creation->append)
        flags |= creation->overwrite ? O_TRUNC : O_EXCL;
    int fd = open(path, flags, 0666);
    if (fd >= 0)
        (void)flock(fd,
                    LOCK_EX | LOCK_NB); /* marks the file as in use (ps_local_recover); excludes no writer */
    return fd;
}

/* Makes the parent directories only when opening fails: they exist for all but the first file of a directory. */
static int create_file(const char *path, const struct ps_file_creation *creation)
{
    int fd = open_file(path, creation);
    const char *name = strrchr(path, '/');
    if (fd >= 0 || errno != ENOENT || name == NULL || name == path)
        return fd;
    char *parent = strndup(path, (size_t)(name - path));
    int error = parent == NULL ? ENOMEM : ps_directories_make(parent, 0777);
    free(parent);
    if (error != 0) {
        errno = error;
        return -1;
    }
    return open_file(path, creation);
}

static struct ps_file_stream *local_create(struct ps_filesystem *filesystem, const char *path,
                                           const struct ps_file_creation *creation, ps_file_done *done,
                                           void *argument)
{
    struct ps_local *local = local_of(filesystem);
    struct ps_local_stream *stream = ps_must_alloc(1, sizeof *stream + strlen(path) + 1, "a file");
    strcpy(stream->path, path);
    stream->base.filesystem = filesystem;
    stream->fd = create_file(path, creation);
    stream->error = stream->fd < 0 ? errno : 0;
    if (creation->append && stream->fd >= 0)
        stream->found_bytes = lseek(stream->fd, 0, SEEK_END);
    stream->next = local->streams;
    stream->place = &local->streams;
    if (stream->next != NULL)
        stream->next->place = &stream->next;
    local->streams = stream;
    struct ps_local_outcome *outcome = ps_local_answer(
        local, stream, &(struct ps_local_caller){done, argument}, stream->error, "create", path);
    if (stream->error == ENOTDIR)
        outcome->answer.error = PS_FILE_PARENT;
    else if (stream->error == ELOOP ||
             stream->error == EINVAL) /* EINVAL: the file system takes no such name */
        outcome->answer.error = PS_FILE_NAME;
    return &stream->base;
}

/* Bytes written to a deleted file are lost with the stream, so they are not acknowledged. */
static void look_for_name(struct ps_local_stream *stream)
{
    struct stat status;
    if (stream->error == 0 && fstat(stream->fd, &status) == 0 && status.st_nlink == 0)
        stream_fail(stream, ENOENT);
}

/* Syncs the written bytes, and the file's name with them. */
static void stream_sync(struct ps_local_stream *stream)
{
    int error = stream->error != 0 || fsync(stream->fd) == 0 ? stream->error : errno;
    if (error == 0 && !stream->name_synced)
        error = ps_directory_sync_above(stream->path);
    if (error != 0)
        stream_fail(stream, error);
    else
        stream->name_synced = true;
}

static void local_flush(struct ps_file_stream *base, enum ps_file_flush how, ps_file_done *done,
                        void *argument)
{
    struct ps_local_stream *stream = stream_of(base);
    struct ps_local *local = local_of(base->filesystem);
    buffer_write(stream);
    buffer_give(local, stream);
    if (how == PS_FILE_HSYNC)
        stream_sync(stream);
    look_for_name(stream);
    if (stream->error == 0)
        stream->flushed_bytes = base->written_bytes;
    struct ps_local_outcome *outcome = ps_local_answer(
        local, stream, &(struct ps_local_caller){done, argument}, stream->error, "write", stream->path);
    outcome->acknowledges = base->written_bytes;
}

/* Cuts the file back to its first `kept` bytes: the caller writes the other bytes to another file. */
static void cut_back(struct ps_local_stream *stream, uint64_t kept)
{
    if (stream->fd >= 0 && stream->base.written_bytes > kept &&
        ftruncate(stream->fd, stream->found_bytes + (off_t)kept) != 0)
        stream_fail(stream, errno);
}

/* `stream` has left the list of streams; it is freed after its last outcome is delivered. */
static void stream_end(struct ps_local *local, struct ps_local_stream *stream)
{
    local->base.held_bytes -= stream->used;
    buffer_give(local, stream);
    if (stream->fd >= 0 && close(stream->fd) != 0)
        stream_fail(stream, errno);
    stream->fd = -1;
    *stream->place = stream->next;
    if (stream->next != NULL)
        stream->next->place = stream->place;
}

static void local_close_stream(struct ps_file_stream *base, ps_file_done *done, void *argument)
{
    struct ps_local_stream *stream = stream_of(base);
    struct ps_local *local = local_of(base->filesystem);
    buffer_write(stream);
    if (stream->error != 0) /* the outcomes of flushes that succeeded are delivered after this */
        cut_back(stream, stream->flushed_bytes);
    stream_end(local, stream);
    struct ps_local_outcome *outcome = ps_local_answer(
        local, stream, &(struct ps_local_caller){done, argument}, stream->error, "close", stream->path);
    outcome->acknowledges = base->written_bytes;
    outcome->ends_stream = true;
}

static void local_abandon(struct ps_file_stream *base)
{
    struct ps_local_stream *stream = stream_of(base);
    struct ps_local *local = local_of(base->filesystem);
    cut_back(stream, base->acknowledged_bytes);
    stream_end(local, stream);
    for (struct ps_local_outcome *outcome = local->outcomes; outcome != NULL && stream->outcome_count > 0;
         outcome = outcome->next) {
        if (outcome->stream != stream)
            continue;
        outcome->stream = NULL;
        outcome->caller.done = NULL;
        stream->outcome_count--;
    }
    if (local->delivering != NULL && local->delivering->stream == stream)
        local->delivering->stream = NULL;
    free(stream);
}

static unsigned local_replicas(const struct ps_file_stream *)
{
    return 0;
}

/* ---- the turn ---- */

static void deliver(struct ps_local *local, struct ps_local_outcome *outcome)
{
    struct ps_local_stream *stream = outcome->stream;
    if (stream != NULL) {
        stream->outcome_count--;
        if (outcome->answer.error == PS_FILE_OK && outcome->acknowledges > stream->base.acknowledged_bytes)
            stream->base.acknowledged_bytes = outcome->acknowledges;
    }
    local->delivering = outcome;
    if (outcome->caller.done != NULL)
        outcome->caller.done(outcome->caller.argument, &outcome->answer);
    local->delivering = NULL;
    if (outcome->ends_stream)
        free(outcome->stream);
    outcome_free(local, outcome);
}

/* Delivers the outcomes of operations that ended before this call; an operation that a callback begins gets
 * its outcome in the next call. */
static uint64_t local_turn(struct ps_filesystem *filesystem, const struct ps_now *now)
{
    struct ps_local *local = local_of(filesystem);
    for (unsigned left = filesystem->under_way; left > 0; left--) {
        struct ps_local_outcome *outcome = local->outcomes;
        local->outcomes = outcome->next;
        if (local->outcomes == NULL)
            local->last_outcome = &local->outcomes;
        deliver(local, outcome);
    }
    return local->outcomes != NULL ? now->mono_ns : PS_NEVER;
}

static void local_close(struct ps_filesystem *filesystem)
{
    struct ps_local *local = local_of(filesystem);
    while (local->streams != NULL)
        local_abandon(&local->streams->base);
    while (local->outcomes != NULL) {
        struct ps_local_outcome *outcome = local->outcomes;
        local->outcomes = outcome->next;
        if (outcome->ends_stream)
            free(outcome->stream);
        outcome_free(local, outcome);
    }
    while (local->free_outcomes != NULL) {
        struct ps_local_outcome *outcome = local->free_outcomes;
        local->free_outcomes = outcome->next;
        free(outcome);
    }
    while (local->free_buffers != NULL) {
        struct ps_local_buffer *buffer = local->free_buffers;
        local->free_buffers = buffer->next;
        free(buffer);
    }
    free(local);
}

static const struct ps_filesystem_ops ops = {
    .create = local_create,
    .write = local_write,
    .flush = local_flush,
    .close_stream = local_close_stream,
    .abandon = local_abandon,
    .replicas = local_replicas,
    .rename = ps_local_rename,
    .remove = ps_local_remove,
    .stat = ps_local_stat,
    .list = ps_local_list,
    .read = ps_local_read,
    .recover = ps_local_recover,
    .cut_line = ps_local_cut_line,
    .turn = local_turn,
    .close = local_close,
};

struct ps_filesystem *ps_filesystem_local_open(void)
{
    struct ps_local *local = calloc(1, sizeof *local);
    if (local == NULL)
        return NULL;
    local->base.ops = &ops;
    local->base.has_leases = true;
    local->last_outcome = &local->outcomes;
    return &local->base;
}
