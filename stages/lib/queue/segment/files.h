/* The file system functions that a log on disk uses, as a table: tests replace it by a file layer that loses,
 * tears and reorders unsynced bytes. Every function returns -1 with errno on failure. Thread: the log's. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PS_SEGMENT_DIRECT_BYTES 4096U

struct ps_segment_files {
    /* Opens a file for reading and writing; `create`: creates it, and fails if it exists. Returns a descriptor. Returns -1 with
     * EISDIR for a directory, FIFO or other special file, without opening it, because opening a FIFO waits for its other end. */
    int (*open)(void *argument, const char *path, bool create);
    /* Opens the file again for writes that bypass the page cache. Offset, length and memory must be multiples of
     * PS_SEGMENT_DIRECT_BYTES, or the write fails with EINVAL. Returns -1 if the file system cannot do that. NULL:
     * such writes are not used. */
    int (*open_direct)(void *argument, const char *path);
    int (*close)(void *argument, int fd);
    /* Closes a file whose name was removed; its space may be freed a little later. NULL: `close` is used. */
    void (*discard)(void *argument, int fd);
    /* Like pread and pwrite, but the count is shorter than `length` only at the end of the file. */
    ssize_t (*read)(void *argument, int fd, void *to, size_t length, uint64_t offset);
    ssize_t (*write)(void *argument, int fd, const void *from, size_t length, uint64_t offset);
    /* Announces that these bytes will be read soon, so that the disk can read several pieces at once. Does not
     * wait. NULL: not used. */
    void (*expect)(void *argument, int fd, uint64_t offset, size_t length);
    /* Allocates disk space for the first `length` bytes and makes the file that long; new bytes are zero. */
    int (*allocate)(void *argument, int fd, uint64_t length);
    int64_t (*size)(void *argument, int fd);
    /* Returns the offset of the first written bytes at or after `offset`, or the file's size if the rest was never
     * written and reads as zero. Returns -1 if that cannot be determined. NULL: not used. */
    int64_t (*data)(void *argument, int fd, uint64_t offset);
    /* Makes written bytes durable. After a failure, any of the bytes written since the last success may not be durable. */
    int (*sync)(void *argument, int fd);
    /* Makes the names of created and removed files durable. */
    int (*sync_directory)(void *argument, const char *path);
    /* Returns 0 if the name belongs to the file of `fd`; -1 with ENOENT if the name does not exist, with ESTALE if it
     * belongs to another file. A file without a name is lost when it is closed. NULL: no other program removes files. */
    int (*is_at)(void *argument, int fd, const char *path);
    int (*remove)(void *argument, const char *path);
    /* Calls `name` for each file in the directory. */
    int (*list)(void *argument, const char *path, void (*name)(void *to, const char *name), void *to);
    void *argument;
};

/* Returns true, and sets errno to EISDIR, if the path exists and is not a regular file. */
bool ps_segment_is_other(const char *path);

/* The functions for the machine's file system. */
extern const struct ps_segment_files ps_segment_disk;
/* The functions for a log that is only inspected: files are opened for reading, and changes have no effect. A created file is in memory only. */
extern const struct ps_segment_files ps_segment_disk_read_only;
