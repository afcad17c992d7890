/* Checks that no two sources listen on one port. Thread: control. */
#pragma once

#include "conf/conf.h"

/* Warns of each source that listens on an address of an earlier source or of the metrics server. A start continues,
 * as Flume does, and the later source waits for the port; a reload is refused (conf/mistake.h). A TCP and a UDP port
 * are different ports, and port 0 is never the same port. Compares names as written and addresses by their
 * value; asks no name server. 0.0.0.0 and :: overlap every host. Call it after validation. */
void ps_check_ports(struct ps_conf *conf);
