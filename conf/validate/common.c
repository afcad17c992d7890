/* See common.h. */
#include "conf/validate/common.h"

#include <stddef.h>

const struct ps_option ps_common_source_options[] = {
    PS_OPTION_ROW("type", TEXT, offsetof(struct ps_common_source, type),
                  "type of the source: an alias or a class name"),
    PS_OPTION_ROW("channels", LIST, offsetof(struct ps_common_source, channels),
                  "channels it puts into, separated by blanks"),
    PS_OPTION_ROW("selector.", MAP, offsetof(struct ps_common_source, selector),
                  "the channel selector: selector.type (default replicating) and its keys"),
    PS_OPTION_ROW("interceptors", LIST, offsetof(struct ps_common_source, interceptors),
                  "names of interceptors in the order they run, separated by blanks"),
    PS_OPTION_ROW("interceptors.", MAP, offsetof(struct ps_common_source, interceptor_keys),
                  "interceptors.NAME.type and its keys"),
    PS_OPTION_END,
};

const struct ps_option ps_common_sink_options[] = {
    PS_OPTION_ROW("type", TEXT, offsetof(struct ps_common_sink, type),
                  "type of the sink: an alias or a class name"),
    PS_OPTION_ROW("channel", TEXT, offsetof(struct ps_common_sink, channel), "the one channel it takes from"),
    PS_OPTION_END,
};

static const struct ps_option channel_options[] = {
    PS_OPTION_ROW("type", TEXT, offsetof(struct ps_common_channel, type),
                  "type of the channel: an alias or a class name"),
    PS_OPTION_END,
};

const struct ps_option ps_common_group_options[] = {
    PS_OPTION_ROW("sinks", LIST, offsetof(struct ps_common_group, sinks), "its sinks, separated by blanks"),
    PS_OPTION_ROW("processor.", MAP, offsetof(struct ps_common_group, processor),
                  "the sink processor: processor.type (default, failover, load_balance) and its keys"),
    PS_OPTION_END,
};

/* The common rows of interceptors and selectors: only `type`. */
static const struct ps_option type_options[] = {
    {.key = "type", .type = PS_OPTION_TEXT, .help = "its type: an alias or a class name"},
    PS_OPTION_END,
};

const struct ps_option ps_common_engine_options[] = {
    {.key = "penstock.engine",
     .type = PS_OPTION_ENUM,
     .fallback = "native",
     .words = PS_WORDS("native", "java"),
     .flags = PS_OPTION_EXTENSION,
     .help = "the engine that runs it: native, or java (Flume's own class, in a Java process beside the "
             "agent). A class that exists only in Java does not need this key"},
    PS_OPTION_END,
};

const struct ps_option *const ps_common_source[] = {ps_common_source_options, ps_source_common_rows,
                                                    ps_common_engine_options, NULL};
const struct ps_option *const ps_common_sink[] = {ps_common_sink_options, ps_sink_common_rows,
                                                  ps_common_engine_options, NULL};
const struct ps_option *const ps_common_interceptor[] = {type_options, ps_common_engine_options, NULL};
const struct ps_option *const ps_common_channel[] = {channel_options, NULL};
const struct ps_option *const ps_common_type[] = {type_options, NULL};
