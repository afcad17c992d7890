/* Ports for servers that a bench, a plan or the demo starts. Thread: any. */
#pragma once

/* Returns a port of 127.0.0.1 that is unused at the moment, for sockets of this type (SOCK_STREAM, SOCK_DGRAM); 0: there is
 * none. */
unsigned ps_unused_port(int type);
