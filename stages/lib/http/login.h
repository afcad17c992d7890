/* Whom a sink trusts, and its basic authentication (RFC 7617). Thread: control. */
#pragma once

#include "stages/lib/http/sink.h"

/* Reads the trust store of Java's and Flume's settings (ps_tls_stage_trust), which Flume's sinks use, if one of the URLs is https and `ca`
 * is NULL: then *text is PEM text of the authorities, else NULL. */
enum ps_status ps_http_sink_trust(const char *const *urls, size_t count, const char *ca, char **text,
                                  const struct ps_context *context, struct ps_err *err);

/* Adds the login to the header of the requests, after ps_http_sink_build. `password` NULL: an empty one. */
enum ps_status ps_http_sink_login(struct ps_http_sink_plan *plan, struct ps_context *context,
                                  const char *user, const char *password, struct ps_err *err);
