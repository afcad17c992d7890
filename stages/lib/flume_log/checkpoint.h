/* The checkpoint of Flume's file channel: the events that were in the channel at one moment. Only parts of the
 * checkpoint have checksums, so the checkpoint is used only if all its parts agree. Waits for the disk. Thread: the
 * caller's. */
#pragma once

#include "core/base.h"

/* An event that was put or taken by an uncommitted transaction. */
struct ps_flume_inflight {
    uint64_t transaction, pointer;
};

struct ps_flume_checkpoint {
    uint64_t order;  /* the checkpoint has no records with a higher order */
    uint64_t *queue; /* pointers, oldest first */
    size_t queue_count;
    struct ps_flume_inflight *puts, *takes;
    size_t put_count, take_count;
};

/* Reads the checkpoint in the directory. Returns NULL, or a constant text with the reason why it cannot be used. Sets *error to
 * errno if one of its files cannot be read, else to 0. */
const char *ps_flume_checkpoint_read(const char *directory, struct ps_flume_checkpoint *checkpoint,
                                     int *error);
void ps_flume_checkpoint_fini(struct ps_flume_checkpoint *checkpoint);
