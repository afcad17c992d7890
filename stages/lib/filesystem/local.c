/* More than 600 lines: one table of operations, which share the queue of their outcomes. */
#include "stages/lib/filesystem/local.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/durable.h"
#include "stages/lib/filesystem/filesystem.h"

/* The buffer of a stream between two flushes, freed at each flush, so that idle files cost nothing. */
#define BUFFER_BYTES (32U << 10)

struct buffer {
    union {
        struct buffer *next;
        char bytes[BUFFER_BYTES];
    };
};

struct caller {
    ps_file_done *done; /* NULL: the operation's stream was abandoned */
    void *argument;
};

struct stream {
    struct ps_file_stream base;
    struct stream *next, **place;
    struct buffer *buffer; /* NULL: nothing was written since the last flush */
    size_t used;
    int fd;
    int error; /* errno of the first failed call; 0: none */
    uint64_t
        flushed_bytes; /* written bytes at the last flush that succeeded, also if its outcome is still to come */
    unsigned outcome_count;
    bool name_synced; /* the file's name is synced */
    char path[];
};

/* An operation that was carried out, and whose callback is still to be called. */
struct outcome {
    struct outcome *next;
    struct stream *stream; /* NULL: an operation without a stream, or the stream was abandoned */
    struct caller caller;
    struct ps_file_answer answer;
    uint64_t acknowledges; /* bytes of the stream */
    bool ends_stream;
    struct ps_file_status *entries; /* part of the answer; freed with the outcome, as `memory` is */
    void *memory;                   /* names or content */
    char reason[PS_FILE_REASON_BYTES];
};

struct ps_local {
    struct ps_filesystem base;
    struct outcome *outcomes, **last_outcome; /* in order */
    struct outcome *free_outcomes;
    struct outcome *delivering; /* the outcome whose callback runs */
    struct buffer *free_buffers;
    struct stream *streams;
};

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

