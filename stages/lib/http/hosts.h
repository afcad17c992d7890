/* The servers of a sink that has several, and the question that it asks before its first request (ps_http_sink_plan.hosts, greeted).
 * For stages/lib/http/sink.c. Thread: the sink's worker. */
#pragma once

#include "stages/lib/http/sink.h"

/* Chooses the host of the next request: of those that do not rest one with the fewest requests; if all rest, the one whose rest ends first.
 * In turn, if several are alike. */
unsigned ps_http_hosts_choose(struct ps_http_sink *sink);

/* Notes how a request to a host has ended. Returns whether the sink has a host that does not rest. */
bool ps_http_hosts_note(struct ps_http_sink *sink, unsigned number, bool answered);

/* Returns whether requests may be sent; if not, asks a server first. Nothing is asked before there is an event. */
bool ps_http_hosts_greet(struct ps_http_sink *sink);

/* Asks the cluster for its servers, if it is time. */
void ps_http_hosts_sniff(struct ps_http_sink *sink);

/* Called when one of these questions has ended. */
void ps_http_hosts_take_greeting(struct ps_http_sink *sink);

/* Makes the places of the plan's hosts. Returns false if there is no memory. */
bool ps_http_hosts_open(struct ps_http_sink *sink);
void ps_http_hosts_close(struct ps_http_sink *sink);
