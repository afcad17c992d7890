/* Faults of the disk, as the seed or a scenario draws them: a kind of call fails with an error, for a while. */
#pragma once

#include "tests/world/disk.h"

enum fault_call {
    FAULT_READ,
    FAULT_WRITE,
    FAULT_SYNC,
    FAULT_NAME, /* open, rename, unlink, mkdir */
    FAULT_CALLS,
};

/* While now_ns is in [from_ns, to_ns), calls of this kind on files whose path's last directory begins with `below` fail with this share of
 * 65536. */
struct fault {
    enum fault_call call;
    int error;
    uint32_t share;
    uint64_t from_ns, to_ns;
    struct disk_inode *below; /* a directory; NULL: everywhere */
    uint64_t struck, most;    /* times; most 0: as often as it is asked */
};

#define FAULTS_MAX 32

struct faults {
    struct fault faults[FAULTS_MAX];
    unsigned count;
    uint32_t short_share[FAULT_CALLS]; /* of 65536 reads or writes, how many move less than they could */
};

/* Adds one. Its window and place are the caller's. */
struct fault *fault_add(enum fault_call call, int error, uint32_t share, uint64_t from_ns, uint64_t to_ns);
/* Returns the errno with which this call fails, or 0. */
int fault_strikes(enum fault_call call, const struct disk_inode *inode);
/* Returns a length between 1 and `length`. */
size_t fault_shorten(enum fault_call call, size_t length);
/* Ends all faults. */
void fault_clear(void);
/* Returns how many calls failed since fault_clear. */
uint64_t faults_struck(void);
