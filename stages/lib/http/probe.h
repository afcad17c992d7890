/* `penstock check --probe` of a stage that posts to URLs. Thread: control. */
#pragma once

#include "core/probe.h"
#include "stages/lib/http/sink.h"

/* Connects, and for https agrees on TLS keys; sends nothing. `shown`: the URL without user and password. Waits at most as long as the probe
 * allows. */
void ps_http_probe(const struct ps_probe *probe, const struct ps_http_settings *settings, const char *shown);

/* What an answer means. */
struct ps_http_verdict {
    enum ps_probed result;
    char text
        [320]; /* of a success: what is known of the server, or nothing, and then nothing is reported; else the cause */
    const char *cure; /* of a failure */
};

/* The same with the settings of a plan, and sends a GET: `judge` reads the answer, and sets the verdict, which is OK before, without a text. `what`: what is asked for. Returns
 * whether the verdict is OK. */
bool ps_http_probe_ask(const struct ps_probe *probe, const struct ps_http_sink_plan *plan, const char *url,
                       const char *what,
                       void (*judge)(void *argument, const struct ps_http_request *answer,
                                     struct ps_http_verdict *verdict),
                       void *argument);

/* Asks each of the plan's hosts for its greeting. Returns the number of the first one whose verdict is OK; `host_count`: there is none. */
unsigned ps_http_probe_hosts(const struct ps_probe *probe, const struct ps_http_sink_plan *plan,
                             void (*judge)(void *argument, const struct ps_http_request *answer,
                                           struct ps_http_verdict *verdict),
                             void *argument);
