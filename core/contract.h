/* What a stage was compiled for. A stage and an engine of different contracts do not meet (ps_stage_fits in core/stage.h).
 *
 *   version     Grows when anything that a stage may use (docs/CONTRACT.md) is taken away, moved, or changes its meaning,
 *               and when the engine offers something new: then no stage of an older version runs.
 *   bytes..     Within a version, struct ps_stage_ops and the functions of a kind only grow at their end, by what may be
 *               missing (NULL): an engine ignores what stands behind what it knows. It never reads behind the end of
 *               what a stage has, so it refuses one that has less. */
#pragma once

#include "core/base.h"

#define PS_CONTRACT_VERSION 4U
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

/* The first line of every struct ps_stage_ops: its kind, and the contract that it was compiled for. */
#define PS_STAGE(kind_)                                                                                      \
    .contract = {PS_CONTRACT_VERSION, sizeof(struct ps_stage_ops), (uint32_t)PS_KIND_BYTES(kind_)},          \
    .kind = (kind_)