/* Queues the outcome of an operation; `error` is errno or 0, `what` a verb for the log. Never NULL. */
static struct outcome *queue_answer(struct ps_local *local, struct stream *stream,
                                    const struct caller *caller, int error, const char *what,
                                    const char *path)
{
    struct outcome *outcome = local->free_outcomes;
    if (outcome != NULL)
        local->free_outcomes = outcome->next;
    else /* every operation must be answered */
        outcome = ps_must_alloc(1, sizeof *outcome, "the answer of a file operation");
    *outcome = (struct outcome){
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

/* ---- names ---- */

static struct outcome *answer(struct ps_filesystem *filesystem, ps_file_done *done, void *argument, int error,
                              const char *what, const char *path)
{
    struct ps_local *local = (struct ps_local *)(void *)filesystem;
    return queue_answer(local, NULL, &(struct caller){done, argument}, error, what, path);
}

/* Returns whether both are names of one file: an earlier call made the link, and was killed or refused before it removed `from`; or a
 * network mount repeated a call whose answer was lost. Leaves errno as it was. */
static bool is_same_file(const char *from, const char *to)
{
    struct stat one, other;
    int error = errno;
    bool same = lstat(from, &one) == 0 && lstat(to, &other) == 0 && one.st_dev == other.st_dev &&
                one.st_ino == other.st_ino && one.st_nlink > 1;
    errno = error;
    return same;
}

/* Renames without overwriting. Without RENAME_NOREPLACE (some network mounts) it makes a hard link, which does not overwrite. */
static int rename_new(const char *from, const char *to)
{
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return errno;
    if (link(from, to) != 0 && !(errno == EEXIST && is_same_file(from, to)))
        return errno;
    return unlink(from) == 0 ? 0 : errno;
}

static void local_rename(struct ps_filesystem *filesystem, const char *from, const char *to,
                         ps_file_done *done, void *argument)
{
    answer(filesystem, done, argument, rename_new(from, to), "rename", from);
}

static void local_remove(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                         void *argument)
{
    answer(filesystem, done, argument, remove(path) == 0 ? 0 : errno, "remove", path);
}

static void fill_status(struct ps_file_status *status, const char *name, const struct stat *facts)
{
    *status = (struct ps_file_status){.name = name,
                                      .length_bytes = (uint64_t)facts->st_size,
                                      .modified_ms = (uint64_t)facts->st_mtim.tv_sec * 1000 +
                                                     (uint64_t)facts->st_mtim.tv_nsec / PS_NS_PER_MS,
                                      .directory = S_ISDIR(facts->st_mode)};
}

static void local_stat(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    struct stat facts;
    struct outcome *outcome =
        answer(filesystem, done, argument, stat(path, &facts) == 0 ? 0 : errno, "look at", path);
    if (outcome->answer.error != PS_FILE_OK)
        return;
    const char *name = strrchr(path, '/');
    outcome->entries = ps_must_alloc(1, sizeof *outcome->entries, "the status of a file");
    outcome->memory = ps_must_copy_text(name == NULL ? path : name + 1, "the name of a file");
    fill_status(outcome->entries, outcome->memory, &facts);
    outcome->answer.entries = outcome->entries;
    outcome->answer.entry_count = 1;
}

struct listing {
    struct ps_file_status *entries;
    size_t count, room;
    char *names; /* one after the other; entries get their pointers at the end, because the memory moves */
    size_t names_length, names_room;
};

static bool listing_reserve(struct listing *listing, size_t name_bytes)
{
    if (listing->count == listing->room) {
        size_t room = listing->room == 0 ? 64 : 2 * listing->room;
        struct ps_file_status *entries = realloc(listing->entries, room * sizeof *entries);
        if (entries == NULL)
            return false;
        listing->entries = entries;
        listing->room = room;
    }
    if (listing->names_length + name_bytes > listing->names_room) {
        size_t room = 2 * listing->names_room + name_bytes + 4096;
        char *names = realloc(listing->names, room);
        if (names == NULL)
            return false;
        listing->names = names;
        listing->names_room = room;
    }
    return true;
}

/* Returns the next name of a directory but those of itself and its parent, or NULL: at the end with errno 0, else with the error. */
static const char *next_name(DIR *directory)
{
    const struct dirent *entry;
    do {
        errno = 0;
        entry = readdir(directory);
    } while (entry != NULL && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
    return entry != NULL ? entry->d_name : NULL;
}

/* Returns whether the error of a listed name means that the name is gone meanwhile, or is a link to nothing. */
static bool is_gone(int error)
{
    return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* Returns 0, or the first error; then the listing has what could be read. */
static int list_directory(const char *path, struct listing *listing)
{
    int error = 0;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return errno;
    for (const char *name; (name = next_name(directory)) != NULL;) {
        struct stat facts;
        if (fstatat(dirfd(directory), name, &facts, 0) != 0) {
            if (error == 0 && !is_gone(errno))
                error = errno;
            continue;
        }
        size_t bytes = strlen(name) + 1;
        if (!listing_reserve(listing, bytes)) {
            error = ENOMEM;
            break;
        }
        memcpy(listing->names + listing->names_length, name, bytes);
        listing->names_length += bytes;
        fill_status(&listing->entries[listing->count++], NULL, &facts);
    }
    if (error == 0)
        error = errno; /* the error of the end of the names */
    closedir(directory);
    return error;
}

static void local_list(struct ps_filesystem *filesystem, const char *path, ps_file_done *done, void *argument)
{
    struct listing listing = {.count = 0};
    int error = list_directory(path, &listing);
    struct outcome *outcome = answer(filesystem, done, argument, error, "list", path);
    outcome->entries = listing.entries;
    outcome->memory = listing.names;
    const char *name = listing.names;
    for (size_t i = 0; i < listing.count; i++, name += strlen(name) + 1)
        listing.entries[i].name = name;
    outcome->answer.entries = listing.entries;
    outcome->answer.entry_count = listing.count;
}

static int read_file(const char *path, size_t length_max, char **content, size_t *length)
{
    struct stat facts;
    int error = 0, fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (fstat(fd, &facts) != 0)
        error = errno;
    else if (S_ISDIR(facts.st_mode))
        error = EISDIR;
    else if ((uint64_t)facts.st_size > length_max)
        error = EFBIG;
    *length = 0;
    if (error == 0 && (*content = malloc((size_t)facts.st_size + 1)) == NULL)
        error = ENOMEM;
    while (error == 0 && *length < (size_t)facts.st_size) {
        ssize_t got = read(fd, *content + *length, (size_t)facts.st_size - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            error = errno;
        if (got <= 0)
            break;
        *length += (size_t)got;
    }
    close(fd);
    return error;
}

static void local_read(struct ps_filesystem *filesystem, const char *path, size_t length_max,
                       ps_file_done *done, void *argument)
{
    char *content = NULL;
    size_t length = 0;
    int error = read_file(path, length_max, &content, &length);
    struct outcome *outcome = answer(filesystem, done, argument, error, "read", path);
    outcome->memory = content;
    outcome->answer.content = content;
    outcome->answer.content_length = error == 0 ? length : 0;
}

/* Sets *locked to whether another process has the lock that open_file takes; to false on a file system without
 * locks. Returns 0, or the error if that cannot be found out. */
static int look_at_lock(const char *path, bool *locked)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 && errno == EACCES) /* a lock needs no right to write */
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    *locked = flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(fd);
    return 0;
}

static void local_recover(struct ps_filesystem *filesystem, const char *path, enum ps_file_recovery recovery,
                          ps_file_done *done, void *argument)
{
    bool locked = false;
    int error = access(path, F_OK) == 0 ? 0 : errno;
    if (error == 0 && recovery == PS_FILE_ABANDONED)
        error = look_at_lock(path, &locked);
    struct outcome *outcome = answer(filesystem, done, argument, error, "find", path);
    if (!locked)
        return;
    outcome->answer.error = PS_FILE_LEASE;
    snprintf(outcome->reason, sizeof outcome->reason, "%.256s is written by another process", path);
}

/* Sets *end to the offset after the last line feed; 0: there is none. Returns 0, or the error. */
static int find_end_of_lines(int fd, off_t length, off_t *end)
{
    char block[65536];
    for (*end = 0; length > 0;) {
        off_t begin = length > (off_t)sizeof block ? length - (off_t)sizeof block : 0;
        ssize_t got = pread(fd, block, (size_t)(length - begin), begin);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != length - begin)
            return got < 0 ? errno : EIO; /* another process shortens the file */
        const char *feed = memrchr(block, '\n', (size_t)got);
        if (feed != NULL) {
            *end = begin + (feed - block) + 1;
            return 0;
        }
        length = begin;
    }
    return 0;
}

static int cut_line(const char *path)
{
    struct stat facts;
    off_t end;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int error = fstat(fd, &facts) != 0 ? errno : find_end_of_lines(fd, facts.st_size, &end);
    if (error == 0 && end < facts.st_size && (ftruncate(fd, end) != 0 || fsync(fd) != 0))
        error = errno;
    close(fd);
    return error;
}

static void local_cut_line(struct ps_filesystem *filesystem, const char *path, ps_file_done *done,
                           void *argument)
{
    (void)answer(filesystem, done, argument, cut_line(path), "cut", path);
}

static void outcome_free(struct ps_local *local, struct outcome *outcome)
{
    free(outcome->entries);
    free(outcome->memory);
    outcome->next = local->free_outcomes;
    local->free_outcomes = outcome;
    local->base.under_way--;
}

/* ---- streams ---- */

static struct stream *stream_of(struct ps_file_stream *stream)
{
    return (struct stream *)(void *)stream;
}

static void buffer_give(struct ps_local *local, struct stream *stream)
{
    if (stream->buffer == NULL)
        return;
    stream->buffer->next = local->free_buffers;
    local->free_buffers = stream->buffer;
    stream->buffer = NULL;
    stream->used = 0;
}

static bool buffer_take(struct ps_local *local, struct stream *stream)
{
    if (stream->buffer != NULL)
        return true;
    struct buffer *buffer = local->free_buffers;
    if (buffer != NULL)
        local->free_buffers = buffer->next;
    else
        buffer = malloc(sizeof *buffer);
    stream->buffer = buffer;
    return buffer != NULL;
}

static void stream_fail(struct stream *stream, int error)
{
    if (stream->error == 0)
        stream->error = error;
}

static void write_all(struct stream *stream, const char *bytes, size_t length)
{
    int error = stream->error == 0 ? ps_write_all(stream->fd, bytes, length) : 0;
    if (error != 0)
        stream_fail(stream, error);
}

static void buffer_write(struct stream *stream)
{
    if (stream->used > 0)
        write_all(stream, stream->buffer->bytes, stream->used);
    stream->base.filesystem->held_bytes -= stream->used;
    stream->used = 0;
}

static bool local_write(struct ps_file_stream *base, const void *bytes, size_t length)
{
    struct stream *stream = stream_of(base);
    struct ps_local *local = local_of(base->filesystem);
    if (stream->error != 0 || stream->fd < 0)
        return false;
    if (!buffer_take(local, stream)) {
        stream_fail(stream, ENOMEM);
        return false;
    }
    if (stream->used + length > BUFFER_BYTES)
        buffer_write(stream);
    if (length > BUFFER_BYTES) {
        write_all(stream, bytes, length);
    } else {
        memcpy(stream->buffer->bytes + stream->used, bytes, length);
        stream->used += length;
        local->base.held_bytes += length;
    }
    base->written_bytes += length;
    return stream->error == 0;
}

static int open_file(const char *path)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0)
        (void)flock(fd, LOCK_EX | LOCK_NB); /* marks the file as in use (local_recover); excludes no writer */
    return fd;
}

