/* From the word of a `type` key to a stage: ours, one Flume has and we do not yet, or none of Flume's.
 * Thread: any (const tables). */
#pragma once

#include "core/stage.h"

/* By name or alias, class names included, without regard to case; NULL = not in the table. `stages` ends with
 * NULL. */
const struct ps_stage_ops *ps_stage_find(const struct ps_stage_ops *const *stages, enum ps_kind kind,
                                         const char *type);

/* What Flume calls this type, when it is one of Flume's (1.4 to 2.0): "taildir". NULL: not one of Flume's.
 * `kind` may also be PS_KIND_COUNT for a sink processor. */
const char *ps_type_flume_name(enum ps_kind kind, const char *type);

/* The word nearest to `type` among names of ours and of Flume's; NULL = none is near. A class of somebody
 * else's package is near to Flume's class of the same name alone. */
const char *ps_type_nearest(const struct ps_stage_ops *const *stages, enum ps_kind kind, const char *type);

const char *ps_kind_word(enum ps_kind kind); /* "source" */

#define PS_KIND_PROCESSOR PS_KIND_COUNT
