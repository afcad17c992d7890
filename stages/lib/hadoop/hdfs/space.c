/* Measures the free space of the file system for check --probe. */
#include "stages/lib/hadoop/hdfs/internal.h"

static void measured(struct ps_namenode_call *rpc, const struct ps_namenode_answer *answer)
{
    struct ps_hdfs *hdfs = rpc->argument;
    struct ps_file_answer outcome = {.error = answer->error, .reason = answer->reason};
    struct ps_file_space space = {.block_bytes = hdfs->block_size_bytes, .replication = hdfs->replication};
    if (answer->error == PS_FILE_OK) {
        space.capacity_bytes = answer->stats->capacity;
        space.remaining_bytes = answer->stats->remaining;
        outcome.space = &space;
    }
    hdfs->filesystem.under_way--;
    hdfs->space_done(hdfs->space_argument, &outcome);
}

void ps_hdfs_measure(struct ps_filesystem *filesystem, ps_file_done *done, void *argument)
{
    struct ps_hdfs *hdfs = (struct ps_hdfs *)filesystem;
    hdfs->space_done = done;
    hdfs->space_argument = argument;
    hdfs->space_call.argument = hdfs;
    filesystem->under_way++;
    ps_namenode_get_fs_stats(hdfs->namenode, &hdfs->space_call, measured);
}
