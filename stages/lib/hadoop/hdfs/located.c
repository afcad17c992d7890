#include "stages/lib/hadoop/hdfs/located.h"

#include <stdlib.h>

void ps_hdfs_located_replace(struct ps_hdfs_located *located, PsHadoop__LocatedBlock *block)
{
    if (located->block != NULL)
        ps_hadoop__located_block__free_unpacked(located->block, NULL);
    located->block = block;
}

bool ps_hdfs_located_set(struct ps_hdfs_located *located, const PsHadoop__LocatedBlock *block)
{
    size_t length = ps_hadoop__located_block__get_packed_size(block);
    uint8_t *packed = malloc(length);
    if (packed == NULL)
        return false;
    ps_hadoop__located_block__pack(block, packed);
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
