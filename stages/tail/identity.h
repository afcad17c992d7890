/* What a file is, whatever it is called: device, inode, and a fingerprint of its beginning. A name moves to another file
 * when a log is rotated, an inode number is used again when its file is gone, and a file that is truncated begins anew:
 * each of these changes one of the three. Thread: any that may wait for a disk; no state. */
#pragma once

#include "core/base.h"

#define PS_TAIL_HEAD_BYTES 1024U /* of the beginning count, at most */

struct ps_tail_identity {
    uint64_t device, inode;
    uint64_t head;        /* fingerprint of the first `head_length` bytes */
    uint32_t head_length; /* 0: nothing is known of the contents; such a head fits every file */
};

/* The fingerprint of these bytes (FNV-1a, 64 bits). */
uint64_t ps_tail_head(const char *bytes, size_t length);

/* The bytes from `offset` on were read: the fingerprint covers more of the beginning if they go on where it ends. */
void ps_tail_identity_extend(struct ps_tail_identity *identity, const char *bytes, size_t length,
                             int64_t offset);

/* Fills in what an open file is. Returns false with errno when it cannot be read, ENOTSUP when it is no regular file.
 * `size_bytes` may be NULL. */
bool ps_tail_identity_read(int fd, struct ps_tail_identity *identity, int64_t *size_bytes);

/* Whether an open file begins as `identity` says; false, too, when it is shorter than that or cannot be read. Device and
 * inode are not looked at: a copy begins like its original. */
bool ps_tail_identity_begins(int fd, const struct ps_tail_identity *identity);

static inline bool ps_tail_identity_is_inode(const struct ps_tail_identity *identity, uint64_t device,
                                             uint64_t inode)
{
    return identity->device == device && identity->inode == inode;
}
