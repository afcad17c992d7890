/* The checkpoint of Flume's file channel: which events were in it at one moment. It has checksums only in part, so it is used
 * only if everything that it says agrees. Thread: the caller's; blocks on the disk. */
#pragma once

#include "core/base.h"

/* An event that was put or taken by a transaction that had not ended. */
struct ps_flume_inflight {
    uint64_t transaction, pointer;
};

struct ps_flume_checkpoint {
    uint64_t order;  /* records with a higher one are not in it */
    uint64_t *queue; /* pointers, the oldest first */
    size_t queue_count;
    struct ps_flume_inflight *puts, *takes;
    size_t put_count, take_count;
};

/* Reads the checkpoint in the directory. Returns NULL, or why it cannot be used; a constant text. *error: the system does not give
 * one of its files, and says why; 0: it does. */
const char *ps_flume_checkpoint_read(const char *directory, struct ps_flume_checkpoint *checkpoint,
                                     int *error);
void ps_flume_checkpoint_fini(struct ps_flume_checkpoint *checkpoint);
