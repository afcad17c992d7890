#include "stages/lib/tail/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PAGE_BYTES 4096U /* the smallest page size; larger ones are multiples of it */

struct ps_tail_fetch {
    struct ps_tail_job job;
    struct ps_tail_reader *reader;
    int fd;
    uint64_t offset;
    ssize_t length; /* -1: `error` says why */
    int error;
    bool done, orphan; /* orphan: its file was closed or changed */
    ssize_t head_length;
    char head[PS_TAIL_HEAD_BYTES]; /* read after `bytes` */
    char bytes[PS_TAIL_FETCH_BYTES];
};

void ps_tail_reader_init(struct ps_tail_reader *reader, struct ps_tail_thread *thread)
{
    *reader = (struct ps_tail_reader){.thread = thread};
}

/* ---- on the thread ---- */

int ps_tail_open(const char *path)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    int error = fstat(fd, &status) != 0 ? errno : S_ISREG(status.st_mode) ? 0 : ENOTSUP;
    if (error == 0)
        return fd;
    close(fd);
    errno = error;
    return -1;
}

enum ps_tail_way ps_tail_way_of(int fd)
{
    struct statfs status;
    char byte;
    struct iovec to = {&byte, 1};
    if (fstatfs(fd, &status) == 0 &&
        (status.f_type == TMPFS_MAGIC || status.f_type == RAMFS_MAGIC || status.f_type == HUGETLBFS_MAGIC))
        return PS_TAIL_MEMORY;
    if (preadv2(fd, &to, 1, 0, RWF_NOWAIT) >= 0 || errno == EAGAIN)
        return PS_TAIL_CACHE;
    return PS_TAIL_THREAD;
}

static ssize_t read_again(int fd, char *to, size_t room, uint64_t offset, int flags)
{
    struct iovec part = {to, room};
    ssize_t length;
    do
        length = preadv2(fd, &part, 1, (off_t)offset, flags);
    while (length < 0 && errno == EINTR);
    return length;
}

static void fetch_run(struct ps_tail_job *job)
{
    struct ps_tail_fetch *fetch = (struct ps_tail_fetch *)(void *)job;
    fetch->length = read_again(fetch->fd, fetch->bytes, sizeof fetch->bytes, fetch->offset, 0);
    fetch->error = errno;
    fetch->head_length = read_again(fetch->fd, fetch->head, sizeof fetch->head, 0, 0);
    if (fetch->length >= 0 && fetch->head_length < 0) {
        /* Without the file's beginning it is not known which file has these bytes. */
        fetch->error = errno;
        fetch->length = -1;
    }
}

struct closing {
    struct ps_tail_job job;
    int fd;
};

static void close_run(struct ps_tail_job *job)
{
    struct closing *closing = (struct closing *)(void *)job;
    close(closing->fd);
    closing->fd = -1;
}

static void close_discard(struct ps_tail_job *job)
{
    struct closing *closing = (struct closing *)(void *)job;
    if (closing->fd >= 0)
        close(closing->fd);
    free(closing);
}

/* ---- the owner ---- */

static void fetch_free(struct ps_tail_fetch *fetch)
{
    fetch->reader->fetch_count--;
    free(fetch);
}

static void fetch_answer(void *, struct ps_tail_job *job)
{
    struct ps_tail_fetch *fetch = (struct ps_tail_fetch *)(void *)job;
    fetch->done = true;
    if (fetch->orphan)
        fetch_free(fetch);
}

/* Called after the source is closed: nobody uses the reader. */
static void fetch_discard(struct ps_tail_job *job)
{
    free(job);
}

/* Asks the thread for the bytes at `offset`. Returns -1 with errno: ENOMEM or EAGAIN. */
static ssize_t fetch_begin(struct ps_tail_reader *reader, struct ps_tail_file *file, uint64_t offset)
{
    if (reader->fetch_count == PS_TAIL_FETCHES_MAX) {
        reader->crowded = true;
        errno = EAGAIN;
        return -1;
    }
    struct ps_tail_fetch *fetch = malloc(sizeof *fetch);
    if (fetch == NULL)
        return -1;
    fetch->job = (struct ps_tail_job){.run = fetch_run, .answer = fetch_answer, .discard = fetch_discard};
    fetch->reader = reader;
    fetch->fd = file->fd;
    fetch->offset = offset;
    fetch->done = fetch->orphan = false;
    reader->fetch_count++;
    file->fetch = fetch;
    ps_tail_thread_ask(reader->thread, &fetch->job);
    errno = EAGAIN;
    return -1;
}

