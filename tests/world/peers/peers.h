/* The peers that a drawn agent may have. They send what supply.h gives them. They are made by the runner, before the first life. */
#pragma once

#include "tests/world/peer.h"

/* Writes lines into /w/logs/app<label>.log, with an fsync after each write, and rotates it now and then, in a way that taildir must follow:
 * to app<label>.log.N, to oldN, by a copy. An event is acknowledged when its line is synced. */
void log_add(uint32_t label);

/* How files for spooldir are. */
struct spooled {
    bool is_below;  /* in a directory below the spooling directory */
    bool is_packed; /* by gzip */
    bool is_blob;   /* an event each */
    bool is_wide;   /* UTF-16LE */
};
/* Puts whole files into a directory for spooldir, <label>.txt: written beside it, synced, renamed. An event is acknowledged when its file has
 * its name. Beside them are files that nobody wants. *form stays. */
void spooler_add(const struct spooled *form);
/* Sends lines to netcat over TCP, some at a time, and repeats those that were not answered with OK. */
void netcat_add(uint16_t port);
/* Posts JSON to the http source, and repeats what was not answered with 200. */
void http_client_add(uint16_t port);
/* Sends syslog over TCP to the two ports, or over UDP to the first one. */
void syslog_add(const uint16_t ports[2], bool udp);

/* Takes what the http sink posts, an event a request. While world->server_faults holds it refuses, breaks off before or after it has taken an event, and
 * answers late. */
void http_server_add(uint16_t port, unsigned far_end);
/* Takes what a sink elasticsearch (`is_solr`: solr) posts, in the same way; items of a request are refused one by one. */
void store_server_add(uint16_t port, unsigned far_end, bool is_solr);
