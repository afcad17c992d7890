/* Identities of events, for penstock's own sources of files, in addition to core/flow/identity.h. Thread: the worker of the source. */
#pragma once

#include "core/flow/identity.h"

/* Makes room for the origin of rows that are added next, the first of which has this identity: the call of ps_batch_origin for
 * them does not fail. For a source that cannot take back rows. Returns false when there is no memory. */
bool ps_batch_origin_begin(struct ps_batch *batch, const struct ps_identity *first);

/* Notes the identity of the row added last, for a store whose positions are offsets of bytes: in a run they increase, and
 * need not increase by 1. Uses the row's `flags`. Otherwise as ps_batch_origin. */
bool ps_batch_origin_step(struct ps_batch *batch, const struct ps_identity *identity);
