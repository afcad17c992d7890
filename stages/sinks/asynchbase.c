/* Sink asynchbase (Flume's AsyncHBaseSink): events become puts and increments of a table of HBase. stages/lib/hbase/sink/keys.h has what it
 * shares with hbase and hbase2. Thread: control. */
#include "stages/lib/hbase/sink/keys.h"

static const struct ps_option options[] = {
    PS_HBASE_OPTION_ROWS("org.apache.flume.sink.hbase.SimpleAsyncHbaseEventSerializer", PS_OPTION_EXTENSION),
    PS_OPTION_ROW("timeout", INT, PS_HBASE_FIELD(timeout_ms),
                  "how long an answer of a region server may take; 0 or less counts as 60000",
                  .fallback = "60000", .min = INT32_MIN, .max = INT32_MAX, .unit = "ms"),
    PS_OPTION_ROW(
        "maxConsecutiveFails", INT, PS_HBASE_FIELD(fails_max),
        "read, and not needed: Flume's sink makes a new client after so many failures, because its client "
        "keeps requests",
        .fallback = "10", .min = INT32_MIN, .max = INT32_MAX, .flags = PS_OPTION_NO_EFFECT),
    PS_OPTION_ROW("async.", MAP, PS_HBASE_FIELD(async_keys),
                  "properties of the library asynchbase, which is not used: only hbase.zookeeper.quorum, "
                  "hbase.zookeeper.znode.parent, hbase.security.auth.enable, hbase.security.authentication, "
                  "hbase.kerberos.regionserver.principal and hbase.rpc.protection are read"),
    PS_OPTION_END,
};

static enum ps_status check(const void *plan, const struct ps_context *context)
{
    return ps_hbase_check(plan, context, true);
}

static enum ps_status build(void *plan, struct ps_context *context, struct ps_err *err)
{
    return ps_hbase_build(plan, context, err, true);
}

const struct ps_stage_ops ps_sink_asynchbase = {
    PS_STAGE(PS_KIND_SINK),
    .name = "asynchbase",
    .aliases = PS_WORDS("org.apache.flume.sink.hbase.AsyncHBaseSink"),
    .summary = "puts and increments of a table of HBase, with the keys of Flume's AsyncHBaseSink",
    .options = options,
    PS_HBASE_STAGE,
};
