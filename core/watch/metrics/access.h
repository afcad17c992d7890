/* Decides which clients may read which pages of the metrics server.
 *
 * Every client that reaches the port may read metrics and health, as in Flume. /tail shows bodies of events: if a
 * token is configured, a client must present it; otherwise only clients from loopback addresses are allowed. A
 * browser on this machine is such a client, and a foreign page can make it send requests under the page's own host
 * name (DNS rebinding); therefore /tail without a token also checks the Host header. Thread: any. */
#pragma once

#include "core/status.h"

#include <netinet/in.h>

#define PS_ACCESS_TOKEN_BYTES 1024U /* with the terminating zero */

/* Texts; each may be NULL. */
struct ps_metrics_access {
    const char *token;      /* secret of clients of /tail */
    const char *token_path; /* a file that has the token instead; read for each request */
    /* "a.example, b.example": names of this machine. If set, every path checks the Host header */
    const char *hosts;
};

/* Reads a token: the file's text without blanks and line ends around it. Returns PS_FAIL for a file that is
 * missing, empty, too long, or has more than one line. */
enum ps_status ps_metrics_token_read(const char *path, char token[static PS_ACCESS_TOKEN_BYTES],
                                     struct ps_err *err);

/* Returns whether the address is in 127.0.0.0/8, also as IPv4-mapped IPv6, or is ::1. */
bool ps_metrics_peer_is_local(const struct sockaddr *peer);

/* Returns whether a Host header ("name", "name:port", "[address]:port") names this machine: an IP address,
 * localhost, the host name (uname), or one of `hosts`. NULL, no header: true, because browsers always send one. */
bool ps_metrics_host_is_own(const char *header, const char *hosts);

/* Returns whether "Bearer TOKEN" (RFC 6750) has this token; compares in constant time. */
bool ps_metrics_token_matches(const char *header, const char *token);
