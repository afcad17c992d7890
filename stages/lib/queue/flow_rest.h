/* A file channel of a flow that runs in Java is Flume's class. That class does not know penstock's log in the
 * same directories. Events that the native channel left in the log would stay there, unseen. Thread: control,
 * or the helper thread of a reload. */
#pragma once

#include "core/stage.h"

struct ps_queue_flow_rest {
    const char *channel;
    const char *key; /* the flow's key that messages blame */
    const char *directory;
    const char *what, *cure;
};

/* Looks for such a channel among the keys of the flow (conf/validate/flow.h). Returns whether there is one; the
 * texts are in the arena. A log that is in use does not count: the running agent has it, and a reload empties a
 * channel that goes. Changes nothing. */
bool ps_queue_flow_rest(const struct ps_pairs *flow, struct ps_context *context,
                        struct ps_queue_flow_rest *rest);