/* Makes the parent directories only when opening fails: they exist for all but the first file of a directory. */
static int create_file(const char *path)
{
    int fd = open_file(path);
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
    return open_file(path);
}

static struct ps_file_stream *local_create(struct ps_filesystem *filesystem, const char *path,
                                           ps_file_done *done, void *argument)
{
    struct ps_local *local = local_of(filesystem);
    struct stream *stream = ps_must_alloc(1, sizeof *stream + strlen(path) + 1, "a file");
    strcpy(stream->path, path);
    stream->base.filesystem = filesystem;
    stream->fd = create_file(path);
    stream->error = stream->fd < 0 ? errno : 0;
    stream->next = local->streams;
    stream->place = &local->streams;
    if (stream->next != NULL)
        stream->next->place = &stream->next;
    local->streams = stream;
    struct outcome *outcome =
        queue_answer(local, stream, &(struct caller){done, argument}, stream->error, "create", path);
    if (stream->error == ENOTDIR)
        outcome->answer.error = PS_FILE_PARENT;
    else if (stream->error == ELOOP ||
             stream->error == EINVAL) /* EINVAL: the file system takes no such name */
        outcome->answer.error = PS_FILE_NAME;
    return &stream->base;
}

/* Bytes written to a deleted file are lost with the stream, so they are not acknowledged. */
static void look_for_name(struct stream *stream)
{
    struct stat status;
    if (stream->error == 0 && fstat(stream->fd, &status) == 0 && status.st_nlink == 0)
        stream_fail(stream, ENOENT);
}

