#include "tests/world/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/world/fault.h"
#include "tests/world/real.h"
#include "tests/world/turn.h"

static struct {
    struct description *open;
    bool close_on_exec;
} table[DESCRIPTORS_MAX];

long descriptor_result(long result)
{
    if (result >= 0)
        return result;
    errno = (int)-result;
    return -1;
}

int descriptor_share(struct description *open, int least, bool close_on_exec)
{
    for (int fd = least; fd < DESCRIPTORS_MAX; fd++) {
        if (table[fd].open != NULL)
            continue;
        table[fd].open = open;
        table[fd].close_on_exec = close_on_exec;
        open->references++;
        return fd;
    }
    return -EMFILE;
}

int descriptor_open(const struct description_kind *kind, void *state, int flags, bool close_on_exec,
                    struct description **made)
{
    int error = kind != &kind_null && kind != &kind_output ? fault_strikes(FAULT_DESCRIPTOR, NULL) : 0;
    if (error != 0)
        return -error;
    struct description *open = calloc(1, sizeof *open);
    *open = (struct description){.kind = kind, .state = state, .flags = flags};
    int fd = descriptor_share(open, 0, close_on_exec);
    if (fd < 0)
        free(open);
    else if (made != NULL)
        *made = open;
    return fd;
}

struct description *descriptor_get(int fd)
{
    return fd >= 0 && fd < DESCRIPTORS_MAX ? table[fd].open : NULL;
}

bool *descriptor_close_on_exec(int fd)
{
    return &table[fd].close_on_exec;
}

unsigned descriptors_open(void)
{
    unsigned count = 0;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
        count += table[fd].open != NULL;
    return count;
}

int descriptor_close(int fd)
{
    struct description *open = descriptor_get(fd);
    if (open == NULL)
        return -EBADF;
    table[fd].open = NULL;
    if (--open->references > 0)
        return 0;
    descriptor_forget(open);
    if (open->kind->close != NULL)
        open->kind->close(open);
    if (open->inode != NULL)
        open->inode->opens--;
    free(open->path);
    free(open);
    return 0;
}

void descriptor_changed(struct description *open)
{
    open->edges++;
    turn_wake(&turn_io, TURN_THREADS_MAX);
}

/* ---- kinds ---- */

static short always(struct description *open)
{
    (void)open;
    return POLLIN | POLLOUT;
}

static ssize_t read_file(struct description *open, void *to, size_t length)
{
    int error = fault_strikes(FAULT_READ, open->inode);
    if (error != 0)
        return -error;
    size_t got = disk_read(open->inode, open->offset, to, fault_shorten(FAULT_READ, length));
    open->offset += got;
    return (ssize_t)got;
}

static ssize_t write_file(struct description *open, const void *from, size_t length)
{
    if ((open->flags & O_ACCMODE) == O_RDONLY)
        return -EBADF;
    int error = fault_strikes(FAULT_WRITE, open->inode);
    if (error != 0)
        return -error;
    if ((open->flags & O_APPEND) != 0)
        open->offset = open->inode->now.size;
    size_t written;
    error = disk_write(open->inode, open->offset, from, fault_shorten(FAULT_WRITE, length), &written);
    if (error != 0)
        return -error;
    open->offset += written;
    return (ssize_t)written;
}

static ssize_t is_directory(struct description *open, void *to, size_t length)
{
    (void)open, (void)to, (void)length;
    return -EISDIR;
}

static ssize_t read_nothing(struct description *open, void *to, size_t length)
{
    (void)open, (void)to, (void)length;
    return 0;
}

static ssize_t swallow(struct description *open, const void *from, size_t length)
{
    (void)open, (void)from;
    return (ssize_t)length;
}

static ssize_t read_random(struct description *open, void *to, size_t length)
{
    (void)open;
    for (size_t i = 0; i < length; i++)
        ((unsigned char *)to)[i] = (unsigned char)world_draw();
    return (ssize_t)length;
}

static ssize_t print(struct description *open, const void *from, size_t length)
{
    (void)open;
    size_t room = sizeof world->output - world->output_length, part = length < room ? length : room;
    memcpy(world->output + world->output_length, from, part);
    world->output_length += part;
    return (ssize_t)length;
}

static int real_of(struct description *open)
{
    return (int)(intptr_t)open->state;
}

static ssize_t read_real(struct description *open, void *to, size_t length)
{
    return real_call(SYS_read, real_of(open), (long)to, (long)length, 0, 0, 0);
}

static void close_real(struct description *open)
{
    real_call(SYS_close, real_of(open), 0, 0, 0, 0, 0);
}

const struct description_kind kind_file = {"file", read_file, write_file, always, NULL, 0};
const struct description_kind kind_directory = {"directory", is_directory, NULL, always, NULL, 0};
const struct description_kind kind_null = {"null", read_nothing, swallow, always, NULL, S_IFCHR | 0666};
const struct description_kind kind_random = {"random", read_random, swallow, always, NULL, S_IFCHR | 0666};
const struct description_kind kind_output = {"output", read_nothing, print, always, NULL, S_IFIFO | 0600};
const struct description_kind kind_real = {"real", read_real, NULL, always, close_real, 0};

int descriptor_real(int fd)
{
    struct description *open = descriptor_get(fd);
    return open != NULL && open->kind == &kind_real ? real_of(open) : -1;
}

int descriptor_open_real(const char *path, int flags)
{
    long real =
        real_call(SYS_openat, AT_FDCWD, (long)path, (flags & ~O_ACCMODE) | O_RDONLY | O_CLOEXEC, 0, 0, 0);
    if (real < 0)
        return (int)real;
    return descriptor_open(&kind_real, (void *)(intptr_t)real, flags, true, NULL);
}

void descriptors_begin(void)
{
    memset(table, 0, sizeof table);
    descriptor_open(&kind_null, NULL, O_RDONLY, false, NULL);
    struct description *output;
    descriptor_open(&kind_output, NULL, O_WRONLY, false, &output);
    descriptor_share(output, 0, false);
}
