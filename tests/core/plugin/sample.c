/* Shared objects for loader_test.c, one for each SAMPLE_*: a good plug-in, and others with one mistake each. */
#include "core/plugin/plugin.h"

#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-const-variable"

static const struct ps_option options[] = {PS_OPTION_END};

#ifdef SAMPLE_keeper
#define KIND PS_KIND_INTERCEPTOR
#define OPERATIONS ps_interceptor_ops
#define MEMBER interceptor
typedef struct ps_lease *offered;
#else
#define KIND PS_KIND_SINK
#define OPERATIONS ps_sink_ops
#define MEMBER sink
typedef struct ps_lease **offered;
#endif

static enum ps_result work(const void *plan, void *state, offered lease, const struct ps_now *now)
{
    return PS_DONE;
}

static const struct OPERATIONS operations = {
#ifndef SAMPLE_idle
    .work = work,
#endif
};

static const struct ps_stage_ops sample = {
#if defined SAMPLE_old
    .contract = {PS_CONTRACT_VERSION - 1, sizeof(struct ps_stage_ops), sizeof(struct OPERATIONS)},
    .kind = KIND,
#elif defined SAMPLE_short
    .contract = {PS_CONTRACT_VERSION, sizeof(struct ps_stage_ops) - 8, sizeof(struct OPERATIONS)},
    .kind = KIND,
#elif !defined SAMPLE_contractless
    PS_STAGE(KIND),
#endif
#ifdef SAMPLE_native
    .name = "host",
#elif defined SAMPLE_alias
    .name = "another",
    .aliases = PS_WORDS("org.example.Sample$Builder"),
#elif defined SAMPLE_blank
    .name = "a sample",
#elif !defined SAMPLE_nameless
    .name = "sample",
    .aliases = PS_WORDS("org.example.Sample$Builder"),
#endif
#ifdef SAMPLE_good
    .summary = "a good one",
#else
    .summary = "another one",
#endif
    .options = options,
#ifndef SAMPLE_functionless
    .MEMBER = &operations,
#endif
};

#if defined SAMPLE_none
extern const struct ps_stage_ops *const some_stages[];
const struct ps_stage_ops *const some_stages[] = {&sample, NULL};
#elif defined SAMPLE_empty
extern const struct ps_stage_ops *const ps_plugin_stages[];
const struct ps_stage_ops *const ps_plugin_stages[] = {NULL, &sample};
#elif defined SAMPLE_endless /* without PS_PLUGIN, and without a NULL at the end */
extern const struct ps_stage_ops *const ps_plugin_stages[];
const struct ps_stage_ops *const ps_plugin_stages[] = {&sample};
#else
PS_PLUGIN(&sample);
#endif

#ifdef SAMPLE_exits
#include <stdlib.h>
__attribute__((constructor)) static void ends_the_process(void)
{
    exit(3);
}
#endif

#ifdef SAMPLE_hangs
#include <unistd.h>
__attribute__((constructor)) static void does_not_return(void)
{
    for (;;)
        pause();
}
#endif

#ifdef SAMPLE_undefined
extern int nobody_has_this(void);
int calls_it(void);
int calls_it(void)
{
    return nobody_has_this();
}
#endif
