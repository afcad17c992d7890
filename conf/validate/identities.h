/* Flows whose sink reads the identities of events (core/flow/identity.h): the sink's key penstock.identity is true. Only in these flows
 * is a source of files asked to give its events identities, because a new file waits until its random number is on the disk.
 * Thread: the control thread. */
#pragma once

#include "conf/conf.h"

/* Called after validation, before the stages are built. */
void ps_ask_for_identities(struct ps_conf *conf);
