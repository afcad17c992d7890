/* Ports for tests that close one and open it again, or give it to a program that they start. */
#pragma once

/* Returns a port of 127.0.0.1 that is free for `type` (SOCK_STREAM or SOCK_DGRAM) and below the range of
 * ephemeral ports, so that nobody gets it by chance while it is closed. For SOCK_STREAM no other test gets it
 * before the process ends; a listener has to set SO_REUSEADDR. Each call in a process returns another one. */
unsigned ps_test_port(int type);
