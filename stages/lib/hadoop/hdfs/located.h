/* A located block of the namenode. It is kept in packed form while its pipeline runs, because the packed form needs a
 * third of the memory. A zeroed struct has no block. Thread: the owner's. */
#pragma once

#include "core/base.h"
#include "stages/lib/hadoop/hdfs/namenode.h"

struct ps_hdfs_located {
    PsHadoop__LocatedBlock *block; /* unpacked, with its datanodes; NULL while it is packed */
    uint8_t *packed;
    size_t packed_length;
};

/* Returns a copy of a message, which the caller frees as an unpacked one; NULL without memory. */
void *ps_hdfs_copy_message(const ProtobufCMessage *message);

/* Takes a packed copy. Without memory it returns false, and keeps the previous block. */
bool ps_hdfs_located_set(struct ps_hdfs_located *located, const PsHadoop__LocatedBlock *block);
/* Takes over an unpacked block in place of the present one. */
void ps_hdfs_located_replace(struct ps_hdfs_located *located, PsHadoop__LocatedBlock *block);
/* Unpacks the block, and returns it; NULL without memory. */
PsHadoop__LocatedBlock *ps_hdfs_located_get(struct ps_hdfs_located *located);
/* Packs the block. Without memory it stays unpacked. */
void ps_hdfs_located_pack(struct ps_hdfs_located *located);
void ps_hdfs_located_free(struct ps_hdfs_located *located);
