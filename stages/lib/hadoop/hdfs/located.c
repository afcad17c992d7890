#include "stages/lib/hadoop/hdfs/located.h"

#include <stdlib.h>

/* Returns the packed message; NULL without memory. */
static uint8_t *pack(const ProtobufCMessage *message, size_t *length)
{
    *length = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = malloc(*length + 1);
    if (packed != NULL)
        (void)protobuf_c_message_pack(message, packed);
    return packed;
}

void *ps_hdfs_copy_message(const ProtobufCMessage *message)
{
    size_t length;
    uint8_t *packed = pack(message, &length);
    void *copy = packed != NULL ? protobuf_c_message_unpack(message->descriptor, NULL, length, packed) : NULL;
    free(packed);
    return copy;
}

void ps_hdfs_located_replace(struct ps_hdfs_located *located, PsHadoop__LocatedBlock *block)
{
    if (located->block != NULL)
        ps_hadoop__located_block__free_unpacked(located->block, NULL);
    located->block = block;
}

bool ps_hdfs_located_set(struct ps_hdfs_located *located, const PsHadoop__LocatedBlock *block)
{
    size_t length;
    uint8_t *packed = pack(&block->base, &length);
    if (packed == NULL)
        return false;
    ps_hdfs_located_replace(located, NULL);
    free(located->packed);
    located->packed = packed;
    located->packed_length = length;
    return true;
}

PsHadoop__LocatedBlock *ps_hdfs_located_get(struct ps_hdfs_located *located)
{
    if (located->block == NULL)
        located->block = ps_hadoop__located_block__unpack(NULL, located->packed_length, located->packed);
    return located->block;
}

void ps_hdfs_located_pack(struct ps_hdfs_located *located)
{
    if (located->block != NULL)
        (void)ps_hdfs_located_set(located, located->block);
}

void ps_hdfs_located_free(struct ps_hdfs_located *located)
{
    ps_hdfs_located_replace(located, NULL);
    free(located->packed);
    *located = (struct ps_hdfs_located){.block = NULL};
}
