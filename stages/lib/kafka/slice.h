/* Compares the parts of a stream's name (core/flow/batch.h). Thread: any. */
#pragma once

#include "core/base.h"

#include <string.h>

static inline bool ps_slice_same(struct ps_slice one, struct ps_slice other)
{
    return one.length == other.length && (one.length == 0 || memcmp(one.data, other.data, one.length) == 0);
}
