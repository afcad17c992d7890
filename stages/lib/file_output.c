/* See file_output.h. */
#include "stages/lib/file_output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES (256U * 1024U)
#define COPY_BYTES_MAX 1024U /* copying a piece up to this size is cheaper than one more iovec */
#define GATHERED_BYTES_MAX (1024U * 1024U)

/* Cuts the last `torn` bytes off the file. */
static bool cut_torn(struct ps_file_output *output)
{
    struct stat facts;
    if (output->torn == 0)
        return true;
    if (fstat(output->fd, &facts) != 0)
        return false;
    off_t left = facts.st_size > (off_t)output->torn ? facts.st_size - (off_t)output->torn : 0;
    if (ftruncate(output->fd, left) != 0)
        return false;
    output->length = (uint64_t)left;
    output->torn = 0;
    return true;
}

/* On a slow file system a write to the page cache may wait for the disk: the caller counts that. */
static ssize_t write_some(struct ps_file_output *output, const struct iovec *pieces, int count)
{
    uint64_t began_ns = ps_clock_now().mono_ns;
    ssize_t written = writev(output->fd, pieces, count);
    int error = errno;
    uint64_t took_ns = ps_clock_now().mono_ns - began_ns;
    output->longest_ns = took_ns > output->longest_ns ? took_ns : output->longest_ns;
    errno = error;
    return written;
}

/* Appends the gathered pieces, with as many calls as needed. */
static bool drain(struct ps_file_output *output)
{
    if (!cut_torn(output)) {
        output->error = errno;
        output->failed = true;
        return false;
    }
    struct iovec *piece = output->pieces;
    int count = output->piece_count;
    while (count > 0) {
        ssize_t written = write_some(output, piece, count);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0) {
            output->error = written < 0 ? errno : EIO;
            output->failed = true;
            return false;
        }
        output->written += (uint64_t)written;
        output->length += (uint64_t)written;
        size_t rest = (size_t)written;
        while (count > 0 && rest >= piece->iov_len) {
            rest -= piece->iov_len;
            piece++;
            count--;
        }
        if (count > 0) {
            piece->iov_base = (char *)piece->iov_base + rest;
            piece->iov_len -= rest;
        }
    }
    output->piece_count = 0;
    output->piece_bytes = 0;
    output->used = 0;
    return true;
}

static bool add_piece(struct ps_file_output *output, const char *data, size_t length)
{
    struct iovec *last = output->piece_count > 0 ? &output->pieces[output->piece_count - 1] : NULL;
    if (last != NULL && (char *)last->iov_base + last->iov_len == data) {
        last->iov_len += length;
    } else {
        if (output->piece_count == PS_FILE_OUTPUT_PIECES && !drain(output))
            return false;
        output->pieces[output->piece_count++] =
            (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = length};
    }
    output->piece_bytes += length;
    return output->piece_bytes < GATHERED_BYTES_MAX || drain(output);
}

static bool file_write(struct ps_output *base, const void *data_, size_t length)
{
    struct ps_file_output *output = (struct ps_file_output *)base;
    const char *data = data_;
    if (output->failed)
        return false;
    if (length > COPY_BYTES_MAX && data == output->lasting && length == output->lasting_length)
        return add_piece(output, data, length);
    while (length > 0) {
        /* Drain before the copy: if add_piece drained after it, it would reset `used` and lose this part. */
        if ((output->used == BUFFER_BYTES || output->piece_count == PS_FILE_OUTPUT_PIECES) && !drain(output))
            return false;
        size_t part = BUFFER_BYTES - output->used < length ? BUFFER_BYTES - output->used : length;
        char *to = output->buffer + output->used;
        memcpy(to, data, part);
        output->used += part;
        data += part;
        length -= part;
        if (!add_piece(output, to, part))
            return false;
    }
    return true;
}

bool ps_file_output_init(struct ps_file_output *output)
{
    *output = (struct ps_file_output){.output = {.write = file_write}, .fd = -1};
    output->buffer = malloc(BUFFER_BYTES);
    return output->buffer != NULL;
}

void ps_file_output_fini(struct ps_file_output *output)
{
    free(output->buffer);
    output->buffer = NULL;
}

void ps_file_output_begin(struct ps_file_output *output, int fd)
{
    output->fd = fd;
    output->failed = false;
    output->written = output->torn = output->length = 0;
    output->used = output->piece_bytes = 0;
    output->piece_count = 0;
    output->lasting = NULL;
}

bool ps_file_output_commit(struct ps_file_output *output)
{
    output->lasting = NULL;
    if (output->failed || !drain(output))
        return false;
    output->written = 0;
    return true;
}

void ps_file_output_undo(struct ps_file_output *output)
{
    output->torn += output->written;
    output->written = 0;
    if (!cut_torn(output)) /* the next write tries again */
        output->error = errno;
    output->used = output->piece_bytes = 0;
    output->piece_count = 0;
    output->lasting = NULL;
    output->failed = false;
}

static bool discard_write(struct ps_output *, const void *, size_t)
{
    return true;
}

struct ps_output ps_file_output_discard(void)
{
    return (struct ps_output){.write = discard_write};
}
