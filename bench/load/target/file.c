/* Target file: appends lines to a file and rotates the file when it reaches its size, as loggers and
 * logrotate do. It tests agents that tail such a file.
 *
 *   rotate=rename        PATH becomes PATH.1, PATH.1 becomes PATH.2 .., a new PATH is made
 *   rotate=copytruncate  PATH is copied to PATH.1 and truncated. The copy is complete, since the target does
 *                        not write meanwhile, but a reader that has not read to the end in time loses the rest
 *   rotate=none          PATH grows
 *
 * A file is rotated between two events, before the one that would make it larger than `size`. An event is
 * completed when the kernel has accepted it (fsync=true: when the disk has it). A full disk is an outage;
 * writing then continues where it stopped, even within a line.
 *
 * Thread: the lane's sender; plan and unplan: the main thread. Writing, copying and syncing a file block; the
 * one lane has its own sender. */
#include "bench/load/lane/block_queue.h"
#include "bench/load/target/keys.h"
#include "bench/load/targets.h"
#include "core/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SIZE_BYTES (UINT64_C(100) << 20)
#define KEEP 5U
#define KEEP_MAX 1000U
#define SUFFIX_BYTES 16U
#define COPY_BYTES (1U << 20)              /* per read */
#define WORK_BYTES_MAX (UINT64_C(1) << 20) /* per call of work */

enum rotate { ROTATE_NONE, ROTATE_RENAME, ROTATE_COPYTRUNCATE };

struct file_plan {
    const char *path;
    unsigned rotate;
    uint64_t size_bytes, keep;
    bool fsync;
};

struct file_target {
    struct ps_block_queue queue; /* must be first */
    const struct file_plan *plan;
    int fd; /* -1: not open */
    bool up;
    bool rotating; /* a rotation began and did not finish */
    unsigned failures;
    uint64_t resume_ns;
    uint64_t size_bytes; /* of the file */
    char *old, *older;   /* buffers for names with a suffix */
};

static enum ps_status file_plan(void *made, struct ps_url *url, enum ps_framing *, struct ps_err *err)
{
    struct file_plan *plan = made;
    static const char *const words[] = {"none", "rename", "copytruncate", NULL};
    struct stat status;
    plan->size_bytes = SIZE_BYTES;
    plan->keep = KEEP;
    if (*url->host != '\0')
        return ps_err_set(err, "file://%s: write file:///PATH, with three slashes", url->hosts);
    if (*url->path == '\0')
        return ps_err_set(err, "write file:///PATH");
    if (ps_target_key_word(url, "rotate", words, &plan->rotate, err) != PS_OK ||
        ps_target_key_bytes(url, "size", &plan->size_bytes, err) != PS_OK ||
        ps_target_key_count(url, "keep", 1, KEEP_MAX, &plan->keep, err) != PS_OK ||
        ps_target_key_bool(url, "fsync", &plan->fsync, err) != PS_OK)
        return PS_FAIL;
    if (plan->size_bytes == 0)
        return ps_err_set(err, "size=0 is too small: a file must hold at least one event");
    if (stat(url->path, &status) == 0 && !S_ISREG(status.st_mode) && plan->rotate != ROTATE_NONE)
        return ps_err_set(err, "%s is not a regular file: it cannot be rotated", url->path);
    plan->path = url->path;
    return PS_OK;
}

static void file_close(void *state)
{
    struct file_target *file = state;
    if (file->fd >= 0)
        close(file->fd);
    free(file->old);
    free(file->older);
}

static enum ps_status file_open(void *state, const void *plan, struct ps_lane *lane, struct ps_err *)
{
    struct file_target *file = state;
    file->plan = plan;
    file->fd = -1;
    ps_block_queue_init(&file->queue, lane);
    size_t room = strlen(file->plan->path) + SUFFIX_BYTES;
    file->old = ps_must_alloc(1, room, "a file's name");
    file->older = ps_must_alloc(1, room, "a file's name");
    return PS_OK;
}

