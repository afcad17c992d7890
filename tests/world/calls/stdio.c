#include "tests/world/stdio.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/world/descriptor.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

#define STREAMS_MAX 256

struct stream {
    FILE *file;
    int fd;
};

static struct stream streams[STREAMS_MAX];

static ssize_t stream_read(void *cookie, char *to, size_t length)
{
    struct stream *stream = cookie;
    turn_hold();
    ssize_t got = read(stream->fd, to, length);
    turn_release();
    return got;
}

/* libc takes 0 for an error. */
static ssize_t stream_write(void *cookie, const char *from, size_t length)
{
    struct stream *stream = cookie;
    turn_hold();
    size_t done = 0;
    while (done < length) {
        ssize_t part = write(stream->fd, from + done, length - done);
        if (part < 0)
            break;
        done += (size_t)part;
    }
    turn_release();
    return (ssize_t)done;
}

static int stream_seek(void *cookie, off64_t *offset, int whence)
{
    struct stream *stream = cookie;
    turn_hold();
    off_t at = lseek(stream->fd, *offset, whence);
    turn_release();
    if (at < 0)
        return -1;
    *offset = at;
    return 0;
}

static int stream_close(void *cookie)
{
    struct stream *stream = cookie;
    turn_hold();
    int result = close(stream->fd);
    turn_release();
    stream->file = NULL;
    return result;
}

static FILE *open_stream(int fd, const char *mode)
{
    struct stream *stream = streams;
    while (stream < streams + STREAMS_MAX && stream->file != NULL)
        stream++;
    if (stream == streams + STREAMS_MAX) {
        errno = EMFILE;
        return NULL;
    }
    stream->fd = fd;
    char plain[4] = {mode[0], strchr(mode, '+') != NULL ? '+' : 0};
    stream->file = fopencookie(stream, plain,
                               (cookie_io_functions_t){stream_read, stream_write, stream_seek, stream_close});
    return stream->file;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    if (!turn_is_ours()) {
        REAL(fopen);
        return real_fopen(path, mode);
    }
    int flags = strchr(mode, '+') != NULL ? O_RDWR : mode[0] == 'r' ? O_RDONLY : O_WRONLY;
    flags |= mode[0] == 'w' ? O_CREAT | O_TRUNC : mode[0] == 'a' ? O_CREAT | O_APPEND : 0;
    flags |= strchr(mode, 'x') != NULL ? O_EXCL : 0;
    int fd = open(path, flags | O_CLOEXEC, 0666);
    return fd < 0 ? NULL : open_stream(fd, mode);
}

FILE *fopen64(const char *restrict path, const char *restrict mode)
{
    return fopen(path, mode);
}

FILE *fdopen(int fd, const char *mode)
{
    if (!turn_is_ours()) {
        REAL(fdopen);
        return real_fdopen(fd, mode);
    }
    if (descriptor_get(fd) == NULL) {
        errno = EBADF;
        return NULL;
    }
    return open_stream(fd, mode);
}

int fileno(FILE *file)
{
    for (struct stream *stream = streams; stream < streams + STREAMS_MAX; stream++)
        if (stream->file == file)
            return stream->fd;
    REAL(fileno);
    return real_fileno(file);
}

int fileno_unlocked(FILE *file)
{
    return fileno(file);
}

static int print(int fd, const char *format, va_list arguments)
{
    char *text;
    int length = vasprintf(&text, format, arguments);
    if (length < 0)
        return length;
    ssize_t done = write(fd, text, (size_t)length);
    free(text);
    return done < 0 ? -1 : length;
}

int dprintf(int fd, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = print(fd, format, arguments);
    va_end(arguments);
    return length;
}

int __dprintf_chk(int fd, int flag, const char *format, ...);
int __dprintf_chk(int fd, int flag, const char *format, ...)
{
    (void)flag;
    va_list arguments;
    va_start(arguments, format);
    int length = print(fd, format, arguments);
    va_end(arguments);
    return length;
}

int vdprintf(int fd, const char *restrict format, va_list arguments)
{
    return print(fd, format, arguments);
}

void stdio_begin(void)
{
    memset(streams, 0, sizeof streams);
    stdin = open_stream(0, "r");
    stdout = open_stream(1, "w");
    stderr = open_stream(2, "w");
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    setvbuf(stderr, NULL, _IONBF, 0);
}
