/* The option rows of every component of a kind, whatever its type: Flume's common keys. (The engine's rows
 * are in core/engine/agent/options.c.) Thread: any (const tables). */
#pragma once

#include "conf/conf.h"

struct ps_common_source {
    const char *type;
    struct ps_texts channels;
    struct ps_pairs selector;
    struct ps_texts interceptors;
    struct ps_pairs interceptor_keys;
};

struct ps_common_sink {
    const char *type;
    const char *channel;
};

struct ps_common_channel {
    const char *type;
};

struct ps_common_group {
    struct ps_texts sinks;
    struct ps_pairs processor;
};

extern const struct ps_option ps_common_source_options[];
extern const struct ps_option ps_common_sink_options[];
extern const struct ps_option ps_common_group_options[];

/* `penstock.engine` of sources, sinks and interceptors that have no such row of their own (conf/validate/engine.c). */
extern const struct ps_option ps_common_engine_options[];

/* Sets of rows, for ps_bind_options. */
extern const struct ps_option *const ps_common_source[];
extern const struct ps_option *const ps_common_sink[];
extern const struct ps_option *const ps_common_channel[];
extern const struct ps_option *const ps_common_interceptor[];
extern const struct ps_option *const ps_common_type[];
