/* Flows with a transactional sink (ps_sink_ops.transactional): an event and the position of its source can be
 * committed together only where one sink gets everything that was read from a stream, in order. Refuses other flows
 * with the reason, and informs the sources that the sink commits their positions. A sink of a channel on disk keeps
 * positions of the channel, whatever its sources are (ps_sink_ops.keep_positions). Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* A pair with this key notes who keeps the positions ("topic": this sink; "sink": the sink behind this source), so that a
 * reload sees that the source, or the sink, has changed. */
#define PS_KEEPER_KEY "penstock.positions"

/* Checks the flows of the configuration. Called after validation. */
void ps_check_guarantees(struct ps_conf *conf);
