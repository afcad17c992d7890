/* The contract for which a stage was compiled. The engine refuses a stage of another contract (ps_stage_fits in
 * core/stage.h).
 *
 *   version     Grows when anything that a stage may use (docs/CONTRACT.md) is removed, moved, or changes its
 *               meaning, and when the engine offers something new: stages of an older version then no longer run.
 *   bytes..     Within a version, struct ps_stage_ops and the functions of a kind grow only at their end, by members
 *               that may be missing (NULL): an engine ignores the members after those that it knows. It never reads
 *               past the end of a stage's struct, so it refuses a stage whose struct is shorter. */
#pragma once

#include "core/base.h"

#define PS_CONTRACT_VERSION 9U
struct ps_contract {
    uint32_t version;
    uint32_t bytes;      /* of struct ps_stage_ops */
    uint32_t kind_bytes; /* of the functions of its kind */
};

#define PS_KIND_BYTES(kind)                                                                                  \
    ((kind) == PS_KIND_SOURCE        ? sizeof(struct ps_source_ops)                                          \
     : (kind) == PS_KIND_INTERCEPTOR ? sizeof(struct ps_interceptor_ops)                                     \
     : (kind) == PS_KIND_SELECTOR    ? sizeof(struct ps_selector_ops)                                        \
     : (kind) == PS_KIND_CHANNEL     ? sizeof(struct ps_channel_ops)                                         \
     : (kind) == PS_KIND_SINK        ? sizeof(struct ps_sink_ops)                                            \
     : (kind) == PS_KIND_SERIALIZER  ? sizeof(struct ps_serializer_ops)                                      \
                                     : sizeof(struct ps_deserializer_ops))

/* The first line of every struct ps_stage_ops: its kind, and the contract for which it was compiled. */
#define PS_STAGE(kind_)                                                                                      \
    .contract = {PS_CONTRACT_VERSION, sizeof(struct ps_stage_ops), (uint32_t)PS_KIND_BYTES(kind_)},          \
    .kind = (kind_)
