/* Finds the bucket of an event: the stage's placer chooses it, or hdfs.path does. */
#include "stages/lib/hadoop/bucket_writer/internal.h"

enum ps_bucket_placed ps_bucket_find(struct ps_bucket_writer *sink, const struct ps_lease *lease,
                                     uint32_t position, struct ps_bucket_name *name, const char **flaw)
{
    const struct ps_bucket_writer_settings *settings = sink->settings;
    if (settings->placer != NULL)
        return settings->placer->find(settings->placer, lease, position, &sink->now, name, flaw);
    enum ps_bucket_flaw kind = ps_bucket_path_of(&settings->bucket_path, &sink->bucket_paths, lease->batch,
                                                 ps_lease_event(lease, position), &sink->now, name);
    *flaw = ps_bucket_flaw_text(kind);
    return kind == PS_BUCKET_FLAW_NONE ? PS_BUCKET_PLACED : PS_BUCKET_UNPLACEABLE;
}
