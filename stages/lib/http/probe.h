/* `penstock check --probe` of a stage that posts to a URL: connects, and for https agrees on TLS keys; sends nothing.
 * Thread: control. */
#pragma once

#include "core/probe.h"
#include "stages/lib/http/client.h"

/* `shown`: the URL without user and password. Waits at most as long as the probe allows. */
void ps_http_probe(const struct ps_probe *probe, const struct ps_http_settings *settings, const char *shown);
