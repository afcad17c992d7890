/* Compares the parts of a stream's name (core/flow/batch.h). Thread: any. */
#pragma once

#include "core/base.h"

#include <string.h>

/* Orders texts byte by byte; a text comes after its prefix. */
static inline int ps_slice_compare(struct ps_slice one, struct ps_slice other)
{
    uint32_t length = one.length < other.length ? one.length : other.length;
    int order = length > 0 ? memcmp(one.data, other.data, length) : 0;
    return order != 0 ? order : (one.length > other.length) - (one.length < other.length);
}

static inline bool ps_slice_same(struct ps_slice one, struct ps_slice other)
{
    return one.length == other.length && (one.length == 0 || memcmp(one.data, other.data, one.length) == 0);
}
