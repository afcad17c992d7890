/* The name of a function is that of its member in the stage's table: the functions themselves are static, and their names in no table of symbols. */
#include "tests/plugin/functions.h"

#include "core/deserializer.h"
#include "core/serializer.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <string.h>

#define FRAMES_MAX 128

struct member {
    const char *name;
    size_t offset; /* in the table of the stage, or in that of its kind */
};

#define OF(type, member)                                                                                     \
    {                                                                                                        \
#member, offsetof(struct type, member)                                                               \
    }

static const struct member of_stage[] = {
    OF(ps_stage_ops, check),
    OF(ps_stage_ops, build),
    OF(ps_stage_ops, teardown),
    OF(ps_stage_ops, open),
    OF(ps_stage_ops, close),
    OF(ps_stage_ops, describe),
    OF(ps_stage_ops, outline),
    OF(ps_stage_ops, listens),
    OF(ps_stage_ops, probe),
    OF(ps_stage_ops, files),
    OF(ps_stage_ops, reread),
    OF(ps_stage_ops, outdated),
    OF(ps_stage_ops, series),
    OF(ps_stage_ops, claims),
    OF(ps_stage_ops, batch_events),
    OF(ps_stage_ops, opening),
    {NULL, 0},
};
static const struct member of_source[] = {
    OF(ps_source_ops, work),     OF(ps_source_ops, tick),
    OF(ps_source_ops, accepted), OF(ps_source_ops, refused),
    OF(ps_source_ops, drain),    OF(ps_source_ops, delivered),
    OF(ps_source_ops, paused),   {NULL, 0},
};
static const struct member of_interceptor[] = {
    OF(ps_interceptor_ops, work), OF(ps_interceptor_ops, tick), {NULL, 0}};
static const struct member of_selector[] = {OF(ps_selector_ops, work), {NULL, 0}};
static const struct member of_channel[] = {
    OF(ps_channel_ops, start),
    OF(ps_channel_ops, tick),
    OF(ps_channel_ops, put),
    OF(ps_channel_ops, take),
    OF(ps_channel_ops, done),
    OF(ps_channel_ops, consumer_tick),
    OF(ps_channel_ops, untake),
    OF(ps_channel_ops, leave),
    OF(ps_channel_ops, hungry),
    OF(ps_channel_ops, fill),
    OF(ps_channel_ops, keep_alive_ms),
    OF(ps_channel_ops, trouble),
    {NULL, 0},
};
static const struct member of_sink[] = {
    OF(ps_sink_ops, work), OF(ps_sink_ops, tick), OF(ps_sink_ops, recall), OF(ps_sink_ops, drain), {NULL, 0},
};
static const struct member of_serializer[] = {
    OF(ps_serializer_ops, begin), OF(ps_serializer_ops, event), OF(ps_serializer_ops, flush),
    OF(ps_serializer_ops, end),   OF(ps_serializer_ops, ready), {NULL, 0},
};
static const struct member of_deserializer[] = {
    OF(ps_deserializer_ops, begin), OF(ps_deserializer_ops, work), {NULL, 0}};

static const struct member *of_kind(enum ps_kind kind)
{
    switch (kind) {
    case PS_KIND_SOURCE:
        return of_source;
    case PS_KIND_INTERCEPTOR:
        return of_interceptor;
    case PS_KIND_SELECTOR:
        return of_selector;
    case PS_KIND_CHANNEL:
        return of_channel;
    case PS_KIND_SINK:
        return of_sink;
    case PS_KIND_SERIALIZER:
        return of_serializer;
    case PS_KIND_DESERIALIZER:
        return of_deserializer;
    default:
        return NULL;
    }
}

/* Looks in one table for the function that begins last before the address. `begins`, `name`: the one that was found so far. */
static void look(const void *table, const struct member *members, const char *at, const char **begins,
                 const char **name)
{
    for (; members != NULL && members->name != NULL; members++) {
        const char *function;
        memcpy(&function, (const char *)table + members->offset, sizeof function);
        if (function != NULL && function <= at && function > *begins) {
            *begins = function;
            *name = members->name;
        }
    }
}

const char *ps_plugin_test_function(const struct ps_stage_ops *ops)
{
    void *frames[FRAMES_MAX];
    Dl_info plugin, other;
    int count = backtrace(frames, FRAMES_MAX);
    if (ops == NULL || dladdr(ops, &plugin) == 0)
        return NULL;
    /* The outermost frame of the plug-in is the function that the engine has called. */
    for (int i = count - 1; i >= 0; i--) {
        if (dladdr(frames[i], &other) == 0 || other.dli_fbase != plugin.dli_fbase)
            continue;
        const char *name = NULL, *begins = NULL;
        look(ops, of_stage, frames[i], &begins, &name);
        look(ops->source, of_kind(ops->kind), frames[i], &begins, &name);
        return name;
    }
    return NULL;
}
