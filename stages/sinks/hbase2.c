/* Sink hbase2 (Flume's HBase2Sink): events become puts and increments of a table of HBase. stages/lib/hbase/sink/keys.h has what it
 * shares with hbase and asynchbase. Thread: control. */
#include "stages/lib/hbase/sink/keys.h"

static const struct ps_option options[] = {
    PS_HBASE_OPTION_ROWS("org.apache.flume.sink.hbase2.SimpleHBase2EventSerializer", 0),
    PS_OPTION_END,
};

static enum ps_status check(const void *plan, const struct ps_context *context)
{
    return ps_hbase_check(plan, context, false);
}

static enum ps_status build(void *plan, struct ps_context *context, struct ps_err *err)
{
    return ps_hbase_build(plan, context, err, false);
}

const struct ps_stage_ops ps_sink_hbase2 = {
    PS_STAGE(PS_KIND_SINK),
    .name = "hbase2",
    .aliases = PS_WORDS("org.apache.flume.sink.hbase2.HBase2Sink"),
    .summary = "puts and increments of a table of HBase, with the keys of Flume's HBase2Sink",
    .options = options,
    PS_HBASE_STAGE,
};
