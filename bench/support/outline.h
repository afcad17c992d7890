/* What is written in an agent file, as far as a planner needs it: sources, sinks and how they are connected.
 * Read with conf/, so that it is what `penstock agent` would run.
 *
 * Thread: one; set-up only. Reads files; starts nothing. */
#pragma once

#include "core/option.h"
#include "core/status.h"

#define PS_OUTLINE_PARTS_MAX 64U
#define PS_OUTLINE_CHANNELS_MAX 64U

struct ps_outline_part {
    const char *name, *type;      /* "r1"; the stage's name: "syslogtcp" */
    const struct ps_pairs *pairs; /* its keys, prefix stripped */
    /* sources: their channels in order, and the selector's type; sinks: the one channel */
    const char *channels[PS_OUTLINE_CHANNELS_MAX];
    unsigned channel_count;
    const char *selector;
};

struct ps_outline {
    struct ps_outline_part sources[PS_OUTLINE_PARTS_MAX], sinks[PS_OUTLINE_PARTS_MAX];
    unsigned source_count, sink_count;
    struct ps_err dropped; /* what the agent would leave out, and why; empty: nothing */
    void *own;
};

/* `arguments` are those of `penstock agent`: -n NAME -f FILE [-f FILE]... [-c DIR] [-Dkey=value]... PS_FAIL
 * when that agent would not start: the error has the first problems. Owns: ps_outline_fini. */
enum ps_status ps_outline_read(struct ps_outline *outline, const char *const *arguments,
                               unsigned argument_count, struct ps_err *err);
void ps_outline_fini(struct ps_outline *outline);

/* A key's value as written, or `otherwise`. */
const char *ps_outline_get(const struct ps_outline_part *part, const char *key, const char *otherwise);
