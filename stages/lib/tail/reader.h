/* Reads files by position without waiting for a disk. Bytes that are in the page cache are read at once, directly into the
 * caller's buffer (preadv2 with RWF_NOWAIT). Other bytes are read by the source's thread in pieces of PS_TAIL_FETCH_BYTES,
 * and copied when they have arrived. On file systems without RWF_NOWAIT (NFS, FUSE) the thread reads everything; on tmpfs
 * it reads nothing.
 *
 * The pieces do not count in the memory budget: there are at most PS_TAIL_FETCHES_MAX for each source. Thread: the
 * owner's. */
#pragma once

#include "stages/lib/tail/identity.h"
#include "stages/lib/tail/thread.h"

#include <sys/types.h>

#define PS_TAIL_FETCH_BYTES (512U * 1024U)
#define PS_TAIL_FETCHES_MAX 16U

struct ps_tail_fetch;

/* An open file. Its owner sets `fd` with ps_tail_file_set. */
struct ps_tail_file {
    int fd; /* -1: not open */
    enum ps_tail_way { PS_TAIL_CACHE, PS_TAIL_MEMORY, PS_TAIL_THREAD } way;
    bool ended; /* the last read reached the end of the file */
    struct ps_tail_fetch *fetch;
};

/* The first bytes of a file, read after other bytes of it. They show whether those other bytes are still of the same file. */
struct ps_tail_beginning {
    size_t want;   /* at most PS_TAIL_HEAD_BYTES */
    size_t length; /* result; less than `want` if the file is shorter */
    char bytes[PS_TAIL_HEAD_BYTES];
};

struct ps_tail_reader {
    struct ps_tail_thread *thread;
    unsigned fetch_count;
    bool crowded; /* a read was refused because there were too many fetches */
};

void ps_tail_reader_init(struct ps_tail_reader *reader, struct ps_tail_thread *thread);

/* Opens a file for reading. Call it on the source's thread, because it may wait for a disk. Returns -1 with errno; ENOTSUP
 * for a FIFO, a terminal and anything else that is not a regular file, without waiting for a writer. */
int ps_tail_open(const char *path);
/* Returns how files on this file system are read. Call it on the source's thread. */
enum ps_tail_way ps_tail_way_of(int fd);

static inline void ps_tail_file_set(struct ps_tail_file *file, int fd, enum ps_tail_way way)
{
    *file = (struct ps_tail_file){.fd = fd, .way = way};
}

/* Reads up to `room` bytes from `offset` on, and returns their number. Fewer bytes than `room` do not mean that the file ends there:
 * file->ended says that. Returns 0 if the file ends at `offset`. Returns -1 with errno: EAGAIN if the thread has been asked for the bytes,
 * or has too many requests; the owner's wake_fd is written when the caller should try again. Any other errno is an error of the file. */
ssize_t ps_tail_read(struct ps_tail_reader *reader, struct ps_tail_file *file, char *to, size_t room,
                     uint64_t offset);

/* Reads like ps_tail_read, and then the first beginning->want bytes of the file. */
ssize_t ps_tail_read_and_begin(struct ps_tail_reader *reader, struct ps_tail_file *file, char *to,
                               size_t room, uint64_t offset, struct ps_tail_beginning *beginning);

/* Returns whether the bytes of the pending fetch have arrived. */
bool ps_tail_file_answered(const struct ps_tail_file *file);

/* Drops bytes that were read ahead, because the file changed. */
void ps_tail_file_forget(struct ps_tail_reader *reader, struct ps_tail_file *file);

/* Closes the file on the thread. */
void ps_tail_file_close(struct ps_tail_reader *reader, struct ps_tail_file *file);
