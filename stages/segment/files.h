/* What a log on disk asks of the file system, behind a table: tests put a file layer in its place that loses, tears and
 * reorders what was not synced. Every function returns -1 with errno on failure. Thread: the log's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PS_SEGMENT_DIRECT_BYTES 4096U

struct ps_segment_files {
    /* Opens for reading and writing; `create`: makes it, and fails when it is there. Returns a descriptor. -1 with EISDIR: what has
     * that name is no regular file (a directory, a FIFO); it is not opened, so that nobody waits for its other end. */
    int (*open)(void *argument, const char *path, bool create);
    /* Opens it again for writes that pass the page cache: offset, length and memory are multiples of
     * PS_SEGMENT_DIRECT_BYTES, else they fail with EINVAL. Returns a descriptor, or -1: this file system cannot. NULL:
     * never. */
    int (*open_direct)(void *argument, const char *path);
    int (*close)(void *argument, int fd);
    /* Closes a file whose name was removed; its room may become free a little later. NULL: close does. */
    void (*discard)(void *argument, int fd);
    /* As pread and pwrite, but a short count only at the end of the file. */
    ssize_t (*read)(void *argument, int fd, void *to, size_t length, uint64_t offset);
    ssize_t (*write)(void *argument, int fd, const void *from, size_t length, uint64_t offset);
    /* These bytes are read soon: the disk may begin with them while others are asked for. Does not wait. NULL: never. */
    void (*expect)(void *argument, int fd, uint64_t offset, size_t length);
    /* Takes the room of the first `length` bytes on the disk and makes the file as long; new bytes are zero. */
    int (*allocate)(void *argument, int fd, uint64_t length);
    int64_t (*size)(void *argument, int fd);
    /* Returns where the file, from `offset` on, has something that was written; its size: nowhere, the rest is zero. -1:
     * that cannot be said. NULL: never. */
    int64_t (*data)(void *argument, int fd, uint64_t offset);
    /* What was written is on the disk when it returns. After a failure nothing is known of what was written since the
     * last success. */
    int (*sync)(void *argument, int fd);
    /* The same for names: created and removed files. */
    int (*sync_directory)(void *argument, const char *path);
    /* Returns 0 if the file of that name is the one of `fd`; -1 with ENOENT: there is none, with ESTALE: it is another one.
     * What is written to a file without a name is lost when it is closed. NULL: nobody else removes files. */
    int (*is_at)(void *argument, int fd, const char *path);
    int (*remove)(void *argument, const char *path);
    /* Calls `name` for each file in the directory. */
    int (*list)(void *argument, const char *path, void (*name)(void *to, const char *name), void *to);
    void *argument;
};

/* Returns whether this is there and no regular file; then with EISDIR. */
bool ps_segment_is_other(const char *path);

/* The file system of the machine. */
extern const struct ps_segment_files ps_segment_disk;
/* The same for a log that is only looked at: files are opened for reading, and whatever would change one changes nothing. A file
 * that is to be made is in memory. */
extern const struct ps_segment_files ps_segment_disk_read_only;
