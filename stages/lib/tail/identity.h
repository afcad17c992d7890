/* The identity of a file, which does not depend on its name: device, inode, and a fingerprint of its beginning. A name
 * moves to another file when a log is rotated, an inode number is used again when its file is gone, and a truncated file
 * starts again at 0: each of these changes one of the three. Thread: any that may wait for a disk; no state. */
#pragma once

#include "core/base.h"

#include <sys/types.h>

#define PS_TAIL_HEAD_BYTES 1024U /* the fingerprint covers at most this much */

struct ps_tail_identity {
    uint64_t device, inode;
    uint64_t head;        /* fingerprint of the first `head_length` bytes */
    uint32_t head_length; /* 0: nothing is known of the contents; an empty fingerprint fits every file */
    uint64_t
        born_ns; /* when the file was made, in ns since 1970; 0: not known. ps_tail_identity_read does not ask for it. */
};

/* Returns the fingerprint of these bytes (FNV-1a, 64 bits). */
uint64_t ps_tail_head(const char *bytes, size_t length);

/* Returns how many of the first bytes of a file the fingerprint covers: what was read of the file, up to `offset`, and whole lines. A line that
 * is not complete counts if there is no other, but never the NULs at its end, since they may be written over. */
size_t ps_tail_head_end(const char *bytes, size_t length, int64_t offset);

/* Returns whether the first bytes of a file have the fingerprint of `identity`. */
bool ps_tail_bytes_begin(const struct ps_tail_identity *identity, const char *bytes, size_t length);

/* Extends the fingerprint by the bytes that were read from `offset` on, if they continue the part that it covers. */
void ps_tail_identity_extend(struct ps_tail_identity *identity, const char *bytes, size_t length,
                             int64_t offset);

/* Fills in the identity and size of an open file. Returns false with errno when it cannot be read, ENOTSUP when it is
 * not a regular file. `size_bytes` may be NULL. */
bool ps_tail_identity_read(int fd, struct ps_tail_identity *identity, int64_t *size_bytes);

/* Returns when the file was created, in ns since 1970, or 0 if its file system does not record that. Thread: any. */
uint64_t ps_tail_born_ns(int fd);
uint64_t ps_tail_path_born_ns(const char *path);

/* The result of comparing the bytes of a file with what is known of them. A file that cannot be read now does not
 * count as another file: the caller tries again. */
enum ps_tail_seen {
    PS_TAIL_SEEN_OTHER,      /* the file has other bytes there, or is shorter */
    PS_TAIL_SEEN_SAME,       /* the file has these bytes */
    PS_TAIL_SEEN_UNREADABLE, /* errno says why */
};

/* Reads `room` bytes from `offset` on. Returns their number, which is less than `room` only if the file ends there. Returns -1 with
 * errno if a read failed. */
ssize_t ps_tail_read_fully(int fd, char *to, size_t room, int64_t offset);

/* Returns where the NULs begin that end at `offset`; `offset` if there are none. Returns 0 also if no other byte is found in the
 * `most_bytes` that are read (holes are not read), -1 if the file cannot be read. */
int64_t ps_tail_nuls_begin(int fd, int64_t offset, int64_t most_bytes);

/* Returns whether an open file has the fingerprint of `identity`. Ignores device and inode, because a copy begins like its original. */
enum ps_tail_seen ps_tail_identity_begins(int fd, const struct ps_tail_identity *identity);

static inline bool ps_tail_identity_is_inode(const struct ps_tail_identity *identity, uint64_t device,
                                             uint64_t inode)
{
    return identity->device == device && identity->inode == inode;
}
