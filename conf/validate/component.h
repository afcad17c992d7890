/* One component: looks up its type, binds its keys, runs its check. Used by validation, and by the engine for
 * sub-stages. Thread: the control thread. */
#pragma once

#include "conf/bind.h"
#include "conf/validate/common.h"

struct ps_component_maker {
    struct ps_conf *conf;
    const struct ps_stage_ops *const *stages;
    struct ps_arena *arena;
    bool allow_unsupported;
};

/* Looks up `type` for a component; `place` is the place of the type. Returns NULL after adding a problem:
 * either Flume has the type and penstock does not (an error; when unsupported types are allowed, the component is
 * dropped), or neither has it (the component is dropped). */
const struct ps_stage_ops *ps_component_type(const struct ps_component_maker *maker, enum ps_kind kind,
                                             const char *type, struct ps_place place);

/* Notes a type that the Flume of --for no longer has, and counts it (conf->gone). */
void ps_component_note_gone(const struct ps_component_maker *maker, enum ps_kind kind, const char *type,
                            struct ps_place place);

/* Marks a component as refused whose type nobody has, after that was reported, and gives it the stage that its type
 * probably means, so that its other keys are checked at once; if there is none, only the keys that all components of the
 * kind have are checked. part->type and part->pairs are set. */
void ps_component_refuse(const struct ps_component_maker *maker, enum ps_kind kind,
                         struct ps_conf_part *part);

/* Keeps a component that is left out for ps_conf_probe, if its plan has the values that it needs. */
void ps_component_set_aside(const struct ps_component_maker *maker, const struct ps_conf_part *part,
                            const char *deadletter);

/* Binds part->pairs to a new part->plan by part->ops. `prefix` is "a1.sources.r1."; `common` are sets of rows
 * bound elsewhere. */
enum ps_status ps_component_bind(const struct ps_component_maker *maker, struct ps_conf_part *part,
                                 const char *prefix, const struct ps_option *const *common);

/* Runs the stage's check hook. Returns PS_FAIL if the component must be dropped, after adding a problem. Call
 * it even when ps_component_bind failed: the hook then finds further problems, so that all are reported at
 * once. The hook is not run when the plan lacks values that it needs (part->unchecked). `template` has instances,
 * producers, consumers and channels; this function fills in the rest. */
enum ps_status ps_component_check(const struct ps_component_maker *maker, struct ps_conf_part *part,
                                  const char *prefix, const struct ps_context *template);

/* Returns the place of a key, or the component's place if the key is missing. */
struct ps_place ps_component_place(const struct ps_component_maker *maker, const struct ps_conf_part *part,
                                   const char *prefix, const char *key);
