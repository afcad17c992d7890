/* The sources and sinks of an agent file and how they are connected, as far as a planner needs it. The file
 * is read with conf/, so the result is what `penstock agent` would run.
 *
 * Thread: one; set-up only. Reads files; starts nothing. */
#pragma once

#include "core/option.h"
#include "core/status.h"

#define PS_OUTLINE_PARTS_MAX 64U
#define PS_OUTLINE_CHANNELS_MAX 64U

struct ps_outline_part {
    /* The component's name ("r1") and the stage's name ("syslogtcp"). */
    const char *name, *type;
    const struct ps_pairs *pairs; /* its keys, prefix stripped */
    /* Sources: their channels in order, and the selector's type. Sinks: the one channel. */
    const char *channels[PS_OUTLINE_CHANNELS_MAX];
    unsigned channel_count;
    const char *selector;
};

struct ps_outline {
    struct ps_outline_part sources[PS_OUTLINE_PARTS_MAX], sinks[PS_OUTLINE_PARTS_MAX];
    unsigned source_count, sink_count;
    /* The components that the agent would leave out, with the reasons; empty when nothing is dropped. */
    struct ps_err dropped;
    void *own;
};

/* `arguments` are those of `penstock agent`: -n NAME -f FILE [-f FILE]... [-c DIR] [-Dkey=value]... Returns PS_FAIL
 * when an agent with these arguments would not start; the error contains the first problems. Owns: ps_outline_fini
 * frees, even after a failure. */
enum ps_status ps_outline_read(struct ps_outline *outline, const char *const *arguments,
                               unsigned argument_count, struct ps_err *err);
void ps_outline_fini(struct ps_outline *outline);

/* Returns a key's value as written, or `otherwise`. */
const char *ps_outline_get(const struct ps_outline_part *part, const char *key, const char *otherwise);