/* Syncs the written bytes, and the file's name with them. */
static void stream_sync(struct stream *stream)
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
    struct stream *stream = stream_of(base);
    struct ps_local *local = local_of(base->filesystem);
    buffer_write(stream);
    buffer_give(local, stream);
    if (how == PS_FILE_HSYNC)
        stream_sync(stream);
    look_for_name(stream);
    if (stream->error == 0)
        stream->flushed_bytes = base->written_bytes;
    struct outcome *outcome =
        queue_answer(local, stream, &(struct caller){done, argument}, stream->error, "write", stream->path);
    outcome->acknowledges = base->written_bytes;
}

/* Cuts the file back to its first `kept` bytes: the caller writes the other bytes to another file. */
static void cut_back(struct stream *stream, uint64_t kept)
{
    if (stream->fd >= 0 && stream->base.written_bytes > kept && ftruncate(stream->fd, (off_t)kept) != 0)
        stream_fail(stream, errno);
}

/* `stream` has left the list of streams; it is freed after its last outcome is delivered. */
static void stream_end(struct ps_local *local, struct stream *stream)
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
    struct stream *stream = stream_of(base);
    struct ps_local *local = local_of(base->filesystem);
    buffer_write(stream);
    if (stream->error != 0) /* the outcomes of flushes that succeeded are delivered after this */
        cut_back(stream, stream->flushed_bytes);
    stream_end(local, stream);
    struct outcome *outcome =
        queue_answer(local, stream, &(struct caller){done, argument}, stream->error, "close", stream->path);
    outcome->acknowledges = base->written_bytes;
    outcome->ends_stream = true;
}

static void local_abandon(struct ps_file_stream *base)
{
    struct stream *stream = stream_of(base);
    struct ps_local *local = local_of(base->filesystem);
    cut_back(stream, base->acknowledged_bytes);
    stream_end(local, stream);
    for (struct outcome *outcome = local->outcomes; outcome != NULL && stream->outcome_count > 0;
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

static void deliver(struct ps_local *local, struct outcome *outcome)
{
    struct stream *stream = outcome->stream;
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
        struct outcome *outcome = local->outcomes;
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
        struct outcome *outcome = local->outcomes;
        local->outcomes = outcome->next;
        if (outcome->ends_stream)
            free(outcome->stream);
        outcome_free(local, outcome);
    }
    while (local->free_outcomes != NULL) {
        struct outcome *outcome = local->free_outcomes;
        local->free_outcomes = outcome->next;
        free(outcome);
    }
    while (local->free_buffers != NULL) {
        struct buffer *buffer = local->free_buffers;
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
    .rename = local_rename,
    .remove = local_remove,
    .stat = local_stat,
    .list = local_list,
    .read = local_read,
    .recover = local_recover,
    .cut_line = local_cut_line,
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