bool ps_tail_file_answered(const struct ps_tail_file *file)
{
    return file->fetch != NULL && file->fetch->done;
}

void ps_tail_file_forget(struct ps_tail_reader *, struct ps_tail_file *file)
{
    struct ps_tail_fetch *fetch = file->fetch;
    file->fetch = NULL;
    if (fetch == NULL)
        return;
    if (fetch->done)
        fetch_free(fetch);
    else
        fetch->orphan = true;
}

static void fetch_begin_take(const struct ps_tail_fetch *fetch, struct ps_tail_beginning *beginning)
{
    if (beginning == NULL)
        return;
    beginning->length = fetch->head_length > 0 ? (size_t)fetch->head_length : 0;
    if (beginning->length > beginning->want)
        beginning->length = beginning->want;
    memcpy(beginning->bytes, fetch->head, beginning->length);
}

/* Copies bytes that were fetched. Returns false when the fetch does not have these bytes. */
static bool fetch_take(struct ps_tail_reader *reader, struct ps_tail_file *file, char *to, size_t room,
                       uint64_t offset, struct ps_tail_beginning *beginning, ssize_t *length)
{
    const struct ps_tail_fetch *fetch = file->fetch;
    if (fetch->length < 0) {
        int error = fetch->error;
        ps_tail_file_forget(reader, file);
        errno = error;
        *length = -1;
        return true;
    }
    uint64_t end = fetch->offset + (uint64_t)fetch->length;
    if (offset < fetch->offset || (offset >= end && (fetch->length > 0 || offset != end))) {
        ps_tail_file_forget(reader, file);
        return false;
    }
    *length = (ssize_t)(end - offset < room ? end - offset : room);
    memcpy(to, fetch->bytes + (offset - fetch->offset), (size_t)*length);
    fetch_begin_take(fetch, beginning);
    file->ended = offset + (uint64_t)*length == end && fetch->length < (ssize_t)sizeof fetch->bytes;
    if (offset + (uint64_t)*length == end)
        ps_tail_file_forget(reader, file);
    return true;
}

ssize_t ps_tail_read_and_begin(struct ps_tail_reader *reader, struct ps_tail_file *file, char *to,
                               size_t room, uint64_t offset, struct ps_tail_beginning *beginning)
{
    int flags = file->way == PS_TAIL_CACHE ? RWF_NOWAIT : 0;
    ssize_t length;
    file->ended = false;
    if (file->fetch != NULL) {
        if (!file->fetch->done) {
            errno = EAGAIN;
            return -1;
        }
        if (fetch_take(reader, file, to, room, offset, beginning, &length))
            return length;
    }
    if (file->way == PS_TAIL_THREAD)
        return fetch_begin(reader, file, offset);
    length = read_again(file->fd, to, room, offset, flags);
    if (length >= 0 && beginning != NULL) {
        ssize_t head = read_again(file->fd, beginning->bytes, beginning->want, 0, flags);
        beginning->length = head > 0 ? (size_t)head : 0;
        if (head < 0)
            length = -1;
    }
    if (length < 0)
        return errno == EAGAIN && flags != 0 ? fetch_begin(reader, file, offset) : -1;
    /* A short read ends at the end of the file, or before a page that is not in memory. */
    uint64_t end = offset + (uint64_t)length;
    file->ended =
        length == 0 || ((size_t)length < room && (file->way == PS_TAIL_MEMORY || end % PAGE_BYTES != 0));
    return length;
}

ssize_t ps_tail_read(struct ps_tail_reader *reader, struct ps_tail_file *file, char *to, size_t room,
                     uint64_t offset)
{
    return ps_tail_read_and_begin(reader, file, to, room, offset, NULL);
}

void ps_tail_file_close(struct ps_tail_reader *reader, struct ps_tail_file *file)
{
    ps_tail_file_forget(reader, file);
    struct closing *closing = malloc(sizeof *closing);
    if (closing == NULL) { /* there is no memory for a job: the close runs here, and may wait */
        close(file->fd);
    } else {
        *closing = (struct closing){.job = {.run = close_run, .discard = close_discard}, .fd = file->fd};
        ps_tail_thread_ask(reader->thread, &closing->job);
    }
    ps_tail_file_set(file, -1, PS_TAIL_CACHE);
}
