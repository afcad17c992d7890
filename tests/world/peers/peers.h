/* The peers that a drawn agent may have. Each sends `events` events in all, unless it is told to stop. They are made by the runner, before
 * the first life. */
#pragma once

#include "tests/world/peer.h"

/* Writes lines into DIRECTORY/a.log, with an fsync after each write, and renames it now and then to a.log.N, which taildir must follow. An
 * event is acknowledged when its line is synced. */
void writer_add(const char *directory, uint32_t events);
/* Puts whole files into a directory for spooldir: written beside it, synced, renamed. An event is acknowledged when its file has its name. */
void spooler_add(const char *directory, uint32_t events);
/* Sends lines to netcat over TCP, some at a time, and repeats those that were not answered with OK. */
void netcat_add(uint16_t port, uint32_t events);
/* Posts JSON to the http source, and repeats what was not answered with 200. */
void http_client_add(uint16_t port, uint32_t events);
/* Sends syslog over TCP to the two ports, or over UDP to the first one. */
void syslog_add(const uint16_t ports[2], bool udp, uint32_t events);

/* Takes what the http sink posts, an event a request. While world->server_faults holds it refuses, breaks off before or after it has taken an event, and
 * answers late. */
void http_server_add(uint16_t port, unsigned far_end);

/* Returns whether all of them have sent all of their events. */
bool peers_are_done(void);
/* Peers that are not done; each peer counts itself. */
void peers_one_more(void);
void peers_one_less(void);
