/* What a file is, whatever it is called: device, inode, and a fingerprint of its beginning. A name moves to another file
 * when a log is rotated, an inode number is used again when its file is gone, and a file that is truncated begins anew:
 * each of these changes one of the three. Thread: any that may wait for a disk; no state. */
#pragma once

#include "core/base.h"

#include <sys/types.h>

#define PS_TAIL_HEAD_BYTES 1024U /* of the beginning count, at most */

struct ps_tail_identity {
    uint64_t device, inode;
    uint64_t head;        /* fingerprint of the first `head_length` bytes */
    uint32_t head_length; /* 0: nothing is known of the contents; such a head fits every file */
};

/* The fingerprint of these bytes (FNV-1a, 64 bits). */
uint64_t ps_tail_head(const char *bytes, size_t length);

/* Whether the first bytes of a file begin as `identity` says. */
bool ps_tail_bytes_begin(const struct ps_tail_identity *identity, const char *bytes, size_t length);

/* The bytes from `offset` on were read: the fingerprint covers more of the beginning if they go on where it ends. */
void ps_tail_identity_extend(struct ps_tail_identity *identity, const char *bytes, size_t length,
                             int64_t offset);

/* Fills in what an open file is. Returns false with errno when it cannot be read, ENOTSUP when it is no regular file.
 * `size_bytes` may be NULL. */
bool ps_tail_identity_read(int fd, struct ps_tail_identity *identity, int64_t *size_bytes);

/* Returns when the file was made, in ns since 1970; 0: its file system does not say. Thread: any. */
uint64_t ps_tail_born_ns(int fd);

/* What a look at the bytes of a file says. A file that cannot be read now is no other file: the caller tries again. */
enum ps_tail_seen {
    PS_TAIL_SEEN_OTHER,      /* it has other bytes there, or is shorter */
    PS_TAIL_SEEN_SAME,       /* it has these bytes */
    PS_TAIL_SEEN_UNREADABLE, /* with errno */
};

/* Reads `room` bytes from `offset` on. Returns how many: fewer only if the file ends there. Returns -1 with errno if one of the reads
 * failed. */
ssize_t ps_tail_read_fully(int fd, char *to, size_t room, int64_t offset);

/* Where a file begins that begins with a hole, which ends in the middle of its last block. 0: it has none; -1: it cannot be read. */
int64_t ps_tail_hole_end(int fd);

/* Whether an open file begins as `identity` says. Device and inode are not looked at: a copy begins like its original. */
enum ps_tail_seen ps_tail_identity_begins(int fd, const struct ps_tail_identity *identity);

static inline bool ps_tail_identity_is_inode(const struct ps_tail_identity *identity, uint64_t device,
                                             uint64_t inode)
{
    return identity->device == device && identity->inode == inode;
}