/* ---- the file ---- */

static void note_error(struct file_target *file, const char *what, uint64_t now_ns)
{
    char reason[256];
    snprintf(reason, sizeof reason, "%s: %s", what, strerror(errno));
    file->up = false;
    file->resume_ns = ps_lane_retry_at(file->queue.lane, file->failures++, now_ns);
    ps_lane_down(file->queue.lane, now_ns, reason);
}

static bool open_file(struct file_target *file, uint64_t now_ns)
{
    struct stat status;
    file->fd = open(file->plan->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (file->fd < 0 || fstat(file->fd, &status) != 0) {
        note_error(file, file->plan->path, now_ns);
        return false;
    }
    file->size_bytes = S_ISREG(status.st_mode) ? (uint64_t)status.st_size : 0;
    return true;
}

static void name_set(const struct file_target *file, char *name, uint64_t number)
{
    size_t room = strlen(file->plan->path) + SUFFIX_BYTES;
    if (number == 0)
        snprintf(name, room, "%s", file->plan->path);
    else
        snprintf(name, room, "%s.%u", file->plan->path, (unsigned)number);
}

/* Renames PATH.N to PATH.(N+1), for each N from keep - 1 down to `lowest`. */
static bool shift(struct file_target *file, uint64_t lowest)
{
    for (uint64_t number = file->plan->keep; number-- > lowest;) {
        name_set(file, file->old, number);
        name_set(file, file->older, number + 1);
        if (rename(file->old, file->older) != 0 && errno != ENOENT)
            return false;
    }
    return true;
}

static bool copy_all(int from, int to)
{
    char *buffer = malloc(COPY_BYTES);
    ssize_t got = buffer != NULL ? 1 : -1;
    while (got > 0 && (got = read(from, buffer, COPY_BYTES)) > 0) {
        for (ssize_t done = 0; done < got;) {
            ssize_t put = write(to, buffer + done, (size_t)(got - done));
            if (put < 0 && errno != EINTR) {
                got = -1;
                break;
            }
            done += put > 0 ? put : 0;
        }
    }
    int error = errno;
    free(buffer);
    errno = error;
    return got == 0;
}

static bool copy_and_cut(struct file_target *file)
{
    name_set(file, file->old, 1);
    int from = open(file->plan->path, O_RDONLY | O_CLOEXEC);
    int to = open(file->old, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool good = from >= 0 && to >= 0 && copy_all(from, to) && ftruncate(file->fd, 0) == 0;
    int error = errno;
    if (from >= 0)
        close(from);
    if (to >= 0)
        close(to);
    errno = error;
    file->size_bytes = good ? 0 : file->size_bytes;
    return good;
}

/* Rotates the file. Returns false after an error; the rotation will be tried again. */
static bool rotate(struct file_target *file, uint64_t now_ns)
{
    bool copy = file->plan->rotate == ROTATE_COPYTRUNCATE;
    /* After a failed copy PATH.1 is incomplete, so it is overwritten and not kept. */
    bool shifted = copy && file->rotating;
    file->rotating = true;
    if (!shifted && !shift(file, copy ? 1 : 0)) {
        file->rotating = false; /* next time from the beginning */
        note_error(file, "rotating", now_ns);
        return false;
    }
    if (copy && !copy_and_cut(file)) {
        note_error(file, "copying to rotate", now_ns);
        return false;
    }
    file->rotating = false;
    if (copy)
        return true;
    close(file->fd);
    file->fd = -1;
    return open_file(file, now_ns);
}

/* ---- writing ---- */

/* Returns the offset in the block up to which the file may be written before it reaches its size; 0: rotate
 * first. */
static uint32_t write_end(const struct file_target *file, const struct ps_load_block *block)
{
    uint32_t last = block->ends[block->count - 1];
    uint32_t event = file->queue.next_event;
    if (file->plan->rotate == ROTATE_NONE ||
        file->size_bytes + (last - block->cursor) <= file->plan->size_bytes)
        return last;
    /* The rest of a line that was partly written. */
    uint32_t end = block->cursor > ps_block_begin(block, event) ? block->ends[event++] : 0;
    while (event < block->count &&
           file->size_bytes + (block->ends[event] - block->cursor) <= file->plan->size_bytes)
        end = block->ends[event++];
    if (end == 0 && file->size_bytes == 0) /* the file is empty, and the event is larger than the limit */
        end = block->ends[event];
    return end;
}

static void written(struct file_target *file, struct ps_load_block *block, uint32_t bytes)
{
    uint32_t first = file->queue.next_event, event = first;
    block->cursor += bytes;
    file->size_bytes += bytes;
    while (event < block->count && block->ends[event] <= block->cursor)
        event++;
    if (event > first)
        ps_block_queue_advance(&file->queue, event - first);
}

/* Completes the written events, after syncing them if fsync is set. */
static bool settle(struct file_target *file, uint64_t now_ns)
{
    if (file->queue.in_flight == 0)
        return true;
    if (file->plan->fsync && fdatasync(file->fd) != 0 && errno != EINVAL) { /* EINVAL: a pipe */
        note_error(file, "syncing", now_ns);
        return false;
    }
    now_ns = ps_lane_now(file->queue.lane);
    file->failures = 0;
    if (!file->up)
        ps_lane_up(file->queue.lane, now_ns);
    file->up = true;
    ps_block_queue_complete(&file->queue, file->queue.in_flight, now_ns);
    return true;
}

/* Writes some of the next block. Returns false after an error. */
static bool write_some(struct file_target *file, uint64_t now_ns)
{
    struct ps_load_block *block = file->queue.next;
    uint32_t end = write_end(file, block);
    if (end == 0)
        return settle(file, now_ns) && rotate(file, now_ns);
    ssize_t bytes = write(file->fd, block->bytes + block->cursor, end - block->cursor);
    if (bytes < 0 && errno == EINTR)
        return true;
    if (bytes < 0) {
        int error = errno;
        if (settle(file, now_ns)) {
            errno = error;
            note_error(file, "writing", now_ns);
        }
        return false;
    }
    written(file, block, (uint32_t)bytes);
    return true;
}

static uint64_t file_work(void *state, uint64_t now_ns)
{
    struct file_target *file = state;
    uint64_t bytes = 0;
    if (now_ns < file->resume_ns)
        return file->resume_ns;
    if (file->fd < 0 && !open_file(file, now_ns))
        return file->resume_ns;
    if (!file->up && file->failures == 0) {
        file->up = true;
        ps_lane_up(file->queue.lane, now_ns);
    }
    bool good = true;
    while (good && file->queue.next != NULL && bytes < WORK_BYTES_MAX) {
        uint64_t before = file->size_bytes;
        good = write_some(file, now_ns);
        bytes += file->size_bytes > before ? file->size_bytes - before : 0;
    }
    if (good)
        settle(file, now_ns);
    if (now_ns < file->resume_ns)
        return file->resume_ns;
    return file->queue.next != NULL ? now_ns : PS_NEVER;
}

static int file_descriptor(void *, short *events)
{
    *events = 0;
    return -1;
}

const struct ps_target_ops ps_target_file = {
    .scheme = "file",
    .summary =
        "file:///PATH?rotate=none|rename|copytruncate&size=100MiB&keep=5&fsync=false: lines appended to a "
        "file, rotated",
    .framing = PS_FRAMING_NEWLINE,
    .completion = PS_COMPLETION_WRITTEN,
    .blocks_max = 4,
    .one_lane = true,
    .plan_bytes = sizeof(struct file_plan),
    .state_bytes = sizeof(struct file_target),
    .plan = file_plan,
    .open = file_open,
    .give = ps_block_queue_give,
    .work = file_work,
    .descriptor = file_descriptor,
    .finish = ps_block_queue_finish,
    .close = file_close,
};
