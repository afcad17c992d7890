/* Finds the bucket of an event: the placer of the stage says it, or hdfs.path. */
#include "stages/lib/hadoop/bucket_writer/internal.h"

enum ps_hdfs_placed ps_hdfs_find_place(struct ps_hdfs_sink *sink, const struct ps_lease *lease,
                                       uint32_t position, struct ps_hdfs_bucket_name *name, const char **flaw)
{
    const struct ps_hdfs_settings *settings = sink->settings;
    if (settings->placer != NULL)
        return settings->placer->place(settings->placer, lease, position, &sink->now, name, flaw);
    enum ps_hdfs_flaw kind = ps_bucket_path_of(&settings->place, &sink->places, lease->batch,
                                               ps_lease_event(lease, position), &sink->now, name);
    *flaw = ps_hdfs_flaw_text(kind);
    return kind == PS_HDFS_FLAW_NONE ? PS_HDFS_PLACED : PS_HDFS_UNPLACEABLE;
}
