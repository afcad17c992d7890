/* Reads files by position without waiting for a disk. What the page cache has is read at once, straight to where the caller
 * wants it (preadv2 with RWF_NOWAIT); the rest is read by the source's thread, in pieces of PS_TAIL_FETCH_BYTES, and copied
 * when it is there. File systems that cannot say what is in memory (NFS, FUSE) are always read by the thread; those that
 * are memory (tmpfs) never.
 *
 * The pieces are no part of the memory budget: at most PS_TAIL_FETCHES_MAX for each source. Thread: the owner's. */
#pragma once

#include "stages/tail/identity.h"
#include "stages/tail/thread.h"

#include <sys/types.h>

#define PS_TAIL_FETCH_BYTES (512U * 1024U)
#define PS_TAIL_FETCHES_MAX 16U

struct ps_tail_fetch;
struct ps_tail_text;

/* An open file. Its owner sets `fd` with ps_tail_file_set. */
struct ps_tail_file {
    int fd; /* -1: not open */
    enum ps_tail_way { PS_TAIL_CACHE, PS_TAIL_MEMORY, PS_TAIL_THREAD } way;
    bool ended; /* the last read surely reached the end of the file */
    struct ps_tail_fetch *fetch;
    /* What is read is the text of the compressed file, by positions of the text (text.h), always by the thread; NULL: the file. Held. */
    struct ps_tail_text *text;
};

/* The first bytes of a file, read after others of it: what these others are of. */
struct ps_tail_beginning {
    size_t want;   /* at most PS_TAIL_HEAD_BYTES */
    size_t length; /* the answer; less than `want`: the file is shorter */
    char bytes[PS_TAIL_HEAD_BYTES];
};

struct ps_tail_reader {
    struct ps_tail_thread *thread;
    unsigned fetch_count;
    bool crowded; /* a read was turned away because there were too many fetches */
};

void ps_tail_reader_init(struct ps_tail_reader *reader, struct ps_tail_thread *thread);

/* Opens a file for reading; on the source's thread, because it may wait. Never waits for a FIFO or a terminal, and does not
 * open those: ENOTSUP. Returns -1 with errno. */
int ps_tail_open(const char *path);
/* How a file on this file system is read. On the source's thread. */
enum ps_tail_way ps_tail_way_of(int fd);

static inline void ps_tail_file_set(struct ps_tail_file *file, int fd, enum ps_tail_way way)
{
    *file = (struct ps_tail_file){.fd = fd, .way = way};
}

/* Reads up to `room` bytes from `offset` on. Returns how many; fewer than `room` do not mean that there are no more, but file->ended does. 0: the
 * file ends here. -1: errno is EAGAIN when the thread was asked for them, or is busy with too many: the owner's wake_fd is
 * written when it is worth another try. Any other errno is the file's. */
ssize_t ps_tail_read(struct ps_tail_reader *reader, struct ps_tail_file *file, char *to, size_t room,
                     uint64_t offset);

/* The same, and then the first beginning->want bytes. */
ssize_t ps_tail_read_and_begin(struct ps_tail_reader *reader, struct ps_tail_file *file, char *to,
                               size_t room, uint64_t offset, struct ps_tail_beginning *beginning);

/* Whether what was asked for is there. */
bool ps_tail_file_answered(const struct ps_tail_file *file);

/* Forgets what was read ahead: the file changed. */
void ps_tail_file_forget(struct ps_tail_reader *reader, struct ps_tail_file *file);

/* Closes it, on the thread. */
void ps_tail_file_close(struct ps_tail_reader *reader, struct ps_tail_file *file);
