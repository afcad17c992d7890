/* One component: its type looked up, its keys bound, its own check run. Used by validation, and by the engine
 * for sub-stages. Thread: the control thread. */
#pragma once

#include "conf/bind.h"
#include "conf/common.h"

struct ps_part_maker {
    struct ps_conf *conf;
    const struct ps_stage_ops *const *stages;
    struct ps_arena *arena;
    bool allow_unsupported;
};

/* Looks up `type` for a component; NULL after a problem was added: Flume has it and we do not (error, or
 * dropped when allowed), or nobody has it (dropped). `place` is where the type stands. */
const struct ps_stage_ops *ps_part_type(const struct ps_part_maker *maker, enum ps_kind kind,
                                        const char *type, struct ps_place place);

/* Binds part->pairs to a new part->plan by part->ops. `prefix` is "a1.sources.r1.", `common`: sets of rows
 * bound elsewhere. */
enum ps_status ps_part_bind(const struct ps_part_maker *maker, struct ps_conf_part *part, const char *prefix,
                            const struct ps_option *const *common);

/* Runs the stage's check hook; PS_FAIL: it has to be dropped (a problem was added). `template` has instances,
 * producers, consumers and channels set; the rest is filled in here. */
enum ps_status ps_part_check(const struct ps_part_maker *maker, const struct ps_conf_part *part,
                             const char *prefix, const struct ps_context *template);

/* The pair of a key, for its place; the component's own place when there is none. */
struct ps_place ps_part_place(const struct ps_part_maker *maker, const struct ps_conf_part *part,
                              const char *prefix, const char *key);
